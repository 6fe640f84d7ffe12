// SPDX-License-Identifier: GPL-2.0-or-later
/* The store: digest, generations, what a killed process leaves behind. e4, c3. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "daemon/sync/store.h"
#include "daemon/sync/sync.h"
#include "damage.h"
#include "scratch.h"

#define MAP_SIZE	(16UL << 20)

FIXTURE(store)
{
	char scratch[64];
	char dir[96];
	char error[256];
	struct store *store;
};

FIXTURE_SETUP(store)
{
	ASSERT_TRUE(scratch_make(self->scratch));
	snprintf(self->dir, sizeof(self->dir), "%s/new/deep", self->scratch);
	self->store = store_open(self->dir, MAP_SIZE, self->error,
				 sizeof(self->error));
	ASSERT_NE(NULL, self->store) TH_LOG("%s", self->error);
}

FIXTURE_TEARDOWN(store)
{
	store_close(self->store);
	scratch_remove(self->scratch);
}

static int put(struct store *s, u16 content, const char *key, const char *value)
{
	const struct store_record r = { content, key, strlen(key), value,
					strlen(value) };

	return store_put(s, &r);
}

static int del(struct store *s, u16 content, const char *key)
{
	const struct store_record r = { content, key, strlen(key), NULL, 0 };

	return store_delete(s, &r);
}

static int commit(struct store *s)
{
	store_set_position(s, 2, store_state(s)->position + 1);
	return store_commit(s);
}

static int put_alone(struct store *s, u16 content, const char *key,
		     const char *value)
{
	int rc = store_begin(s);

	if (!rc)
		rc = put(s, content, key, value);
	return rc ? rc : commit(s);
}

static struct store *reopen(FIXTURE_DATA(store) *self)
{
	store_close(self->store);
	self->store = store_open(self->dir, MAP_SIZE, self->error,
				 sizeof(self->error));
	return self->store;
}

TEST_F(store, keeps_what_was_put)
{
	char value[16];

	ASSERT_EQ(0, put_alone(self->store, 1, "call", "ringing"));
	ASSERT_EQ(0, put_alone(self->store, 2, "call", "agent"));
	EXPECT_EQ(7, store_get(self->store, 1, "call", 4, value, 16));
	EXPECT_EQ(0, memcmp(value, "ringing", 7));
	EXPECT_EQ(5, store_get(self->store, 2, "call", 4, value, 16));
	EXPECT_EQ(-ENOENT, store_get(self->store, 3, "call", 4, value, 16));
	EXPECT_EQ(-ENOENT, store_get(self->store, 1, "cal", 3, value, 16));
	EXPECT_EQ(-ENOSPC, store_get(self->store, 1, "call", 4, value, 6));
	EXPECT_EQ(2, store_state(self->store)->records);
	EXPECT_EQ(2, store_state(self->store)->position);
}

/* What one store says has changed makes the same of another one's record. */
TEST_F(store, a_patch_makes_the_same_state)
{
	struct store_record r = { 1, "call", 4, "state 2 of the call", 19 };
	u8 bytes[16];
	struct store_patch patch = { .to = bytes, .max = sizeof(bytes) };
	struct store_state put_state;

	ASSERT_EQ(0, put_alone(self->store, 1, "call", "state 1 of the call"));
	ASSERT_EQ(0, store_begin(self->store));
	ASSERT_EQ(0, store_put_patch(self->store, &r, &patch));
	EXPECT_EQ(4, patch.len);
	put_state = *store_state(self->store);
	store_abort(self->store);
	r.value = bytes;
	r.value_len = patch.len;
	ASSERT_EQ(0, store_begin(self->store));
	ASSERT_EQ(0, store_patch(self->store, &r));
	EXPECT_TRUE(store_states_equal(&put_state, store_state(self->store)));
	ASSERT_EQ(0, commit(self->store));
	ASSERT_NE(NULL, reopen(self));
	/* Nothing to change, or nothing that fits. */
	ASSERT_EQ(0, store_begin(self->store));
	patch.len = 99;
	r = (struct store_record){ 1, "new", 3, "value", 5 };
	ASSERT_EQ(0, store_put_patch(self->store, &r, &patch));
	EXPECT_EQ(0, patch.len);
	r = (struct store_record){ 1, "none", 4, bytes, 4 };
	EXPECT_EQ(-EBADMSG, store_patch(self->store, &r));
	store_abort(self->store);
	ASSERT_EQ(0, store_begin(self->store));
	r = (struct store_record){ 1, "call", 4, "\xff\xff\x03", 3 };
	EXPECT_EQ(-EBADMSG, store_patch(self->store, &r));
	store_abort(self->store);
	EXPECT_EQ(1, store_state(self->store)->records);
}

