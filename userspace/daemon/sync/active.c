// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The active's side of the sync: decides what each acknowledgement is worth, and
 * with that, what the standby is sent and what it may believe. candidate.c finds
 * the standby, stream.c sends.
 *
 * Timers, all driven by the tick: end of the patience; keepalive (stream.c); end
 * of a handshake and next attempt to connect (candidate.c).
 *
 *            handshake done            standby has all
 *   +-------+ ----------> +---------+ -----------------> +---------+
 *   | Alone |             | Joining |                    | In sync |
 *   +-------+ <---------- +---------+ <----------------- +---------+
 *       ^    lost                      must have it all anew  |
 *       +-----------------------------------------------------+
 *                patience is over, or both links are down
 *
 *   In sync -> Joining as well, if it answers, but too late to wait for.
 *
 * WHAT AN ACKNOWLEDGEMENT IS WORTH
 *
 * Every write is committed here before anything else, so an acknowledged write
 * is at least on this server. The question is what the standby would have
 * if it took over. In Alone and Joining a write is acknowledged as ALONE at
 * its commit; In sync it waits until the standby says that it has committed
 * its position, and is acknowledged as STANDBY.
 *
 * The standby believes that it has everything ("synced") only when told so, by
 * a keepalive that stands in the stream. So three moments matter:
 *
 *  - Joining -> In sync happens when all that is committed has been handed to
 *    the connection and the standby has confirmed the snapshot (or where it
 *    resumes). In the same step the keepalive that says "synced" is appended
 *    to the stream. Every write acknowledged as ALONE before this step lies
 *    in front of that keepalive, and no write is acknowledged as ALONE after
 *    it: the standby cannot read "synced" without having applied all of the
 *    former, and gets to acknowledge all of the latter. If the keepalive is
 *    lost, the standby does not believe itself synced.
 *
 *  - In sync -> Alone, with the links up: the standby must stop believing before
 *    the first write is acknowledged as ALONE. It believes until half the
 *    patience after the sending of the last ack that we told it we heard; we
 *    wait the whole patience after hearing it. Half of it is margin for clocks
 *    and for the standby's tick. Writes wait meanwhile. A connection that comes
 *    back in time and resumes has lost nothing: the mode stays In sync.
 *
 *  - In sync -> Joining, of a standby that is too slow: the same, except that we
 *    tell it only of acks that came in time, with no write waiting for longer
 *    than a part of the patience. A link or a server that is slower than the
 *    calls must not hold them up. It is sent the writes as before, but is not
 *    waited for again for a while.
 *
 *  - In sync -> Alone, with both links down: the standby cannot be told. Here
 *    the judge and the arbiter decide which server goes on, and the callback
 *    may_act says whether it is still this one; without it the write is refused.
 *    An ALONE write is lost if this server then dies as well: two
 *    failures. The application knows which writes these were.
 *
 *  - In sync -> Joining: the standby came back with another state than it had
 *    acknowledged (it was restarted empty, or a snapshot it received broke off,
 *    so it does not believe), or it diverged, which it sees as well as we do, in
 *    the keepalive before.
 *
 * If the rule is to need a standby (sync_need_standby()) there is no ALONE: writes
 * are taken in In sync only, and those that wait when it ends are UNKNOWN. The rest
 * is as it was.
 *
 * A STANDBY acknowledgement needs no lease: the standby has committed the write
 * before it could take over, whoever is active now.
 *
 * In sync, a write whose application does not want to wait is acknowledged as ASYNC
 * at its commit, if may_act says that this server may still act; refused if not. It
 * promises nothing about the standby, so "synced" says nothing about it: the standby
 * that takes over, for whatever reason, may lack it, and when this server joins that
 * one, it is gone. The above is as true as without it, since it travels like
 * every other write, in its place in the stream: whoever has acknowledged a
 * position has all those before it, and a keepalive that says "synced" stands
 * behind all that is committed, in whatever way it was acknowledged. What was not yet
 * sent when the role changed stays in the backlog: if this server becomes active again
 * with nobody in between, the standby gets it then. A planned hand-over waits
 * for it (sync_flush()). In Alone and Joining there is no ASYNC: these are ALONE.
 */
#include "common/clock.h"
#include "common/log.h"
#include "daemon/sync/candidate.h"
#include "daemon/sync/content.h"
#include "daemon/sync/stream.h"

#define STUCK_NS	(10000 * CTIHA_NS_PER_MS)

/* Of the patience: a write that waits longer makes an ack one that is late. */
#define LATE_PART	4

