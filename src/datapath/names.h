/* SPDX-License-Identifier: GPL-2.0-only */
/* The names of verdicts, events and losses, from the lists in bpf/pipeline.h and bpf/losses.h. */
#ifndef DATAPATH_NAMES_H
#define DATAPATH_NAMES_H

#include "bpf/losses.h"
#include "bpf/pipeline.h"

const char *verdict_name(enum verdict verdict);    /* "redirected" */
const char *verdict_meaning(enum verdict verdict); /* "sent out of forward.interface" */
enum verdict_class verdict_class(enum verdict verdict);
const char *event_name(enum event event); /* "df_cleared" */
const char *event_meaning(enum event event);
const char *loss_name(enum loss loss); /* "redirect_failed" */
const char *loss_meaning(enum loss loss);

#endif
