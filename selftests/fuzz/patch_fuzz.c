// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes changes of records: applied as they come, and made and applied again.
 *
 * Input: length of the old value, the old value, and the rest: a patch; and again as
 * the new value.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/sync/patch.h"

#define VALUE_MAX	512

/* In an allocation of just its size, so that a sanitizer sees what is behind. */
static u8 *copy(const u8 *bytes, size_t len)
{
	u8 *to = malloc(len ? len : 1);

	if (!to)
		abort();
	memcpy(to, bytes, len);
	return to;
}

static void apply(const u8 *old, size_t old_len, const u8 *patch, size_t len)
{
	u8 *to = malloc(VALUE_MAX);
	int rc = patch_apply(to, VALUE_MAX, old, old_len, patch, len);

	if (rc != -EBADMSG && (rc < 0 || rc > VALUE_MAX))
		abort();
	free(to);
}

static void there(const u8 *old, size_t old_len, const u8 *new, size_t len)
{
	size_t max = len + 16, patch_len;
	u8 *patch = malloc(max), *to = malloc(len ? len : 1);

	patch_len = patch_make(patch, max, old, old_len, new, len);
	if (!patch_len ||
	    patch_apply(to, len, old, old_len, patch, patch_len) != (int)len ||
	    memcmp(to, new, len))
		abort();
	/* With less room there is no patch, and nothing behind it is touched. */
	if (patch_make(patch, patch_len - 1, old, old_len, new, len))
		abort();
	free(patch);
	free(to);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	u8 *old, *rest;
	size_t old_len;

	if (!len || data[0] >= len || len > VALUE_MAX)
		return 0;
	old_len = data[0];
	old = copy(data + 1, old_len);
	rest = copy(data + 1 + old_len, len - 1 - old_len);
	apply(old, old_len, rest, len - 1 - old_len);
	there(old, old_len, rest, len - 1 - old_len);
	free(old);
	free(rest);
	return 0;
}
