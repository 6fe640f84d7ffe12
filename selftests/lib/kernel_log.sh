#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# kernel_log.sh NAME: has the guest's kernel complained since it was asked last?
# Prints every complaint, with what the kernel said after it. On a kernel with
# kmemleak what is leaked counts, too. One KTAP result.
#
# KERNEL_TROUBLE: what a complaint looks like (scripts/vmlib.py knows).

set -euo pipefail

name=$1
mark="kernel_log.sh: end of"
leaks=/sys/kernel/debug/kmemleak
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# It takes nothing for leaked that is younger than 5 seconds.
scan_for_leaks()
{
	[ -w $leaks ] || return 0
	sleep 6
	echo scan > $leaks
	while read -r line; do
		echo "$line" > /dev/kmsg
	done < $leaks
	echo clear > $leaks
}

since_the_last_mark()
{
	dmesg | awk -v mark="$mark" 'index($0, mark) { text = ""; next }
		{ text = text $0 "\n" } END { printf "%s", text }'
}

scan_for_leaks
since_the_last_mark > "$log"
echo "$mark $name" > /dev/kmsg
echo "KTAP version 1"
echo "1..1"
if ! grep -q -P "$KERNEL_TROUBLE" "$log"; then
	echo "ok 1 the kernel had no complaints during $name"
	exit
fi
grep -n -P -A 40 "$KERNEL_TROUBLE" "$log" | head -n 300 | sed 's/^/# /'
echo "not ok 1 the kernel had no complaints during $name"
exit 1
