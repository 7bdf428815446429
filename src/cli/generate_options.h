/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line of `generate`. */
#ifndef CLI_GENERATE_OPTIONS_H
#define CLI_GENERATE_OPTIONS_H

#include "base/addr.h"
#include "cli/command.h"
#include "cli/option_value.h"
#include "generate/generator.h"

struct generate_options {
	const char *interface;
	bool receive;
	bool pass; /* receiver: hand packets on to the kernel instead of dropping them */
	bool json;
	unsigned int pps; /* 0: as fast as possible */
	unsigned int seconds;
	unsigned int count;
	unsigned int inner_size;
	unsigned int flows; /* 0: not given */
	unsigned int threads;
	unsigned int batch;
	unsigned int port; /* UDP port of the tunnel */
	unsigned int vni;
	unsigned int vnis;
	unsigned int source_port;
	unsigned int destination_port;
	enum generate_vary vary;
	bool df;
	struct ip_address source; /* version 0: not given */
	struct ip_address destination;
	struct ip_address inner_source;
	struct ip_address inner_destination;
	struct option_mac destination_mac;
};

/* True: go on; false: the command ends with *status. */
bool generate_options_parse(int argc, char **argv, struct generate_options *options,
			    enum command_status *status);

#endif
