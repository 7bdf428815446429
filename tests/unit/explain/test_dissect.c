// SPDX-License-Identifier: GPL-2.0-only
/* The dissector: what it says of good frames, and that it survives bad ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain/dissect.h"

struct row {
	const char *sentence;
	const char *frame; /* hexadecimal */
	uint16_t tunnel_port;
	const char *summary;
	const char *fields; /* "name=text" or "name=text/checksum status", which must be there */
};

static const struct row rows[] = {
	{"UDP over IPv4",
	 "02000000000b02000000000a08004500002100074000401126c10a0100010a01000213880202000d9273"
	 "68656c6c6f",
	 0, "IP 10.1.0.1:5000 > 10.1.0.2:514: UDP, length 5 [DF]",
	 "eth.dst=02:00:00:00:00:0b eth.src=02:00:00:00:00:0a eth.type=0x0800 ip.len=33 "
	 "ip.id=0x0007 ip.flags.df=1 ip.ttl=64 ip.proto=17 ip.checksum=0x26c1/correct "
	 "ip.src=10.1.0.1 ip.dst=10.1.0.2 udp.srcport=5000 udp.dstport=514 udp.length=13 "
	 "udp.checksum=0x9273/correct"},
	{"a UDP checksum of zero is none",
	 "02000000000b02000000000a08004500002100010000401166c70a0100010a01000213880202000d0000"
	 "68656c6c6f",
	 0, "IP 10.1.0.1:5000 > 10.1.0.2:514: UDP, length 5",
	 "ip.flags.df=0 udp.checksum=0x0000/absent"},
	{"a wrong UDP checksum",
	 "02000000000b02000000000a08004500002100010000401166c70a0100010a01000213880202000d1234"
	 "68656c6c6f",
	 0, "IP 10.1.0.1:5000 > 10.1.0.2:514: UDP, length 5", "udp.checksum=0x1234/wrong"},
	{"a wrong IPv4 header checksum",
	 "02000000000b02000000000a08004500002100010000401111110a0100010a01000213880202000d9273"
	 "68656c6c6f",
	 0, "IP 10.1.0.1:5000 > 10.1.0.2:514: UDP, length 5",
	 "ip.checksum=0x1111/wrong udp.checksum=0x9273/correct"},
	{"padding behind the packet is no payload",
	 "02000000000b02000000000a08004500002100074000401126c10a0100010a01000213880202000d9273"
	 "68656c6c6f00000000000000",
	 0, "IP 10.1.0.1:5000 > 10.1.0.2:514: UDP, length 5 [DF]", "udp.checksum=0x9273/correct"},
	{"IPv4 options",
	 "02000000000b02000000000a080046000020000100004011d1c30a0100010a0100029404000000010002"
	 "0008ebd6",
	 0, "IP 10.1.0.1:1 > 10.1.0.2:2: UDP, length 0",
	 "ip.hdr_len=24 ip.options=94040000 ip.checksum=0xd1c3/correct "
	 "udp.checksum=0xebd6/correct"},
	{"TCP with options",
	 "02000000000b02000000000a08004500002f00010000400666c40a0100010a0100020401005000000064"
	 "000000c860182000c3460000020405b4474554",
	 0, "IP 10.1.0.1:1025 > 10.1.0.2:80: TCP [P.], seq 100, ack 200, length 3",
	 "tcp.flags=0x018 tcp.hdr_len=24 tcp.options=020405b4 "
	 "tcp.checksum=0xc346/correct"},
	{"a first fragment: its UDP checksum covers more than is here",
	 "02000000000b02000000000a08004500002400012000401146c40a0100010a0100021388020207d01234"
	 "7878787878787878",
	 0, "IP 10.1.0.1:5000 > 10.1.0.2:514: UDP, first fragment, length 8",
	 "ip.flags.mf=1 ip.frag_offset=0 udp.checksum=0x1234/unverified"},
	{"a later fragment has no ports",
	 "02000000000b02000000000a08004500001c000100b9401166130a0100010a0100027878787878787878", 0,
	 "IP 10.1.0.1 > 10.1.0.2: UDP, later fragment at 1480, length 8",
	 "ip.frag_offset=1480 ip.flags.mf=0"},
	{"an echo request",
	 "02000000000b02000000000a08004500002000010000400166d80a0100010a0100020800192800030004"
	 "70696e67",
	 0, "IP 10.1.0.1 > 10.1.0.2: ICMP echo request, id 3, seq 4, length 4",
	 "icmp.type=8 icmp.code=0 icmp.checksum=0x1928/correct"},
	{"another ICMP message",
	 "02000000000b02000000000a08004500001c00010000400166dc0a0100010a0100020301fcfe00000000", 0,
	 "IP 10.1.0.1 > 10.1.0.2: ICMP type 3 code 1, length 0", "icmp.type=3 icmp.code=1"},
	{"a VLAN tag",
	 "02000000000b02000000000a8100600508004500002100074000401126c10a0100010a01000213880202"
	 "000d927368656c6c6f",
	 0, "vlan 5, IP 10.1.0.1:5000 > 10.1.0.2:514: UDP, length 5 [DF]",
	 "eth.type=0x8100 vlan.priority=3 vlan.id=5 vlan.etype=0x0800"},
	{"two VLAN tags are told apart",
	 "02000000000b02000000000a88a800078100000508004500002100074000401126c10a0100010a010002"
	 "13880202000d927368656c6c6f",
	 0, "vlan 7, vlan 5, IP 10.1.0.1:5000 > 10.1.0.2:514: UDP, length 5 [DF]",
	 "eth.type=0x88a8 vlan.id=7 vlan.id#2=5"},
	{"an ARP request",
	 "02000000000b02000000000a0806000108000604000102000000000a0a0100010000000000000a010002", 0,
	 "ARP, who has 10.1.0.2? tell 10.1.0.1",
	 "arp.opcode=1 arp.src.hw_mac=02:00:00:00:00:0a arp.dst.proto_ipv4=10.1.0.2"},
	{"an ARP reply",
	 "02000000000b02000000000a0806000108000604000202000000000a0a01000102000000000b0a010002", 0,
	 "ARP, operation 2, 10.1.0.1 is at 02:00:00:00:00:0a", "arp.opcode=2"},
	{"an EtherType that is not known", "02000000000b02000000000a88cc020704000000000000", 0,
	 "EtherType 0x88cc, length 9", "eth.type=0x88cc"},
	{"802.3 with a length", "0180c200000002000000000a002642420300000000000000000000", 0,
	 "802.3, length 38", "eth.len=38"},
	{"UDP over IPv6",
	 "02000000000b02000000000a86dd60812345000d110920010db800000000000000000000000120010db8"
	 "00000000000000000000000213880202000d4b0368656c6c6f",
	 0, "IP6 [2001:db8::1]:5000 > [2001:db8::2]:514: UDP, length 5",
	 "ipv6.tclass=0x08 ipv6.flow=0x12345 ipv6.plen=13 ipv6.nxt=17 ipv6.hlim=9 "
	 "ipv6.src=2001:db8::1 ipv6.dst=2001:db8::2 udp.checksum=0x4b03/correct"},
	{"UDP behind IPv6 options",
	 "02000000000b02000000000a86dd60000000001d004020010db800000000000000000000000120010db8"
	 "0000000000000000000000023c00010400000000110001040000000013880202000d4b0368656c6c6f",
	 0, "IP6 [2001:db8::1]:5000 > [2001:db8::2]:514: UDP, length 5",
	 "ipv6.nxt=0 ipv6.hopopts=3c00010400000000 ipv6.dstopts=1100010400000000 "
	 "udp.checksum=0x4b03/correct"},
	{"a first IPv6 fragment",
	 "02000000000b02000000000a86dd6000000000182c4020010db800000000000000000000000120010db8"
	 "000000000000000000000002110000010000004d13880202038400017878787878787878",
	 0, "IP6 [2001:db8::1]:5000 > [2001:db8::2]:514: UDP, first fragment, length 8",
	 "ipv6.fraghdr.offset=0 ipv6.fraghdr.more=1 ipv6.fraghdr.ident=0x0000004d "
	 "udp.checksum=0x0001/unverified"},
	{"a later IPv6 fragment",
	 "02000000000b02000000000a86dd6000000000102c4020010db800000000000000000000000120010db8"
	 "000000000000000000000002110003200000004d7878787878787878",
	 0, "IP6 2001:db8::1 > 2001:db8::2: UDP, later fragment at 800, length 8",
	 "ipv6.fraghdr.offset=800 ipv6.fraghdr.more=0"},
	{"TCP over IPv6",
	 "02000000000b02000000000a86dd600000000014064020010db800000000000000000000000120010db8"
	 "00000000000000000000000200010002000000000000000050022000346b0000",
	 0, "IP6 [2001:db8::1]:1 > [2001:db8::2]:2: TCP [S], seq 0, ack 0, length 0",
	 "tcp.checksum=0x346b/correct"},
	{"an echo request over IPv6",
	 "02000000000b02000000000a86dd6000000000093a4020010db800000000000000000000000120010db8"
	 "0000000000000000000000028000ac430001000278",
	 0, "IP6 2001:db8::1 > 2001:db8::2: ICMPv6 echo request, id 1, seq 2, length 1",
	 "icmpv6.type=128 icmpv6.checksum=0xac43/correct"},
	{"a protocol that is not known",
	 "02000000000b02000000000a08004500001c00010000403266ab0a0100010a0100020000000100000002", 0,
	 "IP 10.1.0.1 > 10.1.0.2: protocol 50, length 8", "ip.proto=50"},
	{"a VXLAN tunnel",
	 "02000000000b02000000000a080045000053000100004011668c0a0000050a000009cfe512b5003f0000"
	 "0800000000002a0002000000000b02000000000a08004500002100074000401126c10a0100010a010002"
	 "13880202000d927368656c6c6f",
	 4789, "IP 10.0.0.5:53221 > 10.0.0.9:4789: VXLAN, vni 42, length 47",
	 "vxlan.flags=0x0800 vxlan.vni=42 udp.checksum=0x0000/absent"},
	{"a VXLAN header without the I flag",
	 "02000000000b02000000000a080045000053000100004011668c0a0000050a000009cfe512b5003f0000"
	 "0000000000002a0002000000000b02000000000a08004500002100074000401126c10a0100010a010002"
	 "13880202000d927368656c6c6f",
	 4789, "IP 10.0.0.5:53221 > 10.0.0.9:4789: VXLAN without the I flag, vni 42, length 47",
	 "vxlan.flags=0x0000"},
	{"a VXLAN tunnel over IPv6",
	 "02000000000b02000000000a86dd60000000003f1140fd000000000000000000000000000005fd000000"
	 "000000000000000000000009cfe512b5003ff8d30800000000002a0002000000000b02000000000a0800"
	 "4500002100074000401126c10a0100010a01000213880202000d927368656c6c6f",
	 4789, "IP6 [fd00::5]:53221 > [fd00::9]:4789: VXLAN, vni 42, length 47",
	 "vxlan.vni=42 udp.checksum=0xf8d3/correct"},
	{"the same bytes to another tunnel port are just UDP",
	 "02000000000b02000000000a080045000053000100004011668c0a0000050a000009cfe512b5003f0000"
	 "0800000000002a0002000000000b02000000000a08004500002100074000401126c10a0100010a010002"
	 "13880202000d927368656c6c6f",
	 8472, "IP 10.0.0.5:53221 > 10.0.0.9:4789: UDP, length 55", "udp.dstport=4789"},
	{"an IPv4 length beyond the frame",
	 "02000000000b02000000000a08004500002200074000401126c10a0100010a01000213880202000d9273"
	 "68656c6c6f",
	 0,
	 "IP 10.1.0.1:5000 > 10.1.0.2:514: UDP, length 5 [DF], IP length reaches 1 bytes b"
	 "eyond the frame",
	 "udp.checksum=0x9273/unverified"},
	{"an IPv4 length shorter than its header",
	 "02000000000b02000000000a08004500001300074000401126c10a0100010a01000213880202000d9273"
	 "68656c6c6f",
	 0, "IPv4 total length 19 is less than its header's", "ip.len=19"},
	{"an IPv4 header length below 20",
	 "02000000000b02000000000a08004400002100074000401126c10a0100010a01000213880202000d9273"
	 "68656c6c6f",
	 0, "IPv4 header that says version 4, length 16", ""},
	{"EtherType IPv4, but version 6",
	 "02000000000b02000000000a08006500002100074000401126c10a0100010a01000213880202000d9273"
	 "68656c6c6f",
	 0, "IPv4 header that says version 6, length 20", ""},
	{"a UDP length beyond the packet",
	 "02000000000b02000000000a08004500002100074000401126c10a0100010a0100021388020200ff9273"
	 "68656c6c6f",
	 0,
	 "IP 10.1.0.1:5000 > 10.1.0.2:514: UDP, length 5 [DF], UDP length 255 does not fit"
	 " the packet",
	 "udp.checksum=0x9273/unverified"},
	{"a UDP length of zero",
	 "02000000000b02000000000a08004500002100074000401126c10a0100010a0100021388020200009273"
	 "68656c6c6f",
	 0,
	 "IP 10.1.0.1:5000 > 10.1.0.2:514: UDP, length 5 [DF], UDP length 0 does not fit t"
	 "he packet",
	 ""},
	{"a TCP header length below 20",
	 "02000000000b02000000000a08004500002f00010000400666c40a0100010a0100020401005000000064"
	 "000000c840182000c3460000020405b4474554",
	 0,
	 "IP 10.1.0.1:1025 > 10.1.0.2:80: TCP [P.], seq 100, ack 200, length 7, TCP header that s"
	 "ays length 16",
	 ""},
	{"TCP options beyond the packet",
	 "02000000000b02000000000a08004500002f00010000400666c40a0100010a0100020401005000000064"
	 "000000c8f0182000c3460000020405b4474554",
	 0,
	 "IP 10.1.0.1:1025 > 10.1.0.2:80: TCP [P.], seq 100, ack 200, length 7, "
	 "TCP options cut off after 7 of 40 bytes",
	 ""},
	{"an IPv6 extension header beyond the packet",
	 "02000000000b02000000000a86dd60000000001d004020010db800000000000000000000000120010db8"
	 "0000000000000000000000023cff010400000000110001040000000013880202000d4b0368656c6c6f",
	 0, "IPv6 extension header cut off after 21 of 2040 bytes", ""},
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static size_t from_hex(const char *hex, uint8_t *bytes, size_t size)
{
	size_t length = strlen(hex) / 2;

	assert_true(length <= size);
	for (size_t i = 0; i < length; i++) {
		unsigned int byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		bytes[i] = (uint8_t)byte;
	}
	return length;
}

static void expect_field(const struct row *row, const struct dissection *dissection, char *wanted)
{
	char *text = strchr(wanted, '=');
	char *status = strchr(wanted, '/');
	char *number = strchr(wanted, '#');
	const struct dissect_field *field;

	assert_non_null(text);
	*text++ = '\0';
	if (status)
		*status++ = '\0';
	if (number)
		*number++ = '\0';
	field = dissect_find(dissection, wanted, number ? (unsigned int)atoi(number) : 1);
	if (!field)
		fail_msg("%s: no field %s", row->sentence, wanted);
	else if (strcmp(field->text, text) != 0)
		fail_msg("%s: %s is %s, not %s", row->sentence, wanted, field->text, text);
	else if (status && strcmp(dissect_checksum_name(field->checksum), status) != 0)
		fail_msg("%s: %s is %s", row->sentence, wanted,
			 dissect_checksum_name(field->checksum));
}

static void test_rows(void **state)
{
	static struct dissection dissection;
	uint8_t frame[512];

	(void)state;
	for (size_t i = 0; i < ROW_COUNT; i++) {
		const struct row *row = &rows[i];
		size_t length = from_hex(row->frame, frame, sizeof(frame));
		char fields[512];
		char *rest = NULL;

		snprintf(fields, sizeof(fields), "%s", row->fields);
		dissect(&dissection, frame, length, row->tunnel_port);
		if (strcmp(dissection.summary, row->summary) != 0)
			fail_msg("%s: says \"%s\", not \"%s\"", row->sentence, dissection.summary,
				 row->summary);
		for (char *word = strtok_r(fields, " ", &rest); word;
		     word = strtok_r(NULL, " ", &rest))
			expect_field(row, &dissection, word);
	}
}

/*
 * Dissects a copy of exactly the frame's size, so that the address sanitizer sees reads behind it.
 */
static void dissect_exactly(const char *sentence, const uint8_t *frame, size_t length,
			    uint16_t tunnel_port)
{
	static struct dissection dissection;
	uint8_t *copy = malloc(length ? length : 1);

	assert_non_null(copy);
	memcpy(copy, frame, length);
	dissect(&dissection, length ? copy : copy + 1, length, tunnel_port);
	free(copy);
	if (dissection.payload_offset > length ||
	    dissection.payload_length > length - dissection.payload_offset)
		fail_msg("%s, %zu bytes: the payload leaves the frame", sentence, length);
	if (dissection.packet_offset > length ||
	    dissection.packet_length > length - dissection.packet_offset)
		fail_msg("%s, %zu bytes: the packet leaves the frame", sentence, length);
	if (dissection.inner_offset >= (length ? length : 1))
		fail_msg("%s, %zu bytes: the inner frame is outside", sentence, length);
	assert_true(dissection.count < DISSECT_MAX_FIELDS);
	if (!*dissection.summary)
		fail_msg("%s, %zu bytes: no word on it", sentence, length);
}

static void test_every_truncation(void **state)
{
	uint8_t frame[512];

	(void)state;
	for (size_t i = 0; i < ROW_COUNT; i++) {
		size_t length = from_hex(rows[i].frame, frame, sizeof(frame));

		for (size_t cut = 0; cut <= length; cut++)
			dissect_exactly(rows[i].sentence, frame, cut, rows[i].tunnel_port);
	}
}

/* The same bytes in each run, so that a failure can be repeated. */
static uint32_t pseudorandom(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static void test_random_damage(void **state)
{
	uint8_t frame[512];
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		for (size_t i = 0; i < ROW_COUNT; i++) {
			size_t length = from_hex(rows[i].frame, frame, sizeof(frame));
			size_t hits = pseudorandom(&seed) % 4 + 1;

			while (hits--)
				frame[pseudorandom(&seed) % length] = (uint8_t)pseudorandom(&seed);
			dissect_exactly(rows[i].sentence, frame, length, rows[i].tunnel_port);
		}
	}
}

/* More tags than fit the list of fields. */
static void test_headers_without_end(void **state)
{
	uint8_t frame[3520];

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(frame); i += 2) {
		frame[i] = 0x81;
		frame[i + 1] = 0x00;
	}
	dissect_exactly("VLAN tags", frame, sizeof(frame), 0);
	memset(frame, 0, sizeof(frame)); /* hop-by-hop options: next header 0, length 8, and on */
	memcpy(frame + 12, "\x86\xdd\x60\0\0\0\x0d\x88", 8);
	dissect_exactly("IPv6 extension headers", frame, sizeof(frame), 0);
}

/* A packet's payload is what explain compares, so padding must stay out of it. */
static void test_payload(void **state)
{
	static struct dissection dissection;
	uint8_t frame[512];
	size_t length = from_hex(rows[0].frame, frame, sizeof(frame));

	(void)state;
	memset(frame + length, 0xee, 20);
	dissect(&dissection, frame, length + 20, 0);
	assert_int_equal(dissection.payload_offset, 42);
	assert_int_equal(dissection.payload_length, 5);
	assert_memory_equal(frame + dissection.payload_offset, "hello", 5);
	assert_string_equal(dissect_find(&dissection, "eth.trailer", 1)->text, "20 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),          cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_random_damage), cmocka_unit_test(test_headers_without_end),
		cmocka_unit_test(test_payload),
	};

	return cmocka_run_group_tests_name("dissect", tests, NULL, NULL);
}
