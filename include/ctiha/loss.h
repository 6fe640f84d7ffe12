/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Recent loss: how many of the last heartbeats that were expected did not come.
 * Pure: no I/O and no clock.
 */
#ifndef CTIHA_LOSS_H
#define CTIHA_LOSS_H

#include <ctiha/base.h>

#define CTIHA_LOSS_WINDOW	1024	/* heartbeats looked back */

/**
 * struct ctiha_loss - the last heartbeats, one bit each
 * @expected: how many of them are known, at most CTIHA_LOSS_WINDOW
 * @lost: how many of those did not come
 * @next: where the next one goes
 * @ring: a bit is set if it did not come
 */
struct ctiha_loss {
	u32 expected;
	u32 lost;
	u32 next;
	u64 ring[CTIHA_LOSS_WINDOW / 64];
};

/**
 * ctiha_loss_note() - a heartbeat came
 * @l: loss
 * @missing: how many before it did not
 */
void ctiha_loss_note(struct ctiha_loss *l, u64 missing);

#endif /* CTIHA_LOSS_H */
