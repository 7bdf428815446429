// SPDX-License-Identifier: GPL-2.0-only
/* Sender threads and their schedule. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>

#include "boot_id.h"
#include "cleanup.h"
#include "generator_internal.h"
#include "generator_netlink.h"

#define SECOND 1000000000ULL
#define TICK   250000ULL   /* ns between the bursts of a paced thread */
#define NAP    50000000ULL /* ns at most between two looks at whether to stop */
#define LEAD   10000000ULL /* ns between the start of the threads and the first packet */

/* A call into the kernel at full speed takes between these many ns, for a prompt end. */
#define CALL_SHORT     2500000ULL
#define CALL_LONG      10000000ULL
#define CALL_MIN       256U
#define CALL_MAX       (1U << 17)
#define PROOF_PACKETS  256 /* after so many the interface must have counted one */
#define PROOF_NS       (SECOND / 4)
#define CATCH_UP_EXTRA 64 /* packets beyond twice the rate, while behind */

struct run {
	const struct generator_options *options;
	const volatile sig_atomic_t *stop;
	bool halt; /* a thread or the supervisor has failed */
	uint64_t start;
	uint64_t duration; /* ns; UINT64_MAX: no limit */
	uint64_t tx_before;
};

struct sender {
	pthread_t thread;
	bool started;
	bool done;
	unsigned int index;
	struct run *run;
	struct generator_program *program;
	uint64_t quota;
	uint64_t sent;
	uint64_t expected;
	uint64_t max_lag; /* ns */
	uint64_t end;
	bool late; /* could not send what was due */
	int err;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * SECOND + now.tv_nsec;
}

static bool halted(const struct run *run)
{
	return *run->stop || __atomic_load_n(&run->halt, __ATOMIC_RELAXED);
}

static void halt(struct run *run)
{
	__atomic_store_n(&run->halt, true, __ATOMIC_RELAXED);
}

static void sleep_until(const struct run *run, uint64_t at)
{
	uint64_t now = now_ns();

	while (now < at && !halted(run)) {
		uint64_t next = at - now > NAP ? now + NAP : at;
		struct timespec time = {.tv_sec = next / SECOND, .tv_nsec = next % SECOND};

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
		now = now_ns();
	}
}

