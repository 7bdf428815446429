#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Has an instance run with what is installed and configured: starts its unit, or else loads the configuration anew
# without losing a packet; fails with the reason if the daemon refuses. Prints what it has done.
#
# usage: settle.sh INSTANCE start|reload|restart
set -euo pipefail

# Fails with what `check` finds, if packets could not flow.
is_ready() # INSTANCE
{
	local found

	found=$(vxlan-pipeline check --color=never --instance "$1" -c "/etc/vxlan-pipeline/$1.yaml" 2>&1) || {
		awk '/^(ok|warn|fail) /{ shown = $1 == "fail" } shown || !/^(ok|warn|fail| )/' <<< "$found" >&2
		return 1
	}
}

main()
{
	local unit

	unit=$(unit_of "$1")
	if ! systemctl -q is-enabled "$unit" 2> /dev/null; then
		systemctl -q enable "$unit"
		echo enabled
	fi
	[ "$2" != restart ] || systemctl stop "$unit"
	if ! systemctl -q is-active "$unit"; then
		is_ready "$1"
		systemctl reset-failed "$unit" 2> /dev/null || true
		systemctl start "$unit" 2> /dev/null || {
			{ journalctl -q --no-pager -o cat -n 20 -u "$unit" | grep '^vxlan-pipeline: ' | tail -n 3 ||
				echo "$unit does not start"; } >&2
			exit 1
		}
		echo started
	elif [ "$2" = reload ]; then
		vxlan-pipeline reload --instance "$1"
		echo reloaded
	fi
}

main "$@" < /dev/null
