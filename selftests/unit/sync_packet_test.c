// SPDX-License-Identifier: GPL-2.0-or-later
/* Sync packets: every way of damaging one is noticed. b2, c2. */
#include <stdlib.h>

#include <zdict.h>
#include <zstd.h>

#include "kselftest_harness.h"

#include "common/mac.h"
#include "daemon/sync/packet.h"
#include "daemon/sync/sync.h"

FIXTURE(packet)
{
	struct packet_codec *codec;
	struct ctiha_mac_key key;
	u8 *raw;
	u8 *sealed;
	size_t len;
	struct packet_head head;
};

FIXTURE_SETUP(packet)
{
	u8 key[CTIHA_KEY_LEN] = "the pair's key";

	self->codec = packet_codec_new();
	self->raw = calloc(1, PACKET_RAW_MAX);
	self->sealed = malloc(PACKET_MAX);
	ASSERT_NE(NULL, self->codec);
	ASSERT_NE(NULL, self->raw);
	ASSERT_NE(NULL, self->sealed);
	mac_key_set(&self->key, key);
	self->head = (struct packet_head){
		.content = SYNC_CONTENT_CALL, .pair = 0x01020304, .node = 1,
		.epoch = 0x1112131415161718, .sequence = 0x2122232425262728,
	};
}

FIXTURE_TEARDOWN(packet)
{
	packet_codec_free(self->codec);
	free(self->raw);
	free(self->sealed);
}

static void seal(FIXTURE_DATA(packet) *self, size_t raw_len)
{
	const u8 *sealed;

	self->head.raw_len = (u32)raw_len;
	sealed = packet_seal(self->codec, &self->key, &self->head, self->raw,
			     &self->len);
	memcpy(self->sealed, sealed, self->len);
}

/* In an allocation of just its size, so that a sanitizer sees any overrun. */
static enum packet_error open_sealed(FIXTURE_DATA(packet) *self, size_t len,
				     struct packet *packet)
{
	u8 *copy = malloc(len ? len : 1);
	enum packet_error error;

	memcpy(copy, self->sealed, len);
	error = packet_open(self->codec, &self->key, copy, len, packet);
	free(copy);
	return error;
}

/* Recomputes the check code: what an authentic but broken sender would send. */
static void reseal(FIXTURE_DATA(packet) *self)
{
	ctiha_mac(&self->key, self->sealed, self->len - PACKET_TAIL_LEN,
		  self->sealed + self->len - PACKET_TAIL_LEN);
}

TEST_F(packet, totals_travel)
{
	static struct packet_totals sent, got;
	struct packet p;
	u16 i;

	sent.epoch = 7;
	sent.position = 0x0102030405060708;
	for (i = 0; i < STORE_CONTENT_MAX; i++)
		sent.of[sent.count++] = (struct packet_total){
			(u16)(i + 1), i, { i * 3U, ~(u64)i },
		};
	self->head.content = PACKET_TOTALS;
	seal(self, packet_write_totals(self->raw, &sent));
	ASSERT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
	ASSERT_EQ(0, packet_read_totals(&p, &got));
	EXPECT_EQ(0, memcmp(&sent, &got, sizeof(got)));
	/* One entry less than said, or twice the same content. */
	p.head.raw_len -= PACKET_TOTAL_LEN;
	EXPECT_EQ(-EPROTO, packet_read_totals(&p, &got));
	p.head.raw_len = PACKET_TOTALS_LEN - 1;
	EXPECT_EQ(-EPROTO, packet_read_totals(&p, &got));
	sent.of[1].content = 1;
	seal(self, packet_write_totals(self->raw, &sent));
	ASSERT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
	EXPECT_EQ(-EPROTO, packet_read_totals(&p, &got));
	sent.of[1].content = 0;
	seal(self, packet_write_totals(self->raw, &sent));
	ASSERT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
	EXPECT_EQ(-EPROTO, packet_read_totals(&p, &got));
}

