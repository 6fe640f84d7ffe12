// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The active's side of the sync: finds the standby, sends it all records, then
 * each write, and decides what each acknowledgement is worth.
 *
 * Timers, all driven by the tick: keepalive (SYNC_KEEPALIVE_NS), end of the
 * patience, end of a handshake, next attempt to connect.
 *
 *            handshake done            standby has all
 *   +-------+ ----------> +---------+ -----------------> +---------+
 *   | Alone |             | Joining |                    | In sync |
 *   +-------+ <---------- +---------+ <----------------- +---------+
 *       ^    lost                      must have it all anew  |
 *       +-----------------------------------------------------+
 *                patience is over, or both links are down
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
 *  - In sync -> Alone, with both links down: the standby cannot be told. Here
 *    the judge and the arbiter decide which server goes on, and the callback
 *    may_act says whether it is still this one; without it the write is refused.
 *    An ALONE write is lost if this server then dies as well: two
 *    failures. The application knows which writes these were.
 *
 *  - In sync -> Joining: the standby came back with another state than it had
 *    acknowledged (it was restarted empty, so it does not believe), or it
 *    diverged, which it sees as well as we do, in the keepalive before.
 *
 * A STANDBY acknowledgement needs no lease: the standby has committed the write
 * before it could take over, whoever is active now.
 */
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/sync/internal.h"
#include "daemon/sync/socket.h"

#define RETRY_NS	(100 * CTIHA_NS_PER_MS)
#define MOVE_NS		(1000 * CTIHA_NS_PER_MS)	/* back to the crossover */
#define REFUSED_NS	(1000 * CTIHA_NS_PER_MS)
#define STUCK_NS	(10000 * CTIHA_NS_PER_MS)
#define CHUNK		(32U << 10)

static void pump(struct sync *s);

static void send_report(struct sync *s, struct connection *c, u16 content,
			const struct store_state *state,
			enum packet_synced synced)
{
	const struct packet_report report = {
		.state = *state,
		.stamp = s->active.stamp,
		.transfers = c->transfers,
		.synced = (u8)synced,
	};
	u8 raw[PACKET_REPORT_LEN];

	packet_write_report(raw, &report);
	connection_send(c, content, 0, raw, sizeof(raw));
}

/* Everything that is committed has been handed to the connection. */
static bool all_sent(const struct sync *s)
{
	return !s->active.reader && !s->backlog.cursor && !s->backlog.overrun;
}

static void send_keepalive(struct sync *s)
{
	struct active *a = &s->active;
	enum packet_synced synced = PACKET_NOT_SYNCED;

	if (a->mode == ACTIVE_IN_SYNC)
		synced = all_sent(s) ? PACKET_SYNCED : PACKET_AS_BEFORE;
	a->keepalive_ns = clock_now_ns();
	send_report(s, a->connection, PACKET_KEEPALIVE, &a->sent, synced);
}

/* ---- modes ---- */

static void end_reader(struct active *a)
{
	store_reader_close(a->reader);
	a->reader = NULL;
}

static void go_alone(struct sync *s, const char *why)
{
	if (s->active.mode == ACTIVE_IN_SYNC)
		log_warning("sync: without a standby: %s", why);
	s->active.mode = ACTIVE_ALONE;
	write_release_alone(s);
	write_flushed(s, 0, false);
}

static void drop_candidate(struct active *a)
{
	connection_close(a->candidate);
	a->candidate = NULL;
}

static void drop_connection(struct sync *s)
{
	struct active *a = &s->active;

	end_reader(a);
	connection_close(a->connection);
	a->connection = NULL;
	if (a->mode == ACTIVE_JOINING)
		go_alone(s, "lost while it was joining");
}

static void begin_snapshot(struct sync *s)
{
	struct active *a = &s->active;

	end_reader(a);
	a->reader = store_reader_open(s->store, &a->snapshot);
	if (!a->reader) {
		connection_lose(a->connection, "the store cannot be read");
		return;
	}
	backlog_skip(&s->backlog);
	a->mode = ACTIVE_JOINING;
	a->snapshot_done = 0;
	a->confirmed = false;
	a->sent = a->snapshot;
	s->resyncs++;
	a->connection->transfers++;
	log_info("sync: sending all %llu records over %s",
		 (unsigned long long)a->snapshot.records,
		 sync_path_name(a->connection->path));
	send_report(s, a->connection, PACKET_SNAPSHOT_BEGIN, &a->snapshot,
		    PACKET_NOT_SYNCED);
	write_release_alone(s);
	write_flushed(s, 0, false);
}

