// SPDX-License-Identifier: GPL-2.0-only
/* Reading what is pinned of an instance, whether or not a daemon runs. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "datapath/internal.h"
#include "datapath/owner.h"

int datapath_read_constants(const char *instance, uint32_t generation,
			    struct pipeline_config *config)
{
	_cleanup_close_ int fd = datapath_open_generation_pin(instance, generation, PIN_CONSTANTS);
	int err = fd < 0 ? fd : datapath_check_value(fd, sizeof(*config));
	uint32_t zero = 0;

	if (err)
		return err;
	if (bpf_map_lookup_elem(fd, &zero, config))
		return -errno;
	return config->layout == PIPELINE_CONFIG_LAYOUT ? 0 : -EPROTO;
}

/* Fills key, mask and target of a rule from its slot. */
static void describe_rule(struct datapath_rule *rule, const __u64 *key, const __u64 *mask,
			  size_t words, const void *address, __be16 port)
{
	memcpy(rule->key, key, words * sizeof(*key));
	memcpy(rule->mask, mask, words * sizeof(*mask));
	rule->key[words - 1] &= (1ULL << NAT_SHAPE_SHIFT) - 1;
	rule->to.address.version = words == 2 ? 4 : 6;
	memcpy(rule->to.address.bytes, address, words == 2 ? 4 : 16);
	rule->to.port = ntohs(port);
}

static void take_rule_count(struct datapath_stats *stats, struct datapath_rule *rule,
			    const struct rule_hits *counts, uint32_t counter)
{
	rule->hits = datapath_rule_hits(counts, counter);
	datapath_add_hits(&stats->ruled, &rule->hits);
}

static void describe_ipv4_rules(struct datapath_stats *stats, const struct pipeline_config *config,
				const struct rule_hits *counts, const struct nat4_slot *slots)
{
	for (size_t i = 0; i < config->nat4.slots; i++) {
		const struct nat4_slot *slot = &slots[i];
		struct datapath_rule *rule;

		if (!slot->rule || slot->rule > stats->rule_count)
			continue;
		rule = &stats->rules[slot->rule - 1];
		describe_rule(rule, slot->key.word,
			      config->nat4_shape[slot->key.word[1] >> NAT_SHAPE_SHIFT].mask.word, 2,
			      &slot->target.address, slot->target.port);
		take_rule_count(stats, rule, counts, slot->counter);
	}
}

static void describe_ipv6_rules(struct datapath_stats *stats, const struct pipeline_config *config,
				const struct rule_hits *counts, const struct nat6_slot *slots)
{
	for (size_t i = 0; i < config->nat6.slots; i++) {
		const struct nat6_slot *slot = &slots[i];
		struct datapath_rule *rule;

		if (!slot->rule || slot->rule > stats->rule_count)
			continue;
		rule = &stats->rules[slot->rule - 1];
		describe_rule(rule, slot->key.word,
			      config->nat6_shape[slot->key.word[4] >> NAT_SHAPE_SHIFT].mask.word, 5,
			      slot->address, slot->port);
		take_rule_count(stats, rule, counts, i);
	}
}

static int describe_rules(const char *instance, uint32_t generation, struct datapath_stats *stats,
			  const struct pipeline_config *config, const struct rule_hits *counts)
{
	_cleanup_close_ int ipv4 = datapath_open_generation_pin(instance, generation, "nat4_slots");
	_cleanup_close_ int ipv6 = datapath_open_generation_pin(instance, generation, "nat6_slots");
	size_t size4, size6;
	void *slots4, *slots6;

	if (ipv4 < 0 || ipv6 < 0)
		return ipv4 < 0 ? ipv4 : ipv6;
	slots4 = datapath_map_array(ipv4, PROT_READ, &size4);
	if (slots4 == MAP_FAILED)
		return -errno;
	slots6 = datapath_map_array(ipv6, PROT_READ, &size6);
	if (slots6 == MAP_FAILED) {
		munmap(slots4, size4);
		return -errno;
	}
	describe_ipv4_rules(stats, config, counts, slots4);
	describe_ipv6_rules(stats, config, counts, slots6);
	munmap(slots4, size4);
	munmap(slots6, size6);
	return 0;
}

