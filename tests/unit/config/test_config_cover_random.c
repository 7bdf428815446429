// SPDX-License-Identifier: GPL-2.0-only
/* Rules that can never match, found in random configurations, against a comparison of all pairs. */
#include "tests/unit/config/config_rows.h"
#include "tests/unit/rules/rule_sets.h"

#define RANDOM_SETS 600

#define ONE_VNI  "listen: {interface: ens5, vnis: [7]}\nnat:\n"
#define ANY_VNI  "listen: {interface: ens5, vnis: any}\nnat:\n"
#define ONLY_VNI ", as no other VNI is in listen.vnis"

static void print_prefix(FILE *stream, char *separator, const char *key,
			 const struct ip_prefix *prefix)
{
	char text[ADDR_TEXT_SIZE];

	if (!prefix->address.version)
		return;
	fprintf(stream, "%c %s: '%s'", *separator, key, ip_prefix_format(prefix, text));
	*separator = ',';
}

static void print_number(FILE *stream, char *separator, const char *key, bool there,
			 uint32_t number)
{
	if (!there)
		return;
	fprintf(stream, "%c %s: %u", *separator, key, number);
	*separator = ',';
}

/* One line of the configuration. */
static void print_rule(FILE *stream, const struct nat_rule *rule)
{
	char separator = '{';

	fprintf(stream, "  - {match: ");
	print_prefix(stream, &separator, "source", &rule->source);
	print_prefix(stream, &separator, "destination", &rule->destination);
	print_number(stream, &separator, "vni", rule->has_vni, rule->vni);
	print_number(stream, &separator, "source_port", rule->has_source_port, rule->source_port);
	print_number(stream, &separator, "destination_port", rule->has_destination_port,
		     rule->destination_port);
	if (rule->protocol)
		fprintf(stream, "%c protocol: %s", separator,
			rule->protocol == NAT_PROTOCOL_UDP ? "udp" : "tcp");
	fprintf(stream, "}, to: %s}\n", rule->to.address.version == 4 ? "10.0.0.9" : "'fd00::9'");
}

static bool prefix_holds(const struct ip_prefix *outer, const struct ip_prefix *inner)
{
	return outer->length <= inner->length && prefix_matches(outer, &inner->address);
}

/* Does `one` match every packet that `other` matches, protocols apart? */
static bool rule_holds(const struct nat_rule *one, const struct nat_rule *other, bool vni_counts)
{
	return one->to.address.version == other->to.address.version &&
	       prefix_holds(&one->source, &other->source) &&
	       prefix_holds(&one->destination, &other->destination) &&
	       (!one->has_vni || !vni_counts || (other->has_vni && one->vni == other->vni)) &&
	       (!one->has_source_port ||
		(other->has_source_port && one->source_port == other->source_port)) &&
	       (!one->has_destination_port ||
		(other->has_destination_port && one->destination_port == other->destination_port));
}

/* Is `one` before `other`, and does it match every packet of the protocol that `other` matches? */
static bool covers(const struct rule_set *set, size_t one, size_t other, uint8_t protocol,
		   bool vni_counts)
{
	const struct nat_rule *rule = &set->rules[one - 1];

	return one >= 1 && one < other && (!rule->protocol || rule->protocol == protocol) &&
	       rule_holds(rule, &set->rules[other - 1], vni_counts);
}

/* Compares the rule with each earlier rule. */
static bool is_dead(const struct rule_set *set, size_t number, bool vni_counts)
{
	uint8_t protocol = set->rules[number - 1].protocol;
	bool udp = protocol == NAT_PROTOCOL_TCP, tcp = protocol == NAT_PROTOCOL_UDP;

	for (size_t i = 1; i < number; i++) {
		udp |= covers(set, i, number, NAT_PROTOCOL_UDP, vni_counts);
		tcp |= covers(set, i, number, NAT_PROTOCOL_TCP, vni_counts);
	}
	return udp && tcp;
}