/* Joining -> In sync, if its conditions hold; see the top. */
static void settle(struct sync *s)
{
	struct active *a = &s->active;

	if (a->mode != ACTIVE_JOINING || !a->connection || !a->confirmed ||
	    !all_sent(s))
		return;
	a->mode = ACTIVE_IN_SYNC;
	a->diverged = false;
	a->heard_ns = clock_now_ns();
	log_info("sync: the standby is in sync, at position %llu, over %s",
		 (unsigned long long)a->sent.position,
		 sync_path_name(a->connection->path));
	send_keepalive(s);
}

/* ---- sending ---- */

struct chunk {
	u8 raw[CHUNK + PACKET_RECORDS_LEN + PACKET_RECORD_LEN + SYNC_KEY_MAX +
	       SYNC_VALUE_MAX];
	size_t len;
	u32 count;
	u16 content;
};

static void send_chunk(struct sync *s, struct chunk *chunk)
{
	struct active *a = &s->active;

	if (chunk->count) {
		packet_write_records(chunk->raw, a->snapshot.position,
				     chunk->count);
		connection_send(a->connection, chunk->content, PACKET_SNAPSHOT,
				chunk->raw, chunk->len);
	}
	a->snapshot_done += chunk->count;
	chunk->count = 0;
	chunk->len = PACKET_RECORDS_LEN;
}

static void add_record(struct chunk *chunk, const struct store_record *r)
{
	packet_write_record(chunk->raw + chunk->len, PACKET_PUT, r->key,
			    r->key_len, r->value, r->value_len);
	chunk->len += packet_record_size(r->key_len, r->value_len);
	chunk->content = r->content;
	chunk->count++;
}

/* Sends the next part of the snapshot, and its end if that was the last. */
static void send_snapshot(struct sync *s)
{
	struct chunk chunk = { .len = PACKET_RECORDS_LEN };
	struct active *a = &s->active;
	struct store_record record;
	int more;

	while ((more = store_reader_next(a->reader, &record)) > 0) {
		if (chunk.count && record.content != chunk.content)
			send_chunk(s, &chunk);
		add_record(&chunk, &record);
		if (chunk.len >= CHUNK)
			break;
	}
	send_chunk(s, &chunk);
	if (more < 0) {
		connection_lose(a->connection, "the store cannot be read");
		return;
	}
	if (more)
		return;
	end_reader(a);
	send_report(s, a->connection, PACKET_SNAPSHOT_END, &a->snapshot,
		    PACKET_NOT_SYNCED);
}

static bool send_batch(struct sync *s)
{
	struct backlog_batch *batch = backlog_next(&s->backlog);

	if (!batch)
		return false;
	connection_send(s->active.connection, batch->content, 0, batch->raw,
			batch->len);
	s->active.sent = batch->after;
	return true;
}

