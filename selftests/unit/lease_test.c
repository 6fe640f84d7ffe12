// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Role, epoch, vote and lease: each rule by itself, then two servers and an
 * arbiter on a network that loses, delays, repeats and reorders.
 */
#include "kselftest_harness.h"

#include <ctiha/lease.h>
#include <ctiha/session.h>

#define MS		CTIHA_NS_PER_MS
#define LEASE_NS	(200 * MS)
#define PROMISE_NS	(250 * MS)
#define START		(5000 * MS)

/* Node 0, started long ago: no promise binds it any more. */
FIXTURE(lease)
{
	struct ctiha_lease l;
	u64 now;
};

FIXTURE_SETUP(lease)
{
	ctiha_lease_init(&self->l, 0, LEASE_NS, PROMISE_NS, 0, START);
	self->now = START + PROMISE_NS;
}

FIXTURE_TEARDOWN(lease)
{
}

/* The peer, node 1, says something in answer to what was sent just now. */
static bool peer_says(FIXTURE_DATA(lease) *self, u8 role, u64 epoch, u64 vote)
{
	struct ctiha_testimony t = {
		.role = role, .epoch = epoch, .vote_epoch = vote,
		.echoed_sent_ns = self->now,
	};

	return ctiha_lease_hear(&self->l, &t, self->now);
}

static void peer_leaves(FIXTURE_DATA(lease) *self, u64 vote)
{
	struct ctiha_testimony t = {
		.role = CTIHA_ROLE_STANDBY, .epoch = 1, .vote_epoch = vote,
		.echoed_sent_ns = self->now, .goodbye = true,
	};

	ctiha_lease_hear(&self->l, &t, self->now);
}

static int act(FIXTURE_DATA(lease) *self, u64 epoch)
{
	return ctiha_lease_activate(&self->l, epoch, 0, self->now);
}

static void become_active(FIXTURE_DATA(lease) *self, u64 epoch)
{
	peer_says(self, CTIHA_ROLE_STANDBY, 0, epoch);
	act(self, epoch);
}

TEST(epochs_have_owners)
{
	EXPECT_EQ(0, ctiha_epoch_owner(4));
	EXPECT_EQ(1, ctiha_epoch_owner(5));
	EXPECT_EQ(2, ctiha_epoch_next(0, 0));
	EXPECT_EQ(1, ctiha_epoch_next(0, 1));
	EXPECT_EQ(6, ctiha_epoch_next(4, 0));
	EXPECT_EQ(5, ctiha_epoch_next(4, 1));
	EXPECT_EQ(6, ctiha_epoch_next(5, 0));
	EXPECT_EQ(7, ctiha_epoch_next(5, 1));
}

TEST_F(lease, starts_without_any_right)
{
	EXPECT_EQ(CTIHA_ROLE_INITIAL, self->l.role);
	EXPECT_EQ(0, ctiha_lease_left_ns(&self->l, self->now));
	EXPECT_EQ(-EPERM, act(self, 2));
	EXPECT_FALSE(ctiha_lease_expire(&self->l, U64_MAX));
	EXPECT_EQ(-ESTALE, ctiha_lease_renew(&self->l, 0, self->now,
					     self->now));
}

TEST_F(lease, a_start_binds_for_one_promise)
{
	self->now = START + PROMISE_NS - 1;
	EXPECT_EQ(-EBUSY, ctiha_lease_activate(&self->l, 2, self->now,
					       self->now));
	self->now += 1;
	EXPECT_EQ(0, ctiha_lease_activate(&self->l, 2, self->now, self->now));
	EXPECT_EQ(CTIHA_ROLE_ACTIVE, self->l.role);
	EXPECT_EQ(2, self->l.epoch);
	EXPECT_EQ(2, self->l.vote_epoch);
	EXPECT_EQ(LEASE_NS, ctiha_lease_left_ns(&self->l, self->now));
}

TEST_F(lease, only_own_and_new_epochs)
{
	peer_says(self, CTIHA_ROLE_STANDBY, 7, 8);
	EXPECT_EQ(7, self->l.epoch);
	EXPECT_EQ(-EINVAL, act(self, 9));
	EXPECT_EQ(-EINVAL, act(self, 6));
	EXPECT_EQ(-EPERM, act(self, 10));
	EXPECT_EQ(0, act(self, 8));
	EXPECT_EQ(-EALREADY, act(self, 10));
}

