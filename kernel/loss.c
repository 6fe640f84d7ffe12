// SPDX-License-Identifier: GPL-2.0
/* Recent loss. See include/ctiha/loss.h. */
#include <ctiha/loss.h>

static void push(struct ctiha_loss *l, bool lost)
{
	u64 *word = &l->ring[l->next / 64];
	u64 bit = 1ULL << (l->next % 64);

	if (l->expected < CTIHA_LOSS_WINDOW)
		l->expected++;
	else
		l->lost -= !!(*word & bit);
	*word = lost ? *word | bit : *word & ~bit;
	l->lost += lost;
	l->next = (l->next + 1) % CTIHA_LOSS_WINDOW;
}

void ctiha_loss_note(struct ctiha_loss *l, u64 missing)
{
	/* What lies before the window is forgotten anyhow, however much it is. */
	if (missing > CTIHA_LOSS_WINDOW)
		missing = CTIHA_LOSS_WINDOW;
	while (missing--)
		push(l, true);
	push(l, false);
}
