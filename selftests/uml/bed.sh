#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# bed.sh up | down: two servers and the cables between them, inside of user-mode
# Linux. The cables are bridges in a namespace of their own, where netem can act on
# frames: the module's leave past the queueing discipline of their own device.
#
#   +- a ----+    +- m ----------------+    +- b ----+
#   |   x    |----| xa -- bridge -- xb |----|    x   |   crossover
#   |   l    |----| la -- bridge -- lb |----|    l   |   LAN
#   +--------+    +--------------------+    +--------+

set -euo pipefail

cable()
{
	local name=$1 side

	echo "link add name $name type bridge mcast_snooping 0"
	echo "link set dev $name up"
	for side in a b; do
		echo "link add name $name$side type veth peer name $name netns $side"
		echo "link set dev $name$side master $name up"
	done
}

up()
{
	local side

	for side in a b m; do
		ip netns add "$side"
	done
	{ cable x; cable l; } | ip -n m -batch -
	for side in a b; do
		ip -n "$side" -batch - <<-EOT
		link set dev lo up
		link set dev x up
		link set dev l up
		EOT
	done
}

down()
{
	local side

	for side in a b m; do
		ip netns del "$side" 2>/dev/null || true
	done
}

"$1"
