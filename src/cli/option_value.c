// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/option_value.h"
#include "instance/instance.h"

/* A decimal number that begins at `text` and ends before `end`. */
static int option_read_number(const char *text, const char *end, unsigned int minimum,
			      unsigned int maximum, unsigned int *number)
{
	unsigned long read;
	char *stop;

	/* strtoul() would also take white space and signs */
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	read = strtoul(text, &stop, 10);
	if (stop != end || errno || read < minimum || read > maximum)
		return -EINVAL;
	*number = (unsigned int)read;
	return 0;
}

static int option_take_number(const struct option_value *value, const char *text)
{
	return option_read_number(text, text + strlen(text), value->minimum, value->maximum,
				  value->to.number);
}

static int option_take_range(const struct option_value *value, const char *text)
{
	const char *dash = strchr(text, '-');
	unsigned int first, last;

	if (!dash)
		return option_take_number(value, text);
	if (option_read_number(text, dash, value->minimum, value->maximum, &first) ||
	    option_read_number(dash + 1, text + strlen(text), first, value->maximum, &last))
		return -EINVAL;
	*value->to.number = first;
	*value->count = last - first + 1;
	return 0;
}

static int option_take_word(const struct option_value *value, const char *text)
{
	for (unsigned int i = 0; value->words[i]; i++) {
		if (strcmp(text, value->words[i]) == 0) {
			*value->to.number = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int option_take_ipv4(const struct option_value *value, const char *text)
{
	struct ip_address address;

	if (ip_address_parse(text, &address) || address.version != 4)
		return -EINVAL;
	*value->to.address = address;
	return 0;
}

static int option_take_mac(const struct option_value *value, const char *text)
{
	int err = mac_parse(text, value->to.mac->bytes);

	if (!err)
		value->to.mac->given = true;
	return err;
}

int option_value_take(const struct option_value *value, const char *text)
{
	switch (value->kind) {
	case OPTION_KIND_FLAG:
		*value->to.flag = true;
		return 0;
	case OPTION_KIND_INSTANCE:
		if (!instance_name_valid(text))
			return -EINVAL;
		/* fall through */
	case OPTION_KIND_TEXT:
		*value->to.text = text;
		return 0;
	case OPTION_KIND_WORD:
		return option_take_word(value, text);
	case OPTION_KIND_NUMBER:
		return option_take_number(value, text);
	case OPTION_KIND_RANGE:
		return option_take_range(value, text);
	case OPTION_KIND_IPV4:
		return option_take_ipv4(value, text);
	case OPTION_KIND_MAC:
		return option_take_mac(value, text);
	}
	return -EINVAL;
}

/* "one, another or a third" */
static void option_list_words(const char *const *words, char *text, size_t size)
{
	size_t length = 0;

	for (size_t i = 0; words[i] && length < size; i++) {
		const char *before = i == 0 ? "" : words[i + 1] ? ", " : " or ";

		length += (size_t)snprintf(text + length, size - length, "%s%s", before, words[i]);
	}
}

const char *option_value_expected(const struct option_value *value, char *text)
{
	const size_t size = OPTION_EXPECTED_SIZE;

	*text = '\0';
	switch (value->kind) {
	case OPTION_KIND_FLAG:
	case OPTION_KIND_TEXT: /* neither can be wrong */
		break;
	case OPTION_KIND_INSTANCE:
		snprintf(text, size, "only letters, digits, '-' and '_'");
		break;
	case OPTION_KIND_WORD:
		option_list_words(value->words, text, size);
		break;
	case OPTION_KIND_NUMBER:
		snprintf(text, size, "not a number from %u to %u", value->minimum, value->maximum);
		break;
	case OPTION_KIND_RANGE:
		snprintf(text, size, "a number from %u to %u, or FIRST-LAST", value->minimum,
			 value->maximum);
		break;
	case OPTION_KIND_IPV4:
		snprintf(text, size, "not an IPv4 address");
		break;
	case OPTION_KIND_MAC:
		snprintf(text, size, "not a MAC address");
		break;
	}
	return text;
}
