/* SPDX-License-Identifier: GPL-2.0-only */
/* How a frame ends, and what happened to it on the way: the lists that C, JSON and documentation share. */
#ifndef VERDICTS_H
#define VERDICTS_H

/*
 * Every frame ends in exactly one verdict.
 *
 * X(enumerator, name, class, meaning); `class` is one of enum verdict_class without its prefix.
 * The name is the one in JSON, metrics and documentation.
 */
#define PIPELINE_VERDICTS(X)                                                              \
	X(NOT_TUNNEL, not_tunnel, KERNEL,                                                 \
	  "no UDP to the tunnel port: left to the kernel untouched")                      \
	X(OUTER_FRAGMENT, outer_fragment, KERNEL,                                         \
	  "fragment of an outer packet: left to the kernel")                              \
	X(SOURCE_DENIED, source_denied, DROPPED, "outer source is not in listen.sources") \
	X(MALFORMED, malformed, ERROR, "lengths that contradict each other or the frame") \
	X(BAD_VXLAN, bad_vxlan, ERROR, "VXLAN header without the I flag")                 \
	X(UNKNOWN_VNI, unknown_vni, DROPPED, "VNI is not in listen.vnis")                 \
	X(INNER_NOT_IP, inner_not_ip, DROPPED, "inner frame is neither IPv4 nor IPv6")    \
	X(TRUNCATED, truncated, ERROR, "inner packet was cut short on the way")           \
	X(UNMATCHED, unmatched, DROPPED, "no rule matches")                               \
	X(REDIRECTED, redirected, FORWARDED, "sent out of forward.interface")             \
	X(TRANSMITTED, transmitted, FORWARDED, "sent back out of listen.interface")       \
	X(FRAGMENTED, fragmented, FORWARDED, "sent as two or more IPv4 fragments")        \
	X(PASSED, passed, FORWARDED, "decapsulated and handed to the kernel")             \
	X(OVERSIZE, oversize, DROPPED, "larger than forward.mtu")                         \
	X(NO_ROUTE, no_route, ERROR,                                                      \
	  "no way to the destination: no route, or a next hop that does not answer")      \
	X(ERROR, error, ERROR, "the program itself failed")

enum verdict {
	VERDICT_GO_ON, /* a stage's answer "not decided yet"; never counted */
#define X(upper, name, class, meaning) VERDICT_##upper,
	PIPELINE_VERDICTS(X)
#undef X
		VERDICT_COUNT
};

enum verdict_class {
	VERDICT_CLASS_KERNEL,    /* not ours: the kernel got the frame as it came */
	VERDICT_CLASS_DROPPED,   /* dropped because the configuration says so */
	VERDICT_CLASS_ERROR,     /* dropped because it could not be handled */
	VERDICT_CLASS_FORWARDED, /* left, rewritten */
};

/*
 * What happened to a packet on its way to the verdict. Each is counted, and named by `explain`.
 * X(enumerator, name, meaning)
 */
#define PIPELINE_EVENTS(X)                                                                        \
	X(INNER_MALFORMED, inner_malformed, "the malformed header is an inner one")               \
	X(INNER_TRUNCATED, inner_truncated, "the IP length reaches beyond the bytes present")     \
	X(NAT_APPLIED, nat_applied, "a rule replaced the destination")                            \
	X(FRAGMENT_FOLLOWED, fragment_followed, "a later fragment followed its first one's rule") \
	X(FRAGMENT_ORPHANED, fragment_orphaned,                                                   \
	  "a later fragment's first one was not seen, or was forgotten")                          \
	X(DF_CLEARED, df_cleared, "DF was cleared")                                               \
	X(ID_ASSIGNED, id_assigned, "an IP ID of 0 was replaced")                                 \
	X(TRAILER_CUT, trailer_cut, "bytes behind the end of the packet were cut off")            \
	X(NEIGHBOUR_UNKNOWN, neighbour_unknown,                                                   \
	  "the next hop's MAC is not known: it does not answer, or has not yet")

enum event {
#define X(upper, name, meaning) EVENT_##upper,
	PIPELINE_EVENTS(X)
#undef X
		EVENT_COUNT
};

#endif
