// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The judge against requirements.md: every row of the table, both roles, every
 * kind of answer of the arbiter and state of the peer. f1, f2, f3.
 */
#include "kselftest_harness.h"

#include "daemon/judge.h"

#define PEER_WELL (CTIHA_REPORT_DAEMON | CTIHA_REPORT_APPLICATION | \
		   CTIHA_REPORT_ELIGIBLE | CTIHA_REPORT_SYNCED)

/* Rows are numbered as the table writes them: 0b101 is L1 up, L2 down, L3 up. */
static struct judge_view active_view(unsigned int row)
{
	struct judge_view v = {
		.node = 0, .role = CTIHA_ROLE_ACTIVE, .epoch = 10,
		.vote_epoch = 10, .settle_ns = 100, .lan_lost_ns = 100,
		.able = true,
		.l1 = row & 4, .l2 = row & 2, .l3 = row & 1,
		.peer = {
			.heard = row & 6, .role = CTIHA_ROLE_STANDBY,
			.epoch = 10, .vote_epoch = 10, .report = PEER_WELL,
		},
		.arbiter = { .known = true, .epoch = 10, .holder = 0 },
	};
	return v;
}

static struct judge_view standby_view(unsigned int row)
{
	struct judge_view v = {
		.node = 1, .role = CTIHA_ROLE_STANDBY, .epoch = 10,
		.vote_epoch = 10, .settle_ns = 100, .lan_lost_ns = 100,
		.able = true,
		.l1 = row & 4, .l2 = row & 2, .l3 = row & 1,
		.peer = {
			.heard = row & 6, .role = CTIHA_ROLE_ACTIVE,
			.epoch = 10, .vote_epoch = 10,
			.report = PEER_WELL | CTIHA_REPORT_L3,
		},
		.arbiter = { .known = true, .epoch = 10, .holder = 0 },
	};
	return v;
}

/* Claims of a server that lacks calls wait, for as long as configured. */
static void expect_held_back(struct __test_metadata *_metadata,
			     struct judge_view v, u8 act)
{
	struct judge_verdict verdict;

	v.behind = true;
	v.state_wait_ns = 100;
	v.bereft_ns = 30;
	verdict = judge(&v);
	EXPECT_EQ(JUDGE_WAIT, verdict.act);
	EXPECT_EQ(JUDGE_REASON_BEHIND, verdict.reason);
	EXPECT_EQ(70, verdict.again_ns);
	v.bereft_ns = 100;
	EXPECT_EQ(act, judge(&v).act);
	v.behind = false;
	v.bereft_ns = 0;
	EXPECT_EQ(act, judge(&v).act);
}

TEST(who_lacks_calls_holds_back)
{
	struct judge_view v = standby_view(1);

	v.peer.role = CTIHA_ROLE_ACTIVE;
	expect_held_back(_metadata, v, JUDGE_CLAIM_GRANT);
	/* The peer's daemon has died, and its module votes for us. */
	v = standby_view(7);
	v.peer.role = CTIHA_ROLE_STANDBY;
	v.peer.vote_epoch = 11;
	v.peer.report = CTIHA_REPORT_L3;
	v.peer.position = 5;
	expect_held_back(_metadata, v, JUDGE_CLAIM_VOTE);
	/* It has no more than we do. */
	v.behind = true;
	v.state_wait_ns = 100;
	v.position = 5;
	EXPECT_EQ(JUDGE_CLAIM_VOTE, judge(&v).act);
}

/* To follow, and to vote for who has more, needs no calls. */
TEST(who_lacks_calls_follows_and_votes)
{
	struct judge_view v = standby_view(7);

	v.behind = true;
	v.state_wait_ns = 100;
	EXPECT_EQ(JUDGE_FOLLOW, judge(&v).act);
	v.peer.role = CTIHA_ROLE_STANDBY;
	v.peer.position = 5;
	EXPECT_EQ(JUDGE_VOTE, judge(&v).act);
	/* Though it had voted for us while its application started. */
	v.peer.vote_epoch = 11;
	EXPECT_EQ(JUDGE_VOTE, judge(&v).act);
}

struct row_expectation {
	unsigned int row;
	u8 act;
	u8 reason;
	u32 alarms;
};

