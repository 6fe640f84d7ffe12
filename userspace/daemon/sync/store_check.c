// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Are the records still what was written? Memory forgets, and the digest is
 * counted along: it cannot see a bit that changes by itself. See store.h.
 */
#include "daemon/sync/store_internal.h"

static_assert(STORE_KEY_MAX == STORE_PLACE_MAX);

/* The first record behind @place. */
static int find(MDB_cursor *cursor, const struct store_place *place,
		MDB_val *key, MDB_val *stored)
{
	MDB_val start = { place->len, (void *)place->key };
	int rc;

	if (!place->len)
		return mdb_cursor_get(cursor, key, stored, MDB_FIRST);
	*key = start;
	rc = mdb_cursor_get(cursor, key, stored, MDB_SET_RANGE);
	if (!rc && key->mv_size == start.mv_size &&
	    !memcmp(key->mv_data, start.mv_data, start.mv_size))
		rc = mdb_cursor_get(cursor, key, stored, MDB_NEXT);
	return rc;
}

static void remember(struct store_place *place, const MDB_val *key)
{
	place->len = key->mv_size < STORE_PLACE_MAX ? (u8)key->mv_size :
						      STORE_PLACE_MAX;
	memcpy(place->key, key->mv_data, place->len);
}

/* Return: 0: goes on, MDB_NOTFOUND: that was the last, MDB_CORRUPTED, others. */
static int check_from(MDB_cursor *cursor, struct store_place *place,
		      struct store_check_limit limit)
{
	struct share share;
	MDB_val key, stored;
	size_t bytes = 0;
	int rc = find(cursor, place, &key, &stored);

	while (!rc) {
		remember(place, &key);
		if (!store_value_intact(&key, &stored, &share))
			return MDB_CORRUPTED;
		bytes += key.mv_size + stored.mv_size;
		if (!--limit.records || bytes >= limit.bytes)
			return 0;
		rc = mdb_cursor_get(cursor, &key, &stored, MDB_NEXT);
	}
	return rc;
}

int store_check(struct store *s, struct store_place *place,
		struct store_check_limit limit)
{
	MDB_cursor *cursor;
	int rc;

	rc = mdb_txn_renew(s->reader);
	if (rc)
		return store_errno(rc);
	rc = mdb_cursor_open(s->reader, s->records[s->current], &cursor);
	if (!rc) {
		rc = check_from(cursor, place, limit);
		mdb_cursor_close(cursor);
	}
	mdb_txn_reset(s->reader);
	if (rc == MDB_NOTFOUND)
		place->len = 0;
	return rc == MDB_CORRUPTED ? -EBADMSG : store_errno(rc);
}
