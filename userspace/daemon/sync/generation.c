// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A generation of records: what it counts as, and which one is current. See
 * store_internal.h.
 *
 * Only the state of all records is written down. What each content adds to it is
 * counted when the store is opened, which shows at the same time whether the
 * records are those that the state belongs to.
 */
#include "daemon/sync/store_internal.h"

#define FORMAT		2
#define HEAD_KEY	"head"

/* What "meta" holds; host order, never leaves the host. */
struct meta_head {
	u32 format;
	u32 generation;
	struct store_state state;
};

/* ---- counting ---- */

/* @times: 1, or -1 as unsigned numbers count. */
static void account(struct generation *g, const MDB_val *key,
		    const struct share *share, u64 times)
{
	struct totals *of_content = &g->totals[store_key_content(key)];
	unsigned int i;

	of_content->records += times;
	g->state.records += times;
	for (i = 0; i < ARRAY_SIZE(share->lane); i++) {
		of_content->digest[i] += times * share->lane[i];
		g->state.digest[i] += times * share->lane[i];
	}
}

void generation_add(struct generation *g, const MDB_val *key,
		    const struct share *share)
{
	account(g, key, share, 1);
}

void generation_remove(struct generation *g, const MDB_val *key,
		       const struct share *share)
{
	account(g, key, share, (u64)-1);
}

/* ---- which one is current ---- */

/* Counts what the current generation really holds. */
static int recount(struct store *s, MDB_txn *txn)
{
	struct share share;
	MDB_cursor *cursor;
	MDB_val key, stored;
	int rc;

	rc = mdb_cursor_open(txn, s->records[s->current], &cursor);
	if (rc)
		return rc;
	while (!(rc = mdb_cursor_get(cursor, &key, &stored, MDB_NEXT))) {
		if (!store_value_intact(&key, &stored, &share)) {
			rc = MDB_CORRUPTED;
			break;
		}
		generation_add(&s->live, &key, &share);
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
