// SPDX-License-Identifier: GPL-2.0-only
/* Translates old settings to keys of the configuration. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "import/draft.h"
#include "config/problem.h"

static const struct place old_default = {"old default", 0};

/* `setting`, or `other` if it is not set. Warns if both are set and differ: `other` is ignored. */
static const struct value *choose(struct import *import, enum setting setting, enum setting other)
{
	const struct value *value = &import->values[setting], *stand_in = &import->values[other];

	if (!value->place.file)
		return stand_in;
	if (stand_in->place.file && strcmp(value->text, stand_in->text) != 0)
		import_warn(import, stand_in->place, "%s is not carried over: %s in %s:%u wins",
			    stand_in->name, value->name, value->place.file, value->place.line);
	return value;
}

/* Are all three parts of a rule there? If only some are, reports which are missing. */
static bool rule_complete(struct import *import, const struct value *const parts[3])
{
	static const char *const called[3] = {"SOURCE_PORT", "NAT_IP", "NAT_PORT"};
	const struct value *given = NULL;
	const char *missing[3];
	size_t count = 0;

	for (size_t i = 0; i < 3; i++) {
		if (!parts[i]->place.file)
			missing[count++] = called[i];
		else if (!given)
			given = parts[i];
	}
	if (given && count)
		import_complain(import, given->place, "%s makes no rule without %s%s%s",
				given->name, missing[0], count > 1 ? " and " : "",
				count > 1 ? missing[1] : "");
	return count == 0;
}

void import_translate_rule(struct import *import)
{
	const struct value *source = &import->values[SOURCE_PORT];
	const struct value *ip = choose(import, NAT_IP, AWS_IP);
	const struct value *port = choose(import, NAT_PORT, AWS_PORT);
	const struct config_key *port_key = config_key_find("nat[].match.destination_port");
	struct config_complaint complaint;
	struct ip_endpoint target;
	struct nat_rule scratch;
	char quoted[CONFIG_QUOTE_SIZE];

	if (!rule_complete(import, (const struct value *const[]){source, ip, port}))
		return;
	if (ip->refused || port->refused || source->refused)
		return;
	if (ip_address_parse(ip->text, &target.address))
		import_complain(import, ip->place, "%s: %s is not an address", ip->name,
				config_quote(ip->text, quoted));
	else if (config_value_set(port_key, &scratch, port->text, true, &complaint))
		import_complain(import, port->place, "%s: %s", port->name, complaint.text);
	else {
		target.port = scratch.destination_port;
		import_add_rule(import, source->place, source->text, &target);
	}
}

static void translate_redirect(struct import *import)
{
	const struct value *value = &import->values[ENABLE_REDIRECT];
	static const char *const yes[] = {"yes", "true", "1", "on", "y"};
	static const char *const no[] = {"no", "false", "0", "off", "n"};
	/* The old program also forwarded packets that no rule matched. */
	const char *unmatched = value->place.file ? NULL : "forward";
	char quoted[CONFIG_QUOTE_SIZE];

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]) && value->place.file; i++) {
		if (strcasecmp(value->text, yes[i]) == 0)
			unmatched = "forward";
		if (strcasecmp(value->text, no[i]) == 0)
			unmatched = "pass";
	}
	if (value->refused)
		return;
	if (!unmatched) {
		import_complain(import, value->place, "ENABLE_REDIRECT: %s is not yes or no",
				config_quote(value->text, quoted));
		return;
	}
	if (strcmp(unmatched, "pass") == 0)
		import_warn(import, value->place,
			    "ENABLE_REDIRECT=no left all packets to the kernel: forward.unmatched: "
			    "pass "
			    "does so with those that no rule matches, the others leave by "
			    "forward.interface");
	import_add(import, value->place.file ? value->place : old_default, "forward.unmatched",
		   "%s", unmatched);
}

static void translate_debug_level(struct import *import)
{
	const struct value *value = &import->values[DEBUG_LEVEL];
	char quoted[CONFIG_QUOTE_SIZE];

	if (!value->place.file || value->refused)
		return;
	if (strspn(value->text, "0123") != 1 || value->text[1])
		import_complain(import, value->place, "DEBUG_LEVEL: %s is not a number from 0 to 3",
				config_quote(value->text, quoted));
	else
		import_add(import, value->place, "log.level",
			   value->text[0] == '0' ? "info" : "debug");
}

/* If only one rate is set and contradicts the other's default, the other becomes equal to it. */
static void translate_rates(struct import *import)
{
	const struct value *target = &import->values[TARGET_PPS];
	const struct value *warning = &import->values[WARNING_PPS];
	const struct value *given = target->place.file ? target : warning;
	const char *other = given == target ? "monitor.warning_pps" : "monitor.target_pps";
	unsigned long rate = strtoul(given->text, NULL, 10);
	unsigned long initial = strtoul(config_key_find(other)->initial, NULL, 10);

	if (!target->place.file == !warning->place.file || given->refused ||
	    given->text[strspn(given->text, "0123456789")] ||
	    (given == target ? rate >= initial : rate <= initial))
		return;
	import_warn(import, given->place,
		    "%s becomes %lu as well, since its default, %lu, contradicts", other, rate,
		    initial);
	import_add(import, given->place, other, "%s", given->text);
}

static void translate_interfaces(struct import *import)
{
	/* The defaults of the old program. */
	static const char *const defaults[] = {
		[INPUT_INTERFACE] = "ens5",
		[TARGET_INTERFACE] = "ens6",
	};

	for (enum setting i = INPUT_INTERFACE; i <= TARGET_INTERFACE; i++) {
		struct value *value = &import->values[i];

		if (value->place.file && !value->refused)
			continue;
		value->path = i == INPUT_INTERFACE ? "listen.interface" : "forward.interface";
		strcpy(value->text, defaults[i]);
		/* A refused setting was reported already: take the default, and do not warn. */
		if (!value->refused)
			import_warn(import, old_default,
				    "no file names it, so %s is %s: is that right?", value->path,
				    value->text);
		value->refused = false;
		value->place = old_default;
	}
}

void import_translate(struct import *import)
{
	translate_interfaces(import);
	for (size_t i = 0; i < SETTINGS; i++) {
		const struct value *value = &import->values[i];

		if (value->place.file && value->path && !value->refused)
			import_add(import, value->place, value->path, "%s", value->text);
	}
	translate_redirect(import);
	translate_debug_level(import);
	translate_rates(import);
}
