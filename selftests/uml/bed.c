// SPDX-License-Identifier: GPL-2.0-or-later
/* Two servers in one user-mode Linux. See bed.h. */
#include "bed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PAIR	7

static const char * const link_name[] = {
	[CTIHA_LINK_CROSSOVER] = "crossover",
	[CTIHA_LINK_LAN] = "lan",
};

static const char * const link_device[] = {
	[CTIHA_LINK_CROSSOVER] = "x",
	[CTIHA_LINK_LAN] = "l",
};

int bed_run(const char *format, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	fflush(NULL);
	if (!system(command))
		return 0;
	fprintf(stderr, "failed: %s\n", command);
	return -1;
}

int bed_enter(const char *name)
{
	char path[64];
	int fd, ret;

	snprintf(path, sizeof(path), "/run/netns/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ret = fd < 0 ? -1 : setns(fd, CLONE_NEWNET);
	if (ret)
		perror(path);
	close(fd);
	return ret;
}

static int server_open(struct server *s)
{
	char error[256];

	if (bed_enter(s->name))
		return -1;
	s->request = genl_open(error, sizeof(error));
	s->events = s->request ? genl_open(error, sizeof(error)) : NULL;
	if (s->events && !genl_subscribe(s->events))
		return 0;
	fprintf(stderr, "server %s: %s\n", s->name, error);
	return -1;
}

int bed_open(struct bed *bed)
{
	*bed = (struct bed) { .server = { { .name = "a", .id = 0 },
					  { .name = "b", .id = 1 } } };
	prctl(PR_SET_TIMERSLACK, 1);
	if (bed_run("selftests/uml/bed.sh up") ||
	    server_open(&bed->server[A]) || server_open(&bed->server[B]))
		return -1;
	return bed_enter("m");
}

void bed_close(struct bed *bed)
{
	int i;

	for (i = 0; i < SERVERS; i++) {
		genl_close(bed->server[i].request);
		genl_close(bed->server[i].events);
	}
	bed_run("selftests/uml/bed.sh down");
}

/* Requests. */

int server_create(struct server *s, u64 lease_ns, u64 promise_ns)
{
	struct nlmsghdr *nlh = genl_begin(s->request, CTIHA_CMD_NODE_SET);
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_NODE);

	mnl_attr_put_u8(nlh, CTIHA_A_NODE_ID, s->id);
	mnl_attr_put_u32(nlh, CTIHA_A_NODE_PAIR, PAIR);
	mnl_attr_put_u64(nlh, CTIHA_A_NODE_LEASE_NS, lease_ns);
	mnl_attr_put_u64(nlh, CTIHA_A_NODE_PROMISE_NS, promise_ns);
	mnl_attr_nest_end(nlh, nest);
	return genl_call(s->request, NULL, NULL);
}

int server_key(struct server *s, u8 slot, u8 byte)
{
	struct nlmsghdr *nlh = genl_begin(s->request, CTIHA_CMD_KEY_SET);
	u8 key[CTIHA_KEY_LEN];

	memset(key, byte, sizeof(key));
	mnl_attr_put_u8(nlh, CTIHA_A_KEY_SLOT, slot);
	mnl_attr_put(nlh, CTIHA_A_KEY, sizeof(key), key);
	mnl_attr_put(nlh, CTIHA_A_KEY_SEND, 0, NULL);
	return genl_call(s->request, NULL, NULL);
}

static unsigned int device_of(const struct server *s, u8 kind)
{
	unsigned int ifindex = 0;

	if (!bed_enter(s->name))
		ifindex = if_nametoindex(link_device[kind]);
	return bed_enter("m") ? 0 : ifindex;
}

int server_link(struct server *s, u8 kind, u32 interval_us, u8 multiplier)
{
	struct heartbeat_link_spec spec = {
		.kind = kind,
		.multiplier = multiplier,
		.interval_us = interval_us,
		.peer_mac = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	};
	unsigned int ifindex;

	snprintf(spec.name, sizeof(spec.name), "%s", link_name[kind]);
	ifindex = device_of(s, kind);
	return ifindex ? genl_request_link_add(s->request, &spec, ifindex) : -ENODEV;
}

int server_link_del(struct server *s, u8 kind)
{
	return genl_request_link_del(s->request, link_name[kind]);
}

