// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * STAMP packets: every byte on the wire, and that nothing damaged is believed.
 *
 * The golden bytes were computed by an independent program (Python's hmac and
 * struct) from Documentation/arbiter.rst, not by the code under test.
 */
#include "kselftest_harness.h"

#include "common/stamp.h"

#define NTP_A	0xE0E1E2E3E4E5E6E7ULL
#define NTP_B	0xD0D1D2D3D4D5D6D7ULL
#define NTP_C	0xF0F1F2F3F4F5F6F7ULL

static const u8 golden_request[STAMP_WITNESS_LEN] = {
	0x55, 0x66, 0x77, 0x88, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7,
	0x1f, 0x01, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x1c, 0x79, 0x90, 0x89, 0xcd, 0xbc, 0xec, 0xe9, 0xef, 0x46, 0xdf, 0x48,
	0xb1, 0xe4, 0x25, 0xa8, 0x80, 0xfc, 0x00, 0x48, 0x01, 0x01, 0x01, 0x01,
	0x01, 0x02, 0x03, 0x04, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11,
	0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x21, 0x22, 0x23, 0x24,
	0x25, 0x26, 0x27, 0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x07,
	0x00, 0x00, 0x00, 0x00, 0x02, 0xfa, 0xf0, 0x80, 0x00, 0x00, 0x00, 0x00,
	0x04, 0xc4, 0xb4, 0x00, 0x00, 0x00, 0x01, 0x2f, 0x02, 0x01, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x80, 0x08, 0x00, 0x10,
	0x80, 0xc9, 0xea, 0x29, 0x5b, 0xaa, 0x59, 0x9c, 0x68, 0xdc, 0x32, 0x24,
	0x9f, 0x04, 0x10, 0xba,
};

static const u8 golden_answer[STAMP_WITNESS_LEN] = {
	0x55, 0x66, 0x77, 0x88, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0xf0, 0xf1, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7,
	0x1f, 0x01, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0xd0, 0xd1, 0xd2, 0xd3,
	0xd4, 0xd5, 0xd6, 0xd7, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x55, 0x66, 0x77, 0x88, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7,
	0x1f, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x3f, 0x00, 0x00, 0x00,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	0x2f, 0x0f, 0x8d, 0xff, 0xca, 0x2d, 0x9d, 0x7c, 0xcb, 0x2b, 0x03, 0xa7,
	0x20, 0x42, 0xbb, 0x92, 0x00, 0xfc, 0x00, 0x48, 0x01, 0x02, 0x01, 0x01,
	0x01, 0x02, 0x03, 0x04, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x11,
	0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x31, 0x32, 0x33, 0x34,
	0x35, 0x36, 0x37, 0x38, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08,
	0x00, 0x00, 0x00, 0x00, 0x01, 0xc9, 0xc3, 0x80, 0x00, 0x00, 0x00, 0x00,
	0x07, 0x5b, 0xcd, 0x15, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x08,
	0x00, 0x00, 0x00, 0x3f, 0x01, 0x02, 0x03, 0x00, 0x00, 0x08, 0x00, 0x10,
	0xed, 0x90, 0xda, 0x73, 0xfc, 0x4b, 0x60, 0xd4, 0x43, 0x9f, 0x4a, 0x6d,
	0xdf, 0xa0, 0x41, 0x79,
};

static struct ctiha_mac_key test_key(u8 first)
{
	u8 bytes[CTIHA_KEY_LEN];
	struct ctiha_mac_key key;
	unsigned int i;

	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = (u8)(first + i);
	mac_key_set(&key, bytes);
	return key;
}

static struct stamp_request test_request(void)
{
	return (struct stamp_request){
		.pair = 0x01020304, .node = 1, .ask = WITNESS_ASK_GRANT,
		.elected = true, .role = CTIHA_ROLE_ACTIVE, .report = 0x12F,
		.nonce = 0x0A0B0C0D0E0F1011, .seq = 0x1122334455667788,
		.challenge = 0x2122232425262728, .epoch = 7,
		.lease_ns = 50000000, .promise_ns = 80000000,
	};
}

static struct stamp_answer test_answer(void)
{
	return (struct stamp_answer){
		.pair = 0x01020304, .node = 1, .ask = WITNESS_ASK_GRANT,
		.nonce = 0x0A0B0C0D0E0F1011, .seq = 0x1122334455667788,
		.bound = true, .challenge = 0x3132333435363738,
		.answer = WITNESS_WAIT, .epoch = 8, .holder = 0,
		.released = true, .wait_ns = 30000000,
		.peer_heard_ago_ns = 123456789, .peer_role = CTIHA_ROLE_STANDBY,
		.peer_report = 0x3F, .peer_epoch = 8,
	};
}

static const struct stamp_passage passage = {
	.received_ntp = NTP_B, .sent_ntp = NTP_C, .ttl = 63,
};

