// SPDX-License-Identifier: GPL-2.0-only
/* config_print() writes every configuration so that it loads again to the same one. */
#include "config/value.h"
#include "tests/unit/config/config_rows.h"

#define ROUNDS 2000

static uint32_t random_state = 1;

/* A generator of our own, so that a failure can be repeated. */
static uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % limit;
}

static bool one_in(uint32_t n)
{
	return random_below(n) == 0;
}

static void random_name(char *name)
{
	static const char *const words[] = {"on", "null", "yes", "eth0", "~", "123", "1e5", "-"};
	size_t length = 1 + random_below(15);

	if (one_in(3)) {
		strcpy(name, words[random_below(COUNT_OF(words))]);
		return;
	}
	for (size_t i = 0; i < length; i++) {
		do
			name[i] = (char)('!' + random_below('~' - '!' + 1));
		while (strchr("/:.", name[i]));
	}
	name[length] = '\0';
}

static struct ip_address random_address(uint8_t version)
{
	struct ip_address address = {.version = version};

	for (int i = 0; i < (version == 4 ? 4 : 16); i++)
		address.bytes[i] = one_in(3) ? 0 : (uint8_t)random_below(256);
	address.bytes[0] = version == 4 ? 10 : 0x20;
	return address;
}

static struct ip_prefix random_prefix(uint8_t version)
{
	struct ip_address address = random_address(version);

	return ip_prefix_of(&address, random_below(ip_address_bits(&address) + 1));
}

/* Another one for each rule, also such as YAML would not take for text. */
static char *random_rule_name(uint16_t port)
{
	static const char *const forms[] = {"%u:", "r%u", "-%u", "%u.", "1e%u", "0x%uf", "_%u:a"};
	char *name;

	assert_true(asprintf(&name, forms[random_below(COUNT_OF(forms))], port) > 0);
	return name;
}

static void random_rule(struct nat_rule *rule, uint16_t port)
{
	uint8_t version = one_in(2) ? 4 : 6;

	rule->has_source_port = true; /* a different one in each rule: none covers another */
	rule->source_port = port;
	rule->has_destination_port = one_in(3);
	rule->destination_port =
		rule->has_destination_port ? (uint16_t)(1 + random_below(65535)) : 0;
	rule->has_vni = one_in(3);
	rule->vni = rule->has_vni ? random_below(2) : 0;
	rule->protocol = (uint8_t)random_below(3);
	if (one_in(3))
		rule->source = random_prefix(version);
	if (one_in(3))
		rule->destination = random_prefix(version);
	rule->to.address = random_address(version);
	rule->to.port = one_in(2) ? 0 : (uint16_t)(1 + random_below(65535));
	if (one_in(3))
		rule->name = random_rule_name(port);
}

static void random_lists(struct config *config)
{
	config->listen.any_vni = one_in(3);
	config->listen.vni_count = config->listen.any_vni ? 0 : 2 + random_below(50);
	config->listen.vnis = calloc(config->listen.vni_count + 1, sizeof(uint32_t));
	for (size_t i = 0; i < config->listen.vni_count; i++)
		config->listen.vnis[i] =
			i < 2 ? (uint32_t)i : (uint32_t)i * 1000 + random_below(999);
	config->listen.source_count = one_in(2) ? 0 : 1 + random_below(20);
	config->listen.sources = calloc(config->listen.source_count + 1, sizeof(struct ip_prefix));
	for (size_t i = 0; i < config->listen.source_count; i++) {
		struct ip_address address = random_address(one_in(2) ? 4 : 6);

		address.bytes[1] = (uint8_t)i; /* none twice */
		config->listen.sources[i] = ip_prefix_of(&address, 16 + random_below(17));
	}
	config->rule_count = random_below(30);
	config->rules = calloc(config->rule_count + 1, sizeof(*config->rules));
	for (size_t i = 0; i < config->rule_count; i++)
		random_rule(&config->rules[i], (uint16_t)(i + 1));
}

/* Draws a number or a choice, of which the schema says all; leaves other keys alone. */
static void random_value(struct config *config, const struct config_key *key)
{
	char text[CONFIG_DESCRIBE_SIZE];
	struct config_complaint complaint;
	uint32_t count = 0;

	if (strchr(key->path, '[') || (key->type != CONFIG_NUMBER && key->type != CONFIG_CHOICE))
		return;
	while (key->type == CONFIG_CHOICE && key->choices[count])
		count++;
	if (count)
		snprintf(text, sizeof(text), "%s", key->choices[random_below(count)]);
	else if (key->word && one_in(3))
		snprintf(text, sizeof(text), "%s", key->word);
	else
		snprintf(text, sizeof(text), "%u",
			 key->minimum + random_below(key->maximum - key->minimum + 1));
	assert_int_equal(config_value_set(key, config, text, true, &complaint), 0);
}

