// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The packet backend for real: two nodes in two network namespaces, joined by
 * two virtual cables. Needs root; namespaces vanish with the test.
 *
 *        ns 0 (node 0)                ns 1 (node 1)
 *          cross  ------- crossover ------- cross
 *          lan    ---------- lan ---------- lan
 *
 * Each node has an event loop of its own. A node whose loop is not run is one
 * whose process is stopped.
 */
#include "kselftest_harness.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <sched.h>
#include <sys/prctl.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mac.h"
#include "daemon/heartbeat/heartbeat.h"

#define MS		CTIHA_NS_PER_MS
#define PAIR		77
#define INTERVAL_US	10000
#define MULTIPLIER	20
#define LEASE_NS	(500 * MS)
#define PROMISE_NS	(600 * MS)
#define PATIENCE_MS	5000
#define EVENTS		256

/* One node, and what its backend told. */
struct side {
	int ns;
	struct event_base *base;
	struct heartbeat *hb;
	u64 seq;
	unsigned int gaps, resyncs;
	struct heartbeat_node node;
	struct heartbeat_peer peer;
	struct heartbeat_link link[2];
	struct heartbeat_event event[EVENTS];
	char kind[EVENTS];
	struct heartbeat_node node_at[EVENTS];
	unsigned int count;
};

FIXTURE(packet)
{
	struct side side[2];
	pid_t keeper;		/* of the second namespace */
	int injector;		/* a socket of a stranger in ns 1 */
	u8 key[CTIHA_KEY_LEN];
};

static const struct heartbeat_backend *const backend = &heartbeat_packet;
static const char *const names[] = { "crossover", "lan" };
static const char *const devices[] = { "cross", "lan" };

static void record(struct side *side, const struct heartbeat_event *event,
		   char kind)
{
	if (event->cause != CTIHA_CAUSE_NONE && event->seq != side->seq + 1)
		side->gaps++;
	side->seq = event->seq;
	side->event[side->count % EVENTS] = *event;
	side->node_at[side->count % EVENTS] = side->node;
	side->kind[side->count++ % EVENTS] = kind;
}

static void on_node(void *arg, const struct heartbeat_event *event,
		    const struct heartbeat_node *node)
{
	struct side *side = arg;

	side->node = *node;
	record(side, event, 'n');
}

static void on_peer(void *arg, const struct heartbeat_event *event,
		    const struct heartbeat_peer *peer)
{
	struct side *side = arg;

	side->peer = *peer;
	record(side, event, 'p');
}

static void on_link(void *arg, const struct heartbeat_event *event,
		    const struct heartbeat_link *link)
{
	struct side *side = arg;

	side->link[link->kind - 1] = *link;
	record(side, event, 'l');
}

static void on_resync(void *arg)
{
	((struct side *)arg)->resyncs++;
}

static void on_failed(void *arg, const char *text)
{
	fprintf(stderr, "backend failed: %s\n", text);
	abort();
}

static const struct heartbeat_callbacks callbacks = {
	.node = on_node, .peer = on_peer, .link = on_link,
	.resync = on_resync, .failed = on_failed,
};

static void enter(FIXTURE_DATA(packet) *self, int i)
{
	if (setns(self->side[i].ns, CLONE_NEWNET))
		abort();
}

static void shell(FIXTURE_DATA(packet) *self, int ns, const char *command)
{
	enter(self, ns);
	if (system(command)) {
		fprintf(stderr, "failed: %s\n", command);
		abort();
	}
}

static void make_namespaces(FIXTURE_DATA(packet) *self)
{
	char command[128], path[64];
	int ready[2];
	unsigned int i;
	char byte;

	if (unshare(CLONE_NEWNET) || pipe(ready))
		abort();
	self->side[0].ns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	self->keeper = fork();
	if (!self->keeper) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNET) || write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	if (read(ready[0], &byte, 1) != 1)
		abort();
	snprintf(path, sizeof(path), "/proc/%d/ns/net", self->keeper);
	self->side[1].ns = open(path, O_RDONLY | O_CLOEXEC);
	for (i = 0; i < 2; i++) {
		snprintf(command, sizeof(command),
			 "ip link add %s type veth peer name %s netns %d",
			 devices[i], devices[i], self->keeper);
		shell(self, 0, command);
		snprintf(command, sizeof(command), "ip link set %s up",
			 devices[i]);
		shell(self, 0, command);
		shell(self, 1, command);
	}
}

static struct heartbeat_link_spec link_spec(unsigned int i)
{
	struct heartbeat_link_spec spec = {
		.kind = i + 1,
		.multiplier = MULTIPLIER,
		.interval_us = INTERVAL_US,
	};

	strcpy(spec.name, names[i]);
	strcpy(spec.device, devices[i]);
	memset(spec.peer_mac, 0xff, sizeof(spec.peer_mac));
	return spec;
}

