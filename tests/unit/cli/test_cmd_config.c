// SPDX-License-Identifier: GPL-2.0-only
/* The config command: its exit status and its output on each stream. */
#include <jansson.h>

#include "tests/unit/cli/command_line.h"

#define STEERING "\033[31m.yaml" /* a name that colours the terminal */
#define LATIN_1  "caf\351.yaml"

static char directory[] = "/tmp/test_cmd_config.XXXXXX";

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int enter_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory) || chdir(directory))
		return 1;
	write_file("good.yaml", "listen: {interface: ens5}\n");
	write_file("bad.yaml", "listen: {interface: ens5, port: 0}\n");
	write_file("nat", "1=10.0.0.1:1\n");
	write_file(STEERING, "listen: {interface: ens5}\n");
	write_file(LATIN_1, "listen: {interface: ens5}\n");
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink("good.yaml");
	unlink("bad.yaml");
	unlink("nat");
	unlink(STEERING);
	unlink(LATIN_1);
	return chdir("/") || rmdir(directory);
}

/* With "" the text must be empty. */
static bool begins(const char *text, const char *beginning)
{
	return strncmp(text, beginning, strlen(beginning)) == 0 && !*text == !*beginning;
}

static void answers(void **state)
{
	static const struct {
		const char *line;
		enum command_status status;
		const char *out; /* how stdout begins; "": it is empty */
		const char *err;
	} rows[] = {
		{"config", COMMAND_USAGE, "", "vxlan-pipeline config: which subcommand"},
		{"config chekc", COMMAND_USAGE, "",
		 "vxlan-pipeline config: there is no subcommand"},
		{"config --help", COMMAND_DONE, "Usage: vxlan-pipeline config SUB", ""},
		{"config check --help", COMMAND_DONE, "Usage: vxlan-pipeline config check", ""},
		{"config show -h", COMMAND_DONE, "Usage: vxlan-pipeline config show", ""},
		{"config import -h", COMMAND_DONE, "Usage: vxlan-pipeline config import", ""},
		{"config keys -h", COMMAND_DONE, "Usage: vxlan-pipeline config keys", ""},
		{"config check --version", COMMAND_DONE, "vxlan-pipeline ", ""},
		{"config check -c good.yaml", COMMAND_DONE, "good.yaml: OK, 0 rules, ens5", ""},
		{"config check -c bad.yaml", COMMAND_USAGE, "", "bad.yaml:1:33: listen.port: '0'"},
		{"config check -c " STEERING, COMMAND_DONE, "?[31m.yaml: OK, 0 rules", ""},
		{"config check -c none" STEERING, COMMAND_USAGE, "", "none?[31m.yaml: cannot be"},
		{"config " STEERING, COMMAND_USAGE, "",
		 "vxlan-pipeline config: there is no subcommand '?[31m.yaml'"},
		{"config check -c none.yaml", COMMAND_USAGE, "", "none.yaml: cannot be read: No "},
		{"config check good.yaml", COMMAND_USAGE, "",
		 "vxlan-pipeline config check: unexpected argument 'good.yaml'"},
		{"config check --instance none-such", COMMAND_USAGE, "",
		 "/etc/vxlan-pipeline/none-such.yaml: cannot be read: No "},
		{"config check --instance ../x", COMMAND_USAGE, "",
		 "vxlan-pipeline config check: --instance '../x': only letters"},
		{"config check -c good.yaml --instance a", COMMAND_USAGE, "",
		 "vxlan-pipeline config check: give -c or --instance"},
		{"config check --colour", COMMAND_USAGE, "",
		 "vxlan-pipeline config check: unrecognized option '--colour'"},
		{"config show -c good.yaml", COMMAND_DONE, "listen: ", ""},
		{"config show -c bad.yaml", COMMAND_USAGE, "", "bad.yaml:1:33: "},
		{"config show --json", COMMAND_USAGE, "", "vxlan-pipeline config show: unrec"},
		{"config import", COMMAND_USAGE, "", "vxlan-pipeline config import: name at least"},
		{"config import --nat-rules nat", COMMAND_DONE, "# Made by vxlan-pipeline",
		 "old default: warning: "},
		{"config import --nat-rules bad.yaml", COMMAND_USAGE, "", "bad.yaml:1: not of the"},
		{"config keys", COMMAND_DONE, "listen: ", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		const struct command_line_result *got = command_line_run(cmd_config, rows[i].line);

		if (got->status != rows[i].status || !begins(got->out, rows[i].out) ||
		    !begins(got->err, rows[i].err))
			fail_msg("%s: status %d, out %s, err %s", rows[i].line, got->status,
				 got->out, got->err);
	}
}

static void check_as_json(void **state)
{
	const struct command_line_result *got;
	json_t *document, *problem;

	(void)state;
	got = command_line_run(cmd_config, "config check --json -c bad.yaml");
	assert_int_equal(got->status, COMMAND_USAGE);
	document = json_loads(got->out, 0, NULL);
	problem = json_array_get(json_object_get(document, "problems"), 0);
	assert_true(json_is_false(json_object_get(document, "ok")));
	assert_int_equal(json_integer_value(json_object_get(problem, "line")), 1);
	assert_int_equal(json_integer_value(json_object_get(problem, "column")), 33);
	assert_string_equal(json_string_value(json_object_get(problem, "path")), "listen.port");
	json_decref(document);
	got = command_line_run(cmd_config, "config check --json -c good.yaml");
	assert_int_equal(got->status, COMMAND_DONE);
	document = json_loads(got->out, 0, NULL);
	assert_true(json_is_true(json_object_get(document, "ok")));
	json_decref(document);
	got = command_line_run(cmd_config, "config check --json -c " LATIN_1);
	assert_int_equal(got->status, COMMAND_DONE);
	document = json_loads(got->out, 0, NULL);
	assert_true(json_is_true(json_object_get(document, "ok")));
	assert_string_equal(json_string_value(json_object_get(document, "file")), "caf?.yaml");
	json_decref(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),
		cmocka_unit_test(check_as_json),
	};

	return cmocka_run_group_tests(tests, enter_directory, remove_directory);
}
