/* SPDX-License-Identifier: GPL-2.0-only */
/* Compares the program's result with the model's: verdict, rule, VNI, events and every byte. */
#ifndef COMPARE_H
#define COMPARE_H

#include "datapath/datapath.h"
#include "model.h"

#define COMPARE_TEXT 512

/*
 * Finds the model's numbers of the product's verdicts and events, by their names. False: the model
 * lacks one; its name is printed.
 */
bool compare_start(void);
enum model_verdict compare_verdict(const struct trace *trace);
uint32_t compare_events(const struct trace *trace);

/* True: they agree. False: `why` says how they differ. */
bool compare_answers(const struct model *model, const struct answer *want,
		     const struct datapath_outcome *got, const uint8_t *frame, size_t length,
		     char why[COMPARE_TEXT]);

#endif
