/* SPDX-License-Identifier: GPL-2.0-only */
/* The query of /rules.json and /vnis.json: which rows of a long table, and in what order. */
#ifndef WEB_QUERY_H
#define WEB_QUERY_H

#include "base/error.h"

#define QUERY_TEXT_MAX      64 /* bytes */
#define QUERY_LIMIT_DEFAULT 50
#define QUERY_LIMIT_MAX     500
#define QUERY_OFFSET_MAX    65536

/* X(enumerator, name): the largest first, but by number the smallest. */
#define QUERY_SORTS(X) \
	X(PPS, pps)    \
	X(PACKETS, packets)

enum query_sort {
#define X(upper, name) QUERY_SORT_##upper,
	QUERY_SORTS(X)
#undef X
		QUERY_SORT_NUMBER, /* of the rule, or the VNI: called `rule`, `vni` */
};

struct query {
	enum query_sort sort;
	char text[QUERY_TEXT_MAX + 1]; /* what a row must hold; empty: all do */
	unsigned int limit, offset;    /* rows */
};

/*
 * `text` is NAME=VALUE joined by '&', with the escapes of a URL. `number`: the name of the order by
 * number. 0, or -EINVAL and what is wrong in a sentence, which repeats nothing of the text.
 */
int query_parse(struct query *query, const char *text, const char *number, struct error *error);

#endif
