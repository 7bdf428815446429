// SPDX-License-Identifier: GPL-2.0-only
/* The old files: the configuration made from them, and the messages about the rest. */
#include <errno.h>
#include <unistd.h>

#include "import/import.h"
#include "tests/unit/config/config_rows.h"
#include "import/env_file.h"

static void lines(void **state)
{
	static const struct {
		const char *sentence;
		const char *line;
		const char *expected; /* NAME=VALUE, or what is wrong; "": no setting */
	} rows[] = {
		{"a blank line", "  \t", ""},
		{"a comment", "  # A=b", ""},
		{"a setting", "A=b", "A=b"},
		{"of nothing", "A=", "A="},
		{"exported", "export A=b", "A=b"},
		{"a name that begins with export", "exported=b", "exported=b"},
		{"in double quotes, with a comment", "A=\"b c\"   # d", "A=b c"},
		{"in single quotes", "A='b \"$c\" \\'", "A=b \"$c\" \\"},
		{"quotes within a word", "A=b'c d'\"e\"f", "A=bc def"},
		{"an escape", "A=b\\ c\\\"", "A=b c\""},
		{"an escape within double quotes", "A=\"b\\\"c\"", "A=b\"c"},
		{"a line end of Windows", "A=b\r", "A=b"},
		{"and behind a quote", "A=\"b\"\r", "A=b"},
		{"a hash within a word is no comment", "A=b#c", "A=b#c"},
		{"blanks around the sign", "A = b",
		 "not of the form NAME=VALUE, without blanks around the '='"},
		{"a command", "rm -rf /",
		 "not of the form NAME=VALUE, without blanks around the '='"},
		{"two words", "A=b c", "A: more than one word: put the value in quotes"},
		{"a quote that stays open", "A=\"b", "A: a quote is not closed"},
		{"a variable", "A=$B", "A: nothing is expanded here: write the value out"},
		{"a command within quotes", "A=\"`id`\"",
		 "A: nothing is expanded here: write the value out"},
		{"a second command", "A=b;id",
		 "A: a shell would not take this as a value: put it in quotes"},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char line[64], got[128] = "";
		struct env_line parsed = {0};
		const char *wrong;

		strcpy(line, rows[i].line);
		wrong = env_line_parse(line, &parsed);
		if (wrong)
			snprintf(got, sizeof(got), "%s", wrong);
		else if (parsed.objection)
			snprintf(got, sizeof(got), "%s: %s", parsed.name, parsed.objection);
		else if (parsed.name)
			snprintf(got, sizeof(got), "%s=%s", parsed.name, parsed.value);
		failed += row_differs(rows[i].sentence, got, rows[i].expected);
	}
	assert_int_equal(failed, 0);
}

enum { ENV, NAT_RULES, INTERFACES, FILES };

/* The current directory, to which the files of a row are written. */
static char directory[] = "/tmp/test_config_import.XXXXXX";
static const char *const file_names[FILES] = {"env", "nat", "ifs"};

static int enter_directory(void **state)
{
	(void)state;
	return !mkdtemp(directory) || chdir(directory);
}

