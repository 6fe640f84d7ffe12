/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Durations, all of them kept, and their ranks. */
#ifndef BENCH_SYNC_SAMPLES_H
#define BENCH_SYNC_SAMPLES_H

#include <ctiha/base.h>

struct samples {
	u64 *ns;
	size_t count;
	size_t size;
};

/**
 * samples_add() - keep one
 * @samples: zero at first
 * @ns: the duration; without memory for it the program ends
 */
void samples_add(struct samples *samples, u64 ns);

/**
 * samples_rank_ms() - the smallest that at least this share do not exceed
 * @samples: sorted by this
 * @share: above 0, up to 1
 *
 * Return: milliseconds; -1 if there is none.
 */
double samples_rank_ms(struct samples *samples, double share);

#endif /* BENCH_SYNC_SAMPLES_H */
