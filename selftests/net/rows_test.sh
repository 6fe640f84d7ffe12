#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Every row of the judgement table, for both roles (f1, f2, f3). A row is
# written as the states of L1, L2, L3; "a" serves when it begins.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# After each row everything is repaired and the pair is whole again.
whole_again()
{
	links_restore
	wait_until "somebody serves" somebody_active || return 1
	if active a; then in_step a; else in_step b; fi
}

back_to_a()
{
	whole_again || return 1
	active a || cli a takeover --wait || return 1
	in_step a
}

# row NAME FUNCTION [ARGUMENT]: from the whole pair with a serving, whatever the
# row before has left
row()
{
	local name=$1

	shift
	scenario "$name" prepared "$@"
}

prepared()
{
	back_to_a && "$@"
}

row_111()
{
	holds 2 active a && holds 1 follows b && audit a && stores_equal
}

# The arbiter is gone for both.
row_110()
{
	port w disabled
	wait_until "alarm of a" alarm a arbiter-down &&
		wait_until "alarm of b" alarm b arbiter-down &&
		holds 2 active a && follows b && audit a &&
		back_to_a && stores_equal
}

# The arbiter is gone for the active one only, then for the standby only.
row_110_one_side()
{
	isolate "$1" w
	wait_until "alarm of $1" alarm "$1" arbiter-down &&
		holds 2 active a && follows b && no_alarm "${OTHER[$1]}" arbiter-down &&
		audit a && back_to_a && stores_equal
}

row_101()
{
	isolate a b
	wait_until "alarm of a" alarm a lan-down &&
		wait_until "alarm of b" alarm b lan-down &&
		holds 2 active a && follows b && audit a &&
		back_to_a && stores_equal
}

# f2: the active one has lost the LAN and its peer has not.
row_100_active()
{
	port a disabled
	serves b && wait_until "a has given up the address" lacks_service a &&
		wait_until "a follows" follows a && audit b &&
		back_to_a && stores_equal
}

# The standby has lost the LAN: it is not eligible and says so.
row_100_standby()
{
	port b disabled
	wait_until "alarm of b" alarm b lan-lost &&
		wait_until "a knows" alarm a peer-unable &&
		holds 2 active a && follows b && audit a &&
		back_to_a && stores_equal
}

# The LAN itself is gone: the role stays.
row_100_both()
{
	port a disabled && port b disabled
	wait_until "alarm of a" alarm a lan-lost &&
		wait_until "alarm of b" alarm b lan-lost &&
		holds 2 active a && follows b && audit a &&
		back_to_a && stores_equal
}

row_011()
{
	crossover down
	wait_until "alarm of a" alarm a crossover-down &&
		wait_until "alarm of b" alarm b crossover-down &&
		wait_until "sync on the LAN" is a .sync.path lan &&
		holds 2 active a && in_step a && audit a && links_restore &&
		wait_until "sync on the crossover" is a .sync.path crossover &&
		in_step a && stores_equal
}

row_010()
{
	crossover down
	port w disabled
	wait_until "alarm of a" alarm a arbiter-down &&
		wait_until "alarm of b" alarm b crossover-down &&
		wait_until "sync on the LAN" is a .sync.path lan &&
		holds 2 active a && follows b && audit a &&
		back_to_a && stores_equal
}

# f1 where the active one lives and is renewed by the arbiter: it goes on.
row_001_both_alive()
{
	crossover down
	isolate a b
	wait_until "alarm of a" alarm a peer-silent &&
		wait_until "alarm of b" alarm b peer-silent &&
		holds 2 active a && not_active b && audit a &&
		back_to_a && stores_equal
}

# The active one is cut off: it stops itself, then its peer takes over.
row_000_active()
{
	crossover down
	port a disabled
	wait_until "a has stopped" not_active a &&
		wait_until "a has given up the address" lacks_service a &&
		serves b && wait_until "alarm of a" alarm a cut-off &&
		audit b && back_to_a && stores_equal
}

# The standby is cut off: it never takes over.
row_000_standby()
{
	crossover down
	port b disabled
	wait_until "alarm of b" alarm b cut-off && holds 3 not_active b &&
		active a && audit a && back_to_a && stores_equal
}

# Everybody is cut off from everybody: nobody serves, until it is repaired.
row_000_both()
{
	crossover down
	port w disabled
	isolate a b
	wait_until "a has stopped" not_active a && holds 2 not_active b &&
		lacks_service a && lacks_service b && audit none &&
		links_restore && wait_until "somebody serves" somebody_active &&
		audit && back_to_a && stores_equal
}

# All rows again with the roles exchanged: the table does not know names.
as_b_row_100()
{
	cli a standby --wait && serves b && in_step b || return 1
	port b disabled
	serves a && wait_until "b follows" follows b && audit a &&
		back_to_a && stores_equal
}

as_b_row_000()
{
	cli a standby --wait && serves b && in_step b || return 1
	crossover down
	port b disabled
	wait_until "b has stopped" not_active b && serves a && audit a &&
		back_to_a && stores_equal
}

begin
pair_up a
row "1 1 1 serve and follow" row_111
row "1 1 0 arbiter gone for both" row_110
row "1 1 0 arbiter gone for the active" row_110_one_side a
row "1 1 0 arbiter gone for the standby" row_110_one_side b
row "1 0 1 only the LAN between them is cut" row_101
row "1 0 0 active lost the LAN: hands over (f2)" row_100_active
row "1 0 0 standby lost the LAN: not eligible" row_100_standby
row "1 0 0 the LAN itself is gone: keep the role" row_100_both
row "0 1 1 crossover cut: sync moves to the LAN and back (b4)" row_011
row "0 1 0 crossover and arbiter gone" row_010
row "0 0 1 both alive: the arbiter's lease decides (f1)" row_001_both_alive
row "0 0 0 active cut off: stops itself, peer takes over" row_000_active
row "0 0 0 standby cut off: never takes over" row_000_standby
row "0 0 0 both cut off: nobody serves" row_000_both
row "1 0 0 with the roles exchanged" as_b_row_100
row "0 0 0 with the roles exchanged" as_b_row_000
finish
