// SPDX-License-Identifier: GPL-2.0-or-later
/* The newest writes, in batches as they travel. See backlog.h. */
#include "daemon/sync/backlog.h"

#include <stdlib.h>

void backlog_init(struct backlog *b)
{
	memset(b, 0, sizeof(*b));
	TAILQ_INIT(&b->batches);
}

static void drop_oldest(struct backlog *b)
{
	struct backlog_batch *batch = TAILQ_FIRST(&b->batches);

	if (batch == b->cursor) {
		b->overrun = true;
		b->cursor = TAILQ_NEXT(batch, entry);
	}
	TAILQ_REMOVE(&b->batches, batch, entry);
	b->base = batch->after;
	b->bytes -= batch->len;
	b->writes -= batch->count;
	free(batch);
}

void backlog_reset(struct backlog *b, const struct store_state *base)
{
	while (!TAILQ_EMPTY(&b->batches))
		drop_oldest(b);
	b->base = *base;
	b->cursor = NULL;
	b->overrun = false;
}

static const struct store_state *end(const struct backlog *b)
{
	const struct backlog_batch *last = TAILQ_LAST(&b->batches,
						      backlog_list);

	return last ? &last->after : &b->base;
}

void backlog_lead_to(struct backlog *b, const struct store_state *state)
{
	if (!store_states_equal(end(b), state))
		backlog_reset(b, state);
}

void backlog_add(struct backlog *b, struct backlog_batch *batch)
{
	TAILQ_INSERT_TAIL(&b->batches, batch, entry);
	b->bytes += batch->len;
	b->writes += batch->count;
	if (!b->cursor)
		b->cursor = batch;
	while ((b->bytes > BACKLOG_BYTES_MAX ||
		b->writes > BACKLOG_WRITES_MAX) &&
	       TAILQ_FIRST(&b->batches) != batch)
		drop_oldest(b);
}

struct backlog_batch *backlog_next(struct backlog *b)
{
	struct backlog_batch *batch = b->cursor;

	if (batch)
		b->cursor = TAILQ_NEXT(batch, entry);
	return batch;
}

void backlog_skip(struct backlog *b)
{
	b->cursor = NULL;
	b->overrun = false;
}

/* From the newest on: a standby is rarely far behind. */
static struct backlog_batch *find(const struct backlog *b, u64 position)
{
	struct backlog_batch *batch;

	TAILQ_FOREACH_REVERSE(batch, &b->batches, backlog_list, entry) {
		if (batch->after.position == position)
			return batch;
		if (batch->after.position < position)
			return NULL;
	}
	return NULL;
}

const struct store_state *backlog_state(const struct backlog *b, u64 position)
{
	struct backlog_batch *batch = find(b, position);

	if (batch)
		return &batch->after;
	return b->base.position == position ? &b->base : NULL;
}

static bool any_patched(const struct backlog_batch *batch)
{
	while (batch && !batch->patched)
		batch = TAILQ_NEXT(batch, entry);
	return batch;
}

bool backlog_seek(struct backlog *b, const struct store_state *state,
		  bool patches)
{
	struct backlog_batch *batch = find(b, state->position);
	const struct store_state *here = batch ? &batch->after : &b->base;
	struct backlog_batch *next = batch ? TAILQ_NEXT(batch, entry) :
					     TAILQ_FIRST(&b->batches);

	if (!store_states_equal(here, state) ||
	    (!patches && any_patched(next)))
		return false;
	b->cursor = next;
	b->overrun = false;
	return true;
}
