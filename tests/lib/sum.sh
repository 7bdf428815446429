# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Adds up the sums of commands that close with "N passed, N failed[, N skipped]", and keeps the lines
# with which they tell what failed. To be sourced; sets a trap on EXIT.

passed=0 failed=0 skipped=0 failures=()
_sum_output=$(mktemp)
trap 'rm -f "$_sum_output"' EXIT

# Runs the command and adds its sum. A command that prints no sum is one failure, and so is one that
# fails although its sum has no failure.
sum_add() # NAME COMMAND...
{
	local status sum

	"${@:2}" < /dev/null 2>&1 | tee "$_sum_output"
	status=${PIPESTATUS[0]}
	_sum_keep_failures
	sum=$(grep -E '^[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$' "$_sum_output" | tail -n 1)
	if [[ $sum =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
		(( passed += BASH_REMATCH[1], failed += BASH_REMATCH[2], skipped += ${BASH_REMATCH[4]:-0} ))
		(( status == 0 || BASH_REMATCH[2] > 0 )) && return
		[[ ${_sum_optional-} && ${BASH_REMATCH[1]} == 0 && ${BASH_REMATCH[4]:-0} != 0 ]] && return
	fi
	(( failed += 1 ))
	failures+=("FAILED $1: it ended with status $status and ${sum:-no sum}")
	echo "sum: $1 ended with status $status and ${sum:-no sum}" >&2
}

# A command that itself adds up sums tells what failed once more at its end: each is kept once.
_sum_keep_failures()
{
	local line

	while IFS= read -r line; do
		[[ " ${failures[*]} " == *" $line "* ]] || failures+=("$line")
	done < <(grep -E '^(FAILED|not ok) ' "$_sum_output" | cut -c 1-300 | sort -u)
}

_sum_alone() # FUNCTION PATH: the function's sum, by a shell of its own
{
	trap - EXIT
	_sum_output=$2.part
	passed=0 failed=0 skipped=0 failures=()
	"$1"
	sum_print
	echo "$?" > "$2.status"
}

_sum_replay() # PATH
{
	cat "$1.log"
	return "$(cat "$1.status")"
}

# Runs functions at the same time, and adds what they add; one that adds nothing has failed. Their
# output is printed when all of them have ended, so that lines of two do not mix.
sum_beside() # FUNCTION...
{
	local name logs

	logs=$(mktemp -d)
	for name in "$@"; do
		_sum_alone "$name" "$logs/$name" > "$logs/$name.log" 2>&1 < /dev/null &
	done
	wait
	for name in "$@"; do
		sum_add_optional "$name" _sum_replay "$logs/$name"
	done
	rm -rf "$logs"
}

# Adds tests that need more than each machine has: it is no failure if all of them are skipped.
sum_add_optional() # NAME COMMAND...
{
	local _sum_optional=yes

	sum_add "$@"
}

# Adds a command that prints no sum: passed or failed by its exit status.
sum_add_status() # COMMAND...
{
	if "$@"; then
		(( passed += 1 ))
	else
		(( failed += 1 ))
		failures+=("FAILED $*")
	fi
}

# Prints what failed, for those who see only the end of a long log, and the sum of all; fails if
# anything failed, or if nothing passed.
sum_print()
{
	(( ${#failures[@]} == 0 )) || printf '%s\n' "${failures[@]:0:100}"
	echo "$passed passed, $failed failed, $skipped skipped"
	(( failed == 0 && passed > 0 ))
}
