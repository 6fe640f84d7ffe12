// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Are the records still what was written? Memory forgets, and the digest is
 * counted along: it cannot see a bit that changes by itself. See store.h.
 */
#include "daemon/sync/store_internal.h"

/* As much of it as there is, should it be damaged: behind it, it goes on. */
static void remember(struct store_place *place, const MDB_val *key)
{
	u8 bytes[STORE_KEY_MAX] = { 0 };
	size_t len = key->mv_size < sizeof(bytes) ? key->mv_size :
						    sizeof(bytes);
	const MDB_val whole = { sizeof(bytes), bytes };

	memcpy(bytes, key->mv_data, len);
	place->content = store_key_content(&whole);
	place->key_len = len > STORE_CONTENT_LEN ?
				 (u8)(len - STORE_CONTENT_LEN) : 0;
	memcpy(place->key, bytes + STORE_CONTENT_LEN, place->key_len);
}

/* Return: 0: goes on, MDB_NOTFOUND: that was the last, MDB_CORRUPTED, others. */
static int check_from(MDB_cursor *cursor, struct store_place *place,
		      struct store_check_limit limit)
{
	u8 buffer[STORE_KEY_MAX];
	const MDB_val start = store_key(buffer, place->content, place->key,
					place->key_len);
	struct share share;
	MDB_val key, stored;
	size_t bytes = 0;
	int rc = store_cursor_behind(cursor, &start, &key, &stored);

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
		*place = (struct store_place){ 0 };
	return rc == MDB_CORRUPTED ? -EBADMSG : store_errno(rc);
}
