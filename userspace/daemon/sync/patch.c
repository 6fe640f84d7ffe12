// SPDX-License-Identifier: GPL-2.0-or-later
/* What makes a new value of an old one. See patch.h. */
#include "daemon/sync/patch.h"

/* As many bytes that stay do not end a run: its two numbers take as many. */
#define GAP	2

#define NUMBER_MAX	3	/* bytes of a number: 21 bits */

/* ---- making ---- */

struct writer {
	u8 *at;
	u8 *end;
};

static bool write_number(struct writer *w, size_t n)
{
	do {
		if (w->at == w->end)
			return false;
		*w->at++ = (u8)((n & 0x7f) | (n > 0x7f ? 0x80 : 0));
		n >>= 7;
	} while (n);
	return true;
}

static bool write_run(struct writer *w, size_t stay, const u8 *bytes, size_t len)
{
	if (!write_number(w, stay) || !write_number(w, len) ||
	    (size_t)(w->end - w->at) < len)
		return false;
	memcpy(w->at, bytes, len);
	w->at += len;
	return true;
}

/* The first byte from @at on that differs, eight at a time. */
static size_t skip_equal(const u8 *old, const u8 *new, size_t at, size_t len)
{
	u64 a, b;

	for (; at + sizeof(a) <= len; at += sizeof(a)) {
		memcpy(&a, old + at, sizeof(a));
		memcpy(&b, new + at, sizeof(b));
		if (a != b)
			break;
	}
	while (at < len && old[at] == new[at])
		at++;
	return at;
}

/* The end of the run that begins at @at: more than GAP bytes behind it stay. */
static size_t run_end(const u8 *old, const u8 *new, size_t at, size_t len)
{
	size_t end = at + 1;

	for (at = end; at < len && at - end <= GAP; at++) {
		if (old[at] != new[at])
			end = at + 1;
	}
	return end;
}

size_t patch_make(u8 *to, size_t max, const void *old, size_t old_len,
		  const void *new, size_t new_len)
{
	size_t common = old_len < new_len ? old_len : new_len;
	struct writer w = { to, to + max };
	const u8 *a = old, *b = new;
	size_t at = 0, begin, end;

	if (!write_number(&w, new_len))
		return 0;
	while ((begin = skip_equal(a, b, at, common)) < common) {
		end = run_end(a, b, begin, common);
		/* What is longer than the old one is all new. */
		if (end == common)
			end = new_len;
		if (!write_run(&w, begin - at, b + begin, end - begin))
			return 0;
		at = end;
	}
	if (at < new_len && new_len > common &&
	    !write_run(&w, common - at, b + common, new_len - common))
		return 0;
	return (size_t)(w.at - to);
}

/* ---- applying ---- */

struct reader {
	const u8 *at;
	const u8 *end;
};

static bool read_number(struct reader *r, size_t *n)
{
	unsigned int i;

	*n = 0;
	for (i = 0; i < NUMBER_MAX && r->at < r->end; i++) {
		*n |= (size_t)(*r->at & 0x7f) << (7 * i);
		if (!(*r->at++ & 0x80))
			return true;
	}
	return false;
}

struct value {
	u8 *to;
	size_t len;
	size_t at;
	const u8 *old;
	size_t old_len;
};

static bool keep(struct value *v, size_t len)
{
	if (len > v->len - v->at || (len && v->at + len > v->old_len))
		return false;
	if (len)
		memcpy(v->to + v->at, v->old + v->at, len);
	v->at += len;
	return true;
}

static bool apply_run(struct value *v, struct reader *r)
{
	size_t stay, len;

	if (!read_number(r, &stay) || !read_number(r, &len) || !len ||
	    !keep(v, stay) || len > v->len - v->at ||
	    len > (size_t)(r->end - r->at))
		return false;
	memcpy(v->to + v->at, r->at, len);
	v->at += len;
	r->at += len;
	return true;
}

int patch_apply(u8 *to, size_t size, const void *old, size_t old_len,
		const void *patch, size_t len)
{
	struct reader r = { patch, (const u8 *)patch + len };
	struct value v = { .to = to, .old = old, .old_len = old_len };

	if (!read_number(&r, &v.len) || v.len > size)
		return -EBADMSG;
	while (r.at < r.end) {
		if (!apply_run(&v, &r))
			return -EBADMSG;
	}
	return keep(&v, v.len - v.at) ? (int)v.len : -EBADMSG;
}