static void start(FIXTURE_DATA(packet) *self, int i)
{
	struct side *side = &self->side[i];
	struct heartbeat_node_spec spec = {
		.id = i, .pair = PAIR,
		.lease_ns = LEASE_NS, .promise_ns = PROMISE_NS,
	};
	struct heartbeat_link_spec link;
	char error[256] = "";
	unsigned int n;

	spec.keys.used[0] = true;
	memcpy(spec.keys.key[0], self->key, sizeof(spec.keys.key[0]));
	enter(self, i);
	side->seq = 0;
	side->hb = backend->open(side->base, &spec, &callbacks, side, error,
				 sizeof(error));
	if (!side->hb) {
		fprintf(stderr, "open: %s\n", error);
		abort();
	}
	for (n = 0; n < 2; n++) {
		link = link_spec(n);
		if (backend->link_add(side->hb, &link))
			abort();
	}
}

FIXTURE_SETUP(packet)
{
	int i;

	if (geteuid())
		SKIP(return, "needs root: network namespaces and AF_PACKET");
	if (system("ip -V >/dev/null 2>&1"))
		SKIP(return, "needs ip of iproute2");
	log_init("packet_test", LOG_LEVEL_ERROR);
	memset(self->key, 0x42, sizeof(self->key));
	make_namespaces(self);
	for (i = 0; i < 2; i++) {
		self->side[i].base = event_base_new();
		start(self, i);
	}
}

FIXTURE_TEARDOWN(packet)
{
	int i;

	if (!self->keeper)
		return;
	for (i = 0; i < 2; i++) {
		if (self->side[i].hb)
			backend->close(self->side[i].hb);
		event_base_free(self->side[i].base);
		close(self->side[i].ns);
	}
	kill(self->keeper, SIGKILL);
	waitpid(self->keeper, NULL, 0);
}

/* Which nodes run. */
enum { FIRST = 1, SECOND = 2, BOTH = 3 };

static void turn(FIXTURE_DATA(packet) *self, int which)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (!(which & 1 << i))
			continue;
		/* A device that comes back is opened where the process is. */
		enter(self, i);
		event_base_loop(self->side[i].base, EVLOOP_NONBLOCK);
	}
	usleep(200);
}

static void run(FIXTURE_DATA(packet) *self, int which, unsigned int ms)
{
	u64 end = clock_now_ns() + ms * MS;

	while (clock_now_ns() < end)
		turn(self, which);
}

/* Runs @which until @condition holds; fails the test after PATIENCE_MS. */
#define ASSERT_SOON(which, condition) do { \
	u64 _end = clock_now_ns() + PATIENCE_MS * MS; \
	while (!(condition) && clock_now_ns() < _end) \
		turn(self, which); \
	ASSERT_TRUE(condition) \
		TH_LOG("not within %d ms: " #condition, PATIENCE_MS); \
} while (0)

static bool is_up(const struct side *side)
{
	return side->link[0].state == CTIHA_SESSION_UP &&
	       side->link[1].state == CTIHA_SESSION_UP;
}

static struct heartbeat_snapshot look(FIXTURE_DATA(packet) *self, int i)
{
	struct heartbeat_snapshot snap;

	enter(self, i);
	backend->snapshot(self->side[i].hb, &snap);
	return snap;
}

/* The last event of a kind with this cause, or NULL. */
static const struct heartbeat_event *find_event(const struct side *side,
						char kind, u8 cause)
{
	unsigned int i;

	for (i = side->count; i--;)
		if (side->kind[i % EVENTS] == kind &&
		    side->event[i % EVENTS].cause == cause)
			return &side->event[i % EVENTS];
	return NULL;
}

#define A (&self->side[0])
#define B (&self->side[1])

/* B votes for A, A acts. */
#define ASSERT_A_ACTIVE() do { \
	ASSERT_SOON(BOTH, is_up(A) && is_up(B)); \
	ASSERT_EQ(0, backend->yield(B->hb)); \
	ASSERT_SOON(BOTH, A->peer.vote_epoch == 2); \
	ASSERT_EQ(0, backend->activate(A->hb, 2, 0)); \
	ASSERT_SOON(BOTH, B->peer.role == CTIHA_ROLE_ACTIVE); \
} while (0)

