/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The keys of a pair: one is sent with, and both are accepted, so that they roll
 * over without a gap.
 */
#ifndef CTIHA_KEYS_H
#define CTIHA_KEYS_H

#include <ctiha/base.h>
#include <linux/ctiha.h>

/**
 * struct keys - by slot
 * @used: the slot holds a key
 * @send: slot to send with; it is used
 * @key: of each slot
 */
struct keys {
	bool used[CTIHA_KEY_SLOTS];
	u8 send;
	u8 key[CTIHA_KEY_SLOTS][CTIHA_KEY_LEN];
};

/* The key that is sent with. */
static inline const u8 *keys_sender(const struct keys *keys)
{
	return keys->key[keys->send];
}

#endif /* CTIHA_KEYS_H */
