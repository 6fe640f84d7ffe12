# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# FRR's bfdd, without zebra. Variant rt: started by chrt, as it has no option for it.

tells 'state-change: .* up -> down' \
	'state-change: .* -> up'

bfdd_config()
{
	cat <<-EOT
	log stdout debugging
	debug bfd peer
	bfd
	 peer ${ADDRESS[$(other "$1")]} local-address ${ADDRESS[$1]}
	  receive-interval 10
	  transmit-interval 10
	  detect-multiplier 3
	  no shutdown
	 exit
	exit
	EOT
}

system_start()
{
	local rt=()

	[ "$2" != rt ] || rt=(chrt -f 80)
	bfdd_config "$1" > "$WORK/$1.conf"
	speaker "$1" "${rt[@]}" bfdd --user root --group root --config_file "$WORK/$1.conf" \
		--pid_file /run/bfdd.pid --socket /run/zserv --vty_socket /run \
		--bfdctl /run/bfdd.sock --log stdout --log-level debug --vty_port 0
}
