// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <time.h>

#include "base/printable.h"
#include "cli/generate_options.h"
#include "cli/generate_report.h"
#include "cli/interrupt.h"
#include "generate/far_side.h"
#include "net/driver.h"
#include "net/netdev.h"
#include "net/rtnl.h"
#include "net/rtnl_link.h"
#include "net/xdp_program.h"

#define DEFAULT_SOURCE 0x0a000001 /* 10.0.0.1 */
#define MAX_INNER_SIZE (GENERATE_MAX_FRAME - GENERATE_ENCAPSULATION)
#define LOOK_NS        20000000L  /* between two readings of the receiver's counters */
#define LINGER_NS      200000000L /* after the last packet of --count, for late duplicates */

static const struct ip_address default_destination = {.version = 4, .bytes = {10, 0, 0, 2}};

/* The address in host order; 0: none was given. */
static uint32_t ipv4_of(const struct ip_address *address)
{
	__be32 value;

	memcpy(&value, address->bytes, sizeof(value));
	return ntohl(value);
}

static void fill_packet(struct generator_packet *packet, const struct generate_options *given,
			const struct netdev *netdev)
{
	memcpy(packet->source_mac, netdev->mac, sizeof(packet->source_mac));
	packet->source = ipv4_of(&given->source);
	packet->destination = ipv4_of(&given->destination);
	packet->port = given->port;
	packet->vni = given->vni;
	packet->vnis = given->vnis;
	packet->inner_source = ipv4_of(&given->inner_source);
	packet->inner_destination = ipv4_of(&given->inner_destination);
	packet->source_port = given->source_port;
	packet->destination_port = given->destination_port;
	packet->inner_size = given->inner_size;
	packet->flows = given->flows;
	packet->vary = given->vary;
	packet->df = given->df;
}

/* Finds the MAC of the next hop on the way to --destination. */
static int generate_resolve(const struct generate_options *given, const struct netdev *netdev,
			    const struct rtnl_route *route, uint8_t *mac, struct error *error)
{
	const struct ip_address *next =
		route->next_hop.version == 4 ? &route->next_hop : &given->destination;
	char text[ADDR_TEXT_SIZE];
	int err = generator_find_mac(given->interface, netdev->ifindex, next, mac);

	if (!err)
		return 0;
	ip_address_format(&given->destination, text);
	return error_set(error, err,
			 "no MAC address is known for the way to %s out of %s (%s); give it with "
			 "--destination-mac",
			 text, given->interface, strerror(-err));
}

static int generate_find_route(int ifindex, const struct ip_address *destination,
			       struct rtnl_route *route)
{
	_cleanup_netlink_ struct netlink *rtnl = NULL;
	int err = rtnl_open(&rtnl);

	return err ? err : rtnl_get_bound_route(rtnl, destination, ifindex, route);
}

/* Fills in the packet's destination where the command line does not say it. */
static int find_target(struct generator_packet *packet, const struct generate_options *given,
		       const struct netdev *netdev, struct error *error)
{
	const bool known = given->destination.version != 0;
	const struct ip_address *destination = known ? &given->destination : &default_destination;
	struct rtnl_route route = {0};
	char text[ADDR_TEXT_SIZE];
	int err = generate_find_route(netdev->ifindex, destination, &route);

	packet->destination = ipv4_of(destination);
	if (!packet->source)
		packet->source = route.source.version ? ipv4_of(&route.source) : DEFAULT_SOURCE;
	if (given->destination_mac.given) {
		memcpy(packet->destination_mac, given->destination_mac.bytes,
		       sizeof(packet->destination_mac));
		return 0;
	}
	if (known && err)
		return error_set(error, err,
				 "no route to %s out of %s: %s; --destination-mac does without",
				 ip_address_format(&given->destination, text), given->interface,
				 strerror(-err));
	if (known)
		return generate_resolve(given, netdev, &route, packet->destination_mac, error);
	err = rtnl_find_peer(netdev->ifindex, packet->destination_mac);
	if (err == -EPERM || err == -EACCES)
		return error_set(error, err, "not permitted to look beyond %s; run as root",
				 given->interface);
	if (!err && driver_named(netdev->driver).has_peer)
		return 0;
	return error_set(error, -EDESTADDRREQ,
			 "where to? %s is no veth, so --destination or --destination-mac has to "
			 "say it",
			 given->interface);
}

static enum command_status check_size(const struct generate_options *given,
				      const struct netdev *netdev)
{
	if (given->inner_size > MAX_INNER_SIZE)
		return command_usage("generate",
				     "--inner-size %u: the kernel makes a frame in one buffer of "
				     "%u bytes, so an inner packet has at most %zu",
				     given->inner_size, GENERATE_MAX_FRAME, MAX_INNER_SIZE);
	if (given->inner_size + GENERATE_OVERHEAD > netdev->mtu)
		return command_usage("generate",
				     "--inner-size %u: with the %zu bytes of the tunnel it is "
				     "above the MTU of %s, %u; at most %d fit",
				     given->inner_size, GENERATE_OVERHEAD, given->interface,
				     netdev->mtu, (int)netdev->mtu - (int)GENERATE_OVERHEAD);
	return COMMAND_DONE;
}

