/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The programs and maps in the kernel. Only the files datapath_*.c know libbpf.
 *
 * A generation is one loaded program with the tables that belong to it: what one configuration
 * means. An instance is what is pinned below /sys/fs/bpf/vxlan-pipeline/NAME: links, counters and
 * the current generation: the one that handles packets.
 */
#ifndef DATAPATH_DATAPATH_H
#define DATAPATH_DATAPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/losses.h"
#include "config/config.h"
#include "config/rule_name.h"
#include "datapath/fragmenting.h"
#include "base/error.h"

/* The interfaces of a configuration as the kernel has them now. */
struct datapath_links {
	int listen_ifindex;
	int egress_ifindex; /* the same in single-arm mode */
	uint8_t listen_mac[6];
	uint8_t egress_mac[6];
	uint32_t listen_mtu; /* of the interfaces, in bytes */
	uint32_t egress_mtu;
	bool rings_each; /* the driver of listen.interface rings its doorbell for each XDP_TX */
};

struct datapath; /* a generation that this process has loaded */

/*
 * What an instance has pinned, opened once for datapath_load() and the datapath_apply() that
 * follows it. Opened anew for another try: one that fails may have attached the earlier program again,
 * by another link.
 */
struct datapath_pins;

int datapath_open_pins(struct datapath_pins **out, const char *instance, struct error *error);
void datapath_close_pins(struct datapath_pins *pins); /* NULL is allowed; what is pinned stays */

/*
 * What is passed to the kernel has this source MAC, and is given this mark by nftables
 * (net/silence.h). Random, so that no captured frame can pretend to have it; the same for all
 * generations of an instance.
 */
uint32_t datapath_pass_mark(const struct datapath_pins *pins);
void datapath_pass_mac(uint32_t mark, uint8_t mac[6]);

/* For whom a generation is loaded. */
struct datapath_options {
	const struct datapath_pins *pins; /* it goes on counting in their maps; NULL: in its own */
	bool generic;                     /* it will be attached in generic XDP mode */
	/* frames may come in several buffers (Linux 5.18, and the driver); with `generic`, too, those
	 * of datapath_run(), though in generic mode the kernel joins them before */
	bool multi_buffer;
	bool trace;    /* datapath_run() is to tell what happened */
	bool may_pass; /* the kernel is kept from answering what is passed to it */
	struct progress progress;
};

/* Does this kernel take frames in several buffers (Linux 5.18)? 1, 0, or -errno: not known. */
int datapath_can_multi_buffer(void);

/* Loads a program and its tables; nothing is attached, nothing that runs changes. */
int datapath_load(struct datapath **out, const struct config *config,
		  const struct datapath_links *links, const struct datapath_options *options,
		  struct error *error);
/* Who fragments what is larger than may be sent, and why not the datapath itself. */
enum fragmenting datapath_fragmenting(const struct datapath *datapath);

void datapath_free(struct datapath *datapath); /* NULL is allowed; what is pinned stays */

#define DATAPATH_ONE_BUFFER 3520 /* bytes that BPF_PROG_RUN takes in one buffer at least */
/* In several: that one and MAX_SKB_FRAGS pages. A longer frame is no VXLAN packet anyway. */
#define DATAPATH_MAX_FRAME  (DATAPATH_ONE_BUFFER + 17 * 4096)

/* What the program made of one frame. */
struct datapath_outcome {
	struct trace trace;
	uint32_t action;    /* XDP action */
	size_t frame_count; /* more than one: fragments, in order */
	struct datapath_frame {
		size_t length;
		uint8_t bytes[DATAPATH_MAX_FRAME];
	} frames[MAX_FRAGMENTS];
};

/*
 * Before Linux 5.18 each datapath_run() enters the program into the kernel's table of direct calls, by
 * which it runs all XDP programs of the host, and takes it out again: code is rewritten twice, which
 * takes a while and which other CPUs may be executing. Unless the program is in it anyway because it
 * is attached: so it is, to interfaces of this network namespace, which must be one of its own. Where
 * that fails it runs all the same.
 */
void datapath_park(struct datapath *datapath);

