# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-only
# Makes an appliance of an instance of Amazon Linux 2023, Debian 12 or Ubuntu 24.04. The template puts the settings in
# front of it (appliance.yaml names them), and cloudformation/assemble puts aws.py into it.
#
# cloud-init runs it once: it installs, configures and starts, and tells Auto Scaling and the stack that the appliance
# is good, or why it is not. Then its unit runs it as `vxlan-pipeline-aws follow`, which drains the appliance when the
# group takes it out, and puts every new version of the configuration in force.
set -uo pipefail
export LC_ALL=C DEBIAN_FRONTEND=noninteractive PATH=$PATH:/usr/sbin:/sbin
export PARAMETER=${PARAMETER:-/vxlan-pipeline/$STACK/configuration}

readonly PROGRAM=/usr/local/sbin/vxlan-pipeline-aws LIBRARY=/usr/local/lib/vxlan-pipeline-aws
readonly STATE=/var/lib/vxlan-pipeline-aws CONFIG=/etc/vxlan-pipeline/config.yaml

aws()
{
	python3 "$LIBRARY/aws.py" "$@"
}

# Tells it where an operator looks: the console, the journal, the stack's log group.
say()
{
	local line="vxlan-pipeline-aws: ${*//$'\n'/; }"

	echo "$line" >&2
	[[ ! -w /dev/console ]] || echo "$line" 2> /dev/null > /dev/console
	aws say "$line"
}

