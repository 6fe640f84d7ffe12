// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One link of the packet backend: its schedule, its session, its counters.
 * See packet.h.
 */
#include <event2/event.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/heartbeat/packet.h"

#define NS_PER_S	1000000000ULL
#define RETRY_NS	NS_PER_S	/* between tries to open a device */
#define LOG_PAUSE_NS	(10 * NS_PER_S)
#define PROBES		3	/* as kernel/link.c */
#define PROBE_PAUSE_NS	CTIHA_NS_PER_MS

/*
 * More frames than a receive buffer of the usual size holds: with so many read,
 * all that arrived before are in. It ends the draining when a flood goes on.
 */
#define DRAIN_MAX	1024

static void detach(struct packet_link *link)
{
	if (link->readable)
		event_free(link->readable);
	link->readable = NULL;
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
	link->ifindex = 0;
}

static u8 direction(const struct packet_link *link)
{
	const struct heartbeat_peer *peer = &link->packet->peer;
	u32 bit = CTIHA_REPORT_HEARS_L1 << (link->spec.kind - 1);

	return ctiha_session_direction(&link->session,
				       peer->heard && peer->report & bit,
				       peer->heard_ns);
}

void packet_link_tell(struct packet_link *link, enum ctiha_cause cause)
{
	struct packet_event event = { .kind = PACKET_EVENT_LINK };
	u8 now = direction(link);

	if (link->told_state == link->session.state &&
	    link->told_diag == link->session.diag &&
	    link->told_direction == now &&
	    link->told_carrier == link->carrier)
		return;
	link->told_state = link->session.state;
	link->told_diag = link->session.diag;
	link->told_direction = now;
	link->told_carrier = link->carrier;
	packet_link_view(link, &event.link);
	packet_event_post(link->packet, &event, cause);
}

static void drop(struct packet_link *link, enum ctiha_diag diag,
		 enum ctiha_cause cause)
{
	ctiha_session_drop(&link->session, diag, packet_random());
	packet_hear(link->packet, NULL, 0, 0, cause);
}

/* The device is gone or down. */
static void lose(struct packet_link *link)
{
	detach(link);
	link->tick_ns = clock_now_ns() + RETRY_NS;
	drop(link, CTIHA_DIAG_DEVICE, CTIHA_CAUSE_DEVICE);
}

void packet_link_send(struct packet_link *link, u8 type)
{
	struct packet *p = link->packet;
	struct ctiha_frame frame = { .type = type };
	struct ctiha_wire_frame wire;
	u64 now = packet_now(p);
	int ret;

	if (link->fd < 0)
		return;
	packet_fill(p, &frame);
	frame.link_kind = link->spec.kind;
	ctiha_session_send(&link->session, now, &frame);
	ctiha_frame_seal(&wire, &frame, p->send_slot, &p->keys[p->send_slot]);
	ret = packet_socket_send(link->fd, link->ifindex, link->spec.peer_mac,
				 &wire, sizeof(wire));
	link->stats.count[ret ? CTIHA_A_STAT_TX_FAILED : CTIHA_A_STAT_TX]++;
	if (ret == -ENETDOWN || ret == -ENODEV || ret == -ENXIO)
		lose(link);
}

static bool is_foreign(const struct packet_link *link,
		       const struct ctiha_frame *frame)
{
	return frame->pair != link->packet->pair ||
	       frame->node == link->packet->id ||
	       frame->link_kind != link->spec.kind;
}

/* Which counter a frame belongs to, by what it meant to the session before. */
static int stat_of(enum ctiha_heard heard, u8 state_before)
{
	if (heard == CTIHA_HEARD_BOUND)
		return CTIHA_A_STAT_RX;
	/* An incarnation that does not know the session that is up. */
	if (heard == CTIHA_HEARD_REPLAY || state_before == CTIHA_SESSION_UP)
		return CTIHA_A_STAT_REPLAYED;
	return CTIHA_A_STAT_RX;
}

static void hear(struct packet_link *link, const struct ctiha_frame *frame)
{
	struct ctiha_session *s = &link->session;
	u64 now = packet_now(link->packet);
	u8 before = s->state;
	enum ctiha_diag farewell;
	enum ctiha_heard heard;
	u64 echoed_sent_ns;
	bool bound;

	/* Last words are sent thrice; after the first they are old. */
	if (frame->type != CTIHA_FRAME_HEARTBEAT &&
	    frame->your_discr != s->my_discr) {
		link->stats.count[CTIHA_A_STAT_REPLAYED]++;
		return;
	}
	heard = ctiha_session_hear(s, frame, now, packet_random(),
				   &echoed_sent_ns);
	link->stats.count[stat_of(heard, before)]++;
	bound = heard == CTIHA_HEARD_BOUND;
	farewell = bound ? ctiha_frame_farewell(frame) : CTIHA_DIAG_NONE;
	if (farewell != CTIHA_DIAG_NONE)
		ctiha_session_drop(s, farewell, packet_random());
	packet_hear(link->packet, bound ? frame : NULL, echoed_sent_ns, now,
		    CTIHA_CAUSE_SESSION);
}

