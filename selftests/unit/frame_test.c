// SPDX-License-Identifier: GPL-2.0-or-later
/* The heartbeat frame: every byte is meant, and nothing else gets in. */
#include "kselftest_harness.h"

#include <ctiha/frame.h>

#include "common/mac.h"

/* Made with python's struct and hmac, key 00 01 .. 1f; not with our code. */
static const u8 golden[CTIHA_FRAME_LEN] = {
	0x01, 0x01, 0x00, 0x02, 0x01, 0x03, 0x02, 0x01,
	0x01, 0x02, 0x03, 0x04, 0x00, 0x00, 0x27, 0x10,
	0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0xc7,
	0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
	0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x33,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x44,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x55, 0x55,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x67,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x69,
	0x00, 0x00, 0x00, 0x00, 0x77, 0x77, 0x77, 0x77,
	0xde, 0xbf, 0x7b, 0x9a, 0x63, 0x78, 0x9f, 0x29,
	0x02, 0xa0, 0x39, 0xd7, 0xc3, 0xde, 0xfd, 0xf2,
};

/* The same, spoken: all fields differ, so that no two can be mixed up. */
static const struct ctiha_frame spoken = {
	.type = CTIHA_FRAME_HEARTBEAT,
	.session_state = CTIHA_SESSION_UP,
	.diag = CTIHA_DIAG_SILENCE,
	.multiplier = 3,
	.link_kind = CTIHA_LINK_LAN,
	.node = 1,
	.pair = 0x01020304,
	.interval_us = 10000,
	.role = CTIHA_ROLE_ACTIVE,
	.report = CTIHA_REPORT_DAEMON | CTIHA_REPORT_APPLICATION |
		  CTIHA_REPORT_ELIGIBLE | CTIHA_REPORT_L1 | CTIHA_REPORT_L2 |
		  CTIHA_REPORT_L3,
	.my_discr = 0x1111111111111111,
	.your_discr = 0x2222222222222222,
	.seq = 0x33,
	.echo_seq = 0x44,
	.echo_hold_ns = 0x5555,
	.epoch = 0x67,
	.vote_epoch = 0x69,
	.sync_pos = 0x77777777,
};

FIXTURE(frame)
{
	struct ctiha_mac_key key, other;
	const struct ctiha_mac_key *keys[CTIHA_KEY_SLOTS];
	struct ctiha_wire_frame wire;
	struct ctiha_frame said, heard;
};

FIXTURE_SETUP(frame)
{
	u8 bytes[CTIHA_KEY_LEN];
	u8 i;

	for (i = 0; i < CTIHA_KEY_LEN; i++)
		bytes[i] = i;
	mac_key_set(&self->key, bytes);
	bytes[31] ^= 1;
	mac_key_set(&self->other, bytes);
	self->keys[0] = NULL;
	self->keys[1] = &self->key;
	self->said = spoken;
	memset(&self->heard, 0xa5, sizeof(self->heard));
	ctiha_frame_seal(&self->wire, &spoken, 1, &self->key);
}

FIXTURE_TEARDOWN(frame)
{
	mac_key_wipe(&self->key);
	mac_key_wipe(&self->other);
}

TEST_F(frame, seal_writes_the_golden_bytes)
{
	EXPECT_EQ(0, memcmp(&self->wire, golden, sizeof(golden)));
}

TEST_F(frame, open_reads_the_golden_bytes)
{
	const struct ctiha_frame *heard = &self->heard;

	ASSERT_EQ(CTIHA_FRAME_OK, ctiha_frame_open(golden, sizeof(golden),
						   self->keys, &self->heard));
	EXPECT_EQ(spoken.type, heard->type);
	EXPECT_EQ(spoken.session_state, heard->session_state);
	EXPECT_EQ(spoken.diag, heard->diag);
	EXPECT_EQ(spoken.multiplier, heard->multiplier);
	EXPECT_EQ(spoken.link_kind, heard->link_kind);
	EXPECT_EQ(spoken.node, heard->node);
	EXPECT_EQ(spoken.pair, heard->pair);
	EXPECT_EQ(spoken.interval_us, heard->interval_us);
	EXPECT_EQ(spoken.role, heard->role);
	EXPECT_EQ(spoken.report, heard->report);
	EXPECT_EQ(spoken.my_discr, heard->my_discr);
	EXPECT_EQ(spoken.your_discr, heard->your_discr);
	EXPECT_EQ(spoken.seq, heard->seq);
	EXPECT_EQ(spoken.echo_seq, heard->echo_seq);
	EXPECT_EQ(spoken.echo_hold_ns, heard->echo_hold_ns);
	EXPECT_EQ(spoken.epoch, heard->epoch);
	EXPECT_EQ(spoken.vote_epoch, heard->vote_epoch);
	EXPECT_EQ(spoken.sync_pos, heard->sync_pos);
}

