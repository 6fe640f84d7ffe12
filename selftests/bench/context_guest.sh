#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# How late do heartbeats and verdicts run beside a load? In one guest in
# virtual time, with both servers in it:
#
#     +--- a ---+  crossover: two virtio cards, one cable  +--- b ---+
#     | ctihad  |------------------------------------------| ctihad  |
#     |         |------------------------------------------|         |
#     +---------+           lan: a veth pair               +---------+
#
# usage: context_guest.sh SECONDS LOAD...    idle cpu hog-PRIORITY flood-PRIORITY
# Prints "row {...}" in JSON for each load and link.

seconds=$1
shift
trace=/sys/kernel/tracing
interval_ns=10000000
# shellcheck source=selftests/bench/server.sh
. /bench/server.sh

# What server NAME says of its peer.
monitor()	# NAME
{
	until [ -S "/run/$1/control.sock" ]; do sleep 0.1; done
	ctiha -c "/run/$1/control.sock" -j monitor > "/run/$1.events" 2>&1 &
}

settle()
{
	wait_up
	sleep 0.5
}

loads=()

spin()		# COMMAND...: for ever, by COMMAND
{
	"$@" sh -c 'while :; do :; done' &
	loads+=($!)
}

load_start()	# LOAD
{
	local priority=${1##*-} i

	case $1 in
	cpu)
		for i in 1 2 3 4; do
			spin chrt -o 0
		done ;;
	hog-*)
		spin chrt -f "$priority" ;;
	flood-*)
		# Each write is a datagram, on the card that carries heartbeats.
		# shellcheck disable=SC2016 # the inner shell expands it
		ip netns exec b chrt -f "$priority" bash -c \
			'exec 3> /dev/udp/10.9.1.1/9; while :; do echo x >&3; done 2>/dev/null' &
		loads+=($!) ;;
	esac
}

# By this shell: the timer of a program that ends it by itself is left to a softirq,
# which starves beside the load on PREEMPT_RT.
load_end()
{
	local load

	for load in "${loads[@]}"; do
		kill -KILL "$load"
		wait "$load" 2> /dev/null	# it would tell who was killed
	done
	loads=()
}

trace_start()
{
	echo > $trace/trace
	echo 1 > $trace/tracing_on
}

# name, p99 and worst of a column of nanoseconds, in microseconds
spread()
{
	sort -n | awk -v name="$1" '{ v[NR] = $1 }
		END { p = int(NR * 0.99); if (p < 1) p = 1
		      printf "\"%s_n\": %d, \"%s_p99_us\": %.1f, \"%s_max_us\": %.1f", name,
			     NR, name, NR ? v[p] / 1000 : 0, name, NR ? v[NR] / 1000 : 0 }'
}

# What the trace's flags show of an interrupt, and of what is none: a softirq, or the
# thread that does its work on PREEMPT_RT.
hard='\\[[0-9]+\\] [^ ]*[hH]'
soft='\\[[0-9]+\\] [^ hH]+ '

# lateness FUNCTION FLAGS: of a timer of the module, from due (or started, if that was
# later) to called
lateness()
{
	awk -v f="function=$1" -v flags="$2" '
		/hrtimer_start:/ && index($0, f " ") {
			match($0, /[0-9]+\.[0-9]+: /); now = substr($0, RSTART, RLENGTH - 2) * 1e9
			match($0, /hrtimer=[^ ]*/); t = substr($0, RSTART, RLENGTH)
			match($0, / expires=[0-9]*/); due[t] = substr($0, RSTART + 9, RLENGTH - 9) + 0
			if (due[t] < now) due[t] = now }
		/hrtimer_expire_entry:/ && index($0, f " ") && $0 ~ flags {
			match($0, /hrtimer=[^ ]*/); t = substr($0, RSTART, RLENGTH)
			match($0, /now=[0-9]*/); if (t in due) print substr($0, RSTART + 4, RLENGTH - 4) - due[t] }
		' $trace/trace
}

# pauses KIND: between the beats of a link, beyond the interval; both servers
pauses()
{
	awk -v kind="kind=$1 *$" -v interval=$interval_ns '
		/ beat: / && $0 ~ kind {
			match($0, /[0-9]+\.[0-9]+: /)
			now = substr($0, RSTART, RLENGTH - 2) * 1e9
			match($0, /node=[0-9]/); n = substr($0, RSTART, RLENGTH)
			if (n in last) { d = now - last[n] - interval; print (d > 0 ? d : 0) }
			last[n] = now }' $trace/trace
}

