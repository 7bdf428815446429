#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Puts back the configuration that keep.sh has kept; prints the instances whose file it has changed.
#
# usage: put_back.sh DIRECTORY 'INSTANCE...'
set -euo pipefail
main()
{
	cd "$1/trying" 2> /dev/null || { echo "another play has changed this host at the same time" >&2; exit 1; }

	for name in $2; do
		file=/etc/vxlan-pipeline/$name.yaml
		if [ ! -e "$name.yaml" ]; then
			[ ! -e "$file" ] || { rm "$file"; echo "$name"; }
		elif ! cmp -s "$name.yaml" "$file"; then
			cp -p "$name.yaml" "$file.new"
			mv "$file.new" "$file"
			echo "$name"
		fi
	done
}

main "$@" < /dev/null
