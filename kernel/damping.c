// SPDX-License-Identifier: GPL-2.0
/*
 * Damping of flapping links. See include/ctiha/damping.h.
 *
 * Timers: the end of the hold. No timer fires: the first frame heard behind it
 * finds it over.
 */
#include <ctiha/damping.h>

static u64 hold_of(u8 flaps, u64 detect_ns)
{
	u64 hold_ns = detect_ns;

	if (flaps < 2)
		return 0;
	while (--flaps > 1 && hold_ns < CTIHA_DAMPING_MAX_NS)
		hold_ns *= 2;
	return hold_ns < CTIHA_DAMPING_MAX_NS ? hold_ns : CTIHA_DAMPING_MAX_NS;
}

static void forget(struct ctiha_damping *d, u64 calm_ns)
{
	while (d->flaps && calm_ns >= CTIHA_DAMPING_FORGET_NS) {
		d->flaps--;
		calm_ns -= CTIHA_DAMPING_FORGET_NS;
	}
}

void ctiha_damping_flap(struct ctiha_damping *d, u64 heard_ns, u64 detect_ns)
{
	forget(d, heard_ns - d->up_ns);
	/* Beyond the longest hold there is nothing to count, only to forget. */
	if (hold_of(d->flaps, detect_ns) < CTIHA_DAMPING_MAX_NS)
		d->flaps++;
	d->hold_ns = hold_of(d->flaps, detect_ns);
}

bool ctiha_damping_holds(struct ctiha_damping *d, bool ready, u64 now_ns)
{
	if (!ready)
		d->ready_ns = 0;
	else if (!d->ready_ns)
		d->ready_ns = now_ns;
	return d->hold_ns && (!ready || now_ns - d->ready_ns < d->hold_ns);
}
