/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a link may spend on check codes: a flood of forged frames must not take
 * the CPU.
 *
 * A check code costs more than all other checks together, and anybody on the
 * network can make a frame that needs one. So a link verifies no more of them than
 * a share of one CPU allows, by what one was measured to cost. There are two
 * shares: a small one for frames that could not change anything even if they were
 * authentic, and the main one for those that could. So strangers who do not know
 * this session's discriminator do not hinder the peer at all once the session is
 * up. Until then, the peer shares the main one with them, and always with those who
 * read the network: its frames come through while a fifth of a CPU can verify all
 * that is sent. Beyond that a flood of theirs takes the link down, not the CPU.
 *
 * Pure: no I/O, no clock of its own. The caller holds its own lock.
 */
#ifndef CTIHA_BUDGET_H
#define CTIHA_BUDGET_H

#include <ctiha/base.h>

/* One verification in so many times its cost: 20 % and 2 % of a CPU. */
#define CTIHA_BUDGET_MAIN_SHARE		5
#define CTIHA_BUDGET_SPARE_SHARE	50

/* Verifications at once, after a pause: what a stall of ours leaves waiting. */
#define CTIHA_BUDGET_BURST	1024

/* Beyond these, what was measured was not the check code. */
#define CTIHA_BUDGET_COST_MIN_NS	500
#define CTIHA_BUDGET_COST_MAX_NS	50000

/**
 * struct ctiha_budget - of one link
 * @cost_ns: of one verification
 * @spent_ns: [0] spare, [1] main: the time until which the share is spent
 */
struct ctiha_budget {
	u64 cost_ns;
	u64 spent_ns[2];
};

/**
 * ctiha_budget_init() - a budget that is not touched
 * @b: budget
 * @cost_ns: of one verification as measured; is taken for in range if it is not
 */
void ctiha_budget_init(struct ctiha_budget *b, u64 cost_ns);

/**
 * ctiha_budget_take() - pay for one verification
 * @b: budget
 * @counts: the frame may change something if it is authentic
 * @now_ns: the time; never goes back
 *
 * Return: false if nothing is left, so that the frame has to be dropped.
 */
bool ctiha_budget_take(struct ctiha_budget *b, bool counts, u64 now_ns);

#endif /* CTIHA_BUDGET_H */
