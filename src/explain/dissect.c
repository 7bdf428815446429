// SPDX-License-Identifier: GPL-2.0-only
/* The frame: fields, Ethernet, VLAN tags and ARP. */
#include "explain/dissect.h"

#include <arpa/inet.h>
#include <string.h>

#include "explain/dissect_layers.h"

#define ETHERTYPE_IPV4    0x0800
#define ETHERTYPE_ARP     0x0806
#define ETHERTYPE_VLAN    0x8100
#define ETHERTYPE_IPV6    0x86dd
#define ETHERTYPE_QINQ    0x88a8
#define ETHERTYPE_MINIMUM 0x0600 /* below, the field is an 802.3 length */

static void add_mac(struct dissector *d, const char *name, const uint8_t *mac)
{
	dissect_add(d, name, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3],
		    mac[4], mac[5]);
}

static void dissect_arp(struct dissector *d)
{
	const uint8_t *arp = dissect_take(d, 28, "ARP");
	char sender[INET_ADDRSTRLEN], target[INET_ADDRSTRLEN];
	unsigned int operation;

	if (!arp)
		return;
	operation = dissect_u16(arp + 6);
	dissect_add(d, "arp.opcode", "%u", operation);
	if (dissect_u32(arp) != 0x00010800 || dissect_u16(arp + 4) != 0x0604) {
		dissect_say(d, "ARP, operation %u", operation);
		return;
	}
	inet_ntop(AF_INET, arp + 14, sender, sizeof(sender));
	inet_ntop(AF_INET, arp + 24, target, sizeof(target));
	add_mac(d, "arp.src.hw_mac", arp + 8);
	dissect_add(d, "arp.src.proto_ipv4", "%s", sender);
	add_mac(d, "arp.dst.hw_mac", arp + 18);
	dissect_add(d, "arp.dst.proto_ipv4", "%s", target);
	if (operation == 1)
		dissect_say(d, "ARP, who has %s? tell %s", target, sender);
	else
		dissect_say(d, "ARP, operation %u, %s is at %s", operation, sender,
			    dissect_find(d->out, "arp.src.hw_mac", 1)->text);
}

/* Returns the EtherType behind all VLAN tags, or -1 when the frame ends before it. */
static int dissect_vlan_tags(struct dissector *d, unsigned int type)
{
	while (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ) {
		const uint8_t *tag = dissect_take(d, 4, "VLAN tag");
		unsigned int control;

		if (!tag)
			return -1;
		control = dissect_u16(tag);
		type = dissect_u16(tag + 2);
		dissect_add(d, "vlan.priority", "%u", control >> 13);
		dissect_add(d, "vlan.dei", "%u", control >> 12 & 1);
		dissect_add(d, "vlan.id", "%u", control & 0xfff);
		dissect_add(d, "vlan.etype", "0x%04x", type);
		if (dissect_next_number(d->out, "vlan.id") <=
		    4) /* a few say it; a line has an end */
			dissect_say(d, "vlan %u, ", control & 0xfff);
	}
	return (int)type;
}

static void dissect_ethernet(struct dissector *d)
{
	const uint8_t *ethernet = dissect_take(d, 14, "Ethernet header");
	int type;

	if (!ethernet)
		return;
	add_mac(d, "eth.dst", ethernet);
	add_mac(d, "eth.src", ethernet + 6);
	type = dissect_u16(ethernet + 12);
	if (type < ETHERTYPE_MINIMUM) {
		dissect_add(d, "eth.len", "%d", type);
		dissect_say(d, "802.3, length %d", type);
		return;
	}
	dissect_add(d, "eth.type", "0x%04x", (unsigned int)type);
	type = dissect_vlan_tags(d, (unsigned int)type);
	if (type == ETHERTYPE_IPV4)
		dissect_ipv4(d);
	else if (type == ETHERTYPE_IPV6)
		dissect_ipv6(d);
	else if (type == ETHERTYPE_ARP)
		dissect_arp(d);
	else if (type >= 0)
		dissect_say(d, "EtherType 0x%04x, length %zu", (unsigned int)type, dissect_left(d));
}

void dissect(struct dissection *dissection, const uint8_t *frame, size_t length,
	     uint16_t tunnel_port)
{
	struct dissector d = {.out = dissection,
			      .frame = frame,
			      .end = length,
			      .tunnel_port = tunnel_port};

	memset(dissection, 0, offsetof(struct dissection, fields));
	dissect_ethernet(&d);
	dissection->payload_offset = d.position;
	dissection->payload_length = dissect_left(&d);
	if (*dissection->problem)
		dissect_say(&d, "%s%s", *dissection->summary ? ", " : "", dissection->problem);
}