TEST_F(lease, own_vote_for_the_peer_outranks_lower_epochs)
{
	ctiha_lease_yield(&self->l, self->now);
	EXPECT_EQ(1, self->l.vote_epoch);
	peer_says(self, CTIHA_ROLE_STANDBY, 0, 0);
	self->l.vote_epoch = 5;
	self->l.epoch = 0;
	peer_says(self, CTIHA_ROLE_STANDBY, 0, 4);
	EXPECT_EQ(-EINVAL, act(self, 4));
}

TEST_F(lease, a_vote_entitles_until_its_lease_is_over)
{
	peer_says(self, CTIHA_ROLE_STANDBY, 0, 2);
	self->now += LEASE_NS;
	EXPECT_EQ(-ETIME, act(self, 2));
	self->now -= 1;
	EXPECT_EQ(0, act(self, 2));
	EXPECT_EQ(1, ctiha_lease_left_ns(&self->l, self->now));
	self->now += 1;
	EXPECT_TRUE(ctiha_lease_expire(&self->l, self->now));
}

TEST_F(lease, a_grant_counts_from_its_request)
{
	EXPECT_EQ(-EINVAL, ctiha_lease_activate(&self->l, 2, self->now + 1,
						self->now));
	EXPECT_EQ(-ETIME, ctiha_lease_activate(&self->l, 2,
					       self->now - LEASE_NS,
					       self->now));
	EXPECT_EQ(0, ctiha_lease_activate(&self->l, 2, self->now - LEASE_NS + 1,
					  self->now));
	EXPECT_EQ(1, ctiha_lease_left_ns(&self->l, self->now));
}

TEST_F(lease, a_vote_lifts_the_promise_a_grant_does_not)
{
	peer_says(self, CTIHA_ROLE_ACTIVE, 1, 1);
	EXPECT_EQ(CTIHA_ROLE_STANDBY, self->l.role);
	EXPECT_EQ(1, self->l.vote_epoch);
	EXPECT_EQ(-EBUSY, ctiha_lease_activate(&self->l, 2, self->now,
					       self->now));
	peer_says(self, CTIHA_ROLE_STANDBY, 1, 2);
	EXPECT_EQ(0, act(self, 2));
}

TEST_F(lease, each_heartbeat_renews_the_promise)
{
	peer_says(self, CTIHA_ROLE_ACTIVE, 1, 1);
	self->now += PROMISE_NS - 1;
	peer_says(self, CTIHA_ROLE_ACTIVE, 1, 1);
	self->now += PROMISE_NS - 1;
	EXPECT_EQ(-EBUSY, ctiha_lease_activate(&self->l, 2, self->now,
					       self->now));
	self->now += 1;
	EXPECT_EQ(0, ctiha_lease_activate(&self->l, 2, self->now, self->now));
}

TEST_F(lease, votes_renew_from_the_send_time)
{
	become_active(self, 2);
	self->now += 50 * MS;
	peer_says(self, CTIHA_ROLE_STANDBY, 2, 2);
	EXPECT_EQ(LEASE_NS, ctiha_lease_left_ns(&self->l, self->now));
	EXPECT_FALSE(ctiha_lease_expire(&self->l, self->now + LEASE_NS - 1));
	EXPECT_TRUE(ctiha_lease_expire(&self->l, self->now + LEASE_NS));
	EXPECT_EQ(CTIHA_ROLE_STANDBY, self->l.role);
	EXPECT_EQ(0, ctiha_lease_left_ns(&self->l, self->now));
	EXPECT_FALSE(ctiha_lease_expire(&self->l, self->now + LEASE_NS));
}

TEST_F(lease, an_old_echo_shortens_nothing)
{
	struct ctiha_testimony old = {
		.role = CTIHA_ROLE_STANDBY, .epoch = 2, .vote_epoch = 2,
	};

	become_active(self, 2);
	old.echoed_sent_ns = self->now - 30 * MS;
	ctiha_lease_hear(&self->l, &old, self->now);
	EXPECT_EQ(LEASE_NS, ctiha_lease_left_ns(&self->l, self->now));
}

