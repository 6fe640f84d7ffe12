// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The application socket and libctiha: a child process is the daemon (app.c on
 * a sync of its own), this one the applications. Orders to the daemon go by
 * pipe, one letter each; what its callbacks say comes back the same way.
 */
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "kselftest_harness.h"

#include "common/clock.h"
#include "common/log.h"
#include "daemon/app.h"
#include "lib/ctiha.h"
#include "lib/protocol.h"
#include "scratch.h"

/* ---- the daemon ---- */

struct daemon {
	struct event_base *base;
	struct sync *sync;
	struct app *app;
	struct sync *standby;
	char scratch[64];
	int orders;
	int news;
	u64 epoch;
};

static void tell(struct daemon *d, char c)
{
	if (write(d->news, &c, 1) != 1)
		_exit(9);
}

static void on_acked(void *arg, u64 cookie, enum sync_ack ack)
{
	struct daemon *d = arg;

	if (!app_acked(d->app, cookie, ack))
		tell(d, '?');
}

static void on_state(void *arg, const struct sync_status *status)
{
	struct daemon *d = arg;

	app_standby(d->app, status->protected);
	if (status->synced)
		tell(d, 'Y');
}

static void ignore_acked(void *arg, u64 cookie, enum sync_ack ack)
{
	(void)arg;
	(void)cookie;
	(void)ack;
}

static void ignore_state(void *arg, const struct sync_status *status)
{
	(void)arg;
	(void)status;
}

static bool may_act(void *arg)
{
	(void)arg;
	return true;
}

static void on_alive(void *arg, bool alive)
{
	tell(arg, alive ? 'A' : 'a');
}

static void on_stopped(void *arg)
{
	tell(arg, 'S');
}

/* 127.4.0.1 is node 0, 127.4.0.2 node 1. */
static void make_path(struct sync_path *path, u8 node, u16 port)
{
	struct sockaddr_in *at = (struct sockaddr_in *)&path->local;

	path->configured = true;
	at->sin_family = AF_INET;
	at->sin_port = htons(port);
	at->sin_addr.s_addr = htonl(0x7f040001 + node);
	path->peer = path->local;
	at = (struct sockaddr_in *)&path->peer;
	at->sin_addr.s_addr = htonl(0x7f040001 + !node);
}

/* Gives the daemon a standby, in the same process. */
static void add_standby(struct daemon *d)
{
	const struct sync_callbacks none = {
		ignore_acked, ignore_state, may_act,
	};
	struct sync_spec spec = {
		.node = 1, .map_size = 64 << 20, .keys.used[0] = true,
	};
	char error[256];

	make_path(&spec.paths[0], 1, (u16)(20000 + getppid() % 30000));
	snprintf(spec.directory, sizeof(spec.directory), "%s/standby",
		 d->scratch);
	d->standby = sync_open(d->base, &spec, &none, d, error, sizeof(error));
	if (!d->standby)
		_exit(6);
	sync_follow(d->standby, d->epoch);
	sync_links(d->sync, true, true);
}

static void obey(struct daemon *d, char order)
{
	switch (order) {
	case '+':
		d->epoch += 2;
		sync_activate(d->sync, d->epoch);
		app_role(d->app, CTIHA_ROLE_ACTIVE, d->epoch);
		app_start_work(d->app, d->epoch);
		break;
	case '-':
		app_stop_work(d->app);
		break;
	case 'f':
		sync_follow(d->sync, d->epoch);
		app_role(d->app, CTIHA_ROLE_STANDBY, d->epoch);
		break;
	case 'j':
		add_standby(d);
		break;
	case 'k':
		sync_close(d->standby);
		d->standby = NULL;
		break;
	case 'r':
		sync_need_standby(d->sync, true);
		break;
	case 'q':
		event_base_loopbreak(d->base);
		break;
	case 'n':
		tell(d, (char)('0' + app_clients(d->app)));
		tell(d, (char)('0' + app_workers(d->app)));
		break;
	}
}

static void on_order(evutil_socket_t fd, short what, void *arg)
{
	char order;

	(void)what;
	if (read(fd, &order, 1) != 1)
		_exit(8);
	obey(arg, order);
}

static void daemon_main(const char *scratch, int orders, int news)
{
	const struct sync_callbacks sync_callbacks = {
		on_acked, on_state, may_act,
	};
	const struct app_callbacks app_callbacks = { on_alive, on_stopped };
	struct daemon d = { .base = event_base_new(), .news = news };
	struct sync_spec spec = { .map_size = 64 << 20, .patience_ms = 500 };
	char path[128], error[256];
	struct event *order;

	strcpy(d.scratch, scratch);
	make_path(&spec.paths[0], 0, (u16)(20000 + getppid() % 30000));
	snprintf(spec.directory, sizeof(spec.directory), "%s/store", scratch);
	snprintf(path, sizeof(path), "%s/app.sock", scratch);
	d.sync = sync_open(d.base, &spec, &sync_callbacks, &d, error,
			   sizeof(error));
	d.app = d.sync ? app_open(d.base, path, d.sync, &app_callbacks, &d,
				  error, sizeof(error)) : NULL;
	if (!d.app)
		_exit(7);
	order = event_new(d.base, orders, EV_READ | EV_PERSIST, on_order, &d);
	event_add(order, NULL);
	tell(&d, '!');
	event_base_dispatch(d.base);
	event_free(order);
	app_close(d.app);
	sync_close(d.sync);
	sync_close(d.standby);
	event_base_free(d.base);
	exit(0);
}

/* ---- the application ---- */

FIXTURE(app)
{
	char scratch[64];
	char path[128];
	pid_t daemon;
	int orders;
	int news;
	struct ctiha *h;
	u64 acks[8];
	u64 last_cookie;
	bool in_order;
	u64 started;
	u64 stopped;
	unsigned int starts;
	unsigned int stops;
	int role;
	bool confirm;
	unsigned int standbys;	/* calls of the standby callback */
	bool in_sync;		/* said the last one */
};

