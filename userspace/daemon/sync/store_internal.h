/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store's inside.
 *
 *   store.c        opening and closing, the state
 *   generation.c   what a generation of records counts as; which one is current
 *   store_value.c  one record as the database holds it
 *   store_room.c   pages of the file, before they are used
 *   store_write.c  transactions, and the generation that is being received
 *   store_read.c   one record, some, all
 *   store_check.c  are the records still what was written?
 *
 * Three databases in one LMDB environment: records "a", records "b", "meta".
 * A record's key is its content id (big-endian) and the application's key, so a
 * walk sees contents and keys in order. "meta" holds one record: which generation
 * is current, and its state.
 */
#ifndef CTIHA_STORE_INTERNAL_H
#define CTIHA_STORE_INTERNAL_H

#include <lmdb.h>

#include "daemon/sync/store.h"
#include "daemon/sync/sync.h"

#define STORE_CONTENT_LEN	2
#define STORE_KEY_MAX		(STORE_CONTENT_LEN + SYNC_KEY_MAX)

/* What one record adds to the digest: a hash of content id, key and value. */
struct share {
	u64 lane[2];
};

/* How many records, and the sum of their shares. */
struct totals {
	u64 records;
	u64 digest[2];
};

/**
 * struct generation - what a generation of records counts as
 * @state: of all of them
 * @totals: by content id; together they make @state's
 */
struct generation {
	struct store_state state;
	struct totals totals[STORE_CONTENT_MAX + 1];
};

/**
 * struct room - of the file
 * @map_size: what it may grow to
 * @bytes: from its beginning on, that it has for certain
 * @used: pages, when the transaction began
 * @claimed: pages more that it can come to use
 */
struct room {
	u64 page_size;
	u64 map_size;
	u64 bytes;
	u64 used;
	u64 claimed;
};

/**
 * struct store - an open store
 * @lock: the directory, locked against a second process
 * @env, @records, @meta: LMDB's; @records by generation
 * @current: generation that counts, 0 or 1
 * @txn: the open write transaction, or NULL
 * @target: generation that @txn changes
 * @cursor: on it; gone with @txn
 * @room: for what @txn writes
 * @reader: a parked read transaction
 * @live: of the current generation, as committed
 * @incoming: of the one being received, as committed
 * @work: as @txn will commit it
 * @receiving: between store_receive_begin() and its end
 */
struct store {
	int lock;
	MDB_env *env;
	MDB_dbi records[2];
	MDB_dbi meta;
	u32 current;
	MDB_txn *txn;
	u32 target;
	MDB_cursor *cursor;
	struct room room;
	MDB_txn *reader;
	struct generation live;
	struct generation incoming;
	struct generation work;
	bool receiving;
};

/**
 * store_key() - a record's key in the database
 * @buffer: room for it; must live as long as the key is used
 * @len: bytes of @key, 0 to SYNC_KEY_MAX; 0 is in front of all of the content
 */
static inline MDB_val store_key(u8 buffer[STORE_KEY_MAX], u16 content,
				const void *key, size_t len)
{
	buffer[0] = (u8)(content >> 8);
	buffer[1] = (u8)content;
	if (len)
		memcpy(buffer + STORE_CONTENT_LEN, key, len);
	return (MDB_val){ STORE_CONTENT_LEN + len, buffer };
}

/**
 * store_key_content() - content id in such a key
 * @key: of at least STORE_CONTENT_LEN bytes
 */
static inline u16 store_key_content(const MDB_val *key)
{
	const u8 *bytes = key->mv_data;

	return (u16)(bytes[0] << 8 | bytes[1]);
}

/**
 * store_errno() - what LMDB returned, as the store returns it
 * @rc: 0, an errno or one of LMDB's own
 *
 * Return: 0 or -errno: -ENOSPC if the map is full, -ENOENT for what is not
 * there, -EIO for what only LMDB has a name for.
 */
int store_errno(int rc);

/* store_room.c */

/**
 * store_room_init() - learn the sizes, have the pages to open the databases
 * @s: its environment is open
 * @map_size: of it
 *
 * Return: 0 or -ENOSPC.
 */
int store_room_init(struct store *s, u64 map_size);

/**
 * store_room_begin() - have the pages that any transaction needs
 * @s: its transaction has begun
 *
 * Return: 0 or -ENOSPC.
 */
int store_room_begin(struct store *s);

/**
 * store_room_claim() - have the pages for one more record, put or deleted
 * @s: as for store_room_begin()
 * @value_len: of it
 *
 * Return: 0 or -ENOSPC.
 */
int store_room_claim(struct store *s, size_t value_len);

/* generation.c */

/**
 * generation_add() - count a record
 * @key: as store_key() makes it, of a content id up to STORE_CONTENT_MAX
 */
void generation_add(struct generation *g, const MDB_val *key,
		    const struct share *share);

/**
 * generation_remove() - take a record out again that was counted
 * @key, @share: as for generation_add()
 */
void generation_remove(struct generation *g, const MDB_val *key,
		       const struct share *share);

/**
 * generation_load() - find the current generation and recount its records
 * @txn: to read in
 *
 * Sets the store's current and live; a new store's are empty.
 *
 * Return: 0 or LMDB's code; MDB_VERSION_MISMATCH for another format,
 * MDB_CORRUPTED if the records are not those that the state was written with.
 */
int generation_load(struct store *s, MDB_txn *txn);

/**
 * generation_save() - in the open transaction: this one is current
 * @which: generation, 0 or 1; its state is that of the transaction
 *
 * Return: 0 or LMDB's code.
 */
int generation_save(struct store *s, u32 which);

/* store_read.c */

/**
 * store_cursor_behind() - go to the first record behind a key
 * @start: as store_key() makes it; need not be there itself
 * @key, @stored: set to the record
 *
 * Return: 0 or LMDB's code; MDB_NOTFOUND if it would be the last.
 */
int store_cursor_behind(MDB_cursor *cursor, const MDB_val *start, MDB_val *key,
			MDB_val *stored);

/* store_value.c */

/**
 * store_value_put() - write a record
 * @cursor: where it is, if it exists
 * @key: as store_key() makes it
 * @value: at most SYNC_VALUE_MAX bytes
 * @share: set to its share in the digest
 *
 * Return: 0 or LMDB's code.
 */
int store_value_put(MDB_cursor *cursor, MDB_val *key, const MDB_val *value,
		    struct share *share);

/**
 * store_value_split() - a record as the database holds it, into its parts
 * @share: what was written with it
 * @value: points into @stored
 *
 * Return: false if it is none.
 */
bool store_value_split(const MDB_val *stored, struct share *share,
		       MDB_val *value);

/**
 * store_value_intact() - is it what was written?
 * @key, @stored: as the database gives them
 * @share: set if so
 */
bool store_value_intact(const MDB_val *key, const MDB_val *stored,
			struct share *share);

#endif /* CTIHA_STORE_INTERNAL_H */