/* How long a slow standby is not waited for, in patiences: doubled each time. */
#define SLOW_FIRST	5
#define SLOW_MAX	160

/* So many writes need not be sent by another way than as such. */
#define FAR_BEHIND	4096

/* ---- modes ---- */

static void go_alone(struct sync *s, const char *why)
{
	if (s->active.mode == ACTIVE_IN_SYNC)
		log_warning("sync: without a standby: %s", why);
	s->active.mode = ACTIVE_ALONE;
	write_release_alone(s);
	write_flushed(s, 0, false);
}

static void drop_connection(struct sync *s)
{
	struct active *a = &s->active;

	stream_break(s);
	connection_close(a->connection);
	a->connection = NULL;
	if (a->mode == ACTIVE_JOINING)
		go_alone(s, "lost while it was joining");
}

/* Writes do not wait for it any more. It must not believe that they do. */
static void join(struct sync *s)
{
	s->active.mode = ACTIVE_JOINING;
	write_release_alone(s);
	write_flushed(s, 0, false);
}

/* It is sent a snapshot: until it has that, it counts for nothing. */
static void join_anew(struct sync *s)
{
	s->active.confirmed = false;
	join(s);
}

/* Writes go on without it for a while. */
static void hold_off(struct sync *s, u64 now)
{
	struct slowness *slow = &s->active.slow;

	if (!slow->hold_ns || now - slow->since_ns > slow->hold_ns)
		slow->hold_ns = SLOW_FIRST * s->patience_ns;
	else if (slow->hold_ns < SLOW_MAX * s->patience_ns)
		slow->hold_ns *= 2;
	slow->until_ns = now + slow->hold_ns;
	log_warning("sync: the standby is too slow: writes do not wait for it for %llu s; see Documentation/sync.rst",
		    (unsigned long long)(slow->hold_ns / CTIHA_NS_PER_MS / 1000));
}

/*
 * It answers, but so late that writes cannot wait for it. If it is needed no write is
 * taken without it, so it catches up soon, and nobody gains by a delay.
 */
static void leave_behind(struct sync *s, u64 now)
{
	if (s->spec.needs_standby)
		log_warning("sync: the standby is too slow: no writes are taken until it has caught up");
	else
		hold_off(s, now);
	join(s);
}

static void begin_snapshot(struct sync *s)
{
	if (!stream_begin_snapshot(s)) {
		connection_lose(s->active.connection,
				"the store cannot be read");
		return;
	}
	s->resyncs++;
	join_anew(s);
}

/* Whatever it lacks is in the snapshot: what broke off goes on if it can. */
static void send_snapshot(struct sync *s)
{
	if (stream_resume_snapshot(s, &s->active.partial))
		join_anew(s);
	else
		begin_snapshot(s);
}

/* Joining -> In sync, if its conditions hold; see the top. */
static void settle(struct sync *s)
{
	struct active *a = &s->active;
	u64 now = clock_now_ns();

	if (a->mode != ACTIVE_JOINING || !a->connection || !a->confirmed ||
	    !stream_all_sent(s) || now < a->slow.until_ns)
		return;
	a->mode = ACTIVE_IN_SYNC;
	a->diverged = false;
	a->heard_ns = now;
	a->timely_ns = now;
	a->slow.since_ns = now;
	log_info("sync: the standby is in sync, at position %llu, over %s",
		 (unsigned long long)a->sent.position,
		 sync_path_name(a->connection->path));
	stream_keepalive(s);
}

/* All records once are less than what a slow standby lacks of their history. */
static bool records_are_less(const struct sync *s)
{
	const struct active *a = &s->active;
	const struct store_state *ours = store_state(s->store);

	return a->confirmed && clock_now_ns() < a->slow.until_ns &&
	       ours->position - a->sent.position > ours->records + FAR_BEHIND;
}

static void pump(struct sync *s)
{
	struct active *a = &s->active;

	while (a->connection && !connection_congested(a->connection)) {
		if (s->backlog.overrun || records_are_less(s)) {
			log_warning("sync: the standby is too slow: it gets the records instead of %llu writes",
				    (unsigned long long)(store_state(s->store)->position -
							 a->sent.position));
			begin_snapshot(s);
		} else if (!stream_next(s)) {
			break;
		}
	}
	settle(s);
}

void active_committed(struct sync *s)
{
	/* Release first: settle() must find nothing that waits as if alone. */
	if (s->active.mode != ACTIVE_IN_SYNC)
		write_release_alone(s);
	else
		write_tell_async(s);
	pump(s);
}

bool active_takes_patches(const struct sync *s)
{
	const struct connection *c = s->active.connection;

	return c && c->features & PACKET_CAN_PATCH;
}

