#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Stops an instance and removes its configuration.
#
# usage: end.sh INSTANCE
set -euo pipefail
main()
{
	unit=vxlan-pipeline@$1
	[ "$1" != config ] || unit=vxlan-pipeline

	systemctl -q disable --now "$unit"
	vxlan-pipeline stop --instance "$1"
	rm -f "/etc/vxlan-pipeline/$1.yaml"
}

main "$@" < /dev/null
