// SPDX-License-Identifier: GPL-2.0-or-later
/* STAMP packets: wire format and check codes. See stamp.h. */
#include "common/stamp.h"

#include "common/wire.h"

#define NTP_UNIX_EPOCH_S	2208988800ULL	/* 1970 in seconds since 1900 */
#define ERROR_ESTIMATE		0x1F01	/* clock not known to be set: 0.5 s */
#define TLV_UNRECOGNIZED	0x80	/* U flag: set by senders */
#define TLV_UNDERSTOOD		0x00	/* as cleared by reflectors */
#define FLAG_ELECTED		0x01	/* request */
#define FLAG_BOUND		0x01	/* answer */
#define FLAG_RELEASED		0x02	/* answer */

enum message {
	MESSAGE_REQUEST = 1,
	MESSAGE_ANSWER = 2,
};

struct wire_plain_request {
	__be32 seq;
	__be64 time_ntp;
	__be16 error;
	__be16 ssid;
	u8 zero[28];
} __packed;

struct wire_plain_answer {
	__be32 seq;
	__be64 sent_ntp;
	__be16 error;
	__be16 ssid;
	__be64 received_ntp;
	__be32 sender_seq;
	__be64 sender_ntp;
	__be16 sender_error;
	u8 zero1[2];
	u8 sender_ttl;
	u8 zero2[3];
} __packed;

/* Authenticated packets: a sender leaves zero what the reflector adds. */
struct wire_base {
	__be32 seq;
	u8 zero1[12];
	__be64 time_ntp;
	__be16 error;
	__be16 ssid;
	u8 zero2[4];
	__be64 received_ntp;
	u8 zero3[8];
	__be32 sender_seq;
	u8 zero4[12];
	__be64 sender_ntp;
	__be16 sender_error;
	u8 zero5[6];
	u8 sender_ttl;
	u8 zero6[15];
	u8 mac[CTIHA_MAC_LEN];
} __packed;

struct wire_tlv {
	u8 flags;
	u8 type;
	__be16 len;
} __packed;

/* First bytes of requests and answers alike. */
struct wire_head {
	u8 version;
	u8 message;		/* enum message */
	u8 node;
	u8 ask;			/* enum witness_ask */
	__be32 pair;
	__be64 nonce;
	__be64 seq;
	__be64 challenge;
	__be64 epoch;
} __packed;

struct wire_request {
	struct wire_head head;
	__be64 lease_ns;
	__be64 promise_ns;
	__be32 report;
	u8 role;
	u8 flags;
	u8 zero[10];
} __packed;

struct wire_answer {
	struct wire_head head;
	__be64 wait_ns;
	__be64 peer_heard_ago_ns;
	__be64 peer_epoch;
	__be32 peer_report;
	u8 peer_role;
	u8 answer;		/* enum witness_answer */
	u8 flags;
	u8 holder;
} __packed;

struct wire_witness {
	struct wire_base base;
	struct wire_tlv tlv;
	union {
		struct wire_head head;
		struct wire_request request;
		struct wire_answer answer;
	};
	struct wire_tlv hmac_tlv;
	u8 mac[CTIHA_MAC_LEN];
} __packed;

CHECK_OFFSET(wire_plain_request, time_ntp, 4);
CHECK_OFFSET(wire_plain_request, error, 12);
CHECK_OFFSET(wire_plain_request, ssid, 14);
CHECK_OFFSET(wire_plain_answer, sent_ntp, 4);
CHECK_OFFSET(wire_plain_answer, error, 12);
CHECK_OFFSET(wire_plain_answer, ssid, 14);
CHECK_OFFSET(wire_plain_answer, received_ntp, 16);
CHECK_OFFSET(wire_plain_answer, sender_seq, 24);
CHECK_OFFSET(wire_plain_answer, sender_ntp, 28);
CHECK_OFFSET(wire_plain_answer, sender_error, 36);
CHECK_OFFSET(wire_plain_answer, sender_ttl, 40);
CHECK_OFFSET(wire_base, time_ntp, 16);
CHECK_OFFSET(wire_base, error, 24);
CHECK_OFFSET(wire_base, ssid, 26);
CHECK_OFFSET(wire_base, received_ntp, 32);
CHECK_OFFSET(wire_base, sender_seq, 48);
CHECK_OFFSET(wire_base, sender_ntp, 64);
CHECK_OFFSET(wire_base, sender_error, 72);
CHECK_OFFSET(wire_base, sender_ttl, 80);
CHECK_OFFSET(wire_base, mac, 96);
CHECK_OFFSET(wire_request, lease_ns, 40);
CHECK_OFFSET(wire_request, promise_ns, 48);
CHECK_OFFSET(wire_request, report, 56);
CHECK_OFFSET(wire_request, role, 60);
CHECK_OFFSET(wire_request, flags, 61);
CHECK_OFFSET(wire_answer, wait_ns, 40);
CHECK_OFFSET(wire_answer, peer_heard_ago_ns, 48);
CHECK_OFFSET(wire_answer, peer_epoch, 56);
CHECK_OFFSET(wire_answer, peer_report, 64);
CHECK_OFFSET(wire_answer, peer_role, 68);
CHECK_OFFSET(wire_answer, answer, 69);
CHECK_OFFSET(wire_answer, flags, 70);
CHECK_OFFSET(wire_answer, holder, 71);
CHECK_OFFSET(wire_witness, tlv, 112);
CHECK_OFFSET(wire_witness, head, 116);
CHECK_OFFSET(wire_witness, hmac_tlv, 188);
CHECK_OFFSET(wire_witness, mac, 192);
static_assert(sizeof(struct wire_plain_request) == STAMP_PLAIN_LEN, "wire_plain_request");
static_assert(sizeof(struct wire_plain_answer) == STAMP_PLAIN_LEN, "wire_plain_answer");
static_assert(sizeof(struct wire_base) == STAMP_BASE_LEN, "wire_base");
static_assert(sizeof(struct wire_request) == STAMP_WITNESS_VALUE_LEN, "wire_request");
static_assert(sizeof(struct wire_answer) == STAMP_WITNESS_VALUE_LEN, "wire_answer");
static_assert(sizeof(struct wire_witness) == STAMP_WITNESS_LEN, "wire_witness");

