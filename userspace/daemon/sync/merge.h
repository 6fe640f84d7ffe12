/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Merging: several batches that wait to be sent become one packet, in which each
 * record has its last write only. A standby that cannot follow gets fewer bytes
 * that way, and never a state that the active did not pass through: the packet
 * is applied as a whole. A patch replaces nothing: it needs what was before it.
 */
#ifndef CTIHA_MERGE_H
#define CTIHA_MERGE_H

#include "daemon/sync/backlog.h"
#include "daemon/sync/packet.h"

/* A write that nothing has replaced so far. */
struct merge_entry {
	enum packet_op op;
	struct store_record record;
};

/**
 * struct merge - what is merged
 * @entries: @count of them, each record once, and as often as it is patched; keys and
 *           values lie in the batches
 * @size: room in @entries; @slots has twice as many, a power of two: a record's
 *        last entry
 * @slots: index into @entries by hash, NO_ENTRY if free
 * @replaced: writes that were left out
 * @len: of the payload; @raw, @raw_size: room for it
 */
struct merge {
	struct merge_entry *entries;
	u32 *slots;
	u32 count;
	u32 size;
	u32 replaced;
	size_t len;
	u8 *raw;
	size_t raw_size;
};

/* Forget what was merged; the memory is kept. */
void merge_reset(struct merge *m);
void merge_free(struct merge *m);

/**
 * merge_add() - the batch that follows those that were added
 * @batch: must stay until merge_write()
 * Return: 0, or -ENOMEM: merge_reset() is what is left to do.
 */
int merge_add(struct merge *m, const struct backlog_batch *batch);

/* Longest payload that there can be with @batch as well. */
size_t merge_len_with(const struct merge *m, const struct backlog_batch *batch);

/**
 * merge_write() - the payload of PACKET_MERGED
 * @first: position of the first write
 * Return: m->len bytes, valid until the next call; NULL without memory.
 */
const u8 *merge_write(struct merge *m, u64 first);

#endif /* CTIHA_MERGE_H */
