// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Gratuitous ARP (RFC 5227, section 3; RFC 826) and unsolicited neighbour
 * advertisements (RFC 4861, section 7.2.6) over a packet socket.
 *
 * Timers: the next repeat, while this server holds the addresses.
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <linux/icmpv6.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/ip6.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/log.h"
#include "daemon/announce.h"

/* Pauses between one announcement and the next: at 50 ms, 200 ms, 1 s, 5 s. */
static const struct timeval pauses[] = {
	{ .tv_usec = 50000 },
	{ .tv_usec = 150000 },
	{ .tv_usec = 800000 },
	{ .tv_sec = 4 },
};

struct announce {
	const struct config_service *services;
	unsigned int count;
	int fd;
	struct event *timer;
	unsigned int repeat;
};

struct arp {
	__be16 hardware;
	__be16 protocol;
	u8 hardware_len;
	u8 protocol_len;
	__be16 operation;
	u8 sender_mac[6];
	u8 sender[4];
	u8 target_mac[6];
	u8 target[4];
} __packed;

/* IPv6 header, neighbour advertisement, target link-layer address option. */
struct advertisement {
	struct ip6_hdr ip;
	u8 type;
	u8 code;
	__be16 checksum;
	u8 flags;
	u8 reserved[3];
	u8 target[16];
	u8 option_type;
	u8 option_len;		/* in units of 8 bytes */
	u8 mac[6];
} __packed;

#define ADVERTISEMENT_ICMP_LEN	\
	(sizeof(struct advertisement) - sizeof(struct ip6_hdr))
#define FLAG_OVERRIDE		0x20

static_assert(sizeof(struct arp) == 28, "RFC 826");
static_assert(ADVERTISEMENT_ICMP_LEN == 32, "RFC 4861, 4.4 and 4.6.1");

/* Where a frame goes. */
struct port {
	int ifindex;
	u8 mac[6];
};

/* 0, or -errno; -EPROTONOSUPPORT if the device is not Ethernet-like. */
static int find_port(int fd, const char *device, struct port *port)
{
	struct ifreq r;

	memset(&r, 0, sizeof(r));
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", device);
	if (ioctl(fd, SIOCGIFINDEX, &r))
		return -errno;
	port->ifindex = r.ifr_ifindex;
	if (ioctl(fd, SIOCGIFHWADDR, &r))
		return -errno;
	if (r.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return -EPROTONOSUPPORT;
	memcpy(port->mac, r.ifr_hwaddr.sa_data, sizeof(port->mac));
	return 0;
}

static int send_frame(int fd, const struct port *port, u16 protocol,
		      const u8 to[6], const void *data, size_t len)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(protocol),
		.sll_ifindex = port->ifindex,
		.sll_halen = 6,
	};

	memcpy(sll.sll_addr, to, 6);
	if (sendto(fd, data, len, MSG_DONTWAIT, (struct sockaddr *)&sll,
		   sizeof(sll)) < 0)
		return -errno;
	return 0;
}

