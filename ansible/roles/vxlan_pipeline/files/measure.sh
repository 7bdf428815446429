#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Prints how many packets a second leave an instance.
#
# usage: measure.sh INSTANCE SECONDS
set -euo pipefail

rate_of "$@" < /dev/null
