// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/asked.h"
#include "daemon/neighbours.h"
#include "daemon/next_hops.h"
#include "net/netdev.h"
#include "net/rtnl.h"

#define RESOLVE_DELAY_MS 20   /* events come in bursts: one walk over all targets serves them */
#define RETRY_MS         1000 /* after the kernel could not be asked */
#define ASK_PAUSE_MS     250  /* between two rounds of questions for neighbours */

struct next_hops {
	struct next_hops_setup setup;
	struct netlink *requests;
	struct netlink *events;
	struct netdev egress;
	struct rtnl_route *routes; /* of each target */
	struct neighbours neighbours;
	struct asked asked;
	bool inherited;     /* what the table held when it was opened has been taken over */
	int64_t resolve_at; /* INT64_MAX: nothing to resolve */
	int64_t ask_at;     /* not before, however much there is to ask for */
};

void next_hop_publish(struct next_hop *entry, const uint8_t *to, const uint8_t *from, uint32_t mtu,
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

static const struct neighbour *next_hops_neighbour(const struct next_hops *hops, size_t target)
{
	const struct rtnl_route *route = &hops->routes[target];

	return route->type == RTNL_UNICAST ? neighbours_find(&hops->neighbours, &route->next_hop)
					   : NULL;
}

static enum next_hop_state next_hops_state(const struct next_hops *hops, size_t target,
					   const struct neighbour *neighbour)
{
	if (hops->routes[target].type == RTNL_LOCAL)
		return NEXT_HOP_LOCAL;
	if (neighbour && neighbour->known && hops->egress.up)
		return NEXT_HOP_RESOLVED;
	if (neighbour && neighbour->failed)
		return NEXT_HOP_FAILED;
	return NEXT_HOP_UNKNOWN;
}

static void publish_one(const struct next_hops *hops, size_t target, struct next_hop *entry)
{
	const struct neighbour *neighbour = next_hops_neighbour(hops, target);
	uint32_t mtu = hops->egress.mtu;

	if (hops->routes[target].mtu && hops->routes[target].mtu < mtu)
		mtu = hops->routes[target].mtu;
	next_hop_publish(entry, neighbour ? neighbour->mac : NULL, hops->egress.mac, mtu,
			 next_hops_state(hops, target, neighbour));
}

static void publish_all(struct next_hops *hops)
{
	for (size_t i = 0; i < hops->setup.count; i++)
		publish_one(hops, i, &hops->setup.table[i]);
	if (hops->setup.only_index < hops->setup.count)
		publish_one(hops, hops->setup.only_index, hops->setup.only);
}

/* The next hops of all targets become the neighbours; what the kernel knows of them is learned. */
static int next_hops_collect(struct next_hops *hops)
{
	struct ip_address *addresses = calloc(hops->setup.count + 1, sizeof(*addresses));
	size_t count = 0;
	int err;

	if (!addresses)
		return -ENOMEM;
	for (size_t i = 0; i < hops->setup.count; i++) {
		if (hops->routes[i].type == RTNL_UNICAST)
			addresses[count++] = hops->routes[i].next_hop;
	}
	err = neighbours_set(&hops->neighbours, addresses, count);
	free(addresses);
	return err;
}

static int next_hops_walk(struct next_hops *hops)
{
	int err;

	neighbours_begin_walk(&hops->neighbours);
	err = rtnl_each_neighbour(hops->requests, hops->setup.ifindex, neighbours_learn,
				  &hops->neighbours);
	if (!err)
		neighbours_end_walk(&hops->neighbours);
	return err;
}

/*
 * What an earlier generation knew of a target is known of its neighbour, until that is asked for. A
 * target whose entry says nothing adds nothing; one that was resolved until its interface went down
 * still holds its address.
 */
static void next_hops_inherit(struct next_hops *hops)
{
	for (size_t i = 0; i < hops->setup.count; i++) {
		const struct next_hop *entry = &hops->setup.table[i];
		enum next_hop_state state = entry->word[1] >> NEXT_HOP_STATE_SHIFT;
		struct neighbour *neighbour = (struct neighbour *)next_hops_neighbour(hops, i);

		if (!neighbour)
			continue;
		if (state == NEXT_HOP_RESOLVED || (state == NEXT_HOP_UNKNOWN && entry->word[0])) {
			memcpy(neighbour->mac, entry->word, sizeof(neighbour->mac));
			neighbour->known = true;
		}
		neighbour->failed = state == NEXT_HOP_FAILED;
	}
}

/*
 * The kernel removes the routes out of an interface that goes down. They are taken to be as they were,
 * so that packets find their way as soon as it is up.
 */
static int next_hops_find_routes(struct next_hops *hops)
{
	struct error ignored;
	int err = 0;

	if (netdev_get(hops->setup.interface, &hops->egress, &ignored) ||
	    hops->egress.ifindex != hops->setup.ifindex)
		hops->egress.up = false;
	neighbours_set_up(&hops->neighbours, hops->egress.up);
	if (!hops->egress.up)
		return 0;
	for (size_t i = 0; !err && i < hops->setup.count; i++) {
		if (i % PROGRESS_EVERY == 0)
			progress_step(&hops->setup.progress);
		err = rtnl_get_route(hops->requests, &hops->setup.targets[i], hops->setup.ifindex,
				     &hops->routes[i]);
	}
	return err ? err : next_hops_collect(hops);
}

/* Asks the kernel for everything anew. */
static int next_hops_resolve(struct next_hops *hops)
{
	int err;

	hops->resolve_at = INT64_MAX;
	hops->neighbours.now = clock_ms();
	err = next_hops_find_routes(hops);
	if (!err && hops->egress.up && !hops->inherited) {
		next_hops_inherit(hops);
		hops->inherited = true;
	}
	if (!err)
		err = next_hops_walk(hops);
	if (err)
		memset(hops->routes, 0, hops->setup.count * sizeof(*hops->routes));
	publish_all(hops);
	hops->ask_at = 0;
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
	neighbours_clear(&hops->neighbours);
	free(hops->routes);
	free(hops);
}

int next_hops_fd(const struct next_hops *hops)
{
	return netlink_fd(hops->events);
}

static void next_hops_learn(void *data, const struct rtnl_neighbour *news)
{
	struct next_hops *hops = data;

	neighbours_learn(&hops->neighbours, news);
	asked_learn(&hops->asked, hops->requests, hops->setup.ifindex, news);
}

void next_hops_ask(struct next_hops *hops, const struct ip_address *address, int64_t now)
{
	asked_add(&hops->asked, hops->requests, hops->setup.ifindex, address, now);
}

void next_hops_handle(struct next_hops *hops, int64_t now)
{
	struct rtnl_events events;
	int err;

	hops->neighbours.now = now;
	err = rtnl_read_events(hops->events, hops->setup.ifindex, &events, next_hops_learn, hops);
	if (events.neighbours) {
		publish_all(hops);
		hops->ask_at = 0; /* one that is doubted is asked for at once */
	}
	if (events.link)
		hops->resolve_at = now; /* it may be up: packets wait for that */
	else if ((err || events.routes || events.lost) && hops->resolve_at == INT64_MAX)
		hops->resolve_at = now + RESOLVE_DELAY_MS;
}

int64_t next_hops_tick(struct next_hops *hops, int64_t now)
{
	int64_t due;

	/* a daemon that is late may have an answer to read before it says that there was none */
	next_hops_handle(hops, now);
	if (now >= hops->resolve_at && next_hops_resolve(hops))
		hops->resolve_at = now + RETRY_MS;
	hops->neighbours.now = now;
	if (neighbours_give_up(&hops->neighbours))
		publish_all(hops);
	if (now >= hops->ask_at && now >= neighbours_due(&hops->neighbours)) {
		neighbours_ask(&hops->neighbours, hops->requests, hops->setup.ifindex);
		hops->ask_at = now + ASK_PAUSE_MS;
	}
	due = neighbours_due(&hops->neighbours);
	if (due < hops->ask_at)
		due = hops->ask_at;
	return hops->resolve_at < due ? hops->resolve_at : due;
}

void next_hops_wait(struct next_hops *hops, int64_t ms)
{
	int64_t now = clock_ms(), end = now + ms;

	while (now < end && !neighbours_are_settled(&hops->neighbours)) {
		int64_t due = next_hops_tick(hops, now);
		struct pollfd fd = {.fd = next_hops_fd(hops), .events = POLLIN};

		due = due < end ? due : end;
		progress_step(&hops->setup.progress);
		if (poll(&fd, 1, due > now ? (int)(due - now) : 0) < 0)
			return; /* a signal: whoever waits for this start is to see to it */
		now = clock_ms();
		next_hops_handle(hops, now);
	}
}
