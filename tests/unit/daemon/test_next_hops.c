// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the datapath reads of a next hop while the daemon writes it. A child process writes the
 * entry, one instruction at a time, and the parent records every state of the entry. The datapath
 * reads word 1 first, then word 0 (bpf/nexthop.h); the test tries both at every pair of states.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/next_hops.h"
#include "tests/unit/unit.h"

#define STEPS_AT_MOST 8
#define CANNOT_TRACE  77 /* exit status */

struct hop {
	const char *sentence;
	uint8_t to[6];
	uint8_t from[6];
	uint32_t mtu;
	enum next_hop_state state;
};

/* The entries that the test publishes, each after each. The first stands for an unwritten entry. */
static const struct hop hops[] = {
	{"nothing yet", {0}, {0}, 0, NEXT_HOP_UNKNOWN},
	{"unknown", {0}, {0}, 1500, NEXT_HOP_UNKNOWN},
	{"neighbour 1",
	 {0x02, 0x11, 0x12, 0x13, 0x14, 0x15},
	 {0x06, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5},
	 1500,
	 NEXT_HOP_RESOLVED},
	{"neighbour 2",
	 {0x0a, 0x21, 0x22, 0x23, 0x24, 0x25},
	 {0x06, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5},
	 1500,
	 NEXT_HOP_RESOLVED},
	{"neighbour 1 with another MTU",
	 {0x02, 0x11, 0x12, 0x13, 0x14, 0x15},
	 {0x06, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5},
	 1400,
	 NEXT_HOP_RESOLVED},
	{"neighbour 1 from another interface",
	 {0x02, 0x11, 0x12, 0x13, 0x14, 0x15},
	 {0x0e, 0xb1, 0xb2, 0xb3, 0xb4, 0xb5},
	 1500,
	 NEXT_HOP_RESOLVED},
	{"neighbour 2 from an interface of the same maker",
	 {0x0a, 0x21, 0x22, 0x23, 0x24, 0x25},
	 {0x06, 0xa1, 0xa2, 0xc3, 0xc4, 0xc5},
	 1500,
	 NEXT_HOP_RESOLVED},
	{"this host", {0}, {0}, 1500, NEXT_HOP_LOCAL},
	{"nobody answers", {0}, {0}, 1500, NEXT_HOP_FAILED},
};

static void publish(struct next_hop *entry, const struct hop *hop)
{
	next_hop_publish(entry, hop->to, hop->from, hop->mtu, hop->state);
}

/* All states of an entry during next_hop_publish(), from the state before to the state after. */
struct trace_of_writing {
	struct next_hop steps[STEPS_AT_MOST];
	size_t count;
};

static void trace_look(struct trace_of_writing *trace, const struct next_hop *entry)
{
	if (trace->count && memcmp(&trace->steps[trace->count - 1], entry, sizeof(*entry)) == 0)
		return;
	assert_true(trace->count < STEPS_AT_MOST);
	trace->steps[trace->count++] = *entry;
}

/* Shared memory of child and parent. */
struct shared {
	struct next_hop entry;
	volatile bool written;
};

static struct shared *map_shared(void)
{
	void *page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(page != MAP_FAILED);
	return page;
}

static void unmap_shared(struct shared *shared)
{
	munmap(shared, (size_t)sysconf(_SC_PAGESIZE));
}

/* Publishes `hop` in a child, step by step. False: this machine does not let processes trace. */
static bool trace_publish(struct trace_of_writing *trace, struct shared *shared,
			  const struct hop *hop)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (!child) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 || raise(SIGSTOP))
			_exit(CANNOT_TRACE);
		publish(&shared->entry, hop);
		shared->written = true;
		_exit(0);
	}
	trace->count = 0;
	assert_int_equal(waitpid(child, &status, 0), child);
	while (WIFSTOPPED(status)) {
		assert_true(WSTOPSIG(status) == SIGSTOP || WSTOPSIG(status) == SIGTRAP);
		trace_look(trace, &shared->entry);
		assert_int_equal(ptrace(shared->written ? PTRACE_CONT : PTRACE_SINGLESTEP, child,
					NULL, NULL),
				 0);
		assert_int_equal(waitpid(child, &status, 0), child);
	}
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status) != CANNOT_TRACE;
}

static enum next_hop_state state_of(uint64_t word1)
{
	return word1 >> NEXT_HOP_STATE_SHIFT;
}

/* Do the words hold their parts of the Ethernet addresses? */
static bool has_word0(uint64_t word0, const struct hop *hop)
{
	return hop->state == NEXT_HOP_RESOLVED && memcmp(&word0, hop->to, 6) == 0 &&
	       memcmp((uint8_t *)&word0 + 6, hop->from, 2) == 0;
}

static bool has_word1(uint64_t word1, const struct hop *hop)
{
	return hop->state == NEXT_HOP_RESOLVED && memcmp(&word1, hop->from + 2, 4) == 0;
}

/*
 * A fault of the states between `old` and `new`; "": none. Source addresses are checked in each
 * state alone: if the interface's own address changes between the two reads of the datapath, the
 * packet leaves with half of each address, whatever the order of writes.
 */