TEST_F(store, digest_does_not_depend_on_order_or_history)
{
	struct store_state first, empty = *store_state(self->store);

	ASSERT_EQ(0, store_begin(self->store));
	ASSERT_EQ(0, put(self->store, 1, "a", "1"));
	ASSERT_EQ(0, put(self->store, 1, "b", "2"));
	ASSERT_EQ(0, put(self->store, 77, "c", "3"));
	ASSERT_EQ(0, commit(self->store));
	first = *store_state(self->store);
	EXPECT_NE(0, first.digest[0]);
	EXPECT_NE(first.digest[0], first.digest[1]);

	ASSERT_EQ(0, store_begin(self->store));
	ASSERT_EQ(0, del(self->store, 1, "a"));
	ASSERT_EQ(0, put(self->store, 1, "b", "other"));
	ASSERT_EQ(0, del(self->store, 1, "never there"));
	ASSERT_EQ(0, commit(self->store));
	EXPECT_NE(first.digest[0], store_state(self->store)->digest[0]);
	EXPECT_EQ(2, store_state(self->store)->records);

	ASSERT_EQ(0, store_begin(self->store));
	ASSERT_EQ(0, put(self->store, 1, "b", "2"));
	ASSERT_EQ(0, put(self->store, 1, "a", "1"));
	ASSERT_EQ(0, commit(self->store));
	EXPECT_EQ(first.digest[0], store_state(self->store)->digest[0]);
	EXPECT_EQ(first.digest[1], store_state(self->store)->digest[1]);
	EXPECT_EQ(3, store_state(self->store)->records);

	ASSERT_EQ(0, store_begin(self->store));
	ASSERT_EQ(0, del(self->store, 1, "b"));
	ASSERT_EQ(0, del(self->store, 1, "a"));
	ASSERT_EQ(0, del(self->store, 77, "c"));
	ASSERT_EQ(0, commit(self->store));
	EXPECT_EQ(empty.digest[0], store_state(self->store)->digest[0]);
	EXPECT_EQ(empty.digest[1], store_state(self->store)->digest[1]);
}

TEST_F(store, digest_tells_content_key_and_value_apart)
{
	static const struct { u16 content; const char *key, *value; } twins[] = {
		{ 1, "ab", "c" }, { 1, "a", "bc" }, { 2, "ab", "c" },
		{ 1, "abc", "" }, { 1, "ac", "b" },
	};
	u64 digests[ARRAY_SIZE(twins)];
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(twins); i++) {
		ASSERT_EQ(0, put_alone(self->store, twins[i].content,
				       twins[i].key, twins[i].value));
		digests[i] = store_state(self->store)->digest[0];
		ASSERT_EQ(0, store_begin(self->store));
		ASSERT_EQ(0, del(self->store, twins[i].content, twins[i].key));
		ASSERT_EQ(0, commit(self->store));
		for (j = 0; j < i; j++)
			EXPECT_NE(digests[j], digests[i]);
	}
}

TEST_F(store, refuses_what_is_out_of_range)
{
	static char big[SYNC_VALUE_MAX + 1];
	struct store_record r = { 1, "k", 1, big, SYNC_VALUE_MAX };

	ASSERT_EQ(0, store_begin(self->store));
	EXPECT_EQ(0, store_put(self->store, &r));
	r.value_len++;
	EXPECT_EQ(-EINVAL, store_put(self->store, &r));
	r = (struct store_record){ 1, big, SYNC_KEY_MAX, "v", 1 };
	EXPECT_EQ(0, store_put(self->store, &r));
	r.key_len++;
	EXPECT_EQ(-EINVAL, store_put(self->store, &r));
	r.key_len = 0;
	EXPECT_EQ(-EINVAL, store_put(self->store, &r));
	EXPECT_EQ(-EINVAL, put(self->store, 0, "k", "v"));
	EXPECT_EQ(-EINVAL, put(self->store, STORE_CONTENT_MAX + 1, "k", "v"));
	EXPECT_EQ(-EINVAL, del(self->store, 0, "k"));
	store_abort(self->store);
	EXPECT_EQ(0, store_state(self->store)->records);
	EXPECT_EQ(-EINVAL, store_get(self->store, 1, big, SYNC_KEY_MAX + 1,
				     big, 1));
	EXPECT_EQ(-EINVAL, store_walk(self->store, 1, big, SYNC_KEY_MAX + 1,
				      NULL, NULL));
}

