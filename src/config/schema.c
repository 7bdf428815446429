// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "config/config.h"
#include "config/schema.h"

static const char *const xdp_modes[] = {
	[XDP_MODE_AUTO] = "auto",
	[XDP_MODE_NATIVE] = "native",
	[XDP_MODE_GENERIC] = "generic",
	NULL,
};

static const char *const next_hops[] = {
	[NEXT_HOP_ROUTE] = "route",
	[NEXT_HOP_KEEP] = "keep",
	NULL,
};

static const char *const oversizes[] = {
	[OVERSIZE_FRAGMENT] = "fragment",
	[OVERSIZE_PASS] = "pass",
	[OVERSIZE_DROP] = "drop",
	NULL,
};

static const char *const fallbacks[] = {
	[FALLBACK_DROP] = "drop",
	[FALLBACK_PASS] = "pass",
	[FALLBACK_FORWARD] = "forward",
	NULL,
};

static const char *const udp_checksums[] = {
	[UDP_CHECKSUM_UPDATE] = "update",
	[UDP_CHECKSUM_ZERO] = "zero",
	[UDP_CHECKSUM_PRESERVE] = "preserve",
	NULL,
};

static const char *const log_levels[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
	NULL,
};

static const char *const switches[] = {
	[false] = "false",
	[true] = "true",
	NULL,
};

static const char *const protocols[] = {
	[NAT_PROTOCOL_ANY] = "",
	[NAT_PROTOCOL_UDP] = "udp",
	[NAT_PROTOCOL_TCP] = "tcp",
	NULL,
};

#define FIELD(type, member) \
	.offset = offsetof(struct type, member), .size = sizeof(((struct type *)0)->member)
#define PRESENT(member) .present = offsetof(struct nat_rule, member)

