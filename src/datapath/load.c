// SPDX-License-Identifier: GPL-2.0-only
/* From a configuration to a loaded program with filled tables, and running it by hand. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "datapath/histogram.h"
#include "datapath/internal.h"
#include "config/rule_name.h"
#include "rules/rule_tables.h"
#include "base/refusal.h"

/* Everything that is computed from the configuration before the kernel is asked for anything. */
struct tables {
	struct rule_tables nat;
	struct perfect_hash_table vnis;
	struct rule_names names;
};

static void tables_clear(struct tables *tables)
{
	rule_tables_clear(&tables->nat);
	perfect_hash_clear(&tables->vnis);
	rule_names_clear(&tables->names);
}

static int tables_build(struct tables *tables, const struct config *config, struct error *error)
{
	int err = rule_tables_build(&tables->nat, config->rules, config->rule_count);

	memset(&tables->vnis, 0, sizeof(tables->vnis));
	if (!err)
		err = vni_table_build(&tables->vnis, config->listen.vnis, config->listen.vni_count);
	if (!err)
		err = rule_names_make(&tables->names, config->rules, config->rule_count);
	if (err)
		return error_set(error, err, "cannot build the rule tables: %s", strerror(-err));
	return 0;
}

static enum vni_mode vni_mode_of(const struct config *config)
{
	const uint32_t *vnis = config->listen.vnis;

	if (config->listen.any_vni)
		return VNI_ANY;
	if (config->listen.vni_count == 1)
		return VNI_ONE;
	for (size_t i = 1; i < config->listen.vni_count; i++) {
		if (vnis[i] != vnis[0] + i)
			return VNI_LISTED;
	}
	return VNI_RANGE;
}

/* 0; -errno: whether the kernel is too old cannot be found out. */
static int choose_fragmenting(struct datapath *datapath, const struct config *config, uint32_t mtu)
{
	const struct datapath_links *links = &datapath->links;
	int broadcast;

	datapath->fragmenting = fragmenting_choose(config->forward.oversize,
						   (int64_t)links->listen_mtu - FRAGMENTING_TUNNEL,
						   mtu, links->egress_mtu, datapath->generic);
	if (datapath->fragmenting != FRAGMENTING_IN_XDP)
		return 0;
	broadcast = datapath_can_broadcast();
	if (broadcast == 0)
		datapath->fragmenting = FRAGMENTING_KERNEL_TOO_OLD;
	return broadcast < 0 ? broadcast : 0;
}

enum fragmenting datapath_fragmenting(const struct datapath *datapath)
{
	return datapath->fragmenting;
}

/* Have the targets of all IPv4 rules one address? */
static bool has_one_hop(const struct rule_tables *tables)
{
	size_t count = 0;

	for (size_t i = 0; i < tables->target_count; i++)
		count += tables->targets[i].version == 4;
	return count == 1;
}

/* Of each CPU, in whole cache lines: no line is two CPUs'. */
static uint32_t vni_counters(const struct config *config)
{
	const uint32_t in_a_line = 64 / sizeof(struct hits);
	const uint32_t count = config->listen.vni_count ? config->listen.vni_count : 1;

	return (count + in_a_line - 1) / in_a_line * in_a_line;
}

