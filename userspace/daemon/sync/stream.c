// SPDX-License-Identifier: GPL-2.0-or-later
/* What the active sends over the live connection. See stream.h. */
#include "common/clock.h"
#include "common/log.h"
#include "daemon/sync/stream.h"

#define CHUNK_MAX	(32U << 10)

/*
 * How long a snapshot waits for a connection to go on with, in patiences. The
 * store cannot use pages again that it still needs, so not for ever.
 */
#define KEEP_PATIENCES	5

/* ---- reports ---- */

void stream_report(struct sync *s, struct connection *c, u16 content,
		   const struct store_state *state, enum packet_synced synced)
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

bool stream_sending(const struct sync *s)
{
	return s->active.connection && s->snapshot.reader && !s->snapshot.ended;
}

bool stream_all_sent(const struct sync *s)
{
	return !stream_sending(s) && !s->backlog.cursor && !s->backlog.overrun;
}

void stream_keepalive(struct sync *s)
{
	struct active *a = &s->active;
	enum packet_synced synced = PACKET_NOT_SYNCED;

	if (a->mode == ACTIVE_IN_SYNC)
		synced = stream_all_sent(s) ? PACKET_SYNCED : PACKET_AS_BEFORE;
	a->keepalive_ns = clock_now_ns();
	stream_report(s, a->connection, PACKET_KEEPALIVE, &a->sent, synced);
	if (synced == PACKET_SYNCED)
		totals_send(s, a->connection);
}

/* What the standby hears is two keepalives old: well within its belief. */
static u64 keepalive_interval(const struct sync *s)
{
	u64 interval = s->patience_ns / 10;

	return interval < SYNC_KEEPALIVE_NS ? interval : SYNC_KEEPALIVE_NS;
}

void stream_tick(struct sync *s, u64 now)
{
	const struct active *a = &s->active;

	/* During a transfer too: its answers show that the standby lives. */
	if (a->connection && now - a->keepalive_ns >= keepalive_interval(s))
		stream_keepalive(s);
}

/* ---- the snapshot ---- */

static void forget(struct snapshot *snapshot)
{
	store_reader_close(snapshot->reader);
	snapshot->reader = NULL;
}

void stream_break(struct sync *s)
{
	if (s->active.connection)
		s->snapshot.keep_ns = clock_now_ns() +
				      KEEP_PATIENCES * s->patience_ns;
}

void stream_confirmed(struct sync *s)
{
	if (s->snapshot.ended)
		forget(&s->snapshot);
}

void stream_expire(struct sync *s, u64 now)
{
	if (!s->active.connection && now >= s->snapshot.keep_ns)
		forget(&s->snapshot);
}

/* The snapshot, or its rest, is what comes next. */
static void announce(struct sync *s, u16 content)
{
	struct active *a = &s->active;

	a->sent = s->snapshot.state;
	s->snapshot.pace = (struct pace){ clock_now_ns(), s->snapshot.sent };
	a->connection->transfers++;
	stream_report(s, a->connection, content, &s->snapshot.state,
		      PACKET_NOT_SYNCED);
}

bool stream_begin_snapshot(struct sync *s)
{
	struct snapshot *snapshot = &s->snapshot;

	forget(snapshot);
	*snapshot = (struct snapshot){ 0 };
	snapshot->reader = store_reader_open(s->store, &snapshot->state);
	if (!snapshot->reader)
		return false;
	backlog_skip(&s->backlog);
	log_info("sync: sending all %llu records over %s",
		 (unsigned long long)snapshot->state.records,
		 sync_path_name(s->active.connection->path));
	announce(s, PACKET_SNAPSHOT_BEGIN);
	return true;
}

bool stream_resume_snapshot(struct sync *s,
			    const struct packet_partial *partial)
{
	struct snapshot *snapshot = &s->snapshot;

	if (!snapshot->reader || !partial->received ||
	    partial->received > snapshot->sent ||
	    !store_states_equal(&partial->state, &snapshot->state) ||
	    store_reader_seek(snapshot->reader, partial->content, partial->key,
			      partial->key_len) ||
	    !backlog_seek(&s->backlog, &snapshot->state,
			  active_takes_patches(s)))
		return false;
	snapshot->sent = partial->received;
	snapshot->ended = false;
	log_info("sync: sending the rest, from record %llu of %llu on, over %s",
		 (unsigned long long)snapshot->sent + 1,
		 (unsigned long long)snapshot->state.records,
		 sync_path_name(s->active.connection->path));
	announce(s, PACKET_SNAPSHOT_RESUME);
	return true;
}

static u8 dictionary_flag(const struct sync *s)
{
	return vocabulary_shared(s, s->active.connection) ? PACKET_DICTIONARY :
							     0;
}

