// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The applications' door into the daemon. See app.h and lib/protocol.h.
 *
 * What is to be said to a client is collected and sent once per turn of the event
 * loop, so a burst of acknowledgements is one message. What the socket does not
 * take is queued, up to QUEUE_MAX; beyond that the client is dropped.
 *
 * A dropped client stays in memory, without a socket, until the sync has
 * acknowledged its last write.
 *
 * Timer: ping (PING_NS), and the end of the time to answer it (ANSWER_NS).
 */
#include "daemon/app.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "lib/ctiha.h"
#include "lib/protocol.h"

#define CLIENTS_MAX	16
#define QUEUE_MAX	(4UL << 20)
#define MESSAGES_A_TURN	8	/* read from one client before the next */
#define PING_NS		(200 * CTIHA_NS_PER_MS)
#define ANSWER_NS	(2000 * CTIHA_NS_PER_MS)
#define LATE_NS		(500 * CTIHA_NS_PER_MS)
#define COOKIE_BIT	(1ULL << 63)
#define NO_SLOT		UINT32_MAX

static_assert(PROTOCOL_KEY_MAX == SYNC_KEY_MAX);
static_assert(PROTOCOL_VALUE_MAX == SYNC_VALUE_MAX);
static_assert((int)CTIHA_ACK_STANDBY == (int)SYNC_ACK_STANDBY);
static_assert((int)CTIHA_ACK_ALONE == (int)SYNC_ACK_ALONE);
static_assert((int)CTIHA_ACK_REFUSED == (int)SYNC_ACK_REFUSED);
static_assert((int)CTIHA_SERVER_ACTIVE == (int)CTIHA_ROLE_ACTIVE);
static_assert((int)CTIHA_SERVER_STANDBY == (int)CTIHA_ROLE_STANDBY);

/* A message that the socket did not take. */
struct waiting {
	STAILQ_ENTRY(waiting) entry;
	size_t len;
	u8 data[];
};

/**
 * struct client - a connected application
 * @fd: -1 when it was dropped
 * @out: what is to be said in this turn
 * @queue, @queued: what the socket did not take, in bytes
 * @writes: of it that the sync has not acknowledged
 * @greeted: it has said hello
 * @worker: it does the work; @told: it was told to start
 * @stopping: it was told to stop and has not confirmed
 * @answers: it answered the last ping that is due
 * @ping: cookie of the last ping; @ping_ns: when it went; @pong: it was answered
 */
struct client {
	TAILQ_ENTRY(client) entry;
	struct app *app;
	int fd;
	struct event *readable;
	struct event *writable;
	struct event *flush;
	struct protocol_message out;
	STAILQ_HEAD(waiting_list, waiting) queue;
	size_t queued;
	u32 writes;
	bool greeted;
	bool worker;
	bool told;
	bool stopping;
	bool answers;
	bool pong;
	u64 ping;
	u64 ping_ns;
};

/* A write that the sync has taken; next: of the free ones. */
struct slot {
	struct client *client;
	u64 cookie;
	u32 next;
};

TAILQ_HEAD(client_list, client);

struct app {
	struct event_base *base;
	struct sync *sync;
	struct app_callbacks callbacks;
	void *arg;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int listener;
	struct event *accept;
	struct event *tick;
	struct event *stopped;
	struct event *reap;
	u64 tick_ns;
	struct client_list clients;
	struct client_list dropped;
	unsigned int count;
	struct slot *slots;
	u32 slot_count;
	u32 slot_free;
	bool working;
	bool stopping;
	bool alive;
	u64 work_epoch;
	u8 role;
	u64 role_epoch;
	u8 input[PROTOCOL_MESSAGE_MAX];
};

/* ---- clients that go ---- */

static void check_alive(struct app *app)
{
	bool alive = app_alive(app);

	if (alive == app->alive)
		return;
	app->alive = alive;
	app->callbacks.alive_changed(app->arg, alive);
}

