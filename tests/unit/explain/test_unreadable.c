// SPDX-License-Identifier: GPL-2.0-only
/* Messages about captures that libpcap does not read, with the commands that convert them. */
#include <errno.h>
#include <string.h>

#include "explain/unreadable.h"
#include "tests/unit/unit.h"

#define HEX_RAW                                                                           \
	"tcpdump -nnxr in.pcap | sed -nE 's/^\\t0x(....): /\\1/;T;s/\\w\\w\\B/& /2gp' | " \
	"text2pcap -qe 0x800 - converted.pcap"

#define SPLIT(interfaces)                                                                    \
	"in.pcap: from packet 7 on it is not read: it has interfaces of several " interfaces \
	", and libpcap reads one; "

static void formats(void **state)
{
	static const struct {
		const char *path;
		const char *head;
		size_t length;
		const char *reason;
		const char *said;
	} rows[] = {
		{"in.pcap", "", 0, "truncated dump file",
		 "in.pcap: it is empty, and no capture (truncated dump file)"},
		{"in.pcap", "\xd4\xc3\xb2\xa1\2\0\4\0", 8, "truncated dump file",
		 "in.pcap: cut off before the first packet (truncated dump file)"},
		{"in.pcap", "\n\r\r\n\x1c\0", 6, "unknown file format",
		 "in.pcap: cut off before the first packet (unknown file format)"},
		{"in.pcap", "\x1f\x8b\x08\0\0\0", 6, "unknown file format",
		 "in.pcap: it is compressed with gzip; convert it: zcat in.pcap > converted.pcap"},
		/* too short for its format to be recognized */
		{"in.pcap", "\x1f", 1, "unknown file format",
		 "in.pcap: it is neither pcap nor pcapng as libpcap knows them (unknown file "
		 "format); "
		 "if Wireshark knows it, convert it: editcap -F pcap in.pcap converted.pcap"},
		{"in.pcap", "hello\tworld\n", 12, "unknown file format",
		 "in.pcap: it is a text, and no capture, as `tcpdump -w` writes one (unknown file "
		 "format)"},
		{"a b.pcap", "BZh9", 4, "unknown file format",
		 "a b.pcap: it is compressed with bzip2; convert it: bzcat 'a b.pcap' > "
		 "converted.pcap"},
		/* no command reads what it is writing */
		{"/tmp/converted.pcap", "BZh9", 4, "unknown file format",
		 "/tmp/converted.pcap: it is compressed with bzip2; convert it: bzcat "
		 "/tmp/converted.pcap > converted-again.pcap"},
		/* no shell could be given these names in a message */
		{"-", "BZh9", 4, "unknown file format",
		 "standard input: it is compressed with bzip2; convert it: bzcat FILE > "
		 "converted.pcap"},
		{"a\nb", "BZh9", 4, "unknown file format",
		 "a\nb: it is compressed with bzip2; convert it: bzcat FILE > converted.pcap"},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error error;

		assert_int_equal(unreadable_format(rows[i].path, (const uint8_t *)rows[i].head,
						   rows[i].length, rows[i].reason, &error),
				 -EINVAL);
		failed += row_differs(rows[i].said, error.text, rows[i].said);
	}
	assert_int_equal(failed, 0);
}

static void link_types(void **state)
{
	static const struct {
		int type;
		const char *name;
		const char *said;
	} rows[] = {
		{113, "LINUX_SLL",
		 "in.pcap: link type is LINUX_SLL (words), but the program sees Ethernet frames "
		 "only; "
		 "capture on an Ethernet interface, not on 'any', or convert it: editcap -C 2 -L "
		 "-T "
		 "ether -F pcap in.pcap converted.pcap"},
		{12, "RAW",
		 "in.pcap: link type is RAW (words), but the program sees Ethernet frames only; "
		 "capture on an Ethernet interface, not on 'any', or convert it: " HEX_RAW},
		{239, "NFLOG",
		 "in.pcap: link type is NFLOG (words), but the program sees Ethernet frames only; "
		 "capture on an Ethernet interface, not on 'any'"},
		{1000, NULL,
		 "in.pcap: link type is unnamed (words), but the program sees Ethernet frames "
		 "only; "
		 "capture on an Ethernet interface, not on 'any'"},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error error;

		assert_int_equal(unreadable_link_type("in.pcap", rows[i].type, rows[i].name,
						      "words", &error),
				 -EPROTOTYPE);
		failed += row_differs(rows[i].said, error.text, rows[i].said);
	}
	assert_int_equal(failed, 0);
}

/* libpcap's reasons, of 1.9 to 1.11. */
static void packets(void **state)
{
	static const struct {
		const char *reason;
		const char *said;
		bool mixed;
	} rows[] = {
		{"truncated dump file; tried to read 97 captured bytes, only got 90",
		 "in.pcap: cut off within packet 7 (truncated dump file; tried to read 97 captured "
		 "bytes, "
		 "only got 90)",
		 false},
		{"truncated pcapng dump file; tried to read 8 bytes, only got 1",
		 "in.pcap: cut off within packet 7 (truncated pcapng dump file; tried to read 8 "
		 "bytes, "
		 "only got 1)",
		 false},
		{"an interface has a type 113 different from the type of the first interface",
		 SPLIT("link types") "take the Ethernet frames out: tshark -r in.pcap -Y "
				     "'frame.encap_type==1' -w - | editcap -T ether -F pcap - "
				     "converted.pcap",
		 true},
		{"an interface has a snapshot length 65535 different from the snapshot length of "
		 "the "
		 "first interface",
		 SPLIT("snap lengths") "convert it: editcap -F pcap in.pcap converted.pcap", false},
		{"an interface has a snapshot length 65535 different from the type of the first "
		 "interface",
		 SPLIT("snap lengths") "convert it: editcap -F pcap in.pcap converted.pcap", false},
		{"pcapng block size 469762048 > maximum 16777216",
		 "in.pcap: damaged or cut off at packet 7 (pcapng block size 469762048 > maximum "
		 "16777216)",
		 false},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		struct error error;

		assert_int_equal(unreadable_packet("in.pcap", 7, rows[i].reason, &error), -EIO);
		failed += row_differs(rows[i].reason, error.text, rows[i].said);
		assert_int_equal(unreadable_is_mixed(rows[i].reason), rows[i].mixed);
	}
	assert_int_equal(failed, 0);
}

/* With the longest name the command is still whole: it then names no file. */
static void long_names(void **state)
{
	struct error error;
	char path[4096];

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	unreadable_packet(path, UINT64_MAX, "an interface has a type 1 different from the type",
			  &error);
	assert_non_null(strstr(error.text, "tshark -r FILE "));
	assert_string_equal(error.text + strlen(error.text) - strlen(" converted.pcap"),
			    " converted.pcap");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(formats),
		cmocka_unit_test(link_types),
		cmocka_unit_test(packets),
		cmocka_unit_test(long_names),
	};

	return cmocka_run_group_tests_name("unreadable", tests, NULL, NULL);
}
