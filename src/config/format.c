// SPDX-License-Identifier: GPL-2.0-only
/* Values as YAML text. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/config.h"
#include "config/value.h"

static const void *field_of(const struct config_key *key, const void *base)
{
	return (const char *)base + key->offset;
}

static uint32_t number_fetch(const struct config_key *key, const void *base)
{
	const void *field = field_of(key, base);
	uint32_t number;
	uint16_t half;

	if (key->size == sizeof(uint8_t))
		return *(const uint8_t *)field;
	if (key->size == sizeof(half)) {
		memcpy(&half, field, sizeof(half));
		return half;
	}
	memcpy(&number, field, sizeof(number));
	return number;
}

bool config_value_is_given(const struct config_key *key, const void *base)
{
	const struct ip_prefix *prefix = field_of(key, base);

	if (key->present)
		return *((const bool *)base + key->present);
	if (key->type == CONFIG_RULE_NAME)
		return *(char *const *)field_of(key, base);
	if (key->type == CONFIG_PREFIX)
		return prefix->address.version != 0;
	return key->type != CONFIG_CHOICE || number_fetch(key, base) >= key->minimum;
}

static bool is_yaml_word(const char *text)
{
	static const char *const words[] = {"null", "true", "false", "yes", "no",
					    "on",   "off",  "y",     "n"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]) == 0)
			return true;
	}
	return false;
}

const char *config_text_format(const char *source, char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	bool name = strchr(letters, source[0]) && !is_yaml_word(source) &&
		    source[strspn(source, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					  "0123456789_.-@")] == '\0';
	size_t used = 0;

	if (name) {
		strcpy(text, source);
		return text;
	}
	text[used++] = '"';
	for (; *source && used < CONFIG_VALUE_SIZE - 4; source++) {
		if (*source == '"' || *source == '\\')
			text[used++] = '\\';
		text[used++] = *source;
	}
	text[used++] = '"';
	text[used] = '\0';
	return text;
}

/* Addresses with several colons are quoted: in [..] and {..} YAML would trip over some. */
static const char *address_format(const char *source, char *text)
{
	const char *colon = strchr(source, ':');

	if (colon && strchr(colon + 1, ':'))
		return config_text_format(source, text);
	strcpy(text, source);
	return text;
}

const char *config_value_format(const struct config_key *key, const void *base, char *text)
{
	const struct config *config = base;
	uint32_t number;
	char address[ADDR_TEXT_SIZE];

	switch (key->type) {
	case CONFIG_INTERFACE:
		return config_text_format(field_of(key, base), text);
	case CONFIG_RULE_NAME:
		return config_text_format(*(char *const *)field_of(key, base), text);
	case CONFIG_PREFIX:
		return address_format(ip_prefix_format(field_of(key, base), address), text);
	case CONFIG_TARGET:
		return address_format(ip_endpoint_format(field_of(key, base), address), text);
	case CONFIG_LISTENER:
		return *config->http.listen ? address_format(config->http.listen, text)
					    : strcpy(text, "off");
	case CONFIG_NEXT_HOP:
		if (config->forward.next_hop == NEXT_HOP_MAC)
			return address_format(mac_format(config->forward.next_hop_mac, address),
					      text);
		break;
	default:
		break;
	}
	number = number_fetch(key, base);
	if (key->choices)
		return strcpy(text, key->choices[number]);
	if (key->word && number == key->word_value)
		return strcpy(text, key->word);
	sprintf(text, "%u", number);
	return text;
}