/* Counts it, and tells the log now and then. */
static void refuse(struct packet_link *link, unsigned int stat, u64 now)
{
	u64 news = ctiha_complaint_due(&link->complaint, stat, now);

	link->stats.count[stat]++;
	if (news)
		log_warning("link %s: %llu frames refused: %s", link->spec.name,
			    (unsigned long long)news, ctiha_complaint_text(stat));
}

/* Return: 0 and the frame, or the counter that its refusal belongs to. */
static unsigned int read_frame(struct packet_link *link, const void *data,
			       size_t len, u64 now, struct ctiha_frame *frame)
{
	static const u8 stats[] = {
		[CTIHA_FRAME_MALFORMED] = CTIHA_A_STAT_MALFORMED,
		[CTIHA_FRAME_BAD_VERSION] = CTIHA_A_STAT_VERSION,
		[CTIHA_FRAME_BAD_KEY] = CTIHA_A_STAT_KEY,
		[CTIHA_FRAME_FORGED] = CTIHA_A_STAT_FORGED,
	};
	const struct packet *p = link->packet;
	const struct ctiha_mac_key *const keys[CTIHA_KEY_SLOTS] = {
		p->key_used[0] ? &p->keys[0] : NULL,
		p->key_used[1] ? &p->keys[1] : NULL,
	};
	enum ctiha_frame_error error = ctiha_frame_peek(data, len, keys, frame);

	if (!error && !ctiha_budget_take(&link->budget,
					 ctiha_session_minds(&link->session, frame),
					 now))
		return CTIHA_A_STAT_UNVERIFIED;
	if (!error)
		error = ctiha_frame_open(data, len, keys, frame);
	if (error)
		return stats[error];
	return is_foreign(link, frame) ? CTIHA_A_STAT_FOREIGN : 0;
}

static void take_frame(struct packet_link *link, const void *data, size_t len)
{
	u64 now = clock_now_ns();
	struct ctiha_frame frame;
	unsigned int refusal = read_frame(link, data, len, now, &frame);

	if (refusal)
		refuse(link, refusal, now);
	else
		hear(link, &frame);
}

