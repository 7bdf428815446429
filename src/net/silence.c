// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>

#include "base/cleanup.h"
#include "base/fnv.h"
#include "net/nftables.h"
#include "net/silence.h"

#define TABLE_PREFIX "vxlan-pipeline-"
#define REFLECT      "/proc/sys/net/ipv%c/fwmark_reflect"

/*
 * The ingress hook belongs to one interface: its chain goes when the interface goes. Marks are set
 * before everything else on the interface sees the packet.
 */
static const char ingress_rules[] =
	"add chain netdev %1$s %2$s { type filter hook ingress device \"%3$s\" priority -500; }\n"
	"add rule netdev %1$s %2$s ether saddr %4$s counter meta mark set 0x%5$08x\n";

/*
 * The kernel's own answers, before connection tracking sees them. An ICMP error carries the packet it
 * is about from byte 8 on (RFC 792, RFC 4443): in bits from the ICMP header, its protocol is at 136
 * (IPv4 without options) and 112 (IPv6), its UDP destination port at 240 and 400.
 */
static const char output_rules[] =
	"add chain inet %1$s output { type filter hook output priority raw; }\n"
	"add rule inet %1$s output meta mark 0x%2$08x counter drop\n"
	"add rule inet %1$s output icmp type { destination-unreachable, time-exceeded, "
	"parameter-problem } @th,136,8 17 @th,240,16 %3$u counter drop\n"
	"add rule inet %1$s output icmpv6 type { destination-unreachable, time-exceeded, "
	"parameter-problem } @th,112,8 17 @th,400,16 %3$u counter drop\n";

#define OUTPUT_RULES 3 /* the most that a table has */
#define RULES_SIZE   1024
#define TABLE_SIZE   128

/* What a table is made of; its fingerprint is an empty chain named after all that is in it. */
struct silence_table {
	const char *family;
	char rules[RULES_SIZE];
	size_t rule_count;
	char fingerprint[24];
};

static const char *silence_table_name(char *name, const char *instance)
{
	snprintf(name, TABLE_SIZE, TABLE_PREFIX "%s", instance);
	return name;
}

