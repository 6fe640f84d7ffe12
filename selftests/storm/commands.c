// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What operators and daemons ask of the module, and listeners. Sockets last for a
 * few requests, as the family gets another number with each insmod.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/genl.h"
#include "storm.h"

#define PAIR		7
/* Promises are twice as long: short, or nobody could ever act in this storm. */
#define LEASE_NS	(30 * 1000000ULL)
#define REQUESTS	20

static const char *const names[] = { "crossover", "lan" };

static struct genl *open_module(void)
{
	char error[ERROR_SIZE];

	return genl_open(error, sizeof(error));
}

static u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000 + (u64)now.tv_nsec;
}

static int node_set(struct storm *storm, struct genl *genl, u64 lease_ns)
{
	struct nlmsghdr *nlh = genl_begin(genl, CTIHA_CMD_NODE_SET);
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_NODE);

	mnl_attr_put_u8(nlh, CTIHA_A_NODE_ID, (u8)storm->number);
	mnl_attr_put_u32(nlh, CTIHA_A_NODE_PAIR, PAIR);
	mnl_attr_put_u64(nlh, CTIHA_A_NODE_LEASE_NS, lease_ns);
	mnl_attr_put_u64(nlh, CTIHA_A_NODE_PROMISE_NS, lease_ns * 2);
	mnl_attr_nest_end(nlh, nest);
	return storm_count(storm, NODE_SET, genl_call(genl, NULL, NULL));
}

/* The two sides' keys of a slot are alike, but for once in a while. */
static int key_set(struct storm *storm, struct genl *genl, u8 slot)
{
	struct nlmsghdr *nlh = genl_begin(genl, CTIHA_CMD_KEY_SET);
	u8 key[CTIHA_KEY_LEN];

	memset(key, storm_random(50) ? slot : 0xff, sizeof(key));
	mnl_attr_put_u8(nlh, CTIHA_A_KEY_SLOT, slot);
	mnl_attr_put(nlh, CTIHA_A_KEY, sizeof(key), key);
	if (storm_random(2))
		mnl_attr_put(nlh, CTIHA_A_KEY_SEND, 0, NULL);
	return storm_count(storm, KEY_SET, genl_call(genl, NULL, NULL));
}

/* No last resort: it would end the test together with the machine. */
static int fence_set(struct storm *storm, struct genl *genl)
{
	struct nlmsghdr *nlh = genl_begin(genl, CTIHA_CMD_FENCE_SET);
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_FENCE);
	u32 count = storm_random(4);

	while (count--)
		mnl_attr_put_u32(nlh, CTIHA_A_FENCE_ADDRESS,
				 htonl(0x0a090200 + storm_random(256)));
	mnl_attr_nest_end(nlh, nest);
	return storm_count(storm, FENCE_SET, genl_call(genl, NULL, NULL));
}

int storm_node(struct storm *storm, struct genl *genl)
{
	int ret = node_set(storm, genl, LEASE_NS);
	u8 slot;

	/* Until one of them is the one to send with. */
	for (slot = 0; !ret && slot < CTIHA_KEY_SLOTS * 3; slot++)
		ret = key_set(storm, genl, slot % CTIHA_KEY_SLOTS);
	return ret;
}

/* Half of them so slow that sessions come up even where the guest stalls a lot. */
static u32 interval_us(void)
{
	return storm_random(2) ? 1000 + storm_random(9000) :
				 20000 + storm_random(20000);
}

int storm_link_add(struct storm *storm, struct genl *genl)
{
	struct heartbeat_link_spec spec = {
		.kind = (u8)(CTIHA_LINK_CROSSOVER + storm_random(2)),
		.multiplier = (u8)(CTIHA_MULTIPLIER_MIN + storm_random(4)),
		.peer_mac = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
		.interval_us = interval_us(),
	};

	strcpy(spec.name, names[spec.kind - CTIHA_LINK_CROSSOVER]);
	return storm_count(storm, LINK_ADD,
			   genl_request_link_add(genl, &spec, storm_device()));
}

