// SPDX-License-Identifier: GPL-2.0-only
/*
 * EC2's instance metadata (IMDSv2): the first request gets a token, which the others carry. Every
 * request has a connection of its own. The answer of HTTP/1.0 ends with the connection, so only its
 * first line and its empty line need parsing.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "host/internal.h"

#define DEFAULT_ENDPOINT "http://169.254.169.254"
#define TIMEOUT_S        1 /* to connect, and for the answer */
#define ANSWER_SIZE      2048
#define TOKEN_SECONDS    "60"

struct metadata {
	struct sockaddr_in address;
	char token[256];
};

/* http://ADDRESS[:PORT], IPv4 */
static bool parse_endpoint(const char *text, struct sockaddr_in *address)
{
	char host[INET_ADDRSTRLEN];
	unsigned long port = 80;
	size_t length;
	char *end;

	if (strncmp(text, "http://", strlen("http://")) != 0)
		return false;
	text += strlen("http://");
	length = strcspn(text, ":/");
	if (length >= sizeof(host))
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	text += length;
	if (*text == ':') {
		if (!isdigit((unsigned char)text[1])) /* strtoul() takes blanks and signs */
			return false;
		port = strtoul(text + 1, &end, 10);
		text = end;
	}
	if (port < 1 || port > 65535 || (*text && strcmp(text, "/") != 0))
		return false;
	*address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	return inet_pton(AF_INET, host, &address->sin_addr) == 1;
}

static int open_connection(const struct sockaddr_in *address)
{
	const struct timeval timeout = {.tv_sec = TIMEOUT_S};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)); /* connect(2), too */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The body of a 200 answer: one line of printable text that fits. */
static bool take_body(char *answer, char *body, size_t size)
{
	char *start = strstr(answer, "\r\n\r\n");
	unsigned int status;

	if (!start || sscanf(answer, "HTTP/1.%*1[01] %3u ", &status) != 1 || status != 200)
		return false;
	start += strlen("\r\n\r\n");
	start[strcspn(start, "\r\n")] = '\0';
	for (const char *c = start; *c; c++) {
		if (!isgraph((unsigned char)*c))
			return false;
	}
	return *start && (size_t)snprintf(body, size, "%s", start) < size;
}

/* Receives until the connection ends, or until time or room run out. */
static void receive(int fd, char *text, size_t size)
{
	struct timespec began, now;
	size_t used = 0;
	ssize_t got;

	clock_gettime(CLOCK_MONOTONIC, &began);
	do {
		got = recv(fd, text + used, size - 1 - used, 0);
		used += got > 0 ? (size_t)got : 0;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (got > 0 && used < size - 1 && now.tv_sec - began.tv_sec <= TIMEOUT_S);
	text[used] = '\0';
}

/* Sends a request with `header`. True: `body` holds the answer; else it is empty. */
static bool metadata_ask(const struct metadata *metadata, const char *method, const char *path,
			 const char *header, const char *value, char *body, size_t size)
{
	_cleanup_close_ int fd = open_connection(&metadata->address);
	char text[ANSWER_SIZE], host[INET_ADDRSTRLEN];
	int length;

	*body = '\0';
	inet_ntop(AF_INET, &metadata->address.sin_addr, host, sizeof(host));
	length = snprintf(
		text, sizeof(text),
		"%s /latest/%s HTTP/1.0\r\nHost: %s\r\n%s: %s\r\nContent-Length: 0\r\n\r\n", method,
		path, host, header, value);
	if (fd < 0 || send(fd, text, (size_t)length, MSG_NOSIGNAL) != length)
		return false;
	receive(fd, text, sizeof(text));
	if (take_body(text, body, size))
		return true;
	*body = '\0';
	return false;
}

static bool get(const struct metadata *metadata, const char *path, char *body, size_t size)
{
	return metadata_ask(metadata, "GET", path, "X-aws-ec2-metadata-token", metadata->token,
			    body, size);
}

/* Empties `id` unless it is one, as "eni-0123456789abcdef0": it becomes part of a command. */
static bool keep_id(char *id, const char *prefix)
{
	size_t length = strlen(prefix);
	bool good = strncmp(id, prefix, length) == 0 && id[length];

	for (const char *c = id + length; good && *c; c++)
		good = isalnum((unsigned char)*c);
	if (!good)
		*id = '\0';
	return good;
}

static void read_interface(const struct metadata *metadata, struct host_link *link)
{
	char path[128];

	if (!*link->mac)
		return;
	snprintf(path, sizeof(path), "meta-data/network/interfaces/macs/%s/interface-id",
		 link->mac);
	if (get(metadata, path, link->interface_id, sizeof(link->interface_id)))
		keep_id(link->interface_id, "eni-");
}

/*
 * EC2's machines have its name as their vendor, an asset tag "i-...", or with Xen a UUID "ec2...".
 */
static enum answer is_ec2(void)
{
	char text[64];
	bool known = host_read_line("/sys/class/dmi/id/sys_vendor", text, sizeof(text));

	if (strcmp(text, "Amazon EC2") == 0)
		return ANSWER_YES;
	if (host_read_line("/sys/class/dmi/id/board_asset_tag", text, sizeof(text)) &&
	    strncmp(text, "i-", 2) == 0)
		return ANSWER_YES;
	if (host_read_line("/sys/hypervisor/uuid", text, sizeof(text)) &&
	    strncasecmp(text, "ec2", 3) == 0)
		return ANSWER_YES;
	return known ? ANSWER_NO : ANSWER_UNKNOWN;
}

void host_read_metadata(struct host *host)
{
	const char *endpoint = getenv(HOST_METADATA_VARIABLE);
	struct metadata metadata;

	host->ec2 = is_ec2();
	if (host->ec2 != ANSWER_YES)
		return;
	host->metadata = ANSWER_NO;
	if (!parse_endpoint(endpoint && *endpoint ? endpoint : DEFAULT_ENDPOINT,
			    &metadata.address) ||
	    !metadata_ask(&metadata, "PUT", "api/token", "X-aws-ec2-metadata-token-ttl-seconds",
			  TOKEN_SECONDS, metadata.token, sizeof(metadata.token)) ||
	    !get(&metadata, "meta-data/instance-id", host->instance_id,
		 sizeof(host->instance_id)) ||
	    !keep_id(host->instance_id, "i-"))
		return;
	host->metadata = ANSWER_YES;
	read_interface(&metadata, &host->listen);
	if (strcmp(host->listen.name, host->forward.name) != 0)
		read_interface(&metadata, &host->forward);
}
