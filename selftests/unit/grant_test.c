// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The arbiter's rules: each by itself, then random histories of two servers,
 * an arbiter and a bad network, in which no two leases may ever overlap.
 */
#include "kselftest_harness.h"

#include <ctiha/lease.h>

#include "arbiter/grant.h"

#define MS		CTIHA_NS_PER_MS
#define START		(1000 * MS)
#define LEASE		(50 * MS)
#define PROMISE		(80 * MS)

/* A disk that can fail, and a list of what happened. */
struct world {
	struct grant_record disk;
	bool disk_used;
	bool disk_fails;
	bool applies_when_failing;	/* the power of fsync errors */
	unsigned int writes;
	unsigned int events[GRANT_EVENT_REFUSED + 1];
	struct grant_event last;
};

static int fake_write(void *arg, const struct grant_record *record)
{
	struct world *world = arg;

	world->writes++;
	if (world->disk_fails && !world->applies_when_failing)
		return -EIO;
	world->disk = *record;
	world->disk_used = true;
	return world->disk_fails ? -EIO : 0;
}

static void fake_event(void *arg, const struct grant_event *event)
{
	struct world *world = arg;

	world->events[event->kind]++;
	world->last = *event;
}

static struct grant_ops world_ops(struct world *world)
{
	return (struct grant_ops){ fake_write, fake_event, world };
}

FIXTURE(grant)
{
	struct world world;
	struct grant_ops ops;
	struct grant g;
	struct stamp_answer answer;
	u64 seq;
	u64 random;
};

/* A pair on whose behalf nothing was ever granted, long after the start. */
FIXTURE_SETUP(grant)
{
	memset(&self->world, 0, sizeof(self->world));
	self->ops = world_ops(&self->world);
	self->seq = 0;
	self->random = 1000;
	grant_init(&self->g, NULL, START, 71, 72);
}

FIXTURE_TEARDOWN(grant)
{
}

static struct stamp_request make_request(u8 node, u8 ask, u64 epoch)
{
	return (struct stamp_request){
		.pair = 1, .node = node, .ask = ask, .epoch = epoch,
		.nonce = 500 + node, .role = CTIHA_ROLE_STANDBY,
		.lease_ns = LEASE, .promise_ns = PROMISE,
	};
}

/* Sends it as an incarnation that knows the challenge. Return: the answer. */
static u8 ask_full(FIXTURE_DATA(grant) *self, struct stamp_request request,
		   u64 now_ns)
{
	enum grant_outcome outcome;

	request.seq = ++self->seq;
	request.challenge = self->g.nodes[request.node].challenge;
	outcome = grant_handle(&self->g, &request, now_ns, self->random++,
			       &self->ops, &self->answer);
	if (outcome != GRANT_ANSWERED || !self->answer.bound)
		return 255;
	return self->answer.answer;
}

static u8 ask(FIXTURE_DATA(grant) *self, u8 node, u8 what, u64 epoch,
	      u64 now_ns)
{
	return ask_full(self, make_request(node, what, epoch), now_ns);
}

static u8 ask_elected(FIXTURE_DATA(grant) *self, u8 node, u64 epoch,
		      u64 now_ns)
{
	struct stamp_request request = make_request(node, WITNESS_ASK_GRANT,
						    epoch);

	request.elected = true;
	return ask_full(self, request, now_ns);
}

#define GRANT	WITNESS_ASK_GRANT
#define RELEASE	WITNESS_ASK_RELEASE
#define NOTHING	WITNESS_ASK_NOTHING
#define LATER	(START + 1000 * MS)

TEST_F(grant, first_epoch_is_granted_and_durable)
{
	EXPECT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 2, LATER));
	EXPECT_EQ(1, self->world.writes);
	EXPECT_EQ(2, self->world.disk.epoch);
	EXPECT_EQ(0, self->world.disk.holder);
	EXPECT_EQ(PROMISE, self->world.disk.promise_ns);
	EXPECT_FALSE(self->world.disk.released);
	EXPECT_EQ(2, self->answer.epoch);
	EXPECT_EQ(0, self->answer.holder);
	EXPECT_FALSE(self->answer.released);
}