struct chunk {
	u8 raw[CHUNK_MAX + PACKET_RECORDS_LEN + PACKET_RECORD_LEN + SYNC_KEY_MAX +
	       SYNC_VALUE_MAX];
	size_t len;
	u32 count;
	u16 content;
};

static void send_chunk(struct sync *s, struct chunk *chunk)
{
	struct active *a = &s->active;

	if (chunk->count) {
		packet_write_records(chunk->raw, s->snapshot.state.position,
				     chunk->count);
		connection_send(a->connection, chunk->content,
				PACKET_SNAPSHOT | dictionary_flag(s),
				chunk->raw, chunk->len);
	}
	s->snapshot.sent += chunk->count;
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
	size_t enough = flow_packet(&a->connection->flow, clock_now_ns());
	int more;

	if (enough > CHUNK_MAX)
		enough = CHUNK_MAX;
	while ((more = store_reader_next(s->snapshot.reader, &record)) > 0) {
		if (chunk.count && record.content != chunk.content)
			send_chunk(s, &chunk);
		add_record(&chunk, &record);
		if (chunk.len >= enough)
			break;
	}
	send_chunk(s, &chunk);
	if (more < 0) {
		connection_lose(a->connection, "the store cannot be read");
		return;
	}
	if (more)
		return;
	s->snapshot.ended = true;
	stream_report(s, a->connection, PACKET_SNAPSHOT_END, &s->snapshot.state,
		      PACKET_NOT_SYNCED);
}

/* ---- the writes ---- */

bool stream_resume(struct sync *s, const struct store_state *state)
{
	if (!backlog_seek(&s->backlog, state, active_takes_patches(s)))
		return false;
	/* It has its end, or never had its beginning. */
	forget(&s->snapshot);
	s->active.sent = *state;
	return true;
}

/*
 * The standby counts what it is sent as written in our epoch, also what an earlier
 * term of ours has left to be sent. So do we, or its state would not be ours.
 */
static void count_in_our_epoch(struct sync *s, struct backlog_batch *batch)
{
	u64 epoch = s->shared.epoch;

	if (batch->after.epoch == epoch)
		return;
	batch->after.epoch = epoch;
	if (s->backlog.cursor || store_begin(s->store))
		return;
	/* It was the last one: what it leads to is the state of the store. */
	store_set_position(s->store, epoch, batch->after.position);
	store_commit(s->store);
}

static const struct backlog_batch *next_batch(struct sync *s)
{
	struct backlog_batch *batch = backlog_next(&s->backlog);

	count_in_our_epoch(s, batch);
	return batch;
}

static void send_batch(struct sync *s, const struct backlog_batch *batch)
{
	connection_send(s->active.connection, batch->content, dictionary_flag(s),
			batch->raw, batch->len);
	s->active.sent = batch->after;
}

/* Room for one more, in a packet that holds nobody up? */
static bool fits(const struct sync *s, const struct backlog_batch *batch,
		 size_t enough)
{
	return batch && merge_len_with(&s->merge, batch) <= enough;
}

/* Takes what fits into one packet. Return: false without memory. */
static bool send_merged(struct sync *s)
{
	struct connection *c = s->active.connection;
	size_t enough = flow_packet(&c->flow, clock_now_ns());
	const struct backlog_batch *batch = s->backlog.cursor;
	u64 first = batch->after.position - batch->count + 1;
	const u8 *raw;

	merge_reset(&s->merge);
	do {
		batch = next_batch(s);
		if (merge_add(&s->merge, batch))
			return false;
	} while (fits(s, s->backlog.cursor, enough));
	raw = merge_write(&s->merge, first);
	if (!raw)
		return false;
	connection_send(c, PACKET_MERGED, dictionary_flag(s), raw, s->merge.len);
	s->active.sent = batch->after;
	return true;
}

/* Do the next batch and the one behind it fit into one packet? */
static bool worth_merging(const struct sync *s)
{
	const struct connection *c = s->active.connection;
	const struct backlog_batch *first = s->backlog.cursor;
	const struct backlog_batch *second = TAILQ_NEXT(first, entry);

	return second && c->features & PACKET_CAN_MERGE &&
	       first->len + second->len <= flow_packet(&c->flow, clock_now_ns());
}

static bool send_writes(struct sync *s)
{
	struct backlog_batch *first = s->backlog.cursor;

	if (!first)
		return false;
	if (worth_merging(s) && send_merged(s))
		return true;
	/* Also without the memory to merge. */
	s->backlog.cursor = first;
	send_batch(s, next_batch(s));
	return true;
}

bool stream_next(struct sync *s)
{
	if (!stream_sending(s))
		return send_writes(s);
	send_snapshot(s);
	return true;
}
