// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The module's timers, to the microsecond, in virtual time. Runs as root inside of
 * user-mode Linux (selftests/uml/run); nowhere else can such times be asked for.
 */
#include "kselftest_harness.h"

#include <arpa/inet.h>
#include <errno.h>

#include "bed.h"
#include "capture.h"

#define KEY		0x5a
#define INTERVAL	(10 * MS)
#define INTERVAL_US	(INTERVAL / US)
#define MULTIPLIER	3
#define DETECT		(MULTIPLIER * INTERVAL)
#define LEASE		(60 * MS)
#define PROMISE		(75 * MS)
#define WATCH_MS	60000
#define SERVICE		"192.0.2.10"

/* a's first epoch, b's first */
#define EPOCH_A		2
#define EPOCH_B		1

/* Two times are the same; @what happened at @seen instead of @expected. */
#define EXPECT_TIME(expected, seen)					\
do {									\
	s64 __late = (s64)((seen) - (expected));			\
	EXPECT_TRUE(__late >= -(s64)EXACT_NS && __late <= (s64)EXACT_NS) \
		TH_LOG("%lld ns late", (long long)__late);		\
} while (0)

/* Filters for server_await(). */

static bool link_is_up(const struct news *news)
{
	return news->command == CTIHA_CMD_LINK_NTF &&
	       news->link.state == CTIHA_SESSION_UP;
}

static bool session_went_down(const struct news *news)
{
	return news->command == CTIHA_CMD_LINK_NTF &&
	       news->link.state == CTIHA_SESSION_DOWN &&
	       news->event.cause == CTIHA_CAUSE_SESSION;
}

static bool lease_expired(const struct news *news)
{
	return news->command == CTIHA_CMD_NODE_NTF &&
	       news->event.cause == CTIHA_CAUSE_LEASE_EXPIRED;
}

static bool daemon_is_silent(const struct news *news)
{
	return news->command == CTIHA_CMD_NODE_NTF &&
	       news->event.cause == CTIHA_CAUSE_DAEMON_SILENT;
}

static bool peer_votes_for_a(const struct news *news)
{
	return news->command == CTIHA_CMD_PEER_NTF &&
	       news->peer.vote_epoch == EPOCH_A;
}

static bool follows_a(const struct news *news)
{
	return news->command == CTIHA_CMD_NODE_NTF &&
	       news->node.role == CTIHA_ROLE_STANDBY &&
	       news->node.epoch == EPOCH_A;
}

/* The crossover is watched on both ends; it carries the only link. */
FIXTURE(pair)
{
	struct bed bed;
	struct server *a;
	struct server *b;
	int port_a;
	int port_b;
};

FIXTURE_SETUP(pair)
{
	int i;

	ASSERT_EQ(0, bed_open(&self->bed));
	self->a = &self->bed.server[A];
	self->b = &self->bed.server[B];
	self->port_a = capture_open("xa");
	self->port_b = capture_open("xb");
	ASSERT_LE(0, self->port_a);
	ASSERT_LE(0, self->port_b);
	for (i = 0; i < SERVERS; i++) {
		struct server *s = &self->bed.server[i];

		ASSERT_EQ(0, server_create(s, LEASE, PROMISE));
		ASSERT_EQ(0, server_key(s, 0, KEY));
		ASSERT_EQ(0, server_attach(s, WATCH_MS));
	}
}

FIXTURE_TEARDOWN(pair)
{
	close(self->port_a);
	close(self->port_b);
	bed_close(&self->bed);
}

static bool links_up(FIXTURE_DATA(pair) *self, u32 a_us, u32 b_us)
{
	struct news news;

	return !server_link(self->a, CTIHA_LINK_CROSSOVER, a_us, MULTIPLIER) &&
	       !server_link(self->b, CTIHA_LINK_CROSSOVER, b_us, MULTIPLIER) &&
	       server_await(self->a, link_is_up, 5 * SECOND, &news) &&
	       server_await(self->b, link_is_up, 5 * SECOND, &news);
}

/* Nothing more reaches this server; it is told nothing of it. */
static int cut_towards(const char *name)
{
	return bed_run("tc qdisc replace dev x%s root netem loss 100%%", name);
}

/* Lets a run of heartbeats without other news pass, and looks at nothing before. */
static void steady(FIXTURE_DATA(pair) *self, u64 ns)
{
	sleep_until(clock_now_ns() + 200 * MS);
	capture_flush(self->port_a);
	capture_flush(self->port_b);
	sleep_until(clock_now_ns() + ns);
}

