// SPDX-License-Identifier: GPL-2.0-or-later
/* What the active sends over the live connection. See stream.h. */
#include "common/clock.h"
#include "common/log.h"
#include "daemon/sync/stream.h"

#define CHUNK		(32U << 10)

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

bool stream_all_sent(const struct sync *s)
{
	return !s->active.reader && !s->backlog.cursor && !s->backlog.overrun;
}

void stream_keepalive(struct sync *s)
{
	struct active *a = &s->active;
	enum packet_synced synced = PACKET_NOT_SYNCED;

	if (a->mode == ACTIVE_IN_SYNC)
		synced = stream_all_sent(s) ? PACKET_SYNCED : PACKET_AS_BEFORE;
	a->keepalive_ns = clock_now_ns();
	stream_report(s, a->connection, PACKET_KEEPALIVE, &a->sent, synced);
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

void stream_stop(struct sync *s)
{
	store_reader_close(s->active.reader);
	s->active.reader = NULL;
}

bool stream_begin_snapshot(struct sync *s)
{
	struct active *a = &s->active;

	stream_stop(s);
	a->reader = store_reader_open(s->store, &a->snapshot);
	if (!a->reader)
		return false;
	backlog_skip(&s->backlog);
	a->snapshot_done = 0;
	a->sent = a->snapshot;
	a->connection->transfers++;
	log_info("sync: sending all %llu records over %s",
		 (unsigned long long)a->snapshot.records,
		 sync_path_name(a->connection->path));
	stream_report(s, a->connection, PACKET_SNAPSHOT_BEGIN, &a->snapshot,
		      PACKET_NOT_SYNCED);
	return true;
}

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
	stream_stop(s);
	stream_report(s, a->connection, PACKET_SNAPSHOT_END, &a->snapshot,
		      PACKET_NOT_SYNCED);
}

/* ---- the writes ---- */

bool stream_resume(struct sync *s, const struct store_state *state)
{
	if (!backlog_seek(&s->backlog, state))
		return false;
	s->active.sent = *state;
	return true;
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

bool stream_next(struct sync *s)
{
	if (!s->active.reader)
		return send_batch(s);
	send_snapshot(s);
	return true;
}