/* All workers have stopped: say so, from the event loop. */
static void check_stopped(struct app *app)
{
	struct client *c;

	if (!app->stopping)
		return;
	TAILQ_FOREACH(c, &app->clients, entry) {
		if (c->stopping)
			return;
	}
	app->stopping = false;
	event_active(app->stopped, 0, 0);
}

static void free_client(struct client *c)
{
	struct waiting *w;

	while ((w = STAILQ_FIRST(&c->queue))) {
		STAILQ_REMOVE_HEAD(&c->queue, entry);
		free(w);
	}
	if (c->readable)
		event_free(c->readable);
	if (c->writable)
		event_free(c->writable);
	if (c->flush)
		event_free(c->flush);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

/* The client is freed later: our callers may still hold it. */
static void drop(struct client *c, const char *why)
{
	struct app *app = c->app;

	if (c->fd < 0)
		return;
	if (why)
		log_warning("app: client disconnected: %s", why);
	event_del(c->readable);
	event_del(c->writable);
	event_del(c->flush);
	close(c->fd);
	c->fd = -1;
	TAILQ_REMOVE(&app->clients, c, entry);
	TAILQ_INSERT_TAIL(&app->dropped, c, entry);
	app->count--;
	event_active(app->reap, 0, 0);
}

static void on_reap(evutil_socket_t fd, short what, void *arg)
{
	struct app *app = arg;
	struct client *c, *next;

	(void)fd;
	(void)what;
	for (c = TAILQ_FIRST(&app->dropped); c; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->writes)
			continue;
		TAILQ_REMOVE(&app->dropped, c, entry);
		free_client(c);
	}
	check_stopped(app);
	check_alive(app);
}

static void on_stopped(evutil_socket_t fd, short what, void *arg)
{
	struct app *app = arg;

	(void)fd;
	(void)what;
	app->callbacks.stopped(app->arg);
}

/* ---- saying ---- */

static void keep_waiting(struct client *c)
{
	struct waiting *w;

	if (c->queued + c->out.len > QUEUE_MAX) {
		drop(c, "it does not read its messages");
		return;
	}
	w = malloc(sizeof(*w) + c->out.len);
	if (!w) {
		drop(c, "out of memory");
		return;
	}
	w->len = c->out.len;
	memcpy(w->data, c->out.data, w->len);
	STAILQ_INSERT_TAIL(&c->queue, w, entry);
	c->queued += w->len;
	event_add(c->writable, NULL);
}

