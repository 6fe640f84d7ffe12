// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store of call records. See store.h.
 *
 * Three databases in one LMDB environment: records "a", records "b", "meta".
 * A record's key is its content id (big-endian) and the application's key, so a
 * walk sees contents and keys in order. "meta" holds one record: which generation
 * is current, and its state. What each content adds to the digest is counted
 * when the store is opened. MDB_NOSYNC: the directory is in memory, and against
 * a killed process the page cache is as good as a disk.
 */
#include "daemon/sync/store.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lmdb.h>
#include <xxhash.h>

#include "daemon/sync/sync.h"

#define FORMAT		1
#define HEAD_KEY	"head"
#define CONTENT_LEN	2
#define DB_KEY_MAX	(CONTENT_LEN + SYNC_KEY_MAX)

struct totals {
	u64 records;
	u64 digest[2];
};

/* What "meta" holds; host order, never leaves the host. */
struct meta_head {
	u32 format;
	u32 generation;
	struct store_state state;
};

struct generation {
	struct store_state state;
	struct totals totals[STORE_CONTENT_MAX + 1];
};

/**
 * struct store - an open store
 * @lock: the directory, locked against a second process
 * @env, @records, @meta: LMDB's; @records by generation
 * @current: generation that counts, 0 or 1
 * @txn: the open write transaction, or NULL
 * @target: generation that @txn changes
 * @reader: a parked read transaction
 * @live: of the current generation, as committed
 * @incoming: of the one being received, as committed
 * @work: as @txn will commit it
 * @receiving: between store_receive_begin() and its end
 * @hashed: room to put a record together for its hash
 */
struct store {
	int lock;
	MDB_env *env;
	MDB_dbi records[2];
	MDB_dbi meta;
	u32 current;
	MDB_txn *txn;
	u32 target;
	MDB_txn *reader;
	struct generation live;
	struct generation incoming;
	struct generation work;
	bool receiving;
	u8 hashed[DB_KEY_MAX + 1 + SYNC_VALUE_MAX];
};

struct store_reader {
	MDB_txn *txn;
	MDB_cursor *cursor;
	MDB_cursor_op step;
};

static int to_errno(int rc)
{
	if (rc == MDB_MAP_FULL || rc == MDB_TXN_FULL)
		return -ENOSPC;
	if (rc == MDB_NOTFOUND)
		return -ENOENT;
	return rc < 0 ? -EIO : -rc;
}

static void add(struct totals *t, const struct totals *other)
{
	t->records += other->records;
	t->digest[0] += other->digest[0];
	t->digest[1] += other->digest[1];
}

static void subtract(struct totals *t, const struct totals *other)
{
	t->records -= other->records;
	t->digest[0] -= other->digest[0];
	t->digest[1] -= other->digest[1];
}

/* The record's share in the digest. @key is the database's, content included. */
static struct totals share(struct store *s, const MDB_val *key,
			   const MDB_val *value)
{
	size_t len = 0;
	XXH128_hash_t h;

	/* The key's length keeps ("ab", "c") and ("a", "bc") apart. */
	s->hashed[len++] = (u8)key->mv_size;
	memcpy(s->hashed + len, key->mv_data, key->mv_size);
	len += key->mv_size;
	if (value->mv_size)
		memcpy(s->hashed + len, value->mv_data, value->mv_size);
	len += value->mv_size;
	h = XXH3_128bits(s->hashed, len);
	return (struct totals){ 1, { h.low64, h.high64 } };
}

static u16 key_content(const MDB_val *key)
{
	const u8 *bytes = key->mv_data;

	return (u16)(bytes[0] << 8 | bytes[1]);
}

static MDB_val make_key(u8 buffer[DB_KEY_MAX], u16 content, const void *key,
			size_t len)
{
	buffer[0] = (u8)(content >> 8);
	buffer[1] = (u8)content;
	if (len)
		memcpy(buffer + CONTENT_LEN, key, len);
	return (MDB_val){ CONTENT_LEN + len, buffer };
}

