// SPDX-License-Identifier: GPL-2.0-only
/* Prints a scenario as a YAML file, like an operator would write it. */
#include "scenario.h"

#include <arpa/inet.h>

static void print_address(const uint8_t *address, uint8_t version, FILE *stream)
{
	char text[INET6_ADDRSTRLEN];

	fputs(inet_ntop(version == 4 ? AF_INET : AF_INET6, address, text, sizeof(text)), stream);
}

static void print_network(const struct network *network, FILE *stream)
{
	fputc('"', stream);
	print_address(network->address, network->version, stream);
	fprintf(stream, "/%u\"", network->length);
}

static void print_listen(const struct scenario *scenario, FILE *stream)
{
	fprintf(stream, "listen:\n  interface: rx0\n  port: %u\n", scenario->port);
	if (scenario->any_vni) {
		fputs("  vnis: any\n", stream);
	} else {
		for (size_t i = 0; i < scenario->vni_count; i++)
			fprintf(stream, "%s%u", i ? ", " : "  vnis: [", scenario->vnis[i]);
		fputs("]\n", stream);
	}
	for (size_t i = 0; i < scenario->source_count; i++) {
		fputs(i ? ", " : "  sources: [", stream);
		print_network(&scenario->sources[i], stream);
	}
	if (scenario->source_count)
		fputs("]\n", stream);
	fprintf(stream, "  xdp_mode: %s\n", scenario->generic ? "generic" : "native");
}

static void print_forward(const struct scenario *scenario, FILE *stream)
{
	static const char *const oversizes[] = {"fragment", "pass", "drop"};
	static const char *const fallbacks[] = {"drop", "pass", "forward"};
	const uint8_t *mac = scenario->next_hop_mac;

	fputs("forward:\n", stream);
	if (!scenario->single_arm)
		fputs("  interface: tx0\n", stream);
	if (scenario->next_hop == BY_MAC)
		fprintf(stream, "  next_hop: \"%02x:%02x:%02x:%02x:%02x:%02x\"\n", mac[0], mac[1],
			mac[2], mac[3], mac[4], mac[5]);
	else
		fprintf(stream, "  next_hop: %s\n",
			scenario->next_hop == BY_ROUTE ? "route" : "keep");
	if (scenario->mtu)
		fprintf(stream, "  mtu: %u\n", scenario->mtu);
	fprintf(stream, "  oversize: %s\n  unmatched: %s\n", oversizes[scenario->oversize],
		fallbacks[scenario->unmatched]);
}

static void print_rule(const struct scenario_rule *rule, FILE *stream)
{
	const char *joint = "";

	fputs("  - match: {", stream);
	if (rule->source.version) {
		fprintf(stream, "%ssource: ", joint);
		print_network(&rule->source, stream);
		joint = ", ";
	}
	if (rule->destination.version) {
		fprintf(stream, "%sdestination: ", joint);
		print_network(&rule->destination, stream);
		joint = ", ";
	}
	if (rule->source_port >= 0) {
		fprintf(stream, "%ssource_port: %d", joint, rule->source_port);
		joint = ", ";
	}
	if (rule->destination_port >= 0) {
		fprintf(stream, "%sdestination_port: %d", joint, rule->destination_port);
		joint = ", ";
	}
	if (rule->protocol) {
		fprintf(stream, "%sprotocol: %s", joint, rule->protocol == 17 ? "udp" : "tcp");
		joint = ", ";
	}
	if (rule->vni >= 0)
		fprintf(stream, "%svni: %lld", joint, (long long)rule->vni);
	fputs("}\n    to: \"", stream);
	if (rule->to_version == 6 && rule->to_port)
		fputc('[', stream);
	print_address(rule->to, rule->to_version, stream);
	if (rule->to_port)
		fprintf(stream, "%s:%u", rule->to_version == 6 ? "]" : "", rule->to_port);
	fputs("\"\n", stream);
	if (rule->name)
		fprintf(stream, "    name: rule-%u\n", rule->name);
}

void scenario_print(const struct scenario *scenario, FILE *stream)
{
	static const char *const checksums[] = {"update", "zero", "preserve"};
	static const char *const fallbacks[] = {"drop", "pass", "forward"};

	print_listen(scenario, stream);
	print_forward(scenario, stream);
	fputs(scenario->rule_count ? "nat:\n" : "nat: []\n", stream);
	for (size_t i = 0; i < scenario->rule_count; i++)
		print_rule(&scenario->rules[i], stream);
	if (scenario->clear_df_above == NEVER)
		fputs("inner:\n  clear_df_above: never\n", stream);
	else
		fprintf(stream, "inner:\n  clear_df_above: %u\n", scenario->clear_df_above);
	fprintf(stream, "  udp_checksum: %s\n  truncated: %s\n", checksums[scenario->udp_checksum],
		fallbacks[scenario->truncated]);
}
