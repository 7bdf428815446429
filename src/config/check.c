// SPDX-License-Identifier: GPL-2.0-only
/* What must hold between keys and between rules. No I/O. */
#include <stdlib.h>
#include <string.h>

#include "config/draft.h"

static struct config_said *said_of(struct config_draft *draft, const char *path)
{
	return &draft->said[config_key_index(config_key_find(path))];
}

static void check_interfaces(struct config_draft *draft)
{
	struct config *config = &draft->config;
	struct config_said place = *said_of(draft, "listen");

	if (!config_is_said(said_of(draft, "listen.interface"))) {
		if (!config_is_said(&place) && draft->has_file)
			place.place = (struct config_place){1, 1};
		config_problem_add(draft->problems, &place, "listen.interface",
				   "missing: name the network interface that receives the tunnel");
	}
	if (!config_is_said(said_of(draft, "forward.interface")))
		strcpy(config->forward.interface, config->listen.interface);
}

static void check_monitor(struct config_draft *draft)
{
	const struct config *config = &draft->config;
	const struct config_said *warning = said_of(draft, "monitor.warning_pps");
	const struct config_said *target = said_of(draft, "monitor.target_pps");

	if (config->monitor.warning_pps <= config->monitor.target_pps ||
	    config_problems_about(draft->problems, "monitor.target_pps") ||
	    config_problems_about(draft->problems, "monitor.warning_pps"))
		return;
	if (config_is_said(warning))
		config_problem_add(draft->problems, warning, "monitor.warning_pps",
				   "%u is more than monitor.target_pps (%u): give at most that",
				   config->monitor.warning_pps, config->monitor.target_pps);
	else
		config_problem_add(draft->problems, target, "monitor.target_pps",
				   "%u is less than monitor.warning_pps (%u, the default): give "
				   "a lower monitor.warning_pps, too",
				   config->monitor.target_pps, config->monitor.warning_pps);
}

struct sorted_vni {
	uint32_t vni;
	uint32_t index;
};

static int vni_compare(const void *left, const void *right)
{
	const struct sorted_vni *a = left, *b = right;
	int order = (a->vni > b->vni) - (a->vni < b->vni);

	return order ? order : (a->index > b->index) - (a->index < b->index);
}

/* listen.vnis in ascending order; NULL: there are none, or out of memory. */
static struct sorted_vni *vnis_sort(struct config_draft *draft)
{
	size_t count = draft->config.listen.vni_count;
	struct sorted_vni *sorted = count ? calloc(count, sizeof(*sorted)) : NULL;

	draft->out_of_memory |= count && !sorted;
	if (!sorted)
		return NULL;
	for (uint32_t i = 0; i < count; i++)
		sorted[i] = (struct sorted_vni){draft->config.listen.vnis[i], i};
	qsort(sorted, count, sizeof(*sorted), vni_compare);
	return sorted;
}

static void complain_twice(struct config_draft *draft, const char *list, const char *text,
			   const struct config_element *first, const struct config_element *second)
{
	char path[CONFIG_RULE_PATH_SIZE];

	snprintf(path, sizeof(path), "%s[%u]", list, second->number);
	config_problem_add(draft->problems, &second->said, path,
			   "%s is listed twice; it is %s[%u] already", text, list, first->number);
}

static void config_check_vnis(struct config_draft *draft, const struct sorted_vni *sorted)
{
	size_t count = draft->config.listen.vni_count;
	size_t first = 0;
	char text[16];

	for (size_t i = 1; i < count; i++) {
		if (sorted[i].vni != sorted[first].vni) {
			first = i;
			continue;
		}
		snprintf(text, sizeof(text), "%u", sorted[i].vni);
		complain_twice(draft, "listen.vnis", text, &draft->vnis[sorted[first].index],
			       &draft->vnis[sorted[i].index]);
	}
}

struct sorted_source {
	struct ip_prefix prefix;
	uint32_t index;
};

static int prefix_compare(const struct ip_prefix *a, const struct ip_prefix *b)
{
	/* Bytes only: struct ip_prefix has no padding. */
	return memcmp(a, b, sizeof(*a));
}

static int source_compare(const void *left, const void *right)
{
	const struct sorted_source *a = left, *b = right;
	int order = prefix_compare(&a->prefix, &b->prefix);

	return order ? order : (a->index > b->index) - (a->index < b->index);
}

