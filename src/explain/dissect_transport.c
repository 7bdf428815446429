// SPDX-License-Identifier: GPL-2.0-only
/* UDP, TCP, ICMP, and the VXLAN header. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "explain/dissect_layers.h"

static const char *protocol_name(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_UDP:
		return "UDP";
	case IPPROTO_TCP:
		return "TCP";
	case IPPROTO_ICMP:
		return "ICMP";
	case IPPROTO_ICMPV6:
		return "ICMPv6";
	default:
		return NULL;
	}
}

/* "IP 10.1.0.1 > 10.1.0.2: ", with ports when `ports` points at them. */
static void say_addresses(struct dissector *d, const uint8_t *ports)
{
	char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
	int family = d->version == 4 ? AF_INET : AF_INET6;
	const char *format = "IP %s > %s: ";

	inet_ntop(family, d->source, source, sizeof(source));
	inet_ntop(family, d->destination, destination, sizeof(destination));
	if (ports && d->version == 4)
		dissect_say(d, "IP %s:%u > %s:%u: ", source, dissect_u16(ports), destination,
			    dissect_u16(ports + 2));
	else if (ports)
		dissect_say(d, "IP6 [%s]:%u > [%s]:%u: ", source, dissect_u16(ports), destination,
			    dissect_u16(ports + 2));
	else if (d->version == 4)
		dissect_say(d, format, source, destination);
	else
		dissect_say(d, "IP6 %s > %s: ", source, destination);
}

/* What the pseudo header adds to the checksum of a message of `length` bytes. */
static uint64_t pseudo_sum(const struct dissector *d, size_t length)
{
	size_t size = d->version == 4 ? 4 : 16;

	return dissect_sum(d->source, size) + dissect_sum(d->destination, size) + d->protocol +
	       length;
}

static enum dissect_checksum checkable(const struct dissector *d)
{
	return d->fragmented || d->cut_short || d->rerouted ? DISSECT_UNVERIFIED
							    : DISSECT_NO_CHECKSUM;
}

/* `udp_length` bounds the inner frame: what lies behind it was not in the tunnel. */
static void dissect_vxlan(struct dissector *d, size_t udp_length)
{
	const uint8_t *vxlan = dissect_take(d, 8, "VXLAN header");

	if (!vxlan)
		return;
	if (udp_length >= 16 && udp_length - 16 < dissect_left(d))
		d->end = d->position + udp_length - 16;
	d->out->vni = dissect_u32(vxlan + 4) >> 8;
	dissect_add(d, "vxlan.flags", "0x%04x", dissect_u16(vxlan));
	dissect_add(d, "vxlan.gbp", "%u", dissect_u16(vxlan + 2));
	dissect_add(d, "vxlan.vni", "%u", d->out->vni);
	dissect_add(d, "vxlan.reserved8", "%u", vxlan[7]);
	dissect_say(d, "VXLAN%s, vni %u, ", vxlan[0] & 0x08 ? "" : " without the I flag",
		    d->out->vni);
	if (dissect_left(d))
		d->out->inner_offset = d->position;
}

static void add_udp_checksum(struct dissector *d, const uint8_t *udp, size_t length)
{
	uint16_t value = dissect_u16(udp + 6);
	enum dissect_checksum known = checkable(d);
	uint64_t sum = 0;

	if (value == 0)
		known = DISSECT_ABSENT;
	else if (length < 8 || length > 8 + dissect_left(d))
		known = DISSECT_UNVERIFIED;
	if (known == DISSECT_NO_CHECKSUM)
		sum = pseudo_sum(d, length) + dissect_sum(udp, length);
	dissect_add_checksum(d, "udp.checksum", value, known, sum);
	/* A sum that comes out as zero is sent as 0xffff, for zero says that there is none. */
	if (known == DISSECT_NO_CHECKSUM && d->out->fields[d->out->count - 1].right == 0)
		d->out->fields[d->out->count - 1].right = 0xffff;
}

static void dissect_udp(struct dissector *d)
{
	const uint8_t *udp = dissect_take(d, 8, "UDP header");
	size_t length;

	if (!udp)
		return;
	length = dissect_u16(udp + 4);
	say_addresses(d, udp);
	dissect_add(d, "udp.srcport", "%u", dissect_u16(udp));
	dissect_add(d, "udp.dstport", "%u", dissect_u16(udp + 2));
	dissect_add(d, "udp.length", "%zu", length);
	add_udp_checksum(d, udp, length);
	if (!d->fragmented && (length < 8 || length > d->out->packet_length))
		dissect_complain(d, "UDP length %zu does not fit the packet", length);
	if (d->tunnel_port && dissect_u16(udp + 2) == d->tunnel_port)
		dissect_vxlan(d, length);
	else
		dissect_say(d, "UDP, ");
}

