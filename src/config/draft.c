// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/draft.h"

/* The array with room for one more than `count`. NULL: out of memory, the array is as it was. */
static void *array_grow(struct config_draft *draft, void *array, size_t count, size_t size)
{
	if (count & (count - 1))
		return array;
	array = realloc(array, (count ? 2 * count : 1) * size);
	if (!array)
		draft->out_of_memory = true;
	return array;
}

void config_draft_add_vni(struct config_draft *draft, uint32_t vni,
			  const struct config_element *element)
{
	size_t count = draft->config.listen.vni_count;
	struct config_element *notes = array_grow(draft, draft->vnis, count, sizeof(*notes));
	uint32_t *vnis;

	if (!notes)
		return;
	draft->vnis = notes;
	vnis = array_grow(draft, draft->config.listen.vnis, count, sizeof(*vnis));
	if (!vnis)
		return;
	draft->config.listen.vnis = vnis;
	notes[count] = *element;
	vnis[count] = vni;
	draft->config.listen.vni_count++;
}

void config_draft_add_source(struct config_draft *draft, const struct ip_prefix *prefix,
			     const struct config_element *element)
{
	size_t count = draft->config.listen.source_count;
	struct config_element *notes = array_grow(draft, draft->sources, count, sizeof(*notes));
	struct ip_prefix *sources;

	if (!notes)
		return;
	draft->sources = notes;
	sources = array_grow(draft, draft->config.listen.sources, count, sizeof(*sources));
	if (!sources)
		return;
	draft->config.listen.sources = sources;
	notes[count] = *element;
	sources[count] = *prefix;
	draft->config.listen.source_count++;
}

struct nat_rule *config_draft_add_rule(struct config_draft *draft, struct config_rule_note **note)
{
	size_t count = draft->config.rule_count;
	struct config_rule_note *notes = array_grow(draft, draft->notes, count, sizeof(*notes));
	struct nat_rule *rules;

	if (!notes)
		return NULL;
	draft->notes = notes;
	rules = array_grow(draft, draft->config.rules, count, sizeof(*rules));
	if (!rules)
		return NULL;
	draft->config.rules = rules;
	notes[count] = (struct config_rule_note){0};
	memset(&rules[count], 0, sizeof(*rules));
	draft->config.rule_count++;
	*note = &notes[count];
	return &rules[count];
}

void config_draft_empty(struct config_draft *draft, enum config_type list)
{
	if (list == CONFIG_VNIS) {
		draft->config.listen.vni_count = 0;
		draft->config.listen.any_vni = false;
	} else if (list == CONFIG_SOURCES) {
		draft->config.listen.source_count = 0;
	} else {
		draft->config.rule_count = draft->early_rules;
	}
}

void config_draft_clear(struct config_draft *draft)
{
	free(draft->vnis);
	free(draft->sources);
	free(draft->notes);
	draft->vnis = draft->sources = NULL;
	draft->notes = NULL;
}

static const struct config_place *key_place(const struct config_draft *draft, size_t index,
					    const char *key)
{
	size_t first = config_key_index(config_key_find(CONFIG_RULE_PATH)) + 1;

	return &draft->notes[index].keys[config_key_index(config_key_find(key)) - first];
}

bool config_rule_has(const struct config_draft *draft, size_t index, const char *key)
{
	/* Rules that come from overrides have all that a rule needs. */
	return draft->notes[index].origin || key_place(draft, index, key)->line;
}

struct config_said config_rule_said(const struct config_draft *draft, size_t index, const char *key)
{
	const struct config_place *place = key_place(draft, index, key);
	struct config_said said = {.origin = draft->notes[index].origin};

	said.place = place->line ? *place : draft->config.rules[index].place;
	return said;
}

const char *config_rule_path(const struct config_draft *draft, size_t index, const char *key,
			     char *buffer)
{
	if (draft->notes[index].origin)
		snprintf(buffer, CONFIG_RULE_PATH_SIZE, "nat");
	else
		snprintf(buffer, CONFIG_RULE_PATH_SIZE, "nat[%zu]%s",
			 index - draft->early_rules + 1, key + strlen(CONFIG_RULE_PATH));
	return buffer;
}