#define SAMPLES		1000
#define SAMPLE_LEN	120

/* A record with little that repeats in itself, and much that others have too. */
static void sample(u8 to[SAMPLE_LEN], unsigned int i)
{
	char text[SAMPLE_LEN + 1];

	memset(to, 0, SAMPLE_LEN);
	snprintf(text, sizeof(text), "call=%u;agent=%u;queue=support-%u;language=en;contract=K%u;menu=4711.%u;state=talking;route=6001;callback=no",
		 i * 7919, i * 31 % 500, i % 9, i * 104729, i % 7);
	memcpy(to, text, strlen(text) < SAMPLE_LEN ? strlen(text) : SAMPLE_LEN);
}

static size_t train(u8 *dictionary, size_t size, unsigned int from)
{
	static u8 samples[SAMPLES][SAMPLE_LEN];
	size_t sizes[SAMPLES];
	unsigned int i;

	for (i = 0; i < SAMPLES; i++) {
		sample(samples[i], from + i);
		sizes[i] = SAMPLE_LEN;
	}
	return ZDICT_trainFromBuffer(dictionary, size, samples, sizes, SAMPLES);
}

static size_t seal_sample(FIXTURE_DATA(packet) *self, unsigned int i)
{
	sample(self->raw, i);
	sample(self->raw + SAMPLE_LEN, i + 1);
	self->head.flags = PACKET_DICTIONARY;
	seal(self, 2 * SAMPLE_LEN);
	return self->len;
}

TEST_F(packet, dictionary_shrinks_what_both_know)
{
	u8 bytes[8192], expected[2 * SAMPLE_LEN];
	size_t without, with, len = train(bytes, sizeof(bytes), 0);
	struct packet p;

	ASSERT_FALSE(ZDICT_isError(len));
	without = seal_sample(self, 5000);
	EXPECT_FALSE(self->head.flags & PACKET_DICTIONARY);
	ASSERT_EQ(0, packet_codec_learn(self->codec, bytes, len));
	EXPECT_NE(0, packet_codec_dictionary(self->codec));
	with = seal_sample(self, 5000);
	EXPECT_TRUE(self->head.flags & PACKET_DICTIONARY);
	EXPECT_LT(with + 50, without);
	memcpy(expected, self->raw, sizeof(expected));
	ASSERT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
	EXPECT_EQ(0, memcmp(expected, p.raw, sizeof(expected)));
	/* Without being asked for it is not used. */
	self->head.flags = 0;
	seal(self, 2 * SAMPLE_LEN);
	EXPECT_FALSE(self->head.flags & PACKET_DICTIONARY);
	EXPECT_EQ(without, self->len);
}

TEST_F(packet, dictionary_before_the_last_is_still_known)
{
	static u8 bytes[3][8192];
	size_t len[3];
	struct packet p;
	int i;

	for (i = 0; i < 3; i++)
		len[i] = train(bytes[i], sizeof(bytes[i]), 100000U * i);
	ASSERT_EQ(0, packet_codec_learn(self->codec, bytes[0], len[0]));
	seal_sample(self, 1);
	ASSERT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
	ASSERT_EQ(0, packet_codec_learn(self->codec, bytes[1], len[1]));
	EXPECT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
	/* The same again drops nothing. */
	ASSERT_EQ(0, packet_codec_learn(self->codec, bytes[1], len[1]));
	EXPECT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
	ASSERT_EQ(0, packet_codec_learn(self->codec, bytes[2], len[2]));
	EXPECT_EQ(PACKET_BAD_DICTIONARY, open_sealed(self, self->len, &p));
	/* None at all. */
	ASSERT_EQ(0, packet_codec_learn(self->codec, NULL, 0));
	EXPECT_EQ(0, packet_codec_dictionary(self->codec));
	seal_sample(self, 1);
	EXPECT_FALSE(self->head.flags & PACKET_DICTIONARY);
}

