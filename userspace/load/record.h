/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Call records as a call centre has them, about 425 bytes: made up from the call's
 * number and version, so that both can be told from the bytes, and the bytes
 * can be made again for comparison.
 */
#ifndef CTIHA_RECORD_H
#define CTIHA_RECORD_H

#include <ctiha/base.h>

#define RECORD_MAX	512
#define RECORD_KEY_LEN	8

/**
 * record_make() - the record of a call at a version
 * @to: receives RECORD_MAX bytes at most
 * @seed: of this run, so that runs differ
 * @call: number of the call
 * @version: from 1; each update is one more
 *
 * Return: its length.
 */
size_t record_make(u8 to[RECORD_MAX], u64 seed, u64 call, u32 version);

/* What it says of itself; 0 if it is too short to be one. */
u64 record_call(const void *record, size_t len);
u32 record_version(const void *record, size_t len);

/* Key in the store: keys are ordered as calls are. */
void record_key(u8 key[RECORD_KEY_LEN], u64 call);
u64 record_key_call(const void *key);

#endif /* CTIHA_RECORD_H */