static bool try_send(struct client *c, const void *data, size_t len)
{
	if (send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	if (errno != EAGAIN && errno != EINTR)
		drop(c, strerror(errno));
	return false;
}

static void send_out(struct client *c)
{
	if (c->fd < 0 || !c->out.len)
		return;
	if (!STAILQ_EMPTY(&c->queue) || !try_send(c, c->out.data, c->out.len)) {
		if (c->fd >= 0)
			keep_waiting(c);
	}
	c->out.len = 0;
}

static void on_flush(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	send_out(arg);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	struct waiting *w;

	(void)fd;
	(void)what;
	while ((w = STAILQ_FIRST(&c->queue))) {
		if (!try_send(c, w->data, w->len))
			break;
		STAILQ_REMOVE_HEAD(&c->queue, entry);
		c->queued -= w->len;
		free(w);
	}
	if (c->fd >= 0 && !STAILQ_EMPTY(&c->queue))
		event_add(c->writable, NULL);
}

static void say(struct client *c, const struct protocol_operation *op)
{
	if (c->fd < 0)
		return;
	if (!c->out.len)
		event_active(c->flush, 0, 0);
	if (protocol_add(&c->out, op))
		return;
	send_out(c);
	if (c->fd < 0)
		return;
	event_active(c->flush, 0, 0);
	/* Every operation fits into an empty message. */
	protocol_add(&c->out, op);
}

static void say_ack(struct client *c, u64 cookie, u8 result)
{
	say(c, &(struct protocol_operation){
		.type = PROTOCOL_ACK, .cookie = cookie, .result = result,
	});
}

static void say_role(struct client *c, u8 type)
{
	say(c, &(struct protocol_operation){
		.type = type, .role = c->app->role,
		.epoch = c->app->role_epoch,
	});
}

static void say_start(struct client *c)
{
	c->told = true;
	c->stopping = false;
	say(c, &(struct protocol_operation){
		.type = PROTOCOL_START, .epoch = c->app->work_epoch,
	});
}

/* ---- writes ---- */

static int grow_slots(struct app *app)
{
	u32 count = app->slot_count ? 2 * app->slot_count : 1024;
	struct slot *slots = realloc(app->slots, count * sizeof(*slots));
	u32 i;

	if (!slots)
		return -ENOMEM;
	app->slots = slots;
	for (i = app->slot_count; i < count; i++)
		slots[i] = (struct slot){ .next = i + 1 < count ? i + 1 :
							       NO_SLOT };
	app->slot_free = app->slot_count;
	app->slot_count = count;
	return 0;
}

/* The sync bounds the number of writes under way, so it bounds the slots too. */
static u32 take_slot(struct app *app, struct client *c, u64 cookie)
{
	u32 index = app->slot_free;

	if (index == NO_SLOT && grow_slots(app))
		return NO_SLOT;
	index = app->slot_free;
	app->slot_free = app->slots[index].next;
	app->slots[index].client = c;
	app->slots[index].cookie = cookie;
	c->writes++;
	return index;
}

static void give_slot(struct app *app, u32 index)
{
	struct client *c = app->slots[index].client;

	app->slots[index].client = NULL;
	app->slots[index].next = app->slot_free;
	app->slot_free = index;
	c->writes--;
	if (c->fd < 0 && !c->writes)
		event_active(app->reap, 0, 0);
}

bool app_acked(struct app *app, u64 cookie, enum sync_ack ack)
{
	u64 index = cookie & ~COOKIE_BIT;

	if (!(cookie & COOKIE_BIT))
		return false;
	if (index >= app->slot_count || !app->slots[index].client)
		return true;
	say_ack(app->slots[index].client, app->slots[index].cookie, (u8)ack);
	give_slot(app, (u32)index);
	return true;
}

static u8 ack_of_error(int rc)
{
	if (rc == -EAGAIN || rc == -ENOMEM)
		return CTIHA_ACK_BUSY;
	return rc == -EINVAL ? CTIHA_ACK_INVALID : CTIHA_ACK_REFUSED;
}

static void take_write(struct client *c, const struct protocol_operation *op)
{
	bool put = op->type == PROTOCOL_PUT;
	struct app *app = c->app;
	u32 slot;
	int rc;

	if (!c->worker) {
		say_ack(c, op->cookie, CTIHA_ACK_REFUSED);
		return;
	}
	slot = take_slot(app, c, op->cookie);
	if (slot == NO_SLOT) {
		say_ack(c, op->cookie, CTIHA_ACK_BUSY);
		return;
	}
	rc = sync_write(app->sync, op->content, op->key, op->key_len,
			put ? op->value : NULL, put ? op->value_len : 0,
			COOKIE_BIT | slot);
	if (!rc)
		return;
	give_slot(app, slot);
	say_ack(c, op->cookie, ack_of_error(rc));
}

/* ---- reads ---- */

struct walk {
	struct client *client;
	u64 cookie;
	u16 content;
	u32 left;
	u32 count;
	bool more;
};

static void say_end(struct client *c, u64 cookie, u8 result, u32 count,
		    bool more)
{
	say(c, &(struct protocol_operation){
		.type = PROTOCOL_END, .cookie = cookie, .result = result,
		.number = count, .flags = more ? PROTOCOL_MORE : 0,
	});
}

/* Takes records until the message is full: a part of the walk. */
static bool on_walk(void *arg, const void *key, size_t key_len,
		    const void *value, size_t value_len)
{
	struct walk *w = arg;
	const struct protocol_operation op = {
		.type = PROTOCOL_RECORD, .cookie = w->cookie,
		.content = w->content, .key = key, .key_len = key_len,
		.value = value, .value_len = value_len,
	};

	if (!w->left || !protocol_add(&w->client->out, &op)) {
		w->more = true;
		return false;
	}
	w->left--;
	w->count++;
	return true;
}

static void take_walk(struct client *c, const struct protocol_operation *op)
{
	struct walk w = {
		.client = c, .cookie = op->cookie, .content = op->content,
		.left = op->number ? op->number : UINT32_MAX,
	};
	int rc;

	/* A part fills a message of its own, and is sent at once. */
	send_out(c);
	if (c->fd < 0)
		return;
	rc = sync_walk(c->app->sync, op->content,
		       op->key_len ? op->key : NULL, op->key_len, on_walk, &w);
	say_end(c, op->cookie, rc < 0 ? CTIHA_ACK_INVALID : CTIHA_ACK_STANDBY,
		w.count, w.more);
	send_out(c);
}

static void take_get(struct client *c, const struct protocol_operation *op)
{
	u8 value[SYNC_VALUE_MAX];
	int len;

	len = sync_read(c->app->sync, op->content, op->key, op->key_len, value,
			sizeof(value));
	if (len < 0) {
		say_end(c, op->cookie, len == -ENOENT ? CTIHA_ACK_NOT_FOUND :
						CTIHA_ACK_INVALID, 0, false);
		return;
	}
	say(c, &(struct protocol_operation){
		.type = PROTOCOL_RECORD, .cookie = op->cookie,
		.content = op->content, .key = op->key,
		.key_len = op->key_len, .value = value,
		.value_len = (size_t)len,
	});
	say_end(c, op->cookie, CTIHA_ACK_STANDBY, 1, false);
}

/* ---- hearing ---- */

static void take_hello(struct client *c, const struct protocol_operation *op)
{
	struct app *app = c->app;

	if (c->greeted) {
		drop(c, "said hello twice");
		return;
	}
	c->greeted = true;
	c->worker = op->flags & PROTOCOL_WORKER;
	c->answers = true;
	c->pong = true;
	log_info("app: %s \"%.*s\" connected", c->worker ? "worker" : "reader",
		 (int)(op->value_len < 32 ? op->value_len : 32),
		 (const char *)op->value);
	say_role(c, PROTOCOL_WELCOME);
	if (c->worker && app->working)
		say_start(c);
	check_alive(app);
}

static void take_stopped(struct client *c, const struct protocol_operation *op)
{
	if (!c->stopping || op->epoch != c->app->work_epoch)
		return;
	c->stopping = false;
	check_stopped(c->app);
}

static void take_pong(struct client *c, const struct protocol_operation *op)
{
	if (op->cookie != c->ping)
		return;
	c->pong = true;
	c->answers = true;
	check_alive(c->app);
}

static void take(struct client *c, const struct protocol_operation *op)
{
	if (!c->greeted && op->type != PROTOCOL_HELLO) {
		drop(c, "did not say hello");
		return;
	}
	switch (op->type) {
	case PROTOCOL_HELLO:
		take_hello(c, op);
		break;
	case PROTOCOL_PUT:
	case PROTOCOL_DELETE:
		take_write(c, op);
		break;
	case PROTOCOL_GET:
		take_get(c, op);
		break;
	case PROTOCOL_WALK:
		take_walk(c, op);
		break;
	case PROTOCOL_STOPPED:
		take_stopped(c, op);
		break;
	case PROTOCOL_PONG:
		take_pong(c, op);
		break;
	default:
		drop(c, "unknown operation");
	}
}

static void take_message(struct client *c, size_t len)
{
	struct protocol_operation op;
	struct protocol_cursor cursor;
	int rc;

	rc = protocol_read(&cursor, c->app->input, len);
	if (rc) {
		drop(c, rc == -EPROTONOSUPPORT ?
			"other protocol version: update libctiha" :
			"not a libctiha message");
		return;
	}
	while (c->fd >= 0 && (rc = protocol_next(&cursor, &op)) > 0)
		take(c, &op);
	if (rc < 0)
		drop(c, "malformed operation");
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct client *c = arg;
	ssize_t len;
	int i;

	(void)what;
	for (i = 0; c->fd >= 0 && i < MESSAGES_A_TURN; i++) {
		len = recv(fd, c->app->input, sizeof(c->app->input),
			   MSG_DONTWAIT | MSG_TRUNC);
		if (len > (ssize_t)sizeof(c->app->input))
			drop(c, "message too long");
		else if (len > 0)
			take_message(c, (size_t)len);
		else if (!len || (errno != EAGAIN && errno != EINTR))
			drop(c, len ? strerror(errno) : NULL);
		else
			break;
	}
}

/* ---- clients that come ---- */

static struct client *make_client(struct app *app, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return NULL;
	}
	c->app = app;
	c->fd = fd;
	STAILQ_INIT(&c->queue);
	c->readable = event_new(app->base, fd, EV_READ | EV_PERSIST,
				on_readable, c);
	c->writable = event_new(app->base, fd, EV_WRITE, on_writable, c);
	c->flush = event_new(app->base, -1, 0, on_flush, c);
	if (c->readable && c->writable && c->flush &&
	    !event_add(c->readable, NULL))
		return c;
	free_client(c);
	return NULL;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct app *app = arg;
	struct client *c;
	int peer;

	(void)what;
	peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (peer < 0) {
		/* It stays readable: the tick listens again. */
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			event_del(app->accept);
		return;
	}
	if (app->count >= CLIENTS_MAX) {
		log_warning("app: more than %d clients: one turned away",
			    CLIENTS_MAX);
		close(peer);
		return;
	}
	c = make_client(app, peer);
	if (!c)
		return;
	TAILQ_INSERT_TAIL(&app->clients, c, entry);
	app->count++;
}

