// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"

/* A decimal number without sign, blanks or leading zeros. */
static int addr_parse_number(const char *text, unsigned int maximum, unsigned int *number)
{
	unsigned int value = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		value = value * 10 + (unsigned int)(*text - '0');
		if (value > maximum)
			return -EINVAL;
	}
	*number = value;
	return 0;
}

static int port_parse(const char *text, uint16_t *port)
{
	unsigned int number;

	if (addr_parse_number(text, UINT16_MAX, &number) || number == 0)
		return -EINVAL;
	*port = (uint16_t)number;
	return 0;
}

/* Copies the part before `end`; -EINVAL when no address is that long. */
static int part_copy(const char *text, const char *end, char *part)
{
	size_t length = (size_t)(end - text);

	if (length >= ADDR_TEXT_SIZE)
		return -EINVAL;
	memcpy(part, text, length);
	part[length] = '\0';
	return 0;
}

int ip_address_parse(const char *text, struct ip_address *address)
{
	struct ip_address parsed = {0};

	if (inet_pton(AF_INET, text, parsed.bytes) == 1)
		parsed.version = 4;
	else if (inet_pton(AF_INET6, text, parsed.bytes) == 1)
		parsed.version = 6;
	else
		return -EINVAL;
	*address = parsed;
	return 0;
}

/* [v6] or [v6]:port */
static int bracketed_parse(const char *text, struct ip_endpoint *endpoint)
{
	const char *end = strchr(text, ']');
	char part[ADDR_TEXT_SIZE];

	if (!end || part_copy(text + 1, end, part) || ip_address_parse(part, &endpoint->address) ||
	    endpoint->address.version != 6)
		return -EINVAL;
	if (end[1] == '\0')
		return 0;
	return end[1] == ':' ? port_parse(end + 2, &endpoint->port) : -EINVAL;
}

static int plain_parse(const char *text, struct ip_endpoint *endpoint)
{
	const char *colon = strchr(text, ':');
	char part[ADDR_TEXT_SIZE];

	/* None, or several as only IPv6 has them: an address and no port. */
	if (!colon || strchr(colon + 1, ':'))
		return ip_address_parse(text, &endpoint->address);
	if (part_copy(text, colon, part) || ip_address_parse(part, &endpoint->address))
		return -EINVAL;
	return port_parse(colon + 1, &endpoint->port);
}

int ip_endpoint_parse(const char *text, struct ip_endpoint *endpoint)
{
	struct ip_endpoint parsed = {0};
	int err = text[0] == '[' ? bracketed_parse(text, &parsed) : plain_parse(text, &parsed);

	if (!err)
		*endpoint = parsed;
	return err;
}

int ip_prefix_parse(const char *text, struct ip_prefix *prefix)
{
	const char *slash = strchr(text, '/');
	const char *end = slash ? slash : text + strlen(text);
	struct ip_prefix exact;
	struct ip_address address;
	char part[ADDR_TEXT_SIZE];
	unsigned int length;

	if (part_copy(text, end, part) || ip_address_parse(part, &address))
		return -EINVAL;
	length = ip_address_bits(&address);
	if (slash && addr_parse_number(slash + 1, length, &length))
		return -EINVAL;
	exact = ip_prefix_of(&address, length);
	if (memcmp(&exact.address, &address, sizeof(address)) != 0)
		return -ERANGE;
	*prefix = exact;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int mac_parse(const char *text, uint8_t mac[6])
{
	uint8_t parsed[6];

	if (strlen(text) != 17)
		return -EINVAL;
	for (int i = 0; i < 6; i++) {
		int high = hex_digit(text[3 * i]);
		int low = hex_digit(text[3 * i + 1]);

		if (high < 0 || low < 0 || text[3 * i + 2] != (i < 5 ? ':' : '\0'))
			return -EINVAL;
		parsed[i] = (uint8_t)(high << 4 | low);
	}
	memcpy(mac, parsed, sizeof(parsed));
	return 0;
}

const char *ip_address_format(const struct ip_address *address, char *text)
{
	int family = address->version == 4 ? AF_INET : AF_INET6;

	text[0] = '\0';
	if (address->version)
		inet_ntop(family, address->bytes, text, ADDR_TEXT_SIZE);
	return text;
}

const char *ip_endpoint_format(const struct ip_endpoint *endpoint, char *text)
{
	char address[ADDR_TEXT_SIZE];

	ip_address_format(&endpoint->address, address);
	if (!endpoint->port)
		snprintf(text, ADDR_TEXT_SIZE, "%s", address);
	else if (endpoint->address.version == 6)
		snprintf(text, ADDR_TEXT_SIZE, "[%.45s]:%u", address, endpoint->port);
	else
		snprintf(text, ADDR_TEXT_SIZE, "%.45s:%u", address, endpoint->port);
	return text;
}

const char *ip_prefix_format(const struct ip_prefix *prefix, char *text)
{
	char address[ADDR_TEXT_SIZE];

	ip_address_format(&prefix->address, address);
	if (prefix->length == ip_address_bits(&prefix->address))
		snprintf(text, ADDR_TEXT_SIZE, "%s", address);
	else
		snprintf(text, ADDR_TEXT_SIZE, "%.45s/%u", address, prefix->length);
	return text;
}

const char *mac_format(const uint8_t mac[6], char *text)
{
	snprintf(text, ADDR_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return text;
}

unsigned int ip_address_bits(const struct ip_address *address)
{
	return address->version == 4 ? 32 : 128;
}

struct ip_prefix ip_prefix_of(const struct ip_address *address, unsigned int length)
{
	struct ip_prefix prefix = {.address = *address, .length = (uint8_t)length};

	for (unsigned int i = 0; i < sizeof(address->bytes); i++) {
		if (length <= 8 * i)
			prefix.address.bytes[i] = 0;
		else if (length < 8 * i + 8)
			prefix.address.bytes[i] &= (uint8_t)(0xff00 >> (length - 8 * i));
	}
	return prefix;
}

bool ip_prefix_contains(const struct ip_prefix *outer, const struct ip_prefix *inner)
{
	struct ip_prefix cut;

	if (outer->address.version != inner->address.version || outer->length > inner->length)
		return false;
	cut = ip_prefix_of(&inner->address, outer->length);
	return memcmp(cut.address.bytes, outer->address.bytes, sizeof(cut.address.bytes)) == 0;
}