TEST_F(packet, sessions_come_up_and_nodes_see_each_other)
{
	const u32 seen = CTIHA_REPORT_DAEMON | CTIHA_REPORT_L1 |
			 CTIHA_REPORT_L2 | CTIHA_REPORT_ELIGIBLE |
			 CTIHA_REPORT_HEARS_L1 | CTIHA_REPORT_HEARS_L2 |
			 CTIHA_REPORT_CARRIER_L1 | CTIHA_REPORT_CARRIER_L2;
	struct heartbeat_snapshot snap;

	ASSERT_SOON(BOTH, is_up(A) && is_up(B));
	ASSERT_EQ(0, backend->report(A->hb, CTIHA_REPORT_ELIGIBLE, 1234));
	ASSERT_SOON(BOTH, B->peer.report == seen && B->peer.heard);
	snap = look(self, 1);
	EXPECT_EQ(1234, snap.peer.sync_pos);
	EXPECT_EQ(2, snap.link_count);
	EXPECT_EQ(CTIHA_SESSION_UP, snap.links[0].state);
	EXPECT_EQ(0, strcmp("crossover", snap.links[0].name));
	EXPECT_EQ(0, strcmp("cross", snap.links[0].device));
	EXPECT_EQ(INTERVAL_US, snap.links[0].agreed_us);
	EXPECT_EQ(MULTIPLIER * 10 * MS, snap.links[0].detect_ns);
	EXPECT_LT(0, snap.links[0].rtt_ns);
	EXPECT_LT(2, snap.links[0].stats.count[CTIHA_A_STAT_RX]);
	EXPECT_EQ(0, snap.links[0].stats.count[CTIHA_A_STAT_TX_FAILED]);
	EXPECT_EQ(0, A->gaps + B->gaps);
	EXPECT_EQ(0, A->resyncs + B->resyncs);
}

TEST_F(packet, a_link_that_is_lost_is_told_to_the_peer)
{
	ASSERT_SOON(BOTH, is_up(A) && is_up(B));
	ASSERT_EQ(0, backend->link_del(A->hb, "lan"));
	ASSERT_EQ(-ENOENT, backend->link_del(A->hb, "lan"));
	ASSERT_SOON(BOTH, B->link[1].state == CTIHA_SESSION_DOWN);
	EXPECT_EQ(CTIHA_DIAG_SILENCE, B->link[1].diag);
	ASSERT_SOON(BOTH, B->peer.report ==
		    (CTIHA_REPORT_DAEMON | CTIHA_REPORT_L1 |
		     CTIHA_REPORT_HEARS_L1 | CTIHA_REPORT_CARRIER_L1));
	EXPECT_TRUE(B->peer.heard);
	ASSERT_SOON(BOTH, B->link[0].state == CTIHA_SESSION_UP);
	/* The bits that the backend computes cannot be set by hand. */
	ASSERT_EQ(0, backend->report(A->hb, CTIHA_REPORT_KERNEL |
				     CTIHA_REPORT_SYNCED, 0));
	ASSERT_SOON(BOTH, B->peer.report == (CTIHA_REPORT_DAEMON |
		    CTIHA_REPORT_L1 | CTIHA_REPORT_HEARS_L1 |
		    CTIHA_REPORT_CARRIER_L1 |
		    CTIHA_REPORT_SYNCED));
}

TEST_F(packet, activation_by_vote_and_renewal)
{
	u64 end;

	ASSERT_SOON(BOTH, is_up(A) && is_up(B));
	EXPECT_EQ(-EPERM, backend->activate(A->hb, 2, 0));
	EXPECT_EQ(-EBUSY, backend->activate(A->hb, 2, clock_now_ns()));
	ASSERT_A_ACTIVE();
	EXPECT_EQ(-EALREADY, backend->activate(A->hb, 4, 0));
	ASSERT_SOON(BOTH, B->node.vote_epoch == 2 &&
		    B->node.role == CTIHA_ROLE_STANDBY);
	for (end = clock_now_ns() + 3 * LEASE_NS; clock_now_ns() < end;) {
		run(self, BOTH, 10);
		ASSERT_EQ(CTIHA_ROLE_ACTIVE, look(self, 0).node.role);
	}
	EXPECT_LT(0, look(self, 0).node.lease_left_ns);
	EXPECT_GE(LEASE_NS, look(self, 0).node.lease_left_ns);
	EXPECT_EQ(0, look(self, 1).node.lease_left_ns);
	EXPECT_LT(0, look(self, 1).node.promise_left_ns);
	EXPECT_EQ(NULL, find_event(A, 'n', CTIHA_CAUSE_LEASE_EXPIRED));
}

TEST_F(packet, handover_by_yield)
{
	ASSERT_A_ACTIVE();
	ASSERT_EQ(0, backend->yield(A->hb));
	ASSERT_SOON(BOTH, B->peer.vote_epoch == 3);
	ASSERT_EQ(0, backend->activate(B->hb, 3, 0));
	ASSERT_SOON(BOTH, A->peer.role == CTIHA_ROLE_ACTIVE);
	EXPECT_EQ(CTIHA_ROLE_STANDBY, A->node.role);
	run(self, BOTH, 2 * LEASE_NS / MS);
	EXPECT_EQ(CTIHA_ROLE_ACTIVE, look(self, 1).node.role);
}