/* A packet with one field changed and its check codes made right again. */
static void reseal(u8 wire[STAMP_WITNESS_LEN], const struct ctiha_mac_key *key)
{
	u8 text[4 + 76];

	ctiha_mac(key, wire, 96, wire + 96);
	memcpy(text, wire, 4);
	memcpy(text + 4, wire + 112, 76);
	ctiha_mac(key, text, sizeof(text), wire + 192);
}

TEST(request_golden_bytes)
{
	struct ctiha_mac_key key = test_key(0);
	struct stamp_request request = test_request();
	u8 wire[STAMP_WITNESS_LEN];

	stamp_request_seal(wire, &request, NTP_A, &key);
	EXPECT_EQ(0, memcmp(wire, golden_request, sizeof(wire)));
}

TEST(answer_golden_bytes)
{
	struct ctiha_mac_key key = test_key(0);
	struct stamp_answer answer = test_answer();
	u8 wire[STAMP_WITNESS_LEN];

	stamp_answer_seal(wire, &answer, golden_request, &passage, &key);
	EXPECT_EQ(0, memcmp(wire, golden_answer, sizeof(wire)));
}

TEST(request_is_read_back)
{
	struct ctiha_mac_key key = test_key(0);
	struct stamp_request expected = test_request(), read;
	u32 pair = 0;

	ASSERT_TRUE(stamp_is_witness(golden_request, STAMP_WITNESS_LEN, &pair));
	EXPECT_EQ(0x01020304, pair);
	ASSERT_EQ(STAMP_OK, stamp_request_open(golden_request,
					       STAMP_WITNESS_LEN, &key, &read));
	EXPECT_EQ(expected.pair, read.pair);
	EXPECT_EQ(expected.node, read.node);
	EXPECT_EQ(expected.ask, read.ask);
	EXPECT_EQ(expected.elected, read.elected);
	EXPECT_EQ(expected.role, read.role);
	EXPECT_EQ(expected.report, read.report);
	EXPECT_EQ(expected.nonce, read.nonce);
	EXPECT_EQ(expected.seq, read.seq);
	EXPECT_EQ(expected.challenge, read.challenge);
	EXPECT_EQ(expected.epoch, read.epoch);
	EXPECT_EQ(expected.lease_ns, read.lease_ns);
	EXPECT_EQ(expected.promise_ns, read.promise_ns);
}

TEST(answer_is_read_back)
{
	struct ctiha_mac_key key = test_key(0);
	struct stamp_answer expected = test_answer(), read;

	ASSERT_EQ(STAMP_OK, stamp_answer_open(golden_answer, STAMP_WITNESS_LEN,
					      &key, &read));
	EXPECT_EQ(expected.pair, read.pair);
	EXPECT_EQ(expected.node, read.node);
	EXPECT_EQ(expected.ask, read.ask);
	EXPECT_EQ(expected.nonce, read.nonce);
	EXPECT_EQ(expected.seq, read.seq);
	EXPECT_EQ(expected.bound, read.bound);
	EXPECT_EQ(expected.challenge, read.challenge);
	EXPECT_EQ(expected.answer, read.answer);
	EXPECT_EQ(expected.epoch, read.epoch);
	EXPECT_EQ(expected.holder, read.holder);
	EXPECT_EQ(expected.released, read.released);
	EXPECT_EQ(expected.wait_ns, read.wait_ns);
	EXPECT_EQ(expected.peer_heard_ago_ns, read.peer_heard_ago_ns);
	EXPECT_EQ(expected.peer_role, read.peer_role);
	EXPECT_EQ(expected.peer_report, read.peer_report);
	EXPECT_EQ(expected.peer_epoch, read.peer_epoch);
}

TEST(every_flipped_bit_is_refused)
{
	struct ctiha_mac_key key = test_key(0);
	struct stamp_request request;
	struct stamp_answer answer;
	u8 wire[STAMP_WITNESS_LEN];
	unsigned int bit;

	for (bit = 0; bit < 8 * STAMP_WITNESS_LEN; bit++) {
		memcpy(wire, golden_request, sizeof(wire));
		wire[bit / 8] ^= (u8)(1 << bit % 8);
		EXPECT_NE(STAMP_OK, stamp_request_open(wire, sizeof(wire), &key,
						       &request))
			TH_LOG("request, bit %u", bit);
		memcpy(wire, golden_answer, sizeof(wire));
		wire[bit / 8] ^= (u8)(1 << bit % 8);
		EXPECT_NE(STAMP_OK, stamp_answer_open(wire, sizeof(wire), &key,
						      &answer))
			TH_LOG("answer, bit %u", bit);
	}
}