typedef FIXTURE_DATA(app) bed;

static void app_acked_cb(void *arg, u64 cookie, enum ctiha_ack ack)
{
	bed *t = arg;

	t->acks[ack]++;
	if (cookie != t->last_cookie + 1)
		t->in_order = false;
	t->last_cookie = cookie;
}

static void start_work(void *arg, u64 epoch)
{
	bed *t = arg;

	t->starts++;
	t->started = epoch;
}

static void stop_work(void *arg, u64 epoch)
{
	bed *t = arg;

	t->stops++;
	t->stopped = epoch;
	if (t->confirm)
		ctiha_stopped(t->h);
}

static void role(void *arg, enum ctiha_server server, u64 epoch)
{
	bed *t = arg;

	(void)epoch;
	t->role = server;
}

static void standby(void *arg, bool in_sync)
{
	bed *t = arg;

	t->standbys++;
	t->in_sync = in_sync;
}

static const struct ctiha_callbacks callbacks = {
	.start_work = start_work,
	.stop_work = stop_work,
	.role = role,
	.acked = app_acked_cb,
};

static bool start_daemon(bed *t)
{
	int orders[2], news[2];
	char c;

	if (pipe(orders) || pipe(news))
		return false;
	t->daemon = fork();
	if (!t->daemon) {
		close(orders[1]);
		close(news[0]);
		daemon_main(t->scratch, orders[0], news[1]);
	}
	close(orders[0]);
	close(news[1]);
	t->orders = orders[1];
	t->news = news[0];
	return read(t->news, &c, 1) == 1 && c == '!';
}

static void end_daemon(bed *t, int signal)
{
	kill(t->daemon, signal);
	waitpid(t->daemon, NULL, 0);
	close(t->orders);
	close(t->news);
}

FIXTURE_SETUP(app)
{
	log_init("app_test", getenv("VERBOSE") ? 7 : 0);
	ASSERT_TRUE(scratch_make(self->scratch));
	snprintf(self->path, sizeof(self->path), "%s/app.sock", self->scratch);
	self->confirm = true;
	self->in_order = true;
	ASSERT_TRUE(start_daemon(self));
	self->h = ctiha_open(self->path, "test", CTIHA_WORKER, &callbacks,
			     self);
	ASSERT_NE(NULL, self->h);
}

FIXTURE_TEARDOWN(app)
{
	ctiha_close(self->h);
	end_daemon(self, SIGKILL);
	scratch_remove(self->scratch);
}

static void order(bed *t, char c)
{
	if (write(t->orders, &c, 1) != 1)
		abort();
}

/* Lets the application run until the condition holds. */
static bool run(bed *t, int ms, bool (*until)(bed *t))
{
	struct pollfd p = { .fd = ctiha_fd(t->h), .events = POLLIN };
	u64 end = clock_now_ns() + (u64)ms * CTIHA_NS_PER_MS;

	while (!until(t)) {
		if (clock_now_ns() >= end)
			return false;
		poll(&p, 1, 5);
		ctiha_dispatch(t->h);
	}
	return true;
}

static bool never(bed *t)
{
	(void)t;
	return false;
}

static bool working(bed *t)
{
	return ctiha_working(t->h);
}

static bool not_working(bed *t)
{
	return !ctiha_working(t->h);
}

static bool connected(bed *t)
{
	return ctiha_connected(t->h);
}

/* Next letter of the daemon's news, with the application running; 0: none. */
static char news(bed *t, int ms)
{
	struct pollfd p[2] = {
		{ .fd = t->news, .events = POLLIN },
		{ .fd = ctiha_fd(t->h), .events = POLLIN },
	};
	u64 end = clock_now_ns() + (u64)ms * CTIHA_NS_PER_MS;
	char c;

	while (clock_now_ns() < end) {
		poll(p, 2, 10);
		if (p[0].revents)
			return read(t->news, &c, 1) == 1 ? c : 0;
		ctiha_dispatch(t->h);
	}
	return 0;
}

static int put(bed *t, const char *key, const char *value, u64 cookie)
{
	return ctiha_put(t->h, CTIHA_CONTENT_CALL, key, strlen(key), value,
			 strlen(value), cookie);
}

TEST_F(app, socket_is_for_owner_and_group)
{
	struct stat st;

	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(0660, st.st_mode & 07777);
	EXPECT_TRUE(S_ISSOCK(st.st_mode));
}

TEST_F(app, works_when_told_and_stops_when_told)
{
	EXPECT_EQ('A', news(self, 2000));
	EXPECT_TRUE(run(self, 1000, connected));
	EXPECT_EQ(0, self->starts);
	EXPECT_EQ(-EALREADY, ctiha_stopped(self->h));
	order(self, '+');
	ASSERT_TRUE(run(self, 1000, working));
	EXPECT_EQ(2, self->started);
	EXPECT_EQ(CTIHA_SERVER_ACTIVE, self->role);
	order(self, '-');
	EXPECT_EQ('S', news(self, 1000));
	EXPECT_FALSE(ctiha_working(self->h));
	EXPECT_EQ(1, self->stops);
	EXPECT_EQ(2, self->stopped);
	order(self, '+');
	ASSERT_TRUE(run(self, 1000, working));
	EXPECT_EQ(4, self->started);
}

