#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The module loses its links, devices, namespaces and itself while heartbeats
# and state sync are running. Runs in a guest, whose kernel log is then searched
# for complaints.

# Here it is about the module, not about who is fast: an emulated guest stalls.
MULTIPLIER=${MULTIPLIER:-50}
LEASE=${LEASE:-8s}
PROMISE=${PROMISE:-9s}

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

ROUNDS=20
FRAMES=$WORK/frames	# heartbeats of a, recorded

if [ "$BACKEND" != module ]; then
	echo "KTAP version 1"
	echo "1..1"
	echo "ok 1 unloading under traffic # SKIP needs the module (BACKEND=module)"
	rm -rf "$WORK"
	exit 0
fi

crossover_is() { link_is a crossover "$1" && link_is b crossover "$1"; }
sync_over() { is a .sync.path "$1" && is b .sync.path "$1"; }

# The daemon adds links that were lost, too: the link has to be there, that is all.
link_add()
{
	in_ns b "$BIN/ctiha" link add "$1" dev "$2" interval "$INTERVAL" \
		multiplier "$MULTIPLIER" || link_exists b "$1"
}

link_exists()
{
	[ "$(field "$1" "[.links[] | select(.name == \"$2\")] | length")" = 1 ]
}

# One of the two links at a time, so that the pair goes on over the other.
link_goes_and_comes()
{
	local link=$1 device=$2 i epoch

	epoch=$(field a .epoch)
	for ((i = 0; i < ROUNDS; i++)); do
		in_ns b "$BIN/ctiha" link del "$link" && link_add "$link" "$device" ||
			return 1
	done
	wait_until "$link is up at a" link_is a "$link" up &&
		wait_until "$link is up at b" link_is b "$link" up &&
		is a .epoch "$epoch" && in_step a && audit a && stores_equal
}

crossover_exists()
{
	ip -n "${NS}a" link add name x type veth peer name x netns "${NS}b" &&
		in_ns a ip link set dev x up && in_ns b ip link set dev x up &&
		in_ns a ip addr add 10.9.1.1/24 dev x &&
		in_ns b ip addr add 10.9.1.2/24 dev x
}

device_deleted()
{
	ip -n "${NS}a" link del x
	wait_until "alarm of a" alarm a crossover-down &&
		wait_until "alarm of b" alarm b crossover-down &&
		wait_until "sync on the LAN" sync_over lan &&
		in_step a && audit a && stores_equal &&
		crossover_exists && wait_until "crossover is back" crossover_is up &&
		wait_until "sync on the crossover" sync_over crossover &&
		in_step a && audit a && stores_equal
}

namespace_of_b()
{
	ip netns add "${NS}b" && in_ns b ip link set lo up && crossover_exists &&
		ip -n "${NS}b" link add name l type veth peer name b netns "${NS}lan" &&
		in_ns lan ip link set dev b master br0 up &&
		in_ns b ip link set dev l up && in_ns b ip addr add 10.9.2.2/24 dev l
}

crossover_gone()
{
	! in_ns a ip link show dev x > /dev/null 2>&1
}

# The node in there has no daemon any more, but it still beats.
namespace_deleted()
{
	mark b end
	end daemon-b KILL
	end app-b KILL
	end recorder-b
	ip netns del "${NS}b"
	wait_until "the namespace is gone" crossover_gone &&
		wait_until "alarm of a" alarm a peer-silent && active a &&
		namespace_of_b && mark b begin && server_start b && in_step a &&
		audit a && stores_equal
}

module_gone() { ! grep -q '^ctiha ' /proc/modules; }

# flood NS: real frames, as fast as possible, until it is killed
flood()
{
	start "flood-$1" "$1" python3 "$NET_DIR/hostile.py" flood x "$FRAMES" \
		--seconds 300 --count 100000000
}

# What the module of a server has refused or counted as old on the crossover.
frames_seen()
{
	in_ns "$1" "$BIN/ctiha" -j -s link show |
		jq '[.[] | select(.name == "crossover") | .stats | .forged, .replayed, .foreign] | add'
}

flooded() { [ "$(frames_seen "$1")" -gt 500 ]; }

# Nobody serves on a lease that nothing watches over: if the module lets itself be
# removed, the daemons must notice.
removed_under_daemons()
{
	if ! rmmod ctiha 2> "$WORK/refusal"; then
		grep -q "in use" "$WORK/refusal" && holds 1 active a && audit a
		return
	fi
	wait_until "a does not serve" not_active a &&
		wait_until "a has given up the address" lacks_service a || return 1
	server_stop a
	server_stop b
	insmod "$MODULE" && pair_up a && audit a && stores_equal
}

# Their modules still beat and hear; whoever has no daemon does not act.
daemons_die()
{
	local s

	# Both at once, or the second one would take over from the first.
	kill -STOP "${PID[daemon-a]}" "${PID[daemon-b]}"
	for s in a b; do
		mark $s end
	done
	for s in a b; do
		end daemon-$s KILL
		end app-$s KILL
		end recorder-$s
		mark $s begin
	done
}

removed_under_frames()
{
	local rc=0

	daemons_die
	flood a
	flood b
	# For a second frames find no module; what it left behind would be hit.
	wait_until "a is flooded" flooded a && wait_until "b is flooded" flooded b &&
		rmmod ctiha && module_gone && sleep 1 && insmod "$MODULE" &&
		server_start a && serves a || rc=1
	end flood-a KILL
	end flood-b KILL
	[ $rc = 0 ] && pair_up a && audit a && stores_equal
}

begin
sed -i 's/^watch = .*/watch = "8s"/' "$WORK/a/ctiha.conf" "$WORK/b/ctiha.conf"
pair_up a
scenario "crossover link deleted and added $ROUNDS times" link_goes_and_comes crossover x
scenario "LAN link deleted and added $ROUNDS times" link_goes_and_comes lan l
scenario "crossover device deleted and made again" device_deleted
scenario "namespace deleted and made again" namespace_deleted
record_packets b x "$FRAMES"
record_end b
scenario "module removed under two daemons" removed_under_daemons
scenario "module removed while frames arrive" removed_under_frames
finish