static int send_arp(int fd, const struct port *port, const u8 address[4])
{
	static const u8 everyone[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct arp arp = {
		.hardware = cpu_to_be16(ARPHRD_ETHER),
		.protocol = cpu_to_be16(ETHERTYPE_IP),
		.hardware_len = 6,
		.protocol_len = 4,
		.operation = cpu_to_be16(ARPOP_REQUEST),
	};
	int err;

	memcpy(arp.sender_mac, port->mac, 6);
	memcpy(arp.sender, address, 4);
	memcpy(arp.target, address, 4);
	err = send_frame(fd, port, ETHERTYPE_ARP, everyone, &arp, sizeof(arp));
	if (err)
		return err;
	/* Some neighbours believe only the one form, some only the other. */
	arp.operation = cpu_to_be16(ARPOP_REPLY);
	memcpy(arp.target_mac, port->mac, 6);
	return send_frame(fd, port, ETHERTYPE_ARP, everyone, &arp, sizeof(arp));
}

static u32 sum16(u32 sum, const void *data, size_t len)
{
	const u8 *p = data;
	size_t i;

	for (i = 0; i + 1 < len; i += 2)
		sum += (u32)p[i] << 8 | p[i + 1];
	return sum;
}

/* Over the pseudo header (RFC 8200, section 8.1) and the message. */
static __be16 checksum(const struct advertisement *na)
{
	u32 sum = ADVERTISEMENT_ICMP_LEN + IPPROTO_ICMPV6;

	sum = sum16(sum, &na->ip.ip6_src, 32);
	sum = sum16(sum, &na->type, ADVERTISEMENT_ICMP_LEN);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return cpu_to_be16((u16)~sum);
}

static int send_advertisement(int fd, const struct port *port,
			      const u8 address[16])
{
	static const u8 all_nodes_mac[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	struct advertisement na = {
		.type = 136,
		.flags = FLAG_OVERRIDE,
		.option_type = 2,
		.option_len = 1,
	};

	na.ip.ip6_flow = cpu_to_be32(6U << 28);
	na.ip.ip6_plen = cpu_to_be16(ADVERTISEMENT_ICMP_LEN);
	na.ip.ip6_nxt = IPPROTO_ICMPV6;
	na.ip.ip6_hlim = 255;
	memcpy(&na.ip.ip6_src, address, 16);
	na.ip.ip6_dst.s6_addr[0] = 0xff;
	na.ip.ip6_dst.s6_addr[1] = 0x02;
	na.ip.ip6_dst.s6_addr[15] = 1;
	memcpy(na.target, address, 16);
	memcpy(na.mac, port->mac, 6);
	na.checksum = checksum(&na);
	return send_frame(fd, port, ETHERTYPE_IPV6, all_nodes_mac, &na,
			  sizeof(na));
}

static int announce_one(const struct announce *a,
			const struct config_service *s)
{
	struct port port = { 0 };
	int err = find_port(a->fd, s->device, &port);

	/* A loopback or tunnel device has no neighbours to tell. */
	if (err)
		return err == -EPROTONOSUPPORT ? 0 : err;
	if (s->family == AF_INET)
		return send_arp(a->fd, &port, s->address);
	return send_advertisement(a->fd, &port, s->address);
}

static unsigned int announce_all(const struct announce *a)
{
	unsigned int i, failed = 0;
	int err;

	for (i = 0; i < a->count; i++) {
		err = announce_one(a, &a->services[i]);
		if (!err)
			continue;
		failed++;
		if (!a->repeat)
			log_warning("cannot announce %s on %s: %s",
				    a->services[i].text, a->services[i].device,
				    strerror(-err));
	}
	return failed;
}

static void schedule(struct announce *a)
{
	if (a->repeat < ARRAY_SIZE(pauses))
		event_add(a->timer, &pauses[a->repeat]);
}

static void repeat(evutil_socket_t fd, short what, void *arg)
{
	struct announce *a = arg;

	(void)fd;
	(void)what;
	a->repeat++;
	announce_all(a);
	schedule(a);
}

unsigned int announce_start(struct announce *a)
{
	unsigned int failed;

	if (!a->count)
		return 0;
	a->repeat = 0;
	failed = announce_all(a);
	schedule(a);
	return failed;
}

void announce_stop(struct announce *a)
{
	event_del(a->timer);
}

struct announce *announce_open(struct event_base *base,
			       const struct config_service *services,
			       unsigned int count, char *error,
			       size_t error_size)
{
	struct announce *a = calloc(1, sizeof(*a));

	if (!a) {
		snprintf(error, error_size, "no memory: free some");
		return NULL;
	}
	a->services = services;
	a->count = count;
	a->timer = event_new(base, -1, 0, repeat, a);
	/* Protocol 0: it only sends. */
	a->fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (a->timer && a->fd >= 0)
		return a;
	snprintf(error, error_size,
		 "cannot open a packet socket (%s): give the daemon CAP_NET_RAW",
		 strerror(errno));
	announce_close(a);
	return NULL;
}

void announce_close(struct announce *a)
{
	if (!a)
		return;
	if (a->timer)
		event_free(a->timer);
	if (a->fd >= 0)
		close(a->fd);
	free(a);
}