int server_fence(struct server *s, const char *address)
{
	struct nlmsghdr *nlh = genl_begin(s->request, CTIHA_CMD_FENCE_SET);
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_FENCE);
	struct in_addr bytes;

	inet_pton(AF_INET, address, &bytes);
	mnl_attr_put(nlh, CTIHA_A_FENCE_ADDRESS, sizeof(bytes), &bytes);
	mnl_attr_nest_end(nlh, nest);
	return genl_call(s->request, NULL, NULL);
}

int server_attach(struct server *s, u32 watch_ms)
{
	struct nlmsghdr *nlh = genl_begin(s->request, CTIHA_CMD_ATTACH);

	mnl_attr_put_u32(nlh, CTIHA_A_WATCH_MS, watch_ms);
	return genl_call(s->request, NULL, NULL);
}

int server_report(struct server *s, u32 report)
{
	struct nlmsghdr *nlh = genl_begin(s->request, CTIHA_CMD_REPORT);

	mnl_attr_put_u32(nlh, CTIHA_A_REPORT, report);
	return genl_call(s->request, NULL, NULL);
}

int server_epoch(struct server *s, u8 command, u64 epoch, u64 granted_ns)
{
	struct nlmsghdr *nlh = genl_begin(s->request, command);

	mnl_attr_put_u64(nlh, CTIHA_A_EPOCH, epoch);
	if (granted_ns)
		mnl_attr_put_u64(nlh, CTIHA_A_GRANT_SENT_NS, granted_ns);
	return genl_call(s->request, NULL, NULL);
}

int server_plain(struct server *s, u8 command)
{
	genl_begin(s->request, command);
	return genl_call(s->request, NULL, NULL);
}

struct heartbeat_node server_node(struct server *s)
{
	struct heartbeat_node node = {};
	u64 seq;

	genl_request_node(s->request, &node, &seq);
	return node;
}

struct heartbeat_link server_view_link(struct server *s, u8 kind)
{
	struct heartbeat_snapshot snap = {};
	unsigned int i;

	genl_request_links(s->request, &snap);
	for (i = 0; i < snap.link_count; i++)
		if (snap.links[i].kind == kind)
			return snap.links[i];
	return (struct heartbeat_link) {};
}

/* Events. */

static int read_news(const struct genl_message *message, void *arg)
{
	struct news *news = arg;

	news->command = message->command;
	genl_read_event(message->attr[CTIHA_A_EVENT], &news->event);
	switch (news->command) {
	case CTIHA_CMD_NODE_NTF:
		return genl_read_node(message->attr[CTIHA_A_NODE], &news->node,
				      &news->event.seq);
	case CTIHA_CMD_PEER_NTF:
		return genl_read_peer(message->attr[CTIHA_A_PEER], &news->peer);
	case CTIHA_CMD_LINK_NTF:
		return genl_read_link(message->attr[CTIHA_A_LINK], &news->link);
	}
	return -EPROTO;
}

bool server_news(struct server *s, struct news *news)
{
	*news = (struct news) {};
	if (genl_receive(s->events, read_news, news) <= 0)
		return false;
	news->noticed_ns = clock_now_ns();
	return true;
}

/* Return: false if the time has come. */
static bool wait_for_news(struct server *s, u64 limit_ns)
{
	struct pollfd fd = { .fd = genl_fd(s->events), .events = POLLIN };
	u64 now_ns = clock_now_ns();
	struct timespec left;

	if (now_ns >= limit_ns)
		return false;
	left.tv_sec = (limit_ns - now_ns) / SECOND;
	left.tv_nsec = (limit_ns - now_ns) % SECOND;
	return ppoll(&fd, 1, &left, NULL) > 0;
}

bool server_await(struct server *s, news_fn wanted, u64 limit_ns,
		  struct news *news)
{
	u64 end_ns = clock_now_ns() + limit_ns;

	do {
		while (server_news(s, news))
			if (wanted(news))
				return true;
	} while (wait_for_news(s, end_ns));
	fprintf(stderr, "server %s: the event did not come\n", s->name);
	return false;
}

void sleep_until(u64 time_ns)
{
	struct timespec ts = {
		.tv_sec = time_ns / SECOND,
		.tv_nsec = time_ns % SECOND,
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL))
		;
}
