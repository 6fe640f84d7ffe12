// SPDX-License-Identifier: GPL-2.0-or-later
/* Several batches, one packet. See merge.h. */
#include "daemon/sync/merge.h"

#include <stdlib.h>

#include <xxhash.h>

#define NO_ENTRY	UINT32_MAX
#define SIZE_FIRST	256U

static u32 slot_count(const struct merge *m)
{
	return 2 * m->size;
}

void merge_reset(struct merge *m)
{
	m->count = 0;
	m->replaced = 0;
	m->len = PACKET_RECORDS_LEN;
	if (m->size)
		memset(m->slots, 0xff, slot_count(m) * sizeof(*m->slots));
}

void merge_free(struct merge *m)
{
	free(m->entries);
	free(m->slots);
	free(m->raw);
	memset(m, 0, sizeof(*m));
}

static bool same_key(const struct store_record *a, const struct store_record *b)
{
	return a->content == b->content && a->key_len == b->key_len &&
	       !memcmp(a->key, b->key, a->key_len);
}

/* The slot that has this record, or the free one where it belongs. */
static u32 *find(const struct merge *m, const struct store_record *r)
{
	u32 mask = slot_count(m) - 1;
	u64 hash = XXH3_64bits_withSeed(r->key, r->key_len, r->content);
	u32 at = (u32)hash & mask;

	while (m->slots[at] != NO_ENTRY &&
	       !same_key(&m->entries[m->slots[at]].record, r))
		at = (at + 1) & mask;
	return &m->slots[at];
}

static int grow(struct merge *m)
{
	u32 size = m->size ? 2 * m->size : SIZE_FIRST;
	void *entries = realloc(m->entries, size * sizeof(*m->entries));
	void *slots;
	u32 i;

	if (!entries)
		return -ENOMEM;
	m->entries = entries;
	slots = realloc(m->slots, 2 * size * sizeof(*m->slots));
	if (!slots)
		return -ENOMEM;
	m->slots = slots;
	m->size = size;
	memset(m->slots, 0xff, slot_count(m) * sizeof(*m->slots));
	/* In their order: of a record's entries the last one stays. */
	for (i = 0; i < m->count; i++)
		*find(m, &m->entries[i].record) = i;
	return 0;
}

static int add(struct merge *m, enum packet_op op, const struct store_record *r)
{
	struct merge_entry *entry;
	u32 *slot;

	if (m->count == m->size && grow(m))
		return -ENOMEM;
	slot = find(m, r);
	if (*slot == NO_ENTRY || op == PACKET_PATCH) {
		*slot = m->count++;
		entry = &m->entries[*slot];
	} else {
		entry = &m->entries[*slot];
		m->len -= packet_merged_record_size(&entry->record);
		m->replaced++;
	}
	*entry = (struct merge_entry){ op, *r };
	m->len += packet_merged_record_size(r);
	return 0;
}

int merge_add(struct merge *m, const struct backlog_batch *batch)
{
	struct packet_cursor cursor = {
		.at = batch->raw + PACKET_RECORDS_LEN,
		.end = batch->raw + batch->len,
		.content = batch->content,
		.left = batch->count,
	};
	struct store_record record;
	enum packet_op op;
	int rc = 0;

	while (!rc && packet_next_record(&cursor, &op, &record))
		rc = add(m, op, &record);
	return rc;
}

size_t merge_len_with(const struct merge *m, const struct backlog_batch *batch)
{
	return m->len + batch->len +
	       batch->count * (PACKET_MERGED_RECORD_LEN - PACKET_RECORD_LEN);
}

static bool make_room(struct merge *m)
{
	void *raw;

	if (m->len <= m->raw_size)
		return true;
	raw = realloc(m->raw, m->len);
	if (!raw)
		return false;
	m->raw = raw;
	m->raw_size = m->len;
	return true;
}

const u8 *merge_write(struct merge *m, u64 first)
{
	u8 *to;
	u32 i;

	if (!make_room(m))
		return NULL;
	packet_write_merged(m->raw, first, m->count, m->replaced);
	to = m->raw + PACKET_RECORDS_LEN;
	for (i = 0; i < m->count; i++) {
		const struct merge_entry *entry = &m->entries[i];

		packet_write_merged_record(to, entry->op, &entry->record);
		to += packet_merged_record_size(&entry->record);
	}
	return m->raw;
}