static int read_some(struct genl *genl)
{
	struct heartbeat_node node;
	struct heartbeat_peer peer;
	u64 seq;
	int ret = genl_request_node(genl, &node, &seq);

	return ret ? ret : genl_request_peer(genl, &peer);
}

static int dump(struct storm *storm, struct genl *genl)
{
	struct heartbeat_snapshot snap = { 0 };
	int ret = storm_count(storm, DUMP, genl_request_links(genl, &snap));
	bool up = false;
	unsigned int i;

	for (i = 0; i < snap.link_count; i++)
		up |= snap.links[i].state == CTIHA_SESSION_UP;
	storm_count(storm, SEEN_UP, !up);
	return ret;
}

static int command(struct storm *storm, struct genl *genl)
{
	switch (storm_random(12)) {
	case 0:
		return node_set(storm, genl, LEASE_NS + storm_random(2));
	case 1:
		return key_set(storm, genl, (u8)storm_random(CTIHA_KEY_SLOTS));
	case 2:
		return fence_set(storm, genl);
	case 3:
		return storm_count(storm, LINK_DEL,
				   genl_request_link_del(genl, names[storm_random(2)]));
	case 4:
	case 5:
		return storm_count(storm, READ, read_some(genl));
	case 6:
	case 7:
		return dump(storm, genl);
	default:
		return storm_link_add(storm, genl);
	}
}

bool storm_commands(struct storm *storm)
{
	struct genl *genl = open_module();
	int i, ret;

	if (!genl)
		return false;
	ret = storm_node(storm, genl);
	/* ENOENT may also be: no such link, so go on. */
	for (i = 0; i < REQUESTS && ret != -ETIMEDOUT && !*storm->stop; i++) {
		ret = command(storm, genl);
		storm_pause(10);
	}
	genl_close(genl);
	return true;
}

static int attach(struct storm *storm, struct genl *genl)
{
	struct nlmsghdr *nlh = genl_begin(genl, CTIHA_CMD_ATTACH);

	mnl_attr_put_u32(nlh, CTIHA_A_WATCH_MS, 10 + storm_random(300));
	return storm_count(storm, ATTACH, genl_call(genl, NULL, NULL));
}

static int report(struct storm *storm, struct genl *genl)
{
	struct nlmsghdr *nlh = genl_begin(genl, CTIHA_CMD_REPORT);

	mnl_attr_put_u32(nlh, CTIHA_A_REPORT,
			 storm_random(CTIHA_REPORT_SWITCH << 1));
	return storm_count(storm, REPORT, genl_call(genl, NULL, NULL));
}

/*
 * The epoch to act in: what the peer votes for, as its vote frees from the promise
 * that every heartbeat of it renews; else the next own one.
 */
static u64 next_epoch(struct storm *storm, const struct heartbeat_node *node,
		      const struct heartbeat_peer *peer)
{
	u64 known = node->epoch > node->vote_epoch ? node->epoch : node->vote_epoch;
	u8 number = (u8)storm->number;

	if (peer->vote_epoch > known && ctiha_epoch_owner(peer->vote_epoch) == number)
		return peer->vote_epoch;
	return ctiha_epoch_next(known, number);
}

/* As if the arbiter had granted it just now. */
static int act(struct storm *storm, struct genl *genl, u8 command,
	       enum deed deed)
{
	struct heartbeat_node node;
	struct heartbeat_peer peer;
	struct nlmsghdr *nlh;
	u64 seq, epoch;

	if (genl_request_node(genl, &node, &seq) || genl_request_peer(genl, &peer))
		return -ENOENT;
	epoch = command == CTIHA_CMD_ACTIVATE ? next_epoch(storm, &node, &peer) :
						node.epoch;
	nlh = genl_begin(genl, command);
	mnl_attr_put_u64(nlh, CTIHA_A_EPOCH, epoch);
	mnl_attr_put_u64(nlh, CTIHA_A_GRANT_SENT_NS, now_ns());
	return storm_count(storm, deed, genl_call(genl, NULL, NULL));
}

