/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files datapath_*.c, the only ones that know libbpf, share. */
#ifndef DATAPATH_INTERNAL_H
#define DATAPATH_INTERNAL_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/cpus.h"
#include "datapath/datapath.h"
#include "instance/instance.h"
#include "pipeline.skel.h"

struct datapath {
	struct pipeline_bpf *skeleton;
	struct datapath_links links;
	struct progress progress; /* of the load, and of the datapath_apply() after it */
	uint32_t generation;
	bool generic;
	enum fragmenting fragmenting;
	struct ip_address *targets; /* of the rules; next_hops[i] is the way to targets[i] */
	size_t target_count;
	bool contextless; /* this kernel runs programs by hand, but not with a context */
	char online
		[CPUS_LIST_SIZE]; /* CPUs with a thread in map `cutters`; empty: none is needed */
};

/* Names of pins below an instance's directory. */
#define PIN_LINK        "link"
#define PIN_EGRESS_LINK "egress_link"
#define PIN_CURRENT     "current"
#define PIN_GENERATION  "generation-%u"
#define PIN_PROGRAM     "program"   /* of a generation */
#define PIN_CONSTANTS   "constants" /* of a generation: struct pipeline_config */
#define PIN_CUTTERS     "cutters"   /* of a generation: the map */
#define PIN_FRESH       "fresh" /* a pin on its way to its name; BPF file systems allow no dots */
#define PIN_SIZE        64

#define SHARED_MAPS     6 /* that outlive generations */
#define SHARED_COUNTERS 0 /* which of them `counters` is */

struct datapath_pins {
	char instance[INSTANCE_NAME_MAX + 1];
	int shared
		[SHARED_MAPS]; /* the maps that outlive generations; each a descriptor, or -errno */
	int link;              /* the one on listen.interface, likewise */
	int egress_link;       /* the one on forward.interface, likewise */
	int info_err;          /* 0: *info* is what the instance says of itself; else -errno */
	struct instance_info info;
	uint32_t highest; /* number of a pinned generation; 0: there is none */
	uint32_t pass_mark;
};

/*
 * The mark of frames to be fragmented (struct fragment_shim): that of the program that runs, if that fragments, and else one
 * whose TRIMMING_OF() no CPU knows. `pins`: NULL: there is no instance. 0 or -errno.
 */
int datapath_choose_shim(const struct datapath_pins *pins, __u64 *mark);
/* Before a fresh instance is attached: frames leave with the program that trims, at first (enum egress_entry). 0 or -errno. */
int datapath_begin_trimming(const struct datapath *datapath, const struct datapath_pins *pins);

/* Takes the mark over from the instance that is pinned, or else chooses one. */
int datapath_choose_mark(struct datapath_pins *pins, struct error *error);

/* A datapath_apply() under way: what it works with, what was before, what to undo if it fails. */
struct datapath_change {
	struct datapath *datapath;
	const struct datapath_pins *pins; /* as they were before it */
	const char *instance;
	const struct config *config;
	struct datapath_attached *attached;
	struct error *error;
	uint32_t previous;          /* the current generation before; 0: none */
	uint32_t recorded;          /* the one that the instance says was */
	struct bpf_link_info link;  /* the one before */
	bool detached;              /* it was taken off its interface */
	bool new_egress;            /* the egress link was pinned anew */
	bool same_egress;           /* the one pinned before serves on */
	bool replaced[SHARED_MAPS]; /* maps whose pins were replaced */
};

/* Puts the values of bpf/constants.h into a program that is not loaded yet. 0 or -errno. */
int datapath_place_constants(struct bpf_program *program, const struct pipeline_config *config);

/*
 * Puts the loaded program on its interfaces in the mode it was loaded for. On failure
 * change->error says why, and what was attached still is.
 */
int datapath_attach(struct datapath_change *change);

/* Gives the rules and VNIs of the new generation what they counted before. 0 or -errno. */
int datapath_carry_counters(const struct datapath_change *change);

/*
 * VNIs, a part of datapath_read_generation(); and of datapath_carry_counters(): what `old` counted goes
 * into the base of generation `to`. 0 or -errno.
 */
int datapath_read_vnis(const char *instance, uint32_t generation, struct datapath_stats *stats,
		       const struct pipeline_config *config);
int datapath_carry_vnis(const char *instance, uint32_t to, const struct datapath_stats *old);

/* With `vnis: any`: packets of VNIs without a row of their own; 0 where that cannot be read. */
uint64_t datapath_read_other_vnis(const char *instance, uint32_t generation);

/*
 * Before the new generation is attached: with `vnis: any`, VNIs that had a row keep it, whichever come
 * first now. Where this fails, they count among the others.
 */
void datapath_reserve_vnis(const struct datapath_change *change);

/* The maps that outlive generations. */
void datapath_shared_maps(const struct pipeline_bpf *skeleton, struct bpf_map **maps);

/* Before loading for generic mode, 0 or -errno; and after loading, for any. */
int datapath_shrink_egress(const struct pipeline_bpf *skeleton);
int datapath_fill_egress(struct datapath *datapath);

/* Can this kernel send a frame several times over (BPF_F_BROADCAST)? 1, 0, or -errno: not known. */
int datapath_can_broadcast(void);

/*
 * Before the new generation is attached: what its threads do not get to is counted from its first packet on, also if nobody
 * comes to datapath_watch_losses().
 */
void datapath_expect_losses(const struct datapath_change *change);

/* Lets go of the links: one whose pin was replaced detaches. */
void datapath_close_links(struct datapath_pins *pins);

/* Names of the maps that outlive generations. */
extern const char *const datapath_shared_pins[SHARED_MAPS];

