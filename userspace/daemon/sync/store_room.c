// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Room in the store's file. See store_internal.h.
 *
 * LMDB writes into its map (MDB_WRITEMAP). The map is as large as the store may become,
 * the file in memory has what was used of it; a page that the file system has
 * no room for would kill the daemon (SIGBUS). So the pages that a transaction can
 * come to use are asked for before, and it fails if they cannot be had.
 *
 * LMDB takes new pages from the end of what is used. How many at most: each page of
 * the trees above the leaves is copied once, and may be split once; a record takes
 * its leaf's copy, the half that is split off, and what a large value fills.
 */
#include <fcntl.h>

#include "daemon/sync/store_internal.h"

#define STEP		(4UL << 20)
#define PAGES_APART	64	/* free pages' list, "meta", the main tree */
#define PAGES_A_RECORD	2

/* For the pages claimed, and as many again for every 16 of them. */
static int ensure(struct store *s)
{
	u64 pages = s->room.used + s->room.claimed + s->room.claimed / 16;
	u64 bytes = (pages * s->room.page_size + STEP - 1) / STEP * STEP;
	mdb_filehandle_t fd;
	int rc;

	if (bytes > s->room.map_size)
		bytes = s->room.map_size;	/* LMDB itself knows this end */
	if (bytes <= s->room.bytes)
		return 0;
	rc = mdb_env_get_fd(s->env, &fd);
	if (!rc)
		rc = posix_fallocate(fd, (off_t)s->room.bytes,
				     (off_t)(bytes - s->room.bytes));
	if (rc)
		return -ENOSPC;
	s->room.bytes = bytes;
	return 0;
}

static u64 pages_above(struct store *s, MDB_dbi dbi)
{
	MDB_stat st;

	return mdb_stat(s->txn, dbi, &st) ? 0 : st.ms_branch_pages + 1;
}

/* Where LMDB takes new pages from. */
static void look(struct store *s)
{
	MDB_envinfo info;

	mdb_env_info(s->env, &info);
	s->room.used = info.me_last_pgno + 1;
}

int store_room_init(struct store *s, u64 map_size)
{
	MDB_stat st;

	mdb_env_stat(s->env, &st);
	s->room.page_size = st.ms_psize;
	s->room.map_size = map_size;
	look(s);
	s->room.claimed = PAGES_APART;
	return ensure(s);
}

int store_room_begin(struct store *s)
{
	look(s);
	s->room.claimed = PAGES_APART +
			  PAGES_A_RECORD * (pages_above(s, s->records[0]) +
					    pages_above(s, s->records[1]));
	return ensure(s);
}

int store_room_claim(struct store *s, size_t value_len)
{
	s->room.claimed += PAGES_A_RECORD + value_len / s->room.page_size + 1;
	return ensure(s);
}
