// SPDX-License-Identifier: GPL-2.0
/*
 * What a link may spend on check codes. See include/ctiha/budget.h.
 *
 * One source for the module, the packet backend and the unit tests.
 */
#include <ctiha/budget.h>

void ctiha_budget_init(struct ctiha_budget *b, u64 cost_ns)
{
	memset(b, 0, sizeof(*b));
	if (cost_ns < CTIHA_BUDGET_COST_MIN_NS)
		cost_ns = CTIHA_BUDGET_COST_MIN_NS;
	if (cost_ns > CTIHA_BUDGET_COST_MAX_NS)
		cost_ns = CTIHA_BUDGET_COST_MAX_NS;
	b->cost_ns = cost_ns;
}

bool ctiha_budget_take(struct ctiha_budget *b, bool counts, u64 now_ns)
{
	u64 price_ns = b->cost_ns * (counts ? CTIHA_BUDGET_MAIN_SHARE :
					      CTIHA_BUDGET_SPARE_SHARE);
	u64 *spent_ns = &b->spent_ns[counts];

	if (*spent_ns < now_ns)
		*spent_ns = now_ns;
	if (*spent_ns - now_ns >= CTIHA_BUDGET_BURST * price_ns)
		return false;
	*spent_ns += price_ns;
	return true;
}
