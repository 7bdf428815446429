// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bench's generator: sends one frame over and over from within the kernel, as fast as it can.
 *
 * usage: source INTERFACE FRAME SINK FLOWS VNIS CPU...
 *
 * FRAME is a file with the frame (bench.h), SINK the sink's pinned map. A thread sends on each CPU.
 * Frames go through FLOWS flows and VNIS VNIs in turn; with a minus sign all are of the first one,
 * at the same cost. The answer to a line "WARM MEASURE" (ms) on standard input is "NS PACKETS BYTES
 * SENT": packets and bytes that arrived, and packets sent, in that many nanoseconds.
 */
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/resource.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <arpa/inet.h>

#include "bench.h"
#include "bench/source.skel.h"
#include "net/parking.h"

#ifndef BPF_F_TEST_XDP_LIVE_FRAMES
#define BPF_F_TEST_XDP_LIVE_FRAMES (1U << 1)
#endif

#define MAX_SENDERS 64
#define MAX_CPUS    1024
#define SECOND      1000000000ULL
#define MILLISECOND 1000000ULL

/* A call cannot be interrupted: the packets in it are adjusted so that it takes this long (ns). */
#define CALL_SHORT 5000000ULL
#define CALL_LONG  20000000ULL
#define CALL_MIN   1024U
#define CALL_MAX   (1U << 20)

struct sender {
	struct source_bpf *skeleton;
	struct parking parking;
	pthread_t thread;
	unsigned int cpu;
	unsigned int call; /* packets */
	int err;
};

static unsigned char frame[BENCH_MAX_FRAME];
static size_t frame_length;
static struct sender senders[MAX_SENDERS];
static unsigned int sender_count;
static bool stop;

static __attribute__((noreturn, format(printf, 1, 2))) void fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("source: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	exit(1);
}

static unsigned long long now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * SECOND + time.tv_nsec;
}

static void wait_ms(unsigned int ms)
{
	struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * MILLISECOND};

	while (nanosleep(&time, &time) < 0 && errno == EINTR)
		;
}

static unsigned int number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!*text || *end || value > UINT32_MAX)
		fail("'%s' is no number", text);
	return value;
}

static void read_frame(const char *path)
{
	FILE *file = fopen(path, "rb");

	if (!file)
		fail("%s: %s", path, strerror(errno));
	frame_length = fread(frame, 1, sizeof(frame), file);
	fclose(file);
	if (frame_length < BENCH_HEAD_WORDS * sizeof(__u64))
		fail("%s: no frame of the bench", path);
}

static __u16 word_at(unsigned int offset)
{
	return frame[offset] << 8 | frame[offset + 1];
}

static unsigned int common_divisor(unsigned int a, unsigned int b)
{
	return b ? common_divisor(b, a % b) : a;
}

/* A step that visits each of `count` before any comes again, and no two neighbours in a row. */
static unsigned int stride(unsigned int count)
{
	unsigned int result = count * 0.381966;

	while (result && common_divisor(result, count) != 1)
		result--;
	return result;
}

static void configure(struct source_config *config, const char *flows, const char *vnis)
{
	memcpy(config->head, frame, sizeof(config->head));
	config->source = (__u32)word_at(BENCH_IP_SOURCE) << 16 | word_at(BENCH_IP_SOURCE + 2);
	config->vni = (__u32)word_at(BENCH_VNI) << 8 | frame[BENCH_VNI + 2];
	for (unsigned int at = BENCH_IP; at < BENCH_UDP; at += 2) {
		if (at < BENCH_IP_CHECK || at > BENCH_IP_SOURCE + 2)
			config->ip_sum += word_at(at);
	}
	config->flows = number(flows + (*flows == '-'));
	config->vnis = number(vnis + (*vnis == '-'));
	config->flow_stride = stride(config->flows);
	config->vni_stride = stride(config->vnis);
	config->flow_mask = *flows == '-' ? 0 : UINT32_MAX;
	config->vni_mask = *vnis == '-' ? 0 : UINT32_MAX;
}