static void fill_constants(struct pipeline_config *to, const struct config *from,
			   const struct datapath_links *links, const struct tables *tables)
{
	to->layout = PIPELINE_CONFIG_LAYOUT;
	to->port = htons(from->listen.port);
	to->check_sources = from->listen.source_count > 0;
	to->vni_mode = vni_mode_of(from);
	to->vni = to->vni_mode == VNI_ANY ? VNI_NONE : from->listen.vnis[0];
	to->vni_count = from->listen.vni_count;
	to->vni_counters = vni_counters(from);
	to->truncated = from->inner.truncated;
	to->unmatched = from->forward.unmatched;
	to->udp_checksum = from->inner.udp_checksum;
	to->oversize = from->forward.oversize;
	to->next_hop = from->forward.next_hop;
	to->single_arm = links->listen_ifindex == links->egress_ifindex;
	to->transmit_by_redirect = to->single_arm && links->rings_each;
	to->clear_df_above = from->inner.clear_df_above;
	to->mtu = from->forward.mtu ? from->forward.mtu : links->egress_mtu;
	to->device_mtu = links->egress_mtu;
	to->mtu_is_devices = !from->forward.mtu;
	to->egress_ifindex = links->egress_ifindex;
	to->cpus = libbpf_num_possible_cpus();
	to->histograms = from->monitor.histograms;
	histogram_fill_slots(to->size_bucket);
	memcpy(to->listen_mac, links->listen_mac, sizeof(to->listen_mac));
	memcpy(to->egress_mac, links->egress_mac, sizeof(to->egress_mac));
	memcpy(to->next_hop_mac, from->forward.next_hop_mac, sizeof(to->next_hop_mac));
	to->nat4_rules = tables->nat.ipv4_rules;
	to->nat4_counters = tables->nat.ipv4_counters;
	to->rule_counters = tables->nat.counter_count;
	to->nat4_lower = tables->nat.ipv4_lower;
	to->nat4_upper = tables->nat.ipv4_upper;
	to->one_target = tables->nat.ipv4_target_count == 1;
	to->one_hop = has_one_hop(&tables->nat);
	to->nat4_only = tables->nat.ipv4_only;
	to->nat4 = tables->nat.ipv4.geometry;
	to->nat6 = tables->nat.ipv6.geometry;
	to->vnis = tables->vnis.geometry;
	to->nat4_shapes = tables->nat.ipv4_shape_count;
	to->nat6_shapes = tables->nat.ipv6_shape_count;
	memcpy(to->nat4_shape, tables->nat.ipv4_shapes, sizeof(to->nat4_shape));
	memcpy(to->nat6_shape, tables->nat.ipv6_shapes, sizeof(to->nat6_shape));
}

/* A map of no entries cannot be made. */
static uint32_t at_least_one(size_t count)
{
	return count ? count : 1;
}

static int size_maps(struct pipeline_bpf *skeleton, const struct config *config,
		     const struct tables *tables)
{
	const struct {
		struct bpf_map *map;
		size_t entries;
	} sizes[] = {
		{skeleton->maps.nat4_displacements, tables->nat.ipv4.displacement_words},
		{skeleton->maps.nat4_slots, tables->nat.ipv4.slot_count},
		{skeleton->maps.nat4_targets, tables->nat.ipv4_target_count},
		{skeleton->maps.nat6_displacements, tables->nat.ipv6.displacement_words},
		{skeleton->maps.nat6_slots, tables->nat.ipv6.slot_count},
		{skeleton->maps.next_hops, tables->nat.target_count},
		{skeleton->maps.rule_hits,
		 tables->nat.counter_count * skeleton->rodata->config.cpus},
		{skeleton->maps.rule_base, config->rule_count},
		{skeleton->maps.rule_names, (tables->names.size + 7) / 8},
		{skeleton->maps.vni_displacements, tables->vnis.displacement_words},
		{skeleton->maps.vni_slots, tables->vnis.slot_count},
		{skeleton->maps.vni_hits,
		 (size_t)skeleton->rodata->config.vni_counters * skeleton->rodata->config.cpus},
		{skeleton->maps.vni_any, config->listen.any_vni ? PIPELINE_MAX_VNIS : 0},
		{skeleton->maps.cutters, skeleton->rodata->config.cpus},
		{skeleton->maps.sources, config->listen.source_count},
		{skeleton->maps.source_sets,
		 config->listen.source_count ? 1U << SOURCE_SET_BITS : 0},
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int err = bpf_map__set_max_entries(sizes[i].map, at_least_one(sizes[i].entries));

		if (err)
			return err;
	}
	return 0;
}

static int explain_map(int err, const struct bpf_map *map, const char *instance,
		       struct error *error)
{
	char what[128];

	snprintf(what, sizeof(what), "cannot take over map %s of instance %s", bpf_map__name(map),
		 instance);
	return refusal_is(err) ? refusal_explain(err, what, error)
			       : error_set(error, err, "%s: %s", what, strerror(-err));
}

/* Counters and fragment decisions of an instance outlive its generations. */
static int adopt_maps(struct pipeline_bpf *skeleton, const struct datapath_pins *pins,
		      struct error *error)
{
	struct bpf_map *shared[SHARED_MAPS];

	datapath_shared_maps(skeleton, shared);
	for (size_t i = 0; i < SHARED_MAPS; i++) {
		int fd = pins->shared[i], err = fd;

		if (fd >= 0)
			err = datapath_map_fits(fd, shared[i]);
		/* 0: of another version, and this build counts anew */
		if (err > 0)
			err = bpf_map__reuse_fd(shared[i], fd);
		else if (err == -ENOENT)
			err = 0;
		if (err)
			return explain_map(err, shared[i], pins->instance, error);
	}
	return 0;
}

