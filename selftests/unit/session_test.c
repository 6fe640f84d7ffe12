// SPDX-License-Identifier: GPL-2.0-or-later
/* The three-way session, with a clock and a network that obey the test. */
#include "kselftest_harness.h"

#include <ctiha/session.h>

#define MS		CTIHA_NS_PER_MS
#define INTERVAL_US	10000
#define INTERVAL_NS	(INTERVAL_US * CTIHA_NS_PER_US)
#define MULTIPLIER	3
#define DETECT_NS	(MULTIPLIER * INTERVAL_NS)
#define TAPE_LEN	256

/* Two sides; what a sends is heard by b, and the other way round. */
FIXTURE(session)
{
	struct ctiha_session a, b;
	u64 now;
	u64 random;
	u64 echoed;			/* of the last frame heard */
	struct ctiha_frame tape[TAPE_LEN];
	unsigned int taped;
};

static u64 draw(FIXTURE_DATA(session) *self)
{
	return self->random += 0x1234567;
}

FIXTURE_SETUP(session)
{
	memset(self, 0, sizeof(*self));
	self->now = 1000 * MS;
	ctiha_session_init(&self->a, INTERVAL_US, MULTIPLIER, draw(self));
	ctiha_session_init(&self->b, INTERVAL_US, MULTIPLIER, draw(self));
}

FIXTURE_TEARDOWN(session)
{
}

static struct ctiha_frame say(FIXTURE_DATA(session) *self, struct ctiha_session *from)
{
	struct ctiha_frame frame = { .type = CTIHA_FRAME_HEARTBEAT };

	ctiha_session_send(from, self->now, &frame);
	self->tape[self->taped++ % TAPE_LEN] = frame;
	return frame;
}

static enum ctiha_heard hear(FIXTURE_DATA(session) *self, struct ctiha_session *to,
			     const struct ctiha_frame *frame)
{
	return ctiha_session_hear(to, frame, self->now, draw(self),
				  &self->echoed);
}

static enum ctiha_heard pass(FIXTURE_DATA(session) *self, struct ctiha_session *from,
			     struct ctiha_session *to)
{
	struct ctiha_frame frame = say(self, from);

	return hear(self, to, &frame);
}

static bool expire(FIXTURE_DATA(session) *self, struct ctiha_session *s)
{
	return ctiha_session_expire(s, self->now, draw(self));
}

/* Both beat for a while and hear each other. */
static void beat(FIXTURE_DATA(session) *self, unsigned int rounds)
{
	while (rounds--) {
		self->now += INTERVAL_NS;
		pass(self, &self->a, &self->b);
		pass(self, &self->b, &self->a);
	}
}

#define EXPECT_STATES(state_a, state_b) do { \
	EXPECT_EQ(state_a, self->a.state); \
	EXPECT_EQ(state_b, self->b.state); \
} while (0)

TEST_F(session, starts_down_and_waits)
{
	EXPECT_STATES(CTIHA_SESSION_DOWN, CTIHA_SESSION_DOWN);
	EXPECT_EQ(U64_MAX, ctiha_session_deadline_ns(&self->a));
	self->now += 1000000 * MS;
	EXPECT_FALSE(expire(self, &self->a));
	EXPECT_EQ(CTIHA_DIAG_NONE, self->a.diag);
}

/* I hear you; I believe you; I know that you believe me. */
TEST_F(session, up_step_by_step_a_first)
{
	EXPECT_EQ(CTIHA_HEARD_UNBOUND, pass(self, &self->a, &self->b));
	EXPECT_STATES(CTIHA_SESSION_DOWN, CTIHA_SESSION_INIT);
	EXPECT_EQ(CTIHA_HEARD_BOUND, pass(self, &self->b, &self->a));
	EXPECT_STATES(CTIHA_SESSION_INIT, CTIHA_SESSION_INIT);
	EXPECT_EQ(CTIHA_HEARD_BOUND, pass(self, &self->a, &self->b));
	EXPECT_STATES(CTIHA_SESSION_INIT, CTIHA_SESSION_UP);
	EXPECT_EQ(CTIHA_HEARD_BOUND, pass(self, &self->b, &self->a));
	EXPECT_STATES(CTIHA_SESSION_UP, CTIHA_SESSION_UP);
	EXPECT_EQ(0, self->a.changes);
	EXPECT_EQ(0, self->b.changes);
}

TEST_F(session, up_step_by_step_b_first)
{
	pass(self, &self->b, &self->a);
	pass(self, &self->a, &self->b);
	pass(self, &self->b, &self->a);
	EXPECT_STATES(CTIHA_SESSION_UP, CTIHA_SESSION_INIT);
	pass(self, &self->a, &self->b);
	EXPECT_STATES(CTIHA_SESSION_UP, CTIHA_SESSION_UP);
}

