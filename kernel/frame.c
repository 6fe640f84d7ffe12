// SPDX-License-Identifier: GPL-2.0
/*
 * The heartbeat frame: wire format and check code. See include/ctiha/frame.h.
 *
 * One source for the module, the packet backend, the unit tests and the fuzzer.
 */
#include <ctiha/frame.h>

#define CHECK_OFFSET(field, offset) \
	static_assert(offsetof(struct ctiha_wire_frame, field) == (offset), \
		      #field " is not where it belongs")

CHECK_OFFSET(version, 0);
CHECK_OFFSET(key_id, 1);
CHECK_OFFSET(type, 2);
CHECK_OFFSET(session_state, 3);
CHECK_OFFSET(diag, 4);
CHECK_OFFSET(multiplier, 5);
CHECK_OFFSET(link_kind, 6);
CHECK_OFFSET(node, 7);
CHECK_OFFSET(pair, 8);
CHECK_OFFSET(interval_us, 12);
CHECK_OFFSET(role, 16);
CHECK_OFFSET(last_words, 17);
CHECK_OFFSET(reserved, 18);
CHECK_OFFSET(report, 20);
CHECK_OFFSET(my_discr, 24);
CHECK_OFFSET(your_discr, 32);
CHECK_OFFSET(seq, 40);
CHECK_OFFSET(echo_seq, 48);
CHECK_OFFSET(echo_hold_ns, 56);
CHECK_OFFSET(epoch, 64);
CHECK_OFFSET(vote_epoch, 72);
CHECK_OFFSET(sync_pos, 80);
CHECK_OFFSET(mac, 88);
static_assert(CTIHA_FRAME_LEN == 104, "the frame has a fixed size");

void ctiha_frame_seal(struct ctiha_wire_frame *wire,
		      const struct ctiha_frame *frame, u8 key_id,
		      const struct ctiha_mac_key *key)
{
	memset(wire, 0, sizeof(*wire));
	wire->version = CTIHA_FRAME_VERSION;
	wire->key_id = key_id;
	wire->type = frame->type;
	wire->session_state = frame->session_state;
	wire->diag = frame->diag;
	wire->multiplier = frame->multiplier;
	wire->link_kind = frame->link_kind;
	wire->node = frame->node;
	wire->pair = cpu_to_be32(frame->pair);
	wire->interval_us = cpu_to_be32(frame->interval_us);
	wire->role = frame->role;
	wire->last_words = frame->last_words;
	wire->report = cpu_to_be32(frame->report);
	wire->my_discr = cpu_to_be64(frame->my_discr);
	wire->your_discr = cpu_to_be64(frame->your_discr);
	wire->seq = cpu_to_be64(frame->seq);
	wire->echo_seq = cpu_to_be64(frame->echo_seq);
	wire->echo_hold_ns = cpu_to_be64(frame->echo_hold_ns);
	wire->epoch = cpu_to_be64(frame->epoch);
	wire->vote_epoch = cpu_to_be64(frame->vote_epoch);
	wire->sync_pos = cpu_to_be64(frame->sync_pos);
	ctiha_mac(key, wire, CTIHA_FRAME_SEALED_LEN, wire->mac);
}

/* Compares without telling by its run time where the first difference is. */
static bool mac_equal(const u8 *a, const u8 *b)
{
	u8 difference = 0;
	size_t i;

	for (i = 0; i < CTIHA_MAC_LEN; i++)
		difference |= a[i] ^ b[i];
	return !difference;
}

static void read_fields(const struct ctiha_wire_frame *wire,
			struct ctiha_frame *frame)
{
	frame->type = wire->type;
	frame->session_state = wire->session_state;
	frame->diag = wire->diag;
	frame->multiplier = wire->multiplier;
	frame->link_kind = wire->link_kind;
	frame->node = wire->node;
	frame->pair = be32_to_cpu(wire->pair);
	frame->interval_us = be32_to_cpu(wire->interval_us);
	frame->role = wire->role;
	frame->last_words = wire->last_words;
	frame->report = be32_to_cpu(wire->report);
	frame->my_discr = be64_to_cpu(wire->my_discr);
	frame->your_discr = be64_to_cpu(wire->your_discr);
	frame->seq = be64_to_cpu(wire->seq);
	frame->echo_seq = be64_to_cpu(wire->echo_seq);
	frame->echo_hold_ns = be64_to_cpu(wire->echo_hold_ns);
	frame->epoch = be64_to_cpu(wire->epoch);
	frame->vote_epoch = be64_to_cpu(wire->vote_epoch);
	frame->sync_pos = be64_to_cpu(wire->sync_pos);
}

/* An authentic sender can still be broken: nothing out of range goes further. */
static bool fields_valid(const struct ctiha_frame *frame)
{
	return frame->type <= CTIHA_FRAME_GASP &&
	       frame->session_state <= CTIHA_SESSION_UP &&
	       frame->diag <= CTIHA_DIAG_DAMPED &&
	       frame->multiplier >= CTIHA_MULTIPLIER_MIN &&
	       frame->multiplier <= CTIHA_MULTIPLIER_MAX &&
	       (frame->link_kind == CTIHA_LINK_CROSSOVER ||
		frame->link_kind == CTIHA_LINK_LAN) &&
	       frame->node <= 1 &&
	       frame->interval_us >= CTIHA_INTERVAL_MIN_US &&
	       frame->interval_us <= CTIHA_INTERVAL_MAX_US &&
	       frame->role <= CTIHA_ROLE_ACTIVE &&
	       frame->last_words <= CTIHA_LAST_WORDS_UNLOAD &&
	       (frame->type == CTIHA_FRAME_GASP) == !!frame->last_words &&
	       frame->epoch <= CTIHA_EPOCH_MAX &&
	       frame->vote_epoch <= CTIHA_EPOCH_MAX &&
	       frame->my_discr && frame->seq;
}

/* Checks all that is cheap to check. */
static enum ctiha_frame_error
read_wire(const void *data, size_t len,
	  const struct ctiha_mac_key *const keys[CTIHA_KEY_SLOTS],
	  struct ctiha_wire_frame *wire)
{
	if (len < sizeof(*wire))
		return CTIHA_FRAME_MALFORMED;
	memcpy(wire, data, sizeof(*wire));
	if (wire->version != CTIHA_FRAME_VERSION)
		return CTIHA_FRAME_BAD_VERSION;
	if (wire->key_id >= CTIHA_KEY_SLOTS || !keys[wire->key_id])
		return CTIHA_FRAME_BAD_KEY;
	return CTIHA_FRAME_OK;
}

enum ctiha_frame_error
ctiha_frame_peek(const void *data, size_t len,
		 const struct ctiha_mac_key *const keys[CTIHA_KEY_SLOTS],
		 struct ctiha_frame *claim)
{
	struct ctiha_wire_frame wire;
	enum ctiha_frame_error error = read_wire(data, len, keys, &wire);

	if (!error)
		read_fields(&wire, claim);
	return error;
}

enum ctiha_frame_error
ctiha_frame_open(const void *data, size_t len,
		 const struct ctiha_mac_key *const keys[CTIHA_KEY_SLOTS],
		 struct ctiha_frame *frame)
{
	struct ctiha_wire_frame wire;
	struct ctiha_frame read;
	u8 mac[CTIHA_MAC_LEN];
	enum ctiha_frame_error error = read_wire(data, len, keys, &wire);

	if (error)
		return error;
	ctiha_mac(keys[wire.key_id], &wire, CTIHA_FRAME_SEALED_LEN, mac);
	if (!mac_equal(mac, wire.mac))
		return CTIHA_FRAME_FORGED;
	read_fields(&wire, &read);
	if (!fields_valid(&read))
		return CTIHA_FRAME_MALFORMED;
	*frame = read;
	return CTIHA_FRAME_OK;
}
