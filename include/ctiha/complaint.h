/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the log is told of refused frames: seldom, with their number, with what to
 * do.
 *
 * Pure: no I/O, no clock of its own. The caller holds its own lock.
 */
#ifndef CTIHA_COMPLAINT_H
#define CTIHA_COMPLAINT_H

#include <ctiha/base.h>
#include <linux/ctiha.h>

/* Between two complaints for one reason on one link. */
#define CTIHA_COMPLAINT_PAUSE_NS	(60000 * CTIHA_NS_PER_MS)

/**
 * struct ctiha_complaint - what was said of each reason
 * @next_ns: not before this time again, by CTIHA_A_STAT_*
 * @news: refusals since the last complaint, by CTIHA_A_STAT_*
 */
struct ctiha_complaint {
	u64 next_ns[CTIHA_A_STAT_MAX + 1];
	u64 news[CTIHA_A_STAT_MAX + 1];
};

/**
 * ctiha_complaint_due() - a frame is refused: shall it be told now?
 * @c: of the link; begins as zeroes
 * @stat: the reason, CTIHA_A_STAT_*
 * @now_ns: the time
 *
 * Return: frames refused for it since the last complaint, this one included; 0:
 * say nothing now.
 */
u64 ctiha_complaint_due(struct ctiha_complaint *c, unsigned int stat,
			u64 now_ns);

/**
 * ctiha_complaint_text() - what is wrong with them, and what to do
 * @stat: the reason, CTIHA_A_STAT_*
 *
 * Return: words for behind "frames refused: "; NULL if it is no such reason.
 */
const char *ctiha_complaint_text(unsigned int stat);

#endif /* CTIHA_COMPLAINT_H */
