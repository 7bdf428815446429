#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What keep.sh has kept is from now on what a rollback leads to.
#
# usage: commit.sh DIRECTORY
set -euo pipefail
[ -e "$1/trying" ] || { echo "another play has changed this host at the same time" >&2; exit 1; }
rm -rf "$1/before"
mv "$1/trying" "$1/before"
