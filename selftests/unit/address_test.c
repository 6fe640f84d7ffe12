// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Service addresses and their announcement, in a network namespace of its own
 * with a pair of virtual Ethernet devices: v0 is ours, v1 is the neighbour.
 */
#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "common/clock.h"
#include "daemon/address.h"
#include "daemon/announce.h"

#define FRAMES_MAX	64

struct frame {
	u8 bytes[128];
	ssize_t len;
};

FIXTURE(address)
{
	struct address *a;
	struct event_base *base;
	struct config_service v4;
	struct config_service v6;
	char error[256];
	int fd;		/* hears what the neighbour hears */
	struct frame frames[FRAMES_MAX];
	int count;
};

static struct config_service service(const char *text, const char *device)
{
	struct config_service s = { 0 };
	char host[64];
	const char *slash = strchr(text, '/');

	snprintf(host, sizeof(host), "%.*s", (int)(slash - text), text);
	snprintf(s.text, sizeof(s.text), "%s", text);
	snprintf(s.device, sizeof(s.device), "%s", device);
	s.family = strchr(host, ':') ? AF_INET6 : AF_INET;
	s.prefix = (u8)atoi(slash + 1);
	inet_pton(s.family, host, s.address);
	return s;
}

static int run(const char *command)
{
	return system(command);
}

static int listen_on(const char *device)
{
	struct sockaddr_ll sll = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(device),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(ETH_P_ALL));

	if (fd < 0 || bind(fd, (struct sockaddr *)&sll, sizeof(sll)))
		abort();
	return fd;
}

FIXTURE_SETUP(address)
{
	memset(self, 0, sizeof(*self));
	self->fd = -1;
	if (unshare(CLONE_NEWNET))
		SKIP(return, "needs root for a network namespace");
	ASSERT_EQ(0, run("ip link add v0 type veth peer name v1"));
	/* No chatter of the kernel's own on the wire. */
	run("sysctl -qw net.ipv6.conf.v0.addr_gen_mode=1 net.ipv6.conf.v1.addr_gen_mode=1");
	ASSERT_EQ(0, run("ip link set v0 up address 02:00:00:00:00:0a && ip link set v1 up && ip link set lo up"));
	self->a = address_open(self->error, sizeof(self->error));
	ASSERT_NE(NULL, self->a) TH_LOG("%s", self->error);
	self->base = event_base_new();
	self->v4 = service("192.0.2.10/24", "v0");
	self->v6 = service("2001:db8::10/64", "v0");
	self->fd = listen_on("v1");
}

FIXTURE_TEARDOWN(address)
{
	if (self->fd < 0)
		return;
	close(self->fd);
	address_close(self->a);
	event_base_free(self->base);
}

TEST_F(address, add_and_remove)
{
	const struct config_service *both[] = { &self->v4, &self->v6 };
	int i;

	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, address_present(self->a, both[i]));
		EXPECT_EQ(0, address_del(self->a, both[i]));
		EXPECT_EQ(0, address_add(self->a, both[i]));
		EXPECT_EQ(1, address_present(self->a, both[i]));
		/* Again changes nothing. */
		EXPECT_EQ(0, address_add(self->a, both[i]));
		EXPECT_EQ(1, address_present(self->a, both[i]));
	}
	EXPECT_EQ(0, run("ip -4 addr show dev v0 | grep -q 'inet 192.0.2.10/24 scope global v0'"));
	EXPECT_EQ(0, run("ip -6 addr show dev v0 | grep -q 'inet6 2001:db8::10/64 scope global nodad'"));
	/* Usable at once. */
	EXPECT_NE(0, run("ip -6 addr show dev v0 | grep -q tentative"));
	for (i = 0; i < 2; i++) {
		EXPECT_EQ(0, address_del(self->a, both[i]));
		EXPECT_EQ(0, address_present(self->a, both[i]));
		EXPECT_EQ(0, address_del(self->a, both[i]));
	}
}

/* Only the very same address on the very same device counts. */
TEST_F(address, similar_addresses)
{
	struct config_service s;

	EXPECT_EQ(0, run("ip addr add 192.0.2.10/25 dev v0 && ip addr add 192.0.2.11/24 dev v0 && ip addr add 192.0.2.10/24 dev v1"));
	EXPECT_EQ(0, address_present(self->a, &self->v4));
	EXPECT_EQ(0, address_add(self->a, &self->v4));
	EXPECT_EQ(1, address_present(self->a, &self->v4));
	EXPECT_EQ(0, address_del(self->a, &self->v4));
	s = service("192.0.2.10/25", "v0");
	EXPECT_EQ(1, address_present(self->a, &s));
	s = service("192.0.2.11/24", "v0");
	EXPECT_EQ(1, address_present(self->a, &s));
	s = service("192.0.2.10/24", "v1");
	EXPECT_EQ(1, address_present(self->a, &s));
}

TEST_F(address, no_device)
{
	struct config_service s = service("192.0.2.10/24", "v9");

	EXPECT_EQ(-ENODEV, address_add(self->a, &s));
	EXPECT_EQ(0, address_del(self->a, &s));
	EXPECT_EQ(0, address_present(self->a, &s));
}

TEST_F(address, no_capability)
{
	/* A user namespace's root has no say in this network namespace. */
	if (unshare(CLONE_NEWUSER))
		SKIP(return, "no user namespaces here");
	EXPECT_EQ(-EPERM, address_add(self->a, &self->v4));
}

/* ---- announcements ---- */

static void hear(FIXTURE_DATA(address) *self)
{
	struct frame *f;

	self->count = 0;
	while (self->count < FRAMES_MAX) {
		f = &self->frames[self->count];
		f->len = recv(self->fd, f->bytes, sizeof(f->bytes), 0);
		if (f->len < 0)
			return;
		self->count++;
	}
}

