#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The guest of bench-detect: guest.sh SYSTEM FLOOD LOAD:QUIET:CUTS...
#
#      +-----------------+        cable0        +-----------------+
#      |  a: observed    |cable0a ------ cable0b|  b: its peer,   |
#      |     system      |cable1a ------ cable1b|     floods      |
#      +-----------------+        cable1        +-----------------+
#
# A pair of SYSTEM starts anew for each load. What is measured is cable0; only
# ctiha uses cable1, as it insists on two links; the observer cuts it for good when
# the time without cuts is over. FLOOD is in datagrams a second.
#
# SYSTEM is FILE or FILE-VARIANT. FILE.sh, sourced here, calls `tells` and defines
# system_start NODE VARIANT, which starts all through `node` or, if its output tells
# what the observer wants to know, through `speaker`.

SYSTEM=$1 FLOOD=$2
shift 2
VARIANT=${SYSTEM#"${SYSTEM%%-*}"} VARIANT=${VARIANT#-}
WORK=/tmp/bench
declare -A ADDRESS=([a]=10.9.1.1 [b]=10.9.1.2) LAN=([a]=10.9.2.1 [b]=10.9.2.2)
loads=()

other() { [ "$1" = a ] && echo b || echo a; }

# tells DOWN UP: the lines by which the system says so, see observe.c
tells() { DOWN=$1 UP=$2; }

network()
{
	local n

	for n in a b; do
		ip netns add $n
		ip -n $n link set lo up
		ip link set cable0$n netns $n
		ip link set cable1$n netns $n
		ip -n $n addr add "${ADDRESS[$n]}/24" dev cable0$n
		ip -n $n addr add "${LAN[$n]}/24" dev cable1$n
		ip -n $n link set cable0$n up
		ip -n $n link set cable1$n up
		ip netns exec $n tc qdisc add dev cable0$n clsact
		ip netns exec $n tc qdisc add dev cable1$n clsact
	done
	ip netns exec a ping -c 1 -w 10 "${ADDRESS[b]}" > /dev/null ||
		echo "bench: no way from a to b"
}

# What a system left in the namespaces goes with them; the cards come back.
network_end()
{
	local n card

	for n in a b; do
		ip netns del $n
	done
	for card in cable0a cable1a cable0b cable1b; do
		until [ -d /sys/class/net/$card ]; do
			sleep 0.1
		done
	done
}

# own_folders COMMAND...: both nodes believe to be alone on their machine.
# shellcheck disable=SC2016 # the inner shell expands it
own_folders=('for d in /run /var/lib /dev/shm; do mount -t tmpfs tmpfs $d; done; exec "$@"')

node() { ip netns exec "$1" bash -c "${own_folders[0]}" "$@" >> "$WORK/$1.log" 2>&1 & }

speaker() { ip netns exec "$1" bash -c "${own_folders[0]}" "$@" > "$WORK/$1.out" 2>&1 & }

spin()
{
	"$@" bash -c 'while :; do :; done' &
	loads+=($!)
}

load_start()
{
	case $1 in
	cpu)	spin; spin ;;
	fifo)	spin chrt -f 50 ;;
	flood)	ip netns exec b flood "${ADDRESS[a]}" "$FLOOD" & loads+=($!) ;;
	esac
}

# observe_start QUIET CUTS
observe_start()
{
	# Above every realtime priority, and not throttled with them.
	ip netns exec a chrt -d -T 500000 -D 1000000 -P 1000000 0 \
		observe "$DOWN" "$UP" /run/netns/b "$1" "$2" 7 \
		< $WORK/a.out > $WORK/observed 2> $WORK/observe.log &
	observer=$!
}

up_or_over() { grep -q ' up' $WORK/observed || [ ! -d /proc/$observer ]; }

end_all()
{
	local n

	# The load first: what follows would take long beside it.
	[ ${#loads[@]} = 0 ] || kill -KILL "${loads[@]}" 2> /dev/null
	for n in a b; do
		ip netns pids $n | xargs -r kill -KILL
	done
	wait 2> /dev/null	# it would tell who was killed
	loads=()
}

# measure LOAD QUIET CUTS
measure()
{
	rm -rf $WORK
	mkdir $WORK
	mkfifo $WORK/a.out
	network
	observe_start "$2" "$3"
	system_start a "$VARIANT"
	system_start b "$VARIANT"
	until up_or_over; do
		sleep 0.1
	done
	load_start "$1"
	[ ! -d /proc/$observer ] || echo loaded > $WORK/a.out
	wait $observer
	end_all
	network_end
	echo "bench: load $1"
	sed 's/^/bench: /' $WORK/observed
	head -n 12 $WORK/observe.log
	[ -s $WORK/observed ] || head -n 20 $WORK/*.log $WORK/b.out
}

main()
{
	local load quiet cuts

	# shellcheck source=/dev/null
	. "/bench/${SYSTEM%%-*}.sh"
	for load in "$@"; do
		IFS=: read -r load quiet cuts <<< "$load"
		measure "$load" "$quiet" "$cuts"
	done
}

main "$@"
