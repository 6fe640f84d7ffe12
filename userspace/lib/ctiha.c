// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libctiha. See ctiha.h.
 *
 * One epoll descriptor stands for the handle. In it are the socket, and a timer
 * that runs while there is no connection.
 */
#include "lib/ctiha.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/protocol.h"

#define RETRY_NS	100000000L
#define QUEUE_MAX	(4UL << 20)
#define MESSAGES_A_TURN	16
#define WAIT_BIT	(1ULL << 63)
#define NO_SLOT		UINT32_MAX

static_assert(CTIHA_MAX_KEY == PROTOCOL_KEY_MAX, "same limits");
static_assert(CTIHA_MAX_VALUE == PROTOCOL_VALUE_MAX, "same limits");

/* A message that the socket did not take. */
struct waiting {
	struct waiting *next;
	size_t len;
	uint8_t data[];
};

/* A write that waits for its acknowledgement; next: of the free ones. */
struct slot {
	uint64_t cookie;
	uint32_t next;
	bool used;
};

/**
 * struct wait - what a function with a time limit waits for
 * @cookie: of its request, 0 if none waits
 * @done: it has been answered, by @result
 * @value, @size: where ctiha_get() wants the value; @len: what it is
 * @visit, @arg: of ctiha_walk()
 * @stopped: @visit has had enough
 * @visited: records seen
 * @more: there are more behind @last
 */
struct wait {
	uint64_t cookie;
	bool done;
	int result;
	void *value;
	size_t size;
	size_t len;
	bool (*visit)(void *arg, const void *key, size_t key_len,
		      const void *value, size_t value_len);
	void *arg;
	bool stopped;
	unsigned int visited;
	bool more;
	uint8_t last[PROTOCOL_KEY_MAX];
	size_t last_len;
};

struct ctiha {
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char name[64];
	unsigned int flags;
	struct ctiha_callbacks callbacks;
	void *arg;
	int epoll;
	int timer;
	int fd;
	bool welcome;
	bool working;
	bool stopping;
	bool calling;		/* inside a callback */
	bool broken;		/* the next turn disconnects */
	uint64_t epoch;
	struct protocol_message out;
	struct waiting *first;
	struct waiting **end;
	size_t queued;
	struct slot *slots;
	uint32_t slot_count;
	uint32_t slot_free;
	uint64_t serial;
	struct wait wait;
	uint8_t input[PROTOCOL_MESSAGE_MAX];
};

/* ---- callbacks ---- */

static void call_acked(struct ctiha *h, uint64_t cookie, enum ctiha_ack ack)
{
	bool before = h->calling;

	if (!h->callbacks.acked)
		return;
	h->calling = true;
	h->callbacks.acked(h->arg, cookie, ack);
	h->calling = before;
}

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

/* ---- writes under way ---- */

static int grow_slots(struct ctiha *h)
{
	uint32_t count = h->slot_count ? 2 * h->slot_count : 256;
	struct slot *slots = realloc(h->slots, count * sizeof(*slots));
	uint32_t i;

	if (!slots)
		return -ENOMEM;
	h->slots = slots;
	for (i = h->slot_count; i < count; i++)
		slots[i] = (struct slot){ .next = i + 1 < count ? i + 1 :
							       NO_SLOT };
	h->slot_free = h->slot_count;
	h->slot_count = count;
	return 0;
}

static uint32_t take_slot(struct ctiha *h, uint64_t cookie)
{
	uint32_t index;

	if (h->slot_free == NO_SLOT && grow_slots(h))
		return NO_SLOT;
	index = h->slot_free;
	h->slot_free = h->slots[index].next;
	h->slots[index].cookie = cookie;
	h->slots[index].used = true;
	return index;
}

static void give_slot(struct ctiha *h, uint32_t index)
{
	h->slots[index].used = false;
	h->slots[index].next = h->slot_free;
	h->slot_free = index;
}

/* ---- connection ---- */

/* First after @ns, then every RETRY_NS; 0 stops it. */
static void set_timer(struct ctiha *h, long ns)
{
	const struct itimerspec at = {
		.it_interval.tv_nsec = RETRY_NS,
		.it_value.tv_nsec = ns,
	};

	timerfd_settime(h->timer, 0, &at, NULL);
}

static void watch(struct ctiha *h, int op)
{
	struct epoll_event event = {
		.events = EPOLLIN | (h->first ? EPOLLOUT : 0),
	};

	epoll_ctl(h->epoll, op, h->fd, &event);
}

