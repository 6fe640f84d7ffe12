#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The fence: a server that may not act sends nothing with a service address, though
# its daemon is stopped and the address is still on its NIC. Management traffic
# passes. Seen by a caller on the LAN.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

SERVICE6=fd09::100
CAUGHT=$WORK/caught	# what b and the caller's host got from a

if [ "$BACKEND" != module ]; then
	echo "KTAP version 1"
	echo "1..1"
	echo "ok 1 the fence # SKIP needs the module (BACKEND=module)"
	rm -rf "$WORK"
	exit 0
fi

# fence SERVER FILTER: of what the module says, daemon or not
fence() { in_ns "$1" "$BIN/ctiha" -j node show | jq -r ".node.fence$2"; }

closed() { [ "$(fence "$1" .closed)" = true ]; }
open_for_service() { [ "$(fence "$1" .closed)" = false ]; }
dropped() { fence "$1" ".dropped.$2"; }

address_of() { in_ns "$1" cat /sys/class/net/l/address; }

# claimant: whose hardware address the caller learns for the service address, now
claimant()
{
	in_ns c ip neigh flush dev l
	in_ns c ping -c 1 -W 2 "$SERVICE" > /dev/null 2>&1 || true
	in_ns c ip neigh show dev l | awk -v a="$SERVICE" '$1 == a { print $3 }'
}

caller_reaches() { [ "$(claimant)" = "$(address_of "$1")" ]; }

# drops KIND COMMAND...: what a sends by it is counted as dropped; c sees nothing
drops()
{
	local kind=$1 before

	shift
	before=$(dropped a "$kind")
	"$@" > /dev/null 2>&1 || true
	if [ "$(dropped a "$kind")" -le "$before" ]; then
		echo "# $kind: nothing was dropped"
		return 1
	fi
}

addresses_are_known()
{
	[ "$(fence a '.addresses | join(" ")')" = "$SERVICE $SERVICE6" ] &&
		open_for_service a && closed b
}

# What a claims on the LAN goes into CAUGHT.
catcher_start()
{
	rm -f "$CAUGHT"
	start catcher c python3 "$NET_DIR/hostile.py" claims l "$(address_of a)" \
		"$SERVICE" "$SERVICE6" "$CAUGHT"
	wait_until "the catcher listens" test -e "$CAUGHT"
}

active_passes()
{
	catcher_start && caller_reaches a &&
		wait_until "the catcher catches" test -s "$CAUGHT" || return 1
	end catcher
	[ "$(fence a '.dropped | add')" = 0 ] && audit a
}

# Everything a stalled server could still say. It keeps its addresses: only a
# running daemon removes them.
stopped_server_is_fenced()
{
	kill -STOP "${PID[daemon-a]}"
	mark_daemon a end
	# From here on c may hear of the service from b only.
	wait_until "a is fenced" closed a && serves b && has_service a || return 1
	catcher_start || return 1
	drops ipv4 in_ns a ping -c 2 -W 1 -I "$SERVICE" 10.9.2.20 &&
		drops ipv6 in_ns a ping -c 2 -W 1 -I "$SERVICE6" fd09::20 &&
		drops arp in_ns a arping -c 2 -w 2 -U -I l "$SERVICE" &&
		drops arp in_ns a python3 "$NET_DIR/hostile.py" announce l "$SERVICE" &&
		drops nd in_ns a python3 "$NET_DIR/hostile.py" announce l "$SERVICE6" &&
		drops arp claimant
}

caller_hears_only_the_new_one()
{
	caller_reaches b || return 1
	end catcher
	if [ -s "$CAUGHT" ]; then
		echo "# a said: $(head -n 1 "$CAUGHT")"
		return 1
	fi
}

management_passes()
{
	in_ns a ping -c 2 -W 2 10.9.2.20 > /dev/null &&
		in_ns c ping -c 2 -W 2 10.9.2.1 > /dev/null && audit b
}

resumed_server_gives_up_the_address()
{
	mark_daemon a begin
	kill -CONT "${PID[daemon-a]}"
	wait_until "a follows" follows a && lacks_service a && closed a &&
		in_step b && audit b && stores_equal
}

dead_daemon_is_fenced()
{
	end daemon-b KILL
	mark_daemon b end
	wait_until "b is fenced" closed b && serves a && open_for_service a &&
		caller_reaches a && mark_daemon b begin && daemon_start b &&
		in_step a && lacks_service b && audit a && stores_equal
}

# A device that comes later is guarded as well; one that goes takes nothing along.
new_device_is_guarded()
{
	local before

	ip -n "${NS}b" link add name late type veth peer name other netns "${NS}c" &&
		in_ns b ip link set dev late up && in_ns c ip link set dev other up ||
		return 1
	before=$(dropped b arp)
	in_ns b python3 "$NET_DIR/hostile.py" announce late "$SERVICE" > /dev/null &&
		[ "$(dropped b arp)" -gt "$before" ] &&
		ip -n "${NS}b" link del dev late && closed b && active a && audit a
}

last_resort_is_not_for_containers()
{
	sed -i '1i on-fence = panic' "$WORK/b/ctiha.conf"
	end daemon-b
	if in_ns b timeout 20 "$BIN/ctihad" -c "$WORK/b/ctiha.conf" 2> "$WORK/refusal"; then
		echo "# it started"
		return 1
	fi
	sed -i 1d "$WORK/b/ctiha.conf"
	grep -q "on-fence needs CAP_SYS_BOOT" "$WORK/refusal" && daemon_start b &&
		in_step a && audit a
}

begin
for s in a b; do
	cat >> "$WORK/$s/ctiha.conf" <<-EOT
	service {
		address = "$SERVICE6/64"
		device = "l"
	}
	EOT
done
in_ns c ip addr add fd09::20/64 dev l nodad
pair_up a
scenario "service addresses are behind the fence" addresses_are_known
scenario "the active server passes its own fence" active_passes
scenario "a stopped server is fenced" stopped_server_is_fenced
scenario "the caller hears of the new server only" caller_hears_only_the_new_one
scenario "management traffic passes" management_passes
scenario "the resumed server gives the address up" resumed_server_gives_up_the_address
scenario "a server with a dead daemon is fenced" dead_daemon_is_fenced
scenario "a device that comes later is guarded" new_device_is_guarded
scenario "the last resort is not for containers" last_resort_is_not_for_containers
finish