/* ---- hearing ---- */

static void diverge(struct sync *s)
{
	log_error("sync: the standby's records differ at position %llu: sending all anew",
		  (unsigned long long)s->active.peer.position);
	s->diverged++;
	s->differed_ns = clock_now_ns();
	s->active.diverged = true;
	begin_snapshot(s);
}

static void set_acked(struct active *a, u64 position)
{
	if (a->acked != position)
		a->progress_ns = a->heard_ns;
	a->acked = position;
}

/* It may believe on, if no write has been waiting for longer than @late. */
static void confirm(struct sync *s, const struct packet_report *r, u64 late)
{
	u64 now = clock_now_ns();

	if (!s->active.connection || write_lag_ns(s, now) > late)
		return;
	s->active.timely_ns = now;
	s->active.stamp = r->stamp;
}

static void take_ack(struct sync *s, struct connection *c,
		     const struct packet_report *r)
{
	struct active *a = &s->active;
	const struct store_state *ours;

	a->heard_ns = c->heard_ns;
	a->peer = r->state;
	/* Sent before it had received the last snapshot: says nothing yet. */
	if (r->transfers != c->transfers) {
		confirm(s, r, s->patience_ns);
		return;
	}
	if (r->state.position > a->sent.position ||
	    (a->confirmed && r->state.position < a->acked)) {
		connection_refuse(c, "acknowledges what was not sent");
		return;
	}
	ours = backlog_state(&s->backlog, r->state.position);
	if (ours && !store_states_equal(ours, &r->state)) {
		diverge(s);
		pump(s);
		return;
	}
	a->confirmed = true;
	stream_confirmed(s);
	set_acked(a, r->state.position);
	if (a->mode == ACTIVE_IN_SYNC) {
		write_release(s, a->acked, SYNC_ACK_STANDBY);
		write_flushed(s, a->acked, true);
	}
	confirm(s, r, s->patience_ns / LATE_PART);
	settle(s);
}

static void take_totals(struct sync *s, struct connection *c,
			const struct packet *p)
{
	int content = totals_take(s, c, p);
	char name[CONTENT_NAME_LEN];

	/* A whole that is the same, of parts that are not, cannot be. */
	if (content <= 0 || !s->active.confirmed)
		return;
	log_error("sync: the standby's records of content %s differ",
		  content_name((u16)content, name));
	diverge(s);
	pump(s);
}

/*
 * It lacks more writes than there are records: a standby that was restarted empty need
 * not hear how they came about. But one that may believe to be synced, since it has
 * all that it acknowledged, is resumed.
 */
static bool better_anew(const struct sync *s, const struct store_state *theirs)
{
	const struct store_state *ours = store_state(s->store);
	bool counted_on = s->active.mode == ACTIVE_IN_SYNC &&
			  theirs->position >= s->active.acked;

	return !counted_on && theirs->position < ours->position &&
	       ours->position - theirs->position > ours->records;
}

/* The candidate has proved itself and says where it is. */
static void adopt(struct sync *s, struct connection *c,
		  const struct packet_report *r)
{
	struct active *a = &s->active;

	connection_close(a->connection);
	candidate_succeed(s);
	a->connection = c;
	a->heard_ns = c->heard_ns;
	a->peer = r->state;
	c->phase = CONNECTION_LIVE;
	confirm(s, r, s->patience_ns);
	if (better_anew(s, &r->state) || !stream_resume(s, &r->state)) {
		send_snapshot(s);
		pump(s);
		return;
	}
	log_info("sync: goes on at position %llu, over %s",
		 (unsigned long long)r->state.position,
		 sync_path_name(c->path));
	set_acked(a, r->state.position);
	a->confirmed = true;
	if (a->mode == ACTIVE_IN_SYNC)
		write_release(s, a->acked, SYNC_ACK_STANDBY);
	else
		a->mode = ACTIVE_JOINING;
	pump(s);
	/* What it was told before may not have reached it. */
	if (a->mode == ACTIVE_IN_SYNC && a->connection)
		stream_keepalive(s);
}