TEST_F(lease, votes_that_echo_nothing_or_mean_another_do_not_renew)
{
	struct ctiha_testimony t = { .role = CTIHA_ROLE_STANDBY };
	u64 deadline;

	become_active(self, 4);
	deadline = self->l.deadline_ns;
	self->now += 10 * MS;
	t.vote_epoch = 4;
	ctiha_lease_hear(&self->l, &t, self->now);	/* echoes nothing */
	t.echoed_sent_ns = self->now;
	t.vote_epoch = 2;
	ctiha_lease_hear(&self->l, &t, self->now);	/* a former epoch */
	t.vote_epoch = 6;
	ctiha_lease_hear(&self->l, &t, self->now);	/* a later one */
	t.vote_epoch = 5;
	ctiha_lease_hear(&self->l, &t, self->now);	/* its own */
	t.vote_epoch = 0;
	ctiha_lease_hear(&self->l, &t, self->now);	/* none */
	EXPECT_EQ(deadline, self->l.deadline_ns);
}

TEST_F(lease, renewal_by_the_arbiter)
{
	become_active(self, 2);
	EXPECT_EQ(-EINVAL, ctiha_lease_renew(&self->l, 2, self->now + 1,
					     self->now));
	EXPECT_EQ(-ESTALE, ctiha_lease_renew(&self->l, 4, self->now,
					     self->now));
	self->now += 100 * MS;
	EXPECT_EQ(0, ctiha_lease_renew(&self->l, 2, self->now - 10 * MS,
				       self->now));
	EXPECT_EQ(190 * MS, ctiha_lease_left_ns(&self->l, self->now));
	EXPECT_EQ(0, ctiha_lease_renew(&self->l, 2, self->now - 50 * MS,
				       self->now));
	EXPECT_EQ(190 * MS, ctiha_lease_left_ns(&self->l, self->now));
	EXPECT_TRUE(ctiha_lease_expire(&self->l, self->now + 190 * MS));
	EXPECT_EQ(-ESTALE, ctiha_lease_renew(&self->l, 2, self->now,
					     self->now));
}

TEST_F(lease, a_higher_epoch_deposes_and_a_lower_does_not)
{
	become_active(self, 4);
	EXPECT_FALSE(peer_says(self, CTIHA_ROLE_ACTIVE, 3, 3));
	EXPECT_EQ(CTIHA_ROLE_ACTIVE, self->l.role);
	EXPECT_FALSE(peer_says(self, CTIHA_ROLE_STANDBY, 5, 5));
	EXPECT_EQ(CTIHA_ROLE_ACTIVE, self->l.role);
	EXPECT_TRUE(peer_says(self, CTIHA_ROLE_ACTIVE, 5, 5));
	EXPECT_EQ(CTIHA_ROLE_STANDBY, self->l.role);
	EXPECT_EQ(5, self->l.vote_epoch);
	EXPECT_EQ(5, self->l.epoch);
}

TEST_F(lease, votes_never_fall)
{
	peer_says(self, CTIHA_ROLE_ACTIVE, 5, 5);
	peer_says(self, CTIHA_ROLE_ACTIVE, 3, 3);
	EXPECT_EQ(5, self->l.vote_epoch);
	EXPECT_EQ(5, self->l.epoch);
}

TEST_F(lease, yield_votes_for_the_peers_next_epoch)
{
	become_active(self, 4);
	ctiha_lease_yield(&self->l, self->now);
	EXPECT_EQ(CTIHA_ROLE_STANDBY, self->l.role);
	EXPECT_EQ(5, self->l.vote_epoch);
	EXPECT_EQ(4, self->l.epoch);
	EXPECT_EQ(self->now + PROMISE_NS, self->l.promise_until_ns);
	EXPECT_EQ(0, ctiha_lease_left_ns(&self->l, self->now));
}

TEST_F(lease, yield_again_is_the_same_vote)
{
	become_active(self, 4);
	ctiha_lease_yield(&self->l, self->now);
	ctiha_lease_yield(&self->l, self->now);
	EXPECT_EQ(5, self->l.vote_epoch);
	peer_says(self, CTIHA_ROLE_ACTIVE, 5, 5);
	ctiha_lease_yield(&self->l, self->now);
	EXPECT_EQ(5, self->l.vote_epoch);
}