TEST_F(packet, a_silent_peer_ends_session_and_lease)
{
	const struct heartbeat_event *end;
	u64 silent_ns;

	ASSERT_A_ACTIVE();
	run(self, BOTH, 100);
	silent_ns = clock_now_ns();
	ASSERT_SOON(FIRST, A->node.role == CTIHA_ROLE_STANDBY);
	EXPECT_EQ(CTIHA_SESSION_DOWN, A->link[0].state);
	EXPECT_EQ(CTIHA_SESSION_DOWN, A->link[1].state);
	EXPECT_EQ(CTIHA_DIAG_SILENCE, A->link[0].diag);
	EXPECT_FALSE(A->peer.heard);
	EXPECT_FALSE(A->peer.left);
	end = find_event(A, 'n', CTIHA_CAUSE_LEASE_EXPIRED);
	ASSERT_NE(NULL, end);
	/* A lease from the send time that the last vote echoed. */
	EXPECT_GE(LEASE_NS * 3 / 2, end->time_ns - silent_ns);
	EXPECT_LE(LEASE_NS / 2, end->time_ns - silent_ns);
	EXPECT_EQ(-ESTALE, backend->renew(A->hb, 2, clock_now_ns()));
}

/* A process that was late says so late, but it says when it was. */
TEST_F(packet, lease_ended_when_it_ended)
{
	struct heartbeat_snapshot now;
	const struct heartbeat_event *end;
	u64 from_ns, to_ns;

	ASSERT_A_ACTIVE();
	run(self, BOTH, 100);
	from_ns = clock_now_ns();
	ASSERT_EQ(0, backend->snapshot(A->hb, &now));
	to_ns = clock_now_ns();
	usleep(now.node.lease_left_ns / 1000 + 50000);
	ASSERT_SOON(FIRST, A->node.role == CTIHA_ROLE_STANDBY);
	end = find_event(A, 'n', CTIHA_CAUSE_LEASE_EXPIRED);
	ASSERT_NE(NULL, end);
	EXPECT_LE(from_ns + now.node.lease_left_ns, end->time_ns);
	EXPECT_GE(to_ns + now.node.lease_left_ns, end->time_ns);
}

TEST_F(packet, the_arbiter_can_renew_alone)
{
	u64 end;

	ASSERT_A_ACTIVE();
	for (end = clock_now_ns() + 3 * LEASE_NS; clock_now_ns() < end;) {
		ASSERT_EQ(0, backend->renew(A->hb, 2, clock_now_ns()));
		run(self, FIRST, 10);
	}
	EXPECT_FALSE(A->peer.heard);
	EXPECT_EQ(CTIHA_ROLE_ACTIVE, look(self, 0).node.role);
}

TEST_F(packet, a_grant_waits_for_the_promise)
{
	ASSERT_A_ACTIVE();
	EXPECT_EQ(-EBUSY, backend->activate(B->hb, 3, clock_now_ns()));
	run(self, SECOND, PROMISE_NS / MS + 10);
	EXPECT_EQ(0, backend->activate(B->hb, 3, clock_now_ns()));
	/* A wakes up, and the first that it does is to cease. */
	turn(self, FIRST);
	EXPECT_EQ(0, look(self, 0).node.lease_left_ns);
	EXPECT_NE(CTIHA_ROLE_ACTIVE, look(self, 0).node.role);
	ASSERT_SOON(BOTH, A->peer.role == CTIHA_ROLE_ACTIVE &&
		    A->node.epoch == 3);
	EXPECT_NE(NULL, find_event(A, 'n', CTIHA_CAUSE_LEASE_EXPIRED));
	EXPECT_EQ(NULL, find_event(A, 'n', CTIHA_CAUSE_HIGHER_EPOCH));
}

TEST_F(packet, a_late_process_distrusts_itself_and_not_its_peer)
{
	unsigned int before;

	ASSERT_A_ACTIVE();
	run(self, BOTH, 50);
	before = A->count;
	/*
	 * A is stopped for longer than its lease and the detection time. Its
	 * timers are due first, so it wakes up by them and not by a frame.
	 */
	usleep(50000);
	run(self, SECOND, 2 * LEASE_NS / MS);
	EXPECT_EQ(CTIHA_SESSION_DOWN, B->link[0].state);
	B->peer.role = 99;
	turn(self, FIRST);
	EXPECT_EQ(-ESTALE, backend->renew(A->hb, 2, clock_now_ns()));
	ASSERT_SOON(BOTH, is_up(A) && is_up(B));
	ASSERT_LT(before, A->count);
	EXPECT_EQ('n', A->kind[before % EVENTS]);
	EXPECT_EQ(CTIHA_CAUSE_LEASE_EXPIRED, A->event[before % EVENTS].cause);
	/* The frames that waited were taken in: it is B that missed A. */
	EXPECT_EQ(CTIHA_DIAG_PEER_DOWN, A->link[0].diag);
	EXPECT_EQ(CTIHA_DIAG_SILENCE, B->link[0].diag);
	EXPECT_EQ(CTIHA_ROLE_STANDBY, B->peer.role);
}