TEST_F(app, daemon_waits_for_the_confirmation)
{
	self->confirm = false;
	EXPECT_EQ('A', news(self, 2000));
	order(self, '+');
	ASSERT_TRUE(run(self, 1000, working));
	order(self, '-');
	ASSERT_TRUE(run(self, 1000, not_working));
	EXPECT_EQ(0, news(self, 200));
	EXPECT_EQ(0, ctiha_stopped(self->h));
	EXPECT_EQ('S', news(self, 1000));
	/* One that dies instead has stopped as well. */
	order(self, '+');
	ASSERT_TRUE(run(self, 1000, working));
	order(self, '-');
	ASSERT_TRUE(run(self, 1000, not_working));
	EXPECT_EQ(0, news(self, 100));
	ctiha_close(self->h);
	self->h = ctiha_open("/nowhere", "test", 0, &callbacks, self);
	EXPECT_EQ('a', news(self, 1000));
	EXPECT_EQ('S', news(self, 1000));
	/* And without any worker it is so at once. */
	order(self, '+');
	order(self, '-');
	EXPECT_EQ('S', news(self, 1000));
}

static bool acked_1000(bed *t)
{
	return t->last_cookie == 1000;
}

TEST_F(app, writes_are_acknowledged_in_order_and_read_back)
{
	char key[24], value[64];
	int i;

	order(self, '+');
	ASSERT_TRUE(run(self, 2000, working));
	for (i = 1; i <= 1000; i++) {
		snprintf(key, sizeof(key), "call %04d", i);
		snprintf(value, sizeof(value), "state of %d", i);
		ASSERT_EQ(0, put(self, key, value, (u64)i));
	}
	ASSERT_EQ(0, ctiha_flush(self->h));
	ASSERT_TRUE(run(self, 2000, acked_1000));
	EXPECT_EQ(1000, self->acks[CTIHA_ACK_ALONE]);
	EXPECT_TRUE(self->in_order);
	EXPECT_EQ(12, ctiha_get(self->h, CTIHA_CONTENT_CALL, "call 0777", 9,
				value, sizeof(value), 1000));
	EXPECT_EQ(0, memcmp(value, "state of 777", 12));
	EXPECT_EQ(-ENOSPC, ctiha_get(self->h, CTIHA_CONTENT_CALL, "call 0777",
				     9, value, 3, 1000));
	EXPECT_EQ(-ENOENT, ctiha_get(self->h, CTIHA_CONTENT_AGENT, "call 0777",
				     9, value, 3, 1000));
	/* A write that was not even sent is seen. */
	ASSERT_EQ(0, put(self, "call 0777", "new", 1001));
	EXPECT_EQ(3, ctiha_get(self->h, CTIHA_CONTENT_CALL, "call 0777", 9,
			       value, sizeof(value), 1000));
	EXPECT_EQ(CTIHA_ACK_ALONE,
		  ctiha_delete_wait(self->h, CTIHA_CONTENT_CALL, "call 0777",
				    9, 1000));
	EXPECT_EQ(-ENOENT, ctiha_get(self->h, CTIHA_CONTENT_CALL, "call 0777",
				     9, value, sizeof(value), 1000));
	EXPECT_EQ(CTIHA_ACK_ALONE,
		  ctiha_put_wait(self->h, CTIHA_CONTENT_CALL, "x", 1, "", 0,
				 1000));
	EXPECT_EQ(0, ctiha_get(self->h, CTIHA_CONTENT_CALL, "x", 1, value,
			       sizeof(value), 1000));
}

struct walked {
	unsigned int count;
	char last[16];
	bool in_order;
	unsigned int stop_at;
};

static bool on_walk(void *arg, const void *key, size_t key_len,
		    const void *value, size_t value_len)
{
	struct walked *w = arg;
	char now[16] = "";

	(void)value;
	(void)value_len;
	memcpy(now, key, key_len < 15 ? key_len : 15);
	if (strcmp(now, w->last) <= 0)
		w->in_order = false;
	strcpy(w->last, now);
	return ++w->count != w->stop_at;
}

TEST_F(app, walk_goes_over_many_messages)
{
	struct walked w = { .in_order = true };
	char key[24], value[400];
	int i;

	memset(value, 'v', sizeof(value));
	order(self, '+');
	ASSERT_TRUE(run(self, 2000, working));
	for (i = 1; i <= 1000; i++) {
		snprintf(key, sizeof(key), "%04d", i);
		ASSERT_EQ(0, ctiha_put(self->h, 1, key, 4, value,
				       sizeof(value), (u64)i));
	}
	EXPECT_EQ(1000, ctiha_walk(self->h, 1, NULL, 0, 0, on_walk, &w, 1000));
	EXPECT_EQ(1000, w.count);
	EXPECT_TRUE(w.in_order);
	w = (struct walked){ .in_order = true };
	EXPECT_EQ(300, ctiha_walk(self->h, 1, "0500", 4, 300, on_walk, &w,
				  1000));
	EXPECT_STREQ("0800", w.last);
	EXPECT_TRUE(w.in_order);
	w = (struct walked){ .in_order = true, .stop_at = 400 };
	EXPECT_EQ(400, ctiha_walk(self->h, 1, NULL, 0, 0, on_walk, &w, 1000));
	EXPECT_EQ(400, w.count);
	EXPECT_EQ(0, ctiha_walk(self->h, 2, NULL, 0, 0, on_walk, &w, 1000));
	EXPECT_EQ(0, ctiha_walk(self->h, 1, "1000", 4, 0, on_walk, &w, 1000));
	EXPECT_EQ(1000, ctiha_walk(self->h, 1, NULL, 0, 0, on_walk, &w, 1000));
}

