// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include "net/nftables.h"

#define MESSAGE_ROOM 2048 /* larger than any message here */

/* NFT_TABLE_F_OWNER of Linux 5.12, and NFT_TABLE_F_PERSIST of 6.9, which Debian 12's headers lack */
#define TABLE_OWNED (0x2 | 0x4)

struct nftables_rule {
	struct nftnl_rule *rule;
	bool failed;
};

/* Room for one more message; NULL: there is none. */
static char *nft_room(struct nftables *nft)
{
	if (nft->used + MESSAGE_ROOM > sizeof(nft->bytes))
		nft->failed = true;
	return nft->failed ? NULL : nft->bytes + nft->used;
}

static void nft_take(struct nftables *nft, const struct nlmsghdr *message)
{
	nft->used += MNL_ALIGN(message->nlmsg_len);
}

void nftables_begin(struct nftables *nft)
{
	nft->used = 0;
	nft->failed = false;
	nft_take(nft, nftnl_batch_begin(nft->bytes, 0));
}

static void nft_table(struct nftables *nft, uint16_t type, uint16_t flags, uint8_t family,
		      const char *name, bool owned)
{
	struct nftnl_table *table = nftnl_table_alloc();
	char *room = nft_room(nft);
	struct nlmsghdr *message;

	if (!table)
		nft->failed = true;
	if (table && room) {
		nftnl_table_set_u32(table, NFTNL_TABLE_FAMILY, family);
		nftnl_table_set_str(table, NFTNL_TABLE_NAME, name);
		if (owned)
			nftnl_table_set_u32(table, NFTNL_TABLE_FLAGS, TABLE_OWNED);
		message = nftnl_nlmsg_build_hdr(room, type, family, flags, 0);
		nftnl_table_nlmsg_build_payload(message, table);
		nft_take(nft, message);
	}
	nftnl_table_free(table);
}

void nftables_add_table(struct nftables *nft, uint8_t family, const char *table, bool owned)
{
	nft_table(nft, NFT_MSG_NEWTABLE, NLM_F_CREATE, family, table, owned);
}

void nftables_remove_table(struct nftables *nft, uint8_t family, const char *table)
{
	nft_table(nft, NFT_MSG_DELTABLE, 0, family, table, false);
}

void nftables_add_chain(struct nftables *nft, uint8_t family, const char *table, const char *name,
			int hook, int priority, const char *interface)
{
	struct nftnl_chain *chain = nftnl_chain_alloc();
	char *room = nft_room(nft);
	struct nlmsghdr *message;

	if (!chain)
		nft->failed = true;
	if (chain && room) {
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_FAMILY, family);
		nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, table);
		nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, name);
		if (hook >= 0) {
			nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, "filter");
			nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, hook);
			nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, priority);
			nftnl_chain_set_u32(chain, NFTNL_CHAIN_POLICY, NF_ACCEPT);
		}
		if (interface)
			nftnl_chain_set_str(chain, NFTNL_CHAIN_DEV, interface);
		message = nftnl_nlmsg_build_hdr(room, NFT_MSG_NEWCHAIN, family, NLM_F_CREATE, 0);
		nftnl_chain_nlmsg_build_payload(message, chain);
		nft_take(nft, message);
	}
	nftnl_chain_free(chain);
}

struct nftables_rule *nftables_begin_rule(struct nftables *nft, uint8_t family, const char *table,
					  const char *chain)
{
	struct nftables_rule *rule = calloc(1, sizeof(*rule));

	if (rule)
		rule->rule = nftnl_rule_alloc();
	if (!rule || !rule->rule) {
		nft->failed = true;
		free(rule);
		return NULL;
	}
	nftnl_rule_set_u32(rule->rule, NFTNL_RULE_FAMILY, family);
	nftnl_rule_set_str(rule->rule, NFTNL_RULE_TABLE, table);
	nftnl_rule_set_str(rule->rule, NFTNL_RULE_CHAIN, chain);
	return rule;
}

/* Appends an expression; NULL: no memory, or the rule has failed before. */
static struct nftnl_expr *nft_expression(struct nftables_rule *rule, const char *name)
{
	struct nftnl_expr *expression = rule ? nftnl_expr_alloc(name) : NULL;

	if (expression)
		nftnl_rule_add_expr(rule->rule, expression);
	else if (rule)
		rule->failed = true;
	return expression;
}

static void nft_compare(struct nftables_rule *rule, uint32_t operation, const void *value,
			size_t size)
{
	struct nftnl_expr *compare = nft_expression(rule, "cmp");

	if (!compare)
		return;
	nftnl_expr_set_u32(compare, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(compare, NFTNL_EXPR_CMP_OP, operation);
	nftnl_expr_set(compare, NFTNL_EXPR_CMP_DATA, value, size);
}

void nftables_if_meta(struct nftables_rule *rule, uint32_t what, const void *value, size_t size)
{
	struct nftnl_expr *meta = nft_expression(rule, "meta");

	if (!meta)
		return;
	nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, what);
	nftnl_expr_set_u32(meta, NFTNL_EXPR_META_DREG, NFT_REG_1);
	nft_compare(rule, NFT_CMP_EQ, value, size);
}

void nftables_if_bytes(struct nftables_rule *rule, uint32_t base, uint32_t offset,
		       uint32_t operation, const void *value, size_t size)
{
	struct nftnl_expr *payload = nft_expression(rule, "payload");

	if (!payload)
		return;
	nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
	nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(payload, NFTNL_EXPR_PAYLOAD_LEN, size);
	nft_compare(rule, operation, value, size);
}

void nftables_count(struct nftables_rule *rule)
{
	nft_expression(rule, "counter");
}