static void random_config(struct config *config)
{
	static const uint8_t mac[6] = {0x12, 0x34, 0x56, 0x17, 0x00, 0x59};
	struct ip_endpoint listener = {random_address(one_in(2) ? 4 : 6), 80};

	memset(config, 0, sizeof(*config));
	random_name(config->listen.interface);
	random_name(config->forward.interface);
	for (size_t i = 0; i < config_key_count; i++)
		random_value(config, &config_keys[i]);
	if (config->monitor.target_pps < config->monitor.warning_pps)
		config->monitor.target_pps = config->monitor.warning_pps;
	random_lists(config);
	config->forward.next_hop = random_below(3);
	if (config->forward.next_hop == NEXT_HOP_MAC)
		memcpy(config->forward.next_hop_mac, mac, sizeof(mac));
	if (!one_in(3))
		ip_endpoint_format(&listener, config->http.listen);
}

/* Compares everything but the places of rules. */
static void assert_same(const struct config *a, const struct config *b)
{
	struct config flat_a = *a, flat_b = *b;

	assert_int_equal(a->listen.vni_count, b->listen.vni_count);
	assert_int_equal(a->listen.source_count, b->listen.source_count);
	assert_int_equal(a->rule_count, b->rule_count);
	if (a->listen.vni_count)
		assert_memory_equal(a->listen.vnis, b->listen.vnis,
				    a->listen.vni_count * sizeof(uint32_t));
	if (a->listen.source_count)
		assert_memory_equal(a->listen.sources, b->listen.sources,
				    a->listen.source_count * sizeof(struct ip_prefix));
	for (size_t i = 0; i < a->rule_count; i++) {
		struct nat_rule rule_a = a->rules[i], rule_b = b->rules[i];

		assert_memory_equal(&rule_a.destination, &rule_b.destination,
				    sizeof(rule_a.destination));
		assert_int_equal(rule_a.has_vni, rule_b.has_vni);
		assert_int_equal(rule_a.vni, rule_b.vni);
		assert_int_equal(rule_a.source_port, rule_b.source_port);
		assert_int_equal(rule_a.has_destination_port, rule_b.has_destination_port);
		assert_int_equal(rule_a.destination_port, rule_b.destination_port);
		assert_int_equal(rule_a.protocol, rule_b.protocol);
		assert_memory_equal(&rule_a.to.address, &rule_b.to.address,
				    sizeof(rule_a.to.address));
		assert_int_equal(rule_a.to.port, rule_b.to.port);
		assert_string_equal(rule_a.name ? rule_a.name : "", rule_b.name ? rule_b.name : "");
	}
	flat_a.listen.vnis = flat_b.listen.vnis = NULL;
	flat_a.listen.sources = flat_b.listen.sources = NULL;
	flat_a.rules = flat_b.rules = NULL;
	assert_string_equal(a->listen.interface, b->listen.interface);
	assert_string_equal(a->forward.interface, b->forward.interface);
	assert_string_equal(a->http.listen, b->http.listen);
	memset(flat_a.listen.interface, 0, sizeof(flat_a.listen.interface));
	memset(flat_b.listen.interface, 0, sizeof(flat_b.listen.interface));
	memset(flat_a.forward.interface, 0, sizeof(flat_a.forward.interface));
	memset(flat_b.forward.interface, 0, sizeof(flat_b.forward.interface));
	memset(flat_a.http.listen, 0, sizeof(flat_a.http.listen));
	memset(flat_b.http.listen, 0, sizeof(flat_b.http.listen));
	assert_memory_equal(&flat_a, &flat_b, sizeof(flat_a));
}

static char *print(const struct config *config, size_t *length)
{
	char *text;
	FILE *stream = open_memstream(&text, length);

	config_print(config, stream);
	fclose(stream);
	return text;
}

static void loads_again(void **state)
{
	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct config config, again;
		size_t length, length_again;
		char *text, *text_again, *problems;

		random_config(&config);
		text = print(&config, &length);
		problems = load_text(&again, text, length, NULL, 0);
		if (*problems)
			fail_msg("%s\n%s", problems, text);
		assert_same(&config, &again);
		text_again = print(&again, &length_again);
		assert_string_equal(text, text_again);
		free(text);
		free(text_again);
		free(problems);
		config_clear(&config);
		config_clear(&again);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(loads_again)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
