#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What keep.sh has kept is from now on what a rollback leads to.
#
# usage: commit.sh DIRECTORY
set -euo pipefail
rm -rf "$1/before"
mv "$1/trying" "$1/before"
