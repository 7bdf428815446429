#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Removes what is left when the package is gone: configuration, repository, and what was kept. Prints each of them.
#
# usage: remove.sh list|remove KEEP FILE...
#        list: remove nothing; KEEP: a file or directory that stays; FILE: the repository's
set -euo pipefail
shopt -s nullglob
readonly verb=$1 keep=$2
readonly sources=/etc/apt/sources.list.d/vxlan-pipeline.sources
main()
{
	lists=()
	if [ -e "$sources" ]; then
		url=$(sed -n 's|^URIs: *[a-z]*://||p' "$sources")
		lists=(/var/lib/apt/lists/"${url//\//_}"_*)
	fi

	for path in "${@:3}" "${lists[@]}" /etc/vxlan-pipeline /var/lib/vxlan-pipeline /run/vxlan-pipeline \
		/sys/fs/bpf/vxlan-pipeline /etc/systemd/system/*.wants/vxlan-pipeline*.service \
		/var/cache/apt/archives/vxlan-pipeline_*.deb /var/cache/dnf/vxlan-pipeline-* /var/cache/dnf/vxlan-pipeline.solv*; do
		[ -e "$path" ] || [ -L "$path" ] || continue
		[ "$path" != "$keep" ] || continue
		case $verb:$path in
		list:*) ;;
		*:/sys/*) rmdir "$path" ;;
		*) rm -rf "$path" ;;
		esac
		echo "$path"
	done
}

main "$@" < /dev/null
