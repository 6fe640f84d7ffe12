# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# corosync. It has no heartbeats: a token goes round, and its loss for the token
# timeout begins a new membership, which is there after the consensus timeout. That
# is what it tells its users, so it is what is measured. 37 ms is the shortest token
# timeout it accepts. By UDP: with its default transport, knet, no membership of two came
# within a minute of the guest. Variant nort: without its default realtime class. A membership
# that the peer has left and joined in one step is not told from one that did not change.

tells 'new membership .* Members left: 2' \
	'new membership .* Members joined: (1 )?2'

corosync_config()
{
	local rt=yes

	[ "$2" != nort ] || rt=no
	cat <<-EOT
	totem {
		version: 2
		cluster_name: pair
		transport: udpu
		token: 37
		token_retransmits_before_loss_const: 1
		join: 30
		consensus: 45
	}
	nodelist {
		node {
			ring0_addr: ${ADDRESS[a]}
			name: a
			nodeid: 1
		}
		node {
			ring0_addr: ${ADDRESS[b]}
			name: b
			nodeid: 2
		}
	}
	system {
		sched_rr: $rt
		state_dir: /var/lib
	}
	logging {
		to_stderr: yes
		to_syslog: no
		timestamp: hires
	}
	EOT
}

system_start()
{
	corosync_config "$1" "$2" > "$WORK/$1.conf"
	speaker "$1" corosync -f -c "$WORK/$1.conf"
}
