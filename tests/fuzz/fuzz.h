/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the libFuzzer targets share. Besides not crashing, each target states what must hold for the
 * results of its input.
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

/* Aborts unless the condition holds; `text` says it in words. */
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

/* A copy that ends with a zero byte; the caller frees it. */
static inline char *text_of(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	must(text, "there is memory");
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

/* A file in memory with a path, for functions that read files. */
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
