// SPDX-License-Identifier: GPL-2.0-only
/* IPv4, and IPv6 with its extension headers. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "explain/dissect_layers.h"

#define MAX_EXTENSION_HEADERS 16 /* more than any real packet has */

static void add_address(struct dissector *d, const char *name, const uint8_t *address)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(d->version == 4 ? AF_INET : AF_INET6, address, text, sizeof(text));
	dissect_add(d, name, "%s", text);
}

/* From here on the packet's length is the end, and what lies behind it is no payload. */
static void enter_packet(struct dissector *d, size_t claimed)
{
	size_t present = dissect_left(d);

	d->cut_short = claimed > present;
	if (d->cut_short)
		dissect_complain(d, "IP length reaches %zu bytes beyond the frame",
				 claimed - present);
	if (claimed < present) {
		dissect_add(d, "eth.trailer", "%zu bytes", present - claimed);
		d->end = d->position + claimed;
	}
}

static void note_packet(struct dissector *d, size_t fragment_offset)
{
	d->out->packet_offset = d->position;
	d->out->packet_length = dissect_left(d);
	d->out->fragment_offset = fragment_offset;
}

static void add_ipv4_fields(struct dissector *d, const uint8_t *ip, size_t header_length)
{
	unsigned int fragment = dissect_u16(ip + 6);

	dissect_add(d, "ip.hdr_len", "%zu", header_length);
	dissect_add(d, "ip.dsfield", "0x%02x", ip[1]);
	dissect_add(d, "ip.len", "%u", dissect_u16(ip + 2));
	dissect_add(d, "ip.id", "0x%04x", dissect_u16(ip + 4));
	dissect_add(d, "ip.flags.rb", "%u", fragment >> 15);
	dissect_add(d, "ip.flags.df", "%u", fragment >> 14 & 1);
	dissect_add(d, "ip.flags.mf", "%u", fragment >> 13 & 1);
	dissect_add(d, "ip.frag_offset", "%u", (fragment & 0x1fff) * 8);
	dissect_add(d, "ip.ttl", "%u", ip[8]);
	dissect_add(d, "ip.proto", "%u", ip[9]);
	dissect_add_checksum(d, "ip.checksum", dissect_u16(ip + 10), DISSECT_NO_CHECKSUM,
			     dissect_sum(ip, header_length));
	add_address(d, "ip.src", ip + 12);
	add_address(d, "ip.dst", ip + 16);
	if (header_length > 20)
		dissect_add_hex(d, "ip.options", ip + 20, header_length - 20);
}

void dissect_ipv4(struct dissector *d)
{
	const uint8_t *ip = dissect_take(d, 20, "IPv4 header");
	size_t header_length, total_length;
	unsigned int fragment;

	if (!ip)
		return;
	header_length = (size_t)(ip[0] & 0xf) * 4;
	if (ip[0] >> 4 != 4 || header_length < 20) {
		dissect_complain(d, "IPv4 header that says version %u, length %zu", ip[0] >> 4,
				 header_length);
		return;
	}
	if (!dissect_take(d, header_length - 20, "IPv4 options"))
		return;
	d->version = 4;
	d->source = ip + 12;
	d->destination = ip + 16;
	d->protocol = ip[9];
	fragment = dissect_u16(ip + 6);
	d->fragmented = fragment & 0x3fff;
	add_ipv4_fields(d, ip, header_length);
	total_length = dissect_u16(ip + 2);
	if (total_length < header_length) {
		dissect_complain(d, "IPv4 total length %zu is less than its header's",
				 total_length);
		return;
	}
	enter_packet(d, total_length - header_length);
	note_packet(d, (size_t)(fragment & 0x1fff) * 8);
	dissect_transport(d);
}

