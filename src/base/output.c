// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/output.h"

int output_write(int fd, const char *text, size_t length, int patience_ms)
{
	const int64_t deadline = clock_ms() + patience_ms;
	struct pollfd ready = {.fd = fd, .events = POLLOUT};

	while (length) {
		/* a pipe that is ready takes PIPE_BUF bytes without waiting (pipe(7)) */
		size_t piece = length < PIPE_BUF ? length : PIPE_BUF;
		int64_t left = deadline - clock_ms();
		ssize_t written;

		if (poll(&ready, 1, left > 0 ? (int)left : 0) <= 0)
			return -EAGAIN;
		written = write(fd, text, piece);
		if (written < 0)
			return -errno;
		text += written;
		length -= (size_t)written;
	}
	return 0;
}
