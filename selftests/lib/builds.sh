#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# builds.sh KERNEL: the module builds for that kernel without a word of the compiler
# (W=1) or sparse, and is where selftests/vm.sh looks for it. One KTAP result.

set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/../.."

# What is left of another build is no proof.
build()
{
	local kdir module

	kdir=$(scripts/kernel get "$1" | sed -n 's/^KDIR=//p') &&
		module=$(make -s module-path KDIR="$kdir") &&
		rm -f "$module" && selftests/lib/sparse.sh "$1" &&
		make module KDIR="$kdir" && test -f "$module"
}

echo "KTAP version 1"
echo "1..1"
if build "${1:?usage: builds.sh KERNEL}"; then
	echo "ok 1 the module builds for $1, W=1 and sparse clean"
else
	echo "not ok 1 the module builds for $1, W=1 and sparse clean"
	exit 1
fi
