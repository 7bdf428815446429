// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <limits.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "base/fnv.h"
#include "net/silence_rules.h"

#define RULES_LAYOUT 3 /* a version: increase it with each change of the rules below */

/* Priorities: before everybody else's rules at a hook, and behind them. */
#define SILENCE_FIRST INT_MIN
#define SILENCE_LAST  INT_MAX

const char *silence_table(char *name, const char *instance)
{
	snprintf(name, NFTABLES_NAME_SIZE, SILENCE_TABLE "%s", instance);
	return name;
}

const char *silence_fingerprint(char *name, const struct silence *silence)
{
	uint32_t hash = fnv1a(silence, offsetof(struct silence, before_settings));

	snprintf(name, NFTABLES_NAME_SIZE, "is_%u_%08x", RULES_LAYOUT, hash);
	return name;
}

/*
 * Drops marked packets of a protocol whose first byte is from `first` to `last`: for ICMPv6 the
 * type of the message, behind all extension headers.
 */
static void silence_drop_ingress(struct nftables *nft, const char *table, const char *chain,
				 uint32_t mark, uint8_t protocol, uint8_t first, uint8_t last)
{
	struct nftables_rule *rule = nftables_begin_rule(nft, NFPROTO_NETDEV, table, chain);

	nftables_if_meta(rule, NFT_META_MARK, &mark, sizeof(mark));
	nftables_if_meta(rule, NFT_META_L4PROTO, &protocol, sizeof(protocol));
	nftables_if_bytes(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, NFT_CMP_GTE, &first,
			  sizeof(first));
	nftables_if_bytes(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, NFT_CMP_LTE, &last, sizeof(last));
	nftables_count(rule);
	nftables_drop(rule);
	nftables_end_rule(nft, rule);
}

/* Marks passed packets, by the MAC that only they have. */
static void silence_mark(struct nftables *nft, uint8_t family, const char *table, const char *chain,
			 const struct silence *silence, bool count)
{
	struct nftables_rule *rule = nftables_begin_rule(nft, family, table, chain);

	nftables_if_bytes(rule, NFT_PAYLOAD_LL_HEADER, offsetof(struct ethhdr, h_source),
			  NFT_CMP_EQ, silence->mac, sizeof(silence->mac));
	if (count)
		nftables_count(rule);
	nftables_set_mark(rule, silence->mark);
	nftables_end_rule(nft, rule);
}

/*
 * Marks passed packets as soon as they come in. Drops IGMP among them, and ICMPv6's multicast
 * listener discovery, neighbour discovery and the like (types 130 to 143). Marks them again when
 * all other rules of the interface are done: see silence_mark_again().
 */
static void silence_mark_ingress(struct nftables *nft, const char *table, const char *chain,
				 const char *interface, const struct silence *silence)
{
	char last[NFTABLES_NAME_SIZE];

	nftables_add_chain(nft, NFPROTO_NETDEV, table, chain, NF_NETDEV_INGRESS, SILENCE_FIRST,
			   interface);
	silence_mark(nft, NFPROTO_NETDEV, table, chain, silence, true);
	silence_drop_ingress(nft, table, chain, silence->mark, IPPROTO_IGMP, 0, 255);
	silence_drop_ingress(nft, table, chain, silence->mark, IPPROTO_ICMPV6, 130, 143);
	snprintf(last, sizeof(last), "%s_last", chain);
	nftables_add_chain(nft, NFPROTO_NETDEV, table, last, NF_NETDEV_INGRESS, SILENCE_LAST,
			   interface);
	silence_mark(nft, NFPROTO_NETDEV, table, last, silence, false);
}

/* A hook behind which the kernel may answer, or hand on a packet that it answers later. */
struct silence_hook {
	const char *chain;
	int hook;
};

static const struct silence_hook silence_hooks[] = {
	{"prerouting", NF_INET_PRE_ROUTING},
	{"input", NF_INET_LOCAL_IN},
	{"forward", NF_INET_FORWARD},
	{"postrouting", NF_INET_POST_ROUTING},
};

_Static_assert(SILENCE_AGAIN_RULES == sizeof(silence_hooks) / sizeof(silence_hooks[0]),
	       "as many as are read back");

/*
 * Marks passed packets again behind everybody else's rules, which may have given them another mark:
 * those of Kubernetes and of policy routing do, and restore marks of connections. The kernel's
 * answer would have that mark, and go out.
 */
static void silence_mark_again(struct nftables *nft, const char *table,
			       const struct silence *silence)
{
	for (size_t i = 0; i < SILENCE_AGAIN_RULES; i++) {
		const struct silence_hook *hook = &silence_hooks[i];

		nftables_add_chain(nft, NFPROTO_INET, table, hook->chain, hook->hook, SILENCE_LAST,
				   NULL);
		silence_mark(nft, NFPROTO_INET, table, hook->chain, silence, false);
	}
}

/* Drops packets that the kernel itself sends with the mark. */
static void silence_drop_answers(struct nftables *nft, const char *table, uint32_t mark)
{
	struct nftables_rule *rule = nftables_begin_rule(nft, NFPROTO_INET, table, "output");

	nftables_if_meta(rule, NFT_META_MARK, &mark, sizeof(mark));
	nftables_count(rule);
	nftables_drop(rule);
	nftables_end_rule(nft, rule);
}