/* The peer cannot act twice in one epoch: a vote for a past one is no help. */
TEST_F(lease, yield_to_a_peer_that_no_longer_acts_is_a_vote_it_can_use)
{
	struct ctiha_lease peer;

	peer_says(self, CTIHA_ROLE_ACTIVE, 5, 5);
	peer_says(self, CTIHA_ROLE_STANDBY, 5, 5);
	ctiha_lease_yield(&self->l, self->now);
	EXPECT_EQ(7, self->l.vote_epoch);

	ctiha_lease_init(&peer, 1, LEASE_NS, PROMISE_NS, 5, self->now);
	peer.peer_vote_epoch = self->l.vote_epoch;
	peer.peer_vote_from_ns = self->now;
	EXPECT_EQ(0, ctiha_lease_activate(&peer, 7, 0, self->now));
}

TEST_F(lease, goodbye_lets_the_active_serve_alone)
{
	become_active(self, 2);
	peer_leaves(self, 2);
	EXPECT_EQ(CTIHA_LEASE_SOLE, ctiha_lease_left_ns(&self->l, self->now));
	self->now += 1000000 * MS;
	EXPECT_FALSE(ctiha_lease_expire(&self->l, self->now));
	/* The arbiter's renewals do not end it. */
	EXPECT_EQ(0, ctiha_lease_renew(&self->l, 2, self->now, self->now));
	EXPECT_EQ(CTIHA_LEASE_SOLE, ctiha_lease_left_ns(&self->l, self->now));
}

/* Only an echo shows that the goodbye was said to what we are now. */
TEST_F(lease, goodbye_that_echoes_nothing_frees_nobody)
{
	struct ctiha_testimony t = {
		.role = CTIHA_ROLE_STANDBY, .epoch = 1, .vote_epoch = 2,
		.goodbye = true,
	};

	ctiha_lease_hear(&self->l, &t, self->now);
	EXPECT_EQ(-EPERM, act(self, 2));
	become_active(self, 2);
	ctiha_lease_hear(&self->l, &t, self->now);
	EXPECT_EQ(LEASE_NS, ctiha_lease_left_ns(&self->l, self->now));
}

TEST_F(lease, goodbye_entitles_a_standby_without_limit)
{
	peer_leaves(self, 2);
	self->now += 1000000 * MS;
	EXPECT_EQ(0, act(self, 2));
	EXPECT_EQ(CTIHA_LEASE_SOLE, ctiha_lease_left_ns(&self->l, self->now));
}

TEST_F(lease, the_peers_return_ends_solitude)
{
	become_active(self, 2);
	peer_leaves(self, 2);
	self->now += 1000000 * MS;
	peer_says(self, CTIHA_ROLE_STANDBY, 2, 2);
	EXPECT_EQ(LEASE_NS, ctiha_lease_left_ns(&self->l, self->now));
	EXPECT_TRUE(ctiha_lease_expire(&self->l, self->now + LEASE_NS));
}

/* It has been heard: from now on it may ask the arbiter for itself. */
TEST_F(lease, the_peers_return_ends_solitude_whatever_it_votes_for)
{
	become_active(self, 2);
	peer_leaves(self, 2);
	self->now += 1000000 * MS;
	peer_says(self, CTIHA_ROLE_INITIAL, 1, 1);
	EXPECT_EQ(LEASE_NS, ctiha_lease_left_ns(&self->l, self->now));
}

TEST_F(lease, the_peers_return_ends_an_unused_goodbye)
{
	peer_leaves(self, 2);
	self->now += 1000000 * MS;
	peer_says(self, CTIHA_ROLE_INITIAL, 1, 1);
	EXPECT_EQ(-EPERM, act(self, 2));
	peer_says(self, CTIHA_ROLE_STANDBY, 1, 2);
	EXPECT_EQ(0, act(self, 2));
	EXPECT_EQ(LEASE_NS, ctiha_lease_left_ns(&self->l, self->now));
}

/* Two servers that hear each other at once, without delay. */
static void exchange(struct ctiha_lease *a, struct ctiha_lease *b, u64 now)
{
	struct ctiha_testimony from_a = {
		.role = a->role, .epoch = a->epoch,
		.vote_epoch = a->vote_epoch, .echoed_sent_ns = now,
	}, from_b = {
		.role = b->role, .epoch = b->epoch,
		.vote_epoch = b->vote_epoch, .echoed_sent_ns = now,
	};

	ctiha_lease_hear(a, &from_b, now);
	ctiha_lease_hear(b, &from_a, now);
}