/*
 * Runs the program once on a frame as if it had come in on listen_ifindex; what leaves is in
 * outcome->frames, also when the program drops it. Needs trace. -EMSGSIZE: longer than this kernel
 * takes, which without multi_buffer is DATAPATH_ONE_BUFFER; -EINVAL: shorter than an Ethernet header.
 * The process must be bound to one CPU: fragments are counted there.
 */
int datapath_run(struct datapath *datapath, const void *frame, size_t length,
		 struct datapath_outcome *outcome, struct error *error);

/* How a datapath came to be attached. */
struct datapath_attached {
	bool adopted; /* it replaced the program that was there */
	size_t warning_count;
	char warnings[4][256]; /* what the operator should know; all that there can be at once */
};

/*
 * Makes a loaded generation the current one: pins it, swaps it into the instance's link (or attaches and
 * pins a new one), carries the counters over and removes the generation before. On failure
 * everything is as it was. -EOPNOTSUPP: the interfaces do not take programs in native mode.
 */
int datapath_apply(struct datapath *datapath, struct datapath_pins *pins,
		   const struct config *config, struct datapath_attached *attached,
		   struct error *error);

/* What a daemon holds of the current generation. */
struct datapath_control {
	int beat_fd;                /* the program behind datapath_beat(); -1: none */
	struct next_hop *next_hops; /* next_hops[i] is the way to targets[i]; may be written */
	size_t next_hops_size;      /* of the mapping, in bytes */
	/* a second place for the way to targets[only_index], which the datapath reads instead */
	struct next_hop *only_hop;
	size_t only_hop_size; /* of the mapping, in bytes */
	size_t only_index;
	struct ip_address *targets;
	size_t target_count;
	struct datapath_wanted *wanted; /* neighbours that packets without a rule want */
	int egress_map_fd;              /* the map that whole frames leave by */
	int ingress_map_fd;             /* the map of listen.interface */
	char *online; /* CPUs that can fragment and are there, CPUS_LIST_SIZE bytes; NULL: none need */
};

#define DATAPATH_CONTROL_NONE                                            \
	{                                                                \
		.beat_fd = -1, .egress_map_fd = -1, .ingress_map_fd = -1 \
	}

/* Takes the control of a generation out of *datapath, which may be freed afterwards. */
int datapath_take_control(struct datapath *datapath, struct datapath_control *control,
			  struct error *error);
/*
 * Writes into control->next_hops what the instance's current generation knows of the same targets, so
 * that the next one knows it from its first packet on.
 */
void datapath_inherit_next_hops(const char *instance, struct datapath_control *control,
				int egress_ifindex);
void datapath_release_control(struct datapath_control *control);
/* Readable when there are any wanted neighbours; -1: none can be wanted. */
int datapath_wanted_fd(const struct datapath_control *control);
/* Calls `want` for each of them since the last call. */
void datapath_read_wanted(const struct datapath_control *control,
			  void (*want)(void *data, const struct ip_address *address), void *data);

/*
 * Does the map that frames leave by still name forward.interface? The kernel takes an interface out when
 * it goes, also to another network namespace, and its coming back does not bring the entry back.
 */
bool datapath_can_send(const struct datapath_control *control);
/* The same for listen.interface, without which nothing is passed to the kernel. */
bool datapath_can_pass(const struct datapath_control *control);

/* A CPU that has come online since the last call, and cannot fragment by itself yet; -1: there is none. */
int datapath_lacks_cpu(const struct datapath_control *control);

/* The daemon's sign of life: next hops are trusted for another HEARTBEAT_LIFETIME. 0 or -errno. */
int datapath_beat(const struct datapath_control *control);

/* Is the instance attached to that interface in generic mode now? */
bool datapath_is_generic(const char *instance, int listen_ifindex);

/*
 * Does forward.interface carry no XDP program although packets are redirected to it, because another
 * program did for this instance, too, and is gone? Many drivers then refuse what they are to send.
 */
bool datapath_lacks_egress(const char *instance, const struct datapath_links *links);

/* Is what an instance that runs had pinned gone: was the BPF file system unmounted? */
bool datapath_is_unpinned(const char *instance);

/*
 * Keeps the instance's links and counters from now on by descriptor, too, so that they stay when
 * their pins go; the next datapath_apply() pins them again. One instance a process; datapath_remove() and
 * datapath_release() end it.
 */
