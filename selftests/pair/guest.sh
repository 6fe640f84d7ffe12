#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A CTI server of the demo, in its virtual machine: network, module, daemon,
# application; then commands from the host, one a line, on the port "ctl".

name=$(hostname)
conf=/etc/ctiha/$name.conf
# shellcheck source=/dev/null
. "/etc/ctiha/$name.env"	# CROSSOVER_ADDRESS LAN_ADDRESS

ip address add "$CROSSOVER_ADDRESS" dev crossover
ip address add "$LAN_ADDRESS" dev lan
ip link set crossover up
ip link set lan up

# What must survive a power cut lies on a disk.
mkdir -p /var/lib/ctiha /run/ctiha
mount -t ext4 /dev/vda /var/lib/ctiha

# Each life of a program goes on in the same log on the host.
server_start()
{
	ctihad -c "$conf" > /dev/virtio-ports/daemon 2>&1 &
	daemon=$!
	until [ -S /run/ctiha/control.sock ]; do sleep 0.05; done
	ctiha -j monitor > /dev/virtio-ports/events 2>&1 &
	ctiha -j monitor steps > /dev/virtio-ports/steps 2>&1 &
	ctiha-load serve --socket /run/ctiha/app.sock --listen 0.0.0.0:5077 \
		> /dev/virtio-ports/application 2>&1 &
}

commands()
{
	local line

	exec 5<> /dev/virtio-ports/ctl
	while :; do
		# With nobody connected, read ends at once.
		read -r -u 5 line || { sleep 0.05; continue; }
		eval "$line" >&5 2>&1
		echo "= $?" >&5
	done
}

server_start
echo "ctiha-server: up, daemon $daemon"
commands