static u64 next_own(const struct ctiha_lease *l)
{
	u64 known = l->epoch > l->vote_epoch ? l->epoch : l->vote_epoch;

	return ctiha_epoch_next(known, l->node);
}

/* Every pair of remembered epochs: both vote for each other, one gets it. */
TEST(cold_start_with_both_polite_elects_exactly_one)
{
	u64 remembered_a, remembered_b, now = START;
	struct ctiha_lease a, b;
	int elected;

	for (remembered_a = 0; remembered_a < 12; remembered_a++) {
		for (remembered_b = 0; remembered_b < 12; remembered_b++) {
			ctiha_lease_init(&a, 0, LEASE_NS, PROMISE_NS,
					 remembered_a, now);
			ctiha_lease_init(&b, 1, LEASE_NS, PROMISE_NS,
					 remembered_b, now);
			exchange(&a, &b, now);
			ctiha_lease_yield(&a, now);
			ctiha_lease_yield(&b, now);
			exchange(&a, &b, now);
			elected = !ctiha_lease_activate(&a, next_own(&a), 0,
							now);
			elected += !ctiha_lease_activate(&b, next_own(&b), 0,
							 now);
			ASSERT_EQ(1, elected)
				TH_LOG("remembered %llu and %llu",
				       (unsigned long long)remembered_a,
				       (unsigned long long)remembered_b);
		}
	}
}

/* Whoever is to begin, the other one's YIELD is enough. */
TEST(cold_start_with_one_polite_elects_the_other)
{
	u64 remembered_a, remembered_b, now = START;
	struct ctiha_lease a, b;

	for (remembered_a = 0; remembered_a < 12; remembered_a++) {
		for (remembered_b = 0; remembered_b < 12; remembered_b++) {
			ctiha_lease_init(&a, 0, LEASE_NS, PROMISE_NS,
					 remembered_a, now);
			ctiha_lease_init(&b, 1, LEASE_NS, PROMISE_NS,
					 remembered_b, now);
			exchange(&a, &b, now);
			ctiha_lease_yield(&b, now);
			exchange(&a, &b, now);
			ASSERT_EQ(0, ctiha_lease_activate(&a,
							  a.peer_vote_epoch, 0,
							  now))
				TH_LOG("remembered %llu and %llu",
				       (unsigned long long)remembered_a,
				       (unsigned long long)remembered_b);
		}
	}
}

/*
 * The simulation. Sessions and leases are the real ones; the network, the
 * arbiter and the daemons are models that do something at random whenever
 * the protocol allows it.
 */

#define SIM_STEPS	400000
#define SIM_FLIGHT	512
#define SIM_INTERVAL_US	10000
#define SIM_MULTIPLIER	3

enum { TO_PEER, TO_ARBITER, FROM_ARBITER };

struct sim_message {
	bool used;
	int kind;
	int node;		/* whom it reaches, or who asked */
	int link;
	unsigned int life;	/* of who asked */
	u64 due_ns;
	u64 sent_ns;
	u64 epoch;
	struct ctiha_frame frame;
};

struct sim_server {
	bool up;
	unsigned int life;
	bool must_hear;		/* said goodbye in a former life */
	u64 wake_ns;
	u64 durable_epoch;
	u64 tick_ns[2];
	struct ctiha_session link[2];
	struct ctiha_lease lease;
};

/* What is under test: a correct system, or one with one rule broken. */
struct sim_rules {
	u64 promise_ns;
	bool goodbye_is_remembered;
	bool gasp_is_endless;	/* as a goodbye, that nobody remembers */
};

struct sim {
	struct sim_rules rules;
	u64 random;
	u64 now;
	struct sim_server server[2];
	struct sim_message flight[SIM_FLIGHT];
	bool cut[2][2];		/* link, receiver */
	bool cut_arbiter[2];
	u64 arbiter_epoch;
	int arbiter_holder;
	u64 arbiter_ns;
	unsigned int violations;
	unsigned int elected, granted, sole, renewed, yields, busy, deposed, gasps;
};

/* xorshift64*: the same on every machine. */
static u64 sim_draw(struct sim *sim)
{
	sim->random ^= sim->random >> 12;
	sim->random ^= sim->random << 25;
	sim->random ^= sim->random >> 27;
	return sim->random * 0x2545F4914F6CDD1DULL;
}

