// SPDX-License-Identifier: GPL-2.0-only
#include <getopt.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "cli/generate_options.h"

#define MAX_NUMBER 4294967295U
#define MAX_VNI    0xffffffU

static const char help[] =
	"Usage: vxlan-pipeline generate -i IF [OPTIONS]             sends\n"
	"       vxlan-pipeline generate -i IF --receive [OPTIONS]   receives and judges\n"
	"\n"
	"Sends VXLAN test traffic out of an interface from within the kernel, and on the far side\n"
	"reports loss, duplicates, reordering and latency. Every packet is stamped with a number\n"
	"and the time. Start the receiver first. Both need root; see docs/generate.md.\n"
	"\n"
	"  -i, --interface IF          send out of, or receive on, this interface\n"
	"      --seconds N             end after N seconds (default: on Ctrl-C)\n"
	"      --count N               end after N packets; the receiver counts what is missing\n"
	"                              of them as lost\n"
	"      --json                  one JSON document\n"
	"\n"
	"How fast:\n"
	"      --pps N                 packets a second, on a steady schedule (default: as fast "
	"as\n"
	"                              possible)\n"
	"      --threads N             senders, each on a CPU of its own (default 1)\n"
	"      --batch N               frames that the kernel prepares at once, 1..256 (default "
	"64)\n"
	"\n"
	"The packets inside the tunnel:\n"
	"      --inner-size BYTES      total length of the inner IP packet, its header included,\n"
	"                              without any Ethernet header; from 64 (default 98). The\n"
	"                              frame is 64 bytes longer, the outer IP packet 50\n"
	"      --flows N               flows sent in turn (default: one a thread)\n"
	"      --vary FIELD            what tells flows apart, counted up from its first value:\n"
	"                              source (default), destination, source-port or\n"
	"                              destination-port\n"
	"      --inner-source ADDR     default 10.2.41.20\n"
	"      --inner-destination ADDR  default 10.2.41.10\n"
	"      --source-port N         default 42844\n"
	"      --destination-port N    default 514\n"
	"      --df                    set DF, with the ID 0 that hosts give such packets\n"
	"\n"
	"The tunnel:\n"
	"      --vni V[-LAST]          VNI, or a range of them sent in turn (default 1)\n"
	"      --vnis N                N of them, counted up from --vni\n"
	"      --port N                UDP port of the tunnel (default 4789)\n"
	"      --destination ADDR      default: on a veth 10.0.0.2, else it has to be given\n"
	"      --source ADDR           default: the interface's address, else 10.0.0.1\n"
	"      --destination-mac MAC   default: the next hop's on the way to --destination, or "
	"the\n"
	"                              peer's of a veth\n"
	"\n"
	"Receiving:\n"
	"      --receive               judge what arrives instead of sending, decapsulated or not\n"
	"      --pass                  hand the packets on to the kernel; they are dropped "
	"otherwise\n"
	"\n"
	"  -h, --help                  this text\n"
	"  -V, --version               the version\n"
	"\n"
	"Exit status: 0 done, 1 failed, could not keep the rate, or packets of --count are "
	"missing;\n"
	"2 bad usage.\n";

enum {
	SENDER = 1,   /* only when sending */
	RECEIVER = 2, /* only when receiving */
	BOTH = 3,
};

enum kind { FLAG, NUMBER, ADDRESS, OTHER };

