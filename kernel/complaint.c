// SPDX-License-Identifier: GPL-2.0
/*
 * What the log is told of refused frames. See include/ctiha/complaint.h.
 *
 * One source for the module, the packet backend and the unit tests. Replays are not
 * among them: they happen in good order, too (a goodbye is sent thrice).
 */
#include <ctiha/complaint.h>

static const char *const texts[CTIHA_A_STAT_MAX + 1] = {
	[CTIHA_A_STAT_MALFORMED] =
		"malformed; see who sends them",
	[CTIHA_A_STAT_VERSION] =
		"of another protocol version; install one version on both servers",
	[CTIHA_A_STAT_KEY] =
		"their key slot is empty here; give both servers the same keys",
	[CTIHA_A_STAT_FORGED] =
		"check code wrong; compare the key files, and see who sends them",
	[CTIHA_A_STAT_FOREIGN] =
		"of another pair or link, or our own; check pair, node and cabling",
	[CTIHA_A_STAT_UNVERIFIED] =
		"too many to check them; see who floods this network",
};

u64 ctiha_complaint_due(struct ctiha_complaint *c, unsigned int stat,
			u64 now_ns)
{
	u64 news = ++c->news[stat];

	if (!texts[stat] || now_ns < c->next_ns[stat])
		return 0;
	c->next_ns[stat] = now_ns + CTIHA_COMPLAINT_PAUSE_NS;
	c->news[stat] = 0;
	return news;
}

const char *ctiha_complaint_text(unsigned int stat)
{
	return texts[stat];
}