TEST_F(packet, what_is_no_dictionary_is_refused)
{
	static u8 bytes[8192];
	size_t len = train(bytes, sizeof(bytes), 0), i;

	EXPECT_EQ(-EINVAL, packet_codec_learn(self->codec, "not one", 7));
	EXPECT_EQ(-EINVAL, packet_codec_learn(self->codec, bytes, 7));
	/* Its tables damaged: refused, or usable; never a crash. */
	for (i = 8; i < 200; i++) {
		bytes[i] ^= 0x55;
		packet_codec_learn(self->codec, bytes, len);
		seal_sample(self, (unsigned int)i);
		bytes[i] ^= 0x55;
	}
}

TEST_F(packet, flag_without_compression_is_refused)
{
	struct packet p;

	self->head.flags = 0;
	seal(self, 20);
	self->sealed[5] |= PACKET_DICTIONARY;
	reseal(self);
	EXPECT_EQ(PACKET_BAD_HEAD, open_sealed(self, self->len, &p));
}

static void put_u32(u8 *at, u32 value)
{
	at[0] = (u8)(value >> 24);
	at[1] = (u8)(value >> 16);
	at[2] = (u8)(value >> 8);
	at[3] = (u8)value;
}

static size_t fill_records(u8 *raw, u32 count)
{
	char key[16], value[] = "call control block, state, parties, times";
	size_t len = PACKET_RECORDS_LEN;
	u32 i;

	for (i = 0; i < count; i++) {
		size_t key_len = (size_t)sprintf(key, "%u", i);
		bool put = i % 3;

		packet_write_record(raw + len, put ? PACKET_PUT : PACKET_DELETE,
				    key, key_len, value,
				    put ? sizeof(value) : 0);
		len += packet_record_size(key_len, put ? sizeof(value) : 0);
	}
	packet_write_records(raw, 1000, count);
	return len;
}

TEST_F(packet, bytes_are_where_the_document_says)
{
	static const u8 head[] = {
		'C', 'T', 'I', 'S', 1, 0, 0, 1, 1, 2, 3, 4, 0, 0, 0, 5,
		0, 0, 0, 5, 1, 0, 0, 0, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16,
		0x17, 0x18, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28,
		'h', 'e', 'l', 'l', 'o',
	};

	memcpy(self->raw, "hello", 5);
	seal(self, 5);
	ASSERT_EQ(sizeof(head) + PACKET_TAIL_LEN, self->len);
	EXPECT_EQ(0, memcmp(head, self->sealed, sizeof(head)));
	EXPECT_EQ(0, memcmp("SITC", self->sealed + self->len - 4, 4));
}

TEST_F(packet, comes_back_as_it_was)
{
	static const size_t sizes[] = { 0, 1, 127, 128, 5000, PACKET_RAW_MAX };
	struct packet p;
	size_t i, j;

	for (j = 0; j < PACKET_RAW_MAX; j++)
		self->raw[j] = (u8)(j / 7);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		seal(self, sizes[i]);
		ASSERT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
		EXPECT_EQ(sizes[i], p.head.raw_len);
		EXPECT_EQ(0, memcmp(self->raw, p.raw, sizes[i]));
		EXPECT_EQ(self->head.epoch, p.head.epoch);
		EXPECT_EQ(self->head.sequence, p.head.sequence);
		EXPECT_EQ(self->head.pair, p.head.pair);
		EXPECT_EQ(self->head.node, p.head.node);
		EXPECT_EQ(self->head.content, p.head.content);
	}
	EXPECT_TRUE(self->head.flags & PACKET_COMPRESSED);
	EXPECT_GT(PACKET_RAW_MAX / 4, self->len);
}

