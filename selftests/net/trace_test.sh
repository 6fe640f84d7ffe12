#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tracepoints: each step of the protocol leaves its line (Documentation/tracing.rst),
# and a link's quality is measured.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

if [ "$BACKEND" != module ]; then
	echo "KTAP version 1"
	echo "1..1"
	echo "ok 1 tracepoints # SKIP needs the module (BACKEND=module)"
	rm -rf "$WORK"
	exit 0
fi

TRACING=/sys/kernel/tracing
INSTANCE=$TRACING/instances/$NS	# of our own: nobody else's trace is disturbed

trace_on()
{
	mountpoint -q $TRACING || mount -t tracefs tracefs $TRACING
	mkdir "$INSTANCE"
	echo 4096 > "$INSTANCE/buffer_size_kb"
	echo 1 > "$INSTANCE/events/ctiha/enable"
	grep -q 1 "$INSTANCE/events/ctiha/enable"
}

trace_off()
{
	echo 0 > "$INSTANCE/events/ctiha/enable" && rmdir "$INSTANCE"
}

traced() { grep -Eq "$1" "$INSTANCE/trace"; }
sees() { wait_until "the trace has '$1'" traced "$1"; }

begin_again() { echo > "$INSTANCE/trace"; }

heartbeats()
{
	sees 'ctiha_frame_sent: node=0 link=crossover heartbeat seq=' &&
		sees 'ctiha_frame_heard: node=1 link=crossover heartbeat bound seq=' &&
		sees 'ctiha_frame_heard: node=[01] link=lan heartbeat unbound seq=' &&
		sees 'ctiha_daemon_attach: node=0 portid=' &&
		sees 'ctiha_session: node=0 link=lan init -> up ' &&
		sees 'ctiha_lease_activate: node=0 epoch=[0-9]+ .* err=0' &&
		sees 'ctiha_role: node=0 [a-z]+ -> active epoch=[0-9]+ .* cause=command' &&
		sees 'ctiha_fence: node=0 opened until_ns=' &&
		sees 'ctiha_lease_vote: node=0 role=active '
}

a_session_ends()
{
	begin_again
	isolate a b
	sees 'ctiha_silence: node=0 link=lan silent_ns=' &&
		sees 'ctiha_session: node=0 link=lan up -> down diag=silence' || return 1
	# shellcheck disable=SC2119 # not this function's arguments
	isolate
	wait_until "it is repaired" link_is a lan up
}

# With trace-cmd if it is there, as the documentation says; else by hand.
the_role_moves()
{
	begin_again
	cli b takeover --wait && serves b &&
		sees 'ctiha_lease_yield: node=0 role=standby' &&
		sees 'ctiha_role: node=0 active -> standby .* cause=command' &&
		sees 'ctiha_fence: node=0 closed' && sees 'ctiha_role: node=1 standby -> active'
}

forgery_is_named()
{
	begin_again
	in_ns a python3 -c 'import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("x", 0))
s.send(b"\xff" * 6 + b"\x02\0\0\0\0\1" + b"\x88\xb5" + b"\x01" + b"\0" * 103)'
	sees 'ctiha_frame_refused: node=1 link=crossover forged'
}

recipe()
{
	command -v trace-cmd > /dev/null || { echo "# SKIP no trace-cmd"; return 0; }
	(cd "$WORK" && trace-cmd record -q -e ctiha sleep 2 > record.log 2>&1) ||
		{ sed 's/^/# /' "$WORK/record.log"; return 1; }
	trace-cmd report -i "$WORK/trace.dat" > "$WORK/report" 2> "$WORK/record.log"
	grep -q 'ctiha_frame_heard: *node=' "$WORK/report" ||
		{ head -n 5 "$WORK/record.log" "$WORK/report" | sed 's/^/# /'; return 1; }
}

# quality SERVER FILTER: of the crossover
quality() { in_ns "$1" "$BIN/ctiha" -s -j link show crossover | jq -r ".[0].quality$2"; }

histograms()
{
	local measure

	for measure in round_trip jitter lateness; do
		[ "$(quality a ".$measure | .count > 0 and .p50_us <= .p99_us and
			.p99_us <= .max_us and (.buckets | add) == .count")" = true ] ||
			{ quality a ".$measure"; return 1; }
	done
	in_ns a "$BIN/ctiha" -s link show | grep 'crossover round trip' || return 1
	# Not asked for, they are not there: neither in dumps nor in events.
	[ "$(in_ns a "$BIN/ctiha" -j link show | jq '[.[].quality] | all(. == null)')" = true ] &&
		! grep -q '"quality"' "$WORK/a.events"
}

begin
trap 'trace_off 2>/dev/null; cleanup' EXIT
trace_on
pair_up a
scenario "heartbeats, sessions and the lease leave a trace" heartbeats
scenario "so does a session that ends" a_session_ends
scenario "and the role that moves" the_role_moves
scenario "a refused frame says why" forgery_is_named
scenario "trace-cmd reads it" recipe
scenario "quality is measured, and told to those who ask" histograms
finish
