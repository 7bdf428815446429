// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/refusal.h"
#include "daemon/apply.h"
#include "daemon/links.h"
#include "daemon/mode.h"
#include "daemon/warnings.h"
#include "datapath/owner.h"
#include "instance/instance.h"
#include "instance/bpffs.h"

#define START_PATIENCE_MS 1000 /* of a start, with neighbours that have not answered yet */

static void report_applied(const struct config *config, const struct datapath_attached *attached,
			   const char *mode)
{
	for (size_t i = 0; i < attached->warning_count; i++)
		log_warning("%s", attached->warnings[i]);
	warn_of_sources(config);
	warn_of_forwarding(config);
	log_info("%s: %s, %s mode, forwarding to %s, %zu rule%s", config->listen.interface,
		 attached->adopted ? "program replaced" : "attached", mode,
		 config->forward.interface, config->rule_count, config->rule_count == 1 ? "" : "s");
}

/* The datapath does without: it then asks the kernel for each packet. */
static int open_next_hops(struct applied *applied, const struct config *config, struct error *error)
{
	struct next_hops_setup setup = {
		.targets = applied->control.targets,
		.count = applied->control.target_count,
		.table = applied->control.next_hops,
		.only = applied->control.only_hop,
		.only_index = applied->control.only_index,
		.ifindex = applied->links.egress_ifindex,
		.progress = applied->progress,
	};

	if (config->forward.next_hop != NEXT_HOP_ROUTE || !setup.table)
		return 0;
	snprintf(setup.interface, sizeof(setup.interface), "%s", config->forward.interface);
	return next_hops_open(&applied->next_hops, &setup, error);
}

/*
 * Finds the next hops of a generation before it is applied: it knows from its first packet on what the
 * one before knew. Where nothing runs yet, a moment is spent on waiting for neighbours to answer.
 */
static void find_next_hops(struct applied *fresh, const char *instance, const struct config *config)
{
	struct error error;

	if (config->forward.next_hop == NEXT_HOP_ROUTE)
		datapath_inherit_next_hops(instance, &fresh->control, fresh->links.egress_ifindex);
	if (open_next_hops(fresh, config, &error))
		log_warning("%s; every packet asks the kernel for its next hop", error.text);
	else if (fresh->next_hops && datapath_is_unpinned(instance))
		next_hops_wait(fresh->next_hops, START_PATIENCE_MS);
}

void applied_follow_next_hops(struct applied *applied, const struct config *config)
{
	struct error error;

	if (!applied->next_hops && open_next_hops(applied, config, &error) == 0 &&
	    applied->next_hops)
		log_info("next hops are followed again");
}

/* Before the datapath passes anything to the kernel. */
static void begin_silence(struct applied *fresh, const struct applied *applied,
			  const char *instance, const struct config *config,
			  const struct datapath_pins *pins)
{
	struct silence *silence = &fresh->silence;

	*silence = (struct silence){.mark = datapath_pass_mark(pins), .port = config->listen.port};
	memcpy(silence->before_settings, applied->silence.before_settings,
	       sizeof(silence->before_settings));
	datapath_pass_mac(silence->mark, silence->mac);
	snprintf(silence->interface, sizeof(silence->interface), "%s", config->listen.interface);
	/* until the swap the generation before passes packets that came in there */
	if (*applied->silence.interface &&
	    strcmp(applied->silence.interface, silence->interface) != 0)
		memcpy(silence->before, applied->silence.interface, sizeof(silence->before));
	fresh->may_pass = silence_begin(instance, silence, &fresh->unsilenced) == 0;
}

/* After the swap, or back to what was before it. */
static void settle_silence(struct applied *applied, const char *instance)
{
	*applied->silence.before = '\0';
	if (applied->may_pass && silence_begin(instance, &applied->silence, &applied->unsilenced))
		applied->silence_changed = true;
}

/*
 * The rules name their interface, and from Linux 6.16 on they let go of one that is renamed. True if
 * it has been.
 */