TEST_F(session, up_when_both_speak_at_once)
{
	static const u8 states[] = {
		CTIHA_SESSION_INIT, CTIHA_SESSION_INIT, CTIHA_SESSION_UP,
	};
	struct ctiha_frame from_a, from_b;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(states); i++) {
		from_a = say(self, &self->a);
		from_b = say(self, &self->b);
		EXPECT_EQ(i ? CTIHA_HEARD_BOUND : CTIHA_HEARD_UNBOUND,
			  hear(self, &self->a, &from_b));
		EXPECT_EQ(i ? CTIHA_HEARD_BOUND : CTIHA_HEARD_UNBOUND,
			  hear(self, &self->b, &from_a));
		EXPECT_STATES(states[i], states[i]);
	}
}

/*
 * Whoever finds the session up knows that the peer has believed a frame of this
 * very incarnation. A server that came back after its goodbye relies on it.
 */
TEST_F(session, up_means_believed_by_the_peer)
{
	unsigned int i;

	for (i = 0; i < 4; i++) {
		pass(self, i % 2 ? &self->b : &self->a,
		     i % 2 ? &self->a : &self->b);
		if (self->a.state == CTIHA_SESSION_UP)
			EXPECT_NE(0, self->b.echo_seq);
		if (self->b.state == CTIHA_SESSION_UP)
			EXPECT_NE(0, self->a.echo_seq);
	}
}

TEST_F(session, stays_up_while_it_beats)
{
	beat(self, 1000);
	EXPECT_STATES(CTIHA_SESSION_UP, CTIHA_SESSION_UP);
	EXPECT_FALSE(expire(self, &self->a));
	EXPECT_FALSE(expire(self, &self->b));
	EXPECT_EQ(0, self->a.lost + self->b.lost);
	EXPECT_EQ(0, self->a.changes + self->b.changes);
}

TEST_F(session, silence_is_judged_at_the_very_deadline)
{
	u64 old_discr;

	beat(self, 5);
	old_discr = self->b.my_discr;
	EXPECT_EQ(self->now + DETECT_NS, ctiha_session_deadline_ns(&self->b));
	self->now += DETECT_NS - 1;
	EXPECT_FALSE(expire(self, &self->b));
	EXPECT_EQ(CTIHA_SESSION_UP, self->b.state);
	self->now += 1;
	EXPECT_TRUE(expire(self, &self->b));
	EXPECT_EQ(CTIHA_SESSION_DOWN, self->b.state);
	EXPECT_EQ(CTIHA_DIAG_SILENCE, self->b.diag);
	EXPECT_EQ(1, self->b.changes);
	EXPECT_NE(old_discr, self->b.my_discr);
	EXPECT_FALSE(expire(self, &self->b));
	EXPECT_EQ(1, self->b.changes);
}

TEST_F(session, a_handshake_that_stops_is_forgotten)
{
	pass(self, &self->a, &self->b);
	self->now += DETECT_NS - 1;
	EXPECT_FALSE(expire(self, &self->b));
	self->now += 1;
	EXPECT_TRUE(expire(self, &self->b));
	EXPECT_EQ(CTIHA_SESSION_DOWN, self->b.state);
	EXPECT_EQ(0, self->b.changes);
}

TEST_F(session, slower_interval_and_senders_multiplier_hold)
{
	ctiha_session_init(&self->a, 50000, 4, draw(self));
	ctiha_session_init(&self->b, 10000, 7, draw(self));
	beat(self, 3);
	EXPECT_STATES(CTIHA_SESSION_UP, CTIHA_SESSION_UP);
	EXPECT_EQ(50000, ctiha_session_agreed_us(&self->a));
	EXPECT_EQ(50000, ctiha_session_agreed_us(&self->b));
	EXPECT_EQ(7 * 50 * MS, ctiha_session_detect_ns(&self->a));
	EXPECT_EQ(4 * 50 * MS, ctiha_session_detect_ns(&self->b));
	self->now += 200 * MS - 1;
	EXPECT_FALSE(expire(self, &self->b));
	self->now += 1;
	EXPECT_TRUE(expire(self, &self->b));
	EXPECT_FALSE(expire(self, &self->a));
}

TEST_F(session, widest_values_do_not_overflow)
{
	ctiha_session_init(&self->a, CTIHA_INTERVAL_MAX_US,
			   CTIHA_MULTIPLIER_MAX, draw(self));
	beat(self, 3);
	EXPECT_EQ(500000 * MS, ctiha_session_detect_ns(&self->b));
}

TEST_F(session, a_frame_counts_once)
{
	struct ctiha_frame first, second;
	u64 heard_ns;

	beat(self, 5);
	first = say(self, &self->a);
	second = say(self, &self->a);
	EXPECT_EQ(CTIHA_HEARD_BOUND, hear(self, &self->b, &second));
	heard_ns = self->b.rx_ns;
	self->now += 1;
	EXPECT_EQ(CTIHA_HEARD_REPLAY, hear(self, &self->b, &second));
	EXPECT_EQ(CTIHA_HEARD_REPLAY, hear(self, &self->b, &first));
	EXPECT_EQ(0, self->echoed);
	EXPECT_EQ(heard_ns, self->b.rx_ns);
	EXPECT_EQ(CTIHA_SESSION_UP, self->b.state);
}