/* True in @n of 10000 cases. */
static bool sim_chance(struct sim *sim, unsigned int n)
{
	return (sim_draw(sim) >> 16) % 10000 < n;
}

static u64 sim_below(struct sim *sim, u64 limit)
{
	return (sim_draw(sim) >> 8) % limit;
}

static void sim_check(struct sim *sim)
{
	if (ctiha_lease_left_ns(&sim->server[0].lease, sim->now) &&
	    ctiha_lease_left_ns(&sim->server[1].lease, sim->now) &&
	    sim->server[0].up && sim->server[1].up)
		sim->violations++;
}

static u64 sim_delay(struct sim *sim)
{
	if (sim_chance(sim, 100))
		return sim_below(sim, 1000 * MS);
	if (sim_chance(sim, 1000))
		return sim_below(sim, 60 * MS);
	return sim_below(sim, 2 * MS);
}

static void sim_post(struct sim *sim, const struct sim_message *message)
{
	int i;

	for (i = 0; i < SIM_FLIGHT; i++) {
		if (sim->flight[i].used)
			continue;
		sim->flight[i] = *message;
		sim->flight[i].used = true;
		sim->flight[i].due_ns = sim->now + sim_delay(sim);
		return;
	}
	/* The network is full: lost. */
}

static void sim_send(struct sim *sim, int node, int link, u8 type)
{
	struct sim_server *s = &sim->server[node];
	struct sim_message message = {
		.kind = TO_PEER, .node = !node, .link = link,
		.frame = {
			.type = type, .role = s->lease.role,
			.epoch = s->lease.epoch,
			.vote_epoch = s->lease.vote_epoch,
		},
	};

	ctiha_lease_expire(&s->lease, sim->now);
	message.frame.role = s->lease.role;
	ctiha_session_send(&s->link[link], sim->now, &message.frame);
	if (sim->cut[link][!node] || sim_chance(sim, 500))
		return;
	sim_post(sim, &message);
	if (sim_chance(sim, 200))
		sim_post(sim, &message);
}

static void sim_hear(struct sim *sim, struct sim_server *s,
		     const struct sim_message *m)
{
	struct ctiha_session *session = &s->link[m->link];
	struct ctiha_testimony t = {
		.role = m->frame.role, .epoch = m->frame.epoch,
		.vote_epoch = m->frame.vote_epoch,
		.goodbye = ctiha_frame_is_goodbye(&m->frame) ||
			   (sim->rules.gasp_is_endless &&
			    m->frame.type == CTIHA_FRAME_GASP),
	};
	enum ctiha_diag farewell = ctiha_frame_farewell(&m->frame);

	if (m->frame.type != CTIHA_FRAME_HEARTBEAT &&
	    m->frame.your_discr != session->my_discr)
		return;
	ctiha_lease_expire(&s->lease, sim->now);
	if (ctiha_session_hear(session, &m->frame, sim->now, sim_draw(sim),
			       &t.echoed_sent_ns) != CTIHA_HEARD_BOUND)
		return;
	sim->deposed += ctiha_lease_hear(&s->lease, &t, sim->now);
	/* The peer has taken in a heartbeat of this life. */
	if (session->state == CTIHA_SESSION_UP &&
	    m->frame.type == CTIHA_FRAME_HEARTBEAT)
		s->must_hear = false;
	if (farewell != CTIHA_DIAG_NONE)
		ctiha_session_drop(session, farewell, sim_draw(sim));
	sim->gasps += farewell == CTIHA_DIAG_PEER_DIED;
}

/* One grant at a time, and never two holders within a promise. */
static void sim_arbitrate(struct sim *sim, struct sim_message request)
{
	bool again = request.epoch == sim->arbiter_epoch &&
		     request.node == sim->arbiter_holder;
	bool newer = request.epoch > sim->arbiter_epoch &&
		     (request.node == sim->arbiter_holder ||
		      sim->now >= sim->arbiter_ns + sim->rules.promise_ns);

	if (!again && !newer)
		return;
	sim->arbiter_epoch = request.epoch;
	sim->arbiter_holder = request.node;
	sim->arbiter_ns = sim->now;
	request.kind = FROM_ARBITER;
	sim_post(sim, &request);
}

