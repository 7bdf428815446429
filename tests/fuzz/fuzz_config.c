// SPDX-License-Identifier: GPL-2.0-only
/* Loads a configuration: it is refused with printable problems, or its printout loads again. */
#include "config/config.h"
#include "fuzz.h"

static void check_problems(const struct config_problems *problems)
{
	must(problems->count, "what does not load has a problem");
	for (size_t i = 0; i < problems->count; i++) {
		const struct config_problem *problem = &problems->list[i];

		must(is_printable(problem->path) && is_printable(problem->message),
		     "problems are printable");
		must(*problem->message, "problems say something");
	}
}

static char *print(const struct config *config, size_t *length)
{
	char *text = NULL;
	FILE *stream = open_memstream(&text, length);

	must(stream, "there is memory");
	config_print(config, stream);
	fclose(stream);
	return text;
}

static bool same_prefix(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool same_rule(const struct nat_rule *a, const struct nat_rule *b)
{
	return same_prefix(&a->source, &b->source) &&
	       same_prefix(&a->destination, &b->destination) && a->has_vni == b->has_vni &&
	       a->vni == b->vni && a->has_source_port == b->has_source_port &&
	       a->source_port == b->source_port &&
	       a->has_destination_port == b->has_destination_port &&
	       a->destination_port == b->destination_port && a->protocol == b->protocol &&
	       memcmp(&a->to.address, &b->to.address, sizeof(a->to.address)) == 0 &&
	       a->to.port == b->to.port;
}

static void check_same(const struct config *a, const struct config *b)
{
	must(a->listen.vni_count == b->listen.vni_count &&
		     a->listen.source_count == b->listen.source_count &&
		     a->rule_count == b->rule_count,
	     "lists are as long as before");
	for (size_t i = 0; i < a->listen.vni_count; i++)
		must(a->listen.vnis[i] == b->listen.vnis[i], "VNIs are as before");
	for (size_t i = 0; i < a->listen.source_count; i++)
		must(same_prefix(&a->listen.sources[i], &b->listen.sources[i]),
		     "sources are as before");
	for (size_t i = 0; i < a->rule_count; i++)
		must(same_rule(&a->rules[i], &b->rules[i]), "rules are as before");
}

/* What `config show` prints loads again, to the same configuration. */
static void check_shown(const struct config *config)
{
	struct config_problems problems;
	struct config again;
	size_t length, length_again;
	char *shown = print(config, &length), *shown_again;

	must(config_load_text(&again, "shown", shown, length, NULL, 0, &problems) == 0,
	     "what is shown loads");
	shown_again = print(&again, &length_again);
	must(length == length_again && memcmp(shown, shown_again, length) == 0,
	     "what is shown is shown again the same");
	check_same(config, &again);
	config_problems_clear(&problems);
	config_clear(&again);
	free(shown);
	free(shown_again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = text_of(data, size);
	struct config_problems problems;
	struct config config;
	int err = config_load_text(&config, "fuzz", text, size, NULL, 0, &problems);

	if (err) {
		check_problems(&problems);
		must(!config.rules && !config.listen.vnis && !config.listen.sources,
		     "what does not load leaves nothing");
	} else {
		must(!problems.count && !problems.unlisted, "what loads has no problem");
		check_shown(&config);
	}
	config_problems_clear(&problems);
	config_clear(&config);
	free(text);
	return 0;
}