static void loop_ms(FIXTURE_DATA(address) *self, int ms)
{
	struct timeval limit = {
		.tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000,
	};

	event_base_loopexit(self->base, &limit);
	event_base_dispatch(self->base);
}

static const u8 arp_request[] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 10, 8, 6,
	0, 1, 8, 0, 6, 4, 0, 1,
	2, 0, 0, 0, 0, 10, 192, 0, 2, 10, 0, 0, 0, 0, 0, 0, 192, 0, 2, 10,
};

static const u8 arp_reply[] = {
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 10, 8, 6,
	0, 1, 8, 0, 6, 4, 0, 2,
	2, 0, 0, 0, 0, 10, 192, 0, 2, 10, 2, 0, 0, 0, 0, 10, 192, 0, 2, 10,
};

static const u8 advertisement[] = {
	0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 10, 0x86, 0xdd,
	0x60, 0, 0, 0, 0, 32, 58, 255,
	0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
	136, 0, 0xff, 0xff /* check sum */, 0x20, 0, 0, 0,
	0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
	2, 1, 2, 0, 0, 0, 0, 10,
};

static u32 sum(const u8 *p, size_t len)
{
	u32 s = 0;

	for (; len; len -= 2, p += 2)
		s += (u32)p[0] << 8 | p[1];
	return s;
}

/* Over pseudo header and message, the check sum included: all ones. */
static u32 verify(const u8 *frame)
{
	u32 s = sum(frame + 22, 32) + 32 + 58 + sum(frame + 54, 32);

	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

TEST_F(address, announcement)
{
	struct config_service services[] = { self->v4, self->v6,
					     service("192.0.2.99/32", "lo") };
	struct announce *a = announce_open(self->base, services, 3,
					   self->error, sizeof(self->error));
	u8 expected[sizeof(advertisement)];

	ASSERT_NE(NULL, a) TH_LOG("%s", self->error);
	hear(self);
	EXPECT_EQ(0, announce_start(a));
	hear(self);
	ASSERT_EQ(3, self->count);
	EXPECT_EQ(sizeof(arp_request), self->frames[0].len);
	EXPECT_EQ(0, memcmp(arp_request, self->frames[0].bytes,
			    sizeof(arp_request)));
	EXPECT_EQ(sizeof(arp_reply), self->frames[1].len);
	EXPECT_EQ(0, memcmp(arp_reply, self->frames[1].bytes,
			    sizeof(arp_reply)));
	ASSERT_EQ(sizeof(advertisement), self->frames[2].len);
	EXPECT_EQ(0xffff, verify(self->frames[2].bytes));
	memcpy(expected, advertisement, sizeof(expected));
	memcpy(expected + 56, self->frames[2].bytes + 56, 2);
	EXPECT_EQ(0, memcmp(expected, self->frames[2].bytes,
			    sizeof(expected)));
	announce_close(a);
}

/* The neighbour's cache follows at once. */
TEST_F(address, neighbour_learns)
{
	struct announce *a = announce_open(self->base, &self->v4, 1,
					   self->error, sizeof(self->error));

	ASSERT_NE(NULL, a);
	EXPECT_EQ(0, run("ip addr add 192.0.2.77/24 dev v1 && ip neigh add 192.0.2.10 lladdr 02:00:00:00:00:bb dev v1 nud reachable"));
	usleep(1100000);	/* the kernel's locktime */
	announce_start(a);
	EXPECT_EQ(0, run("ip neigh show dev v1 | grep -q '192.0.2.10 lladdr 02:00:00:00:00:0a'"));
	announce_close(a);
}

TEST_F(address, repeats_and_stop)
{
	struct announce *a = announce_open(self->base, &self->v4, 1,
					   self->error, sizeof(self->error));

	ASSERT_NE(NULL, a);
	announce_start(a);
	hear(self);
	EXPECT_EQ(2, self->count);
	loop_ms(self, 120);
	hear(self);
	EXPECT_EQ(2, self->count);
	loop_ms(self, 200);
	hear(self);
	EXPECT_EQ(2, self->count);
	loop_ms(self, 900);
	hear(self);
	EXPECT_EQ(2, self->count);
	/* From the beginning again, e.g. because the device came back. */
	announce_start(a);
	loop_ms(self, 120);
	hear(self);
	EXPECT_EQ(4, self->count);
	announce_stop(a);
	loop_ms(self, 400);
	hear(self);
	EXPECT_EQ(0, self->count);
	announce_close(a);
}

TEST_F(address, announcement_without_device)
{
	struct config_service s = service("192.0.2.10/24", "v9");
	struct announce *a = announce_open(self->base, &s, 1, self->error,
					   sizeof(self->error));

	ASSERT_NE(NULL, a);
	EXPECT_EQ(1, announce_start(a));
	announce_close(a);
}

/* Taking an address and announcing it is on the path of a takeover. */
TEST_F(address, speed)
{
	struct announce *a = announce_open(self->base, &self->v4, 1,
					   self->error, sizeof(self->error));
	u64 start, best = U64_MAX, took;
	int i;

	ASSERT_NE(NULL, a);
	for (i = 0; i < 20; i++) {
		start = clock_now_ns();
		EXPECT_EQ(0, address_add(self->a, &self->v4));
		EXPECT_EQ(0, announce_start(a));
		took = clock_now_ns() - start;
		if (took < best)
			best = took;
		address_del(self->a, &self->v4);
	}
	TH_LOG("address taken and announced in %llu us at best",
	       (unsigned long long)best / 1000);
	EXPECT_LT(best, 2 * CTIHA_NS_PER_MS);
	announce_close(a);
}

TEST_HARNESS_MAIN