static void sim_activate(struct sim *sim, struct sim_server *s, u64 epoch,
			 u64 granted_ns)
{
	int ret;

	ctiha_lease_expire(&s->lease, sim->now);
	ret = ctiha_lease_activate(&s->lease, epoch, granted_ns, sim->now);
	sim->busy += ret == -EBUSY;
	if (ret)
		return;
	s->durable_epoch = epoch;
	if (granted_ns)
		sim->granted++;
	else
		sim->elected++;
	sim->sole += s->lease.deadline_ns == CTIHA_LEASE_SOLE;
}

static void sim_granted(struct sim *sim, struct sim_server *s,
			const struct sim_message *m)
{
	if (m->life != s->life)
		return;
	ctiha_lease_expire(&s->lease, sim->now);
	if (s->lease.role == CTIHA_ROLE_ACTIVE)
		sim->renewed += !ctiha_lease_renew(&s->lease, m->epoch,
						   m->sent_ns, sim->now);
	else if (!s->must_hear || !sim->rules.goodbye_is_remembered)
		sim_activate(sim, s, m->epoch, m->sent_ns);
}

static void sim_deliver(struct sim *sim)
{
	struct sim_message *m;

	for (m = sim->flight; m < sim->flight + SIM_FLIGHT; m++) {
		if (!m->used || m->due_ns > sim->now)
			continue;
		m->used = false;
		if (m->kind == TO_ARBITER)
			sim_arbitrate(sim, *m);
		else if (!sim->server[m->node].up)
			continue;
		else if (m->kind == TO_PEER)
			sim_hear(sim, &sim->server[m->node], m);
		else
			sim_granted(sim, &sim->server[m->node], m);
		sim_check(sim);
	}
}

static void sim_ask(struct sim *sim, int node)
{
	struct sim_server *s = &sim->server[node];
	struct sim_message m = {
		.kind = TO_ARBITER, .node = node, .life = s->life,
		.sent_ns = sim->now,
		.epoch = s->lease.role == CTIHA_ROLE_ACTIVE ?
			 s->lease.epoch : next_own(&s->lease),
	};

	if (!sim->cut_arbiter[node])
		sim_post(sim, &m);
}

static void sim_stop(struct sim *sim, struct sim_server *s)
{
	s->up = false;
	s->wake_ns = sim->now + sim_below(sim, 2000 * MS);
}

static void sim_leave(struct sim *sim, int node)
{
	struct sim_server *s = &sim->server[node];
	int i;

	ctiha_lease_yield(&s->lease, sim->now);
	/* Durable before the first word of it. */
	for (i = 0; i < 2; i++)
		s->must_hear |= s->link[i].state == CTIHA_SESSION_UP;
	for (i = 0; i < 6; i++)
		sim_send(sim, node, i % 2, CTIHA_FRAME_GOODBYE);
	sim_stop(sim, s);
}

/* As a goodbye, but nothing is written down. */
static void sim_gasp(struct sim *sim, int node)
{
	struct sim_server *s = &sim->server[node];
	int link;

	ctiha_lease_yield(&s->lease, sim->now);
	for (link = 0; link < 2; link++)
		sim_send(sim, node, link, CTIHA_FRAME_GASP);
	sim_stop(sim, s);
}

static void sim_start(struct sim *sim, int node)
{
	struct sim_server *s = &sim->server[node];
	int link;

	s->up = true;
	s->life++;
	ctiha_lease_init(&s->lease, node, LEASE_NS, sim->rules.promise_ns,
			 s->durable_epoch, sim->now);
	for (link = 0; link < 2; link++) {
		ctiha_session_init(&s->link[link], SIM_INTERVAL_US,
				   SIM_MULTIPLIER, sim_draw(sim));
		s->tick_ns[link] = sim->now;
	}
}

static void sim_timers(struct sim *sim, int node)
{
	struct sim_server *s = &sim->server[node];
	int link;

	for (link = 0; link < 2; link++) {
		ctiha_session_expire(&s->link[link], sim->now, sim_draw(sim));
		if (sim->now < s->tick_ns[link])
			continue;
		s->tick_ns[link] = sim->now + SIM_INTERVAL_US * CTIHA_NS_PER_US;
		sim_send(sim, node, link, CTIHA_FRAME_HEARTBEAT);
	}
}