TEST_F(session, replays_do_not_prolong_a_session)
{
	struct ctiha_frame last;

	beat(self, 5);
	last = say(self, &self->a);
	hear(self, &self->b, &last);
	self->now += DETECT_NS;
	hear(self, &self->b, &last);
	EXPECT_TRUE(expire(self, &self->b));
}

/* Everything that was ever said, said again to both. */
static void replay_all(FIXTURE_DATA(session) *self, unsigned int count,
		       struct __test_metadata *_metadata)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		EXPECT_NE(CTIHA_HEARD_BOUND,
			  hear(self, &self->a, &self->tape[i]));
		EXPECT_NE(CTIHA_HEARD_BOUND,
			  hear(self, &self->b, &self->tape[i]));
	}
}

TEST_F(session, a_former_life_never_brings_it_up)
{
	beat(self, 100);
	ASSERT_LT(self->taped, TAPE_LEN);
	self->now += DETECT_NS;
	EXPECT_TRUE(expire(self, &self->a));
	EXPECT_TRUE(expire(self, &self->b));
	replay_all(self, self->taped, _metadata);
	replay_all(self, self->taped, _metadata);
	EXPECT_NE(CTIHA_SESSION_UP, self->a.state);
	EXPECT_NE(CTIHA_SESSION_UP, self->b.state);
}

TEST_F(session, a_former_life_never_takes_it_down)
{
	unsigned int former;
	u64 heard_ns;

	beat(self, 50);
	former = self->taped;
	self->now += DETECT_NS;
	expire(self, &self->a);
	expire(self, &self->b);
	beat(self, 10);
	ASSERT_LT(self->taped, TAPE_LEN);
	EXPECT_STATES(CTIHA_SESSION_UP, CTIHA_SESSION_UP);
	heard_ns = self->b.rx_ns;
	self->now += 1;
	replay_all(self, former, _metadata);
	EXPECT_STATES(CTIHA_SESSION_UP, CTIHA_SESSION_UP);
	EXPECT_EQ(heard_ns, self->b.rx_ns);
	EXPECT_EQ(1, self->a.changes);
	EXPECT_EQ(1, self->b.changes);
}

TEST_F(session, replays_during_the_handshake_only_delay_it)
{
	unsigned int former, round;

	beat(self, 50);
	former = self->taped;
	self->now += DETECT_NS;
	expire(self, &self->a);
	expire(self, &self->b);
	for (round = 0; round < 4; round++) {
		replay_all(self, former, _metadata);
		beat(self, 1);
	}
	EXPECT_STATES(CTIHA_SESSION_UP, CTIHA_SESSION_UP);
}

TEST_F(session, a_restarted_peer_is_noticed_by_its_first_echo)
{
	beat(self, 5);
	ctiha_session_init(&self->b, INTERVAL_US, MULTIPLIER, draw(self));
	/* Unbound: could be a replay, so it changes nothing. */
	EXPECT_EQ(CTIHA_HEARD_UNBOUND, pass(self, &self->b, &self->a));
	EXPECT_EQ(CTIHA_SESSION_UP, self->a.state);
	EXPECT_EQ(CTIHA_HEARD_UNBOUND, pass(self, &self->a, &self->b));
	EXPECT_EQ(CTIHA_SESSION_INIT, self->b.state);
	/* It echoes what only a living peer can know. */
	EXPECT_EQ(CTIHA_HEARD_UNBOUND, pass(self, &self->b, &self->a));
	EXPECT_EQ(CTIHA_SESSION_DOWN, self->a.state);
	EXPECT_EQ(CTIHA_DIAG_PEER_RESTARTED, self->a.diag);
	EXPECT_EQ(1, self->a.changes);
	beat(self, 2);
	EXPECT_STATES(CTIHA_SESSION_UP, CTIHA_SESSION_UP);
}

TEST_F(session, one_way_loss_takes_both_sides_down)
{
	struct ctiha_frame from_b;

	beat(self, 5);
	/* What a says is lost from here on. */
	self->now += DETECT_NS;
	say(self, &self->a);
	EXPECT_TRUE(expire(self, &self->b));
	from_b = say(self, &self->b);
	EXPECT_EQ(CTIHA_SESSION_DOWN, from_b.session_state);
	hear(self, &self->a, &from_b);
	/* It hears, and says so without a break. */
	EXPECT_EQ(CTIHA_SESSION_INIT, self->a.state);
	EXPECT_EQ(CTIHA_DIAG_PEER_DOWN, self->a.diag);
	/* What was said over the other link a moment ago is older than this. */
	EXPECT_EQ(CTIHA_DIRECTION_IN,
		  ctiha_session_direction(&self->a, true, self->now - 1));
	EXPECT_EQ(1, self->a.changes);
	EXPECT_EQ(1, self->b.changes);
	beat(self, 2);
	EXPECT_STATES(CTIHA_SESSION_UP, CTIHA_SESSION_UP);
}

