#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The guest of bench-flood: guest.sh RATE SECONDS KIND...
#
#      +---------------+        crossover       +---------------+
#      |   a: victim   |cable0a -------- cable0b|   b: its peer |
#      |    ctihad     |cable1a -------- cable1b|     floods    |
#      +---------------+           lan          +---------------+
#
# For each KIND of forge.c, and "none", prints "row {...}": what the victim's and the
# peer's counters of the crossover grew by, and the CPU's idle time.

rate=$1 seconds=$2
shift 2
# shellcheck source=selftests/bench/server.sh
. /bench/server.sh

# The counters of the crossover, which is the first of the links, on one line.
counters() { links "$1" | tr -d ' \n' | sed 's/"name":"lan".*//'; }

number()	# COUNTERS KEY
{
	local rest=${1#*\""$2"\":}

	[ "$rest" != "$1" ] && echo "${rest%%[!0-9]*}"
}

idle_ns() { awk '$1 == ".idle_sleeptime" { print $3; exit }' /proc/timer_list; }

now_ns() { awk '$1 == "now" && $2 == "at" { print $3; exit }' /proc/timer_list; }

flood()		# KIND: prints how many frames were sent
{
	case $1 in
	none)	sleep "$seconds"; echo 0 ;;
	*)	ip netns exec b forge cable0b "$1" "$rate" "$seconds" ;;
	esac
}

measure()
{
	local kind=$1 before_a before_b after_a after_b idle now sent key

	sleep 3		# the shares that the one before has spent come back
	before_a=$(counters a) before_b=$(counters b)
	now=$(now_ns) idle=$(idle_ns)
	sent=$(flood "$kind")
	idle=$(($(idle_ns) - idle)) now=$(($(now_ns) - now))
	sleep 0.2	# what the rings still hold
	after_a=$(counters a) after_b=$(counters b)
	printf 'row {"kind": "%s", "sent": %d, "ns": %d, "idle_ns": %d' \
		"$kind" "$sent" "$now" "$idle"
	printf ', "beats": %d' $(($(number "$after_b" tx) - $(number "$before_b" tx)))
	for key in rx lost missed version key forged unverified replayed changes stalls; do
		printf ', "%s": %d' $key \
			$(($(number "$after_a" $key) - $(number "$before_a" $key)))
	done
	echo '}'
}

server a 0 cable0a cable1a
server b 1 cable0b cable1b
wait_up
for kind in none "$@"; do
	measure "$kind"
done
