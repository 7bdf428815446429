/* SPDX-License-Identifier: GPL-2.0-only */
/* Which boot of which kernel this is: times of two processes compare only within one boot. */
#ifndef BASE_BOOT_ID_H
#define BASE_BOOT_ID_H

#include <stdint.h>

uint16_t boot_id(void); /* a hash of the kernel's boot ID; 0: it cannot be read */

#endif
