#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The network scenarios with the kernel module, in one virtme-ng guest. The
# scenarios are those of the native run; only the heartbeats are the module's.
# After each program the kernel's log has to be clean. A guest that dies cannot look:
# what its kernel said is in build/console-KERNEL.log.
#
# usage: selftests/vm.sh [TEST.sh]...	(default: all of selftests/net/)
# KERNEL  version for scripts/kernel (6.1); x86-debug: with all that finds bugs
# MODULE  another ctiha.ko
# LIMIT   seconds for everything
# STRESS_SECONDS, STRESS_ROUNDS, STRESS_SEED	see selftests/net/stress_test.sh

set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

[ $# -gt 0 ] || set -- selftests/net/*_test.sh
kernel=${KERNEL:-6.1}
kdir=$(scripts/kernel get "$kernel" | sed -n 's/^KDIR=//p')
module=${MODULE:-$(make -s module-path KDIR="$kdir")}
[ -f "$module" ] || { echo "# $module is missing: run make module KDIR=$kdir"; exit 1; }
trouble=$(cd scripts && /usr/bin/python3 -B -c \
	'import vmlib; print(vmlib.TROUBLE.pattern)')

# An emulated guest is ten times slower than the host, and stalls with it; the
# debug kernel is several times slower still.
times=(PATIENCE=90 INTERVAL=100ms MULTIPLIER=8 LEASE=2s PROMISE=2300ms
	ARBITER_TIMEOUT=1500ms WATCH=2s CALLS=100 RATE=50)
limit=2900 each=1500 append=log_buf_len=4M
if [ "$kernel" = x86-debug ]; then
	times=(PATIENCE=300 INTERVAL=250ms MULTIPLIER=12 LEASE=6s PROMISE=7s
		ARBITER_TIMEOUT=4s WATCH=6s STATE_WAIT=6s CALLS=50 RATE=10)
	limit=10000 each=4000 append+=' kasan_multi_shot'
	# Starting programs takes longest. The guest only reads what the host does not
	# change, so it may keep it.
	append+=' rootflags=version=9p2000.L,trans=virtio,access=any,cache=loose'
fi

for name in STRESS_SECONDS STRESS_ROUNDS STRESS_SEED; do
	[ -z "${!name:-}" ] || times+=("$name=${!name}")
done

runs=()
for test in "$@"; do
	name=${test##*/}
	runs+=("net:$test" "log:selftests/lib/kernel_log.sh ${name%.sh}")
done

# shellcheck disable=SC2016 # for the guest's shell
exec scripts/vng-run -k "$kernel" -t "${LIMIT:-$limit}" -w build -a "$append" \
	-o "build/console-$kernel.log" -- \
	env BACKEND=module MODULE="$module" KERNEL_TROUBLE="$trouble" "${times[@]}" \
	bash -c 'limit=$1; shift; insmod "$MODULE" &&
		exec selftests/run --ktap -t "$limit" "$@"' vm "$each" "${runs[@]}"
