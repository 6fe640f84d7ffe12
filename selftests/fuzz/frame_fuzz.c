// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: the heartbeat frame, the session and the lease.
 *
 * The input is a list of steps. Frames come raw, or sealed with the right key
 * so that they get past the check code, or besides that bound to the session so
 * that they are believed. After each step what must always hold is checked.
 */
#include <stdio.h>
#include <stdlib.h>

#include <ctiha/budget.h>
#include <ctiha/lease.h>
#include <ctiha/session.h>

#include "common/mac.h"

#define TIME_MAX	(1ULL << 62)
#define LEASE_NS	(200 * CTIHA_NS_PER_MS)
#define PROMISE_NS	(250 * CTIHA_NS_PER_MS)

enum step {
	STEP_RAW,
	STEP_SEALED,
	STEP_BOUND,
	STEP_SEND,
	STEP_WAIT,
	STEP_ACTIVATE,
	STEP_RENEW,
	STEP_YIELD,
	STEPS,
};

struct input {
	const u8 *data;
	size_t size;
};

struct world {
	struct ctiha_mac_key key;
	struct ctiha_session session;
	struct ctiha_lease lease;
	struct ctiha_budget budget;
	u64 now;
	u64 peer_seq;
};

#define MUST(condition) do { \
	if (!(condition)) { \
		fprintf(stderr, "does not hold: %s\n", #condition); \
		abort(); \
	} \
} while (0)

/* What is missing at the end of the input is zero. */
static void take(struct input *in, void *to, size_t size)
{
	size_t have = size < in->size ? size : in->size;

	memset(to, 0, size);
	if (have)
		memcpy(to, in->data, have);
	in->data += have;
	in->size -= have;
}

static u64 take_u64(struct input *in)
{
	u64 value;

	take(in, &value, sizeof(value));
	return value;
}

/* Who is not @minded, as read before its check code, must not move anything. */
static void hear(struct world *w, const struct ctiha_frame *frame, u64 random,
		 bool minded)
{
	const struct ctiha_session before = w->session;
	struct ctiha_testimony t = {
		.role = frame->role, .epoch = frame->epoch,
		.vote_epoch = frame->vote_epoch,
		.goodbye = ctiha_frame_is_goodbye(frame),
	};
	enum ctiha_heard heard;

	heard = ctiha_session_hear(&w->session, frame, w->now, random,
				   &t.echoed_sent_ns);
	MUST(minded || !memcmp(&before, &w->session, sizeof(before)));
	MUST(t.echoed_sent_ns <= w->now);
	MUST(heard == CTIHA_HEARD_BOUND || !t.echoed_sent_ns);
	if (heard != CTIHA_HEARD_BOUND)
		return;
	MUST(frame->your_discr);
	ctiha_lease_hear(&w->lease, &t, w->now);
	if (ctiha_frame_farewell(frame) != CTIHA_DIAG_NONE)
		ctiha_session_drop(&w->session, ctiha_frame_farewell(frame),
				   ~random);
}

static void receive(struct world *w, const void *data, size_t size, u64 random)
{
	const struct ctiha_mac_key *const keys[CTIHA_KEY_SLOTS] = { &w->key };
	enum ctiha_frame_error peeked, opened;
	struct ctiha_frame claim, frame;
	bool minded = false;

	peeked = ctiha_frame_peek(data, size, keys, &claim);
	if (!peeked) {
		minded = ctiha_session_minds(&w->session, &claim);
		ctiha_budget_take(&w->budget, minded, w->now);
	}
	opened = ctiha_frame_open(data, size, keys, &frame);
	MUST(!peeked || peeked == opened);
	if (opened)
		return;
	MUST(claim.seq == frame.seq && claim.my_discr == frame.my_discr);
	hear(w, &frame, random, minded);
}

static void seal(struct world *w, struct ctiha_wire_frame *wire)
{
	wire->version = CTIHA_FRAME_VERSION;
	wire->key_id = 0;
	ctiha_mac(&w->key, wire, CTIHA_FRAME_SEALED_LEN, wire->mac);
}

/* Most random bytes are out of range: these are not, and are believed. */
static void bind(struct world *w, struct ctiha_wire_frame *wire)
{
	wire->type %= CTIHA_FRAME_GASP + 1;
	wire->session_state %= CTIHA_SESSION_UP + 1;
	wire->diag %= CTIHA_DIAG_DAMPED + 1;
	wire->last_words = wire->type == CTIHA_FRAME_GASP ?
			   1 + wire->last_words % CTIHA_LAST_WORDS_UNLOAD :
			   CTIHA_LAST_WORDS_NONE;
	wire->multiplier = 2 + wire->multiplier % 49;
	wire->link_kind = 1 + wire->link_kind % 2;
	wire->node = 1;
	wire->interval_us = cpu_to_be32(CTIHA_INTERVAL_MIN_US +
					be32_to_cpu(wire->interval_us) %
					1000000);
	wire->role %= CTIHA_ROLE_ACTIVE + 1;
	wire->epoch = cpu_to_be64(be64_to_cpu(wire->epoch) % 64);
	wire->vote_epoch = cpu_to_be64(be64_to_cpu(wire->vote_epoch) % 64);
	wire->my_discr = cpu_to_be64(1 + be64_to_cpu(wire->my_discr) % 2);
	wire->your_discr = cpu_to_be64(w->session.my_discr);
	wire->seq = cpu_to_be64(++w->peer_seq);
	wire->echo_seq = cpu_to_be64(be64_to_cpu(wire->echo_seq) %
				     (w->session.tx_seq + 2));
}