static int remove_directory(void **state)
{
	(void)state;
	for (size_t i = 0; i < FILES; i++)
		unlink(file_names[i]);
	return chdir("/") || rmdir(directory);
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* Imports `texts` (NULL: no such file). The caller frees the output and the messages. */
static int import(const char *const texts[FILES], char **out, char **messages)
{
	struct config_import_files files = {
		.env = texts[ENV] ? file_names[ENV] : NULL,
		.nat_rules = texts[NAT_RULES] ? file_names[NAT_RULES] : NULL,
		.interfaces = texts[INTERFACES] ? file_names[INTERFACES] : NULL,
	};
	size_t out_size, messages_size;
	FILE *out_stream = open_memstream(out, &out_size);
	FILE *messages_stream = open_memstream(messages, &messages_size);
	int err;

	for (size_t i = 0; i < FILES; i++) {
		if (texts[i])
			write_file(file_names[i], texts[i]);
	}
	err = config_import(&files, out_stream, messages_stream);
	fclose(out_stream);
	fclose(messages_stream);
	return err;
}

static const char full_env[] = "# Network Interface Configuration\r\n"
			       "INTERFACE=\"ens4\"                # Primary interface\r\n"
			       "TARGET_INTERFACE=\"ens5\"         # Target interface\r\n"
			       "\r\n"
			       "export NAT_IP=\"10.2.41.17\"\r\n"
			       "NAT_PORT=\"8081\"\r\n"
			       "SOURCE_PORT=\"42844\"\r\n"
			       "STATS_INTERVAL=\"7\"\r\n"
			       "TARGET_PPS=\"90000\"\r\n"
			       "PERFORMANCE_THRESHOLD=\"70000\"\r\n"
			       "LOG_FILE=\"/tmp/vxlan_loader.log\"\r\n"
			       "ENABLE_COLORS=\"true\"\r\n"
			       "DEBUG_LEVEL=\"2\"\r\n";

/* Every old setting sets its key, and the rules of both files keep their order. */
static void everything(void **state)
{
	const char *const texts[FILES] = {
		full_env,
		"# Format: source_port=target_ip:target_port\n"
		"31765=192.168.1.100:8080\n"
		"12345=[2001:db8::1]:9000\n"
		"42844=10.2.41.17:8081 # again\n",
		NULL,
	};
	char *out, *messages, *problems;
	struct config config;

	(void)state;
	assert_int_equal(import(texts, &out, &messages), 0);
	assert_string_equal(
		messages, "env:11: warning: LOG_FILE is not carried over: messages go to stderr, "
			  "under systemd to the journal\n"
			  "env:12: warning: ENABLE_COLORS is not carried over: colours follow the "
			  "terminal, NO_COLOR and --color\n");
	problems = load_text(&config, out, strlen(out), NULL, 0);
	assert_string_equal(problems, "");
	assert_string_equal(config.listen.interface, "ens4");
	assert_string_equal(config.forward.interface, "ens5");
	assert_int_equal(config.forward.unmatched, FALLBACK_FORWARD);
	assert_int_equal(config.rule_count, 3);
	assert_int_equal(config.rules[0].source_port, 42844);
	assert_int_equal(config.rules[0].to.port, 8081);
	assert_int_equal(config.rules[1].source_port, 31765);
	assert_int_equal(config.rules[2].to.address.version, 6);
	assert_int_equal(config.monitor.interval, 7);
	assert_int_equal(config.monitor.target_pps, 90000);
	assert_int_equal(config.monitor.warning_pps, 70000);
	assert_int_equal(config.log.level, LOG_LEVEL_DEBUG);
	free(out);
	free(messages);
	free(problems);
	config_clear(&config);
}

static void warnings_and_failures(void **state)
{
	static const struct {
		const char *sentence;
		const char *texts[FILES];
		int err;
		const char *messages;
	} rows[] = {
		{"interfaces.conf wins over .env, and says so",
		 {"INTERFACE=ens4\nTARGET_INTERFACE=ens5\n", NULL,
		  "INPUT_INTERFACE=ens5\nTARGET_INTERFACE=ens6\nENABLE_REDIRECT=yes\n"},
		 0,
		 "ifs:1: warning: INPUT_INTERFACE takes the place of INTERFACE in env:1\n"
		 "ifs:2: warning: TARGET_INTERFACE takes the place of TARGET_INTERFACE in env:2\n"},
		{"interfaces that no file names are the old program's",
		 {NULL, "1=10.0.0.1:1\n", NULL},
		 0,
		 "old default: warning: no file names it, so listen.interface is ens5: is that "
		 "right?\n"
		 "old default: warning: no file names it, so forward.interface is ens6: is that "
		 "right?\n"},
		{"without redirection the kernel gets what no rule matches",
		 {NULL, NULL, "INPUT_INTERFACE=a\nTARGET_INTERFACE=b\nENABLE_REDIRECT=no\n"},
		 0,
		 "ifs:3: warning: ENABLE_REDIRECT=no left all packets to the kernel: "
		 "forward.unmatched: pass does so with those that no rule matches, the others "
		 "leave "
		 "by forward.interface\n"},
		{"a variable that nobody knows is no mistake, whatever its value",
		 {"INTERFACE=a\nTARGET_INTERFACE=b\nPATH=\"$PATH:/opt\"\n", NULL, NULL},
		 0,
		 "env:3: warning: PATH is not known and not carried over\n"},
		{"one rate that contradicts the default of the other moves it",
		 {"INTERFACE=a\nTARGET_INTERFACE=b\nTARGET_PPS=100\n", NULL, NULL},
		 0,
		 "env:3: warning: monitor.warning_pps becomes 100 as well, since its default, "
		 "60000, "
		 "contradicts\n"},
		{"the variables of AWS stand in for the target",
		 {"INTERFACE=a\nTARGET_INTERFACE=b\nSOURCE_PORT=1\nAWS_IPSEC_VM_IP=10.0.0.100\n"
		  "AWS_IPSEC_VM_PORT=8080\n",
		  NULL, NULL},
		 0,
		 ""},
		{"where they contradict what stands beside them, they are said not to count",
		 {"INTERFACE=a\nTARGET_INTERFACE=b\nSOURCE_PORT=1\nNAT_IP=10.0.0.1\nNAT_PORT=2\n"
		  "AWS_IPSEC_VM_IP=10.0.0.100\nAWS_IPSEC_VM_PORT=8080\n",
		  NULL, NULL},
		 0,
		 "env:6: warning: AWS_IPSEC_VM_IP is not carried over: NAT_IP in env:4 wins\n"
		 "env:7: warning: AWS_IPSEC_VM_PORT is not carried over: NAT_PORT in env:5 wins\n"},
		{"a rate that is no number moves no other",
		 {"INTERFACE=a\nTARGET_INTERFACE=b\nTARGET_PPS=85_000\n", NULL, NULL},
		 -EINVAL,
		 "env:3: monitor.target_pps: '85_000' is not a number from 0 to 1000000000; it "
		 "takes decimal digits only\n"},
		{"every malformed line is said",
		 {NULL,
		  "31765=192.168.1.100:8080\n12345=10.0.0.50\n0=10.0.0.1:1\n$(id)=3\n"
		  "70000=10.0.0.1:1\n7=0.0.0.0:5\n8=\"a\n",
		  "INPUT_INTERFACE=a\nTARGET_INTERFACE=b\nfoo bar\n"},
		 -EINVAL,
		 "ifs:3: not of the form NAME=VALUE, without blanks around the '='\n"
		 "nat:2: '10.0.0.50' is not ADDRESS:PORT\n"
		 "nat:3: source port: '0' is out of range: it takes a number from 1 to 65535\n"
		 "nat:4: not of the form NAME=VALUE, without blanks around the '='\n"
		 "nat:5: source port: '70000' is out of range: it takes a number from 1 to 65535\n"
		 "nat:7: a quote is not closed\n"
		 "nat:6: nat: '0.0.0.0:5' is the unspecified address: a rule sends to the address "
		 "of one host\n"},
		{"so is every value that makes no sense now",
		 {"INTERFACE=a/b\nTARGET_INTERFACE=$x\nSTATS_INTERVAL=0\nDEBUG_LEVEL=9\n"
		  "ENABLE_REDIRECT=perhaps\nTARGET_PPS=1\nPERFORMANCE_THRESHOLD=2\n",
		  NULL, NULL},
		 -EINVAL,
		 "env:2: TARGET_INTERFACE: nothing is expanded here: write the value out\n"
		 "env:5: ENABLE_REDIRECT: 'perhaps' is not yes or no\n"
		 "env:4: DEBUG_LEVEL: '9' is not a number from 0 to 3\n"
		 "env:1: listen.interface: 'a/b' is not the name of a network interface: no "
		 "blanks, "
		 "'/', ':' or special characters\n"
		 "env:3: monitor.interval: '0' is out of range: it takes a number from 1 to "
		 "86400\n"
		 "env:7: monitor.warning_pps: 2 is more than monitor.target_pps (1): give at most "
		 "that\n"},
		{"a source port with two targets is ambiguous",
		 {NULL, "1=10.0.0.1:1\n2=10.0.0.1:1\n1=10.0.0.2:1\n",
		  "INPUT_INTERFACE=a\nTARGET_INTERFACE=b\n"},
		 -EINVAL,
		 "nat:3: source port 1 has another target in nat:1: keep one\n"},
		{"half a rule",
		 {"INTERFACE=a\nTARGET_INTERFACE=b\nNAT_IP=10.0.0.1\n", NULL, NULL},
		 -EINVAL,
		 "env:3: NAT_IP makes no rule without SOURCE_PORT and NAT_PORT\n"},
		{"two thirds of a rule, over two files",
		 {"INTERFACE=a\nTARGET_INTERFACE=b\nAWS_IPSEC_VM_PORT=1\n", NULL,
		  "NAT_IP=10.0.0.1\n"},
		 -EINVAL,
		 "ifs:1: NAT_IP makes no rule without SOURCE_PORT\n"},
		{"a rule whose parts are wrong",
		 {"INTERFACE=a\nTARGET_INTERFACE=b\nNAT_IP=collector\nNAT_PORT=1\nSOURCE_PORT=1\n",
		  NULL, NULL},
		 -EINVAL,
		 "env:3: NAT_IP: 'collector' is not an address\n"},
		{"a value that would write to the terminal",
		 {"INTERFACE=a\x1b[31m\nTARGET_INTERFACE=b\n", NULL, NULL},
		 -EINVAL,
		 "env:1: listen.interface: 'a\\x1b[31m' is not the name of a network interface: no "
		 "blanks, '/', ':' or special characters\n"},
	};
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char *out, *messages, *problems;
		struct config config;

		assert_int_equal(import(rows[i].texts, &out, &messages), rows[i].err);
		failed += row_differs(rows[i].sentence, messages, rows[i].messages);
		if (rows[i].err) {
			assert_string_equal(out, "");
		} else {
			problems = load_text(&config, out, strlen(out), NULL, 0);
			failed += row_differs(rows[i].sentence, problems, "");
			free(problems);
			config_clear(&config);
		}
		free(out);
		free(messages);
	}
	assert_int_equal(failed, 0);
}

