/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The contents that this version knows, in a table by id: what they are called, who
 * may write them, and how their records are restored (c3).
 *
 * Each record is restored by keeping it as it is. That is all there is to most
 * contents, and to those of later versions, which are not in the table: they are
 * kept, passed on, and shown as a number. What else a content needs its restorer
 * does, once the record is committed.
 */
#ifndef CTIHA_CONTENT_H
#define CTIHA_CONTENT_H

#include "daemon/sync/sync.h"

#define CONTENT_NAME_LEN	12	/* with its end */
#define CONTENT_ALL		U64_MAX

struct sync;

/**
 * content_name() - what people call it
 * @text: room for the number of one that is not known
 *
 * Return: the name, or @text.
 */
const char *content_name(u16 content, char text[CONTENT_NAME_LEN]);

/* May applications write it? */
bool content_writable(u16 content);

/* A set of this one for content_restore(): empty if it has no restorer. */
u64 content_bit(u16 content);

/**
 * content_restore() - other records than before are committed: call the restorers
 * @contents: set of their content_bit(), or CONTENT_ALL
 */
void content_restore(struct sync *s, u64 contents);

#endif /* CTIHA_CONTENT_H */
