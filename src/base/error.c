// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"

int error_set(struct error *error, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	return code;
}

bool error_may_pass(int err)
{
	static const int passing[] = {ENOMEM, ENOBUFS, EAGAIN, EINTR, EBUSY, EMFILE, ENFILE};

	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		if (err == -passing[i])
			return true;
	}
	return false;
}
