# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# No system: what the guest's CPU does anyway.

tells '^down$' \
	'^up$'

system_start()
{
	[ "$1" = b ] || speaker a bash -c 'echo up; exec sleep inf'
}