/* Does the message name earlier rules that cover rule `number`? Rule 1 is in line 3. */
static bool is_true(const struct rule_set *set, size_t number, bool vni_counts, const char *line)
{
	uint8_t protocol = set->rules[number - 1].protocol;
	size_t udp, tcp, udp_line, tcp_line;
	char expected[256];
	bool by_vni;

	if (sscanf(line, "rules %zu (udp, line %zu) and %zu (tcp, line %zu)", &udp, &udp_line, &tcp,
		   &tcp_line) != 4) {
		if (sscanf(line, "rule %zu (line %zu)", &udp, &udp_line) != 2)
			return false;
		tcp = udp;
		tcp_line = udp_line;
	}
	if ((protocol != NAT_PROTOCOL_TCP &&
	     !covers(set, udp, number, NAT_PROTOCOL_UDP, vni_counts)) ||
	    (protocol != NAT_PROTOCOL_UDP &&
	     !covers(set, tcp, number, NAT_PROTOCOL_TCP, vni_counts)) ||
	    udp_line != udp + 2 || tcp_line != tcp + 2)
		return false;
	by_vni = !set->rules[number - 1].has_vni &&
		 (set->rules[udp - 1].has_vni || set->rules[tcp - 1].has_vni);
	snprintf(expected, sizeof(expected), "%s it%s\n", udp == tcp ? "covers" : "cover",
		 by_vni ? ONLY_VNI : "");
	line = strstr(line, " cover");
	return line && strncmp(line + 1, expected, strlen(expected)) == 0;
}

/* A fault in the messages about a set; "": none. Any of several covering rules may be named. */
static const char *find_fault(const struct rule_set *set, bool vni_counts, const char *printed,
			      size_t *dead)
{
	for (size_t number = 1; number <= set->count; number++) {
		char begin[64];

		if (!is_dead(set, number, vni_counts))
			continue;
		++*dead;
		snprintf(begin, sizeof(begin),
			 "t:%zu:6: nat[%zu].match: the rule can never match: ", number + 2, number);
		if (strncmp(printed, begin, strlen(begin)) != 0)
			return "no message about a dead rule, or one about another rule";
		if (!is_true(set, number, vni_counts, printed + strlen(begin)))
			return "a message names rules that do not cover the dead one";
		printed = strchr(printed, '\n') + 1;
	}
	return *printed ? "a message about a rule that can match" : "";
}

/* Few combinations of keys and few values, so that many rules cover others. */
static void make_rules(struct rule_set *set, unsigned int seed, bool vni_counts)
{
	static const uint8_t lengths[2][4] = {{0, 8, 23, 32}, {0, 9, 64, 128}};

	rule_set_begin(set, seed);
	for (unsigned int kind = 0; kind < 10; kind++) {
		bool ipv6 = rule_set_random(set, 4) == 0;
		unsigned int keys = 1 + rule_set_random(set, RULE_ALL_KEYS);
		uint8_t source = lengths[ipv6][rule_set_random(set, 4)];
		uint8_t destination = lengths[ipv6][rule_set_random(set, 4)];

		for (unsigned int i = rule_set_random(set, 6); i > 0; i--) {
			struct nat_rule *rule = &set->rules[set->count++];

			rule_set_make(set, rule, ipv6 ? 6 : 4, keys, source, destination);
			if (rule->has_vni && !vni_counts)
				rule->vni = 7;
		}
	}
	rule_set_shuffle(set);
}

static void random_rules(void **state)
{
	size_t dead = 0;
	int failed = 0;

	(void)state;
	for (unsigned int seed = 1; seed <= RANDOM_SETS; seed++) {
		bool vni_counts = seed % 2;
		char *text = NULL, *printed;
		struct config config;
		struct rule_set set;
		FILE *stream;
		size_t size;
		char name[64];

		make_rules(&set, seed, vni_counts);
		stream = open_memstream(&text, &size);
		assert_non_null(stream);
		fputs(vni_counts ? ANY_VNI : ONE_VNI, stream);
		for (size_t i = 0; i < set.count; i++)
			print_rule(stream, &set.rules[i]);
		fclose(stream);
		printed = load_text(&config, text, size, NULL, 0);
		snprintf(name, sizeof(name), "seed %u", seed);
		if (row_differs(name, find_fault(&set, vni_counts, printed, &dead), "")) {
			print_error("%s%s", text, printed);
			failed++;
		}
		free(printed);
		free(text);
		config_clear(&config);
		rule_set_end(&set);
	}
	assert_int_equal(failed, 0);
	/* the sets do have dead rules */
	assert_true(dead > RANDOM_SETS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_rules)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
