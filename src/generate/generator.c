// SPDX-License-Identifier: GPL-2.0-only
/* Runs the generator: starts its threads, and stops them if their packets do not leave. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <time.h>

#include "base/boot_id.h"
#include "base/cleanup.h"
#include "generate/internal.h"
#include "net/rtnl_link.h"

#define LEAD          10000000ULL /* ns between the start of the threads and the first packet */
#define PROOF_PACKETS 256         /* after so many the interface must have counted one */
#define PROOF_NS      (GENERATOR_SECOND / 4)

static void *send_thread(void *argument)
{
	struct generator_sender *sender = argument;

	prctl(PR_SET_TIMERSLACK, 1UL); /* ns: wake up in time for each tick */
	generator_sender_work(sender);
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

static int start_thread(struct generator_sender *sender)
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

static int prepare_sender(struct generator_sender *sender, struct generator_job *job,
			  unsigned int index, struct generator_place *place, struct error *error)
{
	const struct generator_options *options = job->options;
	_cleanup_free_ struct generator_frame *frame = malloc(sizeof(*frame));

	if (!frame)
		return error_set(error, -ENOMEM, "%s", strerror(ENOMEM));
	sender->job = job;
	sender->index = index;
	sender->quota = UINT64_MAX;
	if (options->count)
		sender->quota = (options->count + options->threads - 1 - index) / options->threads;
	place->thread = index;
	generator_frame_build(frame, &options->packet, place, options->pps != 0);
	return generator_program_load(&sender->program, frame, options->ifindex, error);
}

static int prepare_senders(struct generator_job *job, struct generator_sender *senders,
			   struct generator_place *place, struct error *error)
{
	const struct generator_options *options = job->options;
	int err = 0;

	for (unsigned int i = 0; !err && i < options->threads; i++)
		err = prepare_sender(&senders[i], job, i, place, error);
	if (err || !options->needs_program)
		return err;
	err = generator_program_open_egress(senders[0].program, options->ifindex);
	if (err)
		error_set(error, err,
			  "%s takes no XDP program in native mode (%s), without which its driver "
			  "does not send such frames; the reason is often in dmesg",
			  options->interface, strerror(-err));
	return err;
}

static uint64_t sent_by_all(const struct generator_sender *senders, unsigned int count)
{
	uint64_t sent = 0;

	for (unsigned int i = 0; i < count; i++)
		sent += generator_program_sent(senders[i].program);
	return sent;
}

static bool all_done(const struct generator_sender *senders, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (!__atomic_load_n(&senders[i].done, __ATOMIC_ACQUIRE))
			return false;
	}
	return true;
}

static uint64_t transmitted(const struct generator_job *job)
{
	struct rtnl_link_stats64 stats;

	if (rtnl_read_stats(job->options->ifindex, &stats))
		return 0;
	return stats.tx_packets - job->tx_before;
}

static int nothing_leaves(const struct generator_job *job, uint64_t sent, struct error *error)
{
	return error_set(
		error, -ENXIO,
		"nothing leaves %s: it counted none of %llu packets as sent; the peer of a "
		"veth has to receive with NAPI (`ethtool -K PEER gro off`, then `gro on`, "
		"or an XDP program on it), and most drivers send such frames only while "
		"native XDP is on",
		job->options->interface, (unsigned long long)sent);
}

/* Waits for the threads, and stops them if their packets do not leave the interface. */
static int supervise(struct generator_job *job, const struct generator_sender *senders,
		     struct error *error)
{
	const unsigned int count = job->options->threads;
	bool proven = false;

	while (!all_done(senders, count)) {
		const struct timespec pause = {.tv_nsec = GENERATOR_SECOND / 100};

		nanosleep(&pause, NULL);
		if (proven || generator_now() < job->start + PROOF_NS ||
		    sent_by_all(senders, count) < PROOF_PACKETS)
			continue;
		proven = true;
		if (transmitted(job) == 0) {
			generator_halt(job);
			return nothing_leaves(job, sent_by_all(senders, count), error);
		}
	}
	return 0;
}

static int start_and_wait(struct generator_job *job, struct generator_sender *senders,
			  struct error *error)
{
	struct rtnl_link_stats64 stats;
	int err = rtnl_read_stats(job->options->ifindex, &stats);

	if (err)
		return error_set(error, err, "cannot read the counters of %s: %s",
				 job->options->interface, strerror(-err));
	job->tx_before = stats.tx_packets;
	job->start = generator_now() + LEAD;
	for (unsigned int i = 0; !err && i < job->options->threads; i++)
		err = start_thread(&senders[i]);
	if (err) {
		generator_halt(job);
		error_set(error, err, "cannot start a thread: %s", strerror(-err));
	} else {
		err = supervise(job, senders, error);
	}
	for (unsigned int i = 0; i < job->options->threads; i++) {
		if (senders[i].started)
			pthread_join(senders[i].thread, NULL);
	}
	for (unsigned int i = 0; !err && i < job->options->threads; i++) {
		err = senders[i].err;
		if (err)
			error_set(error, err, "the kernel stopped sending: %s", strerror(-err));
	}
	return err;
}

static int fill_report(const struct generator_job *job, const struct generator_sender *senders,
		       struct generator_report *report, struct error *error)
{
	uint64_t end = job->start, lag = 0;

	memset(report, 0, sizeof(*report));
	report->kept_pace = true;
	for (unsigned int i = 0; i < job->options->threads; i++) {
		report->packets += senders[i].sent;
		report->expected += senders[i].expected;
		report->kept_pace = report->kept_pace && !senders[i].late;
		end = senders[i].end > end ? senders[i].end : end;
		lag = senders[i].max_lag > lag ? senders[i].max_lag : lag;
	}
	report->seconds = (end - job->start) / 1e9;
	report->max_lag = lag / 1e9;
	report->transmitted = transmitted(job);
	if (report->packets && !report->transmitted)
		return nothing_leaves(job, report->packets, error);
	return 0;
}

int generator_run(const struct generator_options *options, const volatile sig_atomic_t *stop,
		  struct generator_report *report, struct error *error)
{
	struct generator_job job = {.options = options, .stop = stop, .duration = UINT64_MAX};
	struct generator_place place = {.threads = options->threads, .boot = boot_id()};
	struct generator_sender senders[GENERATE_MAX_THREADS] = {0};
	int err;

	if (getrandom(&place.run, sizeof(place.run), 0) != sizeof(place.run))
		return error_set(error, -errno, "no random number: %s", strerror(errno));
	place.run |= !place.run; /* 0 stands for none */
	if (options->seconds)
		job.duration = options->seconds * GENERATOR_SECOND;
	err = prepare_senders(&job, senders, &place, error);
	if (!err)
		err = start_and_wait(&job, senders, error);
	if (!err)
		err = fill_report(&job, senders, report, error);
	for (unsigned int i = 0; i < options->threads; i++)
		generator_program_free(senders[i].program);
	return err;
}
