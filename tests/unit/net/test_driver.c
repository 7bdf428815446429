// SPDX-License-Identifier: GPL-2.0-only
/* What a driver can do with XDP, by its name, its version and other facts. */
#include "net/driver.h"
#include "tests/unit/unit.h"

#define IN_TREE "6.1.0-18-cloud-amd64"
#define RHEL    "5.14.0-362.8.1.el9_3.x86_64"

static const char *word_of(enum answer answer)
{
	static const char *const words[] = {
		[ANSWER_UNKNOWN] = "unknown", [ANSWER_NO] = "no", [ANSWER_YES] = "yes"};

	return words[answer];
}

/* Writes `native`, and everything else that differs from a driver without any limit. */
static void describe(const struct driver *driver, char *text, size_t size)
{
	const struct {
		const char *name;
		int64_t value;
	} limits[] = {
		{"mtu", driver->xdp_mtu},
		{"channels", driver->xdp_channels},
		{"fragments", driver->fragments},
	};
	const struct {
		const char *name;
		bool holds;
	} words[] = {
		{"sure", driver->xdp_mtu_sure},       {"each_cpu", driver->channel_each_cpu},
		{"peer", driver->has_peer},           {"rings", driver->rings_each},
		{"flaps", driver->attach_interrupts}, {"panics", driver->panics},
		{"fails", driver->fails_xdp},         {"bypass", driver->has_bypass},
	};
	size_t used = snprintf(text, size, "%s: native %s", driver->title, word_of(driver->native));

	if (driver->needs_program)
		used += snprintf(text + used, size - used, ", program %s",
				 word_of(driver->needs_program));
	for (size_t i = 0; i < COUNT_OF(limits); i++) {
		if (limits[i].value)
			used += snprintf(text + used, size - used, ", %s %lld", limits[i].name,
					 (long long)limits[i].value);
	}
	for (size_t i = 0; i < COUNT_OF(words); i++) {
		if (words[i].holds)
			used += snprintf(text + used, size - used, ", %s", words[i].name);
	}
	assert_true(used < size);
}

static void drivers(void **state)
{
	static const struct {
		const char *sentence;
		struct driver_facts facts;
		const char *expected;
	} rows[] = {
		{"nothing is known", {0}, ": native unknown, mtu 3498"},
		{"a driver that nobody knows says that it can",
		 {.name = "own",
		  .native = ANSWER_YES,
		  .multi_buffer = ANSWER_YES,
		  .frags = ANSWER_YES},
		 "own: native yes"},
		{"frames in several buffers take a kernel, too",
		 {.name = "own", .multi_buffer = ANSWER_YES, .frags = ANSWER_NO},
		 "own: native unknown, mtu 3498"},
		{"a driver that is known to have native XDP",
		 {.name = "ixgbe"},
		 "ixgbe: native yes, mtu 3498"},
		{"what it says of itself goes first",
		 {.name = "ixgbe", .native = ANSWER_NO},
		 "ixgbe: native no, mtu 3498"},
		{"a driver that is known to have none",
		 {.name = "vmxnet3"},
		 "vmxnet3: native no, mtu 3498"},
		{"veth",
		 {.name = "veth", .multi_buffer = ANSWER_YES},
		 "veth: native yes, program no, peer"},
		{"tun is no pair",
		 {.name = "tun", .multi_buffer = ANSWER_YES},
		 "tun: native yes, program no"},
		{"virtio_net",
		 {.name = "virtio_net", .multi_buffer = ANSWER_YES},
		 "virtio_net: native yes, program yes, each_cpu"},
		{"ENA of which only the name is known",
		 {.name = "ena"},
		 "ENA: native yes, program yes, mtu 3498, fragments 1024, sure, rings, flaps"},
		{"in-tree ENA, which may say that it has none",
		 {.name = "ena",
		  .version = IN_TREE,
		  .kernel = IN_TREE,
		  .native = ANSWER_NO,
		  .channels_max = 8},
		 "ENA: native yes, program yes, mtu 3498, channels 4, fragments 1024, sure, "
		 "rings, flaps"},
		{"one channel is not halved",
		 {.name = "ena", .channels_max = 1},
		 "ENA: native yes, program yes, mtu 3498, channels 1, fragments 1024, sure, "
		 "rings, flaps"},
		{"RHEL 9.3's",
		 {.name = "ena", .version = RHEL, .kernel = RHEL},
		 "ENA: native yes, program yes, mtu 3498, fragments 1024, sure, rings, flaps, "
		 "fails"},
		{"amzn-drivers' on it",
		 {.name = "ena", .version = "2.12.0g", .kernel = RHEL},
		 "ENA: native yes, program yes, mtu 3502, fragments 1024, sure, flaps"},
		{"the version that panics",
		 {.name = "ena", .version = "2.13.0g"},
		 "ENA: native yes, program yes, mtu 3502, fragments 1024, sure, flaps, panics"},
		{"the first that can do without the limit on fragments",
		 {.name = "ena", .version = "2.13.3g"},
		 "ENA: native yes, program yes, mtu 3502, fragments 1024, sure, flaps, bypass"},
		{"the first that takes any MTU",
		 {.name = "ena", .version = "2.17.0g"},
		 "ENA: native yes, program yes, fragments 1024, flaps, bypass"},
		{"not on a kernel without frames in several buffers",
		 {.name = "ena", .version = "2.17.0g", .frags = ANSWER_NO, .channels_max = 8},
		 "ENA: native yes, program yes, mtu 3502, channels 4, fragments 1024, sure, "
		 "flaps, bypass"},
	};
	int failures = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct driver driver = driver_of(&rows[i].facts);
		char text[200];

		describe(&driver, text, sizeof(text));
		failures += row_differs(rows[i].sentence, text, rows[i].expected);
	}
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drivers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
