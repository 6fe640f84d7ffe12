# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# ctiha. Variants: module; packet, packet-rt: ctihad itself sends the heartbeats, with
# the nice value of its unit, or by chrt. Without an arbiter, which takes no part in the
# detection. One lost session is not yet a failover, as the other link is up, but it is
# counted as one.
#
# The time is that of the event: `ctiha monitor` may be late under load, and what it
# reports was done by then.

tells '"time_ns": ?([0-9]+),.*"name": ?"crossover".*"state": ?"(down|init)"' \
	'"time_ns": ?([0-9]+),.*"name": ?"crossover".*"state": ?"up"'

ctiha_config()
{
	local n=$1 o
	local -A number=([a]=0 [b]=1)

	o=$(other "$n")
	cat <<-EOT
	node = ${number[$n]}
	pair = 7
	name = $n
	peer-name = $o
	key-file = /run/key
	backend = $2
	state-dir = /run/state
	run-dir = $WORK/$n.run
	store = /run/store
	user = root
	group = root
	lease = 4s
	promise = 4500ms
	link crossover {
		device = cable0$n
		interval = 10ms
		multiplier = 3
		address = ${ADDRESS[$n]}
		peer-address = ${ADDRESS[$o]}
	}
	link lan {
		device = cable1$n
		interval = 10ms
		multiplier = 3
		address = ${LAN[$n]}
		peer-address = ${LAN[$o]}
	}
	arbiter {
		address = 10.9.2.9
		interval = 1s
		timeout = 5s
	}
	settle = 7s
	service {
		address = 10.9.2.100/24
		device = cable1$n
	}
	EOT
}

system_start()
{
	local name=$1 how=(nice -n -10)

	[ "$2" != packet-rt ] || how=(chrt -f 80)
	ctiha_config "$name" "${2%-rt}" > "$WORK/$name.conf"
	# shellcheck disable=SC2016 # the inner shell expands it
	node "$name" "${how[@]}" bash -c '
		(umask 077 && printf "%064d" 7 > /run/key)
		exec ctihad -c "$0"' "$WORK/$name.conf"
	[ "$name" = a ] || return 0
	until [ -S "$WORK/a.run/control.sock" ] || [ ! -d /proc/$! ]; do
		sleep 0.1
	done
	speaker a ctiha -c "$WORK/a.run/control.sock" -j monitor link
}