void packet_link_drain(struct packet_link *link)
{
	struct ctiha_wire_frame wire;
	unsigned int budget = DRAIN_MAX;
	ssize_t len;

	while (link->fd >= 0 && budget--) {
		len = packet_socket_receive(link->fd, &wire, sizeof(wire));
		if (len >= 0)
			take_frame(link, &wire, (size_t)len);
		else if (len == -EAGAIN)
			return;
		else if (len != -ENOMSG && len != -EINTR)
			lose(link);
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct packet_link *link = arg;

	(void)fd;
	(void)what;
	packet_now(link->packet);
	packet_link_drain(link);
	packet_settle(link->packet);
}

/* Return: 0, or a negative errno, upon which the link has no socket. */
static int attach(struct packet_link *link)
{
	int fd = packet_socket_open(link->spec.device, &link->ifindex);

	if (fd < 0)
		return fd;
	link->fd = fd;
	link->readable = event_new(link->packet->base, fd,
				   EV_READ | EV_PERSIST, on_readable, link);
	if (link->readable && !event_add(link->readable, NULL))
		return 0;
	detach(link);
	return -ENOMEM;
}

static u64 period_ns(const struct packet_link *link)
{
	return ctiha_session_agreed_us(&link->session) * CTIHA_NS_PER_US;
}

static u64 probe_pause_ns(const struct packet_link *link)
{
	u64 pause_ns = period_ns(link) / (PROBES + 1);

	return pause_ns < PROBE_PAUSE_NS ? pause_ns : PROBE_PAUSE_NS;
}

/* Not more while those of before are not all sent. */
void packet_link_probe(struct packet_link *link)
{
	if (link->probes || link->fd < 0)
		return;
	link->probes = PROBES;
	link->tick_ns = clock_now_ns() + probe_pause_ns(link);
}

/* We ran late. The peer may have noticed, so the operator should know. */
static void count_skipped(struct packet_link *link, u64 missed, u64 now)
{
	link->skipped += missed;
	if (now - link->logged_ns < LOG_PAUSE_NS)
		return;
	link->logged_ns = now;
	log_warning("link %s: this process ran late by %llu ms, %llu heartbeats not sent since the start; give it realtime priority, or use backend = module",
		    link->spec.name,
		    (unsigned long long)((now - link->tick_ns) /
					 CTIHA_NS_PER_MS),
		    (unsigned long long)link->skipped);
}

/* Heartbeats keep their raster: one that is missed is not sent later. */
static void tick(struct packet_link *link, u64 now)
{
	u64 missed;

	if (now < link->tick_ns)
		return;
	if (link->probes && --link->probes) {
		link->tick_ns = now + probe_pause_ns(link);
		packet_link_send(link, CTIHA_FRAME_HEARTBEAT);
		return;
	}
	missed = (now - link->tick_ns) / period_ns(link);
	link->stats.count[CTIHA_A_STAT_MISSED] += missed;
	if (missed)
		count_skipped(link, missed, now);
	link->tick_ns += (missed + 1) * period_ns(link);
	packet_link_send(link, CTIHA_FRAME_HEARTBEAT);
}

/* A late tick shows that this process did not run. The peer gets the benefit of it. */
static void notice_stall(struct packet_link *link, u64 now)
{
	if (now < link->tick_ns + CTIHA_STALL_NS)
		return;
	link->stats.count[CTIHA_A_STAT_STALLS]++;
	ctiha_session_stalled(&link->session, now - link->tick_ns);
}

/* @now is from before the draining: all that arrived until then is taken in. */
static void judge(struct packet_link *link, u64 now)
{
	if (!ctiha_session_expire(&link->session, now, packet_random()))
		return;
	packet_hear(link->packet, NULL, 0, 0, CTIHA_CAUSE_SESSION);
}

static void retry(struct packet_link *link, u64 now)
{
	if (now < link->tick_ns)
		return;
	link->tick_ns = attach(link) ? now + RETRY_NS : now;
}

static void on_timer(void *arg)
{
	struct packet_link *link = arg;
	u64 now = packet_now(link->packet);

	if (link->fd < 0)
		retry(link, now);
	packet_link_drain(link);
	if (link->fd >= 0) {
		notice_stall(link, now);
		judge(link, now);
		tick(link, now);
	}
	packet_carrier_poll(link->packet);
	packet_settle(link->packet);
}

void packet_link_arm(struct packet_link *link)
{
	u64 next = clock_now_ns() + period_ns(link);
	u64 deadline = ctiha_session_deadline_ns(&link->session);

	if (link->fd >= 0) {
		/* The agreed interval may have become shorter. */
		if (link->tick_ns > next)
			link->tick_ns = next;
		if (link->tick_ns < deadline)
			deadline = link->tick_ns;
	} else {
		deadline = link->tick_ns;
	}
	packet_timer_set(&link->timer, deadline);
}

static void start(struct packet_link *link)
{
	u64 now = clock_now_ns();

	ctiha_session_init(&link->session, link->spec.interval_us,
			   link->spec.multiplier, packet_random());
	link->tick_ns = now;
	if (link->fd < 0) {
		link->session.diag = CTIHA_DIAG_DEVICE;
		link->tick_ns = now + RETRY_NS;
	}
	link->told_state = link->session.state;
	link->told_diag = link->session.diag;
	link->carrier = packet_carrier_of(link);
	link->told_carrier = link->carrier;
}

int packet_link_open(struct packet_link *link, struct packet *p,
		     const struct heartbeat_link_spec *spec)
{
	int ret;

	memset(link, 0, sizeof(*link));
	link->packet = p;
	link->spec = *spec;
	ctiha_budget_init(&link->budget, p->verify_ns);
	link->fd = -1;
	ret = packet_timer_open(&link->timer, p->base, on_timer, link);
	if (ret)
		return ret;
	ret = attach(link);
	if (ret && ret != -ENETDOWN) {
		packet_timer_close(&link->timer);
		return ret;
	}
	start(link);
	link->used = true;
	return 0;
}

void packet_link_close(struct packet_link *link)
{
	detach(link);
	packet_timer_close(&link->timer);
	link->used = false;
}

void packet_link_view(const struct packet_link *link,
		      struct heartbeat_link *view)
{
	const struct ctiha_session *s = &link->session;

	memset(view, 0, sizeof(*view));
	memcpy(view->name, link->spec.name, sizeof(view->name));
	view->ifindex = link->ifindex;
	if (!view->ifindex)	/* it may be down and not gone */
		view->ifindex = if_nametoindex(link->spec.device);
	if (view->ifindex)
		memcpy(view->device, link->spec.device, sizeof(view->device));
	view->kind = link->spec.kind;
	view->state = s->state;
	view->diag = s->diag;
	view->direction = direction(link);
	view->multiplier = s->multiplier;
	view->carrier = link->carrier;
	memcpy(view->peer_mac, link->spec.peer_mac, sizeof(view->peer_mac));
	view->interval_us = s->interval_us;
	view->agreed_us = ctiha_session_agreed_us(s);
	view->changes = s->changes;
	view->recent = s->recent.expected;
	view->recent_lost = s->recent.lost;
	view->hold_ns = ctiha_session_hold_ns(s);
	view->detect_ns = ctiha_session_detect_ns(s);
	view->rtt_ns = s->rtt_ns;
	view->heard_ns = s->rx_ns;
	view->stats = link->stats;
	view->stats.count[CTIHA_A_STAT_LOST] = s->lost;
}
