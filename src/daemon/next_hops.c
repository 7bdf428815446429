// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "net/netdev.h"
#include "daemon/next_hops.h"
#include "net/rtnl.h"

#define RESOLVE_DELAY_MS 20   /* events come in bursts: one walk over all targets serves them */
#define RETRY_MS         1000 /* after the kernel could not be asked */
#define CONFIRM_EVERY_MS 1000 /* how often unknown and stale neighbours are asked for */
#define CONFIRM_AT_ONCE  256  /* neighbours at the most */

/* Who forwards for one target or for several. */
struct neighbour {
	struct ip_address address;
	uint8_t mac[6];
	bool valid;
	bool stale;
	bool failed; /* until it answers, however often it is asked for in between */
};

/* What the routing table says of a target; its neighbour is found by address. */
struct target_route {
	struct rtnl_route route;
	uint32_t neighbour; /* index, with RTNL_UNICAST */
};

struct next_hops {
	struct next_hops_setup setup;
	struct netlink *requests;
	struct netlink *events; /* of routes, neighbours and interfaces */
	struct netdev egress;
	struct target_route *routes;  /* of each target */
	struct neighbour *neighbours; /* sorted by address */
	size_t neighbour_count;
	size_t confirm_next; /* where the round of confirmations goes on */
	int64_t resolve_at;  /* INT64_MAX: nothing to resolve */
	int64_t confirm_at;
};

static int compare_neighbours(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip_address));
}

static struct neighbour *find_neighbour(struct next_hops *hops, const struct ip_address *address)
{
	struct neighbour wanted = {.address = *address};

	if (!hops->neighbour_count)
		return NULL;
	return bsearch(&wanted, hops->neighbours, hops->neighbour_count, sizeof(wanted),
		       compare_neighbours);
}

/* Each word is written whole; an entry that may be used never has half of a new source address. */
static void publish(struct next_hop *entry, const uint8_t *to, const uint8_t *from, uint32_t mtu,
		    enum next_hop_state state)
{
	uint64_t words[2] = {0};

	if (state == NEXT_HOP_RESOLVED) {
		memcpy(words, to, 6);
		memcpy((uint8_t *)words + 6, from, 6);
	} else {
		/* a packet that has read the state before still finds an address here */
		words[0] = entry->word[0];
	}
	words[1] |= (uint64_t)(mtu < UINT16_MAX ? mtu : UINT16_MAX) << NEXT_HOP_MTU_SHIFT;
	words[1] |= (uint64_t)state << NEXT_HOP_STATE_SHIFT;
	if (entry->word[0] == words[0] && entry->word[1] == words[1])
		return;
	if ((uint32_t)entry->word[1] != (uint32_t)words[1])
		__atomic_store_n(&entry->word[1], 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&entry->word[0], words[0], __ATOMIC_SEQ_CST);
	__atomic_store_n(&entry->word[1], words[1], __ATOMIC_SEQ_CST);
}

static void publish_all(struct next_hops *hops)
{
	for (size_t i = 0; i < hops->setup.count; i++) {
		const struct target_route *target = &hops->routes[i];
		const struct neighbour *neighbour = NULL;
		enum next_hop_state state = NEXT_HOP_UNKNOWN;
		uint32_t mtu = hops->egress.mtu;

		if (target->route.type == RTNL_LOCAL)
			state = NEXT_HOP_LOCAL;
		if (target->route.type == RTNL_UNICAST)
			neighbour = &hops->neighbours[target->neighbour];
		if (neighbour && neighbour->valid && hops->egress.up)
			state = NEXT_HOP_RESOLVED;
		else if (neighbour && neighbour->failed)
			state = NEXT_HOP_FAILED;
		if (target->route.mtu && target->route.mtu < mtu)
			mtu = target->route.mtu;
		publish(&hops->setup.table[i], neighbour ? neighbour->mac : NULL, hops->egress.mac,
			mtu, state);
	}
}

static void learn_neighbour(void *data, const struct rtnl_neighbour *news)
{
	struct neighbour *neighbour = find_neighbour(data, &news->address);

	if (!neighbour)
		return;
	memcpy(neighbour->mac, news->mac, sizeof(neighbour->mac));
	neighbour->valid = news->valid;
	neighbour->stale = news->stale;
	neighbour->failed = !news->valid && (news->failed || neighbour->failed);
}