/*
 * What node.c makes of two links, of which only this one is in trouble: each side
 * hears over the other link, every interval, what its peer says of this one.
 */
struct watcher {
	u8 state, diag, direction;
	unsigned int changes, state_changes;
};

static void watch(FIXTURE_DATA(session) *self, struct watcher *w,
		  const struct ctiha_session *own,
		  const struct ctiha_session *peer)
{
	u8 direction = ctiha_session_direction(own, ctiha_session_hears(peer),
					       self->now);

	w->state_changes += w->state != own->state;
	w->changes += w->state != own->state || w->diag != own->diag ||
		      w->direction != direction;
	w->state = own->state;
	w->diag = own->diag;
	w->direction = direction;
}

/* One interval, with the frames of a, of b, or of both arriving. */
static void round_of(FIXTURE_DATA(session) *self, bool a_to_b, bool b_to_a)
{
	struct ctiha_frame from_a, from_b;

	self->now += INTERVAL_NS;
	expire(self, &self->a);
	expire(self, &self->b);
	from_a = say(self, &self->a);
	from_b = say(self, &self->b);
	if (a_to_b)
		hear(self, &self->b, &from_a);
	if (b_to_a)
		hear(self, &self->a, &from_b);
}

#define ASSERT_STATES_UP() do { \
	ASSERT_EQ(CTIHA_SESSION_UP, self->a.state); \
	ASSERT_EQ(CTIHA_SESSION_UP, self->b.state); \
} while (0)

#define MINUTE		(60000 * MS)
#define ROUNDS(ns)	((ns) / INTERVAL_NS)

TEST_F(session, one_way_loss_for_a_minute_is_one_change)
{
	struct watcher a = { .state = 0 }, b = { .state = 0 };
	u64 i;

	beat(self, 5);
	watch(self, &a, &self->a, &self->b);
	watch(self, &b, &self->b, &self->a);
	EXPECT_EQ(CTIHA_DIRECTION_BOTH, a.direction);
	EXPECT_EQ(CTIHA_DIRECTION_BOTH, b.direction);
	a.changes = a.state_changes = b.changes = b.state_changes = 0;
	for (i = 0; i < ROUNDS(MINUTE); i++) {
		round_of(self, false, true);
		watch(self, &a, &self->a, &self->b);
		watch(self, &b, &self->b, &self->a);
	}
	EXPECT_EQ(CTIHA_SESSION_INIT, a.state);
	EXPECT_EQ(CTIHA_DIAG_PEER_DOWN, a.diag);
	EXPECT_EQ(CTIHA_DIRECTION_IN, a.direction);
	EXPECT_EQ(CTIHA_SESSION_DOWN, b.state);
	EXPECT_EQ(CTIHA_DIAG_SILENCE, b.diag);
	EXPECT_EQ(CTIHA_DIRECTION_OUT, b.direction);
	EXPECT_EQ(1, a.state_changes);
	EXPECT_EQ(1, b.state_changes);
	EXPECT_EQ(1, a.changes);
	/* Silence is told at once; that the peer still hears, when it is sure. */
	EXPECT_EQ(2, b.changes);
	EXPECT_EQ(1, self->a.changes);
	EXPECT_EQ(1, self->b.changes);
	for (i = 0; i < 3; i++)
		round_of(self, true, true);
	watch(self, &a, &self->a, &self->b);
	watch(self, &b, &self->b, &self->a);
	EXPECT_EQ(CTIHA_DIRECTION_BOTH, a.direction);
	EXPECT_EQ(CTIHA_DIRECTION_BOTH, b.direction);
	EXPECT_STATES(CTIHA_SESSION_UP, CTIHA_SESSION_UP);
}

/* A cut cable is never taken for a link that works in one direction. */
TEST_F(session, loss_both_ways_has_no_direction)
{
	struct watcher a = { .state = 0 }, b = { .state = 0 };
	unsigned int i;

	/* One side is silent a little longer before it is cut off. */
	beat(self, 5);
	round_of(self, false, true);
	a.state = b.state = CTIHA_SESSION_UP;
	for (i = 0; i < 100; i++) {
		round_of(self, false, false);
		watch(self, &a, &self->a, &self->b);
		watch(self, &b, &self->b, &self->a);
		ASSERT_TRUE(a.direction == CTIHA_DIRECTION_BOTH ||
			    a.direction == CTIHA_DIRECTION_NONE);
		ASSERT_TRUE(b.direction == CTIHA_DIRECTION_BOTH ||
			    b.direction == CTIHA_DIRECTION_NONE);
	}
	EXPECT_EQ(CTIHA_DIRECTION_NONE, a.direction);
	EXPECT_EQ(CTIHA_DIRECTION_NONE, b.direction);
	EXPECT_EQ(1, a.state_changes);
	EXPECT_EQ(1, b.state_changes);
}

