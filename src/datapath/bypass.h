/* SPDX-License-Identifier: GPL-2.0-only */
/* IPsec policies that match packets of the datapath. XDP does not ask them, so packets leave anyway. */
#ifndef DATAPATH_BYPASS_H
#define DATAPATH_BYPASS_H

#include "base/error.h"
#include "base/progress.h"
#include "config/config.h"
#include "config/rule_name.h"
#include "net/xfrm.h"

/* The first rule whose packets match a policy. */
struct bypass {
	size_t rules;                /* number of such rules, in this direction */
	size_t rule;                 /* from 1; 0: packets that no rule matches */
	char target[ADDR_TEXT_SIZE]; /* empty: any */
	char name[RULE_NAME_ADDED];  /* of the rule, as rule_name_add() says it */
	char policy[XFRM_POLICY_SIZE];
	char demand[8];    /* "esp", "ah", "comp"; "block": packets must not leave */
	char direction[4]; /* "out"; "fwd": no policy for "out" matches */
	uint32_t priority; /* of the policy; 0: no policy can be put before it */
};

/* 1, and *bypass says which; 0: there is none; -errno: policies cannot be read. */
int bypass_find(struct bypass *bypass, const struct config *config,
		const struct progress *progress);

/* Where packets arrive and leave, and whether the interfaces are exempt from IPsec over IPv4. */
struct bypass_way {
	int listen_ifindex;
	int egress_ifindex;
	bool skips_out4;
	bool skips_forward4;
};

/* The same for given policies. Pure, apart from telling progress. */
bool bypass_find_among(struct bypass *bypass, const struct config *config,
		       const struct xfrm_policies *policies, const struct bypass_way *way,
		       const struct progress *progress);

/* Says what the policy demands, of which packets, and what to do. Returns `why`. */
#define BYPASS_WHY_SIZE 640
const char *bypass_explain(const struct bypass *bypass, char *why);
/*
 * The command that allows plaintext on purpose, or, if no policy can be put before this one, the
 * command that lists it. `listen` and `forward`: the interfaces' names, quoted for a shell. Returns
 * `command`.
 */
#define BYPASS_COMMAND_SIZE 256
const char *bypass_allow(const struct bypass *bypass, const char *listen, const char *forward,
			 char *command);

#endif
