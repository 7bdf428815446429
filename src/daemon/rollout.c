// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "instance/instance.h"
#include "instance/pins.h"
#include "base/log.h"
#include "net/netdev.h"
#include "daemon/rollout.h"
#include "net/xdp.h"

/* The interfaces as they are now. */
static int find_links(const struct config *config, struct datapath_links *links,
		      struct netdev *listen, struct netdev *egress, struct error *error)
{
	int err = netdev_get(config->listen.interface, listen, error);

	if (!err)
		err = netdev_get(config->forward.interface, egress, error);
	if (err)
		return err;
	memset(links, 0, sizeof(*links));
	links->listen_ifindex = listen->ifindex;
	links->egress_ifindex = egress->ifindex;
	/* in-tree ENA; a redirect is flushed once for many (ena_xdp.c) */
	links->rings_each = strcmp(listen->driver, "ena") == 0;
	links->listen_mtu = listen->mtu;
	links->egress_mtu = egress->mtu;
	memcpy(links->listen_mac, listen->mac, sizeof(links->listen_mac));
	memcpy(links->egress_mac, egress->mac, sizeof(links->egress_mac));
	return 0;
}

/* -ERANGE: the configuration asks for what the interfaces cannot do. */
static int check_links(const struct config *config, const struct netdev *egress,
		       struct error *error)
{
	if (config->forward.mtu <= egress->mtu)
		return 0;
	return error_set(error, -ERANGE,
			 "forward.mtu: %" PRIu32 " is more than the MTU of %s, %" PRIu32
			 "; lower it, or: ip link set dev %s mtu %" PRIu32,
			 config->forward.mtu, config->forward.interface, egress->mtu,
			 config->forward.interface, config->forward.mtu);
}

static void warn_of_links(const struct config *config, const struct netdev *listen,
			  const struct netdev *egress)
{
	if (!listen->up)
		log_warning("%s is down; ip link set dev %s up", config->listen.interface,
			    config->listen.interface);
	if (!egress->up && egress->ifindex != listen->ifindex)
		log_warning("%s is down; ip link set dev %s up", config->forward.interface,
			    config->forward.interface);
}

/* The kernel answers routing questions only for interfaces that forward. */
static void warn_of_forwarding(const struct config *config)
{
	const char *egress = config->forward.interface;

	if (config->forward.next_hop != NEXT_HOP_ROUTE)
		return;
	for (int version = 4; version <= 6; version += 2) {
		if (config_may_send(config, version) && !netdev_forwards(egress, version))
			log_warning(
				"IPv%d forwarding is off on %s, so the kernel tells the "
				"datapath no next hops: what no rule re-addresses ends as "
				"no_route, and no change of them is noticed while no daemon runs; "
				"sysctl -w net/ipv%d/conf/%s/forwarding=1", /* may have dots */
				version, egress, version, egress);
	}
}

/* Packets that XDP cannot cut go through the kernel's stack, several times slower. */
static void warn_of_cutting(const struct config *config, enum cutting cutting)
{
	const char *egress = config->forward.interface;

	if (cutting == CUTTING_DEVICE_TOO_SMALL)
		log_warning("%s's MTU lets no packet pass that has to be fragmented, so the kernel "
			    "fragments, which is several times slower; set forward.mtu to what may "
			    "be sent, and: ip link set dev %s mtu %d",
			    egress, egress, XDP_SAFE_MTU);
	if (cutting == CUTTING_KERNEL_TOO_OLD)
		log_warning(
			"this kernel does not copy frames in XDP (Linux 5.14 does), so the "
			"kernel fragments what is larger than forward.mtu, several times slower");
	if (cutting == CUTTING_GENERIC_MODE)
		log_info("in generic mode the kernel fragments, to the MTU of the route: give "
			 "routes "
			 "out of %s forward.mtu as theirs (ip route ... mtu)",
			 egress);
}

static void report(const struct config *config, const struct datapath_attached *attached,
		   const char *way)
{
	if (*attached->warning)
		log_warning("%s", attached->warning);
	warn_of_forwarding(config);
	log_info("%s: %s, %s mode, forwarding to %s, %zu rule%s", config->listen.interface,
		 attached->adopted ? "program replaced" : "attached", way,
		 config->forward.interface, config->rule_count, config->rule_count == 1 ? "" : "s");
}