/* In the order in which they are printed; the keys below a key follow it. */
const struct config_key config_keys[] = {
	{"listen", CONFIG_SECTION, .help = "where mirrored packets arrive"},
	{"listen.interface", CONFIG_INTERFACE, FIELD(config, listen.interface), .required = true,
	 .help = "network interface that receives the tunnel"},
	{"listen.port", CONFIG_NUMBER, FIELD(config, listen.port), .minimum = 1, .maximum = 65535,
	 .initial = "4789", .help = "UDP port of the tunnel"},
	{"listen.vnis", CONFIG_VNIS, .maximum = PIPELINE_MAX_VNIS, .word = "any", .initial = "[1]",
	 .help = "VXLAN network identifiers to accept"},
	{"listen.vnis[]", CONFIG_NUMBER, .size = sizeof(uint32_t), .maximum = PIPELINE_VNI_MAX,
	 .help = "one of them"},
	{"listen.sources", CONFIG_SOURCES, .maximum = CONFIG_MAX_SOURCES, .word = "all",
	 .initial = "all", .help = "outer source prefixes that may send"},
	{"listen.sources[]", CONFIG_PREFIX, .size = sizeof(struct ip_prefix),
	 .help = "one of them"},
	{"listen.xdp_mode", CONFIG_CHOICE, FIELD(config, listen.xdp_mode), .choices = xdp_modes,
	 .initial = "auto", .help = "auto: native, else generic with a warning"},

	{"forward", CONFIG_SECTION, .help = "where inner packets go"},
	{"forward.interface", CONFIG_INTERFACE, FIELD(config, forward.interface),
	 .help = "network interface to send from (default: listen.interface)"},
	{"forward.next_hop", CONFIG_NEXT_HOP, FIELD(config, forward.next_hop), .choices = next_hops,
	 .initial = "route", .help = "MACs: from the routing tables, as captured, or fixed"},
	{"forward.mtu", CONFIG_NUMBER, FIELD(config, forward.mtu), .minimum = 68, .maximum = 65535,
	 .word = "auto", .initial = "auto",
	 .help = "largest IP packet to send; auto: the interface's"},
	{"forward.oversize", CONFIG_CHOICE, FIELD(config, forward.oversize), .choices = oversizes,
	 .initial = "fragment", .help = "packets larger than that"},
	{"forward.unmatched", CONFIG_CHOICE, FIELD(config, forward.unmatched), .choices = fallbacks,
	 .initial = "drop", .help = "inner packets that no rule matches"},

	{"nat", CONFIG_RULES, .maximum = PIPELINE_MAX_RULES,
	 .help = "new destinations; the first rule that matches wins"},
	{CONFIG_RULE_PATH, CONFIG_RULE, .help = "one rule"},
	{"nat[].name", CONFIG_RULE_NAME, FIELD(nat_rule, name),
	 .help = "stands for the rule wherever it is counted"},
	{"nat[].match", CONFIG_SECTION, .required = true, .help = "all of it must hold"},
	{"nat[].match.source_port", CONFIG_NUMBER, FIELD(nat_rule, source_port),
	 PRESENT(has_source_port), .minimum = 1, .maximum = 65535, .help = "inner source port"},
	{"nat[].match.destination_port", CONFIG_NUMBER, FIELD(nat_rule, destination_port),
	 PRESENT(has_destination_port), .minimum = 1, .maximum = 65535,
	 .help = "inner destination port"},
	{"nat[].match.protocol", CONFIG_CHOICE, FIELD(nat_rule, protocol), .choices = protocols,
	 .minimum = NAT_PROTOCOL_UDP, .help = "inner protocol (default: both)"},
	{"nat[].match.vni", CONFIG_NUMBER, FIELD(nat_rule, vni), PRESENT(has_vni),
	 .maximum = PIPELINE_VNI_MAX, .help = "VXLAN network identifier"},
	{"nat[].match.source", CONFIG_PREFIX, FIELD(nat_rule, source),
	 .help = "inner source address or prefix"},
	{"nat[].match.destination", CONFIG_PREFIX, FIELD(nat_rule, destination),
	 .help = "inner destination address or prefix"},
	{"nat[].to", CONFIG_TARGET, FIELD(nat_rule, to), .required = true,
	 .help = "new destination; without a port the port stays"},

	{"inner", CONFIG_SECTION, .help = "how inner packets are treated"},
	{"inner.clear_df_above", CONFIG_NUMBER, FIELD(config, inner.clear_df_above),
	 .maximum = 65535, .word = "never", .word_value = CLEAR_DF_NEVER, .initial = "1400",
	 .help = "clear DF of IPv4 packets longer than this many bytes"},
	{"inner.udp_checksum", CONFIG_CHOICE, FIELD(config, inner.udp_checksum),
	 .choices = udp_checksums, .initial = "update",
	 .help = "UDP checksum of rewritten packets"},
	{"inner.truncated", CONFIG_CHOICE, FIELD(config, inner.truncated), .choices = fallbacks,
	 .initial = "drop", .help = "packets that were truncated on the way"},

	{"monitor", CONFIG_SECTION, .help = "what is watched"},
	{"monitor.interval", CONFIG_NUMBER, FIELD(config, monitor.interval), .minimum = 1,
	 .maximum = 86400, .initial = "5", .help = "seconds between two looks at the counters"},
	{"monitor.target_pps", CONFIG_NUMBER, FIELD(config, monitor.target_pps),
	 .maximum = 1000000000, .initial = "85000", .help = "packets a second that are OK"},
	{"monitor.warning_pps", CONFIG_NUMBER, FIELD(config, monitor.warning_pps),
	 .maximum = 1000000000, .initial = "60000", .help = "fewer than this are BELOW"},
	{"monitor.histograms", CONFIG_CHOICE, FIELD(config, monitor.histograms),
	 .choices = switches, .initial = "true",
	 .help = "count the sizes of frames and the program's time"},

	{"http", CONFIG_SECTION, .shorthand = "http.listen",
	 .help = "health, metrics, status page"},
	{"http.listen", CONFIG_LISTENER, FIELD(config, http.listen), .initial = "127.0.0.1:9789",
	 .help = "where /metrics, /healthz, /stats.json and the status page are served"},

	{"log", CONFIG_SECTION, .help = "what is logged"},
	{"log.level", CONFIG_CHOICE, FIELD(config, log.level), .choices = log_levels,
	 .initial = "info", .help = "the least important messages to log"},
};

const size_t config_key_count = sizeof(config_keys) / sizeof(config_keys[0]);

static bool is_below(const struct config_key *parent, const struct config_key *key)
{
	size_t length = parent ? strlen(parent->path) : 0;

	return !parent ||
	       (strncmp(key->path, parent->path, length) == 0 && key->path[length] == '.');
}

static bool is_child(const struct config_key *parent, const struct config_key *key)
{
	const char *rest = parent ? key->path + strlen(parent->path) + 1 : key->path;

	return is_below(parent, key) && !strpbrk(rest, ".[");
}

const struct config_key *config_key_next(const struct config_key *parent,
					 const struct config_key *key)
{
	const struct config_key *end = config_keys + config_key_count;

	/* The keys below a key follow it without a gap, so the first other key ends the search. */
	for (key++; key < end; key++) {
		if (is_child(parent, key))
			return key;
		if (parent && !is_below(parent, key))
			return NULL;
	}
	return NULL;
}

const struct config_key *config_key_first(const struct config_key *parent)
{
	return parent ? config_key_next(parent, parent) : &config_keys[0];
}

const struct config_key *config_key_child(const struct config_key *parent, const char *name)
{
	const struct config_key *key = config_key_first(parent);

	while (key && strcmp(config_key_name(key), name) != 0)
		key = config_key_next(parent, key);
	return key;
}

const struct config_key *config_key_find(const char *path)
{
	for (size_t i = 0; i < config_key_count; i++) {
		if (strcmp(config_keys[i].path, path) == 0)
			return &config_keys[i];
	}
	return NULL;
}

