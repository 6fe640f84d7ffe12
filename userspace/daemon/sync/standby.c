// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The standby's side of the sync: listens on both paths, receives what the active
 * sends, commits it, says so.
 *
 * Whatever arrives in one go is applied in one transaction, and acknowledged
 * when that is committed. A connection is a stranger until it has proved that it
 * is fresh (connection.h); the newest that has done so is the live one, and the
 * one before it is closed before we say where we are. So the active can move from
 * one path to the other without a record lost or applied twice.
 *
 * Timers, all driven by the tick: end of a handshake, silence of the live
 * connection, end of the belief to be synced (see sync.h and active.c), next
 * attempt to listen.
 */
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/sync/apply.h"
#include "daemon/sync/content.h"
#include "daemon/sync/socket.h"

#define LISTEN_NS	(1000 * CTIHA_NS_PER_MS)

/* ---- the live connection ---- */

static void send_ack(struct sync *s)
{
	struct connection *c = s->standby.live;
	struct packet_report report = {
		.state = *store_state(s->store),
		.stamp = clock_now_ns(),
		.transfers = c->transfers,
		.synced = s->standby.synced ? PACKET_SYNCED : PACKET_NOT_SYNCED,
	};
	u8 raw[PACKET_REPORT_LEN];

	s->standby.ack_due = false;
	if (s->standby.diverged)
		report.state.digest[0] = ~report.state.digest[0];
	packet_write_report(raw, &report);
	connection_send(c, PACKET_ACK, 0, raw, sizeof(raw));
}

static void compare(struct sync *s, const struct store_state *theirs)
{
	const struct store_state *ours = store_state(s->store);
	struct standby *b = &s->standby;

	if (b->receiving || b->diverged ||
	    theirs->position != ours->position ||
	    store_states_equal(theirs, ours))
		return;
	log_error("sync: own records differ from the active's at position %llu",
		  (unsigned long long)ours->position);
	standby_diverged(s);
}

void standby_diverged(struct sync *s)
{
	struct standby *b = &s->standby;

	if (b->diverged)
		return;
	b->diverged = true;
	b->synced = false;
	b->ack_due = true;
	s->diverged++;
	s->differed_ns = clock_now_ns();
}

static void take_keepalive(struct sync *s, struct connection *c,
			   const struct packet_report *r)
{
	struct standby *b = &s->standby;

	b->ack_due = true;
	b->peer = r->state;
	if (r->stamp && r->stamp <= c->heard_ns)
		b->synced_until_ns = r->stamp + s->patience_ns / 2;
	/* In the open transaction this is what a commit will make true. */
	if (!b->open || !b->open_received)
		compare(s, &r->state);
	if (b->diverged || b->receiving || r->synced == PACKET_NOT_SYNCED)
		b->synced = false;
	else if (r->synced == PACKET_SYNCED)
		b->synced = store_state(s->store)->position ==
				    r->state.position &&
			    c->heard_ns < b->synced_until_ns;
}

static void forget_stranger(struct sync *s, const struct connection *c)
{
	int i;

	for (i = 0; i < SYNC_STRANGERS; i++) {
		if (s->standby.strangers[i] == c)
			s->standby.strangers[i] = NULL;
	}
}

/* Says what there is of a snapshot that broke off, if the active can go on. */
static void offer_partial(struct sync *s, struct connection *c)
{
	struct packet_partial partial;
	u8 raw[PACKET_PARTIAL_LEN];

	if (!(c->features & PACKET_CAN_RESUME) || !apply_partial(s, &partial))
		return;
	packet_write_partial(raw, &partial);
	connection_send(c, PACKET_PARTIAL, 0, raw, sizeof(raw));
}

/* The stranger has proved that it is the active, now. */
static void go_live(struct sync *s, struct connection *c, u64 epoch,
		    const struct packet_report *r)
{
	struct standby *b = &s->standby;

	forget_stranger(s, c);
	connection_close(b->live);
	apply_stop(s);
	offer_partial(s, c);
	b->live = c;
	b->peer = r->state;
	b->ack_due = true;
	c->phase = CONNECTION_LIVE;
	s->shared.epoch = epoch;
	if (r->synced != PACKET_AS_BEFORE)
		b->synced = false;
	log_info("sync: following epoch %llu over %s, from position %llu",
		 (unsigned long long)epoch, sync_path_name(c->path),
		 (unsigned long long)store_state(s->store)->position);
}

