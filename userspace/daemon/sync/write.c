// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes, from sync_write() to their acknowledgement.
 *
 * A write is queued, committed to the store together with all others of the
 * same turn of the event loop, and put into the backlog. Then active.c decides
 * whether it waits for the standby. Positions are given when the commit has
 * succeeded, so they have no gaps.
 *
 * An asynchronous write does not wait, but keeps its place in the ring until the
 * standby has it: the ring is what bounds how far the standby may lag. If it left
 * at once, a flood of them would overrun the backlog, and the standby would have to
 * be sent all anew, without being in sync meanwhile: the writers who do wait would
 * pay for it. So it is pushed back as they are, when there is no room; a standby
 * that is silent holds it up for the length of the patience at most.
 *
 * Callbacks come when everything is in order: they may write, read and even
 * change this server's role.
 */
#include <stdlib.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/sync/content.h"
#include "daemon/sync/internal.h"

/* So many may wait; the backlog holds more, so it never drops one of them. */
#define WRITES_MAX		(64U << 10)
#define WRITES_BYTES_MAX	(BACKLOG_BYTES_MAX / 2)
#define RING_FIRST		1024U
#define PACKET_ENOUGH		(128U << 10)

static_assert(WRITES_MAX < BACKLOG_WRITES_MAX);
static_assert(PACKET_ENOUGH + PACKET_RECORDS_LEN + PACKET_RECORD_LEN +
	      SYNC_KEY_MAX + SYNC_VALUE_MAX <= PACKET_RAW_MAX);

TAILQ_HEAD(batch_list, backlog_batch);

static void on_commit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	write_commit(arg);
}

int write_init(struct sync *s)
{
	s->writes.commit = event_new(s->shared.base, -1, 0, on_commit, s);
	return s->writes.commit ? 0 : -ENOMEM;
}

void write_free(struct sync *s)
{
	struct writes *w = &s->writes;

	if (w->commit)
		event_free(w->commit);
	free(w->ring);
	free(w->queued);
	free(w->records);
}

static struct write *ring_at(struct writes *w, u32 index)
{
	return &w->ring[(w->head + index) & (w->size - 1)];
}

static int ring_grow(struct writes *w)
{
	u32 size = w->size ? 2 * w->size : RING_FIRST;
	struct write *ring = calloc(size, sizeof(*ring));
	u32 i;

	if (!ring)
		return -EAGAIN;
	for (i = 0; i < w->count; i++)
		ring[i] = *ring_at(w, i);
	free(w->ring);
	w->ring = ring;
	w->size = size;
	w->head = 0;
	return 0;
}

static int reserve(struct writes *w, size_t size)
{
	if (w->count >= WRITES_MAX || w->bytes + size > WRITES_BYTES_MAX)
		return -EAGAIN;
	if (w->count == w->size && ring_grow(w))
		return -EAGAIN;
	if (w->queued_count == w->queued_size) {
		u32 more = w->queued_size ? 2 * w->queued_size : RING_FIRST;
		void *p = realloc(w->queued, more * sizeof(*w->queued));

		if (!p)
			return -EAGAIN;
		w->queued = p;
		w->queued_size = more;
	}
	if (w->records_len + size > w->records_size) {
		size_t more = 2 * (w->records_len + size);
		void *p = realloc(w->records, more);

		if (!p)
			return -EAGAIN;
		w->records = p;
		w->records_size = more;
	}
	return 0;
}

static void enqueue(struct writes *w, u16 content, const void *key,
		    size_t key_len, const void *value, size_t value_len,
		    const struct write *write)
{
	enum packet_op op = value ? PACKET_PUT : PACKET_DELETE;
	u32 size = (u32)packet_record_size(key_len, value_len);

	packet_write_record(w->records + w->records_len, op, key, key_len,
			    value, value_len);
	w->queued[w->queued_count++] = (struct queued){
		.offset = w->records_len,
		.size = size,
		.content = content,
		.key_len = (u8)key_len,
		.value_len = (u16)value_len,
		.op = (u8)op,
	};
	w->records_len += size;
	w->bytes += size;
	w->count++;
	*ring_at(w, w->count - 1) = *write;
	ring_at(w, w->count - 1)->taken_ns = clock_now_ns();
	ring_at(w, w->count - 1)->size = size;
}

static int take(struct sync *s, u16 content, const void *key, size_t key_len,
		const void *value, size_t value_len, const struct write *write)
{
	int rc = reserve(&s->writes, packet_record_size(key_len, value_len));

	if (rc)
		return rc;
	enqueue(&s->writes, content, key, key_len, value, value_len, write);
	if (s->writes.queued_count == 1)
		event_active(s->writes.commit, 0, 0);
	return 0;
}

int write_own(struct sync *s, u16 content, const void *key, size_t key_len,
	      const void *value, size_t value_len)
{
	const struct write write = { .told = true };

	s->writes.own = true;
	return take(s, content, key, key_len, value, value_len, &write);
}