TEST_F(app, not_active_is_refused)
{
	ASSERT_TRUE(run(self, 2000, connected));
	EXPECT_EQ(CTIHA_ACK_REFUSED, ctiha_put_wait(self->h, 1, "k", 1, "v", 1,
						    1000));
	order(self, '+');
	ASSERT_TRUE(run(self, 1000, working));
	EXPECT_EQ(CTIHA_ACK_ALONE, ctiha_put_wait(self->h, 1, "k", 1, "v", 1,
						  1000));
	EXPECT_EQ(CTIHA_ACK_ALONE, ctiha_put_wait(self->h,
						  CTIHA_CONTENT_CALL_STATE, "k",
						  1, "v", 1, 1000));
	EXPECT_EQ(CTIHA_ACK_INVALID, ctiha_put_wait(self->h, 99, "k", 1, "v", 1,
						    1000));
	order(self, '-');
	ASSERT_TRUE(run(self, 1000, not_working));
	/* The last words of a tidy end are still taken. */
	EXPECT_EQ(CTIHA_ACK_ALONE, ctiha_put_wait(self->h, 1, "k", 1, "w", 1,
						  1000));
	order(self, 'f');
	EXPECT_EQ('A', news(self, 1000));
	EXPECT_EQ('S', news(self, 1000));
	run(self, 100, never);
	EXPECT_EQ(CTIHA_ACK_REFUSED, ctiha_put_wait(self->h, 1, "k", 1, "v", 1,
						    1000));
	EXPECT_EQ(CTIHA_SERVER_STANDBY, self->role);
}

TEST_F(app, reader_may_read_only)
{
	char value[4];
	struct ctiha *reader = ctiha_open(self->path, "reader", 0, &callbacks,
					  self);

	order(self, '+');
	ASSERT_TRUE(run(self, 2000, working));
	EXPECT_EQ(CTIHA_ACK_ALONE, ctiha_put_wait(self->h, 1, "k", 1, "v", 1,
						  1000));
	EXPECT_EQ(1, ctiha_get(reader, 1, "k", 1, value, 4, 1000));
	EXPECT_EQ(CTIHA_ACK_REFUSED, ctiha_put_wait(reader, 1, "k", 1, "w", 1,
						    1000));
	EXPECT_FALSE(ctiha_working(reader));
	EXPECT_EQ('A', news(self, 1000));
	order(self, 'n');
	EXPECT_EQ('2', news(self, 1000));
	EXPECT_EQ('1', news(self, 1000));
	ctiha_close(reader);
}

TEST_F(app, bad_arguments_are_refused)
{
	static char big[CTIHA_MAX_VALUE + 1];

	EXPECT_EQ(-ENOTCONN, put(self, "k", "v", 1));
	ASSERT_TRUE(run(self, 2000, connected));
	EXPECT_EQ(-EINVAL, put(self, "", "v", 1));
	EXPECT_EQ(-EINVAL, ctiha_put(self->h, 1, NULL, 1, "v", 1, 1));
	EXPECT_EQ(-EINVAL, ctiha_put(self->h, 1, big, CTIHA_MAX_KEY + 1, "v",
				     1, 1));
	EXPECT_EQ(-EINVAL, ctiha_put(self->h, 1, "k", 1, big, sizeof(big), 1));
	EXPECT_EQ(-EINVAL, ctiha_delete(self->h, 1, big, 0, 1));
	EXPECT_EQ(-EINVAL, ctiha_get(self->h, 1, big, CTIHA_MAX_KEY + 1, big,
				     1, 100));
	EXPECT_EQ(-EINVAL, ctiha_walk(self->h, 1, big, CTIHA_MAX_KEY + 1, 0,
				      on_walk, NULL, 100));
	EXPECT_EQ(0, self->acks[CTIHA_ACK_INVALID]);
}

TEST_F(app, lost_daemon_ends_the_work_and_is_found_again)
{
	char value[8];

	order(self, '+');
	ASSERT_TRUE(run(self, 2000, working));
	EXPECT_EQ(CTIHA_ACK_ALONE, ctiha_put_wait(self->h, 1, "k", 1, "v", 1,
						  1000));
	kill(self->daemon, SIGSTOP);
	ASSERT_EQ(0, put(self, "l", "v", 1));
	ASSERT_EQ(0, ctiha_flush(self->h));
	EXPECT_EQ(-ETIMEDOUT, ctiha_get(self->h, 1, "k", 1, value, 8, 50));
	end_daemon(self, SIGKILL);
	ASSERT_TRUE(run(self, 1000, not_working));
	EXPECT_EQ(1, self->stops);
	EXPECT_EQ(1, self->acks[CTIHA_ACK_UNKNOWN]);
	EXPECT_FALSE(ctiha_connected(self->h));
	EXPECT_EQ(-ENOTCONN, put(self, "m", "v", 2));
	EXPECT_EQ(-ENOTCONN, ctiha_dispatch(self->h));
	ASSERT_TRUE(start_daemon(self));
	ASSERT_TRUE(run(self, 2000, connected));
	EXPECT_FALSE(ctiha_working(self->h));
	/* The store survived the daemon's death. */
	EXPECT_EQ(1, ctiha_get(self->h, 1, "k", 1, value, 8, 1000));
	order(self, '+');
	ASSERT_TRUE(run(self, 1000, working));
	EXPECT_EQ(2, self->starts);
}

TEST_F(app, waiting_does_not_spin)
{
	struct pollfd p = { .events = POLLIN };
	unsigned int wakes = 0;
	u64 end;

	end_daemon(self, SIGKILL);
	p.fd = ctiha_fd(self->h);
	end = clock_now_ns() + 500 * CTIHA_NS_PER_MS;
	while (clock_now_ns() < end) {
		wakes += poll(&p, 1, 100) > 0;
		ctiha_dispatch(self->h);
	}
	EXPECT_GT(15, wakes);
	EXPECT_LT(1, wakes);
	ASSERT_TRUE(start_daemon(self));
	ASSERT_TRUE(run(self, 1000, connected));
	wakes = 0;
	end = clock_now_ns() + 500 * CTIHA_NS_PER_MS;
	while (clock_now_ns() < end) {
		wakes += poll(&p, 1, 100) > 0;
		ctiha_dispatch(self->h);
	}
	/* Only pings. */
	EXPECT_GT(10, wakes);
}

