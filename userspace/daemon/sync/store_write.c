// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Changes of the store: transactions, and the generation that is being
 * received. See store.h.
 *
 * A transaction counts along in the store's work, which replaces what counts
 * when it is committed and is forgotten when it is not.
 */
#include "daemon/sync/patch.h"
#include "daemon/sync/store_internal.h"

/* ---- transactions ---- */

static int begin(struct store *s, u32 target, const struct generation *from)
{
	int rc = mdb_txn_begin(s->env, NULL, 0, &s->txn);

	if (rc) {
		s->txn = NULL;
		return store_errno(rc);
	}
	rc = store_room_begin(s);
	if (!rc)
		rc = store_errno(mdb_cursor_open(s->txn, s->records[target],
						 &s->cursor));
	if (rc) {
		store_abort(s);
		return rc;
	}
	s->target = target;
	s->work = *from;
	return 0;
}

int store_begin(struct store *s)
{
	return begin(s, s->current, &s->live);
}

int store_begin_received(struct store *s)
{
	return begin(s, !s->current, &s->incoming);
}

static bool valid(const struct store_record *r)
{
	return r->content && r->content <= STORE_CONTENT_MAX && r->key_len &&
	       r->key_len <= SYNC_KEY_MAX && r->value_len <= SYNC_VALUE_MAX;
}

/*
 * Takes the record that is to be replaced or deleted out of the digest, and leaves
 * the cursor there: the way down the tree is half of the work. @value: its own, until
 * the next change.
 */
static int forget(struct store *s, MDB_val *key, MDB_val *value)
{
	struct share share;
	MDB_val old;
	int rc;

	rc = mdb_cursor_get(s->cursor, key, &old, MDB_SET);
	if (rc)
		return rc;
	if (!store_value_split(&old, &share, value))
		return MDB_CORRUPTED;
	generation_remove(&s->work, key, &share);
	return 0;
}

static int put_at_cursor(struct store *s, MDB_val *key, const MDB_val *value)
{
	struct share share;
	int rc = store_value_put(s->cursor, key, value, &share);

	if (rc)
		return store_errno(rc);
	generation_add(&s->work, key, &share);
	return 0;
}

int store_put(struct store *s, const struct store_record *r)
{
	return store_put_patch(s, r, NULL);
}

int store_put_patch(struct store *s, const struct store_record *r,
		    struct store_patch *patch)
{
	u8 buffer[STORE_KEY_MAX];
	MDB_val key, value, old;
	int rc;

	if (!valid(r))
		return -EINVAL;
	rc = store_room_claim(s, r->value_len);
	if (rc)
		return rc;
	key = store_key(buffer, r->content, r->key, r->key_len);
	value = (MDB_val){ r->value_len, (void *)r->value };
	rc = forget(s, &key, &old);
	if (rc && rc != MDB_NOTFOUND)
		return store_errno(rc);
	if (patch)
		patch->len = rc ? 0 : patch_make(patch->to, patch->max,
						 old.mv_data, old.mv_size,
						 r->value, r->value_len);
	return put_at_cursor(s, &key, &value);
}

int store_patch(struct store *s, const struct store_record *r)
{
	u8 buffer[STORE_KEY_MAX], bytes[SYNC_VALUE_MAX];
	MDB_val key, value, old;
	int rc;

	if (!valid(r))
		return -EINVAL;
	key = store_key(buffer, r->content, r->key, r->key_len);
	rc = forget(s, &key, &old);
	if (rc == MDB_NOTFOUND)
		return -EBADMSG;
	if (rc)
		return store_errno(rc);
	rc = patch_apply(bytes, sizeof(bytes), old.mv_data, old.mv_size,
			 r->value, r->value_len);
	if (rc < 0)
		return rc;
	value = (MDB_val){ (size_t)rc, bytes };
	/* Nothing is written until here; before, its length was not known. */
	rc = store_room_claim(s, value.mv_size);
	return rc ? rc : put_at_cursor(s, &key, &value);
}

int store_delete(struct store *s, const struct store_record *r)
{
	u8 buffer[STORE_KEY_MAX];
	MDB_val key, old;
	int rc;

	if (!valid(r))
		return -EINVAL;
	rc = store_room_claim(s, 0);
	if (rc)
		return rc;
	key = store_key(buffer, r->content, r->key, r->key_len);
	rc = forget(s, &key, &old);
	if (!rc)
		rc = mdb_cursor_del(s->cursor, 0);
	return rc == MDB_NOTFOUND ? 0 : store_errno(rc);
}

void store_set_position(struct store *s, u64 epoch, u64 position)
{
	s->work.state.epoch = epoch;
	s->work.state.position = position;
}

/* Ends the transaction, as @rc says: aborts it if a step in it has failed. */
static int finish(struct store *s, int rc)
{
	if (rc) {
		store_abort(s);
		return store_errno(rc);
	}
	rc = mdb_txn_commit(s->txn);
	s->txn = NULL;
	return store_errno(rc);
}

int store_commit(struct store *s)
{
	bool live = s->target == s->current;
	int rc;

	rc = finish(s, live ? generation_save(s, s->current) : 0);
	if (rc)
		return rc;
	if (live)
		s->live = s->work;
	else
		s->incoming = s->work;
	return 0;
}

void store_abort(struct store *s)
{
	if (s->txn)
		mdb_txn_abort(s->txn);
	s->txn = NULL;
}

/* ---- receiving ---- */

int store_receive_begin(struct store *s)
{
	int rc;

	memset(&s->incoming, 0, sizeof(s->incoming));
	s->receiving = false;
	rc = store_begin_received(s);
	if (rc)
		return rc;
	rc = mdb_drop(s->txn, s->records[s->target], 0);
	if (rc) {
		store_abort(s);
		return store_errno(rc);
	}
	rc = store_commit(s);
	s->receiving = !rc;
	return rc;
}

static int switch_generation(struct store *s)
{
	int rc;

	rc = mdb_drop(s->txn, s->records[s->current], 0);
	if (!rc)
		rc = generation_save(s, !s->current);
	rc = finish(s, rc);
	if (rc)
		return rc;
	s->current = !s->current;
	s->live = s->work;
	return 0;
}

int store_receive_end(struct store *s, const struct store_state *claimed)
{
	int rc;

	if (!s->receiving)
		return -EBADMSG;
	s->receiving = false;
	rc = store_begin_received(s);
	if (rc)
		return rc;
	store_set_position(s, claimed->epoch, claimed->position);
	if (!store_states_equal(&s->work.state, claimed)) {
		store_abort(s);
		return -EBADMSG;
	}
	return switch_generation(s);
}

void store_receive_abort(struct store *s)
{
	/* What it holds is dropped when the next one begins. */
	s->receiving = false;
}

u64 store_received(const struct store *s)
{
	return s->receiving ? s->incoming.state.records : 0;
}
