// SPDX-License-Identifier: GPL-2.0-only
/* Compares the program's counters with the results of its runs. */
#include <stdlib.h>
#include <string.h>

#include "datapath/internal.h"
#include "datapath/names.h"
#include "observe/sent.h"
#include "trial.h"

static void add(struct hits *hits, size_t bytes)
{
	hits->packets++;
	hits->bytes += bytes;
}

static size_t size_bucket(size_t length)
{
	static const size_t bounds[] = {64, 128, 256, 512, 1024, 1518, 2048, 4096, 9216};
	size_t bucket = 0;

	while (bucket < sizeof(bounds) / sizeof(bounds[0]) && length > bounds[bucket])
		bucket++;
	return bucket;
}

static bool left(enum verdict verdict)
{
	return verdict == VERDICT_REDIRECTED || verdict == VERDICT_TRANSMITTED ||
	       verdict == VERDICT_FRAGMENTED || verdict == VERDICT_PASSED;
}

void trial_tally(struct trial *trial, const struct trial_frame *frame)
{
	const struct trace *trace = &trial->outcome.trace;

	add(&trial->tally.verdicts[trace->verdict], frame->length);
	for (size_t i = 0; i < EVENT_COUNT; i++)
		trial->tally.events[i] += trace->events >> i & 1;
	if (trace->rule)
		add(&trial->tally.rules[trace->rule - 1], frame->length);
	if (trace->vni != VNI_NONE && trace->verdict != VERDICT_UNKNOWN_VNI)
		add(&trial->tally.of_vnis, frame->length);
	trial->tally.sizes[size_bucket(frame->length)]++;
	trial->tally.size_sum += frame->length;
	if (!left(trace->verdict))
		return;
	for (size_t i = 0; i < trial->outcome.frame_count; i++)
		add(&trial->tally.sent, trial->outcome.frames[i].length);
	if (trace->verdict == VERDICT_FRAGMENTED)
		trial->tally.fragments += trial->outcome.frame_count;
}

/* Reads an element of a per-CPU array of 64-bit words and adds up all CPUs. */
static bool read_element(const struct trial *trial, const char *map, uint32_t key, void *sum,
			 size_t size)
{
	int fd = bpf_object__find_map_fd_by_name(trial->datapath->skeleton->obj, map);
	int cpus = libbpf_num_possible_cpus();
	uint64_t *values = cpus > 0 ? calloc((size_t)cpus, size) : NULL;
	size_t words = size / sizeof(*values);
	bool good = values && bpf_map_lookup_elem(fd, &key, values) == 0;

	memset(sum, 0, size);
	for (size_t i = 0; good && i < (size_t)cpus * words; i++)
		((uint64_t *)sum)[i % words] += values[i];
	free(values);
	return good;
}

static bool same(const struct hits *counted, const struct hits *seen, const char *what, char *why)
{
	if (counted->packets == seen->packets && counted->bytes == seen->bytes)
		return true;
	snprintf(why, COMPARE_TEXT, "%s: counted %llu packets of %llu bytes, seen %llu of %llu",
		 what, (unsigned long long)counted->packets, (unsigned long long)counted->bytes,
		 (unsigned long long)seen->packets, (unsigned long long)seen->bytes);
	return false;
}

static void note_rule(struct hits *rules, uint32_t rule, const struct rule_hits *mapped,
		      uint32_t counter)
{
	if (rule && rule <= SCENARIO_RULES)
		rules[rule - 1] = datapath_rule_hits(mapped, counter);
}

/* What each rule counted: an IPv4 rule's slot says where, an IPv6 rule's counter has its slot's number. */
static bool read_rules(const struct trial *trial, struct hits rules[SCENARIO_RULES])
{
	const struct pipeline_bpf *skeleton = trial->datapath->skeleton;
	const struct pipeline_config *config = &skeleton->rodata->config;
	struct rule_hits mapped;
	struct nat4_slot slot4;
	struct nat6_slot slot6;

	memset(rules, 0, SCENARIO_RULES * sizeof(*rules));
	if (datapath_map_rule_hits(bpf_map__fd(skeleton->maps.rule_hits),
				   bpf_map__fd(skeleton->maps.data_only_hits), config, &mapped))
		return false;
	for (uint32_t i = 0; i < config->nat4.slots; i++) {
		if (bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.nat4_slots), &i, &slot4) == 0)
			note_rule(rules, slot4.rule, &mapped, slot4.counter);
	}
	for (uint32_t i = 0; i < config->nat6.slots; i++) {
		if (bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.nat6_slots), &i, &slot6) == 0)
			note_rule(rules, slot6.rule, &mapped, i);
	}
	datapath_unmap_rule_hits(&mapped);
	return true;
}