TEST_F(grant, epoch_of_the_other_node_is_refused)
{
	EXPECT_EQ(WITNESS_REFUSED_EPOCH, ask(self, 0, GRANT, 3, LATER));
	EXPECT_EQ(WITNESS_REFUSED_EPOCH, ask(self, 1, GRANT, 2, LATER));
	EXPECT_EQ(WITNESS_REFUSED_EPOCH, ask(self, 0, GRANT, 0, LATER));
	EXPECT_EQ(WITNESS_REFUSED_EPOCH, ask(self, 0, RELEASE, 3, LATER));
	EXPECT_EQ(WITNESS_REFUSED_EPOCH, ask(self, 0, RELEASE, 0, LATER));
	EXPECT_EQ(0, self->world.writes);
}

TEST_F(grant, lower_epoch_is_refused_and_told_the_highest)
{
	ASSERT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 8, LATER));
	EXPECT_EQ(WITNESS_REFUSED_EPOCH,
		  ask(self, 1, GRANT, 7, LATER + 1000 * MS));
	EXPECT_EQ(8, self->answer.epoch);
	EXPECT_EQ(WITNESS_REFUSED_EPOCH,
		  ask(self, 0, GRANT, 6, LATER + 1000 * MS));
	EXPECT_EQ(WITNESS_REFUSED_EPOCH,
		  ask_elected(self, 1, 7, LATER + 1000 * MS));
}

TEST_F(grant, renewal_lengthens_the_promise_without_a_write)
{
	ASSERT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 2, LATER));
	EXPECT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 2, LATER + 60 * MS));
	EXPECT_EQ(1, self->world.writes);
	EXPECT_EQ(WITNESS_WAIT, ask(self, 1, GRANT, 3, LATER + 100 * MS));
	EXPECT_EQ(40 * MS, self->answer.wait_ns);
}

TEST_F(grant, other_node_waits_out_the_promise_to_the_nanosecond)
{
	ASSERT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 2, LATER));
	EXPECT_EQ(WITNESS_WAIT, ask(self, 1, GRANT, 3, LATER));
	EXPECT_EQ(PROMISE, self->answer.wait_ns);
	EXPECT_EQ(WITNESS_WAIT, ask(self, 1, GRANT, 3, LATER + PROMISE - 1));
	EXPECT_EQ(1, self->answer.wait_ns);
	EXPECT_EQ(1, self->world.writes);
	EXPECT_EQ(WITNESS_GRANTED, ask(self, 1, GRANT, 3, LATER + PROMISE));
	EXPECT_EQ(0, self->answer.wait_ns);
	EXPECT_EQ(3, self->world.disk.epoch);
	EXPECT_EQ(1, self->world.disk.holder);
	EXPECT_EQ(WITNESS_REFUSED_EPOCH,
		  ask(self, 0, GRANT, 2, LATER + PROMISE));
}

TEST_F(grant, holder_gets_its_next_epoch_at_once)
{
	ASSERT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 2, LATER));
	EXPECT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 6, LATER + 1));
	EXPECT_EQ(WITNESS_WAIT, ask(self, 1, GRANT, 7, LATER + PROMISE));
	EXPECT_EQ(1, self->answer.wait_ns);
}

/* A shorter promise must not cut off the longer one that is still running. */
TEST_F(grant, promise_never_shrinks)
{
	struct stamp_request request = make_request(0, GRANT, 2);

	ASSERT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 2, LATER));
	request.lease_ns = 5 * MS;
	request.promise_ns = 10 * MS;
	ASSERT_EQ(WITNESS_GRANTED, ask_full(self, request, LATER + 1 * MS));
	EXPECT_EQ(WITNESS_WAIT, ask(self, 1, GRANT, 3, LATER + PROMISE - 1));
	EXPECT_EQ(PROMISE, self->world.disk.promise_ns);
}

TEST_F(grant, longer_promise_is_durable_before_it_is_given)
{
	struct stamp_request request = make_request(0, GRANT, 2);

	ASSERT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 2, LATER));
	request.promise_ns = 2 * PROMISE;
	EXPECT_EQ(WITNESS_GRANTED, ask_full(self, request, LATER + 1 * MS));
	EXPECT_EQ(2, self->world.writes);
	EXPECT_EQ(2 * PROMISE, self->world.disk.promise_ns);
}

TEST_F(grant, elected_need_not_wait)
{
	ASSERT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 2, LATER));
	EXPECT_EQ(WITNESS_GRANTED, ask_elected(self, 1, 3, LATER + 1));
	EXPECT_EQ(3, self->world.disk.epoch);
	EXPECT_EQ(WITNESS_REFUSED_EPOCH, ask(self, 0, GRANT, 2, LATER + 2));
}