static bool silence_follow_name(struct applied *applied)
{
	char name[IF_NAMESIZE], *known = applied->silence.interface;

	if (!if_indextoname((unsigned int)applied->links.listen_ifindex, name) ||
	    strcmp(name, known) == 0)
		return false;
	log_warning("%s is called %s now", known, name);
	snprintf(known, sizeof(applied->silence.interface), "%s", name);
	return true;
}

void applied_keep_silence(struct applied *applied, const char *instance, bool read)
{
	struct error why;

	read |= silence_follow_name(applied);
	if (applied->may_pass && silence_is_set() && !read)
		return;
	if (applied->may_pass && silence_read(instance, &applied->silence, NULL, &why) == 0)
		return;
	if (silence_begin(instance, &applied->silence, &applied->unsilenced) == 0) {
		if (applied->may_pass)
			log_warning("%s; set again: it keeps the kernel from answering captured "
				    "packets",
				    why.text);
		applied->silence_changed = !applied->may_pass;
	} else {
		applied->silence_changed = applied->may_pass;
	}
}

/* `first`: of this process, whose programs are to take the place of those of another build. */
static void watch_losses(const char *instance, const struct datapath_links *links, bool first)
{
	static const char what[] = "packets that drivers refuse to send cannot be counted";
	int err = datapath_watch_losses(instance, links, first);
	struct error error;

	if (!err)
		return;
	if (refusal_is(err))
		refusal_explain(err, what, &error);
	else if (error_may_pass(err))
		error_set(&error, err, "%s: %s; a reload tries again", what, strerror(-err));
	else
		error_set(&error, err,
			  "%s: %s; perhaps this kernel has no BTF (CONFIG_DEBUG_INFO_BTF)", what,
			  strerror(-err));
	log_warning("%s", error.text);
}

void applied_release(struct applied *applied)
{
	next_hops_close(applied->next_hops);
	applied->next_hops = NULL;
	datapath_release_control(&applied->control);
}

/* Finds the next hops of a loaded generation, makes it the current one, and takes it into *fresh. */
static int apply_loaded(const struct applied *applied, struct applied *fresh,
			struct datapath *datapath, struct datapath_pins *pins, const char *instance,
			const struct config *config, struct datapath_attached *attached,
			struct error *error)
{
	int err = datapath_take_control(datapath, &fresh->control, error);

	if (err)
		return err;
	find_next_hops(fresh, instance, config);
	if (!progress_step(&fresh->progress)) {
		applied_release(fresh);
		return error_set(error, -ECANCELED, "this process is told to end");
	}
	/*
	 * Beat before the swap, so that the new table is used at once; not after a crash, when the
	 * old daemon's stale table is still used.
	 */
	if (applied->next_hops || datapath_is_unpinned(instance))
		datapath_beat(&fresh->control);
	err = datapath_apply(datapath, pins, config, attached, error);
	if (err) {
		applied_release(fresh);
		return err;
	}
	datapath_beat(&fresh->control);
	watch_losses(instance, &fresh->links, !applied->links.listen_ifindex);
	return 0;
}

/* Only a kernel that does not know it closes the mode: want of memory, for one, passes. */
static int check_multi_buffer(struct error *error)
{
	int can = datapath_can_multi_buffer();

	if (can == 0)
		return error_set(
			error, -EOPNOTSUPP,
			"this kernel takes no frames in several buffers (Linux 5.18 does)");
	if (can < 0)
		return error_set(error, can,
				 "whether this kernel takes frames in several buffers cannot be "
				 "found out: %s",
				 strerror(-can));
	return 0;
}

/* Loads the configuration for one mode beside what runs, then swaps. */
static int apply_in_mode(struct applied *applied, const char *instance, const struct config *config,
			 const struct datapath_links *links, const struct mode *mode,
			 struct error *error)
{
	struct applied fresh = APPLIED_NONE;
	struct datapath_options options = {
		.generic = mode->generic,
		.multi_buffer = mode->multi_buffer,
		.progress = applied->progress,
	};
	struct datapath_attached attached;
	struct datapath_pins *pins = NULL;
	struct datapath *datapath = NULL;
	int err = datapath_open_pins(&pins, instance, error);