u64 stamp_ntp(const struct timespec *wall)
{
	u64 seconds = (u64)wall->tv_sec + NTP_UNIX_EPOCH_S;

	return seconds << 32 | ((u64)wall->tv_nsec << 32) / 1000000000ULL;
}

void stamp_key_set(struct ctiha_mac_key *key, const u8 secret[CTIHA_KEY_LEN])
{
	u8 derived[CTIHA_KEY_LEN];

	mac_derive(secret, "ctiha stamp", derived);
	mac_key_set(key, derived);
	explicit_bzero(derived, sizeof(derived));
}

size_t stamp_reflect(const void *request, size_t len,
		     const struct stamp_passage *passage,
		     void *answer, size_t size)
{
	struct wire_plain_request in;
	struct wire_plain_answer out = { 0 };

	if (len < sizeof(in) || len > STAMP_PLAIN_MAX || len > size)
		return 0;
	memcpy(&in, request, sizeof(in));
	out.seq = in.seq;
	out.sent_ntp = cpu_to_be64(passage->sent_ntp);
	out.error = cpu_to_be16(ERROR_ESTIMATE);
	out.ssid = in.ssid;
	out.received_ntp = cpu_to_be64(passage->received_ntp);
	out.sender_seq = in.seq;
	out.sender_ntp = in.time_ntp;
	out.sender_error = in.error;
	out.sender_ttl = passage->ttl;
	memcpy(answer, request, len);
	memcpy(answer, &out, sizeof(out));
	return len;
}

static bool tlv_is(const struct wire_tlv *tlv, u8 type, u16 len)
{
	return tlv->type == type && be16_to_cpu(tlv->len) == len;
}

bool stamp_is_witness(const void *data, size_t len, u32 *pair)
{
	struct wire_witness wire;

	if (len != sizeof(wire))
		return false;
	memcpy(&wire, data, sizeof(wire));
	*pair = be32_to_cpu(wire.head.pair);
	return tlv_is(&wire.tlv, STAMP_TLV_WITNESS, STAMP_WITNESS_VALUE_LEN) &&
	       tlv_is(&wire.hmac_tlv, STAMP_TLV_HMAC, CTIHA_MAC_LEN);
}

static void tlvs_begin(struct wire_witness *wire, u8 flags)
{
	wire->tlv.flags = flags;
	wire->tlv.type = STAMP_TLV_WITNESS;
	wire->tlv.len = cpu_to_be16(STAMP_WITNESS_VALUE_LEN);
	wire->hmac_tlv.flags = flags;
	wire->hmac_tlv.type = STAMP_TLV_HMAC;
	wire->hmac_tlv.len = cpu_to_be16(CTIHA_MAC_LEN);
}

/* RFC 8762: the base packet. RFC 8972: sequence number and preceding TLVs. */
static void check_codes(const struct wire_witness *wire,
			const struct ctiha_mac_key *key,
			u8 base_mac[CTIHA_MAC_LEN], u8 tlv_mac[CTIHA_MAC_LEN])
{
	const size_t tlv_at = offsetof(struct wire_witness, tlv);
	const size_t tlv_len = offsetof(struct wire_witness, hmac_tlv) - tlv_at;
	u8 text[sizeof(wire->base.seq) + sizeof(wire->tlv) +
		STAMP_WITNESS_VALUE_LEN];

	ctiha_mac(key, &wire->base, offsetof(struct wire_base, mac), base_mac);
	memcpy(text, &wire->base.seq, sizeof(wire->base.seq));
	memcpy(text + sizeof(wire->base.seq), (const u8 *)wire + tlv_at,
	       tlv_len);
	ctiha_mac(key, text, sizeof(text), tlv_mac);
}

