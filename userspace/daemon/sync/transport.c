// SPDX-License-Identifier: GPL-2.0-or-later
/* Bytes over one TCP socket. See transport.h. */
#include "daemon/sync/transport.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>

#define FIRST_LEN	4
#define EVENT_READ	4096		/* libevent 2.1 reads no more at once */
#define READ_SIZE	(64U << 10)
#define READ_ENOUGH	(256U << 10)	/* in a turn */
#define WRITE_SIZE	(256U << 10)

static void count(struct evbuffer *buffer, const struct evbuffer_cb_info *info,
		  void *arg)
{
	u64 *total = arg;

	(void)buffer;
	*total += info->n_added;
}

bool transport_open(struct transport *t, struct transport_shared *shared,
		    struct event_base *base, int fd)
{
	memset(t, 0, sizeof(*t));
	t->shared = shared;
	t->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!t->bev) {
		close(fd);
		return false;
	}
	bufferevent_set_max_single_write(t->bev, WRITE_SIZE);
	evbuffer_add_cb(bufferevent_get_input(t->bev), count,
			&shared->rx_bytes);
	evbuffer_add_cb(bufferevent_get_output(t->bev), count,
			&shared->tx_bytes);
	return true;
}

/* A refused peer should learn why: its operator may sit at the other end. */
static void say_last_word(struct transport *t)
{
	struct evbuffer *output = bufferevent_get_output(t->bev);

	evbuffer_unfreeze(output, 1);
	(void)evbuffer_write(output, bufferevent_getfd(t->bev));
}

void transport_close(struct transport *t)
{
	if (t->tls)
		say_last_word(t);
	tls_free(t->tls);
	if (t->plain)
		evbuffer_free(t->plain);
	bufferevent_free(t->bev);
}

void transport_break(struct transport *t)
{
	(void)shutdown(bufferevent_getfd(t->bev), SHUT_RD);
}

bool transport_start(struct transport *t, enum tls_role role)
{
	if (t->shared->insecure)
		return true;
	t->plain = evbuffer_new();
	if (t->plain)
		t->tls = tls_new(role, &t->shared->keys,
				 bufferevent_get_input(t->bev),
				 bufferevent_get_output(t->bev));
	return t->tls;
}

bool transport_ready(const struct transport *t)
{
	return t->tls ? tls_ready(t->tls) : t->shared->insecure;
}

/*
 * One server with TLS and one without: the first bytes tell. A packet's magic, and
 * what a TLS handshake begins with (RFC 8446, 5.1).
 */
static const char *mismatch(const struct transport *t, const u8 first[FIRST_LEN])
{
	if (t->tls && !memcmp(first, "CTIS", FIRST_LEN))
		return "the peer uses no TLS: it is older, or has `insecure = yes`; remove that, or add it here";
	if (!t->tls && first[0] == 0x16 && first[1] == 3)
		return "the peer uses TLS: remove `insecure = yes` here, or add it there";
	return NULL;
}

/* Waits for the first bytes; nothing is shorter. */
static bool check_first(struct transport *t, struct evbuffer *input,
			const char **why)
{
	u8 first[FIRST_LEN];

	if (t->heard)
		return true;
	if (evbuffer_copyout(input, first, FIRST_LEN) < FIRST_LEN)
		return false;
	t->heard = true;
	*why = mismatch(t, first);
	if (*why)
		evbuffer_drain(input, evbuffer_get_length(input));
	return !*why;
}

/* Return: there may be more. */
static bool read_some(struct evbuffer *input, int fd)
{
	struct evbuffer_iovec room;
	ssize_t got;

	if (evbuffer_reserve_space(input, READ_SIZE, &room, 1) != 1)
		return false;
	/* An end or an error is still there when libevent reads next. */
	got = recv(fd, room.iov_base, READ_SIZE, MSG_DONTWAIT);
	room.iov_len = got > 0 ? (size_t)got : 0;
	evbuffer_commit_space(input, &room, 1);
	return got == READ_SIZE;
}

/* What comes in one go is one transaction, and one acknowledgement. */
static void read_more(struct transport *t, struct evbuffer *input)
{
	size_t before = evbuffer_get_length(input);

	if (before < EVENT_READ)
		return;
	evbuffer_unfreeze(input, 0);
	while (read_some(input, bufferevent_getfd(t->bev)) &&
	       evbuffer_get_length(input) < before + READ_ENOUGH)
		;
	evbuffer_freeze(input, 0);
}

const char *transport_read(struct transport *t, struct evbuffer **from)
{
	struct evbuffer *input = bufferevent_get_input(t->bev);
	const char *why = NULL;

	read_more(t, input);
	*from = t->tls ? t->plain : input;
	if (check_first(t, input, &why) && t->tls)
		why = tls_read(t->tls, t->plain);
	return why;
}

const char *transport_write(struct transport *t, const void *data, size_t len)
{
	if (t->tls)
		return tls_write(t->tls, data, len);
	return evbuffer_add(bufferevent_get_output(t->bev), data, len) ?
		       "out of memory" : NULL;
}
