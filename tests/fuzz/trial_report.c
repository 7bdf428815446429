// SPDX-License-Identifier: GPL-2.0-only
/* Prints disagreements and the model's answers. */
#include <stdlib.h>
#include <string.h>

#include "trial.h"

static void print_hex(const uint8_t *bytes, size_t length, FILE *stream)
{
	for (size_t i = 0; i < length; i++)
		fprintf(stream, "%02x", bytes[i]);
}

static void print_names(uint32_t set, const char *const *names, size_t count, FILE *stream)
{
	const char *joint = "";

	for (size_t i = 0; i < count; i++) {
		if (!(set >> i & 1))
			continue;
		fprintf(stream, "%s%s", joint, names[i]);
		joint = " ";
	}
}

static void print_said(const char *who, uint32_t verdicts, uint32_t rule, uint32_t vni,
		       uint32_t events)
{
	fprintf(stderr, "%s: ", who);
	print_names(verdicts, model_verdict_names, MODEL_VERDICT_COUNT, stderr);
	fprintf(stderr, ", rule %u, ", rule);
	if (vni == NO_VNI)
		fprintf(stderr, "no VNI");
	else
		fprintf(stderr, "VNI %u", vni);
	fprintf(stderr, ", events: ");
	print_names(events, model_event_names, MODEL_EVENT_COUNT, stderr);
	fputc('\n', stderr);
}

void trial_report(const struct trial *trial, const char *why)
{
	const struct trial_frame *frame = &trial->frames[trial->count - 1];
	const struct trace *trace = &trial->outcome.trace;
	const struct answer *want = &trial->answer;
	char *text = scenario_text(&trial->scenario);

	fprintf(stderr, "\nDISAGREEMENT: --seed %llu --scenario %llu, packet %zu: %s\n",
		(unsigned long long)trial->options->seed, (unsigned long long)trial->number,
		trial->count, why);
	if (text && trial->scenario.rule_count <= 50)
		fputs(text, stderr);
	free(text);
	fprintf(stderr, "packet: ");
	print_hex(frame->bytes, frame->length, stderr);
	fputc('\n', stderr);
	print_said("program", ONE_OF(compare_verdict(trace)), trace->rule,
		   trace->vni == VNI_NONE ? NO_VNI : trace->vni, compare_events(trace));
	for (size_t i = 0; i < trial->outcome.frame_count; i++) {
		fprintf(stderr, "program's frame: ");
		print_hex(trial->outcome.frames[i].bytes, trial->outcome.frames[i].length, stderr);
		fputc('\n', stderr);
	}
	print_said("model", want->verdicts, want->rule, want->vni, want->events);
	fprintf(stderr, "model's frame: ");
	print_hex(want->frame, want->length, stderr);
	fputc('\n', stderr);
}

static bool write_text(const char *path, const char *text)
{
	FILE *stream = text ? fopen(path, "we") : NULL;

	if (!stream)
		return false;
	fputs(text, stream);
	return fclose(stream) == 0;
}

static bool write_frames(const char *path, const struct trial_frame *frames, size_t count)
{
	const uint32_t head[] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
	FILE *stream = fopen(path, "we");

	if (!stream)
		return false;
	fwrite(head, sizeof(head), 1, stream);
	for (size_t i = 0; i < count; i++) {
		const uint32_t length = (uint32_t)frames[i].length;
		const uint32_t packet[] = {(uint32_t)i, 0, length, length};

		fwrite(packet, sizeof(packet), 1, stream);
		fwrite(frames[i].bytes, length, 1, stream);
	}
	return fclose(stream) == 0;
}

void trial_keep(const struct trial *trial)
{
	char name[512], config[600], capture[600];
	char *text = scenario_text(&trial->scenario);

	snprintf(name, sizeof(name), "%s/disagreement-%llu-%llu", trial->options->keep,
		 (unsigned long long)trial->options->seed, (unsigned long long)trial->number);
	snprintf(config, sizeof(config), "%s.yaml", name);
	snprintf(capture, sizeof(capture), "%s.pcap", name);
	if (write_text(config, text) && write_frames(capture, trial->frames, trial->count))
		fprintf(stderr, "see: vxlan-pipeline explain -c %s %s%s\n", config, capture,
			trial->count > 1 ? ", its last packet" : "");
	else
		fprintf(stderr, "see: the packet above; %s cannot be written\n", name);
	if (!trial->scenario.multi_buffer || trial->scenario.rings_each)
		fprintf(stderr, "     (loaded%s%s, which explain does not do)\n",
			trial->scenario.multi_buffer ? "" : " for one buffer",
			trial->scenario.rings_each ? " for a driver that rings for each" : "");
	free(text);
}

/* Prints a configuration's text as a JSON string: only quotes and line ends need escapes. */
static void print_json_text(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '\n')
			printf("\\n");
		else if (*text == '"')
			printf("\\\"");
		else
			putchar(*text);
	}
	putchar('"');
}

bool trial_print_model(struct trial *trial)
{
	char *text = scenario_text(&trial->scenario);
	struct trial_frame *frame = &trial->frames[0];

	if (!text)
		return false;
	printf("{\"config\":");
	print_json_text(text);
	free(text);
	printf(",\"packets\":[");
	for (uint64_t i = 0; i < trial->options->each; i++) {
		const struct answer *answer = &trial->answer;

		frame->length = traffic_next(&trial->traffic, frame->bytes);
		model_judge(&trial->model, frame->bytes, frame->length, &trial->answer);
		printf("%s{\"hex\":\"", i ? "," : "");
		print_hex(frame->bytes, frame->length, stdout);
		printf("\",\"verdicts\":\"");
		print_names(answer->verdicts, model_verdict_names, MODEL_VERDICT_COUNT, stdout);
		printf("\",\"events\":\"");
		print_names(answer->events, model_event_names, MODEL_EVENT_COUNT, stdout);
		printf("\",\"rule\":%u,\"vni\":%lld,\"may_cut\":%d,\"fresh_id\":%d,\"out\":\"",
		       answer->rule, answer->vni == NO_VNI ? -1 : (long long)answer->vni,
		       answer->may_cut, answer->fresh_id);
		print_hex(answer->frame, answer->length, stdout);
		printf("\"}");
	}
	printf("]}\n");
	trial->sums->packets += trial->options->each;
	return true;
}