static void step_frame(struct world *w, struct input *in, enum step step)
{
	struct ctiha_wire_frame wire;
	u64 random = take_u64(in);

	if (step == STEP_RAW) {
		receive(w, in->data, in->size, random);
		take(in, &wire, sizeof(wire));
		return;
	}
	take(in, &wire, sizeof(wire));
	if (step == STEP_BOUND)
		bind(w, &wire);
	seal(w, &wire);
	receive(w, &wire, sizeof(wire), random);
}

/* What is said can be heard. */
static void step_send(struct world *w)
{
	const struct ctiha_mac_key *const keys[CTIHA_KEY_SLOTS] = { &w->key };
	struct ctiha_frame frame = {
		.link_kind = CTIHA_LINK_LAN, .role = w->lease.role,
	}, heard;
	struct ctiha_wire_frame wire;

	ctiha_session_send(&w->session, w->now, &frame);
	MUST(frame.echo_hold_ns <= w->now);
	ctiha_frame_seal(&wire, &frame, 0, &w->key);
	MUST(!ctiha_frame_open(&wire, sizeof(wire), keys, &heard));
	MUST(heard.seq == frame.seq && heard.my_discr == frame.my_discr);
}

static void step_wait(struct world *w, struct input *in)
{
	u64 random = take_u64(in);
	u64 pause = take_u64(in) % (600 * CTIHA_NS_PER_MS);

	if (w->now < TIME_MAX)
		w->now += pause;
	ctiha_session_expire(&w->session, w->now, random);
	ctiha_lease_expire(&w->lease, w->now);
	MUST(w->lease.role != CTIHA_ROLE_ACTIVE ||
	     w->now < w->lease.deadline_ns);
	MUST(w->session.state == CTIHA_SESSION_DOWN ||
	     w->now < ctiha_session_deadline_ns(&w->session));
}

static void step_activate(struct world *w, struct input *in)
{
	u64 epoch = take_u64(in) % 128;
	u64 granted = take_u64(in);

	granted = granted % 2 ? 0 : w->now - granted % CTIHA_NS_PER_MS;
	if (!ctiha_lease_activate(&w->lease, epoch, granted, w->now))
		MUST(w->lease.epoch == epoch);
}

static void step_renew(struct world *w, struct input *in)
{
	u64 granted = take_u64(in);

	ctiha_lease_renew(&w->lease, w->lease.epoch,
			  granted % (2 * w->now), w->now);
}

static void do_step(struct world *w, struct input *in)
{
	u8 step;

	take(in, &step, 1);
	switch (step % STEPS) {
	case STEP_SEND:
		step_send(w);
		break;
	case STEP_WAIT:
		step_wait(w, in);
		break;
	case STEP_ACTIVATE:
		step_activate(w, in);
		break;
	case STEP_RENEW:
		step_renew(w, in);
		break;
	case STEP_YIELD:
		ctiha_lease_yield(&w->lease, w->now);
		break;
	default:
		step_frame(w, in, step % STEPS);
		break;
	}
}

static void check(const struct world *w, const struct world *before)
{
	const struct ctiha_lease *l = &w->lease;
	u64 left = ctiha_lease_left_ns(l, w->now);

	MUST(l->epoch >= before->lease.epoch);
	MUST(l->vote_epoch >= before->lease.vote_epoch);
	MUST(l->role <= CTIHA_ROLE_ACTIVE);
	MUST(l->role == CTIHA_ROLE_ACTIVE || !left);
	MUST(left == CTIHA_LEASE_SOLE || left <= LEASE_NS);
	if (l->role == CTIHA_ROLE_ACTIVE)
		MUST(l->epoch == l->vote_epoch && !ctiha_epoch_owner(l->epoch));
	MUST(w->session.my_discr);
	MUST(w->session.state <= CTIHA_SESSION_UP);
	MUST(w->session.state != CTIHA_SESSION_UP || w->session.echo_seq);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const u8 key[CTIHA_KEY_LEN] = "the fuzzer knows it";
	struct input in = { data, size };
	struct world w = { .now = 1000 * CTIHA_NS_PER_MS }, before;

	mac_key_set(&w.key, key);
	ctiha_budget_init(&w.budget, 2000);
	ctiha_session_init(&w.session, 10000, 3, take_u64(&in));
	ctiha_lease_init(&w.lease, 0, LEASE_NS, PROMISE_NS, 0, w.now);
	while (in.size) {
		before = w;
		do_step(&w, &in);
		check(&w, &before);
	}
	return 0;
}