static void forget_queue(struct ctiha *h)
{
	struct waiting *w;

	while ((w = h->first)) {
		h->first = w->next;
		free(w);
	}
	h->end = &h->first;
	h->queued = 0;
	h->out.len = 0;
}

static void disconnect(struct ctiha *h)
{
	bool was_working = h->working;
	uint32_t i;

	if (h->fd < 0)
		return;
	close(h->fd);
	h->fd = -1;
	h->broken = false;
	h->welcome = false;
	h->working = false;
	h->stopping = false;
	forget_queue(h);
	set_timer(h, RETRY_NS);
	if (h->wait.cookie && !h->wait.done) {
		h->wait.done = true;
		h->wait.result = -ENOTCONN;
	}
	for (i = 0; i < h->slot_count; i++) {
		if (!h->slots[i].used)
			continue;
		give_slot(h, i);
		call_acked(h, h->slots[i].cookie, CTIHA_ACK_UNKNOWN);
	}
	/* Without its daemon nobody keeps this server from being replaced. */
	if (was_working)
		call_work(h, h->callbacks.stop_work);
}

/* Callbacks must not come from ctiha_put(): the next turn will see to it. */
static void break_off(struct ctiha *h)
{
	h->broken = true;
	set_timer(h, 1);
}

static int keep_waiting(struct ctiha *h)
{
	struct waiting *w = malloc(sizeof(*w) + h->out.len);

	if (!w)
		return -ENOMEM;
	w->next = NULL;
	w->len = h->out.len;
	memcpy(w->data, h->out.data, w->len);
	*h->end = w;
	h->end = &w->next;
	h->queued += w->len;
	watch(h, EPOLL_CTL_MOD);
	return 0;
}

/* Sends what was collected, or queues it. */
static void send_out(struct ctiha *h)
{
	ssize_t sent = -1;

	if (!h->out.len)
		return;
	errno = EAGAIN;
	if (!h->first && !h->broken)
		sent = send(h->fd, h->out.data, h->out.len,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && ((errno != EAGAIN && errno != EINTR) ||
			 keep_waiting(h)))
		break_off(h);
	h->out.len = 0;
}