TEST_F(packet, what_does_not_shrink_travels_as_it_is)
{
	struct packet p;
	u32 x = 1;
	size_t i;

	for (i = 0; i < 60000; i++) {
		x = x * 1664525 + 1013904223;
		self->raw[i] = (u8)(x >> 24);
	}
	seal(self, 60000);
	EXPECT_FALSE(self->head.flags & PACKET_COMPRESSED);
	EXPECT_EQ(60000 + PACKET_HEAD_LEN + PACKET_TAIL_LEN, self->len);
	ASSERT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
	EXPECT_EQ(0, memcmp(self->raw, p.raw, 60000));
}

TEST_F(packet, truncation_at_every_length_is_noticed)
{
	struct packet p;
	size_t len;

	seal(self, fill_records(self->raw, 50));
	ASSERT_TRUE(self->head.flags & PACKET_COMPRESSED);
	for (len = 0; len < self->len; len++)
		EXPECT_EQ(PACKET_BAD_LENGTH, open_sealed(self, len, &p));
	self->sealed[self->len] = 0;
	EXPECT_EQ(PACKET_BAD_LENGTH, open_sealed(self, self->len + 1, &p));
	EXPECT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
}

TEST_F(packet, every_flipped_bit_is_noticed)
{
	struct packet p;
	size_t bit;

	seal(self, fill_records(self->raw, 50));
	for (bit = 0; bit < self->len * 8; bit++) {
		self->sealed[bit / 8] ^= (u8)(1 << bit % 8);
		EXPECT_NE(PACKET_OK, open_sealed(self, self->len, &p)) {
			TH_LOG("bit %zu", bit);
		}
		self->sealed[bit / 8] ^= (u8)(1 << bit % 8);
	}
	EXPECT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
}

TEST_F(packet, wrong_key_is_noticed)
{
	u8 other[CTIHA_KEY_LEN] = "another pair's key";
	struct packet p;

	seal(self, 10);
	mac_key_set(&self->key, other);
	EXPECT_EQ(PACKET_FORGED, open_sealed(self, self->len, &p));
}

TEST_F(packet, measure_bounds_every_length)
{
	static const u32 huge[] = { PACKET_RAW_MAX + 1, 1U << 31, UINT32_MAX };
	size_t len, i;

	seal(self, 1000);
	ASSERT_EQ(PACKET_OK, packet_measure(self->sealed, &len));
	EXPECT_EQ(self->len, len);
	for (i = 0; i < ARRAY_SIZE(huge); i++) {
		put_u32(self->sealed + 12, huge[i]);
		EXPECT_EQ(PACKET_BAD_LENGTH, packet_measure(self->sealed, &len));
	}
	seal(self, 1000);
	for (i = 0; i < ARRAY_SIZE(huge); i++) {
		put_u32(self->sealed + 16, huge[i]);
		EXPECT_EQ(PACKET_BAD_LENGTH, packet_measure(self->sealed, &len));
	}
	/* Compressed must be shorter, not compressed equal. */
	seal(self, 1000);
	put_u32(self->sealed + 16, 1000);
	EXPECT_EQ(PACKET_BAD_LENGTH, packet_measure(self->sealed, &len));
	self->sealed[5] &= (u8)~PACKET_COMPRESSED;
	EXPECT_EQ(PACKET_OK, packet_measure(self->sealed, &len));
	put_u32(self->sealed + 16, 999);
	EXPECT_EQ(PACKET_BAD_LENGTH, packet_measure(self->sealed, &len));
}

TEST_F(packet, foreign_heads_are_refused)
{
	static const struct { size_t offset; u8 value; } bad[] = {
		{ 0, 'X' }, { 3, 'T' }, { 4, 0 }, { 4, 2 }, { 5, 4 }, { 5, 128 },
		{ 20, 2 }, { 21, 1 }, { 22, 1 }, { 23, 1 },
	};
	size_t len, i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		seal(self, 10);
		self->sealed[bad[i].offset] = bad[i].value;
		EXPECT_EQ(PACKET_BAD_HEAD, packet_measure(self->sealed, &len));
	}
}

