#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Keeps what is here before a change: version, configuration and the state of the units. If an earlier run did not get
# to its end, what it has kept is what was here when all was well, and stays.
#
# usage: keep.sh DIRECTORY VERSION 'INSTANCE...'
set -euo pipefail
readonly directory=$1 version=$2 instances=$3

main()
{
	[ ! -e "$directory/trying" ] || exit 0
	rm -rf "$directory/new"
	mkdir -p "$directory/new"
	for name in $instances; do
		unit=$(unit_of "$name") file=/etc/vxlan-pipeline/$name.yaml
		[ ! -e "$file" ] || cp -p "$file" "$directory/new"
		echo "$name $(systemctl is-active "$unit" || true) $(systemctl is-enabled "$unit" 2> /dev/null || true)"
	done > "$directory/new/units"
	echo "$version" > "$directory/new/version"
	sync "$directory/new"/*
	mv "$directory/new" "$directory/trying"
}

main "$@" < /dev/null