/* Opens INSTANCE_PINS/instance/NAME, or what datapath_hold() holds of it: a descriptor, or -errno. */
int datapath_open_pin(const char *instance, const char *name);
/* Does the pin itself exist? */
bool datapath_is_pinned(const char *instance, const char *name);

/* What libbpf is to do with its messages, whichever thread calls it. */
int datapath_print_libbpf(enum libbpf_print_level level, const char *format, va_list args);

/* Does a pinned map still have the shape this build gives it? 1, 0, or -errno: not known. */
int datapath_map_fits(int fd, const struct bpf_map *map);

/*
 * Before a value is read into memory of `value_size` bytes: 0, or -EPROTO when the map's values have
 * another size, as one of another version of this program may.
 */
int datapath_check_value(int fd, size_t value_size);

/* What the instance says of itself: 0, or -errno and *info is untouched. */
int datapath_read_info(const char *instance, struct instance_info *info);

/* "generation-N", or "generation-N/below". Returns `pin`, which holds PIN_SIZE bytes. */
const char *datapath_generation_pin(char *pin, uint32_t generation, const char *below);

/* Pins `fd` under a name; what was pinned there before goes at the same instant. */
int datapath_pin(const char *instance, const char *name, int fd);

/* Which generations are pinned: the highest number, the next one. 0: none. */
uint32_t datapath_highest_generation(const char *instance);
uint32_t datapath_generation_after(const char *instance, uint32_t generation);
/* The generation of a program; *generation is 0: it is of none. 0; -errno: not known. */
int datapath_generation_of(const char *instance, uint32_t program_id, uint32_t *generation);
/* Removes all generations but one. */
void datapath_keep_generation(const char *instance, uint32_t generation);

/*
 * An element of a per-CPU map, `size` bytes of 64-bit words, added up over all CPUs into `out`: 0 or
 * -errno.
 */
int datapath_read_percpu(int fd, const void *key, void *out, size_t size);
/* What all CPUs counted in map `vni_hits`: `*count` elements, to be freed. 0 or -errno. */
int datapath_read_vni_hits(int fd, struct hits **out, size_t *count);

void datapath_add_hits(struct hits *to, const struct hits *hits);

/* The maps `rule_hits` and `only_hits` of a generation, as they are in memory: each CPU has `of_each` counters. */
struct rule_hits {
	const struct rule_counter *counters;
	size_t size; /* bytes that are mapped */
	size_t cpus;
	uint32_t of_each;
	const struct only_hits *only; /* NULL: there is not just one IPv4 rule */
	size_t only_size;
	uint32_t only_counter; /* of the one rule */
};

/* `fd` and `only_fd`: of the two maps; `config`: of the generation. 0 or -errno; to be unmapped. */
int datapath_map_rule_hits(int fd, int only_fd, const struct pipeline_config *config,
			   struct rule_hits *mapped);
void datapath_unmap_rule_hits(struct rule_hits *mapped);
/* What all CPUs together counted; nothing for a counter that is not there. */
struct hits datapath_rule_hits(const struct rule_hits *mapped, uint32_t counter);

/* Rules and VNIs of one pinned generation with what they counted; counters and info stay as is. */
int datapath_read_generation(const char *instance, uint32_t generation,
			     struct datapath_stats *stats);

/* Gives stats->rules their names. 0 or -errno; -ENOENT: the generation is gone. */
int datapath_read_rule_names(const char *instance, uint32_t generation,
			     struct datapath_stats *stats);
/* Gives condition->unresolved the names of the rules. */
void datapath_name_unresolved(const char *instance, uint32_t generation,
			      struct datapath_condition *condition);

/* Where a rule of a pinned generation sends its packets, and the way that is known to it. */
struct datapath_target {
	uint32_t rule;
	uint32_t counter; /* its index in map `rule_hits` */
	struct ip_address address;
	struct next_hop hop;
};

/* Calls `visit` for each rule of a pinned generation. What cannot be read is left out. */
typedef void datapath_target_visit(void *data, const struct datapath_target *target);
void datapath_each_target(const char *instance, uint32_t generation, datapath_target_visit *visit,
			  void *data);

/* How many elements a map may have, 0 or -errno. */
int datapath_map_entries(int map_fd, uint32_t *entries);

/* The array behind a BPF_F_MMAPABLE map, or MAP_FAILED; unmap `*size` bytes. */
void *datapath_map_array(int map_fd, int protection, size_t *size);

/* Opens a pin of a generation: a file descriptor, or -errno. */
int datapath_open_generation_pin(const char *instance, uint32_t generation, const char *name);
/* The constants of a pinned generation; 0 or -errno. */
int datapath_read_constants(const char *instance, uint32_t generation,
			    struct pipeline_config *config);
/* The current generation; 0 or -errno. */
int datapath_current_generation(const char *instance, uint32_t *generation);
/* Where a pinned link is now: its interface (0: nowhere) and its program's id; 0 or -errno. */
int datapath_read_link(const char *instance, const char *name, struct bpf_link_info *info);
/* Where the instance's program is; it is known that something is pinned. 0 or -errno. */
int datapath_read_state(const char *instance, enum datapath_state *state);
/* Says that what is pinned cannot be read, and why; returns `err`. */
int datapath_explain_read(const char *instance, int err, struct error *error);

/*
 * What the kernel said of a request that libbpf made for it over netlink, the last one that it said
 * anything of; empty: nothing since it was forgotten.
 */
const char *datapath_kernel_message(void);
void datapath_forget_kernel_message(void);

/* Says why the kernel did not load the program, and what helps; returns `err`. */
int datapath_explain_load_failure(int err, struct error *error);

#endif
