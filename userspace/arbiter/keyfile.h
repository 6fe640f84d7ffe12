/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file with the key that a pair shares with the arbiter. */
#ifndef CTIHA_ARBITER_KEYFILE_H
#define CTIHA_ARBITER_KEYFILE_H

#include <linux/ctiha.h>

#include <ctiha/base.h>

/**
 * keyfile_read() - read a key: 64 hexadecimal digits; a newline may follow
 * @path: the file; must be closed to others
 * @key: filled in on success
 *
 * Return: NULL, or what is wrong and how to mend it.
 */
const char *keyfile_read(const char *path, u8 key[CTIHA_KEY_LEN]);

#endif /* CTIHA_ARBITER_KEYFILE_H */
