/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The neighbours that lead to the rules' targets, and what the daemon knows of them.
 *
 * The kernel announces a neighbour as failed if a probe went unanswered, but also after `ip neigh flush`.
 * So the daemon then has the kernel probe the neighbour, and keeps sending to it until that probe has gone
 * unanswered for NEIGHBOUR_PATIENCE_MS. A probe that the kernel was made to forget is not an unanswered one: it is repeated,
 * but not for longer than NEIGHBOUR_DOUBT_MS. A failed neighbour stays failed until it answers, also over reloads and restarts.
 */
#ifndef DAEMON_NEIGHBOURS_H
#define DAEMON_NEIGHBOURS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "net/rtnl.h"

#define NEIGHBOUR_PATIENCE_MS 1000
#define NEIGHBOUR_DOUBT_MS    5000
#define NEIGHBOUR_PROBE_MS    2000 /* how often a neighbour in use is probed */

struct neighbour {
	struct ip_address address;
	uint8_t mac[6];        /* if known */
	bool known;            /* packets are sent to `mac` */
	bool failed;           /* nobody has answered since it was asked for */
	bool lasting;          /* somebody has set it by hand: it is never asked for */
	bool seen;             /* in the walk under way over what the kernel knows */
	int64_t doubted_until; /* CLOCK_MONOTONIC, ms; 0: no doubt; INT64_MAX: not asked for yet */
	int64_t doubted_since; /* likewise: when the doubt began */
	int64_t probe_at;      /* likewise: when it is probed next */
};

struct neighbours {
	struct neighbour *list; /* sorted by address */
	size_t count;
	size_t next;    /* index of whom to ask first in the next round */
	int64_t now;    /* CLOCK_MONOTONIC, ms: of what is learned; the caller's to set */
	bool suspended; /* the interface is down */
};

/* NULL: it is none of these. */
struct neighbour *neighbours_find(const struct neighbours *neighbours,
				  const struct ip_address *address);

/*
 * Makes `addresses`, in any order and with repetitions, the neighbours, and keeps what was known of
 * those that were before. 0 or -ENOMEM and nothing has changed.
 */
int neighbours_set(struct neighbours *neighbours, const struct ip_address *addresses, size_t count);

/* Takes in what the kernel says of a neighbour; `data`: the struct neighbours. */
void neighbours_learn(void *data, const struct rtnl_neighbour *news);
/* Before and after a walk over all neighbours that the kernel knows. */
void neighbours_begin_walk(struct neighbours *neighbours);
void neighbours_end_walk(struct neighbours *neighbours);

/*
 * `up`: can the interface reach anybody? While it cannot, no answer says nothing, so nobody is asked and
 * nobody is given up. Once it can again, those that are known serve at once, and all are asked for.
 */
void neighbours_set_up(struct neighbours *neighbours, bool up);

/* Gives up those whose doubt is over; returns whether there were any. */
bool neighbours_give_up(struct neighbours *neighbours);

/*
 * Has the kernel look for those that are not known or doubted, and probe the others every
 * NEIGHBOUR_PROBE_MS: packets that bypass the kernel's stack do not tell it that a neighbour is in use.
 */
void neighbours_ask(struct neighbours *neighbours, struct netlink *netlink, int ifindex);

/* When neighbours_give_up() or neighbours_ask() are due next; INT64_MAX: never. */
int64_t neighbours_due(const struct neighbours *neighbours);

/* Is something known of each: an address, or that nobody answers? */
bool neighbours_are_settled(const struct neighbours *neighbours);

void neighbours_clear(struct neighbours *neighbours);

#endif
