#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Carriers: each server has a NIC "s" to the telephone switch, which carries no
# heartbeats. A carrier that is lost is known to both servers by an event, is
# followed by a burst of heartbeats on both links, and decides nothing. "s" is a
# dummy (else a tap), as those do as real NICs: the network stack's own notice may
# be a second late. The links' devices are veth.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

BURST=3		# heartbeats within half an interval of one another, at the least
MARK=0

# ---- the switch NICs ---------------------------------------------------------

nic_add()
{
	if ! in_ns "$1" ip link add s type dummy 2> /dev/null; then
		start "nic-$1" "$1" python3 "$NET_DIR/carrier.py" tap s
		wait_until "$1 has a NIC to the switch" in_ns "$1" ip link show s || return 1
	fi
	in_ns "$1" ip link set dev s up
}

nic_del()
{
	end "nic-$1"
	in_ns "$1" ip link del s 2> /dev/null || ! in_ns "$1" ip link show s > /dev/null 2>&1
}

carrier() { in_ns "$1" ip link set dev s carrier "$2"; }

config_switch()
{
	printf 'switch {\n\tdevice = "s"\n}\n' >> "$WORK/$1/ctiha.conf"
}

# ---- what the servers say ----------------------------------------------------

# here SERVER true|false, there SERVER true|false: its own carrier, its peer's as
# it knows it
here() { is "$1" .switch.carrier "$2"; }
there() { is "$1" .switch.peer_carrier "$2"; }
present() { is "$1" .switch.present "$2"; }
link_carrier() { is "$1" ".links[] | select(.name == \"$2\") | .carrier" "$3"; }

known_to_both()
{
	wait_until "$1 knows its carrier" here "$1" "$2" &&
		wait_until "${OTHER[$1]} knows the carrier of $1" there "${OTHER[$1]}" "$2"
}

# events_mark SERVER: forget its events until now
events_mark() { MARK=$(wc -l < "$WORK/$1.events"); }

# event SERVER FILTER: the first such one since the mark
event()
{
	tail -n "+$((MARK + 1))" "$WORK/$1.events" | jq -c "select($2)" 2> /dev/null |
		head -n 1 || true
}

happened() { [ -n "$(event "$1" "$2")" ]; }

seen()
{
	wait_until "$1 tells: $2" happened "$1" "$2"
}

# before SERVER FILTER FILTER: since the mark one event came before the other
before()
{
	local first second

	first=$(event "$1" "$2" | jq .seq) second=$(event "$1" "$3" | jq .seq)
	[ "$first" -lt "$second" ] || { echo "# $1: $2 is not before $3"; return 1; }
}

# says WORD, silent_on WORD: for filters of events, in the report of node or peer
says() { echo "(.node // .peer).report | index(\"$1\") != null"; }
silent_on() { echo "(.node // .peer).report | index(\"$1\") == null"; }

roles() { field a '[.role, .epoch] | tostring'; field b '[.role, .epoch] | tostring'; }

unmoved()
{
	[ "$(roles)" = "$1" ] || { echo "# it was $1 and is $(roles)"; return 1; }
	audit a
}

# ---- scenarios ---------------------------------------------------------------

in_order()
{
	known_to_both a true && known_to_both b true &&
		no_alarm a switch-down && no_alarm b switch-down &&
		link_carrier a crossover true && link_carrier a lan true
}

# since MARKS of both servers; the two events of one change on $1
change_seen()
{
	local s=$1 filter=$2 marks_s=$3 marks_o=$4

	MARK=$marks_s
	seen "$s" ".object == \"node\" and .cause == \"carrier\" and ($filter)" || return 1
	MARK=$marks_o
	seen "${OTHER[$s]}" ".object == \"peer\" and ($filter)"
}

lost_and_found()
{
	local s=$1 other=${OTHER[$1]} who ms mo

	who=$(roles) ms=$(wc -l < "$WORK/$s.events") mo=$(wc -l < "$WORK/$other.events")
	carrier "$s" off && known_to_both "$s" false &&
		change_seen "$s" "$(silent_on carrier-switch)" "$ms" "$mo" &&
		wait_until "$s raises an alarm" alarm "$s" switch-down &&
		no_alarm "$other" switch-down && unmoved "$who" || return 1
	ms=$(wc -l < "$WORK/$s.events") mo=$(wc -l < "$WORK/$other.events")
	carrier "$s" on && known_to_both "$s" true &&
		change_seen "$s" "$(says carrier-switch)" "$ms" "$mo" &&
		wait_until "$s takes its alarm back" no_alarm "$s" switch-down &&
		unmoved "$who"
}

# How many heartbeats followed the one before within half an interval, in a row.
longest_burst()
{
	awk -v half="$1" 'NR > 1 { n = $1 - last < half ? n + 1 : 0; if (n > most) most = n }
		{ last = $1 } END { print most + 0 }' "$2"
}

