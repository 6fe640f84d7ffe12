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

server()	# NAME NODE
{
	local n=$1 i me=$(($2 + 1)) peer=$((2 - $2))

	ip netns add "$n"
	ip -n "$n" link set lo up
	for i in 0 1; do
		ip link set "cable$i$n" netns "$n"
		ip -n "$n" addr add "10.9.$((i + 1)).$me/24" dev "cable$i$n"
		ip -n "$n" link set "cable$i$n" up
	done
	cat > "/etc/$n.conf" <<-CONF
	node = $2
	pair = 7
	name = $n
	peer-name = peer
	key-file = /etc/pair.key
	state-dir = /var/lib/$n
	run-dir = /run/$n
	store = /run/$n/store
	lease = 4s
	promise = 4500ms
	watch = 60s
	link crossover {
		device = cable0$n
		interval = 10ms
		multiplier = 3
		address = 10.9.1.$me
		peer-address = 10.9.1.$peer
	}
	link lan {
		device = cable1$n
		interval = 10ms
		multiplier = 3
		address = 10.9.2.$me
		peer-address = 10.9.2.$peer
	}
	arbiter {
		address = 10.9.2.9
	}
	service {
		address = 10.9.2.100/24
		device = cable1$n
	}
	CONF
	mkdir -p "/var/lib/$n" "/run/$n"
	ip netns exec "$n" ctihad -c "/etc/$n.conf" > "/run/$n.log" 2>&1 &
}

links() { ctiha -c "/run/$1/control.sock" -j -s link show; }

up() { [ "$(links "$1" 2> /dev/null | grep -o '"state": *"up"' | wc -l)" = 2 ]; }

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

(umask 077 && printf '%064d' 7 > /etc/pair.key)
mkdir -p /run/netns
server a 0
server b 1
until up a && up b; do
	sleep 0.2
done
for kind in none "$@"; do
	measure "$kind"
done
