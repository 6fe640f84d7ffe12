// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * State sync between two servers in one process, over loopback addresses:
 *
 *    A 127.1.0.1 --- proxy --- 127.1.0.2 B     crossover
 *    A 127.2.0.1 ------------- 127.2.0.2 B     LAN
 *
 * The proxy flips bytes, cuts, withholds and records. b0-b4, c1-c3, e4, g2.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "kselftest_harness.h"

#include "common/clock.h"
#include "common/log.h"
#include "daemon/sync/internal.h"
#include "daemon/sync/store_internal.h"
#include "damage.h"
#include "scratch.h"

#define PATIENCE_MS	600
#define SOON_MS		20000	/* on a machine that has other things to do */
#define MAP_SIZE	(64UL << 20)

struct side {
	struct sync *sync;
	struct sync_spec spec;
	u64 acks[8];		/* by enum sync_ack */
	u64 last_cookie;
	u64 first_alone_ns;
	u64 unsynced_ns;	/* when the state said so first */
	bool may_act;
	bool in_order;
	unsigned int news;	/* calls of the state callback */
	u64 leave_epoch;	/* not 0: follow in it once a write is acknowledged */
};

/* One direction of the proxied connection. */
struct lane {
	struct bufferevent *to;
	u64 passed;
	u64 flip_at;		/* flip a bit of the byte at this offset */
	u64 hold_at;		/* withhold everything from this offset on */
	unsigned int delay_ms;	/* all that passes */
	struct evbuffer *record;
};

STAILQ_HEAD(late_list, late);

struct proxy {
	struct event_base *base;
	struct evconnlistener *listener;
	struct sockaddr_in upstream;
	struct sockaddr_in from;
	struct bufferevent *ends[2];
	struct lane lanes[2];	/* 0: to B */
	u64 flip_every;
	u64 hold_next;		/* hold_at of lane 0 for the next connection */
	bool closed;
	bool frozen;		/* hide from one end that the other has closed */
	bool b_closed;
	unsigned int connections;
	struct ev_token_bucket_cfg *slow;	/* limit of what B is sent */
	struct late_list late;	/* of one lane */
};

FIXTURE(sync)
{
	char scratch[64];
	char error[256];
	struct event_base *base;
	struct side a, b;
	struct proxy proxy;
	u64 cookie;
};

FIXTURE_VARIANT(sync)
{
	bool insecure;
};

FIXTURE_VARIANT_ADD(sync, tls)
{
	.insecure = false,
};

FIXTURE_VARIANT_ADD(sync, insecure)
{
	.insecure = true,
};

static struct sockaddr_in address(const char *ip, u16 port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_port = htons(port) };

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

static void set_address(struct sockaddr_storage *to, const char *ip, u16 port)
{
	struct sockaddr_in a = address(ip, port);

	memcpy(to, &a, sizeof(a));
}

/* A port that is free on all the addresses used here. */
static u16 free_port(void)
{
	struct sockaddr_in a = address("0.0.0.0", 0);
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	bind(fd, (struct sockaddr *)&a, sizeof(a));
	getsockname(fd, (struct sockaddr *)&a, &len);
	close(fd);
	return ntohs(a.sin_port);
}

/* ---- proxy ---- */

static void proxy_cut(struct proxy *p)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (p->ends[i])
			bufferevent_free(p->ends[i]);
		p->ends[i] = NULL;
	}
}

/* What is delayed; timers of one moment may come in any order, bytes may not. */
struct late {
	STAILQ_ENTRY(late) entry;
	struct proxy *proxy;
	struct lane *lane;
	unsigned int connection;
	struct evbuffer *bytes;
};

static void on_late(evutil_socket_t fd, short what, void *arg)
{
	struct late_list *queue = arg;
	struct late *late = STAILQ_FIRST(queue);

	(void)fd;
	(void)what;
	STAILQ_REMOVE_HEAD(queue, entry);
	if (late->proxy->ends[0] &&
	    late->connection == late->proxy->connections)
		bufferevent_write_buffer(late->lane->to, late->bytes);
	evbuffer_free(late->bytes);
	free(late);
}

static void delay(struct proxy *p, struct lane *l, struct evbuffer *input)
{
	const struct timeval after = {
		.tv_usec = (suseconds_t)l->delay_ms * 1000,
	};
	struct late *late = malloc(sizeof(*late));

	*late = (struct late){
		.proxy = p,
		.lane = l,
		.connection = p->connections,
		.bytes = evbuffer_new(),
	};
	evbuffer_add_buffer(late->bytes, input);
	STAILQ_INSERT_TAIL(&p->late, late, entry);
	event_base_once(p->base, -1, EV_TIMEOUT, on_late, &p->late, &after);
}

static void forward(struct lane *l, struct evbuffer *input)
{
	size_t len = evbuffer_get_length(input);
	u8 *bytes = evbuffer_pullup(input, -1);

	if (l->flip_at >= l->passed && l->flip_at < l->passed + len)
		bytes[l->flip_at - l->passed] ^= 0x10;
	if (l->hold_at < l->passed + len)
		len = l->hold_at > l->passed ? l->hold_at - l->passed : 0;
	if (l->record)
		evbuffer_add(l->record, bytes, len);
	evbuffer_add(bufferevent_get_output(l->to), bytes, len);
	l->passed += evbuffer_get_length(input);
	evbuffer_drain(input, evbuffer_get_length(input));
}

static void on_proxy_read(struct bufferevent *from, void *arg)
{
	struct proxy *p = arg;
	struct lane *l = &p->lanes[from == p->ends[0] ? 0 : 1];

	if (l->delay_ms)
		delay(p, l, bufferevent_get_input(from));
	else
		forward(l, bufferevent_get_input(from));
	while (p->flip_every && l->flip_at < l->passed)
		l->flip_at += p->flip_every;
}

static void on_proxy_event(struct bufferevent *bev, short what, void *arg)
{
	struct proxy *p = arg;

	if (what & BEV_EVENT_CONNECTED)
		return;
	if (bev == p->ends[1])
		p->b_closed = true;
	if (!p->frozen)
		proxy_cut(p);
}

static void on_proxy_accept(struct evconnlistener *l, evutil_socket_t fd,
			    struct sockaddr *peer, int len, void *arg)
{
	struct proxy *p = arg;
	int up = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	int i;

	(void)l;
	(void)peer;
	(void)len;
	proxy_cut(p);
	if (p->closed) {
		close(fd);
		close(up);
		return;
	}
	p->connections++;
	bind(up, (struct sockaddr *)&p->from, sizeof(p->from));
	p->ends[0] = bufferevent_socket_new(p->base, fd, BEV_OPT_CLOSE_ON_FREE);
	p->ends[1] = bufferevent_socket_new(p->base, up, BEV_OPT_CLOSE_ON_FREE);
	for (i = 0; i < 2; i++) {
		struct evbuffer *record = p->lanes[i].record;

		p->lanes[i] = (struct lane){
			.to = p->ends[!i],
			.flip_at = p->flip_every ? p->flip_every : U64_MAX,
			.hold_at = i || !p->hold_next ? U64_MAX : p->hold_next,
			.record = record,
		};
		bufferevent_setcb(p->ends[i], on_proxy_read, NULL,
				  on_proxy_event, p);
		bufferevent_enable(p->ends[i], EV_READ | EV_WRITE);
	}
	bufferevent_socket_connect(p->ends[1], (struct sockaddr *)&p->upstream,
				   sizeof(p->upstream));
}

static bool proxy_open(struct proxy *p, struct event_base *base, u16 port,
		       u16 upstream_port)
{
	struct sockaddr_in at = address("127.1.0.2", port);

	p->base = base;
	STAILQ_INIT(&p->late);
	p->upstream = address("127.1.0.2", upstream_port);
	p->from = address("127.1.0.1", 0);
	p->listener = evconnlistener_new_bind(base, on_proxy_accept, p,
					      LEV_OPT_CLOSE_ON_FREE |
					      LEV_OPT_REUSEABLE, 8,
					      (struct sockaddr *)&at,
					      sizeof(at));
	return p->listener;
}

/* ---- sides ---- */

static void on_acked(void *arg, u64 cookie, enum sync_ack ack)
{
	struct side *side = arg;

	side->acks[ack]++;
	if (cookie != side->last_cookie + 1)
		side->in_order = false;
	side->last_cookie = cookie;
	if (ack == SYNC_ACK_ALONE && !side->first_alone_ns)
		side->first_alone_ns = clock_now_ns();
	if (side->leave_epoch)
		sync_follow(side->sync, side->leave_epoch);
}

static void on_state(void *arg, const struct sync_status *status)
{
	struct side *side = arg;

	side->news++;
	if (!status->synced && !side->unsynced_ns)
		side->unsynced_ns = clock_now_ns();
}

static bool on_may_act(void *arg)
{
	struct side *side = arg;

	return side->may_act;
}

static const struct sync_callbacks callbacks = {
	.acked = on_acked,
	.state = on_state,
	.may_act = on_may_act,
};

static void make_spec(struct side *side, const char *scratch, u8 node,
		      u16 port, u16 proxy_port)
{
	struct sync_spec *spec = &side->spec;

	memset(spec, 0, sizeof(*spec));
	spec->pair = 5;
	spec->node = node;
	spec->keys.used[0] = true;
	memcpy(spec->keys.key[0], "the pair's key", 14);
	snprintf(spec->directory, sizeof(spec->directory), "%s/%u", scratch,
		 node);
	spec->map_size = MAP_SIZE;
	spec->patience_ms = PATIENCE_MS;
	spec->paths[0].configured = true;
	set_address(&spec->paths[0].local, node ? "127.1.0.2" : "127.1.0.1",
		    port);
	set_address(&spec->paths[0].peer, node ? "127.1.0.1" : "127.1.0.2",
		    node ? port : proxy_port);
	spec->paths[1].configured = true;
	set_address(&spec->paths[1].local, node ? "127.2.0.2" : "127.2.0.1",
		    port);
	set_address(&spec->paths[1].peer, node ? "127.2.0.1" : "127.2.0.2",
		    port);
}

static bool open_side(struct side *side, struct event_base *base, char *error)
{
	side->may_act = true;
	side->in_order = true;
	side->sync = sync_open(base, &side->spec, &callbacks, side, error, 256);
	return side->sync;
}

FIXTURE_SETUP(sync)
{
	u16 port = free_port(), proxy_port = free_port();

	log_init("sync_test", getenv("VERBOSE") ? 7 : 0);
	signal(SIGPIPE, SIG_IGN);	/* as the daemon does */
	ASSERT_TRUE(scratch_make(self->scratch));
	self->base = event_base_new();
	make_spec(&self->a, self->scratch, 0, port, proxy_port);
	make_spec(&self->b, self->scratch, 1, port, proxy_port);
	self->a.spec.insecure = variant->insecure;
	self->b.spec.insecure = variant->insecure;
	ASSERT_TRUE(proxy_open(&self->proxy, self->base, proxy_port, port));
	ASSERT_TRUE(open_side(&self->a, self->base, self->error)) {
		TH_LOG("%s", self->error);
	}
	ASSERT_TRUE(open_side(&self->b, self->base, self->error)) {
		TH_LOG("%s", self->error);
	}
}

FIXTURE_TEARDOWN(sync)
{
	sync_close(self->a.sync);
	sync_close(self->b.sync);
	proxy_cut(&self->proxy);
	while (!STAILQ_EMPTY(&self->proxy.late))
		event_base_loop(self->base, EVLOOP_ONCE);
	if (self->proxy.slow)
		ev_token_bucket_cfg_free(self->proxy.slow);
	if (self->proxy.lanes[0].record)
		evbuffer_free(self->proxy.lanes[0].record);
	evconnlistener_free(self->proxy.listener);
	event_base_free(self->base);
	scratch_remove(self->scratch);
}

typedef FIXTURE_DATA(sync) bed;

