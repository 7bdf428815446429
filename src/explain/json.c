// SPDX-License-Identifier: GPL-2.0-only
#include "explain/json.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "datapath/names.h"

/* Text from outside need not be UTF-8, and JSON must be. */
static json_t *text_value(const char *text)
{
	json_t *value = json_string(text);
	char escaped[1024];

	return value ? value : json_string(explain_escape(text, escaped, sizeof(escaped)));
}

static json_t *hex_value(const uint8_t *bytes, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	char *hex = malloc(2 * length + 1);
	json_t *value;

	if (!hex)
		return NULL;
	for (size_t i = 0; i < length; i++) {
		hex[2 * i] = digits[bytes[i] >> 4];
		hex[2 * i + 1] = digits[bytes[i] & 0xf];
	}
	value = json_stringn(hex, 2 * length);
	free(hex);
	return value;
}

static json_t *time_value(const struct timespec *time)
{
	char date[64], text[96];
	struct tm broken;

	if (!gmtime_r(&time->tv_sec, &broken) ||
	    !strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &broken))
		return json_null(); /* a year beyond what a calendar holds */
	snprintf(text, sizeof(text), "%s.%09ldZ", date, time->tv_nsec);
	return json_string(text);
}

/* "vlan.id", and "vlan.id#2" for the second of them, as Wireshark's filters have it. */
static const char *field_name(const struct dissect_field *field, char *buffer, size_t size)
{
	if (field->number == 1)
		return field->name;
	snprintf(buffer, size, "%s#%u", field->name, field->number);
	return buffer;
}

static json_t *fields_value(const struct dissection *dissection)
{
	json_t *object = json_object();
	char name[64], status[80];

	for (size_t i = 0; i < dissection->count; i++) {
		const struct dissect_field *field = &dissection->fields[i];
		const char *key = field_name(field, name, sizeof(name));

		json_object_set_new(object, key, json_string(field->text));
		if (field->checksum == DISSECT_NO_CHECKSUM)
			continue;
		snprintf(status, sizeof(status), "%s.status", key);
		json_object_set_new(object, status,
				    json_string(dissect_checksum_name(field->checksum)));
	}
	return object;
}

static json_t *optional_text(const char *text)
{
	return text ? json_string(text) : json_null();
}

/* Against the first frame that leaves: fragments share their headers. */
static json_t *changes_value(const struct explanation *explanation)
{
	const struct explain_out *out = &explanation->outs[0];
	json_t *array = json_array();
	char name[64];

	for (size_t i = 0; explanation->out_count && i < out->change_count; i++) {
		const struct dissect_field *from = out->changes[i].from;
		const struct dissect_field *to = out->changes[i].to;
		json_t *change = json_object();

		json_object_set_new(change, "field",
				    json_string(field_name(from ? from : to, name, sizeof(name))));
		json_object_set_new(change, "from", optional_text(from ? from->text : NULL));
		json_object_set_new(change, "to", optional_text(to ? to->text : NULL));
		if (to && to->checksum != DISSECT_NO_CHECKSUM)
			json_object_set_new(change, "status",
					    json_string(dissect_checksum_name(to->checksum)));
		json_array_append_new(array, change);
	}
	return array;
}

static json_t *in_value(const struct explanation *explanation)
{
	const struct capture_packet *packet = &explanation->packet;
	json_t *in = json_object();

	json_object_set_new(in, "summary", text_value(explanation->outer.summary));
	json_object_set_new(in, "hex", hex_value(packet->bytes, packet->captured));
	json_object_set_new(in, "outer", fields_value(&explanation->outer));
	if (explanation->has_inner) {
		json_object_set_new(in, "inner_summary", text_value(explanation->inner.summary));
		json_object_set_new(in, "inner", fields_value(&explanation->inner));
	} else {
		json_object_set_new(in, "inner", json_null());
	}
	return in;
}

