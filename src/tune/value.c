// SPDX-License-Identifier: GPL-2.0-only
/* Reads and writes one value of the host. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/ethtool.h>

#include "base/cleanup.h"
#include "net/ethtool.h"
#include "net/netdev.h"
#include "tune/internal.h"

static int get_file(const char *path, int64_t *value)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[32], *end;
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	int64_t number;

	if (length < 0)
		return -errno;
	text[length] = '\0';
	errno = 0;
	number = strtoll(text, &end, 10);
	if (end == text || errno)
		return -EPROTO;
	*value = number;
	return 0;
}

static int set_file(const char *path, int64_t value)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || dprintf(fd, "%lld\n", (long long)value) < 0 ? -errno : 0;
}

static int get_mtu(const char *interface, int64_t *value)
{
	struct netdev netdev;
	struct error ignored;
	int err = netdev_get(interface, &netdev, &ignored);

	if (!err)
		*value = netdev.mtu;
	return err;
}

static int set_mtu(const char *interface, int64_t value)
{
	return netdev_set_mtu(interface, (uint32_t)value);
}

static int get_channels(const char *interface, int64_t *value)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	int err = ethtool_request(interface, &channels);

	if (!err)
		*value = channels.combined_count;
	return err;
}

static int set_channels(const char *interface, int64_t value)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	int err = ethtool_request(interface, &channels);

	channels.cmd = ETHTOOL_SCHANNELS;
	channels.combined_count = (uint32_t)value;
	return err ? err : ethtool_request(interface, &channels);
}

static int get_ring(const char *interface, int64_t *value)
{
	struct ethtool_ringparam ring = {.cmd = ETHTOOL_GRINGPARAM};
	int err = ethtool_request(interface, &ring);

	if (!err)
		*value = ring.rx_pending;
	return err;
}

static int set_ring(const char *interface, int64_t value)
{
	struct ethtool_ringparam ring = {.cmd = ETHTOOL_GRINGPARAM};
	int err = ethtool_request(interface, &ring);

	ring.cmd = ETHTOOL_SRINGPARAM;
	ring.rx_pending = (uint32_t)value;
	return err ? err : ethtool_request(interface, &ring);
}

static int get_adaptive(const char *interface, int64_t *value)
{
	struct ethtool_coalesce coalesce = {.cmd = ETHTOOL_GCOALESCE};
	int err = ethtool_request(interface, &coalesce);

	if (!err)
		*value = coalesce.use_adaptive_rx_coalesce != 0;
	return err;
}

static int get_usecs(const char *interface, int64_t *value)
{
	struct ethtool_coalesce coalesce = {.cmd = ETHTOOL_GCOALESCE};
	int err = ethtool_request(interface, &coalesce);

	if (!err)
		*value = coalesce.rx_coalesce_usecs;
	return err;
}

static int set_coalesce(const char *interface, const int64_t *adaptive, const int64_t *usecs)
{
	struct ethtool_coalesce coalesce = {.cmd = ETHTOOL_GCOALESCE};
	int err = ethtool_request(interface, &coalesce);

	coalesce.cmd = ETHTOOL_SCOALESCE;
	if (adaptive)
		coalesce.use_adaptive_rx_coalesce = (uint32_t)*adaptive;
	if (usecs)
		coalesce.rx_coalesce_usecs = (uint32_t)*usecs;
	return err ? err : ethtool_request(interface, &coalesce);
}

static int set_adaptive(const char *interface, int64_t value)
{
	return set_coalesce(interface, &value, NULL);
}

static int set_usecs(const char *interface, int64_t value)
{
	return set_coalesce(interface, NULL, &value);
}

static const struct {
	const char *name;
	int (*get)(const char *object, int64_t *value);
	int (*set)(const char *object, int64_t value);
	bool interrupts; /* drivers take the interface down to change it */
} values[TUNE_KINDS] = {
	[TUNE_MTU] = {"mtu", get_mtu, set_mtu, true},
	[TUNE_CHANNELS] = {"channels", get_channels, set_channels, true},
	[TUNE_RX_RING] = {"rx-ring", get_ring, set_ring, true},
	[TUNE_ADAPTIVE_RX] = {"adaptive-rx", get_adaptive, set_adaptive, false},
	[TUNE_RX_USECS] = {"rx-usecs", get_usecs, set_usecs, false},
	[TUNE_FILE] = {"file", get_file, set_file, false},
};

int tune_get(enum tune_kind kind, const char *object, int64_t *value)
{
	return values[kind].get(object, value);
}

int tune_set(enum tune_kind kind, const char *object, int64_t value)
{
	return values[kind].set(object, value);
}

bool tune_interrupts(enum tune_kind kind)
{
	return values[kind].interrupts;
}

const char *tune_kind_name(enum tune_kind kind)
{
	return values[kind].name;
}

const char *tune_name(enum tune_kind kind, const char *object, char *name)
{
	static const char *const prefixes[] = {"/proc/sys/", "/sys/devices/system/"};

	if (kind != TUNE_FILE) {
		snprintf(name, TUNE_NAME_SIZE, "%s %s", object, values[kind].name);
		return name;
	}
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		if (strncmp(object, prefixes[i], strlen(prefixes[i])) == 0)
			object += strlen(prefixes[i]);
	}
	snprintf(name, TUNE_NAME_SIZE, "%s", object);
	return name;
}