/*
 * Finds the next hops of a generation, before it is put in force: from its first packet on it
 * knows what the one before knew. Without them the datapath asks.
 */
static void find_next_hops(struct rollout *rollout, const struct config *config,
			   struct datapath *datapath, const struct datapath_links *links)
{
	struct next_hops_setup setup = {.ifindex = links->egress_ifindex};
	struct error error;
	int err = datapath_take_control(datapath, &rollout->control, &error);

	if (!err && config->forward.next_hop == NEXT_HOP_ROUTE) {
		setup.targets = rollout->control.targets;
		setup.count = rollout->control.target_count;
		setup.table = rollout->control.next_hops;
		setup.progress = rollout->progress;
		snprintf(setup.interface, sizeof(setup.interface), "%s", config->forward.interface);
		err = next_hops_open(&rollout->next_hops, &setup, &error);
	}
	if (err)
		log_warning("%s; every packet asks the kernel for its next hop", error.text);
}

/* `first`: of this process, whose programs are to take the place of those of another build. */
static void watch_losses(const char *instance, const struct datapath_links *links, bool first)
{
	int err = datapath_watch_losses(instance, links, first);

	if (err)
		log_warning(
			"packets that drivers refuse to send cannot be counted: %s; this kernel "
			"has no BTF (CONFIG_DEBUG_INFO_BTF), or tracing programs are not "
			"permitted (CAP_PERFMON)",
			strerror(-err));
}

void rollout_end(struct rollout *rollout)
{
	next_hops_close(rollout->next_hops);
	rollout->next_hops = NULL;
	datapath_release_control(&rollout->control);
}

/* Ways to attach, the fastest first. */
static const struct way {
	const char *name;
	bool generic;
	bool multi_buffer;
} ways[] = {
	{"native", false, false},
	{"native, multi-buffer", false, true},
	{"generic", true, false},
};

/* Prepares the configuration for one way to attach beside what is in force, then swaps. */
static int put_in_force_as(struct rollout *rollout, const char *instance,
			   const struct config *config, const struct datapath_links *links,
			   const struct way *way, struct error *error)
{
	struct datapath_options options = {
		.generic = way->generic,
		.multi_buffer = way->multi_buffer,
		.progress = rollout->progress,
	};
	struct rollout fresh = ROLLOUT_NONE;
	struct datapath_attached attached;
	struct datapath_pins *pins = NULL;
	struct datapath *datapath = NULL;
	int err = datapath_open_pins(&pins, instance, error);

	options.pins = pins;
	if (!err)
		err = datapath_load(&datapath, config, links, &options, error);
	fresh.progress = rollout->progress;
	/* Linux before 5.18 does not know the flag: that way is closed, not the instance broken */
	if (err && way->multi_buffer) {
		datapath_close_pins(pins);
		return -EOPNOTSUPP;
	}
	if (!err) {
		find_next_hops(&fresh, config, datapath, links);
		/* trusted from the first packet on, but never those of a daemon that is gone */
		if (rollout->next_hops || datapath_is_unpinned(instance))
			datapath_beat(&fresh.control);
		err = datapath_commit(datapath, pins, config, &attached, error);
		progress_step(&rollout->progress);
	}
	if (err) {
		rollout_end(&fresh);
	} else {
		datapath_beat(&fresh.control);
		watch_losses(instance, links, !rollout->links.listen_ifindex);
		rollout_end(rollout);
		*rollout = fresh;
		rollout->links = *links;
		warn_of_cutting(config, datapath_cutting(datapath));
		report(config, &attached, way->name);
	}
	/* also what took its place again after a failure */
	datapath_hold(instance);
	datapath_close_pins(pins);
	datapath_free(datapath);
	progress_step(&rollout->progress);
	return err;
}

/* How the instance runs, which `auto` keeps to while its interfaces are what they were. */
enum kept { KEPT_NOTHING, KEPT_NATIVE, KEPT_GENERIC };

static bool same_interfaces(const struct datapath_links *a, const struct datapath_links *b)
{
	return a->listen_ifindex == b->listen_ifindex && a->egress_ifindex == b->egress_ifindex &&
	       a->listen_mtu == b->listen_mtu && a->egress_mtu == b->egress_mtu;
}

