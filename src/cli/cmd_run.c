// SPDX-License-Identifier: GPL-2.0-only
/* `run`, also under its old name vxlan_loader. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "daemon/daemon.h"
#include "datapath/datapath.h"
#include "instance/bpffs.h"
#include "cli/options.h"
#include "observe/stats.h"

#define MAX_OVERRIDES 8 /* more than there are different ones */
#define OWN_MAPPING   (128 << 10)
#define MAX_DURATION  (366 * 24 * 3600)

/* The options as given; NULL: not given. */
struct run_options {
	struct daemon_options daemon;
	struct config_override overrides[MAX_OVERRIDES];
	size_t override_count;
	const char *config_file;
	const char *interface;
	const char *target;
	const char *interval;
	const char *nat_target;
	const char *nat_port;
	const char *source_port;
	bool dump_stats;
	char config_path[256];
	char nat[128]; /* "SOURCE_PORT ADDRESS[:PORT]" */
};

static const char about[] =
	"Attaches to the configured interface and forwards until SIGTERM or SIGINT.\n"
	"SIGHUP loads the configuration anew. Options win over the file; with -i and\n"
	"without -c no file is read.";

/* `value` may be NULL: the option was not given. */
static void override(struct run_options *options, const char *path, const char *value,
		     const char *origin)
{
	if (value)
		options->overrides[options->override_count++] =
			(struct config_override){.path = path, .value = value, .origin = origin};
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

static bool run_parse_options(int argc, char **argv, struct run_options *options,
			      enum command_status *status)
{
	const struct option_row rows[] = {
		OPTION_ROW_CONFIG(&options->config_file),
		OPTION_ROW_INSTANCE(&options->daemon.instance),
		{'i', "interface", " IF", OPTION_TEXT(&options->interface),
		 .help = "where the tunnel arrives (listen.interface)"},
		{'t', "target", " IF", OPTION_TEXT(&options->target),
		 .help = "where packets leave (forward.interface)"},
		{'s', "source-port", " PORT", OPTION_TEXT(&options->source_port),
		 .help = "one more rule, before those of the file: packets from\n"
			 "this source port"},
		{'a', "nat-target", " ADDR", OPTION_TEXT(&options->nat_target),
		 .help = "go to this address (or $AWS_IPSEC_VM_IP)"},
		{'p', "nat-port", " PORT", OPTION_TEXT(&options->nat_port),
		 .help = "and this port (or $AWS_IPSEC_VM_PORT; default: it stays)"},
		{'I', "interval", " S", OPTION_TEXT(&options->interval),
		 .help = "seconds between dashboards (monitor.interval)"},
		{'v', "verbose", NULL, OPTION_FLAG(&options->daemon.verbose),
		 .help = "log.level debug, and print the dashboard"},
		{'d', "duration", " S", OPTION_NUMBER(&options->daemon.duration, 1, MAX_DURATION),
		 .help = "stop after S seconds"},
		{0, "wait", NULL, OPTION_FLAG(&options->daemon.wait),
		 .help = "wait for interfaces that are not there yet, as the unit does"},
		{0, "linger", NULL, OPTION_FLAG(&options->daemon.linger),
		 .help = "leave the datapath attached at the end"},
		{0, "dump-stats", NULL, OPTION_FLAG(&options->dump_stats),
		 .help = "print the counters of the running instance and exit"},
	};
	const struct option_set set = {
		.command = "run",
		.usage = "[-c FILE] [OPTIONS]",
		.about = about,
		.rows = rows,
		.count = sizeof(rows) / sizeof(rows[0]),
	};

	return options_parse(argc, argv, &set, status);
}

static enum command_status dump_stats(const char *instance)
{
	struct datapath_stats stats = {0};
	struct error error;

	instance_follow_daemon(instance);
	if (datapath_read_counters(instance, &stats.counters, &stats.info, &error))
		return command_fail(&error);
	stats_dump(&stats, stdout);
	return COMMAND_DONE;
}

static enum command_status run_daemon(struct daemon_options *options)
{
	enum command_status status;
	struct config config;
	struct error error;
	int err;

	if (!command_load_config(&config, options->config_path, options->overrides,
				 options->override_count, &status))
		return status;
	options->color = command_color_on(COMMAND_COLOR_AUTO, stdout);
	err = daemon_run(options, &config, &error);
	if (!err)
		return COMMAND_DONE;
	command_fail(&error);
	return err == -ERANGE ? COMMAND_USAGE : COMMAND_FAILED;
}

enum command_status cmd_run(int argc, char **argv)
{
	struct run_options options = {.daemon.instance = INSTANCE_DEFAULT};
	enum command_status status;
	const char *problem;

	if (!run_parse_options(argc, argv, &options, &status))
		return status;
	if (options.dump_stats)
		return dump_stats(options.daemon.instance);
	problem = combine_nat(&options);
	if (problem)
		return command_usage("run", "%s", problem);
	override(&options, "listen.interface", options.interface, "--interface");
	override(&options, "forward.interface", options.target, "--target");
	override(&options, "monitor.interval", options.interval, "--interval");
	if (options.daemon.verbose)
		override(&options, "log.level", "debug", "--verbose");
	if (options.config_file || !options.interface)
		options.daemon.config_path =
			command_config_path(options.config_file, options.daemon.instance,
					    options.config_path, sizeof(options.config_path));
	options.daemon.overrides = options.overrides;
	options.daemon.override_count = options.override_count;
	/*
	 * What many rules take goes back to the kernel when it is freed, not at the end of a reload: a
	 * container's limit counts the peak. Said once, malloc() no longer raises the size by itself.
	 */
	mallopt(M_MMAP_THRESHOLD, OWN_MAPPING);
	return run_daemon(&options.daemon);
}
