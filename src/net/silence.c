// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/cleanup.h"
#include "net/nftables.h"
#include "net/silence.h"
#include "net/silence_rules.h"

/* The settings that have to be 1 (SILENCE_SETTINGS). A host without IPv6 lacks the one for IPv6. */
static const char *const settings[SILENCE_SETTINGS] = {
	"/proc/sys/net/ipv4/fwmark_reflect",
	"/proc/sys/net/ipv6/fwmark_reflect",
	"/proc/sys/net/ipv4/tcp_fwmark_accept",
};

#define SETTING_ABSENT 'x'

#define LOCK_TRIES    25
#define LOCK_PAUSE_NS 10000000L

/*
 * Instances share the settings: what one reads and writes must not fall between another's removing its
 * record of them and putting them back. The lock is that of the network namespace itself. Any
 * account can take it, so nobody waits for it longer than 250 ms. Returns a descriptor, or -1.
 */
static int settings_lock(void)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	for (int tries = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && tries < LOCK_TRIES;
	     tries++)
		nanosleep(&pause, NULL);
	return fd;
}

/*
 * The socket that owns the tables of this process's instance, from Linux 6.9 on: `systemctl reload nftables`
 * and others that flush all rules leave the tables in place. Never closed, for it ends with the process;
 * the tables outlive it. NULL: nobody owns them.
 */
static struct netlink *owner;

/* A list may be interrupted by a change of what it lists, and an answer get lost. */
#define SILENCE_TRIES 3

static char setting_read(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char value;

	return fd >= 0 && read(fd, &value, 1) == 1 ? value : SETTING_ABSENT;
}

static int setting_write(const char *path, char value)
{
	_cleanup_close_ int fd = -1;
	char now = setting_read(path);

	if (value == SETTING_ABSENT || now == SETTING_ABSENT || now == value)
		return 0;
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, &value, 1) == 1 ? 0 : -errno;
}

static int settings_turn_on(struct error *error)
{
	for (size_t i = 0; i < SILENCE_SETTINGS; i++) {
		int err = setting_write(settings[i], '1');

		if (err)
			return error_set(error, err, "cannot set %s: %s; echo 1 > %s", settings[i],
					 strerror(-err), settings[i]);
	}
	return 0;
}

static void settings_restore(const char before[SILENCE_SETTINGS])
{
	for (size_t i = 0; i < SILENCE_SETTINGS; i++)
		setting_write(settings[i], before[i]);
}

bool silence_is_set(void)
{
	for (size_t i = 0; i < SILENCE_SETTINGS; i++) {
		if (setting_read(settings[i]) == '0')
			return false;
	}
	return true;
}

struct settings_search {
	char before[SILENCE_SETTINGS];
	bool found;
};

static void find_settings(void *data, const char *table, const char *chain)
{
	struct settings_search *search = data;

	if (strncmp(table, SILENCE_TABLE, strlen(SILENCE_TABLE)) != 0 ||
	    strncmp(chain, "was_", 4) != 0 || strlen(chain) != 4 + SILENCE_SETTINGS)
		return;
	memcpy(search->before, chain + 4, SILENCE_SETTINGS);
	search->found = true;
}

/*
 * Reads the values that the settings had before the first instance in this namespace: an empty
 * chain in its inet table is named after them. 1; 0: there is none, or -errno: not known, and `before`
 * is untouched.
 */
static int settings_recorded(char before[SILENCE_SETTINGS])
{
	struct settings_search search = {.found = false};
	int err = -EAGAIN;

	for (int tries = 0; err && err != -EOPNOTSUPP && tries < SILENCE_TRIES; tries++)
		err = nftables_each_chain(NFPROTO_INET, find_settings, &search);
	if (err && err != -EOPNOTSUPP)
		return err;
	if (search.found)
		memcpy(before, search.before, SILENCE_SETTINGS);
	return search.found;
}

struct silence_reading {
	const char *table;
	char fingerprint[NFTABLES_NAME_SIZE];
	unsigned int fingerprints;
	unsigned int marking;  /* rules of chains on interfaces */
	unsigned int dropping; /* rules of the other table, which drops and marks again */
	uint64_t marked;
	uint64_t answers;
	uint64_t tunnel;
};

static void read_chain(void *data, const char *table, const char *chain)
{
	struct silence_reading *reading = data;

	reading->fingerprints +=
		strcmp(table, reading->table) == 0 && strcmp(chain, reading->fingerprint) == 0;
}

/* The first rule of each interface marks. */
static void read_marking(void *data, const char *chain, uint64_t packets)
{
	struct silence_reading *reading = data;

	(void)chain;
	if (reading->marking++ % SILENCE_MARKING_RULES == 0)
		reading->marked += packets;
}

/* The first rule drops answers, the next ones errors about the tunnel; the last ones count nothing. */
static void read_dropping(void *data, const char *chain, uint64_t packets)
{
	struct silence_reading *reading = data;

	(void)chain;
	if (!reading->dropping++)
		reading->answers = packets;
	else
		reading->tunnel += packets;
}

static int silence_broken(const char *table, struct error *error)
{
	return error_set(error, -ENOENT,
			 "the rules of nftables' tables %s are not as `run` made them", table);
}

static int silence_read_rules(const char *table, const struct silence *silence,
			      struct silence_reading *reading)
{
	int err;

	*reading = (struct silence_reading){.table = table};
	silence_fingerprint(reading->fingerprint, silence);
	err = nftables_each_chain(NFPROTO_NETDEV, read_chain, reading);
	if (!err)
		err = nftables_each_chain(NFPROTO_INET, read_chain, reading);
	if (!err)
		err = nftables_each_rule(NFPROTO_NETDEV, table, read_marking, reading);
	if (!err)
		err = nftables_each_rule(NFPROTO_INET, table, read_dropping, reading);
	return err;
}

