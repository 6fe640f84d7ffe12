#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Daemons die at any instant, again and again, while calls come in (issue 4.9): each
# time the store opens, the pair is in step again, and in the end no acknowledged
# write is missing.
#
# KILLS times (default 6), RATE requests a second (500), CALLS (500), SEED.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

KILLS=${KILLS:-6}
RATE=${RATE:-500}
CALLS=${CALLS:-500}
SEED=${SEED:-$RANDOM}

some_server() { if [ $((RANDOM % 2)) = 0 ]; then echo a; else echo b; fi; }

# The next one waits until this one has mended: what is tested is a death, not two.
kill_one()
{
	local victim

	victim=$(some_server)
	end "daemon-$victim" KILL
	mark_daemon "$victim" end
	wait_until "somebody serves without $victim" active "${OTHER[$victim]}" || return 1
	mark_daemon "$victim" begin
	daemon_start "$victim" && in_step "${OTHER[$victim]}"
}

killed_again_and_again()
{
	local count

	RANDOM=$SEED
	echo "# seed $SEED"
	callers_start "$CALLS" "$RATE" 1 || return 1
	for ((count = 1; count <= KILLS; count++)); do
		kill_one || { echo "# at kill $count"; return 1; }
		[ $((count % 50)) != 0 ] || echo "# $count of $KILLS" >&2
		# At any instant of what goes on then.
		sleep "0.$((RANDOM % 10))$((RANDOM % 10))"
	done
	callers_end && audit "" && stores_equal
}

begin
scenario "a pair that serves" pair_up a
scenario "daemons are killed $KILLS times" killed_again_and_again
finish
