// SPDX-License-Identifier: LGPL-2.1-or-later
/* The socket to the daemon, and the time to connect. See channel.h. */
#include "lib/channel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define RETRY_NS	100000000L
#define QUEUE_MAX	(4UL << 20)

/* A message that the socket did not take. */
struct waiting {
	struct waiting *next;
	size_t len;
	uint8_t data[];
};

/* First after @ns, then every RETRY_NS; 0 stops it. */
static void set_timer(struct channel *c, long ns)
{
	const struct itimerspec at = {
		.it_interval.tv_nsec = RETRY_NS,
		.it_value.tv_nsec = ns,
	};

	timerfd_settime(c->timer, 0, &at, NULL);
}

static void watch(struct channel *c, int op)
{
	struct epoll_event event = {
		.events = EPOLLIN | (c->first ? EPOLLOUT : 0),
	};

	epoll_ctl(c->epoll, op, c->fd, &event);
}

static void forget_queue(struct channel *c)
{
	struct waiting *w;

	while ((w = c->first)) {
		c->first = w->next;
		free(w);
	}
	c->end = &c->first;
	c->queued = 0;
	c->out.len = 0;
}

/* ---- its life ---- */

static int open_descriptors(struct channel *c)
{
	struct epoll_event event = { .events = EPOLLIN };

	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->timer = timerfd_create(CLOCK_MONOTONIC,
				  TFD_NONBLOCK | TFD_CLOEXEC);
	if (c->epoll < 0 || c->timer < 0)
		return -errno;
	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->timer, &event) ? -errno :
								      0;
}

int ctiha_channel_open(struct channel *c, const char *path)
{
	int rc;

	c->epoll = -1;
	c->timer = -1;
	c->fd = -1;
	c->end = &c->first;
	if (snprintf(c->path, sizeof(c->path), "%s", path) >=
	    (int)sizeof(c->path))
		return -ENAMETOOLONG;
	rc = open_descriptors(c);
	if (rc)
		return rc;
	/* The first attempt is made by the first dispatch. */
	set_timer(c, 1);
	return 0;
}

void ctiha_channel_free(struct channel *c)
{
	forget_queue(c);
	if (c->fd >= 0)
		close(c->fd);
	if (c->timer >= 0)
		close(c->timer);
	if (c->epoll >= 0)
		close(c->epoll);
}

bool ctiha_channel_connect(struct channel *c)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	uint64_t ticks;

	/* Whatever the timer counted: this is the attempt it asked for. */
	if (read(c->timer, &ticks, sizeof(ticks)) < 0 && errno != EAGAIN)
		return false;
	c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		       0);
	if (c->fd < 0)
		return false;
	strcpy(at.sun_path, c->path);
	if (connect(c->fd, (struct sockaddr *)&at, sizeof(at))) {
		close(c->fd);
		c->fd = -1;
		return false;
	}
	set_timer(c, 0);
	watch(c, EPOLL_CTL_ADD);
	return true;
}

void ctiha_channel_close(struct channel *c)
{
	close(c->fd);
	c->fd = -1;
	c->broken = false;
	forget_queue(c);
	set_timer(c, RETRY_NS);
}

void ctiha_channel_break(struct channel *c)
{
	c->broken = true;
	set_timer(c, 1);
}

/* ---- saying ---- */

static int keep_waiting(struct channel *c)
{
	struct waiting *w = malloc(sizeof(*w) + c->out.len);

	if (!w)
		return -ENOMEM;
	w->next = NULL;
	w->len = c->out.len;
	memcpy(w->data, c->out.data, w->len);
	*c->end = w;
	c->end = &w->next;
	c->queued += w->len;
	watch(c, EPOLL_CTL_MOD);
	return 0;
}

void ctiha_channel_send(struct channel *c)
{
	ssize_t sent = -1;

	if (!c->out.len)
		return;
	errno = EAGAIN;
	if (!c->first && !c->broken)
		sent = send(c->fd, c->out.data, c->out.len,
			    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && ((errno != EAGAIN && errno != EINTR) ||
			 keep_waiting(c)))
		ctiha_channel_break(c);
	c->out.len = 0;
}

void ctiha_channel_resume(struct channel *c)
{
	struct waiting *w;

	if (!c->first)
		return;
	while ((w = c->first)) {
		if (send(c->fd, w->data, w->len,
			 MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
			if (errno != EAGAIN && errno != EINTR)
				ctiha_channel_break(c);
			return;
		}
		c->first = w->next;
		if (!c->first)
			c->end = &c->first;
		c->queued -= w->len;
		free(w);
	}
	watch(c, EPOLL_CTL_MOD);
}

int ctiha_channel_say(struct channel *c, const struct protocol_operation *op)
{
	if (c->fd < 0)
		return -ENOTCONN;
	if (protocol_add(&c->out, op))
		return 0;
	ctiha_channel_send(c);
	/* Every operation fits into an empty message. */
	protocol_add(&c->out, op);
	return 0;
}

bool ctiha_channel_congested(const struct channel *c)
{
	return c->queued > QUEUE_MAX;
}

/* ---- hearing ---- */

size_t ctiha_channel_receive(struct channel *c, void *data, size_t size)
{
	ssize_t len;

	if (c->broken)
		return 0;
	len = recv(c->fd, data, size, MSG_DONTWAIT);
	if (len > 0)
		return (size_t)len;
	if (!len || (errno != EAGAIN && errno != EINTR))
		ctiha_channel_break(c);
	return 0;
}