void datapath_hold(const char *instance);
void datapath_release(void);

/* Detaches and removes all kernel state of the instance. -ENOENT: there was none. */
int datapath_remove(const char *instance, struct error *error);

/* Is the instance's program on its interface? */
enum datapath_state {
	DATAPATH_ABSENT,   /* nothing pinned */
	DATAPATH_DETACHED, /* pinned, but the link holds no interface */
	DATAPATH_REPLACED, /* the link holds a program that is not this instance's */
	DATAPATH_ATTACHED,
};

/* What is pinned of an instance, read whole. */
struct datapath_stats {
	enum datapath_state state;
	struct instance_info info;
	struct counters counters; /* all CPUs together */
	struct datapath_vni {
		uint32_t vni;
		struct hits hits;
	} * vnis; /* in ascending order */
	size_t vni_count;
	/* VNIs beyond the first PIPELINE_MAX_VNIS with `vnis: any`, and those not listed any more */
	struct hits other_vnis;
	struct hits ruled; /* what the rules of this generation counted, all together */
	struct datapath_rule {
		__u64 key[5]; /* what it matches, as in the lookup tables; unused words are 0 */
		__u64 mask[5];
		struct ip_endpoint to;
		struct hits hits;
		const char *name; /* of one that an older build loaded: its number */
	} * rules;                /* rules[0] is rule 1 */
	size_t rule_count;
	char *rule_names; /* where their names stand */
};

/* 0 and state DATAPATH_ABSENT when nothing is pinned; -EACCES and others when it cannot be read. */
int datapath_read(const char *instance, struct datapath_stats *stats, struct error *error);
/* Only the counters and what the instance says of itself; -ENOENT when nothing is pinned. */
int datapath_read_counters(const char *instance, struct counters *counters,
			   struct instance_info *info, struct error *error);
void datapath_stats_clear(struct datapath_stats *stats);

/* Packets that were believed sent; `error` of the last one is a negative errno, or 0: not known. */
struct datapath_losses {
	bool counted; /* false: this kernel does not tell */
	struct {
		uint64_t packets;
		int error;
	} of[LOSS_COUNT];
};

/*
 * Counts them from now on, daemon or no daemon, until datapath_remove(); goes on from earlier
 * counts. `anew`: with this build's programs instead of those that are attached. 0 or -errno.
 */
int datapath_watch_losses(const char *instance, const struct datapath_links *links, bool anew);
/* 0 or -errno, and then nothing is counted. */
int datapath_read_losses(const char *instance, struct datapath_losses *losses);

/* A rule's target that the datapath knows no way to. */
struct datapath_unresolved {
	struct ip_address target;
	uint32_t rule;                /* the lowest that names it */
	char name[RULE_NAME_MAX + 1]; /* its name; empty: not known */
	bool failed;                  /* nobody answers; else the kernel is asked for each packet */
	uint64_t packets;             /* that its rules have re-addressed in this generation */
};

#define DATAPATH_UNRESOLVED_SHOWN 4

/* What health is judged by; much cheaper to read than struct datapath_stats. */
struct datapath_condition {
	struct instance_info info;
	struct counters counters;
	enum datapath_state state; /* DATAPATH_ABSENT: nothing else is known */
	bool egress_detached;      /* the program on forward.interface was taken off */
	int64_t beat_age_ms;       /* since the daemon's last sign of life; -1: there was none */
	uint32_t mtu;              /* largest IP packet that is sent; 0: not known */
	uint64_t other_vnis;       /* with `vnis: any`: packets of VNIs without a row */
	enum oversize_mode oversize;
	enum fallback truncated;
	struct datapath_losses losses;
	size_t next_hops[NEXT_HOP_STATES];
	struct datapath_unresolved unresolved[DATAPATH_UNRESOLVED_SHOWN];
	size_t unresolved_count;     /* of those shown */
	uint64_t unresolved_packets; /* like unresolved[].packets, of all of them */
	bool unresolved_counted;     /* false: their counters cannot be read */
};

int datapath_inspect(const char *instance, struct datapath_condition *condition,
		     struct error *error);

/* libbpf's and the verifier's own words go to this function from now on; NULL: nowhere. */
void datapath_set_debug(void (*print)(const char *line));

#endif