TEST(every_other_length_is_refused)
{
	struct ctiha_mac_key key = test_key(0);
	struct stamp_request request;
	struct stamp_answer answer;
	size_t len;

	for (len = 0; len < STAMP_WITNESS_LEN + 64; len++) {
		/* On the heap and exact, so that sanitizers see any overrun. */
		u8 *wire = calloc(1, len ? len : 1);
		u32 pair;

		ASSERT_NE(NULL, wire);
		if (len == STAMP_WITNESS_LEN) {
			free(wire);
			continue;
		}
		memcpy(wire, golden_request, len < STAMP_WITNESS_LEN ? len :
		       STAMP_WITNESS_LEN);
		EXPECT_FALSE(stamp_is_witness(wire, len, &pair));
		EXPECT_EQ(STAMP_MALFORMED,
			  stamp_request_open(wire, len, &key, &request));
		EXPECT_EQ(STAMP_MALFORMED,
			  stamp_answer_open(wire, len, &key, &answer));
		free(wire);
	}
}

TEST(wrong_key_is_refused)
{
	struct ctiha_mac_key key = test_key(1);
	struct stamp_request request;
	struct stamp_answer answer;

	EXPECT_EQ(STAMP_FORGED, stamp_request_open(golden_request,
						   STAMP_WITNESS_LEN, &key,
						   &request));
	EXPECT_EQ(STAMP_FORGED, stamp_answer_open(golden_answer,
						  STAMP_WITNESS_LEN, &key,
						  &answer));
}

/* An attacker may send our own packets back to us. */
TEST(request_is_no_answer_and_answer_no_request)
{
	struct ctiha_mac_key key = test_key(0);
	struct stamp_request request;
	struct stamp_answer answer;

	EXPECT_EQ(STAMP_MALFORMED,
		  stamp_answer_open(golden_request, STAMP_WITNESS_LEN, &key,
				    &answer));
	EXPECT_EQ(STAMP_MALFORMED,
		  stamp_request_open(golden_answer, STAMP_WITNESS_LEN, &key,
				     &request));
}

/* Base packet and TLVs have check codes of their own: they must not be mixed. */
TEST(halves_of_two_requests_are_refused)
{
	struct ctiha_mac_key key = test_key(0);
	struct stamp_request request = test_request();
	u8 one[STAMP_WITNESS_LEN], other[STAMP_WITNESS_LEN];

	stamp_request_seal(one, &request, NTP_A, &key);
	request.seq++;
	stamp_request_seal(other, &request, NTP_A, &key);
	memcpy(one + STAMP_BASE_LEN, other + STAMP_BASE_LEN,
	       STAMP_WITNESS_LEN - STAMP_BASE_LEN);
	EXPECT_NE(STAMP_OK, stamp_request_open(one, sizeof(one), &key,
					       &request));
}

/* Authentic nonsense: one byte of the value changed, check codes right. */
struct range {
	unsigned int at;
	u8 value;
};

TEST(request_fields_out_of_range_are_refused)
{
	static const struct range ranges[] = {
		{ 112, 0x00 },	/* TLV flags: U not set */
		{ 112, 0xA0 },
		{ 116, 2 },	/* version */
		{ 117, 0 },	/* message */
		{ 118, 2 },	/* node */
		{ 119, 3 },	/* ask */
		{ 148, 0x7F },	/* epoch above 2^62 */
		{ 156, 1 },	/* lease above 600 s */
		{ 164, 1 },	/* promise above 600 s */
		{ 176, 3 },	/* role */
		{ 177, 2 },	/* flags */
	};
	struct ctiha_mac_key key = test_key(0);
	struct stamp_request request;
	u8 wire[STAMP_WITNESS_LEN];
	size_t i;

	memcpy(wire, golden_request, sizeof(wire));
	reseal(wire, &key);
	ASSERT_EQ(0, memcmp(wire, golden_request, sizeof(wire)));
	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		memcpy(wire, golden_request, sizeof(wire));
		wire[ranges[i].at] = ranges[i].value;
		reseal(wire, &key);
		EXPECT_EQ(STAMP_MALFORMED,
			  stamp_request_open(wire, sizeof(wire), &key,
					     &request))
			TH_LOG("byte %u", ranges[i].at);
	}
}

TEST(answer_fields_out_of_range_are_refused)
{
	static const struct range ranges[] = {
		{ 112, 0x80 },	/* TLV flags: not understood */
		{ 112, 0x20 },	/* TLV flags: integrity failed */
		{ 148, 0x7F },	/* epoch above 2^62 */
		{ 156, 1 },	/* wait above 600 s */
		{ 172, 0x7F },	/* peer epoch */
		{ 184, 3 },	/* peer role */
		{ 185, 5 },	/* answer */
		{ 186, 4 },	/* flags */
		{ 187, 2 },	/* holder */
	};
	struct ctiha_mac_key key = test_key(0);
	struct stamp_answer answer;
	u8 wire[STAMP_WITNESS_LEN];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ranges); i++) {
		memcpy(wire, golden_answer, sizeof(wire));
		wire[ranges[i].at] = ranges[i].value;
		reseal(wire, &key);
		EXPECT_EQ(STAMP_MALFORMED,
			  stamp_answer_open(wire, sizeof(wire), &key, &answer))
			TH_LOG("byte %u", ranges[i].at);
	}
}