/* A payload that unpacks to more, or less, than its head says. */
TEST_F(packet, bombs_do_not_go_off)
{
	static const u32 claims[] = { 200, 999, 1001, 100000 };
	struct packet p;
	size_t i;

	memset(self->raw, 0, PACKET_RAW_MAX);
	for (i = 0; i < ARRAY_SIZE(claims); i++) {
		seal(self, 1000);
		ASSERT_TRUE(self->head.flags & PACKET_COMPRESSED);
		put_u32(self->sealed + 12, claims[i]);
		reseal(self);
		EXPECT_EQ(PACKET_BAD_PAYLOAD,
			  open_sealed(self, self->len, &p));
	}
	/* A megabyte of zeros in a few bytes, said to be 200 bytes. */
	seal(self, PACKET_RAW_MAX);
	EXPECT_GT(200, self->head.payload_len);
	put_u32(self->sealed + 12, 200);
	reseal(self);
	EXPECT_EQ(PACKET_BAD_PAYLOAD, open_sealed(self, self->len, &p));
	/* Garbage with a right check code. */
	seal(self, 1000);
	memset(self->sealed + PACKET_HEAD_LEN, 0x5a, self->head.payload_len);
	reseal(self);
	EXPECT_EQ(PACKET_BAD_PAYLOAD, open_sealed(self, self->len, &p));
}

/* Packs zeros without stating in the zstd frame how many they are. */
static size_t pack_unsized(u8 *to, size_t size, size_t zeros)
{
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	ZSTD_outBuffer out = { to, size, 0 };
	u8 *from = calloc(1, zeros);
	ZSTD_inBuffer in = { from, zeros, 0 };
	size_t left = 1;

	if (ctx && from) {
		ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, 0);
		left = ZSTD_compressStream2(ctx, &out, &in, ZSTD_e_end);
	}
	ZSTD_freeCCtx(ctx);
	free(from);
	return left ? 0 : out.pos;
}

TEST_F(packet, bomb_of_unknown_size_does_not_go_off)
{
	struct packet p;
	size_t packed;

	seal(self, 1000);
	packed = pack_unsized(self->sealed + PACKET_HEAD_LEN, 999, 65536);
	ASSERT_NE(0, packed);
	self->len = PACKET_HEAD_LEN + packed + PACKET_TAIL_LEN;
	put_u32(self->sealed + 16, (u32)packed);
	memcpy(self->sealed + self->len - 4, "SITC", 4);
	reseal(self);
	EXPECT_EQ(PACKET_BAD_PAYLOAD, open_sealed(self, self->len, &p));
	put_u32(self->sealed + 12, 65536);
	reseal(self);
	EXPECT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
}

TEST_F(packet, records_come_back_in_order)
{
	size_t len = fill_records(self->raw, 200);
	struct packet_cursor cursor;
	struct store_record r;
	enum packet_op op;
	struct packet p;
	char key[16];
	u64 first;
	u32 count, i;

	seal(self, len);
	ASSERT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
	ASSERT_EQ(0, packet_read_records(&p, &first, &count, &cursor));
	EXPECT_EQ(1000, first);
	EXPECT_EQ(200, count);
	for (i = 0; i < count; i++) {
		ASSERT_TRUE(packet_next_record(&cursor, &op, &r));
		EXPECT_EQ(i % 3 ? PACKET_PUT : PACKET_DELETE, op);
		EXPECT_EQ(SYNC_CONTENT_CALL, r.content);
		EXPECT_EQ(sprintf(key, "%u", i), r.key_len);
		EXPECT_EQ(0, memcmp(key, r.key, r.key_len));
		EXPECT_EQ(i % 3 ? 42 : 0, r.value_len);
	}
	EXPECT_FALSE(packet_next_record(&cursor, &op, &r));
}

/* Parses raw as a packet's payload, in an allocation of just its size. */
static int parse(u16 content, u8 flags, const u8 *raw, size_t len)
{
	struct packet_cursor cursor;
	u8 *copy = malloc(len ? len : 1);
	struct packet p = {
		.head = { .content = content, .flags = flags,
			  .raw_len = (u32)len },
		.raw = copy,
	};
	u64 first;
	u32 count;
	int rc;

	memcpy(copy, raw, len);
	rc = packet_read_records(&p, &first, &count, &cursor);
	free(copy);
	return rc;
}

