/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What has to happen to a packet, written from the description of the product's behaviour (docs/)
 * and sharing no line with it. tests/lib/reference.py is the same once more, by other means;
 * test_model.py holds the two against each other.
 */
#ifndef MODEL_H
#define MODEL_H

#include "scenario.h"

#define MODEL_FRAME     3600
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

/* The host as the packets meet it. */
struct model_host {
	uint8_t listen_mac[6], egress_mac[6], gateway_mac[6];
	uint32_t device_mtu; /* what `mtu: auto` comes to */
};

struct answer {
	uint32_t verdicts; /* ONE_OF() each that is admitted */
	uint32_t vni;      /* NO_VNI: it did not get that far */
	uint32_t rule;     /* 0: none */
	uint32_t events;   /* ONE_OF() each that happened */
	bool may_cut;      /* passed: whether padding is cut, and said to be, is open */
	bool behind;       /* there were bytes behind the outer UDP datagram */
	size_t padded;     /* of what leaves, with all padding */
	bool fresh_id;     /* its ID may be any but 0, and the checksum with it */
	bool as_it_came;   /* the kernel gets the frame untouched */
	size_t ip_length;  /* of the inner packet, by its header */
	size_t length;     /* of what leaves, before it is cut to fragments; 0: nothing leaves */
	uint8_t frame[MODEL_FRAME];
};

/* What the rules said of a first fragment. */
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
/* Writes the Ethernet addresses that a frame leaves with; all others stay as they are. */
void model_set_addresses(const struct model *model, enum model_verdict verdict, uint8_t *frame);
/* RFC 1624, equation 3: the checksum after `old` became `new`; `size` is even. */
uint16_t model_checksum(uint16_t checksum, const uint8_t *old, const uint8_t *new, size_t size);

/* ---- between the model's own files ---- */

/* The inner frame, as far as rules and rewriting look at it. */
struct inner {
	uint8_t *frame;
	size_t present; /* bytes behind its Ethernet header */
	size_t claimed; /* of the IP packet, by its header */
	size_t end;     /* of what of it is present, from the start of the frame */
	uint8_t version;
	int protocol;   /* behind the extension headers; -1: there is nothing to reach */
	size_t upper;   /* of that header, from the start of the frame */
	bool has_ports; /* a whole UDP or TCP header */
	bool is_fragment, is_later;
	uint32_t id; /* of a fragment */
	uint32_t vni;
};

/* IPv6 extension headers that are followed: their chain may be longer in theory only. */
#define MOST_EXTENSIONS 6

/* Follows IPv6 extension headers of a packet that ends at `end`. */
struct chain {
	size_t at;        /* of what follows them, or where it ended */
	uint8_t protocol; /* of what is there */
	bool reached;     /* it is an upper header, and the destination is the final one */
	bool is_cut;      /* the packet or the frame ends within them */
	bool is_fragment; /* of more than one */
	bool is_later;    /* not the first */
	uint32_t id;
};

void model_follow(struct chain *chain, const uint8_t *frame, size_t start, size_t end,
		  uint8_t protocol);
/* False: answered. True: the tunnel carries `*length` bytes at `*start`. */
bool model_open(const struct model *model, const uint8_t *frame, size_t length,
		struct answer *answer, size_t *start, size_t *carried);
void model_judge_inner(struct model *model, struct inner *inner, struct answer *answer);
void model_leave(const struct model *model, struct inner *inner, struct answer *answer);
void model_hand_to_kernel(const struct model *model, const struct inner *inner,
			  struct answer *answer);
/* The rule for a packet with ports, from 1; 0: none. */
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