/*
 * Return: how many heartbeats left from the port's server, each exactly one interval
 * behind the one before, none drifting from the first; 0 if any did not.
 */
static unsigned int count_regular(int port, u64 interval_ns)
{
	struct captured captured;
	unsigned int count = 0;
	u64 expected = 0;
	s64 late;

	while (capture_next(port, KEY, &captured)) {
		if (captured.direction != CAPTURE_IN)
			continue;
		if (!count)
			expected = captured.time_ns;
		late = captured.time_ns - expected;
		if (late > (s64)EXACT_NS || late < -(s64)EXACT_NS) {
			fprintf(stderr, "# heartbeat %u: %lld ns late\n", count,
				(long long)late);
			return 0;
		}
		expected += interval_ns;
		count++;
	}
	return count;
}

/* What last passed the port in this direction, before the capture ran dry. */
static bool last_captured(int port, enum capture_direction direction,
			  struct captured *last)
{
	struct captured captured;
	bool found = false;

	while (capture_next(port, KEY, &captured)) {
		if (captured.direction == direction) {
			*last = captured;
			found = true;
		}
	}
	return found;
}

/*
 * The last heartbeat that reached the port's server.
 *
 * Return: when that server had sent the one that it echoes; 0 if it was not seen.
 */
static u64 last_echo(int port, struct captured *last)
{
	static u64 sent_ns[4096];
	struct captured captured;

	memset(sent_ns, 0, sizeof(sent_ns));
	memset(last, 0, sizeof(*last));
	while (capture_next(port, KEY, &captured)) {
		if (captured.direction == CAPTURE_OUT)
			*last = captured;
		else
			sent_ns[captured.frame.seq % ARRAY_SIZE(sent_ns)] =
				captured.time_ns;
	}
	return sent_ns[last->frame.echo_seq % ARRAY_SIZE(sent_ns)];
}

static u64 stat(struct server *s, unsigned int attr)
{
	return server_view_link(s, CTIHA_LINK_CROSSOVER).stats.count[attr];
}

/* b votes, a acts, b follows. Return: false, and it was said why. */
static bool a_acts(FIXTURE_DATA(pair) *self)
{
	struct news news;

	return !server_plain(self->b, CTIHA_CMD_YIELD) &&
	       server_await(self->a, peer_votes_for_a, SECOND, &news) &&
	       !server_epoch(self->a, CTIHA_CMD_ACTIVATE, EPOCH_A, 0) &&
	       server_await(self->b, follows_a, SECOND, &news);
}

TEST_F_TIMEOUT(pair, heartbeat_leaves_every_interval, 600)
{
	/* The longest ones end before the daemons are missed. */
	static const struct { u32 us; unsigned int beats; } runs[] = {
		{ 1000, 200 }, { 3333, 200 }, { 10000, 200 }, { 1000000, 40 },
	};
	unsigned int i, count;

	for (i = 0; i < ARRAY_SIZE(runs); i++) {
		unsigned int beats = runs[i].beats;
		u32 us = runs[i].us;

		ASSERT_TRUE(links_up(self, us, us));
		steady(self, beats * US * us + US * us / 2);
		count = count_regular(self->port_a, US * us);
		EXPECT_TRUE(count == beats || count == beats + 1);
		count = count_regular(self->port_b, US * us);
		EXPECT_TRUE(count == beats || count == beats + 1);
		EXPECT_EQ(0, stat(self->a, CTIHA_A_STAT_MISSED));
		EXPECT_EQ(0, stat(self->a, CTIHA_A_STAT_WITHHELD));
		EXPECT_EQ(0, stat(self->a, CTIHA_A_STAT_LOST));
		EXPECT_EQ(0, stat(self->b, CTIHA_A_STAT_LOST));
		ASSERT_EQ(0, server_link_del(self->a, CTIHA_LINK_CROSSOVER));
		ASSERT_EQ(0, server_link_del(self->b, CTIHA_LINK_CROSSOVER));
		sleep_until(clock_now_ns() + US * us * MULTIPLIER);
	}
}

