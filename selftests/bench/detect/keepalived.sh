# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# keepalived. Variants:
#   vrrp      VRRP version 3; b has the higher priority and is master, a takes over
#   bfd       its BFD process alone, without echo
#   vrrp-rt, bfd-rt: with the realtime priority that its manual page offers
#
# VRRP has no multiplier: three advertisements and a skew by priority are its rule.

tells 'Entering MASTER STATE|Entering Down state' \
	'Entering BACKUP STATE|Entering Up state'

keepalived_config()
{
	local name=$1 rt=''

	[[ $2 != *-rt ]] || rt='vrrp_rt_priority 80
	bfd_rt_priority 80'
	cat <<-EOT
	global_defs {
		router_id $name
		vrrp_garp_master_refresh 0
		$rt
	}
	EOT
	case $2 in
	vrrp*)	keepalived_vrrp "$name" ;;
	bfd*)	keepalived_bfd "$name" ;;
	esac
}

keepalived_vrrp()
{
	local -A priority=([a]=100 [b]=200)

	cat <<-EOT
	vrrp_instance pair {
		version 3
		state BACKUP
		interface cable0$1
		virtual_router_id 7
		priority ${priority[$1]}
		advert_int 0.01
		virtual_ipaddress {
			10.9.1.100/24
		}
	}
	EOT
}

keepalived_bfd()
{
	cat <<-EOT
	bfd_instance pair {
		neighbor_ip ${ADDRESS[$(other "$1")]}
		source_ip ${ADDRESS[$1]}
		min_rx 10
		min_tx 10
		multiplier 3
	}
	EOT
}

system_start()
{
	keepalived_config "$1" "$2" > "$WORK/$1.conf"
	speaker "$1" keepalived --dont-fork --log-console --log-detail --no-syslog \
		--use-file "$WORK/$1.conf"
}