TEST_F(packet, malformed_records_are_refused)
{
	size_t len = fill_records(self->raw, 4), cut;
	u8 *r = self->raw, *second = r + PACKET_RECORDS_LEN + 5;

	ASSERT_EQ(0, parse(1, 0, r, len));
	for (cut = 0; cut < len; cut++)
		EXPECT_EQ(-EPROTO, parse(1, 0, r, cut));
	EXPECT_EQ(-EPROTO, parse(1, 0, r, len + 1));
	EXPECT_EQ(-EPROTO, parse(0, 0, r, len));
	EXPECT_EQ(-EPROTO, parse(STORE_CONTENT_MAX + 1, 0, r, len));
	EXPECT_EQ(0, parse(STORE_CONTENT_MAX, 0, r, len));
	/* There is nothing to delete in a snapshot. */
	EXPECT_EQ(-EPROTO, parse(1, PACKET_SNAPSHOT, r, len));

	packet_write_records(r, 1, 0);
	EXPECT_EQ(-EPROTO, parse(1, 0, r, len));
	EXPECT_EQ(-EPROTO, parse(1, 0, r, PACKET_RECORDS_LEN));
	packet_write_records(r, 1, 5);
	EXPECT_EQ(-EPROTO, parse(1, 0, r, len));
	packet_write_records(r, 1, UINT32_MAX);
	EXPECT_EQ(-EPROTO, parse(1, 0, r, len));
	packet_write_records(r, 1, 4);
	ASSERT_EQ(PACKET_PUT, second[0]);
	second[0] = 4;
	EXPECT_EQ(-EPROTO, parse(1, 0, r, len));
	second[0] = PACKET_DELETE;	/* with a value */
	EXPECT_EQ(-EPROTO, parse(1, 0, r, len));
	second[0] = PACKET_PUT;
	second[1] = 0;
	EXPECT_EQ(-EPROTO, parse(1, 0, r, len));
	second[1] = 255;
	EXPECT_EQ(-EPROTO, parse(1, 0, r, len));
	second[1] = 1;
	second[2] = 0xff;
	EXPECT_EQ(-EPROTO, parse(1, 0, r, len));
	second[2] = 0;
	EXPECT_EQ(0, parse(1, 0, r, len));
}

/* Two records of different contents that stand for five writes. */
static size_t fill_merged(u8 *raw)
{
	const struct store_record call = { 1, "a", 1, "value", 5 };
	const struct store_record agent = { 2, "bb", 2, NULL, 0 };
	u8 *to = raw + PACKET_RECORDS_LEN;

	packet_write_merged(raw, 10, 2, 3);
	packet_write_merged_record(to, PACKET_PUT, &call);
	to += packet_merged_record_size(&call);
	packet_write_merged_record(to, PACKET_DELETE, &agent);
	to += packet_merged_record_size(&agent);
	return (size_t)(to - raw);
}

TEST_F(packet, merged_records_come_back)
{
	struct packet p = {
		.head = { .content = PACKET_MERGED,
			  .raw_len = (u32)fill_merged(self->raw) },
		.raw = self->raw,
	};
	struct packet_cursor cursor;
	struct store_record r;
	enum packet_op op;
	u64 first;
	u32 writes;

	ASSERT_EQ(0, packet_read_records(&p, &first, &writes, &cursor));
	EXPECT_EQ(10, first);
	EXPECT_EQ(5, writes);
	ASSERT_TRUE(packet_next_record(&cursor, &op, &r));
	EXPECT_EQ(PACKET_PUT, op);
	EXPECT_EQ(1, r.content);
	EXPECT_EQ(0, memcmp(r.key, "a", 1));
	EXPECT_EQ(5, r.value_len);
	EXPECT_EQ(0, memcmp(r.value, "value", 5));
	ASSERT_TRUE(packet_next_record(&cursor, &op, &r));
	EXPECT_EQ(PACKET_DELETE, op);
	EXPECT_EQ(2, r.content);
	EXPECT_EQ(2, r.key_len);
	EXPECT_FALSE(packet_next_record(&cursor, &op, &r));
}