/* The three settings of a rule make one in either file; it comes before those of nat_rules.conf. */
static void rule_of_interfaces(void **state)
{
	const char *const texts[FILES] = {
		NULL,
		"31765=192.168.1.100:8080\n",
		"INPUT_INTERFACE=a\nTARGET_INTERFACE=b\nNAT_IP=10.0.0.1\nNAT_PORT=2\nSOURCE_PORT="
		"1\n",
	};
	char *out, *messages, *problems;
	struct config config;

	(void)state;
	assert_int_equal(import(texts, &out, &messages), 0);
	assert_string_equal(messages, "");
	problems = load_text(&config, out, strlen(out), NULL, 0);
	assert_string_equal(problems, "");
	assert_int_equal(config.rule_count, 2);
	assert_int_equal(config.rules[0].source_port, 1);
	assert_int_equal(config.rules[0].to.port, 2);
	assert_int_equal(config.rules[1].source_port, 31765);
	free(out);
	free(messages);
	free(problems);
	config_clear(&config);
}

static void missing_file(void **state)
{
	const struct config_import_files files = {.env = "/nonexistent/.env"};
	char messages[256] = "";
	FILE *stream = fmemopen(messages, sizeof(messages), "w");

	(void)state;
	assert_int_equal(config_import(&files, stdout, stream), -ENOENT);
	fclose(stream);
	assert_non_null(
		strstr(messages, "/nonexistent/.env: cannot be read: No such file or directory\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(everything),
		cmocka_unit_test(warnings_and_failures),
		cmocka_unit_test(rule_of_interfaces),
		cmocka_unit_test(missing_file),
	};

	return cmocka_run_group_tests(tests, enter_directory, remove_directory);
}
