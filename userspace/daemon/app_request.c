// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What applications ask and answer, operation by operation. See app_internal.h
 * and lib/protocol.h.
 */
#include "daemon/app_internal.h"

#include "common/log.h"
#include "lib/ctiha.h"

static_assert(PROTOCOL_KEY_MAX == SYNC_KEY_MAX);
static_assert(PROTOCOL_VALUE_MAX == SYNC_VALUE_MAX);
static_assert((int)CTIHA_CONTENT_CALL == (int)SYNC_CONTENT_CALL);
static_assert((int)CTIHA_CONTENT_AGENT == (int)SYNC_CONTENT_AGENT);
static_assert((int)CTIHA_CONTENT_ROUTE == (int)SYNC_CONTENT_ROUTE);
static_assert((int)CTIHA_CONTENT_SERVER == (int)SYNC_CONTENT_SERVER);
static_assert((int)CTIHA_CONTENT_APPLICATION == (int)SYNC_CONTENT_APPLICATION);
static_assert((int)CTIHA_CONTENT_CALL_STATE == (int)SYNC_CONTENT_CALL_STATE);

/* ---- reads ---- */

struct walk {
	struct app_client *client;
	u64 cookie;
	u16 content;
	u32 left;
	u32 count;
	bool more;
};

static void say_end(struct app_client *c, u64 cookie, u8 result, u32 count,
		    bool more)
{
	app_client_say(c, &(struct protocol_operation){
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

static void take_walk(struct app_client *c, const struct protocol_operation *op)
{
	struct walk w = {
		.client = c, .cookie = op->cookie, .content = op->content,
		.left = op->number ? op->number : UINT32_MAX,
	};
	int rc;

	/* A part fills a message of its own, and is sent at once. */
	app_client_send(c);
	if (c->fd < 0)
		return;
	rc = sync_walk(c->app->sync, op->content,
		       op->key_len ? op->key : NULL, op->key_len, on_walk, &w);
	say_end(c, op->cookie, rc < 0 ? CTIHA_ACK_INVALID : CTIHA_ACK_STANDBY,
		w.count, w.more);
	app_client_send(c);
}

static void take_get(struct app_client *c, const struct protocol_operation *op)
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
	app_client_say(c, &(struct protocol_operation){
		.type = PROTOCOL_RECORD, .cookie = op->cookie,
		.content = op->content, .key = op->key,
		.key_len = op->key_len, .value = value,
		.value_len = (size_t)len,
	});
	say_end(c, op->cookie, CTIHA_ACK_STANDBY, 1, false);
}

/* ---- its work and its life ---- */

static void take_hello(struct app_client *c,
		       const struct protocol_operation *op)
{
	struct app *app = c->app;

	if (c->greeted) {
		app_client_drop(c, "said hello twice");
		return;
	}
	c->greeted = true;
	c->worker = op->flags & PROTOCOL_WORKER;
	c->async = op->flags & PROTOCOL_ASYNC;
	c->answers = true;
	c->pong = true;
	log_info("app: %s \"%.*s\" connected", c->worker ? "worker" : "reader",
		 (int)(op->value_len < 32 ? op->value_len : 32),
		 (const char *)op->value);
	app_client_role(c, PROTOCOL_WELCOME);
	app_client_standby(c);
	if (c->worker && app->working)
		app_client_start(c);
	app_check_alive(app);
}

static void take_stopped(struct app_client *c,
			 const struct protocol_operation *op)
{
	if (!c->stopping || op->epoch != c->app->work_epoch)
		return;
	c->stopping = false;
	app_check_stopped(c->app);
}

static void take_pong(struct app_client *c, const struct protocol_operation *op)
{
	if (op->cookie != c->ping)
		return;
	c->pong = true;
	c->answers = true;
	app_check_alive(c->app);
}

void app_request_take(struct app_client *c, const struct protocol_operation *op)
{
	if (!c->greeted && op->type != PROTOCOL_HELLO) {
		app_client_drop(c, "did not say hello");
		return;
	}
	switch (op->type) {
	case PROTOCOL_HELLO:
		take_hello(c, op);
		break;
	case PROTOCOL_PUT:
	case PROTOCOL_DELETE:
		app_write_take(c, op);
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
		app_client_drop(c, "unknown operation");
	}
}
