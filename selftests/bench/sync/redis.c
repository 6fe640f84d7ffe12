// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Redis, by its protocol (RESP), pipelined. Its acknowledgement is the master's alone.
 * A probe asks for the replica's as well (WAIT 1 0), on a connection of its own, as
 * WAIT holds up what is behind it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "target.h"

#define OUT_SIZE	(64U << 10)
#define IN_SIZE		(64U << 10)
#define DUE_MAX		(128U << 10)	/* a power of two */
#define COMMAND_MAX	1024

/* What a reply is for. */
enum due_kind { DUE_NOTHING, DUE_MASTER, DUE_REPLICA };

struct due {
	u64 cookie;
	enum due_kind kind;
};

/**
 * struct wire - a connection
 * @out, @out_len: what is to be sent
 * @in, @in_len: the begin of a reply that is not complete
 * @due: ring of replies that are to come, from @first, @count of them
 */
struct wire {
	int fd;
	char out[OUT_SIZE];
	size_t out_len;
	char in[IN_SIZE];
	size_t in_len;
	struct due due[DUE_MAX];
	u32 first;
	u32 count;
};

struct redis {
	struct target target;
	struct wire writes;
	struct wire probes;
};

static struct redis *own(struct target *t)
{
	return (struct redis *)t;
}

static int connect_to(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&at, sizeof(at)))
		die("redis-server cannot be reached");
	return fd;
}

static struct target *open_redis(const char *address)
{
	struct redis *r = calloc(1, sizeof(*r));

	if (!r)
		die("out of memory");
	r->writes.fd = connect_to(address);
	r->probes.fd = connect_to(address);
	return &r->target;
}

static bool ready(struct target *t)
{
	(void)t;
	return true;
}

/* ---- asking ---- */

/* Blocks if redis-server is slow: its replies are few bytes and find room. */
static void send_out(struct wire *w)
{
	size_t sent = 0;
	ssize_t n;

	while (sent < w->out_len) {
		n = send(w->fd, w->out + sent, w->out_len - sent, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			die("redis-server is gone");
		sent += n > 0 ? (size_t)n : 0;
	}
	w->out_len = 0;
}

static void expect(struct wire *w, enum due_kind kind, u64 cookie)
{
	if (w->count == DUE_MAX)
		die("too many commands under way");
	w->due[(w->first + w->count++) & (DUE_MAX - 1)] = (struct due){
		.cookie = cookie, .kind = kind,
	};
}

static void add(struct wire *w, const void *data, size_t len)
{
	memcpy(w->out + w->out_len, data, len);
	w->out_len += len;
}

static void add_argument(struct wire *w, const void *data, size_t len)
{
	w->out_len += (size_t)sprintf(w->out + w->out_len, "$%zu\r\n", len);
	add(w, data, len);
	add(w, "\r\n", 2);
}

static void begin_command(struct wire *w, int arguments)
{
	if (w->out_len + COMMAND_MAX > sizeof(w->out))
		send_out(w);
	w->out_len += (size_t)sprintf(w->out + w->out_len, "*%d\r\n", arguments);
}

static void set(struct wire *w, const void *key, size_t key_len,
		const void *value, size_t value_len)
{
	begin_command(w, 3);
	add_argument(w, "SET", 3);
	add_argument(w, key, key_len);
	add_argument(w, value, value_len);
}

static void put(struct target *t, const void *key, size_t key_len,
		const void *value, size_t value_len, u64 cookie)
{
	struct wire *w = &own(t)->writes;

	set(w, key, key_len, value, value_len);
	expect(w, DUE_MASTER, cookie);
}

static void remove_record(struct target *t, const void *key, size_t key_len,
			  u64 cookie)
{
	struct wire *w = &own(t)->writes;

	begin_command(w, 2);
	add_argument(w, "DEL", 3);
	add_argument(w, key, key_len);
	expect(w, DUE_MASTER, cookie);
}

static void probe(struct target *t, const void *key, size_t key_len,
		  const void *value, size_t value_len, u64 cookie)
{
	struct wire *w = &own(t)->probes;

	set(w, key, key_len, value, value_len);
	expect(w, DUE_NOTHING, 0);
	begin_command(w, 3);
	add_argument(w, "WAIT", 4);
	add_argument(w, "1", 1);
	add_argument(w, "0", 1);
	expect(w, DUE_REPLICA, cookie);
}

static void flush(struct target *t)
{
	send_out(&own(t)->writes);
	send_out(&own(t)->probes);
}

/* ---- hearing ---- */

static void take_reply(struct redis *r, struct wire *w, const char *reply)
{
	struct due due = w->due[w->first];

	if (!w->count || (*reply != '+' && *reply != ':'))
		die(reply);
	w->first = (w->first + 1) & (DUE_MAX - 1);
	w->count--;
	if (due.kind != DUE_NOTHING)
		r->target.acked(r->target.arg, due.cookie,
				due.kind == DUE_REPLICA);
}

/* Ours are all of one line. */
static void take_replies(struct redis *r, struct wire *w)
{
	char *from = w->in, *end;

	while ((end = memchr(from, '\n', (size_t)(w->in + w->in_len - from)))) {
		*end = '\0';
		take_reply(r, w, from);
		from = end + 1;
	}
	w->in_len -= (size_t)(from - w->in);
	memmove(w->in, from, w->in_len);
}

static void receive(struct redis *r, struct wire *w)
{
	ssize_t n = recv(w->fd, w->in + w->in_len, sizeof(w->in) - w->in_len,
			 MSG_DONTWAIT);

	if (!n || (n < 0 && errno != EAGAIN && errno != EINTR))
		die("redis-server has hung up");
	if (n < 0)
		return;
	w->in_len += (size_t)n;
	take_replies(r, w);
}

static unsigned int fds(struct target *t, struct pollfd p[TARGET_FDS])
{
	p[0] = (struct pollfd){ .fd = own(t)->writes.fd, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = own(t)->probes.fd, .events = POLLIN };
	return 2;
}

static void dispatch(struct target *t)
{
	receive(own(t), &own(t)->writes);
	receive(own(t), &own(t)->probes);
}

const struct target_kind target_redis = {
	.name = "redis",
	.open = open_redis,
	.ready = ready,
	.put = put,
	.remove = remove_record,
	.probe = probe,
	.flush = flush,
	.fds = fds,
	.dispatch = dispatch,
};
