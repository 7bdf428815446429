// SPDX-License-Identifier: GPL-2.0-only
/* Reads a capture, pcap or pcapng, up to its end or its damage, and dissects each frame. */
#include "explain/capture.h"
#include "fuzz_dissect.h"

#define ENOUGH 64 /* packets */

static void check_packet(const struct capture_packet *packet)
{
	must(packet->captured <= packet->length, "no more is captured than there was");
	must(packet->time.tv_nsec >= 0 && packet->time.tv_nsec < 1000000000, "times are times");
	check_dissection(packet->bytes, packet->captured, 4789, 1);
}

static void read_all(struct capture *capture)
{
	struct capture_packet packet;
	struct error error = {""};
	int got = 1;

	for (int i = 0; i < ENOUGH && got > 0; i++) {
		got = capture_next(capture, &packet, &error);
		if (got > 0)
			check_packet(&packet);
	}
	must(got >= 0 || *error.text, "damage is told");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct memory_file file;
	struct capture *capture = NULL;
	struct error error = {""};

	memory_file_set(&file, data, size);
	if (capture_open(&capture, file.path, &error)) {
		must(!capture && *error.text && is_printable(error.text), "refusals say why");
		return 0;
	}
	read_all(capture);
	capture_close(capture);
	return 0;
}