static json_t *out_value(const struct explanation *explanation)
{
	json_t *array = json_array();

	for (size_t i = 0; i < explanation->out_count; i++) {
		const struct explain_out *out = &explanation->outs[i];
		json_t *frame = json_object();

		json_object_set_new(frame, "length", json_integer((json_int_t)out->length));
		json_object_set_new(frame, "hex", hex_value(out->bytes, out->length));
		json_object_set_new(frame, "summary", text_value(out->fields.summary));
		json_object_set_new(frame, "fields", fields_value(&out->fields));
		json_object_set_new(frame, "payload_changed", json_boolean(out->payload_changed));
		json_array_append_new(array, frame);
	}
	return array;
}

static json_t *events_value(uint32_t events)
{
	json_t *array = json_array();

	for (unsigned int event = 0; event < EVENT_COUNT; event++)
		if (events >> event & 1)
			json_array_append_new(array, json_string(event_name(event)));
	return array;
}

static void set_outcome(json_t *object, const struct explanation *explanation)
{
	const struct trace *trace = &explanation->outcome.trace;
	bool ran = !*explanation->problem;
	char to[ADDR_TEXT_SIZE];

	json_object_set_new(object, "verdict",
			    ran ? json_string(verdict_name(trace->verdict)) : json_null());
	if (!ran)
		json_object_set_new(object, "problem", json_string(explanation->problem));
	json_object_set_new(object, "rule", trace->rule ? json_integer(trace->rule) : json_null());
	json_object_set_new(object, "rule_name",
			    optional_text(explanation->rule ? explanation->rule_name : NULL));
	json_object_set_new(object, "to",
			    optional_text(explanation->rule
						  ? ip_endpoint_format(&explanation->rule->to, to)
						  : NULL));
	json_object_set_new(object, "vni",
			    trace->vni == VNI_NONE ? json_null() : json_integer(trace->vni));
	json_object_set_new(object, "scattered", json_boolean(trace->scattered));
	json_object_set_new(object, "events", events_value(trace->events));
}

static int dump(FILE *stream, json_t *value)
{
	char *text = value ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;

	json_decref(value);
	if (!text)
		return -ENOMEM;
	fputs(text, stream);
	free(text);
	return 0;
}

void explain_json_begin(FILE *stream, const char *file)
{
	fputs("{\"file\":", stream);
	if (dump(stream, text_value(file)))
		fputs("null", stream);
	fputs(",\"simulated_next_hops\":true,\"packets\":[", stream);
}

int explain_json_packet(FILE *stream, const struct explanation *explanation)
{
	const struct capture_packet *packet = &explanation->packet;
	json_t *object = json_object();

	json_object_set_new(object, "number", json_integer((json_int_t)explanation->number));
	json_object_set_new(object, "time", time_value(&packet->time));
	json_object_set_new(object, "length", json_integer((json_int_t)packet->length));
	json_object_set_new(object, "captured", json_integer((json_int_t)packet->captured));
	set_outcome(object, explanation);
	json_object_set_new(object, "in", in_value(explanation));
	json_object_set_new(object, "out", out_value(explanation));
	json_object_set_new(object, "changes", changes_value(explanation));
	fputs(explanation->number > 1 ? ",\n" : "\n", stream);
	return dump(stream, object);
}

int explain_json_end(FILE *stream, const struct explain_totals *totals, const char *problem)
{
	json_t *verdicts = json_object();
	int err;

	for (enum verdict verdict = VERDICT_GO_ON + 1; verdict < VERDICT_COUNT; verdict++)
		json_object_set_new(verdicts, verdict_name(verdict),
				    json_integer((json_int_t)totals->verdicts[verdict]));
	fputs("\n],\"verdicts\":", stream);
	err = dump(stream, verdicts);
	fprintf(stream, ",\"not_run\":%llu", (unsigned long long)totals->not_run);
	if (problem && !err) {
		fputs(",\"problem\":", stream);
		err = dump(stream, text_value(problem));
	}
	fputs("}\n", stream);
	return err;
}