void nftables_set_mark(struct nftables_rule *rule, uint32_t mark)
{
	struct nftnl_expr *immediate = nft_expression(rule, "immediate");
	struct nftnl_expr *meta = nft_expression(rule, "meta");

	if (!immediate || !meta)
		return;
	nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	nftnl_expr_set(immediate, NFTNL_EXPR_IMM_DATA, &mark, sizeof(mark));
	nftnl_expr_set_u32(meta, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	nftnl_expr_set_u32(meta, NFTNL_EXPR_META_SREG, NFT_REG_1);
}

void nftables_drop(struct nftables_rule *rule)
{
	struct nftnl_expr *immediate = nft_expression(rule, "immediate");

	if (!immediate)
		return;
	nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(immediate, NFTNL_EXPR_IMM_VERDICT, NF_DROP);
}

void nftables_end_rule(struct nftables *nft, struct nftables_rule *rule)
{
	char *room = nft_room(nft);
	struct nlmsghdr *message;

	if (!rule)
		return;
	nft->failed |= rule->failed;
	if (room && !nft->failed) {
		message = nftnl_nlmsg_build_hdr(room, NFT_MSG_NEWRULE,
						(uint16_t)nftnl_rule_get_u32(rule->rule,
									     NFTNL_RULE_FAMILY),
						NLM_F_CREATE | NLM_F_APPEND, 0);
		nftnl_rule_nlmsg_build_payload(message, rule->rule);
		nft_take(nft, message);
	}
	nftnl_rule_free(rule->rule);
	free(rule);
}

/* Maps the errors of a kernel that is too old, or has no such module, to -EOPNOTSUPP. */
static int nft_error(int err)
{
	return err == -EINVAL || err == -EPROTONOSUPPORT || err == -EAFNOSUPPORT ? -EOPNOTSUPP
										 : err;
}

int nftables_commit(struct nftables *nft, struct netlink *owner)
{
	_cleanup_netlink_ struct netlink *own = NULL;
	struct nlmsghdr *last = NULL, *message = (void *)nft->bytes;
	int left = (int)nft->used, err;

	for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
		last = message;
	if (!last || !nft_room(nft))
		return -ENOMEM;
	last->nlmsg_flags |= NLM_F_ACK;
	nft_take(nft, nftnl_batch_end(nft->bytes + nft->used, 0));
	err = owner ? 0 : netlink_open(&own, NETLINK_NETFILTER, 0);
	return nft_error(err ? err : netlink_ask_batch(owner ? owner : own, nft->bytes, nft->used));
}

/* Lists a family's chains, or its rules; `type`: NFT_MSG_GETx. */
static int nft_list(uint16_t type, uint8_t family, const char *table, netlink_visit visit,
		    void *data)
{
	_cleanup_netlink_ struct netlink *netlink = NULL;
	union netlink_request request;
	struct nlmsghdr *message =
		nftnl_nlmsg_build_hdr(request.bytes, type, family, NLM_F_DUMP, 0);
	int err;

	if (table)
		mnl_attr_put_strz(message, NFTA_RULE_TABLE, table);
	err = netlink_open(&netlink, NETLINK_NETFILTER, 0);
	return nft_error(err ? err : netlink_ask(netlink, &request, visit, data));
}

static int nft_ignore(const struct nlmsghdr *message, void *data)
{
	(void)message;
	(void)data;
	return MNL_CB_OK;
}

int nftables_probe(void)
{
	return nft_list(NFT_MSG_GETTABLE, NFPROTO_UNSPEC, NULL, nft_ignore, NULL);
}

struct chain_walk {
	void (*visit)(void *data, const char *table, const char *chain);
	void *data;
};

static int nft_take_chain(const struct nlmsghdr *message, void *data)
{
	const struct chain_walk *walk = data;
	struct nftnl_chain *chain = nftnl_chain_alloc();
	const char *table, *name;

	if (chain && nftnl_chain_nlmsg_parse(message, chain) == 0) {
		table = nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE);
		name = nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME);
		if (table && name)
			walk->visit(walk->data, table, name);
	}
	nftnl_chain_free(chain);
	return MNL_CB_OK;
}

int nftables_each_chain(uint8_t family,
			void (*visit)(void *data, const char *table, const char *chain), void *data)
{
	struct chain_walk walk = {visit, data};

	return nft_list(NFT_MSG_GETCHAIN, family, NULL, nft_take_chain, &walk);
}

struct rule_walk {
	const char *table;
	void (*visit)(void *data, const char *chain, uint64_t packets);
	void *data;
};

static int nft_read_counter(struct nftnl_expr *expression, void *data)
{
	const char *name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);
	uint64_t *packets = data;

	if (name && strcmp(name, "counter") == 0)
		*packets = nftnl_expr_get_u64(expression, NFTNL_EXPR_CTR_PACKETS);
	return 0;
}

static int nft_take_rule(const struct nlmsghdr *message, void *data)
{
	const struct rule_walk *walk = data;
	struct nftnl_rule *rule = nftnl_rule_alloc();
	const char *table, *chain;
	uint64_t packets = 0;

	if (rule && nftnl_rule_nlmsg_parse(message, rule) == 0) {
		table = nftnl_rule_get_str(rule, NFTNL_RULE_TABLE);
		chain = nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN);
		nftnl_expr_foreach(rule, nft_read_counter, &packets);
		/* older kernels list the rules of all tables */
		if (table && chain && strcmp(table, walk->table) == 0)
			walk->visit(walk->data, chain, packets);
	}
	nftnl_rule_free(rule);
	return MNL_CB_OK;
}

int nftables_each_rule(uint8_t family, const char *table,
		       void (*visit)(void *data, const char *chain, uint64_t packets), void *data)
{
	struct rule_walk walk = {table, visit, data};

	return nft_list(NFT_MSG_GETRULE, family, table, nft_take_rule, &walk);
}
