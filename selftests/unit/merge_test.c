// SPDX-License-Identifier: GPL-2.0-or-later
/* Batches merged into one packet: what it does to a store is the same (issue 4.5). */
#include "kselftest_harness.h"

#include "daemon/sync/merge.h"
#include "daemon/sync/patch.h"

#define CONTENTS	3
#define KEYS		400
#define BATCHES		2000
#define VALUE		24

/* Values by content and key; 0: there is none. */
struct model {
	u32 value[CONTENTS + 1][KEYS];
};

FIXTURE(merge)
{
	struct merge merge;
	struct backlog backlog;
	struct model model;
	unsigned int seed;
	u64 position;
};

FIXTURE_SETUP(merge)
{
	backlog_init(&self->backlog);
	merge_reset(&self->merge);
	self->seed = 7;
	self->position = 500;
}

FIXTURE_TEARDOWN(merge)
{
	static const struct store_state nothing;

	backlog_reset(&self->backlog, &nothing);
	merge_free(&self->merge);
}

/* Return: op, and the bytes that travel, for a record that goes from @old to @new. */
static enum packet_op change(u32 old, u32 new, bool patch, u8 *bytes, size_t *len)
{
	u8 before[VALUE] = "", after[VALUE] = "";

	memcpy(before, &old, sizeof(old));
	memcpy(after, &new, sizeof(new));
	*len = 0;
	if (!new)
		return PACKET_DELETE;
	if (patch) {
		*len = patch_make(bytes, VALUE, before, VALUE, after, VALUE);
		return PACKET_PATCH;
	}
	*len = VALUE;
	memcpy(bytes, after, VALUE);
	return PACKET_PUT;
}

/* A batch of up to five random writes of one content. */
static struct backlog_batch *batch(FIXTURE_DATA(merge) *t)
{
	struct backlog_batch *b = malloc(sizeof(*b) + 4096);
	enum packet_op op;
	u8 bytes[VALUE];
	u32 i, key, value, old;
	size_t len;
	bool patch;

	b->content = (u16)(1 + rand_r(&t->seed) % CONTENTS);
	b->count = (u32)(1 + rand_r(&t->seed) % 5);
	b->patched = false;
	b->len = PACKET_RECORDS_LEN;
	packet_write_records(b->raw, t->position + 1, b->count);
	for (i = 0; i < b->count; i++) {
		key = (u32)rand_r(&t->seed) % KEYS;
		value = rand_r(&t->seed) % 4 ? (u32)rand_r(&t->seed) | 1 : 0;
		old = t->model.value[b->content][key];
		patch = old && rand_r(&t->seed) % 4 == 0;
		/* Of which the rest has to be there. */
		if (patch)
			value = old ^ 0x10000;
		op = change(old, value, patch, bytes, &len);
		packet_write_record(b->raw + b->len, op, &key, sizeof(key),
				    bytes, len);
		b->len += packet_record_size(sizeof(key), len);
		t->model.value[b->content][key] = value;
	}
	t->position += b->count;
	memset(&b->after, 0, sizeof(b->after));
	b->after.position = t->position;
	backlog_add(&t->backlog, b);
	return b;
}

/* What the packet makes of @model. Return: writes it stands for, 0: malformed. */
static u32 apply(const u8 *raw, size_t len, struct model *model, u64 *first)
{
	const struct packet packet = {
		.head = { .content = PACKET_MERGED, .raw_len = (u32)len },
		.raw = raw,
	};
	struct packet_cursor cursor;
	struct store_record r;
	enum packet_op op;
	u32 writes, key;

	if (packet_read_records(&packet, first, &writes, &cursor))
		return 0;
	while (packet_next_record(&cursor, &op, &r)) {
		u32 *value;
		u8 after[VALUE] = "", before[VALUE] = "";

		memcpy(&key, r.key, sizeof(key));
		value = &model->value[r.content][key];
		memcpy(before, value, sizeof(*value));
		if (op == PACKET_PUT)
			memcpy(after, r.value, VALUE);
		else if (op == PACKET_PATCH &&
			 patch_apply(after, VALUE, before, VALUE, r.value,
				     r.value_len) != VALUE)
			return 0;
		memcpy(value, after, sizeof(*value));
	}
	return writes;
}

TEST_F(merge, comes_to_the_same_as_one_after_the_other)
{
	struct model merged = { 0 };
	size_t most = PACKET_RECORDS_LEN;
	const u8 *raw;
	u64 first;
	int i;

	for (i = 0; i < BATCHES; i++) {
		struct backlog_batch *b = batch(self);

		most = merge_len_with(&self->merge, b);
		ASSERT_EQ(0, merge_add(&self->merge, b));
		ASSERT_GE(most, self->merge.len + PACKET_RECORDS_LEN);
	}
	/* Each record once, and its patches; there are more writes than that. */
	EXPECT_GE(2 * CONTENTS * KEYS, self->merge.count);
	EXPECT_LT(2000, self->merge.replaced);
	EXPECT_EQ(self->position - 500,
		  self->merge.count + self->merge.replaced);
	raw = merge_write(&self->merge, 501);
	ASSERT_NE(NULL, raw);
	EXPECT_EQ(self->position - 500,
		  apply(raw, self->merge.len, &merged, &first));
	EXPECT_EQ(501, first);
	EXPECT_EQ(0, memcmp(&merged, &self->model, sizeof(merged)));
}

TEST_F(merge, begins_anew)
{
	struct model merged = { 0 };
	struct backlog_batch *b;
	u64 first;
	int i;

	for (i = 0; i < BATCHES; i++)
		ASSERT_EQ(0, merge_add(&self->merge, batch(self)));
	ASSERT_NE(NULL, merge_write(&self->merge, 501));
	memset(&self->model, 0, sizeof(self->model));
	merge_reset(&self->merge);
	b = batch(self);
	ASSERT_EQ(0, merge_add(&self->merge, b));
	EXPECT_EQ(b->count, apply(merge_write(&self->merge, 9),
				  self->merge.len, &merged, &first));
	EXPECT_EQ(9, first);
	EXPECT_EQ(0, memcmp(&merged, &self->model, sizeof(merged)));
}

TEST_HARNESS_MAIN