/* Options by their place in struct generate_options. */
static const struct known {
	const char *name;
	enum kind kind;
	int side;
	size_t offset;
	unsigned int minimum;
	unsigned int maximum;
} known[] = {
#define AT(field) offsetof(struct generate_options, field)
	{"receive", FLAG, BOTH, AT(receive), 0, 0},
	{"pass", FLAG, RECEIVER, AT(pass), 0, 0},
	{"json", FLAG, BOTH, AT(json), 0, 0},
	{"df", FLAG, SENDER, AT(df), 0, 0},
	{"pps", NUMBER, SENDER, AT(pps), 0, MAX_NUMBER},
	{"seconds", NUMBER, BOTH, AT(seconds), 1, 31536000},
	{"count", NUMBER, BOTH, AT(count), 1, MAX_NUMBER},
	{"inner-size", NUMBER, SENDER, AT(inner_size), GENERATE_MIN_INNER, 65535},
	{"flows", NUMBER, SENDER, AT(flows), 1, GENERATE_MAX_FLOWS},
	{"threads", NUMBER, SENDER, AT(threads), 1, GENERATE_MAX_THREADS},
	{"batch", NUMBER, SENDER, AT(batch), 1, GENERATOR_MAX_BATCH},
	{"port", NUMBER, BOTH, AT(port), 1, 65535},
	{"vnis", NUMBER, SENDER, AT(vnis), 1, MAX_VNI + 1},
	{"source-port", NUMBER, SENDER, AT(source_port), 0, 65535},
	{"destination-port", NUMBER, SENDER, AT(destination_port), 0, 65535},
	{"source", ADDRESS, SENDER, AT(source), 0, 0},
	{"destination", ADDRESS, SENDER, AT(destination), 0, 0},
	{"inner-source", ADDRESS, SENDER, AT(inner_source), 0, 0},
	{"inner-destination", ADDRESS, SENDER, AT(inner_destination), 0, 0},
	{"interface", OTHER, BOTH, 0, 0, 0},
	{"vni", OTHER, SENDER, 0, 0, 0},
	{"vary", OTHER, SENDER, 0, 0, 0},
	{"destination-mac", OTHER, SENDER, 0, 0, 0},
	{"help", OTHER, BOTH, 0, 0, 0},
	{"version", OTHER, BOTH, 0, 0, 0},
#undef AT
};

#define KNOWN_COUNT (sizeof(known) / sizeof(known[0]))
#define FIRST_VALUE 256 /* what getopt_long() answers for known[0] */

static bool refuse(enum command_status *status, enum command_status said)
{
	*status = said;
	return false;
}

static bool take_vary(const char *text, struct generate_options *options,
		      enum command_status *status)
{
	static const char *const names[] = {
		[GENERATE_VARY_SOURCE] = "source",
		[GENERATE_VARY_DESTINATION] = "destination",
		[GENERATE_VARY_SOURCE_PORT] = "source-port",
		[GENERATE_VARY_DESTINATION_PORT] = "destination-port",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(text, names[i]) == 0) {
			options->vary = (enum generate_vary)i;
			return true;
		}
	}
	return refuse(status, command_usage("generate",
					    "--vary '%s': source, destination, source-port or "
					    "destination-port",
					    text));
}

/* V or FIRST-LAST */
static bool take_vni(const char *text, struct generate_options *options,
		     enum command_status *status)
{
	const char *dash = strchr(text, '-');
	char first[16];
	unsigned int last;

	snprintf(first, sizeof(first), "%.*s", dash ? (int)(dash - text) : 15, text);
	if (command_parse_number(first, 0, MAX_VNI, &options->vni) == 0) {
		if (!dash)
			return true;
		if (command_parse_number(dash + 1, options->vni, MAX_VNI, &last) == 0) {
			options->vnis = last - options->vni + 1;
			return true;
		}
	}
	return refuse(status,
		      command_usage("generate", "--vni '%s': a number from 0 to %u, or FIRST-LAST",
				    text, MAX_VNI));
}

static bool take_other(const char *name, struct generate_options *options,
		       enum command_status *status)
{
	if (strcmp(name, "vary") == 0)
		return take_vary(optarg, options, status);
	if (strcmp(name, "vni") == 0)
		return take_vni(optarg, options, status);
	if (strcmp(name, "interface") == 0) {
		options->interface = optarg;
		return true;
	}
	if (strcmp(name, "help") == 0) {
		fputs(help, stdout);
		return refuse(status, COMMAND_DONE);
	}
	if (strcmp(name, "version") == 0) {
		printf("vxlan-pipeline %s\n", VERSION);
		return refuse(status, COMMAND_DONE);
	}
	options->has_destination_mac = true;
	if (mac_parse(optarg, options->destination_mac) == 0)
		return true;
	return refuse(status, command_usage("generate", "--destination-mac '%s': not a MAC address",
					    optarg));
}

static bool take(const struct known *option, struct generate_options *options,
		 enum command_status *status)
{
	void *field = (char *)options + option->offset;

