// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/neighbours.h"

#define ASK_EVERY_MS 1000 /* how often the kernel is asked for those that are not known */
#define ASK_AT_ONCE  256  /* neighbours at most */

static int compare_neighbours(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip_address));
}

struct neighbour *neighbours_find(const struct neighbours *neighbours,
				  const struct ip_address *address)
{
	struct neighbour wanted = {.address = *address};

	if (!neighbours->count)
		return NULL;
	return bsearch(&wanted, neighbours->list, neighbours->count, sizeof(wanted),
		       compare_neighbours);
}

int neighbours_set(struct neighbours *neighbours, const struct ip_address *addresses, size_t count)
{
	struct neighbour *list = calloc(count + 1, sizeof(*list));
	size_t kept = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		list[i].address = addresses[i];
	qsort(list, count, sizeof(*list), compare_neighbours);
	for (size_t i = 0; i < count; i++) {
		const struct neighbour *before;

		if (kept && compare_neighbours(&list[kept - 1], &list[i]) == 0)
			continue;
		before = neighbours_find(neighbours, &list[i].address);
		list[kept++] = before ? *before : list[i];
	}
	free(neighbours->list);
	neighbours->list = list;
	neighbours->count = kept;
	neighbours->next = 0;
	return 0;
}

static void neighbour_begin_doubt(struct neighbour *neighbour, int64_t now)
{
	neighbour->doubted_until = INT64_MAX;
	neighbour->doubted_since = now;
	neighbour->probe_at = now;
}

static void neighbour_doubt(struct neighbour *neighbour, int64_t now)
{
	if (neighbour->known && !neighbour->doubted_until)
		neighbour_begin_doubt(neighbour, now);
}

/* Somebody deletes neighbours: the answer to a probe that was sent finds nobody who waits for it. */
static void neighbour_ask_again(struct neighbour *neighbour, int64_t now)
{
	if (!neighbour->doubted_until || now - neighbour->doubted_since >= NEIGHBOUR_DOUBT_MS)
		return;
	neighbour->doubted_until = INT64_MAX;
	neighbour->probe_at = now;
}

void neighbours_learn(void *data, const struct rtnl_neighbour *news)
{
	struct neighbours *neighbours = data;
	struct neighbour *neighbour = neighbours_find(neighbours, &news->address);

	if (!neighbour)
		return;
	neighbour->seen = true;
	neighbour->lasting = news->lasting;
	if (news->valid) {
		memcpy(neighbour->mac, news->mac, sizeof(neighbour->mac));
		neighbour->known = true;
		neighbour->failed = false;
		neighbour->doubted_until = 0;
	} else if (neighbour->known) {
		neighbour_doubt(neighbour, neighbours->now);
		if (news->gone)
			neighbour_ask_again(neighbour, neighbours->now);
	} else if (news->failed) {
		neighbour->failed = true;
	}
}

void neighbours_begin_walk(struct neighbours *neighbours)
{
	for (size_t i = 0; i < neighbours->count; i++)
		neighbours->list[i].seen = false;
}

void neighbours_end_walk(struct neighbours *neighbours)
{
	for (size_t i = 0; i < neighbours->count; i++) {
		if (!neighbours->list[i].seen)
			neighbour_doubt(&neighbours->list[i], neighbours->now);
	}
}

void neighbours_set_up(struct neighbours *neighbours, bool up)
{
	bool resumed = up && neighbours->suspended;

	neighbours->suspended = !up;
	for (size_t i = 0; resumed && i < neighbours->count; i++) {
		struct neighbour *neighbour = &neighbours->list[i];

		neighbour->probe_at = neighbours->now;
		if (neighbour->known && !neighbour->lasting)
			neighbour_begin_doubt(neighbour, neighbours->now);
	}
}

bool neighbours_give_up(struct neighbours *neighbours)
{
	bool any = false;

	if (neighbours->suspended)
		return false;
	for (size_t i = 0; i < neighbours->count; i++) {
		struct neighbour *neighbour = &neighbours->list[i];

		if (!neighbour->doubted_until || neighbours->now < neighbour->doubted_until)
			continue;
		neighbour->doubted_until = 0;
		neighbour->known = false;
		neighbour->failed = true;
		any = true;
	}
	return any;
}

/* A probe keeps the address in use while the neighbour is asked; the kernel gives up after three. */
static void neighbour_ask(struct neighbour *neighbour, struct netlink *netlink, int ifindex,
			  int64_t now)
{
	bool sure = neighbour->known && !neighbour->doubted_until;

	if (sure)
		rtnl_probe_neighbour(netlink, ifindex, &neighbour->address);
	else
		rtnl_use_neighbour(netlink, ifindex, &neighbour->address);
	if (neighbour->doubted_until == INT64_MAX)
		neighbour->doubted_until = now + NEIGHBOUR_PATIENCE_MS;
	neighbour->probe_at = now + (sure ? NEIGHBOUR_PROBE_MS : ASK_EVERY_MS);
}

void neighbours_ask(struct neighbours *neighbours, struct netlink *netlink, int ifindex)
{
	size_t asked = 0;

	for (size_t i = 0; i < neighbours->count && asked < ASK_AT_ONCE; i++) {
		struct neighbour *neighbour;

		neighbours->next = (neighbours->next + 1) % neighbours->count;
		neighbour = &neighbours->list[neighbours->next];
		if (neighbour->lasting || neighbours->now < neighbour->probe_at)
			continue;
		neighbour_ask(neighbour, netlink, ifindex, neighbours->now);
		asked++;
	}
}

int64_t neighbours_due(const struct neighbours *neighbours)
{
	int64_t due = INT64_MAX;

	if (neighbours->suspended)
		return due;
	for (size_t i = 0; i < neighbours->count; i++) {
		const struct neighbour *neighbour = &neighbours->list[i];

		if (neighbour->doubted_until && neighbour->doubted_until < due)
			due = neighbour->doubted_until;
		if (!neighbour->lasting && neighbour->probe_at < due)
			due = neighbour->probe_at;
	}
	return due;
}

bool neighbours_are_settled(const struct neighbours *neighbours)
{
	for (size_t i = 0; i < neighbours->count; i++) {
		if (!neighbours->list[i].known && !neighbours->list[i].failed)
			return false;
	}
	return true;
}

void neighbours_clear(struct neighbours *neighbours)
{
	free(neighbours->list);
	memset(neighbours, 0, sizeof(*neighbours));
}