TEST_F(app, silent_application_is_noticed)
{
	u64 from;

	EXPECT_EQ('A', news(self, 2000));
	run(self, 300, never);
	from = clock_now_ns();
	while (clock_now_ns() < from + 6000 * CTIHA_NS_PER_MS) {
		struct pollfd p = { .fd = self->news, .events = POLLIN };

		if (poll(&p, 1, 100) > 0)
			break;
	}
	EXPECT_LT(1500 * CTIHA_NS_PER_MS, clock_now_ns() - from);
	EXPECT_GT(3500 * CTIHA_NS_PER_MS, clock_now_ns() - from);
	EXPECT_EQ('a', news(self, 10));
	/* It is not disconnected: it may come back. */
	EXPECT_EQ('A', news(self, 1000));
	EXPECT_TRUE(ctiha_connected(self->h));
}

static int raw_connect(bed *t)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%.100s", t->path);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)))
		abort();
	return fd;
}

/* Sends bytes after a good hello; true if the daemon hangs up on that. */
static bool hung_up(bed *t, bool hello, const void *data, size_t len)
{
	struct protocol_message *m = calloc(1, sizeof(*m));
	const struct timeval limit = { .tv_sec = 2 };
	int fd = raw_connect(t);
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	protocol_add(m, &(struct protocol_operation){
		.type = PROTOCOL_HELLO,
	});
	if (hello)
		send(fd, m->data, m->len, MSG_NOSIGNAL);
	send(fd, data, len, MSG_NOSIGNAL);
	while ((n = recv(fd, m->data, sizeof(m->data), 0)) > 0)
		;
	n = n ? -errno : 0;
	close(fd);
	free(m);
	return !n || n == -ECONNRESET;
}

TEST_F(app, malformed_messages_end_the_connection_only)
{
	struct protocol_message *m = calloc(1, sizeof(*m));
	static u8 huge[PROTOCOL_MESSAGE_MAX + 8];
	size_t len, i;

	EXPECT_TRUE(hung_up(self, false, "garbage", 7));
	EXPECT_TRUE(hung_up(self, false, "x", 1));
	EXPECT_TRUE(hung_up(self, false, huge, sizeof(huge)));
	protocol_add(m, &(struct protocol_operation){
		.type = PROTOCOL_GET, .content = 1, .key = "key", .key_len = 3,
	});
	/* A good operation, but no hello before it. */
	EXPECT_TRUE(hung_up(self, false, m->data, m->len));
	for (len = 9; len < m->len; len++)
		EXPECT_TRUE(hung_up(self, true, m->data, len));
	for (i = 0; i < 16; i++) {
		u8 kept = m->data[i];

		/* Magic, version, the operation's size, type, key length. */
		if (i == 6 || i == 7 || i == 14 || i == 15)
			continue;
		m->data[i] = 0xee;
		EXPECT_TRUE(hung_up(self, true, m->data, m->len)) {
			TH_LOG("byte %zu", i);
		}
		m->data[i] = kept;
	}
	memcpy(huge, m->data, m->len);
	EXPECT_TRUE(hung_up(self, true, huge, sizeof(huge)));
	m->len = 0;
	protocol_add(m, &(struct protocol_operation){
		.type = PROTOCOL_HELLO,
	});
	EXPECT_TRUE(hung_up(self, true, m->data, m->len));
	/* The others did not notice. */
	order(self, '+');
	EXPECT_TRUE(run(self, 1000, working));
	EXPECT_EQ(CTIHA_ACK_ALONE, ctiha_put_wait(self->h, 1, "k", 1, "v", 1,
						  1000));
	free(m);
}

/* Asks for far more than it reads: must not block the daemon nor fill it. */
TEST_F(app, client_that_does_not_read_is_dropped)
{
	struct protocol_message *m = calloc(1, sizeof(*m));
	static char value[8000];
	int fd, i;

	order(self, '+');
	ASSERT_TRUE(run(self, 2000, working));
	for (i = 0; i < 20; i++)
		ASSERT_EQ(CTIHA_ACK_ALONE,
			  ctiha_put_wait(self->h, 1, &i, 4, value,
					 sizeof(value), 1000));
	fd = raw_connect(self);
	protocol_add(m, &(struct protocol_operation){
		.type = PROTOCOL_HELLO,
	});
	for (i = 0; i < 1000; i++)
		ASSERT_TRUE(protocol_add(m, &(struct protocol_operation){
			.type = PROTOCOL_WALK, .content = 1,
		}));
	ASSERT_EQ((ssize_t)m->len, send(fd, m->data, m->len, MSG_NOSIGNAL));
	EXPECT_EQ(CTIHA_ACK_ALONE, ctiha_put_wait(self->h, 1, "k", 1, "v", 1,
						  1000));
	for (i = 0; i < 200 && send(fd, m->data, 8, MSG_NOSIGNAL) == 8; i++)
		run(self, 10, never);
	EXPECT_TRUE(errno == EPIPE || errno == ECONNRESET);
	EXPECT_GT(200, i);
	close(fd);
	free(m);
}

TEST_F(app, too_many_clients_are_turned_away)
{
	char c;
	int fds[20], i;

	EXPECT_EQ('A', news(self, 2000));
	for (i = 0; i < 20; i++)
		fds[i] = raw_connect(self);
	/* 15 beside ours. */
	for (i = 0; i < 20; i++) {
		struct pollfd p = { .fd = fds[i], .events = POLLIN };

		EXPECT_EQ(i < 15 ? 0 : 1, poll(&p, 1, i < 15 ? 0 : 1000));
	}
	order(self, 'n');
	c = news(self, 1000);
	EXPECT_EQ('0' + 16, c);
	for (i = 0; i < 20; i++)
		close(fds[i]);
	run(self, 50, never);
	news(self, 50);
	order(self, 'n');
	EXPECT_EQ('1', news(self, 1000));
}

