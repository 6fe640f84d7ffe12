#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A pair gets a new key while it serves: first both accept it, then both send with
# it, then the old one is given up; in either order of the servers. No heartbeat is
# lost or refused, no session ends, sync and arbiter go on.

# Short intervals, and patience: a stall of a busy machine must not end a session.
INTERVAL=${INTERVAL:-20ms}
MULTIPLIER=50
LEASE=8s
PROMISE=9s

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

RECORD=$WORK/record

new_key()
{
	(umask 077 && head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > "$1")
}

# Counters that a roll-over must not touch, of both links.
refusals()
{
	field "$1" '[.links[] | .changes, (.stats | .key, .forged, .lost, .malformed,
		.version, .foreign, .unverified)] | tostring'
}

untouched() { [ "$(refusals a) $(refusals b)" = "$BEFORE" ]; }

received() { field "$1" "[.links[] | .stats.rx] | add"; }

# beats NUMBER: so many more reach each server, by both links together
beats()
{
	local s target

	for s in a b; do
		target=$(($(received $s) + $1))
		wait_until "$s hears $1 more" hears $s $target || return 1
	done
}

hears() { [ "$(received "$1")" -ge "$2" ]; }

# option SERVER LINE: in its configuration, instead of one of that name
option()
{
	sed -i -e "1i $2" -e "/^${2%% *} = /d" "$WORK/$1/ctiha.conf"
}

# sealed SLOT: a's frames on the crossover carry that key id now
sealed()
{
	record_packets b x "$RECORD" && record_end b &&
		tail -n 1 "$RECORD" | grep -q "^01$1"
}

accept_both()
{
	local s

	BEFORE="$(refusals a) $(refusals b)"
	for s in "$@"; do
		option "$s" "second-key-file = \"$WORK/$s/second\""
		cli "$s" reload || return 1
		beats 10 || return 1
	done
	untouched && sealed 00
}

send_with()
{
	local which=$1 s

	shift
	for s in "$@"; do
		option "$s" "send-key = $which"
		cli "$s" reload && beats 10 || return 1
	done
	untouched
}

sync_again() { [ "$(cli a -j sync show | jq -r .path)" != none ] && in_step a; }

# The file of the old key is written over; the other one is sent with. By SIGHUP.
give_up()
{
	local file=$1 s

	shift
	for s in "$@"; do
		cp "$WORK/newest" "$WORK/$s/$file"
		kill -HUP "${PID[daemon-$s]}"
		wait_until "$s has read it" reloads "$s" "$((RELOADS[$s] += 1))" &&
			beats 10 || return 1
	done
	untouched
}

declare -A RELOADS=([a]=0 [b]=0)
reloads() { [ "$(grep -c 'keys were read again' "$WORK/daemon-$1.log")" -ge "$2" ]; }

count_reloads()
{
	local s

	for s in a b; do
		RELOADS[$s]=$(grep -c 'keys were read again' "$WORK/daemon-$s.log")
	done
}

roll_over()
{
	new_key "$WORK/newest"
	cp "$WORK/newest" "$WORK/a/second" && cp "$WORK/newest" "$WORK/b/second" &&
		accept_both a b && send_with second b a && sealed 01 && in_step a &&
		audit a && count_reloads && give_up first a b && stores_equal && audit a
}

old_key_is_refused()
{
	local before

	before=$(field b '.links[] | select(.name == "crossover") | .stats.forged')
	record_packets b x "$RECORD" && record_end b &&
		in_ns a python3 "$NET_DIR/hostile.py" forge other-pair x "$RECORD" \
			"$WORK/key" > /dev/null &&
		wait_until "frames under the old key are refused" forged_more "$before" &&
		active a && audit a
}

forged_more()
{
	[ "$(field b '.links[] | select(.name == "crossover") | .stats.forged')" -gt "$1" ]
}

# New connections of the sync are made under the new key, old ones go on.
crossover_fails_meanwhile()
{
	crossover down
	wait_until "sync on the LAN" is a .sync.path lan && in_step a &&
		stores_equal || return 1
	crossover up
	wait_until "crossover" link_is a crossover up &&
		wait_until "crossover" link_is b crossover up &&
		wait_until "sync is back" is a .sync.path crossover && in_step a &&
		stores_equal
}

# And the other way round: from second to first, servers in the other order. In
# between the sync has to connect while one server sends with either key.
back_again()
{
	local s

	new_key "$WORK/newest"
	BEFORE="$(refusals a) $(refusals b)"
	for s in b a; do
		cp "$WORK/newest" "$WORK/$s/first"
		cli $s reload && beats 10 || return 1
	done
	untouched || return 1
	option a "send-key = first"
	cli a reload && crossover_fails_meanwhile || return 1
	BEFORE="$(refusals a) $(refusals b)"
	send_with first b && sealed 00 && count_reloads && give_up second b a &&
		in_step a && audit a
}

broken_file_changes_nothing()
{
	BEFORE="$(refusals a) $(refusals b)"
	cp "$WORK/a/ctiha.conf" "$WORK/a/good"
	option a "send-key = third"
	! cli a reload 2> "$WORK/refusal" && grep -q "has errors" "$WORK/refusal" &&
		grep -q "neither 'first' nor 'second'" "$WORK/daemon-a.log" &&
		beats 10 && untouched || return 1
	cp "$WORK/a/good" "$WORK/a/ctiha.conf"
	cli a reload && beats 10 && untouched && audit a
}

# A restart in the middle takes the same keys.
restart_in_between()
{
	server_stop b
	server_start b
	in_step a && wait_until "crossover" link_is b crossover up && audit a &&
		wait_until "the arbiter answers" arbiter_is b true
}

begin
for s in a b; do
	cp "$WORK/key" "$WORK/$s/first"
	option $s "key-file = \"$WORK/$s/first\""
	# The arbiter has a key of its own, so that it need not be touched.
	sed -i "s|^arbiter {|&\n\tkey-file = \"$WORK/key\"|" "$WORK/$s/ctiha.conf"
done
pair_up a
for s in a b; do
	wait_until "crossover" link_is $s crossover up
	wait_until "LAN" link_is $s lan up
done
scenario "a new key, the active one first" roll_over
scenario "the old key is worth nothing" old_key_is_refused
scenario "a broken file changes nothing" broken_file_changes_nothing
scenario "back to the first slot, the sync connecting in between" back_again
scenario "restart with the new key" restart_in_between
finish
