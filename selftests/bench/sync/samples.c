// SPDX-License-Identifier: GPL-2.0-or-later
/* Durations and their ranks. See samples.h. */
#include "samples.h"

#include <math.h>
#include <stdlib.h>

#include "target.h"

#define FIRST	1024

void samples_add(struct samples *s, u64 ns)
{
	if (s->count == s->size) {
		s->size = s->size ? 2 * s->size : FIRST;
		s->ns = realloc(s->ns, s->size * sizeof(*s->ns));
		if (!s->ns)
			die("out of memory");
	}
	s->ns[s->count++] = ns;
}

static int compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return (x > y) - (x < y);
}

double samples_rank_ms(struct samples *s, double share)
{
	if (!s->count)
		return -1;
	qsort(s->ns, s->count, sizeof(*s->ns), compare);
	return (double)s->ns[(size_t)ceil(share * (double)s->count) - 1] / 1e6;
}
