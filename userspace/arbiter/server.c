// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The arbiter's sockets: datagrams in, answers out, from the address that was
 * asked. See server.h.
 */
#include "arbiter/server.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

#define BURST			64	/* packets per turn of the event loop */
#define COMPLAIN_NS		(10 * 1000000000ULL)
#define PORT_EPHEMERAL_MIN	1024
#define PRIORITY_CONTROL	6	/* highest without CAP_NET_ADMIN */

/* A received packet and where it came from and went to. */
struct datagram {
	u8 data[STAMP_PLAIN_MAX];
	size_t len;
	bool cut;
	struct sockaddr_storage from;
	socklen_t from_len;
	int family;
	struct in_addr to4;
	struct in6_pktinfo to6;
	struct stamp_passage passage;
};

static int set_on(int fd, int level, int option)
{
	int on = 1;

	return setsockopt(fd, level, option, &on, sizeof(on));
}

static int set_options(int fd, int family)
{
	int priority = PRIORITY_CONTROL, tos = IPTOS_CLASS_CS6;

	setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority));
	if (family == AF_INET) {
		setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
		return set_on(fd, IPPROTO_IP, IP_PKTINFO) ||
		       set_on(fd, IPPROTO_IP, IP_RECVTTL);
	}
	setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
	return set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY) ||
	       set_on(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO) ||
	       set_on(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT);
}

static u16 port_of(const struct sockaddr_storage *address)
{
	if (address->ss_family == AF_INET)
		return ntohs(((const struct sockaddr_in *)address)->sin_port);
	return ntohs(((const struct sockaddr_in6 *)address)->sin6_port);
}

static socklen_t address_len(const struct sockaddr_storage *address)
{
	return address->ss_family == AF_INET ? sizeof(struct sockaddr_in) :
					       sizeof(struct sockaddr_in6);
}