static void nothing(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* Runs the event loop for some time, or until a condition holds. */
static bool run(bed *t, unsigned int ms, bool (*until)(bed *t))
{
	const struct timeval step = { .tv_usec = 2000 };
	struct event *timer = event_new(t->base, -1, EV_PERSIST, nothing, NULL);
	u64 end = clock_now_ns() + ms * CTIHA_NS_PER_MS;
	bool held = false;

	event_add(timer, &step);
	while (!(held = until && until(t)) && clock_now_ns() < end)
		event_base_loop(t->base, EVLOOP_ONCE);
	event_free(timer);
	return held;
}

static struct sync_status status(struct side *side)
{
	struct sync_status st;

	sync_status(side->sync, &st);
	return st;
}

static bool identical(bed *t)
{
	struct sync_status a = status(&t->a), b = status(&t->b);

	return a.state == SYNC_IDENTICAL && b.state == SYNC_IDENTICAL &&
	       a.synced && b.synced && a.position == b.position &&
	       a.epoch == b.epoch && a.records == b.records &&
	       !memcmp(a.digest, b.digest, sizeof(a.digest));
}

static bool all_acked(bed *t)
{
	return t->a.last_cookie == t->cookie;
}

static int put(bed *t, u16 content, const char *key, const char *value)
{
	int rc = sync_write(t->a.sync, content, key, strlen(key), value,
			    value ? strlen(value) : 0, t->cookie + 1);

	if (!rc)
		t->cookie++;
	return rc;
}

/* Does not wait for the standby. */
static int put_async(bed *t, const char *key, const char *value)
{
	int rc = sync_write_async(t->a.sync, SYNC_CONTENT_CALL, key,
				  strlen(key), value,
				  value ? strlen(value) : 0, t->cookie + 1);

	if (!rc)
		t->cookie++;
	return rc;
}

static int put_many(bed *t, const char *prefix, int count)
{
	char key[32], value[64];
	int i, rc = 0;

	for (i = 0; !rc && i < count; i++) {
		snprintf(key, sizeof(key), "%s %d", prefix, i);
		snprintf(value, sizeof(value), "value of %s, %d", prefix, i);
		rc = put(t, SYNC_CONTENT_CALL, key, value);
	}
	return rc;
}

static bool holds(struct side *side, const char *key, const char *value)
{
	char got[64];
	int len = sync_read(side->sync, SYNC_CONTENT_CALL, key, strlen(key),
			    got, sizeof(got));

	if (!value)
		return len == -ENOENT;
	return len == (int)strlen(value) && !memcmp(got, value, (size_t)len);
}

static void links(bed *t, bool crossover, bool lan)
{
	sync_links(t->a.sync, crossover, lan);
	sync_links(t->b.sync, crossover, lan);
}

static bool reopen(bed *t, struct side *side)
{
	sync_close(side->sync);
	return open_side(side, t->base, t->error);
}

/* No way around the proxy. */
static bool only_crossover(bed *t)
{
	t->a.spec.paths[1].configured = false;
	t->b.spec.paths[1].configured = false;
	return reopen(t, &t->a) && reopen(t, &t->b);
}

/* A holds records that it wrote before it was restarted: in no backlog. */
static bool prefill(bed *t, int count)
{
	sync_activate(t->a.sync, 2);
	if (put_many(t, "before", count) || !run(t, 5000, all_acked))
		return false;
	t->cookie = 0;
	memset(t->a.acks, 0, sizeof(t->a.acks));
	t->a.last_cookie = 0;
	t->a.first_alone_ns = 0;
	return reopen(t, &t->a);
}

/* A active in epoch 2, B its standby, both links up. */
static bool join(bed *t)
{
	sync_follow(t->b.sync, 2);
	sync_activate(t->a.sync, 2);
	links(t, true, true);
	return run(t, SOON_MS, identical);
}

TEST_F(sync, alone_is_acknowledged_only_with_the_lease)
{
	sync_activate(self->a.sync, 2);
	ASSERT_EQ(0, put_many(self, "x", 10));
	ASSERT_TRUE(run(self, SOON_MS, all_acked));
	EXPECT_EQ(10, self->a.acks[SYNC_ACK_ALONE]);
	self->a.may_act = false;
	ASSERT_EQ(0, put_many(self, "y", 10));
	ASSERT_TRUE(run(self, SOON_MS, all_acked));
	EXPECT_EQ(10, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_EQ(10, self->a.acks[SYNC_ACK_REFUSED]);
	EXPECT_EQ(SYNC_ALONE, status(&self->a).state);
	EXPECT_EQ(20, status(&self->a).position);
	EXPECT_TRUE(self->a.in_order);
}

TEST_F(sync, bad_writes_are_refused_at_once)
{
	static char big[SYNC_VALUE_MAX + 1];

	EXPECT_EQ(-EROFS, put(self, 1, "k", "v"));
	sync_follow(self->a.sync, 2);
	EXPECT_EQ(-EROFS, put(self, 1, "k", "v"));
	sync_activate(self->a.sync, 2);
	EXPECT_EQ(-EINVAL, put(self, 0, "k", "v"));
	EXPECT_EQ(-EINVAL, put(self, SYNC_CONTENT_DICTIONARY, "zstd", "v"));
	EXPECT_EQ(-EINVAL, put(self, SYNC_CONTENT_CALL_STATE + 1, "k", "v"));
	EXPECT_EQ(-EINVAL, put(self, 0xffff, "k", "v"));
	EXPECT_EQ(-EINVAL, put(self, 1, "", "v"));
	EXPECT_EQ(-EINVAL, sync_write(self->a.sync, 1, big, SYNC_KEY_MAX + 1,
				      "v", 1, 0));
	EXPECT_EQ(-EINVAL, sync_write(self->a.sync, 1, NULL, 3, "v", 1, 0));
	EXPECT_EQ(-EINVAL, sync_write(self->a.sync, 1, "k", 1, NULL, 1, 0));
	EXPECT_EQ(-EINVAL, sync_write(self->a.sync, 1, "k", 1, big,
				      sizeof(big), 0));
	EXPECT_EQ(0, status(&self->a).records);
}

TEST_F(sync, standby_gets_all_then_each)
{
	struct sync_status st;

	ASSERT_TRUE(prefill(self, 700));
	sync_activate(self->a.sync, 2);
	ASSERT_EQ(0, put(self, SYNC_CONTENT_SERVER, "ivr-1", "normal"));
	ASSERT_TRUE(run(self, SOON_MS, all_acked));
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_ALONE]);
	ASSERT_TRUE(join(self));
	EXPECT_EQ(1, status(&self->a).resyncs);
	EXPECT_TRUE(holds(&self->b, "before 699", "value of before, 699"));

	ASSERT_EQ(0, put_many(self, "after", 300));
	ASSERT_EQ(0, put(self, SYNC_CONTENT_AGENT, "agent", "busy"));
	ASSERT_EQ(0, put(self, SYNC_CONTENT_CALL, "before 7", NULL));
	ASSERT_TRUE(run(self, SOON_MS, all_acked));
	/* The last of them were read before they were acknowledged. */
	EXPECT_TRUE(holds(&self->b, "after 299", "value of after, 299"));
	EXPECT_TRUE(holds(&self->b, "before 7", NULL));
	EXPECT_EQ(302, self->a.acks[SYNC_ACK_STANDBY]);
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_TRUE(self->a.in_order);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	st = status(&self->b);
	EXPECT_EQ(1001, st.records);
	EXPECT_EQ(1003, st.position);
	EXPECT_EQ(2, st.epoch);
	EXPECT_EQ(CTIHA_LINK_CROSSOVER, st.path);
	EXPECT_EQ(0, st.damaged);
	EXPECT_EQ(0, status(&self->a).damaged);
}

TEST_F(sync, own_writes_are_read_before_they_are_acknowledged)
{
	sync_activate(self->a.sync, 2);
	ASSERT_EQ(0, put(self, 1, "k", "1"));
	EXPECT_TRUE(holds(&self->a, "k", "1"));
	ASSERT_EQ(0, put(self, 1, "k", NULL));
	EXPECT_TRUE(holds(&self->a, "k", NULL));
}

/* Of a content that this version does not know, both ends of the numbers included. */
static const u16 future[] = { 8, 77, SYNC_CONTENT_LAST };

static bool holds_future(struct side *side, const char *key)
{
	char value[8];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(future); i++) {
		if (sync_read(side->sync, future[i], key, strlen(key), value,
			      sizeof(value)) != 6 || memcmp(value, "future", 6))
			return false;
	}
	return true;
}

/* As a later version of the active one would write it. */
static bool put_future(struct side *side, const char *key)
{
	bool ok = true;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(future); i++)
		ok = ok && !write_own(side->sync, future[i], key, strlen(key),
				      "future", 6);
	return ok;
}

/* What comes of an empty directory learns all it holds from its peer. */
static bool restart_empty(bed *t, struct side *side)
{
	strcat(side->spec.directory, "-new");
	return reopen(t, side);
}

TEST_F(sync, contents_of_later_versions_are_kept)
{
	sync_activate(self->a.sync, 2);
	ASSERT_TRUE(put_future(&self->a, "in a snapshot"));
	ASSERT_TRUE(holds_future(&self->a, "in a snapshot"));
	ASSERT_TRUE(reopen(self, &self->a));
	ASSERT_TRUE(join(self));
	ASSERT_EQ(1, status(&self->b).resyncs);
	ASSERT_TRUE(put_future(&self->a, "as a write"));
	ASSERT_TRUE(holds_future(&self->a, "as a write"));
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_TRUE(holds_future(&self->b, "in a snapshot"));
	EXPECT_TRUE(holds_future(&self->b, "as a write"));
	/* They survive a takeover, and go on to a server that has nothing. */
	ASSERT_TRUE(restart_empty(self, &self->a));
	sync_follow(self->a.sync, 3);
	sync_activate(self->b.sync, 3);
	links(self, true, true);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(1, status(&self->a).resyncs);
	EXPECT_EQ(6, status(&self->a).records);
	EXPECT_TRUE(holds_future(&self->a, "in a snapshot"));
	EXPECT_TRUE(holds_future(&self->a, "as a write"));
}

static bool a_is_done(bed *t)
{
	return all_acked(t) && identical(t);
}

TEST_F(sync, writes_go_on_during_a_transfer)
{
	int i;

	ASSERT_TRUE(prefill(self, 30000));
	sync_activate(self->a.sync, 2);
	sync_follow(self->b.sync, 2);
	links(self, true, true);
	for (i = 0; i < 100; i++) {
		ASSERT_EQ(0, put_many(self, i % 2 ? "before" : "more", 50));
		ASSERT_EQ(0, put(self, 1, "before 29999", i % 2 ? "x" : NULL));
		run(self, 2, NULL);
	}
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	EXPECT_EQ(1, status(&self->b).resyncs);
	EXPECT_LT(0, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_LT(0, self->a.acks[SYNC_ACK_STANDBY]);
	EXPECT_EQ(0, self->a.acks[SYNC_ACK_REFUSED]);
	EXPECT_TRUE(self->a.in_order);
	EXPECT_EQ(30050, status(&self->b).records);
}

TEST_F(sync, damaged_packet_is_discarded_and_sent_again)
{
	int i;

	ASSERT_TRUE(join(self));
	for (i = 0; i < 20; i++) {
		/*
		 * Somewhere in the packet that these writes become, but not in
		 * what says how long it is.
		 */
		self->proxy.lanes[0].flip_at =
			self->proxy.lanes[0].passed + 6 + 9 * i;
		ASSERT_EQ(0, put_many(self, "call", 20 + i));
		ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	}
	EXPECT_EQ(20, status(&self->b).damaged);
	EXPECT_EQ(0, status(&self->a).resyncs);
	EXPECT_EQ(0, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_EQ(0, self->a.acks[SYNC_ACK_REFUSED]);
	EXPECT_TRUE(self->a.in_order);
	EXPECT_EQ(0, status(&self->b).diverged);
}

/* What follows is taken for the rest of the packet: nothing comes any more. */
TEST_F(sync, damaged_length_loses_nothing)
{
	const u64 length = variant->insecure ? 18 : 3;

	ASSERT_TRUE(join(self));
	self->proxy.lanes[0].flip_at = self->proxy.lanes[0].passed + length;
	ASSERT_EQ(0, put_many(self, "call", 20));
	ASSERT_TRUE(run(self, 3 * PATIENCE_MS, a_is_done));
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(0, self->a.acks[SYNC_ACK_REFUSED]);
	EXPECT_TRUE(self->a.in_order);
	EXPECT_EQ(20, status(&self->b).records);
	EXPECT_EQ(0, status(&self->b).diverged);
}

TEST_F(sync, steady_damage_both_ways_loses_nothing)
{
	int i;

	ASSERT_TRUE(only_crossover(self));
	ASSERT_TRUE(join(self));
	links(self, true, false);
	self->proxy.flip_every = 3001;
	proxy_cut(&self->proxy);
	for (i = 0; i < 200; i++) {
		ASSERT_EQ(0, put_many(self, i % 3 ? "call" : "other", 10));
		run(self, 3, NULL);
	}
	self->proxy.flip_every = 0;
	proxy_cut(&self->proxy);
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	EXPECT_LT(3, status(&self->b).damaged + status(&self->a).damaged);
	EXPECT_EQ(0, status(&self->b).diverged);
	EXPECT_EQ(0, self->a.acks[SYNC_ACK_REFUSED]);
	EXPECT_TRUE(self->a.in_order);
}

static bool on_lan(bed *t)
{
	return status(&t->a).path == CTIHA_LINK_LAN &&
	       status(&t->b).path == CTIHA_LINK_LAN;
}

static bool on_crossover(bed *t)
{
	return status(&t->a).path == CTIHA_LINK_CROSSOVER &&
	       status(&t->b).path == CTIHA_LINK_CROSSOVER;
}

TEST_F(sync, moves_to_the_lan_and_back_without_losing_a_record)
{
	int round;

	ASSERT_TRUE(join(self));
	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, put_many(self, "a", 100));
		/* The cable is pulled: bytes vanish, then the link is down. */
		self->proxy.lanes[0].hold_at = self->proxy.lanes[0].passed;
		run(self, 10, NULL);
		ASSERT_EQ(0, put_many(self, "b", 100));
		links(self, false, true);
		ASSERT_TRUE(run(self, SOON_MS, on_lan));
		ASSERT_EQ(0, put_many(self, "c", 100));
		ASSERT_TRUE(run(self, SOON_MS, a_is_done));
		links(self, true, true);
		ASSERT_EQ(0, put_many(self, "d", 100));
		ASSERT_TRUE(run(self, SOON_MS, on_crossover));
		ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	}
	EXPECT_EQ(1200, self->a.acks[SYNC_ACK_STANDBY]);
	EXPECT_EQ(0, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_EQ(0, status(&self->a).resyncs);
	EXPECT_EQ(1200, status(&self->b).position);
	EXPECT_EQ(0, status(&self->b).damaged);
}

/* One call that changed often: its history is longer than the store. */
static int put_one_often(bed *t, int count)
{
	char value[32];
	int i, rc = 0;

	for (i = 0; !rc && i < count; i++) {
		snprintf(value, sizeof(value), "change %d", i);
		rc = put(t, SYNC_CONTENT_CALL, "call", value);
	}
	return rc;
}

TEST_F(sync, restarted_empty_gets_the_records_not_their_history)
{
	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_one_often(self, 300));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	EXPECT_EQ(0, status(&self->a).resyncs);
	ASSERT_TRUE(restart_empty(self, &self->b));
	ASSERT_TRUE(join(self));
	EXPECT_EQ(1, status(&self->a).resyncs);
	EXPECT_EQ(1, status(&self->b).resyncs);
	EXPECT_TRUE(holds(&self->b, "call", "change 299"));
}

