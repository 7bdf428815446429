// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "host/driver.h"
#include "net/xdp_program.h"

#define ENA_MTU_IN_TREE 3498
#define ENA_MTU_AMZN    3502

/* Drivers with native XDP on all kernels that this program runs on. */
static const char *const native_drivers[] = {
	"veth", "virtio_net", "tun",     "i40e", "ice",  "ixgbe", "ixgbevf", "mlx5_core",
	"igb",  "igc",        "bnxt_en", "nfp",  "qede", "sfc",   "mvneta",  "hv_netvsc",
};

static const char *const helpless_drivers[] = {
	"bridge", "e1000", "e1000e", "vmxnet3", "8139cp", "dummy", "vxlan", "802.1Q VLAN Support",
};

static bool listed(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* "2.13.0g" as DRIVER_VERSION; 0: no version of amzn-drivers, as in-tree "6.1.0-18-cloud-amd64". */
static int64_t amzn_version(const char *text, const char *kernel)
{
	unsigned int major, minor, patch;
	int length = 0;

	if (*kernel && strcmp(text, kernel) == 0)
		return 0;
	if (sscanf(text, "%u.%u.%u%n", &major, &minor, &patch, &length) != 3 || major > 2 ||
	    strlen(text + length) > 1)
		return 0;
	return DRIVER_VERSION(major, minor, patch);
}

/* What Red Hat Enterprise Linux 9.3 and 9.4 came with. */
static bool is_rhel_93(const char *kernel)
{
	return strstr(kernel, ".el9_3") || strstr(kernel, ".el9_4") ||
	       strncmp(kernel, "5.14.0-362.", 11) == 0 || strncmp(kernel, "5.14.0-427.", 11) == 0;
}

static void know_ena(const struct host *host, const struct host_link *link, struct driver *driver)
{
	int64_t version = amzn_version(link->driver_version, host->kernel);

	driver->ena = true;
	driver->in_tree = version == 0;
	driver->version = version;
	driver->native = ANSWER_YES; /* although it says no while it has too many channels */
	driver->needs_own_program = true;
	driver->attach_interrupts = true;
	driver->panics = version == DRIVER_VERSION(2, 13, 0);
	driver->fails_xdp = driver->in_tree && is_rhel_93(host->kernel);
	if (version >= DRIVER_ENA_ANY_MTU && host->features.frags != ANSWER_NO)
		return;
	driver->xdp_mtu = driver->in_tree ? ENA_MTU_IN_TREE : ENA_MTU_AMZN;
	driver->xdp_mtu_sure = true;
	if (link->channels_max > 0)
		driver->xdp_channels = link->channels_max > 1 ? link->channels_max / 2 : 1;
}

struct driver driver_of(const struct host *host, const struct host_link *link)
{
	struct driver driver = {.native = link->native};
	const char *name = link->driver;

	if (strcmp(name, "ena") == 0) {
		know_ena(host, link, &driver);
		return driver;
	}
	if (driver.native == ANSWER_UNKNOWN &&
	    listed(native_drivers, sizeof(native_drivers) / sizeof(native_drivers[0]), name))
		driver.native = ANSWER_YES;
	if (driver.native == ANSWER_UNKNOWN &&
	    listed(helpless_drivers, sizeof(helpless_drivers) / sizeof(helpless_drivers[0]), name))
		driver.native = ANSWER_NO;
	driver.needs_own_program = strcmp(name, "virtio_net") == 0;
	if (link->multi_buffer != ANSWER_YES || host->features.frags == ANSWER_NO)
		driver.xdp_mtu = XDP_SAFE_MTU;
	return driver;
}
