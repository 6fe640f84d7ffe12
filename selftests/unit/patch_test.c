// SPDX-License-Identifier: GPL-2.0-or-later
/* Changes of a record as they travel: making and applying them (issue 4.11). */
#include "kselftest_harness.h"

#include "daemon/sync/patch.h"
#include "daemon/sync/sync.h"
#include "load/record.h"

#define ROUNDS	200000

static u8 patch[SYNC_VALUE_MAX + 16], made[SYNC_VALUE_MAX];

/* Return: length of the patch, -1 if it does not make @new of @old. */
static int there(const void *old, size_t old_len, const void *new, size_t new_len)
{
	size_t len = patch_make(patch, sizeof(patch), old, old_len, new, new_len);
	/* Just as large as it has to be, for the sanitizer. */
	u8 *copy = malloc(len), *exact = malloc(old_len + 1);
	int rc;

	memcpy(copy, patch, len);
	memcpy(exact, old, old_len);
	rc = patch_apply(made, new_len, exact, old_len, copy, len);
	free(copy);
	free(exact);
	return len && rc == (int)new_len && !memcmp(made, new, new_len) ?
		       (int)len : -1;
}

static int there_text(const char *old, const char *new)
{
	return there(old, strlen(old), new, strlen(new));
}

TEST(comes_to_the_new_value)
{
	EXPECT_EQ(1, there_text("", ""));
	EXPECT_EQ(1, there_text("same", "same"));
	EXPECT_EQ(4, there_text("state 1 of the call", "state 2 of the call"));
	EXPECT_EQ(1, there_text("shorter now", "shorter"));
	EXPECT_EQ(1, there_text("gone", ""));
	EXPECT_EQ(1 + 2 + 3, there_text("", "new"));
	EXPECT_EQ(1 + 2 + 4, there_text("longer", "longer now"));
	EXPECT_EQ(1 + 2 + 5, there_text("longex", "longer now"));
	EXPECT_EQ(1 + 2 + 9, there_text("nothing s", "all other"));
	/* Two bytes that stay are within a run, four end it. */
	EXPECT_EQ(1 + 2 + 4, there_text("aXXb", "cXXd"));
	EXPECT_EQ(1 + 3 + 3, there_text("aXXXXb", "cXXXXd"));
}

TEST(long_values)
{
	static u8 old[SYNC_VALUE_MAX], new[SYNC_VALUE_MAX];

	EXPECT_EQ(3, there(old, sizeof(old), new, sizeof(new)));
	new[SYNC_VALUE_MAX - 1] = 1;
	EXPECT_EQ(3 + 2 + 1 + 1, there(old, sizeof(old), new, sizeof(new)));
	memset(new, 1, sizeof(new));
	EXPECT_EQ(3 + 1 + 3 + SYNC_VALUE_MAX,
		  there(old, sizeof(old), new, sizeof(new)));
	EXPECT_EQ(3 + 1 + 3 + SYNC_VALUE_MAX, there(old, 0, new, sizeof(new)));
}

TEST(what_is_too_long_is_not_made)
{
	EXPECT_EQ(7, patch_make(patch, 7, "aXXb", 4, "cXXd", 4));
	EXPECT_EQ(0, patch_make(patch, 6, "aXXb", 4, "cXXd", 4));
	EXPECT_EQ(0, patch_make(patch, 2, "aXXb", 4, "cXXd", 4));
	EXPECT_EQ(0, patch_make(patch, 0, "aXXb", 4, "cXXd", 4));
}

TEST(call_records_change_in_part)
{
	u8 old[RECORD_MAX], new[RECORD_MAX];
	size_t old_len, new_len, sum = 0, all = 0;
	u64 call;
	u32 v;
	int len;

	for (call = 0; call < 500; call++) {
		for (v = 1; v < 9; v++) {
			old_len = record_make(old, 3, call, v);
			new_len = record_make(new, 3, call, v + 1);
			len = there(old, old_len, new, new_len);
			ASSERT_LT(0, len);
			sum += (size_t)len;
			all += new_len;
		}
	}
	EXPECT_GT(all / 2, sum);
	TH_LOG("%zu of 100 bytes", 100 * sum / all);
}

/* Few different bytes, so that runs and gaps of all lengths come. */
static size_t random_value(u8 *to, size_t max, unsigned int *seed)
{
	size_t len = (size_t)rand_r(seed) % (max + 1), i;

	for (i = 0; i < len; i++)
		to[i] = rand_r(seed) % 8 ? 0 : 1;
	return len;
}

TEST(any_value_to_any_other)
{
	unsigned int seed = 11;
	u8 old[64], new[64];
	int i;

	for (i = 0; i < ROUNDS; i++) {
		size_t old_len = random_value(old, sizeof(old), &seed);
		size_t new_len = random_value(new, sizeof(new), &seed);

		ASSERT_LT(0, there(old, old_len, new, new_len));
	}
}

static int apply(const char *bytes, size_t len, size_t size)
{
	return patch_apply(made, size, "old value", 9, bytes, len);
}

#define APPLY(bytes, size)	apply(bytes, sizeof(bytes) - 1, size)

TEST(malformed_patches_are_refused)
{
	EXPECT_EQ(9, APPLY("\x09", 9));
	EXPECT_EQ(-EBADMSG, APPLY("", 9));
	EXPECT_EQ(-EBADMSG, APPLY("\x09", 8));		/* too long a value */
	EXPECT_EQ(-EBADMSG, APPLY("\x0a", 99));		/* more than there was */
	EXPECT_EQ(10, APPLY("\x0a\x09\x01!", 99));
	EXPECT_EQ(-EBADMSG, APPLY("\x0b\x0a\x01!", 99));	/* keeps beyond it */
	EXPECT_EQ(-EBADMSG, APPLY("\x0a\x08\x01!", 99));	/* one is missing */
	EXPECT_EQ(-EBADMSG, APPLY("\x09\x09\x01!", 99));	/* behind the end */
	EXPECT_EQ(-EBADMSG, APPLY("\x09\x00\x02!", 99));	/* cut off */
	EXPECT_EQ(-EBADMSG, APPLY("\x09\x00\x00", 99));	/* nothing new */
	EXPECT_EQ(-EBADMSG, APPLY("\x09\x00", 99));
	EXPECT_EQ(-EBADMSG, APPLY("\x89\x80\x80\x00", 99));	/* endless number */
	EXPECT_EQ(-EBADMSG, APPLY("\x89", 99));
	EXPECT_EQ(9, APPLY("\x89\x00", 9));
}

TEST(random_patches_stay_in_bounds)
{
	unsigned int seed = 5;
	int i, good = 0;

	for (i = 0; i < ROUNDS; i++) {
		size_t len = (size_t)rand_r(&seed) % 12, j;
		u8 *bytes = malloc(len), *to = malloc(20);
		int rc;

		for (j = 0; j < len; j++)
			bytes[j] = (u8)(rand_r(&seed) % 12);
		rc = patch_apply(to, 20, "old value", 9, bytes, len);
		good += rc >= 0;
		ASSERT_TRUE(rc == -EBADMSG || (rc >= 0 && rc <= 20));
		free(bytes);
		free(to);
	}
	EXPECT_LT(0, good);
}

TEST_HARNESS_MAIN
