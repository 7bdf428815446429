#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Has an instance run with what is installed and configured: starts its unit, or else loads the configuration anew
# without losing a packet; fails with the reason if the daemon refuses.
#
# usage: settle.sh INSTANCE start|reload|restart
set -euo pipefail
main()
{
	unit=vxlan-pipeline@$1
	[ "$1" != config ] || unit=vxlan-pipeline

	systemctl -q is-enabled "$unit" 2> /dev/null || systemctl -q enable "$unit"
	[ "$2" != restart ] || systemctl stop "$unit"
	if ! systemctl -q is-active "$unit"; then
		systemctl reset-failed "$unit" 2> /dev/null || true
		systemctl start "$unit" || {
			journalctl -q --no-pager -o cat -n 5 -u "$unit" | grep '^vxlan-pipeline' >&2
			exit 1
		}
	elif [ "$2" = reload ]; then
		vxlan-pipeline reload --instance "$1"
	fi
}

main "$@" < /dev/null
