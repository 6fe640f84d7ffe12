#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A standby that stands still, or is out of reach, while calls come in: they go on,
# the memory that is kept for it is bounded, and afterwards it has all of them.
#
# OUTAGE seconds (default 8), RATE requests a second (2000), CALLS (1000). For
# minutes at full load see Documentation/testing.rst.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

OUTAGE=${OUTAGE:-8}
RATE=${RATE:-2000}
CALLS=${CALLS:-1000}
# The backlog's 64 MiB and the queue's 32, and as much again for what they are in.
MEMORY_KB=$((2 * 96 * 1024))

# Memory of the daemon of a that is not the store's, kB
memory() { awk '/^RssAnon/ { print $2 }' "/proc/${PID[daemon-a]}/status"; }

# At least a quarter of what was asked for; the rest is the machine's.
went_on_alone()
{
	local alone

	alone=$(jq .writes_acked_alone "$WORK/result")
	[ "$alone" -ge $((OUTAGE * RATE / 4)) ] ||
		{ echo "# only $alone writes in $OUTAGE s"; return 1; }
}

# bounded BEFORE
bounded()
{
	local grown=$(($(memory) - $1))

	echo "# grown by $grown kB"
	[ "$grown" -le "$MEMORY_KB" ]
}

# outage BEGIN END FIRST: two functions
outage()
{
	local before

	callers_start "$CALLS" "$RATE" "$3" || return 1
	before=$(memory)
	"$1" && holds "$OUTAGE" active a && bounded "$before" && "$2" &&
		callers_end && went_on_alone && in_step a && audit a && stores_equal
}

stop() { kill -STOP "${PID[daemon-b]}"; mark_daemon b end; }
go_on() { mark_daemon b begin; kill -CONT "${PID[daemon-b]}"; }

# Its answers go to nobody; heartbeats are no IP and go on.
cut_off()
{
	in_ns b ip neigh replace 10.9.1.1 lladdr 02:00:00:00:00:01 dev x nud permanent &&
		in_ns b ip neigh replace 10.9.2.1 lladdr 02:00:00:00:00:01 dev l nud permanent
}

reachable()
{
	in_ns b ip neigh del 10.9.1.1 dev x && in_ns b ip neigh del 10.9.2.1 dev l
}

standby_stopped() { outage stop go_on 1; }
standby_out_of_reach() { outage cut_off reachable 10000001; }

begin
scenario "a pair that serves" pair_up a
scenario "the standby is stopped for $OUTAGE s" standby_stopped
scenario "the standby is out of reach for $OUTAGE s" standby_out_of_reach
finish
