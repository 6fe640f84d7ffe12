/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The backlog: the newest writes that led to the store's state, in batches as they
 * travel. A standby that was away for a while goes on where it left off, if
 * the backlog still reaches back to its state. Bounded: the oldest are dropped.
 *
 * It outlives a term of office: an active that lost its role and has it again,
 * with nobody's writes in between, still has what led here.
 *
 * One sender reads it, through the cursor.
 */
#ifndef CTIHA_BACKLOG_H
#define CTIHA_BACKLOG_H

#include <sys/queue.h>

#include <ctiha/base.h>

#include "daemon/sync/store.h"

#define BACKLOG_BYTES_MAX	(64UL << 20)
#define BACKLOG_WRITES_MAX	(256U << 10)

/**
 * struct backlog_batch - writes that travel in one packet
 * @content: of all of them
 * @count: how many, at least 1
 * @patched: some of them are patches
 * @after: the store's state when they are applied
 * @len: of @raw
 * @raw: payload of the packet, PACKET_RECORDS_LEN first
 */
struct backlog_batch {
	TAILQ_ENTRY(backlog_batch) entry;
	u16 content;
	u32 count;
	bool patched;
	struct store_state after;
	size_t len;
	u8 raw[];
};

/**
 * struct backlog - batches without a gap
 * @base: state before the first batch
 * @cursor: next batch to be sent; NULL: all are sent
 * @overrun: the cursor's batch was dropped before it was sent
 */
struct backlog {
	TAILQ_HEAD(backlog_list, backlog_batch) batches;
	struct store_state base;
	struct backlog_batch *cursor;
	bool overrun;
	size_t bytes;
	u32 writes;
};

/* Empties it; the first call makes it. @base: the store's state. */
void backlog_init(struct backlog *b);
void backlog_reset(struct backlog *b, const struct store_state *base);

/**
 * backlog_lead_to() - keep it if it leads to this state, else begin there
 * @state: the store's
 */
void backlog_lead_to(struct backlog *b, const struct store_state *state);

/* Takes @batch over; its position follows the last one's. */
void backlog_add(struct backlog *b, struct backlog_batch *batch);

/* The batch at the cursor, and on; NULL if there is none. */
struct backlog_batch *backlog_next(struct backlog *b);

/* Nothing that is held now will be sent: only what is added from now on. */
void backlog_skip(struct backlog *b);

/**
 * backlog_state() - the store's state at a position
 * Return: NULL if no batch, and not the base, ends there.
 */
const struct store_state *backlog_state(const struct backlog *b, u64 position);

/**
 * backlog_seek() - send from this state on
 * @patches: to somebody who understands them
 *
 * Return: false, and no change, if the backlog does not pass through @state, or has
 * patches behind it that would not be understood.
 */
bool backlog_seek(struct backlog *b, const struct store_state *state,
		  bool patches);

#endif /* CTIHA_BACKLOG_H */
