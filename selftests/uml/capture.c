// SPDX-License-Identifier: GPL-2.0-or-later
/* What passes the end of a cable. See capture.h. */
#include "capture.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mac.h"

#define BUFFER	(16 << 20)

int capture_open(const char *device)
{
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = if_nametoindex(device),
	};
	int on = 1, size = BUFFER;
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		perror(device);
		close(fd);
		return -1;
	}
	return fd;
}

/* What to add to CLOCK_REALTIME; nobody sets the clock here. */
static u64 real_to_monotonic(void)
{
	u64 before = clock_now_ns();
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (before + clock_now_ns()) / 2 -
	       ((u64)ts.tv_sec * 1000000000ULL + ts.tv_nsec);
}

static u64 time_of(struct msghdr *msg)
{
	struct cmsghdr *cmsg;
	struct timespec ts;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_type != SCM_TIMESTAMPNS)
			continue;
		memcpy(&ts, CMSG_DATA(cmsg), sizeof(ts));
		return (u64)ts.tv_sec * 1000000000ULL + ts.tv_nsec +
		       real_to_monotonic();
	}
	return 0;
}

/* Return: length, < 0 if there is nothing. */
static ssize_t next(int fd, void *bytes, size_t size, struct sockaddr_ll *from,
		    u64 *time_ns)
{
	struct iovec part = { .iov_base = bytes, .iov_len = size };
	char control[256] __attribute__((aligned(8)));
	struct msghdr msg = {
		.msg_name = from, .msg_namelen = sizeof(*from),
		.msg_iov = &part, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	ssize_t length = recvmsg(fd, &msg, 0);

	if (length >= 0)
		*time_ns = time_of(&msg);
	return length;
}

bool capture_next(int fd, u8 key_byte, struct captured *captured)
{
	const struct ctiha_mac_key *keys[CTIHA_KEY_SLOTS] = {};
	u8 secret[CTIHA_KEY_LEN], bytes[256];
	struct sockaddr_ll from = {};
	struct ctiha_mac_key key;
	ssize_t length;

	memset(secret, key_byte, sizeof(secret));
	mac_key_set(&key, secret);
	keys[0] = &key;
	while ((length = next(fd, bytes, sizeof(bytes), &from,
			      &captured->time_ns)) >= 0) {
		if (ctiha_frame_open(bytes, length, keys, &captured->frame))
			continue;
		captured->direction = from.sll_pkttype == PACKET_OUTGOING ?
				      CAPTURE_OUT : CAPTURE_IN;
		return true;
	}
	return false;
}

void capture_flush(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, MSG_TRUNC) >= 0)
		;
}

unsigned int capture_ipv4(int fd)
{
	struct sockaddr_ll from = {};
	unsigned int count = 0;
	u64 time_ns;
	u8 byte;

	while (next(fd, &byte, 1, &from, &time_ns) >= 0)
		if (from.sll_protocol == htons(ETHERTYPE_IP))
			count++;
	return count;
}
