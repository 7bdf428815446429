// SPDX-License-Identifier: GPL-2.0-only
/* `run`, also under its old name vxlan_loader. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "daemon.h"
#include "datapath.h"
#include "instance.h"
#include "stats.h"

#define MAX_OVERRIDES 8 /* more than there are different ones */
#define MAX_DURATION  (366 * 24 * 3600)

/* The options as given; NULL: not given. */
struct run_options {
	struct daemon_options daemon;
	struct config_override overrides[MAX_OVERRIDES];
	size_t override_count;
	const char *config_file;
	const char *interface;
	const char *nat_target;
	const char *nat_port;
	const char *source_port;
	bool dump_stats;
	char config_path[256];
	char nat[128]; /* "SOURCE_PORT ADDRESS[:PORT]" */
};

static void print_help(const char *name)
{
	printf("Usage: %s [-c FILE] [OPTIONS]\n\n"
	       "Attaches to the configured interface and forwards until SIGTERM or SIGINT.\n"
	       "SIGHUP loads the configuration anew. Options win over the file; with -i and\n"
	       "without -c no file is read.\n\n"
	       "  -c, --config FILE        configuration (default " COMMAND_CONFIG_DIR
	       "/NAME.yaml)\n"
	       "      --instance NAME      which instance (default " COMMAND_DEFAULT_INSTANCE ")\n"
	       "  -i, --interface IF       where the tunnel arrives (listen.interface)\n"
	       "  -t, --target IF          where packets leave (forward.interface)\n"
	       "  -s, --source-port PORT   one more rule, before those of the file: packets from\n"
	       "                           this source port\n"
	       "  -a, --nat-target ADDR    go to this address (or $AWS_IPSEC_VM_IP)\n"
	       "  -p, --nat-port PORT      and this port (or $AWS_IPSEC_VM_PORT; default: it "
	       "stays)\n"
	       "  -I, --interval S         seconds between dashboards (monitor.interval)\n"
	       "  -v, --verbose            log.level debug, and print the dashboard\n"
	       "  -d, --duration S         stop after S seconds\n"
	       "      --linger             leave the datapath attached at the end\n"
	       "      --dump-stats         print the counters of the running instance and exit\n"
	       "  -h, --help               this text\n"
	       "  -V, --version            the version\n",
	       name);
}

/* An option that is given again takes the place of the one before. */
static void override(struct run_options *options, const char *path, const char *value,
		     const char *origin)
{
	size_t i = 0;

	while (i < options->override_count && strcmp(options->overrides[i].path, path) != 0)
		i++;
	options->overrides[i] =
		(struct config_override){.path = path, .value = value, .origin = origin};
	if (i == options->override_count)
		options->override_count++;
}

/* Makes one rule of -a, -p and -s and what stands in for them. */
static const char *combine_nat(struct run_options *options)
{
	const char *target = options->nat_target, *port = options->nat_port;
	const char *from = "--source-port";

	if (!options->source_port && !target && !port)
		return NULL;
	if (!target)
		target = getenv("AWS_IPSEC_VM_IP");
	if (!port)
		port = getenv("AWS_IPSEC_VM_PORT");
	if (!options->source_port)
		return "--nat-target and --nat-port need --source-port: which packets to "
		       "re-address";
	if (!target || !*target)
		return "--source-port needs --nat-target (or AWS_IPSEC_VM_IP): where to";
	if (port && *port)
		snprintf(options->nat, sizeof(options->nat),
			 strchr(target, ':') ? "%s [%s]:%s" : "%s %s:%s", options->source_port,
			 target, port);
	else
		snprintf(options->nat, sizeof(options->nat), "%s %s", options->source_port, target);
	override(options, "nat", options->nat, from);
	return NULL;
}

/* 0: go on; 1: done, *status says how. */
static int parse(int argc, char **argv, struct run_options *options, enum command_status *status)
{
	enum { INSTANCE = 256, LINGER, DUMP_STATS };
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"instance", required_argument, NULL, INSTANCE},
		{"interface", required_argument, NULL, 'i'},
		{"target", required_argument, NULL, 't'},
		{"nat-target", required_argument, NULL, 'a'},
		{"nat-port", required_argument, NULL, 'p'},
		{"source-port", required_argument, NULL, 's'},
		{"interval", required_argument, NULL, 'I'},
		{"verbose", no_argument, NULL, 'v'},
		{"duration", required_argument, NULL, 'd'},
		{"linger", no_argument, NULL, LINGER},
		{"dump-stats", no_argument, NULL, DUMP_STATS},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:i:t:a:p:s:I:vd:hV", longs, NULL)) != -1) {
		switch (option) {
		case 'c':
			options->config_file = optarg;
			break;
		case INSTANCE:
			options->daemon.instance = optarg;
			break;
		case 'i':
			options->interface = optarg;
			break;
		case 't':
			override(options, "forward.interface", optarg, "--target");
			break;
		case 'a':
			options->nat_target = optarg;
			break;
		case 'p':
			options->nat_port = optarg;
			break;
		case 's':
			options->source_port = optarg;
			break;
		case 'I':
			override(options, "monitor.interval", optarg, "--interval");
			break;
		case 'v':
			options->daemon.verbose = true;
			break;
		case 'd':
			if (command_parse_number(optarg, 1, MAX_DURATION,
						 &options->daemon.duration)) {
				*status = command_usage("run",
							"--duration '%s': not a number of "
							"seconds from 1 to %d",
							optarg, MAX_DURATION);
				return 1;
			}
			break;
		case LINGER:
			options->daemon.linger = true;
			break;
		case DUMP_STATS:
			options->dump_stats = true;
			break;
		case 'h':
			print_help(argv[0]);
			*status = COMMAND_DONE;
			return 1;
		case 'V':
			printf("vxlan-pipeline %s\n", VERSION);
			*status = COMMAND_DONE;
			return 1;
		default:
			*status = command_usage_hint("run");
			return 1;
		}
	}
	return 0;
}

static enum command_status dump_stats(const char *instance)
{
	struct datapath_stats stats = {0};
	struct error error;

	if (datapath_read_counters(instance, &stats.counters, &stats.info, &error))
		return command_fail(&error);
	stats_dump(&stats, stdout);
	return COMMAND_DONE;
}

enum command_status cmd_run(int argc, char **argv)
{
	struct run_options options = {.daemon.instance = COMMAND_DEFAULT_INSTANCE};
	enum command_status status;
	const char *problem;

	if (parse(argc, argv, &options, &status))
		return status;
	if (optind < argc)
		return command_usage("run", "unexpected argument '%s'", argv[optind]);
	if (!instance_name_valid(options.daemon.instance))
		return command_usage("run", "--instance '%s': only letters, digits, '-' and '_'",
				     options.daemon.instance);
	if (options.dump_stats)
		return dump_stats(options.daemon.instance);
	problem = combine_nat(&options);
	if (problem)
		return command_usage("run", "%s", problem);
	if (options.interface)
		override(&options, "listen.interface", options.interface, "--interface");
	if (options.daemon.verbose)
		override(&options, "log.level", "debug", "--verbose");
	if (options.config_file || !options.interface)
		options.daemon.config_path =
			command_config_path(options.config_file, options.daemon.instance,
					    options.config_path, sizeof(options.config_path));
	options.daemon.overrides = options.overrides;
	options.daemon.override_count = options.override_count;
	return daemon_run(&options.daemon);
}