TEST_F(grant, release_frees_the_other_and_is_for_good)
{
	ASSERT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 2, LATER));
	EXPECT_EQ(WITNESS_NOTED, ask(self, 0, RELEASE, 2, LATER + 1));
	EXPECT_TRUE(self->answer.released);
	EXPECT_TRUE(self->world.disk.released);
	EXPECT_EQ(2, self->world.writes);
	EXPECT_EQ(WITNESS_NOTED, ask(self, 0, RELEASE, 2, LATER + 2));
	EXPECT_EQ(2, self->world.writes);
	EXPECT_EQ(WITNESS_REFUSED_EPOCH, ask(self, 0, GRANT, 2, LATER + 3));
	EXPECT_EQ(WITNESS_GRANTED, ask(self, 1, GRANT, 3, LATER + 4));
	EXPECT_FALSE(self->answer.released);
	EXPECT_FALSE(self->world.disk.released);
}

TEST_F(grant, release_by_another_or_of_an_older_epoch_does_nothing)
{
	ASSERT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 4, LATER));
	EXPECT_EQ(WITNESS_NOTED, ask(self, 1, RELEASE, 3, LATER + 1));
	EXPECT_EQ(WITNESS_NOTED, ask(self, 1, RELEASE, 5, LATER + 2));
	EXPECT_EQ(WITNESS_NOTED, ask(self, 0, RELEASE, 2, LATER + 3));
	EXPECT_FALSE(self->answer.released);
	EXPECT_EQ(1, self->world.writes);
	EXPECT_EQ(WITNESS_WAIT, ask(self, 1, GRANT, 5, LATER + 4));
}

/* It acted in 6 by its peer's vote; the arbiter knows only of 2. */
TEST_F(grant, release_of_a_later_own_epoch_counts)
{
	ASSERT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 2, LATER));
	EXPECT_EQ(WITNESS_NOTED, ask(self, 0, RELEASE, 6, LATER + 1));
	EXPECT_TRUE(self->world.disk.released);
	EXPECT_EQ(2, self->world.disk.epoch);
	EXPECT_EQ(WITNESS_GRANTED, ask(self, 1, GRANT, 7, LATER + 2));
}

TEST_F(grant, release_before_any_grant_does_nothing)
{
	EXPECT_EQ(WITNESS_NOTED, ask(self, 0, RELEASE, 2, LATER));
	EXPECT_EQ(0, self->world.writes);
	EXPECT_EQ(0, self->answer.epoch);
}

TEST_F(grant, storage_failure_grants_nothing)
{
	self->world.disk_fails = true;
	EXPECT_EQ(WITNESS_REFUSED_STORAGE, ask(self, 0, GRANT, 2, LATER));
	EXPECT_EQ(0, self->answer.epoch);
	self->world.disk_fails = false;
	EXPECT_EQ(WITNESS_GRANTED, ask(self, 1, GRANT, 3, LATER + 1));
}

TEST_F(grant, storage_failure_of_a_release_keeps_the_promise)
{
	ASSERT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 2, LATER));
	self->world.disk_fails = true;
	EXPECT_EQ(WITNESS_REFUSED_STORAGE, ask(self, 0, RELEASE, 2, LATER + 1));
	EXPECT_FALSE(self->answer.released);
	self->world.disk_fails = false;
	EXPECT_EQ(WITNESS_WAIT, ask(self, 1, GRANT, 3, LATER + 2));
}

/*
 * A failed write may have reached the disk: 3 of node 1, never granted. If node
 * 0 went on to renew 2 in memory only, a restart would give 3 away beside it.
 */
TEST_F(grant, renewal_after_a_failed_write_is_written_again)
{
	ASSERT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 2, LATER));
	self->world.disk_fails = true;
	self->world.applies_when_failing = true;
	ASSERT_EQ(WITNESS_REFUSED_STORAGE,
		  ask(self, 1, GRANT, 3, LATER + PROMISE));
	ASSERT_EQ(3, self->world.disk.epoch);
	EXPECT_EQ(WITNESS_REFUSED_STORAGE,
		  ask(self, 0, GRANT, 2, LATER + PROMISE + 1));
	self->world.disk_fails = false;
	EXPECT_EQ(WITNESS_GRANTED,
		  ask(self, 0, GRANT, 2, LATER + PROMISE + 2));
	EXPECT_EQ(2, self->world.disk.epoch);
}

