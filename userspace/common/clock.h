/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The one clock that ctiha decides by: CLOCK_MONOTONIC, as in the module. */
#ifndef CTIHA_CLOCK_H
#define CTIHA_CLOCK_H

#include <time.h>

#include <ctiha/base.h>

/* Nanoseconds of CLOCK_MONOTONIC; comparable with the module's times. */
static inline u64 clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
}

#endif /* CTIHA_CLOCK_H */