TEST_F(packet, malformed_merged_records_are_refused)
{
	u8 *r = self->raw, *content = r + PACKET_RECORDS_LEN + 4;
	size_t len = fill_merged(r), cut;

	for (cut = 0; cut < len; cut++)
		EXPECT_EQ(-EPROTO, parse(PACKET_MERGED, 0, r, cut));
	EXPECT_EQ(-EPROTO, parse(PACKET_MERGED, 0, r, len + 1));
	/* As other kinds of packets. */
	EXPECT_EQ(-EPROTO, parse(PACKET_MERGED, PACKET_SNAPSHOT, r, len));
	EXPECT_EQ(-EPROTO, parse(PACKET_MERGED + 1, 0, r, len));
	EXPECT_EQ(-EPROTO, parse(1, 0, r, len));
	packet_write_merged(r, 10, 2, UINT32_MAX - 1);
	EXPECT_EQ(-EPROTO, parse(PACKET_MERGED, 0, r, len));
	packet_write_merged(r, 10, 2, UINT32_MAX - 2);
	EXPECT_EQ(0, parse(PACKET_MERGED, 0, r, len));
	packet_write_merged(r, 10, 0, 5);
	EXPECT_EQ(-EPROTO, parse(PACKET_MERGED, 0, r, PACKET_RECORDS_LEN));
	packet_write_merged(r, 10, 2, 3);
	content[1] = 0;
	EXPECT_EQ(-EPROTO, parse(PACKET_MERGED, 0, r, len));
	content[0] = 1;
	EXPECT_EQ(-EPROTO, parse(PACKET_MERGED, 0, r, len));
	content[0] = 0;
	content[1] = STORE_CONTENT_MAX;
	EXPECT_EQ(0, parse(PACKET_MERGED, 0, r, len));
}

/* There is nothing to change in a snapshot, and by nothing. */
TEST_F(packet, patches_have_their_place)
{
	u8 *r = self->raw + PACKET_RECORDS_LEN;
	size_t len = PACKET_RECORDS_LEN + packet_record_size(1, 1);

	packet_write_records(self->raw, 1, 1);
	packet_write_record(r, PACKET_PATCH, "k", 1, "p", 1);
	EXPECT_EQ(0, parse(1, 0, self->raw, len));
	EXPECT_EQ(-EPROTO, parse(1, PACKET_SNAPSHOT, self->raw, len));
	packet_write_record(r, PACKET_PUT, "k", 1, "p", 1);
	EXPECT_EQ(0, parse(1, PACKET_SNAPSHOT, self->raw, len));
	packet_write_record(r, PACKET_PATCH, "k", 1, "", 0);
	EXPECT_EQ(-EPROTO, parse(1, 0, self->raw, len - 1));
}

TEST_F(packet, lengths_of_a_record_are_bounded)
{
	static u8 big[SYNC_VALUE_MAX + 1];
	u8 *r = self->raw + PACKET_RECORDS_LEN;

	packet_write_records(self->raw, 1, 1);
	packet_write_record(r, PACKET_PUT, big, SYNC_KEY_MAX, big,
			    SYNC_VALUE_MAX);
	EXPECT_EQ(0, parse(1, 0, self->raw, PACKET_RECORDS_LEN +
			   packet_record_size(SYNC_KEY_MAX, SYNC_VALUE_MAX)));
	packet_write_record(r, PACKET_PUT, big, SYNC_KEY_MAX + 1, big, 1);
	EXPECT_EQ(-EPROTO, parse(1, 0, self->raw, PACKET_RECORDS_LEN +
				 packet_record_size(SYNC_KEY_MAX + 1, 1)));
	packet_write_record(r, PACKET_PUT, big, 1, big, SYNC_VALUE_MAX + 1);
	EXPECT_EQ(-EPROTO, parse(1, 0, self->raw, PACKET_RECORDS_LEN +
				 packet_record_size(1, SYNC_VALUE_MAX + 1)));
}