	fresh.links = *links;
	fresh.progress = applied->progress;
	options.pins = pins;
	if (!err && mode->multi_buffer)
		err = check_multi_buffer(error);
	if (!err) {
		begin_silence(&fresh, applied, instance, config, pins);
		options.may_pass = fresh.may_pass;
		err = datapath_load(&datapath, config, links, &options, error);
	}
	if (!err)
		err = apply_loaded(applied, &fresh, datapath, pins, instance, config, &attached,
				   error);
	if (!err) {
		applied_release(applied);
		*applied = fresh;
		warn_of_fragmenting(config, datapath_fragmenting(datapath), links);
		warn_of_local_targets(config, &applied->control);
		report_applied(config, &attached, mode->name);
		if (!fresh.may_pass)
			warn_of_answers(&fresh.unsilenced);
	}
	settle_silence(applied, instance);
	/* also what was attached again after a failure */
	datapath_hold(instance);
	datapath_close_pins(pins);
	datapath_free(datapath);
	progress_step(&applied->progress);
	return err;
}

int apply_config(struct applied *applied, const char *instance, const struct config *config,
		 struct error *error)
{
	struct netdev listen, egress;
	struct datapath_links links;
	struct error refusal = {0};
	enum mode_kept kept;
	int err;

	err = daemon_find_links(config, &links, &listen, &egress, error);
	if (!err)
		err = daemon_check_links(config, &listen, &egress, error);
	/* before the rules of nftables, which may be another daemon's of that name in this namespace */
	if (!err)
		err = datapath_check_free(instance, links.listen_ifindex, config->listen.interface,
					  error);
	if (err)
		return err;
	kept = mode_kept(instance, &applied->links, &links);
	err = -EOPNOTSUPP;
	for (size_t i = 0; err == -EOPNOTSUPP && i < MODE_COUNT; i++) {
		if (!mode_is_allowed(&modes[i], config->listen.xdp_mode, kept))
			continue;
		err = apply_in_mode(applied, instance, config, &links, &modes[i], error);
		/* the first refusal is the one to mend: it says why the fastest mode is closed */
		if (err == -EOPNOTSUPP && !*refusal.text)
			refusal = *error;
		if (!err && modes[i].generic) {
			warn_of_generic_mode(instance, config, &refusal);
			warn_of_vlan_tags(config, &listen);
		}
	}
	if (err == -EOPNOTSUPP)
		*error = refusal;
	/* nothing runs that it was for */
	if (err && !applied->links.listen_ifindex && datapath_is_unpinned(instance) &&
	    silence_end(instance, &refusal))
		log_warning("%s", refusal.text);
	if (!err) {
		warn_of_links(config, &listen, &egress);
		warn_of_bypass(config, &applied->progress);
	}
	return err;
}

bool applied_is_outdated(const struct applied *applied, const char *instance,
			 const struct config *config, struct error *why)
{
	struct netdev listen, egress;
	struct datapath_links links;
	const char *gone = NULL;
	int cpu;

	/* nothing can be done about an interface that is not there */
	if (daemon_find_links(config, &links, &listen, &egress, why))
		return false;
	if (daemon_links_changed(config, &applied->links, &links, why))
		return true;
	if (datapath_is_unpinned(instance) && instance_has_bpffs()) {
		error_set(why, 0, "%s was emptied", INSTANCE_PINS);
		return true;
	}
	if (!datapath_can_send(&applied->control))
		gone = config->forward.interface;
	else if (!datapath_can_pass(&applied->control))
		gone = config->listen.interface;
	if (gone) {
		error_set(why, 0, "%s went and came back", gone);
		return true;
	}
	if (applied->silence_changed) {
		if (applied->may_pass)
			*why = applied->unsilenced;
		else
			error_set(why, 0, "the kernel can be kept from answering captured packets");
		return true;
	}
	cpu = datapath_lacks_cpu(&applied->control);
	if (cpu >= 0) {
		error_set(why, 0, "CPU %d came online", cpu);
		return true;
	}
	if (datapath_lacks_egress(instance, &links)) {
		error_set(why, 0, "%s carries no XDP program any more", config->forward.interface);
		return true;
	}
	return false;
}
