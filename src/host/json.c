// SPDX-License-Identifier: GPL-2.0-only
/* A host as a JSON document, and back. One table has every field of struct host. */
#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "host/host.h"

enum field_type { TEXT, WORD, NUMBER, ANSWER };

struct field {
	const char *name;
	enum field_type type;
	size_t offset;
	size_t size;
};

#define HOST_FIELD(type, name, member)                                                        \
	{                                                                                     \
		name, type, offsetof(struct host, member), sizeof(((struct host *)0)->member) \
	}
#define LINK_FIELD(type, member)                                   \
	{                                                          \
#member, type, offsetof(struct host_link, member), \
			sizeof(((struct host_link *)0)->member)    \
	}

#define EXCEEDED_FIELD(name, allowance)                                                           \
	{                                                                                         \
		name, NUMBER, offsetof(struct host_link, exceeded[DRIVER_ALLOWANCE_##allowance]), \
			sizeof(int64_t)                                                           \
	}

static const struct field host_fields[] = {
	HOST_FIELD(TEXT, "kernel", kernel),
	HOST_FIELD(TEXT, "machine", machine),
	HOST_FIELD(NUMBER, "cpus", cpus),
	HOST_FIELD(ANSWER, "xdp", features.xdp),
	HOST_FIELD(ANSWER, "xdp_link", features.link),
	HOST_FIELD(ANSWER, "xdp_devmap", features.devmap),
	HOST_FIELD(ANSWER, "xdp_broadcast", features.broadcast),
	HOST_FIELD(ANSWER, "xdp_frags", features.frags),
	HOST_FIELD(ANSWER, "jit", features.jit),
	HOST_FIELD(WORD, "libbpf", features.libbpf),
	HOST_FIELD(ANSWER, "btf", btf),
	HOST_FIELD(ANSWER, "nftables", nftables),
	HOST_FIELD(ANSWER, "silenced", silenced),
	HOST_FIELD(ANSWER, "bpffs", bpffs),
	HOST_FIELD(ANSWER, "pins_at_risk", pins_at_risk),
	HOST_FIELD(TEXT, "bpf_refused", bpf_refused),
	HOST_FIELD(ANSWER, "cap_bpf", cap_bpf),
	HOST_FIELD(ANSWER, "cap_net_admin", cap_net_admin),
	HOST_FIELD(ANSWER, "cap_perfmon", cap_perfmon),
	HOST_FIELD(ANSWER, "cap_sys_admin", cap_sys_admin),
	HOST_FIELD(ANSWER, "kernel_log", kernel_log),
	HOST_FIELD(NUMBER, "ip_forward", ip_forward),
	HOST_FIELD(NUMBER, "forwarding6", forwarding6),
	HOST_FIELD(NUMBER, "rp_filter", rp_filter),
	HOST_FIELD(NUMBER, "send_redirects", send_redirects),
	HOST_FIELD(NUMBER, "frag_bypass", frag_bypass),
	HOST_FIELD(NUMBER, "idle_state", idle_state),
	HOST_FIELD(ANSWER, "irqbalance", irqbalance),
	HOST_FIELD(TEXT, "http_listen", http_listen),
	HOST_FIELD(TEXT, "http_taken", http_taken),
	HOST_FIELD(ANSWER, "http_free", http_free),
	HOST_FIELD(NUMBER, "unrouted", unrouted.rules),
	HOST_FIELD(NUMBER, "unrouted_rule", unrouted.rule),
	HOST_FIELD(WORD, "unrouted_target", unrouted.target),
	HOST_FIELD(NUMBER, "local", local.rules),
	HOST_FIELD(NUMBER, "local_rule", local.rule),
	HOST_FIELD(WORD, "local_target", local.target),
	HOST_FIELD(NUMBER, "ipsec_rules", ipsec_rules),
	HOST_FIELD(NUMBER, "ipsec_rule", ipsec_rule),
	HOST_FIELD(WORD, "ipsec_target", ipsec_target),
	HOST_FIELD(TEXT, "ipsec_policy", ipsec_policy),
	HOST_FIELD(WORD, "ipsec_demand", ipsec_demand),
	HOST_FIELD(WORD, "ipsec_direction", ipsec_direction),
	HOST_FIELD(NUMBER, "ipsec_priority", ipsec_priority),
	HOST_FIELD(NUMBER, "listed_vni", listed_vni),
	HOST_FIELD(NUMBER, "unlisted_vni", unlisted_vni),
	HOST_FIELD(ANSWER, "ec2", ec2),
	HOST_FIELD(ANSWER, "metadata", metadata),
	HOST_FIELD(WORD, "instance_id", instance_id),
};

static const struct field link_fields[] = {
	LINK_FIELD(TEXT, name),
	LINK_FIELD(ANSWER, exists),
	LINK_FIELD(ANSWER, up),
	LINK_FIELD(ANSWER, carrier),
	LINK_FIELD(NUMBER, type),
	LINK_FIELD(WORD, kind),
	LINK_FIELD(TEXT, master),
	LINK_FIELD(WORD, master_kind),
	LINK_FIELD(ANSWER, arp),
	LINK_FIELD(NUMBER, mtu),
	LINK_FIELD(WORD, mac),
	LINK_FIELD(TEXT, driver),
	LINK_FIELD(TEXT, driver_version),
	LINK_FIELD(TEXT, firmware),
	LINK_FIELD(TEXT, bus),
	LINK_FIELD(NUMBER, channels),
	LINK_FIELD(NUMBER, channels_max),
	LINK_FIELD(NUMBER, rx_channels),
	LINK_FIELD(NUMBER, rx_channels_max),
	LINK_FIELD(NUMBER, tx_channels),
	LINK_FIELD(NUMBER, tx_channels_max),
	LINK_FIELD(NUMBER, rx_ring),
	LINK_FIELD(NUMBER, rx_ring_max),
	LINK_FIELD(NUMBER, tx_ring),
	LINK_FIELD(NUMBER, tx_ring_max),
	LINK_FIELD(NUMBER, adaptive_rx),
	LINK_FIELD(NUMBER, rx_usecs),
	LINK_FIELD(NUMBER, tx_usecs),
	LINK_FIELD(ANSWER, rx_vlan),
	LINK_FIELD(ANSWER, rx_stag),
	LINK_FIELD(ANSWER, rx_vlan_fixed),
	LINK_FIELD(NUMBER, xdp_id),
	LINK_FIELD(TEXT, xdp_name),
	LINK_FIELD(WORD, xdp_mode),
	LINK_FIELD(WORD, xdp_owner),
	LINK_FIELD(WORD, xdp_instance),
	LINK_FIELD(NUMBER, xdp_link),
	LINK_FIELD(ANSWER, native),
	LINK_FIELD(ANSWER, redirect),
	LINK_FIELD(ANSWER, transmit),
	LINK_FIELD(ANSWER, multi_buffer),
	LINK_FIELD(ANSWER, default_route),
	LINK_FIELD(NUMBER, forwarding4),
	LINK_FIELD(NUMBER, forwarding6),
	LINK_FIELD(NUMBER, force_forwarding6),
	LINK_FIELD(NUMBER, rp_filter),
	LINK_FIELD(NUMBER, send_redirects),
	LINK_FIELD(NUMBER, accept_ra),
	EXCEEDED_FIELD("bw_in_exceeded", BW_IN),
	EXCEEDED_FIELD("bw_out_exceeded", BW_OUT),
	EXCEEDED_FIELD("pps_exceeded", PPS),
	EXCEEDED_FIELD("conntrack_exceeded", CONNTRACK),
	EXCEEDED_FIELD("linklocal_exceeded", LINKLOCAL),
	LINK_FIELD(NUMBER, rx_overruns),
	LINK_FIELD(TEXT, refusal),
	LINK_FIELD(WORD, interface_id),
};

#define HOST_FIELDS (sizeof(host_fields) / sizeof(host_fields[0]))
#define LINK_FIELDS (sizeof(link_fields) / sizeof(link_fields[0]))

static void init(void *object, const struct field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (fields[i].type == NUMBER)
			*(int64_t *)((char *)object + fields[i].offset) = HOST_UNKNOWN;
	}
}

void host_init(struct host *host)
{
	memset(host, 0, sizeof(*host));
	init(host, host_fields, HOST_FIELDS);
	init(&host->listen, link_fields, LINK_FIELDS);
	init(&host->forward, link_fields, LINK_FIELDS);
}

static json_t *value_json(const void *value, enum field_type type)
{
	switch (type) {
	case NUMBER:
		return *(const int64_t *)value == HOST_UNKNOWN
			       ? json_null()
			       : json_integer(*(const int64_t *)value);
	case ANSWER:
		return *(const enum answer *)value == ANSWER_UNKNOWN
			       ? json_null()
			       : json_boolean(*(const enum answer *)value == ANSWER_YES);
	default:
		return *(const char *)value ? json_string(value) : json_null();
	}
}

static json_t *object_json(const void *object, const struct field *fields, size_t count)
{
	json_t *result = json_object();

	for (size_t i = 0; i < count; i++)
		json_object_set_new(result, fields[i].name,
				    value_json((const char *)object + fields[i].offset,
					       fields[i].type));
	return result;
}

json_t *host_json(const struct host *host)
{
	return json_pack("{s:o, s:o, s:o}", "host", object_json(host, host_fields, HOST_FIELDS),
			 "listen", object_json(&host->listen, link_fields, LINK_FIELDS), "forward",
			 object_json(&host->forward, link_fields, LINK_FIELDS));
}

/*
 * Texts are for messages: printable ASCII. Words are for commands: no character special to a shell.
 */
static bool text_fits(const json_t *value, enum field_type type, size_t size)
{
	const char *text = json_string_value(value);

	if (!text || json_string_length(value) >= size || strlen(text) != json_string_length(value))
		return false;
	for (; *text; text++) {
		if (type == WORD ? !isalnum((unsigned char)*text) && !strchr(":-._", *text)
				 : !isprint((unsigned char)*text))
			return false;
	}
	return true;
}

/* False: the value is not of the field's type, or too long. */
static bool take_value(void *to, const struct field *field, const json_t *value)
{
	if (json_is_null(value))
		return true;
	switch (field->type) {
	case NUMBER:
		if (!json_is_integer(value) || json_integer_value(value) < 0)
			return false;
		*(int64_t *)to = json_integer_value(value);
		return true;
	case ANSWER:
		if (!json_is_boolean(value))
			return false;
		*(enum answer *)to = json_is_true(value) ? ANSWER_YES : ANSWER_NO;
		return true;
	default:
		if (!text_fits(value, field->type, field->size))
			return false;
		memcpy(to, json_string_value(value), json_string_length(value) + 1);
		return true;
	}
}

static int take_object(void *object, const struct field *fields, size_t count, const char *name,
		       const json_t *from, struct error *error)
{
	static const char *const wants[] = {[TEXT] = "a text",
					    [WORD] = "a word",
					    [NUMBER] = "a number",
					    [ANSWER] = "true or false"};
	const char *key;
	json_t *value;

	if (!json_is_object(from))
		return error_set(error, -EINVAL, "'%s' is missing, or no object", name);
	json_object_foreach ((json_t *)from, key, value) {
		size_t i = 0;

		while (i < count && strcmp(fields[i].name, key) != 0)
			i++;
		if (i == count)
			return error_set(error, -EINVAL, "%s.%s: no such fact", name, key);
		if (!take_value((char *)object + fields[i].offset, &fields[i], value))
			return error_set(error, -EINVAL, "%s.%s: not %s that fits, nor null", name,
					 key, wants[fields[i].type]);
	}
	return 0;
}

int host_from_json(struct host *host, const json_t *document, struct error *error)
{
	struct host taken;
	int err;

	host_init(&taken);
	err = take_object(&taken, host_fields, HOST_FIELDS, "host",
			  json_object_get(document, "host"), error);
	if (!err)
		err = take_object(&taken.listen, link_fields, LINK_FIELDS, "listen",
				  json_object_get(document, "listen"), error);
	if (!err)
		err = take_object(&taken.forward, link_fields, LINK_FIELDS, "forward",
				  json_object_get(document, "forward"), error);
	if (!err)
		*host = taken;
	return err;
}

int host_save(const struct host *host, const char *path, struct error *error)
{
	FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	json_t *document;
	int err = 0;

	if (!file)
		return error_set(error, -errno, "cannot write %s: %s", path, strerror(errno));
	document = host_json(host);
	if (!document || json_dumpf(document, file, JSON_INDENT(2)) < 0 ||
	    fputc('\n', file) == EOF || fflush(file) == EOF)
		err = error_set(error, -EIO, "cannot write %s: %s", path, strerror(errno));
	json_decref(document);
	if (file != stdout && fclose(file) == EOF && !err)
		err = error_set(error, -EIO, "cannot write %s: %s", path, strerror(errno));
	return err;
}

static int host_json_load(struct host *host, const char *path, struct error *error)
{
	bool standard = strcmp(path, "-") == 0;
	struct error inner;
	json_error_t said;
	json_t *document;
	int err;

	document = standard ? json_loadf(stdin, JSON_REJECT_DUPLICATES, &said)
			    : json_load_file(path, JSON_REJECT_DUPLICATES, &said);
	if (!document)
		return error_set(error, -EINVAL,
				 "%s:%d: %s; `vxlan-pipeline check --record` writes such a file",
				 path, said.line, said.text);
	err = host_from_json(host, document, &inner);
	json_decref(document);
	return err ? error_set(error, err, "%s: %s", path, inner.text) : 0;
}

int host_load_for(struct host *host, const char *path, const struct config *config,
		  struct error *error)
{
	struct host loaded;
	int err = host_json_load(&loaded, path, error);

	if (err)
		return err;
	if (strcmp(loaded.listen.name, config->listen.interface) != 0 ||
	    strcmp(loaded.forward.name, config->forward.interface) != 0)
		return error_set(error, -EINVAL,
				 "%s: facts of %s and %s, while the configuration is about %s and "
				 "%s; record them with this configuration: vxlan-pipeline check "
				 "--record",
				 path, loaded.listen.name, loaded.forward.name,
				 config->listen.interface, config->forward.interface);
	*host = loaded;
	return 0;
}