static void on_packet(struct connection *c, const struct packet *p)
{
	struct sync *s = c->owner;
	struct packet_report report;

	if (c->phase == CONNECTION_GREETING &&
	    p->head.content == PACKET_HELLO_REPLY) {
		candidate_take_reply(s, c, p);
		return;
	}
	if (c->phase == CONNECTION_CONFIRMING &&
	    p->head.content == PACKET_PARTIAL) {
		if (packet_read_partial(p, &s->active.partial))
			connection_refuse(c, "malformed place in a snapshot");
		return;
	}
	if (c->phase == CONNECTION_LIVE && p->head.content == PACKET_TOTALS) {
		take_totals(s, c, p);
		return;
	}
	if (p->head.content != PACKET_ACK || packet_read_report(p, &report)) {
		connection_refuse(c, "not an acknowledgement");
		return;
	}
	if (c->phase == CONNECTION_CONFIRMING)
		adopt(s, c, &report);
	else if (c->phase == CONNECTION_LIVE)
		take_ack(s, c, &report);
	else
		connection_refuse(c, "acknowledgement without a hello");
}

static void on_idle(struct connection *c)
{
	sync_changed(c->owner);
}

static void on_drained(struct connection *c)
{
	struct sync *s = c->owner;

	if (c == s->active.connection)
		pump(s);
}

static void on_lost(struct connection *c, const char *why)
{
	struct sync *s = c->owner;
	struct active *a = &s->active;

	if (c == a->candidate) {
		candidate_lost(s, why);
		return;
	}
	log_warning("sync: connection over %s lost: %s",
		    sync_path_name(c->path), why);
	candidate_replace(s, c);
	stream_break(s);
	a->connection = NULL;
	if (a->mode == ACTIVE_JOINING)
		go_alone(s, why);
	sync_changed(s);
}

const struct connection_callbacks active_callbacks = {
	.connected = candidate_greet,
	.packet = on_packet,
	.idle = on_idle,
	.drained = on_drained,
	.lost = on_lost,
};

void active_links(struct sync *s)
{
	if (candidate_links(s))
		return;
	drop_connection(s);
	go_alone(s, "both links are down");
}

/* While there is a snapshot no write waits: dropping the connection tells nobody. */
bool active_make_room(struct sync *s)
{
	if (!s->snapshot.reader)
		return false;
	log_warning("sync: the store is full while all records are sent: giving that up for %llu s; make map_size larger",
		    STUCK_NS / CTIHA_NS_PER_MS / 1000);
	candidate_pause(s, clock_now_ns() + STUCK_NS);
	drop_connection(s);
	stream_expire(s, U64_MAX);
	return true;
}

/* ---- time ---- */

/*
 * The standby answers, or connects again and again, but commits nothing: its
 * store may be full. It is left alone; silence follows, then the end of the
 * patience. Not at once: it may believe to be synced until then.
 */
static void check_progress(struct sync *s, u64 now)
{
	struct active *a = &s->active;
	u64 since = now - write_lag_ns(s, now);

	if (since < a->progress_ns)
		since = a->progress_ns;
	if (a->mode != ACTIVE_IN_SYNC || a->heard_ns <= since + s->patience_ns)
		return;
	log_warning("sync: the standby commits nothing: leaving it alone for %llu s",
		    STUCK_NS / CTIHA_NS_PER_MS / 1000);
	candidate_pause(s, now + STUCK_NS);
	drop_connection(s);
	a->progress_ns = now;
}

static void check_silence(struct sync *s, u64 now)
{
	struct active *a = &s->active;
	u64 silence = now - a->heard_ns;
	bool late = now - a->timely_ns > s->patience_ns;

	if (a->mode == ACTIVE_IN_SYNC && late && a->connection &&
	    silence <= s->patience_ns) {
		leave_behind(s, now);
	} else if (a->mode == ACTIVE_IN_SYNC && late) {
		drop_connection(s);
		go_alone(s, "it does not answer");
	} else if (a->connection && silence > 2 * s->patience_ns) {
		log_warning("sync: the standby does not answer");
		drop_connection(s);
	}
}

void active_tick(struct sync *s, u64 now)
{
	/* We were stopped, not the standby: what it said is still unread. */
	if (now - s->tick_ns > SYNC_LATE_NS) {
		s->active.heard_ns = now;
		s->active.timely_ns = now;
	}
	check_progress(s, now);
	check_silence(s, now);
	/* An acknowledgement may have ended our office: a standby only listens. */
	if (s->side != SYNC_SIDE_ACTIVE)
		return;
	candidate_tick(s, now);
	stream_tick(s, now);
}

void active_start(struct sync *s)
{
	memset(&s->active, 0, sizeof(s->active));
	backlog_lead_to(&s->backlog, store_state(s->store));
	candidate_look(s, clock_now_ns());
}

void active_stop(struct sync *s)
{
	struct active *a = &s->active;

	candidate_drop(s);
	stream_break(s);
	connection_close(a->connection);
	a->connection = NULL;
	a->mode = ACTIVE_ALONE;
	write_flushed(s, 0, false);
}
