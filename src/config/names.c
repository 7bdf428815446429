// SPDX-License-Identifier: GPL-2.0-only
/* Rules of one name: two that were given it, or one that was given what another is called without. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/draft.h"
#include "config/rule_name.h"

struct named {
	const char *name;
	uint32_t index;
};

static int named_compare(const void *left, const void *right)
{
	const struct named *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	return order ? order : (a->index > b->index) - (a->index < b->index);
}

/* "rule 2 (line 7)", or "the rule of --source-port" */
static const char *which_rule(const struct config_draft *draft, size_t index, char *text,
			      size_t size)
{
	if (draft->notes[index].origin)
		snprintf(text, size, "the rule of %s", draft->notes[index].origin);
	else
		snprintf(text, size, "rule %zu (line %u)", index - draft->early_rules + 1,
			 draft->config.rules[index].place.line);
	return text;
}

/* `index` was given the name that `other` has. */
static void complain_name(struct config_draft *draft, size_t index, size_t other)
{
	struct config_said said = config_rule_said(draft, index, "nat[].name");
	char path[CONFIG_RULE_PATH_SIZE], which[96], quoted[CONFIG_QUOTE_SIZE];

	config_rule_path(draft, index, "nat[].name", path);
	config_quote(draft->config.rules[index].name, quoted);
	which_rule(draft, other, which, sizeof(which));
	if (draft->config.rules[other].name)
		config_problem_add(draft->problems, &said, path,
				   "%s is the name of %s already: give each rule its own", quoted,
				   which);
	else
		config_problem_add(draft->problems, &said, path,
				   "%s is what %s is called, which has no name of its own: give "
				   "another",
				   quoted, which);
}

/* Of `count` rules of one name the first keeps it, or one that was not given it. */
static void check_one_name(struct config_draft *draft, const struct named *list, size_t count)
{
	size_t keeper = 0;

	for (size_t i = 0; i < count; i++) {
		if (!draft->config.rules[list[i].index].name)
			keeper = i;
	}
	for (size_t i = 0; i < count; i++) {
		if (i != keeper)
			complain_name(draft, list[i].index, list[keeper].index);
	}
}

/* The rules by their names. Of a rule that is refused what it would be called is not known. */
static size_t names_sort(const struct config_draft *draft, const struct rule_names *names,
			 struct named *list)
{
	size_t count = 0;

	for (uint32_t i = 0; i < draft->config.rule_count; i++) {
		if (draft->config.rules[i].name || !draft->notes[i].refused)
			list[count++] = (struct named){names->of[i], i};
	}
	qsort(list, count, sizeof(*list), named_compare);
	return count;
}

void config_check_names(struct config_draft *draft)
{
	size_t count = draft->config.rule_count, same;
	struct named *list = calloc(count + 1, sizeof(*list));
	struct rule_names names = {0};

	if (!list || rule_names_make(&names, draft->config.rules, count)) {
		draft->out_of_memory = true;
		free(list);
		return;
	}
	count = names_sort(draft, &names, list);
	for (size_t i = 0; i < count; i += same) {
		same = 1;
		while (i + same < count && strcmp(list[i + same].name, list[i].name) == 0)
			same++;
		if (same > 1)
			check_one_name(draft, &list[i], same);
	}
	rule_names_clear(&names);
	free(list);
}