TEST_F(pair, slower_side_sets_the_interval)
{
	ASSERT_TRUE(links_up(self, 2000, 25000));
	steady(self, 2510 * MS);
	EXPECT_LE(100, count_regular(self->port_a, 25 * MS));
	EXPECT_LE(100, count_regular(self->port_b, 25 * MS));
}

TEST_F(pair, silence_takes_a_session_down_at_the_deadline)
{
	struct captured last;
	struct news news;

	ASSERT_TRUE(links_up(self, INTERVAL_US, INTERVAL_US));
	steady(self, 95 * MS);
	ASSERT_EQ(0, cut_towards("a"));
	ASSERT_TRUE(server_await(self->a, session_went_down, SECOND, &news));
	ASSERT_TRUE(last_captured(self->port_a, CAPTURE_OUT, &last));
	EXPECT_TIME(last.time_ns, news.link.heard_ns);
	EXPECT_TIME(last.time_ns + DETECT, news.event.time_ns);
	EXPECT_TIME(news.event.time_ns, news.noticed_ns);
	EXPECT_EQ(CTIHA_DIAG_SILENCE, news.link.diag);
	EXPECT_EQ(DETECT, news.link.detect_ns);
}

static bool lost_a_carrier(const struct news *news)
{
	return news->command == CTIHA_CMD_NODE_NTF &&
	       news->event.cause == CTIHA_CAUSE_CARRIER;
}

static bool peer_lost_a_carrier(const struct news *news)
{
	return news->command == CTIHA_CMD_PEER_NTF &&
	       !(news->peer.report & CTIHA_REPORT_CARRIER_L1);
}

/*
 * The fastest link's tick sees it. Then every link, the slowest one, too, asks at once
 * and three times more who is heard; nothing is decided.
 */
TEST_F(pair, lost_carrier_asks_on_every_link)
{
	struct captured captured;
	unsigned int count = 0;
	struct news news, told;
	u64 cut_ns;
	int lan;

	ASSERT_TRUE(links_up(self, INTERVAL_US, INTERVAL_US));
	ASSERT_EQ(0, server_link(self->a, CTIHA_LINK_LAN, SECOND / US, MULTIPLIER));
	ASSERT_EQ(0, server_link(self->b, CTIHA_LINK_LAN, SECOND / US, MULTIPLIER));
	lan = capture_open("la");
	steady(self, 3 * SECOND + 95 * MS);
	capture_flush(lan);
	cut_ns = clock_now_ns();
	ASSERT_EQ(0, bed_run("ip link set dev xa down"));
	ASSERT_TRUE(server_await(self->a, lost_a_carrier, SECOND, &news));
	EXPECT_GE(cut_ns + INTERVAL + EXACT_NS, news.event.time_ns);
	EXPECT_EQ(CTIHA_REPORT_CARRIER_L2, news.node.report & CTIHA_REPORT_CARRIER);
	sleep_until(news.event.time_ns + 5 * MS);
	while (capture_next(lan, KEY, &captured)) {
		if (captured.direction != CAPTURE_IN)
			continue;
		EXPECT_TIME(news.event.time_ns + count * MS, captured.time_ns);
		EXPECT_EQ(0, captured.frame.report & CTIHA_REPORT_CARRIER_L1);
		count++;
	}
	EXPECT_EQ(4, count);
	EXPECT_TRUE(server_await(self->b, peer_lost_a_carrier, 0, &told));
	EXPECT_LE(news.event.time_ns, told.event.time_ns);
	EXPECT_EQ(CTIHA_SESSION_UP,
		  server_view_link(self->a, CTIHA_LINK_CROSSOVER).state);
	close(lan);
}

static bool session_works_one_way(const struct news *news)
{
	return news->command == CTIHA_CMD_LINK_NTF &&
	       news->link.state == CTIHA_SESSION_INIT &&
	       news->event.cause == CTIHA_CAUSE_SESSION;
}

/* The other side is heard, and says that it hears nothing: not up from then on. */
TEST_F(pair, peer_learns_of_one_way_loss_at_once)
{
	struct news silent, told;

	ASSERT_TRUE(links_up(self, INTERVAL_US, INTERVAL_US));
	steady(self, 95 * MS);
	ASSERT_EQ(0, cut_towards("a"));
	ASSERT_TRUE(server_await(self->a, session_went_down, SECOND, &silent));
	ASSERT_TRUE(server_await(self->b, session_works_one_way, SECOND, &told));
	EXPECT_EQ(CTIHA_DIAG_PEER_DOWN, told.link.diag);
	/* a sends at once; b's softirqs may come after the process that read a's event. */
	EXPECT_LE(silent.event.time_ns, told.event.time_ns);
	EXPECT_GE(silent.event.time_ns + 10 * US, told.event.time_ns);
}

