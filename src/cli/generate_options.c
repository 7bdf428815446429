// SPDX-License-Identifier: GPL-2.0-only
#include <sched.h>

#include "cli/generate_options.h"
#include "cli/options.h"

#define MAX_NUMBER  4294967295U
#define MAX_SECONDS (365 * 24 * 3600)
#define MAX_VNI     0xffffffU

static const struct generate_options defaults = {
	.inner_size = 98,
	.threads = 1,
	.batch = 64,
	.port = 4789,
	.vni = 1,
	.vnis = 1,
	.source_port = 42844,
	.destination_port = 514,
	.inner_source = {.version = 4, .bytes = {10, 2, 41, 20}},
	.inner_destination = {.version = 4, .bytes = {10, 2, 41, 10}},
};

static const char *const vary_names[] = {
	[GENERATE_VARY_SOURCE] = "source",
	[GENERATE_VARY_DESTINATION] = "destination",
	[GENERATE_VARY_SOURCE_PORT] = "source-port",
	[GENERATE_VARY_DESTINATION_PORT] = "destination-port",
	NULL,
};

static struct generate_options taken; /* where the rows put the given values */

/* An option of one side is refused on the other, where it would have no effect. */
#define SENDING   .without = "receive"
#define RECEIVING .needs = "receive"

static const struct option_row rows[] = {
	{'i', "interface", " IF", OPTION_TEXT(&taken.interface),
	 .help = "send out of, or receive on, this interface"},
	{0, "seconds", " N", OPTION_NUMBER(&taken.seconds, 1, MAX_SECONDS),
	 .help = "end after N seconds (default: on Ctrl-C)"},
	{0, "count", " N", OPTION_NUMBER(&taken.count, 1, MAX_NUMBER),
	 .help = "end after N packets; the receiver counts what is missing\n"
		 "of them as lost"},
	{0, "json", NULL, OPTION_FLAG(&taken.json), .help = "one JSON document"},

	OPTION_HEADING("How fast:"),
	{0, "pps", " N", OPTION_NUMBER(&taken.pps, 0, MAX_NUMBER), SENDING,
	 .help = "packets a second, on a steady schedule (default: as fast as\n"
		 "possible)"},
	{0, "threads", " N", OPTION_NUMBER(&taken.threads, 1, GENERATE_MAX_THREADS), SENDING,
	 .help = "senders, each on a CPU of its own (default 1)"},
	{0, "batch", " N", OPTION_NUMBER(&taken.batch, 1, GENERATOR_MAX_BATCH), SENDING,
	 .help = "frames that the kernel prepares at once, 1..256 (default 64)"},

	OPTION_HEADING("The packets inside the tunnel:"),
	{0, "inner-size", " BYTES", OPTION_NUMBER(&taken.inner_size, GENERATE_MIN_INNER, 65535),
	 SENDING,
	 .help = "total length of the inner IP packet, its header included,\n"
		 "without any Ethernet header; from 64 (default 98). The\n"
		 "frame is 64 bytes longer, the outer IP packet 50"},
	{0, "flows", " N", OPTION_NUMBER(&taken.flows, 1, GENERATE_MAX_FLOWS), SENDING,
	 .help = "flows sent in turn (default: one a thread)"},
	{0, "vary", " FIELD", OPTION_WORD(&taken.vary, vary_names), SENDING,
	 .help = "what tells flows apart, counted up from its first value:\n"
		 "source (default), destination, source-port or\n"
		 "destination-port"},
	{0, "inner-source", " ADDR", OPTION_IPV4(&taken.inner_source), SENDING,
	 .help = "default 10.2.41.20"},
	{0, "inner-destination", " ADDR", OPTION_IPV4(&taken.inner_destination), SENDING,
	 .help = "default 10.2.41.10"},
	{0, "source-port", " N", OPTION_NUMBER(&taken.source_port, 0, 65535), SENDING,
	 .help = "default 42844"},
	{0, "destination-port", " N", OPTION_NUMBER(&taken.destination_port, 0, 65535), SENDING,
	 .help = "default 514"},
	{0, "df", NULL, OPTION_FLAG(&taken.df), SENDING,
	 .help = "set DF, with the ID 0 that hosts give such packets"},

	OPTION_HEADING("The tunnel:"),
	{0, "vni", " V[-LAST]", OPTION_RANGE(&taken.vni, &taken.vnis, 0, MAX_VNI), SENDING,
	 .help = "VNI, or a range of them sent in turn (default 1)"},
	{0, "vnis", " N", OPTION_NUMBER(&taken.vnis, 1, MAX_VNI + 1), SENDING,
	 .help = "N of them, counted up from --vni"},
	{0, "port", " N", OPTION_NUMBER(&taken.port, 1, 65535),
	 .help = "UDP port of the tunnel (default 4789)"},
	{0, "destination", " ADDR", OPTION_IPV4(&taken.destination), SENDING,
	 .help = "default: on a veth 10.0.0.2, else it has to be given"},
	{0, "source", " ADDR", OPTION_IPV4(&taken.source), SENDING,
	 .help = "default: the interface's address, else 10.0.0.1"},
	{0, "destination-mac", " MAC", OPTION_MAC(&taken.destination_mac), SENDING,
	 .help = "default: the next hop's on the way to --destination, or the\n"
		 "peer's of a veth"},

	OPTION_HEADING("Receiving:"),
	{0, "receive", NULL, OPTION_FLAG(&taken.receive),
	 .help = "judge what arrives instead of sending, decapsulated or not"},
	{0, "pass", NULL, OPTION_FLAG(&taken.pass), RECEIVING,
	 .help = "hand the packets on to the kernel; they are dropped otherwise"},
};