TEST_F(packet, goodbye_lets_the_peer_serve_alone_until_it_is_back)
{
	ASSERT_A_ACTIVE();
	ASSERT_EQ(0, backend->leave(A->hb));
	EXPECT_EQ(-ESHUTDOWN, backend->report(A->hb, 0, 0));
	EXPECT_EQ(-ESHUTDOWN, backend->activate(A->hb, 4, 0));
	ASSERT_SOON(SECOND, B->peer.left && !B->peer.heard);
	EXPECT_EQ(CTIHA_DIAG_PEER_LEFT, B->link[0].diag);
	EXPECT_EQ(CTIHA_DIAG_PEER_LEFT, B->link[1].diag);
	run(self, BOTH, 2 * LEASE_NS / MS);
	/* Nothing that the leaver sent afterwards took it back. */
	EXPECT_TRUE(B->peer.left);
	EXPECT_EQ(CTIHA_DIAG_PEER_LEFT, B->link[0].diag);
	EXPECT_EQ(CTIHA_DIAG_PEER_LEFT, B->link[1].diag);
	ASSERT_EQ(0, backend->activate(B->hb, 3, 0));
	run(self, BOTH, 2 * LEASE_NS / MS);
	EXPECT_EQ(CTIHA_LEASE_SOLE, look(self, 1).node.lease_left_ns);
	backend->close(A->hb);
	start(self, 0);
	ASSERT_SOON(BOTH, B->peer.heard && !B->peer.left);
	EXPECT_GE(LEASE_NS, look(self, 1).node.lease_left_ns);
	run(self, BOTH, 2 * LEASE_NS / MS);
	EXPECT_EQ(CTIHA_ROLE_ACTIVE, look(self, 1).node.role);
	EXPECT_GE(LEASE_NS, look(self, 1).node.lease_left_ns);
	EXPECT_EQ(3, look(self, 0).node.vote_epoch);
}

TEST_F(packet, a_closed_backend_votes_for_the_peer)
{
	ASSERT_A_ACTIVE();
	ASSERT_EQ(0, backend->report(A->hb, CTIHA_REPORT_APPLICATION, 0));
	ASSERT_SOON(BOTH, B->peer.report & CTIHA_REPORT_APPLICATION);
	backend->close(A->hb);
	A->hb = NULL;
	ASSERT_SOON(SECOND, B->peer.vote_epoch == 3);
	EXPECT_FALSE(B->peer.left);
	EXPECT_FALSE(B->peer.report & (CTIHA_REPORT_DAEMON |
				       CTIHA_REPORT_APPLICATION));
	EXPECT_EQ(0, backend->activate(B->hb, 3, 0));
	EXPECT_GE(LEASE_NS, look(self, 1).node.lease_left_ns);
}

TEST_F(packet, a_device_that_goes_down_comes_back)
{
	ASSERT_SOON(BOTH, is_up(A) && is_up(B));
	shell(self, 0, "ip link set cross down");
	ASSERT_SOON(BOTH, A->link[0].diag == CTIHA_DIAG_DEVICE);
	EXPECT_EQ(CTIHA_SESSION_DOWN, A->link[0].state);
	EXPECT_NE(NULL, find_event(A, 'l', CTIHA_CAUSE_DEVICE));
	ASSERT_SOON(BOTH, A->link[1].state == CTIHA_SESSION_UP);
	EXPECT_EQ(0, strcmp("cross", look(self, 0).links[0].device));
	run(self, BOTH, 200);
	shell(self, 0, "ip link set cross up");
	ASSERT_SOON(BOTH, is_up(A) && is_up(B));
}

TEST_F(packet, a_device_that_is_removed_comes_back)
{
	char command[128];

	ASSERT_SOON(BOTH, is_up(A) && is_up(B));
	shell(self, 0, "ip link del lan");
	ASSERT_SOON(BOTH, A->link[1].diag == CTIHA_DIAG_DEVICE &&
		    B->link[1].diag == CTIHA_DIAG_DEVICE);
	ASSERT_SOON(BOTH, A->link[0].state == CTIHA_SESSION_UP);
	EXPECT_EQ(0, strcmp("", look(self, 0).links[1].device));
	snprintf(command, sizeof(command), "ip link add lan type veth peer name lan netns %d; ip link set lan up", self->keeper);
	shell(self, 0, command);
	shell(self, 1, "ip link set lan up");
	ASSERT_SOON(BOTH, is_up(A) && is_up(B));
	EXPECT_EQ(0, strcmp("lan", look(self, 0).links[1].device));
}

