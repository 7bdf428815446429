// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/config.h"
#include "config/problem.h"
#include "config/rule_name.h"
#include "config/value.h"

static int complain(struct config_complaint *complaint, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static int complain(struct config_complaint *complaint, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(complaint->text, sizeof(complaint->text), format, args);
	va_end(args);
	return -EINVAL;
}

/* "'x' is not DESCRIPTION" */
static int complain_type(struct config_complaint *complaint, const struct config_key *key,
			 const char *text, const char *hint)
{
	char quoted[CONFIG_QUOTE_SIZE], description[CONFIG_DESCRIBE_SIZE];

	return complain(complaint, "%s is not %s%s", config_quote(text, quoted),
			config_key_describe(key, description), hint);
}

bool config_is_null(const char *text, bool plain)
{
	return plain && (!*text || strcmp(text, "~") == 0 || strcasecmp(text, "null") == 0);
}

static void *field(const struct config_key *key, void *base)
{
	return (char *)base + key->offset;
}

/* Fields differ in width; the schema's range keeps the number within it. */
static void number_store(const struct config_key *key, void *base, uint32_t number)
{
	uint16_t half = (uint16_t)number;
	uint8_t byte = (uint8_t)number;

	if (key->size == sizeof(number))
		memcpy(field(key, base), &number, sizeof(number));
	else if (key->size == sizeof(half))
		memcpy(field(key, base), &half, sizeof(half));
	else
		memcpy(field(key, base), &byte, sizeof(byte));
	if (key->present)
		*((bool *)base + key->present) = true;
}

static int value_parse_number(const struct config_key *key, const char *text, bool plain,
			      uint32_t *number, struct config_complaint *complaint)
{
	char quoted[CONFIG_QUOTE_SIZE], right[CONFIG_QUOTE_SIZE], description[CONFIG_DESCRIBE_SIZE];
	size_t digits = strspn(text, "0123456789");
	size_t zeros = strspn(text, "0");
	unsigned long long value;

	if (!digits || text[digits])
		return complain_type(complaint, key, text, "; it takes decimal digits only");
	config_quote(text, quoted);
	if (!plain)
		return complain(complaint, "%s is text: write it without the quotes", quoted);
	if (zeros && digits > 1) {
		config_escape(text + (zeros == digits ? zeros - 1 : zeros), right);
		return complain(complaint,
				"%s begins with a zero, which some read as octal: write %s", quoted,
				right);
	}
	errno = 0;
	value = strtoull(text, NULL, 10);
	if (errno || value < key->minimum || value > key->maximum)
		return complain(complaint, "%s is out of range: it takes %s", quoted,
				config_key_describe(key, description));
	*number = (uint32_t)value;
	return 0;
}

static int number_set(const struct config_key *key, void *base, const char *text, bool plain,
		      struct config_complaint *complaint)
{
	uint32_t number = key->word_value;

	if ((!key->word || strcmp(text, key->word) != 0) &&
	    value_parse_number(key, text, plain, &number, complaint))
		return -EINVAL;
	number_store(key, base, number);
	return 0;
}

/* The choice that `text` names; -1: none. */
static int choice_find(const struct config_key *key, const char *text)
{
	for (uint32_t i = key->minimum; key->choices[i]; i++) {
		if (strcmp(key->choices[i], text) == 0)
			return (int)i;
	}
	return -1;
}

static int choice_set(const struct config_key *key, void *base, const char *text,
		      struct config_complaint *complaint)
{
	int choice = choice_find(key, text);

	if (choice < 0)
		return complain_type(complaint, key, text, "");
	number_store(key, base, (uint32_t)choice);
	return 0;
}

static int interface_set(const struct config_key *key, void *base, const char *text,
			 struct config_complaint *complaint)
{
	char quoted[CONFIG_QUOTE_SIZE];
	const char *wrong = NULL;

	if (!*text)
		wrong = "it is empty";
	else if (strlen(text) >= CONFIG_INTERFACE_SIZE)
		wrong = "it is longer than 15 characters";
	else if (strcmp(text, ".") == 0 || strcmp(text, "..") == 0)
		wrong = "the kernel keeps it for directories";
	for (const char *at = text; *at && !wrong; at++) {
		if (*at <= ' ' || *at > '~' || *at == '/' || *at == ':')
			wrong = "no blanks, '/', ':' or special characters";
	}
	if (wrong)
		return complain(complaint, "%s is not the name of a network interface: %s",
				config_quote(text, quoted), wrong);
	strcpy(field(key, base), text);
	return 0;
}

/* IPv4 addresses dressed up as IPv6 never stand in a packet. */
static bool is_mapped(const struct ip_address *address)
{
	static const uint8_t head[12] = {[10] = 0xff, [11] = 0xff};

	return address->version == 6 && memcmp(address->bytes, head, sizeof(head)) == 0;
}

static int complain_mapped(struct config_complaint *complaint, const char *text,
			   const struct ip_address *address)
{
	char quoted[CONFIG_QUOTE_SIZE], right[ADDR_TEXT_SIZE];
	struct ip_address bare = {.version = 4};

	memcpy(bare.bytes, address->bytes + 12, 4);
	return complain(complaint, "%s is an IPv4 address written as IPv6: write %s",
			config_quote(text, quoted), ip_address_format(&bare, right));
}

/* The text is a prefix with host bits: suggest the prefixes that may have been meant. */
static int complain_host_bits(struct config_complaint *complaint, const char *text)
{
	char quoted[CONFIG_QUOTE_SIZE], right[ADDR_TEXT_SIZE], bare[ADDR_TEXT_SIZE];
	const char *slash = strchr(text, '/');
	struct ip_prefix prefix;

	snprintf(bare, sizeof(bare), "%.*s", (int)(slash - text), text);
	ip_address_parse(bare, &prefix.address);
	prefix = ip_prefix_of(&prefix.address, (unsigned int)atoi(slash + 1));
	return complain(complaint,
			"%s has bits set behind its prefix: write %s, or %s for one address",
			config_quote(text, quoted), ip_prefix_format(&prefix, right), bare);
}

static int prefix_set(const struct config_key *key, void *base, const char *text,
		      struct config_complaint *complaint)
{
	struct ip_prefix prefix;
	int err = ip_prefix_parse(text, &prefix);

	if (err == -ERANGE)
		return complain_host_bits(complaint, text);
	if (err)
		return complain_type(complaint, key, text, "");
	if (is_mapped(&prefix.address))
		return complain_mapped(complaint, text, &prefix.address);
	memcpy(field(key, base), &prefix, sizeof(prefix));
	return 0;
}

/* Targets that no packet can be sent to (RFC 6890, RFC 4291), narrow prefixes before wide ones. */
static const struct {
	struct ip_prefix prefix;
	const char *why;
} config_no_targets[] = {
#define ONE_HOST ": a rule sends to the address of one host"
#define LOOPBACK                                                                                   \
	"a loopback address: every kernel drops a packet for it that comes from outside; give an " \
	"address of an interface"
	{{{4, {0}}, 32}, "the unspecified address" ONE_HOST},
	{{{4, {0}}, 8}, "an address of no host, as all of 0.0.0.0/8" ONE_HOST},
	{{{4, {127}}, 8}, LOOPBACK},
	{{{4, {224}}, 4}, "a multicast address" ONE_HOST},
	{{{4, {255, 255, 255, 255}}, 32}, "the broadcast address" ONE_HOST},
	{{{4, {240}}, 4}, "a reserved address, as all of 240.0.0.0/4" ONE_HOST},
	{{{6, {0}}, 128}, "the unspecified address" ONE_HOST},
	{{{6, {[15] = 1}}, 128}, LOOPBACK},
	{{{6, {0xfe, 0x80}}, 10},
	 "a link-local address, which is another host on each link: give one that is valid beyond "
	 "the link"},
	{{{6, {0xff}}, 8}, "a multicast address" ONE_HOST},
#undef LOOPBACK
#undef ONE_HOST
};

/* Why no packet can be sent there; NULL: it can. */
static const char *target_wrong(const struct ip_address *address)
{
	struct ip_prefix whole = ip_prefix_of(address, ip_address_bits(address));

	for (size_t i = 0; i < sizeof(config_no_targets) / sizeof(config_no_targets[0]); i++) {
		if (ip_prefix_contains(&config_no_targets[i].prefix, &whole))
			return config_no_targets[i].why;
	}
	return NULL;
}

static int target_set(const struct config_key *key, void *base, const char *text,
		      struct config_complaint *complaint)
{
	char quoted[CONFIG_QUOTE_SIZE];
	struct ip_endpoint target;
	const char *wrong;

	if (ip_endpoint_parse(text, &target))
		return complain_type(complaint, key, text, " with a port from 1 to 65535");
	if (is_mapped(&target.address))
		return complain_mapped(complaint, text, &target.address);
	wrong = target_wrong(&target.address);
	if (wrong)
		return complain(complaint, "%s is %s", config_quote(text, quoted), wrong);
	memcpy(field(key, base), &target, sizeof(target));
	return 0;
}

static int next_hop_set(const struct config_key *key, struct config *config, const char *text,
			struct config_complaint *complaint)
{
	static const uint8_t zero[6];
	int choice = choice_find(key, text);
	uint8_t mac[6];

	if (choice >= 0) {
		number_store(key, config, (uint32_t)choice);
		return 0;
	}
	if (mac_parse(text, mac))
		return complain_type(complaint, key, text, "");
	if (mac[0] & 1 || memcmp(mac, zero, sizeof(mac)) == 0)
		return complain(complaint, "'%s' is not the MAC of one host", text);
	number_store(key, config, NEXT_HOP_MAC);
	memcpy(config->forward.next_hop_mac, mac, sizeof(mac));
	return 0;
}

/* Takes all words that YAML 1.1 has for "off", as people use them all. */
static bool is_off(const char *text)
{
	static const char *const words[] = {"off", "no", "false"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

static int listener_set(const struct config_key *key, void *base, const char *text,
			struct config_complaint *complaint)
{
	struct ip_endpoint listener;
	char *value = field(key, base);

	_Static_assert(sizeof(((struct config *)0)->http.listen) >= ADDR_TEXT_SIZE, "too small");
	if (is_off(text)) {
		value[0] = '\0';
		return 0;
	}
	if (ip_endpoint_parse(text, &listener) || !listener.port)
		return complain_type(complaint, key, text,
				     "; 0.0.0.0:9789 or \"[::]:9789\" for all addresses");
	ip_endpoint_format(&listener, value);
	return 0;
}

/* What a rule is called without a name has so many, and may become its name: see rule_name.c. */
#define HASH_DIGITS 8

/* Why a rule cannot have that name; NULL: it can. */
static const char *rule_name_wrong(const char *text)
{
	if (!*text)
		return "it is empty";
	if (strlen(text) > RULE_NAME_MAX)
		return "it is longer than 63 characters";
	if (text[strspn(text, RULE_NAME_LETTERS)])
		return "it takes letters, digits and . _ - : only";
	if (strlen(text) < HASH_DIGITS && !text[strspn(text, "0123456789")])
		return "it would read as the number of a rule";
	return NULL;
}

static int rule_name_set(const struct config_key *key, void *base, const char *text,
			 struct config_complaint *complaint)
{
	char quoted[CONFIG_QUOTE_SIZE], **value = field(key, base), *name;
	const char *wrong = rule_name_wrong(text);

	if (wrong)
		return complain(complaint, "%s is not the name of a rule: %s",
				config_quote(text, quoted), wrong);
	name = strdup(text);
	if (!name)
		return complain(complaint, "out of memory");
	free(*value);
	*value = name;
	return 0;
}

int config_value_set(const struct config_key *key, void *base, const char *text, bool plain,
		     struct config_complaint *complaint)
{
	char description[CONFIG_DESCRIBE_SIZE];

	if (config_is_null(text, plain))
		return complain(complaint, "there is no value: give %s%s%s%s",
				config_key_describe(key, description),
				key->initial ? ", or leave the key out for the default (" : "",
				key->initial ? key->initial : "", key->initial ? ")" : "");
	switch (key->type) {
	case CONFIG_NUMBER:
		return number_set(key, base, text, plain, complaint);
	case CONFIG_CHOICE:
		return choice_set(key, base, text, complaint);
	case CONFIG_INTERFACE:
		return interface_set(key, base, text, complaint);
	case CONFIG_TARGET:
		return target_set(key, base, text, complaint);
	case CONFIG_NEXT_HOP:
		return next_hop_set(key, base, text, complaint);
	case CONFIG_LISTENER:
		return listener_set(key, base, text, complaint);
	case CONFIG_PREFIX:
		return prefix_set(key, base, text, complaint);
	case CONFIG_RULE_NAME:
		return rule_name_set(key, base, text, complaint);
	default:
		return complain_type(complaint, key, text, "");
	}
}