/* It may believe to be synced: what it lacks must come before ALONE is said. */
TEST_F(sync, synced_standby_gets_a_long_history_all_the_same)
{
	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_one_often(self, 1));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	self->proxy.lanes[0].hold_at = self->proxy.lanes[0].passed;
	ASSERT_EQ(0, put_one_often(self, 300));
	run(self, 10, NULL);
	links(self, false, true);
	ASSERT_TRUE(run(self, SOON_MS, on_lan));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	EXPECT_EQ(301, self->a.acks[SYNC_ACK_STANDBY]);
	EXPECT_EQ(0, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_EQ(0, status(&self->a).resyncs);
}

/* Or what is still in the pipe would be applied beside what comes anew. */
TEST_F(sync, standby_closes_the_old_path_itself)
{
	ASSERT_TRUE(join(self));
	self->proxy.frozen = true;
	links(self, false, true);
	ASSERT_TRUE(run(self, SOON_MS, on_lan));
	run(self, 50, NULL);
	EXPECT_TRUE(self->proxy.b_closed);
	ASSERT_TRUE(run(self, SOON_MS, identical));
}

TEST_F(sync, uses_the_lan_when_the_crossover_does_not_connect)
{
	self->proxy.closed = true;
	ASSERT_TRUE(join(self));
	EXPECT_TRUE(on_lan(self));
	/* b4: and back by itself. */
	self->proxy.closed = false;
	ASSERT_TRUE(run(self, SOON_MS, on_crossover));
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(0, status(&self->a).resyncs);
}

TEST_F(sync, waits_for_a_standby_that_comes_back_in_time)
{
	ASSERT_TRUE(only_crossover(self));
	ASSERT_TRUE(join(self));
	links(self, true, false);
	self->proxy.closed = true;
	proxy_cut(&self->proxy);
	ASSERT_EQ(0, put_many(self, "x", 50));
	run(self, PATIENCE_MS / 3, NULL);
	EXPECT_EQ(0, self->a.last_cookie);
	EXPECT_TRUE(status(&self->b).synced);
	self->proxy.closed = false;
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	EXPECT_EQ(50, self->a.acks[SYNC_ACK_STANDBY]);
	EXPECT_EQ(0, status(&self->a).resyncs);
}

/* An active that skips writes: c2, nothing may be silently missing. */
TEST_F(sync, missing_writes_are_noticed)
{
	struct active *a = &self->a.sync->active;
	struct connection *c;

	ASSERT_TRUE(join(self));
	c = a->connection;
	a->connection = NULL;
	ASSERT_EQ(0, put_many(self, "skipped", 10));
	write_commit(self->a.sync);
	backlog_skip(&self->a.sync->backlog);
	a->connection = c;
	ASSERT_EQ(0, put_many(self, "sent", 10));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	EXPECT_EQ(1, status(&self->b).damaged);
	EXPECT_EQ(0, status(&self->b).diverged);
	EXPECT_TRUE(holds(&self->b, "skipped 9", "value of skipped, 9"));
	EXPECT_EQ(20, self->a.acks[SYNC_ACK_STANDBY]);
}

static bool b_unsynced(bed *t)
{
	return !status(&t->b).synced;
}

TEST_F(sync, standby_stops_believing_before_the_active_acts_alone)
{
	ASSERT_TRUE(only_crossover(self));
	ASSERT_TRUE(join(self));
	links(self, true, false);
	self->b.unsynced_ns = 0;
	self->proxy.closed = true;
	proxy_cut(&self->proxy);
	ASSERT_EQ(0, put_many(self, "x", 50));
	ASSERT_TRUE(run(self, 5 * PATIENCE_MS, all_acked));
	EXPECT_EQ(50, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_TRUE(b_unsynced(self));
	EXPECT_NE(0, self->b.unsynced_ns);
	EXPECT_LT(self->b.unsynced_ns, self->a.first_alone_ns);
	/* And both agree again, from the backlog, when the path is back. */
	self->proxy.closed = false;
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(0, status(&self->a).resyncs);
}

/* Acks are lost while records arrive: the standby must notice by the echo. */
TEST_F(sync, standby_stops_believing_when_its_acks_do_not_arrive)
{
	ASSERT_TRUE(only_crossover(self));
	ASSERT_TRUE(join(self));
	links(self, true, false);
	self->b.unsynced_ns = 0;
	self->proxy.lanes[1].hold_at = self->proxy.lanes[1].passed;
	ASSERT_EQ(0, put_many(self, "x", 50));
	ASSERT_TRUE(run(self, 5 * PATIENCE_MS, all_acked));
	EXPECT_EQ(50, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_NE(0, self->b.unsynced_ns);
	EXPECT_LT(self->b.unsynced_ns, self->a.first_alone_ns);
}

TEST_F(sync, both_links_down_is_alone_at_once)
{
	ASSERT_TRUE(join(self));
	self->proxy.lanes[1].hold_at = 0;
	ASSERT_EQ(0, put_many(self, "x", 50));
	run(self, 20, NULL);
	EXPECT_EQ(0, self->a.last_cookie);
	links(self, false, false);
	EXPECT_EQ(50, self->a.acks[SYNC_ACK_ALONE]);
	/* The standby cannot tell its active's death from a cut: it believes. */
	run(self, PATIENCE_MS, NULL);
	EXPECT_TRUE(status(&self->b).synced);

	self->a.may_act = false;
	ASSERT_EQ(0, put_many(self, "y", 5));
	run(self, 20, NULL);
	EXPECT_EQ(5, self->a.acks[SYNC_ACK_REFUSED]);
}

TEST_F(sync, divergence_is_seen_and_repaired)
{
	const struct store_record stray = { 1, "stray", 5, "x", 1 };
	struct store *store = self->b.sync->store;
	struct store_state before;

	ASSERT_EQ(0, put_many(self, "x", 0));
	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_many(self, "x", 100));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	before = *store_state(store);
	ASSERT_EQ(0, store_begin(store));
	ASSERT_EQ(0, store_put(store, &stray));
	ASSERT_EQ(0, store_commit(store));
	EXPECT_FALSE(store_states_equal(&before, store_state(store)));
	/* The next keepalive shows it, without any write. */
	ASSERT_TRUE(run(self, SOON_MS, b_unsynced));
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(1, status(&self->a).diverged);
	EXPECT_EQ(1, status(&self->a).resyncs);
	EXPECT_TRUE(holds(&self->b, "stray", NULL));
	EXPECT_TRUE(holds(&self->b, "x 99", "value of x, 99"));
}

static bool b_differed(bed *t)
{
	return status(&t->b).differed_ns;
}

static bool a_differed(bed *t)
{
	return status(&t->a).differed_ns;
}

TEST_F(sync, damaged_record_of_the_standby_is_found_and_repaired)
{
	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_many(self, "x", 5000));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	ASSERT_TRUE(run(self, SOON_MS, identical));
	ASSERT_TRUE(damage(self->b.spec.directory, "value of x, 4711"));
	EXPECT_FALSE(holds(&self->b, "x 4711", "value of x, 4711"));
	/* Nobody reads or writes it. */
	ASSERT_TRUE(run(self, SOON_MS, b_differed));
	EXPECT_FALSE(status(&self->b).synced);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_TRUE(a_differed(self));
	EXPECT_TRUE(holds(&self->b, "x 4711", "value of x, 4711"));
	EXPECT_EQ(1, status(&self->a).resyncs);
	EXPECT_EQ(1, status(&self->b).diverged);
}

/* The good one is on the standby: it must not be overwritten by the bad one. */
TEST_F(sync, damaged_record_of_the_active_is_told_and_repaired_by_handing_over)
{
	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_many(self, "x", 100));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	ASSERT_TRUE(damage(self->a.spec.directory, "value of x, 42"));
	ASSERT_TRUE(run(self, SOON_MS, a_differed));
	run(self, 300, NULL);
	EXPECT_TRUE(identical(self));
	EXPECT_TRUE(holds(&self->b, "x 42", "value of x, 42"));
	sync_follow(self->a.sync, 3);
	sync_activate(self->b.sync, 3);
	ASSERT_TRUE(run(self, SOON_MS, b_differed));
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_TRUE(holds(&self->a, "x 42", "value of x, 42"));
}

/* Otherwise no standby could ever be sent what our digest promises. */
TEST_F(sync, damaged_record_of_a_lonely_active_is_taken_as_it_is)
{
	sync_activate(self->a.sync, 2);
	ASSERT_EQ(0, put_many(self, "x", 100));
	ASSERT_TRUE(run(self, SOON_MS, all_acked));
	ASSERT_TRUE(damage(self->a.spec.directory, "value of x, 42"));
	ASSERT_TRUE(run(self, SOON_MS, a_differed));
	sync_follow(self->b.sync, 2);
	links(self, true, true);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_TRUE(holds(&self->b, "x 42", "walue of x, 42"));
	EXPECT_TRUE(holds(&self->b, "x 41", "value of x, 41"));
}

TEST_F(sync, rejoining_active_loses_its_unshared_tail)
{
	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_many(self, "shared", 100));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	/* A is cut off and writes three that nobody else has. */
	links(self, false, false);
	self->proxy.closed = true;
	proxy_cut(&self->proxy);
	ASSERT_EQ(0, put(self, 1, "tail", "unshared"));
	ASSERT_EQ(0, put(self, 1, "shared 1", "changed in the tail"));
	ASSERT_EQ(0, put(self, 1, "shared 2", NULL));
	ASSERT_TRUE(run(self, SOON_MS, all_acked));

	sync_activate(self->b.sync, 3);
	self->b.last_cookie = 0;
	/* As many writes: the positions are the same, the states are not. */
	ASSERT_EQ(0, sync_write(self->b.sync, 1, "b 1", 3, "v", 1, 1));
	ASSERT_EQ(0, sync_write(self->b.sync, 1, "shared 3", 8, NULL, 0, 2));
	ASSERT_EQ(0, sync_write(self->b.sync, 1, "b 3", 3, "v", 1, 3));
	run(self, 10, NULL);
	EXPECT_EQ(3, self->b.acks[SYNC_ACK_ALONE]);
	EXPECT_EQ(status(&self->a).position, status(&self->b).position);

	sync_follow(self->a.sync, 3);
	links(self, true, true);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(1, status(&self->b).resyncs);
	EXPECT_TRUE(holds(&self->a, "tail", NULL));
	EXPECT_TRUE(holds(&self->a, "shared 1", "value of shared, 1"));
	EXPECT_TRUE(holds(&self->a, "shared 2", "value of shared, 2"));
	EXPECT_TRUE(holds(&self->a, "shared 3", NULL));
	EXPECT_TRUE(holds(&self->a, "b 3", "v"));
	EXPECT_EQ(3, status(&self->a).epoch);
	/* Seen at once, not only when the digests were compared. */
	EXPECT_EQ(0, status(&self->b).diverged);
}

TEST_F(sync, planned_handover_needs_no_transfer)
{
	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_many(self, "x", 100));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	sync_follow(self->a.sync, 2);
	sync_activate(self->b.sync, 3);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(0, status(&self->b).resyncs);
	EXPECT_EQ(0, status(&self->a).resyncs);
}

