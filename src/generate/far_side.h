/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GENERATE_FAR_SIDE_H
#define GENERATE_FAR_SIDE_H

#include "base/addr.h"

/*
 * Finds the MAC of an IPv4 address on the interface's network. Makes the kernel resolve an address
 * that it does not know: -EHOSTUNREACH after a second without an answer. 0 or -errno.
 */
int generator_find_mac(const char *interface, int ifindex, const struct ip_address *address,
		       uint8_t mac[6]);

#endif
