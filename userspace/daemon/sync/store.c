// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The store of call records: opening and closing. See store.h for what it is,
 * store_internal.h for what the other files do.
 *
 * MDB_NOSYNC: the directory is in memory, and against a killed process the page
 * cache is as good as a disk. MDB_WRITEMAP: a system call for each changed page would
 * be most of the work; see store_room.c for its danger.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/sync/store_internal.h"

int store_errno(int rc)
{
	if (rc == MDB_MAP_FULL || rc == MDB_TXN_FULL)
		return -ENOSPC;
	if (rc == MDB_NOTFOUND)
		return -ENOENT;
	return rc < 0 ? -EIO : -rc;
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
		rc = mdb_env_open(s->env, path,
				  MDB_NOSYNC | MDB_NOTLS | MDB_WRITEMAP, 0600);
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

static int load(struct store *s)
{
	int rc;

	rc = mdb_txn_begin(s->env, NULL, MDB_RDONLY, &s->reader);
	if (rc)
		return rc;
	rc = generation_load(s, s->reader);
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
		rc = -store_room_init(s, map_size);
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
