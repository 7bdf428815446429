#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Prints how many packets a second leave an instance.
#
# usage: measure.sh INSTANCE SECONDS
set -euo pipefail

forwarded()
{
	vxlan-pipeline stats --json --instance "$1" | sed -n 's/.*"forwarded": *\([0-9]*\).*/\1/p'
}

main()
{
	before=$(forwarded "$1") begun=$(date +%s%N)
	sleep "$2"
	after=$(forwarded "$1") ended=$(date +%s%N)
	echo "$(( (after - before) * 1000000000 / (ended - begun) ))"
}

main "$@" < /dev/null
