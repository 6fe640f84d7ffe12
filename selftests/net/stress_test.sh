#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A storm: commands, daemons that die, listeners, devices that come, change, wander
# and go, namespaces that end, junk frames, all at random and at once
# (selftests/storm/), and in the middle of it the module is removed and comes back.
# It has to let go of everything, and then serve a pair as if nothing had been.
# Runs in a guest, whose kernel log is then searched for complaints.
#
# STRESS_SECONDS of storm (default 60), STRESS_ROUNDS removals (5), STRESS_SEED.

# Here it is about the module, not about who is fast: an emulated guest stalls.
MULTIPLIER=${MULTIPLIER:-50}
LEASE=${LEASE:-8s}
PROMISE=${PROMISE:-9s}

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

STRESS_SECONDS=${STRESS_SECONDS:-60}
STRESS_ROUNDS=${STRESS_ROUNDS:-5}
STRESS_SEED=${STRESS_SEED:-$((RANDOM * 32768 + RANDOM))}
STORM=${STORM:-$TOP/build/net/storm}
DEEDS=$WORK/deeds	# what the storm's processes did: name, tried, done

if [ "$BACKEND" != module ]; then
	echo "KTAP version 1"
	echo "1..1"
	echo "ok 1 storm # SKIP needs the module (BACKEND=module)"
	rm -rf "$WORK"
	exit 0
fi

# storm_start KIND SIDE OTHER NUMBER SEED
storm_start()
{
	start "storm-$1-$2-$5" "$2" "$STORM" "$1" "$4" "/var/run/netns/$NS$3" "$5"
}

# Two of each kind, in each of two namespaces that are joined.
storm_begin()
{
	local kind seed=$STRESS_SEED

	ip netns add "${NS}s" && ip netns add "${NS}t" || return 1
	for kind in commands daemon devices monitor junk space; do
		for _ in 1 2; do
			storm_start $kind s t 0 $((seed++))
			storm_start $kind t s 1 $((seed++))
		done
	done
}

# Those that are asked to end tell what they did; one is killed.
storm_end()
{
	local name

	end "storm-commands-s-$STRESS_SEED" KILL
	for name in "${!PID[@]}"; do
		[[ $name != storm-* ]] || kill -TERM "${PID[$name]}"
	done
	for name in "${!PID[@]}"; do
		[[ $name != storm-* ]] || end "$name"
	done
	cat "$WORK"/storm-*.log > "$DEEDS"
}

module_gone() { ! grep -q '^ctiha ' /proc/modules; }

# The kernel would repeat it every ten seconds.
no_reference_left()
{
	! dmesg | grep 'unregister_netdevice: waiting'
}

# Frames, commands and devices find no module for a while, then a new one.
removed_in_the_storm()
{
	sleep $((STRESS_SECONDS / STRESS_ROUNDS))
	timeout "$PATIENCE" "$STORM" unload && module_gone && sleep 0.5 &&
		insmod "$MODULE" && no_reference_left
}

# A storm in which something never happened would prove less than it says.
everything_happened()
{
	local name tries successes missing=''

	storm_end
	while read -r name tries successes; do
		echo "# $name: tried $tries times, done $successes times"
		[ "$successes" -gt 0 ] || missing+=" $name"
	done < <(awk '{ t[$1] += $2; d[$1] += $3 }
		END { for (n in t) print n, t[n], d[n] }' "$DEEDS" | sort)
	[ -s "$DEEDS" ] || missing=' anything'
	[ -z "$missing" ] || { echo "# never done:$missing"; return 1; }
}

# Namespaces are cleaned up one batch after the other, so one that ends later shows
# that those of the storm have: a device that something holds would stop them all.
namespaces_end()
{
	ip netns del "${NS}s" && ip netns del "${NS}t" && ip netns add "${NS}s" &&
		ip -n "${NS}s" link add name x type veth peer name last netns "${NS}c" &&
		ip netns del "${NS}s" &&
		wait_until "the namespaces are gone" last_one_gone &&
		no_reference_left
}

last_one_gone() { ! in_ns c ip link show dev last > /dev/null 2>&1; }

removed_for_good()
{
	rmmod ctiha && module_gone && insmod "$MODULE"
}

fresh_pair_serves() { pair_up a && audit a && stores_equal; }

# The namespaces of the storm are gone if all went well.
storm_cleanup()
{
	ip netns del "${NS}s" 2> /dev/null || true
	ip netns del "${NS}t" 2> /dev/null || true
	cleanup
}

begin
trap storm_cleanup EXIT
echo "# seed $STRESS_SEED"
storm_begin
for ((round = 1; round <= STRESS_ROUNDS; round++)); do
	scenario "module removed in the storm, round $round" removed_in_the_storm
done
scenario "everything happened in the storm" everything_happened
scenario "the namespaces of the storm end" namespaces_end
scenario "module removed after the storm" removed_for_good
scenario "a fresh pair serves" fresh_pair_serves
finish
