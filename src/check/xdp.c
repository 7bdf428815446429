// SPDX-License-Identifier: GPL-2.0-only
/* The checks of interfaces, drivers and XDP. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check/internal.h"
#include "instance/bpffs.h"
#include "net/xdp_program.h"

#define LOWER_FIRST "; forward.mtu is more than that: lower it first"

static bool generic_wanted(const struct check *check)
{
	return check->config->listen.xdp_mode == XDP_MODE_GENERIC;
}

static void judge_driver(const struct check *check, const struct host_link *link,
			 const struct driver *driver)
{
	if (driver->panics && !generic_wanted(check))
		check_fix(check_find(check, FINDING_FAIL,
				     "%s: ENA %s panics under load when it sends from XDP",
				     link->name, link->driver_version),
			  DRIVER_ENA_INSTALL);
	if (driver->fails_xdp)
		check_fix(
			check_find(check,
				   generic_wanted(check) ? FINDING_OK : check_native_status(check),
				   "%s: the ENA driver of RHEL 9.3 and 9.4 (%s) fails to take XDP "
				   "programs",
				   link->name, check->host->kernel),
			"dnf upgrade kernel");
}

void check_driver(const struct check *check)
{
	check_each_link(check, judge_driver);
}

/*
 * Its driver says so of itself; ENA does where it says that it has no native XDP for now. What leaves
 * by the interface that it came in on is sent back, not redirected.
 */
static bool cannot_redirect(const struct check *check)
{
	const struct host_link *link = &check->host->listen;

	return !check->single_arm && link->native == ANSWER_YES && link->redirect == ANSWER_NO;
}

void check_xdp_mode(const struct check *check)
{
	const struct host_link *link = &check->host->listen;
	const char *driver = *link->driver ? link->driver : "unknown";

	if (generic_wanted(check)) {
		check_find(check, FINDING_OK, "generic mode is asked for, which every driver does");
		return;
	}
	if (check->listen.native == ANSWER_NO)
		check_find(
			check, check_native_status(check),
			"%s's driver, %s, has no native XDP; generic mode is several times slower",
			link->name, driver);
	else if (cannot_redirect(check))
		check_find(
			check, check_native_status(check),
			"%s's driver, %s, redirects nothing in native mode, so nothing would reach "
			"%s; say `xdp_mode: generic` under `listen`",
			link->name, driver, check->host->forward.name);
	else if (strcmp(link->xdp_owner, "instance") == 0 && strcmp(link->xdp_mode, "generic") == 0)
		check_fix(
			check_find(
				check, FINDING_WARN,
				"this instance runs on %s in generic mode, which is several times "
				"slower; mend what else is found here, then start it anew",
				link->name),
			"systemctl stop %s; systemctl start %s", check->unit, check->unit);
	else if (check->listen.native == ANSWER_UNKNOWN)
		check_find(check, FINDING_WARN,
			   "whether %s's driver, %s, has native XDP is not known; `run` says which "
			   "mode it got",
			   link->name, driver);
	else
		check_find(check, FINDING_OK, "%s's driver, %s, has native XDP", link->name,
			   driver);
}

static void judge_foreign(const struct check *check, const struct host_link *link)
{
	struct xdp_program program = {
		.generic = strcmp(link->xdp_mode, "generic") == 0,
		.link_known = true, /* whose program it is took the same to know */
		.link = link->xdp_link > 0 ? (uint32_t)link->xdp_link : 0,
	};
	char removal[XDP_REMOVAL_SIZE];

	check_fix(check_find(check, FINDING_FAIL,
			     "%s carries the XDP program '%s' (id %" PRId64
			     "), which is not ours; better than this command is the tool "
			     "that attached it",
			     link->name, link->xdp_name, link->xdp_id),
		  "%s", xdp_program_removal(&program, link->name, removal));
}

static void judge_other_instance(const struct check *check, const struct host_link *link)
{
	if (*link->xdp_instance)
		check_fix(check_find(check, FINDING_FAIL,
				     "%s serves another instance already, %s (program '%s', "
				     "id %" PRId64 ")",
				     link->name, link->xdp_instance, link->xdp_name, link->xdp_id),
			  "vxlan-pipeline stop --instance %s", link->xdp_instance);
	else
		check_fix(check_find(check, FINDING_FAIL,
				     "%s serves an instance already (program '%s', id %" PRId64
				     ") " INSTANCE_PINNED_ELSEWHERE " stop it there",
				     link->name, link->xdp_name, link->xdp_id),
			  "ls " INSTANCE_PINS);
}

