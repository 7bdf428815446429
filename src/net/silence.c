// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_ipv4.h>

#include "base/cleanup.h"
#include "base/fnv.h"
#include "net/nftables.h"
#include "net/silence.h"

#define TABLE_PREFIX  "vxlan-pipeline-"
#define REFLECT       "/proc/sys/net/ipv%c/fwmark_reflect"
#define RULES_LAYOUT  1    /* another one for each change of the rules below */
#define INGRESS_FIRST -500 /* before everybody else's rules on the interface */

/* In this order in their chains. */
enum silence_rule {
	RULE_MARK,
	RULE_ANSWERS,
	RULE_TUNNEL4_LOW,
	RULE_TUNNEL4_HIGH,
	RULE_TUNNEL6,
	RULES
};

static const char *silence_table(char *name, const char *instance)
{
	snprintf(name, NFTABLES_NAME_SIZE, TABLE_PREFIX "%s", instance);
	return name;
}

/* An empty chain, named after what the rules are made of: with it they are those that are wanted. */
static const char *silence_fingerprint(char *name, const struct silence *silence)
{
	uint32_t hash = fnv1a(silence, offsetof(struct silence, reflected));

	snprintf(name, NFTABLES_NAME_SIZE, "is_%u_%08x", RULES_LAYOUT, hash);
	return name;
}

/* Marks what the datapath passes: as soon as it comes in, and by the MAC that only that has. */
static void silence_mark_ingress(struct nftables *nft, const char *table, const char *chain,
				 const char *interface, const struct silence *silence)
{
	struct nftables_rule *rule;

	nftables_add_chain(nft, NFPROTO_NETDEV, table, chain, NF_NETDEV_INGRESS, INGRESS_FIRST,
			   interface);
	rule = nftables_begin_rule(nft, NFPROTO_NETDEV, table, chain);
	nftables_if_bytes(rule, NFT_PAYLOAD_LL_HEADER, offsetof(struct ethhdr, h_source),
			  NFT_CMP_EQ, silence->mac, sizeof(silence->mac));
	nftables_count(rule);
	nftables_set_mark(rule, silence->mark);
	nftables_end_rule(nft, rule);
}

/* Drops what the kernel itself sends under the mark. */
static void silence_drop_answers(struct nftables *nft, const char *table, uint32_t mark)
{
	struct nftables_rule *rule = nftables_begin_rule(nft, NFPROTO_INET, table, "output");

	nftables_if_meta(rule, NFT_META_MARK, &mark, sizeof(mark));
	nftables_count(rule);
	nftables_drop(rule);
	nftables_end_rule(nft, rule);
}

/*
 * Drops ICMP errors about the tunnel. An error has a type from `first` to `last` (RFC 792; RFC 4443
 * 2.1), and from byte 8 on the packet that it is about: the byte at `protocol` says UDP, those at `port`
 * are the destination port. Counted from the ICMP header, of a packet without IP options.
 */
static void silence_drop_errors(struct nftables *nft, const char *table, uint16_t tunnel_port,
				uint8_t icmp, uint8_t first, uint8_t last, uint32_t protocol,
				uint32_t port)
{
	struct nftables_rule *rule = nftables_begin_rule(nft, NFPROTO_INET, table, "output");
	const uint8_t udp = IPPROTO_UDP;
	const uint16_t wanted = htons(tunnel_port);

	nftables_if_meta(rule, NFT_META_L4PROTO, &icmp, sizeof(icmp));
	nftables_if_bytes(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, NFT_CMP_GTE, &first,
			  sizeof(first));
	nftables_if_bytes(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, NFT_CMP_LTE, &last, sizeof(last));
	nftables_if_bytes(rule, NFT_PAYLOAD_TRANSPORT_HEADER, protocol, NFT_CMP_EQ, &udp,
			  sizeof(udp));
	nftables_if_bytes(rule, NFT_PAYLOAD_TRANSPORT_HEADER, port, NFT_CMP_EQ, &wanted,
			  sizeof(wanted));
	nftables_count(rule);
	nftables_drop(rule);
	nftables_end_rule(nft, rule);
}

static bool silence_has_before(const struct silence *silence)
{
	return *silence->before && if_nametoindex(silence->before);
}

