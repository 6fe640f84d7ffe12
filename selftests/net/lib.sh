# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A pair of CTI servers, an arbiter and a caller in network namespaces:
#
#      +-----------+          L1, crossover          +-----------+
#      |  a (0)    |x ----------------------------- x|   b (1)   |
#      |  ctihad   |                                 |  ctihad   |
#      |  load     |l -----.                 .----- l|  load     |
#      +-----------+        \               /        +-----------+
#                         +-------------------+
#                         |  bridge "lan"     |  L2: a-b, L3: a-w, b-w
#                         +-------------------+
#      +-----------+        /               \        +-----------+
#      |  w        |l -----'                 '----- l|  c        |
#      |  arbiter  |                                 |  caller   |
#      +-----------+                                 +-----------+
#
# Links are cut without the servers' carriers changing: a bridge port that is
# "disabled" forwards nothing; two ports that are "isolated" reach all but each
# other.
#
# BACKEND=packet (default) beats in the daemon; BACKEND=module needs ctiha.ko.
#
# A recorder keeps each server's events from its first to its last. After each
# scenario the audit checks that no two servers were ever active at once, and who
# is active; where both run, that their stores are identical.

set -euo pipefail

NET_DIR=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$NET_DIR/../.." && pwd)
BIN=${BIN:-$TOP/build/bin}
BACKEND=${BACKEND:-packet}
WORK=$(mktemp -d "${TMPDIR:-/tmp}/ctiha-net.XXXXXX")
NS=ct$$

# Relaxed, so that a busy machine proves order and state, not milliseconds.
INTERVAL=${INTERVAL:-50ms}
MULTIPLIER=${MULTIPLIER:-5}
LEASE=${LEASE:-500ms}
PROMISE=${PROMISE:-600ms}
ARBITER_TIMEOUT=${ARBITER_TIMEOUT:-400ms}
WATCH=${WATCH:-1s}
STATE_WAIT=${STATE_WAIT:-2s}
PATIENCE=${PATIENCE:-30}

SERVICE=10.9.2.100
declare -A NODE=([a]=0 [b]=1) OTHER=([a]=b [b]=a)
declare -A PID=()
TEST_COUNT=0 TEST_FAILED=0

in_ns()
{
	local ns=$1

	shift
	ip netns exec "$NS$ns" "$@"
}

# ---- topology ---------------------------------------------------------------

net_up()
{
	local ns

	for ns in a b w c lan; do
		ip netns add "$NS$ns"
		in_ns $ns ip link set lo up
	done
	in_ns lan ip link add br0 type bridge
	in_ns lan ip link set br0 up
	ip -n "${NS}a" link add name x type veth peer name x netns "${NS}b"
	for ns in a b w c; do
		ip -n "$NS$ns" link add name l type veth peer name "$ns" netns "${NS}lan"
		in_ns lan ip link set dev "$ns" master br0 up
		in_ns $ns ip link set dev l up
	done
	for ns in a b; do
		in_ns $ns ip link set dev x up
		in_ns $ns ip addr add "10.9.1.$((NODE[$ns] + 1))/24" dev x
		in_ns $ns ip addr add "10.9.2.$((NODE[$ns] + 1))/24" dev l
	done
	in_ns w ip addr add 10.9.2.10/24 dev l
	in_ns c ip addr add 10.9.2.20/24 dev l
}

net_down()
{
	local ns

	for ns in a b w c lan; do
		ip netns del "$NS$ns" 2>/dev/null || true
	done
}

# crossover up|down
crossover()
{
	in_ns a ip link set dev x "$1"
}

# port NAME forwarding|disabled: a host's connection to the LAN
port()
{
	local state=3

	[ "$2" = disabled ] && state=0
	in_ns lan bridge link set dev "$1" state "$state"
}

# isolate NAME NAME: these hosts do not reach each other; all others they do
# shellcheck disable=SC2120 # none are named to isolate nobody
isolate()
{
	local host

	for host in a b w c; do
		in_ns lan bridge link set dev "$host" isolated off
	done
	for host in "$@"; do
		in_ns lan bridge link set dev "$host" isolated on
	done
}