static void pump(struct sync *s)
{
	struct active *a = &s->active;

	while (a->connection && !connection_congested(a->connection)) {
		if (s->backlog.overrun) {
			log_warning("sync: the standby is too slow: backlog full");
			begin_snapshot(s);
		} else if (a->reader) {
			send_snapshot(s);
		} else if (!send_batch(s)) {
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
	pump(s);
}

/* ---- hearing ---- */

static void diverge(struct sync *s)
{
	log_error("sync: the standby's records differ at position %llu: sending all anew",
		  (unsigned long long)s->active.peer.position);
	s->diverged++;
	s->active.diverged = true;
	begin_snapshot(s);
}

static void set_acked(struct active *a, u64 position)
{
	if (a->acked != position)
		a->progress_ns = a->heard_ns;
	a->acked = position;
}

static void take_ack(struct sync *s, struct connection *c,
		     const struct packet_report *r)
{
	struct active *a = &s->active;
	const struct store_state *ours;

	a->heard_ns = c->heard_ns;
	a->stamp = r->stamp;
	a->peer = r->state;
	/* Sent before it had received the last snapshot: says nothing yet. */
	if (r->transfers != c->transfers)
		return;
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
	set_acked(a, r->state.position);
	if (a->mode == ACTIVE_IN_SYNC) {
		write_release(s, a->acked, SYNC_ACK_STANDBY);
		write_flushed(s, a->acked, true);
	}
	settle(s);
}

/* The candidate has proved itself and says where it is. */
static void adopt(struct sync *s, struct connection *c,
		  const struct packet_report *r)
{
	struct active *a = &s->active;

	connection_close(a->connection);
	end_reader(a);
	a->candidate = NULL;
	a->connection = c;
	a->tries = 0;
	a->refused = false;
	a->heard_ns = c->heard_ns;
	a->stamp = r->stamp;
	a->peer = r->state;
	c->phase = CONNECTION_LIVE;
	if (!backlog_seek(&s->backlog, &r->state)) {
		begin_snapshot(s);
		pump(s);
		return;
	}
	log_info("sync: goes on at position %llu, over %s",
		 (unsigned long long)r->state.position,
		 sync_path_name(c->path));
	a->sent = r->state;
	set_acked(a, r->state.position);
	a->confirmed = true;
	if (a->mode == ACTIVE_IN_SYNC)
		write_release(s, a->acked, SYNC_ACK_STANDBY);
	else
		a->mode = ACTIVE_JOINING;
	pump(s);
	/* What it was told before may not have reached it. */
	if (a->mode == ACTIVE_IN_SYNC && a->connection)
		send_keepalive(s);
}

static void take_welcome(struct sync *s, struct connection *c,
			 const struct packet *p)
{
	struct active *a = &s->active;
	struct packet_hello hello;

	if (packet_read_hello(p, &hello)) {
		connection_refuse(c, "malformed hello reply");
		return;
	}
	if (hello.welcome != PACKET_WELCOME) {
		if (!a->refused)
			log_warning("sync: the peer knows of epoch %llu, we act in %llu",
				    (unsigned long long)p->head.epoch,
				    (unsigned long long)s->shared.epoch);
		a->refused = true;
		connection_lose(c, "turned away");
		a->try_ns = clock_now_ns() + REFUSED_NS;
		return;
	}
	connection_agree(c, c->nonce, hello.nonce);
	c->phase = CONNECTION_CONFIRMING;
	send_report(s, c, PACKET_KEEPALIVE, store_state(s->store),
		    a->mode == ACTIVE_IN_SYNC ? PACKET_AS_BEFORE :
						PACKET_NOT_SYNCED);
}

static void on_packet(struct connection *c, const struct packet *p)
{
	struct sync *s = c->owner;
	struct packet_report report;

	if (c->phase == CONNECTION_GREETING &&
	    p->head.content == PACKET_HELLO_REPLY) {
		take_welcome(s, c, p);
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

static void on_connected(struct connection *c)
{
	c->phase = CONNECTION_GREETING;
	connection_greet(c, PACKET_HELLO, 0);
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

	a->try_ns = clock_now_ns() + RETRY_NS;
	if (c == a->candidate) {
		a->candidate = NULL;
		log_debug("sync: %s: %s", sync_path_name(c->path), why);
		return;
	}
	log_warning("sync: connection over %s lost: %s",
		    sync_path_name(c->path), why);
	/* At once, unless it did not last: then something is wrong with it. */
	if (clock_now_ns() - c->since_ns > MOVE_NS)
		a->try_ns = 0;
	a->connection = NULL;
	end_reader(a);
	if (a->mode == ACTIVE_JOINING)
		go_alone(s, why);
	sync_changed(s);
}

static const struct connection_callbacks callbacks = {
	.connected = on_connected,
	.packet = on_packet,
	.idle = on_idle,
	.drained = on_drained,
	.lost = on_lost,
};

/* ---- looking for the standby ---- */

/*
 * The path to be on: the crossover if its link is up, else the LAN (b4). With
 * only a link up that has no path, any path: the peer is there. -1: it is not.
 */
static int wanted_path(const struct sync *s)
{
	bool there = s->link_up[0] || s->link_up[1];
	int i, wanted = -1;

	for (i = SYNC_PATHS - 1; there && i >= 0; i--) {
		if (!s->spec.paths[i].configured)
			continue;
		if (wanted < 0 || s->link_up[i])
			wanted = i;
	}
	return wanted;
}

/* The wanted path first; every second time another one that is configured. */
static int path_to_try(struct sync *s, int wanted)
{
	int i;

	if (s->active.tries++ % 2 == 0)
		return wanted;
	for (i = 0; i < SYNC_PATHS; i++) {
		if (i != wanted && s->spec.paths[i].configured)
			return i;
	}
	return wanted;
}

static void try_path(struct sync *s, int index)
{
	const struct sync_path *path = &s->spec.paths[index];
	struct connection *c;
	int fd;

	fd = socket_prepare(path);
	if (fd < 0) {
		log_debug("sync: %s: %s", sync_path_name((u8)index),
			  strerror(-fd));
		return;
	}
	c = connection_open(&s->shared, fd, &path->peer, &callbacks, s);
	if (!c)
		return;
	c->path = (u8)index;
	s->active.candidate = c;
}

static void look(struct sync *s, u64 now)
{
	struct active *a = &s->active;
	int wanted = wanted_path(s);

	if (a->candidate || now < a->try_ns || wanted < 0)
		return;
	if (!a->connection) {
		a->try_ns = now + RETRY_NS;
		try_path(s, path_to_try(s, wanted));
		return;
	}
	/* A transfer would begin anew: let it end if its own link is up. */
	if (wanted == a->connection->path ||
	    (a->reader && s->link_up[a->connection->path]))
		return;
	a->try_ns = now + MOVE_NS;
	try_path(s, wanted);
}

void active_links(struct sync *s)
{
	struct active *a = &s->active;

	a->try_ns = 0;
	a->tries = 0;
	if (wanted_path(s) < 0) {
		drop_candidate(a);
		drop_connection(s);
		go_alone(s, "both links are down");
		return;
	}
	/* A handshake on a link that just went down would only hold us up. */
	if (a->candidate && !s->link_up[a->candidate->path])
		drop_candidate(a);
	look(s, clock_now_ns());
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
	drop_candidate(a);
	drop_connection(s);
	a->progress_ns = now;
	a->try_ns = now + STUCK_NS;
}

static void check_silence(struct sync *s, u64 now)
{
	struct active *a = &s->active;
	u64 silence = now - a->heard_ns;

	if (a->mode == ACTIVE_IN_SYNC && silence > s->patience_ns) {
		drop_connection(s);
		go_alone(s, "it does not answer");
	} else if (a->connection && silence > 2 * s->patience_ns) {
		log_warning("sync: the standby does not answer");
		drop_connection(s);
	}
	if (a->candidate && now - a->candidate->since_ns > SYNC_HANDSHAKE_NS)
		drop_candidate(a);
}

/* What the standby hears is two keepalives old: well within its belief. */
static u64 keepalive_interval(const struct sync *s)
{
	u64 interval = s->patience_ns / 10;

	return interval < SYNC_KEEPALIVE_NS ? interval : SYNC_KEEPALIVE_NS;
}

void active_tick(struct sync *s, u64 now)
{
	struct active *a = &s->active;

	/* We were stopped, not the standby: what it said is still unread. */
	if (now - s->tick_ns > SYNC_LATE_NS)
		a->heard_ns = now;
	check_progress(s, now);
	check_silence(s, now);
	look(s, now);
	/* During a transfer too: its answers show that the standby lives. */
	if (a->connection && now - a->keepalive_ns >= keepalive_interval(s))
		send_keepalive(s);
}

void active_start(struct sync *s)
{
	memset(&s->active, 0, sizeof(s->active));
	backlog_reset(&s->backlog, store_state(s->store));
	look(s, clock_now_ns());
}

void active_stop(struct sync *s)
{
	struct active *a = &s->active;

	drop_candidate(a);
	end_reader(a);
	connection_close(a->connection);
	a->connection = NULL;
	a->mode = ACTIVE_ALONE;
	write_flushed(s, 0, false);
}
