// SPDX-License-Identifier: GPL-2.0-only
#include <arpa/inet.h>
#include <string.h>

#include "generate_options.h"
#include "generate_report.h"
#include "netdev.h"

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
	(void)signal;
	interrupted = 1;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = interrupt};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

static uint32_t ipv4_of(const struct ip_address *address)
{
	__be32 value;

	memcpy(&value, address->bytes, sizeof(value));
	return ntohl(value);
}

static void fill_packet(struct generator_packet *packet, const struct generate_options *options)
{
	packet->port = options->port;
	packet->vni = options->vni;
	packet->vnis = options->vnis;
	packet->inner_source = ipv4_of(&options->inner_source);
	packet->inner_destination = ipv4_of(&options->inner_destination);
	packet->source_port = options->source_port;
	packet->destination_port = options->destination_port;
	packet->inner_size = options->inner_size;
	packet->flows = options->flows;
	packet->vary = options->vary;
	packet->df = options->df;
}

static enum command_status send_traffic(const struct generate_options *given)
{
	struct generator_options options = {
		.interface = given->interface,
		.pps = given->pps,
		.seconds = given->seconds,
		.count = given->count,
		.threads = given->threads,
		.batch = given->batch,
	};
	struct generator_report report;
	struct netdev netdev;
	struct error error;

	if (netdev_get(given->interface, &netdev, &error))
		return command_fail(&error);
	options.ifindex = netdev.ifindex;
	fill_packet(&options.packet, given);
	memcpy(options.packet.source_mac, netdev.mac, 6);
	memcpy(options.packet.destination_mac, given->destination_mac, 6);
	if (generator_run(&options, &interrupted, &report, &error))
		return command_fail(&error);
	generate_report_sent(&options, &report, given->json, stdout);
	return report.kept_pace ? COMMAND_DONE : COMMAND_FAILED;
}

enum command_status cmd_generate(int argc, char **argv)
{
	struct generate_options options;
	enum command_status status;

	if (!generate_options_parse(argc, argv, &options, &status))
		return status;
	catch_signals();
	return send_traffic(&options);
}