TEST_F(frame, every_flipped_bit_is_refused)
{
	const struct ctiha_frame untouched = self->heard;
	u8 *bytes = (u8 *)&self->wire;
	enum ctiha_frame_error expected, error;
	size_t bit;

	for (bit = 0; bit < 8 * CTIHA_FRAME_LEN; bit++) {
		bytes[bit / 8] ^= 1 << bit % 8;
		error = ctiha_frame_open(bytes, CTIHA_FRAME_LEN, self->keys,
					 &self->heard);
		expected = bit / 8 == 0 ? CTIHA_FRAME_BAD_VERSION :
			   bit / 8 == 1 ? CTIHA_FRAME_BAD_KEY :
					  CTIHA_FRAME_FORGED;
		ASSERT_EQ(expected, error)
			TH_LOG("bit %zu", bit);
		bytes[bit / 8] ^= 1 << bit % 8;
	}
	EXPECT_EQ(0, memcmp(&untouched, &self->heard, sizeof(untouched)));
}

TEST_F(frame, every_truncated_length_is_malformed)
{
	size_t len;

	for (len = 0; len < CTIHA_FRAME_LEN; len++)
		ASSERT_EQ(CTIHA_FRAME_MALFORMED,
			  ctiha_frame_open(golden, len, self->keys,
					   &self->heard));
}

TEST_F(frame, no_byte_behind_a_short_frame_is_read)
{
	size_t len = CTIHA_FRAME_LEN - 1;
	u8 *exact = malloc(len);

	/* The address sanitizer watches. */
	memcpy(exact, golden, len);
	EXPECT_EQ(CTIHA_FRAME_MALFORMED,
		  ctiha_frame_open(exact, len, self->keys, &self->heard));
	free(exact);
}

TEST_F(frame, padding_and_alignment_do_not_matter)
{
	u8 padded[CTIHA_FRAME_LEN + 64];

	memset(padded, 0xee, sizeof(padded));
	memcpy(padded + 1, golden, sizeof(golden));
	EXPECT_EQ(CTIHA_FRAME_OK,
		  ctiha_frame_open(padded + 1, sizeof(padded) - 1, self->keys,
				   &self->heard));
	EXPECT_EQ(spoken.seq, self->heard.seq);
}

TEST_F(frame, unknown_versions_are_refused_first)
{
	int version;

	for (version = 0; version < 256; version++) {
		self->wire.version = version;
		self->wire.key_id = 77;
		ASSERT_EQ(version == CTIHA_FRAME_VERSION ?
			  CTIHA_FRAME_BAD_KEY : CTIHA_FRAME_BAD_VERSION,
			  ctiha_frame_open(&self->wire, CTIHA_FRAME_LEN,
					   self->keys, &self->heard));
	}
}

TEST_F(frame, only_filled_key_slots_open)
{
	int slot;

	for (slot = 0; slot < 256; slot++) {
		ctiha_frame_seal(&self->wire, &spoken, slot, &self->key);
		ASSERT_EQ(slot == 1 ? CTIHA_FRAME_OK : CTIHA_FRAME_BAD_KEY,
			  ctiha_frame_open(&self->wire, CTIHA_FRAME_LEN,
					   self->keys, &self->heard));
	}
}