TEST_F(packet, reports_and_hellos_come_back)
{
	const struct packet_report report = {
		.state = { 1, 2, 3, { 4, U64_MAX } }, .stamp = 5,
		.transfers = 6, .synced = PACKET_AS_BEFORE,
	};
	const struct packet_hello hello = { "0123456789abcde", 1, 6 };
	struct packet_report r;
	struct packet_hello h;
	struct packet p;

	packet_write_report(self->raw, &report);
	seal(self, PACKET_REPORT_LEN);
	ASSERT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
	ASSERT_EQ(0, packet_read_report(&p, &r));
	EXPECT_TRUE(store_states_equal(&report.state, &r.state));
	EXPECT_EQ(5, r.stamp);
	EXPECT_EQ(6, r.transfers);
	EXPECT_EQ(PACKET_AS_BEFORE, r.synced);
	EXPECT_EQ(-EPROTO, packet_read_hello(&p, &h));

	self->raw[52] = PACKET_AS_BEFORE + 1;
	seal(self, PACKET_REPORT_LEN);
	ASSERT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
	EXPECT_EQ(-EPROTO, packet_read_report(&p, &r));

	packet_write_hello(self->raw, &hello);
	seal(self, PACKET_HELLO_LEN);
	ASSERT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
	ASSERT_EQ(0, packet_read_hello(&p, &h));
	EXPECT_EQ(0, memcmp(hello.nonce, h.nonce, PACKET_NONCE_LEN));
	EXPECT_EQ(1, h.welcome);
	EXPECT_EQ(6, h.features);
	EXPECT_EQ(-EPROTO, packet_read_report(&p, &r));
}

TEST_F(packet, place_in_a_snapshot_comes_back)
{
	struct packet_partial partial = {
		.state = { 1, 2, 3, { 4, U64_MAX } }, .received = 2,
		.content = 7, .key_len = SYNC_KEY_MAX,
	};
	struct packet_partial got;
	struct packet p;

	memset(partial.key, 'k', sizeof(partial.key));
	packet_write_partial(self->raw, &partial);
	seal(self, PACKET_PARTIAL_LEN);
	ASSERT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
	ASSERT_EQ(0, packet_read_partial(&p, &got));
	EXPECT_TRUE(store_states_equal(&partial.state, &got.state));
	EXPECT_EQ(2, got.received);
	EXPECT_EQ(7, got.content);
	EXPECT_EQ(SYNC_KEY_MAX, got.key_len);
	EXPECT_EQ(0, memcmp(partial.key, got.key, SYNC_KEY_MAX));

	self->raw[50] = SYNC_KEY_MAX + 1;
	seal(self, PACKET_PARTIAL_LEN);
	ASSERT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
	EXPECT_EQ(-EPROTO, packet_read_partial(&p, &got));
	self->raw[50] = 0;
	seal(self, PACKET_PARTIAL_LEN);
	ASSERT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
	EXPECT_EQ(-EPROTO, packet_read_partial(&p, &got));
	partial.received = 0;
	packet_write_partial(self->raw, &partial);
	seal(self, PACKET_PARTIAL_LEN);
	ASSERT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
	EXPECT_EQ(-EPROTO, packet_read_partial(&p, &got));
	seal(self, PACKET_REPORT_LEN);
	ASSERT_EQ(PACKET_OK, open_sealed(self, self->len, &p));
	EXPECT_EQ(-EPROTO, packet_read_partial(&p, &got));
}

TEST_HARNESS_MAIN