/* Behind a keepalive: ours go behind the acknowledgement. */
static void take_totals(struct sync *s, struct connection *c,
			const struct packet *p)
{
	char name[CONTENT_NAME_LEN];
	int content, rc = apply_commit(s);

	if (rc) {
		apply_fail(s, c, rc);
		return;
	}
	content = totals_take(s, c, p);
	if (content < 0)
		return;
	s->standby.totals_due = true;
	if (!content || s->standby.diverged)
		return;
	log_error("sync: own records of content %s differ from the active's",
		  content_name((u16)content, name));
	standby_diverged(s);
}

static void take_live(struct sync *s, struct connection *c,
		      const struct packet *p)
{
	struct packet_report report;

	if (packet_has_records(p->head.content)) {
		apply_records(s, c, p);
		return;
	}
	if (p->head.content == PACKET_TOTALS) {
		take_totals(s, c, p);
		return;
	}
	if (packet_read_report(p, &report)) {
		connection_refuse(c, "malformed report");
		return;
	}
	if (p->head.content == PACKET_KEEPALIVE)
		take_keepalive(s, c, &report);
	else if (p->head.content == PACKET_SNAPSHOT_BEGIN)
		apply_snapshot_begin(s, c, &report);
	else if (p->head.content == PACKET_SNAPSHOT_RESUME)
		apply_snapshot_resume(s, c, &report);
	else if (p->head.content == PACKET_SNAPSHOT_END)
		apply_snapshot_end(s, c, &report);
	else
		connection_refuse(c, "unexpected packet");
}

/* ---- strangers ---- */

static void take_hello(struct sync *s, struct connection *c,
		       const struct packet *p)
{
	bool welcome = p->head.epoch >= s->shared.epoch;
	struct packet_hello hello;

	if (p->head.content != PACKET_HELLO || packet_read_hello(p, &hello)) {
		connection_refuse(c, "no hello");
		return;
	}
	c->features = hello.features;
	connection_greet(c, PACKET_HELLO_REPLY,
			 welcome ? PACKET_WELCOME : PACKET_EPOCH_TOO_LOW);
	connection_agree(c, hello.nonce, c->nonce);
	/* Turned away it stays in its phase: the next packet is one too many. */
	if (welcome)
		c->phase = CONNECTION_CONFIRMING;
}

static void take_first(struct sync *s, struct connection *c,
		       const struct packet *p)
{
	struct packet_report report;

	if (p->head.content != PACKET_KEEPALIVE ||
	    packet_read_report(p, &report))
		connection_refuse(c, "no keepalive after the hello");
	else
		go_live(s, c, p->head.epoch, &report);
}

static void on_packet(struct connection *c, const struct packet *p)
{
	struct sync *s = c->owner;

	if (c->phase == CONNECTION_GREETING) {
		take_hello(s, c, p);
	} else if (p->head.epoch < s->shared.epoch) {
		log_warning("sync: active of epoch %llu turned away, %llu is known",
			    (unsigned long long)p->head.epoch,
			    (unsigned long long)s->shared.epoch);
		connection_lose(c, "epoch too low");
	} else if (c->phase == CONNECTION_CONFIRMING) {
		take_first(s, c, p);
	} else {
		s->shared.epoch = p->head.epoch;
		take_live(s, c, p);
	}
}

static void on_idle(struct connection *c)
{
	struct sync *s = c->owner;
	int rc;

	if (c != s->standby.live)
		return;
	rc = apply_commit(s);
	if (rc)
		apply_fail(s, c, rc);
	else if (s->standby.ack_due)
		send_ack(s);
	if (s->standby.live && s->standby.totals_due)
		totals_send(s, s->standby.live);
	s->standby.totals_due = false;
	sync_changed(s);
}

static void on_drained(struct connection *c)
{
	(void)c;
}

static void on_lost(struct connection *c, const char *why)
{
	struct sync *s = c->owner;

	if (c != s->standby.live) {
		forget_stranger(s, c);
		return;
	}
	log_warning("sync: connection over %s lost: %s",
		    sync_path_name(c->path), why);
	/* Whole packets that are already applied are worth keeping. */
	if (s->standby.open && !s->standby.open_received && apply_commit(s))
		log_error("sync: the last records were not committed");
	apply_stop(s);
	s->standby.live = NULL;
	sync_changed(s);
}

static const struct connection_callbacks callbacks = {
	.packet = on_packet,
	.idle = on_idle,
	.drained = on_drained,
	.lost = on_lost,
};

static struct connection **room_for_stranger(struct standby *b)
{
	int i;

	for (i = 0; i < SYNC_STRANGERS; i++) {
		if (!b->strangers[i])
			return &b->strangers[i];
	}
	/* All are slow: the first one gives way, so that none can block us. */
	connection_close(b->strangers[0]);
	memmove(b->strangers, b->strangers + 1,
		sizeof(b->strangers) - sizeof(b->strangers[0]));
	b->strangers[SYNC_STRANGERS - 1] = NULL;
	return &b->strangers[SYNC_STRANGERS - 1];
}