/* Adding a table before it is removed makes the removal work whether or not it was there. */
static int silence_make(const char *instance, const struct silence *silence)
{
	char table[NFTABLES_NAME_SIZE], name[NFTABLES_NAME_SIZE];
	const uint8_t families[] = {NFPROTO_NETDEV, NFPROTO_INET};
	struct nftables nft;

	silence_table(table, instance);
	nftables_begin(&nft);
	for (size_t i = 0; i < sizeof(families); i++) {
		nftables_add_table(&nft, families[i], table);
		nftables_remove_table(&nft, families[i], table);
		nftables_add_table(&nft, families[i], table);
		nftables_add_chain(&nft, families[i], table, silence_fingerprint(name, silence), -1,
				   0, NULL);
	}
	silence_mark_ingress(&nft, table, "ingress", silence->interface, silence);
	if (silence_has_before(silence))
		silence_mark_ingress(&nft, table, "before", silence->before, silence);
	snprintf(name, sizeof(name), "reflect_%c_%c", silence->reflected[0], silence->reflected[1]);
	nftables_add_chain(&nft, NFPROTO_INET, table, name, -1, 0, NULL);
	nftables_add_chain(&nft, NFPROTO_INET, table, "output", NF_INET_LOCAL_OUT, NF_IP_PRI_RAW,
			   NULL);
	silence_drop_answers(&nft, table, silence->mark);
	silence_drop_errors(&nft, table, silence->port, IPPROTO_ICMP, 3, 5, 17, 30);
	silence_drop_errors(&nft, table, silence->port, IPPROTO_ICMP, 11, 12, 17, 30);
	silence_drop_errors(&nft, table, silence->port, IPPROTO_ICMPV6, 0, 127, 14, 50);
	return nftables_commit(&nft);
}

static int reflect_open(char version, int flags)
{
	char path[sizeof(REFLECT)];

	snprintf(path, sizeof(path), REFLECT, version);
	return open(path, flags | O_CLOEXEC);
}

#define REFLECT_NONE 'x' /* there is no such setting, as without IPv6 */

static char reflect_read(char version)
{
	_cleanup_close_ int fd = reflect_open(version, O_RDONLY);
	char value;

	return fd >= 0 && read(fd, &value, 1) == 1 ? value : REFLECT_NONE;
}

static int reflect_write(char version, char value)
{
	_cleanup_close_ int fd = -1;
	char now = reflect_read(version);

	if (value == REFLECT_NONE || now == REFLECT_NONE || now == value)
		return 0;
	fd = reflect_open(version, O_WRONLY);
	return fd >= 0 && write(fd, &value, 1) == 1 ? 0 : -errno;
}

static int reflect_turn_on(struct error *error)
{
	for (char version = '4'; version <= '6'; version += 2) {
		int err = reflect_write(version, '1');

		if (err)
			return error_set(error, err,
					 "cannot set net.ipv%c.fwmark_reflect: %s; sysctl -w "
					 "net.ipv%c.fwmark_reflect=1",
					 version, strerror(-err), version);
	}
	return 0;
}

bool silence_reflects(void)
{
	return reflect_read('4') != '0' && reflect_read('6') != '0';
}

struct reflect_search {
	char before[2];
	bool found;
};

static void find_reflected(void *data, const char *table, const char *chain)
{
	struct reflect_search *search = data;
	char values[2];

	if (strncmp(table, TABLE_PREFIX, strlen(TABLE_PREFIX)) != 0 ||
	    sscanf(chain, "reflect_%c_%c", &values[0], &values[1]) != 2)
		return;
	memcpy(search->before, values, sizeof(values));
	search->found = true;
}

/*
 * What an instance that runs here has found fwmark_reflect to be: an empty chain of its inet table is
 * named after it. False: there is none, and `before` is untouched.
 */
static bool reflect_recorded(char before[2])
{
	struct reflect_search search = {.found = false};

	nftables_each_chain(NFPROTO_INET, find_reflected, &search);
	if (search.found)
		memcpy(before, search.before, sizeof(search.before));
	return search.found;
}

struct silence_reading {
	const char *table;
	char fingerprint[NFTABLES_NAME_SIZE];
	unsigned int fingerprints;
	unsigned int marking; /* rules of chains on interfaces */
	unsigned int dropping;
	uint64_t marked;
	uint64_t dropped[RULES];
};

static void read_chain(void *data, const char *table, const char *chain)
{
	struct silence_reading *reading = data;

	reading->fingerprints +=
		strcmp(table, reading->table) == 0 && strcmp(chain, reading->fingerprint) == 0;
}

static void read_marking(void *data, const char *chain, uint64_t packets)
{
	struct silence_reading *reading = data;

	(void)chain;
	reading->marking++;
	reading->marked += packets;
}

