// SPDX-License-Identifier: GPL-2.0-or-later
/* What the active sends, into the store. See apply.h. */
#include "common/clock.h"
#include "common/log.h"
#include "daemon/sync/apply.h"
#include "daemon/sync/content.h"

int apply_commit(struct sync *s)
{
	struct standby *b = &s->standby;
	int rc;

	if (!b->open)
		return 0;
	b->open = false;
	rc = store_commit(s->store);
	/* Parts of a snapshot are of no use to the active; its end is. */
	if (b->open_received)
		return rc;
	b->ack_due = true;
	/* Before that is acknowledged: the next packet may need it. */
	if (!rc)
		content_restore(s, b->restored);
	b->restored = 0;
	return rc;
}

void apply_stop(struct sync *s)
{
	s->standby.open = false;
	s->standby.receiving = false;
	store_abort(s->store);
}

bool apply_partial(struct sync *s, struct packet_partial *partial)
{
	*partial = (struct packet_partial){
		.state = s->standby.claimed,
		.received = store_received(s->store),
	};
	return partial->received &&
	       !store_received_last(s->store, &partial->content, partial->key,
				    &partial->key_len);
}

/* A transaction on the generation that is meant, the open one if it fits. */
static int open_transaction(struct sync *s, bool received)
{
	struct standby *b = &s->standby;
	int rc;

	if (b->open && b->open_received == received)
		return 0;
	rc = apply_commit(s);
	if (rc)
		return rc;
	rc = received ? store_begin_received(s->store) : store_begin(s->store);
	b->open = !rc;
	b->open_received = received;
	return rc;
}

static int restore_one(struct store *store, enum packet_op op,
		       const struct store_record *r)
{
	switch (op) {
	case PACKET_PUT:
		return store_put(store, r);
	case PACKET_DELETE:
		return store_delete(store, r);
	case PACKET_PATCH:
		return store_patch(store, r);
	}
	return -EBADMSG;
}

/* Keeps records as they are, and notes whose restorer has to follow (c3). */
static int restore(struct sync *s, struct packet_cursor *cursor)
{
	struct store_record record;
	enum packet_op op;
	int rc = 0;

	while (!rc && packet_next_record(cursor, &op, &record)) {
		rc = restore_one(s->store, op, &record);
		s->standby.restored |= content_bit(record.content);
	}
	return rc;
}

void apply_fail(struct sync *s, struct connection *c, int rc)
{
	apply_stop(s);
	/* Room for the records that count. */
	store_receive_abort(s->store);
	s->standby.synced = false;
	log_error("sync: records cannot be stored: %s; make map_size larger",
		  strerror(-rc));
	connection_lose(c, "own store failed");
}

/* What is to be changed is not here: so ours is not what it should be. */
static void take_misfit(struct sync *s, struct connection *c)
{
	apply_stop(s);
	log_error("sync: a change does not fit own records at position %llu",
		  (unsigned long long)store_state(s->store)->position);
	standby_diverged(s);
	connection_refuse(c, "a change does not fit the record");
}

void apply_records(struct sync *s, struct connection *c,
		   const struct packet *p)
{
	bool received = p->head.flags & PACKET_SNAPSHOT;
	struct packet_cursor cursor;
	u64 first;
	u32 writes;
	int rc;

	if (packet_read_records(p, &first, &writes, &cursor)) {
		connection_refuse(c, "malformed records");
		return;
	}
	if (received != s->standby.receiving) {
		connection_refuse(c, "records out of place");
		return;
	}
	rc = open_transaction(s, received);
	if (!rc && !received &&
	    first != store_state(s->store)->position + 1) {
		connection_refuse(c, "records missing before these");
		return;
	}
	if (!rc)
		rc = restore(s, &cursor);
	if (rc == -EBADMSG)
		take_misfit(s, c);
	else if (rc)
		apply_fail(s, c, rc);
	else if (!received)
		store_set_position(s->store, p->head.epoch, first + writes - 1);
}

void apply_snapshot_begin(struct sync *s, struct connection *c,
			  const struct packet_report *r)
{
	struct standby *b = &s->standby;
	int rc;

	b->synced = false;
	rc = apply_commit(s);
	if (!rc)
		rc = store_receive_begin(s->store);
	if (rc) {
		apply_fail(s, c, rc);
		return;
	}
	b->receiving = true;
	b->pace = (struct pace){ clock_now_ns(), 0 };
	b->claimed = r->state;
	s->resyncs++;
	log_info("sync: receiving %llu records over %s",
		 (unsigned long long)r->state.records, sync_path_name(c->path));
}

void apply_snapshot_resume(struct sync *s, struct connection *c,
			   const struct packet_report *r)
{
	struct standby *b = &s->standby;
	int rc;

	if (b->receiving || !store_received(s->store) ||
	    !store_states_equal(&b->claimed, &r->state)) {
		connection_refuse(c, "rest of a snapshot that did not begin");
		return;
	}
	b->synced = false;
	rc = apply_commit(s);
	if (rc) {
		apply_fail(s, c, rc);
		return;
	}
	b->receiving = true;
	b->pace = (struct pace){ clock_now_ns(), store_received(s->store) };
	log_info("sync: receiving the rest, from record %llu of %llu on, over %s",
		 (unsigned long long)store_received(s->store) + 1,
		 (unsigned long long)r->state.records, sync_path_name(c->path));
}

void apply_snapshot_end(struct sync *s, struct connection *c,
			const struct packet_report *r)
{
	struct standby *b = &s->standby;
	int rc;

	if (!b->receiving || !store_states_equal(&b->claimed, &r->state)) {
		connection_refuse(c, "end of a snapshot that did not begin");
		return;
	}
	b->receiving = false;
	rc = apply_commit(s);
	if (!rc)
		rc = store_receive_end(s->store, &r->state);
	if (rc == -EBADMSG) {
		connection_refuse(c, "snapshot incomplete");
	} else if (rc) {
		apply_fail(s, c, rc);
	} else {
		content_restore(s, CONTENT_ALL);
		b->diverged = false;
		b->ack_due = true;
		c->transfers++;
	}
}
