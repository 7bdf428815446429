// SPDX-License-Identifier: GPL-2.0-only
#include "datapath/cutting.h"

/*
 * Cutting costs every packet a few nanoseconds, so it is left out where nothing to cut can come, or
 * where nothing larger than what may be sent gets past the device.
 */
enum cutting cutting_choose(enum oversize_mode oversize, int64_t largest, int64_t mtu,
			    int64_t device_mtu, bool generic)
{
	if (oversize != OVERSIZE_FRAGMENT || largest <= mtu)
		return CUTTING_NONE;
	if (generic)
		return CUTTING_GENERIC_MODE;
	return device_mtu <= mtu + CUTTING_ROOM ? CUTTING_DEVICE_TOO_SMALL : CUTTING_IN_XDP;
}
