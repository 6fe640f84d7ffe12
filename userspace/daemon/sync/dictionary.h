/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A zstd dictionary, ready for use: what call records have in common, so that a
 * packet with few of them shrinks as well as one with many. Its id, from its head,
 * is in each packet that was compressed with it.
 */
#ifndef CTIHA_DICTIONARY_H
#define CTIHA_DICTIONARY_H

#include <zstd.h>

#include <ctiha/base.h>

struct dictionary {
	u32 id;
	ZSTD_CDict *pack;
	ZSTD_DDict *unpack;
};

/**
 * dictionary_new() - make one from its bytes
 * @bytes: as zstd --train, or trainer.h, makes them; hostile
 * @level: of compression
 *
 * Return: NULL if they are none, or without memory.
 */
struct dictionary *dictionary_new(const void *bytes, size_t len, int level);
void dictionary_free(struct dictionary *d);

/* Id that these bytes have as a dictionary; 0: they are none. */
u32 dictionary_id(const void *bytes, size_t len);

#endif /* CTIHA_DICTIONARY_H */