static int plain(struct storm *storm, struct genl *genl, u8 command,
		 enum deed deed)
{
	genl_begin(genl, command);
	return storm_count(storm, deed, genl_call(genl, NULL, NULL));
}

static void govern(struct storm *storm, struct genl *genl)
{
	u32 i;

	for (i = storm_random(12); i; i--) {
		switch (storm_random(10)) {
		case 0:
			plain(storm, genl, CTIHA_CMD_YIELD, YIELD);
			break;
		case 1:
			plain(storm, genl, CTIHA_CMD_LEAVE, LEAVE);
			break;
		case 2:
			attach(storm, genl);
			break;
		case 3:
		case 4:
			act(storm, genl, CTIHA_CMD_RENEW, RENEW);
			break;
		case 5:
		case 6:
		case 7:
			act(storm, genl, CTIHA_CMD_ACTIVATE, ACTIVATE);
			break;
		default:
			report(storm, genl);
		}
		storm_pause(5);
	}
}

/* A daemon that is killed while it is attached and active. */
static void kill_daemon(struct storm *storm, struct genl *genl)
{
	pid_t pid = fork();

	if (pid) {
		genl_close(genl);	/* the child's copy is the last one */
		storm_count(storm, KILLED, pid < 0 || waitpid(pid, NULL, 0) < 0);
		return;
	}
	govern(storm, genl);
	raise(SIGKILL);
}

bool storm_daemon(struct storm *storm)
{
	struct genl *genl = open_module();

	if (!genl)
		return false;
	if (attach(storm, genl)) {
		genl_close(genl);
		return false;
	}
	if (!storm_random(3)) {
		kill_daemon(storm, genl);
		return true;
	}
	govern(storm, genl);
	genl_close(genl);
	storm_count(storm, CLOSED, 0);
	return true;
}

static int count_event(const struct genl_message *message, void *arg)
{
	(void)message;
	++*(u64 *)arg;
	return 0;
}

/* A listener; every other one never reads, so that its buffer runs full. */
bool storm_monitor(struct storm *storm)
{
	struct genl *genl = open_module();
	struct pollfd poll_fd = { .events = POLLIN };
	u64 events = 0;
	u32 i;

	if (!genl)
		return false;
	if (!genl_subscribe(genl) && storm_random(2)) {
		poll_fd.fd = genl_fd(genl);
		for (i = storm_random(50); i && poll(&poll_fd, 1, 20) >= 0; i--)
			genl_receive(genl, count_event, &events);
		storm_count(storm, LISTENED, !events);
	} else {
		storm_pause(200);
	}
	genl_close(genl);
	return true;
}

/* A whole server that ends with its namespace: links, daemon, active or not. */
static void live_in_space(struct storm *storm, struct genl *genl)
{
	if (storm_node(storm, genl))
		return;
	storm_link_add(storm, genl);
	storm_link_add(storm, genl);
	fence_set(storm, genl);
	if (storm_random(2) && !attach(storm, genl))
		govern(storm, genl);
	storm_pause(50);
}

static int space(struct storm *storm)
{
	struct mnl_socket *rtnl;
	struct genl *genl;
	u32 i;

	if (unshare(CLONE_NEWNET))
		return 1;
	rtnl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!rtnl)
		return 1;
	for (i = 0; i < 3; i++)
		if (storm_veth_add(rtnl, i & 1 ? "s1" : "s0", storm->other))
			break;
	storm_device_up(rtnl, storm_device(), true);
	genl = open_module();
	if (!genl)
		return 1;
	live_in_space(storm, genl);
	return 0;
}

bool storm_space(struct storm *storm)
{
	int status = 1;
	pid_t pid = fork();

	if (!pid)
		_exit(space(storm));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	return !storm_count(storm, SPACE_ENDED, status);
}
