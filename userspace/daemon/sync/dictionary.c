// SPDX-License-Identifier: GPL-2.0-or-later
/* A zstd dictionary. See dictionary.h. */
#include "daemon/sync/dictionary.h"

#include <stdlib.h>

u32 dictionary_id(const void *bytes, size_t len)
{
	return ZSTD_getDictID_fromDict(bytes, len);
}

struct dictionary *dictionary_new(const void *bytes, size_t len, int level)
{
	struct dictionary *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	/* Without an id zstd would take any bytes for one. */
	d->id = dictionary_id(bytes, len);
	if (d->id) {
		d->pack = ZSTD_createCDict(bytes, len, level);
		d->unpack = ZSTD_createDDict(bytes, len);
	}
	if (d->pack && d->unpack)
		return d;
	dictionary_free(d);
	return NULL;
}

void dictionary_free(struct dictionary *d)
{
	if (!d)
		return;
	ZSTD_freeCDict(d->pack);
	ZSTD_freeDDict(d->unpack);
	free(d);
}
