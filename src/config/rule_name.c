// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fnv.h"
#include "config/rule_name.h"

/* A rule without a name of its own. */
struct unnamed {
	uint32_t hash[2];
	uint32_t index;
};

/* Appends the last `size` bytes of a number, the highest first. */
static uint8_t *put_number(uint8_t *at, uint32_t number, size_t size)
{
	while (size--)
		*at++ = (uint8_t)(number >> 8 * size);
	return at;
}

static uint8_t *put_address(uint8_t *at, const struct ip_address *address, size_t length)
{
	*at++ = address->version;
	*at++ = (uint8_t)length;
	memcpy(at, address->bytes, sizeof(address->bytes));
	return at + sizeof(address->bytes);
}

/* A prefix of no bits says as little as none. */
static uint8_t *put_prefix(uint8_t *at, const struct ip_prefix *prefix)
{
	static const struct ip_address any;

	return put_address(at, prefix->length ? &prefix->address : &any, prefix->length);
}

/*
 * The same on every machine and in every version: names outlive both. Whoever adds a key to rules
 * appends it only where it is given, so that the other rules keep their names.
 */
static uint32_t rule_hash(const struct nat_rule *rule, uint8_t salt)
{
	uint8_t bytes[96] = {salt}, *at = bytes + 1;

	at = put_prefix(at, &rule->source);
	at = put_prefix(at, &rule->destination);
	at = put_number(at, rule->has_vni, 1);
	at = put_number(at, rule->has_vni ? rule->vni : 0, 4);
	/* no packet has port 0 that a rule could ask for */
	at = put_number(at, rule->has_source_port ? rule->source_port : 0, 2);
	at = put_number(at, rule->has_destination_port ? rule->destination_port : 0, 2);
	at = put_number(at, rule->protocol, 1);
	at = put_address(at, &rule->to.address, 0);
	at = put_number(at, rule->to.port, 2);
	return fnv1a(bytes, (size_t)(at - bytes));
}

static int compare_unnamed(const void *left, const void *right)
{
	const struct unnamed *a = left, *b = right;

	for (size_t i = 0; i < 2; i++) {
		if (a->hash[i] != b->hash[i])
			return a->hash[i] < b->hash[i] ? -1 : 1;
	}
	return (a->index > b->index) - (a->index < b->index);
}

/* How many from `at` on have the first `hashes` hashes in common. */
static size_t alike(const struct unnamed *list, size_t at, size_t count, size_t hashes)
{
	size_t end = at + 1;

	while (end < count && memcmp(list[end].hash, list[at].hash, hashes * sizeof(uint32_t)) == 0)
		end++;
	return end - at;
}

#define MADE_SIZE 32 /* "12345678-12345678-65536" */

/* Makes the names of those that share their first hash; made[] is by the index of a rule. */
static void name_group(const struct unnamed *group, size_t count, char (*made)[MADE_SIZE])
{
	for (size_t i = 0; i < count;) {
		size_t same = alike(group, i, count, 2);

		for (size_t number = 1; number <= same; number++, i++) {
			char *name = made[group[i].index];
			int used = snprintf(name, MADE_SIZE, "%08x", group[i].hash[0]);

			if (count > 1)
				used += snprintf(name + used, MADE_SIZE - (size_t)used, "-%08x",
						 group[i].hash[1]);
			if (same > 1)
				snprintf(name + used, MADE_SIZE - (size_t)used, "-%zu", number);
		}
	}
}

/* made[i]: the name of rules[i], if it has none of its own. */
static int make_names(char (*made)[MADE_SIZE], const struct nat_rule *rules, size_t count)
{
	struct unnamed *list = calloc(count + 1, sizeof(*list));
	size_t unnamed = 0, size;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		if (!rules[i].name)
			list[unnamed++] =
				(struct unnamed){{rule_hash(&rules[i], 1), rule_hash(&rules[i], 2)},
						 (uint32_t)i};
	}
	qsort(list, unnamed, sizeof(*list), compare_unnamed);
	for (size_t i = 0; i < unnamed; i += size) {
		size = alike(list, i, unnamed, 1);
		name_group(&list[i], size, made);
	}
	free(list);
	return 0;
}

/* Joins them; names->of and names->text are there. */
static void join_names(struct rule_names *names, char (*made)[MADE_SIZE],
		       const struct nat_rule *rules, size_t count)
{
	char *at = names->text;

	for (size_t i = 0; i < count; i++) {
		names->of[i] = at;
		at = stpcpy(at, rules[i].name ? rules[i].name : made[i]) + 1;
	}
}

int rule_names_make(struct rule_names *names, const struct nat_rule *rules, size_t count)
{
	char(*made)[MADE_SIZE] = calloc(count + 1, sizeof(*made));
	int err = made ? make_names(made, rules, count) : -ENOMEM;

	memset(names, 0, sizeof(*names));
	for (size_t i = 0; !err && i < count; i++)
		names->size += strlen(rules[i].name ? rules[i].name : made[i]) + 1;
	if (!err) {
		names->of = calloc(count + 1, sizeof(*names->of));
		names->text = malloc(names->size + 1);
		err = names->of && names->text ? 0 : -ENOMEM;
	}
	if (!err)
		join_names(names, made, rules, count);
	else
		rule_names_clear(names);
	free(made);
	return err;
}

const char *rule_name_add(const struct nat_rule *rule, char *text)
{
	snprintf(text, RULE_NAME_ADDED, "%s%s", rule->name ? ", " : "",
		 rule->name ? rule->name : "");
	return text;
}

void rule_names_clear(struct rule_names *names)
{
	free(names->of);
	free(names->text);
	memset(names, 0, sizeof(*names));
}