static int send_packets(struct sender *sender, uint64_t packets)
{
	int err = generator_program_run(sender->program, packets, sender->run->options->batch);

	sender->sent = generator_program_sent(sender->program);
	if (!err || err == -EINTR)
		return 0;
	sender->err = err;
	halt(sender->run);
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
static uint64_t due_packets(const struct sender *sender, uint64_t elapsed)
{
	const struct generator_options *options = sender->run->options;
	const bool over = elapsed >= sender->run->duration;
	uint64_t all = (unsigned __int128)elapsed * options->pps / SECOND + !over;

	return smaller((all + options->threads - 1 - sender->index) / options->threads,
		       sender->quota);
}

/* When this thread's packet `number` is due, in ns after the start. */
static uint64_t due_time(const struct sender *sender, uint64_t number)
{
	const struct generator_options *options = sender->run->options;

	return ((unsigned __int128)number * options->threads + sender->index) * SECOND /
	       options->pps;
}

static uint64_t tolerated_lag(uint64_t elapsed)
{
	return SECOND / 100 + elapsed / 100;
}

/* Sends what is due, smoothly when there is much of it; returns whether all of it went. */
static bool send_due(struct sender *sender, uint64_t elapsed)
{
	const struct generator_options *options = sender->run->options;
	const uint64_t burst = 2 * TICK * options->pps / options->threads / SECOND + CATCH_UP_EXTRA;
	uint64_t due = due_packets(sender, elapsed), lag;

	sender->expected = due;
	if (sender->sent == due)
		return true;
	lag = elapsed - smaller(elapsed, due_time(sender, sender->sent));
	if (lag > sender->max_lag)
		sender->max_lag = lag;
	return send_packets(sender, smaller(due - sender->sent, burst)) == 0 && sender->sent == due;
}

static void send_paced(struct sender *sender)
{
	const struct run *run = sender->run;
	uint64_t wake = run->start;

	while (!halted(run)) {
		uint64_t passed = now_ns() - run->start;
		uint64_t elapsed = smaller(passed, run->duration);
		bool caught_up = send_due(sender, elapsed);

		if (sender->sent == sender->quota)
			return;
		if (elapsed == run->duration &&
		    (caught_up || passed - elapsed > tolerated_lag(elapsed)))
			return;
		wake += TICK;
		if (caught_up && run->start + due_time(sender, sender->sent) > wake)
			wake = run->start + smaller(due_time(sender, sender->sent), run->duration);
		sleep_until(run, wake);
	}
}

static void send_flat_out(struct sender *sender)
{
	const struct run *run = sender->run;
	uint64_t call = CALL_MIN, before = now_ns(), after;

	while (!halted(run) && before - run->start < run->duration &&
	       sender->sent < sender->quota) {
		if (send_packets(sender, smaller(call, sender->quota - sender->sent)))
			return;
		after = now_ns();
		if (after - before < CALL_SHORT && call < CALL_MAX)
			call *= 2;
		else if (after - before > CALL_LONG && call > CALL_MIN)
			call /= 2;
		before = after;
	}
	sender->expected = sender->sent;
}

/* Is something missing of the schedule, or did the last packet go too late? */
static bool behind(const struct sender *sender)
{
	uint64_t passed = sender->end - sender->run->start, last;

	if (sender->sent < sender->expected)
		return true;
	last = sender->sent ? due_time(sender, sender->sent - 1) : 0;
	return sender->sent == sender->quota && passed > last + tolerated_lag(last);
}

static void *send_thread(void *argument)
{
	struct sender *sender = argument;

	prctl(PR_SET_TIMERSLACK, 1UL); /* ns: a tick is a tick */
	sleep_until(sender->run, sender->run->start);
	if (sender->run->options->pps)
		send_paced(sender);
	else
		send_flat_out(sender);
	sender->end = now_ns();
	if (sender->run->options->pps)
		sender->late = behind(sender);
	__atomic_store_n(&sender->done, true, __ATOMIC_RELEASE);
	return NULL;
}

/* The `index`th of the CPUs that this process may use. */
static void choose_cpu(unsigned int index, cpu_set_t *chosen)
{
	cpu_set_t allowed;

	CPU_ZERO(chosen);
	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &allowed) && index-- == 0) {
			CPU_SET(cpu, chosen);
			return;
		}
	}
}

static int start_thread(struct sender *sender)
{
	pthread_attr_t attributes;
	sigset_t all, before;
	cpu_set_t cpus;
	int err;

	choose_cpu(sender->index, &cpus);
	pthread_attr_init(&attributes);
	pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
	sigfillset(&all); /* signals are for the supervisor */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&sender->thread, &attributes, send_thread, sender);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	sender->started = !err;
	return -err;
}

static int prepare_sender(struct sender *sender, struct run *run, unsigned int index,
			  struct generator_place *place, struct error *error)
{
	const struct generator_options *options = run->options;
	_cleanup_free_ struct generator_frame *frame = malloc(sizeof(*frame));

	if (!frame)
		return error_set(error, -ENOMEM, "%s", strerror(ENOMEM));
	sender->run = run;
	sender->index = index;
	sender->quota = UINT64_MAX;
	if (options->count)
		sender->quota = (options->count + options->threads - 1 - index) / options->threads;
	place->thread = index;
	generator_frame_build(frame, &options->packet, place, options->pps != 0);
	return generator_program_load(&sender->program, frame, options->ifindex, error);
}

static uint64_t sent_by_all(const struct sender *senders, unsigned int count)
{
	uint64_t sent = 0;

	for (unsigned int i = 0; i < count; i++)
		sent += generator_program_sent(senders[i].program);
	return sent;
}

static bool all_done(const struct sender *senders, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (!__atomic_load_n(&senders[i].done, __ATOMIC_ACQUIRE))
			return false;
	}
	return true;
}

static uint64_t transmitted(const struct run *run)
{
	uint64_t packets;

	if (generator_count_transmitted(run->options->ifindex, &packets))
		return 0;
	return packets - run->tx_before;
}