/* The different next hops of all targets, sorted; what the kernel knows of them. */
static int collect_neighbours(struct next_hops *hops)
{
	size_t count = hops->setup.count, kept = 0;
	struct neighbour *neighbours = calloc(count + 1, sizeof(*neighbours));

	if (!neighbours)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (hops->routes[i].route.type == RTNL_UNICAST)
			neighbours[kept++].address = hops->routes[i].route.next_hop;
	}
	qsort(neighbours, kept, sizeof(*neighbours), compare_neighbours);
	count = kept;
	kept = 0;
	for (size_t i = 0; i < count; i++) {
		if (!kept || compare_neighbours(&neighbours[kept - 1], &neighbours[i]))
			neighbours[kept++] = neighbours[i];
	}
	for (size_t i = 0; i < kept; i++) {
		const struct neighbour *before = find_neighbour(hops, &neighbours[i].address);

		neighbours[i].failed = before && before->failed;
	}
	free(hops->neighbours);
	hops->neighbours = neighbours;
	hops->neighbour_count = kept;
	for (size_t i = 0; i < hops->setup.count; i++) {
		struct target_route *target = &hops->routes[i];

		if (target->route.type == RTNL_UNICAST)
			target->neighbour =
				find_neighbour(hops, &target->route.next_hop) - neighbours;
	}
	return rtnl_each_neighbour(hops->requests, hops->setup.ifindex, learn_neighbour, hops);
}

/* Asks the kernel for everything anew. What cannot be found out is left to the datapath to ask. */
static int next_hops_resolve(struct next_hops *hops)
{
	struct error ignored;
	int err = 0;

	hops->resolve_at = INT64_MAX;
	if (netdev_get(hops->setup.interface, &hops->egress, &ignored) ||
	    hops->egress.ifindex != hops->setup.ifindex)
		hops->egress.up = false;
	for (size_t i = 0; !err && i < hops->setup.count; i++) {
		if (i % PROGRESS_EVERY == 0)
			progress_step(&hops->setup.progress);
		err = rtnl_get_route(hops->requests, &hops->setup.targets[i], hops->setup.ifindex,
				     &hops->routes[i].route);
	}
	if (!err)
		err = collect_neighbours(hops);
	if (err)
		memset(hops->routes, 0, hops->setup.count * sizeof(*hops->routes));
	publish_all(hops);
	hops->confirm_at = 0;
	return err;
}

static int next_hops_open_sockets(struct next_hops *hops, struct error *error)
{
	int err = rtnl_open(&hops->requests);

	if (!err)
		err = rtnl_open_events(&hops->events);
	if (err)
		error_set(error, err, "cannot watch routes and neighbours: %s", strerror(-err));
	return err;
}

int next_hops_open(struct next_hops **out, const struct next_hops_setup *setup, struct error *error)
{
	struct next_hops *hops = calloc(1, sizeof(*hops));
	int err;

	if (!hops)
		return error_set(error, -ENOMEM, "no memory");
	hops->setup = *setup;
	hops->routes = calloc(setup->count + 1, sizeof(*hops->routes));
	err = hops->routes ? next_hops_open_sockets(hops, error)
			   : error_set(error, -ENOMEM, "no memory");
	if (!err) {
		err = next_hops_resolve(hops);
		if (err)
			error_set(error, err, "cannot read the routing tables: %s", strerror(-err));
	}
	if (err) {
		next_hops_close(hops);
		return err;
	}
	*out = hops;
	return 0;
}

void next_hops_close(struct next_hops *hops)
{
	if (!hops)
		return;
	netlink_close(hops->requests);
	netlink_close(hops->events);
	free(hops->routes);
	free(hops->neighbours);
	free(hops);
}

int next_hops_fd(const struct next_hops *hops)
{
	return netlink_fd(hops->events);
}

void next_hops_handle(struct next_hops *hops, int64_t now)
{
	struct rtnl_events events;
	int err =
		rtnl_read_events(hops->events, hops->setup.ifindex, &events, learn_neighbour, hops);

	if (events.neighbours)
		publish_all(hops);
	if ((err || events.routes || events.link || events.lost) && hops->resolve_at == INT64_MAX)
		hops->resolve_at = now + RESOLVE_DELAY_MS;
}

/*
 * Packets that bypass the kernel's stack do not tell it that a neighbour is in use: unknown ones
 * would never be looked for, and stale ones never be confirmed.
 */
static void confirm_neighbours(struct next_hops *hops)
{
	size_t asked = 0;

	for (size_t i = 0; i < hops->neighbour_count && asked < CONFIRM_AT_ONCE; i++) {
		struct neighbour *neighbour;

		hops->confirm_next = (hops->confirm_next + 1) % hops->neighbour_count;
		neighbour = &hops->neighbours[hops->confirm_next];
		if (neighbour->valid && !neighbour->stale)
			continue;
		rtnl_use_neighbour(hops->requests, hops->setup.ifindex, &neighbour->address);
		asked++;
	}
}

int64_t next_hops_tick(struct next_hops *hops, int64_t now)
{
	if (now >= hops->resolve_at && next_hops_resolve(hops))
		hops->resolve_at = now + RETRY_MS;
	if (now >= hops->confirm_at) {
		confirm_neighbours(hops);
		hops->confirm_at = now + CONFIRM_EVERY_MS;
	}
	return hops->resolve_at < hops->confirm_at ? hops->resolve_at : hops->confirm_at;
}
