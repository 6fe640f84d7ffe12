// SPDX-License-Identifier: GPL-2.0-or-later
/* Two clocks: ours, and one that tells whole seconds and runs on while we stand still. */
#include "kselftest_harness.h"

#include <ctiha/skew.h>

#define MS	((s64)CTIHA_NS_PER_MS)
#define S	(1000 * MS)
#define NOW	(5000 * S)
#define EPOCH	(1700000000 * S)	/* of the other clock, when ours was at 0 */

/*
 * @apart: what the other clock is ahead by just now; looks take 20 us. @phase: where
 * in its second it is when ours begins one.
 */
FIXTURE(skew)
{
	struct ctiha_skew skew;
	s64 now, apart;
};

FIXTURE_VARIANT(skew)
{
	s64 phase;
};

FIXTURE_VARIANT_ADD(skew, together)	{ .phase = 0 };
FIXTURE_VARIANT_ADD(skew, a_bit_ahead)	{ .phase = 30 * MS };
FIXTURE_VARIANT_ADD(skew, half)		{ .phase = 500 * MS };
FIXTURE_VARIANT_ADD(skew, a_bit_behind)	{ .phase = 999 * MS };

static bool look(FIXTURE_DATA(skew) *self)
{
	s64 second = (self->now + 10000 + self->apart) / S;

	return ctiha_skew_look(&self->skew, second, self->now,
			       self->now + 20000);
}

/* Looks regularly. Return: did one of them find the other clock ahead? */
static bool watch(FIXTURE_DATA(skew) *self, s64 duration, s64 period)
{
	s64 end = self->now + duration;
	bool ahead = false;

	for (; self->now < end; self->now += period)
		ahead |= look(self);
	return ahead;
}

FIXTURE_SETUP(skew)
{
	memset(&self->skew, 0, sizeof(self->skew));
	self->now = NOW;
	self->apart = EPOCH + variant->phase;
}

FIXTURE_TEARDOWN(skew)
{
}

TEST_F(skew, clocks_that_agree_never_alarm)
{
	EXPECT_FALSE(watch(self, 100 * S, 50 * MS));
	EXPECT_FALSE(watch(self, 20 * S, 1 * MS));
	EXPECT_FALSE(watch(self, 1000 * S, 7 * S));
	EXPECT_FALSE(watch(self, 100 * S, 50 * MS));
}

TEST_F(skew, is_known_as_closely_as_was_looked)
{
	watch(self, 3 * S, 50 * MS);
	EXPECT_LE(self->skew.low_ns, self->apart);
	EXPECT_GE(self->skew.high_ns, self->apart);
	EXPECT_GT(60 * MS, self->skew.high_ns - self->skew.low_ns);
}

/* Wherever in the second it begins: at the first look after it. */
TEST_F(skew, a_pause_of_a_second_and_a_bit_is_seen_at_once)
{
	s64 lengths[] = { 1200 * MS, 2 * S, 60 * S, 3600 * S, 86400 * S };
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (j = 0; j < 40; j++) {
			ASSERT_FALSE(watch(self, 3025 * MS, 50 * MS));
			self->apart += lengths[i];
			ASSERT_TRUE(look(self))
				TH_LOG("%u: not seen at %lld", i, (long long)self->now);
			/* Told once. */
			ASSERT_FALSE(watch(self, 2 * S, 50 * MS));
		}
	}
}

/* With its part of a second as the chance; else when the second is over. */
TEST_F(skew, a_shorter_pause_is_seen_at_once_or_within_a_second)
{
	unsigned int j, at_once = 0;

	for (j = 0; j < 40; j++) {
		ASSERT_FALSE(watch(self, 3025 * MS, 50 * MS));
		self->apart += 500 * MS;
		if (look(self))
			at_once++;
		else
			ASSERT_TRUE(watch(self, 1 * S, 50 * MS));
		ASSERT_FALSE(watch(self, 2 * S, 50 * MS));
	}
	EXPECT_LT(8, at_once);
	EXPECT_GT(32, at_once);
}

TEST_F(skew, drift_is_no_pause)
{
	unsigned int i;

	for (i = 0; i < 20000; i++) {
		self->apart += 50 * MS / 1100;
		ASSERT_FALSE(watch(self, 50 * MS, 50 * MS));
	}
	for (i = 0; i < 20000; i++) {
		self->apart -= 50 * MS / 1100;
		ASSERT_FALSE(watch(self, 50 * MS, 50 * MS));
	}
}

/* A long time without a look is no pause either. */
TEST_F(skew, drift_adds_up)
{
	watch(self, 3 * S, 50 * MS);
	self->now += 86400 * S;
	self->apart += 60 * S;
	EXPECT_FALSE(watch(self, 3 * S, 50 * MS));
}

/* Every 11 minutes the kernel sets it to the time of NTP, give or take a few ticks. */
TEST_F(skew, setting_it_right_is_no_pause)
{
	unsigned int i;

	for (i = 0; i < 10; i++) {
		EXPECT_FALSE(watch(self, 660 * S, 50 * MS));
		/* Busy, so the skew is well known. */
		EXPECT_FALSE(watch(self, 3 * S, 1 * MS));
		self->apart += i % 2 ? 90 * MS : -90 * MS;
		EXPECT_FALSE(watch(self, 3 * S, 1 * MS));
	}
}

TEST_F(skew, set_back_is_no_pause_and_one_after_it_is)
{
	watch(self, 3 * S, 50 * MS);
	self->apart -= 86400 * S;
	EXPECT_FALSE(watch(self, 3 * S, 50 * MS));
	self->apart += 1500 * MS;
	EXPECT_TRUE(look(self));
}

/* Whoever sets it by a day gets one alarm, not one at each look. */
TEST_F(skew, set_ahead_alarms_once)
{
	watch(self, 3 * S, 50 * MS);
	self->apart += 86400 * S;
	EXPECT_TRUE(look(self));
	EXPECT_FALSE(watch(self, 100 * S, 50 * MS));
}

TEST_HARNESS_MAIN
