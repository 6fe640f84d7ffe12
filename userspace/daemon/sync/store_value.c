// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A record in the database: what it adds to the digest, then its value. So each
 * record can be checked by itself, and needs no hashing again when it goes. See
 * store_internal.h.
 */
#include <xxhash.h>

#include "daemon/sync/store_internal.h"

#define SHARE_LEN	sizeof(struct share)

static struct share compute(const MDB_val *key, const MDB_val *value)
{
	u8 bytes[1 + STORE_KEY_MAX + SYNC_VALUE_MAX];
	XXH128_hash_t h;
	size_t len = 0;

	/* The key's length keeps ("ab", "c") and ("a", "bc") apart. */
	bytes[len++] = (u8)key->mv_size;
	memcpy(bytes + len, key->mv_data, key->mv_size);
	len += key->mv_size;
	if (value->mv_size)
		memcpy(bytes + len, value->mv_data, value->mv_size);
	len += value->mv_size;
	h = XXH3_128bits(bytes, len);
	return (struct share){ { h.low64, h.high64 } };
}

int store_value_put(MDB_cursor *cursor, MDB_val *key, const MDB_val *value,
		    struct share *share)
{
	MDB_val stored = { .mv_size = SHARE_LEN + value->mv_size };
	int rc = mdb_cursor_put(cursor, key, &stored, MDB_RESERVE);

	if (rc)
		return rc;
	*share = compute(key, value);
	memcpy(stored.mv_data, share, SHARE_LEN);
	if (value->mv_size)
		memcpy((u8 *)stored.mv_data + SHARE_LEN, value->mv_data,
		       value->mv_size);
	return 0;
}

bool store_value_split(const MDB_val *stored, struct share *share,
		       MDB_val *value)
{
	if (stored->mv_size < SHARE_LEN ||
	    stored->mv_size > SHARE_LEN + SYNC_VALUE_MAX)
		return false;
	memcpy(share, stored->mv_data, SHARE_LEN);
	value->mv_size = stored->mv_size - SHARE_LEN;
	value->mv_data = (u8 *)stored->mv_data + SHARE_LEN;
	return true;
}

static bool key_in_bounds(const MDB_val *key)
{
	return key->mv_size > STORE_CONTENT_LEN &&
	       key->mv_size <= STORE_KEY_MAX && store_key_content(key) &&
	       store_key_content(key) <= STORE_CONTENT_MAX;
}

bool store_value_intact(const MDB_val *key, const MDB_val *stored,
			struct share *share)
{
	struct share actual;
	MDB_val value;

	if (!key_in_bounds(key) || !store_value_split(stored, share, &value))
		return false;
	actual = compute(key, &value);
	return !memcmp(&actual, share, sizeof(actual));
}
