// SPDX-License-Identifier: GPL-2.0-only
/* Options: which are taken, which are refused and with which words, and what --help says. */
#include "cli/options.h"
#include "tests/unit/cli/command_line.h"

#define TRY "Try 'vxlan-pipeline test --help'.\n"

enum fruit { APPLE, BANANA, CHERRY };

static const char *const fruit_names[] = {"apple", "banana", "cherry", NULL};

/* The targets of the options below; 7 stands for "not given". */
struct given {
	bool flag;
	bool other;
	const char *text;
	const char *instance;
	enum fruit fruit;
	unsigned int number;
	unsigned int huge;
	unsigned int first, count;
	struct ip_address address;
	struct option_mac mac;
};

static const struct given initial = {.number = 7, .huge = 7, .first = 7, .count = 7};
static struct given given;

static const struct option_row rows[] = {
	{'f', "flag", NULL, OPTION_FLAG(&given.flag), .help = "takes no value"},
	{'t', "text", " TEXT", OPTION_TEXT(&given.text), .help = "any value,\non two lines"},
	OPTION_ROW_INSTANCE(&given.instance),
	OPTION_HEADING("Of a kind:"),
	{0, "fruit", "=NAME", OPTION_WORD(&given.fruit, fruit_names), .help = "one of three"},
	{'n', "number", " N", OPTION_NUMBER(&given.number, 10, 99), .help = "of two digits"},
	{0, "huge", " N", OPTION_NUMBER(&given.huge, 0, 4294967295U), .help = "of 32 bits"},
	{0, "range", " N[-LAST]", OPTION_RANGE(&given.first, &given.count, 0, 500),
	 .help = "one, or some"},
	{0, "address", " ADDR", OPTION_IPV4(&given.address), .help = "of IPv4"},
	{0, "mac", " MAC", OPTION_MAC(&given.mac), .help = "of a card"},
	OPTION_HEADING("In company:"),
	{0, "with-flag", NULL, OPTION_FLAG(&given.other), .needs = "flag", .help = "not alone"},
	{0, "without-flag", NULL, OPTION_FLAG(&given.other), .without = "flag", .help = "alone"},
};

/* Prints what was given, as "name=value ", and the operands. */
static void print_given(int argc, char **argv)
{
	char text[ADDR_TEXT_SIZE];

	if (given.flag)
		printf("flag ");
	if (given.other)
		printf("other ");
	if (given.text)
		printf("text=%s ", given.text);
	if (given.instance)
		printf("instance=%s ", given.instance);
	if (given.fruit != initial.fruit)
		printf("fruit=%u ", given.fruit);
	if (given.number != initial.number)
		printf("number=%u ", given.number);
	if (given.huge != initial.huge)
		printf("huge=%u ", given.huge);
	if (given.first != initial.first || given.count != initial.count)
		printf("range=%u*%u ", given.first, given.count);
	if (given.address.version)
		printf("address=%s ", ip_address_format(&given.address, text));
	if (given.mac.given)
		printf("mac=%s ", mac_format(given.mac.bytes, text));
	for (int i = optind; i < argc; i++)
		printf("[%s] ", argv[i]);
}

static enum command_status run_set(int argc, char **argv, bool has_operands)
{
	const struct option_set set = {
		.command = "test",
		.usage = "[OPTIONS]   one way\n-f          and another",
		.about = "Tests.",
		.after = "The end.",
		.rows = rows,
		.count = COUNT_OF(rows),
		.has_operands = has_operands,
	};
	char name[] = "vxlan-pipeline test";
	enum command_status status;

	argv[0] = name;
	given = initial;
	if (options_parse(argc, argv, &set, &status))
		print_given(argc, argv);
	return status;
}

static enum command_status run(int argc, char **argv)
{
	return run_set(argc, argv, false);
}

static enum command_status run_with_operands(int argc, char **argv)
{
	return run_set(argc, argv, true);
}

struct row {
	const char *sentence;
	const char *line;
	const char *said; /* on stdout; of a mistake, on stderr before the hint */
};

/* Every row ends with `status`, and nothing is on the other stream. */
static void check_rows(enum command_status (*command)(int argc, char **argv),
		       enum command_status status, const struct row *table, size_t count)
{
	int failed = 0;

