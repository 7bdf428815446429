/* SPDX-License-Identifier: GPL-2.0-only */
/* The nftables rules that silence.c keeps in place. Inside net/ only. */
#ifndef NET_SILENCE_RULES_H
#define NET_SILENCE_RULES_H

#include "net/nftables.h"
#include "net/silence.h"

#define SILENCE_TABLE          "vxlan-pipeline-" /* the instance's name follows */
#define SILENCE_MARKING_RULES  4                 /* for each interface */
#define SILENCE_DROPPING_RULES 5
#define SILENCE_AGAIN_RULES    4 /* that mark again, behind the dropping ones */

/* Each returns `name`, which holds NFTABLES_NAME_SIZE bytes. */
const char *silence_table(char *name, const char *instance);
/*
 * The name of an empty chain, made from all that the rules depend on: if it exists, they are right.
 */
const char *silence_fingerprint(char *name, const struct silence *silence);

/* Are packets marked on a second interface, that of the previous configuration? */
bool silence_has_before(const struct silence *silence);

/* Replaces the instance's tables atomically; `owner` owns them, unless it is NULL. 0 or -errno. */
int silence_make(const char *instance, const struct silence *silence, struct netlink *owner);
/* Makes `owner` that of tables which another socket owned that is closed. 0 or -errno. */
int silence_own(const char *instance, struct netlink *owner);
/* Removes the instance's tables, those that there are. 0 or -errno. */
int silence_remove(const char *instance, struct netlink *owner);

#endif