static void config_check_sources(struct config_draft *draft)
{
	size_t count = draft->config.listen.source_count, first = 0;
	struct sorted_source *sorted = count ? calloc(count, sizeof(*sorted)) : NULL;
	char text[ADDR_TEXT_SIZE];

	draft->out_of_memory |= count && !sorted;
	if (!sorted)
		return;
	for (uint32_t i = 0; i < count; i++)
		sorted[i] = (struct sorted_source){draft->config.listen.sources[i], i};
	qsort(sorted, count, sizeof(*sorted), source_compare);
	for (size_t i = 1; i < count; i++) {
		if (prefix_compare(&sorted[i].prefix, &sorted[first].prefix) != 0) {
			first = i;
			continue;
		}
		complain_twice(draft, "listen.sources", ip_prefix_format(&sorted[i].prefix, text),
			       &draft->sources[sorted[first].index],
			       &draft->sources[sorted[i].index]);
	}
	free(sorted);
}

static void complain_rule(struct config_draft *draft, size_t index, const char *key,
			  const char *message)
{
	struct config_said said = config_rule_said(draft, index, key);
	char path[CONFIG_RULE_PATH_SIZE];

	config_problem_add(draft->problems, &said, config_rule_path(draft, index, key, path), "%s",
			   message);
	draft->notes[index].refused = true;
}

/* A prefix of the rule must be of the same family as `other`, another address of the rule. */
static void check_family(struct config_draft *draft, size_t index, const char *key,
			 const struct ip_prefix *prefix, const struct ip_address *other)
{
	char message[192], other_text[ADDR_TEXT_SIZE], text[ADDR_TEXT_SIZE];

	if (!prefix->address.version || !other->version ||
	    prefix->address.version == other->version)
		return;
	snprintf(message, sizeof(message),
		 "%s is IPv%u, but the rule also names %s: a rule is for one family",
		 ip_prefix_format(prefix, text), prefix->address.version,
		 ip_address_format(other, other_text));
	complain_rule(draft, index, key, message);
}

/* The target decides; without a valid one at least source and destination must agree. */
static void check_families(struct config_draft *draft, size_t index)
{
	const struct nat_rule *rule = &draft->config.rules[index];
	const struct ip_address *target = &rule->to.address;

	check_family(draft, index, "nat[].match.source", &rule->source, target);
	check_family(draft, index, "nat[].match.destination", &rule->destination,
		     target->version ? target : &rule->source.address);
}

static bool matches_something(const struct nat_rule *rule)
{
	return rule->has_vni || rule->has_source_port || rule->has_destination_port ||
	       rule->protocol || rule->source.address.version || rule->destination.address.version;
}

static bool vni_is_listed(const struct config *config, const struct sorted_vni *sorted,
			  uint32_t vni)
{
	size_t low = 0, high = config->listen.vni_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (sorted[middle].vni == vni)
			return true;
		if (sorted[middle].vni < vni)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

static void check_rule(struct config_draft *draft, size_t index, const struct sorted_vni *sorted)
{
	const struct nat_rule *rule = &draft->config.rules[index];
	char message[160];
	bool refused = draft->notes[index].refused;

	if (!rule->to.address.version && !config_rule_has(draft, index, "nat[].to"))
		complain_rule(draft, index, "nat[].to", "missing: give the new ADDRESS[:PORT]");
	if (!config_rule_has(draft, index, "nat[].match"))
		complain_rule(draft, index, "nat[].match",
			      "missing: say which packets, as in {source_port: 42844}");
	else if (!refused && !matches_something(rule))
		complain_rule(draft, index, "nat[].match",
			      "empty: give at least one key, as in {source_port: 42844}");
	check_families(draft, index);
	if (rule->has_vni && sorted && !vni_is_listed(&draft->config, sorted, rule->vni)) {
		snprintf(message, sizeof(message),
			 "%u is not in listen.vnis: the rule can never match", rule->vni);
		complain_rule(draft, index, "nat[].match.vni", message);
	}
}

void config_check(struct config_draft *draft)
{
	struct sorted_vni *sorted = vnis_sort(draft);
	bool vnis_known = !config_problems_about(draft->problems, "listen.vnis");

	if (sorted)
		config_check_vnis(draft, sorted);
	config_check_sources(draft);
	check_monitor(draft);
	/* A part of the input was not read: do not report as missing what may stand there. */
	if (!draft->unfinished) {
		check_interfaces(draft);
		for (size_t i = 0; i < draft->config.rule_count; i++) {
			if (!draft->notes[i].no_rule)
				check_rule(draft, i, vnis_known ? sorted : NULL);
		}
		config_check_cover(draft);
		config_check_names(draft);
	}
	free(sorted);
}