/* The program that only passes packets gives way, but to none in generic mode beside it. */
static void judge_passing(const struct check *check, const struct host_link *link)
{
	if (generic_wanted(check))
		check_fix(
			check_find(check, FINDING_FAIL,
				   "%s takes no program in generic mode while instance %s sends by "
				   "it in native mode; say `xdp_mode: native` under `listen`",
				   link->name, link->xdp_instance),
			"vxlan-pipeline stop --instance %s", link->xdp_instance);
	else
		check_find(check, FINDING_OK,
			   "instance %s sends by %s, and shares the program there",
			   link->xdp_instance, link->name);
}

/* On the way out any program will do. */
void check_xdp_program(const struct check *check)
{
	const struct host_link *link = &check->host->listen;

	if (link->xdp_id == HOST_UNKNOWN && link->exists == ANSWER_YES)
		check_find(check, FINDING_OK,
			   "not known: the kernel did not say which XDP program %s carries",
			   link->name);
	if (link->xdp_id <= 0 || strcmp(link->xdp_owner, "instance") == 0)
		return;
	if (!*link->xdp_owner)
		check_fix(check_find(check, FINDING_WARN,
				     "%s carries an XDP program (id %" PRId64
				     "), and this process could not see whose, which takes root",
				     link->name, link->xdp_id),
			  "sudo vxlan-pipeline check%s", check->options);
	else if (strcmp(link->xdp_owner, "passing") == 0)
		judge_passing(check, link);
	else if (strcmp(link->xdp_owner, "ours") == 0)
		judge_other_instance(check, link);
	else
		judge_foreign(check, link);
}

/* What the driver refused for is a finding of its own while it is so. */
static void judge_refusal(const struct check *check, const struct host_link *link,
			  const struct driver *driver)
{
	bool explained = (driver->xdp_mtu && link->mtu > driver->xdp_mtu) ||
			 (driver->xdp_channels && link->channels > driver->xdp_channels);

	if (*link->refusal && link->xdp_id <= 0 && !explained)
		check_find(check, FINDING_WARN,
			   "the kernel's log tells of a refusal; whether it still would the next "
			   "start shows: %s",
			   link->refusal);
}

void check_xdp_refused(const struct check *check)
{
	if (check->host->kernel_log == ANSWER_YES)
		check_each_link(check, judge_refusal);
	else
		check_find(
			check, FINDING_OK,
			"not known: the kernel's log cannot be read, where drivers tell why they "
			"refuse programs");
}

static void judge_mtu(const struct check *check, const struct host_link *link,
		      const struct driver *driver)
{
	bool egress = check->single_arm || link == &check->host->forward;
	int64_t wanted = egress ? check->config->forward.mtu : 0;
	struct finding *finding;

	if (!driver->xdp_mtu || link->mtu <= driver->xdp_mtu ||
	    (!driver->xdp_mtu_sure && driver->native == ANSWER_NO))
		return;
	if (driver->xdp_mtu_sure)
		finding = check_find(check, check_native_status(check),
				     "%s has an MTU of %" PRId64
				     ", and %s takes no XDP program above %" PRId64 "%s",
				     link->name, link->mtu, driver->title, driver->xdp_mtu,
				     wanted > driver->xdp_mtu ? LOWER_FIRST : "");
	else
		finding = check_find(check, FINDING_WARN,
				     "%s has an MTU of %" PRId64
				     "; drivers take no XDP program above about a page, which "
				     "%" PRId64 " keeps to%s",
				     link->name, link->mtu, driver->xdp_mtu,
				     wanted > driver->xdp_mtu ? LOWER_FIRST : "");
	if (wanted <= driver->xdp_mtu)
		check_fix(finding, "ip link set dev %s mtu %" PRId64, check_word(check, link),
			  driver->xdp_mtu);
}

void check_xdp_mtu(const struct check *check)
{
	if (!generic_wanted(check))
		check_each_link(check, judge_mtu);
}

/* virtio_net: each CPU gets a channel of its own to send from XDP, as long as there are so many. */
static void judge_each_cpu(const struct check *check, const struct host_link *link,
			   const struct driver *driver)
{
	const struct host_link *sends =
		check->single_arm ? &check->host->listen : &check->host->forward;
	int64_t free_for_us = link->channels_max - check->host->cpus;

	/* while it carries a program, the driver counts the channels that it took for it, too */
	if (strcmp(link->xdp_mode, "native") == 0)
		return;
	if (link->channels == HOST_UNKNOWN ||
	    link->channels + check->host->cpus <= link->channels_max)
		return;
	/* virtnet_xdp_get_sq() then takes queues behind the last one: 5.10, 6.1 and 6.12 do */
	if (link->channels > check->host->cpus && link == sends)
		check_fix(check_find(check, FINDING_FAIL,
				     "%s uses %" PRId64 " of %" PRId64 " channels on %" PRId64
				     " CPUs; with none left for each of them, %s crashes the "
				     "machine when it sends from XDP",
				     link->name, link->channels, link->channels_max,
				     check->host->cpus, driver->title),
			  "ethtool -L %s combined %" PRId64, check_word(check, link), free_for_us);
	else if (free_for_us >= 1)
		check_fix(check_find(check, FINDING_WARN,
				     "%s uses %" PRId64 " of %" PRId64
				     " channels, so that not every CPU gets one of its own to send "
				     "from XDP (%s): they share, which is slower",
				     link->name, link->channels, link->channels_max, driver->title),
			  "ethtool -L %s combined %" PRId64, check_word(check, link), free_for_us);
	else
		check_find(check, FINDING_OK,
			   "%s has %" PRId64 " channels for %" PRId64
			   " CPUs: they share what they send from XDP, which is slower",
			   link->name, link->channels_max, check->host->cpus);
}

