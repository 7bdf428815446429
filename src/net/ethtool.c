// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/sockios.h>

#include "base/cleanup.h"
#include "net/ethtool.h"

static int ethtool_request_by(int fd, const char *interface, void *command)
{
	struct ifreq ifr = {.ifr_data = command};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", interface);
	return ioctl(fd, SIOCETHTOOL, &ifr) < 0 ? -errno : 0;
}

static int ethtool_count_stats(int fd, const char *interface, uint32_t *count)
{
	union {
		struct ethtool_sset_info info;
		char with_one_length[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)];
	} query = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_STATS}};
	int err = ethtool_request_by(fd, interface, &query);

	if (err)
		return err;
	*count = query.info.sset_mask ? query.info.data[0] : 0;
	return *count ? 0 : -EOPNOTSUPP;
}

/*
 * The number of queues may change between the three requests. Kernels before commit 7b07be1ff1cb
 * then write as many values as there are by now, whatever room they are told of; later ones write
 * none.
 */
#define STATS_SPARE 8192
#define STATS_TRIES 5

static int ethtool_try_stats(int fd, const char *interface, struct ethtool_stat **stats,
			     size_t *count)
{
	_cleanup_free_ struct ethtool_gstrings *names = NULL;
	_cleanup_free_ struct ethtool_stats *values = NULL;
	struct ethtool_stat *found;
	uint32_t number = 0;
	int err = ethtool_count_stats(fd, interface, &number);

	if (err)
		return err;
	names = calloc(1, sizeof(*names) + ((size_t)number + STATS_SPARE) * ETH_GSTRING_LEN);
	values = calloc(1,
			sizeof(*values) + ((size_t)number + STATS_SPARE) * sizeof(values->data[0]));
	found = calloc(number, sizeof(*found));
	if (!names || !values || !found) {
		free(found);
		return -ENOMEM;
	}
	*names = (struct ethtool_gstrings){.cmd = ETHTOOL_GSTRINGS,
					   .string_set = ETH_SS_STATS,
					   .len = number};
	*values = (struct ethtool_stats){.cmd = ETHTOOL_GSTATS, .n_stats = number};
	err = ethtool_request_by(fd, interface, names);
	if (!err)
		err = ethtool_request_by(fd, interface, values);
	if (!err && (names->len != number || values->n_stats != number))
		err = -EAGAIN;
	if (err) {
		free(found);
		return err;
	}
	for (uint32_t i = 0; i < number; i++) {
		memcpy(found[i].name, names->data + (size_t)i * ETH_GSTRING_LEN, ETH_GSTRING_LEN);
		found[i].value = values->data[i];
	}
	*stats = found;
	*count = number;
	return 0;
}

int ethtool_read_stats(const char *interface, struct ethtool_stat **stats, size_t *count)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = fd < 0 ? -errno : -EAGAIN;

	for (int tries = 0; err == -EAGAIN && tries < STATS_TRIES; tries++)
		err = ethtool_try_stats(fd, interface, stats, count);
	return err;
}

int ethtool_request(const char *interface, void *command)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : ethtool_request_by(fd, interface, command);
}
