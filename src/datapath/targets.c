// SPDX-License-Identifier: GPL-2.0-only
/* The targets of a pinned generation's rules, and the ways that are known to them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "datapath/internal.h"

struct target_walk {
	const char *instance;
	uint32_t generation;
	const struct next_hop *hops;
	size_t hop_count;
	datapath_target_visit *visit;
	void *data;
};

static void *map_pinned_array(const struct target_walk *walk, const char *name, size_t element,
			      size_t *count)
{
	_cleanup_close_ int fd =
		datapath_open_generation_pin(walk->instance, walk->generation, name);
	size_t size;
	void *array;

	if (fd < 0 || datapath_check_value(fd, element))
		return NULL;
	array = datapath_map_array(fd, PROT_READ, &size);
	if (array == MAP_FAILED)
		return NULL;
	*count = size / element;
	return array;
}

static void visit_target(const struct target_walk *walk, struct datapath_target target,
			 uint16_t next_hop, const void *address)
{
	if (!target.rule || next_hop >= walk->hop_count)
		return;
	memcpy(target.address.bytes, address, target.address.version == 4 ? 4 : 16);
	target.hop = walk->hops[next_hop];
	walk->visit(walk->data, &target);
}

static void visit_ipv4_targets(const struct target_walk *walk)
{
	size_t count = 0;
	const struct nat4_slot *slots =
		map_pinned_array(walk, "nat4_slots", sizeof(*slots), &count);

	for (size_t i = 0; i < count; i++)
		visit_target(walk,
			     (struct datapath_target){.rule = slots[i].rule,
						      .counter = slots[i].counter,
						      .address.version = 4},
			     slots[i].target.next_hop, &slots[i].target.address);
	if (slots)
		munmap((void *)slots, count * sizeof(*slots));
}

static void visit_ipv6_targets(const struct target_walk *walk)
{
	size_t count = 0;
	const struct nat6_slot *slots =
		map_pinned_array(walk, "nat6_slots", sizeof(*slots), &count);

	for (size_t i = 0; i < count; i++)
		visit_target(walk,
			     (struct datapath_target){.rule = slots[i].rule,
						      .counter = i,
						      .address.version = 6},
			     slots[i].next_hop, slots[i].address);
	if (slots)
		munmap((void *)slots, count * sizeof(*slots));
}

void datapath_each_target(const char *instance, uint32_t generation, datapath_target_visit *visit,
			  void *data)
{
	struct target_walk walk = {.instance = instance,
				   .generation = generation,
				   .visit = visit,
				   .data = data};

	walk.hops = map_pinned_array(&walk, "next_hops", sizeof(*walk.hops), &walk.hop_count);
	if (!walk.hops)
		return;
	visit_ipv4_targets(&walk);
	visit_ipv6_targets(&walk);
	munmap((void *)walk.hops, walk.hop_count * sizeof(*walk.hops));
}

/* Ways that an earlier generation knew. */
struct known_ways {
	struct known_way {
		struct ip_address target;
		struct next_hop hop;
	} * list;
	size_t count;
	size_t room;
};

static void keep_way(void *data, const struct datapath_target *target)
{
	struct known_ways *ways = data;

	if (ways->count == ways->room) {
		size_t room = ways->room ? 2 * ways->room : 64;
		struct known_way *list = reallocarray(ways->list, room, sizeof(*list));

		if (!list)
			return; /* less is known */
		ways->list = list;
		ways->room = room;
	}
	ways->list[ways->count++] =
		(struct known_way){.target = target->address, .hop = target->hop};
}

static int compare_ways(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip_address));
}

/* Do the ways of that generation lead out of the same interface? */
static bool leads_out_of(const char *instance, uint32_t generation, int egress_ifindex)
{
	_cleanup_free_ struct pipeline_config *config = calloc(1, sizeof(*config));

	return config && datapath_read_constants(instance, generation, config) == 0 &&
	       config->next_hop == NEXT_HOP_ROUTE && (int)config->egress_ifindex == egress_ifindex;
}

void datapath_inherit_next_hops(const char *instance, struct datapath_control *control,
				int egress_ifindex)
{
	struct known_ways ways = {0};
	uint32_t generation;

	if (datapath_current_generation(instance, &generation) ||
	    !leads_out_of(instance, generation, egress_ifindex))
		return;
	datapath_each_target(instance, generation, keep_way, &ways);
	if (ways.count)
		qsort(ways.list, ways.count, sizeof(*ways.list), compare_ways);
	for (size_t i = 0; ways.count && i < control->target_count; i++) {
		struct known_way wanted = {.target = control->targets[i]};
		const struct known_way *found =
			bsearch(&wanted, ways.list, ways.count, sizeof(*ways.list), compare_ways);

		if (found)
			control->next_hops[i] = found->hop;
	}
	free(ways.list);
}