TEST_F(sync, lower_epoch_is_turned_away)
{
	sync_follow(self->b.sync, 9);
	sync_activate(self->a.sync, 2);
	links(self, true, true);
	ASSERT_EQ(0, put_many(self, "x", 10));
	run(self, 500, NULL);
	EXPECT_EQ(10, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_EQ(0, status(&self->b).records);
	EXPECT_EQ(SYNC_ALONE, status(&self->a).state);
	EXPECT_EQ(SYNC_WAITING, status(&self->b).state);
	EXPECT_TRUE(self->a.sync->active.refused);
	/* Told of a higher one in the middle of it, too. */
	sync_activate(self->a.sync, 10);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	sync_follow(self->b.sync, 11);
	ASSERT_EQ(0, put_many(self, "y", 10));
	run(self, 200, NULL);
	EXPECT_EQ(10, status(&self->b).records);
	EXPECT_EQ(0, self->a.acks[SYNC_ACK_STANDBY]);
}

/* The proxy lets no more through, and of what it let through, B has some. */
static bool transfer_stands(bed *t)
{
	return t->proxy.lanes[0].passed >= t->proxy.lanes[0].hold_at &&
	       status(&t->b).state == SYNC_TRANSFER &&
	       status(&t->b).transfer_done;
}

TEST_F(sync, half_a_snapshot_never_shows)
{
	ASSERT_TRUE(only_crossover(self));
	/* B's newest consistent state. */
	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_many(self, "old", 100));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	links(self, false, false);
	proxy_cut(&self->proxy);
	/* A is replaced: it shares nothing with B any more. */
	sync_activate(self->b.sync, 3);
	ASSERT_EQ(0, sync_write(self->b.sync, 1, "b", 1, "b", 1, 1));
	run(self, 10, NULL);
	sync_follow(self->b.sync, 4);
	ASSERT_EQ(0, put_many(self, "new", 5000));
	ASSERT_TRUE(run(self, SOON_MS, all_acked));
	sync_activate(self->a.sync, 4);
	self->proxy.hold_next = 3000;
	links(self, true, false);
	ASSERT_TRUE(run(self, SOON_MS, transfer_stands));
	EXPECT_EQ(SYNC_TRANSFER, status(&self->b).state);
	EXPECT_LT(0, status(&self->b).transfer_done);
	EXPECT_GT(5100, status(&self->b).transfer_done);
	EXPECT_EQ(5100, status(&self->b).transfer_total);
	EXPECT_EQ(101, status(&self->b).records);
	EXPECT_TRUE(holds(&self->b, "new 1", NULL));
	/* e4: takes over with that. */
	sync_activate(self->b.sync, 5);
	EXPECT_EQ(101, status(&self->b).records);
	EXPECT_TRUE(holds(&self->b, "b", "b"));
	EXPECT_TRUE(holds(&self->b, "new 1", NULL));
}

/*
 * 5000 records on A; the transfer of them comes to a stop in the middle, with the
 * proxy still holding the line. All of it goes over the crossover.
 */
static bool half_way(bed *t)
{
	if (!only_crossover(t) || !prefill(t, 5000))
		return false;
	t->proxy.hold_next = 4000;
	sync_follow(t->b.sync, 2);
	sync_activate(t->a.sync, 2);
	links(t, true, false);
	if (!run(t, SOON_MS, transfer_stands))
		return false;
	/* All of that; and a rate to be measured. */
	run(t, 50, NULL);
	t->proxy.hold_next = 0;
	return status(&t->b).state == SYNC_TRANSFER &&
	       status(&t->b).transfer_done > 500 &&
	       status(&t->b).transfer_done < 4500;
}

static bool standby_waits(bed *t)
{
	return status(&t->b).state == SYNC_WAITING;
}

TEST_F(sync, broken_transfer_goes_on_where_it_was)
{
	u64 passed;

	ASSERT_TRUE(half_way(self));
	passed = self->proxy.lanes[0].passed;
	EXPECT_LT(0, status(&self->b).transfer_rate);
	EXPECT_GT(5000000, status(&self->b).transfer_rate);
	EXPECT_LT(4000, passed);
	/* Changes in what was received, and in what was not. */
	ASSERT_EQ(0, put(self, 1, "before 0", "changed"));
	ASSERT_EQ(0, put(self, 1, "before 1", NULL));
	ASSERT_EQ(0, put(self, 1, "before 998", NULL));
	ASSERT_EQ(0, put(self, 1, "before 999", "changed"));
	ASSERT_EQ(0, put(self, 1, "aaa", "new in front"));
	ASSERT_EQ(0, put(self, 1, "zzz", "new behind"));
	proxy_cut(&self->proxy);
	ASSERT_TRUE(run(self, SOON_MS, standby_waits));
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(1, status(&self->a).resyncs);
	EXPECT_EQ(1, status(&self->b).resyncs);
	EXPECT_EQ(0, status(&self->a).diverged);
	EXPECT_EQ(5000, status(&self->b).records);
	EXPECT_TRUE(holds(&self->b, "before 0", "changed"));
	EXPECT_TRUE(holds(&self->b, "before 1", NULL));
	EXPECT_TRUE(holds(&self->b, "before 2", "value of before, 2"));
	EXPECT_TRUE(holds(&self->b, "before 998", NULL));
	EXPECT_TRUE(holds(&self->b, "before 999", "changed"));
	EXPECT_TRUE(holds(&self->b, "aaa", "new in front"));
	EXPECT_TRUE(holds(&self->b, "zzz", "new behind"));
	EXPECT_EQ(NULL, self->a.sync->snapshot.reader);
}

/* Records received when a transfer broke off last. */
static u64 received_before;

static bool gone_on(bed *t)
{
	return identical(t) || status(&t->b).transfer_done > received_before;
}

TEST_F(sync, broken_transfer_goes_on_again_and_again)
{
	int breaks = 0;

	ASSERT_TRUE(half_way(self));
	self->proxy.hold_next = 3000;
	while (!identical(self)) {
		received_before = status(&self->b).transfer_done;
		proxy_cut(&self->proxy);
		ASSERT_TRUE(run(self, SOON_MS, standby_waits));
		ASSERT_GT(20, ++breaks);
		ASSERT_TRUE(run(self, SOON_MS, gone_on));
		/* What the proxy lets through arrives. */
		run(self, 100, identical);
	}
	EXPECT_LT(1, breaks);
	EXPECT_EQ(1, status(&self->a).resyncs);
	EXPECT_EQ(5000, status(&self->b).records);
}

/* A stalls, loses its role, and has it again with nobody's writes in between. */
TEST_F(sync, transfer_goes_on_after_office_was_lost_and_regained)
{
	ASSERT_TRUE(half_way(self));
	sync_follow(self->a.sync, 2);
	ASSERT_TRUE(run(self, SOON_MS, standby_waits));
	sync_follow(self->b.sync, 4);
	sync_activate(self->a.sync, 4);
	ASSERT_EQ(0, put(self, 1, "later", "v"));
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(1, status(&self->a).resyncs);
	EXPECT_EQ(1, status(&self->b).resyncs);
	EXPECT_EQ(5001, status(&self->b).records);
}

static bool b_is_acked(bed *t)
{
	return t->b.acks[SYNC_ACK_STANDBY];
}

TEST_F(sync, office_lost_and_regained_needs_no_transfer)
{
	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_many(self, "x", 100));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	links(self, false, false);
	proxy_cut(&self->proxy);
	ASSERT_EQ(0, put_many(self, "alone", 10));
	ASSERT_TRUE(run(self, SOON_MS, all_acked));
	sync_follow(self->a.sync, 2);
	sync_activate(self->a.sync, 4);
	ASSERT_EQ(0, put_many(self, "again", 10));
	ASSERT_TRUE(run(self, SOON_MS, all_acked));
	links(self, true, true);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(0, status(&self->a).resyncs);
	EXPECT_EQ(120, status(&self->b).records);
	EXPECT_EQ(4, status(&self->b).epoch);
	/* Another active's records in between: what it had led elsewhere. */
	sync_follow(self->a.sync, 5);
	sync_activate(self->b.sync, 5);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	ASSERT_EQ(0, sync_write(self->b.sync, 1, "b", 1, "b", 1, 1));
	ASSERT_TRUE(run(self, SOON_MS, b_is_acked));
	sync_follow(self->b.sync, 6);
	sync_activate(self->a.sync, 6);
	EXPECT_EQ(121, self->a.sync->backlog.base.position);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_TRUE(holds(&self->a, "b", "b"));
}

TEST_F(sync, snapshot_is_kept_for_a_while_only)
{
	ASSERT_TRUE(half_way(self));
	links(self, false, false);
	proxy_cut(&self->proxy);
	self->proxy.closed = true;
	run(self, 4 * PATIENCE_MS, NULL);
	EXPECT_NE(NULL, self->a.sync->snapshot.reader);
	/* A link that comes and goes prolongs nothing. */
	links(self, true, false);
	links(self, false, false);
	run(self, 2 * PATIENCE_MS, NULL);
	EXPECT_EQ(NULL, self->a.sync->snapshot.reader);
	self->proxy.closed = false;
	links(self, true, false);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(2, status(&self->a).resyncs);
	EXPECT_EQ(5000, status(&self->b).records);
}

TEST_F(sync, takeover_forgets_half_a_snapshot)
{
	ASSERT_TRUE(half_way(self));
	links(self, false, false);
	proxy_cut(&self->proxy);
	sync_activate(self->b.sync, 3);
	sync_follow(self->b.sync, 4);
	sync_activate(self->a.sync, 4);
	links(self, true, false);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(2, status(&self->a).resyncs);
}

/* An earlier version on either side: all is sent anew, and that is all. */
TEST_F(sync, earlier_version_gets_a_broken_transfer_anew)
{
	ASSERT_TRUE(half_way(self));
	self->b.sync->shared.features = 0;
	self->a.sync->shared.features = 0;
	proxy_cut(&self->proxy);
	ASSERT_TRUE(run(self, SOON_MS, standby_waits));
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(2, status(&self->a).resyncs);
	EXPECT_EQ(5000, status(&self->b).records);
}

TEST_F(sync, other_key_is_kept_out)
{
	sync_close(self->b.sync);
	self->b.spec.keys.key[0][0] ^= 1;
	ASSERT_TRUE(open_side(&self->b, self->base, self->error));
	sync_follow(self->b.sync, 2);
	sync_activate(self->a.sync, 2);
	links(self, true, true);
	ASSERT_EQ(0, put_many(self, "x", 10));
	run(self, 500, NULL);
	EXPECT_EQ(0, status(&self->b).records);
	EXPECT_LT(0, status(&self->b).damaged);
	EXPECT_EQ(10, self->a.acks[SYNC_ACK_ALONE]);
}

/* A's packets under its second key, which B has as its first. */
TEST_F(sync, keys_roll_over)
{
	self->a.spec.keys.used[1] = true;
	self->a.spec.keys.send = 1;
	memcpy(self->a.spec.keys.key[1], "another key", 11);
	self->b.spec.keys.used[1] = true;
	memcpy(self->b.spec.keys.key[1], "the pair's key", 14);
	memcpy(self->b.spec.keys.key[0], "another key\0\0\0", 14);
	sync_rekey(self->a.sync, &self->a.spec.keys);
	sync_rekey(self->b.sync, &self->b.spec.keys);
	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_many(self, "x", 10));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	/* The other way round, on a new connection. */
	self->a.spec.keys.send = 0;
	sync_rekey(self->a.sync, &self->a.spec.keys);
	proxy_cut(&self->proxy);
	ASSERT_EQ(0, put_many(self, "y", 10));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(20, self->a.acks[SYNC_ACK_STANDBY]);
	EXPECT_EQ(0, status(&self->b).damaged);
}

static bool b_refused(bed *t)
{
	return status(&t->b).refused;
}

static bool both_refused(bed *t)
{
	return status(&t->a).refused && b_refused(t);
}

/* With TLS each of both is told, as the operator may sit at either. */
TEST_F(sync, other_key_is_named)
{
	self->a.spec.keys.key[0][0] ^= 1;
	sync_rekey(self->a.sync, &self->a.spec.keys);
	sync_follow(self->b.sync, 2);
	sync_activate(self->a.sync, 2);
	/* Not through the proxy, which may swallow a last word. */
	links(self, false, true);
	ASSERT_TRUE(run(self, SOON_MS, variant->insecure ? b_refused :
							   both_refused));
	EXPECT_TRUE(strstr(status(&self->b).refused, "key"));
	if (!variant->insecure)
		EXPECT_TRUE(strstr(status(&self->a).refused, "key file"));
}

TEST_F(sync, tls_on_one_side_only_is_named)
{
	struct side *other = variant->insecure ? &self->a : &self->b;

	other->sync->shared.transport.insecure = !variant->insecure;
	sync_follow(self->b.sync, 2);
	sync_activate(self->a.sync, 2);
	links(self, true, true);
	ASSERT_TRUE(run(self, SOON_MS, b_refused));
	EXPECT_TRUE(strstr(status(&self->b).refused, "insecure = yes"));
	EXPECT_FALSE(identical(self));
	EXPECT_EQ(0, status(&self->b).synced);
}

