// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The packet backend: a node without the module. See packet.h.
 *
 * What it cannot give, compared with the module: it beats only while this
 * process is scheduled, and a process that is stopped cannot end its lease. It
 * ends it first of all when it goes on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/heartbeat/packet.h"

#define GOODBYES	3

u64 packet_random(void)
{
	u64 random;

	/* Eight bytes are never given in part, and open() saw it work. */
	while (getrandom(&random, sizeof(random), 0) != sizeof(random))
		;
	return random;
}

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

static struct packet_said what_to_say(const struct packet *p)
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
	struct packet_said now = what_to_say(p);
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

static void say_to_all(struct packet *p, u8 type)
{
	struct packet_link *link;

	for (link = p->links; link < p->links + PACKET_LINKS; link++)
		if (link->used)
			packet_link_send(link, type);
}

/* Sending may lose a device, and that is news again: at most once per link. */
static void say_news(struct packet *p)
{
	struct packet_said say = what_to_say(p);

	while (!same_words(&say, &p->said)) {
		p->said = say;
		say_to_all(p, CTIHA_FRAME_HEARTBEAT);
		say = what_to_say(p);
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

static void on_lease_timer(void *arg)
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

/*
 * Begins a command of the daemon: what arrived meanwhile comes first.
 *
 * Return: the time.
 */
static u64 enter(struct packet *p)
{
	struct packet_link *link;

	packet_now(p);
	for (link = p->links; link < p->links + PACKET_LINKS; link++)
		if (link->used)
			packet_link_drain(link);
	return packet_now(p);
}

static bool can_work(char *error, size_t error_size)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	u64 random;

	if (fd < 0) {
		snprintf(error, error_size,
			 "backend packet: cannot open a packet socket: %s; run it with CAP_NET_RAW, or set backend = module",
			 strerror(errno));
		return false;
	}
	close(fd);
	if (getrandom(&random, sizeof(random), 0) == sizeof(random))
		return true;
	snprintf(error, error_size, "backend packet: no random numbers: %s",
		 strerror(errno));
	return false;
}

static bool spec_is_good(const struct heartbeat_node_spec *spec, char *error,
			 size_t error_size)
{
	if (spec->id <= 1 && spec->lease_ns &&
	    spec->promise_ns > spec->lease_ns)
		return true;
	snprintf(error, error_size,
		 "backend packet: the node's id must be 0 or 1 and promise must be longer than lease");
	return false;
}

static void close_all(struct packet *p)
{
	struct packet_link *link;

	for (link = p->links; link < p->links + PACKET_LINKS; link++)
		if (link->used)
			packet_link_close(link);
}

static void destroy(struct packet *p)
{
	close_all(p);
	packet_timer_close(&p->lease_timer);
	packet_event_close(p);
	mac_key_wipe(&p->keys[0]);
	mac_key_wipe(&p->keys[1]);
	if (p->carrier.fd >= 0)
		close(p->carrier.fd);
	free(p);
}

static void set_keys(struct packet *p, const struct keys *keys)
{
	unsigned int slot;

	for (slot = 0; slot < CTIHA_KEY_SLOTS; slot++) {
		p->key_used[slot] = keys->used[slot];
		mac_key_set(&p->keys[slot], keys->key[slot]);
	}
	p->send_slot = keys->send;
}

/* Of the fastest of some tries: that one was not interrupted. */
static u64 verify_cost_ns(const struct ctiha_mac_key *key)
{
	static const u8 sample[CTIHA_FRAME_SEALED_LEN];
	u64 began_ns, took_ns, least_ns = U64_MAX;
	unsigned int tries = 32;
	u8 mac[CTIHA_MAC_LEN];

	while (tries--) {
		began_ns = clock_now_ns();
		ctiha_mac(key, sample, sizeof(sample), mac);
		took_ns = clock_now_ns() - began_ns;
		if (took_ns < least_ns)
			least_ns = took_ns;
	}
	return least_ns;
}

static void init(struct packet *p, const struct heartbeat_node_spec *spec)
{
	p->id = spec->id;
	p->pair = spec->pair;
	p->attached = true;
	set_keys(p, &spec->keys);
	p->verify_ns = verify_cost_ns(&p->keys[p->send_slot]);
	ctiha_lease_init(&p->lease, spec->id, spec->lease_ns, spec->promise_ns,
			 spec->epoch, clock_now_ns());
	p->told_node = what_to_say(p);
}

static struct heartbeat *packet_open(struct event_base *base,
				     const struct heartbeat_node_spec *spec,
				     const struct heartbeat_callbacks *callbacks,
				     void *arg, char *error, size_t error_size)
{
	struct packet *p;

	if (!spec_is_good(spec, error, error_size) ||
	    !can_work(error, error_size))
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		goto no_memory;
	p->base = base;
	p->callbacks = *callbacks;
	p->arg = arg;
	p->lease_timer.fd = -1;
	p->carrier.fd = -1;
	if (packet_event_open(p, base) || packet_carrier_open(p) ||
	    packet_timer_open(&p->lease_timer, base, on_lease_timer, p)) {
		destroy(p);
		goto no_memory;
	}
	init(p, spec);
	return (struct heartbeat *)p;

no_memory:
	snprintf(error, error_size, "backend packet: out of memory");
	return NULL;
}

/* Without goodbye: as the module does when the daemon's socket closes. */
static void packet_close(struct heartbeat *hb)
{
	struct packet *p = (struct packet *)hb;

	if (!p->left) {
		p->attached = false;
		p->report = 0;
		ctiha_lease_yield(&p->lease, enter(p));
		say_to_all(p, CTIHA_FRAME_HEARTBEAT);
	}
	destroy(p);
}

static int check_link(const struct heartbeat_link_spec *spec)
{
	bool good = spec->name[0] && spec->device[0] &&
		    memchr(spec->name, '\0', sizeof(spec->name)) &&
		    memchr(spec->device, '\0', sizeof(spec->device)) &&
		    (spec->kind == CTIHA_LINK_CROSSOVER ||
		     spec->kind == CTIHA_LINK_LAN) &&
		    spec->multiplier >= CTIHA_MULTIPLIER_MIN &&
		    spec->multiplier <= CTIHA_MULTIPLIER_MAX &&
		    spec->interval_us >= CTIHA_INTERVAL_MIN_US &&
		    spec->interval_us <= CTIHA_INTERVAL_MAX_US;

	return good ? 0 : -EINVAL;
}

static struct packet_link *find_link(struct packet *p, const char *name)
{
	struct packet_link *link;

	for (link = p->links; link < p->links + PACKET_LINKS; link++)
		if (link->used && !strcmp(link->spec.name, name))
			return link;
	return NULL;
}

static int packet_link_add(struct heartbeat *hb,
			   const struct heartbeat_link_spec *spec)
{
	struct packet *p = (struct packet *)hb;
	struct packet_link *link;
	int ret = check_link(spec);

	if (ret)
		return ret;
	if (p->left)
		return -ESHUTDOWN;
	link = &p->links[spec->kind - 1];
	if (link->used || find_link(p, spec->name))
		return -EEXIST;
	enter(p);
	ret = packet_link_open(link, p, spec);
	packet_settle(p);
	return ret;
}

static int packet_link_del(struct heartbeat *hb, const char *name)
{
	struct packet *p = (struct packet *)hb;
	struct packet_link *link = find_link(p, name);

	if (!link)
		return -ENOENT;
	enter(p);
	ctiha_session_drop(&link->session, CTIHA_DIAG_NONE, packet_random());
	packet_link_tell(link, CTIHA_CAUSE_COMMAND);
	packet_link_close(link);
	packet_hear(p, NULL, 0, 0, CTIHA_CAUSE_COMMAND);
	packet_settle(p);
	return 0;
}

static int packet_switch_watch(struct heartbeat *hb, const char *device)
{
	struct packet *p = (struct packet *)hb;

	if (p->left)
		return -ESHUTDOWN;
	enter(p);
	packet_carrier_watch(p, device);
	packet_settle(p);
	return 0;
}

static int packet_report(struct heartbeat *hb, u32 report, u64 sync_pos)
{
	struct packet *p = (struct packet *)hb;

	if (p->left)
		return -ESHUTDOWN;
	enter(p);
	p->report = report;
	p->sync_pos = sync_pos;
	packet_tell_node(p, CTIHA_CAUSE_COMMAND);
	packet_settle(p);
	return 0;
}

static int packet_activate(struct heartbeat *hb, u64 epoch, u64 granted_ns)
{
	struct packet *p = (struct packet *)hb;
	int ret;

	if (p->left)
		return -ESHUTDOWN;
	ret = ctiha_lease_activate(&p->lease, epoch, granted_ns, enter(p));
	if (!ret)
		packet_tell_node(p, CTIHA_CAUSE_COMMAND);
	packet_settle(p);
	return ret;
}

static int packet_renew(struct heartbeat *hb, u64 epoch, u64 granted_ns)
{
	struct packet *p = (struct packet *)hb;
	int ret;

	ret = ctiha_lease_renew(&p->lease, epoch, granted_ns, enter(p));
	packet_settle(p);
	return ret;
}

static int packet_yield(struct heartbeat *hb)
{
	struct packet *p = (struct packet *)hb;

	if (p->left)
		return -ESHUTDOWN;
	ctiha_lease_yield(&p->lease, enter(p));
	packet_tell_node(p, CTIHA_CAUSE_COMMAND);
	packet_settle(p);
	return 0;
}

/* Goodbye is the last word: the links end, or their heartbeats would revoke it. */
static int packet_leave(struct heartbeat *hb)
{
	struct packet *p = (struct packet *)hb;
	unsigned int i;

	if (p->left)
		return -ESHUTDOWN;
	ctiha_lease_yield(&p->lease, enter(p));
	p->attached = false;
	packet_tell_node(p, CTIHA_CAUSE_COMMAND);
	for (i = 0; i < GOODBYES; i++)
		say_to_all(p, CTIHA_FRAME_GOODBYE);
	p->left = true;
	close_all(p);
	packet_settle(p);
	return 0;
}

/* A stopped process stops nothing. */
static int packet_fence(struct heartbeat *hb, const struct heartbeat_fence *fence)
{
	(void)hb;
	(void)fence;
	return -EOPNOTSUPP;
}

static int packet_rekey(struct heartbeat *hb, const struct keys *keys)
{
	struct packet *p = (struct packet *)hb;

	/* What has arrived may be sealed with a key that goes. */
	enter(p);
	set_keys(p, keys);
	packet_settle(p);
	return 0;
}

static int packet_snapshot(struct heartbeat *hb,
			   struct heartbeat_snapshot *snap)
{
	struct packet *p = (struct packet *)hb;

	enter(p);
	packet_view(p, snap);
	packet_settle(p);
	return 0;
}

const struct heartbeat_backend heartbeat_packet = {
	.name = "packet",
	.open = packet_open,
	.close = packet_close,
	.fence = packet_fence,
	.rekey = packet_rekey,
	.switch_watch = packet_switch_watch,
	.link_add = packet_link_add,
	.link_del = packet_link_del,
	.report = packet_report,
	.activate = packet_activate,
	.renew = packet_renew,
	.yield = packet_yield,
	.leave = packet_leave,
	.snapshot = packet_snapshot,
};
