#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An enemy on the networks and sockets of the pair: everything that comes in may
# be broken, forged or old. Nothing of it may change who serves, end a session or
# stop a program, and what is refused is counted by its reason.

# The flood takes much of a small machine: nobody may seem silent for that.
MULTIPLIER=${MULTIPLIER:-20}
LEASE=${LEASE:-2s}
PROMISE=${PROMISE:-2400ms}

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

HEARTBEATS=$WORK/heartbeats	# of a, as they reached b on the crossover
REPLIES=$WORK/replies		# of b, as they reached a
REQUESTS=$WORK/requests		# of both, as they reached the arbiter

# enemy NS MODE...: in that namespace
enemy()
{
	local ns=$1

	shift
	in_ns "$ns" python3 "$NET_DIR/hostile.py" "$@"
}

# ---- what must not change ----------------------------------------------------

# Who serves in which epoch, and all sessions with their number of losses.
standing()
{
	local s

	for s in a b; do
		field $s '[.role, .epoch, (.links[] | .state, .changes)] | tostring'
	done
}

# unmoved STANDING: since then; and the pair is in step, a serves
unmoved()
{
	local now

	now=$(standing)
	if [ "$now" != "$1" ] || [[ $now != *active*standby* ]]; then
		echo "# it was $1"
		echo "# and is $now"
		return 1
	fi
	in_step a && audit a && stores_equal
}

counter()
{
	field "$1" ".links[] | select(.name == \"$2\") | .stats.$3"
}

reaches() { [ "$(counter "$1" "$2" "$3")" -ge "$4" ]; }

# What a link may spend on check codes that change nothing is whole again after
# CTIHA_BUDGET_BURST times its price, at most 1024 x 50 x 50 us (budget.h). Emulated
# guests are that slow; frames beyond it count as UNVERIFIED, not by their reason.
let_budget_recover() { [ "$BACKEND" != module ] || sleep 2.6; }

# counted SERVER LINK STAT MORE COMMAND...: the command, which prints how many
# packets it sent, makes the server count them as that. MORE is their number, or
# "all" of those that were sent.
counted()
{
	local s=$1 link=$2 stat=$3 more=$4 before sent now

	shift 4
	let_budget_recover
	before=$(counter "$s" "$link" "$stat")
	sent=$("$@") || return 1
	[ "$more" != all ] || more=$sent
	[ "$more" -gt 0 ] || { echo "# nothing was sent"; return 1; }
	wait_until "$s counts $more more as $stat" \
		reaches "$s" "$link" "$stat" $((before + more)) || return 1
	now=$(counter "$s" "$link" "$stat")
	[ "$now" -eq $((before + more)) ] ||
		{ echo "# $stat grew from $before to $now, not by $more"; return 1; }
}

# Of both directions on the crossover.
record_begin()
{
	record_packets b x "$HEARTBEATS" && record_packets a x "$REPLIES"
}

record_finish()
{
	record_end a
	record_end b
}

record_heartbeats()
{
	local rc=0

	record_begin && wait_until "some of a are recorded" recorded "$HEARTBEATS" 20 &&
		wait_until "some of b are recorded" recorded "$REPLIES" 20 || rc=1
	record_finish
	return $rc
}

# ---- heartbeats --------------------------------------------------------------

# forged STAT MORE KIND: made from a's last heartbeat, sent to b; then the same
# with b's, sent to a
forged()
{
	counted b crossover "$1" "$2" \
		enemy a forge "$3" x "$HEARTBEATS" "$WORK/key" &&
		counted a crossover "$1" "$2" \
			enemy b forge "$3" x "$REPLIES" "$WORK/key"
}

# Each reason once, with what to do; not once for each frame.
complained()
{
	local log=$WORK/complaints reason

	if [ "$BACKEND" = module ]; then
		dmesg | grep "ctiha: link crossover: " > "$log"
	else
		grep "link crossover: .*refused" "$WORK/daemon-b.log" > "$log"
	fi
	for reason in malformed "protocol version" "key slot" "check code wrong"; do
		grep -q "frames refused: .*$reason.*; " "$log" ||
			{ echo "# the log does not tell of: $reason"; return 1; }
	done
	[ "$(wc -l < "$log")" -lt 100 ]
}

broken_heartbeats()
{
	local before

	record_heartbeats || return 1
	before=$(standing)
	enemy a forge empty x "$HEARTBEATS" "$WORK/key" &&
		forged malformed all truncated && forged malformed all range &&
		forged version all version && forged key all key-id &&
		forged forged all wrong-key && complained && unmoved "$before"
}

# One bit of each byte: version, key id, and all others.
flipped_heartbeats()
{
	local before versions keys

	before=$(standing)
	versions=$(counter b crossover version) keys=$(counter b crossover key)
	counted b crossover forged 102 \
		enemy a forge flipped x "$HEARTBEATS" "$WORK/key" &&
		reaches b crossover version $((versions + 1)) &&
		reaches b crossover key $((keys + 1)) && unmoved "$before"
}