burst_recorded() { [ "$(longest_burst "$1" "$2")" -ge "$BURST" ]; }

burst_on_both_links()
{
	local half=$((${INTERVAL%ms} * 1000000 / 2)) device

	for device in x l; do
		rm -f "$WORK/times-$device"
		start "times-$device" b python3 "$NET_DIR/carrier.py" times $device \
			"$WORK/times-$device"
		wait_until "heartbeats on $device are timed" \
			recorded "$WORK/times-$device" 1 || return 1
	done
	carrier a off
	for device in x l; do
		wait_until "a burst on $device" burst_recorded $half "$WORK/times-$device" ||
			return 1
		end "times-$device"
	done
	carrier a on && known_to_both a true
}

vanishes_and_comes_back()
{
	local who

	who=$(roles)
	events_mark a
	nic_del a && seen a '.object == "node" and .cause == "device" and .node.switch == null' &&
		wait_until "a misses its NIC" present a false && known_to_both a false &&
		alarm a switch-down && unmoved "$who" || return 1
	nic_add a && wait_until "a has its NIC again" present a true &&
		known_to_both a true && no_alarm a switch-down && unmoved "$who"
}

# b's end of the crossover goes down: a's has no carrier. On a the session ends by
# silence, later.
links_carrier()
{
	local lost='.object == "link" and .cause == "carrier" and .link.carrier == false'
	local down='.object == "link" and .link.name == "crossover" and .link.state == "down"'
	local who mark_b

	who=$(roles)
	events_mark b
	mark_b=$MARK
	events_mark a
	in_ns b ip link set dev x down
	seen a "$lost and .link.name == \"crossover\"" &&
		seen a "$down" && before a "$lost" "$down" &&
		link_carrier a crossover false && link_carrier a lan true || return 1
	MARK=$mark_b
	seen b ".object == \"peer\" and .peer.heard and ($(silent_on carrier-l1))" &&
		unmoved "$who" || return 1
	in_ns b ip link set dev x up
	wait_until "the crossover has a carrier" link_carrier a crossover true &&
		wait_until "and is up" link_is a crossover up &&
		wait_until "on b, too" link_is b crossover up && in_step a && unmoved "$who"
}

# switch_says SERVER WORDS
switch_says() { [ "$(in_ns "$1" "$BIN/ctiha" switch show | head -n 1)" = "this server: $2" ]; }

by_hand()
{
	events_mark a
	in_ns a "$BIN/ctiha" switch unset && switch_says a "no device" &&
		seen a '.object == "node" and .cause == "command" and .node.switch == null' &&
		wait_until "the peer hears of it" there b false &&
		in_ns a "$BIN/ctiha" switch set dev s && switch_says a "s, carrier" &&
		known_to_both a true
}

# refused WORDS COMMAND...: it fails and says so
refused()
{
	local words=$1 text

	shift
	text=$("$@" 2>&1) && [[ ${text%% *} != E* ]] && { echo "# done: $*"; return 1; }
	[[ $text == *"$words"* ]] || { echo "# $*: $text"; return 1; }
}

refusals()
{
	local set=(in_ns a python3 "$NET_DIR/carrier.py" switch-set)

	refused "no permission" in_ns a setpriv --reuid 65534 --clear-groups \
		"$BIN/ctiha" switch set dev s &&
		refused "there is no device nix" in_ns a "$BIN/ctiha" switch set dev nix &&
		refused "ENODEV switch ifindex: no such device" "${set[@]}" 4711 &&
		refused "ERANGE switch ifindex: is not that" "${set[@]}" 4294967295 &&
		refused "EINVAL switch: give its ifindex" "${set[@]}" no-nest &&
		refused "EPERM" in_ns a setpriv --reuid 65534 --clear-groups \
			python3 "$NET_DIR/carrier.py" switch-set 1 &&
		switch_says a "s, carrier"
}

# A daemon that starts finds the module as its former life left it, and no NIC.
starts_without_nic()
{
	server_stop b && nic_del b && server_start b &&
		wait_until "b misses its NIC" present b false && in_step a || return 1
	nic_add b && wait_until "b has its NIC" present b true && known_to_both b true
}

begin
for s in a b; do
	config_switch $s
	nic_add $s
done
pair_up a
scenario "both servers know both carriers" in_order
scenario "the active server's carrier is lost and found" lost_and_found a
scenario "the standby's carrier is lost and found" lost_and_found b
scenario "a lost carrier is followed by a burst on both links" burst_on_both_links
scenario "the NIC vanishes and comes back" vanishes_and_comes_back
scenario "a link's carrier is lost before its session" links_carrier
if [ "$BACKEND" = module ]; then
	scenario "named by hand" by_hand
	scenario "what is refused, and why" refusals
fi
scenario "the NIC comes after the daemon" starts_without_nic
finish
