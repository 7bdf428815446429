// SPDX-License-Identifier: GPL-2.0-only
#include "explain/unreadable.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/quote.h"

#define OPERAND_SIZE 128
#define COMMAND_SIZE 320

/* What commands write to; the second is for what an earlier one has written. */
#define CONVERTED       "converted.pcap"
#define CONVERTED_AGAIN "converted-again.pcap"

/* In every command the first %s is the capture, the second the file to write. */
#define EDITCAP "editcap -F pcap %s %s"

/*
 * tcpdump prints what is behind the link layer's header in hexadecimal, and text2pcap puts an Ethernet
 * header in front. Between them, offsets lose their "0x" and bytes are taken apart.
 */
#define BY_HEX(ethertype)                                                            \
	"tcpdump -nnxr %s | sed -nE 's/^\\t0x(....): /\\1/;T;s/\\w\\w\\B/& /2gp' | " \
	"text2pcap -qe " ethertype " - %s"

/* Formats by their first bytes, each with the command that converts it. */
static const struct {
	const char *head;
	size_t length;
	const char *what;
	const char *command;
} formats[] = {
	{"\x1f\x8b", 2, "it is compressed with gzip", "zcat %s > %s"},
	{"\x1f\x9d", 2, "it is compressed with compress", "zcat %s > %s"},
	{"BZh", 3, "it is compressed with bzip2", "bzcat %s > %s"},
	{"\xfd\x37zXZ\0", 6, "it is compressed with xz", "xzcat %s > %s"},
	{"\x28\xb5\x2f\xfd", 4, "it is compressed with zstd", "zstdcat %s > %s"},
	{"\x04\x22\x4d\x18", 4, "it is compressed with lz4", "lz4cat %s > %s"},
	{"PK\x03\x04", 4, "it is a zip archive", "unzip -p %s > %s"},
	{"snoop\0\0\0", 8, "it is a capture of snoop", EDITCAP},
	{"iptrace ", 8, "it is a capture of iptrace", EDITCAP},
	{"TRSNIFF data    ", 16, "it is a capture of a Sniffer", EDITCAP},
	{"XCP\0", 4, "it is a capture of NetXray", EDITCAP},
	{"GMBU", 4, "it is a capture of Network Monitor", EDITCAP},
	{"RTSS", 4, "it is a capture of Network Monitor", EDITCAP},
};

/* Link types by libpcap's numbers. Of all others there is no command known that converts them. */
static const struct {
	int type;
	const char *command;
} link_types[] = {
	/* the last 14 bytes of this header are as long as an Ethernet header and end as one */
	{113 /* LINUX_SLL */, "editcap -C 2 -L -T ether -F pcap %s %s"},
	{197 /* ERF */, "editcap -T ether -F pcap %s %s"},
	{0 /* NULL */, BY_HEX("0x800")},
	{12 /* RAW */, BY_HEX("0x800")},
	{105 /* IEEE802_11 */, BY_HEX("0x800")},
	{108 /* LOOP */, BY_HEX("0x800")},
	{127 /* IEEE802_11_RADIO */, BY_HEX("0x800")},
	{228 /* IPV4 */, BY_HEX("0x800")},
	{229 /* IPV6 */, BY_HEX("0x86dd")},
	{276 /* LINUX_SLL2 */, BY_HEX("0x800")},
};

static bool is_standard_input(const char *path)
{
	return strcmp(path, UNREADABLE_STANDARD_INPUT) == 0;
}

const char *unreadable_name(const char *path)
{
	return is_standard_input(path) ? "standard input" : path;
}

/* The capture as a word of a command, or FILE where it has no name that can be written there. */
static const char *unreadable_operand(const char *path, char text[OPERAND_SIZE])
{
	bool is_plain = !is_standard_input(path) && *path != '-';

	for (const char *at = path; *at; at++)
		is_plain = is_plain && isprint((unsigned char)*at);
	if (!is_plain || !*quote_word(text, OPERAND_SIZE, path))
		strcpy(text, "FILE");
	return text;
}

