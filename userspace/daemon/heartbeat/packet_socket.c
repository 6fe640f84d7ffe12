// SPDX-License-Identifier: GPL-2.0-or-later
/* Heartbeat frames on one net device by AF_PACKET. See packet.h. */
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/heartbeat/packet.h"

#define PRIORITY_CONTROL	7	/* TC_PRIO_CONTROL */

/* Past the queueing disciplines: bulk traffic must not delay a heartbeat. */
static void set_bypass(int fd, int on)
{
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
}

/* They make it better; without them it works as well. */
static void set_options(int fd)
{
	int yes = 1, priority = PRIORITY_CONTROL;

	setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority));
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes));
	set_bypass(fd, 1);
}

static int check_device(int fd, const char *device, u32 *ifindex)
{
	struct ifreq request = { .ifr_flags = 0 };

	if (strlen(device) >= sizeof(request.ifr_name))
		return -ENODEV;
	memcpy(request.ifr_name, device, strlen(device) + 1);
	if (ioctl(fd, SIOCGIFFLAGS, &request))
		return -errno;
	if (!(request.ifr_flags & IFF_UP))
		return -ENETDOWN;
	if (ioctl(fd, SIOCGIFINDEX, &request))
		return -errno;
	*ifindex = (u32)request.ifr_ifindex;
	return 0;
}

static int bind_device(int fd, u32 ifindex)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(CTIHA_ETHERTYPE),
		.sll_ifindex = (int)ifindex,
	};

	return bind(fd, (struct sockaddr *)&to, sizeof(to)) ? -errno : 0;
}

int packet_socket_open(const char *device, u32 *ifindex)
{
	/* Protocol 0: nothing is received before it is bound to the device. */
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return -errno;
	ret = check_device(fd, device, ifindex);
	if (!ret)
		ret = bind_device(fd, *ifindex);
	if (ret) {
		close(fd);
		return ret;
	}
	set_options(fd);
	return fd;
}

static int send_to(int fd, const struct sockaddr_ll *to, const void *data,
		   size_t len)
{
	ssize_t sent = sendto(fd, data, len, 0, (const struct sockaddr *)to,
			      sizeof(*to));

	return sent < 0 ? -errno : 0;
}

int packet_socket_send(int fd, u32 ifindex, const u8 mac[6], const void *data,
		       size_t len)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(CTIHA_ETHERTYPE),
		.sll_ifindex = (int)ifindex,
		.sll_halen = 6,
	};
	int ret;

	memcpy(to.sll_addr, mac, 6);
	ret = send_to(fd, &to, data, len);
	if (ret != -ENOBUFS)
		return ret;
	/* The device's own queue is full: wait in line this once. */
	set_bypass(fd, 0);
	ret = send_to(fd, &to, data, len);
	set_bypass(fd, 1);
	return ret;
}

static bool is_for_us(const struct sockaddr_ll *from)
{
	return from->sll_pkttype == PACKET_HOST ||
	       from->sll_pkttype == PACKET_BROADCAST ||
	       from->sll_pkttype == PACKET_MULTICAST;
}

ssize_t packet_socket_receive(int fd, void *data, size_t size)
{
	struct sockaddr_ll from;
	socklen_t from_len = sizeof(from);
	ssize_t len;

	len = recvfrom(fd, data, size, 0, (struct sockaddr *)&from, &from_len);
	if (len < 0)
		return -errno;
	return is_for_us(&from) ? len : -ENOMSG;
}