static void from_callback(void *arg, u64 cookie, enum ctiha_ack ack)
{
	bed *t = arg;
	char value[4];

	(void)ack;
	t->last_cookie = cookie;
	t->acks[0] = (u64)ctiha_get(t->h, 1, "k", 1, value, 4, 100);
	t->acks[1] = (u64)ctiha_dispatch(t->h);
	t->acks[2] = (u64)ctiha_put_wait(t->h, 1, "k", 1, value, 4, 100);
	if (cookie == 1)
		t->acks[3] = (u64)put(t, "k", "2", 2);
}

static bool acked_2(bed *t)
{
	return t->last_cookie == 2;
}

TEST_F(app, callbacks_may_write_but_not_wait)
{
	const struct ctiha_callbacks own = { .acked = from_callback };

	ctiha_close(self->h);
	self->h = ctiha_open(self->path, "test", CTIHA_WORKER, &own, self);
	order(self, '+');
	ASSERT_TRUE(run(self, 2000, working));
	ASSERT_EQ(0, put(self, "k", "1", 1));
	ASSERT_TRUE(run(self, 1000, acked_2));
	EXPECT_EQ((u64)-EDEADLK, self->acks[0]);
	EXPECT_EQ((u64)-EDEADLK, self->acks[1]);
	EXPECT_EQ((u64)-EDEADLK, self->acks[2]);
	EXPECT_EQ(0, self->acks[3]);
}

/* Dies with writes on their way: the daemon must not touch what is gone. */
TEST_F(app, client_may_die_with_writes_under_way)
{
	int round, status, i;

	order(self, '+');
	ASSERT_TRUE(run(self, 2000, working));
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 200; i++)
			ASSERT_EQ(0, put(self, "k", "v", 1));
		ASSERT_EQ(0, ctiha_flush(self->h));
		ctiha_close(self->h);
		self->h = ctiha_open(self->path, "test", CTIHA_WORKER,
				     &callbacks, self);
		ASSERT_TRUE(run(self, 1000, working));
	}
	EXPECT_EQ(CTIHA_ACK_ALONE, ctiha_put_wait(self->h, 1, "k", 1, "v", 1,
						  1000));
	order(self, 'q');
	EXPECT_TRUE(run(self, 2000, not_working));
	/* Under a sanitizer this tells of leaks, too. */
	ASSERT_EQ(self->daemon, waitpid(self->daemon, &status, 0));
	EXPECT_TRUE(WIFEXITED(status));
	EXPECT_EQ(0, WEXITSTATUS(status));
	ASSERT_TRUE(start_daemon(self));
}

/* The same while the writes wait for a standby that does not answer. */
TEST_F(app, client_may_die_before_its_writes_are_safe)
{
	int i;

	EXPECT_EQ('A', news(self, 2000));
	order(self, '+');
	ASSERT_TRUE(run(self, 2000, working));
	order(self, 'j');
	ASSERT_EQ('Y', news(self, 2000));
	EXPECT_EQ(CTIHA_ACK_STANDBY, ctiha_put_wait(self->h, 1, "k", 1, "v", 1,
						    1000));
	order(self, 'k');
	run(self, 20, never);
	for (i = 0; i < 200; i++)
		ASSERT_EQ(0, put(self, "k", "v", 1));
	ASSERT_EQ(0, ctiha_flush(self->h));
	run(self, 50, never);
	EXPECT_EQ(0, self->last_cookie);
	ctiha_close(self->h);
	self->h = ctiha_open(self->path, "test", CTIHA_WORKER, &callbacks,
			     self);
	EXPECT_EQ(CTIHA_ACK_ALONE, ctiha_put_wait(self->h, 1, "k", 1, "v", 1,
						  3000));
	EXPECT_EQ(0, self->last_cookie);
}

/* ---- with and without a standby ---- */

/* At work in a server with a standby in sync. */
static bool serve_with_standby(bed *t)
{
	order(t, '+');
	if (!run(t, 2000, working) || news(t, 2000) != 'A')
		return false;
	order(t, 'j');
	return news(t, 2000) == 'Y';
}

static bool in_sync(bed *t)
{
	return t->in_sync;
}

static bool not_in_sync(bed *t)
{
	return !t->in_sync;
}

static int put_wait(struct ctiha *h, int timeout_ms)
{
	return ctiha_put_wait(h, CTIHA_CONTENT_CALL, "k", 1, "v", 1, timeout_ms);
}

TEST_F(app, async_handle_does_not_wait_for_the_standby)
{
	bed other = { 0 };

	other.h = ctiha_open(self->path, "async", CTIHA_WORKER | CTIHA_ASYNC,
			     &callbacks, &other);
	ASSERT_TRUE(run(&other, 2000, connected));
	ASSERT_TRUE(serve_with_standby(self));
	EXPECT_EQ(CTIHA_ACK_ASYNC, put_wait(other.h, 1000));
	EXPECT_EQ(CTIHA_ACK_STANDBY, put_wait(self->h, 1000));
	/* The standby is silent, but counts for its patience of 500 ms. */
	order(self, 'k');
	EXPECT_EQ(CTIHA_ACK_ASYNC, put_wait(other.h, 400));
	EXPECT_EQ(-ETIMEDOUT, put_wait(self->h, 100));
	EXPECT_EQ(CTIHA_ACK_ALONE, put_wait(self->h, 3000));
	EXPECT_EQ(CTIHA_ACK_ALONE, put_wait(other.h, 1000));
	EXPECT_EQ(CTIHA_ACK_ALONE,
		  ctiha_delete_wait(other.h, CTIHA_CONTENT_CALL, "k", 1, 1000));
	ctiha_close(other.h);
}

