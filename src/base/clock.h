/* SPDX-License-Identifier: GPL-2.0-only */
/* CLOCK_MONOTONIC as one number. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

int64_t clock_us(void);
int64_t clock_ms(void);

#endif
