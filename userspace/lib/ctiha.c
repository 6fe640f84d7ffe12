// SPDX-License-Identifier: LGPL-2.1-or-later
/* The handle of libctiha. See ctiha.h, and internal.h for its other files. */
#include "lib/internal.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES_A_TURN	16

static_assert(CTIHA_MAX_KEY == PROTOCOL_KEY_MAX, "same limits");
static_assert(CTIHA_MAX_VALUE == PROTOCOL_VALUE_MAX, "same limits");

/* ---- callbacks ---- */

static void call_work(struct ctiha *h, void (*work)(void *arg, uint64_t epoch))
{
	bool before = h->calling;

	if (!work)
		return;
	h->calling = true;
	work(h->arg, h->epoch);
	h->calling = before;
}

static void call_role(struct ctiha *h, const struct protocol_operation *op)
{
	bool before = h->calling;

	if (!h->callbacks.role)
		return;
	h->calling = true;
	h->callbacks.role(h->arg, op->role, op->epoch);
	h->calling = before;
}

/* There is a standby in sync, or there is none: tell, if that is new. */
static void note_standby(struct ctiha *h, bool in_sync)
{
	bool before = h->calling;

	if (h->in_sync == in_sync)
		return;
	h->in_sync = in_sync;
	if (!h->standby)
		return;
	h->calling = true;
	h->standby(h->arg, in_sync);
	h->calling = before;
}

/* ---- hearing ---- */

static void take_ack(struct ctiha *h, const struct protocol_operation *op)
{
	if (op->cookie & REQUEST_BIT)
		ctiha_request_acked(h, op);
	else
		ctiha_write_acked(h, op);
}

static void take_start(struct ctiha *h, const struct protocol_operation *op)
{
	h->working = true;
	h->stopping = false;
	h->epoch = op->epoch;
	call_work(h, h->callbacks.start_work);
}

static void take_stop(struct ctiha *h, const struct protocol_operation *op)
{
	if (!h->working)
		return;
	h->working = false;
	h->stopping = true;
	h->epoch = op->epoch;
	call_work(h, h->callbacks.stop_work);
}

static void take(struct ctiha *h, const struct protocol_operation *op)
{
	switch (op->type) {
	case PROTOCOL_WELCOME:
		h->welcome = true;
		call_role(h, op);
		break;
	case PROTOCOL_ROLE:
		call_role(h, op);
		break;
	case PROTOCOL_ACK:
		take_ack(h, op);
		break;
	case PROTOCOL_RECORD:
		ctiha_request_record(h, op);
		break;
	case PROTOCOL_END:
		ctiha_request_end(h, op);
		break;
	case PROTOCOL_START:
		take_start(h, op);
		break;
	case PROTOCOL_STOP:
		take_stop(h, op);
		break;
	case PROTOCOL_PING:
		ctiha_channel_say(&h->channel, &(struct protocol_operation){
			.type = PROTOCOL_PONG, .cookie = op->cookie,
		});
		break;
	case PROTOCOL_STANDBY:
		note_standby(h, op->flags & PROTOCOL_IN_SYNC);
		break;
	}
}

static void take_message(struct ctiha *h, size_t len)
{
	struct protocol_operation op;
	struct protocol_cursor cursor;
	int rc;

	rc = protocol_read(&cursor, h->input, len);
	while (!rc && (rc = protocol_next(&cursor, &op)) > 0) {
		take(h, &op);
		rc = 0;
	}
	if (rc < 0)
		ctiha_channel_break(&h->channel);
}

static void receive(struct ctiha *h)
{
	size_t len;
	int i;

	for (i = 0; i < MESSAGES_A_TURN; i++) {
		len = ctiha_channel_receive(&h->channel, h->input,
					    sizeof(h->input));
		if (!len)
			break;
		take_message(h, len);
	}
}

/* ---- turns ---- */

static void connect_daemon(struct ctiha *h)
{
	bool worker = h->flags & CTIHA_WORKER, async = h->flags & CTIHA_ASYNC;

	if (!ctiha_channel_connect(&h->channel))
		return;
	ctiha_channel_say(&h->channel, &(struct protocol_operation){
		.type = PROTOCOL_HELLO,
		.flags = (worker ? PROTOCOL_WORKER : 0) |
			 (async ? PROTOCOL_ASYNC : 0),
		.value = h->name, .value_len = strlen(h->name),
	});
	ctiha_channel_send(&h->channel);
}

static void disconnect(struct ctiha *h)
{
	bool was_working = h->working;

	ctiha_channel_close(&h->channel);
	h->welcome = false;
	h->working = false;
	h->stopping = false;
	ctiha_request_lost(h);
	ctiha_write_lost(h);
	note_standby(h, false);
	/* Without its daemon nobody keeps this server from being replaced. */
	if (was_working)
		call_work(h, h->callbacks.stop_work);
}

int ctiha_turn(struct ctiha *h)
{
	if (h->channel.fd < 0)
		connect_daemon(h);
	if (h->channel.fd >= 0) {
		ctiha_channel_resume(&h->channel);
		receive(h);
		ctiha_channel_send(&h->channel);
	}
	if (h->channel.broken)
		disconnect(h);
	return h->channel.fd >= 0 ? 0 : -ENOTCONN;
}

/* ---- the handle ---- */

struct ctiha *ctiha_open(const char *path, const char *name, unsigned int flags,
			 const struct ctiha_callbacks *callbacks, void *arg)
{
	struct ctiha *h = calloc(1, sizeof(*h));
	int rc;

	if (!h)
		return NULL;
	h->flags = flags;
	h->callbacks = *callbacks;
	h->arg = arg;
	ctiha_write_init(&h->writes);
	snprintf(h->name, sizeof(h->name), "%s", name);
	rc = ctiha_channel_open(&h->channel, path ? path :
						    CTIHA_DEFAULT_SOCKET);
	if (!rc)
		return h;
	ctiha_close(h);
	errno = -rc;
	return NULL;
}

void ctiha_close(struct ctiha *h)
{
	if (!h)
		return;
	ctiha_channel_free(&h->channel);
	ctiha_write_free(&h->writes);
	free(h);
}

int ctiha_fd(const struct ctiha *h)
{
	return h->channel.epoll;
}

bool ctiha_connected(const struct ctiha *h)
{
	return h->welcome;
}

bool ctiha_working(const struct ctiha *h)
{
	return h->working;
}

void ctiha_on_standby(struct ctiha *h, void (*standby)(void *arg, bool in_sync))
{
	h->standby = standby;
}

bool ctiha_protected(const struct ctiha *h)
{
	return h->in_sync;
}

int ctiha_dispatch(struct ctiha *h)
{
	if (h->calling)
		return -EDEADLK;
	return ctiha_turn(h);
}

int ctiha_flush(struct ctiha *h)
{
	if (h->channel.fd >= 0)
		ctiha_channel_send(&h->channel);
	return h->channel.fd >= 0 ? 0 : -ENOTCONN;
}

int ctiha_stopped(struct ctiha *h)
{
	int rc;

	if (h->channel.fd < 0)
		return -ENOTCONN;
	if (!h->stopping)
		return -EALREADY;
	h->stopping = false;
	rc = ctiha_channel_say(&h->channel, &(struct protocol_operation){
		.type = PROTOCOL_STOPPED, .epoch = h->epoch,
	});
	return rc ? rc : ctiha_flush(h);
}

bool ctiha_valid(const struct protocol_operation *op)
{
	return op->key && op->key_len && op->key_len <= PROTOCOL_KEY_MAX &&
	       op->value_len <= PROTOCOL_VALUE_MAX &&
	       (op->value || !op->value_len);
}