static int nothing_leaves(const struct run *run, uint64_t sent, struct error *error)
{
	return error_set(
		error, -ENXIO,
		"nothing leaves %s: it counted none of %llu packets as sent; the peer of a "
			 "veth has to receive with NAPI (`ethtool -K PEER gro off`, then `gro on`, "
			 "or an XDP program on it), and most drivers send such frames only while "
			 "native XDP is on",
			 run->options->interface, (unsigned long long)sent);
}

/* Waits for the threads, and stops them if what they send goes nowhere. */
static int supervise(struct run *run, const struct sender *senders, struct error *error)
{
	const unsigned int count = run->options->threads;
	bool proven = false;

	while (!all_done(senders, count)) {
		const struct timespec pause = {.tv_nsec = SECOND / 100};

		nanosleep(&pause, NULL);
		if (proven || now_ns() < run->start + PROOF_NS ||
		    sent_by_all(senders, count) < PROOF_PACKETS)
			continue;
		proven = true;
		if (transmitted(run) == 0) {
			halt(run);
			return nothing_leaves(run, sent_by_all(senders, count), error);
		}
	}
	return 0;
}

static int start_and_wait(struct run *run, struct sender *senders, struct error *error)
{
	int err = generator_count_transmitted(run->options->ifindex, &run->tx_before);

	if (err)
		return error_set(error, err, "cannot read the counters of %s: %s",
				 run->options->interface, strerror(-err));
	run->start = now_ns() + LEAD;
	for (unsigned int i = 0; !err && i < run->options->threads; i++)
		err = start_thread(&senders[i]);
	if (err) {
		halt(run);
		error_set(error, err, "cannot start a thread: %s", strerror(-err));
	} else {
		err = supervise(run, senders, error);
	}
	for (unsigned int i = 0; i < run->options->threads; i++) {
		if (senders[i].started)
			pthread_join(senders[i].thread, NULL);
	}
	for (unsigned int i = 0; !err && i < run->options->threads; i++) {
		err = senders[i].err;
		if (err)
			error_set(error, err, "the kernel stopped sending: %s", strerror(-err));
	}
	return err;
}

static int fill_report(const struct run *run, const struct sender *senders,
		       struct generator_report *report, struct error *error)
{
	uint64_t end = run->start, lag = 0;

	memset(report, 0, sizeof(*report));
	report->kept_pace = true;
	for (unsigned int i = 0; i < run->options->threads; i++) {
		report->packets += senders[i].sent;
		report->expected += senders[i].expected;
		report->kept_pace = report->kept_pace && !senders[i].late;
		end = senders[i].end > end ? senders[i].end : end;
		lag = senders[i].max_lag > lag ? senders[i].max_lag : lag;
	}
	report->seconds = (end - run->start) / 1e9;
	report->max_lag = lag / 1e9;
	report->transmitted = transmitted(run);
	if (report->packets && !report->transmitted)
		return nothing_leaves(run, report->packets, error);
	return 0;
}

int generator_run(const struct generator_options *options, const volatile sig_atomic_t *stop,
		  struct generator_report *report, struct error *error)
{
	struct run run = {.options = options, .stop = stop, .duration = UINT64_MAX};
	struct generator_place place = {.threads = options->threads, .boot = boot_id()};
	struct sender senders[GENERATE_MAX_THREADS] = {0};
	int err = 0;

	if (getrandom(&place.run, sizeof(place.run), 0) != sizeof(place.run))
		return error_set(error, -errno, "no random number: %s", strerror(errno));
	place.run |= !place.run; /* 0 stands for none */
	if (options->seconds)
		run.duration = options->seconds * SECOND;
	for (unsigned int i = 0; !err && i < options->threads; i++)
		err = prepare_sender(&senders[i], &run, i, &place, error);
	if (!err)
		err = start_and_wait(&run, senders, error);
	if (!err)
		err = fill_report(&run, senders, report, error);
	for (unsigned int i = 0; i < options->threads; i++)
		generator_program_free(senders[i].program);
	return err;
}