static int copy_array(const struct bpf_map *map, const void *data, size_t length)
{
	size_t size;
	void *array;

	if (!length)
		return 0;
	array = datapath_map_array(bpf_map__fd(map), PROT_READ | PROT_WRITE, &size);
	if (array == MAP_FAILED)
		return -errno;
	memcpy(array, data, length);
	munmap(array, size);
	return 0;
}

static int copy_table(const struct perfect_hash_table *table, const struct bpf_map *displacements,
		      const struct bpf_map *slots)
{
	int err = copy_array(displacements, table->displacements,
			     table->displacement_words * sizeof(*table->displacements));

	return err ? err : copy_array(slots, table->slots, table->slot_count * table->slot_size);
}

/* Every CPU's counter of a rule names the rule's target. */
static int fill_rule_hits(const struct bpf_map *map, const struct rule_tables *tables,
			  uint32_t cpus)
{
	struct rule_counter *counters;
	size_t size;

	counters = datapath_map_array(bpf_map__fd(map), PROT_READ | PROT_WRITE, &size);
	if (counters == MAP_FAILED)
		return -errno;
	for (uint32_t cpu = 0; cpu < cpus; cpu++) {
		struct rule_counter *ipv4 =
			counters + cpu * tables->counter_count + tables->ipv4_counters;

		for (size_t i = 0; i < tables->ipv4.slot_count; i++)
			ipv4[i] = (struct rule_counter){.key = tables->ipv4_keys[i],
							.packets = tables->ipv4_target_of[i]};
	}
	munmap(counters, size);
	return 0;
}

static int fill_folded(const struct pipeline_bpf *skeleton, const struct rule_tables *tables)
{
	int err;

	if (!tables->ipv4_lower)
		return 0;
	err = copy_array(skeleton->maps.nat4_targets, tables->ipv4_targets,
			 tables->ipv4_target_count * sizeof(*tables->ipv4_targets));
	return err ? err
		   : fill_rule_hits(skeleton->maps.rule_hits, tables,
				    skeleton->rodata->config.cpus);
}

static int fill_sources(const struct bpf_map *map, const struct config *config)
{
	for (size_t i = 0; i < config->listen.source_count; i++) {
		const struct ip_prefix *prefix = &config->listen.sources[i];
		struct source_key key = {
			.prefix_length = SOURCE_VERSION_BITS + prefix->length,
			.version = htonl(prefix->address.version),
		};
		uint32_t allowed = 1;

		memcpy(key.address, prefix->address.bytes, sizeof(key.address));
		if (bpf_map_update_elem(bpf_map__fd(map), &key, &allowed, BPF_ANY))
			return -errno;
	}
	return 0;
}

static int fill_maps(struct datapath *datapath, const struct config *config,
		     const struct datapath_options *options, const struct tables *tables)
{
	struct pipeline_bpf *skeleton = datapath->skeleton;
	int err;

	err = copy_table(&tables->nat.ipv4, skeleton->maps.nat4_displacements,
			 skeleton->maps.nat4_slots);
	if (!err)
		err = fill_folded(skeleton, &tables->nat);
	if (!err)
		err = copy_table(&tables->nat.ipv6, skeleton->maps.nat6_displacements,
				 skeleton->maps.nat6_slots);
	if (!err)
		err = copy_table(&tables->vnis, skeleton->maps.vni_displacements,
				 skeleton->maps.vni_slots);
	if (!err)
		err = copy_array(skeleton->maps.rule_names, tables->names.text, tables->names.size);
	if (!err)
		err = fill_sources(skeleton->maps.sources, config);
	if (!err && options->pins)
		err = datapath_begin_trimming(datapath, options->pins);
	return err ? err : datapath_fill_egress(datapath);
}

static bool needs_cutters(const struct pipeline_bpf *skeleton)
{
	return skeleton->rodata->config.fragment_in_xdp && !skeleton->rodata->config.trace;
}