TEST_F(store, totals_by_content_survive)
{
	u64 records, digest[2], other[2];

	ASSERT_EQ(0, put_alone(self->store, 1, "a", "1"));
	ASSERT_EQ(0, put_alone(self->store, 1, "b", "1"));
	ASSERT_EQ(0, put_alone(self->store, 200, "c", "1"));
	ASSERT_NE(NULL, reopen(self)) TH_LOG("%s", self->error);
	store_totals(self->store, 1, &records, digest);
	EXPECT_EQ(2, records);
	store_totals(self->store, 200, &records, other);
	EXPECT_EQ(1, records);
	EXPECT_EQ(digest[0] + other[0], store_state(self->store)->digest[0]);
	store_totals(self->store, 2, &records, digest);
	EXPECT_EQ(0, records);
	store_totals(self->store, 60000, &records, digest);
	EXPECT_EQ(0, records);
}

TEST_F(store, abort_leaves_no_trace)
{
	struct store_state before;

	ASSERT_EQ(0, put_alone(self->store, 1, "a", "1"));
	before = *store_state(self->store);
	ASSERT_EQ(0, store_begin(self->store));
	ASSERT_EQ(0, put(self->store, 1, "a", "2"));
	ASSERT_EQ(0, put(self->store, 1, "b", "2"));
	store_abort(self->store);
	EXPECT_TRUE(store_states_equal(&before, store_state(self->store)));
	ASSERT_NE(NULL, reopen(self)) TH_LOG("%s", self->error);
	EXPECT_TRUE(store_states_equal(&before, store_state(self->store)));
}

struct seen {
	char keys[64];
	int limit;
};

static bool see(void *arg, const void *key, size_t key_len, const void *value,
		size_t value_len)
{
	struct seen *seen = arg;

	(void)value;
	(void)value_len;
	strncat(seen->keys, key, key_len);
	return --seen->limit > 0;
}

TEST_F(store, walks_one_content_in_order_behind_a_key)
{
	struct seen seen = { .limit = 9 };

	ASSERT_EQ(0, put_alone(self->store, 2, "x", ""));
	ASSERT_EQ(0, put_alone(self->store, 1, "c", ""));
	ASSERT_EQ(0, put_alone(self->store, 1, "a", ""));
	ASSERT_EQ(0, put_alone(self->store, 1, "e", ""));
	ASSERT_EQ(0, put_alone(self->store, 3, "y", ""));
	EXPECT_EQ(3, store_walk(self->store, 1, NULL, 0, see, &seen));
	EXPECT_STREQ("ace", seen.keys);
	seen = (struct seen){ .limit = 9 };
	EXPECT_EQ(2, store_walk(self->store, 1, "a", 1, see, &seen));
	EXPECT_STREQ("ce", seen.keys);
	seen = (struct seen){ .limit = 1 };
	EXPECT_EQ(1, store_walk(self->store, 1, "b", 1, see, &seen));
	EXPECT_STREQ("c", seen.keys);
	seen = (struct seen){ .limit = 9 };
	EXPECT_EQ(0, store_walk(self->store, 1, "e", 1, see, &seen));
	EXPECT_EQ(0, store_walk(self->store, 9, NULL, 0, see, &seen));
}

TEST_F(store, snapshot_shows_only_when_complete)
{
	struct store_state claimed, before;
	char value[8];

	ASSERT_EQ(0, put_alone(self->store, 1, "stale", "1"));
	before = *store_state(self->store);

	ASSERT_EQ(0, store_receive_begin(self->store));
	ASSERT_EQ(0, store_begin_received(self->store));
	ASSERT_EQ(0, put(self->store, 1, "new", "2"));
	claimed = *store_state(self->store);
	ASSERT_EQ(0, store_commit(self->store));
	EXPECT_EQ(1, store_received(self->store));
	EXPECT_TRUE(store_states_equal(&before, store_state(self->store)));
	EXPECT_EQ(-ENOENT, store_get(self->store, 1, "new", 3, value, 8));

	claimed.position = 100;
	claimed.epoch = 7;
	ASSERT_EQ(0, store_receive_end(self->store, &claimed));
	EXPECT_TRUE(store_states_equal(&claimed, store_state(self->store)));
	EXPECT_EQ(-ENOENT, store_get(self->store, 1, "stale", 5, value, 8));
	EXPECT_EQ(1, store_get(self->store, 1, "new", 3, value, 8));
	ASSERT_NE(NULL, reopen(self)) TH_LOG("%s", self->error);
	EXPECT_TRUE(store_states_equal(&claimed, store_state(self->store)));
}

