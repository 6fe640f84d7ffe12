/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The skew between our clock and another one that tells whole seconds: whoever sees
 * the other one run ahead has stood still.
 *
 * Each look at the other clock bounds the skew from both sides; looks just before and
 * just after its second changes bound it closely. So what is known after many looks is
 * far better than a second, though one look is not.
 *
 * Pure: no I/O and no clock.
 */
#ifndef CTIHA_SKEW_H
#define CTIHA_SKEW_H

#include <ctiha/base.h>

/* What the other clock may be ahead by, besides drift: somebody keeps it right. */
#define CTIHA_SKEW_TOLERANCE_NS	(100 * CTIHA_NS_PER_MS)

/**
 * struct ctiha_skew - what is known of the other clock's time minus ours
 * @low_ns: it is not less
 * @high_ns: it is not more
 * @at_ns: our time of the last look; 0 if nothing is known
 */
struct ctiha_skew {
	s64 low_ns;
	s64 high_ns;
	u64 at_ns;
};

/**
 * ctiha_skew_look() - take in what the other clock shows
 * @k: skew
 * @second: what it showed at some time between the next two
 * @before_ns: our time before the look
 * @after_ns: our time after it
 *
 * A look that contradicts what was known corrects it.
 *
 * Return: true if the other clock has run ahead. If it has by a second, the tolerance,
 * and the width of what was known, the first look tells. If it has by less, the first
 * look may tell; else one in the next second does. What is within the tolerance may
 * never be told.
 */
bool ctiha_skew_look(struct ctiha_skew *k, s64 second, u64 before_ns,
		     u64 after_ns);

#endif /* CTIHA_SKEW_H */