static void restart(FIXTURE_DATA(grant) *self, u64 now_ns)
{
	self->random += 2;
	grant_init(&self->g, self->world.disk_used ? &self->world.disk : NULL,
		   now_ns, self->random - 2, self->random - 1);
}

TEST_F(grant, restart_waits_out_the_longest_promise)
{
	struct stamp_request request = make_request(0, GRANT, 2);

	request.promise_ns = 3 * PROMISE;
	ASSERT_EQ(WITNESS_GRANTED, ask_full(self, request, LATER));
	restart(self, LATER + 1);
	EXPECT_EQ(WITNESS_WAIT,
		  ask(self, 1, GRANT, 3, LATER + 1 + 3 * PROMISE - 1));
	EXPECT_EQ(1, self->answer.wait_ns);
	EXPECT_EQ(2, self->answer.epoch);
	EXPECT_EQ(WITNESS_GRANTED,
		  ask(self, 1, GRANT, 3, LATER + 1 + 3 * PROMISE));
}

TEST_F(grant, restart_lets_the_holder_renew_at_once)
{
	ASSERT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 2, LATER));
	restart(self, LATER + 1);
	EXPECT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 2, LATER + 2));
	EXPECT_EQ(WITNESS_REFUSED_EPOCH, ask(self, 1, GRANT, 1, LATER + 3));
}

TEST_F(grant, restart_remembers_a_release)
{
	ASSERT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 2, LATER));
	ASSERT_EQ(WITNESS_NOTED, ask(self, 0, RELEASE, 2, LATER + 1));
	restart(self, LATER + 2);
	EXPECT_EQ(WITNESS_REFUSED_EPOCH, ask(self, 0, GRANT, 2, LATER + 3));
	EXPECT_EQ(WITNESS_GRANTED, ask(self, 1, GRANT, 3, LATER + 4));
}

/* The state directory may have been lost: then somebody may hold a lease. */
TEST_F(grant, without_a_record_the_askers_promise_is_waited_out)
{
	EXPECT_EQ(WITNESS_WAIT, ask(self, 0, GRANT, 2, START + PROMISE - 1));
	EXPECT_EQ(1, self->answer.wait_ns);
	EXPECT_EQ(WITNESS_GRANTED, ask(self, 0, GRANT, 2, START + PROMISE));
}

/* Votes of long ago; the epochs that would refute them may be what was lost. */
TEST_F(grant, without_a_record_even_the_elected_wait)
{
	EXPECT_EQ(WITNESS_WAIT, ask_elected(self, 0, 2, START + PROMISE - 1));
	EXPECT_EQ(WITNESS_GRANTED, ask_elected(self, 0, 2, START + PROMISE));
	EXPECT_EQ(WITNESS_GRANTED, ask_elected(self, 1, 3, START + PROMISE));
}

TEST_F(grant, damaged_record_grants_nothing)
{
	self->g.damaged = true;
	EXPECT_EQ(WITNESS_REFUSED_STORAGE, ask(self, 0, GRANT, 2, LATER));
	EXPECT_EQ(WITNESS_REFUSED_STORAGE, ask(self, 0, RELEASE, 2, LATER));
	EXPECT_EQ(WITNESS_NOTED, ask(self, 0, NOTHING, 0, LATER));
	EXPECT_EQ(0, self->world.writes);
}

TEST_F(grant, promise_not_longer_than_lease_gets_no_answer)
{
	struct stamp_request request = make_request(0, GRANT, 2);

	request.seq = 1;
	request.challenge = self->g.nodes[0].challenge;
	request.promise_ns = LEASE;
	EXPECT_EQ(GRANT_UNSAFE_TIMES,
		  grant_handle(&self->g, &request, LATER, 1, &self->ops,
			       &self->answer));
	EXPECT_EQ(0, self->world.writes);
	EXPECT_FALSE(self->g.nodes[0].heard);
	request.promise_ns = LEASE + 1;
	EXPECT_EQ(GRANT_ANSWERED,
		  grant_handle(&self->g, &request, LATER, 1, &self->ops,
			       &self->answer));
}

