/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration as the program sees it (contract: docs/configuration.md), and the way from a
 * file to it: parse, then validate. Neither step touches anything but its arguments and the file.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "bpf/pipeline.h"
#include "base/addr.h"
#include "base/log.h"
#include "base/progress.h"

#define CONFIG_INTERFACE_SIZE 16 /* IFNAMSIZ */

enum xdp_mode { XDP_MODE_AUTO, XDP_MODE_NATIVE, XDP_MODE_GENERIC };

/* Where in the input something stands. Line and column count from 1; line 0: no place. */
struct config_place {
	unsigned int line;
	unsigned int column;
};

/* A rule of `nat:`. It does not look at a field whose `has_*` is false. */
struct nat_rule {
	struct ip_prefix source;      /* address.version 0: any */
	struct ip_prefix destination; /* address.version 0: any */
	uint32_t vni;
	uint16_t source_port; /* host order */
	uint16_t destination_port;
	bool has_vni;
	bool has_source_port;
	bool has_destination_port;
	uint8_t protocol; /* enum nat_protocol */
	struct ip_endpoint to;
	char *name; /* NULL: it has none, see config/rule_name.h */
	struct config_place place;
};

struct config {
	struct {
		char interface[CONFIG_INTERFACE_SIZE];
		uint16_t port;
		bool any_vni;
		uint32_t *vnis; /* in file order */
		size_t vni_count;
		struct ip_prefix *sources;
		size_t source_count; /* 0: all may send */
		enum xdp_mode xdp_mode;
	} listen;
	struct {
		char interface[CONFIG_INTERFACE_SIZE]; /* never empty once loaded */
		enum next_hop_mode next_hop;
		uint8_t next_hop_mac[6];
		uint32_t mtu; /* 0: the interface's */
		enum oversize_mode oversize;
		enum fallback unmatched;
	} forward;
	struct nat_rule *rules;
	size_t rule_count;
	struct {
		uint32_t clear_df_above; /* or CLEAR_DF_NEVER */
		enum udp_checksum_mode udp_checksum;
		enum fallback truncated;
	} inner;
	struct {
		unsigned int interval; /* seconds */
		uint32_t target_pps;
		uint32_t warning_pps;
		bool histograms;
	} monitor;
	struct {
		char listen[80]; /* address:port; empty: off */
	} http;
	struct {
		enum log_level level;
	} log;
};

#define CONFIG_MAX_SOURCES 65536

/*
 * What is wrong with an input: every problem of it, in the order of their places. Both texts are
 * printable ASCII: other bytes of the input are escaped, long parts of it shortened.
 */
struct config_problem {
	struct config_place place;
	const char *origin; /* of the override that it is about; NULL: it is about the input */
	char *path; /* forward.mtu, nat[3].match.source_port (counted from 1); empty: the whole */
	char *message; /* what is wrong and what would be right */
	size_t order;  /* among the problems of one place */
};

struct config_problems {
	char *input; /* the name of the file, or of what was read instead */
	struct config_problem *list;
	size_t count;
	size_t unlisted; /* how many more there are */
};

/*
 * One value given beside the file: path as in `forward.mtu`, value as it would stand in YAML; a
 * single value is taken as it is, so that it needs no quotes. The texts outlive the problems.
 */
struct config_override {
	const char *path;
	const char *value;
	const char *origin; /* how the user said it: "--target", for the message */
};

/*
 * Reads `path` (NULL: no file, defaults only), lays the overrides over it and validates the whole.
 * An override of `nat` is a rule; its value is "SOURCE_PORT ADDRESS[:PORT]". It comes before the
 * rules of the file, and rules of the file that can no longer match because of it are dropped.
 * `progress` (NULL: nobody wants to know) is told while the file and its rules are read. Returns 0;
 * -EINVAL with at least one problem; -errno with one problem when the file cannot be read;
 * -ECANCELED among them. On failure *config is empty, and config_clear() of it is harmless.
 */
int config_load(struct config *config, const char *path, const struct config_override *overrides,
		size_t override_count, const struct progress *progress,
		struct config_problems *problems);
/* The same from memory; `name` stands for the file, and text[length] is a zero byte. */
int config_load_text(struct config *config, const char *name, const char *text, size_t length,
		     const struct config_override *overrides, size_t override_count,
		     struct config_problems *problems);
void config_clear(struct config *config);

/* May packets of this IP version (4 or 6) be sent? */
bool config_may_send(const struct config *config, int version);

/* FILE:LINE:COLUMN: path.of.key: message, a line each. An override's origin replaces the place. */
void config_problems_print(const struct config_problems *problems, FILE *stream);
/* The first of them as it is printed, without a newline. Returns `text`. */
const char *config_problems_first(const struct config_problems *problems, char *text, size_t size);
void config_problems_clear(struct config_problems *problems);

/* The effective configuration as YAML that config_load() reads back to the same configuration. */
void config_print(const struct config *config, FILE *stream);

#endif