static bool rules_right(const struct trial *trial, const struct hits *rules, char *why)
{
	char what[32];

	for (uint32_t i = 0; i < trial->scenario.rule_count; i++) {
		snprintf(what, sizeof(what), "rule %u", i + 1);
		if (!same(&rules[i], &trial->tally.rules[i], what, why))
			return false;
	}
	return true;
}

static void add_element(const struct trial *trial, const char *map, uint32_t key, struct hits *sum)
{
	struct hits hits;

	if (read_element(trial, map, key, &hits, sizeof(hits))) {
		sum->packets += hits.packets;
		sum->bytes += hits.bytes;
	}
}

/* All VNIs together. With one VNI, the rules have counted what they matched: bpf/account.h. */
static bool vnis_right(const struct trial *trial, const struct hits *rules, char *why)
{
	const struct pipeline_bpf *skeleton = trial->datapath->skeleton;
	const struct pipeline_config *config = &skeleton->rodata->config;
	int any = bpf_map__fd(skeleton->maps.vni_any);
	uint32_t vni, *previous = NULL;
	struct hits sum = {0}, *hits;
	size_t count;

	if (datapath_read_vni_hits(bpf_map__fd(skeleton->maps.vni_hits), &hits, &count))
		return false;
	for (size_t i = 0; i < count; i++)
		datapath_add_hits(&sum, &hits[i]);
	free(hits);
	while (bpf_map_get_next_key(any, previous, &vni) == 0) {
		add_element(trial, "vni_any", vni, &sum);
		previous = &vni;
	}
	for (uint32_t i = 0; config->vni_mode == VNI_ONE && i < SCENARIO_RULES; i++) {
		sum.packets += rules[i].packets;
		sum.bytes += rules[i].bytes;
	}
	return same(&sum, &trial->tally.of_vnis, "VNIs", why);
}

static bool sizes_right(const struct histograms *counted, const struct tally *tally, char *why)
{
	for (unsigned int i = 0; i < SIZE_BUCKETS; i++) {
		if (counted->size[i] == tally->sizes[i])
			continue;
		snprintf(why, COMPARE_TEXT, "size bucket %u: counted %llu, seen %llu", i,
			 (unsigned long long)counted->size[i], (unsigned long long)tally->sizes[i]);
		return false;
	}
	if (counted->size_sum == tally->size_sum)
		return true;
	snprintf(why, COMPARE_TEXT, "the sizes counted add up to %llu bytes, not to %llu",
		 (unsigned long long)counted->size_sum, (unsigned long long)tally->size_sum);
	return false;
}

static bool sent_right(const struct counters *counted, const struct tally *tally, char *why)
{
	const struct sent sent = sent_derive(counted);

	if (sent.fragments != tally->fragments) {
		snprintf(why, COMPARE_TEXT, "counted %llu fragments, seen %llu",
			 (unsigned long long)sent.fragments, (unsigned long long)tally->fragments);
		return false;
	}
	return same(&(struct hits){sent.packets, sent.bytes}, &tally->sent, "sent", why);
}

bool trial_counts_right(const struct trial *trial, char why[COMPARE_TEXT])
{
	const struct tally *tally = &trial->tally;
	struct hits rules[SCENARIO_RULES];
	struct counters counted;

	if (!read_element(trial, "counters", 0, &counted, sizeof(counted)) ||
	    !read_rules(trial, rules)) {
		snprintf(why, COMPARE_TEXT, "the counters cannot be read");
		return false;
	}
	for (unsigned int i = 0; i < VERDICT_COUNT; i++) {
		if (!same(&counted.verdict[i], &tally->verdicts[i], i ? verdict_name(i) : "none",
			  why))
			return false;
	}
	for (unsigned int i = 0; i < EVENT_COUNT; i++) {
		if (counted.event[i] == tally->events[i])
			continue;
		snprintf(why, COMPARE_TEXT, "event %s: counted %llu, seen %llu", event_name(i),
			 (unsigned long long)counted.event[i],
			 (unsigned long long)tally->events[i]);
		return false;
	}
	return sizes_right(&counted.histograms, tally, why) && sent_right(&counted, tally, why) &&
	       rules_right(trial, rules, why) && vnis_right(trial, rules, why);
}
