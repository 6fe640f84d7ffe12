#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Servers and processes die, stop, come back, start together and alone (a3, g1,
# g2, cold start).

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

start_together()
{
	server_start a
	server_start b
	wait_until "somebody serves" somebody_active || return 1
	if active a; then in_step a && audit a; else in_step b && audit b; fi
}

start_alone()
{
	server_start a
	serves a && audit a
}

start_alone_without_arbiter()
{
	end arbiter
	server_start a
	wait_until "a has its application" able a &&
		holds 3 not_active a && audit none && arbiter_start &&
		serves a && audit a
}

second_joins()
{
	server_start b
	in_step a && audit a && stores_equal
}

peer_killed()
{
	server_kill a
	serves b && audit b
}

killed_one_rejoins()
{
	server_start a
	in_step b && audit b && stores_equal
}

standby_killed()
{
	server_kill a
	wait_until "alarm of b" alarm b peer-silent && active b && audit b &&
		server_start a && in_step b && audit b && stores_equal
}

daemon_killed()
{
	end daemon-b KILL
	mark_daemon b end
	serves a && audit a
	mark_daemon b begin
	daemon_start b && in_step a && audit a && stores_equal
}

# keepalived #2066 and its like: what was stopped must not act when it resumes.
daemon_stopped()
{
	kill -STOP "${PID[daemon-a]}"
	mark_daemon a end
	serves b || return 1
	mark_daemon a begin
	kill -CONT "${PID[daemon-a]}"
	wait_until "a follows" follows a && lacks_service a && in_step b &&
		audit b && stores_equal
}

application_killed()
{
	end app-b KILL
	serves a && audit a && app_start b && in_step a && stores_equal
}

application_stopped()
{
	kill -STOP "${PID[app-a]}"
	serves b || return 1
	kill -CONT "${PID[app-a]}"
	wait_until "a is able again" able a && in_step b && audit b
}

arbiter_killed()
{
	end arbiter KILL
	wait_until "alarm of b" alarm b arbiter-down && holds 2 active b &&
		arbiter_start && wait_until "the arbiter is back" no_alarm b arbiter-down &&
		active b && follows a && audit b
}

takeover_and_back()
{
	cli a takeover --wait && serves a && lacks_service b && in_step a &&
		cli a standby --wait && serves b && lacks_service a && in_step b &&
		audit b && stores_equal
}

unsafe_orders_are_refused()
{
	end app-a
	wait_until "a has no application" is a .application.alive false || return 1
	! cli a takeover 2> "$WORK/refusal" && grep -q "not able to serve" "$WORK/refusal" &&
		active b && app_start a && in_step b && audit b
}

# A clean stop hands over without waiting for silence.
clean_stop_of_active()
{
	server_stop b
	serves a && audit a
}

# ... and what left does not act on its own when it comes back (requirements:
# the peer may be serving alone).
left_server_waits_for_its_peer()
{
	server_kill a
	server_start b
	wait_until "b has its application" able b && holds 3 not_active b &&
		is b .reason "the peer may still be serving alone since we left" &&
		server_start a && wait_until "somebody serves" somebody_active &&
		audit
}

both_restarted()
{
	server_stop b
	server_stop a
	server_start a
	server_start b
	wait_until "somebody serves" somebody_active && audit
}

last_server_serves_without_anybody()
{
	pair_up a || return 1
	server_stop b
	wait_until "a serves alone" is a .lease_sole true || return 1
	end arbiter
	wait_until "alarm of a" alarm a arbiter-down && holds 3 active a && audit a &&
		arbiter_start && server_start b && in_step a && audit a && stores_equal
}

# It asked for an epoch in vain and wrote that down: no reason to refuse the
# active server's lower one.
standby_restarted_after_asking_in_vain()
{
	crossover down
	isolate a b
	wait_until "alarm of b" alarm b peer-silent && holds 1 not_active b || return 1
	links_restore
	in_step a && server_stop b && server_start b && in_step a && audit a && stores_equal
}

lacks_calls() { is "$1" .reason "this server lacks some calls; waiting for the peer that has them"; }

# make_calls: real ones, so that one server can hold more than the other
make_calls()
{
	in_ns c timeout 60 "$BIN/ctiha-load" drive --service "$SERVICE:5077" \
		--calls 20 --rate 50 --seconds 1 > "$WORK/caller.log" 2>&1
}