links_restore()
{
	local host

	crossover up
	# shellcheck disable=SC2119 # not this function's arguments
	isolate
	for host in a b w c; do
		port $host forwarding
	done
}

# ---- processes --------------------------------------------------------------

write_key()
{
	(umask 077 && head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > "$WORK/key")
}

write_config()
{
	local s=$1 n=${NODE[$1]} other=$((1 - NODE[$1]))

	mkdir -p "$WORK/$s"
	cat > "$WORK/$s/ctiha.conf" <<-EOT
	node = $n
	pair = 7
	name = "cti-$s"
	peer-name = "cti-${OTHER[$s]}"
	key-file = "$WORK/key"
	backend = "$BACKEND"
	state-dir = "$WORK/$s/state"
	run-dir = "$WORK/$s/run"
	store = "$WORK/$s/store"
	lease = "$LEASE"
	promise = "$PROMISE"
	state-wait = "$STATE_WAIT"
	watch = "$WATCH"
	quiesce = "5s"
	link crossover {
		device = "x"
		interval = "$INTERVAL"
		multiplier = $MULTIPLIER
		address = "10.9.1.$((n + 1))"
		peer-address = "10.9.1.$((other + 1))"
	}
	link lan {
		device = "l"
		interval = "$INTERVAL"
		multiplier = $MULTIPLIER
		address = "10.9.2.$((n + 1))"
		peer-address = "10.9.2.$((other + 1))"
	}
	arbiter {
		address = "10.9.2.10"
		interval = "$INTERVAL"
		timeout = "$ARBITER_TIMEOUT"
	}
	service {
		address = "$SERVICE/24"
		device = "l"
	}
	hook on-active {
		command = {"/bin/sh", "-c", "echo active \$CTIHA_EPOCH >> $WORK/$s/hooks"}
	}
	hook on-standby {
		command = {"/bin/sh", "-c", "echo standby \$CTIHA_EPOCH >> $WORK/$s/hooks"}
	}
	EOT
}

# start NAME NS COMMAND...: in the background, by name
start()
{
	local name=$1 ns=$2

	shift 2
	ip netns exec "$NS$ns" "$@" >> "$WORK/$name.log" 2>&1 &
	PID[$name]=$!
	# Until then it is a copy of this shell, which swallows a SIGTERM.
	while [ "/proc/${PID[$name]}/exe" -ef "/proc/$$/exe" ]; do
		sleep 0.01
	done
}

# end NAME [SIGNAL]: and wait until it is gone
end()
{
	local name=$1 signal=${2:-TERM}

	[ -n "${PID[$name]:-}" ] || return 0
	kill "-$signal" "${PID[$name]}" 2>/dev/null || true
	kill -CONT "${PID[$name]}" 2>/dev/null || true
	wait "${PID[$name]}" 2>/dev/null || true
	unset "PID[$name]"
}

# The clock of the events, without the delay of starting a program; 10 ms coarse
# and rounded up, so that what is marked has happened.
now_ns()
{
	local up

	read -r up _ < /proc/uptime
	echo "$((${up/./} + 1))0000000"
}

# mark SERVER begin|end: outside of [begin, end] the server could not act
mark()
{
	echo "{\"object\":\"mark\",\"mark\":\"$2\",\"time_ns\":$(now_ns)}" >> "$WORK/$1.events"
}

# mark_daemon SERVER begin|end: the same for its daemon. The module outlives it,
# and what the module does then is told by its events.
mark_daemon()
{
	[ "$BACKEND" = module ] || mark "$1" "$2"
}

arbiter_start()
{
	mkdir -p "$WORK/w"
	start arbiter w "$BIN/ctiha-arbiter" -l 10.9.2.10:862 -d "$WORK/w" \
		--pair "7:$WORK/key"
}

daemon_start()
{
	start "daemon-$1" "$1" "$BIN/ctihad" -c "$WORK/$1/ctiha.conf"
	wait_until "ctihad of $1 answers" cli "$1" -j status
	recorder_start "$1"
}

app_start()
{
	start "app-$1" "$1" "$BIN/ctiha-load" serve \
		--socket "$WORK/$1/run/app.sock" --listen 0.0.0.0:5077
}

server_start()
{
	daemon_start "$1"
	app_start "$1"
}

