#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What scripts beside this one share; tasks send it in front of them.

# Prints the unit of an instance.
unit_of() # INSTANCE
{
	[ "$1" = config ] && echo vxlan-pipeline || echo "vxlan-pipeline@$1"
}

forwarded() # INSTANCE
{
	vxlan-pipeline stats --json --instance "$1" | sed -n 's/.*"forwarded": *\([0-9]*\).*/\1/p'
}

# Prints how many packets a second leave an instance.
rate_of() # INSTANCE SECONDS
{
	local before begun after ended

	before=$(forwarded "$1") begun=$(date +%s%N)
	sleep "$2"
	after=$(forwarded "$1") ended=$(date +%s%N)
	echo "$(( (after - before) * 1000000000 / (ended - begun) ))"
}
