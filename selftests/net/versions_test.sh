#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A pair is upgraded one server after the other, and may have to go back: two versions
# must keep each other's calls, whichever of them is active. Server a runs a daemon of
# an earlier commit, which is built here, b the one of this tree.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

# Commits of this repository, and what each of them is.
VERSIONS=(
	"7ac1c0c before TLS, dictionaries and totals"
	"e961dd2 with TLS, dictionaries and totals"
)
CALLS=100

commit_is_there() { git -C "$TOP" cat-file -e "$1^{commit}" 2> /dev/null; }

# build COMMIT: its daemon, and nothing else
build()
{
	local tree=$WORK/tree-$1

	mkdir "$tree" && git -C "$TOP" archive "$1" | tar -x -C "$tree" &&
		make -C "$tree" -j"$(nproc)" CFLAGS=-O1 build/bin/ctihad \
			> "$WORK/build-$1.log" 2>&1 &&
		cp "$tree/build/bin/ctihad" "$WORK/ctihad-$1" && rm -rf "$tree"
}

# In place of the library's: each server its own version.
daemon_start()
{
	start "daemon-$1" "$1" "${CTIHAD[$1]}" -c "$WORK/$1/ctiha.conf"
	wait_until "ctihad of $1 answers" cli "$1" -j status
	recorder_start "$1"
}

# The new one has a dictionary for the pair, as a package installs it.
configure()
{
	local insecure=no

	[ "$1" = 7ac1c0c ] && insecure=yes
	write_config a
	write_config b
	cat >> "$WORK/b/ctiha.conf" <<-EOT
	sync {
		insecure = $insecure
		dictionary = "$BIN/../share/calls.dict"
	}
	EOT
}

sync_field() { cli "$1" -j sync show | jq -r "$2"; }
nothing_refused() { [ "$(sync_field a .damaged) $(sync_field b .damaged)" = "0 0" ]; }

# Of the calls that change all the time, the same ones for all that a pair goes through.
audits() { grep '"event":"audit"' "$WORK/callers.log"; }
audited() { [ "$(audits | wc -l)" -gt "$1" ]; }

# Every call that was acknowledged is there, as it was acknowledged.
calls_are_safe()
{
	local before

	before=$(audits | wc -l)
	echo audit >&9
	wait_until "the calls are audited" audited "$before" || return 1
	audits | tail -n 1 |
		jq -e ".good and .calls_after >= $CALLS / 2" > /dev/null && return
	audits | tail -n 1
	return 1
}

in_sync() { is "$1" ".sync.state | IN(\"identical\", \"behind\")" true; }

# A second of writes; nothing of them is refused, or sent for a second time.
works()
{
	in_step "$1" && holds 1 in_sync "$1" && nothing_refused && calls_are_safe
}

# dies ACTIVE: the other one serves, with every call
dies()
{
	server_kill "$1"
	serves "${OTHER[$1]}" && calls_are_safe && audit "${OTHER[$1]}"
}

earlier_dies()
{
	pair_up a && callers_start "$CALLS" 200 1 && works a && dies a
}

later_dies()
{
	server_start a
	works b && dies b
}

handed_over_and_back()
{
	server_start b
	works a && cli a standby --wait && serves b && works b &&
		cli a takeover --wait && serves a && works a || return 1
	end callers
	wait_until "stores are equal" stores_equal && audit a
}

# new_pair COMMIT: with nothing of the one before
new_pair()
{
	local s

	end callers
	for s in a b; do
		server_stop $s
		rm -rf "${WORK:?}/$s"
	done
	: > "$WORK/a.events"
	: > "$WORK/b.events"
	CTIHAD=([a]=$WORK/ctihad-$1 [b]=$BIN/ctihad)
	configure "$1"
}

try_version()
{
	local commit=$1 what=$2 failed=$TEST_FAILED

	if ! commit_is_there "$commit"; then
		TEST_COUNT=$((TEST_COUNT + 1))
		echo "ok $TEST_COUNT $commit, $what # SKIP not in this clone: git fetch --unshallow"
		return
	fi
	scenario "$commit, $what, is built" build "$commit"
	[ -x "$WORK/ctihad-$commit" ] || return 0
	new_pair "$commit"
	scenario "$commit active dies, this version takes over" earlier_dies
	[ "$TEST_FAILED" = "$failed" ] || return 0
	scenario "this version active dies, $commit takes over" later_dies
	[ "$TEST_FAILED" = "$failed" ] || return 0
	scenario "$commit hands over to this version, and takes back" handed_over_and_back
}

if [ "$BACKEND" != packet ]; then
	echo "KTAP version 1"
	echo "ok 1 versions # SKIP the daemons' affair (BACKEND=packet)"
	echo "1..1"
	exit 0
fi
declare -A CTIHAD=()
begin
for version in "${VERSIONS[@]}"; do
	try_version "${version%% *}" "${version#* }"
done
finish