TEST_F(packet, a_links_carrier_is_told)
{
	ASSERT_SOON(BOTH, is_up(A) && is_up(B));
	EXPECT_TRUE(look(self, 0).links[0].carrier);
	ASSERT_EQ(NULL, find_event(A, 'l', CTIHA_CAUSE_CARRIER));
	shell(self, 1, "ip link set cross down");
	ASSERT_SOON(BOTH, find_event(A, 'l', CTIHA_CAUSE_CARRIER));
	EXPECT_FALSE(look(self, 0).links[0].carrier);
	EXPECT_TRUE(look(self, 0).links[1].carrier);
	/* Heard of on the other link. */
	ASSERT_SOON(BOTH, !(B->peer.report & CTIHA_REPORT_CARRIER_L1));
	EXPECT_TRUE(B->peer.report & CTIHA_REPORT_CARRIER_L2);
	/* Silence, and not the carrier, ended the session. */
	ASSERT_SOON(BOTH, A->link[0].state == CTIHA_SESSION_DOWN);
	EXPECT_EQ(CTIHA_DIAG_SILENCE, A->link[0].diag);
	shell(self, 1, "ip link set cross up");
	ASSERT_SOON(BOTH, is_up(A) && is_up(B) && A->link[0].carrier &&
		    B->peer.report & CTIHA_REPORT_CARRIER_L1);
}

#define ADD_SWITCH "ip link add sw type veth peer name swp && ip link set swp up && ip link set sw up"

TEST_F(packet, the_switch_nic_is_watched_and_comes_back)
{
	ASSERT_SOON(BOTH, is_up(A) && is_up(B));
	shell(self, 0, ADD_SWITCH);
	ASSERT_EQ(0, backend->switch_watch(A->hb, "sw"));
	ASSERT_SOON(BOTH, A->node.switch_nic.carrier &&
		    B->peer.report & CTIHA_REPORT_CARRIER_SWITCH);
	EXPECT_EQ(0, strcmp("sw", A->node.switch_nic.device));
	shell(self, 0, "ip link set swp down");
	ASSERT_SOON(BOTH, !A->node.switch_nic.carrier &&
		    !(B->peer.report & CTIHA_REPORT_CARRIER_SWITCH));
	EXPECT_NE(NULL, find_event(A, 'n', CTIHA_CAUSE_CARRIER));
	EXPECT_NE(0, A->node.switch_nic.ifindex);
	EXPECT_EQ(NULL, find_event(A, 'n', CTIHA_CAUSE_DEVICE));
	shell(self, 0, "ip link del sw");
	ASSERT_SOON(BOTH, !A->node.switch_nic.ifindex);
	EXPECT_NE(NULL, find_event(A, 'n', CTIHA_CAUSE_DEVICE));
	shell(self, 0, ADD_SWITCH);
	ASSERT_SOON(BOTH, A->node.switch_nic.carrier);
	enter(self, 0);
	ASSERT_EQ(0, backend->switch_watch(A->hb, ""));
	ASSERT_SOON(BOTH, !A->node.switch_nic.ifindex &&
		    !(B->peer.report & CTIHA_REPORT_CARRIER_SWITCH));
}

TEST_F(packet, links_are_checked)
{
	struct heartbeat_link_spec spec = link_spec(1);

	EXPECT_EQ(-EEXIST, backend->link_add(A->hb, &spec));
	ASSERT_EQ(0, backend->link_del(A->hb, "lan"));
	enter(self, 0);
	strcpy(spec.name, "crossover");
	EXPECT_EQ(-EEXIST, backend->link_add(A->hb, &spec));
	strcpy(spec.name, "lan");
	strcpy(spec.device, "nosuch");
	EXPECT_EQ(-ENODEV, backend->link_add(A->hb, &spec));
	spec = link_spec(1);
	spec.interval_us = CTIHA_INTERVAL_MIN_US - 1;
	EXPECT_EQ(-EINVAL, backend->link_add(A->hb, &spec));
	spec.interval_us = CTIHA_INTERVAL_MAX_US + 1;
	EXPECT_EQ(-EINVAL, backend->link_add(A->hb, &spec));
	spec = link_spec(1);
	spec.multiplier = CTIHA_MULTIPLIER_MAX + 1;
	EXPECT_EQ(-EINVAL, backend->link_add(A->hb, &spec));
	spec = link_spec(1);
	spec.kind = 3;
	EXPECT_EQ(-EINVAL, backend->link_add(A->hb, &spec));
	spec = link_spec(1);
	memset(spec.name, 'x', sizeof(spec.name));
	EXPECT_EQ(-EINVAL, backend->link_add(A->hb, &spec));
	spec = link_spec(1);
	shell(self, 0, "ip link set lan down");
	EXPECT_EQ(0, backend->link_add(A->hb, &spec));
	EXPECT_EQ(CTIHA_DIAG_DEVICE, look(self, 0).links[1].diag);
	shell(self, 0, "ip link set lan up");
	ASSERT_SOON(BOTH, is_up(A) && is_up(B));
}