#define NO_STANDBY	JUDGE_ALARM_NO_STANDBY
#define NO_ACTIVE	JUDGE_ALARM_NO_ACTIVE
#define CROSSOVER	JUDGE_ALARM_CROSSOVER
#define LAN		JUDGE_ALARM_LAN
#define ARBITER		JUDGE_ALARM_ARBITER
#define SILENT		JUDGE_ALARM_PEER_SILENT
#define LAN_LOST	JUDGE_ALARM_LAN_LOST
#define CUT_OFF		JUDGE_ALARM_CUT_OFF
#define UNABLE		JUDGE_ALARM_UNABLE

TEST(every_row_as_active)
{
	/* The peer does not see the arbiter: nothing to hand over to. */
	static const struct row_expectation rows[] = {
		{ 7, JUDGE_SERVE, JUDGE_REASON_NONE, 0 },
		{ 6, JUDGE_SERVE, JUDGE_REASON_NONE, ARBITER },
		{ 5, JUDGE_SERVE, JUDGE_REASON_NONE, LAN },
		{ 4, JUDGE_SERVE, JUDGE_REASON_LAN_LOST,
		  LAN | ARBITER | LAN_LOST },
		{ 3, JUDGE_SERVE, JUDGE_REASON_NONE, CROSSOVER },
		{ 2, JUDGE_SERVE, JUDGE_REASON_NONE, CROSSOVER | ARBITER },
		{ 1, JUDGE_SERVE, JUDGE_REASON_PEER_SILENT,
		  CROSSOVER | LAN | SILENT | NO_STANDBY },
		{ 0, JUDGE_SERVE, JUDGE_REASON_CUT_OFF,
		  CROSSOVER | LAN | ARBITER | CUT_OFF | NO_STANDBY },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct judge_view v = active_view(rows[i].row);
		struct judge_verdict got = judge(&v);

		EXPECT_EQ(rows[i].act, got.act)
			TH_LOG("row %u", rows[i].row);
		EXPECT_EQ(rows[i].reason, got.reason);
		EXPECT_EQ(rows[i].alarms, got.alarms);
	}
}

