// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "net/driver.h"

#define ENA_MTU_IN_TREE DRIVER_SAFE_MTU
#define ENA_MTU_AMZN    3502
#define ENA_FRAGMENTS   1024 /* a second and interface */

/* Versions of ENA from amzn-drivers as one number. */
#define AMZN_VERSION(major, minor, patch) ((major)*1000000 + (minor)*1000 + (patch))
#define AMZN_PANICS                       AMZN_VERSION(2, 13, 0) /* repaired by 2.13.1 */
#define AMZN_FRAG_BYPASS                  AMZN_VERSION(2, 13, 3) /* has DRIVER_ENA_BYPASS */
#define AMZN_ANY_MTU                      AMZN_VERSION(2, 17, 0) /* and channels, with xdp.frags */

/* Drivers with native XDP on all kernels that this program runs on. */
static const char *const native_drivers[] = {
	"veth", "virtio_net", "tun",     "i40e", "ice",  "ixgbe", "ixgbevf", "mlx5_core",
	"igb",  "igc",        "bnxt_en", "nfp",  "qede", "sfc",   "mvneta",  "hv_netvsc",
};

static const char *const helpless_drivers[] = {
	"bridge",    "e1000",   "e1000e", "vmxnet3",
	"8139cp",    "dummy",   "vxlan",  "802.1Q VLAN Support",
	"vlan",      "macvlan", "ipvlan", "gretap",
	"ip6gretap", "geneve",  "team",   "ifb",
};

/* Drivers that take redirected frames with or without a program. */
static const char *const programless_drivers[] = {"veth", "tun"};

#define LISTS(names, name) driver_is_listed(names, sizeof(names) / sizeof((names)[0]), name)

static bool driver_is_listed(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* "2.13.0g" as AMZN_VERSION; 0: no version of amzn-drivers, as in-tree "6.1.0-18-cloud-amd64". */
static int64_t driver_amzn_version(const char *text, const char *kernel)
{
	unsigned int major, minor, patch;
	int length = 0;

	if (*kernel && strcmp(text, kernel) == 0)
		return 0;
	if (sscanf(text, "%u.%u.%u%n", &major, &minor, &patch, &length) != 3 || major > 2 ||
	    strlen(text + length) > 1)
		return 0;
	return AMZN_VERSION(major, minor, patch);
}

/* What Red Hat Enterprise Linux 9.3 and 9.4 came with. */
static bool driver_is_of_rhel_93(const char *kernel)
{
	return strstr(kernel, ".el9_3") || strstr(kernel, ".el9_4") ||
	       strncmp(kernel, "5.14.0-362.", 11) == 0 || strncmp(kernel, "5.14.0-427.", 11) == 0;
}

static struct driver driver_ena(const struct driver_facts *facts)
{
	const char *kernel = facts->kernel ? facts->kernel : "";
	int64_t version = driver_amzn_version(facts->version ? facts->version : "", kernel);
	bool in_tree = version == 0;
	struct driver ena = {
		.title = "ENA",
		.native = ANSWER_YES, /* the driver says no while it has too many channels */
		.needs_program = ANSWER_YES,
		.rings_each = in_tree, /* ena_xdp.c; amzn-drivers rings once for many since 2.9.0 */
		.attach_interrupts = true,
		.panics = version == AMZN_PANICS,
		.fails_xdp = in_tree && driver_is_of_rhel_93(kernel),
		.fragments = ENA_FRAGMENTS,
		.has_bypass = version >= AMZN_FRAG_BYPASS,
	};

	if (version >= AMZN_ANY_MTU && facts->frags != ANSWER_NO)
		return ena;
	ena.xdp_mtu = in_tree ? ENA_MTU_IN_TREE : ENA_MTU_AMZN;
	ena.xdp_mtu_sure = true;
	if (facts->channels_max > 0)
		ena.xdp_channels = facts->channels_max > 1 ? facts->channels_max / 2 : 1;
	return ena;
}

struct driver driver_of(const struct driver_facts *facts)
{
	const char *name = facts->name ? facts->name : "";
	struct driver driver = {.title = name, .native = facts->native};

	if (strcmp(name, "ena") == 0)
		return driver_ena(facts);
	if (driver.native == ANSWER_UNKNOWN && LISTS(native_drivers, name))
		driver.native = ANSWER_YES;
	if (driver.native == ANSWER_UNKNOWN && LISTS(helpless_drivers, name))
		driver.native = ANSWER_NO;
	if (facts->multi_buffer != ANSWER_YES || facts->frags == ANSWER_NO)
		driver.xdp_mtu = DRIVER_SAFE_MTU;
	if (strcmp(name, "virtio_net") == 0) {
		driver.needs_program = ANSWER_YES;
		driver.channel_each_cpu = true;
	}
	if (LISTS(programless_drivers, name))
		driver.needs_program = ANSWER_NO;
	driver.has_peer = strcmp(name, "veth") == 0;
	return driver;
}

struct driver driver_named(const char *name)
{
	return driver_of(&(struct driver_facts){.name = name});
}
