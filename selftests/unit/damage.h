/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Damage to a store behind its back, as bad memory would do it. */
#ifndef CTIHA_TEST_DAMAGE_H
#define CTIHA_TEST_DAMAGE_H

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DAMAGE_PAGE	4096

/* Flips a bit of each copy, also of those that are only left over from earlier. */
static inline bool damage_page(char page[DAMAGE_PAGE], const char *value)
{
	size_t len = strlen(value);
	bool found = false;
	char *at = page;

	while ((at = memmem(at, (size_t)(page + DAMAGE_PAGE - at), value,
			    len))) {
		found = true;
		*at++ ^= 1;
	}
	return found;
}

/**
 * damage() - flip a bit of a value in a store's file, open or not
 * @directory: the store's
 * @value: how it begins
 *
 * Return: false if it is not there, or cannot be changed.
 */
static inline bool damage(const char *directory, const char *value)
{
	char path[512], page[DAMAGE_PAGE];
	bool changed = false;
	off_t at = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/data.mdb", directory);
	fd = open(path, O_RDWR);
	for (; pread(fd, page, sizeof(page), at) == sizeof(page);
	     at += sizeof(page))
		if (damage_page(page, value))
			changed = pwrite(fd, page, sizeof(page), at) ==
				  sizeof(page);
	close(fd);
	return changed;
}

#endif /* CTIHA_TEST_DAMAGE_H */
