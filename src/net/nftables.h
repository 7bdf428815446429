/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Makes tables, chains and rules of nftables, a few kinds of each, in one transaction, and reads
 * them. The only place that knows libnftnl. Functions return 0 or -errno.
 */
#ifndef NET_NFTABLES_H
#define NET_NFTABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/netlink.h"

#define NFTABLES_NAME_SIZE 128 /* of tables and chains here */

/* A transaction. nftables_commit() fails if a message did not fit. */
struct nftables {
	char bytes[16384] __attribute__((aligned(8)));
	size_t used;
	bool failed;
};

void nftables_begin(struct nftables *nft);

/*
 * `family`: NFPROTO_x. To remove a table that may not exist, add it first. An owned table belongs to
 * the socket of the commit: only through it can the table be changed, and `nft flush ruleset` leaves
 * the table alone. It outlives the socket; then it can be changed, or be owned by another socket.
 * -EOPNOTSUPP: this kernel is older than 6.9, or the table is there and was never owned.
 */
void nftables_add_table(struct nftables *nft, uint8_t family, const char *table, bool owned);
void nftables_remove_table(struct nftables *nft, uint8_t family, const char *table);

/* `hook`: NF_x; -1: a chain that nothing calls. `interface`: with NFPROTO_NETDEV. */
void nftables_add_chain(struct nftables *nft, uint8_t family, const char *table, const char *name,
			int hook, int priority, const char *interface);

/* A rule that is being made; the kernel evaluates its conditions and statements in their order. */
struct nftables_rule;

/* NULL: no memory; the functions below then do nothing, and the commit fails. */
struct nftables_rule *nftables_begin_rule(struct nftables *nft, uint8_t family, const char *table,
					  const char *chain);
/* `what`: NFT_META_x. `value`: as the kernel has it, in host order. */
void nftables_if_meta(struct nftables_rule *rule, uint32_t what, const void *value, size_t size);
/* `base`: NFT_PAYLOAD_x; `offset` in bytes; `operation`: NFT_CMP_x. */
void nftables_if_bytes(struct nftables_rule *rule, uint32_t base, uint32_t offset,
		       uint32_t operation, const void *value, size_t size);
void nftables_count(struct nftables_rule *rule);
void nftables_set_mark(struct nftables_rule *rule, uint32_t mark);
void nftables_drop(struct nftables_rule *rule);
void nftables_end_rule(struct nftables *nft, struct nftables_rule *rule);

/*
 * Carries out all of it, or nothing. `owner`: the socket (NETLINK_NETFILTER) that owns tables, or NULL.
 * -EOPNOTSUPP: this kernel has no nftables; -EPERM: also of a table that another socket owns.
 */
int nftables_commit(struct nftables *nft, struct netlink *owner);

/* Is nftables there, and may this process use it? 0; -EOPNOTSUPP; -EPERM. */
int nftables_probe(void);

/* Calls `visit` for each chain of a family. */
int nftables_each_chain(uint8_t family,
			void (*visit)(void *data, const char *table, const char *chain),
			void *data);
/* Calls `visit` for each rule of a table, in order, with the packets of its counter. */
int nftables_each_rule(uint8_t family, const char *table,
		       void (*visit)(void *data, const char *chain, uint64_t packets), void *data);

#endif
