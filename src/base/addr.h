/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses, prefixes and MACs as text and as bytes. No function here does any I/O. */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ip_address {
	uint8_t version;   /* 4 or 6; 0: none */
	uint8_t bytes[16]; /* network order; IPv4 fills the first four, the rest is zero */
};

struct ip_prefix {
	struct ip_address address;
	uint8_t length; /* 0..32 or 0..128 */
};

/* address[:port], [v6]:port; port 0: none given */
struct ip_endpoint {
	struct ip_address address;
	uint16_t port; /* host order */
};

#define ADDR_TEXT_SIZE 64 /* holds every text the formatters below write */

/* Parse whole strings only. Return 0, or -EINVAL and leave the output untouched. */
int ip_address_parse(const char *text, struct ip_address *address);
int ip_endpoint_parse(const char *text, struct ip_endpoint *endpoint);
int mac_parse(const char *text, uint8_t mac[6]);
/* A bare address is a prefix of full length. -ERANGE: well formed, but with host bits set. */
int ip_prefix_parse(const char *text, struct ip_prefix *prefix);

/* Return `text`, which holds ADDR_TEXT_SIZE bytes. A full-length prefix is written bare. */
const char *ip_address_format(const struct ip_address *address, char *text);
const char *ip_endpoint_format(const struct ip_endpoint *endpoint, char *text);
const char *ip_prefix_format(const struct ip_prefix *prefix, char *text);
const char *mac_format(const uint8_t mac[6], char *text);

/* The number of address bits: 32 or 128. */
unsigned int ip_address_bits(const struct ip_address *address);
/* The prefix that holds `address` and has `length` bits: host bits become zero. */
struct ip_prefix ip_prefix_of(const struct ip_address *address, unsigned int length);
bool ip_prefix_contains(const struct ip_prefix *outer, const struct ip_prefix *inner);

#endif