static bool contains(struct evbuffer *record, const char *what)
{
	return evbuffer_search(record, what, strlen(what), NULL).pos >= 0;
}

/* Who records the wire learns what is in the records, or not. */
TEST_F(sync, records_are_secret_unless_insecure)
{
	self->proxy.lanes[0].record = evbuffer_new();
	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put(self, 1, "call", "4711 to 0815"));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	ASSERT_LT(100, evbuffer_get_length(self->proxy.lanes[0].record));
	EXPECT_EQ(variant->insecure,
		  contains(self->proxy.lanes[0].record, "4711 to 0815"));
}

TEST_F(sync, recorded_stream_cannot_be_replayed)
{
	struct sync_status before;
	struct evbuffer *record;
	u32 connections, news;

	self->proxy.lanes[0].record = evbuffer_new();
	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_many(self, "x", 100));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	ASSERT_EQ(0, put(self, 1, "x 1", NULL));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	/* A moves to the LAN, the thief plays its recording on the crossover. */
	links(self, false, true);
	ASSERT_TRUE(run(self, SOON_MS, on_lan));
	before = status(&self->b);
	news = self->b.news;
	record = self->proxy.lanes[0].record;
	self->proxy.lanes[0].record = NULL;
	connections = self->proxy.connections;
	{
		struct sockaddr_in from = address("127.1.0.1", 0);
		int thief = socket(AF_INET, SOCK_STREAM, 0);

		ASSERT_EQ(0, bind(thief, (struct sockaddr *)&from,
				  sizeof(from)));
		ASSERT_EQ(0, connect(thief,
				     (struct sockaddr *)&self->proxy.upstream,
				     sizeof(from)));
		ASSERT_LT(0, evbuffer_write(record, thief));
		run(self, 300, NULL);
		close(thief);
	}
	evbuffer_free(record);
	EXPECT_EQ(connections, self->proxy.connections);
	/* The real one was not even interrupted. */
	EXPECT_EQ(news, self->b.news);
	EXPECT_EQ(before.position, status(&self->b).position);
	EXPECT_EQ(before.damaged + 1, status(&self->b).damaged);
	EXPECT_TRUE(on_lan(self));
	EXPECT_TRUE(identical(self));
	EXPECT_TRUE(holds(&self->b, "x 1", NULL));
}

TEST_F(sync, strangers_cannot_fill_memory_or_block)
{
	struct sockaddr_in from = address("127.1.0.1", 0);
	u8 garbage[4096];
	int fds[12];
	size_t i;

	memset(garbage, 'C', sizeof(garbage));
	sync_follow(self->b.sync, 2);
	sync_links(self->b.sync, true, true);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM, 0);
		ASSERT_EQ(0, bind(fds[i], (struct sockaddr *)&from,
				  sizeof(from)));
		ASSERT_EQ(0, connect(fds[i],
				     (struct sockaddr *)&self->proxy.upstream,
				     sizeof(from)));
		if (i % 2)
			ASSERT_EQ(4096, write(fds[i], garbage, 4096));
		run(self, 5, NULL);
	}
	EXPECT_EQ(6, status(&self->b).damaged);
	ASSERT_TRUE(join(self));
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
}

/* Head of a packet as large as allowed, from someone who proved nothing. */
TEST_F(sync, stranger_with_a_large_packet_is_cut_off)
{
	struct sockaddr_in from = address("127.1.0.1", 0);
	u8 head[PACKET_HEAD_LEN] = {
		'C', 'T', 'I', 'S', PACKET_VERSION, 0, 0x80, 1, 0, 0, 0, 5,
		0, 0x10, 0, 0, 0, 0x10, 0, 0,
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t len;

	ASSERT_EQ(PACKET_OK, packet_measure(head, &len));
	ASSERT_EQ(PACKET_MAX, len);
	sync_follow(self->b.sync, 2);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&from, sizeof(from)));
	ASSERT_EQ(0, connect(fd, (struct sockaddr *)&self->proxy.upstream,
			     sizeof(from)));
	ASSERT_EQ((ssize_t)sizeof(head), write(fd, head, sizeof(head)));
	run(self, 50, NULL);
	EXPECT_EQ(1, status(&self->b).damaged);
	EXPECT_EQ(0, recv(fd, head, 1, MSG_DONTWAIT));
	close(fd);
}

TEST_F(sync, restarted_standby_goes_on_from_its_store)
{
	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_many(self, "x", 500));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	ASSERT_TRUE(reopen(self, &self->b));
	EXPECT_EQ(500, status(&self->b).records);
	ASSERT_EQ(0, put_many(self, "while away", 10));
	sync_follow(self->b.sync, 2);
	sync_links(self->b.sync, true, true);
	EXPECT_FALSE(status(&self->b).synced);
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	EXPECT_EQ(0, status(&self->b).resyncs);
	EXPECT_EQ(510, self->a.acks[SYNC_ACK_STANDBY]);
	EXPECT_TRUE(holds(&self->b, "while away 9", "value of while away, 9"));
}

TEST_F(sync, standby_that_lost_its_store_gets_all_anew)
{
	ASSERT_TRUE(prefill(self, 10));
	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_many(self, "x", 500));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	sync_close(self->b.sync);
	scratch_remove(self->b.spec.directory);
	ASSERT_TRUE(open_side(&self->b, self->base, self->error));
	ASSERT_EQ(0, put_many(self, "y", 10));
	sync_follow(self->b.sync, 2);
	sync_links(self->b.sync, true, true);
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	EXPECT_EQ(10, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_EQ(1, status(&self->b).resyncs);
	EXPECT_EQ(520, status(&self->b).records);
}

TEST_F(sync, too_many_waiting_are_pushed_back)
{
	int i, rc = 0;

	/* However slow this machine is, they wait for the standby. */
	self->a.spec.patience_ms = 60000;
	ASSERT_TRUE(reopen(self, &self->a));
	ASSERT_TRUE(join(self));
	self->proxy.lanes[1].hold_at = 0;
	for (i = 0; !rc && i < 100; i++) {
		rc = put_many(self, "x", 1000);
		run(self, 1, NULL);
	}
	EXPECT_EQ(-EAGAIN, rc);
	EXPECT_EQ(64 << 10, self->cookie);
	links(self, false, false);
	EXPECT_EQ(64 << 10, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_EQ(0, put(self, 1, "again", "v"));
}

TEST_F(sync, leaving_office_refuses_what_waits)
{
	ASSERT_TRUE(join(self));
	self->proxy.lanes[1].hold_at = 0;
	ASSERT_EQ(0, put_many(self, "x", 20));
	run(self, 20, NULL);
	ASSERT_EQ(0, put_many(self, "y", 20));
	EXPECT_EQ(0, self->a.last_cookie);
	sync_follow(self->a.sync, 3);
	EXPECT_EQ(40, self->a.acks[SYNC_ACK_REFUSED]);
	EXPECT_TRUE(self->a.in_order);
	EXPECT_EQ(-EROFS, put(self, 1, "z", "v"));
}

/* The role changes within the tick that ends the patience. */
TEST_F(sync, office_left_on_an_acknowledgement_is_left)
{
	unsigned int connections;

	ASSERT_TRUE(only_crossover(self));
	ASSERT_TRUE(join(self));
	links(self, true, false);
	self->a.leave_epoch = 3;
	self->proxy.lanes[1].hold_at = self->proxy.lanes[1].passed;
	connections = self->proxy.connections;
	ASSERT_EQ(0, put_many(self, "x", 3));
	ASSERT_TRUE(run(self, 5 * PATIENCE_MS, all_acked));
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_EQ(2, self->a.acks[SYNC_ACK_REFUSED]);
	/* A standby listens. */
	run(self, 300, NULL);
	EXPECT_EQ(connections, self->proxy.connections);
	EXPECT_EQ(NULL, self->a.sync->active.candidate);
	EXPECT_EQ(NULL, self->a.sync->active.connection);
}

/* ---- writes that do not wait ---- */

/* What A sends from now on does not arrive; the rest of the patience is long. */
static bool join_and_hold(bed *t)
{
	t->a.spec.patience_ms = 60000;
	if (!only_crossover(t) || !join(t))
		return false;
	t->proxy.lanes[0].hold_at = t->proxy.lanes[0].passed;
	return true;
}

static u64 acked(const struct side *side)
{
	u64 sum = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(side->acks); i++)
		sum += side->acks[i];
	return sum;
}

static bool all_told(bed *t)
{
	return acked(&t->a) == t->cookie;
}

TEST_F(sync, async_is_acknowledged_at_its_commit)
{
	char got[8];

	ASSERT_TRUE(join_and_hold(self));
	ASSERT_EQ(0, put(self, 1, "sync 1", "v"));
	ASSERT_EQ(0, put_async(self, "async 2", "v"));
	ASSERT_EQ(0, put(self, 1, "sync 3", "v"));
	ASSERT_EQ(0, put_async(self, "async 4", "v"));
	/* Not before. */
	EXPECT_EQ(0, acked(&self->a));
	EXPECT_EQ(-ENOENT, store_get(self->a.sync->store, 1, "async 4", 7, got,
				     sizeof(got)));
	write_commit(self->a.sync);
	EXPECT_EQ(2, self->a.acks[SYNC_ACK_ASYNC]);
	EXPECT_EQ(2, acked(&self->a));
	EXPECT_EQ(4, self->a.last_cookie);
	EXPECT_EQ(1, store_get(self->a.sync->store, 1, "async 4", 7, got,
			       sizeof(got)));
	run(self, 300, NULL);
	EXPECT_EQ(2, acked(&self->a));
	EXPECT_TRUE(holds(&self->b, "async 2", NULL));
	/* The standby gets them in their turn, and nobody is told twice. */
	proxy_cut(&self->proxy);
	ASSERT_TRUE(run(self, SOON_MS, all_told));
	EXPECT_EQ(2, self->a.acks[SYNC_ACK_STANDBY]);
	EXPECT_EQ(2, self->a.acks[SYNC_ACK_ASYNC]);
	EXPECT_TRUE(holds(&self->b, "async 2", "v"));
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(0, status(&self->a).resyncs);
}

TEST_F(sync, async_needs_the_lease)
{
	ASSERT_TRUE(join_and_hold(self));
	self->a.may_act = false;
	ASSERT_EQ(0, put_async(self, "x", "v"));
	ASSERT_EQ(0, put(self, 1, "y", "v"));
	run(self, 20, NULL);
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_REFUSED]);
	EXPECT_EQ(1, acked(&self->a));
	/* STANDBY does not. */
	proxy_cut(&self->proxy);
	ASSERT_TRUE(run(self, SOON_MS, all_told));
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_STANDBY]);
}

TEST_F(sync, async_without_a_standby_is_alone)
{
	sync_activate(self->a.sync, 2);
	ASSERT_EQ(0, put_async(self, "x", "v"));
	ASSERT_TRUE(run(self, SOON_MS, all_acked));
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_ALONE]);
	self->a.may_act = false;
	ASSERT_EQ(0, put_async(self, "y", "v"));
	ASSERT_TRUE(run(self, SOON_MS, all_acked));
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_REFUSED]);
	EXPECT_EQ(2, acked(&self->a));
}

/* So the standby stays in sync, and memory bounded, however fast they come. */
TEST_F(sync, async_counts_until_the_standby_has_it)
{
	char key[32];
	int i, rc = 0;

	ASSERT_TRUE(join_and_hold(self));
	for (i = 0; !rc && i < 100000; i++) {
		snprintf(key, sizeof(key), "x %d", i);
		rc = put_async(self, key, "v");
		if (!(i % 1000))
			run(self, 1, NULL);
	}
	EXPECT_EQ(-EAGAIN, rc);
	EXPECT_EQ(64 << 10, self->cookie);
	ASSERT_TRUE(run(self, SOON_MS, all_told));
	EXPECT_EQ(64 << 10, self->a.acks[SYNC_ACK_ASYNC]);
	EXPECT_TRUE(self->a.in_order);
	EXPECT_FALSE(self->a.sync->backlog.overrun);
	EXPECT_NE(0, status(&self->a).lag_ns);
	proxy_cut(&self->proxy);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(0, status(&self->a).resyncs);
	EXPECT_EQ(64 << 10, status(&self->b).records);
	EXPECT_EQ(0, put_async(self, "again", "v"));
	ASSERT_TRUE(run(self, SOON_MS, all_told));
	EXPECT_EQ(self->cookie, self->a.acks[SYNC_ACK_ASYNC]);
}