TEST_F(session, a_silent_peer_says_nothing_of_direction)
{
	beat(self, 5);
	self->now += DETECT_NS;
	expire(self, &self->b);
	EXPECT_EQ(CTIHA_DIRECTION_NONE,
		  ctiha_session_direction(&self->b, false, self->now + MINUTE));
	EXPECT_EQ(CTIHA_DIRECTION_NONE,
		  ctiha_session_direction(&self->b, true, self->now));
	EXPECT_EQ(CTIHA_DIRECTION_OUT,
		  ctiha_session_direction(&self->b, true, self->now + MINUTE));
}

/* ---- damping ---- */

/* Falls silent in both directions for @ns, on both sides. */
static void cut(FIXTURE_DATA(session) *self, u64 ns)
{
	u64 i;

	for (i = 0; i < ROUNDS(ns); i++)
		round_of(self, false, false);
}

/*
 * Repaired: how long does it take until a is up, from the first echo on? Where both
 * sides hold, each learns from the other's next frame that its hold is over.
 */
static u64 held_ns(FIXTURE_DATA(session) *self)
{
	u64 i, ready_ns;

	for (i = 0; i < 3 && !self->a.damping.ready_ns; i++)
		round_of(self, true, true);
	ready_ns = self->a.damping.ready_ns;
	for (i = 0; i < ROUNDS(2 * MINUTE); i++) {
		if (self->a.state == CTIHA_SESSION_UP)
			return self->now - ready_ns;
		round_of(self, true, true);
	}
	return U64_MAX;
}

static void flap(FIXTURE_DATA(session) *self)
{
	cut(self, DETECT_NS + INTERVAL_NS);
}

TEST_F(session, a_flapping_link_is_held_back_longer_each_time)
{
	u64 expected = DETECT_NS;
	unsigned int i;

	beat(self, 5);
	flap(self);
	/* Once is no habit. */
	EXPECT_EQ(0, held_ns(self));
	for (i = 0; i < 20; i++) {
		flap(self);
		EXPECT_EQ(expected + INTERVAL_NS, held_ns(self));
		EXPECT_EQ(CTIHA_SESSION_UP, self->b.state);
		expected *= 2;
		if (expected > CTIHA_DAMPING_MAX_NS)
			expected = CTIHA_DAMPING_MAX_NS;
	}
	EXPECT_EQ(CTIHA_DAMPING_MAX_NS, expected);
	/* 30 ms doubled eleven times is more than a minute: there counting ends. */
	EXPECT_EQ(13, self->a.damping.flaps);
	EXPECT_EQ(21, self->a.changes);
}

TEST_F(session, a_held_link_is_heard_and_believed)
{
	struct ctiha_frame frame;

	beat(self, 5);
	flap(self);
	beat(self, 3);
	flap(self);
	beat(self, 3);
	EXPECT_STATES(CTIHA_SESSION_INIT, CTIHA_SESSION_INIT);
	EXPECT_EQ(CTIHA_DIAG_DAMPED, self->a.diag);
	EXPECT_EQ(DETECT_NS, ctiha_session_hold_ns(&self->a));
	/* By its echoes: no other link has to say so. */
	EXPECT_EQ(CTIHA_DIRECTION_BOTH,
		  ctiha_session_direction(&self->a, false, 0));
	/* Votes travel in bound frames and renew leases by their echo. */
	say(self, &self->a);
	frame = say(self, &self->a);
	EXPECT_EQ(CTIHA_HEARD_BOUND, hear(self, &self->b, &frame));
	frame = say(self, &self->b);
	EXPECT_EQ(CTIHA_HEARD_BOUND, hear(self, &self->a, &frame));
	EXPECT_EQ(self->now, self->echoed);
	/* When it is trusted again the hold is over, and what it was for is told. */
	EXPECT_EQ(DETECT_NS + INTERVAL_NS, held_ns(self));
	EXPECT_EQ(CTIHA_DIAG_SILENCE, self->a.diag);
	EXPECT_EQ(0, ctiha_session_hold_ns(&self->a));
	/* And once: what ends it next is no silence. */
	ctiha_session_drop(&self->a, CTIHA_DIAG_DEVICE, draw(self));
	beat(self, 4);
	EXPECT_EQ(CTIHA_SESSION_UP, self->a.state);
}

TEST_F(session, silence_begins_the_hold_anew_and_counts_once)
{
	beat(self, 5);
	flap(self);
	held_ns(self);
	flap(self);
	beat(self, 4);
	EXPECT_EQ(CTIHA_SESSION_INIT, self->a.state);
	flap(self);
	EXPECT_EQ(CTIHA_SESSION_DOWN, self->a.state);
	EXPECT_EQ(2, self->a.damping.flaps);
	EXPECT_EQ(DETECT_NS + INTERVAL_NS, held_ns(self));
}

