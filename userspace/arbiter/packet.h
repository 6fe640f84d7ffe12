/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a received packet to the packet that answers it. */
#ifndef CTIHA_ARBITER_PACKET_H
#define CTIHA_ARBITER_PACKET_H

#include "arbiter/pair.h"

/* What became of received packets; each is counted in one place. */
enum packet_fate {
	PACKET_REFLECTED,	/* plain STAMP */
	PACKET_ANSWERED,	/* witness request */
	PACKET_MALFORMED,	/* wrong length or field out of range */
	PACKET_FOREIGN,		/* pair that is not served */
	PACKET_FORGED,		/* check code wrong */
	PACKET_REPLAYED,
	PACKET_UNSAFE_TIMES,	/* promise not longer than lease */
	PACKET_LOOPING,		/* from a port that answers back */
	PACKET_UNSENT,		/* the answer could not be sent */
	PACKET_FATES,
};

/**
 * packet_answer() - answer one packet
 * @pairs: pairs that are served
 * @data: received bytes, hostile
 * @len: how many
 * @passage: received_ntp and ttl are filled in
 * @now_ns: the time; read after this packet was received
 * @random: a new random number
 * @out: receives the answer; room for STAMP_PLAIN_MAX bytes
 * @out_len: receives its length, 0 if the packet gets none
 * @pair_id: receives the pair that the packet claims to be of, 0 if plain
 *
 * Return: enum packet_fate.
 */
enum packet_fate packet_answer(struct pairs *pairs, const void *data,
			       size_t len, const struct stamp_passage *passage,
			       u64 now_ns, u64 random, u8 *out,
			       size_t *out_len, u32 *pair_id);

#endif /* CTIHA_ARBITER_PACKET_H */
