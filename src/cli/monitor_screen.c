// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/output.h"
#include "cli/monitor_screen.h"
#include "cli/terminal.h"
#include "datapath/owner.h"
#include "observe/screen.h"

struct screen_watch {
	struct screen screen; /* whose looks are these: */
	struct look looks[2]; /* the one before, and the latest one */
	struct monitor monitor;
	struct health_watch health;
	int64_t at; /* CLOCK_MONOTONIC, ms: of the latest one */
};

static void forget_looks(struct screen_watch *watch)
{
	if (watch->screen.before)
		look_clear(&watch->looks[0]);
	if (watch->screen.now)
		look_clear(&watch->looks[1]);
	watch->screen.now = watch->screen.before = NULL;
	watch->monitor.at = (struct timespec){0};
	watch->health = (struct health_watch){0};
}

static void note_rates(struct screen_watch *watch, const struct look *look)
{
	struct monitor_rates rates;

	watch->monitor.target_pps = look->stats.info.target_pps;
	watch->monitor.warning_pps = look->stats.info.warning_pps;
	rates = monitor_take(&watch->monitor, &look->stats.counters);
	if (rates.seconds > 0)
		screen_note_rates(&watch->screen, &watch->monitor, &rates);
}

/* 0; -ENOENT: nothing is attached; else another negative errno. */
static int watch_take(struct screen_watch *watch, struct error *error)
{
	struct look *looks = watch->looks, look;
	int err = look_take(&look, watch->screen.instance, &watch->health, error);
	int64_t now = clock_ms();

	if (err)
		return err;
	if (look.stats.state == DATAPATH_ABSENT) {
		look_clear(&look);
		forget_looks(watch);
		return datapath_not_attached(watch->screen.instance, error);
	}
	/* what was stopped and started counts from zero */
	if (watch->screen.now && looks[1].stats.info.attached_at != look.stats.info.attached_at)
		forget_looks(watch);
	if (watch->screen.before)
		look_clear(&looks[0]);
	watch->screen.before = watch->screen.now ? &looks[0] : NULL;
	looks[0] = looks[1];
	looks[1] = look;
	watch->screen.now = &looks[1];
	watch->screen.seconds = (double)(now - watch->at) / 1e3;
	watch->at = now;
	note_rates(watch, &look);
	return 0;
}

/* With one system call, so that no half of a screen is seen. -errno: the terminal is gone. */
static int draw(const struct screen_watch *watch)
{
	_cleanup_free_ char *text = NULL;
	unsigned int width, height;
	size_t length;
	FILE *stream = open_memstream(&text, &length);

	if (!stream)
		return -ENOMEM;
	terminal_size(&width, &height);
	screen_print(&watch->screen, width, height, stream);
	if (fclose(stream))
		return -ENOMEM;
	for (size_t done = 0; done < length;) {
		ssize_t written = write(STDOUT_FILENO, text + done, length - done);

		if (written < 0 && errno != EINTR)
			return -errno;
		done += written > 0 ? (size_t)written : 0;
	}
	return 0;
}

/* Until something ends it: 0, or -errno. */
static int watch_on(struct screen_watch *watch, unsigned int interval, struct error *error)
{
	enum terminal_event event = TERMINAL_TIMEOUT;
	int64_t next = clock_ms();
	int err = 0;

	while (event != TERMINAL_END) {
		err = draw(watch);
		if (err) /* nobody sees it any more */
			return 0;
		if (event == TERMINAL_TIMEOUT)
			next += interval * 1000LL;
		if (next < clock_ms()) /* it was stopped for a while */
			next = clock_ms();
		event = terminal_wait(next);
		if (event == TERMINAL_TIMEOUT)
			err = watch_take(watch, error);
		if (err && err != -ENOENT)
			return err;
	}
	return 0;
}

enum command_status monitor_screen(const char *instance, unsigned int interval, bool color)
{
	struct screen_watch *watch = calloc(1, sizeof(*watch));
	struct error error;
	int err;

	if (!watch) {
		error_set(&error, -ENOMEM, "no memory");
		return command_fail(&error);
	}
	watch->screen.instance = instance;
	watch->screen.color = color;
	err = watch_take(watch, &error);
	if (!err) {
		terminal_open();
		err = watch_on(watch, interval, &error);
		terminal_close();
	}
	forget_looks(watch);
	free(watch);
	return err ? command_fail(&error) : COMMAND_DONE;
}
