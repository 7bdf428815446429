// SPDX-License-Identifier: GPL-2.0-only
/* One sender thread: on a schedule, or as fast as possible. */
#include <errno.h>
#include <time.h>

#include "generate/internal.h"

#define TICK 250000ULL   /* ns between the bursts of a paced thread */
#define NAP  50000000ULL /* ns at most until a thread looks again whether to stop */

/*
 * At full speed a call into the kernel takes between these many ns, so that threads end promptly.
 */
#define CALL_SHORT     2500000ULL
#define CALL_LONG      10000000ULL
#define CALL_MIN       256U
#define CALL_MAX       (1U << 17)
#define CATCH_UP_EXTRA 64 /* packets beyond twice the rate, while behind */

uint64_t generator_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * GENERATOR_SECOND + now.tv_nsec;
}

static bool halted(const struct generator_job *job)
{
	return *job->stop || __atomic_load_n(&job->halt, __ATOMIC_RELAXED);
}

void generator_halt(struct generator_job *job)
{
	__atomic_store_n(&job->halt, true, __ATOMIC_RELAXED);
}

static void sleep_until(const struct generator_job *job, uint64_t at)
{
	uint64_t now = generator_now();

	while (now < at && !halted(job)) {
		uint64_t next = at - now > NAP ? now + NAP : at;
		struct timespec time = {.tv_sec = next / GENERATOR_SECOND,
					.tv_nsec = next % GENERATOR_SECOND};

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
		now = generator_now();
	}
}

static int send_packets(struct generator_sender *sender, uint64_t packets)
{
	int err = generator_program_run(sender->program, packets, sender->job->options->batch);

	sender->sent = generator_program_sent(sender->program);
	if (!err || err == -EINTR)
		return 0;
	sender->err = err;
	generator_halt(sender->job);
	return err;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * The schedule: packet N of all threads is due N / pps after the start, and packets go to the
 * threads in turn. It is absolute, so lateness does not add up.
 */

/* How many packets of this thread are due `elapsed` ns after the start. */
static uint64_t due_packets(const struct generator_sender *sender, uint64_t elapsed)
{
	const struct generator_options *options = sender->job->options;
	const bool over = elapsed >= sender->job->duration;
	uint64_t all = (unsigned __int128)elapsed * options->pps / GENERATOR_SECOND + !over;

	return smaller((all + options->threads - 1 - sender->index) / options->threads,
		       sender->quota);
}

/* When this thread's packet `number` is due, in ns after the start. */
static uint64_t due_time(const struct generator_sender *sender, uint64_t number)
{
	const struct generator_options *options = sender->job->options;

	return ((unsigned __int128)number * options->threads + sender->index) * GENERATOR_SECOND /
	       options->pps;
}

static uint64_t tolerated_lag(uint64_t elapsed)
{
	return GENERATOR_SECOND / 20 + elapsed / 100;
}

/* Sends the packets that are due, at most about twice the rate if many are; true: all were sent. */
static bool send_due(struct generator_sender *sender, uint64_t elapsed)
{
	const struct generator_options *options = sender->job->options;
	const uint64_t burst =
		2 * TICK * options->pps / options->threads / GENERATOR_SECOND + CATCH_UP_EXTRA;
	uint64_t due = due_packets(sender, elapsed), lag;

	sender->expected = due;
	if (sender->sent == due)
		return true;
	lag = elapsed - smaller(elapsed, due_time(sender, sender->sent));
	if (lag > sender->max_lag)
		sender->max_lag = lag;
	return send_packets(sender, smaller(due - sender->sent, burst)) == 0 && sender->sent == due;
}

static void send_paced(struct generator_sender *sender)
{
	const struct generator_job *job = sender->job;
	uint64_t wake = job->start;

	while (!halted(job)) {
		uint64_t passed = generator_now() - job->start;
		uint64_t elapsed = smaller(passed, job->duration);
		bool caught_up = send_due(sender, elapsed);

		if (sender->sent == sender->quota)
			return;
		if (elapsed == job->duration &&
		    (caught_up || passed - elapsed > tolerated_lag(elapsed)))
			return;
		wake += TICK;
		if (caught_up && job->start + due_time(sender, sender->sent) > wake)
			wake = job->start + smaller(due_time(sender, sender->sent), job->duration);
		sleep_until(job, wake);
	}
}

static void send_flat_out(struct generator_sender *sender)
{
	const struct generator_job *job = sender->job;
	uint64_t call = CALL_MIN, before = generator_now(), after;

	while (!halted(job) && before - job->start < job->duration &&
	       sender->sent < sender->quota) {
		if (send_packets(sender, smaller(call, sender->quota - sender->sent)))
			return;
		after = generator_now();
		if (after - before < CALL_SHORT && call < CALL_MAX)
			call *= 2;
		else if (after - before > CALL_LONG && call > CALL_MIN)
			call /= 2;
		before = after;
	}
	sender->expected = sender->sent;
}

/* Is a due packet still unsent, or was the very last packet sent too late? */
static bool behind(const struct generator_sender *sender)
{
	uint64_t passed = sender->end - sender->job->start, due;

	if (sender->sent < sender->expected)
		due = due_time(sender, sender->sent);
	else if (sender->sent && sender->sent == sender->quota)
		due = due_time(sender, sender->sent - 1);
	else
		return false;
	return passed > due + tolerated_lag(due);
}

void generator_sender_work(struct generator_sender *sender)
{
	sleep_until(sender->job, sender->job->start);
	if (sender->job->options->pps)
		send_paced(sender);
	else
		send_flat_out(sender);
	sender->end = generator_now();
	if (sender->job->options->pps)
		sender->late = behind(sender);
}