static int generate_check_interface(const struct generate_options *given, struct netdev *netdev,
				    struct error *error)
{
	int err = netdev_get(given->interface, netdev, error);

	if (!err && !netdev->up)
		err = error_set(error, -ENETDOWN, "%s is down: ip link set dev %s up",
				given->interface, given->interface);
	return err;
}

static enum command_status send_traffic(const struct generate_options *given,
					const struct netdev *netdev)
{
	struct generator_options options = {
		.interface = given->interface,
		.ifindex = netdev->ifindex,
		.pps = given->pps,
		.seconds = given->seconds,
		.count = given->count,
		.threads = given->threads,
		.batch = given->batch,
	};
	enum command_status status = check_size(given, netdev);
	struct xdp_program other = xdp_program_on(netdev->ifindex);
	struct generator_report report;
	struct error error;

	if (status != COMMAND_DONE)
		return status;
	fill_packet(&options.packet, given, netdev);
	/* most drivers need a program, so an unknown driver's interface gets one, too */
	options.needs_program =
		!other.id && driver_named(netdev->driver).needs_program != ANSWER_NO;
	if ((other.id && !xdp_program_ours(&other) &&
	     xdp_program_in_the_way(netdev->ifindex, given->interface, &error)) ||
	    find_target(&options.packet, given, netdev, &error) ||
	    generator_run(&options, &interrupt_caught, &report, &error))
		return command_fail(&error);
	generate_report_sent(&options, &report, given->json, stdout);
	if (report.kept_pace)
		return COMMAND_DONE;
	error_set(&error, 0,
		  "could not keep %u packets a second; the fastest is found without --pps, and "
		  "--threads uses more CPUs",
		  given->pps);
	return command_fail(&error);
}

/* Waits until it is time to report: after --count, after --seconds, or on Ctrl-C. */
static int generate_watch(const struct receiver *receiver, const struct generate_options *given,
			  struct receiver_report *report, struct error *error)
{
	const struct timespec look = {.tv_nsec = LOOK_NS}, linger = {.tv_nsec = LINGER_NS};
	struct timespec now, start;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (!interrupt_caught) {
		nanosleep(&look, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (given->seconds &&
		    (now.tv_sec - start.tv_sec) * 1000000000LL + now.tv_nsec - start.tv_nsec >=
			    given->seconds * 1000000000LL)
			break;
		if (!given->count)
			continue;
		err = receiver_read(receiver, report, error);
		if (err)
			return err;
		if (report->unique >= given->count) {
			nanosleep(&linger, NULL);
			break;
		}
	}
	return receiver_read(receiver, report, error);
}

static enum command_status judge(const struct generate_options *given,
				 const struct receiver_report *report)
{
	struct error error;

	if (report->unique >= (given->count ? given->count : 1))
		return COMMAND_DONE;
	if (!report->packets)
		error_set(&error, 0, "no packet of a generator came in on %s", given->interface);
	else
		error_set(&error, 0, "%llu of %u packets came in on %s",
			  (unsigned long long)report->unique, given->count, given->interface);
	return command_fail(&error);
}

static enum command_status receive_traffic(const struct generate_options *given,
					   const struct netdev *netdev)
{
	const struct receiver_options options = {
		.interface = given->interface,
		.ifindex = netdev->ifindex,
		.mtu = netdev->mtu,
		.port = given->port,
		.pass = given->pass,
	};
	char shown[IF_NAMESIZE];
	struct receiver *receiver;
	struct receiver_report report;
	struct error error;
	int err = receiver_open(&receiver, &options, &error);

	if (err)
		return command_fail(&error);
	fprintf(stderr, "vxlan-pipeline: receiving on %s%s\n",
		printable_copy(shown, sizeof(shown), given->interface),
		receiver_generic(receiver)
			? " in generic XDP mode, for want of native; that is several times slower"
			: "");
	err = generate_watch(receiver, given, &report, &error);
	receiver_close(receiver);
	if (err)
		return command_fail(&error);
	generate_report_received(given->interface, &report, given->count, given->json, stdout);
	return judge(given, &report);
}

enum command_status cmd_generate(int argc, char **argv)
{
	struct generate_options options;
	enum command_status status;
	struct netdev netdev;
	struct error error;

	if (!generate_options_parse(argc, argv, &options, &status))
		return status;
	if (generate_check_interface(&options, &netdev, &error))
		return command_fail(&error);
	interrupt_catch(INTERRUPT_HANGUP);
	return options.receive ? receive_traffic(&options, &netdev)
			       : send_traffic(&options, &netdev);
}