TEST_F(session, each_minute_of_calm_forgives_a_flap)
{
	unsigned int i;

	beat(self, 5);
	for (i = 0; i < 5; i++) {
		flap(self);
		held_ns(self);
	}
	EXPECT_EQ(5, self->a.damping.flaps);
	/* A moment less than two minutes forgives one, and the next flap is one. */
	beat(self, ROUNDS(2 * MINUTE) - 1);
	flap(self);
	EXPECT_EQ(5, self->a.damping.flaps);
	EXPECT_EQ(8 * DETECT_NS + INTERVAL_NS, held_ns(self));
	beat(self, ROUNDS(3 * MINUTE));
	flap(self);
	EXPECT_EQ(3, self->a.damping.flaps);
	held_ns(self);
	beat(self, ROUNDS(100 * MINUTE));
	flap(self);
	EXPECT_EQ(1, self->a.damping.flaps);
	EXPECT_EQ(0, held_ns(self));
}

/* Only silence is a flap: these ends have other reasons than the link. */
TEST_F(session, goodbyes_restarts_and_devices_are_no_flaps)
{
	static const u8 diags[] = {
		CTIHA_DIAG_PEER_LEFT, CTIHA_DIAG_DEVICE, CTIHA_DIAG_NONE,
	};
	unsigned int i;

	for (i = 0; i < 20; i++) {
		beat(self, 5);
		ASSERT_STATES_UP();
		ctiha_session_drop(&self->a, diags[i % 3], draw(self));
	}
	for (i = 0; i < 20; i++) {
		beat(self, 5);
		ASSERT_STATES_UP();
		ctiha_session_init(&self->b, INTERVAL_US, MULTIPLIER,
				   draw(self));
	}
	EXPECT_EQ(0, self->a.damping.flaps);
}

/* One direction flaps: only b sees silence, and a waits for it. */
TEST_F(session, both_sides_trust_a_damped_link_at_the_same_time)
{
	unsigned int i, late = 0;

	beat(self, 5);
	for (i = 0; i < 4; i++) {
		unsigned int n;

		for (n = 0; n < MULTIPLIER + 2; n++)
			round_of(self, false, true);
		EXPECT_STATES(CTIHA_SESSION_INIT, CTIHA_SESSION_DOWN);
		for (n = 0; n < ROUNDS(MINUTE); n++) {
			round_of(self, true, true);
			if (self->b.state == CTIHA_SESSION_UP)
				break;
			ASSERT_TRUE(!i || self->a.state != CTIHA_SESSION_UP);
		}
		round_of(self, true, true);
		EXPECT_STATES(CTIHA_SESSION_UP, CTIHA_SESSION_UP);
		late = n;
	}
	EXPECT_LE(4 * MULTIPLIER, late);
	EXPECT_EQ(0, self->a.damping.flaps);
	EXPECT_EQ(4, self->b.damping.flaps);
}

/* Each has a hold of its own; neither waits for the other for ever. */
TEST_F(session, two_holds_end_with_the_longer_one)
{
	beat(self, 5);
	flap(self);
	held_ns(self);
	flap(self);
	self->b.damping.hold_ns = 8 * DETECT_NS;
	EXPECT_EQ(8 * DETECT_NS + INTERVAL_NS, held_ns(self));
	EXPECT_STATES(CTIHA_SESSION_UP, CTIHA_SESSION_UP);
}

TEST_F(session, the_last_link_is_trusted_at_once)
{
	beat(self, 5);
	flap(self);
	held_ns(self);
	flap(self);
	/* Nothing heard yet: there is nothing to trust. */
	ctiha_session_trust(&self->a, self->now);
	EXPECT_EQ(CTIHA_SESSION_DOWN, self->a.state);
	round_of(self, true, true);
	ctiha_session_trust(&self->a, self->now);
	EXPECT_EQ(CTIHA_SESSION_INIT, self->a.state);
	beat(self, 2);
	EXPECT_EQ(CTIHA_DIAG_DAMPED, self->a.diag);
	ctiha_session_trust(&self->a, self->now);
	EXPECT_EQ(CTIHA_SESSION_UP, self->a.state);
	EXPECT_EQ(CTIHA_DIAG_SILENCE, self->a.diag);
	/* The peer, which has another link, holds on; this side goes on counting. */
	beat(self, 1);
	EXPECT_STATES(CTIHA_SESSION_UP, CTIHA_SESSION_INIT);
	/* The flaps are not forgotten for that. */
	EXPECT_EQ(2, self->a.damping.flaps);
}

/* It was ready, and the peer lost it: no trust until it is believed again. */
TEST_F(session, a_peer_that_lost_us_is_not_trusted)
{
	beat(self, 5);
	flap(self);
	held_ns(self);
	flap(self);
	beat(self, 3);
	EXPECT_EQ(CTIHA_SESSION_INIT, self->a.state);
	ctiha_session_drop(&self->b, CTIHA_DIAG_SILENCE, draw(self));
	pass(self, &self->b, &self->a);
	ctiha_session_trust(&self->a, self->now);
	EXPECT_EQ(CTIHA_SESSION_INIT, self->a.state);
}

