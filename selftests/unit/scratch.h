/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A scratch directory for one test. */
#ifndef CTIHA_SCRATCH_H
#define CTIHA_SCRATCH_H

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline int scratch_remove_one(const char *path, const struct stat *st,
				     int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Makes one in memory, if there is a memory file system. */
static inline bool scratch_make(char dir[64])
{
	strcpy(dir, "/dev/shm/ctiha-test-XXXXXX");
	if (mkdtemp(dir))
		return true;
	strcpy(dir, "/tmp/ctiha-test-XXXXXX");
	return mkdtemp(dir);
}

static inline void scratch_remove(const char *dir)
{
	nftw(dir, scratch_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

#endif /* CTIHA_SCRATCH_H */