static const char *unreadable_command(const char *path, const char *command,
				      char text[COMMAND_SIZE])
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
	char operand[OPERAND_SIZE];

	/* no command reads what it is writing */
	snprintf(text, COMMAND_SIZE, command, unreadable_operand(path, operand),
		 strcmp(base, CONVERTED) == 0 ? CONVERTED_AGAIN : CONVERTED);
	return text;
}

/* libpcap takes the beginning of a pcapng's first block for an unknown format. */
static bool is_pcapng_cut(const uint8_t *head, size_t length)
{
	return length >= 4 && length < UNREADABLE_HEAD && memcmp(head, "\n\r\r\n", 4) == 0;
}

static bool is_text(const uint8_t *head, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (!isprint(head[i]) && !isspace(head[i]))
			return false;
	}
	return true;
}

int unreadable_format(const char *path, const uint8_t *head, size_t length, const char *reason,
		      struct error *error)
{
	const char *name = unreadable_name(path);
	char command[COMMAND_SIZE];

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		if (length >= formats[i].length &&
		    memcmp(head, formats[i].head, formats[i].length) == 0)
			return error_set(error, -EINVAL, "%.150s: %s; convert it: %s", name,
					 formats[i].what,
					 unreadable_command(path, formats[i].command, command));
	}
	if (!length)
		return error_set(error, -EINVAL, "%.150s: it is empty, and no capture (%s)", name,
				 reason);
	if (strncmp(reason, "truncated", strlen("truncated")) == 0 || is_pcapng_cut(head, length))
		return error_set(error, -EINVAL, "%.150s: cut off before the first packet (%s)",
				 name, reason);
	if (is_text(head, length))
		return error_set(error, -EINVAL,
				 "%.150s: it is a text, and no capture, as `tcpdump -w` writes "
				 "one (%s)",
				 name, reason);
	return error_set(error, -EINVAL,
			 "%.150s: it is neither pcap nor pcapng as libpcap knows them (%s); if "
			 "Wireshark knows it, convert it: %s",
			 name, reason, unreadable_command(path, EDITCAP, command));
}

int unreadable_link_type(const char *path, int type, const char *name, const char *description,
			 struct error *error)
{
	char command[COMMAND_SIZE] = "";

	for (size_t i = 0; i < sizeof(link_types) / sizeof(link_types[0]); i++) {
		if (link_types[i].type == type)
			unreadable_command(path, link_types[i].command, command);
	}
	return error_set(error, -EPROTOTYPE,
			 "%.100s: link type is %s (%s), but the program sees Ethernet frames only; "
			 "capture on an Ethernet interface, not on 'any'%s%s",
			 unreadable_name(path), name ? name : "unnamed", description,
			 *command ? ", or convert it: " : "", command);
}

static bool unreadable_has_snap_lengths(const char *reason)
{
	return strstr(reason, "different from the") && strstr(reason, "snapshot length");
}

/* libpcap 1.9 names the first interface's type where it means its snap length. */
bool unreadable_is_mixed(const char *reason)
{
	return strstr(reason, "different from the type") && !unreadable_has_snap_lengths(reason);
}

int unreadable_packet(const char *path, uint64_t number, const char *reason, struct error *error)
{
	const unsigned long long at = number;
	const char *name = unreadable_name(path);
	char command[COMMAND_SIZE];

	if (strncmp(reason, "truncated", strlen("truncated")) == 0)
		return error_set(error, -EIO, "%.150s: cut off within packet %llu (%s)", name, at,
				 reason);
	if (unreadable_has_snap_lengths(reason))
		return error_set(error, -EIO,
				 "%.100s: from packet %llu on it is not read: it has interfaces of "
				 "several snap lengths, and libpcap reads one; convert it: %s",
				 name, at, unreadable_command(path, EDITCAP, command));
	if (unreadable_is_mixed(reason))
		return error_set(
			error, -EIO,
			"%.100s: from packet %llu on it is not read: it has interfaces of several "
			"link types, and libpcap reads one; take the Ethernet frames out: %s",
			name, at,
			unreadable_command(path,
					   "tshark -r %s -Y 'frame.encap_type==1' -w - | "
					   "editcap -T ether -F pcap - %s",
					   command));
	return error_set(error, -EIO, "%.150s: damaged or cut off at packet %llu (%s)", name, at,
			 reason);
}