static void add_fragment_header(struct dissector *d, const uint8_t *header)
{
	unsigned int fragment = dissect_u16(header + 2);

	dissect_add(d, "ipv6.fraghdr.nxt", "%u", header[0]);
	dissect_add(d, "ipv6.fraghdr.offset", "%u", fragment & 0xfff8);
	dissect_add(d, "ipv6.fraghdr.more", "%u", fragment & 1);
	dissect_add(d, "ipv6.fraghdr.ident", "0x%08x", dissect_u32(header + 4));
}

/* The length of the extension header that starts with these bytes; 0: it is none. */
static size_t extension_length(uint8_t type, const uint8_t *header)
{
	switch (type) {
	case IPPROTO_HOPOPTS:
	case IPPROTO_ROUTING:
	case IPPROTO_DSTOPTS:
		return (size_t)header[1] * 8 + 8;
	case IPPROTO_AH:
		return (size_t)header[1] * 4 + 8;
	case IPPROTO_FRAGMENT:
		return 8;
	default:
		return 0;
	}
}

static void add_extension(struct dissector *d, uint8_t type, const uint8_t *header, size_t length)
{
	if (type == IPPROTO_FRAGMENT) {
		add_fragment_header(d, header);
		return;
	}
	if (type == IPPROTO_ROUTING && header[3] > 0)
		d->rerouted = true;
	dissect_add_hex(d,
			type == IPPROTO_HOPOPTS   ? "ipv6.hopopts"
			: type == IPPROTO_ROUTING ? "ipv6.routing"
			: type == IPPROTO_AH      ? "ah"
						  : "ipv6.dstopts",
			header, length);
}

/* Leaves the cursor behind the last extension header and d->protocol on what follows. */
static bool dissect_extensions(struct dissector *d, size_t *fragment_offset)
{
	for (int i = 0; i < MAX_EXTENSION_HEADERS && *fragment_offset == 0; i++) {
		const uint8_t *header = d->frame + d->position;
		const uint8_t ruler[2] = {0, 0};
		uint8_t type = d->protocol;
		size_t length;

		if (!extension_length(type, ruler))
			return true;
		if (!dissect_take(d, 8, "IPv6 extension header"))
			return false;
		length = extension_length(type, header);
		if (!dissect_take(d, length - 8, "IPv6 extension header"))
			return false;
		add_extension(d, type, header, length);
		d->protocol = header[0];
		if (type != IPPROTO_FRAGMENT)
			continue;
		*fragment_offset = dissect_u16(header + 2) & 0xfff8;
		/* An atomic fragment is a whole datagram (RFC 6946). */
		d->fragmented = *fragment_offset || (header[3] & 1);
	}
	return true;
}

static void add_ipv6_fields(struct dissector *d, const uint8_t *ip)
{
	uint32_t first = dissect_u32(ip);

	dissect_add(d, "ipv6.tclass", "0x%02x", first >> 20 & 0xff);
	dissect_add(d, "ipv6.flow", "0x%05x", first & 0xfffff);
	dissect_add(d, "ipv6.plen", "%u", dissect_u16(ip + 4));
	dissect_add(d, "ipv6.nxt", "%u", ip[6]);
	dissect_add(d, "ipv6.hlim", "%u", ip[7]);
	add_address(d, "ipv6.src", ip + 8);
	add_address(d, "ipv6.dst", ip + 24);
}

void dissect_ipv6(struct dissector *d)
{
	const uint8_t *ip = dissect_take(d, 40, "IPv6 header");
	size_t fragment_offset = 0;
	bool whole;

	if (!ip)
		return;
	if (ip[0] >> 4 != 6) {
		dissect_complain(d, "IPv6 header that says version %u", ip[0] >> 4);
		return;
	}
	d->version = 6;
	d->source = ip + 8;
	d->destination = ip + 24;
	d->protocol = ip[6];
	add_ipv6_fields(d, ip);
	enter_packet(d, dissect_u16(ip + 4));
	whole = dissect_extensions(d, &fragment_offset);
	note_packet(d, fragment_offset);
	if (whole)
		dissect_transport(d);
}