TEST(zero_nonce_sequence_and_challenge_are_refused)
{
	struct ctiha_mac_key key = test_key(0);
	struct stamp_request request = test_request();
	struct stamp_answer answer = test_answer();
	u8 wire[STAMP_WITNESS_LEN];

	request.nonce = 0;
	stamp_request_seal(wire, &request, NTP_A, &key);
	EXPECT_EQ(STAMP_MALFORMED, stamp_request_open(wire, sizeof(wire), &key,
						      &request));
	request = test_request();
	request.seq = 0;
	stamp_request_seal(wire, &request, NTP_A, &key);
	EXPECT_EQ(STAMP_MALFORMED, stamp_request_open(wire, sizeof(wire), &key,
						      &request));
	answer.challenge = 0;
	stamp_answer_seal(wire, &answer, golden_request, &passage, &key);
	EXPECT_EQ(STAMP_MALFORMED, stamp_answer_open(wire, sizeof(wire), &key,
						     &answer));
}

/* Offsets of RFC 8762, figures 2 and 4. */
TEST(plain_packet_is_reflected)
{
	u8 request[STAMP_PLAIN_LEN + 6] = {
		0x00, 0x00, 0x00, 0x2A,
		0xE0, 0xE1, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7,
		0x80, 0x07, 0x12, 0x34,
		[44] = 0x80, [45] = 0x01, [47] = 0x02, [48] = 0x55, [49] = 0x66,
	};
	static const u8 expected[STAMP_PLAIN_LEN + 6] = {
		0x00, 0x00, 0x00, 0x2A,
		0xF0, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7,
		0x1F, 0x01, 0x12, 0x34,
		0xD0, 0xD1, 0xD2, 0xD3, 0xD4, 0xD5, 0xD6, 0xD7,
		0x00, 0x00, 0x00, 0x2A,
		0xE0, 0xE1, 0xE2, 0xE3, 0xE4, 0xE5, 0xE6, 0xE7,
		0x80, 0x07, 0x00, 0x00,
		63, 0x00, 0x00, 0x00,
		0x80, 0x01, 0x00, 0x02, 0x55, 0x66,
	};
	u8 answer[sizeof(request)];

	EXPECT_EQ(sizeof(request), stamp_reflect(request, sizeof(request),
						 &passage, answer,
						 sizeof(answer)));
	EXPECT_EQ(0, memcmp(answer, expected, sizeof(answer)));
	EXPECT_EQ(STAMP_PLAIN_LEN, stamp_reflect(request, STAMP_PLAIN_LEN,
						 &passage, answer,
						 sizeof(answer)));
}

TEST(plain_packet_of_bad_length_gets_no_answer)
{
	u8 request[STAMP_PLAIN_MAX + 1] = { 0 };
	u8 answer[STAMP_PLAIN_MAX + 1];
	size_t len;

	for (len = 0; len < STAMP_PLAIN_LEN; len++)
		EXPECT_EQ(0, stamp_reflect(request, len, &passage, answer,
					   sizeof(answer)));
	EXPECT_EQ(0, stamp_reflect(request, STAMP_PLAIN_MAX + 1, &passage,
				   answer, sizeof(answer)));
	EXPECT_EQ(0, stamp_reflect(request, 100, &passage, answer, 99));
	EXPECT_EQ(STAMP_PLAIN_MAX, stamp_reflect(request, STAMP_PLAIN_MAX,
						 &passage, answer,
						 sizeof(answer)));
}

TEST(ntp_time)
{
	struct timespec epoch = { 0, 0 };
	struct timespec half = { 1, 500000000 };

	EXPECT_EQ(2208988800ULL << 32, stamp_ntp(&epoch));
	EXPECT_EQ((2208988801ULL << 32) + (1ULL << 31), stamp_ntp(&half));
}

TEST(key_is_not_the_pairs_key)
{
	u8 secret[CTIHA_KEY_LEN] = { 1 };
	struct ctiha_mac_key derived, plain;
	u8 a[CTIHA_MAC_LEN], b[CTIHA_MAC_LEN];

	stamp_key_set(&derived, secret);
	mac_key_set(&plain, secret);
	ctiha_mac(&derived, "x", 1, a);
	ctiha_mac(&plain, "x", 1, b);
	EXPECT_NE(0, memcmp(a, b, sizeof(a)));
}

TEST_HARNESS_MAIN