#define NEAREST_LENGTH 32

/* How many letters to insert, remove, replace or swap with their neighbour to make `b` of `a`. */
static unsigned int edit_distance(const char *a, const char *b)
{
	unsigned int d[NEAREST_LENGTH + 1][NEAREST_LENGTH + 1];
	size_t rows = strnlen(a, NEAREST_LENGTH), columns = strnlen(b, NEAREST_LENGTH);

	for (size_t i = 0; i <= rows; i++) {
		for (size_t j = 0; j <= columns; j++) {
			unsigned int best = (unsigned int)(i ? i : j);

			if (i && j) {
				best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
				best = best < d[i - 1][j] + 1 ? best : d[i - 1][j] + 1;
				best = best < d[i][j - 1] + 1 ? best : d[i][j - 1] + 1;
			}
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = best < d[i - 2][j - 2] + 1 ? best : d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[rows][columns];
}

const struct config_key *config_key_nearest(const struct config_key *parent, const char *name)
{
	unsigned int best = 2 * NEAREST_LENGTH;
	const struct config_key *nearest = NULL;

	for (const struct config_key *key = config_key_first(parent); key;
	     key = config_key_next(parent, key)) {
		unsigned int distance = edit_distance(name, config_key_name(key));

		if (distance < best) {
			best = distance;
			nearest = key;
		}
	}
	return nearest;
}

const struct config_key *config_key_elsewhere(const struct config_key *parent, const char *name)
{
	bool in_rule = parent && strncmp(parent->path, "nat", 3) == 0;

	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];

		if ((!in_rule || strncmp(key->path, "nat", 3) == 0) &&
		    strcmp(config_key_name(key), name) == 0)
			return key;
	}
	return NULL;
}

size_t config_key_index(const struct config_key *key)
{
	return (size_t)(key - config_keys);
}

const char *config_key_name(const struct config_key *key)
{
	const char *dot = strrchr(key->path, '.');

	return dot ? dot + 1 : key->path;
}

/* "native, generic or auto" */
static const char *describe_choices(const struct config_key *key, const char *more, char *buffer)
{
	size_t used = 0;

	buffer[0] = '\0';
	for (size_t i = key->minimum; key->choices[i]; i++) {
		const char *joint = key->choices[i + 1] || more ? ", " : " or ";

		used += (size_t)snprintf(buffer + used, CONFIG_DESCRIBE_SIZE - used, "%s%s",
					 i == key->minimum ? "" : joint, key->choices[i]);
	}
	if (more)
		snprintf(buffer + used, CONFIG_DESCRIBE_SIZE - used, " or %s", more);
	return buffer;
}

const char *config_key_describe(const struct config_key *key, char *buffer)
{
	static const char rule_name[] = "a name of up to 63 letters, digits and . _ - :, not of "
					"up to 7 digits alone";
	static const char *const texts[] = {
		[CONFIG_SECTION] = "a mapping",
		[CONFIG_RULES] = "a list of rules",
		[CONFIG_RULE] = "a mapping with the keys match and to",
		[CONFIG_VNIS] = "a list of numbers from 0 to 16777215, as in [1, 2], or any",
		[CONFIG_SOURCES] = "a list of prefixes, as in [10.0.0.0/8, 192.0.2.1], or all",
		[CONFIG_INTERFACE] = "the name of a network interface",
		[CONFIG_PREFIX] = "an address or a prefix, as in 10.0.0.0/8 or 2001:db8::/32",
		[CONFIG_TARGET] = "ADDRESS, ADDRESS:PORT or \"[IPV6]:PORT\"",
		[CONFIG_LISTENER] = "ADDRESS:PORT, as in 127.0.0.1:9789, or off",
		[CONFIG_RULE_NAME] = rule_name,
	};

	if (key->type == CONFIG_CHOICE)
		return describe_choices(key, NULL, buffer);
	if (key->type == CONFIG_NEXT_HOP)
		return describe_choices(key, "a MAC as in 02:00:00:00:00:01", buffer);
	if (key->type != CONFIG_NUMBER)
		return texts[key->type];
	snprintf(buffer, CONFIG_DESCRIBE_SIZE, "a number from %u to %u%s%s", key->minimum,
		 key->maximum, key->word ? ", or " : "", key->word ? key->word : "");
	return buffer;
}

void config_schema_print(FILE *stream)
{
	char buffer[CONFIG_DESCRIBE_SIZE];

	for (size_t i = 0; i < config_key_count; i++) {
		const struct config_key *key = &config_keys[i];

		fprintf(stream, "%s: %s\n    %s", key->path, key->help,
			config_key_describe(key, buffer));
		if (key->required)
			fprintf(stream, "; required");
		if (key->initial)
			fprintf(stream, "; default %s", key->initial);
		fputc('\n', stream);
	}
}
