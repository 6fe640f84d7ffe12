// SPDX-License-Identifier: GPL-2.0
/* The skew between two clocks. See include/ctiha/skew.h. */
#include <ctiha/skew.h>

#define NS_PER_S	(1000 * (s64)CTIHA_NS_PER_MS)
#define DRIFT_SHIFT	10	/* 0.1 %: both may be steered by 500 ppm */

static s64 drift_ns(const struct ctiha_skew *k, u64 now_ns)
{
	return now_ns > k->at_ns ? (now_ns - k->at_ns) >> DRIFT_SHIFT : 0;
}

static s64 within(s64 value, s64 low, s64 high)
{
	if (value < low)
		return low;
	return value > high ? high : value;
}

bool ctiha_skew_look(struct ctiha_skew *k, s64 second, u64 before_ns,
		     u64 after_ns)
{
	s64 low_ns = second * NS_PER_S - (s64)after_ns;
	s64 high_ns = (second + 1) * NS_PER_S - (s64)before_ns;
	s64 drift = drift_ns(k, after_ns);
	bool known = k->at_ns;
	bool ahead = known && low_ns > k->high_ns + drift +
				       (s64)CTIHA_SKEW_TOLERANCE_NS;

	k->at_ns = after_ns;
	if (!known || ahead) {
		k->low_ns = low_ns;
		k->high_ns = high_ns;
		return ahead;
	}
	/* If they contradict a little, as little as possible has changed. */
	k->low_ns = within(k->low_ns - drift, low_ns, high_ns);
	k->high_ns = within(k->high_ns + drift, low_ns, high_ns);
	return false;
}
