/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BASE_ANSWER_H
#define BASE_ANSWER_H

/* UNKNOWN: this process may not ask, or this kernel has no way to ask. */
enum answer { ANSWER_UNKNOWN, ANSWER_NO, ANSWER_YES };

#endif
