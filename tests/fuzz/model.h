/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A second implementation of the pipeline, written from docs/ and sharing no line with the product:
 * says what has to happen to a packet. tests/lib/reference.py is a third one, in Python;
 * test_model.py compares the two.
 */
#ifndef MODEL_H
#define MODEL_H

#include "scenario.h"

#define MODEL_FRAME     9600
#define MODEL_DECISIONS 16384 /* more than a scenario has fragments */
#define NO_VNI          UINT32_MAX

/* X(name); the names are those of the documentation. */
#define MODEL_VERDICTS(X) \
	X(not_tunnel)     \
	X(outer_fragment) \
	X(source_denied)  \
	X(malformed)      \
	X(bad_vxlan)      \
	X(unknown_vni)    \
	X(inner_not_ip)   \
	X(truncated)      \
	X(unmatched)      \
	X(redirected)     \
	X(transmitted)    \
	X(fragmented)     \
	X(passed)         \
	X(oversize)       \
	X(no_route)       \
	X(error)
#define MODEL_EVENTS(X)      \
	X(inner_malformed)   \
	X(inner_truncated)   \
	X(nat_applied)       \
	X(fragment_followed) \
	X(fragment_orphaned) \
	X(df_cleared)        \
	X(id_assigned)       \
	X(trailer_cut)       \
	X(neighbour_unknown)

enum model_verdict {
#define X(name) IS_##name,
	MODEL_VERDICTS(X)
#undef X
		MODEL_VERDICT_COUNT
};

enum model_event {
#define X(name) DID_##name,
	MODEL_EVENTS(X)
#undef X
		MODEL_EVENT_COUNT
};

extern const char *const model_verdict_names[MODEL_VERDICT_COUNT];
extern const char *const model_event_names[MODEL_EVENT_COUNT];

#define ONE_OF(what) (1U << (what))

/* MACs and MTU of the simulated host. */
struct model_host {
	uint8_t listen_mac[6], egress_mac[6], gateway_mac[6];
	uint8_t pass_mac[6]; /* source of what is passed to the kernel */
	uint32_t device_mtu; /* the value of `mtu: auto` */
};

struct answer {
	uint32_t verdicts; /* ONE_OF() each that is right */
	uint32_t vni;      /* NO_VNI: none was read */
	uint32_t rule;     /* 0: none */
	uint32_t events;   /* ONE_OF() each that happens */
	bool may_cut;      /* if passed, the program may cut the padding (with its event) or not */
	bool behind;       /* there are bytes behind the outer UDP datagram */
	size_t padded;     /* length of the frame that leaves, with all padding */
	bool fresh_id;     /* its ID may be any but 0; the checksum matches the ID */
	bool as_it_came;   /* the kernel gets the frame untouched */
	bool scattered;   /* it came in several buffers: XDP can neither fragment nor redirect it */
	size_t ip_length; /* of the inner packet, by its header */
	size_t length;    /* of the frame that leaves, before fragmentation; 0: none leaves */
	uint8_t frame[MODEL_FRAME];
};

/* The rule of a first fragment, for the later ones. */
struct decision {
	bool used;
	uint8_t key[44];
	uint32_t rule;
};

struct model {
	const struct scenario *scenario;
	struct model_host host;
	struct decision decisions[MODEL_DECISIONS];
};

void model_start(struct model *model, const struct scenario *scenario,
		 const struct model_host *host);
/* Frames are judged in the order in which they arrive. */
void model_judge(struct model *model, const uint8_t *frame, size_t length, struct answer *answer);
/* The largest IP packet that may be sent. */
uint32_t model_mtu(const struct model *model);
/* Writes the Ethernet addresses of a frame that leaves, those that the program changes. */
void model_set_addresses(const struct model *model, enum model_verdict verdict, uint8_t *frame);
/* RFC 1624, equation 3: the checksum after `old` became `new`; `size` is even. */
uint16_t model_checksum(uint16_t checksum, const uint8_t *old, const uint8_t *new, size_t size);

/* ---- between the model's own files ---- */

/* The parts of the inner frame that rules and rewriting look at. */
struct inner {
	uint8_t *frame;
	size_t present; /* bytes behind its Ethernet header */
	size_t claimed; /* length of the IP packet, by its header */
	size_t end;     /* where its bytes in the frame end, from the start of the frame */
	uint8_t version;
	int protocol;   /* behind the extension headers; -1: not reached */
	size_t upper;   /* offset of that header, from the start of the frame */
	bool has_ports; /* there is a whole UDP or TCP header */
	bool is_fragment, is_later;
	uint32_t id; /* of a fragment */
	uint32_t vni;
};

/* The program follows so many IPv6 extension headers; longer chains exist in theory only. */
#define MOST_EXTENSIONS 6

/* The result of following the IPv6 extension headers of a packet. */
struct chain {
	size_t at;        /* offset behind them, or where following them ended */
	uint8_t protocol; /* the header at that offset */
	bool reached;     /* it is an upper header, and the destination is the final one */
	bool is_cut;      /* the packet or the frame ends within the extension headers */
	bool is_fragment; /* one of several */
	bool is_later;    /* not the first fragment */
	uint32_t id;
};

void model_follow(struct chain *chain, const uint8_t *frame, size_t start, size_t end,
		  uint8_t protocol);
/* True: the tunnel carries `*carried` bytes at `*start`. False: `*answer` is final. */
bool model_open(const struct model *model, const uint8_t *frame, size_t length,
		struct answer *answer, size_t *start, size_t *carried);
void model_judge_inner(struct model *model, struct inner *inner, struct answer *answer);
void model_leave(const struct model *model, struct inner *inner, struct answer *answer);
void model_hand_to_kernel(const struct model *model, const struct inner *inner,
			  struct answer *answer);
/* The number of the rule for a packet with ports, from 1; 0: none. */
uint32_t model_find_rule(const struct model *model, const struct inner *inner);
bool model_in_network(const struct network *network, const uint8_t *address, uint8_t version);

static inline uint16_t read16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline void write16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

#endif
