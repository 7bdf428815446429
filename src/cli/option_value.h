/* SPDX-License-Identifier: GPL-2.0-only */
/* The value of an option: which values it takes, and the variable that they go to. */
#ifndef CLI_OPTION_VALUE_H
#define CLI_OPTION_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

enum option_kind {
	OPTION_KIND_FLAG,
	OPTION_KIND_TEXT,
	OPTION_KIND_INSTANCE,
	OPTION_KIND_WORD,
	OPTION_KIND_NUMBER,
	OPTION_KIND_RANGE,
	OPTION_KIND_IPV4,
	OPTION_KIND_MAC,
};

struct option_mac {
	bool given;
	uint8_t bytes[6];
};

/*
 * Made by one of the OPTION_ macros below. The target is untouched unless the option is given; if
 * it is given twice, the last value counts.
 */
struct option_value {
	enum option_kind kind;
	union {
		bool *flag;
		const char **text;
		unsigned int *number;
		struct ip_address *address;
		struct option_mac *mac;
	} to;
	unsigned int minimum, maximum; /* of a number, of both ends of a range */
	unsigned int *count;           /* of a range: how many numbers it has */
	const char *const *words;      /* ends with NULL */
};

#define OPTION_VALUE(...)   \
	{                   \
		__VA_ARGS__ \
	}

/* a bool, which becomes true */
#define OPTION_FLAG(target)     OPTION_VALUE(OPTION_KIND_FLAG, .to.flag = (target))
/* a const char * */
#define OPTION_TEXT(target)     OPTION_VALUE(OPTION_KIND_TEXT, .to.text = (target))
/* a const char *, the valid name of an instance */
#define OPTION_INSTANCE(target) OPTION_VALUE(OPTION_KIND_INSTANCE, .to.text = (target))
/* an enum that counts `list` from 0; compilers take it for an unsigned int */
#define OPTION_WORD(target, list) \
	OPTION_VALUE(OPTION_KIND_WORD, .to.number = (target), .words = (list))
/* an unsigned int */
#define OPTION_NUMBER(target, low, high) \
	OPTION_VALUE(OPTION_KIND_NUMBER, .to.number = (target), .minimum = (low), .maximum = (high))
/* FIRST-LAST as two unsigned int; a number alone leaves `how_many` untouched */
#define OPTION_RANGE(first, how_many, low, high)                                                   \
	OPTION_VALUE(OPTION_KIND_RANGE, .to.number = (first), .minimum = (low), .maximum = (high), \
		     .count = (how_many))
/* a struct ip_address */
#define OPTION_IPV4(target) OPTION_VALUE(OPTION_KIND_IPV4, .to.address = (target))
/* a struct option_mac */
#define OPTION_MAC(target)  OPTION_VALUE(OPTION_KIND_MAC, .to.mac = (target))

/* 0, or -EINVAL and the target is untouched. A flag has no text: NULL. */
int option_value_take(const struct option_value *value, const char *text);

#define OPTION_EXPECTED_SIZE 128

/* Which values the option takes. Returns `text`, which holds OPTION_EXPECTED_SIZE bytes. */
const char *option_value_expected(const struct option_value *value, char *text);

#endif
