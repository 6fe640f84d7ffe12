#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The network scenarios with the kernel module, in one virtme-ng guest. The
# scenarios are those of the native run; only the heartbeats are the module's.

set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

kernel=${KERNEL:-6.1}
kdir=$(scripts/kernel get "$kernel" | sed -n 's/^KDIR=//p')
module=$PWD/build/module/${kdir##*/}/ctiha.ko
[ -f "$module" ] || { echo "# $module is missing: run make build-test-module"; exit 1; }

runs=()
for test in selftests/net/*_test.sh; do
	runs+=("net:$test")
done

# An emulated guest is ten times slower than the host, and stalls with it.
# shellcheck disable=SC2016 # for the guest's shell
exec scripts/vng-run -k "$kernel" -t "${LIMIT:-2900}" -w build -- \
	env BACKEND=module MODULE="$module" PATIENCE=90 \
	INTERVAL=100ms MULTIPLIER=8 LEASE=2s PROMISE=2300ms ARBITER_TIMEOUT=1500ms WATCH=2s \
	bash -c 'insmod "$MODULE" && exec selftests/run --ktap -t 1500 "$@"' \
	vm "${runs[@]}"