TEST(every_row_as_standby)
{
	static const struct row_expectation rows[] = {
		{ 7, JUDGE_FOLLOW, JUDGE_REASON_PEER_ACTIVE, 0 },
		{ 6, JUDGE_FOLLOW, JUDGE_REASON_PEER_ACTIVE, ARBITER },
		{ 5, JUDGE_FOLLOW, JUDGE_REASON_PEER_ACTIVE, LAN },
		{ 4, JUDGE_FOLLOW, JUDGE_REASON_PEER_ACTIVE,
		  LAN | ARBITER | LAN_LOST | UNABLE },
		{ 3, JUDGE_FOLLOW, JUDGE_REASON_PEER_ACTIVE, CROSSOVER },
		{ 2, JUDGE_FOLLOW, JUDGE_REASON_PEER_ACTIVE,
		  CROSSOVER | ARBITER },
		{ 1, JUDGE_CLAIM_GRANT, JUDGE_REASON_PEER_SILENT,
		  CROSSOVER | LAN | SILENT | NO_ACTIVE },
		{ 0, JUDGE_WAIT, JUDGE_REASON_CUT_OFF,
		  CROSSOVER | LAN | ARBITER | CUT_OFF | NO_ACTIVE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct judge_view v = standby_view(rows[i].row);
		struct judge_verdict got = judge(&v);

		EXPECT_EQ(rows[i].act, got.act)
			TH_LOG("row %u", rows[i].row);
		EXPECT_EQ(rows[i].reason, got.reason);
		EXPECT_EQ(rows[i].alarms, got.alarms);
	}
}

/* f2: this server has lost the LAN and the peer has not. */
TEST(active_without_lan_hands_over)
{
	struct judge_view v = active_view(4);
	struct judge_verdict got;

	v.peer.report |= CTIHA_REPORT_L3;
	got = judge(&v);
	EXPECT_EQ(JUDGE_HAND_OVER, got.act);
	EXPECT_EQ(JUDGE_REASON_LAN_LOST, got.reason);
}

/* The arbiter itself may have died: then the peer's L3 goes down as well. */
TEST(active_without_lan_waits_for_the_peers_own_verdict)
{
	struct judge_view v = active_view(4);
	struct judge_verdict got;

	v.peer.report |= CTIHA_REPORT_L3;
	v.lan_lost_ns = 30;
	got = judge(&v);
	EXPECT_EQ(JUDGE_SERVE, got.act);
	EXPECT_EQ(70, got.again_ns);
}

TEST(active_without_lan_keeps_role_if_peer_cannot_serve)
{
	struct judge_view v = active_view(4);

	v.peer.report = CTIHA_REPORT_DAEMON | CTIHA_REPORT_L3;
	EXPECT_EQ(JUDGE_SERVE, judge(&v).act);
	v.peer.report = CTIHA_REPORT_ELIGIBLE | CTIHA_REPORT_L3;
	EXPECT_EQ(JUDGE_SERVE, judge(&v).act);
}

TEST(standby_without_lan_says_not_eligible)
{
	struct judge_view v = standby_view(4);

	EXPECT_FALSE(judge(&v).eligible);
	v.peer.report &= ~(u32)CTIHA_REPORT_L3;
	EXPECT_TRUE(judge(&v).eligible);
}

/* In every row a heard peer that has voted for us is succeeded at once. */
TEST(elected_standby_claims_in_every_row_with_a_peer)
{
	for (unsigned int row = 2; row < 8; row++) {
		struct judge_view v = standby_view(row);
		struct judge_verdict got;

		v.peer.role = CTIHA_ROLE_STANDBY;
		v.peer.vote_epoch = 11;
		v.peer.report = 0;
		got = judge(&v);
		EXPECT_EQ(JUDGE_CLAIM_VOTE, got.act);
		EXPECT_EQ(11, got.epoch);
		EXPECT_EQ(JUDGE_REASON_ELECTED, got.reason);
	}
}

TEST(a_vote_of_the_past_elects_nobody)
{
	struct judge_view v = standby_view(7);

	v.peer.role = CTIHA_ROLE_STANDBY;
	v.peer.vote_epoch = 9;			/* ours, but old */
	EXPECT_NE(JUDGE_CLAIM_VOTE, judge(&v).act);
	v.peer.vote_epoch = 12;			/* not ours */
	EXPECT_NE(JUDGE_CLAIM_VOTE, judge(&v).act);
	v.peer.vote_epoch = 11;
	v.vote_epoch = 12;			/* we have promised more */
	EXPECT_NE(JUDGE_CLAIM_VOTE, judge(&v).act);
}

/* f1 with every answer the arbiter can give. */
TEST(silence_asks_the_arbiter_for_the_next_own_epoch)
{
	struct judge_view v = standby_view(1);
	struct judge_verdict got = judge(&v);

	EXPECT_EQ(JUDGE_CLAIM_GRANT, got.act);
	EXPECT_EQ(11, got.epoch);

	v.arbiter.epoch = 16;			/* it knows of later terms */
	EXPECT_EQ(17, judge(&v).epoch);

	v.arbiter.released = true;
	EXPECT_EQ(17, judge(&v).epoch);

	v.arbiter.known = false;		/* first contact */
	v.arbiter.epoch = 0;
	EXPECT_EQ(JUDGE_CLAIM_GRANT, judge(&v).act);
	EXPECT_EQ(11, judge(&v).epoch);
}

/* Asking for the next one each time would never come to an end. */
TEST(a_granted_epoch_is_asked_for_again_until_used)
{
	struct judge_view v = standby_view(1);

	v.arbiter.epoch = 11;
	v.arbiter.holder = 1;
	EXPECT_EQ(11, judge(&v).epoch);
	v.epoch = 11;				/* used in a former life */
	v.vote_epoch = 11;
	EXPECT_EQ(13, judge(&v).epoch);
	v = standby_view(1);
	v.arbiter.epoch = 11;
	v.arbiter.holder = 1;
	v.arbiter.released = true;
	EXPECT_EQ(13, judge(&v).epoch);
}

TEST(elected_to_an_epoch_that_the_arbiter_has_passed)
{
	struct judge_view v = standby_view(7);

	v.peer.role = CTIHA_ROLE_STANDBY;
	v.peer.vote_epoch = 11;
	v.arbiter.epoch = 20;
	EXPECT_EQ(JUDGE_CLAIM_GRANT, judge(&v).act);
	EXPECT_EQ(21, judge(&v).epoch);
	v.arbiter.epoch = 11;			/* granted for this very vote */
	v.arbiter.holder = 1;
	EXPECT_EQ(JUDGE_CLAIM_VOTE, judge(&v).act);
	v.arbiter.epoch = 20;
	v.l3 = false;				/* what it knew may be old */
	EXPECT_EQ(JUDGE_CLAIM_VOTE, judge(&v).act);
}

TEST(silence_without_application_does_not_claim)
{
	struct judge_view v = standby_view(1);

	v.able = false;
	EXPECT_EQ(JUDGE_WAIT, judge(&v).act);
	EXPECT_EQ(JUDGE_REASON_UNABLE, judge(&v).reason);
}

/* Once left, the peer may serve on alone: only it or its release frees us. */
TEST(a_server_that_left_does_not_claim_by_silence)
{
	struct judge_view v = standby_view(1);

	v.left = true;
	EXPECT_EQ(JUDGE_WAIT, judge(&v).act);
	EXPECT_EQ(JUDGE_REASON_MAY_SERVE_ALONE, judge(&v).reason);

	v.arbiter.released = true;
	EXPECT_EQ(JUDGE_CLAIM_GRANT, judge(&v).act);

	v.arbiter.holder = 1;			/* that was our own release */
	EXPECT_EQ(JUDGE_WAIT, judge(&v).act);
}

TEST(cold_start_alone_needs_the_arbiter)
{
	struct judge_view v = {
		.node = 0, .role = CTIHA_ROLE_INITIAL, .able = true,
	};

	EXPECT_EQ(JUDGE_WAIT, judge(&v).act);
	v.l3 = true;
	EXPECT_EQ(JUDGE_CLAIM_GRANT, judge(&v).act);
	EXPECT_EQ(2, judge(&v).epoch);
	v.node = 1;
	EXPECT_EQ(1, judge(&v).epoch);
}

static struct judge_view idle_view(u8 node)
{
	struct judge_view v = {
		.node = node, .role = CTIHA_ROLE_INITIAL, .able = true,
		.l1 = true, .l2 = true, .l3 = true,
		.peer = { .heard = true, .report = PEER_WELL },
	};

	return v;
}

/* Of two idle servers exactly one votes for the other, whatever they hold. */
TEST(cold_start_together_elects_one)
{
	static const struct { u64 position[2]; bool able[2]; u8 winner; } cases[] = {
		{ { 5, 5 }, { true, true }, 0 },
		{ { 5, 6 }, { true, true }, 1 },
		{ { 6, 5 }, { true, true }, 0 },
		{ { 9, 5 }, { false, true }, 1 },
		{ { 5, 9 }, { true, false }, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		u8 winner = cases[i].winner;

		for (u8 node = 0; node < 2; node++) {
			struct judge_view v = idle_view(node);

			v.l3 = false;
			v.position = cases[i].position[node];
			v.peer.position = cases[i].position[!node];
			v.able = cases[i].able[node];
			if (!cases[i].able[!node])
				v.peer.report = CTIHA_REPORT_DAEMON;
			EXPECT_EQ(node == winner ? JUDGE_WAIT : JUDGE_VOTE,
				  judge(&v).act)
				TH_LOG("case %zu node %u", i, node);
		}
	}
}

TEST(a_vote_given_is_not_given_again)
{
	struct judge_view v = idle_view(1);

	EXPECT_EQ(JUDGE_VOTE, judge(&v).act);
	v.vote_epoch = 2;
	EXPECT_EQ(JUDGE_WAIT, judge(&v).act);
	v.peer.vote_epoch = 3;			/* the peer could not use it */
	v.epoch = 3;
	EXPECT_EQ(JUDGE_VOTE, judge(&v).act);
}

TEST(an_idle_peer_without_daemon_is_passed_over_by_grant)
{
	struct judge_view v = idle_view(0);

	v.peer.report = 0;
	EXPECT_EQ(JUDGE_CLAIM_GRANT, judge(&v).act);
	v.l3 = false;
	EXPECT_EQ(JUDGE_WAIT, judge(&v).act);
}

TEST(active_whose_application_dies_yields)
{
	struct judge_view v = active_view(7);

	v.able = false;
	EXPECT_EQ(JUDGE_YIELD, judge(&v).act);
	v.peer.report = CTIHA_REPORT_DAEMON;	/* to nobody worse, though */
	EXPECT_EQ(JUDGE_SERVE, judge(&v).act);
	v = active_view(1);
	v.able = false;
	EXPECT_EQ(JUDGE_SERVE, judge(&v).act);
}

TEST(orders_hand_over_only_to_a_standby_in_sync)
{
	struct judge_view v = active_view(7);

	v.order = JUDGE_ORDER_STANDBY;
	EXPECT_EQ(JUDGE_HAND_OVER, judge(&v).act);
	EXPECT_EQ(JUDGE_REASON_ORDER, judge(&v).reason);
	v.peer.report &= ~(u32)CTIHA_REPORT_SYNCED;
	EXPECT_EQ(JUDGE_SERVE, judge(&v).act);

	v = active_view(7);
	v.peer.report |= CTIHA_REPORT_WANTS_ACTIVE;
	EXPECT_EQ(JUDGE_HAND_OVER, judge(&v).act);

	v = standby_view(7);
	v.order = JUDGE_ORDER_TAKEOVER;
	EXPECT_TRUE(judge(&v).wants_active);
	EXPECT_EQ(JUDGE_FOLLOW, judge(&v).act);
}

TEST(active_superseded_at_the_arbiter_yields)
{
	struct judge_view v = active_view(1);

	v.arbiter.epoch = 11;
	v.arbiter.holder = 1;
	EXPECT_EQ(JUDGE_YIELD, judge(&v).act);
	EXPECT_EQ(JUDGE_REASON_SUPERSEDED, judge(&v).reason);
	v.arbiter.released = true;
	EXPECT_EQ(JUDGE_SERVE, judge(&v).act);
}

/* A hint for people, and no reason for anything else. */
TEST(a_lost_switch_carrier_and_damaged_records_raise_an_alarm_only)
{
	struct judge_view v[] = { active_view(7), standby_view(7), idle_view(0) };
	const u32 both = JUDGE_ALARM_SWITCH | JUDGE_ALARM_RECORDS;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(v); i++) {
		struct judge_verdict before = judge(&v[i]), now;

		EXPECT_FALSE(before.alarms & both);
		v[i].switch_lost = true;
		now = judge(&v[i]);
		EXPECT_EQ(before.alarms | JUDGE_ALARM_SWITCH, now.alarms);
		v[i].records_differed = true;
		now = judge(&v[i]);
		EXPECT_EQ(before.alarms | both, now.alarms);
		EXPECT_EQ(before.act, now.act);
		EXPECT_EQ(before.reason, now.reason);
		EXPECT_EQ(before.eligible, now.eligible);
	}
}

/* requirements.md: with the peer gone cleanly the last server keeps serving. */
TEST(active_serves_on_when_the_peer_left)
{
	struct judge_view v = active_view(0);

	v.peer.left = true;
	EXPECT_EQ(JUDGE_SERVE, judge(&v).act);
	EXPECT_EQ(JUDGE_REASON_NONE, judge(&v).reason);
}

/* Its gasp carried its vote: no need to wait, or to ask anyone. */
TEST(standby_succeeds_a_peer_that_died)
{
	struct judge_view v = standby_view(1);

	v.peer.vote_epoch = ctiha_epoch_next(v.epoch, v.node);
	EXPECT_EQ(JUDGE_CLAIM_GRANT, judge(&v).act);
	v.peer.died = true;
	EXPECT_EQ(JUDGE_CLAIM_VOTE, judge(&v).act);
	EXPECT_EQ(JUDGE_REASON_ELECTED, judge(&v).reason);
	EXPECT_EQ(v.peer.vote_epoch, judge(&v).epoch);
	/* The calls that we lack are gone with it. */
	v.behind = true;
	v.state_wait_ns = 100;
	EXPECT_EQ(JUDGE_CLAIM_VOTE, judge(&v).act);
}

TEST_HARNESS_MAIN
