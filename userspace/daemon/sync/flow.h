/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Flow: how quickly a connection takes what it is given, and what is best then. On a
 * slow link bytes are dear and time is not: packets are compressed harder, and kept
 * short enough that what comes behind one does not wait long. A link that was never
 * seen to be full is fast.
 *
 * Pure: the caller has the clock and counts the bytes.
 */
#ifndef CTIHA_FLOW_H
#define CTIHA_FLOW_H

#include <ctiha/base.h>

/**
 * struct flow - zeroed: nothing known
 * @rate: bytes per second, 0 if not known
 * @seen_ns: when that was measured last
 * @since_ns: the link is full since then, 0 if it is not; @passed: bytes until then
 */
struct flow {
	u64 rate;
	u64 seen_ns;
	u64 since_ns;
	u64 passed;
};

/**
 * flow_full() - more is waiting than the link takes at once
 * @now: ns, more than 0
 * @passed: bytes that it has taken so far
 */
void flow_full(struct flow *f, u64 now, u64 passed);

/* As flow_full(): what waited has gone, but for a rest. */
void flow_drained(struct flow *f, u64 now, u64 passed);

/* Bytes per second; 0: faster than anybody needed. */
u64 flow_rate(const struct flow *f, u64 now);

/* Payload of a packet, in bytes, that holds nobody up; 4 KiB to 256 KiB. */
size_t flow_packet(const struct flow *f, u64 now);

/* Level of zstd at which compressing keeps up with the link easily; 1 to 9. */
int flow_level(const struct flow *f, u64 now);

#endif /* CTIHA_FLOW_H */