give_up()
{
	local why=${*//$'\n'/; }

	say "abandoned: $why"
	aws signal FAILURE "$why"
	aws complete ready ABANDON
	exit 1
}

# Runs a command until it succeeds, for so many seconds; its last words are in $said.
patiently() # SECONDS COMMAND...
{
	local until=$((SECONDS + $1))

	while ! said=$("${@:2}" 2>&1); do
		(( SECONDS < until )) || return 1
		sleep 2
	done
}

# The line of $said that tells the cause.
cause()
{
	local found

	found=$(grep -m 1 -E 'nothing provides|NO_PUBKEY|[Ss]ignature|GPG|nable to locate|Unable to find|No match|Could not|Cannot|^E:|^Error' <<< "$said") ||
		found=$(tail -n 1 <<< "$said")
	read -r found <<< "$found"
	echo "${found#- }"
}

# The lines of a key may have come with spaces in their place, from a form of one line.
write_key() # FILE
{
	local kind='PGP PUBLIC KEY BLOCK-----' body words

	patiently 60 aws parameter "$KEY" "$STATE/key" || give_up "$said"
	body=$(< "$STATE/key")
	[[ $body == "-----BEGIN $kind"*"-----END $kind"* ]] ||
		give_up "RepositoryKey is no public key: it begins otherwise than -----BEGIN $kind"
	body=${body#*BLOCK-----}
	read -r -d '' -a words <<< "${body%%-----END*}"
	printf '%s\n' "-----BEGIN $kind" '' "${words[@]}" "-----END $kind" > "$1"
}

install_with_dnf()
{
	write_key /etc/pki/rpm-gpg/vxlan-pipeline.asc
	printf '%s\n' '[vxlan-pipeline]' name=vxlan-pipeline "baseurl=$REPOSITORY/yum" enabled=1 gpgcheck=1 \
		repo_gpgcheck=1 gpgkey=file:///etc/pki/rpm-gpg/vxlan-pipeline.asc metadata_expire=1 \
		> /etc/yum.repos.d/vxlan-pipeline.repo
	patiently 90 dnf -q -y --disablerepo='*' --enablerepo=vxlan-pipeline makecache ||
		give_up "the repository $REPOSITORY/yum cannot be read: $(cause)"
	patiently 90 dnf -q -y install "vxlan-pipeline${VERSION:+-$VERSION}" ||
		give_up "dnf does not install vxlan-pipeline on $(uname -m): $(cause)"
}

install_with_apt()
{
	local options=(-qq -y -o DPkg::Lock::Timeout=120 -o APT::Update::Error-Mode=any)

	mkdir -p /etc/apt/keyrings
	write_key /etc/apt/keyrings/vxlan-pipeline.asc
	printf '%s\n' 'Types: deb' "URIs: $REPOSITORY/apt" 'Suites: stable' 'Components: main' \
		'Signed-By: /etc/apt/keyrings/vxlan-pipeline.asc' > /etc/apt/sources.list.d/vxlan-pipeline.sources
	patiently 180 apt-get "${options[@]}" update || give_up "the repository $REPOSITORY/apt cannot be read: $(cause)"
	patiently 90 apt-get "${options[@]}" install "vxlan-pipeline${VERSION:+=$VERSION}" ||
		give_up "apt does not install vxlan-pipeline on $(uname -m): $(cause)"
}

# The name that the interface with this device index has here, by its MAC.
name_of() # INDEX
{
	local about file mac address gateway

	about=$(aws interface "$1") || return 1
	read -r mac address gateway <<< "$about"
	for file in /sys/class/net/*/address; do
		if [[ $(< "$file") == "$mac" && ! -e ${file%address}master ]]; then
			file=${file%/address}
			echo "${file##*/} $mac $address $gateway"
			return
		fi
	done
	echo "no interface here has the MAC $mac" >&2
	return 1
}

# The second interface gets its address and a default route, which the product alone follows: its metric is above that
# of the first one's, by which the appliance itself is reached.
configure_forward() # NAME MAC ADDRESS GATEWAY
{
	printf '%s\n' '[Match]' "MACAddress=$2" '[Link]' RequiredForOnline=no '[Network]' "Address=$3" \
		LinkLocalAddressing=no IPv6AcceptRA=no '[Route]' "Gateway=$4" Metric=4096 \
		> /etc/systemd/network/05-vxlan-pipeline.network
	if systemctl -q is-active systemd-networkd; then
		networkctl reload && networkctl reconfigure "$1"
	else
		ip address replace "$3" dev "$1" && ip link set dev "$1" up &&
			ip route replace default via "$4" dev "$1" metric 4096
	fi
}

find_interfaces()
{
	local listen forward mac address gateway

	patiently 60 name_of 0 || give_up "the first network interface is not found: $(cause)"
	read -r listen _ <<< "$said"
	forward=$listen
	if [[ -n $FORWARD ]]; then
		patiently 300 name_of 1 ||
			give_up "the second network interface did not come within five minutes: $(cause)"
		read -r forward mac address gateway <<< "$said"
		mkdir -p /etc/systemd/network
		patiently 30 configure_forward "$forward" "$mac" "$address" "$gateway" ||
			give_up "$forward gets no address: $(cause)"
	fi
	echo "$listen $forward" > "$STATE/interfaces"
}

# The value of a key of the effective configuration.
value() # SECTION KEY
{
	vxlan-pipeline config show -c "$STATE/new.yaml" | sed -n "/^$1:/,/^[a-z]/s/^  $2: \"\{0,1\}\([^\" ]*\).*/\1/p"
}

# Makes the stack's configuration for this instance, $STATE/new.yaml, and puts its version into $STATE/fetched; prints
# why not.
fetch_configuration()
{
	local listen forward problems

	read -r listen forward < "$STATE/interfaces"
	aws parameter "$PARAMETER" "$STATE/parameter" > "$STATE/fetched" || return 1
	sed -e "s/\<LISTEN_INTERFACE\>/$listen/g" -e "s/\<FORWARD_INTERFACE\>/$forward/g" "$STATE/parameter" > "$STATE/new.yaml"
	if ! problems=$(vxlan-pipeline config check -c "$STATE/new.yaml" 2>&1); then
		echo "${problems//$STATE\/new.yaml/configuration}"
	elif [[ $(value listen interface) != "$listen" || $(value forward interface) != "$forward" ]]; then
		echo "the configuration has to name LISTEN_INTERFACE and FORWARD_INTERFACE, here $listen and $forward"
	elif [[ $(value listen port) != 4789 ]]; then
		echo 'listen.port has to be 4789, to which Traffic Mirroring sends'
	elif [[ $(value http listen) != @(0.0.0.0|\[::\]):9789 ]]; then
		echo 'http.listen has to be 0.0.0.0:9789, where the load balancer asks for health'
	else
		return 0
	fi
	return 1
}

# Why the appliance is not good, in one line.
is_good()
{
	local status

	status=$(vxlan-pipeline status --json 2>&1) && return
	python3 -c 'import json, sys; print("; ".join(json.load(sys.stdin)["reasons"]) or "not attached")' <<< "$status" \
		2> /dev/null || echo "$status"
	return 1
}

last_lines() # COUNT UNIT
{
	journalctl -q --no-pager -o cat -n "$1" -u "$2"
}

launch()
{
	mkdir -p "$STATE"
	patiently 120 aws metadata instance-id || give_up "the instance metadata does not answer: $(cause)"
	if command -v dnf > /dev/null; then install_with_dnf; else install_with_apt; fi
	find_interfaces
	patiently 20 fetch_configuration || give_up "$said"
	install -m 644 "$STATE/new.yaml" "$CONFIG"
	cp "$STATE/fetched" "$STATE/version"
	# The host settings may interrupt the interfaces for a moment.
	systemctl -q enable --now vxlan-pipeline-tune ||
		give_up "the host settings are not made: $(last_lines 2 vxlan-pipeline-tune)"
	systemctl -q enable --now vxlan-pipeline ||
		give_up "vxlan-pipeline does not start: $(last_lines 4 vxlan-pipeline)"
	patiently 90 is_good || give_up "the appliance is not healthy: $said"
	if [[ $METRICS == true ]]; then
		type -P aws > /dev/null || apt-get -qq -y install awscli > /dev/null 2>&1
		{ type -P aws > /dev/null && systemctl -q enable --now vxlan-pipeline-cloudwatch.timer; } ||
			say 'no metrics of its own: needs the AWS CLI and vxlan-pipeline-cloudwatch.timer'
	fi
	systemctl -q daemon-reload
	systemctl -q enable --now vxlan-pipeline-aws || give_up 'vxlan-pipeline-aws.service does not start'
	say "good: version $(vxlan-pipeline --version | sed 's/.* //'), configuration $(< "$STATE/version"), interfaces $(< "$STATE/interfaces")"
	aws signal SUCCESS good
	patiently 60 aws complete ready CONTINUE || give_up "the launch cannot be completed: $said"
}

# From draining on the load balancer gives it no new flow; all of its flows move when the delay is over. Until then it
# forwards, whatever happens.
leave()
{
	vxlan-pipeline drain
	say "draining: forwards for $DELAY seconds more"
	sleep $((DELAY + 30))
	aws complete drain CONTINUE
	exit 0
}

# Puts what is in $STATE/new.yaml in force. What a reload refuses changes nothing, and what makes a good appliance bad is
# taken back; prints why.
put_in_force()
{
	local before=bad

	! is_good > /dev/null || before=good
	cp -p "$CONFIG" "$STATE/before.yaml"
	install -m 644 "$STATE/new.yaml" "$CONFIG"
	if ! systemctl reload vxlan-pipeline; then
		last_lines 1 vxlan-pipeline
	elif [[ $before == bad ]] || patiently 30 is_good; then
		return 0
	else
		echo "it was taken back after 30 seconds: $said"
	fi
	install -m 644 "$STATE/before.yaml" "$CONFIG"
	systemctl reload vxlan-pipeline
	return 1
}

configure()
{
	local problems

	: > "$STATE/fetched"
	if ! problems=$(fetch_configuration 2>&1); then
		# What could not be had is asked for again, soon.
		[[ -s $STATE/fetched ]] || return
		say "refused: configuration $(< "$STATE/fetched"): $problems"
	elif ! cmp -s "$STATE/new.yaml" "$CONFIG"; then
		if problems=$(put_in_force 2>&1); then
			say "configured: version $(< "$STATE/fetched") is in force"
		else
			say "refused: configuration $(< "$STATE/fetched"): $problems"
		fi
	fi
	cp "$STATE/fetched" "$STATE/version"
}

follow()
{
	local what

	while what=$(aws wait "$(< "$STATE/version")"); do
		"$what"
	done
}

if [[ ${1-} == follow ]]; then
	follow
	exit 1
fi
mkdir -p "$LIBRARY"
install -m 700 "$0" "$PROGRAM"
cat > "$LIBRARY/aws.py" << 'END_OF_PROGRAM'
include: aws.py
END_OF_PROGRAM
cat > /etc/systemd/system/vxlan-pipeline-aws.service << 'END_OF_UNIT'
[Unit]
Description=Follows the stack of this vxlan-pipeline appliance
After=network-online.target vxlan-pipeline.service
[Service]
ExecStart=/usr/local/sbin/vxlan-pipeline-aws follow
Restart=on-failure
RestartSec=5
[Install]
WantedBy=multi-user.target
END_OF_UNIT
launch