/* ---- loss of late ---- */

TEST_F(session, recent_loss_looks_back_a_window)
{
	unsigned int i;

	beat(self, 5);
	EXPECT_EQ(0, self->b.recent.lost);
	for (i = 0; i < 7; i++)
		say(self, &self->a);
	beat(self, CTIHA_LOSS_WINDOW - 7);
	EXPECT_EQ(CTIHA_LOSS_WINDOW, self->b.recent.expected);
	EXPECT_EQ(7, self->b.recent.lost);
	beat(self, 6);
	EXPECT_EQ(7, self->b.recent.lost + 6);
	beat(self, 1);
	EXPECT_EQ(0, self->b.recent.lost);
	beat(self, CTIHA_LOSS_WINDOW);
	EXPECT_EQ(0, self->b.recent.lost);
	EXPECT_EQ(7, self->b.lost);
}

TEST_F(session, a_leap_in_the_sequence_costs_no_time)
{
	struct ctiha_frame frame;

	beat(self, 5);
	frame = say(self, &self->a);
	frame.seq = U64_MAX;
	hear(self, &self->b, &frame);
	EXPECT_EQ(CTIHA_LOSS_WINDOW, self->b.recent.expected);
	EXPECT_EQ(CTIHA_LOSS_WINDOW - 1, self->b.recent.lost);
}

TEST_F(session, the_word_that_it_is_down_works_once)
{
	struct ctiha_frame down;

	beat(self, 5);
	self->now += DETECT_NS;
	EXPECT_TRUE(expire(self, &self->b));
	down = say(self, &self->b);
	hear(self, &self->a, &down);
	beat(self, 3);
	EXPECT_STATES(CTIHA_SESSION_UP, CTIHA_SESSION_UP);
	EXPECT_NE(CTIHA_HEARD_BOUND, hear(self, &self->a, &down));
	EXPECT_EQ(CTIHA_SESSION_UP, self->a.state);
}

/* A vote is a promise to the frame that it echoes; a replay gets no promise. */
TEST_F(session, only_believed_frames_are_echoed)
{
	struct ctiha_frame frame;

	pass(self, &self->a, &self->b);
	frame = say(self, &self->b);
	EXPECT_EQ(0, frame.echo_seq);
	EXPECT_EQ(0, frame.echo_hold_ns);
	EXPECT_EQ(CTIHA_HEARD_BOUND, hear(self, &self->a, &frame));
	EXPECT_EQ(0, self->echoed);
	frame = say(self, &self->a);
	EXPECT_EQ(self->b.tx_seq, frame.echo_seq);
	EXPECT_EQ(CTIHA_HEARD_BOUND, hear(self, &self->b, &frame));
	EXPECT_EQ(self->now, self->echoed);
}

TEST_F(session, a_new_incarnation_is_not_sent_the_old_ones_echo)
{
	struct ctiha_frame frame;

	beat(self, 2);
	EXPECT_EQ(CTIHA_SESSION_UP, self->a.state);
	frame = say(self, &self->a);
	EXPECT_NE(0, frame.echo_seq);
	/* b dies; a falls silent to itself, and hears the next b unbound. */
	self->now += DETECT_NS;
	expire(self, &self->a);
	ctiha_session_init(&self->b, INTERVAL_US, MULTIPLIER, draw(self));
	pass(self, &self->b, &self->a);
	frame = say(self, &self->a);
	EXPECT_EQ(0, frame.echo_seq);
}

TEST_F(session, gaps_in_the_sequence_are_counted)
{
	unsigned int i;

	beat(self, 5);
	for (i = 0; i < 7; i++)
		say(self, &self->a);
	pass(self, &self->a, &self->b);
	EXPECT_EQ(7, self->b.lost);
	pass(self, &self->a, &self->b);
	EXPECT_EQ(7, self->b.lost);
	EXPECT_EQ(0, self->a.lost);
}

TEST_F(session, round_trip_excludes_the_peers_hold)
{
	struct ctiha_frame frame;

	beat(self, 5);
	frame = say(self, &self->a);
	self->now += 300000;
	hear(self, &self->b, &frame);
	self->now += 4 * MS;
	frame = say(self, &self->b);
	EXPECT_EQ(4 * MS, frame.echo_hold_ns);
	self->now += 200000;
	EXPECT_EQ(CTIHA_HEARD_BOUND, hear(self, &self->a, &frame));
	EXPECT_EQ(500000, self->a.rtt_ns);
	EXPECT_EQ(self->now - 4 * MS - 500000, self->echoed);
}

TEST_F(session, an_impossible_hold_is_no_round_trip)
{
	struct ctiha_frame frame;
	u64 rtt;

	beat(self, 5);
	pass(self, &self->a, &self->b);
	self->now += MS;
	frame = say(self, &self->b);
	rtt = self->a.rtt_ns;
	frame.echo_hold_ns = MS + 1;
	EXPECT_EQ(CTIHA_HEARD_BOUND, hear(self, &self->a, &frame));
	EXPECT_EQ(rtt, self->a.rtt_ns);
}