	for (size_t i = 0; i < count; i++) {
		const struct command_line_result *got = command_line_run(command, table[i].line);
		char expected[256];

		snprintf(expected, sizeof(expected), "%s%s", table[i].said,
			 status == COMMAND_USAGE ? "\n" TRY : "");
		failed += row_differs(table[i].sentence,
				      status == COMMAND_USAGE ? got->err : got->out, expected);
		failed += row_differs(table[i].sentence,
				      status == COMMAND_USAGE ? got->out : got->err, "");
		if (got->status != status) {
			print_error("%s: status %d\n", table[i].sentence, got->status);
			failed++;
		}
	}
	assert_int_equal(failed, 0);
}

static void right_use(void **state)
{
	static const struct row table[] = {
		{"nothing", "test", ""},
		{"a flag", "test --flag", "flag "},
		{"its letter", "test -f", "flag "},
		{"a name that is cut off but clear", "test --fl", "flag "},
		{"a value behind a blank", "test --text abc", "text=abc "},
		{"behind an equals sign", "test --text=abc", "text=abc "},
		{"behind the letter", "test -t abc", "text=abc "},
		{"at the letter", "test -tabc", "text=abc "},
		{"letters together", "test -ftabc", "flag text=abc "},
		{"a value that looks like an option", "test --text --flag", "text=--flag "},
		{"an instance", "test --instance a-b_9", "instance=a-b_9 "},
		{"a word", "test --fruit banana", "fruit=1 "},
		{"the last word", "test --fruit=cherry", "fruit=2 "},
		{"the lowest number", "test -n 10", "number=10 "},
		{"the highest number", "test -n 99", "number=99 "},
		{"zeros before a number", "test -n 0000000000000000000042", "number=42 "},
		{"the highest of 32 bits", "test --huge 4294967295", "huge=4294967295 "},
		{"a range", "test --range 3-5", "range=3*3 "},
		{"a range of one", "test --range 500-500", "range=500*1 "},
		{"one number for a range", "test --range 3", "range=3*7 "},
		{"an address", "test --address 10.0.0.1", "address=10.0.0.1 "},
		{"a MAC", "test --mac 02:00:00:00:00:aB", "mac=02:00:00:00:00:ab "},
		{"a MAC of zeros is one, too", "test --mac 00:00:00:00:00:00",
		 "mac=00:00:00:00:00:00 "},
		{"of a value given twice the last counts", "test -n 10 -n 11", "number=11 "},
		{"a flag given twice", "test -f --flag", "flag "},
		{"what needs another, before it", "test --with-flag -f", "flag other "},
		{"and behind it", "test -f --with-flag", "flag other "},
		{"what goes without another", "test --without-flag", "other "},
	};

	(void)state;
	check_rows(run, COMMAND_DONE, table, COUNT_OF(table));
}

#define SAYS(text) "vxlan-pipeline test: " text