TEST_F(grant, each_hears_of_the_other)
{
	struct stamp_request request = make_request(0, NOTHING, 6);

	request.role = CTIHA_ROLE_ACTIVE;
	request.report = 0x155;
	EXPECT_EQ(WITNESS_NOTED, ask(self, 1, NOTHING, 6, LATER));
	EXPECT_EQ(U64_MAX, self->answer.peer_heard_ago_ns);
	EXPECT_EQ(WITNESS_NOTED, ask_full(self, request, LATER + 5 * MS));
	EXPECT_EQ(5 * MS, self->answer.peer_heard_ago_ns);
	EXPECT_EQ(WITNESS_NOTED, ask(self, 1, NOTHING, 6, LATER + 7 * MS));
	EXPECT_EQ(2 * MS, self->answer.peer_heard_ago_ns);
	EXPECT_EQ(CTIHA_ROLE_ACTIVE, self->answer.peer_role);
	EXPECT_EQ(6, self->answer.peer_epoch);
	EXPECT_EQ(0x155, self->answer.peer_report);
}

/* --- freshness --- */

static enum grant_outcome deliver(FIXTURE_DATA(grant) *self, u64 nonce,
				  u64 seq, u64 challenge, u64 now_ns)
{
	struct stamp_request request = make_request(0, GRANT, 2);

	request.nonce = nonce;
	request.seq = seq;
	request.challenge = challenge;
	return grant_handle(&self->g, &request, now_ns, self->random++,
			    &self->ops, &self->answer);
}

TEST_F(grant, unknown_incarnation_is_only_challenged)
{
	EXPECT_EQ(GRANT_ANSWERED, deliver(self, 9, 1, 0, LATER));
	EXPECT_FALSE(self->answer.bound);
	EXPECT_EQ(71, self->answer.challenge);
	EXPECT_EQ(9, self->answer.nonce);
	EXPECT_EQ(1, self->answer.seq);
	EXPECT_EQ(0, self->world.writes);
	EXPECT_FALSE(self->g.nodes[0].heard);
	EXPECT_EQ(GRANT_ANSWERED, deliver(self, 9, 2, 71, LATER));
	EXPECT_TRUE(self->answer.bound);
	EXPECT_EQ(WITNESS_GRANTED, self->answer.answer);
	EXPECT_NE(71, self->answer.challenge);
}

TEST_F(grant, challenge_of_the_other_node_does_not_do)
{
	EXPECT_EQ(GRANT_ANSWERED, deliver(self, 9, 1, 72, LATER));
	EXPECT_FALSE(self->answer.bound);
}

TEST_F(grant, repeated_and_overtaken_requests_get_no_answer)
{
	ASSERT_EQ(GRANT_ANSWERED, deliver(self, 9, 5, 71, LATER));
	EXPECT_EQ(GRANT_REPLAYED, deliver(self, 9, 5, 71, LATER));
	EXPECT_EQ(GRANT_REPLAYED, deliver(self, 9, 4, 71, LATER));
	EXPECT_EQ(GRANT_REPLAYED,
		  deliver(self, 9, 1, self->g.nodes[0].challenge, LATER));
	EXPECT_EQ(GRANT_ANSWERED, deliver(self, 9, 6, 71, LATER));
	EXPECT_TRUE(self->answer.bound);
}

TEST_F(grant, older_incarnation_never_comes_back)
{
	u64 second;

	ASSERT_EQ(GRANT_ANSWERED, deliver(self, 9, 1, 71, LATER));
	second = self->answer.challenge;
	ASSERT_EQ(GRANT_ANSWERED, deliver(self, 10, 1, second, LATER));
	ASSERT_TRUE(self->answer.bound);
	EXPECT_EQ(GRANT_ANSWERED, deliver(self, 9, 1, 71, LATER));
	EXPECT_FALSE(self->answer.bound);
	EXPECT_EQ(GRANT_ANSWERED, deliver(self, 9, 7, second, LATER));
	EXPECT_FALSE(self->answer.bound);
	EXPECT_EQ(10, self->g.nodes[0].nonce);
}

TEST_F(grant, replay_after_a_restart_of_the_arbiter_does_nothing)
{
	ASSERT_EQ(GRANT_ANSWERED, deliver(self, 9, 1, 71, LATER));
	restart(self, LATER + 1);
	EXPECT_EQ(GRANT_ANSWERED, deliver(self, 9, 1, 71, LATER + 2));
	EXPECT_FALSE(self->answer.bound);
	EXPECT_FALSE(self->g.nodes[0].heard);
}