/* An application's. */
static int take_checked(struct sync *s, u16 content, const void *key,
			size_t key_len, const void *value, size_t value_len,
			const struct write *write)
{
	if (s->side != SYNC_SIDE_ACTIVE)
		return -EROFS;
	if (!content_writable(content) || !key || !key_len ||
	    key_len > SYNC_KEY_MAX || value_len > SYNC_VALUE_MAX ||
	    (!value && value_len))
		return -EINVAL;
	if (s->spec.needs_standby && s->active.mode != ACTIVE_IN_SYNC)
		return -ENOTCONN;
	return take(s, content, key, key_len, value, value_len, write);
}

int sync_write(struct sync *s, u16 content, const void *key, size_t key_len,
	       const void *value, size_t value_len, u64 cookie)
{
	const struct write write = { .cookie = cookie };

	return take_checked(s, content, key, key_len, value, value_len, &write);
}

int sync_write_async(struct sync *s, u16 content, const void *key,
		     size_t key_len, const void *value, size_t value_len,
		     u64 cookie)
{
	const struct write write = { .cookie = cookie, .async = true };

	return take_checked(s, content, key, key_len, value, value_len, &write);
}

/* ---- commit ---- */

static void free_batches(struct batch_list *list)
{
	struct backlog_batch *batch;

	while ((batch = TAILQ_FIRST(list))) {
		TAILQ_REMOVE(list, batch, entry);
		free(batch);
	}
}

/* How many from @first on fit into one packet: same content, enough bytes. */
static u32 run_length(const struct writes *w, u32 first, u32 end, size_t *len)
{
	u32 i;

	*len = 0;
	for (i = first; i < end && *len < PACKET_ENOUGH; i++) {
		if (w->queued[i].content != w->queued[first].content)
			break;
		*len += w->queued[i].size;
	}
	return i - first;
}

/* Without its records, which have @len bytes at most. */
static struct backlog_batch *make_batch(u16 content, u32 count, size_t len,
					u64 position)
{
	struct backlog_batch *batch;

	batch = malloc(sizeof(*batch) + PACKET_RECORDS_LEN + len);
	if (!batch)
		return NULL;
	batch->content = content;
	batch->count = count;
	batch->patched = false;
	batch->len = PACKET_RECORDS_LEN;
	packet_write_records(batch->raw, position, count);
	return batch;
}

/* The record as it is, or what is to be changed in it. */
static void append(struct backlog_batch *batch, const u8 *encoded, size_t size,
		   const struct store_record *r, const struct store_patch *patch)
{
	u8 *to = batch->raw + batch->len;

	if (!patch->len) {
		memcpy(to, encoded, size);
		batch->len += size;
		return;
	}
	packet_write_record(to, PACKET_PATCH, r->key, r->key_len, patch->to,
			    patch->len);
	batch->len += packet_record_size(r->key_len, patch->len);
	batch->patched = true;
}

/* A patch is worth it if it is less than half of the value. */
static int apply_one(struct sync *s, const struct queued *q,
		     struct backlog_batch *batch, bool patches)
{
	const u8 *encoded = s->writes.records + q->offset;
	u8 room[SYNC_VALUE_MAX / 2];
	struct store_patch patch = { .to = room, .max = q->value_len / 2U };
	const u8 *bytes = encoded + PACKET_RECORD_LEN;
	const struct store_record record = {
		.content = q->content,
		.key = bytes,
		.key_len = q->key_len,
		.value = bytes + q->key_len,
		.value_len = q->value_len,
	};
	int rc;

	if (q->op == PACKET_PUT)
		rc = store_put_patch(s->store, &record, patches ? &patch : NULL);
	else
		rc = store_delete(s->store, &record);
	if (!rc)
		append(batch, encoded, q->size, &record, &patch);
	return rc;
}

static int apply_all(struct sync *s, u32 first, struct backlog_batch *batch)
{
	bool patches = active_takes_patches(s);
	int rc = 0;
	u32 i;

	for (i = 0; !rc && i < batch->count; i++)
		rc = apply_one(s, &s->writes.queued[first + i], batch, patches);
	return rc;
}

/* Its changes are shorter than the records were; the backlog counts what it has. */
static struct backlog_batch *shrink(struct backlog_batch *batch)
{
	struct backlog_batch *less = realloc(batch, sizeof(*batch) + batch->len);

	if (!less)
		return batch;
	return less;
}

/* Applies one packet's worth within the transaction. Return: count or -errno. */
static int apply_run(struct sync *s, u32 first, u32 end,
		     struct batch_list *list)
{
	u64 position = store_state(s->store)->position;
	struct backlog_batch *batch;
	size_t len;
	u32 count;
	int rc;

	count = run_length(&s->writes, first, end, &len);
	batch = make_batch(s->writes.queued[first].content, count, len,
			   position + 1);
	if (!batch)
		return -ENOMEM;
	rc = apply_all(s, first, batch);
	batch = shrink(batch);
	TAILQ_INSERT_TAIL(list, batch, entry);
	if (rc)
		return rc;
	store_set_position(s->store, s->shared.epoch, position + count);
	batch->after = *store_state(s->store);
	return (int)count;
}

