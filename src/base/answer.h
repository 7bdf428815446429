/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BASE_ANSWER_H
#define BASE_ANSWER_H

/* What a look at something says: it may not be allowed, or this kernel may have no way to ask. */
enum answer { ANSWER_UNKNOWN, ANSWER_NO, ANSWER_YES };

#endif