static const char about[] =
	"Sends VXLAN test traffic out of an interface from within the kernel, and on the far side\n"
	"reports loss, duplicates, reordering and latency. Every packet is stamped with a number\n"
	"and the time. Start the receiver first. Both need root; see docs/generate.md.";

static const char after[] =
	"Exit status: 0 done, 1 failed, could not keep the rate, or packets of --count are\n"
	"missing; 2 bad usage.";

static const struct option_set set = {
	.command = "generate",
	.usage = "-i IF [OPTIONS]             sends\n"
		 "-i IF --receive [OPTIONS]   receives and judges",
	.about = about,
	.after = after,
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
};

/* How many CPUs this process may run on. */
static unsigned int generate_usable_cpus(void)
{
	cpu_set_t allowed;

	CPU_ZERO(&allowed);
	return sched_getaffinity(0, sizeof(allowed), &allowed) ? 1 : CPU_COUNT(&allowed);
}

/* Flows that differ by a port need as many ports, from the first one on. Are there so many? */
static bool generate_ports_suffice(const struct generate_options *options)
{
	unsigned int first = options->vary == GENERATE_VARY_SOURCE_PORT ? options->source_port
									: options->destination_port;

	if (options->vary != GENERATE_VARY_SOURCE_PORT &&
	    options->vary != GENERATE_VARY_DESTINATION_PORT)
		return true;
	return first + options->flows - 1 <= 65535;
}

static enum command_status generate_check_sender(struct generate_options *options)
{
	if (options->threads > generate_usable_cpus())
		return command_usage("generate",
				     "--threads %u: a CPU takes one sender, and this process may "
				     "use %u",
				     options->threads, generate_usable_cpus());
	if (options->flows && options->flows < options->threads)
		return command_usage("generate",
				     "--flows %u: fewer than --threads %u, and a flow belongs to "
				     "one thread",
				     options->flows, options->threads);
	if (!options->flows)
		options->flows = options->threads;
	if (!generate_ports_suffice(options))
		return command_usage("generate",
				     "--flows %u: there are not so many ports from the first one "
				     "on; lower --source-port or --destination-port, or vary an "
				     "address",
				     options->flows);
	if (options->vni + options->vnis - 1 > MAX_VNI)
		return command_usage("generate", "--vnis %u: the last VNI would be above %u",
				     options->vnis, MAX_VNI);
	if (options->pps > (unsigned long long)options->threads * GENERATOR_MAX_PPS)
		return command_usage("generate",
				     "--pps %u: a thread sends at most %u packets a second; leave "
				     "--pps out to send as fast as possible",
				     options->pps, GENERATOR_MAX_PPS);
	return COMMAND_DONE;
}

bool generate_options_parse(int argc, char **argv, struct generate_options *options,
			    enum command_status *status)
{
	taken = defaults;
	if (!options_parse(argc, argv, &set, status))
		return false;
	if (!taken.interface)
		*status = command_usage("generate", "which interface? -i IF says it");
	else if (!taken.receive)
		*status = generate_check_sender(&taken);
	*options = taken;
	return *status == COMMAND_DONE;
}
