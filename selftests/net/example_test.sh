#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Documentation/example/switchboard.c does what it says: its calls outlive its server.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

BUILD_DIR=$BIN/..

# In place of the library's: the switchboard, and a pipe to type into.
app_start()
{
	[ -p "$WORK/$1.keys" ] || mkfifo "$WORK/$1.keys"
	# shellcheck disable=SC2016 # the inner shell's
	start "app-$1" "$1" env LD_LIBRARY_PATH="$BUILD_DIR/lib" bash -c \
		'exec "$0" "$1" <> "$2"' "$BUILD_DIR/example/switchboard" \
		"$WORK/$1/run/app.sock" "$WORK/$1.keys"
}

type_into() { echo "$2" > "$WORK/$1.keys"; }
said() { grep -qxF "$2" "$WORK/app-$1.log"; }

standby_is_told()
{
	wait_until "a is told" said a "from now on calls are safe on both servers"
}

calls_are_safe_on_both()
{
	type_into a "4711 ringing"
	type_into a "4712 talking"
	type_into a "4711 talking"
	type_into a "4712"
	wait_until "all are answered" said a "line 4: safe on both servers" &&
		wait_until "stores are equal" stores_equal
}

standby_says_no()
{
	type_into b "4713 ringing"
	wait_until "b refuses" said b "this server is not active"
}

calls_outlive_their_server()
{
	server_kill a
	serves b && wait_until "b lists the call" said b "call 4711 is talking" &&
		! said b "call 4712 is talking" || return 1
	type_into b "4711 on hold"
	wait_until "b goes on" said b "line 2: safe here; there is no standby" && audit b
}

rule() { cli "$1" -j sync show | jq -r .without_standby; }

# The standby is away; the rule is changed while the daemon serves.
refuses_without_standby()
{
	echo "sync { without-standby = refuse }" | tee -a "$WORK/a/ctiha.conf" >> "$WORK/b/ctiha.conf"
	[ "$(rule b)" = alone ] && cli b reload && [ "$(rule b)" = refuse ] || return 1
	cli b sync show | grep -q "^Standby  *needed" || return 1
	field b .advice | grep -q "no writes are taken" || return 1
	type_into b "4714 ringing"
	wait_until "b refuses" said b \
		"line 3: not kept: this server is not active or lacks a standby, or its store is full"
}

standby_comes_back()
{
	server_start a || return 1
	wait_until "b is told" said b "from now on calls are safe on both servers" || return 1
	type_into b "4714 ringing"
	wait_until "b takes calls again" said b "line 4: safe on both servers" || return 1
	[ "$(rule a)" = refuse ] || return 1
	server_kill a
	wait_until "b is told of the loss" said b "from now on there is no standby" && audit b
}

begin
scenario "the switchboard starts on both" pair_up
scenario "it is told of the standby" standby_is_told
scenario "its calls are safe on both servers" calls_are_safe_on_both
scenario "the standby's takes none" standby_says_no
scenario "its calls outlive their server" calls_outlive_their_server
scenario "it takes none without a standby, if that is the rule" refuses_without_standby
scenario "it is told when the standby comes back, and goes" standby_comes_back
finish
