# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Sourced by guests of benchmarks that hold both servers of a pair: a is node 0, b is
# node 1, each in the network namespace of its name.

mkdir -p /run/netns
(umask 077 && printf '%064d' 7 > /etc/pair.key)

server_config()		# NAME NODE CROSSOVER LAN
{
	local me=$(($2 + 1)) peer=$((2 - $2))

	cat <<-CONF
	node = $2
	pair = 7
	name = $1
	peer-name = peer
	key-file = /etc/pair.key
	state-dir = /var/lib/$1
	run-dir = /run/$1
	store = /run/$1/store
	lease = 4s
	promise = 4500ms
	watch = 60s
	link crossover {
		device = $3
		interval = 10ms
		multiplier = 3
		address = 10.9.1.$me
		peer-address = 10.9.1.$peer
	}
	link lan {
		device = $4
		interval = 10ms
		multiplier = 3
		address = 10.9.2.$me
		peer-address = 10.9.2.$peer
	}
	arbiter {
		address = 10.9.2.9
	}
	service {
		address = 10.9.2.100/24
		device = $4
	}
	CONF
}

# Starts a server whose links are the network cards CROSSOVER and LAN.
server()		# NAME NODE CROSSOVER LAN
{
	local name=$1 node=$2 card i=0

	ip netns add "$name"
	ip -n "$name" link set lo up
	for card in "$3" "$4"; do
		i=$((i + 1))
		ip link set "$card" netns "$name"
		ip -n "$name" addr add "10.9.$i.$((node + 1))/24" dev "$card"
		ip -n "$name" link set "$card" up
	done
	mkdir -p "/var/lib/$name" "/run/$name"
	server_config "$@" > "/etc/$name.conf"
	ip netns exec "$name" ctihad -c "/etc/$name.conf" > "/run/$name.log" 2>&1 &
}

links()			# NAME: its links with their counters, in JSON
{
	ctiha -c "/run/$1/control.sock" -j -s link show 2> /dev/null
}

both_up()
{
	local name

	for name in a b; do
		[ "$(links $name | grep -o '"state": *"up"' | wc -l)" = 2 ] || return 1
	done
}

wait_up()
{
	until both_up; do
		sleep 0.2
	done
}