static void close_listener(struct standby *b, int i)
{
	if (b->accepts[i])
		event_free(b->accepts[i]);
	if (b->listeners[i] >= 0)
		close(b->listeners[i]);
	b->accepts[i] = NULL;
	b->listeners[i] = -1;
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct sync *s = arg;
	struct standby *b = &s->standby;
	int path = fd == b->listeners[0] ? 0 : 1;
	struct connection **room;
	int peer;

	(void)what;
	peer = socket_accept(fd, &s->spec.paths[path]);
	if (peer == -EMFILE || peer == -ENFILE || peer == -ENOMEM)
		/* It would be readable for ever: the tick opens it again. */
		close_listener(b, path);
	if (peer < 0)
		return;
	room = room_for_stranger(b);
	*room = connection_take(&s->shared, peer, &callbacks, s);
	if (*room)
		(*room)->path = (u8)path;
}

/* ---- listening ---- */

static void open_listener(struct sync *s, int i)
{
	struct standby *b = &s->standby;
	int fd;

	fd = socket_listen(&s->spec.paths[i]);
	if (fd >= 0) {
		b->listeners[i] = fd;
		b->accepts[i] = event_new(s->shared.base, fd,
					  EV_READ | EV_PERSIST, on_accept, s);
		if (!b->accepts[i] || event_add(b->accepts[i], NULL))
			close_listener(b, i);
		b->complained[i] = false;
	} else if (!b->complained[i]) {
		log_warning("sync: cannot listen on %s: %s; will try again",
			    sync_path_name((u8)i), strerror(-fd));
		b->complained[i] = true;
	}
}

static void listen_all(struct sync *s, u64 now)
{
	struct standby *b = &s->standby;
	int i;

	if (now < b->listen_ns)
		return;
	b->listen_ns = now + LISTEN_NS;
	for (i = 0; i < SYNC_PATHS; i++) {
		if (s->spec.paths[i].configured && b->listeners[i] < 0)
			open_listener(s, i);
	}
}

/* A device that was gone and is back is another one: its listener heard the old. */
void standby_links(struct sync *s, const bool came_up[SYNC_PATHS])
{
	int i;

	for (i = 0; i < SYNC_PATHS; i++) {
		if (came_up[i])
			close_listener(&s->standby, i);
	}
	s->standby.listen_ns = 0;
	listen_all(s, clock_now_ns());
}

/* ---- time ---- */

static void check_belief(struct sync *s, u64 now)
{
	struct standby *b = &s->standby;
	bool active_lives = s->link_up[0] || s->link_up[1];

	if (!b->synced || !active_lives || now < b->synced_until_ns)
		return;
	log_warning("sync: nothing heard of the active that lives: not synced");
	b->synced = false;
}

/* What is due without anything having arrived. */
static void tell_what_is_due(struct sync *s)
{
	if (s->standby.live && s->standby.ack_due && !s->standby.open)
		send_ack(s);
}

void standby_tick(struct sync *s, u64 now)
{
	struct standby *b = &s->standby;
	int i;

	tell_what_is_due(s);
	listen_all(s, now);
	check_belief(s, now);
	for (i = 0; i < SYNC_STRANGERS; i++) {
		if (b->strangers[i] &&
		    now - b->strangers[i]->since_ns > SYNC_HANDSHAKE_NS)
			connection_lose(b->strangers[i], "handshake too slow");
	}
	if (now - s->tick_ns <= SYNC_LATE_NS && b->live &&
	    now - b->live->heard_ns > 2 * s->patience_ns)
		connection_lose(b->live, "silent");
}

void standby_init(struct sync *s)
{
	int i;

	memset(&s->standby, 0, sizeof(s->standby));
	for (i = 0; i < SYNC_PATHS; i++)
		s->standby.listeners[i] = -1;
}

void standby_start(struct sync *s)
{
	standby_init(s);
	listen_all(s, clock_now_ns());
}

void standby_stop(struct sync *s)
{
	struct standby *b = &s->standby;
	int i;

	for (i = 0; i < SYNC_PATHS; i++)
		close_listener(b, i);
	for (i = 0; i < SYNC_STRANGERS; i++) {
		connection_close(b->strangers[i]);
		b->strangers[i] = NULL;
	}
	if (b->open && !b->open_received && apply_commit(s))
		log_error("sync: the last records were not committed");
	apply_stop(s);
	store_receive_abort(s->store);
	connection_close(b->live);
	b->live = NULL;
}
