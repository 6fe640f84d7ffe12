// SPDX-License-Identifier: GPL-2.0-or-later
/* The packet backend's node: what it knows, hears, says and tells. See packet.h. */
#include "common/clock.h"
#include "daemon/heartbeat/packet.h"

static u32 whole_report(const struct packet *p)
{
	u32 report = (p->report & ~(u32)CTIHA_REPORT_KERNEL) |
		     packet_carrier_report(p);
	const struct packet_link *link;

	if (p->attached)
		report |= CTIHA_REPORT_DAEMON;
	for (link = p->links; link < p->links + PACKET_LINKS; link++) {
		if (!link->used)
			continue;
		if (link->session.state == CTIHA_SESSION_UP)
			report |= CTIHA_REPORT_L1 << (link - p->links);
		if (ctiha_session_hears(&link->session))
			report |= CTIHA_REPORT_HEARS_L1 << (link - p->links);
	}
	return report;
}

void packet_fill(const struct packet *p, struct ctiha_frame *frame)
{
	frame->node = p->id;
	frame->pair = p->pair;
	frame->role = p->lease.role;
	frame->report = whole_report(p);
	frame->epoch = p->lease.epoch;
	frame->vote_epoch = p->lease.vote_epoch;
	frame->sync_pos = p->sync_pos;
}

static void view_node(const struct packet *p, u64 now,
		      struct heartbeat_node *view)
{
	const struct ctiha_lease *l = &p->lease;

	memset(view, 0, sizeof(*view));
	view->id = p->id;
	view->role = l->role;
	view->pair = p->pair;
	view->report = whole_report(p);
	view->lease_ns = l->lease_ns;
	view->promise_ns = l->promise_ns;
	view->epoch = l->epoch;
	view->vote_epoch = l->vote_epoch;
	view->lease_left_ns = ctiha_lease_left_ns(l, now);
	if (l->promise_until_ns > now)
		view->promise_left_ns = l->promise_until_ns - now;
	view->sync_pos = p->sync_pos;
	if (p->carrier.nic.ifindex)
		view->switch_nic = p->carrier.nic;
}

struct packet_said packet_words(const struct packet *p)
{
	return (struct packet_said){
		.role = p->lease.role,
		.report = whole_report(p),
		.epoch = p->lease.epoch,
		.vote_epoch = p->lease.vote_epoch,
		.switch_ifindex = p->carrier.nic.ifindex,
	};
}

static bool same_words(const struct packet_said *a,
		       const struct packet_said *b)
{
	return a->role == b->role && a->report == b->report &&
	       a->epoch == b->epoch && a->vote_epoch == b->vote_epoch &&
	       a->switch_ifindex == b->switch_ifindex;
}

/* A lease that is merely longer is no news; one that has no end is. */
void packet_tell_node(struct packet *p, enum ctiha_cause cause)
{
	struct packet_event event = { .kind = PACKET_EVENT_NODE };
	struct packet_said now = packet_words(p);
	bool sole = p->lease.role == CTIHA_ROLE_ACTIVE &&
		    p->lease.deadline_ns == CTIHA_LEASE_SOLE;

	if (same_words(&now, &p->told_node) && sole == p->told_sole)
		return;
	p->told_node = now;
	p->told_sole = sole;
	view_node(p, clock_now_ns(), &event.node);
	packet_event_post(p, &event, cause);
}

static void tell_peer(struct packet *p, enum ctiha_cause cause)
{
	struct packet_event event = { .kind = PACKET_EVENT_PEER };
	const struct heartbeat_peer *now = &p->peer, *told = &p->told_peer;

	if (now->heard == told->heard && now->left == told->left &&
	    now->role == told->role && now->report == told->report &&
	    now->epoch == told->epoch && now->vote_epoch == told->vote_epoch &&
	    now->last_words == told->last_words)
		return;
	p->told_peer = p->peer;
	event.peer = p->peer;
	packet_event_post(p, &event, cause);
}

u64 packet_now(struct packet *p)
{
	u64 now = clock_now_ns();

	if (ctiha_lease_expire(&p->lease, now))
		packet_tell_node(p, CTIHA_CAUSE_LEASE_EXPIRED);
	return now;
}

