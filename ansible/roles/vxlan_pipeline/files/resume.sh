#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# After put_back.sh, and after the package is what it was: has the units run that ran, and no other.
#
# usage: resume.sh DIRECTORY 'INSTANCE...' 'CHANGED INSTANCE...'
set -euo pipefail
readonly directory=$1 instances=" $2 " changed=" $3 "

main()
{
	while read -r name active enabled; do
		case $instances in *" $name "*) ;; *) continue ;; esac
		unit=vxlan-pipeline@$name
		[ "$name" != config ] || unit=vxlan-pipeline
		case $active in
		active | activating | reloading)
			if ! systemctl -q is-active "$unit"; then
				systemctl reset-failed "$unit" 2> /dev/null || true
				systemctl start "$unit"
			else
				case $changed in *" $name "*) vxlan-pipeline reload --instance "$name" ;; esac
			fi
			[ ! -e "/sys/fs/bpf/vxlan-pipeline/$name/drained" ] || vxlan-pipeline drain --undo --instance "$name"
			;;
		*) systemctl stop "$unit" 2> /dev/null || true ;;
		esac
		[ "$enabled" = enabled ] || systemctl -q disable "$unit" 2> /dev/null || true
	done < "$directory/trying/units"
}

main "$@" < /dev/null