TEST_F(packet, nodes_are_checked)
{
	struct heartbeat_node_spec spec = {
		.id = 2, .lease_ns = LEASE_NS, .promise_ns = PROMISE_NS,
	};
	char error[256] = "";

	EXPECT_EQ(NULL, backend->open(A->base, &spec, &callbacks, A, error,
				      sizeof(error)));
	EXPECT_NE(NULL, strstr(error, "id must be 0 or 1"));
	spec.id = 1;
	spec.promise_ns = spec.lease_ns;
	EXPECT_EQ(NULL, backend->open(A->base, &spec, &callbacks, A, error,
				      sizeof(error)));
}

/* Sends on the crossover cable whatever the test likes. */
static void inject(FIXTURE_DATA(packet) *self, const void *data, size_t len)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(CTIHA_ETHERTYPE),
		.sll_halen = 6,
	};

	enter(self, 1);
	if (!self->injector)
		self->injector = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memset(to.sll_addr, 0xff, 6);
	to.sll_ifindex = if_nametoindex("cross");
	if (sendto(self->injector, data, len, 0, (struct sockaddr *)&to,
		   sizeof(to)) != (ssize_t)len)
		abort();
	turn(self, BOTH);
}

TEST_F(packet, what_is_refused_is_counted_by_its_reason)
{
	struct ctiha_frame frame = {
		.session_state = CTIHA_SESSION_UP, .multiplier = MULTIPLIER,
		.link_kind = CTIHA_LINK_CROSSOVER, .node = 1, .pair = PAIR,
		.interval_us = INTERVAL_US, .my_discr = 5, .your_discr = 6,
		.seq = 1000000, .role = CTIHA_ROLE_ACTIVE, .epoch = 9,
	};
	const u64 *count;
	struct heartbeat_snapshot snap;
	struct ctiha_wire_frame wire;
	struct ctiha_mac_key key;

	ASSERT_SOON(BOTH, is_up(A) && is_up(B));
	mac_key_set(&key, self->key);
	ctiha_frame_seal(&wire, &frame, 0, &key);
	inject(self, &wire, sizeof(wire));		/* not this session's */
	frame.type = CTIHA_FRAME_GOODBYE;
	ctiha_frame_seal(&wire, &frame, 0, &key);
	inject(self, &wire, sizeof(wire));		/* nor this */
	wire.mac[0] ^= 1;
	inject(self, &wire, sizeof(wire));		/* forged */
	ctiha_frame_seal(&wire, &frame, 1, &key);
	inject(self, &wire, sizeof(wire));		/* empty slot */
	wire.version++;
	inject(self, &wire, sizeof(wire));		/* unknown version */
	inject(self, &wire, 20);			/* truncated */
	frame.node = 0;
	ctiha_frame_seal(&wire, &frame, 0, &key);
	inject(self, &wire, sizeof(wire));		/* own id */
	frame.node = 1;
	frame.pair++;
	ctiha_frame_seal(&wire, &frame, 0, &key);
	inject(self, &wire, sizeof(wire));		/* another pair */
	frame.pair = PAIR;
	frame.link_kind = CTIHA_LINK_LAN;
	ctiha_frame_seal(&wire, &frame, 0, &key);
	inject(self, &wire, sizeof(wire));		/* another link */
	frame.link_kind = CTIHA_LINK_CROSSOVER;
	frame.multiplier = 1;
	ctiha_frame_seal(&wire, &frame, 0, &key);
	inject(self, &wire, sizeof(wire));		/* out of range */
	mac_key_wipe(&key);

	snap = look(self, 0);
	count = snap.links[0].stats.count;
	EXPECT_EQ(2, count[CTIHA_A_STAT_REPLAYED]);
	EXPECT_EQ(1, count[CTIHA_A_STAT_FORGED]);
	EXPECT_EQ(1, count[CTIHA_A_STAT_KEY]);
	EXPECT_EQ(1, count[CTIHA_A_STAT_VERSION]);
	EXPECT_EQ(2, count[CTIHA_A_STAT_MALFORMED]);
	EXPECT_EQ(3, count[CTIHA_A_STAT_FOREIGN]);
	EXPECT_EQ(CTIHA_SESSION_UP, snap.links[0].state);
	EXPECT_EQ(0, snap.node.epoch);
	EXPECT_NE(CTIHA_ROLE_ACTIVE, snap.peer.role);
}