TEST_F(pair, slower_side_sets_the_deadline)
{
	struct captured last;
	struct news news;

	ASSERT_TRUE(links_up(self, 2000, 25000));
	steady(self, 95 * MS);
	ASSERT_EQ(0, cut_towards("a"));
	ASSERT_TRUE(server_await(self->a, session_went_down, SECOND, &news));
	ASSERT_TRUE(last_captured(self->port_a, CAPTURE_OUT, &last));
	EXPECT_TIME(last.time_ns + MULTIPLIER * 25 * MS, news.event.time_ns);
}

/* From the sending of the heartbeat that the last vote echoed. */
TEST_F(pair, lease_ends_at_its_deadline)
{
	struct captured last;
	struct news news;
	u64 sent_ns;

	ASSERT_TRUE(links_up(self, INTERVAL_US, INTERVAL_US));
	ASSERT_TRUE(a_acts(self));
	steady(self, 995 * MS);
	EXPECT_EQ(CTIHA_ROLE_ACTIVE, server_node(self->a).role);
	ASSERT_EQ(0, cut_towards("a"));
	ASSERT_TRUE(server_await(self->a, lease_expired, SECOND, &news));
	EXPECT_EQ(CTIHA_ROLE_STANDBY, news.node.role);
	sent_ns = last_echo(self->port_a, &last);
	ASSERT_NE(0, sent_ns);
	EXPECT_EQ(EPOCH_A, last.frame.vote_epoch);
	EXPECT_TIME(sent_ns + LEASE, news.event.time_ns);
	EXPECT_TIME(sent_ns + LEASE, news.noticed_ns);
}

/* A datagram from the service address, at this very time. */
static int say_at(u64 time_ns)
{
	struct sockaddr_in from = { .sin_family = AF_INET };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), ret;

	inet_pton(AF_INET, SERVICE, &from.sin_addr);
	inet_pton(AF_INET, "192.0.2.99", &to.sin_addr);
	ret = bind(fd, (struct sockaddr *)&from, sizeof(from));
	sleep_until(time_ns);
	if (!ret && sendto(fd, "", 1, 0, (struct sockaddr *)&to, sizeof(to)) != 1)
		ret = -1;
	close(fd);
	return ret;
}

/* The next hop is known, so that nothing but the datagram itself leaves. */
static int give_service_address(void)
{
	return bed_run("ip -n a addr add " SERVICE "/24 dev l &&"
		       "ip -n a neigh add 192.0.2.99 lladdr 02:00:00:00:00:99 dev l");
}

TEST_F(pair, fence_closes_with_the_lease)
{
	struct heartbeat_node node;
	u64 end;
	int lan;

	ASSERT_EQ(0, give_service_address());
	ASSERT_EQ(0, server_fence(self->a, SERVICE));
	ASSERT_TRUE(links_up(self, INTERVAL_US, INTERVAL_US));
	ASSERT_TRUE(a_acts(self));
	sleep_until(clock_now_ns() + SECOND);
	lan = capture_open("la");
	ASSERT_EQ(0, cut_towards("a"));
	sleep_until(clock_now_ns() + INTERVAL + MS);	/* none is on its way */
	node = server_node(self->a);
	EXPECT_FALSE(node.fence.closed);
	end = clock_now_ns() + node.lease_left_ns;
	ASSERT_EQ(0, bed_enter("a"));
	EXPECT_EQ(0, say_at(end - 5 * US));
	EXPECT_EQ(1, capture_ipv4(lan));
	say_at(end + 2 * US);	/* may be told that it was dropped */
	EXPECT_EQ(0, capture_ipv4(lan));
	node = server_node(self->a);
	EXPECT_TRUE(node.fence.closed);
	EXPECT_EQ(1, node.fence.dropped[CTIHA_FENCED_IPV4]);
	close(lan);
}

