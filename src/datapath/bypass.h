/* SPDX-License-Identifier: GPL-2.0-only */
/* IPsec policies of the kernel that the datapath's packets pass by, as XDP asks none. */
#ifndef DATAPATH_BYPASS_H
#define DATAPATH_BYPASS_H

#include "base/error.h"
#include "base/progress.h"
#include "config/config.h"
#include "net/xfrm.h"

/* The first rule whose packets a policy is about. */
struct bypass {
	size_t rules;                /* so many rules have one; of the other fields' direction */
	size_t rule;                 /* from 1; 0: packets that no rule matches */
	char target[ADDR_TEXT_SIZE]; /* empty: any */
	char policy[XFRM_POLICY_SIZE];
	char demand[8];    /* "esp", "ah", "comp"; "block": of such packets none is to leave */
	char direction[4]; /* "out"; "fwd": where none is about what is sent */
	uint32_t priority; /* of the policy; 0: no other can come before it */
};

/* 1, and *bypass says which; 0: there is none; -errno: policies cannot be read. */
int bypass_find(struct bypass *bypass, const struct config *config,
		const struct progress *progress);

/* Where packets come in and leave, and which IP versions IPsec leaves alone there. */
struct bypass_way {
	int listen_ifindex;
	int egress_ifindex;
	bool skips_out4;
	bool skips_forward4;
};

/* The same among given policies. Pure but for progress. */
bool bypass_find_among(struct bypass *bypass, const struct config *config,
		       const struct xfrm_policies *policies, const struct bypass_way *way,
		       const struct progress *progress);

/* What is demanded of which packets, which leave all the same. Returns `why`. */
#define BYPASS_WHY_SIZE 512
const char *bypass_explain(const struct bypass *bypass, char *why);
/*
 * The command that allows it, for whoever means it; or shows the policy. `listen` and `forward`: the
 * interfaces' names as a shell reads them. Returns `command`.
 */
#define BYPASS_COMMAND_SIZE 256
const char *bypass_allow(const struct bypass *bypass, const char *listen, const char *forward,
			 char *command);

#endif