/* A frame of A's, as it arrives at B. */
static struct ctiha_frame overhear(FIXTURE_DATA(packet) *self)
{
	int sniffer = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			     htons(CTIHA_ETHERTYPE));
	struct ctiha_mac_key key;
	const struct ctiha_mac_key *const keys[CTIHA_KEY_SLOTS] = { &key };
	struct ctiha_wire_frame wire;
	struct ctiha_frame frame;

	mac_key_set(&key, self->key);
	do
		turn(self, BOTH);
	while (recv(sniffer, &wire, sizeof(wire), 0) != sizeof(wire) ||
	       ctiha_frame_open(&wire, sizeof(wire), keys, &frame) ||
	       frame.node || frame.link_kind != CTIHA_LINK_CROSSOVER);
	close(sniffer);
	mac_key_wipe(&key);
	return frame;
}

/* What the module of B sends when its system ends. */
static struct ctiha_frame gasp_of_b(const struct ctiha_frame *heard)
{
	struct ctiha_frame frame = *heard;

	frame.type = CTIHA_FRAME_GASP;
	frame.last_words = CTIHA_LAST_WORDS_PANIC;
	frame.node = 1;
	frame.my_discr = heard->your_discr;
	frame.your_discr = heard->my_discr;
	frame.seq = heard->echo_seq + 1000;
	frame.echo_seq = heard->seq;
	frame.role = CTIHA_ROLE_STANDBY;
	frame.vote_epoch = heard->epoch;
	return frame;
}

TEST_F(packet, a_gasp_ends_the_session_once)
{
	struct ctiha_wire_frame wire;
	struct ctiha_mac_key key;
	struct ctiha_frame frame;
	u64 replayed;

	ASSERT_A_ACTIVE();
	run(self, BOTH, 100);
	frame = overhear(self);
	frame = gasp_of_b(&frame);
	mac_key_set(&key, self->key);
	ctiha_frame_seal(&wire, &frame, 0, &key);
	mac_key_wipe(&key);
	inject(self, &wire, sizeof(wire));
	EXPECT_EQ(1, look(self, 0).links[0].changes);
	EXPECT_EQ(CTIHA_DIAG_PEER_DIED, look(self, 0).links[0].diag);
	EXPECT_EQ(CTIHA_DIAG_PEER_DIED, A->link[0].diag);
	EXPECT_GE(LEASE_NS, look(self, 0).node.lease_left_ns);
	replayed = look(self, 0).links[0].stats.count[CTIHA_A_STAT_REPLAYED];
	inject(self, &wire, sizeof(wire));
	EXPECT_LT(replayed,
		  look(self, 0).links[0].stats.count[CTIHA_A_STAT_REPLAYED]);
	/* B lives: what it says now counts. */
	ASSERT_SOON(BOTH, is_up(A) && is_up(B));
	EXPECT_EQ(1, look(self, 0).links[0].changes);
	EXPECT_EQ(CTIHA_LAST_WORDS_NONE, look(self, 0).peer.last_words);
}

TEST_F(packet, a_flood_of_forged_frames_keeps_the_session_up)
{
	u8 junk[CTIHA_FRAME_LEN] = { CTIHA_FRAME_VERSION };
	u64 end = clock_now_ns() + 500 * MS;

	ASSERT_SOON(BOTH, is_up(A) && is_up(B));
	while (clock_now_ns() < end)
		inject(self, junk, sizeof(junk));
	EXPECT_TRUE(is_up(A));
	EXPECT_EQ(0, A->link[0].changes);
	EXPECT_LT(10, look(self, 0).links[0].stats.count[CTIHA_A_STAT_FORGED]);
}

TEST_F(packet, events_that_overflow_end_in_a_dump)
{
	struct heartbeat_snapshot snap;
	unsigned int i;

	ASSERT_SOON(BOTH, is_up(A) && is_up(B));
	run(self, BOTH, 50);
	for (i = 0; i < 500; i++)
		ASSERT_EQ(0, backend->report(A->hb, i % 2 ? 0 :
					     CTIHA_REPORT_SWITCH, i));
	turn(self, FIRST);
	EXPECT_EQ(1, A->resyncs);
	EXPECT_EQ(CTIHA_CAUSE_NONE, A->event[(A->count - 1) % EVENTS].cause);
	snap = look(self, 0);
	EXPECT_EQ(snap.node.report, A->node.report);
	EXPECT_EQ(499, A->node.sync_pos);
	EXPECT_TRUE(is_up(A));
	/* And after it events go on without a gap. */
	A->gaps = 0;
	ASSERT_EQ(0, backend->report(A->hb, CTIHA_REPORT_L3, 0));
	ASSERT_SOON(BOTH, A->node.report & CTIHA_REPORT_L3);
	EXPECT_EQ(0, A->gaps);
}

TEST_HARNESS_MAIN
