// SPDX-License-Identifier: GPL-2.0-or-later
/* How quickly a link takes what it is given, and what follows (issue 4.8). */
#include "kselftest_harness.h"

#include "daemon/sync/flow.h"
#include "daemon/sync/packet.h"

#define MS	CTIHA_NS_PER_MS
#define S	(1000 * MS)
#define NOW	(77 * S)

/* It takes @bytes in @ns, @times times, each time full from the beginning on. */
static u64 run(struct flow *f, u64 now, u64 bytes, u64 ns, int times)
{
	u64 passed = 0;

	while (times--) {
		flow_full(f, now, passed);
		now += ns;
		passed += bytes;
		flow_drained(f, now, passed);
	}
	return now;
}

TEST(a_link_that_was_never_full_is_fast)
{
	struct flow f = { 0 };

	EXPECT_EQ(0, flow_rate(&f, NOW));
	EXPECT_EQ(1, flow_level(&f, NOW));
	EXPECT_EQ(128 << 10, flow_packet(&f, NOW));
	/* Drained without having been full: nothing was measured. */
	flow_drained(&f, NOW, 100000);
	EXPECT_EQ(0, flow_rate(&f, NOW));
}

TEST(rate_is_what_passes_while_it_is_full)
{
	struct flow f = { 0 };
	u64 now = run(&f, NOW, 50000, 100 * MS, 1);

	EXPECT_EQ(500000, flow_rate(&f, now));
	/* Full again and again in between: only the first time counts. */
	flow_full(&f, now, 50000);
	flow_full(&f, now + 90 * MS, 90000);
	flow_drained(&f, now + 100 * MS, 100000);
	EXPECT_EQ(500000, flow_rate(&f, now + 100 * MS));
}

TEST(first_impression_fades)
{
	struct flow f = { 0 };
	u64 now = run(&f, NOW, 1000000, MS, 1);

	EXPECT_EQ(1000000000, flow_rate(&f, now));
	now = run(&f, now, 50000, 100 * MS, 12);
	EXPECT_LT(499999, flow_rate(&f, now));
	EXPECT_GT(800000, flow_rate(&f, now));
}

TEST(rate_of_long_ago_is_forgotten_unless_it_is_full)
{
	struct flow f = { 0 };
	u64 now = run(&f, NOW, 50000, 100 * MS, 1);

	EXPECT_EQ(500000, flow_rate(&f, now + S));
	EXPECT_EQ(0, flow_rate(&f, now + 2 * S));
	flow_full(&f, now + S, 50000);
	EXPECT_EQ(500000, flow_rate(&f, now + 60 * S));
	EXPECT_EQ(9, flow_level(&f, now + 60 * S));
}

TEST(slow_links_get_short_packets_and_high_levels)
{
	static const struct {
		u64 bytes_per_ms;
		size_t packet;
		int level;
	} cases[] = {
		{ 1, 4 << 10, 9 },		/* a modem */
		{ 100, 10000, 9 },
		{ 999, 99900, 9 },
		{ 1000, 100000, 6 },
		{ 3999, 256 << 10, 6 },
		{ 4000, 256 << 10, 1 },
		{ 1250000, 256 << 10, 1 },	/* 10 Gbit/s */
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct flow f = { 0 };
		u64 now = run(&f, NOW, 100 * cases[i].bytes_per_ms, 100 * MS, 1);

		EXPECT_EQ(cases[i].packet, flow_packet(&f, now));
		EXPECT_EQ(cases[i].level, flow_level(&f, now));
		EXPECT_GE(PACKET_LEVEL_MAX, flow_level(&f, now));
	}
}

TEST(clock_that_stands_still_measures_nothing)
{
	struct flow f = { 0 };

	flow_full(&f, NOW, 0);
	flow_drained(&f, NOW, 1000000);
	EXPECT_EQ(0, flow_rate(&f, NOW));
	flow_drained(&f, NOW + S, 1000000);
	EXPECT_EQ(1000000, flow_rate(&f, NOW + S));
}

TEST_HARNESS_MAIN