static void add_tcp_fields(struct dissector *d, const uint8_t *tcp, size_t header_length)
{
	size_t length = d->out->packet_length;
	enum dissect_checksum known = checkable(d);

	dissect_add(d, "tcp.srcport", "%u", dissect_u16(tcp));
	dissect_add(d, "tcp.dstport", "%u", dissect_u16(tcp + 2));
	dissect_add(d, "tcp.seq_raw", "%u", dissect_u32(tcp + 4));
	dissect_add(d, "tcp.ack_raw", "%u", dissect_u32(tcp + 8));
	dissect_add(d, "tcp.hdr_len", "%zu", header_length);
	dissect_add(d, "tcp.flags", "0x%03x", dissect_u16(tcp + 12) & 0xfffU);
	dissect_add(d, "tcp.window_size_value", "%u", dissect_u16(tcp + 14));
	dissect_add_checksum(d, "tcp.checksum", dissect_u16(tcp + 16), known,
			     pseudo_sum(d, length) + dissect_sum(tcp, length));
	dissect_add(d, "tcp.urgent_pointer", "%u", dissect_u16(tcp + 18));
}

static void say_tcp(struct dissector *d, const uint8_t *tcp)
{
	static const char letters[] = "FSRP.UEW"; /* as tcpdump writes them, from bit 0 on */
	char flags[sizeof(letters)] = "";
	size_t used = 0;

	for (size_t bit = 0; bit < 8; bit++)
		if (tcp[13] >> bit & 1)
			flags[used++] = letters[bit];
	dissect_say(d, "TCP [%s], seq %u, ack %u, ", flags, dissect_u32(tcp + 4),
		    dissect_u32(tcp + 8));
}

static void dissect_tcp(struct dissector *d)
{
	const uint8_t *tcp = dissect_take(d, 20, "TCP header");
	const uint8_t *options;
	size_t header_length;

	if (!tcp)
		return;
	header_length = (size_t)(tcp[12] >> 4) * 4;
	say_addresses(d, tcp);
	say_tcp(d, tcp);
	add_tcp_fields(d, tcp, header_length);
	if (header_length < 20) {
		dissect_complain(d, "TCP header that says length %zu", header_length);
		return;
	}
	options = dissect_take(d, header_length - 20, "TCP options");
	if (options && header_length > 20)
		dissect_add_hex(d, "tcp.options", options, header_length - 20);
}

static void dissect_icmp(struct dissector *d)
{
	bool v6 = d->protocol == IPPROTO_ICMPV6;
	const uint8_t *icmp = dissect_take(d, 8, "ICMP header");
	size_t length;
	uint64_t sum;

	if (!icmp)
		return;
	length = 8 + dissect_left(d);
	sum = dissect_sum(icmp, length) + (v6 ? pseudo_sum(d, length) : 0);
	say_addresses(d, NULL);
	dissect_add(d, v6 ? "icmpv6.type" : "icmp.type", "%u", icmp[0]);
	dissect_add(d, v6 ? "icmpv6.code" : "icmp.code", "%u", icmp[1]);
	dissect_add_checksum(d, v6 ? "icmpv6.checksum" : "icmp.checksum", dissect_u16(icmp + 2),
			     checkable(d), sum);
	dissect_add_hex(d, v6 ? "icmpv6.rest" : "icmp.rest", icmp + 4, 4);
	if (icmp[0] == (v6 ? 128 : 8) || icmp[0] == (v6 ? 129 : 0))
		dissect_say(d, "ICMP%s echo %s, id %u, seq %u, ", v6 ? "v6" : "",
			    icmp[0] == (v6 ? 128 : 8) ? "request" : "reply", dissect_u16(icmp + 4),
			    dissect_u16(icmp + 6));
	else
		dissect_say(d, "ICMP%s type %u code %u, ", v6 ? "v6" : "", icmp[0], icmp[1]);
}

static void say_ending(struct dissector *d)
{
	const struct dissect_field *df = dissect_find(d->out, "ip.flags.df", 1);

	if (d->fragmented && d->out->fragment_offset == 0)
		dissect_say(d, "first fragment, ");
	dissect_say(d, "length %zu", dissect_left(d));
	if (df && df->text[0] == '1')
		dissect_say(d, " [DF]");
}

void dissect_transport(struct dissector *d)
{
	const char *name = protocol_name(d->protocol);

	if (d->out->fragment_offset) {
		say_addresses(d, NULL);
		if (name)
			dissect_say(d, "%s, ", name);
		else
			dissect_say(d, "protocol %u, ", d->protocol);
		dissect_say(d, "later fragment at %zu, ", d->out->fragment_offset);
	} else if (d->protocol == IPPROTO_UDP) {
		dissect_udp(d);
	} else if (d->protocol == IPPROTO_TCP) {
		dissect_tcp(d);
	} else if (d->protocol == (d->version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		dissect_icmp(d);
	} else {
		say_addresses(d, NULL);
		dissect_say(d, "protocol %u, ", d->protocol);
	}
	if (*d->out->summary)
		say_ending(d);
}