static bool any_session_up(const struct packet *p)
{
	return whole_report(p) & (CTIHA_REPORT_L1 | CTIHA_REPORT_L2);
}

/* A peer that is heard must not look dead: the last link is never damped. */
static void trust_last_link(struct packet *p)
{
	struct packet_link *link;

	if (any_session_up(p))
		return;
	for (link = p->links; link < p->links + PACKET_LINKS; link++)
		if (link->used)
			ctiha_session_trust(&link->session, clock_now_ns());
}

static void tell_links(struct packet *p, enum ctiha_cause cause)
{
	struct packet_link *link;

	for (link = p->links; link < p->links + PACKET_LINKS; link++)
		if (link->used)
			packet_link_tell(link, cause);
}

static void note_peer(struct packet *p, const struct ctiha_frame *frame,
		      u64 now)
{
	p->peer.left = ctiha_frame_is_goodbye(frame);
	p->peer.last_words = frame->last_words;
	p->peer.role = frame->role;
	p->peer.report = frame->report;
	p->peer.epoch = frame->epoch;
	p->peer.vote_epoch = frame->vote_epoch;
	p->peer.sync_pos = frame->sync_pos;
	p->peer.heard_ns = now;
}

static void believe(struct packet *p, const struct ctiha_frame *frame,
		    u64 echoed_sent_ns, u64 now)
{
	struct ctiha_testimony testimony = {
		.role = frame->role,
		.epoch = frame->epoch,
		.vote_epoch = frame->vote_epoch,
		.echoed_sent_ns = echoed_sent_ns,
		.goodbye = ctiha_frame_is_goodbye(frame),
	};
	bool deposed = ctiha_lease_hear(&p->lease, &testimony, now);

	packet_tell_node(p, deposed ? CTIHA_CAUSE_HIGHER_EPOCH : CTIHA_CAUSE_PEER);
}

void packet_hear(struct packet *p, const struct ctiha_frame *frame,
		 u64 echoed_sent_ns, u64 now_ns, enum ctiha_cause cause)
{
	bool heard_before = p->peer.heard;

	trust_last_link(p);
	p->peer.heard = any_session_up(p);
	if (frame)
		note_peer(p, frame, now_ns);
	tell_links(p, cause);
	if (p->peer.heard == heard_before)
		cause = CTIHA_CAUSE_PEER;
	tell_peer(p, cause);
	if (frame)
		believe(p, frame, echoed_sent_ns, now_ns);
	else
		packet_tell_node(p, cause);
}

void packet_say_to_all(struct packet *p, u8 type)
{
	struct packet_link *link;

	for (link = p->links; link < p->links + PACKET_LINKS; link++)
		if (link->used)
			packet_link_send(link, type);
}

/* Sending may lose a device, and that is news again: at most once per link. */
static void say_news(struct packet *p)
{
	struct packet_said say = packet_words(p);

	while (!same_words(&say, &p->said)) {
		p->said = say;
		packet_say_to_all(p, CTIHA_FRAME_HEARTBEAT);
		say = packet_words(p);
	}
}

void packet_settle(struct packet *p)
{
	struct packet_link *link;

	say_news(p);
	for (link = p->links; link < p->links + PACKET_LINKS; link++)
		if (link->used)
			packet_link_arm(link);
	packet_timer_set(&p->lease_timer,
			 p->lease.role == CTIHA_ROLE_ACTIVE ?
			 p->lease.deadline_ns : U64_MAX);
}

void packet_lease_ended(void *arg)
{
	struct packet *p = arg;

	packet_now(p);
	packet_settle(p);
}

void packet_view(struct packet *p, struct heartbeat_snapshot *view)
{
	u64 now = packet_now(p);
	struct packet_link *link;

	memset(view, 0, sizeof(*view));
	view_node(p, now, &view->node);
	view->peer = p->peer;
	for (link = p->links; link < p->links + PACKET_LINKS; link++)
		if (link->used)
			packet_link_view(link,
					 &view->links[view->link_count++]);
}
