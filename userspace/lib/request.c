// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Functions with a time limit: a request, and the wait for its answer. See
 * ctiha.h. A handle has one at a time, as none may be called from a callback.
 */
#include "lib/internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

/* ---- answers ---- */

/* Of the kind that was asked for, too: only a read has lent us its buffer. */
static bool awaited(const struct request *r,
		    const struct protocol_operation *op)
{
	bool read = op->type != PROTOCOL_ACK;

	return r->cookie && op->cookie == r->cookie && !r->done &&
	       read == r->read;
}

void ctiha_request_acked(struct ctiha *h, const struct protocol_operation *op)
{
	if (!awaited(&h->request, op))
		return;
	h->request.done = true;
	h->request.result = op->result;
}

void ctiha_request_record(struct ctiha *h, const struct protocol_operation *op)
{
	struct request *r = &h->request;
	bool before = h->calling;

	if (!awaited(r, op))
		return;
	if (!r->visit) {
		r->len = op->value_len;
		if (r->len <= r->size)
			memcpy(r->value, op->value, r->len);
		return;
	}
	memcpy(r->last, op->key, op->key_len);
	r->last_len = op->key_len;
	if (r->stopped)
		return;
	r->visited++;
	h->calling = true;
	r->stopped = !r->visit(r->arg, op->key, op->key_len, op->value,
			       op->value_len);
	h->calling = before;
}

void ctiha_request_end(struct ctiha *h, const struct protocol_operation *op)
{
	struct request *r = &h->request;

	if (!awaited(r, op))
		return;
	r->done = true;
	r->more = op->flags & PROTOCOL_MORE;
	if (op->result == CTIHA_ACK_NOT_FOUND)
		r->result = -ENOENT;
	else
		r->result = op->result == CTIHA_ACK_STANDBY ? 0 : -EINVAL;
}

void ctiha_request_lost(struct ctiha *h)
{
	if (!h->request.cookie || h->request.done)
		return;
	h->request.done = true;
	h->request.result = -ENOTCONN;
}

/* ---- asking ---- */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Until @done, or the time is over. */
static int wait_for(struct ctiha *h, const bool *done, int timeout_ms)
{
	struct pollfd poll_for = { .fd = h->channel.epoll, .events = POLLIN };
	int64_t end = now_ms() + timeout_ms;
	int64_t left = timeout_ms;

	ctiha_turn(h);
	while (!*done) {
		if (timeout_ms >= 0) {
			left = end - now_ms();
			if (left <= 0)
				return -ETIMEDOUT;
		}
		if (poll(&poll_for, 1, timeout_ms < 0 ? -1 : (int)left) < 0 &&
		    errno != EINTR)
			return -errno;
		ctiha_turn(h);
	}
	return 0;
}

/* Sends a request and waits for its answer. Return: its result, or -errno. */
static int ask(struct ctiha *h, struct protocol_operation *op, int timeout_ms)
{
	int rc;

	if (h->calling)
		return -EDEADLK;
	if (!h->welcome) {
		rc = wait_for(h, &h->welcome, timeout_ms);
		if (rc)
			return -ENOTCONN;
	}
	op->cookie = REQUEST_BIT | ++h->serial;
	h->request.cookie = op->cookie;
	h->request.read = op->type == PROTOCOL_GET || op->type == PROTOCOL_WALK;
	h->request.done = false;
	rc = ctiha_channel_say(&h->channel, op);
	if (!rc)
		rc = wait_for(h, &h->request.done, timeout_ms);
	h->request.cookie = 0;
	return rc ? rc : h->request.result;
}

static int write_wait(struct ctiha *h, struct protocol_operation *op,
		      int timeout_ms)
{
	if (!ctiha_valid(op))
		return -EINVAL;
	return ask(h, op, timeout_ms);
}

int ctiha_put_wait(struct ctiha *h, uint16_t content, const void *key,
		   size_t key_len, const void *value, size_t value_len,
		   int timeout_ms)
{
	struct protocol_operation op = {
		.type = PROTOCOL_PUT, .content = content,
		.key = key, .key_len = key_len,
		.value = value, .value_len = value_len,
	};

	return write_wait(h, &op, timeout_ms);
}

int ctiha_delete_wait(struct ctiha *h, uint16_t content, const void *key,
		      size_t key_len, int timeout_ms)
{
	struct protocol_operation op = {
		.type = PROTOCOL_DELETE, .content = content,
		.key = key, .key_len = key_len,
	};

	return write_wait(h, &op, timeout_ms);
}

int ctiha_get(struct ctiha *h, uint16_t content, const void *key,
	      size_t key_len, void *value, size_t value_size, int timeout_ms)
{
	struct protocol_operation op = {
		.type = PROTOCOL_GET, .content = content,
		.key = key, .key_len = key_len,
	};
	int rc;

	if (!ctiha_valid(&op))
		return -EINVAL;
	if (h->calling)
		return -EDEADLK;
	memset(&h->request, 0, sizeof(h->request));
	h->request.value = value;
	h->request.size = value_size;
	rc = ask(h, &op, timeout_ms);
	if (rc)
		return rc;
	return h->request.len > value_size ? -ENOSPC : (int)h->request.len;
}

int ctiha_walk(struct ctiha *h, uint16_t content, const void *after,
	       size_t after_len, unsigned int limit,
	       bool (*visit)(void *arg, const void *key, size_t key_len,
			     const void *value, size_t value_len),
	       void *arg, int timeout_ms)
{
	struct protocol_operation op = {
		.type = PROTOCOL_WALK, .content = content,
	};
	struct request *r = &h->request;
	int rc;

	if (after_len > PROTOCOL_KEY_MAX || (after_len && !after))
		return -EINVAL;
	if (h->calling)
		return -EDEADLK;
	memset(r, 0, sizeof(*r));
	r->visit = visit;
	r->arg = arg;
	r->last_len = after_len;
	if (after_len)
		memcpy(r->last, after, after_len);
	do {
		op.key = r->last;
		op.key_len = r->last_len;
		op.number = limit ? limit - r->visited : 0;
		rc = ask(h, &op, timeout_ms);
	} while (!rc && r->more && !r->stopped &&
		 (!limit || r->visited < limit));
	r->visit = NULL;
	return rc ? rc : (int)r->visited;
}