	switch (option->kind) {
	case FLAG:
		*(bool *)field = true;
		return true;
	case NUMBER:
		if (command_parse_number(optarg, option->minimum, option->maximum, field) == 0)
			return true;
		return refuse(status,
			      command_usage("generate", "--%s '%s': not a number from %u to %u",
					    option->name, optarg, option->minimum,
					    option->maximum));
	case ADDRESS:
		if (ip_address_parse(optarg, field) == 0 &&
		    ((struct ip_address *)field)->version == 4)
			return true;
		return refuse(status, command_usage("generate", "--%s '%s': not an IPv4 address",
						    option->name, optarg));
	default:
		return take_other(option->name, options, status);
	}
}

/* How many CPUs this process may run on. */
static unsigned int usable_cpus(void)
{
	cpu_set_t allowed;

	CPU_ZERO(&allowed);
	return sched_getaffinity(0, sizeof(allowed), &allowed) ? 1 : CPU_COUNT(&allowed);
}

/* With ports telling flows apart there are no more flows than ports from the first one on. */
static bool ports_suffice(const struct generate_options *options)
{
	unsigned int first = options->vary == GENERATE_VARY_SOURCE_PORT ? options->source_port
									: options->destination_port;

	if (options->vary != GENERATE_VARY_SOURCE_PORT &&
	    options->vary != GENERATE_VARY_DESTINATION_PORT)
		return true;
	return first + options->flows - 1 <= 65535;
}

static enum command_status check_sender(struct generate_options *options)
{
	if (options->threads > usable_cpus())
		return command_usage("generate",
				     "--threads %u: a CPU takes one sender, and this process may "
				     "use %u",
				     options->threads, usable_cpus());
	if (options->flows && options->flows < options->threads)
		return command_usage("generate",
				     "--flows %u: fewer than --threads %u, and a flow belongs to "
				     "one thread",
				     options->flows, options->threads);
	if (!options->flows)
		options->flows = options->threads;
	if (!ports_suffice(options))
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

/* Options of the other side would be without effect. */
static enum command_status check_sides(const struct generate_options *options, const bool *given)
{
	const int side = options->receive ? RECEIVER : SENDER;

	for (size_t i = 0; i < KNOWN_COUNT; i++) {
		if (given[i] && !(known[i].side & side))
			return command_usage("generate", "--%s %s --receive", known[i].name,
					     options->receive ? "does not go with" : "needs");
	}
	return COMMAND_DONE;
}

static void set_defaults(struct generate_options *options)
{
	*options = (struct generate_options){
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
}

static const struct option *long_options(struct option *longs)
{
	for (size_t i = 0; i < KNOWN_COUNT; i++)
		longs[i] = (struct option){.name = known[i].name,
					   .has_arg = known[i].kind == FLAG ? no_argument
									    : required_argument,
					   .val = FIRST_VALUE + (int)i};
	for (size_t i = 0; i < KNOWN_COUNT; i++) {
		if (strcmp(longs[i].name, "help") == 0 || strcmp(longs[i].name, "version") == 0)
			longs[i].has_arg = no_argument;
	}
	return longs;
}

/* The long option that a short one stands for. */
static int index_of(int option)
{
	const char *name = option == 'i' ? "interface" : option == 'h' ? "help" : "version";

	if (option >= FIRST_VALUE)
		return option - FIRST_VALUE;
	for (size_t i = 0; i < KNOWN_COUNT; i++) {
		if (strcmp(known[i].name, name) == 0)
			return i;
	}
	return 0;
}

bool generate_options_parse(int argc, char **argv, struct generate_options *options,
			    enum command_status *status)
{
	struct option longs[KNOWN_COUNT + 1] = {0};
	bool given[KNOWN_COUNT] = {0};
	int option;

	set_defaults(options);
	while ((option = getopt_long(argc, argv, "i:hV", long_options(longs), NULL)) != -1) {
		if (option == '?')
			return refuse(status, command_usage_hint("generate"));
		given[index_of(option)] = true;
		if (!take(&known[index_of(option)], options, status))
			return false;
	}
	if (optind < argc)
		return refuse(status,
			      command_usage("generate", "unexpected argument '%s'", argv[optind]));
	if (!options->interface)
		return refuse(status, command_usage("generate", "which interface? -i IF says it"));
	*status = check_sides(options, given);
	if (*status == COMMAND_DONE && !options->receive)
		*status = check_sender(options);
	return *status == COMMAND_DONE;
}
