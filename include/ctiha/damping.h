/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Damping: a link that flaps has to earn its trust anew, for longer each time.
 *
 * Pure: no I/O and no clock. Documentation/takeover.rst says why a damped link
 * never makes a living peer look dead.
 */
#ifndef CTIHA_DAMPING_H
#define CTIHA_DAMPING_H

#include <ctiha/base.h>

#define CTIHA_DAMPING_MAX_NS	(60000 * CTIHA_NS_PER_MS)	/* longest hold */
#define CTIHA_DAMPING_FORGET_NS	(60000 * CTIHA_NS_PER_MS)	/* up: one flap less */

/**
 * struct ctiha_damping - what a session remembers of its flaps
 * @flaps: times it fell silent while up, less those that are forgotten
 * @hold_ns: how long it has to be ready before it is up, 0 undamped
 * @ready_ns: since when it could be up, 0 while it could not
 * @up_ns: when it last came up
 */
struct ctiha_damping {
	u8 flaps;
	u64 hold_ns;
	u64 ready_ns;
	u64 up_ns;
};

/**
 * ctiha_damping_flap() - the session fell silent while it was up
 * @d: damping
 * @heard_ns: when it was last heard
 * @detect_ns: its detection time
 *
 * The first flap costs nothing, the second one detection time, each further one
 * twice as much, up to CTIHA_DAMPING_MAX_NS.
 */
void ctiha_damping_flap(struct ctiha_damping *d, u64 heard_ns, u64 detect_ns);

/**
 * ctiha_damping_holds() - a frame was heard while the session is not up: must it wait?
 * @d: damping
 * @ready: without damping it would be up now
 * @now_ns: the time
 *
 * Return: true until it has been ready for all of the hold without falling silent.
 */
bool ctiha_damping_holds(struct ctiha_damping *d, bool ready, u64 now_ns);

#endif /* CTIHA_DAMPING_H */
