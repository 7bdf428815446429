// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <linux/ethtool.h>

#include "base/cleanup.h"
#include "net/ethtool.h"
#include "net/ethtool_features.h"

/* How many features the kernel has; the number is the same for each device. */
static int ethtool_count_features(const char *interface, uint32_t *count)
{
	union {
		struct ethtool_sset_info info;
		char with_one_length[sizeof(struct ethtool_sset_info) + sizeof(uint32_t)];
	} query = {.info = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ULL << ETH_SS_FEATURES}};
	int err = ethtool_request(interface, &query);

	if (err)
		return err;
	*count = query.info.sset_mask ? query.info.data[0] : 0;
	return *count ? 0 : -EOPNOTSUPP;
}

/* The number of the feature, or -errno. */
static int64_t ethtool_find_feature(const char *interface, const char *name, uint32_t count)
{
	_cleanup_free_ struct ethtool_gstrings *names =
		calloc(1, sizeof(*names) + (size_t)count * ETH_GSTRING_LEN);
	int err;

	if (!names)
		return -ENOMEM;
	*names = (struct ethtool_gstrings){.cmd = ETHTOOL_GSTRINGS,
					   .string_set = ETH_SS_FEATURES,
					   .len = count};
	err = ethtool_request(interface, names);
	if (err)
		return err;
	for (uint32_t i = 0; i < names->len && i < count; i++) {
		if (strncmp((char *)names->data + (size_t)i * ETH_GSTRING_LEN, name,
			    ETH_GSTRING_LEN) == 0)
			return i;
	}
	return -ENOENT;
}

int ethtool_read_feature(const char *interface, const char *name, struct ethtool_feature *feature)
{
	_cleanup_free_ struct ethtool_gfeatures *words = NULL;
	const struct ethtool_get_features_block *block;
	uint32_t count = 0, bit;
	int64_t number;
	int err = ethtool_count_features(interface, &count);

	if (err)
		return err;
	number = ethtool_find_feature(interface, name, count);
	if (number < 0)
		return (int)number;
	words = calloc(1, sizeof(*words) + (count + 31) / 32 * sizeof(words->features[0]));
	if (!words)
		return -ENOMEM;
	words->cmd = ETHTOOL_GFEATURES;
	words->size = (count + 31) / 32;
	err = ethtool_request(interface, words);
	if (err)
		return err;
	block = &words->features[number / 32];
	bit = 1U << (number % 32);
	feature->on = block->active & bit;
	feature->fixed = block->never_changed & bit || !(block->available & bit);
	return 0;
}