/* Random numbers may be anything; a challenge is never 0 and never used twice. */
TEST_F(grant, challenge_is_never_zero_nor_repeated)
{
	grant_init(&self->g, NULL, START, 0, 0);
	EXPECT_NE(0, self->g.nodes[0].challenge);
	self->random = self->g.nodes[0].challenge;
	ASSERT_EQ(GRANT_ANSWERED, deliver(self, 9, 1, self->random, LATER));
	EXPECT_TRUE(self->answer.bound);
	EXPECT_NE(1, self->g.nodes[0].challenge);
	self->g.nodes[0].challenge = U64_MAX;
	self->random = U64_MAX;
	ASSERT_EQ(GRANT_ANSWERED, deliver(self, 10, 1, U64_MAX, LATER));
	EXPECT_NE(0, self->g.nodes[0].challenge);
	EXPECT_NE(U64_MAX, self->g.nodes[0].challenge);
}

/* --- events --- */

TEST_F(grant, events_tell_changes_once)
{
	const unsigned int *n = self->world.events;

	ask(self, 0, GRANT, 2, LATER);
	EXPECT_EQ(1, n[GRANT_EVENT_HEARD]);
	EXPECT_EQ(1, n[GRANT_EVENT_GRANTED]);
	ask(self, 0, GRANT, 2, LATER + 1 * MS);
	ask(self, 0, GRANT, 2, LATER + 2 * MS);
	EXPECT_EQ(1, n[GRANT_EVENT_HEARD]);
	EXPECT_EQ(1, n[GRANT_EVENT_RENEWED]);
	ask(self, 1, GRANT, 3, LATER + 3 * MS);
	ask(self, 1, GRANT, 3, LATER + 4 * MS);
	EXPECT_EQ(1, n[GRANT_EVENT_WAITED]);
	EXPECT_EQ(79 * MS, self->world.last.wait_ns);
	ask(self, 1, GRANT, 1, LATER + 5 * MS);
	ask(self, 1, GRANT, 1, LATER + 6 * MS);
	EXPECT_EQ(1, n[GRANT_EVENT_REFUSED]);
	ask(self, 1, GRANT, 3, LATER + 200 * MS);
	EXPECT_EQ(2, n[GRANT_EVENT_GRANTED]);
	EXPECT_EQ(LATER + 2 * MS, self->world.last.last_ns);
	EXPECT_EQ(2, self->world.last.previous_epoch);
	EXPECT_EQ(0, self->world.last.previous_holder);
	ask(self, 1, RELEASE, 3, LATER + 201 * MS);
	ask(self, 1, RELEASE, 3, LATER + 202 * MS);
	EXPECT_EQ(1, n[GRANT_EVENT_RELEASED]);
}

TEST_F(grant, silence_is_told_once_and_ends_with_a_word)
{
	const unsigned int *n = self->world.events;

	ask(self, 0, NOTHING, 0, LATER);
	grant_watch(&self->g, LATER + PROMISE - 1, &self->ops);
	EXPECT_EQ(0, n[GRANT_EVENT_SILENT]);
	grant_watch(&self->g, LATER + PROMISE, &self->ops);
	grant_watch(&self->g, LATER + 2 * PROMISE, &self->ops);
	EXPECT_EQ(1, n[GRANT_EVENT_SILENT]);
	EXPECT_EQ(LATER, self->world.last.last_ns);
	ask(self, 0, NOTHING, 0, LATER + 3 * PROMISE);
	EXPECT_EQ(2, n[GRANT_EVENT_HEARD]);
}

/* --- random histories --- */

#define PACKETS		64	/* under way */
#define REMEMBERED	256	/* that the attacker may replay */
#define TABLE		64	/* requests whose answer a server accepts */

/*
 * A server as the rest of ctiha makes it, reduced to what bears on the grant:
 * its lease counts from the sending of the request; what it gave up it does
 * not take back (ctiha_lease_activate() checks that).
 */
struct model_node {
	u64 nonce;
	u64 seq;
	u64 challenge;
	u64 known;		/* highest epoch heard of; survives a crash */
	u64 seeks;		/* epoch it asks for, 0 none */
	bool elected;		/* the peer voted for seeks */
	u64 gave_up;		/* highest epoch it will not act in any more */
	u64 lease_until;
	struct {
		u64 seq;
		u64 sent;
		u64 epoch;
		u8 ask;
	} table[TABLE];
};

