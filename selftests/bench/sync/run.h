/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is done with a target, and how long it took. */
#ifndef BENCH_SYNC_RUN_H
#define BENCH_SYNC_RUN_H

#include "calls.h"
#include "samples.h"
#include "target.h"

#define RUN_SENT	(128U << 10)	/* a power of two, more than any window */

/**
 * struct run - the driver
 * @window: so many updates may be under way
 * @issued, @acked: updates, from the first run on; their cookies are counted
 * @safe: those of them that the standby had when they were acknowledged
 * @sent_ns: by cookie, in a ring
 * @probing: a probe is under way
 * @lag: from the call of put to an acknowledgement that the standby has it
 * @late: how much later than it was due an update was issued
 */
struct run {
	struct target *target;
	struct calls calls;
	u32 window;
	u64 issued;
	u64 acked;
	u64 safe;
	u64 sent_ns[RUN_SENT];
	bool probing;
	struct samples lag;
	struct samples late;
};

/**
 * run_idle() - let the target work until there is a command on stdin
 * @run: the driver
 */
void run_idle(struct run *run);

/**
 * run_fill() - until all calls have begun and the standby has them
 * @run: the driver
 */
void run_fill(struct run *run);

/**
 * run_closed() - a window of updates under way, all the time
 * @run: the driver
 * @seconds: then it is waited for the standby
 */
void run_closed(struct run *run, double seconds);

/**
 * run_paced() - so many updates a second
 * @run: the driver
 * @rate: of updates; a window is the most that may be under way
 * @seconds: or until there is a command on stdin
 * @probe: measure the lag
 */
void run_paced(struct run *run, double rate, double seconds, bool probe);

/**
 * run_nothing() - make updates and do nothing with them
 * @run: the driver; its calls are spoiled
 * @updates: how many
 */
void run_nothing(struct run *run, u64 updates);

#endif /* BENCH_SYNC_RUN_H */