/* The standby takes over without it; what was acknowledged otherwise it has. */
TEST_F(sync, async_is_lost_with_the_office)
{
	ASSERT_TRUE(join_and_hold(self));
	ASSERT_EQ(0, put_async(self, "async", "v"));
	ASSERT_EQ(0, put(self, 1, "waits", "v"));
	run(self, 20, NULL);
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_ASYNC]);
	EXPECT_TRUE(status(&self->b).synced);
	sync_follow(self->a.sync, 3);
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_REFUSED]);
	EXPECT_EQ(2, acked(&self->a));
	sync_activate(self->b.sync, 3);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_TRUE(holds(&self->a, "async", NULL));
	EXPECT_TRUE(holds(&self->b, "async", NULL));
	EXPECT_EQ(2, acked(&self->a));
}

TEST_F(sync, async_survives_an_office_that_nobody_had_meanwhile)
{
	ASSERT_TRUE(join_and_hold(self));
	ASSERT_EQ(0, put_async(self, "async", "v"));
	write_commit(self->a.sync);
	ASSERT_EQ(0, put_async(self, "more", "v"));
	write_commit(self->a.sync);
	sync_follow(self->a.sync, 2);
	sync_activate(self->a.sync, 4);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(0, status(&self->a).resyncs);
	EXPECT_EQ(0, status(&self->a).diverged);
	EXPECT_TRUE(holds(&self->b, "async", "v"));
	EXPECT_TRUE(holds(&self->b, "more", "v"));
	EXPECT_EQ(2, self->a.acks[SYNC_ACK_ASYNC]);
	EXPECT_EQ(2, acked(&self->a));
	EXPECT_EQ(4, status(&self->a).epoch);
	/* They remember it so. */
	ASSERT_TRUE(reopen(self, &self->a));
	ASSERT_TRUE(reopen(self, &self->b));
	EXPECT_EQ(4, status(&self->a).epoch);
	ASSERT_TRUE(join(self));
	EXPECT_EQ(0, status(&self->a).resyncs);
}

/* They were told at once: the end of the patience is not their news. */
TEST_F(sync, async_goes_before_what_is_acknowledged_as_alone)
{
	ASSERT_TRUE(join_and_hold(self));
	ASSERT_EQ(0, put_async(self, "async", "v"));
	ASSERT_EQ(0, put(self, 1, "sync", "v"));
	run(self, 20, NULL);
	self->proxy.closed = true;
	links(self, false, false);
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_ASYNC]);
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_ALONE]);
	ASSERT_EQ(0, put_async(self, "later", "v"));
	ASSERT_TRUE(run(self, SOON_MS, all_told));
	EXPECT_EQ(2, self->a.acks[SYNC_ACK_ALONE]);
	self->proxy.closed = false;
	links(self, true, false);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_TRUE(holds(&self->b, "async", "v"));
	EXPECT_TRUE(holds(&self->b, "later", "v"));
	EXPECT_EQ(3, acked(&self->a));
}

TEST_F(sync, async_callback_may_end_the_office)
{
	ASSERT_TRUE(join(self));
	self->a.leave_epoch = 3;
	ASSERT_EQ(0, put_async(self, "x", "v"));
	ASSERT_EQ(0, put(self, 1, "y", "v"));
	ASSERT_EQ(0, put_async(self, "z", "v"));
	ASSERT_TRUE(run(self, SOON_MS, all_told));
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_ASYNC]);
	EXPECT_EQ(2, self->a.acks[SYNC_ACK_REFUSED]);
}

TEST_F(sync, async_into_a_full_store_is_refused)
{
	static char value[8000];
	u64 i;

	sync_close(self->a.sync);
	self->a.spec.map_size = 1 << 20;
	ASSERT_TRUE(open_side(&self->a, self->base, self->error));
	ASSERT_TRUE(join(self));
	for (i = 1; i <= 400; i++)
		ASSERT_EQ(0, sync_write_async(self->a.sync, 1, &i, sizeof(i),
					      value, sizeof(value),
					      ++self->cookie));
	ASSERT_TRUE(run(self, SOON_MS, all_told));
	EXPECT_LT(0, self->a.acks[SYNC_ACK_REFUSED]);
	EXPECT_EQ(status(&self->a).position, self->a.acks[SYNC_ACK_ASYNC]);
	EXPECT_TRUE(self->a.in_order);
	ASSERT_TRUE(run(self, SOON_MS, identical));
}

/* ---- without a standby ---- */

TEST_F(sync, needed_standby_is_waited_for)
{
	self->a.spec.needs_standby = true;
	ASSERT_TRUE(only_crossover(self));
	sync_activate(self->a.sync, 2);
	EXPECT_EQ(-ENOTCONN, put(self, 1, "x", "v"));
	EXPECT_EQ(-ENOTCONN, put_async(self, "x", "v"));
	EXPECT_EQ(-EINVAL, put(self, 0, "x", "v"));
	run(self, 50, NULL);
	EXPECT_EQ(0, status(&self->a).position);
	EXPECT_TRUE(status(&self->a).needs_standby);
	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put(self, 1, "x", "v"));
	ASSERT_EQ(0, put_async(self, "y", "v"));
	ASSERT_TRUE(run(self, SOON_MS, all_told));
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_STANDBY]);
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_ASYNC]);
}

TEST_F(sync, losing_a_needed_standby_is_told_as_it_is)
{
	self->a.spec.needs_standby = true;
	ASSERT_TRUE(only_crossover(self));
	ASSERT_TRUE(join(self));
	self->proxy.closed = true;
	self->proxy.lanes[0].hold_at = self->proxy.lanes[0].passed;
	ASSERT_EQ(0, put_many(self, "x", 3));
	ASSERT_EQ(0, put_async(self, "y", "v"));
	run(self, 20, NULL);
	EXPECT_EQ(1, acked(&self->a));
	/* One that was taken in sync, and is committed without. */
	ASSERT_EQ(0, put(self, 1, "queued", "v"));
	links(self, false, false);
	EXPECT_EQ(3, self->a.acks[SYNC_ACK_UNKNOWN]);
	EXPECT_EQ(-ENOTCONN, put(self, 1, "later", "v"));
	ASSERT_TRUE(run(self, SOON_MS, all_told));
	EXPECT_EQ(4, self->a.acks[SYNC_ACK_UNKNOWN]);
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_ASYNC]);
	EXPECT_EQ(5, acked(&self->a));
	EXPECT_TRUE(holds(&self->a, "queued", "v"));
	EXPECT_TRUE(holds(&self->b, "queued", NULL));
	self->proxy.closed = false;
	links(self, true, false);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_TRUE(holds(&self->b, "queued", "v"));
	ASSERT_EQ(0, put(self, 1, "later", "v"));
	ASSERT_TRUE(run(self, SOON_MS, all_told));
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_STANDBY]);
}

/* The patience ends with the links up. */
TEST_F(sync, silence_of_a_needed_standby_is_told_as_it_is)
{
	self->a.spec.needs_standby = true;
	ASSERT_TRUE(only_crossover(self));
	ASSERT_TRUE(join(self));
	self->proxy.closed = true;
	proxy_cut(&self->proxy);
	ASSERT_EQ(0, put(self, 1, "x", "v"));
	ASSERT_TRUE(run(self, SOON_MS, all_told));
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_UNKNOWN]);
	EXPECT_EQ(-ENOTCONN, put(self, 1, "y", "v"));
}

TEST_F(sync, need_of_a_standby_can_change)
{
	sync_activate(self->a.sync, 2);
	ASSERT_EQ(0, put(self, 1, "x", "v"));
	ASSERT_TRUE(run(self, SOON_MS, all_told));
	sync_need_standby(self->a.sync, true);
	EXPECT_EQ(-ENOTCONN, put(self, 1, "y", "v"));
	/* The sync's own are no application's. */
	ASSERT_EQ(0, write_own(self->a.sync, SYNC_CONTENT_DICTIONARY, "zstd", 4,
			       "", 0));
	run(self, 20, NULL);
	EXPECT_EQ(2, status(&self->a).position);
	sync_need_standby(self->a.sync, false);
	ASSERT_EQ(0, put(self, 1, "y", "v"));
	ASSERT_TRUE(run(self, SOON_MS, all_told));
	EXPECT_EQ(2, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_EQ(2, acked(&self->a));
}

struct flushed {
	unsigned int calls;
	bool good;
	u64 cookie;
	bed *t;
};

static void on_flushed(void *arg, bool good)
{
	struct flushed *f = arg;

	f->calls++;
	f->good = good;
	f->cookie = f->t->a.last_cookie;
}

TEST_F(sync, flush_waits_for_what_was_written)
{
	struct flushed f = { .t = self };

	sync_flush(self->a.sync, on_flushed, &f);
	EXPECT_EQ(1, f.calls);
	EXPECT_FALSE(f.good);
	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_many(self, "x", 100));
	sync_flush(self->a.sync, on_flushed, &f);
	EXPECT_EQ(1, f.calls);
	ASSERT_TRUE(run(self, SOON_MS, all_acked));
	EXPECT_EQ(2, f.calls);
	EXPECT_TRUE(f.good);
	EXPECT_EQ(100, f.cookie);
	/* Nothing under way: at once. */
	sync_flush(self->a.sync, on_flushed, &f);
	EXPECT_EQ(3, f.calls);
	EXPECT_TRUE(f.good);
	self->proxy.lanes[1].hold_at = 0;
	ASSERT_EQ(0, put_many(self, "y", 1));
	sync_flush(self->a.sync, on_flushed, &f);
	EXPECT_EQ(3, f.calls);
	links(self, false, false);
	EXPECT_EQ(4, f.calls);
	EXPECT_FALSE(f.good);
}

/* So a planned hand-over loses none. */
TEST_F(sync, flush_waits_for_what_did_not_wait)
{
	struct flushed f = { .t = self };

	ASSERT_TRUE(join_and_hold(self));
	ASSERT_EQ(0, put_async(self, "x", "v"));
	sync_flush(self->a.sync, on_flushed, &f);
	run(self, 50, NULL);
	EXPECT_EQ(1, self->a.acks[SYNC_ACK_ASYNC]);
	EXPECT_EQ(0, f.calls);
	proxy_cut(&self->proxy);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(1, f.calls);
	EXPECT_TRUE(f.good);
}

