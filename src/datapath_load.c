// SPDX-License-Identifier: GPL-2.0-only
/* From a configuration to a loaded program with filled tables, and running it by hand. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cleanup.h"
#include "datapath_internal.h"
#include "instance.h"
#include "nat.h"

static void (*debug_print)(const char *line);

static char kernel_message[256];

/* libbpf reports the kernel's own words for a refused netlink request only this way. */
static void note_kernel_message(const char *line)
{
	static const char prefix[] = "libbpf: Kernel error message: ";

	if (strncmp(line, prefix, sizeof(prefix) - 1) == 0)
		snprintf(kernel_message, sizeof(kernel_message), "%.*s",
			 (int)strcspn(line + sizeof(prefix) - 1, "\n"), line + sizeof(prefix) - 1);
}

const char *datapath_kernel_message(void)
{
	return kernel_message;
}

static int print_libbpf(enum libbpf_print_level level, const char *format, va_list args)
{
	char *line = NULL;

	(void)level;
	if (vasprintf(&line, format, args) < 0)
		return 0;
	note_kernel_message(line);
	if (debug_print)
		debug_print(line);
	free(line);
	return 0;
}

void datapath_set_debug(void (*print)(const char *line))
{
	debug_print = print;
}

/* Everything that is computed from the configuration before the kernel is asked for anything. */
struct tables {
	struct nat_tables nat;
	struct lookup_table vnis;
};

static void tables_clear(struct tables *tables)
{
	nat_tables_clear(&tables->nat);
	lookup_table_clear(&tables->vnis);
}

static int tables_build(struct tables *tables, const struct config *config, struct error *error)
{
	int err = nat_tables_build(&tables->nat, config->rules, config->rule_count);

	memset(&tables->vnis, 0, sizeof(tables->vnis));
	if (!err)
		err = vni_table_build(&tables->vnis, config->listen.vnis, config->listen.vni_count);
	if (err)
		return error_set(error, err, "cannot build the rule tables: %s", strerror(-err));
	return 0;
}

static enum vni_mode vni_mode_of(const struct config *config)
{
	if (config->listen.any_vni)
		return VNI_ANY;
	return config->listen.vni_count == 1 ? VNI_ONE : VNI_LISTED;
}

static void fill_constants(struct pipeline_config *to, const struct config *from,
			   const struct datapath_links *links, const struct tables *tables)
{
	to->port = htons(from->listen.port);
	to->check_sources = from->listen.source_count > 0;
	to->vni_mode = vni_mode_of(from);
	to->vni = to->vni_mode == VNI_ONE ? from->listen.vnis[0] : VNI_NONE;
	to->truncated = from->inner.truncated;
	to->unmatched = from->forward.unmatched;
	to->udp_checksum = from->inner.udp_checksum;
	to->oversize = from->forward.oversize;
	to->next_hop = from->forward.next_hop;
	to->single_arm = links->listen_ifindex == links->egress_ifindex;
	to->clear_df_above = from->inner.clear_df_above;
	to->mtu = from->forward.mtu ? from->forward.mtu : links->egress_mtu;
	to->egress_ifindex = links->egress_ifindex;
	to->cpus = libbpf_num_possible_cpus();
	memcpy(to->listen_mac, links->listen_mac, sizeof(to->listen_mac));
	memcpy(to->egress_mac, links->egress_mac, sizeof(to->egress_mac));
	memcpy(to->next_hop_mac, from->forward.next_hop_mac, sizeof(to->next_hop_mac));
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
		{skeleton->maps.nat6_displacements, tables->nat.ipv6.displacement_words},
		{skeleton->maps.nat6_slots, tables->nat.ipv6.slot_count},
		{skeleton->maps.rule_hits, config->rule_count},
		{skeleton->maps.rule_base, config->rule_count},
		{skeleton->maps.vni_displacements, tables->vnis.displacement_words},
		{skeleton->maps.vni_slots, tables->vnis.slot_count},
		{skeleton->maps.vni_hits, config->listen.vni_count},
		{skeleton->maps.vni_any, config->listen.any_vni ? PIPELINE_MAX_VNIS : 0},
		{skeleton->maps.sources, config->listen.source_count},
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int err = bpf_map__set_max_entries(sizes[i].map, at_least_one(sizes[i].entries));

		if (err)
			return err;
	}
	return 0;
}