/* Adds what earlier generations counted. */
static int add_rule_base(int fd, struct datapath_stats *stats)
{
	size_t size;
	const struct hits *base = datapath_map_array(fd, PROT_READ, &size);

	if (base == MAP_FAILED)
		return -errno;
	for (size_t i = 0; i < stats->rule_count; i++)
		datapath_add_hits(&stats->rules[i].hits, &base[i]);
	munmap((void *)base, size);
	return 0;
}

static int read_rules(const char *instance, uint32_t generation, struct datapath_stats *stats,
		      const struct pipeline_config *config)
{
	_cleanup_close_ int hits_fd =
		datapath_open_generation_pin(instance, generation, "rule_hits");
	_cleanup_close_ int only_fd =
		datapath_open_generation_pin(instance, generation, "only_hits");
	_cleanup_close_ int base_fd =
		datapath_open_generation_pin(instance, generation, "rule_base");
	struct rule_hits counts;
	uint32_t rule_count;
	int err;

	if (hits_fd < 0 || only_fd < 0 || base_fd < 0)
		return hits_fd < 0 ? hits_fd : only_fd < 0 ? only_fd : base_fd;
	/* the maps of no rules have one element all the same */
	if (!config->nat4_shapes && !config->nat6_shapes)
		return 0;
	err = datapath_map_entries(base_fd, &rule_count);
	if (err)
		return err;
	stats->rule_count = rule_count;
	stats->rules = calloc(stats->rule_count, sizeof(*stats->rules));
	if (!stats->rules)
		return -ENOMEM;
	err = datapath_map_rule_hits(hits_fd, only_fd, config, &counts);
	if (err)
		return err;
	err = describe_rules(instance, generation, stats, config, &counts);
	datapath_unmap_rule_hits(&counts);
	if (!err)
		err = datapath_read_rule_names(instance, generation, stats);
	return err ? err : add_rule_base(base_fd, stats);
}

int datapath_read_generation(const char *instance, uint32_t generation,
			     struct datapath_stats *stats)
{
	_cleanup_free_ struct pipeline_config *config = calloc(1, sizeof(*config));
	int err = config ? datapath_read_constants(instance, generation, config) : -ENOMEM;

	if (!err)
		err = read_rules(instance, generation, stats, config);
	if (!err)
		err = datapath_read_vnis(instance, generation, stats, config);
	return err;
}

static int read_shared(const char *instance, struct counters *sum, struct instance_info *info)
{
	_cleanup_close_ int counters_fd = datapath_open_pin(instance, "counters");
	int err = counters_fd < 0 ? counters_fd : datapath_read_info(instance, info);
	uint32_t zero = 0;

	if (err)
		return err;
	return datapath_read_percpu(counters_fd, &zero, sum, sizeof(*sum));
}

static int read_failure(const char *instance, int err, struct error *error)
{
	return err == -ENOENT ? datapath_not_attached(instance, error)
			      : datapath_explain_read(instance, err, error);
}

int datapath_read_counters(const char *instance, struct counters *counters,
			   struct instance_info *info, struct error *error)
{
	int err;

	libbpf_set_print(datapath_print_libbpf);
	err = read_shared(instance, counters, info);
	return err ? read_failure(instance, err, error) : 0;
}

int datapath_read(const char *instance, struct datapath_stats *stats, struct error *error)
{
	uint32_t generation;
	int err;

	libbpf_set_print(datapath_print_libbpf);
	/* a reload may take the generation away while it is read: then the next one is there */
	for (int tries = 0; tries < 5; tries++) {
		memset(stats, 0, sizeof(*stats));
		err = datapath_current_generation(instance, &generation);
		if (err == -ENOENT) {
			stats->state = DATAPATH_ABSENT;
			return 0;
		}
		if (!err)
			err = read_shared(instance, &stats->counters, &stats->info);
		if (!err)
			err = datapath_read_generation(instance, generation, stats);
		if (!err)
			err = datapath_read_state(instance, &stats->state);
		if (err != -ENOENT)
			break;
		datapath_stats_clear(stats);
	}
	if (err) {
		datapath_stats_clear(stats);
		return read_failure(instance, err, error);
	}
	return 0;
}

void datapath_stats_clear(struct datapath_stats *stats)
{
	free(stats->vnis);
	free(stats->rules);
	free(stats->rule_names);
	memset(stats, 0, sizeof(*stats));
}