TEST_F(frame, slots_have_keys_of_their_own)
{
	self->keys[0] = &self->other;
	ctiha_frame_seal(&self->wire, &spoken, 0, &self->other);
	EXPECT_EQ(CTIHA_FRAME_OK,
		  ctiha_frame_open(&self->wire, CTIHA_FRAME_LEN, self->keys,
				   &self->heard));
	ctiha_frame_seal(&self->wire, &spoken, 0, &self->key);
	EXPECT_EQ(CTIHA_FRAME_FORGED,
		  ctiha_frame_open(&self->wire, CTIHA_FRAME_LEN, self->keys,
				   &self->heard));
}

/* What an authentic but broken sender may say, and where it goes too far. */
#define EXPECT_SAYING(expected, field, value) do { \
	struct ctiha_frame _said = spoken; \
	_said.field = (value); \
	ctiha_frame_seal(&self->wire, &_said, 1, &self->key); \
	EXPECT_EQ(expected, ctiha_frame_open(&self->wire, CTIHA_FRAME_LEN, \
					     self->keys, &self->heard)) \
		TH_LOG(#field " = " #value); \
} while (0)

TEST_F(frame, limits_are_inside)
{
	EXPECT_SAYING(CTIHA_FRAME_OK, type, CTIHA_FRAME_GOODBYE);
	EXPECT_SAYING(CTIHA_FRAME_OK, session_state, CTIHA_SESSION_DOWN);
	EXPECT_SAYING(CTIHA_FRAME_OK, diag, CTIHA_DIAG_DAMPED);
	EXPECT_SAYING(CTIHA_FRAME_OK, multiplier, CTIHA_MULTIPLIER_MIN);
	EXPECT_SAYING(CTIHA_FRAME_OK, multiplier, CTIHA_MULTIPLIER_MAX);
	EXPECT_SAYING(CTIHA_FRAME_OK, link_kind, CTIHA_LINK_CROSSOVER);
	EXPECT_SAYING(CTIHA_FRAME_OK, node, 0);
	EXPECT_SAYING(CTIHA_FRAME_OK, interval_us, CTIHA_INTERVAL_MIN_US);
	EXPECT_SAYING(CTIHA_FRAME_OK, interval_us, CTIHA_INTERVAL_MAX_US);
	EXPECT_SAYING(CTIHA_FRAME_OK, role, CTIHA_ROLE_INITIAL);
	EXPECT_SAYING(CTIHA_FRAME_OK, my_discr, U64_MAX);
	EXPECT_SAYING(CTIHA_FRAME_OK, seq, U64_MAX);
	EXPECT_SAYING(CTIHA_FRAME_OK, epoch, CTIHA_EPOCH_MAX);
	EXPECT_SAYING(CTIHA_FRAME_OK, vote_epoch, CTIHA_EPOCH_MAX);
	EXPECT_SAYING(CTIHA_FRAME_OK, your_discr, 0);
	EXPECT_SAYING(CTIHA_FRAME_OK, echo_seq, 0);
}

/* A gasp has last words, and nothing else has. */
TEST_F(frame, last_words_belong_to_a_gasp)
{
	struct ctiha_frame said = spoken;
	u8 words;

	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, type, CTIHA_FRAME_GASP);
	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, last_words,
		      CTIHA_LAST_WORDS_PANIC);
	said.type = CTIHA_FRAME_GASP;
	for (words = CTIHA_LAST_WORDS_PANIC;
	     words <= CTIHA_LAST_WORDS_UNLOAD + 1; words++) {
		said.last_words = words;
		ctiha_frame_seal(&self->wire, &said, 1, &self->key);
		EXPECT_EQ(words, self->wire.last_words);
		EXPECT_EQ(words <= CTIHA_LAST_WORDS_UNLOAD ?
			  CTIHA_FRAME_OK : CTIHA_FRAME_MALFORMED,
			  ctiha_frame_open(&self->wire, CTIHA_FRAME_LEN,
					   self->keys, &self->heard));
	}
	EXPECT_EQ(CTIHA_LAST_WORDS_UNLOAD, self->heard.last_words);
	EXPECT_EQ(CTIHA_DIAG_PEER_DIED, ctiha_frame_farewell(&self->heard));
	EXPECT_EQ(CTIHA_DIAG_NONE, ctiha_frame_farewell(&spoken));
	said.type = CTIHA_FRAME_GOODBYE;
	EXPECT_EQ(CTIHA_DIAG_PEER_LEFT, ctiha_frame_farewell(&said));
}