# In order by their check code, but not for us.
foreign_heartbeats()
{
	local before

	before=$(standing)
	forged foreign all other-pair && forged foreign all other-link &&
		counted b crossover foreign all enemy a replay x "$REPLIES" &&
		counted a crossover foreign all enemy b replay x "$HEARTBEATS" &&
		counted b lan foreign all enemy a replay l "$HEARTBEATS" &&
		unmoved "$before"
}

old_heartbeats()
{
	local before

	record_heartbeats || return 1
	before=$(standing)
	counted b crossover replayed all enemy a replay x "$HEARTBEATS" &&
		counted a crossover replayed all enemy b replay x "$REPLIES" &&
		unmoved "$before"
}

serves_sole() { is "$1" .lease_sole true; }

# version 1, key 0, type 1
has_goodbye() { grep -q "^010001" "$1"; }

# What b said when it left frees a for good. It must not do so again later, when
# b may have taken over.
old_goodbye()
{
	local before

	record_begin && wait_until "some of a are recorded" recorded "$HEARTBEATS" 20 ||
		return 1
	server_stop b
	wait_until "a serves alone" serves_sole a &&
		wait_until "the goodbye is recorded" has_goodbye "$REPLIES" || return 1
	record_finish
	server_start b
	in_step a && wait_until "crossover" link_is a crossover up &&
		wait_until "LAN" link_is a lan up &&
		wait_until "b too" link_is b crossover up &&
		wait_until "b too" link_is b lan up || return 1
	before=$(standing)
	counted a crossover replayed all enemy b replay x "$REPLIES" &&
		counted b crossover replayed all enemy a replay x "$HEARTBEATS" &&
		! serves_sole a && unmoved "$before"
}

all_links_up()
{
	local s

	for s in a b; do
		wait_until "crossover" link_is $s crossover up &&
			wait_until "LAN" link_is $s lan up || return 1
	done
}

# Both servers forget everything but their state directories; the module, too.
everything_restarts()
{
	server_stop b
	server_stop a
	if [ "$BACKEND" = module ]; then
		rmmod ctiha && insmod "$MODULE" || return 1
	fi
	pair_up a && all_links_up
}

heartbeats_of_a_former_life()
{
	local before

	record_heartbeats && everything_restarts || return 1
	before=$(standing)
	counted b crossover replayed all enemy a replay x "$HEARTBEATS" &&
		counted a crossover replayed all enemy b replay x "$REPLIES" &&
		unmoved "$before"
}

flooded()
{
	local before forged

	before=$(standing) forged=$(counter b crossover forged)
	enemy a flood x "$HEARTBEATS" --seconds 5 --count 200000 > "$WORK/sent" ||
		return 1
	echo "# $(cat "$WORK/sent") sent, $(($(counter b crossover forged) - forged)) refused"
	reaches b crossover forged $((forged + 100)) && unmoved "$before"
}

# Frames that begin no session, or that are old.
heard_of_ghosts()
{
	echo $(($(counter b crossover rx) + $(counter b crossover replayed)))
}

haunted() { [ "$(heard_of_ghosts)" -gt "$1" ]; }

# The dead must stay dead, whoever repeats their words.
heartbeats_of_the_dead()
{
	local rc=0 before

	record_heartbeats || return 1
	server_kill a
	before=$(heard_of_ghosts)
	start ghost a python3 "$NET_DIR/hostile.py" replay x "$HEARTBEATS" --seconds 300
	wait_until "b hears the ghost" haunted "$before" && serves b &&
		holds 1 is b .peer.heard false && audit b || rc=1
	end ghost
	[ $rc = 0 ] && is b .peer.heard false &&
		server_start a && in_step b && audit b &&
		cli a takeover --wait && serves a && in_step a && audit a &&
		stores_equal
}

# ---- state sync --------------------------------------------------------------

# sync_value SERVER NAME
sync_value()
{
	cli "$1" -j sync show | jq -r ".$2"
}

damaged_reaches() { [ "$(sync_value "$1" damaged)" -ge "$2" ]; }

# The standby listens on both paths; the enemy has the peer's address.
sync_attacked()
{
	local net=$1 before damaged resyncs sent

	before=$(standing)
	damaged=$(sync_value b damaged) resyncs=$(sync_value b resyncs)
	sent=$(enemy a sync-refused "10.9.$net.2" --source "10.9.$net.1") &&
		wait_until "b counts what it refused" \
			damaged_reaches b $((damaged + sent)) &&
		enemy a sync-slow "10.9.$net.2" --source "10.9.$net.1" &&
		enemy a sync-crowd "10.9.$net.2" --source "10.9.$net.1" &&
		[ "$(sync_value b resyncs)" = "$resyncs" ] && unmoved "$before"
}

sync_strangers()
{
	local before

	before=$(standing)
	enemy c sync-strange 10.9.2.2 && enemy c sync-crowd 10.9.2.2 --count 30 &&
		unmoved "$before"
}