TEST_F(pair, renewed_grant_ends_at_its_deadline)
{
	struct news news;
	u64 granted;

	sleep_until(clock_now_ns() + PROMISE);
	granted = clock_now_ns();
	ASSERT_EQ(0, server_epoch(self->a, CTIHA_CMD_ACTIVATE, EPOCH_A, granted));
	sleep_until(granted + LEASE - 10 * US);
	EXPECT_EQ(CTIHA_ROLE_ACTIVE, server_node(self->a).role);
	granted += LEASE / 2;
	ASSERT_EQ(0, server_epoch(self->a, CTIHA_CMD_RENEW, EPOCH_A, granted));
	ASSERT_TRUE(server_await(self->a, lease_expired, SECOND, &news));
	EXPECT_EQ(granted + LEASE, news.event.time_ns);
	EXPECT_TIME(granted + LEASE, news.noticed_ns);
}

/* A server that has just started may have promised something before. */
TEST_F(pair, start_binds_for_one_promise)
{
	struct heartbeat_node node = server_node(self->a);
	u64 end = clock_now_ns() + node.promise_left_ns;

	EXPECT_GE(PROMISE, node.promise_left_ns);
	sleep_until(end - 2 * US);
	EXPECT_EQ(-EBUSY, server_epoch(self->a, CTIHA_CMD_ACTIVATE, EPOCH_A,
				       clock_now_ns()));
	sleep_until(end);
	EXPECT_EQ(0, server_epoch(self->a, CTIHA_CMD_ACTIVATE, EPOCH_A,
				  clock_now_ns()));
}

/* From the arrival of the last heartbeat of the server it voted for. */
TEST_F(pair, vote_binds_for_one_promise)
{
	struct captured last;
	u64 end;

	ASSERT_TRUE(links_up(self, INTERVAL_US, INTERVAL_US));
	ASSERT_TRUE(a_acts(self));
	steady(self, 95 * MS);
	ASSERT_EQ(0, cut_towards("b"));
	sleep_until(clock_now_ns() + INTERVAL);
	ASSERT_TRUE(last_captured(self->port_b, CAPTURE_OUT, &last));
	EXPECT_EQ(CTIHA_ROLE_ACTIVE, last.frame.role);
	end = last.time_ns + PROMISE;
	sleep_until(end - 2 * US);
	EXPECT_EQ(-EBUSY, server_epoch(self->b, CTIHA_CMD_ACTIVATE, EPOCH_A + 1,
				       clock_now_ns()));
	sleep_until(end + EXACT_NS);
	EXPECT_EQ(0, server_epoch(self->b, CTIHA_CMD_ACTIVATE, EPOCH_A + 1,
				  clock_now_ns()));
	/* Which is after a stopped by itself. */
	EXPECT_EQ(CTIHA_ROLE_STANDBY, server_node(self->a).role);
}

TEST_F(pair, silent_daemon_is_lost_after_watch_ms)
{
	struct news news;
	u64 called;

	ASSERT_EQ(0, server_attach(self->a, 250));
	sleep_until(clock_now_ns() + 249 * MS);
	called = clock_now_ns();
	ASSERT_EQ(0, server_report(self->a, CTIHA_REPORT_ELIGIBLE));
	ASSERT_TRUE(server_await(self->a, daemon_is_silent, SECOND, &news));
	EXPECT_TIME(called + 250 * MS, news.event.time_ns);
	EXPECT_TIME(called + 250 * MS, news.noticed_ns);
	EXPECT_EQ(-ESTALE, server_report(self->a, 0));
}

/* It says so at once, and the peer's vote needs no silence. */
TEST_F(pair, peer_learns_of_a_silent_daemon_at_once)
{
	struct captured last;
	struct news news;
	u64 called;

	ASSERT_TRUE(links_up(self, INTERVAL_US, INTERVAL_US));
	ASSERT_TRUE(a_acts(self));
	called = clock_now_ns();
	ASSERT_EQ(0, server_attach(self->a, 333));
	ASSERT_TRUE(server_await(self->a, daemon_is_silent, SECOND, &news));
	EXPECT_TIME(called + 333 * MS, news.event.time_ns);
	sleep_until(news.event.time_ns + MS);	/* let softirqs finish */
	ASSERT_TRUE(last_captured(self->port_b, CAPTURE_OUT, &last));
	EXPECT_TIME(called + 333 * MS, last.time_ns);
	EXPECT_EQ(0, last.frame.report & CTIHA_REPORT_DAEMON);
	EXPECT_EQ(EPOCH_A + 1, last.frame.vote_epoch);
}

TEST_HARNESS_MAIN