/* An ICMP error about a packet of the tunnel; offsets are in bytes from the ICMP header. */
struct tunnel_error {
	uint8_t icmp;        /* IPPROTO_x */
	uint8_t first, last; /* types of errors (RFC 792; RFC 4443 2.1) */
	uint8_t protocol;    /* offset of the next header field in the quoted packet */
	uint8_t fragment;    /* the same in its fragment header (RFC 8200 4.5); 0: it has none */
	uint8_t port;        /* offset of the UDP destination port */
};

/* The quoted packet begins at byte 8, and has no IP options. */
static const struct tunnel_error tunnel_errors[] = {
	{IPPROTO_ICMP, 3, 5, 8 + 9, 0, 8 + 20 + 2},
	{IPPROTO_ICMP, 11, 12, 8 + 9, 0, 8 + 20 + 2},
	{IPPROTO_ICMPV6, 0, 127, 8 + 6, 0, 8 + 40 + 2},
	{IPPROTO_ICMPV6, 0, 127, 8 + 6, 8 + 40, 8 + 40 + 8 + 2},
};

#define TUNNEL_ERRORS (sizeof(tunnel_errors) / sizeof(tunnel_errors[0]))
_Static_assert(SILENCE_DROPPING_RULES == 1 + TUNNEL_ERRORS, "as many as are read back");

/* Drops ICMP errors about the tunnel. */
static void silence_drop_errors(struct nftables *nft, const char *table, uint16_t tunnel_port,
				const struct tunnel_error *which)
{
	struct nftables_rule *rule = nftables_begin_rule(nft, NFPROTO_INET, table, "output");
	const uint32_t base = NFT_PAYLOAD_TRANSPORT_HEADER;
	const uint8_t udp = IPPROTO_UDP, fragment = IPPROTO_FRAGMENT;
	const uint16_t port = htons(tunnel_port);

	nftables_if_meta(rule, NFT_META_L4PROTO, &which->icmp, sizeof(which->icmp));
	nftables_if_bytes(rule, base, 0, NFT_CMP_GTE, &which->first, sizeof(which->first));
	nftables_if_bytes(rule, base, 0, NFT_CMP_LTE, &which->last, sizeof(which->last));
	nftables_if_bytes(rule, base, which->protocol, NFT_CMP_EQ,
			  which->fragment ? &fragment : &udp, sizeof(udp));
	if (which->fragment)
		nftables_if_bytes(rule, base, which->fragment, NFT_CMP_EQ, &udp, sizeof(udp));
	nftables_if_bytes(rule, base, which->port, NFT_CMP_EQ, &port, sizeof(port));
	nftables_count(rule);
	nftables_drop(rule);
	nftables_end_rule(nft, rule);
}

bool silence_has_before(const struct silence *silence)
{
	return *silence->before && if_nametoindex(silence->before);
}

static const uint8_t families[] = {NFPROTO_NETDEV, NFPROTO_INET};

/* Adding a table before it is removed makes the removal work whether or not it was there. */
static void silence_remove_tables(struct nftables *nft, const char *table)
{
	for (size_t i = 0; i < sizeof(families); i++) {
		nftables_add_table(nft, families[i], table, false);
		nftables_remove_table(nft, families[i], table);
	}
}

int silence_remove(const char *instance, struct netlink *owner)
{
	char table[NFTABLES_NAME_SIZE];
	struct nftables nft;

	nftables_begin(&nft);
	silence_remove_tables(&nft, silence_table(table, instance));
	return nftables_commit(&nft, owner);
}

int silence_own(const char *instance, struct netlink *owner)
{
	char table[NFTABLES_NAME_SIZE];
	struct nftables nft;

	silence_table(table, instance);
	nftables_begin(&nft);
	for (size_t i = 0; i < sizeof(families); i++)
		nftables_add_table(&nft, families[i], table, true);
	return nftables_commit(&nft, owner);
}

int silence_make(const char *instance, const struct silence *silence, struct netlink *owner)
{
	char table[NFTABLES_NAME_SIZE], name[NFTABLES_NAME_SIZE];
	struct nftables nft;

	silence_table(table, instance);
	nftables_begin(&nft);
	silence_remove_tables(&nft, table);
	for (size_t i = 0; i < sizeof(families); i++) {
		nftables_add_table(&nft, families[i], table, owner);
		nftables_add_chain(&nft, families[i], table, silence_fingerprint(name, silence), -1,
				   0, NULL);
	}
	silence_mark_ingress(&nft, table, "ingress", silence->interface, silence);
	if (silence_has_before(silence))
		silence_mark_ingress(&nft, table, "before", silence->before, silence);
	snprintf(name, sizeof(name), "was_%.*s", SILENCE_SETTINGS, silence->before_settings);
	nftables_add_chain(&nft, NFPROTO_INET, table, name, -1, 0, NULL);
	nftables_add_chain(&nft, NFPROTO_INET, table, "output", NF_INET_LOCAL_OUT, SILENCE_FIRST,
			   NULL);
	silence_drop_answers(&nft, table, silence->mark);
	for (size_t i = 0; i < TUNNEL_ERRORS; i++)
		silence_drop_errors(&nft, table, silence->port, &tunnel_errors[i]);
	silence_mark_again(&nft, table, silence);
	return nftables_commit(&nft, owner);
}
