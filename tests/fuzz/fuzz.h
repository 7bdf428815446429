/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the libFuzzer targets share. Not to crash is not enough: each target states what must hold of
 * what its input was made into.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What has to hold; `text` says so in words. */
static inline void must(bool holds, const char *text)
{
	if (holds)
		return;
	fprintf(stderr, "FUZZ: does not hold: %s\n", text);
	abort();
}

static inline bool is_printable(const char *text)
{
	for (; *text; text++)
		if (*text < ' ' || *text > '~')
			return false;
	return true;
}

/* A copy with a zero byte behind it, to be freed. */
static inline char *text_of(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	must(text, "there is memory");
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* A file that only this process has, by its path: for what reads files. */
struct memory_file {
	int fd;
	char path[32];
};

static inline void memory_file_set(struct memory_file *file, const void *data, size_t size)
{
	if (file->fd <= 0) {
		file->fd = memfd_create("fuzz", MFD_CLOEXEC);
		must(file->fd > 0, "there are files in memory");
		snprintf(file->path, sizeof(file->path), "/proc/self/fd/%d", file->fd);
	}
	must(ftruncate(file->fd, 0) == 0 && pwrite(file->fd, data, size, 0) == (ssize_t)size,
	     "the file is written");
}

#endif