int silence_read(const char *instance, const struct silence *silence, struct silence_counts *counts,
		 struct error *error)
{
	char table[NFTABLES_NAME_SIZE];
	struct silence_reading reading;
	int err = -EINTR;

	silence_table(table, instance);
	for (int tries = 0; err == -EINTR && tries < SILENCE_TRIES; tries++)
		err = silence_read_rules(table, silence, &reading);
	if (err && err != -ENOENT)
		return error_set(error, err, "cannot read the rules of nftables: %s",
				 strerror(-err));
	if (err || reading.fingerprints != 2 ||
	    reading.marking != SILENCE_MARKING_RULES * (1U + silence_has_before(silence)) ||
	    reading.dropping != SILENCE_DROPPING_RULES + SILENCE_AGAIN_RULES)
		return silence_broken(table, error);
	if (!silence_is_set())
		return error_set(error, -ENOENT,
				 "net.ipv4.fwmark_reflect, net.ipv6.fwmark_reflect or "
				 "net.ipv4.tcp_fwmark_accept is 0");
	if (counts)
		*counts = (struct silence_counts){
			.passed = reading.marked,
			.answers = reading.answers,
			.tunnel = reading.tunnel,
		};
	return 0;
}

static int silence_open_owner(void)
{
	return owner ? 0 : netlink_open(&owner, NETLINK_NETFILTER, 0);
}

static int silence_make_owned(const char *instance, const struct silence *silence)
{
	int err = silence_open_owner();

	if (!err)
		err = silence_make(instance, silence, owner);
	return err == -EOPNOTSUPP ? silence_make(instance, silence, NULL) : err;
}

/* Tables in place stay, and their counts go on. Those that an older build made cannot be owned. */
static int silence_take_over(const char *instance, struct error *error)
{
	int err = silence_open_owner();

	if (!err)
		err = silence_own(instance, owner);
	if (!err || err == -EOPNOTSUPP)
		return 0;
	return error_set(error, err, "cannot take over the rules of nftables: %s", strerror(-err));
}

int silence_begin(const char *instance, struct silence *silence, struct error *error)
{
	_cleanup_close_ int lock = settings_lock();
	int err, recorded = settings_recorded(silence->before_settings);

	if (recorded < 0)
		return error_set(error, recorded, "cannot read the rules of nftables: %s",
				 strerror(-recorded));
	if (!recorded && !*silence->before_settings) {
		for (size_t i = 0; i < SILENCE_SETTINGS; i++)
			silence->before_settings[i] = setting_read(settings[i]);
	}
	if (silence_read(instance, silence, NULL, &(struct error){0}) == 0)
		return silence_take_over(instance, error);
	err = settings_turn_on(error);
	if (err)
		return err;
	err = silence_make_owned(instance, silence);
	if (!err)
		return 0;
	if (!recorded)
		settings_restore(silence->before_settings);
	return error_set(error, err, "cannot make rules of nftables: %s%s", strerror(-err),
			 err == -EOPNOTSUPP ? "; modprobe nf_tables" : "");
}

/* Also what is left of them, if somebody has taken some away. */
static int silence_remove_all(const char *instance, bool recorded)
{
	int err = -EAGAIN;

	for (int tries = 0; err && tries < SILENCE_TRIES; tries++)
		err = silence_remove(instance, owner);
	return err == -EOPNOTSUPP && !recorded ? 0 : err; /* without nftables there is nothing */
}

int silence_end(const char *instance, struct error *error)
{
	_cleanup_close_ int lock = settings_lock();
	char table[NFTABLES_NAME_SIZE], before[SILENCE_SETTINGS], others[SILENCE_SETTINGS];
	int recorded = settings_recorded(before);
	int err = recorded < 0 ? recorded : silence_remove_all(instance, recorded);

	if (err)
		return error_set(error, err,
				 "cannot remove nftables' tables %s: %s; vxlan-pipeline stop "
				 "--instance %s tries again",
				 silence_table(table, instance), strerror(-err), instance);
	if (!recorded)
		return 0;
	err = settings_recorded(others);
	if (err < 0)
		return error_set(error, err,
				 "whether another instance needs net.ipv4.fwmark_reflect, "
				 "net.ipv6.fwmark_reflect and net.ipv4.tcp_fwmark_accept cannot be "
				 "found out: %s; if none does, set them to %c, %c and %c",
				 strerror(-err), before[0], before[1], before[2]);
	if (!err)
		settings_restore(before);
	return 0;
}

int silence_open_events(struct netlink **out)
{
	const int group = NFNLGRP_NFTABLES;
	struct netlink *netlink;
	int err = netlink_open(&netlink, NETLINK_NETFILTER, SOCK_NONBLOCK);

	if (err)
		return err;
	if (setsockopt(netlink_fd(netlink), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group,
		       sizeof(group)) < 0) {
		err = -errno;
		netlink_close(netlink);
		return err;
	}
	*out = netlink;
	return 0;
}

bool silence_events(const struct netlink *events)
{
	char buffer[8192];
	bool any = false;
	ssize_t size;

	/* lost events (ENOBUFS) are changes, too; silence_read() finds out what changed */
	while ((size = recv(netlink_fd(events), buffer, sizeof(buffer), MSG_DONTWAIT)) > 0 ||
	       (size < 0 && errno == ENOBUFS))
		any = true;
	return any;
}