# The whole server dies at once. The module would tell the peer of the daemon's
# death, so with the module the links go first.
server_kill()
{
	kill -STOP "${PID[app-$1]}" "${PID[daemon-$1]}" 2>/dev/null || true
	if [ "$BACKEND" = module ]; then
		in_ns "$1" "$BIN/ctiha" link del crossover || true
		in_ns "$1" "$BIN/ctiha" link del lan || true
	fi
	mark "$1" end
	end "daemon-$1" KILL
	end "app-$1" KILL
	end "recorder-$1"
	mark "$1" begin
}

server_stop()
{
	end "daemon-$1"
	end "app-$1"
	end "recorder-$1"
}

recorder_start()
{
	end "recorder-$1"
	: > "$WORK/$1.now"
	ip netns exec "$NS$1" "$BIN/ctiha" -c "$WORK/$1/run/control.sock" -j monitor \
		2>> "$WORK/recorder-$1.log" > >(tee -a "$WORK/$1.events" > "$WORK/$1.now") &
	PID[recorder-$1]=$!
	wait_until "the recorder of $1 listens" test -s "$WORK/$1.now"
}

# record_packets NS DEVICE FILE [OPTION]...: what comes in there, until
# record_end NS; returns when the first has come
record_packets()
{
	local ns=$1 device=$2 file=$3

	shift 3
	record_end "$ns"
	rm -f "$file"
	start "sniffer-$ns" "$ns" python3 "$NET_DIR/hostile.py" sniff "$device" "$file" "$@"
	wait_until "packets on $device of $ns are recorded" test -s "$file"
}

record_end() { end "sniffer-$1"; }

# recorded FILE COUNT
recorded() { [ "$(wc -l < "$1")" -ge "$2" ]; }

cli()
{
	local s=$1

	shift
	in_ns "$s" "$BIN/ctiha" -c "$WORK/$s/run/control.sock" "$@"
}

# ---- conditions -------------------------------------------------------------

# field SERVER FILTER: of its status
field()
{
	cli "$1" -j status 2>/dev/null | jq -r "$2" 2>/dev/null || true
}

is()
{
	[ "$(field "$1" "$2")" = "$3" ]
}

active() { is "$1" .role active; }
standby() { is "$1" .role standby; }
not_active() { ! active "$1"; }
follows() { is "$1" .phase following; }
identical() { is "$1" .sync.state identical; }
able() { is "$1" .application.alive true; }
alarm() { is "$1" "[.alarms[].id] | index(\"$2\") != null" true; }
no_alarm() { is "$1" "[.alarms[].id] | index(\"$2\")" null; }
link_is() { is "$1" ".links[] | select(.name == \"$2\") | .state" "$3"; }
arbiter_is() { is "$1" .arbiter.up "$2"; }

has_service()
{
	in_ns "$1" ip -o addr show dev l | grep -q " $SERVICE/"
}

lacks_service() { ! has_service "$1"; }

# wait_until WHAT COMMAND...: poll a condition, no longer than PATIENCE seconds
wait_until()
{
	local what=$1 end=$((SECONDS + PATIENCE))

	shift
	until "$@" > /dev/null 2>&1; do
		if [ "$SECONDS" -ge "$end" ]; then
			echo "# not so within $PATIENCE s: $what ($*)"
			return 1
		fi
		sleep 0.05
	done
}

# holds SECONDS COMMAND...: a condition that must not end
holds()
{
	local end=$((SECONDS + $1))

	shift
	while [ "$SECONDS" -lt "$end" ]; do
		if ! "$@"; then
			echo "# ended: $*"
			return 1
		fi
		sleep 0.1
	done
}

serves()
{
	wait_until "$1 is active" active "$1" &&
		wait_until "$1 holds the service address" has_service "$1"
}

in_step()
{
	wait_until "$1 and ${OTHER[$1]} are identical" identical "$1" &&
		wait_until "${OTHER[$1]} follows" follows "${OTHER[$1]}" &&
		wait_until "${OTHER[$1]} is identical" identical "${OTHER[$1]}"
}

