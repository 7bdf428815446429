#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Prints, as YAML, which versions of the package can be had. Reads the repository into a temporary directory, so that
# nothing on the host changes, and a repository that does not serve is found before anything is written.
#
# usage: resolve.sh MANAGER INSTALLED REPOSITORY KEY
#        MANAGER: apt | dnf
#        REPOSITORY, KEY: the text of its .sources or .repo file, and of the key that the latter names; if REPOSITORY
#        is empty, the host's own repositories as the host knows them
set -euo pipefail
shopt -s inherit_errexit
readonly manager=$1 installed=$2 repository=$3 key=$4 package=vxlan-pipeline
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

apt_versions()
{
	local options=()

	if [ -n "$repository" ]; then
		mkdir -p "$work/lists/partial" "$work/cache"
		printf '%s\n' "$repository" > "$work/$package.sources"
		options=(-o Dir::Etc::SourceList="$work/$package.sources" -o Dir::Etc::SourceParts=-
			-o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache"
			-o APT::Sandbox::User=root -o Acquire::Retries=1
			-o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10)
		apt-get -qq "${options[@]}" -o APT::Update::Error-Mode=any update >&2
	fi
	apt-cache "${options[@]}" madison "$package" | awk -F ' *[|] *' '/Packages/ { print $2 }'
}

dnf_versions()
{
	local options=()

	if [ -n "$repository" ]; then
		printf '%s\n' "$key" > "$work/key"
		printf '%s\nskip_if_unavailable=0\n' "$repository" |
			sed "s|^gpgkey=.*|gpgkey=file://$work/key|" > "$work/$package.repo"
		options=(--setopt=reposdir="$work" --setopt=cachedir="$work/cache" --setopt=timeout=10
			--setopt=retries=1)
	fi
	dnf -q -y "${options[@]}" repoquery --show-duplicates --queryformat '%{version} %{release}' "$package" |
		sed '/^$/d' | sort -rVu
}

is_newer() # THAN THIS
{
	if [ -z "$1" ]; then
		return 0
	elif [ "$manager" = apt ]; then
		dpkg --compare-versions "$2" gt "$1"
	else
		[ "$(rpm --eval "%{lua:print(rpm.vercmp('$2', '$1'))}")" = 1 ]
	fi
}

main()
{
	available=$("${manager}_versions")
	newest=$(echo "$available" | head -n 1)
	echo "newest: '$newest'"
	echo "is_newer: $([ -n "$newest" ] && is_newer "$installed" "${newest%% *}" && echo true || echo false)"
	echo "available:"
	while read -r version; do
		echo "- '$version'"
	done <<< "$available"
}

main "$@" < /dev/null