TEST_F(app, standby_that_comes_and_goes_is_told)
{
	bed late = { 0 };

	ctiha_on_standby(self->h, standby);
	ASSERT_TRUE(serve_with_standby(self));
	ASSERT_TRUE(run(self, 1000, in_sync));
	EXPECT_TRUE(ctiha_protected(self->h));
	EXPECT_EQ(1, self->standbys);
	/* One that comes later is told at once, a reader too. */
	late.h = ctiha_open(self->path, "late", 0, &callbacks, &late);
	ctiha_on_standby(late.h, standby);
	ASSERT_TRUE(run(&late, 1000, in_sync));
	EXPECT_EQ(CTIHA_ACK_STANDBY, put_wait(self->h, 1000));
	EXPECT_EQ(1, self->standbys);
	order(self, 'k');
	ASSERT_TRUE(run(self, 3000, not_in_sync));
	EXPECT_FALSE(ctiha_protected(self->h));
	EXPECT_EQ(2, self->standbys);
	ASSERT_TRUE(run(&late, 1000, not_in_sync));
	ctiha_close(late.h);
}

/* Without a daemon nobody knows of a standby, nor when the office is left. */
TEST_F(app, standby_is_lost_with_the_daemon_and_the_office)
{
	ctiha_on_standby(self->h, standby);
	ASSERT_TRUE(serve_with_standby(self));
	ASSERT_TRUE(run(self, 1000, in_sync));
	order(self, 'f');
	ASSERT_TRUE(run(self, 1000, not_in_sync));
	order(self, '+');
	ASSERT_TRUE(run(self, 3000, in_sync));
	end_daemon(self, SIGKILL);
	ASSERT_TRUE(run(self, 1000, not_in_sync));
	EXPECT_FALSE(ctiha_protected(self->h));
	EXPECT_EQ(4, self->standbys);
	ctiha_on_standby(self->h, NULL);
	ASSERT_TRUE(start_daemon(self));
	ASSERT_TRUE(serve_with_standby(self));
	run(self, 100, never);
	EXPECT_TRUE(ctiha_protected(self->h));
	EXPECT_EQ(4, self->standbys);
}

TEST_F(app, needed_standby_that_is_lost_is_told_as_it_is)
{
	char value[4];

	order(self, 'r');
	order(self, '+');
	ASSERT_TRUE(run(self, 2000, working));
	EXPECT_EQ(CTIHA_ACK_REFUSED, put_wait(self->h, 1000));
	EXPECT_EQ(-ENOENT, ctiha_get(self->h, CTIHA_CONTENT_CALL, "k", 1, value,
				     sizeof(value), 1000));
	ASSERT_TRUE(serve_with_standby(self));
	EXPECT_EQ(CTIHA_ACK_STANDBY, put_wait(self->h, 1000));
	order(self, 'k');
	run(self, 20, never);
	EXPECT_EQ(CTIHA_ACK_UNKNOWN, put_wait(self->h, 3000));
	EXPECT_EQ(CTIHA_ACK_REFUSED, put_wait(self->h, 1000));
}

/* Flags of a later build mean nothing to this one. */
TEST_F(app, later_library_is_understood)
{
	struct protocol_message *m = calloc(1, sizeof(*m));
	const struct timeval limit = { .tv_sec = 2 };
	struct protocol_operation op;
	struct protocol_cursor cursor;
	int fd = raw_connect(self);
	ssize_t len;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	protocol_add(m, &(struct protocol_operation){
		.type = PROTOCOL_HELLO, .flags = 0xf0,
	});
	ASSERT_EQ((ssize_t)m->len, send(fd, m->data, m->len, MSG_NOSIGNAL));
	len = recv(fd, m->data, sizeof(m->data), 0);
	ASSERT_LT(0, len);
	ASSERT_EQ(0, protocol_read(&cursor, m->data, (size_t)len));
	ASSERT_EQ(1, protocol_next(&cursor, &op));
	EXPECT_EQ(PROTOCOL_WELCOME, op.type);
	ASSERT_EQ(1, protocol_next(&cursor, &op));
	EXPECT_EQ(PROTOCOL_STANDBY, op.type);
	EXPECT_EQ(0, op.flags);
	EXPECT_EQ(0, protocol_next(&cursor, &op));
	close(fd);
	free(m);
}

/* Reads a copy of just this size; the first thing that is wrong, or 0. */
static int parse(const u8 *data, size_t len, unsigned int *operations)
{
	u8 *copy = malloc(len ? len : 1);
	struct protocol_operation op;
	struct protocol_cursor cursor;
	volatile u8 sink = 0;
	size_t i;
	int rc;

	memcpy(copy, data, len);
	*operations = 0;
	rc = protocol_read(&cursor, copy, len);
	while (!rc && (rc = protocol_next(&cursor, &op)) > 0) {
		for (i = 0; i < op.key_len; i++)
			sink ^= ((const u8 *)op.key)[i];
		for (i = 0; i < op.value_len; i++)
			sink ^= ((const u8 *)op.value)[i];
		(*operations)++;
		rc = 0;
	}
	free(copy);
	return rc;
}