# pair_up [ACTIVE]: everything runs, ACTIVE serves (a if not given)
pair_up()
{
	local active=${1:-a} s

	for s in "$active" "${OTHER[$active]}"; do
		[ -n "${PID[daemon-$s]:-}" ] || server_start "$s"
		wait_until "$s has its application" able "$s"
		if [ "$s" = "$active" ]; then
			# Alone at first, so that it is the one to serve.
			wait_until "somebody serves" somebody_active
		fi
	done
	wait_until "both are there" in_step_any
	active "$active" || cli "$active" takeover --wait
	serves "$active" && in_step "$active"
}

somebody_active() { active a || active b; }
in_step_any() { follows a || follows b; }

# ---- callers ----------------------------------------------------------------

# callers_start CALLS RATE FIRST: callers, until callers_end
callers_start()
{
	rm -f "$WORK/orders" "$WORK/result" "$WORK/callers.log"
	mkfifo "$WORK/orders"
	start callers c "$BIN/ctiha-load" drive --service "$SERVICE:5077" \
		--calls "$1" --rate "$2" --window 1024 --first "$3" \
		--control "$WORK/orders" --json "$WORK/result"
	exec 9> "$WORK/orders"
	wait_until "all calls are set up" grep -q '"filled"' "$WORK/callers.log"
}

# All that they were told is true. Calls that others left behind are not theirs.
callers_end()
{
	echo quit >&9
	exec 9>&-
	wait "${PID[callers]}" || true
	unset "PID[callers]"
	jq -c '{complete, calls_before, calls_lost, calls_wrong, calls_duplicated,
		calls_resurrected, writes_acked_standby, writes_acked_alone,
		longest_gap_ms}' "$WORK/result" | sed 's/^/# /'
	jq -e '.complete and .calls_before > 0 and .calls_lost + .calls_wrong +
		.calls_duplicated + .calls_resurrected == 0' "$WORK/result" > /dev/null
}

# ---- audit ------------------------------------------------------------------

# audit [ACTIVE]: never two; exactly ACTIVE now ("none": nobody); stores equal
audit()
{
	local want=${1:-} s

	python3 "$NET_DIR/audit.py" "$WORK/a.events" "$WORK/b.events" || return 1
	[ -n "$want" ] || return 0
	for s in a b; do
		[ -n "${PID[daemon-$s]:-}" ] || continue
		if [ "$s" = "$want" ]; then
			active $s || { echo "# $s is not active"; return 1; }
		else
			not_active $s || { echo "# $s is active"; return 1; }
		fi
	done
}

stores_equal()
{
	[ "$(cli a -j sync show | jq -r .digest)" = "$(cli b -j sync show | jq -r .digest)" ]
}

# ---- test protocol ----------------------------------------------------------

# scenario NAME FUNCTION: in this shell, so that state is kept. In a condition
# "set -e" is off, so the function's steps are chained by &&.
scenario()
{
	local name=$1

	shift
	TEST_COUNT=$((TEST_COUNT + 1))
	echo "# ---- $name"
	if "$@"; then
		echo "ok $TEST_COUNT $name"
	else
		TEST_FAILED=$((TEST_FAILED + 1))
		show_logs
		echo "not ok $TEST_COUNT $name"
	fi
}

show_logs()
{
	local log

	for log in "$WORK"/*.log; do
		echo "# == ${log##*/}"
		tail -n 40 "$log" | sed 's/^/#  /'
	done
	for s in a b; do
		echo "# == status of $s"
		cli $s status 2>&1 | sed 's/^/#  /' || true
	done
}

finish()
{
	echo "1..$TEST_COUNT"
	[ "$TEST_FAILED" -eq 0 ]
}

cleanup()
{
	local name

	trap - EXIT INT TERM
	for name in "${!PID[@]}"; do
		end "$name" KILL
	done
	net_down
	[ -n "${KEEP:-}" ] || rm -rf "$WORK"
}

begin()
{
	echo "KTAP version 1"
	if [ "$(id -u)" -ne 0 ]; then
		echo "1..0 # SKIP needs root for network namespaces"
		exit 0
	fi
	trap cleanup EXIT
	trap 'exit 1' INT TERM
	net_up
	write_key
	write_config a
	write_config b
	arbiter_start
}