static void judge_channels(const struct check *check, const struct host_link *link,
			   const struct driver *driver)
{
	if (driver->channel_each_cpu)
		judge_each_cpu(check, link, driver);
	if (driver->xdp_channels && link->channels > driver->xdp_channels)
		check_fix(check_find(check, check_native_status(check),
				     "%s uses %" PRId64
				     " channels, and %s takes no XDP program with "
				     "more than half of its %" PRId64,
				     link->name, link->channels, driver->title, link->channels_max),
			  "ethtool -L %s combined %" PRId64, check_word(check, link),
			  driver->xdp_channels);
}

void check_channels(const struct check *check)
{
	if (!generic_wanted(check))
		check_each_link(check, judge_channels);
}

static bool runs_native(const struct check *check)
{
	const struct host_link *link = &check->host->listen;

	return strcmp(link->xdp_owner, "instance") == 0 && strcmp(link->xdp_mode, "native") == 0;
}

/*
 * Many drivers take redirected frames, and say so, only while a program is attached in native mode:
 * before, it is not known. Those that are known to take them then are believed without being asked.
 */
static bool refuses_frames(const struct host_link *link, const struct driver *driver)
{
	return link->transmit == ANSWER_NO && strcmp(link->xdp_mode, "native") == 0 &&
	       driver->needs_program != ANSWER_YES;
}

void check_egress(const struct check *check)
{
	const struct host_link *link = &check->host->forward;

	if (check->single_arm || generic_wanted(check))
		return;
	if (check->forward.native == ANSWER_NO)
		check_find(
			check, check_native_status(check),
			"%s's driver, %s, has no native XDP, so no frames can be redirected to it "
			"in native mode; generic mode is several times slower",
			link->name, *link->driver ? link->driver : "unknown");
	else if (check->forward.needs_program == ANSWER_YES && runs_native(check) &&
		 link->xdp_id == 0)
		check_fix(check_find(check, FINDING_WARN,
				     "%s carries no XDP program, and without one %s sends no "
				     "redirected frames: somebody took ours off",
				     link->name, check->forward.title),
			  "systemctl reload %s", check->unit);
	else if (check->forward.has_peer && link->transmit == ANSWER_NO)
		check_find(
			/* no failure: the unit checks before it starts, and somebody may mend it */
			check, FINDING_WARN,
			"%s's peer takes no redirected frames, so that all are lost; on the peer: "
			"ethtool -K PEER gro on",
			link->name);
	else if (!check->forward.has_peer && refuses_frames(link, &check->forward))
		check_find(
			check, check_native_status(check),
			"%s's driver, %s, takes no redirected frames in native mode, although it "
			"carries an XDP program; say `xdp_mode: generic` under `listen`",
			link->name, *link->driver ? link->driver : "unknown");
}

void check_single_arm(const struct check *check)
{
	if (check->single_arm && check->listen.rings_each)
		check_find(check, FINDING_WARN,
			   "%s carries both directions, and in-tree %s rings its doorbell for each "
			   "packet that XDP sends back: they go through a redirect to itself, by a "
			   "transmit ring of at most 1024; a second interface as forward.interface "
			   "is faster",
			   check->host->listen.name, check->listen.title);
}

static void judge_management(const struct check *check, const struct host_link *link,
			     const struct driver *driver)
{
	if (driver->attach_interrupts && link->default_route == ANSWER_YES && link->xdp_id <= 0)
		check_fix(
			check_find(check, FINDING_WARN,
				   "%s carries the default route, and %s takes it down and up when "
				   "the first XDP program comes and the last one goes: who is "
				   "logged in through it may be cut off; a timer that undoes it "
				   "helps",
				   link->name, driver->title),
			"systemd-run --on-active=5min vxlan-pipeline stop --instance %s",
			check->instance);
}

void check_management(const struct check *check)
{
	if (!generic_wanted(check))
		check_each_link(check, judge_management);
}
