// SPDX-License-Identifier: GPL-2.0-or-later
/* From a received packet to its answer. See packet.h. */
#include "arbiter/packet.h"

static_assert(STAMP_WITNESS_LEN <= STAMP_PLAIN_MAX, "one buffer for both");

static u64 wall_ntp(void)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	return stamp_ntp(&wall);
}

static enum packet_fate reflect(const void *data, size_t len,
				struct stamp_passage *passage, u8 *out,
				size_t *out_len)
{
	passage->sent_ntp = wall_ntp();
	*out_len = stamp_reflect(data, len, passage, out, STAMP_PLAIN_MAX);
	return *out_len ? PACKET_REFLECTED : PACKET_MALFORMED;
}

/* Which key the request is under is found out by trying. */
static enum stamp_error open_request(const struct pair *pair, const void *data,
				     size_t len, struct stamp_request *request,
				     const struct ctiha_mac_key **key)
{
	enum stamp_error error = STAMP_FORGED;
	unsigned int i;

	for (i = 0; i < pair->key_count && error == STAMP_FORGED; i++) {
		*key = &pair->keys[i];
		error = stamp_request_open(data, len, *key, request);
	}
	return error;
}

static enum packet_fate witness(struct pairs *pairs, u32 id, const void *data,
				size_t len, struct stamp_passage *passage,
				u64 now_ns, u64 random, u8 *out)
{
	struct pair *pair = pairs_find(pairs, id);
	const struct ctiha_mac_key *key;
	struct stamp_request request;
	struct stamp_answer answer;
	enum grant_outcome outcome;
	enum stamp_error error;

	if (!pair)
		return PACKET_FOREIGN;
	error = open_request(pair, data, len, &request, &key);
	if (error)
		return error == STAMP_FORGED ? PACKET_FORGED : PACKET_MALFORMED;
	outcome = pair_handle(pairs, pair, &request, now_ns, random, &answer);
	if (outcome != GRANT_ANSWERED)
		return outcome == GRANT_REPLAYED ? PACKET_REPLAYED :
						   PACKET_UNSAFE_TIMES;
	passage->sent_ntp = wall_ntp();
	stamp_answer_seal(out, &answer, data, passage, key);
	return PACKET_ANSWERED;
}

enum packet_fate packet_answer(struct pairs *pairs, const void *data,
			       size_t len, const struct stamp_passage *passage,
			       u64 now_ns, u64 random, u8 *out,
			       size_t *out_len, u32 *pair_id)
{
	struct stamp_passage complete = *passage;
	enum packet_fate fate;

	*out_len = 0;
	*pair_id = 0;
	if (!stamp_is_witness(data, len, pair_id))
		return reflect(data, len, &complete, out, out_len);
	fate = witness(pairs, *pair_id, data, len, &complete, now_ns, random,
		       out);
	if (fate == PACKET_ANSWERED)
		*out_len = STAMP_WITNESS_LEN;
	return fate;
}