/* Counters and fragment decisions of an instance outlive its generations. */
static int adopt_maps(struct pipeline_bpf *skeleton, const char *instance, struct error *error)
{
	struct bpf_map *const shared[] = {skeleton->maps.counters, skeleton->maps.instance,
					  skeleton->maps.fragments};

	for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
		_cleanup_close_ int fd = datapath_open_pin(instance, bpf_map__name(shared[i]));
		int err = 0;

		/* of another version: this build counts anew */
		if (fd >= 0 && datapath_map_fits(fd, shared[i]))
			err = bpf_map__reuse_fd(shared[i], fd);
		else if (fd < 0 && fd != -ENOENT)
			err = fd;
		if (err)
			return error_set(error, err, "cannot take over map %s of instance %s: %s",
					 bpf_map__name(shared[i]), instance, strerror(-err));
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

static int copy_table(const struct lookup_table *table, const struct bpf_map *displacements,
		      const struct bpf_map *slots)
{
	int err = copy_array(displacements, table->displacements,
			     table->displacement_words * sizeof(*table->displacements));

	return err ? err : copy_array(slots, table->slots, table->slot_count * table->slot_size);
}

static int fill_sources(const struct bpf_map *map, const struct config *config)
{
	for (size_t i = 0; i < config->listen.source_count; i++) {
		const struct ip_prefix *prefix = &config->listen.sources[i];
		struct source_key key = {.prefix_length = prefix->length};
		uint32_t allowed = 1;

		if (prefix->address.version == 4) {
			key.prefix_length += 96;
			key.address[2] = htonl(0xffff);
			memcpy(&key.address[3], prefix->address.bytes, 4);
		} else {
			memcpy(key.address, prefix->address.bytes, 16);
		}
		if (bpf_map_update_elem(bpf_map__fd(map), &key, &allowed, BPF_ANY))
			return -errno;
	}
	return 0;
}

static int fill_maps(struct datapath *datapath, const struct config *config,
		     const struct tables *tables)
{
	struct pipeline_bpf *skeleton = datapath->skeleton;
	uint32_t zero = 0, ifindex = datapath->links.egress_ifindex;
	int err;

	err = copy_table(&tables->nat.ipv4, skeleton->maps.nat4_displacements,
			 skeleton->maps.nat4_slots);
	if (!err)
		err = copy_table(&tables->nat.ipv6, skeleton->maps.nat6_displacements,
				 skeleton->maps.nat6_slots);
	if (!err)
		err = copy_table(&tables->vnis, skeleton->maps.vni_displacements,
				 skeleton->maps.vni_slots);
	if (!err)
		err = fill_sources(skeleton->maps.sources, config);
	if (!err &&
	    bpf_map_update_elem(bpf_map__fd(skeleton->maps.egress), &zero, &ifindex, BPF_ANY))
		err = -errno;
	return err;
}

static int explain_load_failure(int err, struct error *error)
{
	switch (err) {
	case -EPERM:
		return error_set(error, err,
				 "not permitted to load BPF programs; run as root, or with "
				 "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON");
	case -ENOMEM:
		return error_set(error, err, "no memory for the program's tables");
	default:
		return error_set(error, err,
				 "the kernel refuses the program: %s; the reason is in the output "
				 "of `run --verbose`",
				 strerror(-err));
	}
}

int datapath_load(struct datapath **out, const struct config *config,
		  const struct datapath_links *links, const char *instance, bool trace,
		  struct error *error)
{
	struct datapath *datapath = calloc(1, sizeof(*datapath));
	struct tables tables = {0};
	int err;

	if (!datapath)
		return error_set(error, -ENOMEM, "no memory");
	libbpf_set_print(print_libbpf);
	datapath->links = *links;
	datapath->generation = instance ? datapath_highest_generation(instance) + 1 : 1;
	err = tables_build(&tables, config, error);
	if (err)
		goto out;
	datapath->skeleton = pipeline_bpf__open();
	if (!datapath->skeleton) {
		err = error_set(error, -errno, "cannot open the program: %s", strerror(errno));
		goto out;
	}
	fill_constants(&datapath->skeleton->rodata->config, config, links, &tables);
	datapath->skeleton->rodata->config.generation = datapath->generation;
	datapath->skeleton->rodata->config.trace = trace;
	err = size_maps(datapath->skeleton, config, &tables);
	if (!err && instance)
		err = adopt_maps(datapath->skeleton, instance, error);
	if (err)
		goto out;
	err = pipeline_bpf__load(datapath->skeleton);
	if (err) {
		explain_load_failure(err, error);
		goto out;
	}
	err = fill_maps(datapath, config, &tables);
	if (err)
		error_set(error, err, "cannot fill the program's tables: %s", strerror(-err));
out:
	tables_clear(&tables);
	if (err) {
		datapath_free(datapath);
		return err;
	}
	*out = datapath;
	return 0;
}

void datapath_free(struct datapath *datapath)
{
	if (!datapath)
		return;
	pipeline_bpf__destroy(datapath->skeleton);
	free(datapath);
}

/*
 * Linux before 5.15 takes no context: there every frame comes in on the namespace's loopback, which
 * makes no difference where loopback forwards as listen_ifindex does.
 */
static int test_run(const struct datapath *datapath, struct bpf_test_run_opts *options)
{
	int program_fd = bpf_program__fd(datapath->skeleton->progs.vxlan_pipeline);
	int err;

	options->data_size_out = DATAPATH_MAX_FRAME;
	err = bpf_prog_test_run_opts(program_fd, options);
	if (err != -EINVAL)
		return err;
	options->ctx_in = NULL;
	options->ctx_size_in = 0;
	options->data_size_out = DATAPATH_MAX_FRAME;
	return bpf_prog_test_run_opts(program_fd, options);
}

int datapath_run(struct datapath *datapath, const void *frame, size_t length, void *out,
		 struct datapath_outcome *outcome, struct error *error)
{
	struct xdp_md context = {
		.data_end = length,
		.ingress_ifindex = datapath->links.listen_ifindex,
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = length,
		    .data_out = out, .ctx_in = &context, .ctx_size_in = sizeof(context),
		    .repeat = 1);
	uint32_t zero = 0;
	int err;

	if (length < 14)
		return error_set(error, -EINVAL, "shorter than an Ethernet header");
	if (length > DATAPATH_MAX_FRAME)
		return error_set(error, -EMSGSIZE,
				 "longer than the %d bytes XDP takes in one buffer",
				 DATAPATH_MAX_FRAME);
	err = test_run(datapath, &options);
	if (err)
		return error_set(error, err, "the kernel does not run the program: %s",
				 strerror(-err));
	if (bpf_map_lookup_elem(bpf_map__fd(datapath->skeleton->maps.traces), &zero,
				&outcome->trace))
		return error_set(error, -errno, "cannot read the trace: %s", strerror(errno));
	outcome->action = options.retval;
	outcome->length = options.data_size_out;
	return 0;
}