static void silence_describe(struct silence_table tables[2], const char *name,
			     const struct silence *silence)
{
	const uint8_t *mac = silence->mac;
	char saddr[18];

	snprintf(saddr, sizeof(saddr), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	tables[0].family = "netdev";
	tables[0].rule_count = 1;
	snprintf(tables[0].rules, RULES_SIZE, ingress_rules, name, "ingress", silence->interface,
		 saddr, silence->mark);
	if (*silence->before && if_nametoindex(silence->before)) {
		size_t used = strlen(tables[0].rules);

		snprintf(tables[0].rules + used, RULES_SIZE - used, ingress_rules, name, "before",
			 silence->before, saddr, silence->mark);
		tables[0].rule_count++;
	}
	tables[1].family = "inet";
	tables[1].rule_count = OUTPUT_RULES;
	snprintf(tables[1].rules, RULES_SIZE, output_rules, name, silence->mark,
		 (unsigned int)silence->port);
	for (size_t i = 0; i < 2; i++)
		snprintf(tables[i].fingerprint, sizeof(tables[i].fingerprint), "is_%08x",
			 fnv1a(tables[i].rules, strlen(tables[i].rules)));
}

static int reflect_open(char version, int flags)
{
	char path[sizeof(REFLECT)];

	snprintf(path, sizeof(path), REFLECT, version);
	return open(path, flags | O_CLOEXEC);
}

#define REFLECT_NONE 'x' /* there is no such setting, as without IPv6 */

static char reflect_read(char version)
{
	_cleanup_close_ int fd = reflect_open(version, O_RDONLY);
	char value;

	return fd >= 0 && read(fd, &value, 1) == 1 ? value : REFLECT_NONE;
}

static int reflect_write(char version, char value)
{
	_cleanup_close_ int fd = -1;
	char now = reflect_read(version);

	if (value == REFLECT_NONE || now == REFLECT_NONE || now == value)
		return 0;
	fd = reflect_open(version, O_WRONLY);
	return fd >= 0 && write(fd, &value, 1) == 1 ? 0 : -errno;
}

static bool is_ours(const char *table)
{
	return table && strncmp(table, TABLE_PREFIX, strlen(TABLE_PREFIX)) == 0;
}

/*
 * What an instance that runs here has found fwmark_reflect to be: an empty chain of its inet table is
 * named after it. False: there is none, and `before` is untouched.
 */
static bool reflect_recorded(char before[2])
{
	json_t *list = nftables_list("list chains inet"), *entry;
	bool found = false;
	size_t i;

	json_array_foreach (list, i, entry) {
		const char *table = NULL, *name = NULL;

		if (json_unpack(entry, "{s:{s:s, s:s}}", "chain", "table", &table, "name", &name))
			continue;
		if (is_ours(table) && sscanf(name, "reflect_%c_%c", &before[0], &before[1]) == 2)
			found = true;
	}
	json_decref(list);
	return found;
}

static int reflect_turn_on(struct error *error)
{
	for (char version = '4'; version <= '6'; version += 2) {
		int err = reflect_write(version, '1');

		if (err)
			return error_set(error, err,
					 "cannot set net.ipv%c.fwmark_reflect: %s; sysctl -w "
					 "net.ipv%c.fwmark_reflect=1",
					 version, strerror(-err), version);
	}
	return 0;
}

/* Of one table, as `nft -j list table` has it: the fingerprint, and as many rules as it was given. */
static bool table_is_whole(const struct silence_table *table, const json_t *list,
			   uint64_t counted[OUTPUT_RULES])
{
	bool fingerprint = false;
	size_t i, rules = 0;
	json_t *entry;

	json_array_foreach (list, i, entry) {
		const char *name =
			json_string_value(json_object_get(json_object_get(entry, "chain"), "name"));
		const json_t *expressions = json_object_get(json_object_get(entry, "rule"), "expr");
		json_t *expression;
		size_t n;

		if (name && strcmp(name, table->fingerprint) == 0)
			fingerprint = true;
		if (!expressions || rules == OUTPUT_RULES)
			continue;
		json_array_foreach (expressions, n, expression) {
			const json_t *packets =
				json_object_get(json_object_get(expression, "counter"), "packets");

			if (packets)
				counted[rules] = (uint64_t)json_integer_value(packets);
		}
		rules++;
	}
	return fingerprint && rules == table->rule_count;
}

static int silence_read_table(const struct silence_table *table, const char *name,
			      uint64_t counted[OUTPUT_RULES], struct error *error)
{
	char command[TABLE_SIZE + 32];
	json_t *list;
	bool whole;

	snprintf(command, sizeof(command), "list table %s %s", table->family, name);
	list = nftables_list(command);
	whole = list && table_is_whole(table, list, counted);
	json_decref(list);
	return whole ? 0
		     : error_set(error, -ENOENT,
				 "the rules of nftables' table %s %s are not as `run` made them",
				 table->family, name);
}

int silence_read(const char *instance, const struct silence *silence, struct silence_counts *counts,
		 struct error *error)
{
	uint64_t ingress[OUTPUT_RULES] = {0}, output[OUTPUT_RULES] = {0};
	struct silence_table tables[2];
	char name[TABLE_SIZE];
	int err;

	silence_describe(tables, silence_table_name(name, instance), silence);
	err = silence_read_table(&tables[0], name, ingress, error);
	if (!err)
		err = silence_read_table(&tables[1], name, output, error);
	if (err)
		return err;
	for (char version = '4'; version <= '6'; version += 2) {
		if (reflect_read(version) == '0')
			return error_set(error, -ENOENT, "net.ipv%c.fwmark_reflect is 0", version);
	}
	if (counts)
		*counts = (struct silence_counts){.handed_over = ingress[0],
						  .answers = output[0],
						  .tunnel = output[1] + output[2]};
	return 0;
}

/* Adding a table before it is removed makes the removal work whether or not it was there. */
static int silence_make_tables(const char *instance, const struct silence *silence,
			       struct error *error)
{
	struct silence_table tables[2];
	char name[TABLE_SIZE], *commands = NULL;
	size_t size;
	FILE *stream = open_memstream(&commands, &size);
	int err = stream ? 0 : -ENOMEM;

	silence_describe(tables, silence_table_name(name, instance), silence);
	for (size_t i = 0; !err && i < 2; i++) {
		const char *family = tables[i].family;

		fprintf(stream, "add table %s %s\ndelete table %s %s\nadd table %s %s\n", family,
			name, family, name, family, name);
		fprintf(stream, "add chain %s %s %s\n%s", family, name, tables[i].fingerprint,
			tables[i].rules);
	}
	if (!err) {
		fprintf(stream, "add chain inet %s reflect_%c_%c\n", name, silence->reflected[0],
			silence->reflected[1]);
		err = ferror(stream) ? -ENOMEM : 0;
	}
	if (stream && fclose(stream))
		err = -ENOMEM;
	err = err ? error_set(error, err, "no memory") : nftables_run(commands, error);
	free(commands);
	return err;
}

int silence_begin(const char *instance, struct silence *silence, struct error *error)
{
	int err;

	if (strchr(silence->interface, '"') || strchr(silence->before, '"'))
		return error_set(error, -EINVAL, "nftables takes no interface named %s",
				 silence->interface);
	if (!reflect_recorded(silence->reflected) && !*silence->reflected) {
		silence->reflected[0] = reflect_read('4');
		silence->reflected[1] = reflect_read('6');
	}
	if (silence_read(instance, silence, NULL, &(struct error){0}) == 0)
		return 0;
	err = silence_make_tables(instance, silence, error);
	if (err)
		return err;
	err = reflect_turn_on(error);
	if (err)
		silence_end(instance);
	return err;
}

bool silence_reflects(void)
{
	return reflect_read('4') != '0' && reflect_read('6') != '0';
}

void silence_end(const char *instance)
{
	char name[TABLE_SIZE], commands[4 * TABLE_SIZE + 80], before[2], others[2];
	bool recorded = reflect_recorded(before);

	silence_table_name(name, instance);
	snprintf(commands, sizeof(commands),
		 "add table netdev %s\ndelete table netdev %s\nadd table inet %s\ndelete table "
		 "inet %s\n",
		 name, name, name, name);
	if (!recorded || nftables_run(commands, &(struct error){0}) || reflect_recorded(others))
		return;
	reflect_write('4', before[0]);
	reflect_write('6', before[1]);
}

int silence_open_events(void)
{
	_cleanup_close_ int fd = -1;
	struct mnl_socket *socket =
		mnl_socket_open2(NETLINK_NETFILTER, SOCK_NONBLOCK | SOCK_CLOEXEC);
	int err = socket ? 0 : -errno;

	if (!err && mnl_socket_bind(socket, 1 << (NFNLGRP_NFTABLES - 1), MNL_SOCKET_AUTOPID) < 0)
		err = -errno;
	if (!err) {
		fd = fcntl(mnl_socket_get_fd(socket), F_DUPFD_CLOEXEC, 0);
		err = fd < 0 ? -errno : 0;
	}
	if (socket)
		mnl_socket_close(socket);
	if (err)
		return err;
	err = fd;
	fd = -1;
	return err;
}

bool silence_events(int fd)
{
	char buffer[8192];
	bool any = false;
	ssize_t size;

	/* what was lost (ENOBUFS) were changes, too; what they are is looked up */
	while ((size = recv(fd, buffer, sizeof(buffer), 0)) > 0 || (size < 0 && errno == ENOBUFS))
		any = true;
	return any;
}
