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

#define DICTIONARY_LEVEL_MAX	9	/* PACKET_LEVEL_MAX */

/**
 * struct dictionary - one that is ready
 * @pack: by level, made when it is used first; of level 1 from the beginning on
 * @bytes, @len: what it was made from
 */
struct dictionary {
	u32 id;
	struct ZSTD_CDict_s *pack[1 + DICTIONARY_LEVEL_MAX];
	ZSTD_DDict *unpack;
	size_t len;
	u8 bytes[];
};

/**
 * dictionary_new() - make one from its bytes
 * @bytes: as zstd --train, or trainer.h, makes them; hostile
 *
 * Return: NULL if they are none, or without memory.
 */
struct dictionary *dictionary_new(const void *bytes, size_t len);
void dictionary_free(struct dictionary *d);

/**
 * dictionary_pack() - for compressing
 * @level: 1 to DICTIONARY_LEVEL_MAX
 *
 * Return: of that level, or of level 1 without memory. Valid until
 * dictionary_free().
 */
const ZSTD_CDict *dictionary_pack(struct dictionary *d, int level);

/* Id that these bytes have as a dictionary; 0: they are none. */
u32 dictionary_id(const void *bytes, size_t len);

#endif /* CTIHA_DICTIONARY_H */