TEST_F(store, snapshot_that_is_not_as_claimed_is_dropped)
{
	struct store_state claimed, before;
	char value[8];

	ASSERT_EQ(0, put_alone(self->store, 1, "kept", "1"));
	before = *store_state(self->store);
	ASSERT_EQ(0, store_receive_begin(self->store));
	ASSERT_EQ(0, store_begin_received(self->store));
	ASSERT_EQ(0, put(self->store, 1, "new", "2"));
	claimed = *store_state(self->store);
	ASSERT_EQ(0, store_commit(self->store));
	claimed.digest[1]++;
	EXPECT_EQ(-EBADMSG, store_receive_end(self->store, &claimed));
	EXPECT_TRUE(store_states_equal(&before, store_state(self->store)));
	claimed.digest[1]--;
	/* It is gone: a second end has nothing to make current. */
	EXPECT_EQ(-EBADMSG, store_receive_end(self->store, &claimed));
	/* The next one begins with nothing of it. */
	ASSERT_EQ(0, store_receive_begin(self->store));
	ASSERT_EQ(0, store_begin_received(self->store));
	EXPECT_EQ(0, store_state(self->store)->records);
	ASSERT_EQ(0, put(self->store, 1, "third", "3"));
	claimed = *store_state(self->store);
	ASSERT_EQ(0, store_commit(self->store));
	EXPECT_EQ(0, store_receive_end(self->store, &claimed));
	EXPECT_EQ(1, store_state(self->store)->records);
	EXPECT_EQ(-ENOENT, store_get(self->store, 1, "new", 3, value, 8));
	ASSERT_NE(NULL, reopen(self)) TH_LOG("%s", self->error);
}

TEST_F(store, reader_does_not_see_later_writes)
{
	struct store_record r;
	struct store_reader *reader;
	struct store_state state;

	ASSERT_EQ(0, put_alone(self->store, 1, "a", "1"));
	reader = store_reader_open(self->store, &state);
	ASSERT_NE(NULL, reader);
	ASSERT_EQ(0, put_alone(self->store, 1, "a", "2"));
	ASSERT_EQ(0, put_alone(self->store, 1, "b", "2"));
	EXPECT_EQ(1, state.records);
	ASSERT_EQ(1, store_reader_next(reader, &r));
	EXPECT_EQ(1, r.content);
	EXPECT_EQ(0, memcmp("1", r.value, 1));
	EXPECT_EQ(0, store_reader_next(reader, &r));
	store_reader_close(reader);
}

/* Writes and receives until it is killed; tells through a pipe how far it is. */
#define KEYS	500U

static void name_write(char key[24], char value[32], unsigned int round, u32 i)
{
	snprintf(key, 24, "key %u", i % KEYS);
	snprintf(value, 32, "%u in round %u", i, round);
}

static void write_for_ever(const char *dir, unsigned int round, int tell)
{
	char error[256], key[24], value[32];
	struct store *s = store_open(dir, MAP_SIZE, error, sizeof(error));
	u32 i;

	if (!s)
		_exit(1);
	for (i = 0;; i++) {
		name_write(key, value, round, i);
		if (put_alone(s, 1, key, value))
			_exit(2);
		if (i % 50 == 0 && (store_receive_begin(s) ||
				    store_begin_received(s) ||
				    put(s, 1, "half", "received") ||
				    store_commit(s)))
			_exit(3);
		if (write(tell, &i, sizeof(i)) != sizeof(i))
			_exit(4);
	}
}

/* Kills a writer after so many writes. Return: the last one that it told of. */
static u32 kill_writer(const char *dir, unsigned int round, u32 writes)
{
	int status = 0, tell[2];
	u32 last = 0, i;
	pid_t child;

	if (pipe(tell))
		return UINT32_MAX;
	child = fork();
	if (!child)
		write_for_ever(dir, round, tell[1]);
	close(tell[1]);
	for (i = 0; i < writes && read(tell[0], &last, sizeof(last)) == 4; i++)
		;
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	while (read(tell[0], &last, sizeof(last)) == 4)
		;
	close(tell[0]);
	return i == writes && WIFSIGNALED(status) ? last : UINT32_MAX;
}