static void seal(u8 out[STAMP_WITNESS_LEN], struct wire_witness *wire,
		 const struct ctiha_mac_key *key)
{
	check_codes(wire, key, wire->base.mac, wire->mac);
	memcpy(out, wire, sizeof(*wire));
}

static bool authentic(const struct wire_witness *wire,
		      const struct ctiha_mac_key *key)
{
	u8 base_mac[CTIHA_MAC_LEN], tlv_mac[CTIHA_MAC_LEN];

	check_codes(wire, key, base_mac, tlv_mac);
	return mac_equal(base_mac, wire->base.mac, CTIHA_MAC_LEN) &&
	       mac_equal(tlv_mac, wire->mac, CTIHA_MAC_LEN);
}

/* The two codes are tied together by the sequence number, and by this. */
static bool head_in_range(const struct wire_witness *wire, u8 message,
			  u8 tlv_flags)
{
	const struct wire_head *head = &wire->head;

	return wire->tlv.flags == tlv_flags &&
	       wire->hmac_tlv.flags == tlv_flags &&
	       head->version == STAMP_WITNESS_VERSION &&
	       head->message == message && head->node <= 1 &&
	       head->ask <= WITNESS_ASK_RELEASE && head->nonce && head->seq &&
	       (u32)be64_to_cpu(head->seq) == be32_to_cpu(wire->base.seq) &&
	       be64_to_cpu(head->epoch) <= STAMP_EPOCH_MAX;
}

static enum stamp_error open_witness(const void *data, size_t len,
				     const struct ctiha_mac_key *key,
				     u8 message, u8 tlv_flags,
				     struct wire_witness *wire)
{
	u32 pair;

	if (!stamp_is_witness(data, len, &pair))
		return STAMP_MALFORMED;
	memcpy(wire, data, sizeof(*wire));
	if (!authentic(wire, key))
		return STAMP_FORGED;
	return head_in_range(wire, message, tlv_flags) ? STAMP_OK :
							 STAMP_MALFORMED;
}

void stamp_request_seal(u8 out[STAMP_WITNESS_LEN],
			const struct stamp_request *request, u64 now_ntp,
			const struct ctiha_mac_key *key)
{
	struct wire_witness wire = { 0 };
	struct wire_request *value = &wire.request;

	wire.base.seq = cpu_to_be32((u32)request->seq);
	wire.base.time_ntp = cpu_to_be64(now_ntp);
	wire.base.error = cpu_to_be16(ERROR_ESTIMATE);
	wire.base.ssid = cpu_to_be16(request->node + 1);	/* not 0 */
	tlvs_begin(&wire, TLV_UNRECOGNIZED);
	value->head.version = STAMP_WITNESS_VERSION;
	value->head.message = MESSAGE_REQUEST;
	value->head.node = request->node;
	value->head.ask = request->ask;
	value->head.pair = cpu_to_be32(request->pair);
	value->head.nonce = cpu_to_be64(request->nonce);
	value->head.seq = cpu_to_be64(request->seq);
	value->head.challenge = cpu_to_be64(request->challenge);
	value->head.epoch = cpu_to_be64(request->epoch);
	value->lease_ns = cpu_to_be64(request->lease_ns);
	value->promise_ns = cpu_to_be64(request->promise_ns);
	value->report = cpu_to_be32(request->report);
	value->role = request->role;
	value->flags = request->elected ? FLAG_ELECTED : 0;
	seal(out, &wire, key);
}

/* Short or equal promises are told from other nonsense by the arbiter. */
static bool request_in_range(const struct wire_request *value)
{
	return value->role <= CTIHA_ROLE_ACTIVE &&
	       value->flags <= FLAG_ELECTED &&
	       be64_to_cpu(value->lease_ns) <= STAMP_PROMISE_MAX_NS &&
	       be64_to_cpu(value->promise_ns) <= STAMP_PROMISE_MAX_NS;
}

enum stamp_error stamp_request_open(const void *data, size_t len,
				    const struct ctiha_mac_key *key,
				    struct stamp_request *request)
{
	struct wire_witness wire;
	const struct wire_request *value = &wire.request;
	enum stamp_error error = open_witness(data, len, key, MESSAGE_REQUEST,
					      TLV_UNRECOGNIZED, &wire);

