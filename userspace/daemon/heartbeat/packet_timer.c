// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A timer by timerfd. libevent's own timers count in milliseconds from a cached
 * time: too coarse for heartbeats of one millisecond. See packet.h.
 */
#include <event2/event.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "daemon/heartbeat/packet.h"

#define NS_PER_S	1000000000ULL

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct packet_timer *timer = arg;
	u64 expirations;

	(void)what;
	/* Set anew since the loop saw it: not due, and no harm done. */
	if (read(fd, &expirations, sizeof(expirations)) != sizeof(expirations))
		return;
	timer->at_ns = U64_MAX;
	timer->fn(timer->arg);
}

int packet_timer_open(struct packet_timer *timer, struct event_base *base,
		      void (*fn)(void *arg), void *arg)
{
	timer->fn = fn;
	timer->arg = arg;
	timer->at_ns = U64_MAX;
	timer->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (timer->fd < 0)
		return -errno;
	timer->event = event_new(base, timer->fd, EV_READ | EV_PERSIST,
				 on_readable, timer);
	if (timer->event && !event_add(timer->event, NULL))
		return 0;
	packet_timer_close(timer);
	return -ENOMEM;
}

void packet_timer_close(struct packet_timer *timer)
{
	if (timer->event)
		event_free(timer->event);
	timer->event = NULL;
	if (timer->fd >= 0)
		close(timer->fd);
	timer->fd = -1;
}

void packet_timer_set(struct packet_timer *timer, u64 at_ns)
{
	struct itimerspec when = { .it_value.tv_sec = 0 };

	if (at_ns == timer->at_ns)
		return;
	timer->at_ns = at_ns;
	if (at_ns != U64_MAX) {
		/* All zero would disarm it. */
		when.it_value.tv_sec = (time_t)(at_ns / NS_PER_S);
		when.it_value.tv_nsec = (long)(at_ns % NS_PER_S) + !at_ns;
	}
	timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &when, NULL);
}