TEST_F(session, an_echo_of_the_future_is_no_echo)
{
	struct ctiha_frame frame;

	beat(self, 5);
	frame = say(self, &self->b);
	frame.echo_seq = self->a.tx_seq + 1;
	EXPECT_EQ(CTIHA_HEARD_BOUND, hear(self, &self->a, &frame));
	EXPECT_EQ(0, self->echoed);
	frame = say(self, &self->b);
	frame.echo_seq = U64_MAX;
	hear(self, &self->a, &frame);
	EXPECT_EQ(0, self->echoed);
}

TEST_F(session, send_times_wrap_and_old_ones_are_not_mistaken)
{
	struct ctiha_frame frame;
	u64 first_ns, first_seq;
	unsigned int i;

	beat(self, 5);
	self->now += MS;
	first_ns = self->now;
	frame = say(self, &self->a);
	first_seq = frame.seq;
	for (i = 1; i < CTIHA_SESSION_WINDOW; i++) {
		self->now += MS;
		say(self, &self->a);
	}
	/* The oldest one that is still remembered. */
	frame = say(self, &self->b);
	frame.echo_seq = first_seq;
	hear(self, &self->a, &frame);
	EXPECT_EQ(first_ns, self->echoed);
	/* One more overwrites it; a wrong time would prolong a lease. */
	self->now += MS;
	say(self, &self->a);
	frame = say(self, &self->b);
	frame.echo_seq = first_seq;
	hear(self, &self->a, &frame);
	EXPECT_EQ(0, self->echoed);
	frame = say(self, &self->b);
	frame.echo_seq = first_seq + 1;
	hear(self, &self->a, &frame);
	EXPECT_EQ(first_ns + MS, self->echoed);
}

TEST_F(session, sequence_begins_anew_with_each_incarnation)
{
	struct ctiha_frame frame;

	beat(self, 5);
	ctiha_session_drop(&self->a, CTIHA_DIAG_DEVICE, draw(self));
	EXPECT_EQ(CTIHA_DIAG_DEVICE, self->a.diag);
	EXPECT_EQ(CTIHA_SESSION_DOWN, self->a.state);
	EXPECT_EQ(1, self->a.changes);
	frame = say(self, &self->a);
	EXPECT_EQ(1, frame.seq);
	EXPECT_EQ(0, frame.echo_seq);
	EXPECT_EQ(0, frame.echo_hold_ns);
	EXPECT_EQ(CTIHA_DIAG_DEVICE, frame.diag);
	/* Echoes of the former incarnation are worth nothing. */
	EXPECT_NE(CTIHA_HEARD_BOUND, pass(self, &self->b, &self->a));
	EXPECT_EQ(0, self->echoed);
}

TEST_F(session, discriminators_are_never_zero_and_never_repeat)
{
	u64 before;

	ctiha_session_init(&self->a, INTERVAL_US, MULTIPLIER, 0);
	EXPECT_NE(0, self->a.my_discr);
	before = self->a.my_discr;
	ctiha_session_drop(&self->a, CTIHA_DIAG_DEVICE, before);
	EXPECT_NE(before, self->a.my_discr);
	ctiha_session_init(&self->a, INTERVAL_US, MULTIPLIER, U64_MAX);
	ctiha_session_drop(&self->a, CTIHA_DIAG_DEVICE, U64_MAX);
	EXPECT_NE(U64_MAX, self->a.my_discr);
	EXPECT_NE(0, self->a.my_discr);
}

/* Silence counts only while this server is awake. */
TEST_F(session, own_stall)
{
	u64 rx;

	beat(self, 5);
	rx = self->a.rx_ns;
	EXPECT_EQ(rx + DETECT_NS, ctiha_session_deadline_ns(&self->a));
	ctiha_session_stalled(&self->a, 2 * MS);
	EXPECT_EQ(rx + DETECT_NS + 4 * MS, ctiha_session_deadline_ns(&self->a));
	ctiha_session_stalled(&self->a, 500 * MS);
	EXPECT_EQ(rx + DETECT_NS + 502 * MS + INTERVAL_NS,
		  ctiha_session_deadline_ns(&self->a));
	self->now = rx + DETECT_NS + 502 * MS + INTERVAL_NS - 1;
	EXPECT_FALSE(expire(self, &self->a));
	self->now++;
	EXPECT_TRUE(expire(self, &self->a));
	EXPECT_EQ(CTIHA_DIAG_SILENCE, self->a.diag);
}

/* Once the peer is heard the stall is over. */
TEST_F(session, own_stall_is_forgiven_once)
{
	beat(self, 5);
	ctiha_session_stalled(&self->a, 500 * MS);
	beat(self, 1);
	EXPECT_EQ(self->a.rx_ns + DETECT_NS, ctiha_session_deadline_ns(&self->a));
}

TEST_HARNESS_MAIN