	if (error)
		return error;
	if (!request_in_range(value))
		return STAMP_MALFORMED;
	request->pair = be32_to_cpu(value->head.pair);
	request->node = value->head.node;
	request->ask = value->head.ask;
	request->elected = value->flags & FLAG_ELECTED;
	request->role = value->role;
	request->report = be32_to_cpu(value->report);
	request->nonce = be64_to_cpu(value->head.nonce);
	request->seq = be64_to_cpu(value->head.seq);
	request->challenge = be64_to_cpu(value->head.challenge);
	request->epoch = be64_to_cpu(value->head.epoch);
	request->lease_ns = be64_to_cpu(value->lease_ns);
	request->promise_ns = be64_to_cpu(value->promise_ns);
	return STAMP_OK;
}

static void reflect_base(struct wire_base *base,
			 const u8 request[STAMP_WITNESS_LEN],
			 const struct stamp_passage *passage)
{
	struct wire_base in;

	memcpy(&in, request, sizeof(in));
	base->seq = in.seq;
	base->time_ntp = cpu_to_be64(passage->sent_ntp);
	base->error = cpu_to_be16(ERROR_ESTIMATE);
	base->ssid = in.ssid;
	base->received_ntp = cpu_to_be64(passage->received_ntp);
	base->sender_seq = in.seq;
	base->sender_ntp = in.time_ntp;
	base->sender_error = in.error;
	base->sender_ttl = passage->ttl;
}

void stamp_answer_seal(u8 out[STAMP_WITNESS_LEN],
		       const struct stamp_answer *answer,
		       const u8 request[STAMP_WITNESS_LEN],
		       const struct stamp_passage *passage,
		       const struct ctiha_mac_key *key)
{
	struct wire_witness wire = { 0 };
	struct wire_answer *value = &wire.answer;

	reflect_base(&wire.base, request, passage);
	tlvs_begin(&wire, TLV_UNDERSTOOD);
	value->head.version = STAMP_WITNESS_VERSION;
	value->head.message = MESSAGE_ANSWER;
	value->head.node = answer->node;
	value->head.ask = answer->ask;
	value->head.pair = cpu_to_be32(answer->pair);
	value->head.nonce = cpu_to_be64(answer->nonce);
	value->head.seq = cpu_to_be64(answer->seq);
	value->head.challenge = cpu_to_be64(answer->challenge);
	value->head.epoch = cpu_to_be64(answer->epoch);
	value->wait_ns = cpu_to_be64(answer->wait_ns);
	value->peer_heard_ago_ns = cpu_to_be64(answer->peer_heard_ago_ns);
	value->peer_epoch = cpu_to_be64(answer->peer_epoch);
	value->peer_report = cpu_to_be32(answer->peer_report);
	value->peer_role = answer->peer_role;
	value->answer = answer->answer;
	value->flags = (answer->bound ? FLAG_BOUND : 0) |
		       (answer->released ? FLAG_RELEASED : 0);
	value->holder = answer->holder;
	seal(out, &wire, key);
}

static bool answer_in_range(const struct wire_answer *value)
{
	return value->answer <= WITNESS_REFUSED_STORAGE &&
	       value->flags <= (FLAG_BOUND | FLAG_RELEASED) &&
	       value->holder <= 1 && value->peer_role <= CTIHA_ROLE_ACTIVE &&
	       value->head.challenge &&
	       be64_to_cpu(value->wait_ns) <= STAMP_PROMISE_MAX_NS &&
	       be64_to_cpu(value->peer_epoch) <= STAMP_EPOCH_MAX;
}

enum stamp_error stamp_answer_open(const void *data, size_t len,
				   const struct ctiha_mac_key *key,
				   struct stamp_answer *answer)
{
	struct wire_witness wire;
	const struct wire_answer *value = &wire.answer;
	enum stamp_error error = open_witness(data, len, key, MESSAGE_ANSWER,
					      TLV_UNDERSTOOD, &wire);

	if (error)
		return error;
	if (!answer_in_range(value))
		return STAMP_MALFORMED;
	answer->pair = be32_to_cpu(value->head.pair);
	answer->node = value->head.node;
	answer->ask = value->head.ask;
	answer->nonce = be64_to_cpu(value->head.nonce);
	answer->seq = be64_to_cpu(value->head.seq);
	answer->bound = value->flags & FLAG_BOUND;
	answer->challenge = be64_to_cpu(value->head.challenge);
	answer->answer = value->answer;
	answer->epoch = be64_to_cpu(value->head.epoch);
	answer->holder = value->holder;
	answer->released = value->flags & FLAG_RELEASED;
	answer->wait_ns = be64_to_cpu(value->wait_ns);
	answer->peer_heard_ago_ns = be64_to_cpu(value->peer_heard_ago_ns);
	answer->peer_role = value->peer_role;
	answer->peer_report = be32_to_cpu(value->peer_report);
	answer->peer_epoch = be64_to_cpu(value->peer_epoch);
	return STAMP_OK;
}
