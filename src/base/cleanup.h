/* SPDX-License-Identifier: GPL-2.0-only */
/* Cleanup bound to scope. */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

/* `unused`: what is only held, as a lock is, does its work by its end; clang would complain. */
#define _cleanup_(function) __attribute__((cleanup(function), unused))
#define _cleanup_close_     _cleanup_(cleanup_close)
#define _cleanup_fclose_    _cleanup_(cleanup_fclose)
#define _cleanup_free_      _cleanup_(cleanup_free)

#endif
