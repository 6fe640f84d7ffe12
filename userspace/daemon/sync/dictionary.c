// SPDX-License-Identifier: GPL-2.0-or-later
/* A zstd dictionary. See dictionary.h. */
#include "daemon/sync/dictionary.h"

#include <stdlib.h>

u32 dictionary_id(const void *bytes, size_t len)
{
	return ZSTD_getDictID_fromDict(bytes, len);
}

struct dictionary *dictionary_new(const void *bytes, size_t len)
{
	struct dictionary *d = calloc(1, sizeof(*d) + len);

	if (!d)
		return NULL;
	memcpy(d->bytes, bytes, len);
	d->len = len;
	/* Without an id zstd would take any bytes for one. */
	d->id = dictionary_id(bytes, len);
	if (d->id) {
		d->pack[1] = ZSTD_createCDict(bytes, len, 1);
		d->unpack = ZSTD_createDDict(bytes, len);
	}
	if (d->pack[1] && d->unpack)
		return d;
	dictionary_free(d);
	return NULL;
}

void dictionary_free(struct dictionary *d)
{
	unsigned int i;

	if (!d)
		return;
	for (i = 0; i < ARRAY_SIZE(d->pack); i++)
		ZSTD_freeCDict(d->pack[i]);
	ZSTD_freeDDict(d->unpack);
	free(d);
}

const ZSTD_CDict *dictionary_pack(struct dictionary *d, int level)
{
	if (!d->pack[level])
		d->pack[level] = ZSTD_createCDict(d->bytes, d->len, level);
	return d->pack[level] ? d->pack[level] : d->pack[1];
}
