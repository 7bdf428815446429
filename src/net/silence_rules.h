/* SPDX-License-Identifier: GPL-2.0-only */
/* The rules that silence.c keeps in place. Inside net/ only. */
#ifndef NET_SILENCE_RULES_H
#define NET_SILENCE_RULES_H

#include "net/nftables.h"
#include "net/silence.h"

#define SILENCE_TABLE          "vxlan-pipeline-" /* and the instance */
#define SILENCE_MARKING_RULES  3                 /* of each interface */
#define SILENCE_DROPPING_RULES 5

/* Each returns `name`, which holds NFTABLES_NAME_SIZE bytes. */
const char *silence_table(char *name, const char *instance);
/* An empty chain, named after all that the rules are made of: where it is, they are those wanted. */
const char *silence_fingerprint(char *name, const struct silence *silence);

/* Is there another interface on which packets are marked? */
bool silence_has_before(const struct silence *silence);

/* Makes the tables, in place of those that are there, at one instant. 0 or -errno. */
int silence_make(const char *instance, const struct silence *silence);

#endif