static void read_dropping(void *data, const char *chain, uint64_t packets)
{
	struct silence_reading *reading = data;

	(void)chain;
	if (RULE_ANSWERS + reading->dropping < RULES)
		reading->dropped[RULE_ANSWERS + reading->dropping] = packets;
	reading->dropping++;
}

static int silence_broken(const char *table, struct error *error)
{
	return error_set(error, -ENOENT,
			 "the rules of nftables' tables %s are not as `run` made them", table);
}

int silence_read(const char *instance, const struct silence *silence, struct silence_counts *counts,
		 struct error *error)
{
	char table[NFTABLES_NAME_SIZE];
	struct silence_reading reading = {.table = silence_table(table, instance)};
	int err;

	silence_fingerprint(reading.fingerprint, silence);
	err = nftables_each_chain(NFPROTO_NETDEV, read_chain, &reading);
	if (!err)
		err = nftables_each_chain(NFPROTO_INET, read_chain, &reading);
	if (!err)
		err = nftables_each_rule(NFPROTO_NETDEV, table, read_marking, &reading);
	if (!err)
		err = nftables_each_rule(NFPROTO_INET, table, read_dropping, &reading);
	if (err && err != -ENOENT)
		return error_set(error, err, "cannot read the rules of nftables: %s",
				 strerror(-err));
	if (err || reading.fingerprints != 2 ||
	    reading.marking != 1U + silence_has_before(silence) ||
	    reading.dropping != RULES - RULE_ANSWERS)
		return silence_broken(table, error);
	if (!silence_reflects())
		return error_set(error, -ENOENT, "net.ipv4.fwmark_reflect or that of IPv6 is 0");
	if (counts)
		*counts = (struct silence_counts){
			.passed = reading.marked,
			.answers = reading.dropped[RULE_ANSWERS],
			.tunnel = reading.dropped[RULE_TUNNEL4_LOW] +
				  reading.dropped[RULE_TUNNEL4_HIGH] +
				  reading.dropped[RULE_TUNNEL6],
		};
	return 0;
}

static void reflect_restore(const char before[2])
{
	reflect_write('4', before[0]);
	reflect_write('6', before[1]);
}

int silence_begin(const char *instance, struct silence *silence, struct error *error)
{
	bool recorded = reflect_recorded(silence->reflected);
	int err;

	if (!recorded && !*silence->reflected) {
		silence->reflected[0] = reflect_read('4');
		silence->reflected[1] = reflect_read('6');
	}
	if (silence_read(instance, silence, NULL, &(struct error){0}) == 0)
		return 0;
	err = reflect_turn_on(error);
	if (err)
		return err;
	err = silence_make(instance, silence);
	if (!err)
		return 0;
	if (!recorded)
		reflect_restore(silence->reflected);
	return error_set(error, err, "cannot make rules of nftables: %s%s", strerror(-err),
			 err == -EOPNOTSUPP ? "; modprobe nf_tables" : "");
}

void silence_end(const char *instance)
{
	char table[NFTABLES_NAME_SIZE], before[2], others[2];
	const uint8_t families[] = {NFPROTO_NETDEV, NFPROTO_INET};
	bool recorded = reflect_recorded(before);
	struct nftables nft;

	silence_table(table, instance);
	nftables_begin(&nft);
	for (size_t i = 0; i < sizeof(families); i++) {
		nftables_add_table(&nft, families[i], table);
		nftables_remove_table(&nft, families[i], table);
	}
	if (!recorded || nftables_commit(&nft) || reflect_recorded(others))
		return;
	reflect_restore(before);
}

int silence_open_events(struct netlink **out)
{
	const int group = NFNLGRP_NFTABLES;
	struct netlink *netlink;
	int err = netlink_open(&netlink, NETLINK_NETFILTER, SOCK_NONBLOCK);

	if (err)
		return err;
	if (setsockopt(netlink_fd(netlink), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
		       sizeof(group)) < 0) {
		err = -errno;
		netlink_close(netlink);
		return err;
	}
	*out = netlink;
	return 0;
}

bool silence_events(const struct netlink *events)
{
	char buffer[8192];
	bool any = false;
	ssize_t size;

	/* what was lost (ENOBUFS) were changes, too; what they are is looked up */
	while ((size = recv(netlink_fd(events), buffer, sizeof(buffer), MSG_DONTWAIT)) > 0 ||
	       (size < 0 && errno == ENOBUFS))
		any = true;
	return any;
}
