#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Waits until an instance is healthy, has been so for some seconds, and lets enough packets through in them. Fails with
# the reason if that takes too long.
#
# usage: gate.sh INSTANCE SECONDS WINDOW PPS
#        SECONDS: how long it may take; WINDOW: for how many seconds it has to hold; PPS: packets a second that leave
set -uo pipefail
readonly instance=$1 seconds=$2 window=$3 pps=$4
readonly file=/etc/vxlan-pipeline/$instance.yaml

# Asks /healthz, or `status` if HTTP is off; prints why the instance is not healthy.
is_healthy()
(
	exec 2> /dev/null
	if [ "$http" = off ]; then
		status=$(vxlan-pipeline status --json --instance "$instance") && exit 0
		sed -n '/"reasons"/,/\]/s/^ *"\([^"]\{1,\}\)",\{0,1\}$/\1/p' <<< "$status"
		exit 1
	fi
	exec 3<> "/dev/tcp/${http%:*}/${http##*:}" || { echo "nobody answers at http://$http/healthz"; exit 1; }
	printf 'GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n' >&3
	IFS= read -r -t 5 answer <&3 || { echo "no answer from http://$http/healthz"; exit 1; }
	case $answer in *' 200 '*) exit 0 ;; esac
	echo "/healthz answers ${answer//[$'\r']/}: $(timeout 5 sed '1,/^\r*$/d' <&3)"
	exit 1
)

# Prints why it does not pass.
passes()
{
	local rate

	is_healthy || return 1
	[ "$window" != 0 ] || return 0
	rate=$(rate_of "$instance" "$window" 2> /dev/null)
	is_healthy || return 1
	(( rate >= pps )) || {
		echo "$rate packets a second leave, fewer than the $pps that vxlan_pipeline_gate_share asks for"
		return 1
	}
}

main()
{
	http=$(vxlan-pipeline config show -c "$file" | sed -n '/^http:/,$s/^  listen: *"\{0,1\}\([^ "]*\).*/\1/p')
	http=${http/#0.0.0.0:/127.0.0.1:} http=${http/#\[::\]:/[::1]:}
	http=${http/#[/} http=${http/]/}
	deadline=$((SECONDS + seconds))
	until why=$(passes); do
		if (( SECONDS >= deadline )); then
			echo "${why//$'\n'/; }" >&2
			exit 1
		fi
		sleep 0.5
	done
}

main "$@" < /dev/null
