#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every kernel that the module has to build for and run on: built without a word of
# the compiler and of sparse, then the network scenarios in a guest. A kernel that
# fails does not stop the others. In the end a table, and the sums of selftests/run.
#
# usage: KERNELS="6.1 6.12" selftests/matrix.sh [TEST.sh]...

set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

log=build/matrix.log
runs=() status=0
for kernel in ${KERNELS:-6.1 6.1-rt 6.12 6.12-rt}; do
	runs+=("$kernel-builds@900:selftests/lib/builds.sh $kernel"
		"$kernel-runs@3000:env KERNEL=$kernel selftests/vm.sh $*")
done
selftests/run -o "$log" "${runs[@]}" || status=$?
echo
awk '/^# === .*-(builds|runs): / { part = $3; sub(/:$/, "", part); parts[++n] = part }
	/^# === failures/ { part = "" }
	/^ok / { good[part]++ }
	/^not ok / { bad[part]++ }
	BEGIN { printf "%-16s %6s %6s\n", "", "ok", "not ok" }
	END { for (i = 1; i <= n; i++)
		printf "%-16s %6d %6d\n", parts[i], good[parts[i]], bad[parts[i]] }' "$log"
tail -n 1 "$log"
exit "$status"