/* ---- time ---- */

static void ping(struct client *c, u64 now, bool late)
{
	if (late)
		c->ping_ns = now;	/* its answer may wait to be read */
	if (c->pong) {
		c->pong = false;
		c->ping_ns = now;
		say(c, &(struct protocol_operation){
			.type = PROTOCOL_PING, .cookie = ++c->ping,
		});
	} else if (now - c->ping_ns > ANSWER_NS && c->answers) {
		log_warning("app: the application does not answer");
		c->answers = false;
	}
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct app *app = arg;
	struct client *c, *next;
	u64 now = clock_now_ns();
	bool late = now - app->tick_ns > LATE_NS;

	(void)fd;
	(void)what;
	app->tick_ns = now;
	event_add(app->accept, NULL);
	for (c = TAILQ_FIRST(&app->clients); c; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->worker)
			ping(c, now, late);
	}
	check_alive(app);
}

/* ---- the daemon's side ---- */

void app_start_work(struct app *app, u64 epoch)
{
	struct client *c, *next;

	app->working = true;
	app->stopping = false;
	event_del(app->stopped);
	app->work_epoch = epoch;
	for (c = TAILQ_FIRST(&app->clients); c; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->worker)
			say_start(c);
	}
}

void app_stop_work(struct app *app)
{
	struct client *c, *next;

	app->working = false;
	for (c = TAILQ_FIRST(&app->clients); c; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (!c->told)
			continue;
		c->told = false;
		c->stopping = true;
		say(c, &(struct protocol_operation){
			.type = PROTOCOL_STOP, .epoch = app->work_epoch,
		});
	}
	app->stopping = true;
	check_stopped(app);
}

