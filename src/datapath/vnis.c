// SPDX-License-Identifier: GPL-2.0-only
/*
 * What each VNI counted: in the counters of one generation, and in what the ones before handed on. A VNI
 * without a row of its own counts in the row of the others, so that all rows together always hold
 * every packet that had a VNI.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "datapath/internal.h"

static int compare_vnis(const void *a, const void *b)
{
	const struct datapath_vni *left = a, *right = b;

	return (left->vni > right->vni) - (left->vni < right->vni);
}

static int add_vni(struct datapath_stats *stats, uint32_t vni, struct hits hits)
{
	struct datapath_vni *vnis =
		reallocarray(stats->vnis, stats->vni_count + 1, sizeof(*stats->vnis));

	if (!vnis)
		return -ENOMEM;
	vnis[stats->vni_count++] = (struct datapath_vni){.vni = vni, .hits = hits};
	stats->vnis = vnis;
	return 0;
}

static int read_listed_vnis(const char *instance, uint32_t generation, struct datapath_stats *stats,
			    const struct hits *hits, size_t count, uint32_t slot_count)
{
	_cleanup_close_ int fd = datapath_open_generation_pin(instance, generation, "vni_slots");
	const struct vni_slot *slots;
	size_t size;
	int err = 0;

	if (fd < 0)
		return fd;
	slots = datapath_map_array(fd, PROT_READ, &size);
	if (slots == MAP_FAILED)
		return -errno;
	for (size_t i = 0; !err && i < slot_count; i++) {
		if (slots[i].vni != VNI_NONE && slots[i].index < count)
			err = add_vni(stats, slots[i].vni, hits[slots[i].index]);
	}
	munmap((void *)slots, size);
	return err;
}

static int read_any_vnis(const char *instance, uint32_t generation, struct datapath_stats *stats)
{
	_cleanup_close_ int fd = datapath_open_generation_pin(instance, generation, "vni_any");
	uint32_t vni, *previous = NULL;
	int err = fd < 0 ? fd : 0;

	while (!err && bpf_map_get_next_key(fd, previous, &vni) == 0) {
		struct hits hits;

		err = datapath_read_percpu(fd, &vni, &hits, sizeof(hits));
		if (!err)
			err = add_vni(stats, vni, hits);
		previous = &vni;
	}
	return err;
}

/* What the generation itself counted. */
static int read_own_vnis(const char *instance, uint32_t generation, struct datapath_stats *stats,
			 const struct pipeline_config *config)
{
	_cleanup_close_ int fd = datapath_open_generation_pin(instance, generation, "vni_hits");
	_cleanup_free_ struct hits *hits = NULL;
	size_t count;
	int err = fd < 0 ? fd : datapath_read_vni_hits(fd, &hits, &count);

	if (err)
		return err;
	/* the datapath counts by rule what is of the one VNI: bpf/account.h */
	if (config->vni_mode == VNI_ONE)
		datapath_add_hits(&hits[0], &stats->ruled);
	if (config->vni_mode != VNI_ANY)
		return read_listed_vnis(instance, generation, stats, hits, count,
					config->vnis.slots);
	stats->other_vnis = hits[0];
	return read_any_vnis(instance, generation, stats);
}

/* Adds what was handed on to it. What is not listed any more counts among the others. */
static int add_vni_base(const char *instance, uint32_t generation, struct datapath_stats *stats,
			bool any)
{
	_cleanup_close_ int fd = datapath_open_generation_pin(instance, generation, "vni_base");
	uint32_t vni, *previous = NULL;
	size_t known = stats->vni_count;
	int err = fd < 0 ? fd : 0;

	while (!err && bpf_map_get_next_key(fd, previous, &vni) == 0) {
		struct datapath_vni wanted = {.vni = vni}, *found;
		struct hits base;

		previous = &vni;
		if (bpf_map_lookup_elem(fd, &vni, &base))
			continue;
		found = known ? bsearch(&wanted, stats->vnis, known, sizeof(wanted), compare_vnis)
			      : NULL;
		if (found)
			datapath_add_hits(&found->hits, &base);
		else if (any && vni != VNI_NONE)
			err = add_vni(stats, vni, base);
		else
			datapath_add_hits(&stats->other_vnis, &base);
	}
	return err;
}

int datapath_read_vnis(const char *instance, uint32_t generation, struct datapath_stats *stats,
		       const struct pipeline_config *config)
{
	int err = read_own_vnis(instance, generation, stats, config);

	if (!err && stats->vni_count)
		qsort(stats->vnis, stats->vni_count, sizeof(*stats->vnis), compare_vnis);
	if (!err)
		err = add_vni_base(instance, generation, stats, config->vni_mode == VNI_ANY);
	if (!err && stats->vni_count)
		qsort(stats->vnis, stats->vni_count, sizeof(*stats->vnis), compare_vnis);
	return err;
}

uint64_t datapath_read_other_vnis(const char *instance, uint32_t generation)
{
	_cleanup_close_ int own = datapath_open_generation_pin(instance, generation, "vni_hits");
	_cleanup_close_ int before = datapath_open_generation_pin(instance, generation, "vni_base");
	const uint32_t none = VNI_NONE;
	_cleanup_free_ struct hits *hits = NULL;
	struct hits base = {0};
	uint64_t packets = 0;
	size_t count;

	if (own >= 0 && datapath_read_vni_hits(own, &hits, &count) == 0)
		packets = hits[0].packets;
	if (before >= 0 && datapath_check_value(before, sizeof(base)) == 0)
		bpf_map_lookup_elem(before, &none, &base);
	return packets + base.packets;
}

int datapath_carry_vnis(const char *instance, uint32_t to, const struct datapath_stats *old)
{
	_cleanup_close_ int fd = datapath_open_generation_pin(instance, to, "vni_base");
	const uint32_t none = VNI_NONE;
	struct hits others = old->other_vnis;

	if (fd < 0)
		return fd;
	/* twice: at first, so that the others have a place whatever comes */
	if (bpf_map_update_elem(fd, &none, &others, BPF_ANY))
		return -errno;
	for (size_t i = 0; i < old->vni_count; i++) {
		const struct datapath_vni *vni = &old->vnis[i];

		if (!vni->hits.packets ||
		    bpf_map_update_elem(fd, &vni->vni, &vni->hits, BPF_ANY) == 0)
			continue;
		if (errno != E2BIG)
			return -errno;
		datapath_add_hits(&others, &vni->hits);
	}
	return bpf_map_update_elem(fd, &none, &others, BPF_ANY) ? -errno : 0;
}