/* Each of the last writes told of, but the one that may have replaced it. */
static u32 missing_writes(struct store *s, unsigned int round, u32 last)
{
	u32 first = last < KEYS - 1 ? 0 : last - (KEYS - 2);
	char key[24], value[32], got[32];
	u32 missing = 0, i;

	for (i = first; i <= last; i++) {
		name_write(key, value, round, i);
		if (store_get(s, 1, key, strlen(key), got, sizeof(got)) !=
			    (int)strlen(value) ||
		    memcmp(got, value, strlen(value)))
			missing++;
	}
	return missing;
}

/* KILLS=1000 build/unit/store_test -t survives_sigkill_at_any_moment */
TEST_F_TIMEOUT(store, survives_sigkill_at_any_moment, 3000)
{
	const char *kills = getenv("KILLS");
	unsigned int round, rounds = kills ? (unsigned int)atoi(kills) : 10;
	u64 position = 0;
	u32 last;

	for (round = 0; round < rounds; round++) {
		store_close(self->store);
		self->store = NULL;
		last = kill_writer(self->dir, round, 1 + round * 7919U % 400);
		ASSERT_NE(UINT32_MAX, last);
		self->store = store_open(self->dir, MAP_SIZE, self->error,
					 sizeof(self->error));
		ASSERT_NE(NULL, self->store) TH_LOG("%s", self->error);
		/* All that was told is there; at most one more. */
		EXPECT_EQ(0, missing_writes(self->store, round, last));
		EXPECT_LE(position + last + 1,
			  store_state(self->store)->position);
		EXPECT_GE(position + last + 2,
			  store_state(self->store)->position);
		position = store_state(self->store)->position;
		EXPECT_GE(KEYS, store_state(self->store)->records);
	}
}

TEST_F(store, full_map_is_an_error_and_passes)
{
	char value[SYNC_VALUE_MAX], key[24];
	struct store_record r = { 1, key, 0, value, sizeof(value) };
	struct store_state before;
	int i, rc = 0;

	memset(value, 7, sizeof(value));
	for (i = 0; !rc && i < 2000; i++) {
		before = *store_state(self->store);
		ASSERT_EQ(0, store_begin(self->store));
		r.key_len = (size_t)sprintf(key, "key %d", i);
		rc = store_put(self->store, &r);
		if (rc)
			store_abort(self->store);
		else
			rc = commit(self->store);
	}
	EXPECT_EQ(-ENOSPC, rc);
	EXPECT_LT(500, i);
	EXPECT_TRUE(store_states_equal(&before, store_state(self->store)));
	/* What ends makes room again. */
	for (i = 0; i < 50; i++) {
		ASSERT_EQ(0, store_begin(self->store));
		sprintf(key, "key %d", i);
		ASSERT_EQ(0, del(self->store, 1, key));
		ASSERT_EQ(0, commit(self->store));
	}
	ASSERT_EQ(0, store_begin(self->store));
	r.key_len = (size_t)sprintf(key, "again");
	EXPECT_EQ(0, store_put(self->store, &r));
	EXPECT_EQ(0, commit(self->store));
	ASSERT_NE(NULL, reopen(self)) TH_LOG("%s", self->error);
}