void app_role(struct app *app, u8 role, u64 epoch)
{
	struct client *c, *next;

	app->role = role;
	app->role_epoch = epoch;
	for (c = TAILQ_FIRST(&app->clients); c; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->greeted)
			say_role(c, PROTOCOL_ROLE);
	}
}

bool app_alive(const struct app *app)
{
	const struct client *c;

	TAILQ_FOREACH(c, &app->clients, entry) {
		if (c->worker && c->answers)
			return true;
	}
	return false;
}

unsigned int app_clients(const struct app *app)
{
	return app->count;
}

unsigned int app_workers(const struct app *app)
{
	const struct client *c;
	unsigned int workers = 0;

	TAILQ_FOREACH(c, &app->clients, entry)
		workers += c->worker;
	return workers;
}

/* ---- opening ---- */

static int bind_path(struct app *app)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat st;
	mode_t mask;
	int rc;

	strcpy(at.sun_path, app->path);
	/* The store is locked by now, so a socket here is a dead daemon's. */
	if (!lstat(app->path, &st) && S_ISSOCK(st.st_mode))
		unlink(app->path);
	mask = umask(0117);
	rc = bind(app->listener, (struct sockaddr *)&at, sizeof(at));
	umask(mask);
	return rc ? -errno : 0;
}

