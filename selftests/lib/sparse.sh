#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# sparse.sh KERNEL: build the module for that kernel of scripts/kernel with
# warnings (W=1) and sparse's complaints as errors, in a folder of its own.
# (smatch would belong here, too: neither Debian 12 nor 13 packages it.)

set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

kdir=$(scripts/kernel get "${1:?usage: sparse.sh KERNEL}" | sed -n 's/^KDIR=//p')
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cp -r Kbuild kernel include "$tree"

make -C "$kdir" M="$tree" C=1 CF=-Wsparse-error W=1 KCFLAGS=-Werror \
	CONFIG_DEBUG_INFO_BTF_MODULES= modules