static int open_socket(const struct sockaddr_storage *address)
{
	int fd = socket(address->ss_family,
			SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -errno;
	if (!set_options(fd, address->ss_family) &&
	    !bind(fd, (const struct sockaddr *)address, address_len(address)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int server_bind(struct server *server, const struct sockaddr_storage *address)
{
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	int fd;

	if (server->count == SERVER_SOCKETS_MAX)
		return -ENOSPC;
	fd = open_socket(address);
	if (fd < 0)
		return fd;
	if (getsockname(fd, (struct sockaddr *)&bound, &len)) {
		int err = -errno;

		close(fd);
		return err;
	}
	server->ports[server->count] = port_of(&bound);
	server->sockets[server->count++] = fd;
	return 0;
}

static void read_control(struct msghdr *msg, struct datagram *in)
{
	struct cmsghdr *c;
	int ttl = 0;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			in->to4 = info.ipi_spec_dst;
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
			   c->cmsg_type == IPV6_PKTINFO) {
			memcpy(&in->to6, CMSG_DATA(c), sizeof(in->to6));
		} else if ((c->cmsg_level == IPPROTO_IP &&
			    c->cmsg_type == IP_TTL) ||
			   (c->cmsg_level == IPPROTO_IPV6 &&
			    c->cmsg_type == IPV6_HOPLIMIT)) {
			memcpy(&ttl, CMSG_DATA(c), sizeof(ttl));
		}
	}
	in->passage.ttl = (u8)ttl;
}

/* Return: false if there is nothing to receive. */
static bool receive(int fd, struct datagram *in)
{
	union {
		char room[256];
		struct cmsghdr align;
	} control;
	struct iovec iov = { in->data, sizeof(in->data) };
	struct msghdr msg = {
		.msg_name = &in->from,
		.msg_namelen = sizeof(in->from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct timespec wall;
	ssize_t n = recvmsg(fd, &msg, 0);

	if (n < 0)
		return false;
	clock_gettime(CLOCK_REALTIME, &wall);
	memset(&in->passage, 0, sizeof(in->passage));
	memset(&in->to4, 0, sizeof(in->to4));
	memset(&in->to6, 0, sizeof(in->to6));
	in->passage.received_ntp = stamp_ntp(&wall);
	in->len = (size_t)n;
	in->cut = msg.msg_flags & MSG_TRUNC;
	in->from_len = msg.msg_namelen;
	in->family = in->from.ss_family;
	read_control(&msg, in);
	return true;
}

static void *control_fill(struct msghdr *msg, int level, int type, size_t len)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(len);
	msg->msg_controllen = CMSG_SPACE(len);
	return CMSG_DATA(c);
}

/* Routing chooses the device; only the address has to be the asked one. */
static bool reply(int fd, const struct datagram *in, const u8 *data, size_t len)
{
	union {
		char room[64];
		struct cmsghdr align;
	} control = { { 0 } };
	struct iovec iov = { (void *)data, len };
	struct msghdr msg = {
		.msg_name = (void *)&in->from,
		.msg_namelen = in->from_len,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct in_pktinfo info4 = { .ipi_spec_dst = in->to4 };
	struct in6_pktinfo info6 = { .ipi6_addr = in->to6.ipi6_addr };

	if (in->family == AF_INET)
		memcpy(control_fill(&msg, IPPROTO_IP, IP_PKTINFO,
				    sizeof(info4)), &info4, sizeof(info4));
	else
		memcpy(control_fill(&msg, IPPROTO_IPV6, IPV6_PKTINFO,
				    sizeof(info6)), &info6, sizeof(info6));
	return sendmsg(fd, &msg, MSG_DONTWAIT) == (ssize_t)len;
}

static const char *complaint(enum packet_fate fate)
{
	switch (fate) {
	case PACKET_FOREIGN:
		return "its pair is not in this arbiter's configuration";
	case PACKET_FORGED:
		return "its check code is wrong; compare the key files";
	case PACKET_UNSAFE_TIMES:
		return "its promise is not longer than its lease; mend ctiha.conf there";
	case PACKET_LOOPING:
		return "its source port belongs to a service that may answer back";
	default:
		return NULL;
	}
}

/* Anyone can send anything: at most one line in 10 s for each fate. */
static void complain(struct server *server, enum packet_fate fate,
		     const struct datagram *in, u32 pair, u64 now_ns)
{
	u64 *last = &server->complained_ns[fate];
	const void *address = in->family == AF_INET ?
		(const void *)&((const struct sockaddr_in *)&in->from)->sin_addr :
		(const void *)&((const struct sockaddr_in6 *)&in->from)->sin6_addr;
	const char *why = complaint(fate);
	char text[INET6_ADDRSTRLEN] = "?";

	if (!why || (*last && now_ns - *last < COMPLAIN_NS))
		return;
	*last = now_ns;
	inet_ntop(in->family, address, text, sizeof(text));
	log_warning("a packet from %s port %u for pair %u is ignored: %s (%llu so far)",
		    text, port_of(&in->from), pair, why,
		    (unsigned long long)server->fates[fate]);
}

/* Two reflectors, made to answer each other, would never stop. */
static bool may_loop(const struct server *server, const struct datagram *in)
{
	u16 port = port_of(&in->from);
	unsigned int i;

	for (i = 0; i < server->count; i++) {
		if (port == server->ports[i])
			return true;
	}
	return port < PORT_EPHEMERAL_MIN;
}

static enum packet_fate handle(struct server *server, int fd,
			       const struct datagram *in, u64 now_ns, u32 *pair)
{
	u8 out[STAMP_PLAIN_MAX];
	enum packet_fate fate;
	size_t out_len;
	u64 random;

	*pair = 0;
	if (may_loop(server, in))
		return PACKET_LOOPING;
	if (in->cut || getrandom(&random, sizeof(random), 0) != sizeof(random))
		return PACKET_MALFORMED;
	fate = packet_answer(server->pairs, in->data, in->len, &in->passage,
			     now_ns, random, out, &out_len, pair);
	if (out_len && !reply(fd, in, out, out_len))
		return PACKET_UNSENT;
	return fate;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct server *server = arg;
	struct datagram in;
	unsigned int i;

	(void)what;
	for (i = 0; i < BURST && receive(fd, &in); i++) {
		u64 now_ns = clock_now_ns();
		u32 pair;
		enum packet_fate fate = handle(server, fd, &in, now_ns, &pair);

		server->fates[fate]++;
		complain(server, fate, &in, pair, now_ns);
	}
}

int server_start(struct server *server, struct event_base *base)
{
	unsigned int i;

	for (i = 0; i < server->count; i++) {
		server->events[i] = event_new(base, server->sockets[i],
					      EV_READ | EV_PERSIST,
					      on_readable, server);
		if (!server->events[i] || event_add(server->events[i], NULL))
			return -ENOMEM;
	}
	return 0;
}

void server_close(struct server *server)
{
	const u64 *n = server->fates;
	unsigned int i;

	for (i = 0; i < server->count; i++) {
		if (server->events[i])
			event_free(server->events[i]);
		close(server->sockets[i]);
	}
	log_info("packets: %llu answered, %llu reflected, %llu forged, %llu of foreign pairs, %llu replayed, %llu malformed, %llu with unsafe times, %llu looping, %llu answers not sent",
		 (unsigned long long)n[PACKET_ANSWERED],
		 (unsigned long long)n[PACKET_REFLECTED],
		 (unsigned long long)n[PACKET_FORGED],
		 (unsigned long long)n[PACKET_FOREIGN],
		 (unsigned long long)n[PACKET_REPLAYED],
		 (unsigned long long)n[PACKET_MALFORMED],
		 (unsigned long long)n[PACKET_UNSAFE_TIMES],
		 (unsigned long long)n[PACKET_LOOPING],
		 (unsigned long long)n[PACKET_UNSENT]);
}