struct model_packet {
	bool used;
	bool is_answer;
	u64 at;
	struct stamp_request request;
	struct stamp_answer answer;
};

struct model {
	struct world world;
	struct grant_ops ops;
	struct grant g;
	struct model_node nodes[2];
	struct model_packet net[PACKETS];
	struct model_packet memory[REMEMBERED];
	unsigned int remembered;
	u64 now;
	u64 arbiter_up_at;
	u64 random;
	bool may_lose_disk;
	/* what happened, to see that the histories are not dull */
	unsigned int granted;
	unsigned int takeovers;
	unsigned int restarts;
	unsigned int waits;
	unsigned int overlaps;
	u8 last_holder;
};

static u64 draw(struct model *m)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return m->random;
}

static bool chance(struct model *m, unsigned int in_10000)
{
	return draw(m) % 10000 < in_10000;
}

static void net_put(struct model *m, const struct model_packet *packet)
{
	u64 delay = chance(m, 300) ? draw(m) % (400 * MS) : draw(m) % (4 * MS);
	size_t i;

	for (i = 0; i < PACKETS; i++) {
		if (m->net[i].used)
			continue;
		m->net[i] = *packet;
		m->net[i].used = true;
		m->net[i].at = m->now + delay;
		return;
	}
}

/* Loses, doubles, delays; the attacker keeps a copy. */
static void net_send(struct model *m, const struct model_packet *packet)
{
	m->memory[m->remembered++ % REMEMBERED] = *packet;
	if (!chance(m, 1000))
		net_put(m, packet);
	if (chance(m, 500))
		net_put(m, packet);
}

static void node_send(struct model *m, u8 id, u8 what, u64 epoch)
{
	struct model_node *node = &m->nodes[id];
	struct model_packet packet = { .is_answer = false };
	struct stamp_request request = make_request(id, what, epoch);
	size_t slot = ++node->seq % TABLE;

	request.nonce = node->nonce;
	request.seq = node->seq;
	request.challenge = node->challenge;
	request.elected = node->elected && epoch == node->seeks;
	node->table[slot].seq = node->seq;
	node->table[slot].sent = m->now;
	node->table[slot].epoch = epoch;
	node->table[slot].ask = what;
	packet.request = request;
	net_send(m, &packet);
}

static bool acts(const struct model *m, u8 id)
{
	return m->now < m->nodes[id].lease_until;
}

static void give_up(struct model *m, u8 id, u64 epoch)
{
	struct model_node *node = &m->nodes[id];

	node->lease_until = 0;
	node->seeks = 0;
	node->elected = false;
	if (epoch > node->gave_up)
		node->gave_up = epoch;
	if (epoch > node->known)
		node->known = epoch;
}

static void node_crash(struct model *m, u8 id)
{
	struct model_node *node = &m->nodes[id];

	node->nonce = draw(m) | 1;
	node->seq = 0;
	node->challenge = 0;
	give_up(m, id, node->known);
	memset(node->table, 0, sizeof(node->table));
}

/* The vote goes over a heartbeat link; it may get lost. */
static void node_vote(struct model *m, u8 id)
{
	struct model_node *voter = &m->nodes[id], *other = &m->nodes[!id];
	u64 known = voter->known > other->known ? voter->known : other->known;
	u64 epoch = ctiha_epoch_next(known, !id);

	give_up(m, id, epoch);
	if (chance(m, 3000))
		return;
	other->seeks = epoch;
	other->known = epoch;
	other->elected = true;
}

static void node_act(struct model *m, u8 id)
{
	struct model_node *node = &m->nodes[id];

	if (chance(m, 10)) {
		node_crash(m, id);
	} else if (acts(m, id) && chance(m, 30)) {
		u64 epoch = node->seeks;

		give_up(m, id, epoch);
		node_send(m, id, RELEASE, epoch);
	} else if (chance(m, 20)) {
		node_vote(m, id);
	} else if (!node->seeks && chance(m, 1000)) {
		node->seeks = ctiha_epoch_next(node->known, id);
		node->known = node->seeks;
		node->elected = false;
	} else if (node->seeks && !acts(m, id) && chance(m, 100)) {
		give_up(m, id, node->seeks);
	}
	if (node->seeks)
		node_send(m, id, GRANT, node->seeks);
	else
		node_send(m, id, NOTHING, node->known);
}