static int open_listener(struct app *app)
{
	int rc;

	app->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK |
			       SOCK_CLOEXEC, 0);
	if (app->listener < 0)
		return -errno;
	rc = bind_path(app);
	if (rc) {
		/* What stands there is not ours to remove. */
		close(app->listener);
		app->listener = -1;
		return rc;
	}
	return listen(app->listener, CLIENTS_MAX) ? -errno : 0;
}

static int open_events(struct app *app)
{
	const struct timeval interval = {
		.tv_usec = PING_NS / CTIHA_NS_PER_US,
	};

	app->accept = event_new(app->base, app->listener, EV_READ | EV_PERSIST,
				on_accept, app);
	app->tick = event_new(app->base, -1, EV_PERSIST, on_tick, app);
	app->stopped = event_new(app->base, -1, 0, on_stopped, app);
	app->reap = event_new(app->base, -1, 0, on_reap, app);
	if (!app->accept || !app->tick || !app->stopped || !app->reap ||
	    event_add(app->accept, NULL) || event_add(app->tick, &interval))
		return -ENOMEM;
	return 0;
}

struct app *app_open(struct event_base *base, const char *path,
		     struct sync *sync, const struct app_callbacks *callbacks,
		     void *arg, char *error, size_t error_size)
{
	struct app *app = calloc(1, sizeof(*app));
	int rc = -ENAMETOOLONG;

	if (!app) {
		snprintf(error, error_size, "app: out of memory");
		return NULL;
	}
	app->base = base;
	app->sync = sync;
	app->callbacks = *callbacks;
	app->arg = arg;
	app->listener = -1;
	app->slot_free = NO_SLOT;
	app->tick_ns = clock_now_ns();
	TAILQ_INIT(&app->clients);
	TAILQ_INIT(&app->dropped);
	if (snprintf(app->path, sizeof(app->path), "%s", path) <
	    (int)sizeof(app->path))
		rc = open_listener(app);
	if (!rc)
		rc = open_events(app);
	if (!rc)
		return app;
	snprintf(error, error_size,
		 "application socket %s: %s; check that its directory exists and may be written",
		 path, strerror(-rc));
	app_close(app);
	return NULL;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

void app_close(struct app *app)
{
	struct client *c;

	if (!app)
		return;
	while ((c = TAILQ_FIRST(&app->clients)) ||
	       (c = TAILQ_FIRST(&app->dropped))) {
		TAILQ_REMOVE(c->fd >= 0 ? &app->clients : &app->dropped, c,
			     entry);
		free_client(c);
	}
	free_event(app->accept);
	free_event(app->tick);
	free_event(app->stopped);
	free_event(app->reap);
	if (app->listener >= 0) {
		close(app->listener);
		unlink(app->path);
	}
	free(app->slots);
	free(app);
}
