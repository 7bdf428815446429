#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Has the unit make host settings, or take them back; keeps that it was Ansible who wanted them.
#
# usage: tune.sh start|stop DIRECTORY
set -euo pipefail
readonly unit=vxlan-pipeline-tune

main()
{
	if [ "$1" = start ]; then
		mkdir -p "$2"
		touch "$2/tune"
		systemctl -q enable --now "$unit" || { journalctl -q --no-pager -o cat -n 5 -u "$unit" >&2; exit 1; }
	else
		systemctl -q disable --now "$unit"
		rm -f "$2/tune"
	fi
}

main "$@" < /dev/null
