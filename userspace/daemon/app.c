// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The applications' door into the daemon. See app.h, and app_internal.h for its
 * other files.
 *
 * A dropped client stays in memory, without a socket, until the sync has
 * acknowledged its last write.
 *
 * Timers: ping (PING_NS), and the end of the time to answer it (ANSWER_NS in
 * app_client.c); when clients that are paused are read again (PAUSE_NS).
 */
#include "daemon/app_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "lib/ctiha.h"

#define CLIENTS_MAX	16
#define PING_NS		(200 * CTIHA_NS_PER_MS)
#define LATE_NS		(500 * CTIHA_NS_PER_MS)
#define PAUSE_NS	CTIHA_NS_PER_MS

static_assert((int)CTIHA_SERVER_ACTIVE == (int)CTIHA_ROLE_ACTIVE);
static_assert((int)CTIHA_SERVER_STANDBY == (int)CTIHA_ROLE_STANDBY);

/* ---- who is alive, who has stopped ---- */

void app_check_alive(struct app *app)
{
	bool alive = app_alive(app);

	if (alive == app->alive)
		return;
	app->alive = alive;
	app->callbacks.alive_changed(app->arg, alive);
}

/* All workers have stopped: say so, from the event loop. */
void app_check_stopped(struct app *app)
{
	struct app_client *c;

	if (!app->stopping)
		return;
	TAILQ_FOREACH(c, &app->clients, entry) {
		if (c->stopping)
			return;
	}
	app->stopping = false;
	event_active(app->stopped, 0, 0);
}

/* ---- clients that go ---- */

void app_reap(struct app *app)
{
	event_active(app->reap, 0, 0);
}

/* The client is freed later: our callers may still hold it. */
void app_dropped(struct app_client *c)
{
	struct app *app = c->app;

	TAILQ_REMOVE(&app->clients, c, entry);
	TAILQ_INSERT_TAIL(&app->dropped, c, entry);
	app->count--;
	app_reap(app);
}

static void on_reap(evutil_socket_t fd, short what, void *arg)
{
	struct app *app = arg;
	struct app_client *c, *next;

	(void)fd;
	(void)what;
	for (c = TAILQ_FIRST(&app->dropped); c; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->writes)
			continue;
		TAILQ_REMOVE(&app->dropped, c, entry);
		app_client_free(c);
	}
	app_check_stopped(app);
	app_check_alive(app);
}

static void on_stopped(evutil_socket_t fd, short what, void *arg)
{
	struct app *app = arg;

	(void)fd;
	(void)what;
	app->callbacks.stopped(app->arg);
}

/* ---- clients that come ---- */

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct app *app = arg;
	struct app_client *c;
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
	c = app_client_make(app, peer);
	if (!c)
		return;
	TAILQ_INSERT_TAIL(&app->clients, c, entry);
	app->count++;
}

/* ---- time ---- */

/* All that are paused are read at once: what they ask is committed together. */
void app_pause(struct app_client *c)
{
	static const struct timeval pause = {
		.tv_usec = PAUSE_NS / CTIHA_NS_PER_US,
	};

	event_del(c->readable);
	c->paused = true;
	if (!event_pending(c->app->resume, EV_TIMEOUT, NULL))
		event_add(c->app->resume, &pause);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct app *app = arg;
	struct app_client *c;

	(void)fd;
	(void)what;
	TAILQ_FOREACH(c, &app->clients, entry)
		app_client_resume(c);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct app *app = arg;
	struct app_client *c, *next;
	u64 now = clock_now_ns();
	bool late = now - app->tick_ns > LATE_NS;

	(void)fd;
	(void)what;
	app->tick_ns = now;
	event_add(app->accept, NULL);
	for (c = TAILQ_FIRST(&app->clients); c; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->worker)
			app_client_ping(c, now, late);
	}
	app_check_alive(app);
}

/* ---- the daemon's side ---- */

void app_start_work(struct app *app, u64 epoch)
{
	struct app_client *c, *next;

	app->working = true;
	app->stopping = false;
	event_del(app->stopped);
	app->work_epoch = epoch;
	for (c = TAILQ_FIRST(&app->clients); c; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->worker)
			app_client_start(c);
	}
}

void app_stop_work(struct app *app)
{
	struct app_client *c, *next;

	app->working = false;
	for (c = TAILQ_FIRST(&app->clients); c; c = next) {
		next = TAILQ_NEXT(c, entry);
		app_client_stop(c);
	}
	app->stopping = true;
	app_check_stopped(app);
}

void app_role(struct app *app, u8 role, u64 epoch)
{
	struct app_client *c, *next;

	app->role = role;
	app->role_epoch = epoch;
	for (c = TAILQ_FIRST(&app->clients); c; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->greeted)
			app_client_role(c, PROTOCOL_ROLE);
	}
}

void app_standby(struct app *app, bool in_sync)
{
	struct app_client *c, *next;

	if (in_sync == app->in_sync)
		return;
	app->in_sync = in_sync;
	for (c = TAILQ_FIRST(&app->clients); c; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->greeted)
			app_client_standby(c);
	}
}

bool app_alive(const struct app *app)
{
	const struct app_client *c;

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
	const struct app_client *c;
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
	app->resume = event_new(app->base, -1, 0, on_resume, app);
	if (!app->accept || !app->tick || !app->stopped || !app->reap ||
	    !app->resume || event_add(app->accept, NULL) || event_add(app->tick, &interval))
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
	app_write_init(&app->writes);
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
	struct app_client *c;

	if (!app)
		return;
	while ((c = TAILQ_FIRST(&app->clients)) ||
	       (c = TAILQ_FIRST(&app->dropped))) {
		TAILQ_REMOVE(c->fd >= 0 ? &app->clients : &app->dropped, c,
			     entry);
		app_client_free(c);
	}
	free_event(app->accept);
	free_event(app->tick);
	free_event(app->stopped);
	free_event(app->reap);
	free_event(app->resume);
	if (app->listener >= 0) {
		close(app->listener);
		unlink(app->path);
	}
	app_write_free(&app->writes);
	free(app);
}
