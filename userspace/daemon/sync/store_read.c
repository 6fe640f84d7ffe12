// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading the store: one record, those of one content, or all of them. See
 * store.h.
 *
 * One record and some are read within one call, in the parked transaction: its
 * slot in LMDB's table of readers is kept. A store_reader is open for longer and
 * has a transaction of its own.
 */
#include <stdlib.h>

#include "daemon/sync/store_internal.h"

struct store_reader {
	MDB_txn *txn;
	MDB_cursor *cursor;
};

/* What the application put there; -EIO if it is damaged beyond that. */
static int value_of(const MDB_val *stored, MDB_val *value)
{
	struct share share;

	return store_value_split(stored, &share, value) ? 0 : -EIO;
}

static int copy_value(const MDB_val *stored, void *to, size_t size)
{
	MDB_val value;
	int rc = value_of(stored, &value);

	if (rc)
		return rc;
	if (value.mv_size > size)
		return -ENOSPC;
	if (value.mv_size)
		memcpy(to, value.mv_data, value.mv_size);
	return (int)value.mv_size;
}

int store_get(struct store *s, u16 content, const void *key, size_t key_len,
	      void *value, size_t size)
{
	u8 buffer[STORE_KEY_MAX];
	MDB_val k, stored;
	int rc;

	if (!key_len || key_len > SYNC_KEY_MAX)
		return -EINVAL;
	rc = mdb_txn_renew(s->reader);
	if (rc)
		return store_errno(rc);
	k = store_key(buffer, content, key, key_len);
	rc = mdb_get(s->reader, s->records[s->current], &k, &stored);
	rc = rc ? store_errno(rc) : copy_value(&stored, value, size);
	mdb_txn_reset(s->reader);
	return rc;
}

struct visitor {
	bool (*visit)(void *arg, const void *key, size_t key_len,
		      const void *value, size_t value_len);
	void *arg;
};

int store_cursor_behind(MDB_cursor *cursor, const MDB_val *start, MDB_val *key,
			MDB_val *stored)
{
	int rc;

	*key = *start;
	rc = mdb_cursor_get(cursor, key, stored, MDB_SET_RANGE);
	if (!rc && key->mv_size == start->mv_size &&
	    !memcmp(key->mv_data, start->mv_data, key->mv_size))
		rc = mdb_cursor_get(cursor, key, stored, MDB_NEXT);
	return rc;
}

static int visit_from(MDB_cursor *cursor, u16 content, const MDB_val *start,
		      const struct visitor *to)
{
	MDB_val key, stored, value;
	int visited = 0;
	int rc = store_cursor_behind(cursor, start, &key, &stored);

	while (!rc && store_key_content(&key) == content) {
		rc = value_of(&stored, &value);
		if (rc)
			return rc;
		visited++;
		if (!to->visit(to->arg, (u8 *)key.mv_data + STORE_CONTENT_LEN,
			       key.mv_size - STORE_CONTENT_LEN, value.mv_data,
			       value.mv_size))
			break;
		rc = mdb_cursor_get(cursor, &key, &stored, MDB_NEXT);
	}
	return rc && rc != MDB_NOTFOUND ? store_errno(rc) : visited;
}

int store_walk(struct store *s, u16 content, const void *after,
	       size_t after_len,
	       bool (*visit)(void *arg, const void *key, size_t key_len,
			     const void *value, size_t value_len),
	       void *arg)
{
	const struct visitor to = { visit, arg };
	u8 buffer[STORE_KEY_MAX];
	MDB_cursor *cursor;
	MDB_val start;
	int rc;

	if (after_len > SYNC_KEY_MAX)
		return -EINVAL;
	start = store_key(buffer, content, after, after ? after_len : 0);
	rc = mdb_txn_renew(s->reader);
	if (rc)
		return store_errno(rc);
	rc = mdb_cursor_open(s->reader, s->records[s->current], &cursor);
	if (!rc) {
		rc = visit_from(cursor, content, &start, &to);
		mdb_cursor_close(cursor);
	} else {
		rc = store_errno(rc);
	}
	mdb_txn_reset(s->reader);
	return rc;
}

static int last_key(MDB_txn *txn, MDB_dbi records, MDB_val *key)
{
	MDB_cursor *cursor;
	MDB_val value;
	int rc;

	rc = mdb_cursor_open(txn, records, &cursor);
	if (rc)
		return rc;
	rc = mdb_cursor_get(cursor, key, &value, MDB_LAST);
	mdb_cursor_close(cursor);
	return rc;
}

int store_received_last(struct store *s, u16 *content, u8 *key, u8 *key_len)
{
	MDB_val last;
	int rc;

	if (!s->receiving)
		return -ENOENT;
	rc = mdb_txn_renew(s->reader);
	if (rc)
		return store_errno(rc);
	rc = last_key(s->reader, s->records[!s->current], &last);
	if (!rc) {
		*content = store_key_content(&last);
		*key_len = (u8)(last.mv_size - STORE_CONTENT_LEN);
		memcpy(key, (u8 *)last.mv_data + STORE_CONTENT_LEN, *key_len);
	}
	mdb_txn_reset(s->reader);
	return store_errno(rc);
}

struct store_reader *store_reader_open(struct store *s,
				       struct store_state *state)
{
	struct store_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	if (mdb_txn_begin(s->env, NULL, MDB_RDONLY, &r->txn)) {
		free(r);
		return NULL;
	}
	if (mdb_cursor_open(r->txn, s->records[s->current], &r->cursor)) {
		mdb_txn_abort(r->txn);
		free(r);
		return NULL;
	}
	*state = s->live.state;
	return r;
}

int store_reader_next(struct store_reader *r, struct store_record *record)
{
	MDB_val key, stored, value;
	int rc;

	rc = mdb_cursor_get(r->cursor, &key, &stored, MDB_NEXT);
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : store_errno(rc);
	rc = value_of(&stored, &value);
	if (rc)
		return rc;
	record->content = store_key_content(&key);
	record->key = (u8 *)key.mv_data + STORE_CONTENT_LEN;
	record->key_len = key.mv_size - STORE_CONTENT_LEN;
	record->value = value.mv_data;
	record->value_len = value.mv_size;
	return 1;
}

int store_reader_seek(struct store_reader *r, u16 content, const void *key,
		      size_t key_len)
{
	u8 buffer[STORE_KEY_MAX];
	MDB_val k = store_key(buffer, content, key, key_len);

	return store_errno(mdb_cursor_get(r->cursor, &k, NULL, MDB_SET));
}

void store_reader_close(struct store_reader *r)
{
	if (!r)
		return;
	mdb_cursor_close(r->cursor);
	mdb_txn_abort(r->txn);
	free(r);
}
