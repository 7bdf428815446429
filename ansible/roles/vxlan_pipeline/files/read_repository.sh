#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Ends an installation that was cut off, and reads the lists of packages: of this repository, and of all others too
# where the package is new and its dependencies have to be found.
#
# usage: read_repository.sh SOURCES INSTALLED
#        SOURCES: the repository's file; empty if it is one of the host's own
set -euo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

# Runs the command; again for two minutes while somebody else, as unattended-upgrades, holds a lock.
patiently()
{
	local said

	until said=$("$@" 2>&1); do
		if (( SECONDS >= 120 )) || ! grep -q 'locked by\|not get lock\|able to lock' <<< "$said"; then
			echo "$said" >&2
			return 1
		fi
		sleep 1
	done
}

main()
{
	patiently dpkg --force-confdef --force-confold --configure -a
	if [ -z "$1" ] || [ -z "$2" ] || [ "$2" = broken ]; then
		patiently apt-get -qq update
	fi
	[ -z "$1" ] || patiently apt-get -qq -o Dir::Etc::SourceList="$1" -o Dir::Etc::SourceParts=- -o APT::Get::List-Cleanup=0 \
		-o APT::Update::Error-Mode=any update
}

main "$@" < /dev/null