static const char *find_fault(const struct trace_of_writing *trace, const struct hop *old,
			      const struct hop *new)
{
	const struct next_hop *last = &trace->steps[trace->count - 1];
	bool same_source = old->state == new->state &&memcmp(old->from, new->from, 6) == 0;

	for (size_t i = 0; i < trace->count; i++) {
		uint64_t word0 = trace->steps[i].word[0], word1 = trace->steps[i].word[1];

		if (state_of(word1) != NEXT_HOP_RESOLVED) {
			if (same_source && new->state == NEXT_HOP_RESOLVED)
				return "the entry becomes unknown, although the source address "
				       "stays";
			continue;
		}
		if (!(has_word0(word0, old) && has_word1(word1, old)) &&
		    !(has_word0(word0, new) && has_word1(word1, new)) && !same_source)
			return "the entry holds half of a source address";
		for (size_t j = i; j < trace->count; j++) {
			uint64_t later = trace->steps[j].word[0];

			if (!has_word0(later, old) && !has_word0(later, new))
				return "word 0 has no address for a packet that has read the state "
				       "before";
			if (word1 != trace->steps[0].word[1] && word1 == last->word[1] &&
			    !has_word0(later, new))
				return "the new state is visible before the new address";
		}
	}
	return "";
}

static void packets_meanwhile(void **state)
{
	struct shared *shared = map_shared();
	int failed = 0;

	(void)state;
	for (size_t old = 0; old < COUNT_OF(hops); old++) {
		for (size_t new = 1; new < COUNT_OF(hops); new ++) {
			struct trace_of_writing trace;
			char name[128];

			memset(shared, 0, sizeof(*shared));
			if (old > 0)
				publish(&shared->entry, &hops[old]);
			if (!trace_publish(&trace, shared, &hops[new])) {
				unmap_shared(shared);
				print_message("SKIPPED: processes cannot be traced here\n");
				skip();
			}
			snprintf(name, sizeof(name), "from %s to %s", hops[old].sentence,
				 hops[new].sentence);
			failed += row_differs(name, find_fault(&trace, &hops[old], &hops[new]), "");
		}
	}
	unmap_shared(shared);
	assert_int_equal(failed, 0);
}

/* The layout of struct next_hop in bpf/pipeline.h: twelve bytes of a frame, then MTU and state. */
static void what_is_written(void **state)
{
	static const struct {
		const char *sentence;
		uint32_t mtu;
		enum next_hop_state state;
		uint32_t expected_mtu;
		bool addresses;
	} rows[] = {
		{"resolved", 1500, NEXT_HOP_RESOLVED, 1500, true},
		{"the largest MTU that fits", 65535, NEXT_HOP_RESOLVED, 65535, true},
		{"a larger one, as loopback has it", 65536, NEXT_HOP_RESOLVED, 65535, true},
		{"one that is larger by far", 0x80000001, NEXT_HOP_RESOLVED, 65535, true},
		{"no MTU", 0, NEXT_HOP_RESOLVED, 0, true},
		{"unknown", 1500, NEXT_HOP_UNKNOWN, 1500, false},
		{"this host", 1500, NEXT_HOP_LOCAL, 1500, false},
		{"nobody answers", 1500, NEXT_HOP_FAILED, 1500, false},
	};
	static const uint8_t to[6] = {2, 3, 4, 5, 6, 7}, from[6] = {0xf2, 0xf3, 0xf4, 5, 6, 0xf7};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct next_hop entry = {{0}};
		uint8_t bytes[12] = {0}, got[12];
		char line[64], expected[64];

		if (rows[i].addresses) {
			memcpy(bytes, to, 6);
			memcpy(bytes + 6, from, 6);
		}
		next_hop_publish(&entry, to, from, rows[i].mtu, rows[i].state);
		memcpy(got, &entry, sizeof(got));
		snprintf(line, sizeof(line), "addresses %s, mtu %u, state %u",
			 memcmp(got, bytes, sizeof(got)) == 0 ? "right" : "wrong",
			 (unsigned int)(entry.word[1] >> 32 & 0xffff),
			 (unsigned int)(entry.word[1] >> 48));
		snprintf(expected, sizeof(expected), "addresses right, mtu %u, state %u",
			 rows[i].expected_mtu, rows[i].state);
		failed += row_differs(rows[i].sentence, line, expected);
	}
	assert_int_equal(failed, 0);
}

/* Writes to unchanged entries would take cache lines from the CPUs that forward packets. */
static void no_change_no_write(void **state)
{
	struct shared *shared = map_shared();

	(void)state;
	for (size_t i = 1; i < COUNT_OF(hops); i++) {
		assert_int_equal(mprotect(shared, sizeof(*shared), PROT_READ | PROT_WRITE), 0);
		publish(&shared->entry, &hops[i]);
		assert_int_equal(mprotect(shared, sizeof(*shared), PROT_READ), 0);
		publish(&shared->entry, &hops[i]); /* a write raises SIGSEGV */
	}
	unmap_shared(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(packets_meanwhile),
		cmocka_unit_test(what_is_written),
		cmocka_unit_test(no_change_no_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