/* A daemon that may decide anything at any time. */
static void sim_act(struct sim *sim, int node)
{
	struct sim_server *s = &sim->server[node];

	if (sim_chance(sim, 200))
		sim_activate(sim, s, s->lease.peer_vote_epoch, 0);
	if (sim_chance(sim, 300))
		sim_ask(sim, node);
	if (sim_chance(sim, 5)) {
		ctiha_lease_yield(&s->lease, sim->now);
		sim->yields++;
	}
	if (sim_chance(sim, 4))
		sim_leave(sim, node);
	else if (sim_chance(sim, 4))
		sim_gasp(sim, node);
	else if (sim_chance(sim, 4))
		sim_stop(sim, s);
}

static void sim_weather(struct sim *sim)
{
	int i;

	if (!sim_chance(sim, 20))
		return;
	for (i = 0; i < 4; i++)
		sim->cut[i / 2][i % 2] = sim_chance(sim, 5000);
	for (i = 0; i < 2; i++)
		sim->cut_arbiter[i] = sim_chance(sim, 3000);
}

static void sim_step(struct sim *sim)
{
	int node;

	sim->now += sim_below(sim, 2 * MS);
	sim_check(sim);
	sim_weather(sim);
	sim_deliver(sim);
	for (node = 0; node < 2; node++) {
		if (!sim->server[node].up) {
			if (sim->now >= sim->server[node].wake_ns)
				sim_start(sim, node);
			continue;
		}
		sim_timers(sim, node);
		sim_check(sim);
		sim_act(sim, node);
		sim_check(sim);
	}
}

static void sim_run(struct sim *sim, struct sim_rules rules, u64 seed,
		    unsigned int steps)
{
	memset(sim, 0, sizeof(*sim));
	sim->rules = rules;
	sim->random = seed;
	sim->now = START;
	while (steps--)
		sim_step(sim);
}

static const struct sim_rules good_rules = {
	.promise_ns = PROMISE_NS,
	.goodbye_is_remembered = true,
};

TEST(never_two_running_leases)
{
	static struct sim sim;
	u64 seed;

	for (seed = 1; seed <= 4; seed++) {
		sim_run(&sim, good_rules, seed, SIM_STEPS);
		EXPECT_EQ(0, sim.violations)
			TH_LOG("seed %llu", (unsigned long long)seed);
		EXPECT_EQ(0, sim.deposed);
		/* It happened: each way into office, and each way out. */
		EXPECT_LT(20, sim.elected);
		EXPECT_LT(20, sim.granted);
		EXPECT_LT(5, sim.sole);
		EXPECT_LT(20, sim.renewed);
		EXPECT_LT(20, sim.yields);
		EXPECT_LT(20, sim.gasps);
		EXPECT_LT(20, sim.busy);
		TH_LOG("seed %llu: elected %u granted %u sole %u renewed %u busy %u",
		       (unsigned long long)seed, sim.elected, sim.granted,
		       sim.sole, sim.renewed, sim.busy);
	}
}

/* Does the simulation find a violation, with whatever seed? */
static bool sim_finds(struct sim *sim, struct sim_rules rules)
{
	u64 seed;

	for (seed = 1; seed <= 40; seed++) {
		sim_run(sim, rules, seed, SIM_STEPS);
		if (sim->violations)
			return true;
	}
	return false;
}

/* The simulation can fail: each rule is needed. */
TEST(promises_not_longer_than_leases_are_unsafe)
{
	struct sim_rules rules = good_rules;
	static struct sim sim;

	rules.promise_ns = LEASE_NS / 2;
	EXPECT_TRUE(sim_finds(&sim, rules));
	rules.promise_ns = LEASE_NS - 10 * MS;
	EXPECT_TRUE(sim_finds(&sim, rules));
}

/*
 * Who leaves gives a vote that never ends. If it could come back and get the
 * arbiter's vote before the peer has heard of its return, both would act.
 */
TEST(a_goodbye_forgotten_by_who_said_it_is_unsafe)
{
	struct sim_rules rules = good_rules;
	static struct sim sim;

	rules.goodbye_is_remembered = false;
	EXPECT_TRUE(sim_finds(&sim, rules));
}

/* Therefore the vote of a gasp, which nobody can write down, has an end. */
TEST(a_gasp_with_an_endless_vote_is_unsafe)
{
	struct sim_rules rules = good_rules;
	static struct sim sim;

	rules.gasp_is_endless = true;
	EXPECT_TRUE(sim_finds(&sim, rules));
}

TEST_HARNESS_MAIN
