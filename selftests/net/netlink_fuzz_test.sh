#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Nonsense on the module's netlink family, while heartbeats, daemons and state sync
# run. The guest's kernel log is searched for complaints. MESSAGES=1000000 for a
# thorough run.

# Here it is about the module, not about who is fast: an emulated guest stalls.
MULTIPLIER=${MULTIPLIER:-50}
LEASE=${LEASE:-8s}
PROMISE=${PROMISE:-9s}

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

MESSAGES=${MESSAGES:-50000}
SEED=${SEED:-1}

if [ "$BACKEND" != module ]; then
	echo "KTAP version 1"
	echo "1..1"
	echo "ok 1 netlink fuzz # SKIP needs the module (BACKEND=module)"
	rm -rf "$WORK"
	exit 0
fi

complaints() { dmesg | grep -cE 'WARNING:|BUG:|Oops|general protection|possible .* lock|KASAN|UBSAN' || true; }

# fuzz NS COUNT: what was accepted goes into WORK/accepted
fuzz()
{
	local before

	before=$(complaints)
	in_ns "$1" timeout 1200 "$TOP/build/net/netlink_fuzz" "$2" "$SEED" \
		> "$WORK/accepted" || return 1
	echo "# $(cat "$WORK/accepted")"
	[ "$(complaints)" -eq "$before" ]
}

# accepted COMMAND...: numbers of enum ctiha_cmd
accepted()
{
	local command

	for command in "$@"; do
		grep -q " $command:" "$WORK/accepted" ||
			{ echo "# command $command never got through"; return 1; }
	done
}

answers() { in_ns "$1" "$BIN/ctiha" -j -c /none node show | jq -e .node.role > /dev/null; }

# The daemon of b is attached: its role is not for others.
beside_the_daemon()
{
	fuzz b $((MESSAGES / 5)) && accepted 1 3 4 8 && answers a && answers b &&
		active a && audit a
}

# Nobody is attached: all can be reached, ATTACH and ACTIVATE included.
alone()
{
	ip -n "${NS}c" link add name v0 type veth peer name v1 &&
		in_ns c ip link set dev v0 up && in_ns c ip link set dev v1 up &&
		fuzz c $((MESSAGES - MESSAGES / 5)) &&
		accepted 1 2 3 4 5 6 7 8 9 10 13 && answers c && answers a
}

module_gone() { ! grep -q '^ctiha ' /proc/modules; }

unloads()
{
	local s

	for s in a b; do
		server_stop $s
	done
	rmmod ctiha && module_gone && insmod "$MODULE"
}

begin
pair_up a
scenario "nonsense beside a daemon" beside_the_daemon
scenario "nonsense from the only process" alone
scenario "the module unloads" unloads
finish