static void load(struct sender *sender, int ifindex, const char *flows, const char *vnis)
{
	__u32 zero = 0, device = ifindex;
	int err;

	sender->skeleton = source_bpf__open();
	if (!sender->skeleton)
		fail("cannot open the program: %s", strerror(errno));
	configure(&sender->skeleton->rodata->config, flows, vnis);
	if (source_bpf__load(sender->skeleton))
		fail("cannot load the program: %s", strerror(errno));
	if (bpf_map_update_elem(bpf_map__fd(sender->skeleton->maps.egress), &zero, &device,
				BPF_ANY))
		fail("cannot redirect to the interface: %s", strerror(errno));
	err = parking_open(&sender->parking, bpf_program__fd(sender->skeleton->progs.bench_source));
	if (err)
		fail("cannot park the program: %s", strerror(-err));
	sender->call = CALL_MIN;
}

static void *send_frames(void *argument)
{
	struct sender *sender = argument;
	int fd = bpf_program__fd(sender->skeleton->progs.bench_source);

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED) && !sender->err) {
		LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame,
			    .data_size_in = frame_length, .repeat = sender->call,
			    .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
		unsigned long long before = now(), took;

		if (bpf_prog_test_run_opts(fd, &options) && errno != EINTR)
			sender->err = errno;
		took = now() - before;
		if (took < CALL_SHORT && sender->call < CALL_MAX)
			sender->call *= 2;
		else if (took > CALL_LONG && sender->call > CALL_MIN)
			sender->call /= 2;
	}
	return NULL;
}

static void start(struct sender *sender)
{
	pthread_attr_t attributes;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(sender->cpu, &cpus);
	pthread_attr_init(&attributes);
	pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
	if (pthread_create(&sender->thread, &attributes, send_frames, sender))
		fail("cannot send on CPU %u", sender->cpu);
	pthread_attr_destroy(&attributes);
}

struct reading {
	unsigned long long ns, packets, bytes, sent;
};

static void take(int sink, struct reading *reading)
{
	static struct sink_count counts[MAX_CPUS];
	int cpus = libbpf_num_possible_cpus();
	__u32 zero = 0;

	memset(reading, 0, sizeof(*reading));
	if (cpus > MAX_CPUS || bpf_map_lookup_elem(sink, &zero, counts))
		fail("cannot read the sink: %s", strerror(errno));
	reading->ns = now();
	for (int i = 0; i < cpus; i++) {
		reading->packets += counts[i].packets;
		reading->bytes += counts[i].bytes;
	}
	for (unsigned int i = 0; i < sender_count; i++)
		reading->sent += *(volatile __u64 *)&senders[i].skeleton->bss->state.sent;
}

static void measure(int sink, unsigned int warm, unsigned int length)
{
	struct reading before, after;

	stop = false;
	for (unsigned int i = 0; i < sender_count; i++)
		start(&senders[i]);
	wait_ms(warm);
	take(sink, &before);
	wait_ms(length);
	take(sink, &after);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < sender_count; i++) {
		pthread_join(senders[i].thread, NULL);
		if (senders[i].err)
			fail("the kernel stopped sending: %s", strerror(senders[i].err));
	}
	printf("%llu %llu %llu %llu\n", after.ns - before.ns, after.packets - before.packets,
	       after.bytes - before.bytes, after.sent - before.sent);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned int warm, length;
	int ifindex, sink;
	char line[64];

	if (argc < 7 || argc - 6 > MAX_SENDERS)
		fail("usage: source INTERFACE FRAME SINK FLOWS VNIS CPU...");
	ifindex = (int)if_nametoindex(argv[1]);
	if (!ifindex)
		fail("no interface %s", argv[1]);
	read_frame(argv[2]);
	sink = bpf_obj_get(argv[3]);
	if (sink < 0)
		fail("%s: %s", argv[3], strerror(errno));
	for (int i = 6; i < argc; i++, sender_count++) {
		senders[sender_count].cpu = number(argv[i]);
		load(&senders[sender_count], ifindex, argv[4], argv[5]);
	}
	setpriority(PRIO_PROCESS, 0, -15); /* before other processes of the machine */
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) && sscanf(line, "%u %u", &warm, &length) == 2)
		measure(sink, warm, length);
	return 0;
}