/*
 * What had to be generic is not tried again on the same interfaces: that would interrupt traffic. And
 * what is native is not given up for a failure, which may pass.
 */
static enum kept keep(const struct rollout *rollout, const char *instance,
		      const struct datapath_links *links)
{
	bool generic = datapath_is_generic(instance, links->listen_ifindex);

	if (!rollout->links.listen_ifindex) /* this process has just started, and adopts */
		return generic ? KEPT_GENERIC : KEPT_NOTHING;
	if (!same_interfaces(&rollout->links, links))
		return KEPT_NOTHING;
	return generic ? KEPT_GENERIC : KEPT_NATIVE;
}

static bool way_allowed(const struct way *way, enum xdp_mode mode, enum kept kept)
{
	if (mode == XDP_MODE_AUTO)
		return kept == KEPT_NOTHING || way->generic == (kept == KEPT_GENERIC);
	return way->generic == (mode == XDP_MODE_GENERIC);
}

/* Once it is in force. `refusal` says why native mode could not be had; empty: it was not tried. */
static void warn_of_generic_mode(const char *instance, const struct config *config,
				 const struct error *refusal)
{
	char unit[INSTANCE_UNIT_SIZE];

	if (*refusal->text)
		log_warning("%s; using generic mode, which is several times slower", refusal->text);
	else if (config->listen.xdp_mode == XDP_MODE_AUTO)
		log_warning("still in generic mode, which is several times slower: native mode is "
			    "not tried again while packets flow; vxlan-pipeline check says what "
			    "is in its way, then: systemctl stop %s; systemctl start %s",
			    instance_unit(unit, instance), unit);
}

int rollout_put_in_force(struct rollout *rollout, const char *instance, const struct config *config,
			 struct error *error)
{
	struct netdev listen, egress;
	struct datapath_links links;
	struct error refusal = {0};
	enum kept kept;
	int err;

	log_set_level(config->log.level);
	err = find_links(config, &links, &listen, &egress, error);
	if (!err)
		err = check_links(config, &egress, error);
	if (err)
		return err;
	kept = keep(rollout, instance, &links);
	err = -EOPNOTSUPP;
	for (size_t i = 0; err == -EOPNOTSUPP && i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (!way_allowed(&ways[i], config->listen.xdp_mode, kept))
			continue;
		err = put_in_force_as(rollout, instance, config, &links, &ways[i], error);
		/* the first refusal is the one to mend: it says why the fastest way is closed */
		if (err == -EOPNOTSUPP && !*refusal.text)
			refusal = *error;
		if (!err && ways[i].generic)
			warn_of_generic_mode(instance, config, &refusal);
	}
	if (err == -EOPNOTSUPP)
		*error = refusal;
	if (!err)
		warn_of_links(config, &listen, &egress);
	return err;
}

static bool changed(struct error *why, const char *interface, const char *what)
{
	error_set(why, 0, "%s %s", interface, what);
	return true;
}

bool rollout_is_outdated(const struct rollout *rollout, const char *instance,
			 const struct config *config, struct error *why)
{
	const struct datapath_links *then = &rollout->links;
	struct netdev listen, egress;
	struct datapath_links links;

	/* nothing can be done about an interface that is not there */
	if (find_links(config, &links, &listen, &egress, why))
		return false;
	if (links.listen_ifindex != then->listen_ifindex)
		return changed(why, config->listen.interface, "was made anew");
	if (links.egress_ifindex != then->egress_ifindex)
		return changed(why, config->forward.interface, "was made anew");
	if (links.listen_mtu != then->listen_mtu)
		return changed(why, config->listen.interface, "has another MTU");
	if (links.egress_mtu != then->egress_mtu)
		return changed(why, config->forward.interface, "has another MTU");
	if (memcmp(links.listen_mac, then->listen_mac, sizeof(links.listen_mac)) != 0)
		return changed(why, config->listen.interface, "has another MAC address");
	if (memcmp(links.egress_mac, then->egress_mac, sizeof(links.egress_mac)) != 0)
		return changed(why, config->forward.interface, "has another MAC address");
	if (datapath_is_unpinned(instance) && instance_has_bpffs())
		return changed(why, INSTANCE_PINS, "was emptied");
	if (datapath_lacks_egress(instance, &links))
		return changed(why, config->forward.interface, "carries no XDP program any more");
	return false;
}
