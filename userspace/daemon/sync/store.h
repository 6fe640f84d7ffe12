/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store of call records: LMDB in a directory of a memory file system.
 *
 * It holds two generations of records. One is current; a snapshot from the peer
 * is received into the other, which becomes current in one transaction when it
 * is complete, so a half-received snapshot never shows (e4). Each transaction
 * takes the position, the epoch and the digests along, so what is read after a
 * crash is always one consistent state.
 *
 * The digest is the sum of the hashes of all records, in two lanes of 64 bits:
 * independent of their order, and kept up to date by adding and subtracting.
 *
 * Event loop thread only. Functions return 0 or -errno unless they say
 * otherwise; -ENOSPC means that the map is full, and leaves the store as it was.
 */
#ifndef CTIHA_STORE_H
#define CTIHA_STORE_H

#include <ctiha/base.h>

#include "daemon/sync/sync.h"

#define STORE_CONTENT_MAX	SYNC_CONTENT_LAST

struct store;
struct store_reader;

/**
 * struct store_state - what identifies a state of the store
 * @epoch: epoch of its last write
 * @position: number of writes that led to it
 * @records: how many it holds
 * @digest: of all records
 */
struct store_state {
	u64 epoch;
	u64 position;
	u64 records;
	u64 digest[2];
};

struct store_record {
	u16 content;
	const void *key;
	size_t key_len;
	const void *value;
	size_t value_len;
};

/**
 * store_open() - open, or create with its directory, and verify
 * @map_size: bytes it may grow to
 * @error: reason and remedy on failure
 *
 * Recounts all records: a store whose records do not have the digest that was
 * written with them is refused, as is one that another process has open.
 */
struct store *store_open(const char *directory, u64 map_size, char *error,
			 size_t error_size);
void store_close(struct store *store);

/* The committed state; inside a transaction, what it has come to so far. */
const struct store_state *store_state(const struct store *store);

/* Records and digest of one content id. */
void store_totals(const struct store *store, u16 content, u64 *records,
		  u64 digest[2]);

static inline bool store_states_equal(const struct store_state *a,
				      const struct store_state *b)
{
	return a->epoch == b->epoch && a->position == b->position &&
	       a->records == b->records && a->digest[0] == b->digest[0] &&
	       a->digest[1] == b->digest[1];
}

/**
 * store_begin() - begin to change the current generation
 *
 * Then any number of store_put() and store_delete(), then store_commit() or
 * store_abort(). After an error of one of them only store_abort() is allowed.
 */
int store_begin(struct store *store);
int store_put(struct store *store, const struct store_record *record);

/**
 * struct store_patch - room for what makes the new value of the old one (patch.h)
 * @to: @max bytes
 * @len: set; 0: there was no old value, or the patch would be longer
 */
struct store_patch {
	u8 *to;
	size_t max;
	size_t len;
};

/* As store_put(), and says what changed. @patch: NULL: nobody wants to know. */
int store_put_patch(struct store *store, const struct store_record *record,
		    struct store_patch *patch);

/**
 * store_patch() - change a value
 * @record: its value is the patch, hostile
 *
 * Return: -EBADMSG if there is no such record, or the patch does not fit it.
 */
int store_patch(struct store *store, const struct store_record *record);

/* Deleting what is not there is no error. */
int store_delete(struct store *store, const struct store_record *record);

/* What the changes so far count as; visible in store_state(). */
void store_set_position(struct store *store, u64 epoch, u64 position);
int store_commit(struct store *store);
void store_abort(struct store *store);

/**
 * store_receive_begin() - empty the other generation and fill it from now on
 *
 * Then store_begin_received(), store_put(), store_commit() as often as needed,
 * then store_receive_end() or store_receive_abort().
 */
int store_receive_begin(struct store *store);
int store_begin_received(struct store *store);

/**
 * store_receive_end() - make the received generation current
 * @claimed: what the sender says it is
 *
 * Return: -EBADMSG if records or digest are not as claimed: aborted.
 */
int store_receive_end(struct store *store, const struct store_state *claimed);
void store_receive_abort(struct store *store);

/**
 * store_received_last() - the last record, by content id and key, of those received
 * @key: room for SYNC_KEY_MAX bytes; @key_len: set, at least 1
 * Return: 0, or -ENOENT if none is being received or none is committed.
 */
int store_received_last(struct store *store, u16 *content, u8 *key,
			u8 *key_len);

/* Records received so far; 0 if none is being received. */
u64 store_received(const struct store *store);

/**
 * store_get() - copy one value
 * Return: its length, -ENOENT, -ENOSPC if @size is too small.
 */
int store_get(struct store *store, u16 content, const void *key,
	      size_t key_len, void *value, size_t size);

/**
 * store_walk() - records of one content id, in key order
 * @after: begin behind this key; NULL: with the first
 * @visit: must not change the store; false stops
 *
 * Return: number visited.
 */
int store_walk(struct store *store, u16 content, const void *after,
	       size_t after_len,
	       bool (*visit)(void *arg, const void *key, size_t key_len,
			     const void *value, size_t value_len),
	       void *arg);

/**
 * struct store_place - a record in the order of content id and key
 * @content: 0: in front of the first record
 * @key: @key_len bytes
 */
struct store_place {
	u16 content;
	u8 key_len;
	u8 key[SYNC_KEY_MAX];
};

/* How much to check at once; at least one record. */
struct store_check_limit {
	unsigned int records;
	size_t bytes;
};

/**
 * store_check() - are the next records still what was written?
 * @place: the record checked last, set; in front of the first at the end
 *
 * Return: 0: all that were checked, and there are more; -ENOENT: and that were
 * the last; -EBADMSG: the one at @place is damaged; -errno.
 */
int store_check(struct store *store, struct store_place *place,
		struct store_check_limit limit);

/**
 * store_reader_open() - a view of the committed state that does not change
 * @state: set to what it shows
 * Return: NULL if memory or readers are exhausted.
 */
struct store_reader *store_reader_open(struct store *store,
				       struct store_state *state);

/**
 * store_reader_next() - the next record, by content id and key
 * @record: valid until the reader is closed
 * Return: 1, 0 at the end, or -errno.
 */
int store_reader_next(struct store_reader *reader,
		      struct store_record *record);

/**
 * store_reader_seek() - store_reader_next() will give the one behind this
 * @key_len: of @key, 1 to SYNC_KEY_MAX
 * Return: 0, -ENOENT if the reader has no such record, -errno.
 */
int store_reader_seek(struct store_reader *reader, u16 content, const void *key,
		      size_t key_len);
void store_reader_close(struct store_reader *reader);

#endif /* CTIHA_STORE_H */