/* A file system in memory of 6 MiB, for this process. */
static bool mount_small(const char *dir)
{
	if (unshare(CLONE_NEWNS) && unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return false;
	mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
	return !mkdir(dir, 0700) &&
	       !mount("small", dir, "tmpfs", 0, "size=6m");
}

/* Without room for a page of its map the process would be killed. */
TEST_F(store, full_file_system_is_an_error_and_passes)
{
	char value[3000], key[24], dir[96];
	struct store_record r = { 1, key, 0, value, sizeof(value) };
	struct store_state before;
	struct store *s;
	int i, rc = 0;

	snprintf(dir, sizeof(dir), "%s/small", self->scratch);
	if (!mount_small(dir))
		SKIP(return, "file systems cannot be mounted here");
	s = store_open(dir, MAP_SIZE, self->error, sizeof(self->error));
	ASSERT_NE(NULL, s) TH_LOG("%s", self->error);
	memset(value, 7, sizeof(value));
	ASSERT_EQ(0, put_alone(s, 1, "first", "call"));
	before = *store_state(s);
	ASSERT_EQ(0, store_begin(s));
	for (i = 0; !rc && i < 4000; i++) {
		r.key_len = (size_t)sprintf(key, "key %d", i);
		rc = store_put(s, &r);
	}
	EXPECT_EQ(-ENOSPC, rc);
	EXPECT_LT(200, i);
	store_abort(s);
	EXPECT_TRUE(store_states_equal(&before, store_state(s)));
	EXPECT_EQ(0, put_alone(s, 1, "second", "call"));
	store_close(s);
	s = store_open(dir, MAP_SIZE, self->error, sizeof(self->error));
	ASSERT_NE(NULL, s) TH_LOG("%s", self->error);
	EXPECT_EQ(2, store_state(s)->records);
	store_close(s);
	umount2(dir, MNT_DETACH);
}

TEST_F(store, second_process_is_refused)
{
	struct store *second = store_open(self->dir, MAP_SIZE, self->error,
					  sizeof(self->error));

	EXPECT_EQ(NULL, second);
	EXPECT_NE(NULL, strstr(self->error, "another ctihad"));
}

TEST_F(store, damage_is_noticed_when_opening)
{
	ASSERT_EQ(0, put_alone(self->store, 1, "damaged-key", "damaged-value"));
	store_close(self->store);
	self->store = NULL;
	ASSERT_TRUE(damage(self->dir, "damaged-value"));
	EXPECT_EQ(NULL, store_open(self->dir, MAP_SIZE, self->error,
				   sizeof(self->error)));
	EXPECT_NE(NULL, strstr(self->error, "remove the directory"));
}

TEST_F(store, check_finds_the_damaged_record)
{
	const struct store_check_limit three = { 3, 1 << 20 };
	struct store_place place = { 0 };
	char key[16], value[32];
	int i, calls = 0, rc;

	ASSERT_EQ(0, store_begin(self->store));
	for (i = 0; i < 10; i++) {
		snprintf(key, sizeof(key), "key %d", i);
		snprintf(value, sizeof(value), "the value of %d.", i);
		ASSERT_EQ(0, put(self->store, 1, key, value));
	}
	ASSERT_EQ(0, commit(self->store));
	while (!(rc = store_check(self->store, &place, three)))
		calls++;
	EXPECT_EQ(-ENOENT, rc);
	EXPECT_EQ(3, calls);
	ASSERT_TRUE(damage(self->dir, "the value of 7."));
	for (calls = 0; !(rc = store_check(self->store, &place, three)); )
		calls++;
	EXPECT_EQ(-EBADMSG, rc);
	EXPECT_EQ(2, calls);
	EXPECT_EQ(1, place.content);
	EXPECT_EQ(5, place.key_len);
	EXPECT_EQ(0, memcmp("key 7", place.key, 5));
	/* It goes on behind it, and begins anew. */
	EXPECT_EQ(-ENOENT, store_check(self->store, &place, three));
	EXPECT_EQ(0, place.content);
	EXPECT_EQ(0, place.key_len);
}

TEST_F(store, check_of_a_few_large_records_stops_early)
{
	const struct store_check_limit limit = { 1000, 20000 };
	struct store_place place = { 0 };
	static char value[SYNC_VALUE_MAX];
	struct store_record r = { 1, "a", 1, value, sizeof(value) };

	memset(value, 'v', sizeof(value));
	ASSERT_EQ(0, store_begin(self->store));
	ASSERT_EQ(0, store_put(self->store, &r));
	r.key = "b";
	ASSERT_EQ(0, store_put(self->store, &r));
	r.key = "c";
	ASSERT_EQ(0, store_put(self->store, &r));
	ASSERT_EQ(0, commit(self->store));
	ASSERT_EQ(0, store_check(self->store, &place, limit));
	EXPECT_EQ('b', place.key[0]);
	EXPECT_EQ(-ENOENT, store_check(self->store, &place, limit));
}

TEST(store_of_no_permission_names_the_remedy)
{
	char error[256] = "";

	EXPECT_EQ(NULL, store_open("/proc/ctiha/none", MAP_SIZE, error,
				   sizeof(error)));
	EXPECT_NE(NULL, strstr(error, "/proc/ctiha/none"));
	EXPECT_NE(NULL, strstr(error, "check path"));
}

TEST_HARNESS_MAIN
