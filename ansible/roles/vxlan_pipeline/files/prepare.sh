#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Holds the configuration that follows this script on standard input against the program and the host. Prints what
# `check` finds, as JSON; fails with 2 if the configuration is refused. Changes nothing.
#
# usage: prepare.sh INSTANCE all|program
#        program: not against the host, which is going to be tuned for it before the start
set -uo pipefail

main()
{
	local text

	text=$(cat)
	printf '%s\n' "$text" | vxlan-pipeline config check -c /dev/stdin > /dev/null || exit 2
	[ "$2" = all ] || exit 0
	printf '%s\n' "$text" | vxlan-pipeline check --json --instance "$1" -c /dev/stdin
	exit
}

main "$@"