TEST_F(sync, full_store_refuses_writes_and_lives)
{
	static char value[SYNC_VALUE_MAX];
	char key[24];
	u64 i;

	sync_activate(self->a.sync, 2);
	for (i = 1; i <= 6000; i++) {
		snprintf(key, sizeof(key), "%llu", (unsigned long long)i);
		ASSERT_EQ(0, sync_write(self->a.sync, 1, key, strlen(key),
					value, sizeof(value), i));
		if (i % 10 == 0)
			run(self, 0, all_acked);
		self->cookie = i;
		if (i % 100 == 0)
			ASSERT_TRUE(run(self, SOON_MS, all_acked));
	}
	EXPECT_LT(1000, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_LT(1000, self->a.acks[SYNC_ACK_REFUSED]);
	EXPECT_EQ(6000, self->a.acks[SYNC_ACK_ALONE] +
			self->a.acks[SYNC_ACK_REFUSED]);
	EXPECT_TRUE(self->a.in_order);
	EXPECT_EQ(self->a.acks[SYNC_ACK_ALONE], status(&self->a).position);
	EXPECT_EQ(self->a.acks[SYNC_ACK_ALONE], status(&self->a).records);
}

TEST_F(sync, what_fits_into_a_full_store_is_kept)
{
	static char value[SYNC_VALUE_MAX];
	u64 i, alone;

	sync_activate(self->a.sync, 2);
	for (i = 1; !self->a.acks[SYNC_ACK_REFUSED]; i++) {
		ASSERT_EQ(0, sync_write(self->a.sync, 1, &i, sizeof(i), value,
					sizeof(value), ++self->cookie));
		ASSERT_TRUE(run(self, SOON_MS, all_acked));
	}
	/* Room for two or so; then one small write among many large ones. */
	for (i = 1; i <= 2; i++) {
		ASSERT_EQ(0, sync_write(self->a.sync, 1, &i, sizeof(i), NULL, 0,
					++self->cookie));
		ASSERT_TRUE(run(self, SOON_MS, all_acked));
	}
	alone = self->a.acks[SYNC_ACK_ALONE];
	ASSERT_EQ(0, put(self, 1, "small", "v"));
	for (i = 10000; i < 10040; i++)
		ASSERT_EQ(0, sync_write(self->a.sync, 1, &i, sizeof(i), value,
					sizeof(value), ++self->cookie));
	ASSERT_TRUE(run(self, SOON_MS, all_acked));
	EXPECT_LT(alone, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_GT(alone + 41, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_TRUE(holds(&self->a, "small", "v"));
	EXPECT_EQ(self->a.acks[SYNC_ACK_ALONE], status(&self->a).position);
	EXPECT_TRUE(self->a.in_order);
}

TEST_F(sync, standby_with_a_full_store_is_not_in_sync)
{
	static char value[8000];
	u64 i;

	sync_close(self->b.sync);
	self->b.spec.map_size = 1 << 20;
	ASSERT_TRUE(open_side(&self->b, self->base, self->error));
	ASSERT_TRUE(join(self));
	for (i = 1; i <= 400; i++)
		ASSERT_EQ(0, sync_write(self->a.sync, 1, &i, sizeof(i), value,
					sizeof(value), ++self->cookie));
	ASSERT_TRUE(run(self, 5 * PATIENCE_MS, all_acked));
	EXPECT_EQ(400, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_FALSE(status(&self->b).synced);
	EXPECT_EQ(0, self->a.acks[SYNC_ACK_STANDBY]);
}

/* ---- a slow standby ---- */

#define SLOW_BYTES	60000	/* a second */
#define LOAD_RECORD	512
#define LOAD_TURNS	4000	/* at most */

/* Small buffers: what is under way is bounded by the rate, not by them. */
static void slow_down(struct proxy *p)
{
	const int small = 8192;

	p->slow = ev_token_bucket_cfg_new(SLOW_BYTES / 50, SLOW_BYTES / 50,
					  EV_RATE_LIMIT_MAX, EV_RATE_LIMIT_MAX,
					  &(struct timeval){ .tv_usec = 20000 });
	setsockopt(bufferevent_getfd(p->ends[0]), SOL_SOCKET, SO_RCVBUF, &small,
		   sizeof(small));
	bufferevent_set_rate_limit(p->ends[0], p->slow);
}

static void speed_up(struct proxy *p)
{
	const int large = 1 << 20;

	if (!p->ends[0])
		return;
	bufferevent_set_rate_limit(p->ends[0], NULL);
	setsockopt(bufferevent_getfd(p->ends[0]), SOL_SOCKET, SO_RCVBUF, &large,
		   sizeof(large));
}

/* Several times what the slow line carries; does not compress. */
static int load_one_by(bed *t, typeof(sync_write) *write)
{
	u8 value[LOAD_RECORD];
	int rc;

	evutil_secure_rng_get_bytes(value, sizeof(value));
	rc = write(t->a.sync, SYNC_CONTENT_CALL, value, 8, value, sizeof(value),
		   t->cookie + 1);
	if (!rc)
		t->cookie++;
	return rc;
}

static int load_one(bed *t)
{
	return load_one_by(t, sync_write);
}

/* Until writes no longer wait. Return: of sync_write(). */
static int load_until_alone(bed *t)
{
	int i, rc = 0;

	for (i = 0; !rc && i < LOAD_TURNS && !t->a.acks[SYNC_ACK_ALONE]; i++) {
		rc = load_one(t);
		run(t, 1, NULL);
	}
	return rc;
}

TEST_F(sync, slow_standby_does_not_hold_up_writes)
{
	ASSERT_TRUE(only_crossover(self));
	ASSERT_TRUE(join(self));
	slow_down(&self->proxy);
	self->b.unsynced_ns = 0;
	ASSERT_EQ(0, load_until_alone(self));
	EXPECT_LT(0, self->a.acks[SYNC_ACK_ALONE]);
	/* It answers all the time. */
	EXPECT_EQ(1, self->proxy.connections);
	EXPECT_LT(self->b.unsynced_ns, self->a.first_alone_ns);
	EXPECT_NE(0, self->b.unsynced_ns);
	EXPECT_FALSE(status(&self->a).synced);
	EXPECT_EQ(SYNC_SLOW, status(&self->a).state);
	/* It goes on, and is waited for again when it can follow. */
	speed_up(&self->proxy);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(1, self->proxy.connections);
	EXPECT_EQ(0, status(&self->a).resyncs);
	EXPECT_TRUE(self->a.in_order);
}

/* Nor those that would not wait anyway: there is room for them in any case. */
TEST_F(sync, slow_standby_does_not_hold_up_async_writes)
{
	int i;

	ASSERT_TRUE(only_crossover(self));
	ASSERT_TRUE(join(self));
	slow_down(&self->proxy);
	for (i = 0; i < LOAD_TURNS && !self->a.acks[SYNC_ACK_ALONE]; i++) {
		ASSERT_EQ(0, load_one_by(self, sync_write_async));
		run(self, 1, NULL);
	}
	EXPECT_LT(0, self->a.acks[SYNC_ACK_ASYNC]);
	EXPECT_LT(0, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_EQ(SYNC_SLOW, status(&self->a).state);
	speed_up(&self->proxy);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(self->cookie, acked(&self->a));
	EXPECT_TRUE(self->a.in_order);
}

/* It is as good as lost until it has caught up, and not longer. */
TEST_F(sync, slow_standby_that_is_needed_is_waited_for_again)
{
	int i, rc = 0;

	self->a.spec.needs_standby = true;
	ASSERT_TRUE(only_crossover(self));
	ASSERT_TRUE(join(self));
	slow_down(&self->proxy);
	for (i = 0; !rc && i < LOAD_TURNS; i++) {
		rc = load_one(self);
		run(self, 1, NULL);
	}
	EXPECT_EQ(-ENOTCONN, rc);
	EXPECT_LT(0, self->a.acks[SYNC_ACK_UNKNOWN]);
	EXPECT_EQ(0, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_EQ(0, self->a.sync->active.slow.until_ns);
	speed_up(&self->proxy);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(0, load_one(self));
	/* One that is needed from now on is not held off either. */
	self->a.sync->active.slow.until_ns = U64_MAX;
	sync_need_standby(self->a.sync, true);
	EXPECT_EQ(0, self->a.sync->active.slow.until_ns);
}

/* Its answers come, too late to wait for, and early enough to believe on. */
TEST_F(sync, late_standby_does_not_believe_that_it_is_waited_for)
{
	ASSERT_TRUE(only_crossover(self));
	ASSERT_TRUE(join(self));
	self->proxy.lanes[0].delay_ms = PATIENCE_MS * 35 / 100;
	self->b.unsynced_ns = 0;
	ASSERT_EQ(0, load_until_alone(self));
	EXPECT_LT(0, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_EQ(1, self->proxy.connections);
	EXPECT_NE(0, self->b.unsynced_ns);
	EXPECT_LT(self->b.unsynced_ns, self->a.first_alone_ns);
	EXPECT_FALSE(status(&self->b).synced);
}

/* One of a few records, over and over. */
static int load_few(bed *t, int i, int records)
{
	u8 value[LOAD_RECORD];
	u8 key = (u8)(i % records);
	int rc;

	evutil_secure_rng_get_bytes(value, sizeof(value));
	rc = sync_write(t->a.sync, (u16)(1 + i % 2), &key, sizeof(key), value,
			sizeof(value), t->cookie + 1);
	if (!rc)
		t->cookie++;
	write_commit(t->a.sync);
	return rc;
}

static u64 record_bytes(struct sync *s)
{
	return s->shared.raw_bytes;
}

/* 400 writes of four records, while the line is full, and on until all is well. */
static bool few_records_often(bed *t)
{
	int i;

	for (i = 0; i < 400; i++)
		if (load_few(t, i, 4))
			return false;
	speed_up(&t->proxy);
	return run(t, SOON_MS, identical);
}

/* The standby hears of a record's last value, and nothing of how it came there. */
TEST_F(sync, what_is_replaced_before_it_is_sent_is_not_sent)
{
	u64 before;

	ASSERT_TRUE(only_crossover(self));
	ASSERT_TRUE(join(self));
	slow_down(&self->proxy);
	before = record_bytes(self->a.sync);
	ASSERT_TRUE(few_records_often(self));
	/* What went until the line was full, and each record once or twice more. */
	EXPECT_GT(300 * LOAD_RECORD, record_bytes(self->a.sync) - before);
	EXPECT_EQ(400, status(&self->b).position);
	EXPECT_EQ(4, status(&self->b).records);
	EXPECT_EQ(0, status(&self->a).resyncs + status(&self->b).damaged);
	EXPECT_EQ(0, status(&self->a).diverged);
	EXPECT_TRUE(self->a.in_order);
}

TEST_F(sync, earlier_version_is_sent_every_write)
{
	u64 before;

	self->b.sync->shared.features &= ~(u32)PACKET_CAN_MERGE;
	sync_follow(self->b.sync, 2);
	sync_activate(self->a.sync, 2);
	links(self, true, false);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	slow_down(&self->proxy);
	before = record_bytes(self->a.sync);
	ASSERT_TRUE(few_records_often(self));
	EXPECT_LT(400 * LOAD_RECORD, record_bytes(self->a.sync) - before);
	EXPECT_EQ(0, status(&self->a).resyncs + status(&self->b).damaged);
}

/* Contents change from write to write: one packet all the same. */
TEST_F(sync, contents_share_a_packet)
{
	u64 before;
	int i;

	ASSERT_TRUE(join(self));
	before = self->a.sync->active.connection->tx_sequence;
	for (i = 0; i < 200; i++)
		ASSERT_EQ(0, put(self, (u16)(1 + i % 5), "key", "v"));
	write_commit(self->a.sync);
	EXPECT_EQ(before + 1, self->a.sync->active.connection->tx_sequence);
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	EXPECT_EQ(200, self->a.acks[SYNC_ACK_STANDBY]);
	EXPECT_EQ(5, status(&self->b).records);
}

static bool a_resyncs(bed *t)
{
	return status(&t->a).resyncs;
}

/* A line that never carries it all: the records, not their history. */
TEST_F(sync, standby_far_behind_gets_the_records)
{
	int i;

	ASSERT_TRUE(only_crossover(self));
	ASSERT_TRUE(join(self));
	slow_down(&self->proxy);
	ASSERT_EQ(0, load_until_alone(self));
	ASSERT_EQ(SYNC_SLOW, status(&self->a).state);
	/* However long this takes here. */
	self->a.sync->active.slow.until_ns = U64_MAX;
	for (i = 0; i < 20000 && !status(&self->a).resyncs; i++) {
		ASSERT_EQ(0, load_few(self, i, 100));
		if (i % 100 == 0)
			run(self, 2, NULL);
	}
	ASSERT_TRUE(run(self, SOON_MS, a_resyncs));
	EXPECT_FALSE(self->a.sync->backlog.overrun);
	EXPECT_EQ(0, self->a.acks[SYNC_ACK_REFUSED]);
	self->a.sync->active.slow.until_ns = 0;
	speed_up(&self->proxy);
	ASSERT_TRUE(run(self, SOON_MS, identical));
}

/* Pages that a transfer has still to read cannot be written again. */
TEST_F(sync, slow_transfer_does_not_fill_the_store)
{
	static char value[4000];
	u64 i, key;

	self->a.spec.map_size = 4 << 20;
	ASSERT_TRUE(half_way(self));
	EXPECT_NE(NULL, self->a.sync->snapshot.reader);
	for (i = 1; i <= 2000; i++) {
		key = i % 20;
		ASSERT_EQ(0, sync_write(self->a.sync, 1, &key, sizeof(key),
					value, sizeof(value), ++self->cookie));
		write_commit(self->a.sync);
	}
	EXPECT_EQ(2000, self->a.acks[SYNC_ACK_ALONE]);
	EXPECT_EQ(0, self->a.acks[SYNC_ACK_REFUSED]);
	EXPECT_EQ(NULL, self->a.sync->snapshot.reader);
	EXPECT_EQ(SYNC_ALONE, status(&self->a).state);
	/* The standby is not forgotten. */
	self->a.sync->active.try_ns = 0;
	ASSERT_TRUE(run(self, SOON_MS, identical));
}

/* ---- changes ---- */

#define CHANGED		100
#define CHANGED_LEN	400

/* Records of which a few bytes change with the version. */
static int put_version(bed *t, int version)
{
	char value[CHANGED_LEN + 1];
	int rc = 0;
	u32 key;

	for (key = 0; !rc && key < CHANGED; key++) {
		memset(value, 'a' + (int)key % 20, CHANGED_LEN);
		snprintf(value + 100, 20, "version %d of %u", version, key);
		value[100 + strlen(value + 100)] = ' ';
		rc = sync_write(t->a.sync, 1, &key, sizeof(key), value,
				CHANGED_LEN, t->cookie + 1);
		if (!rc)
			t->cookie++;
	}
	return rc;
}

/* Of another version than they were, at the standby too. Return: bytes it took. */
static u64 change_all(bed *t, int version)
{
	u64 before = record_bytes(t->a.sync);

	if (put_version(t, version) || !run(t, SOON_MS, a_is_done) ||
	    !run(t, SOON_MS, identical))
		return U64_MAX;
	return record_bytes(t->a.sync) - before;
}

static bool holds_version(struct side *side, u32 key, int version)
{
	char value[CHANGED_LEN], is[20];

	snprintf(is, sizeof(is), "version %d of %u ", version, key);
	return sync_read(side->sync, 1, &key, sizeof(key), value,
			 sizeof(value)) == CHANGED_LEN &&
	       !memcmp(value + 100, is, strlen(is)) &&
	       value[0] == 'a' + (int)key % 20 &&
	       value[CHANGED_LEN - 1] == value[0];
}

TEST_F(sync, of_a_change_only_what_is_new_travels)
{
	ASSERT_TRUE(join(self));
	EXPECT_LT(CHANGED * CHANGED_LEN, change_all(self, 1));
	EXPECT_GT(CHANGED * 40, change_all(self, 2));
	EXPECT_GT(CHANGED * 40, change_all(self, 12345));
	EXPECT_TRUE(holds_version(&self->b, 0, 12345));
	EXPECT_TRUE(holds_version(&self->b, 99, 12345));
	EXPECT_EQ(0, status(&self->a).resyncs + status(&self->a).diverged);
}

TEST_F(sync, earlier_version_is_sent_whole_records)
{
	self->b.sync->shared.features &= ~(u32)PACKET_CAN_PATCH;
	ASSERT_TRUE(join(self));
	EXPECT_LT(CHANGED * CHANGED_LEN, change_all(self, 1));
	EXPECT_LT(CHANGED * CHANGED_LEN, change_all(self, 2));
	EXPECT_EQ(0, status(&self->b).damaged);
}

/* The standby is replaced by an earlier version, which cannot go on with patches. */
TEST_F(sync, earlier_version_begins_anew_behind_patches)
{
	ASSERT_TRUE(join(self));
	ASSERT_NE(U64_MAX, change_all(self, 1));
	ASSERT_NE(U64_MAX, change_all(self, 2));
	ASSERT_TRUE(reopen(self, &self->b));
	self->b.sync->shared.features &= ~(u32)PACKET_CAN_PATCH;
	sync_follow(self->b.sync, 2);
	sync_links(self->b.sync, true, true);
	ASSERT_NE(U64_MAX, change_all(self, 3));
	EXPECT_TRUE(holds_version(&self->b, 7, 3));
	EXPECT_EQ(1, status(&self->a).resyncs);
	EXPECT_EQ(0, status(&self->b).damaged + status(&self->b).diverged);
	/* Those before it do not matter any more: it may believe, and is resumed. */
	proxy_cut(&self->proxy);
	ASSERT_NE(U64_MAX, change_all(self, 4));
	EXPECT_EQ(1, status(&self->a).resyncs);
}

/* Behind everybody's back: the digest, which is counted along, does not know. */
static bool lose_record(struct store *store, u32 key)
{
	u8 bytes[STORE_KEY_MAX];
	MDB_val at = store_key(bytes, 1, &key, sizeof(key));
	MDB_txn *txn;

	return !mdb_txn_begin(store->env, NULL, 0, &txn) &&
	       !mdb_del(txn, store->records[store->current], &at, NULL) &&
	       !mdb_txn_commit(txn);
}

TEST_F(sync, change_of_a_record_that_is_not_there_is_repaired)
{
	ASSERT_TRUE(join(self));
	ASSERT_NE(U64_MAX, change_all(self, 1));
	ASSERT_TRUE(lose_record(self->b.sync->store, 7));
	ASSERT_EQ(0, put_version(self, 2));
	ASSERT_TRUE(run(self, SOON_MS, a_resyncs));
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_TRUE(holds_version(&self->b, 7, 2));
	EXPECT_EQ(1, status(&self->b).diverged);
	EXPECT_EQ(1, status(&self->b).damaged);
	EXPECT_TRUE(self->a.in_order);
}

/* ---- contents ---- */

static bool totals_match(bed *t)
{
	struct sync_content_status a, b;

	return sync_content(t->a.sync, SYNC_CONTENT_AGENT, &a) &&
	       sync_content(t->b.sync, SYNC_CONTENT_AGENT, &b) &&
	       a.comparable && b.comparable && a.records == 1 &&
	       a.peer_records == 1 && b.peer_records == 1 &&
	       !memcmp(a.digest, a.peer_digest, sizeof(a.digest)) &&
	       !memcmp(b.digest, b.peer_digest, sizeof(b.digest));
}

TEST_F(sync, each_content_is_compared)
{
	struct sync_content_status st;
	char value[16];
	u64 end;
	int i;

	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_many(self, "x", 20));
	ASSERT_EQ(0, put(self, SYNC_CONTENT_AGENT, "agent", "v"));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	ASSERT_TRUE(run(self, SOON_MS, totals_match));
	EXPECT_TRUE(sync_content(self->a.sync, SYNC_CONTENT_CALL, &st));
	EXPECT_EQ(20, st.records);
	EXPECT_EQ(20, st.peer_records);
	EXPECT_FALSE(sync_content(self->a.sync, SYNC_CONTENT_ROUTE, &st));
	/* Writes that are under way are no difference: at each step of the loop. */
	for (end = clock_now_ns() + 500 * CTIHA_NS_PER_MS, i = 0;
	     clock_now_ns() < end; i++) {
		snprintf(value, sizeof(value), "%d", i);
		if (i % 2)
			ASSERT_EQ(0, put(self, SYNC_CONTENT_CALL, "y", value));
		event_base_loop(self->base, EVLOOP_NONBLOCK);
	}
	ASSERT_TRUE(run(self, SOON_MS, totals_match));
	EXPECT_EQ(0, status(&self->a).diverged);
	EXPECT_EQ(0, status(&self->b).diverged);
}

static bool a_diverged(bed *t)
{
	return status(&t->a).diverged;
}

/* Two contents that differ, though their sum does not. */
TEST_F(sync, content_that_differs_is_repaired)
{
	struct store *store = self->b.sync->store;

	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_many(self, "x", 20));
	ASSERT_EQ(0, put(self, SYNC_CONTENT_AGENT, "agent", "v"));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	ASSERT_TRUE(run(self, SOON_MS, totals_match));
	store->live.totals[SYNC_CONTENT_AGENT].digest[0]++;
	store->live.totals[SYNC_CONTENT_CALL].digest[0]--;
	ASSERT_TRUE(run(self, SOON_MS, a_diverged));
	ASSERT_TRUE(run(self, SOON_MS, identical));
	ASSERT_TRUE(run(self, SOON_MS, totals_match));
	EXPECT_EQ(1, status(&self->a).resyncs);
	EXPECT_EQ(1, status(&self->a).diverged);
}

/* ---- dictionaries ---- */

struct training {
	bool done;
	char error[128];
};

static void on_training(void *arg, const char *error)
{
	struct training *t = arg;

	t->done = true;
	snprintf(t->error, sizeof(t->error), "%s", error ? error : "");
}

static struct training training;

static bool is_trained(bed *t)
{
	(void)t;
	return training.done;
}

/* Records like a call centre's: much in common, little that repeats in one. */
static int put_calls(bed *t, int from, int count)
{
	char key[32], value[200];
	int i, rc = 0;

	for (i = from; !rc && i < from + count; i++) {
		snprintf(key, sizeof(key), "%d", i);
		snprintf(value, sizeof(value), "call=%d;agent=%d;queue=support-%d;language=en;contract=K%d;menu=4711.%d;state=talking;route=6001;callback=no",
			 i * 7919, i * 31 % 500, i % 9, i * 10472, i % 7);
		rc = put(t, SYNC_CONTENT_CALL, key, value);
	}
	return rc;
}

static bool same_dictionary(bed *t)
{
	u32 id = status(&t->a).dictionary;

	return id && id == status(&t->b).dictionary && identical(t);
}

/* Bytes that one more call takes on its way. */
static u64 cost(bed *t, int call)
{
	u64 before = status(&t->a).packed_bytes;

	if (put_calls(t, call, 1) || !run(t, SOON_MS, a_is_done))
		return 0;
	return status(&t->a).packed_bytes - before;
}

static bool train(bed *t)
{
	memset(&training, 0, sizeof(training));
	return !sync_train(t->a.sync, on_training, &training) &&
	       run(t, SOON_MS, is_trained) && !training.error[0];
}

TEST_F(sync, trained_dictionary_reaches_the_standby_and_is_used)
{
	u64 without, with;

	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_calls(self, 0, 3000));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	without = cost(self, 10000);
	ASSERT_TRUE(train(self));
	ASSERT_TRUE(run(self, SOON_MS, same_dictionary));
	with = cost(self, 10001);
	EXPECT_LT(0, with);
	EXPECT_LT(with + 40, without);
	EXPECT_TRUE(self->a.in_order);
	/* On a new connection, to a standby that was restarted. */
	ASSERT_TRUE(reopen(self, &self->b));
	sync_follow(self->b.sync, 2);
	links(self, true, true);
	sync_links(self->b.sync, true, true);
	ASSERT_EQ(0, put_calls(self, 20000, 100));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	ASSERT_TRUE(run(self, SOON_MS, same_dictionary));
	EXPECT_EQ(0, status(&self->b).damaged);
	/* Another one, while the first is in use. */
	ASSERT_TRUE(train(self));
	ASSERT_EQ(0, put_calls(self, 30000, 100));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	ASSERT_TRUE(run(self, SOON_MS, same_dictionary));
	EXPECT_EQ(0, status(&self->b).damaged);
}

TEST_F(sync, training_needs_records_and_office)
{
	sync_follow(self->a.sync, 2);
	EXPECT_TRUE(strstr(sync_train(self->a.sync, on_training, &training),
			   "not active"));
	sync_activate(self->a.sync, 2);
	EXPECT_TRUE(strstr(sync_train(self->a.sync, on_training, &training),
			   "too few"));
	EXPECT_EQ(0, status(&self->a).dictionary);
}

TEST_F(sync, closing_ends_a_training)
{
	sync_activate(self->a.sync, 2);
	ASSERT_EQ(0, put_calls(self, 0, 3000));
	memset(&training, 0, sizeof(training));
	ASSERT_EQ(NULL, sync_train(self->a.sync, on_training, &training));
	EXPECT_TRUE(strstr(sync_train(self->a.sync, on_training, &training),
			   "being trained"));
	ASSERT_TRUE(reopen(self, &self->a));
	EXPECT_FALSE(training.done);
}

TEST_F(sync, earlier_version_is_sent_nothing_it_cannot_read)
{
	u64 without, with;

	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_calls(self, 0, 1000));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	without = cost(self, 10000);
	self->b.sync->shared.features = 0;
	self->a.sync->shared.features = 0;
	proxy_cut(&self->proxy);
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	ASSERT_TRUE(train(self));
	/* It keeps the dictionary as it keeps all. */
	ASSERT_TRUE(run(self, SOON_MS, same_dictionary));
	with = cost(self, 10001);
	EXPECT_LT(without, with + 30);
}

/*
 * A trains while it is alone, and loses that to B's term of office. Active again, it
 * must not compress with what B never had.
 */
TEST_F(sync, dictionary_that_was_lost_is_not_used)
{
	ASSERT_TRUE(join(self));
	ASSERT_EQ(0, put_calls(self, 0, 1000));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	links(self, false, false);
	proxy_cut(&self->proxy);
	ASSERT_TRUE(train(self));
	ASSERT_NE(0, status(&self->a).dictionary);
	sync_follow(self->a.sync, 3);
	sync_activate(self->b.sync, 3);
	links(self, true, true);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	sync_follow(self->b.sync, 4);
	sync_activate(self->a.sync, 4);
	ASSERT_TRUE(run(self, SOON_MS, identical));
	EXPECT_EQ(0, status(&self->a).dictionary);
	ASSERT_EQ(0, put_calls(self, 5000, 100));
	ASSERT_TRUE(run(self, SOON_MS, a_is_done));
	EXPECT_EQ(0, status(&self->b).damaged);
}

TEST_F(sync, first_dictionary_comes_from_a_file)
{
	struct training *t = &training;
	u8 bytes[SYNC_VALUE_MAX];
	int len;
	FILE *f;

	/* One to begin with, made by the other side. */
	sync_activate(self->b.sync, 2);
	sync_activate(self->a.sync, 2);
	ASSERT_EQ(0, put_calls(self, 0, 1000));
	ASSERT_TRUE(train(self));
	len = store_get(self->a.sync->store, SYNC_CONTENT_DICTIONARY, "zstd", 4,
			bytes, sizeof(bytes));
	ASSERT_LT(256, len);
	snprintf(t->error, sizeof(t->error), "%s/dictionary", self->scratch);
	f = fopen(t->error, "we");
	ASSERT_EQ(1, fwrite(bytes, (size_t)len, 1, f));
	fclose(f);
	snprintf(self->b.spec.dictionary, sizeof(self->b.spec.dictionary),
		 "%s", t->error);
	ASSERT_TRUE(reopen(self, &self->b));
	EXPECT_EQ(0, status(&self->b).dictionary);
	sync_activate(self->b.sync, 3);
	run(self, 20, NULL);
	EXPECT_EQ(status(&self->a).dictionary, status(&self->b).dictionary);
	EXPECT_EQ(1, status(&self->b).records);
	/* No file, or another one, is no error. */
	snprintf(self->b.spec.dictionary, sizeof(self->b.spec.dictionary),
		 "/proc/self/status");
	ASSERT_TRUE(reopen(self, &self->b));
	sync_activate(self->b.sync, 4);
	EXPECT_NE(0, status(&self->b).dictionary);
}

TEST_HARNESS_MAIN
