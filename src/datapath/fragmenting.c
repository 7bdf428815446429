// SPDX-License-Identifier: GPL-2.0-only
#include <linux/ip.h>

#include "datapath/fragmenting.h"

/*
 * Fragmenting costs every packet a few nanoseconds, so it is left out where no packet that large can
 * arrive, or where forward.interface takes no frame larger than what may be sent.
 */
enum fragmenting fragmenting_choose(enum oversize_mode oversize, int64_t largest, int64_t mtu,
				    int64_t device_mtu, bool generic)
{
	if (oversize != OVERSIZE_FRAGMENT || largest <= mtu)
		return FRAGMENTING_NONE;
	if (generic)
		return FRAGMENTING_GENERIC_MODE;
	return device_mtu <= mtu + FRAGMENTING_ROOM ? FRAGMENTING_DEVICE_TOO_SMALL
						    : FRAGMENTING_IN_XDP;
}

int64_t fragmenting_largest(int64_t mtu)
{
	const int64_t header = sizeof(struct iphdr);
	const int64_t pieces = MAX_FRAGMENTS * ((mtu - header) / 8 * 8) + header;

	return pieces < FRAGMENTING_LARGEST ? pieces : FRAGMENTING_LARGEST;
}

int64_t fragmenting_device_mtu(int64_t largest)
{
	return (largest < FRAGMENTING_LARGEST ? largest : FRAGMENTING_LARGEST) + FRAGMENTING_ROOM;
}
