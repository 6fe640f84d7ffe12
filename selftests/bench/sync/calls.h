/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The calls of a call centre, and what happens to them: a call begins, changes eight
 * times in the mean, ends, and the next one begins.
 */
#ifndef BENCH_SYNC_CALLS_H
#define BENCH_SYNC_CALLS_H

#include "load/record.h"

struct call {
	u64 number;
	u32 version;
};

/**
 * struct calls - those that are alive
 * @call: @live of them
 * @wanted: while there are fewer, one begins
 * @last: number of the last one that began
 * @random: state of the generator
 */
struct calls {
	struct call *call;
	u32 live;
	u32 wanted;
	u64 last;
	u64 random;
};

/* What happens to a call: its new record, or its @ended. */
struct change {
	u8 key[RECORD_KEY_LEN];
	u8 value[RECORD_MAX];
	size_t len;
	bool ended;
};

/**
 * calls_init() - no call yet
 * @calls: to be filled by changes
 * @wanted: how many there are to be
 *
 * Return: 0 or -ENOMEM.
 */
int calls_init(struct calls *calls, u32 wanted);

/**
 * calls_next() - what happens next
 * @calls: changed accordingly
 * @change: receives it
 */
void calls_next(struct calls *calls, struct change *change);

#endif /* BENCH_SYNC_CALLS_H */