static void send_queue(struct ctiha *h)
{
	struct waiting *w;

	while ((w = h->first)) {
		if (send(h->fd, w->data, w->len,
			 MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			if (errno != EAGAIN && errno != EINTR)
				break_off(h);
			return;
		}
		h->first = w->next;
		if (!h->first)
			h->end = &h->first;
		h->queued -= w->len;
		free(w);
	}
	watch(h, EPOLL_CTL_MOD);
}

static int say(struct ctiha *h, const struct protocol_operation *op)
{
	if (h->fd < 0)
		return -ENOTCONN;
	if (protocol_add(&h->out, op))
		return 0;
	send_out(h);
	/* Every operation fits into an empty message. */
	protocol_add(&h->out, op);
	return 0;
}

static void connect_daemon(struct ctiha *h)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	uint64_t ticks;

	/* Whatever the timer counted: this is the attempt it asked for. */
	if (read(h->timer, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
		return;
	h->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       0);
	if (h->fd < 0)
		return;
	strcpy(at.sun_path, h->path);
	if (connect(h->fd, (struct sockaddr *)&at, sizeof(at))) {
		close(h->fd);
		h->fd = -1;
		return;
	}
	set_timer(h, 0);
	watch(h, EPOLL_CTL_ADD);
	say(h, &(struct protocol_operation){
		.type = PROTOCOL_HELLO,
		.flags = h->flags & CTIHA_WORKER ? PROTOCOL_WORKER : 0,
		.value = h->name, .value_len = strlen(h->name),
	});
	send_out(h);
}

/* ---- hearing ---- */

static void take_ack(struct ctiha *h, const struct protocol_operation *op)
{
	uint64_t cookie;

	if (op->cookie & WAIT_BIT) {
		if (op->cookie == h->wait.cookie) {
			h->wait.done = true;
			h->wait.result = op->result;
		}
		return;
	}
	if (op->cookie >= h->slot_count || !h->slots[op->cookie].used)
		return;
	cookie = h->slots[op->cookie].cookie;
	give_slot(h, (uint32_t)op->cookie);
	call_acked(h, cookie, op->result);
}

static void take_record(struct ctiha *h, const struct protocol_operation *op)
{
	struct wait *w = &h->wait;
	bool before = h->calling;

	if (op->cookie != w->cookie || w->done)
		return;
	if (!w->visit) {
		w->len = op->value_len;
		if (w->len <= w->size)
			memcpy(w->value, op->value, w->len);
		return;
	}
	memcpy(w->last, op->key, op->key_len);
	w->last_len = op->key_len;
	if (w->stopped)
		return;
	w->visited++;
	h->calling = true;
	w->stopped = !w->visit(w->arg, op->key, op->key_len, op->value,
			       op->value_len);
	h->calling = before;
}

static void take_end(struct ctiha *h, const struct protocol_operation *op)
{
	struct wait *w = &h->wait;

	if (op->cookie != w->cookie || w->done)
		return;
	w->done = true;
	w->more = op->flags & PROTOCOL_MORE;
	if (op->result == CTIHA_ACK_NOT_FOUND)
		w->result = -ENOENT;
	else
		w->result = op->result == CTIHA_ACK_STANDBY ? 0 : -EINVAL;
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
		take_record(h, op);
		break;
	case PROTOCOL_END:
		take_end(h, op);
		break;
	case PROTOCOL_START:
		take_start(h, op);
		break;
	case PROTOCOL_STOP:
		take_stop(h, op);
		break;
	case PROTOCOL_PING:
		say(h, &(struct protocol_operation){
			.type = PROTOCOL_PONG, .cookie = op->cookie,
		});
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
		break_off(h);
}

static void receive(struct ctiha *h)
{
	ssize_t len;
	int i;

	for (i = 0; !h->broken && i < MESSAGES_A_TURN; i++) {
		len = recv(h->fd, h->input, sizeof(h->input), MSG_DONTWAIT);
		if (len > 0)
			take_message(h, (size_t)len);
		else if (!len || (errno != EAGAIN && errno != EINTR))
			break_off(h);
		else
			break;
	}
}

/* One turn; not from within a callback. */
static int turn(struct ctiha *h)
{
	if (h->fd < 0)
		connect_daemon(h);
	if (h->fd >= 0) {
		if (h->first)
			send_queue(h);
		receive(h);
		send_out(h);
	}
	if (h->broken)
		disconnect(h);
	return h->fd >= 0 ? 0 : -ENOTCONN;
}

/* ---- the handle ---- */

static int open_descriptors(struct ctiha *h)
{
	struct epoll_event event = { .events = EPOLLIN };

	h->epoll = epoll_create1(EPOLL_CLOEXEC);
	h->timer = timerfd_create(CLOCK_MONOTONIC,
				  TFD_NONBLOCK | TFD_CLOEXEC);
	if (h->epoll < 0 || h->timer < 0)
		return -1;
	return epoll_ctl(h->epoll, EPOLL_CTL_ADD, h->timer, &event);
}

struct ctiha *ctiha_open(const char *path, const char *name, unsigned int flags,
			 const struct ctiha_callbacks *callbacks, void *arg)
{
	struct ctiha *h = calloc(1, sizeof(*h));
	int error = ENAMETOOLONG;

	if (!h)
		return NULL;
	h->epoll = -1;
	h->timer = -1;
	h->fd = -1;
	h->flags = flags;
	h->callbacks = *callbacks;
	h->arg = arg;
	h->end = &h->first;
	h->slot_free = NO_SLOT;
	snprintf(h->name, sizeof(h->name), "%s", name);
	if (!path)
		path = CTIHA_DEFAULT_SOCKET;
	if (snprintf(h->path, sizeof(h->path), "%s", path) <
	    (int)sizeof(h->path)) {
		if (!open_descriptors(h)) {
			/* The first attempt is made by the first dispatch. */
			set_timer(h, 1);
			return h;
		}
		error = errno;
	}
	ctiha_close(h);
	errno = error;
	return NULL;
}

void ctiha_close(struct ctiha *h)
{
	if (!h)
		return;
	forget_queue(h);
	if (h->fd >= 0)
		close(h->fd);
	if (h->timer >= 0)
		close(h->timer);
	if (h->epoll >= 0)
		close(h->epoll);
	free(h->slots);
	free(h);
}

int ctiha_fd(const struct ctiha *h)
{
	return h->epoll;
}

bool ctiha_connected(const struct ctiha *h)
{
	return h->welcome;
}

bool ctiha_working(const struct ctiha *h)
{
	return h->working;
}

int ctiha_dispatch(struct ctiha *h)
{
	if (h->calling)
		return -EDEADLK;
	return turn(h);
}

int ctiha_flush(struct ctiha *h)
{
	if (h->fd >= 0)
		send_out(h);
	return h->fd >= 0 ? 0 : -ENOTCONN;
}

int ctiha_stopped(struct ctiha *h)
{
	int rc;

	if (h->fd < 0)
		return -ENOTCONN;
	if (!h->stopping)
		return -EALREADY;
	h->stopping = false;
	rc = say(h, &(struct protocol_operation){
		.type = PROTOCOL_STOPPED, .epoch = h->epoch,
	});
	return rc ? rc : ctiha_flush(h);
}

/* ---- writing ---- */

static bool valid(const struct protocol_operation *op)
{
	return op->key && op->key_len && op->key_len <= PROTOCOL_KEY_MAX &&
	       op->value_len <= PROTOCOL_VALUE_MAX &&
	       (op->value || !op->value_len);
}

static int write_later(struct ctiha *h, struct protocol_operation *op)
{
	uint32_t slot;

	if (!valid(op))
		return -EINVAL;
	if (!h->welcome)
		return -ENOTCONN;
	if (h->queued > QUEUE_MAX)
		return -EAGAIN;
	slot = take_slot(h, op->cookie);
	if (slot == NO_SLOT)
		return -ENOMEM;
	op->cookie = slot;
	return say(h, op);
}

int ctiha_put(struct ctiha *h, uint16_t content, const void *key,
	      size_t key_len, const void *value, size_t value_len,
	      uint64_t cookie)
{
	struct protocol_operation op = {
		.type = PROTOCOL_PUT, .content = content, .cookie = cookie,
		.key = key, .key_len = key_len,
		.value = value, .value_len = value_len,
	};

	return write_later(h, &op);
}

int ctiha_delete(struct ctiha *h, uint16_t content, const void *key,
		 size_t key_len, uint64_t cookie)
{
	struct protocol_operation op = {
		.type = PROTOCOL_DELETE, .content = content, .cookie = cookie,
		.key = key, .key_len = key_len,
	};

	return write_later(h, &op);
}

/* ---- waiting ---- */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Until @done, or the time is over. */
static int wait_for(struct ctiha *h, const bool *done, int timeout_ms)
{
	struct pollfd poll_for = { .fd = h->epoll, .events = POLLIN };
	int64_t end = now_ms() + timeout_ms;
	int64_t left = timeout_ms;

	turn(h);
	while (!*done) {
		if (timeout_ms >= 0) {
			left = end - now_ms();
			if (left <= 0)
				return -ETIMEDOUT;
		}
		if (poll(&poll_for, 1, timeout_ms < 0 ? -1 : (int)left) < 0 &&
		    errno != EINTR)
			return -errno;
		turn(h);
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
	op->cookie = WAIT_BIT | ++h->serial;
	h->wait.cookie = op->cookie;
	h->wait.done = false;
	rc = say(h, op);
	if (!rc)
		rc = wait_for(h, &h->wait.done, timeout_ms);
	h->wait.cookie = 0;
	return rc ? rc : h->wait.result;
}

static int write_wait(struct ctiha *h, struct protocol_operation *op,
		      int timeout_ms)
{
	if (!valid(op))
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

	if (!valid(&op))
		return -EINVAL;
	if (h->calling)
		return -EDEADLK;
	memset(&h->wait, 0, sizeof(h->wait));
	h->wait.value = value;
	h->wait.size = value_size;
	rc = ask(h, &op, timeout_ms);
	if (rc)
		return rc;
	return h->wait.len > value_size ? -ENOSPC : (int)h->wait.len;
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
	struct wait *w = &h->wait;
	int rc;

	if (after_len > PROTOCOL_KEY_MAX || (after_len && !after))
		return -EINVAL;
	if (h->calling)
		return -EDEADLK;
	memset(w, 0, sizeof(*w));
	w->visit = visit;
	w->arg = arg;
	w->last_len = after_len;
	if (after_len)
		memcpy(w->last, after, after_len);
	do {
		op.key = w->last;
		op.key_len = w->last_len;
		op.number = limit ? limit - w->visited : 0;
		rc = ask(h, &op, timeout_ms);
	} while (!rc && w->more && !w->stopped &&
		 (!limit || w->visited < limit));
	w->visit = NULL;
	return rc ? rc : (int)w->visited;
}
