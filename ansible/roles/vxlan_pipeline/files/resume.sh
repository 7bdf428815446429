#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# After put_back.sh, and after the package is what it was: has the units run that ran, and no other. Prints the
# instances that ran, and fails if one of them cannot be put back; the others are, all the same.
#
# usage: resume.sh DIRECTORY 'INSTANCE...' 'CHANGED INSTANCE...'
set -uo pipefail
readonly directory=$1 instances=" $2 " changed=" $3 "

run_again() # INSTANCE UNIT
{
	if ! systemctl -q is-active "$2"; then
		systemctl reset-failed "$2" 2> /dev/null
		systemctl start "$2" || return
	else
		case $changed in *" $1 "*) vxlan-pipeline reload --instance "$1" >&2 || return ;; esac
	fi
	[ ! -e "/sys/fs/bpf/vxlan-pipeline/$1/drained" ] || vxlan-pipeline drain --undo --instance "$1" >&2
}

main()
{
	local status=0

	while read -r name active enabled; do
		case $instances in *" $name "*) ;; *) continue ;; esac
		unit=$(unit_of "$name")
		case $active in
		active | activating | reloading)
			echo "$name"
			run_again "$name" "$unit" || status=1
			;;
		*) systemctl stop "$unit" 2> /dev/null ;;
		esac
		[ "$enabled" = enabled ] || systemctl -q disable "$unit" 2> /dev/null
	done < "$directory/trying/units" || status=1
	return "$status"
}

main "$@" < /dev/null
