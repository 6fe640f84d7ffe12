#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Who may do what with the module: everybody may read; changing needs CAP_NET_ADMIN
# over the network namespace; keys can be read by nobody; root of a user namespace
# has a node of its own and reaches no other.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

if [ "$BACKEND" != module ]; then
	echo "KTAP version 1"
	echo "1..1"
	echo "ok 1 privileges # SKIP needs the module (BACKEND=module)"
	rm -rf "$WORK"
	exit 0
fi

# nobody NS COMMAND...: without any privilege, in that namespace
nobody()
{
	local ns=$1

	shift
	in_ns "$ns" setpriv --reuid 65534 --regid 65534 --clear-groups \
		--inh-caps=-all --bounding-set=-all "$@"
}

netlink() { echo python3 "$NET_DIR/privilege.py" "$@"; }

# All that another one must not change.
state() { in_ns a "$BIN/ctiha" -j -c /none node show | jq -c '.node | .role, .epoch, .fence.addresses'; }

# shellcheck disable=SC2046 # words
everybody_reads()
{
	install -m 644 "$WORK/key" "$WORK/known" && chmod 755 "$WORK" &&
		nobody a $(netlink reads "$WORK/known") &&
		in_ns a $(netlink reads "$WORK/known") &&
		nobody a "$BIN/ctiha" -c /none node show | grep -q "this server\|THIS SERVER" &&
		nobody a "$BIN/ctiha" -c /none link show | grep -q crossover
}

# shellcheck disable=SC2046 # words
everybody_listens()
{
	local rc=0

	start listener a setpriv --reuid 65534 --regid 65534 --clear-groups \
		$(netlink events)
	wait_until "nobody listens" grep -q listening "$WORK/listener.log" || return 1
	crossover down
	wait_until "the listener has heard" grep -q heard "$WORK/listener.log" || rc=1
	end listener
	crossover up
	[ $rc = 0 ] && wait_until "crossover is back" link_is a crossover up
}

# shellcheck disable=SC2046 # words
nobody_changes()
{
	local before

	before=$(state)
	nobody a $(netlink refused) &&
		! nobody a "$BIN/ctiha" -c /none link del lan 2> "$WORK/refusal" &&
		cat "$WORK/refusal" && grep -qi "permi" "$WORK/refusal" &&
		[ "$(state)" = "$before" ] && in_step a && audit a
}

# Root of a user namespace, but still in the network namespace of a.
# shellcheck disable=SC2046 # words
user_namespace_changes_nothing()
{
	local before

	before=$(state)
	in_ns a setpriv --reuid 65534 --regid 65534 --clear-groups \
		unshare -Ur $(netlink refused) &&
		[ "$(state)" = "$before" ] && in_step a && audit a
}

user_namespace_has_its_own()
{
	local before outside

	before=$(state)
	outside=$(in_ns a cat /sys/class/net/x/ifindex)
	# Numbers of devices are per namespace: this one is in use in here, too.
	in_ns a setpriv --reuid 65534 --regid 65534 --clear-groups \
		unshare -Urn bash -c "
			ip link add v0 index $((outside + 1000)) type veth peer name v1 index $((outside + 1001)) &&
			ip link set v0 up && ip link set v1 up &&
			$(netlink own "$outside")" &&
		[ "$(state)" = "$before" ] && in_step a && audit a
}

begin
pair_up a
scenario "everybody reads, and reads no key" everybody_reads
scenario "everybody hears events" everybody_listens
scenario "nobody changes anything" nobody_changes
scenario "a user namespace changes nothing outside" user_namespace_changes_nothing
scenario "a user namespace has a node of its own" user_namespace_has_its_own
finish
