// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A generation of records: what it counts as, and which one is current. See
 * store_internal.h.
 *
 * Only the state of all records is written down. What each content adds to it is
 * counted when the store is opened, which shows at the same time whether the
 * records are those that the state belongs to.
 */
#include <xxhash.h>

#include "daemon/sync/store_internal.h"

#define FORMAT		1
#define HEAD_KEY	"head"

/* What "meta" holds; host order, never leaves the host. */
struct meta_head {
	u32 format;
	u32 generation;
	struct store_state state;
};

/* ---- counting ---- */

/* The record's share in the digest. */
static XXH128_hash_t share(const MDB_val *key, const MDB_val *value)
{
	u8 bytes[1 + STORE_KEY_MAX + SYNC_VALUE_MAX];
	size_t len = 0;

	/* The key's length keeps ("ab", "c") and ("a", "bc") apart. */
	bytes[len++] = (u8)key->mv_size;
	memcpy(bytes + len, key->mv_data, key->mv_size);
	len += key->mv_size;
	if (value->mv_size)
		memcpy(bytes + len, value->mv_data, value->mv_size);
	len += value->mv_size;
	return XXH3_128bits(bytes, len);
}

/* @times: 1, or -1 as unsigned numbers count. */
static void account(struct generation *g, const MDB_val *key,
		    const MDB_val *value, u64 times)
{
	struct totals *of_content = &g->totals[store_key_content(key)];
	const XXH128_hash_t h = share(key, value);

	of_content->records += times;
	of_content->digest[0] += times * h.low64;
	of_content->digest[1] += times * h.high64;
	g->state.records += times;
	g->state.digest[0] += times * h.low64;
	g->state.digest[1] += times * h.high64;
}

void generation_add(struct generation *g, const MDB_val *key,
		    const MDB_val *value)
{
	account(g, key, value, 1);
}

void generation_remove(struct generation *g, const MDB_val *key,
		       const MDB_val *value)
{
	account(g, key, value, (u64)-1);
}

/* ---- which one is current ---- */

static bool in_bounds(const MDB_val *key, const MDB_val *value)
{
	return key->mv_size > STORE_CONTENT_LEN &&
	       key->mv_size <= STORE_KEY_MAX &&
	       value->mv_size <= SYNC_VALUE_MAX && store_key_content(key) &&
	       store_key_content(key) <= STORE_CONTENT_MAX;
}

/* Counts what the current generation really holds. */
static int recount(struct store *s, MDB_txn *txn)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	int rc;

	rc = mdb_cursor_open(txn, s->records[s->current], &cursor);
	if (rc)
		return rc;
	while (!(rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
		if (!in_bounds(&key, &value)) {
			rc = MDB_CORRUPTED;
			break;
		}
		generation_add(&s->live, &key, &value);
	}
	mdb_cursor_close(cursor);
	return rc == MDB_NOTFOUND ? 0 : rc;
}

static int get_head(struct store *s, MDB_txn *txn, struct meta_head *head)
{
	MDB_val key = { sizeof(HEAD_KEY) - 1, HEAD_KEY };
	MDB_val value;
	int rc = mdb_get(txn, s->meta, &key, &value);

	if (rc)
		return rc;
	if (value.mv_size != sizeof(*head))
		return MDB_VERSION_MISMATCH;
	memcpy(head, value.mv_data, sizeof(*head));
	return 0;
}

int generation_load(struct store *s, MDB_txn *txn)
{
	struct meta_head head;
	int rc;

	rc = get_head(s, txn, &head);
	if (rc == MDB_NOTFOUND)
		return 0;
	if (rc)
		return rc;
	if (head.format != FORMAT || head.generation > 1)
		return MDB_VERSION_MISMATCH;
	s->current = head.generation;
	s->live.state.epoch = head.state.epoch;
	s->live.state.position = head.state.position;
	rc = recount(s, txn);
	if (!rc && !store_states_equal(&s->live.state, &head.state))
		rc = MDB_CORRUPTED;
	return rc;
}

int generation_save(struct store *s, u32 which)
{
	struct meta_head head = { FORMAT, which, s->work.state };
	MDB_val key = { sizeof(HEAD_KEY) - 1, HEAD_KEY };
	MDB_val value = { sizeof(head), &head };

	return mdb_put(s->txn, s->meta, &key, &value, 0);
}