static void node_hear(struct model *m, const struct stamp_answer *answer)
{
	struct model_node *node = &m->nodes[answer->node];
	size_t slot = answer->seq % TABLE;
	u64 epoch = node->table[slot].epoch;

	if (answer->nonce != node->nonce ||
	    answer->seq != node->table[slot].seq)
		return;
	node->table[slot].seq = 0;
	node->challenge = answer->challenge;
	if (!answer->bound)
		return;
	if (answer->epoch > node->known)
		node->known = answer->epoch;
	if (answer->answer == WITNESS_WAIT)
		m->waits++;
	if (answer->answer != WITNESS_GRANTED || epoch <= node->gave_up ||
	    epoch != node->seeks)
		return;
	if (node->table[slot].sent + LEASE > node->lease_until)
		node->lease_until = node->table[slot].sent + LEASE;
	m->granted++;
	if (m->last_holder != answer->node)
		m->takeovers++;
	m->last_holder = answer->node;
}

static void arbiter_hear(struct model *m, const struct stamp_request *request)
{
	struct model_packet packet = { .is_answer = true };

	if (m->now < m->arbiter_up_at)
		return;
	m->world.disk_fails = chance(m, 200);
	m->world.applies_when_failing = chance(m, 5000);
	if (grant_handle(&m->g, request, m->now, draw(m), &m->ops,
			 &packet.answer) == GRANT_ANSWERED)
		net_send(m, &packet);
}

static void arbiter_restart(struct model *m)
{
	u64 random_0 = draw(m), random_1 = draw(m);

	m->restarts++;
	if (m->may_lose_disk && chance(m, 3000))
		m->world.disk_used = false;
	m->arbiter_up_at = m->now + draw(m) % (20 * MS);
	grant_init(&m->g, m->world.disk_used ? &m->world.disk : NULL,
		   m->arbiter_up_at, random_0, random_1);
}

static void net_deliver(struct model *m)
{
	size_t i;

	for (i = 0; i < PACKETS; i++) {
		struct model_packet packet;

		if (!m->net[i].used || m->net[i].at > m->now)
			continue;
		packet = m->net[i];
		m->net[i].used = false;
		if (packet.is_answer)
			node_hear(m, &packet.answer);
		else
			arbiter_hear(m, &packet.request);
	}
}

static void model_step(struct model *m)
{
	u8 id;

	m->now += MS / 4;
	if (chance(m, 8))
		arbiter_restart(m);
	if (chance(m, 1000))
		net_put(m, &m->memory[draw(m) % REMEMBERED]);
	for (id = 0; id < 2; id++) {
		if (chance(m, 600))
			node_act(m, id);
	}
	net_deliver(m);
	if (acts(m, 0) && acts(m, 1))
		m->overlaps++;
}

static void model_run(struct model *m, u64 seed, bool may_lose_disk)
{
	static const struct model empty;
	unsigned int i;

	*m = empty;
	m->random = seed * 0x9E3779B97F4A7C15ULL | 1;
	m->ops = world_ops(&m->world);
	m->may_lose_disk = may_lose_disk;
	m->now = START;
	/* Replays of nothing: unknown incarnations with a zero challenge. */
	for (i = 0; i < REMEMBERED; i++)
		m->memory[i].request = make_request(0, NOTHING, 0);
	node_crash(m, 0);
	node_crash(m, 1);
	arbiter_restart(m);
	for (i = 0; i < 200000; i++)
		model_step(m);
}

static struct model model;

TEST(random_histories_have_one_holder_at_a_time)
{
	unsigned int granted = 0, takeovers = 0, restarts = 0, waits = 0;
	u64 seed;

	for (seed = 1; seed <= 24; seed++) {
		model_run(&model, seed, seed > 12);
		EXPECT_EQ(0, model.overlaps)
			TH_LOG("seed %llu", (unsigned long long)seed);
		granted += model.granted;
		takeovers += model.takeovers;
		restarts += model.restarts;
		waits += model.waits;
	}
	TH_LOG("%u grants, %u takeovers, %u restarts, %u waits", granted,
	       takeovers, restarts, waits);
	EXPECT_LT(10000, granted);
	EXPECT_LT(500, takeovers);
	EXPECT_LT(1000, restarts);
	EXPECT_LT(1000, waits);
}

TEST_HARNESS_MAIN
