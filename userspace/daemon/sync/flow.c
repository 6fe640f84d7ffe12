// SPDX-License-Identifier: GPL-2.0-or-later
/* How quickly a connection takes what it is given. See flow.h. */
#include "daemon/sync/flow.h"

#define FRESH_NS	(2000 * CTIHA_NS_PER_MS)
#define NS_PER_S	(1000 * CTIHA_NS_PER_MS)

/* A packet takes the link so long at most, if it does not shrink at all. */
#define PACKET_NS	(100 * CTIHA_NS_PER_MS)
#define PACKET_FEW	(4U << 10)
#define PACKET_USUAL	(128U << 10)
#define PACKET_MANY	(256U << 10)

void flow_full(struct flow *f, u64 now, u64 passed)
{
	if (f->since_ns)
		return;
	f->since_ns = now;
	f->passed = passed;
}

void flow_drained(struct flow *f, u64 now, u64 passed)
{
	u64 rate;

	if (!f->since_ns || now <= f->since_ns)
		return;
	rate = (passed - f->passed) * NS_PER_S / (now - f->since_ns);
	/* What goes into empty buffers at first says little: it fades. */
	f->rate = flow_rate(f, now) ? (f->rate + rate) / 2 : rate;
	f->seen_ns = now;
	f->since_ns = 0;
}

u64 flow_rate(const struct flow *f, u64 now)
{
	bool fresh = f->since_ns || now - f->seen_ns < FRESH_NS;

	return f->seen_ns && fresh ? f->rate : 0;
}

size_t flow_packet(const struct flow *f, u64 now)
{
	u64 rate = flow_rate(f, now);
	u64 bytes = rate / (NS_PER_S / PACKET_NS);

	if (!rate)
		return PACKET_USUAL;
	if (bytes < PACKET_FEW)
		return PACKET_FEW;
	return bytes < PACKET_MANY ? bytes : PACKET_MANY;
}

/*
 * Up to which rate a level takes less than a third of a slow CPU. Of call records
 * level 3 makes no less than level 1: Documentation/benchmarks.md.
 */
int flow_level(const struct flow *f, u64 now)
{
	static const struct {
		u64 rate;
		int level;
	} steps[] = {
		{ 1000000, 9 },
		{ 4000000, 6 },
	};
	u64 rate = flow_rate(f, now);
	unsigned int i;

	for (i = 0; rate && i < ARRAY_SIZE(steps); i++) {
		if (rate < steps[i].rate)
			return steps[i].level;
	}
	return 1;
}
