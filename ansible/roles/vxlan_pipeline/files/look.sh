#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Prints what this host has, as YAML. Changes nothing.
#
# usage: look.sh DIRECTORY 'INSTANCE...' 'FILE...'
#        DIRECTORY: where earlier runs have kept what was there before them
#        FILE: files whose SHA-1 is wanted
set -euo pipefail
directory=$1 instances=$2 files=$3
package=vxlan-pipeline

# rhel-9 stands for the rebuilds of RHEL 9, too.
distribution()
(
	ID='' VERSION_ID='' ID_LIKE=''
	# shellcheck source=/dev/null
	. /etc/os-release
	case $ID:" $ID_LIKE " in
	amzn:*) ;;
	rhel:* | *" rhel "*) ID=rhel VERSION_ID=${VERSION_ID%%.*} ;;
	esac
	echo "$ID-$VERSION_ID"
)

# The version, on rpm with its release behind a blank; `broken` after an installation that was cut off.
installed() # MANAGER
{
	local state version

	if [ "$1" = dnf ]; then
		rpm -q --queryformat '%{VERSION} %{RELEASE}\n' "$package" | tail -n 1 || true
		return
	fi
	# shellcheck disable=SC2016
	{ dpkg-query --show --showformat '${db:Status-Status} ${Version}\n' "$package" 2> /dev/null || true; } |
		while read -r state version; do
			case $state in
			installed) echo "$version" ;;
			not-installed | config-files) ;;
			*) echo broken ;;
			esac
		done
}

sum() # FILE
{
	[ ! -f "$1" ] || sha1sum "$1" | cut -d ' ' -f 1
}

# Whether the file is newer than what the datapath was configured with, to the second.
is_stale() # FILE STATUS
{
	local configured

	configured=$(printf %s "$2" | sed -n 's/.*"configured": *"\([^"]*\)".*/\1/p')
	[ -n "$configured" ] && [ -f "$1" ] &&
		[ "$(stat -c %Y "$1")" -gt "$(date -d "$configured" +%s)" ]
}

instance() # NAME
{
	local file=/etc/vxlan-pipeline/$1.yaml unit status="{}"

	unit=$(unit_of "$1")
	if command -v "$package" > /dev/null; then
		status=$("$package" status --json --instance "$1" | tr -d '\n\t') || true
	fi
	echo "  $1:"
	echo "    unit: $unit.service"
	echo "    sum: '$(sum "$file")'"
	echo "    active: '$(systemctl is-active "$unit" 2> /dev/null || true)'"
	echo "    enabled: '$(systemctl is-enabled "$unit" 2> /dev/null || true)'"
	echo "    stale: $(is_stale "$file" "$status" && echo true || echo false)"
	echo "    status: ${status:-{\}}"
	echo "    kept: '$([ ! -f "$directory/before/$1.yaml" ] || base64 -w 0 "$directory/before/$1.yaml")'"
}

main()
{
	manager=dnf
	! command -v apt-get > /dev/null || manager=apt
	found=$(installed "$manager" 2> /dev/null)
	case $found in *' is not installed') found= ;; esac
	echo "distribution: '$(distribution)'"
	echo "manager: $manager"
	echo "installed: '${found%% *}'"
	echo "release: '${found#* }'"
	echo "had_files: $([ -e /etc/vxlan-pipeline ] && echo true || echo false)"
	echo "left: $([ "$manager" = apt ] && dpkg-query --show "$package" > /dev/null 2>&1 && echo true || echo false)"
	echo "unfinished: $([ -e "$directory/trying" ] && echo true || echo false)"
	echo "was: '$(cat "$directory/trying/version" 2> /dev/null || true)'"
	echo "has_kept: $([ -e "$directory/before" ] && echo true || echo false)"
	echo "kept_version: '$(cat "$directory/before/version" 2> /dev/null || true)'"
	echo "tune:"
	echo "  active: '$(systemctl is-active "$package-tune" 2> /dev/null || true)'"
	echo "  enabled: '$(systemctl is-enabled "$package-tune" 2> /dev/null || true)'"
	echo "  ours: $([ -e "$directory/tune" ] && echo true || echo false)"
	echo "interfaces: [$({ cd /sys/class/net && printf '%s\n' *; ip -o link | grep -o 'altname [^ \\]*' | cut -d ' ' -f 2; } |
		sed "s/'/''/g; s/.*/'&', /" | tr -d '\n')]"
	echo "sums:"
	for file in $files; do
		echo "  '$file': '$(sum "$file")'"
	done
	echo "attached: [$(for pins in "/sys/fs/bpf/$package"/*/; do [ ! -e "$pins" ] || printf "'%s', " "$(basename "$pins")"; done)]"
	echo "instances:"
	for name in $instances; do
		instance "$name"
	done
}

main "$@" < /dev/null
