// SPDX-License-Identifier: GPL-2.0-only
#include "explain/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "explain/unreadable.h"

#define MAGIC_MICROSECONDS 0xa1b2c3d4U
#define MAGIC_KUZNETZOV    0xa1b2cd34U /* libpcap's "modified" pcap, with microseconds, too */
#define MAGIC_PCAPNG       0x0a0d0d0aU /* the same in both byte orders */

struct capture {
	pcap_t *pcap;
	char *path;
	struct stat stat;
	uint64_t count; /* of the packets read */
	bool microseconds;
	bool narrow_seconds; /* 32 bits without a sign, as pcap has them */
};

struct capture_writer {
	pcap_t *pcap;
	pcap_dumper_t *dumper;
	FILE *stream;
	char *path;
	char *temporary; /* NULL: written in place, for `path` is no regular file */
	bool microseconds;
	int failed; /* errno of the first write that failed */
};

static const char *cause(int err)
{
	return strerror(err < 0 ? -err : err);
}

/* Looks at the first bytes and gives them back: libpcap is to read them, also from a pipe. */
static size_t capture_peek(FILE *stream, uint8_t head[UNREADABLE_HEAD])
{
	size_t length = fread(head, 1, UNREADABLE_HEAD, stream);

	for (size_t i = length; i; i--)
		ungetc(head[i - 1], stream);
	return length;
}

static void note_format(struct capture *capture, const uint8_t *head)
{
	uint32_t magic, swapped;

	memcpy(&magic, head, sizeof(magic));
	swapped = __builtin_bswap32(magic);
	capture->microseconds = magic == MAGIC_MICROSECONDS || swapped == MAGIC_MICROSECONDS ||
				magic == MAGIC_KUZNETZOV || swapped == MAGIC_KUZNETZOV;
	capture->narrow_seconds = magic != MAGIC_PCAPNG;
}

/*
 * Does a file of another link type go on with interfaces of other ones? libpcap says so when it gets
 * there; what it reads until then is of no use anyway.
 */
static bool capture_is_mixed(const struct capture *capture)
{
	struct pcap_pkthdr *header;
	const u_char *bytes;

	if (!S_ISREG(capture->stat.st_mode))
		return false;
	while (pcap_next_ex(capture->pcap, &header, &bytes) == 1)
		;
	return unreadable_is_mixed(pcap_geterr(capture->pcap));
}

static int check_link_type(const struct capture *capture, struct error *error)
{
	int type = pcap_datalink(capture->pcap);

	if (type == DLT_EN10MB)
		return 0;
	if (capture_is_mixed(capture))
		return unreadable_packet(capture->path, 1, pcap_geterr(capture->pcap), error);
	return unreadable_link_type(capture->path, type, pcap_datalink_val_to_name(type),
				    pcap_datalink_val_to_description_or_dlt(type), error);
}

/* Takes over `stream`. */
static int open_stream(struct capture *capture, FILE *stream, struct error *error)
{
	uint8_t head[UNREADABLE_HEAD] = {0};
	char reason[PCAP_ERRBUF_SIZE];
	size_t length;

	fstat(fileno(stream), &capture->stat);
	errno = 0;
	length = capture_peek(stream, head);
	if (ferror(stream)) {
		int err = errno ? errno : EIO;

		if (stream != stdin)
			fclose(stream);
		return error_set(error, -err, "%s: %s", unreadable_name(capture->path), cause(err));
	}
	note_format(capture, head);
	capture->pcap = pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO,
								 reason);
	if (!capture->pcap) {
		if (stream != stdin)
			fclose(stream);
		return unreadable_format(capture->path, head, length, reason, error);
	}
	return check_link_type(capture, error);
}

int capture_open(struct capture **capture, const char *path, struct error *error)
{
	bool standard = strcmp(path, UNREADABLE_STANDARD_INPUT) == 0;
	struct capture *opened;
	FILE *stream = standard ? stdin : fopen(path, "re");
	int err;

	if (!stream)
		return error_set(error, -errno, "%s: %s", path, cause(errno));
	opened = calloc(1, sizeof(*opened));
	if (opened)
		opened->path = strdup(path);
	if (!opened || !opened->path) {
		if (!standard)
			fclose(stream);
		free(opened);
		return error_set(error, -ENOMEM, "%s: %s", path, cause(ENOMEM));
	}
	err = open_stream(opened, stream, error);
	if (err) {
		capture_close(opened);
		return err;
	}
	*capture = opened;
	return 0;
}

int capture_next(struct capture *capture, struct capture_packet *packet, struct error *error)
{
	struct pcap_pkthdr *header;
	const u_char *bytes;
	int got = pcap_next_ex(capture->pcap, &header, &bytes);

	if (got == PCAP_ERROR_BREAK)
		return 0;
	if (got != 1)
		return unreadable_packet(capture->path, capture->count + 1,
					 pcap_geterr(capture->pcap), error);
	capture->count++;
	packet->time.tv_sec = header->ts.tv_sec;
	if (capture->narrow_seconds) /* libpcap takes those from 2038 on for negative ones */
		packet->time.tv_sec = (uint32_t)header->ts.tv_sec;
	packet->time.tv_nsec = header->ts.tv_usec; /* asked for as nanoseconds */
	if (packet->time.tv_nsec < 0 || packet->time.tv_nsec >= 1000000000)
		packet->time.tv_nsec = 0; /* damaged, and no reason to stop */
	packet->length = header->len > header->caplen ? header->len : header->caplen;
	packet->captured = header->caplen;
	packet->bytes = bytes;
	return 1;
}