static int apply(struct sync *s, u32 first, u32 end, struct batch_list *list)
{
	int rc;

	rc = store_begin(s->store);
	if (rc)
		return rc;
	while (first < end) {
		rc = apply_run(s, first, end, list);
		if (rc < 0) {
			store_abort(s->store);
			return rc;
		}
		first += (u32)rc;
	}
	return store_commit(s->store);
}

/* The queued write with this index in the ring of all. */
static struct write *queued_write(struct writes *w, u32 index)
{
	return ring_at(w, w->count - w->queued_count + index);
}

/* Commits some of the queued writes: all of them or none. */
static int commit_some(struct sync *s, u32 first, u32 end)
{
	u64 position = store_state(s->store)->position;
	struct batch_list list = TAILQ_HEAD_INITIALIZER(list);
	struct backlog_batch *batch;
	int rc;

	rc = apply(s, first, end, &list);
	if (rc) {
		free_batches(&list);
		return rc;
	}
	while ((batch = TAILQ_FIRST(&list))) {
		TAILQ_REMOVE(&list, batch, entry);
		backlog_add(&s->backlog, batch);
	}
	for (; first < end; first++)
		queued_write(&s->writes, first)->position = ++position;
	return 0;
}

/* One after another, so that those that fit are kept. */
static u32 commit_singly(struct sync *s)
{
	struct write *write;
	u32 refused = 0;
	u32 i;

	for (i = 0; i < s->writes.queued_count; i++) {
		if (!commit_some(s, i, i + 1))
			continue;
		/* Answered in its turn, with those it was taken with. */
		write = queued_write(&s->writes, i);
		write->position = store_state(s->store)->position;
		write->refused = true;
		refused++;
	}
	return refused;
}

void write_commit(struct sync *s)
{
	struct writes *w = &s->writes;
	u32 refused;
	int rc;

	if (!w->queued_count)
		return;
	rc = commit_some(s, 0, w->queued_count);
	if (rc == -ENOSPC && active_make_room(s))
		rc = commit_some(s, 0, w->queued_count);
	if (rc) {
		refused = commit_singly(s);
		log_error("sync: %u of %u writes refused by the store: %s; make map_size larger",
			  refused, w->queued_count, strerror(-rc));
	}
	w->queued_count = 0;
	w->records_len = 0;
	if (w->own)
		vocabulary_load(s);
	w->own = false;
	active_committed(s);
}

/* ---- acknowledge ---- */

/* @write may have left the ring. */
static void tell(struct sync *s, const struct write *write, enum sync_ack ack)
{
	if (!write->told)
		s->callbacks.acked(s->arg, write->cookie,
				   write->refused ? SYNC_ACK_REFUSED : ack);
}

void write_release(struct sync *s, u64 position, enum sync_ack ack)
{
	struct writes *w = &s->writes;

	/* Queued writes have no position yet and stay. */
	while (w->count > w->queued_count &&
	       ring_at(w, 0)->position <= position) {
		struct write first = *ring_at(w, 0);

		w->bytes -= first.size;
		w->head = (w->head + 1) & (w->size - 1);
		w->count--;
		if (w->seen)
			w->seen--;
		tell(s, &first, ack);
	}
}

/* Of a write that is committed here, and no standby is in sync. */
static enum sync_ack alone(const struct sync *s)
{
	if (s->spec.needs_standby)
		return SYNC_ACK_UNKNOWN;
	return s->callbacks.may_act(s->arg) ? SYNC_ACK_ALONE : SYNC_ACK_REFUSED;
}

void write_release_alone(struct sync *s)
{
	bool waiting = s->writes.count > s->writes.queued_count;

	if (waiting)
		write_release(s, U64_MAX, alone(s));
}

/* The next asynchronous one that is committed and not told; NULL if none is. */
static struct write *next_async(struct writes *w)
{
	struct write *write;

	while (w->seen < w->count - w->queued_count) {
		write = ring_at(w, w->seen++);
		if (write->async)
			return write;
	}
	return NULL;
}

void write_tell_async(struct sync *s)
{
	struct write *write = next_async(&s->writes);
	struct write copy;
	enum sync_ack ack;

	if (!write)
		return;
	ack = s->callbacks.may_act(s->arg) ? SYNC_ACK_ASYNC : SYNC_ACK_REFUSED;
	for (; write; write = next_async(&s->writes)) {
		copy = *write;
		write->told = true;
		tell(s, &copy, ack);
	}
}

void write_refuse(struct sync *s)
{
	s->writes.queued_count = 0;
	s->writes.records_len = 0;
	write_release(s, U64_MAX, SYNC_ACK_REFUSED);
}

u64 write_lag_ns(const struct sync *s, u64 now_ns)
{
	const struct writes *w = &s->writes;

	return w->count ? now_ns - w->ring[w->head].taken_ns : 0;
}

void write_flushed(struct sync *s, u64 position, bool flushed)
{
	struct flush *f;

	while ((f = STAILQ_FIRST(&s->flushes)) &&
	       (!flushed || f->position <= position)) {
		STAILQ_REMOVE_HEAD(&s->flushes, entry);
		f->done(f->arg, flushed);
		free(f);
	}
}