static void sum_up(struct generation *g)
{
	struct totals sum = { 0 };
	size_t i;

	for (i = 1; i <= STORE_CONTENT_MAX; i++)
		add(&sum, &g->totals[i]);
	g->state.records = sum.records;
	memcpy(g->state.digest, sum.digest, sizeof(sum.digest));
}

/* ---- opening ---- */

static int make_directory(const char *path)
{
	char part[PATH_MAX];
	char *slash;

	if (snprintf(part, sizeof(part), "%s", path) >= (int)sizeof(part))
		return -ENAMETOOLONG;
	for (slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return mkdir(part, 0700) && errno != EEXIST ? -errno : 0;
}

static int lock_directory(struct store *s, const char *path)
{
	s->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock < 0)
		return -errno;
	return flock(s->lock, LOCK_EX | LOCK_NB) ? -errno : 0;
}

static int open_environment(struct store *s, const char *path, u64 map_size)
{
	int dead;
	int rc;

	rc = mdb_env_create(&s->env);
	if (rc)
		return rc;
	mdb_env_set_maxdbs(s->env, 3);
	rc = mdb_env_set_mapsize(s->env, map_size);
	if (!rc)
		rc = mdb_env_open(s->env, path, MDB_NOSYNC | MDB_NOTLS, 0600);
	/* Readers that were killed would keep their old pages for ever. */
	if (!rc)
		rc = mdb_reader_check(s->env, &dead);
	return rc;
}

static int open_databases(struct store *s)
{
	MDB_txn *txn;
	int rc;

	rc = mdb_txn_begin(s->env, NULL, 0, &txn);
	if (rc)
		return rc;
	rc = mdb_dbi_open(txn, "a", MDB_CREATE, &s->records[0]);
	if (!rc)
		rc = mdb_dbi_open(txn, "b", MDB_CREATE, &s->records[1]);
	if (!rc)
		rc = mdb_dbi_open(txn, "meta", MDB_CREATE, &s->meta);
	if (rc) {
		mdb_txn_abort(txn);
		return rc;
	}
	return mdb_txn_commit(txn);
}

/* Recounts what a generation really holds. */
static int recount(struct store *s, MDB_txn *txn, struct generation *g)
{
	MDB_cursor *cursor;
	MDB_val key, value;
	struct totals one;
	int rc;

	rc = mdb_cursor_open(txn, s->records[s->current], &cursor);
	if (rc)
		return rc;
	while (!(rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT))) {
		if (key.mv_size <= CONTENT_LEN || key.mv_size > DB_KEY_MAX ||
		    value.mv_size > SYNC_VALUE_MAX || !key_content(&key) ||
		    key_content(&key) > STORE_CONTENT_MAX) {
			rc = MDB_CORRUPTED;
			break;
		}
		one = share(s, &key, &value);
		add(&g->totals[key_content(&key)], &one);
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

static int load_live(struct store *s, MDB_txn *txn)
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
	rc = recount(s, txn, &s->live);
	s->live.state = head.state;
	sum_up(&s->live);
	if (!rc && !store_states_equal(&s->live.state, &head.state))
		rc = MDB_CORRUPTED;
	return rc;
}

static int load(struct store *s)
{
	int rc;

	rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->reader);
	if (rc)
		return rc;
	rc = load_live(s, s->reader);
	mdb_txn_reset(s->reader);
	return rc;
}

static const char *remedy(int rc)
{
	switch (rc) {
	case EWOULDBLOCK:
		return "another ctihad has it open: stop that one";
	case MDB_CORRUPTED:
	case MDB_INVALID:
	case MDB_VERSION_MISMATCH:
	case MDB_PAGE_NOTFOUND:
		return "remove the directory: the active server sends its records anew";
	case MDB_MAP_FULL:
	case ENOSPC:
	case ENOMEM:
		return "make map_size, or the file system, larger";
	default:
		return "check path and permissions";
	}
}

static int open_all(struct store *s, const char *directory, u64 map_size)
{
	int rc;

	rc = -make_directory(directory);
	if (!rc)
		rc = -lock_directory(s, directory);
	if (!rc)
		rc = open_environment(s, directory, map_size);
	if (!rc)
		rc = open_databases(s);
	if (!rc)
		rc = load(s);
	return rc;
}