number()	# FILE NAME KEY: sum over all links of that name
{
	awk -v name="\"name\": *\"$2\"" -v key="\"$3\":" '
		BEGIN { RS = "[][{},]" }
		$0 ~ /"name":/ { on = $0 ~ name }
		on && index($0, key) { sub(/.*: */, ""); sum += $0 }
		END { print sum + 0 }' "$1"
}

growth()	# LINK KEY
{
	echo $(($(number /tmp/after "$1" "$2") - $(number /tmp/before "$1" "$2")))
}

show_both()
{
	{ links a; links b; } > "$1"
}

late_timers()
{
	lateness tick "$hard" | spread hard
	printf ', '
	lateness tick "$soft" | spread soft
	printf ', '
	lateness deadline "$hard" | spread deadline
	echo '}'
}

# Both servers live: what they sent, and what they wrongly thought of each other.
live()
{
	local load=$1 link

	show_both /tmp/before
	trace_start
	load_start "$load"
	pause "$seconds"
	echo 0 > $trace/tracing_on
	load_end
	sleep 1.5
	show_both /tmp/after
	for link in crossover lan; do
		printf 'row {"load": "%s", "link": "%s", "seconds": %s, ' "$load" "$link" "$seconds"
		for key in tx missed deferred changes stalls withheld; do
			printf '"%s": %d, ' $key "$(growth $link $key)"
		done
		pauses "$([ $link = lan ] && echo 2 || echo 1)" | spread pause
		echo '}'
	done
	printf 'row {"load": "%s", "link": "both", ' "$load"
	late_timers
}

# This shell stands above the loads, and above what receives: a program started just
# then would show in what is measured. So it does by itself what is done then.

pause()		# SECONDS
{
	read -rt "$1" <> /run/nobody
}

# A tc that waits for its commands. Not `ip link set down`: it waits for RCU, which
# starves beside the load on PREEMPT_RT.
scissors()
{
	local card

	for card in cable0a vetha; do
		ip netns exec a tc qdisc add dev $card clsact
	done
	mkfifo /run/scissors
	ip netns exec a chrt -f 90 tc -batch - < /run/scissors &
	exec 4> /run/scissors
}

cut()
{
	printf 'filter add dev %s ingress matchall action drop\n' cable0a vetha >&4
}

heal()
{
	printf 'filter del dev %s ingress\n' cable0a vetha >&4
}

# As if b had died beside the load: how long behind the deadline is a's verdict?
dead()
{
	local load=$1 lines when

	settle
	lines=$(wc -l < /run/a.events)
	trace_start
	load_start "$load"
	pause 2
	read -r when _ < /proc/uptime
	cut
	pause 4.5
	echo 0 > $trace/tracing_on
	load_end
	heal
	sleep 1
	tail -n +$((lines + 1)) /run/a.events > /tmp/events
	grep '"cause": *"session"' /tmp/events | grep '"state": *"down","diag": *"silence"' | sed "s/^/silence $load ${when/./}0000000 /"
	printf 'row {"load": "%s", "link": "dead", ' "$load"
	late_timers
	settle
}

prepare()
{
	echo 1 > /proc/sys/kernel/printk	# the console is for what is measured
	mount -t tracefs tracefs $trace
	echo mono > $trace/trace_clock
	echo 16384 > $trace/buffer_size_kb
	echo 'p:ctiha/beat ctiha:ctiha_frame_seal node=+5(%si):u8 kind=+4(%si):u8' \
		> $trace/kprobe_events
	echo 1 > $trace/events/ctiha/beat/enable
	echo 1 > $trace/events/timer/hrtimer_start/enable
	echo 1 > $trace/events/timer/hrtimer_expire_entry/enable
	echo 0 > $trace/tracing_on
	ip link add vetha type veth peer name vethb
	server a 0 cable0a vetha
	server b 1 cable0b vethb
	monitor a
	mkfifo /run/nobody
	scissors
	settle
}

prepare
# What follows steers the loads, so it stands above them.
chrt -f -p 90 $$ > /dev/null
for load in "$@"; do
	live "$load"
	dead "$load"
done
