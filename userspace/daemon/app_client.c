// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An application's connection. See app_internal.h.
 *
 * What is to be said to a client is collected and sent once per turn of the event
 * loop, so a burst of acknowledgements is one message. What the socket does not
 * take is queued, up to QUEUE_MAX; beyond that the client is dropped.
 *
 * A client with several writes under way does not wait for each of them. It is read
 * again after a moment (app_pause()), so that what it asks meanwhile gathers: to
 * wake up, a commit, a packet and an acknowledgement cost as much for one as for many.
 */
#include "daemon/app_internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/log.h"

#define QUEUE_MAX	(4UL << 20)
#define ANSWER_NS	(2000 * CTIHA_NS_PER_MS)
#define WRITES_SEVERAL	4

/* A message that the socket did not take. */
struct app_waiting {
	STAILQ_ENTRY(app_waiting) entry;
	size_t len;
	u8 data[];
};

/* ---- going ---- */

void app_client_drop(struct app_client *c, const char *why)
{
	if (c->fd < 0)
		return;
	if (why)
		log_warning("app: client disconnected: %s", why);
	event_del(c->readable);
	event_del(c->writable);
	event_del(c->flush);
	close(c->fd);
	c->fd = -1;
	app_dropped(c);
}

void app_client_free(struct app_client *c)
{
	struct app_waiting *w;

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

/* ---- saying ---- */

static void keep_waiting(struct app_client *c)
{
	struct app_waiting *w;

	if (c->queued + c->out.len > QUEUE_MAX) {
		app_client_drop(c, "it does not read its messages");
		return;
	}
	w = malloc(sizeof(*w) + c->out.len);
	if (!w) {
		app_client_drop(c, "out of memory");
		return;
	}
	w->len = c->out.len;
	memcpy(w->data, c->out.data, w->len);
	STAILQ_INSERT_TAIL(&c->queue, w, entry);
	c->queued += w->len;
	event_add(c->writable, NULL);
}

static bool try_send(struct app_client *c, const void *data, size_t len)
{
	if (send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return true;
	if (errno != EAGAIN && errno != EINTR)
		app_client_drop(c, strerror(errno));
	return false;
}

void app_client_send(struct app_client *c)
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
	app_client_send(arg);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct app_client *c = arg;
	struct app_waiting *w;

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

void app_client_say(struct app_client *c, const struct protocol_operation *op)
{
	if (c->fd < 0)
		return;
	if (!c->out.len)
		event_active(c->flush, 0, 0);
	if (protocol_add(&c->out, op))
		return;
	app_client_send(c);
	if (c->fd < 0)
		return;
	event_active(c->flush, 0, 0);
	/* Every operation fits into an empty message. */
	protocol_add(&c->out, op);
}

/* ---- what there is to say ---- */

void app_client_role(struct app_client *c, u8 type)
{
	app_client_say(c, &(struct protocol_operation){
		.type = type, .role = c->app->role,
		.epoch = c->app->role_epoch,
	});
}

void app_client_standby(struct app_client *c)
{
	app_client_say(c, &(struct protocol_operation){
		.type = PROTOCOL_STANDBY,
		.flags = c->app->in_sync ? PROTOCOL_IN_SYNC : 0,
	});
}

void app_client_start(struct app_client *c)
{
	c->told = true;
	c->stopping = false;
	app_client_say(c, &(struct protocol_operation){
		.type = PROTOCOL_START, .epoch = c->app->work_epoch,
	});
}

void app_client_stop(struct app_client *c)
{
	if (!c->told)
		return;
	c->told = false;
	c->stopping = true;
	app_client_say(c, &(struct protocol_operation){
		.type = PROTOCOL_STOP, .epoch = c->app->work_epoch,
	});
}

void app_client_ping(struct app_client *c, u64 now_ns, bool late)
{
	if (late)
		c->ping_ns = now_ns;	/* its answer may wait to be read */
	if (c->pong) {
		c->pong = false;
		c->ping_ns = now_ns;
		app_client_say(c, &(struct protocol_operation){
			.type = PROTOCOL_PING, .cookie = ++c->ping,
		});
	} else if (now_ns - c->ping_ns > ANSWER_NS && c->answers) {
		log_warning("app: the application does not answer");
		c->answers = false;
	}
}

/* ---- hearing ---- */

static void take_message(struct app_client *c, const void *data, size_t len)
{
	struct protocol_operation op;
	struct protocol_cursor cursor;
	int rc;

	rc = protocol_read(&cursor, data, len);
	if (rc) {
		app_client_drop(c, rc == -EPROTONOSUPPORT ?
			"other protocol version: update libctiha" :
			"not a libctiha message");
		return;
	}
	while (c->fd >= 0 && (rc = protocol_next(&cursor, &op)) > 0)
		app_request_take(c, &op);
	if (rc < 0)
		app_client_drop(c, "malformed operation");
}

/* Up to APP_INPUTS messages; the other clients come before the next ones. */
static int receive(struct app *app, int fd, struct mmsghdr messages[APP_INPUTS])
{
	struct iovec room[APP_INPUTS];
	int i;

	for (i = 0; i < APP_INPUTS; i++) {
		room[i] = (struct iovec){ app->input[i], sizeof(app->input[i]) };
		messages[i].msg_hdr = (struct msghdr){
			.msg_iov = &room[i], .msg_iovlen = 1,
		};
	}
	return recvmmsg(fd, messages, APP_INPUTS, MSG_DONTWAIT, NULL);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct mmsghdr messages[APP_INPUTS];
	struct app_client *c = arg;
	int i, count = receive(c->app, fd, messages);

	(void)what;
	if (count < 0 && errno != EAGAIN && errno != EINTR)
		app_client_drop(c, strerror(errno));
	for (i = 0; c->fd >= 0 && i < count; i++) {
		if (messages[i].msg_hdr.msg_flags & MSG_TRUNC)
			app_client_drop(c, "message too long");
		else if (!messages[i].msg_len)
			app_client_drop(c, NULL);
		else
			take_message(c, c->app->input[i], messages[i].msg_len);
	}
	if (c->fd >= 0 && count < APP_INPUTS && c->writes >= WRITES_SEVERAL)
		app_pause(c);
}

void app_client_resume(struct app_client *c)
{
	if (c->paused)
		event_add(c->readable, NULL);
	c->paused = false;
}

/* ---- coming ---- */

struct app_client *app_client_make(struct app *app, int fd)
{
	struct app_client *c = calloc(1, sizeof(*c));

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
	app_client_free(c);
	return NULL;
}