# b follows, but the state sync does not reach it.
standby_without_sync()
{
	server_stop b
	write_config b
	sed -i "s/^state-wait = .*/state-wait = $1/; \$a sync { port = 7799 }" \
		"$WORK/b/ctiha.conf"
	server_start b
	wait_until "b follows" follows b && wait_until "b is able" able b &&
		is b .sync.state waiting
}

standby_with_sync()
{
	server_stop b
	write_config b
	server_start b
	in_step a && audit a && stores_equal
}

# An active server that comes back finds its calls, and its place (e4).
standby_without_calls_waits()
{
	active a || cli a takeover --wait || return 1
	in_step a && standby_without_sync 600s && make_calls || return 1
	server_kill a
	wait_until "b knows that it lacks calls" lacks_calls b &&
		holds 3 not_active b && server_start a && serves a && audit a &&
		standby_with_sync
}

# ... but some calls are better than none.
standby_without_calls_serves_in_the_end()
{
	standby_without_sync 4s || return 1
	server_kill a
	wait_until "b knows that it lacks calls" lacks_calls b && serves b && audit b &&
		server_stop b && write_config b && server_start b && server_start a &&
		pair_up a && audit a && stores_equal
}

learned() { [ "$(cli "$1" -j sync show | jq .dictionary)" != "$2" ]; }
has_records() { [ "$(cli "$1" -j sync show | jq .records)" -ge "$2" ]; }
same_dictionary() { learned a 0 && ! learned b "$(cli a -j sync show | jq .dictionary)"; }

# Over TLS, and with a dictionary made of the calls that are under way.
sync_is_encrypted_and_learns()
{
	local caller

	active a || cli a takeover --wait || return 1
	in_step a || return 1
	[ "$(cli a -j sync show | jq -r .encryption)" = tls1.3 ] || return 1
	! cli b sync train 2> "$WORK/train.err" && grep -q "not active" "$WORK/train.err" ||
		return 1
	in_ns c timeout 60 "$BIN/ctiha-load" drive --service "$SERVICE:5077" --calls 300 \
		--rate 300 --seconds 8 > "$WORK/caller.log" 2>&1 &
	caller=$!
	wait_until "enough calls" has_records a 200 && cli a sync train &&
		wait_until "both know it" same_dictionary && wait "$caller" &&
		wait_until "stores are equal" stores_equal && audit a
}

hooks_ran_in_order()
{
	: > "$WORK/a/hooks"
	cli a standby --wait && serves b && in_step b && cli a takeover --wait &&
		serves a && in_step a || return 1
	wait_until "both hooks ran" test "$(wc -l < "$WORK/a/hooks")" -ge 2
	cut -d' ' -f1 "$WORK/a/hooks" | tr '\n' ' ' | grep -qx "standby active " && audit a
}

begin
scenario "cold start alone without arbiter waits for it" start_alone_without_arbiter
server_kill a
scenario "cold start alone" start_alone
scenario "second server joins" second_joins
scenario "active server killed" peer_killed
scenario "killed server rejoins as standby" killed_one_rejoins
scenario "standby server killed and back" standby_killed
scenario "daemon of the active killed and back" daemon_killed
scenario "daemon of the active stopped and resumed" daemon_stopped
scenario "application of the active killed and back" application_killed
scenario "application of the active stopped and resumed" application_stopped
scenario "arbiter killed and back" arbiter_killed
scenario "takeover and standby by command" takeover_and_back
scenario "unsafe orders are refused" unsafe_orders_are_refused
scenario "clean stop of the active" clean_stop_of_active
scenario "a server that left waits for its peer" left_server_waits_for_its_peer
scenario "both restarted" both_restarted
scenario "the last server serves without anybody" last_server_serves_without_anybody
scenario "standby restarted after asking the arbiter in vain" standby_restarted_after_asking_in_vain
scenario "a standby that lacks calls waits for their owner" standby_without_calls_waits
scenario "a standby that lacks calls serves in the end" standby_without_calls_serves_in_the_end
scenario "hooks ran in order" hooks_ran_in_order
for s in a b; do
	server_kill $s
	rm -rf "${WORK:?}/$s/state" "${WORK:?}/$s/store"
done
scenario "cold start together" start_together
scenario "the sync is encrypted and learns a dictionary" sync_is_encrypted_and_learns
finish