TEST(protocol_bounds_every_operation)
{
	struct protocol_message *m = calloc(1, sizeof(*m));
	static u8 value[PROTOCOL_VALUE_MAX];
	const struct protocol_operation small = {
		.type = PROTOCOL_PUT, .key = "key", .key_len = 3,
		.value = "value", .value_len = 5,
	}, large = {
		.type = PROTOCOL_PUT, .key = value, .key_len = PROTOCOL_KEY_MAX,
		.value = value, .value_len = PROTOCOL_VALUE_MAX,
	};
	unsigned int n;
	size_t len;

	ASSERT_TRUE(protocol_add(m, &small));
	for (len = 0; len < m->len; len++) {
		EXPECT_EQ(len == 8 ? 0 : -EPROTO, parse(m->data, len, &n));
		EXPECT_EQ(0, n);
	}
	EXPECT_EQ(0, parse(m->data, m->len, &n));
	EXPECT_EQ(1, n);
	/* Size of the operation: smaller, larger, not a multiple of 8. */
	for (len = 0; len < 256; len++) {
		u8 kept = m->data[8];

		m->data[8] = (u8)len;
		if (len != kept) {
			EXPECT_EQ(-EPROTO, parse(m->data, m->len, &n));
			EXPECT_EQ(0, n);
		}
		m->data[8] = kept;
	}
	m->data[13] = PROTOCOL_KEY_MAX + 1;
	EXPECT_EQ(-EPROTO, parse(m->data, m->len, &n));
	/* As many as fit, and not one byte more. */
	m->len = 0;
	for (n = 0; protocol_add(m, &large); n++)
		;
	EXPECT_EQ(3, n);
	EXPECT_GE(sizeof(m->data), m->len);
	EXPECT_EQ(0, parse(m->data, m->len, &n));
	EXPECT_EQ(3, n);
	m->data[4] = PROTOCOL_VERSION + 1;
	EXPECT_EQ(-EPROTONOSUPPORT, parse(m->data, m->len, &n));
	free(m);
}

/* ---- a daemon that is broken ---- */

static void say(int fd, const struct protocol_operation *op)
{
	static struct protocol_message m;

	m.len = 0;
	protocol_add(&m, op);
	if (send(fd, m.data, m.len, MSG_NOSIGNAL) < 0)
		_exit(0);
}

static void say_record(int fd, u64 cookie, const char *value)
{
	say(fd, &(struct protocol_operation){
		.type = PROTOCOL_RECORD, .cookie = cookie, .content = 1,
		.key = "k", .key_len = 1, .value = value,
		.value_len = strlen(value),
	});
}

/* To a write it sends a record first, to a read of key "a" an acknowledgement. */
static void answer_badly(int fd, const struct protocol_operation *op)
{
	bool put = op->type == PROTOCOL_PUT;
	const struct protocol_operation end = {
		.type = PROTOCOL_END, .cookie = op->cookie,
		.result = put ? CTIHA_ACK_NOT_FOUND : CTIHA_ACK_STANDBY,
	}, ack = {
		.type = PROTOCOL_ACK, .cookie = op->cookie,
		.result = CTIHA_ACK_ALONE,
	};
	if (op->type == PROTOCOL_HELLO) {
		/* As one of a later build may. */
		say(fd, &(struct protocol_operation){ .type = 200 });
		say(fd, &(struct protocol_operation){
			.type = PROTOCOL_WELCOME,
		});
		return;
	}
	if (op->type == PROTOCOL_GET && *(const char *)op->key == 'a')
		say(fd, &ack);
	say_record(fd, op->cookie, put ? "evil" : "good");
	say(fd, &end);
	say_record(fd, 0, "evil");
	if (put)
		say(fd, &ack);
}

static void broken_daemon(int listener)
{
	static u8 data[PROTOCOL_MESSAGE_MAX];
	struct protocol_operation op;
	struct protocol_cursor cursor;
	int fd = accept(listener, NULL, NULL);
	ssize_t len;

	while ((len = recv(fd, data, sizeof(data), 0)) > 0) {
		if (protocol_read(&cursor, data, (size_t)len))
			_exit(1);
		while (protocol_next(&cursor, &op) > 0)
			answer_badly(fd, &op);
	}
	_exit(0);
}

static pid_t start_broken_daemon(const char *path)
{
	int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	pid_t pid;

	snprintf(at.sun_path, sizeof(at.sun_path), "%.100s", path);
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) ||
	    listen(listener, 1))
		abort();
	pid = fork();
	if (!pid)
		broken_daemon(listener);
	close(listener);
	return pid;
}

/* A buffer that was lent for one answer is not written to by another. */
TEST(answer_of_the_wrong_kind_is_ignored)
{
	const struct ctiha_callbacks none = { 0 };
	char scratch[64], path[128], value[8];
	struct ctiha *h;
	pid_t daemon;

	ASSERT_TRUE(scratch_make(scratch));
	snprintf(path, sizeof(path), "%s/app.sock", scratch);
	daemon = start_broken_daemon(path);
	h = ctiha_open(path, "test", 0, &none, NULL);
	EXPECT_EQ(4, ctiha_get(h, 1, "k", 1, value, sizeof(value), 2000));
	EXPECT_EQ(0, memcmp(value, "good", 4));
	memset(value, '-', sizeof(value));
	EXPECT_EQ(CTIHA_ACK_ALONE, ctiha_put_wait(h, 1, "k", 1, "v", 1, 2000));
	EXPECT_EQ(0, memcmp(value, "--------", 8));
	/* An acknowledgement is not the length of a value. */
	EXPECT_EQ(4, ctiha_get(h, 1, "a", 1, value, sizeof(value), 2000));
	EXPECT_EQ(0, memcmp(value, "good", 4));
	ctiha_close(h);
	waitpid(daemon, NULL, 0);
	scratch_remove(scratch);
}

TEST(app_names_the_socket_it_cannot_open)
{
	const struct app_callbacks none = { on_alive, on_stopped };
	struct event_base *base = event_base_new();
	char error[256];

	EXPECT_EQ(NULL, app_open(base, "/proc/none/app.sock", NULL, &none, NULL,
				 error, sizeof(error)));
	EXPECT_NE(NULL, strstr(error, "/proc/none/app.sock"));
	EXPECT_NE(NULL, strstr(error, "directory"));
	event_base_free(base);
}

TEST_HARNESS_MAIN