struct store *store_open(const char *directory, u64 map_size, char *error,
			 size_t error_size)
{
	struct store *s = calloc(1, sizeof(*s));
	int rc;

	if (!s) {
		snprintf(error, error_size, "store: out of memory");
		return NULL;
	}
	s->lock = -1;
	rc = open_all(s, directory, map_size);
	if (!rc)
		return s;
	snprintf(error, error_size, "store %s: %s; %s", directory,
		 mdb_strerror(rc), remedy(rc));
	store_close(s);
	return NULL;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	store_abort(s);
	if (s->reader)
		mdb_txn_abort(s->reader);
	if (s->env)
		mdb_env_close(s->env);
	if (s->lock >= 0)
		close(s->lock);
	free(s);
}

/* ---- state ---- */

const struct store_state *store_state(const struct store *s)
{
	return s->txn ? &s->work.state : &s->live.state;
}

void store_totals(const struct store *s, u16 content, u64 *records,
		  u64 digest[2])
{
	static const struct totals none;
	const struct totals *t = &none;

	if (content && content <= STORE_CONTENT_MAX)
		t = &s->live.totals[content];
	*records = t->records;
	memcpy(digest, t->digest, sizeof(t->digest));
}

/* ---- writing ---- */

static int begin(struct store *s, u32 target, const struct generation *from)
{
	int rc = mdb_txn_begin(s->env, NULL, 0, &s->txn);

	if (rc) {
		s->txn = NULL;
		return to_errno(rc);
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

static void account(struct store *s, u16 content, const struct totals *one,
		    void (*change)(struct totals *, const struct totals *))
{
	struct store_state *state = &s->work.state;
	struct totals sum = { state->records,
			      { state->digest[0], state->digest[1] } };

	change(&s->work.totals[content], one);
	change(&sum, one);
	state->records = sum.records;
	memcpy(state->digest, sum.digest, sizeof(sum.digest));
}

/* Takes the record that is to be replaced or deleted out of the digest. */
static int forget(struct store *s, u16 content, MDB_val *key)
{
	struct totals one;
	MDB_val old;
	int rc;

	rc = mdb_get(s->txn, s->records[s->target], key, &old);
	if (rc)
		return rc;
	one = share(s, key, &old);
	account(s, content, &one, subtract);
	return 0;
}

int store_put(struct store *s, const struct store_record *r)
{
	u8 buffer[DB_KEY_MAX];
	struct totals one;
	MDB_val key, value;
	int rc;

	if (!valid(r))
		return -EINVAL;
	key = make_key(buffer, r->content, r->key, r->key_len);
	value = (MDB_val){ r->value_len, (void *)r->value };
	rc = forget(s, r->content, &key);
	if (rc && rc != MDB_NOTFOUND)
		return to_errno(rc);
	one = share(s, &key, &value);
	rc = mdb_put(s->txn, s->records[s->target], &key, &value, 0);
	if (rc)
		return to_errno(rc);
	account(s, r->content, &one, add);
	return 0;
}

int store_delete(struct store *s, const struct store_record *r)
{
	u8 buffer[DB_KEY_MAX];
	MDB_val key;
	int rc;

	if (!valid(r))
		return -EINVAL;
	key = make_key(buffer, r->content, r->key, r->key_len);
	rc = forget(s, r->content, &key);
	if (!rc)
		rc = mdb_del(s->txn, s->records[s->target], &key, NULL);
	return rc == MDB_NOTFOUND ? 0 : to_errno(rc);
}

void store_set_position(struct store *s, u64 epoch, u64 position)
{
	s->work.state.epoch = epoch;
	s->work.state.position = position;
}

static int put_head(struct store *s, u32 generation)
{
	struct meta_head head = { FORMAT, generation, s->work.state };
	MDB_val key = { sizeof(HEAD_KEY) - 1, HEAD_KEY };
	MDB_val value = { sizeof(head), &head };

	return mdb_put(s->txn, s->meta, &key, &value, 0);
}

int store_commit(struct store *s)
{
	bool live = s->target == s->current;
	int rc = 0;

	if (live)
		rc = put_head(s, s->current);
	if (rc) {
		store_abort(s);
		return to_errno(rc);
	}
	rc = mdb_txn_commit(s->txn);
	s->txn = NULL;
	if (rc)
		return to_errno(rc);
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
		return to_errno(rc);
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
		rc = put_head(s, !s->current);
	if (rc) {
		store_abort(s);
		return to_errno(rc);
	}
	rc = mdb_txn_commit(s->txn);
	s->txn = NULL;
	if (rc)
		return to_errno(rc);
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

/* ---- reading ---- */

int store_get(struct store *s, u16 content, const void *key, size_t key_len,
	      void *value, size_t size)
{
	u8 buffer[DB_KEY_MAX];
	MDB_val k, v;
	int rc;

	if (!key_len || key_len > SYNC_KEY_MAX)
		return -EINVAL;
	rc = mdb_txn_renew(s->reader);
	if (rc)
		return to_errno(rc);
	k = make_key(buffer, content, key, key_len);
	rc = mdb_get(s->reader, s->records[s->current], &k, &v);
	if (rc)
		rc = to_errno(rc);
	else if (v.mv_size > size)
		rc = -ENOSPC;
	else
		rc = (int)v.mv_size;
	if (rc > 0)
		memcpy(value, v.mv_data, v.mv_size);
	mdb_txn_reset(s->reader);
	return rc;
}

struct visitor {
	bool (*visit)(void *arg, const void *key, size_t key_len,
		      const void *value, size_t value_len);
	void *arg;
};

static int visit_from(MDB_cursor *cursor, u16 content, MDB_val *start,
		      const struct visitor *to)
{
	MDB_val key = *start, value;
	int visited = 0;
	int rc;

	rc = mdb_cursor_get(cursor, &key, &value, MDB_SET_RANGE);
	/* The key to begin behind may or may not be there itself. */
	if (!rc && key.mv_size == start->mv_size &&
	    !memcmp(key.mv_data, start->mv_data, key.mv_size))
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	while (!rc && key_content(&key) == content) {
		visited++;
		if (!to->visit(to->arg, (u8 *)key.mv_data + CONTENT_LEN,
			       key.mv_size - CONTENT_LEN, value.mv_data,
			       value.mv_size))
			break;
		rc = mdb_cursor_get(cursor, &key, &value, MDB_NEXT);
	}
	return rc && rc != MDB_NOTFOUND ? to_errno(rc) : visited;
}

int store_walk(struct store *s, u16 content, const void *after,
	       size_t after_len,
	       bool (*visit)(void *arg, const void *key, size_t key_len,
			     const void *value, size_t value_len),
	       void *arg)
{
	const struct visitor to = { visit, arg };
	u8 buffer[DB_KEY_MAX];
	MDB_cursor *cursor;
	MDB_val start;
	int rc;

	if (after_len > SYNC_KEY_MAX)
		return -EINVAL;
	start = make_key(buffer, content, after, after ? after_len : 0);
	rc = mdb_txn_renew(s->reader);
	if (rc)
		return to_errno(rc);
	rc = mdb_cursor_open(s->reader, s->records[s->current], &cursor);
	if (!rc) {
		rc = visit_from(cursor, content, &start, &to);
		mdb_cursor_close(cursor);
	} else {
		rc = to_errno(rc);
	}
	mdb_txn_reset(s->reader);
	return rc;
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
	MDB_val key, value;
	int rc;

	rc = mdb_cursor_get(r->cursor, &key, &value, MDB_NEXT);
	if (rc)
		return rc == MDB_NOTFOUND ? 0 : to_errno(rc);
	record->content = key_content(&key);
	record->key = (u8 *)key.mv_data + CONTENT_LEN;
	record->key_len = key.mv_size - CONTENT_LEN;
	record->value = value.mv_data;
	record->value_len = value.mv_size;
	return 1;
}

void store_reader_close(struct store_reader *r)
{
	if (!r)
		return;
	mdb_cursor_close(r->cursor);
	mdb_txn_abort(r->txn);
	free(r);
}