static int choose_constants(struct datapath *datapath, const struct config *config,
			    const struct datapath_options *options, const struct tables *tables)
{
	struct pipeline_config *constants = &datapath->skeleton->rodata->config;
	struct pipeline_bpf *skeleton = datapath->skeleton;
	bool fragment;
	int err;

	fill_constants(constants, config, &datapath->links, tables);
	constants->generation = datapath->generation;
	constants->trace = options->trace;
	if (options->multi_buffer)
		constants->buffers = options->generic ? BUFFERS_JOINED : BUFFERS_SEVERAL;
	constants->may_pass = options->may_pass;
	datapath_pass_mac(options->pins ? datapath_pass_mark(options->pins) : 0,
			  (uint8_t *)constants->pass_mac);
	err = choose_fragmenting(datapath, config, constants->mtu);
	if (err)
		return err;
	fragment = datapath->fragmenting == FRAGMENTING_IN_XDP;
	constants->fragment_in_xdp = fragment;
	bpf_program__set_autoload(skeleton->progs.vxlan_pipeline_fragment, fragment);
	bpf_program__set_autoload(skeleton->progs.vxlan_pipeline_cut, needs_cutters(skeleton));
	bpf_program__set_autoload(skeleton->progs.vxlan_pipeline_explain,
				  fragment && options->trace);
	if (options->multi_buffer) {
		struct bpf_program *program = NULL;

		while ((program = bpf_object__next_program(skeleton->obj, program))) {
			if (bpf_program__type(program) == BPF_PROG_TYPE_XDP)
				bpf_program__set_flags(program, BPF_F_XDP_HAS_FRAGS);
		}
	}
	err = datapath_choose_shim(options->pins, &constants->fragment_mark);
	return err ? err : datapath_place_constants(skeleton->progs.vxlan_pipeline, constants);
}

static int datapath_load_program(struct datapath *datapath, const struct config *config,
				 const struct datapath_options *options,
				 const struct tables *tables, struct error *error)
{
	int err;

	datapath->skeleton = pipeline_bpf__open();
	if (!datapath->skeleton)
		return error_set(error, -errno, "cannot open the program: %s", strerror(errno));
	err = choose_constants(datapath, config, options, tables);
	if (!err)
		err = size_maps(datapath->skeleton, config, tables);
	if (!err && options->generic)
		err = datapath_shrink_egress(datapath->skeleton);
	if (err == -EPERM || err == -ENOMEM)
		return datapath_explain_load_failure(err, error);
	if (err)
		return error_set(error, err, "cannot prepare the program: %s", strerror(-err));
	if (options->pins)
		err = adopt_maps(datapath->skeleton, options->pins, error);
	if (err)
		return err;
	progress_step(&options->progress);
	err = pipeline_bpf__load(datapath->skeleton);
	progress_step(&options->progress);
	/* libbpf takes a probe that failed, for want of memory or so, for an old kernel without mmap */
	if (!err && !datapath->skeleton->rodata)
		return error_set(error, -EAGAIN,
				 "libbpf did not map the program's constants, as it could not find "
				 "out whether the kernel can; the reason is in the output of `run "
				 "--verbose`");
	if (err)
		return datapath_explain_load_failure(err, error);
	if (needs_cutters(datapath->skeleton))
		err = cpus_online(datapath->online);
	if (err)
		return error_set(error, err, "cannot tell by %s which CPUs are to fragment: %s",
				 CPUS_ONLINE, strerror(-err));
	err = fill_maps(datapath, config, options, tables);
	if (err)
		return error_set(error, err, "cannot fill the program's tables: %s",
				 strerror(-err));
	return 0;
}

/* A number that no generation of the instance has had: what is remembered of fragments names it. */
static uint32_t next_generation(const struct datapath_pins *pins)
{
	uint32_t highest = pins ? pins->highest : 0;

	if (pins && !pins->info_err && pins->info.generation > highest)
		highest = pins->info.generation;
	return highest + 1;
}

int datapath_load(struct datapath **out, const struct config *config,
		  const struct datapath_links *links, const struct datapath_options *options,
		  struct error *error)
{
	struct datapath *datapath = calloc(1, sizeof(*datapath));
	struct tables tables = {0};
	int err;

	if (!datapath)
		return error_set(error, -ENOMEM, "no memory");
	libbpf_set_print(datapath_print_libbpf);
	datapath->links = *links;
	datapath->progress = options->progress;
	datapath->generic = options->generic;
	datapath->generation = next_generation(options->pins);
	err = tables_build(&tables, config, error);
	progress_step(&options->progress);
	if (!err)
		err = datapath_load_program(datapath, config, options, &tables, error);
	if (err) {
		datapath_free(datapath);
	} else {
		datapath->targets = tables.nat.targets;
		datapath->target_count = tables.nat.target_count;
		tables.nat.targets = NULL;
		*out = datapath;
	}
	tables_clear(&tables);
	return err;
}

void datapath_free(struct datapath *datapath)
{
	if (!datapath)
		return;
	pipeline_bpf__destroy(datapath->skeleton);
	free(datapath->targets);
	free(datapath);
}
