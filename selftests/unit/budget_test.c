// SPDX-License-Identifier: GPL-2.0-or-later
/* What a link may spend on check codes, and what it complains of. */
#include "kselftest_harness.h"

#include <ctiha/budget.h>
#include <ctiha/complaint.h>
#include <ctiha/session.h>

#define COST_NS	2000
#define S	(1000 * CTIHA_NS_PER_MS)
#define NOW	(77 * S)

/* Verified in @count frames that arrive evenly in one second. */
static unsigned int verified(struct ctiha_budget *b, bool counts, u64 now_ns,
			     unsigned int count)
{
	unsigned int i, yes = 0;

	for (i = 0; i < count; i++)
		yes += ctiha_budget_take(b, counts, now_ns + i * S / count);
	return yes;
}

TEST(a_burst_passes_whole)
{
	struct ctiha_budget b;
	unsigned int i;

	ctiha_budget_init(&b, COST_NS);
	for (i = 0; i < CTIHA_BUDGET_BURST; i++)
		ASSERT_TRUE(ctiha_budget_take(&b, true, NOW));
	EXPECT_FALSE(ctiha_budget_take(&b, true, NOW));
	EXPECT_TRUE(ctiha_budget_take(&b, true,
				      NOW + COST_NS * CTIHA_BUDGET_MAIN_SHARE));
}

/* However many come, what they cost is a share of the time. */
TEST(share_is_bounded)
{
	static const unsigned int shares[] = { CTIHA_BUDGET_SPARE_SHARE,
					       CTIHA_BUDGET_MAIN_SHARE };
	struct ctiha_budget b;
	unsigned int counts, yes;

	for (counts = 0; counts < 2; counts++) {
		ctiha_budget_init(&b, COST_NS);
		verified(&b, counts, NOW, 1000000);
		yes = verified(&b, counts, NOW + S, 1000000);
		EXPECT_GE(S / shares[counts] / COST_NS + 1, yes);
		EXPECT_LE(S / shares[counts] / COST_NS - 1, yes);
	}
}

/* 100,000 frames a second fit into the main share where a check code costs 2 us. */
TEST(heartbeats_pass_among_a_flood)
{
	struct ctiha_budget b;

	ctiha_budget_init(&b, COST_NS);
	EXPECT_EQ(100000, verified(&b, true, NOW, 100000));
}

TEST(shares_do_not_touch)
{
	struct ctiha_budget b;

	ctiha_budget_init(&b, COST_NS);
	EXPECT_GT(1000000, verified(&b, false, NOW, 1000000));
	EXPECT_TRUE(ctiha_budget_take(&b, true, NOW + S));
}

TEST(cost_that_was_measured_wrongly)
{
	struct ctiha_budget b;

	ctiha_budget_init(&b, 0);
	EXPECT_EQ(CTIHA_BUDGET_COST_MIN_NS, b.cost_ns);
	ctiha_budget_init(&b, U64_MAX);
	EXPECT_EQ(CTIHA_BUDGET_COST_MAX_NS, b.cost_ns);
}

/* Among a flood, each frame has the chance of its share: the peer is heard soon. */
TEST(handshake_is_heard_among_strangers)
{
	struct ctiha_budget b;
	unsigned int i, passed = 0;
	u64 at;

	ctiha_budget_init(&b, COST_NS);
	verified(&b, true, NOW, 400000);
	for (i = 0; i < 1000; i++) {
		/* 10 ms of the flood, the peer's somewhere in it. */
		for (at = 0; at < 10 * CTIHA_NS_PER_MS; at += 2500) {
			u64 now = NOW + S + i * 10 * CTIHA_NS_PER_MS + at;
			bool peer = at / 2500 == i * 7919ULL % 4000;
			bool yes = ctiha_budget_take(&b, true, now);

			passed += peer && yes;
		}
	}
	EXPECT_LE(150, passed);
}

TEST(minds_what_could_change_something)
{
	struct ctiha_frame claim = { .my_discr = 5, .seq = 9 };
	struct ctiha_session s;

	ctiha_session_init(&s, 10000, 3, 0x1234);
	EXPECT_TRUE(ctiha_session_minds(&s, &claim));	/* a handshake */
	s.peer_discr = 5;
	s.rx_seq = 9;
	EXPECT_FALSE(ctiha_session_minds(&s, &claim));	/* heard before */
	claim.your_discr = s.my_discr;
	EXPECT_FALSE(ctiha_session_minds(&s, &claim));
	claim.seq = 10;
	EXPECT_TRUE(ctiha_session_minds(&s, &claim));	/* a heartbeat */
	s.echo_seq = 9;
	EXPECT_TRUE(ctiha_session_minds(&s, &claim));
	claim.your_discr = 0;
	EXPECT_FALSE(ctiha_session_minds(&s, &claim));	/* peer is believed */
}

TEST(complaint_once_a_minute)
{
	struct ctiha_complaint c = { .news = { 0 } };
	const unsigned int forged = CTIHA_A_STAT_FORGED;

	EXPECT_EQ(1, ctiha_complaint_due(&c, forged, NOW));
	EXPECT_EQ(0, ctiha_complaint_due(&c, forged, NOW));
	EXPECT_EQ(0, ctiha_complaint_due(&c, forged,
					 NOW + CTIHA_COMPLAINT_PAUSE_NS - 1));
	EXPECT_EQ(1, ctiha_complaint_due(&c, CTIHA_A_STAT_KEY, NOW));
	EXPECT_EQ(3, ctiha_complaint_due(&c, forged,
					 NOW + CTIHA_COMPLAINT_PAUSE_NS));
}

TEST(complaint_says_what_to_do)
{
	static const u8 told[] = {
		CTIHA_A_STAT_MALFORMED, CTIHA_A_STAT_VERSION, CTIHA_A_STAT_KEY,
		CTIHA_A_STAT_FORGED, CTIHA_A_STAT_FOREIGN,
		CTIHA_A_STAT_UNVERIFIED,
	};
	struct ctiha_complaint c = { .news = { 0 } };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(told); i++)
		EXPECT_NE(NULL, strstr(ctiha_complaint_text(told[i]), "; "));
	/* Not of what happens in good order. */
	EXPECT_EQ(0, ctiha_complaint_due(&c, CTIHA_A_STAT_REPLAYED, NOW));
	EXPECT_EQ(NULL, ctiha_complaint_text(CTIHA_A_STAT_REPLAYED));
}

TEST_HARNESS_MAIN
