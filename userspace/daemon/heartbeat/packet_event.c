// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * News on their way to the daemon. They are delivered from the event loop and
 * never from inside a call of the daemon, just as the module's. See packet.h.
 */
#include <event2/event.h>

#include "common/clock.h"
#include "daemon/heartbeat/packet.h"

static void deliver_one(struct packet *p, const struct packet_event *event)
{
	const struct heartbeat_callbacks *to = &p->callbacks;

	switch (event->kind) {
	case PACKET_EVENT_NODE:
		to->node(p->arg, &event->head, &event->node);
		break;
	case PACKET_EVENT_PEER:
		to->peer(p->arg, &event->head, &event->peer);
		break;
	case PACKET_EVENT_LINK:
		to->link(p->arg, &event->head, &event->link);
		break;
	}
}

/* The ring overflowed: what it still holds is older than what is so now. */
static void deliver_dump(struct packet *p)
{
	struct heartbeat_event head = { .time_ns = packet_now(p) };
	struct heartbeat_snapshot view;
	unsigned int i;

	p->events.lost = false;
	p->events.count = 0;
	head.seq = p->events.seq;
	packet_view(p, &view);
	p->callbacks.resync(p->arg);
	p->callbacks.node(p->arg, &head, &view.node);
	p->callbacks.peer(p->arg, &head, &view.peer);
	for (i = 0; i < view.link_count; i++)
		p->callbacks.link(p->arg, &head, &view.links[i]);
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	struct packet *p = arg;
	struct packet_events *events = &p->events;
	unsigned int budget = PACKET_EVENTS;
	struct packet_event event;

	(void)fd;
	(void)what;
	if (events->lost)
		deliver_dump(p);
	/* A callback may post: what exceeds the budget waits for a new round. */
	while (events->count && !events->lost && budget--) {
		event = events->ring[events->first];
		events->first = (events->first + 1) % PACKET_EVENTS;
		events->count--;
		deliver_one(p, &event);
	}
	if (events->count || events->lost)
		event_active(events->wake, 0, 0);
}

int packet_event_open(struct packet *p, struct event_base *base)
{
	p->events.wake = event_new(base, -1, 0, on_wake, p);
	return p->events.wake ? 0 : -ENOMEM;
}

void packet_event_close(struct packet *p)
{
	if (p->events.wake)
		event_free(p->events.wake);
}

void packet_event_post(struct packet *p, struct packet_event *event,
		       enum ctiha_cause cause)
{
	struct packet_events *events = &p->events;
	unsigned int last = (events->first + events->count) % PACKET_EVENTS;

	event->head.seq = ++events->seq;
	/* Nothing relied on the role after the lease's end: so that is when. */
	event->head.time_ns = cause == CTIHA_CAUSE_LEASE_EXPIRED ?
			      p->lease.deadline_ns : clock_now_ns();
	event->head.cause = (u8)cause;
	if (events->count < PACKET_EVENTS) {
		events->ring[last] = *event;
		events->count++;
	} else {
		events->lost = true;
	}
	event_active(events->wake, 0, 0);
}