# ---- arbiter -----------------------------------------------------------------

# What the arbiter has granted: as it wrote it down, and as it tells a.
granted()
{
	od -An -v -tx1 "$WORK/w/pair-7"
	field a '[.arbiter.up, .arbiter.epoch, .arbiter.holder] | tostring'
}

# The arbiter counts what it refuses, and tells it when it ends.
arbiter_told()
{
	tail -n 1 "$WORK/arbiter.log" | sed -n "s/.* \([0-9]*\) $1.*/\1/p"
}

arbiter_returns()
{
	arbiter_start
	wait_until "a has the arbiter" arbiter_is a true &&
		wait_until "b has the arbiter" arbiter_is b true
}

arbiter_garbage()
{
	local before grants

	before=$(standing) grants=$(granted)
	enemy c arbiter-garbage 10.9.2.10 && enemy c arbiter-plain 10.9.2.10 &&
		kill -0 "${PID[arbiter]}" && [ "$(granted)" = "$grants" ] &&
		unmoved "$before"
}

# With requests that give up and ask for terms of office among them.
record_requests()
{
	local rc=0

	record_packets w l "$REQUESTS" --port 862 &&
		cli a standby --wait && serves b && in_step b &&
		cli a takeover --wait && serves a && in_step a || rc=1
	record_end w
	return $rc
}

arbiter_attacked()
{
	local before grants forged replayed

	record_requests && wait_until "the arbiter answers a" arbiter_is a true ||
		return 1
	before=$(standing) grants=$(granted)
	forged=$(enemy c arbiter-flipped 10.9.2.10 "$REQUESTS") &&
		replayed=$(enemy c arbiter-replay 10.9.2.10 "$REQUESTS") &&
		kill -0 "${PID[arbiter]}" && [ "$(granted)" = "$grants" ] &&
		unmoved "$before" || return 1
	end arbiter
	# Ten bytes are the pair's number, and types and lengths of the TLVs: with
	# another value it is not this pair's request any more. And the flags of
	# the last TLV have a fixed value that no check code covers (RFC 8972).
	[ "$(arbiter_told forged)" -eq $((forged - 11)) ] &&
		[ "$(arbiter_told replayed)" -ge "$replayed" ] &&
		arbiter_returns && unmoved "$before"
}

# A restarted arbiter remembers no sequence numbers: its challenge is new.
arbiter_replayed_after_restart()
{
	local before grants

	before=$(standing)
	end arbiter
	arbiter_returns || return 1
	grants=$(granted)
	enemy c arbiter-replay 10.9.2.10 "$REQUESTS" --answered &&
		kill -0 "${PID[arbiter]}" && [ "$(granted)" = "$grants" ] &&
		holds 1 active a && unmoved "$before"
}

# ---- unix sockets ------------------------------------------------------------

answers() { [ -n "$(field "$1" .role)" ]; }

control_attacked()
{
	local before s

	before=$(standing)
	for s in a b; do
		enemy $s control-garbage "$WORK/$s/run/control.sock" &&
			enemy $s unix-hang-up "$WORK/$s/run/control.sock" &&
			enemy $s unix-crowd "$WORK/$s/run/control.sock" --wait 1 &&
			wait_until "$s answers" answers $s || return 1
	done
	unmoved "$before"
}

application_attacked()
{
	local before s

	before=$(standing)
	for s in a b; do
		enemy $s app-garbage "$WORK/$s/run/app.sock" &&
			enemy $s unix-hang-up "$WORK/$s/run/app.sock" --packets &&
			enemy $s unix-crowd "$WORK/$s/run/app.sock" --packets --wait 1 &&
			able $s && answers $s || return 1
	done
	unmoved "$before"
}

begin
pair_up a
scenario "broken and forged heartbeats" broken_heartbeats
scenario "heartbeats with one bit changed" flipped_heartbeats
scenario "heartbeats of another pair, link and direction" foreign_heartbeats
scenario "old heartbeats" old_heartbeats
scenario "a flood of forged heartbeats" flooded
scenario "old goodbyes, and heartbeats of the session before" old_goodbye
scenario "heartbeats of a dead server" heartbeats_of_the_dead
scenario "heartbeats of a former life of both" heartbeats_of_a_former_life
# What follows attacks the daemons, which are the same with the module: once,
# where it is fast, is enough.
[ "$BACKEND" = packet ] || { finish; exit; }
scenario "state sync attacked on the crossover" sync_attacked 1
scenario "state sync attacked on the LAN" sync_attacked 2
scenario "state sync approached by strangers" sync_strangers
scenario "arbiter gets garbage and plain STAMP" arbiter_garbage
scenario "arbiter gets forged and old requests" arbiter_attacked
scenario "arbiter gets old requests after its restart" arbiter_replayed_after_restart
scenario "control socket gets garbage" control_attacked
scenario "application socket gets garbage" application_attacked
finish