TEST_F(frame, out_of_range_is_malformed_though_authentic)
{
	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, type, CTIHA_FRAME_GASP + 1);
	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, session_state,
		      CTIHA_SESSION_UP + 1);
	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, diag, CTIHA_DIAG_DAMPED + 1);
	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, multiplier,
		      CTIHA_MULTIPLIER_MIN - 1);
	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, multiplier,
		      CTIHA_MULTIPLIER_MAX + 1);
	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, link_kind, 0);
	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, link_kind, CTIHA_LINK_LAN + 1);
	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, node, 2);
	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, interval_us,
		      CTIHA_INTERVAL_MIN_US - 1);
	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, interval_us,
		      CTIHA_INTERVAL_MAX_US + 1);
	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, role, CTIHA_ROLE_ACTIVE + 1);
	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, epoch, CTIHA_EPOCH_MAX + 1);
	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, vote_epoch, U64_MAX);
	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, my_discr, 0);
	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, seq, 0);
}

TEST_F(frame, refused_frames_leave_no_trace)
{
	const struct ctiha_frame untouched = self->heard;

	EXPECT_SAYING(CTIHA_FRAME_MALFORMED, node, 2);
	EXPECT_EQ(0, memcmp(&untouched, &self->heard, sizeof(untouched)));
}

/* RFC 4231, test case 2: the HMAC itself. */
TEST(mac_is_hmac_sha256_cut_to_128_bits)
{
	static const u8 expected[CTIHA_MAC_LEN] = {
		0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
		0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
	};
	/* A key shorter than the block is filled up with zeros. */
	u8 bytes[CTIHA_KEY_LEN] = "Jefe", mac[CTIHA_MAC_LEN];
	static const char text[] = "what do ya want for nothing?";
	struct ctiha_mac_key key;

	mac_key_set(&key, bytes);
	ctiha_mac(&key, text, strlen(text), mac);
	EXPECT_TRUE(mac_equal(mac, expected, sizeof(mac)));
	/* The prepared key is not used up. */
	ctiha_mac(&key, text, strlen(text), mac);
	EXPECT_TRUE(mac_equal(mac, expected, sizeof(mac)));
	mac[15] ^= 0x80;
	EXPECT_FALSE(mac_equal(mac, expected, sizeof(mac)));
}

/* Made with python's hmac after RFC 5869, key 00 01 .. 1f. */
TEST(derived_keys_are_hkdf)
{
	static const u8 expected[CTIHA_KEY_LEN] = {
		0xa9, 0x80, 0x76, 0x78, 0x48, 0x8d, 0xa6, 0xdb,
		0x42, 0xd2, 0x34, 0xff, 0xc6, 0xd4, 0x9d, 0xf0,
		0x8c, 0x76, 0x6f, 0x24, 0x8c, 0xb3, 0x41, 0xfd,
		0xd9, 0xa1, 0x8d, 0xca, 0x5d, 0x06, 0x6b, 0x1a,
	};
	u8 key[CTIHA_KEY_LEN], derived[CTIHA_KEY_LEN];
	u8 i;

	for (i = 0; i < CTIHA_KEY_LEN; i++)
		key[i] = i;
	mac_derive(key, "ctiha sync", derived);
	EXPECT_TRUE(mac_equal(derived, expected, sizeof(derived)));
	mac_derive(key, "ctiha sink", derived);
	EXPECT_FALSE(mac_equal(derived, expected, sizeof(derived)));
	mac_derive(key, "ctiha sync", key);
	EXPECT_TRUE(mac_equal(key, expected, sizeof(key)));
}

TEST(a_wiped_key_is_gone)
{
	static const struct ctiha_mac_key nothing;
	u8 bytes[CTIHA_KEY_LEN] = { 1 };
	struct ctiha_mac_key key;

	mac_key_set(&key, bytes);
	EXPECT_NE(0, memcmp(&key, &nothing, sizeof(key)));
	mac_key_wipe(&key);
	EXPECT_EQ(0, memcmp(&key, &nothing, sizeof(key)));
}

TEST_HARNESS_MAIN
