// SPDX-License-Identifier: GPL-2.0-or-later
/* The contents that this version knows. See content.h. */
#include <stdio.h>

#include "daemon/sync/content.h"
#include "daemon/sync/vocabulary.h"

/**
 * struct content
 * @name: NULL: this version does not know it
 * @writable: applications may write it
 * @restore: records of it are in the store that were not there before; NULL:
 *           nothing depends on them
 */
struct content {
	const char *name;
	bool writable;
	void (*restore)(struct sync *s);
};

static const struct content contents[] = {
	[SYNC_CONTENT_CALL] = { "call", true, NULL },
	[SYNC_CONTENT_AGENT] = { "agent", true, NULL },
	[SYNC_CONTENT_ROUTE] = { "route", true, NULL },
	[SYNC_CONTENT_SERVER] = { "server", true, NULL },
	[SYNC_CONTENT_APPLICATION] = { "application", true, NULL },
	[SYNC_CONTENT_DICTIONARY] = { "dictionary", false, vocabulary_load },
	[SYNC_CONTENT_CALL_STATE] = { "call-state", true, NULL },
};

static_assert(ARRAY_SIZE(contents) <= 64, "a set of them is a u64");

/* The one without a name stands for all of later versions. */
static const struct content *known(u16 content)
{
	return &contents[content < ARRAY_SIZE(contents) ? content : 0];
}

const char *content_name(u16 content, char text[CONTENT_NAME_LEN])
{
	if (known(content)->name)
		return known(content)->name;
	snprintf(text, CONTENT_NAME_LEN, "%u", content);
	return text;
}

bool content_writable(u16 content)
{
	return known(content)->writable;
}

u64 content_bit(u16 content)
{
	return known(content)->restore ? 1ULL << content : 0;
}

void content_restore(struct sync *s, u64 set)
{
	u16 i;

	for (i = 0; i < ARRAY_SIZE(contents); i++) {
		if (set & content_bit(i))
			contents[i].restore(s);
	}
}
