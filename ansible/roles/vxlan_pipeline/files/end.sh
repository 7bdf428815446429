#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Stops an instance and removes its configuration.
#
# usage: end.sh INSTANCE
set -euo pipefail
main()
{
	systemctl -q disable --now "$(unit_of "$1")"
	vxlan-pipeline stop --instance "$1"
	rm -f "/etc/vxlan-pipeline/$1.yaml"
}

main "$@" < /dev/null