void capture_close(struct capture *capture)
{
	if (!capture)
		return;
	if (capture->pcap)
		pcap_close(capture->pcap);
	free(capture->path);
	free(capture);
}

/* The permissions that creating `path` would give it, or those it has. */
static mode_t output_mode(const struct stat *there, bool exists)
{
	mode_t mask = umask(0);

	umask(mask);
	return exists ? there->st_mode & 0777 : 0666 & ~mask;
}

/*
 * Opens a file beside `path` that takes its place later. What is no regular file (a pipe,
 * /dev/null) must not be replaced and is written as it is.
 */
static FILE *open_beside(struct capture_writer *writer, const struct stat *there, bool exists)
{
	int fd;

	if (exists && !S_ISREG(there->st_mode))
		return fopen(writer->path, "we");
	if (asprintf(&writer->temporary, "%s.XXXXXX", writer->path) < 0) {
		writer->temporary = NULL;
		return NULL;
	}
	fd = mkostemp(writer->temporary, O_CLOEXEC);
	if (fd < 0) {
		free(writer->temporary);
		writer->temporary = NULL;
		return NULL;
	}
	if (fchmod(fd, output_mode(there, exists)) != 0) {
		close(fd);
		return NULL;
	}
	return fdopen(fd, "w");
}

static int open_output(struct capture_writer *writer, const char *path, const struct capture *like,
		       struct error *error)
{
	struct stat there;
	bool exists = stat(path, &there) == 0;

	if (strcmp(path, "-") == 0) {
		int fd = dup(STDOUT_FILENO); /* so that closing it leaves stdout alone */

		writer->stream = fd < 0 ? NULL : fdopen(fd, "w");
		return writer->stream
			       ? 0
			       : error_set(error, -errno, "standard output: %s", cause(errno));
	}
	if (exists && there.st_dev == like->stat.st_dev && there.st_ino == like->stat.st_ino)
		return error_set(error, -EEXIST,
				 "%s: is the capture being read; name another file to write", path);
	/* Through a symbolic link, so that its target is replaced and not the link. */
	writer->path = exists ? realpath(path, NULL) : strdup(path);
	if (writer->path)
		writer->stream = open_beside(writer, &there, exists);
	if (!writer->stream)
		return error_set(error, -errno, "%s: cannot be written: %s", path, cause(errno));
	return 0;
}

static int start_output(struct capture_writer *writer, struct error *error)
{
	writer->pcap = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, 262144,
							    writer->microseconds
								    ? PCAP_TSTAMP_PRECISION_MICRO
								    : PCAP_TSTAMP_PRECISION_NANO);
	if (!writer->pcap)
		return error_set(error, -ENOMEM, "%s", cause(ENOMEM));
	writer->dumper = pcap_dump_fopen(writer->pcap, writer->stream);
	if (!writer->dumper)
		return error_set(error, -EIO, "%s: cannot be written: %s",
				 writer->path ? writer->path : "standard output",
				 pcap_geterr(writer->pcap));
	return 0;
}

int capture_create(struct capture_writer **writer, const char *path, const struct capture *like,
		   struct error *error)
{
	struct capture_writer *created = calloc(1, sizeof(*created));
	int err;

	if (!created)
		return error_set(error, -ENOMEM, "%s: %s", path, cause(ENOMEM));
	created->microseconds = like->microseconds;
	err = open_output(created, path, like, error);
	if (!err)
		err = start_output(created, error);
	if (err) {
		capture_discard(created);
		return err;
	}
	*writer = created;
	return 0;
}

void capture_write(struct capture_writer *writer, const struct timespec *time, const void *frame,
		   size_t length)
{
	struct pcap_pkthdr header = {
		.ts = {.tv_sec = time->tv_sec,
		       .tv_usec = writer->microseconds ? time->tv_nsec / 1000 : time->tv_nsec},
		.caplen = (bpf_u_int32)length,
		.len = (bpf_u_int32)length,
	};

	if (writer->failed)
		return;
	errno = 0;
	pcap_dump((u_char *)writer->dumper, &header, frame);
	if (ferror(writer->stream))
		writer->failed = errno ? errno : EIO;
}

int capture_commit(struct capture_writer *writer, struct error *error)
{
	const char *name = writer->path ? writer->path : "standard output";
	int err = writer->failed;

	if (!err && fflush(writer->stream) != 0)
		err = errno;
	if (!err && writer->temporary) {
		if (rename(writer->temporary, writer->path) != 0)
			err = errno;
		if (!err) {
			free(writer->temporary);
			writer->temporary = NULL;
		}
	}
	if (err)
		error_set(error, -err, "%s: cannot be written: %s", name, cause(err));
	capture_discard(writer);
	return -err;
}

void capture_discard(struct capture_writer *writer)
{
	if (!writer)
		return;
	if (writer->temporary)
		unlink(writer->temporary);
	if (writer->dumper)
		pcap_dump_close(writer->dumper);
	else if (writer->stream)
		fclose(writer->stream);
	if (writer->pcap)
		pcap_close(writer->pcap);
	free(writer->temporary);
	free(writer->path);
	free(writer);
}
