#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A link that works in one direction, and one that flaps: on the LAN (L2), with the
# crossover up, then without it.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# deaf SERVER on|off: nothing that is broadcast reaches it; what it says is heard
deaf()
{
	local flood=on

	[ "$2" = on ] && flood=off
	in_ns lan bridge link set dev "$1" bcast_flood $flood
}

lan() { field "$1" ".links[] | select(.name == \"lan\") | .$2"; }
lan_is() { [ "$(lan "$1" "$2")" = "$3" ]; }

# lan_events SERVER FILTER: how many events of the link since mark_events
lan_events()
{
	tail -n "+$((SEEN[$1] + 1))" "$WORK/$1.events" |
		jq -c "select(.object == \"link\" and .link.name == \"lan\") | .link | select($2)" |
		wc -l
}

declare -A SEEN=()
mark_events()
{
	local s

	for s in a b; do
		SEEN[$s]=$(wc -l < "$WORK/$s.events")
	done
}

is_one_way() { lan_is a direction in && lan_is b direction out; }

# Exactly one change of the session on each side, and no more events afterwards.
one_way_is_a_state()
{
	local before_a before_b events_a events_b

	before_a=$(lan a changes) before_b=$(lan b changes)
	mark_events
	deaf b on
	wait_until "both know which way works" is_one_way || return 1
	events_a=$(lan_events a true) events_b=$(lan_events b true)
	echo "# events: a $events_a, b $events_b"
	lan_is a state init && lan_is a diag peer-down &&
		lan_is b state down && lan_is b diag silence &&
		holds 5 is_one_way || return 1
	[ "$(lan a changes)" = $((before_a + 1)) ] &&
		[ "$(lan b changes)" = $((before_b + 1)) ] &&
		[ "$(lan_events a true)" = "$events_a" ] && [ "$events_a" -le 2 ] &&
		[ "$(lan_events b true)" = "$events_b" ] && [ "$events_b" -le 2 ] &&
		alarm a lan-down && alarm b lan-down && active a && follows b && audit a
}

one_way_ends()
{
	deaf b off
	wait_until "both ways work" lan_is a direction both &&
		wait_until "both ways work" lan_is b direction both &&
		wait_until "a is up" lan_is a state up &&
		wait_until "b is up" lan_is b state up && audit a
}

# A cut in both directions is never reported as one that works in one.
a_cut_has_no_direction()
{
	mark_events
	isolate a b
	wait_until "a hears nothing" lan_is a state down &&
		wait_until "b hears nothing" lan_is b state down &&
		holds 1 lan_is a direction none && holds 1 lan_is b direction none &&
		[ "$(lan_events a true)" = 1 ] && [ "$(lan_events b true)" = 1 ] || return 1
	# shellcheck disable=SC2119 # not this function's arguments
	isolate
	wait_until "a is up" lan_is a state up && wait_until "b is up" lan_is b state up
}

flap()
{
	isolate a b
	wait_until "a hears nothing" lan_is a state down &&
		wait_until "b hears nothing" lan_is b state down || return 1
	# shellcheck disable=SC2119 # not this function's arguments
	isolate
}

damped() { lan_is "$1" state init && lan_is "$1" diag damped; }
flapped_up() { flap && wait_until "a is up" lan_is a state up && wait_until "b is up" lan_is b state up; }

flapping_is_damped()
{
	local before

	flapped_up && flapped_up && flapped_up && flapped_up && flap &&
		wait_until "a does not trust it" damped a &&
		wait_until "b does not trust it" damped b || return 1
	before=$(lan a hold_ms)
	echo "# hold: $before ms"
	[ "$before" -gt 0 ] && lan_is a direction both &&
		alarm a lan-down && active a && follows b && audit a
}

# While it is damped the other link goes: it counts at once, and nobody looks dead.
never_the_last_link()
{
	mark_events
	damped a && crossover down
	wait_until "a counts on it" lan_is a state up &&
		wait_until "b counts on it" lan_is b state up &&
		holds 2 active a && follows b && audit a || return 1
	! tail -n "+$((SEEN[a] + 1))" "$WORK/a.events" |
		jq -e 'select(.object == "peer" and .peer.heard == false)' > /dev/null
}

begin
pair_up a
scenario "loss in one direction is a state of its own" one_way_is_a_state
scenario "it ends when both directions work" one_way_ends
scenario "a cut is no loss in one direction" a_cut_has_no_direction
scenario "a link that flaps is damped" flapping_is_damped
scenario "the last link is never damped" never_the_last_link
finish