static void mistakes(void **state)
{
	static const struct row table[] = {
		{"an unknown option", "test --bogus", SAYS("unrecognized option '--bogus'")},
		{"an unknown letter", "test -x", SAYS("invalid option -- 'x'")},
		{"a name cut off too early", "test --f",
		 SAYS("option '--f' is ambiguous; possibilities: '--flag' '--fruit'")},
		{"no value", "test --number", SAYS("option '--number' requires an argument")},
		{"none behind the letter", "test -n", SAYS("option requires an argument -- 'n'")},
		{"a value for a flag", "test --flag=1",
		 SAYS("option '--flag' doesn't allow an argument")},
		{"a name that is no instance's", "test --instance a/b",
		 SAYS("--instance 'a/b': only letters, digits, '-' and '_'")},
		{"an empty one",
		 "test --instance=", SAYS("--instance '': only letters, digits, '-' and '_'")},
		{"a word that is not listed", "test --fruit durian",
		 SAYS("--fruit 'durian': apple, banana or cherry")},
		{"the beginning of a word", "test --fruit app",
		 SAYS("--fruit 'app': apple, banana or cherry")},
		{"no number", "test -n x", SAYS("--number 'x': not a number from 10 to 99")},
		{"an empty number",
		 "test --number=", SAYS("--number '': not a number from 10 to 99")},
		{"garbage behind a number", "test -n 42x",
		 SAYS("--number '42x': not a number from 10 to 99")},
		{"a fraction", "test -n 42.0", SAYS("--number '42.0': not a number from 10 to 99")},
		{"another base", "test -n 0x2a",
		 SAYS("--number '0x2a': not a number from 10 to 99")},
		{"a sign", "test -n +42", SAYS("--number '+42': not a number from 10 to 99")},
		{"below the range", "test -n 9", SAYS("--number '9': not a number from 10 to 99")},
		{"above the range", "test -n 100",
		 SAYS("--number '100': not a number from 10 to 99")},
		{"below zero", "test --huge -1",
		 SAYS("--huge '-1': not a number from 0 to 4294967295")},
		{"above 32 bits", "test --huge 4294967296",
		 SAYS("--huge '4294967296': not a number from 0 to 4294967295")},
		{"above 64 bits", "test --huge 18446744073709551617",
		 SAYS("--huge '18446744073709551617': not a number from 0 to 4294967295")},
		{"a range that runs down", "test --range 5-3",
		 SAYS("--range '5-3': a number from 0 to 500, or FIRST-LAST")},
		{"a range without an end", "test --range 5-",
		 SAYS("--range '5-': a number from 0 to 500, or FIRST-LAST")},
		{"without a beginning", "test --range=-5",
		 SAYS("--range '-5': a number from 0 to 500, or FIRST-LAST")},
		{"of three numbers", "test --range 1-2-3",
		 SAYS("--range '1-2-3': a number from 0 to 500, or FIRST-LAST")},
		{"that goes too far", "test --range 1-501",
		 SAYS("--range '1-501': a number from 0 to 500, or FIRST-LAST")},
		{"garbage far behind its number", "test --range 000000000000001x",
		 SAYS("--range '000000000000001x': a number from 0 to 500, or FIRST-LAST")},
		{"a name for an address", "test --address localhost",
		 SAYS("--address 'localhost': not an IPv4 address")},
		{"an address of IPv6", "test --address ::1",
		 SAYS("--address '::1': not an IPv4 address")},
		{"a MAC that is too short", "test --mac 02:00:00:00:00",
		 SAYS("--mac '02:00:00:00:00': not a MAC address")},
		{"a wrong value before a right one", "test -n 1 -n 11",
		 SAYS("--number '1': not a number from 10 to 99")},
		{"a stray word", "test stray", SAYS("unexpected argument 'stray'")},
		{"one between options", "test -f stray -n 10", SAYS("unexpected argument 'stray'")},
		{"one behind --", "test -- --flag", SAYS("unexpected argument '--flag'")},
		{"what needs another, alone", "test --with-flag", SAYS("--with-flag needs --flag")},
		{"what goes without another, with it", "test -f --without-flag",
		 SAYS("--without-flag does not go with --flag")},
	};

	(void)state;
	check_rows(run, COMMAND_USAGE, table, COUNT_OF(table));
}

static void operands(void **state)
{
	static const struct row table[] = {
		{"none", "test -f", "flag "},
		{"two", "test a b", "[a] [b] "},
		{"between options", "test a -f b", "flag [a] [b] "},
		{"what looks like an option, behind --", "test -- -f", "[-f] "},
	};

	(void)state;
	check_rows(run_with_operands, COMMAND_DONE, table, COUNT_OF(table));
}

static const char help[] = "Usage: vxlan-pipeline test [OPTIONS]   one way\n"
			   "       vxlan-pipeline test -f          and another\n"
			   "\n"
			   "Tests.\n"
			   "\n"
			   "  -f, --flag            takes no value\n"
			   "  -t, --text TEXT       any value,\n"
			   "                        on two lines\n"
			   "      --instance NAME   which instance (default config)\n"
			   "\n"
			   "Of a kind:\n"
			   "      --fruit=NAME      one of three\n"
			   "  -n, --number N        of two digits\n"
			   "      --huge N          of 32 bits\n"
			   "      --range N[-LAST]  one, or some\n"
			   "      --address ADDR    of IPv4\n"
			   "      --mac MAC         of a card\n"
			   "\n"
			   "In company:\n"
			   "      --with-flag       not alone\n"
			   "      --without-flag    alone\n"
			   "\n"
			   "  -h, --help            this text\n"
			   "  -V, --version         the version\n"
			   "\n"
			   "The end.\n";

static void help_and_version(void **state)
{
	static const char *const lines[] = {"test -h", "test --help", "test stray -n 10 --help"};
	const struct command_line_result *got;
	int failed = 0;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(lines); i++) {
		got = command_line_run(run, lines[i]);
		assert_int_equal(got->status, COMMAND_DONE);
		failed += row_differs(lines[i], got->out, help);
		failed += row_differs(lines[i], got->err, "");
	}
	got = command_line_run(run, "test -V");
	assert_int_equal(got->status, COMMAND_DONE);
	failed += row_differs("the version", got->out, "vxlan-pipeline " VERSION "\n");
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(right_use),
		cmocka_unit_test(mistakes),
		cmocka_unit_test(operands),
		cmocka_unit_test(help_and_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
