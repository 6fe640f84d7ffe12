/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * STAMP packets (RFC 8762, RFC 8972), as ctihad and ctiha-arbiter speak it.
 *
 * Two kinds. A plain packet is what any STAMP or TWAMP-Light tool sends: it is
 * reflected and means nothing more. A witness packet is an authenticated STAMP
 * packet with two TLVs, the witness TLV and the HMAC TLV; requests and answers
 * have the same, fixed size. Documentation/arbiter.rst shows every byte.
 *
 * Pure: no I/O, no clock, no allocation. Wall clock times are carried because
 * STAMP has them; nobody decides anything by them.
 */
#ifndef CTIHA_STAMP_H
#define CTIHA_STAMP_H

#include <time.h>

#include "common/mac.h"
#include "daemon/arbiter/witness.h"

#define STAMP_PORT		862
#define STAMP_PLAIN_LEN		44	/* shortest plain packet */
#define STAMP_PLAIN_MAX		1472	/* longest: no IP fragments */
#define STAMP_BASE_LEN		112	/* authenticated, without TLVs */
#define STAMP_TLV_HMAC		8	/* RFC 8972, section 4.8 */
#define STAMP_TLV_WITNESS	252	/* private use range 252-254 */
#define STAMP_WITNESS_VALUE_LEN	72
#define STAMP_WITNESS_LEN	(STAMP_BASE_LEN + 4 + STAMP_WITNESS_VALUE_LEN + \
				 4 + CTIHA_MAC_LEN)
#define STAMP_WITNESS_VERSION	1

/* Bounds of what an authentic request may ask. */
#define STAMP_EPOCH_MAX		(1ULL << 62)
#define STAMP_PROMISE_MAX_NS	(600 * 1000000000ULL)

/**
 * struct stamp_request - what a server asks the arbiter
 * @pair: number of the pair
 * @node: asker, 0 or 1
 * @ask: enum witness_ask
 * @elected: the peer voted for @epoch
 * @role: asker's enum ctiha_role
 * @report: asker's enum ctiha_report bits
 * @nonce: random, of the asker's incarnation; never 0
 * @seq: grows by one per request within @nonce, from 1
 * @challenge: the arbiter's, from its last answer; 0 if none yet
 * @epoch: of what is asked
 * @lease_ns: how long a grant will be used, from the sending of the request
 * @promise_ns: how long the arbiter shall keep it, > @lease_ns
 */
struct stamp_request {
	u32 pair;
	u8 node;
	u8 ask;
	bool elected;
	u8 role;
	u32 report;
	u64 nonce;
	u64 seq;
	u64 challenge;
	u64 epoch;
	u64 lease_ns;
	u64 promise_ns;
};

/**
 * struct stamp_answer - what the arbiter says
 * @pair, @node, @ask, @nonce, @seq: of the request
 * @bound: the request proved to be fresh. If not, it had no effect, and only
 *         @challenge means anything: send a new request that carries it
 * @challenge: to be carried by the asker's next requests; never 0
 * @answer: enum witness_answer
 * @epoch: highest epoch granted, 0 none
 * @holder: node it was granted to
 * @released: the holder has given it up
 * @wait_ns: WITNESS_WAIT: how long
 * @peer_heard_ago_ns: age of the peer's last fresh request, U64_MAX if none
 * @peer_role, @peer_report, @peer_epoch: what that request said
 */
struct stamp_answer {
	u32 pair;
	u8 node;
	u8 ask;
	u64 nonce;
	u64 seq;
	bool bound;
	u64 challenge;
	u8 answer;
	u64 epoch;
	u8 holder;
	bool released;
	u64 wait_ns;
	u64 peer_heard_ago_ns;
	u8 peer_role;
	u32 peer_report;
	u64 peer_epoch;
};

/**
 * struct stamp_passage - what the reflector adds of its own
 * @received_ntp: when the request came in
 * @sent_ntp: when the answer leaves
 * @ttl: IP TTL or hop limit the request arrived with, 0 if unknown
 */
struct stamp_passage {
	u64 received_ntp;
	u64 sent_ntp;
	u8 ttl;
};

/* Why a packet was refused; the order is that of the checks. */
enum stamp_error {
	STAMP_OK,
	STAMP_MALFORMED,	/* not a witness packet, or a field out of range */
	STAMP_FORGED,		/* a check code is wrong */
};

/* Wall clock time in NTP format: seconds since 1900 and a binary fraction. */
u64 stamp_ntp(const struct timespec *wall);

/**
 * stamp_key_set() - the key of witness packets
 * @key: filled in
 * @secret: the key that pair and arbiter share
 */
void stamp_key_set(struct ctiha_mac_key *key, const u8 secret[CTIHA_KEY_LEN]);

/**
 * stamp_reflect() - answer a plain packet
 * @request: received bytes, hostile
 * @len: how many
 * @passage: what the reflector adds
 * @answer: receives as many bytes as the request has
 * @size: room in @answer
 *
 * Stateless, as RFC 8762 allows: the answer has the sender's sequence number.
 * What follows the first 44 bytes is copied; as senders set the U flag in each
 * TLV, they read in the copy that none was understood (RFC 8972).
 *
 * Return: length of the answer, 0 if the packet is too short or too long.
 */
size_t stamp_reflect(const void *request, size_t len,
		     const struct stamp_passage *passage,
		     void *answer, size_t size);

/**
 * stamp_is_witness() - does this look like a witness packet?
 * @data: received bytes, hostile
 * @len: how many
 * @pair: receives the pair it claims to be of, not yet authenticated
 *
 * Return: true if length and TLV headers are those of a witness packet.
 */
bool stamp_is_witness(const void *data, size_t len, u32 *pair);

/**
 * stamp_request_seal() - write a request in wire format
 * @wire: receives STAMP_WITNESS_LEN bytes
 * @request: what to ask
 * @now_ntp: wall clock time
 * @key: key of the pair
 */
void stamp_request_seal(u8 wire[STAMP_WITNESS_LEN],
			const struct stamp_request *request, u64 now_ntp,
			const struct ctiha_mac_key *key);

/**
 * stamp_request_open() - check a received request and read it
 * @data: received bytes, hostile
 * @len: how many
 * @key: key of the pair that stamp_is_witness() named
 * @request: filled in on success only
 *
 * Return: STAMP_OK or the reason for refusing it.
 */
enum stamp_error stamp_request_open(const void *data, size_t len,
				    const struct ctiha_mac_key *key,
				    struct stamp_request *request);

/**
 * stamp_answer_seal() - write an answer in wire format
 * @wire: receives STAMP_WITNESS_LEN bytes
 * @answer: what to say
 * @request: bytes of the request, as received
 * @passage: what the reflector adds
 * @key: key of the pair
 */
void stamp_answer_seal(u8 wire[STAMP_WITNESS_LEN],
		       const struct stamp_answer *answer,
		       const u8 request[STAMP_WITNESS_LEN],
		       const struct stamp_passage *passage,
		       const struct ctiha_mac_key *key);

/**
 * stamp_answer_open() - check a received answer and read it
 * @data: received bytes, hostile
 * @len: how many
 * @key: key of the pair
 * @answer: filled in on success only
 *
 * Return: STAMP_OK or the reason for refusing it.
 */
enum stamp_error stamp_answer_open(const void *data, size_t len,
				   const struct ctiha_mac_key *key,
				   struct stamp_answer *answer);

#endif /* CTIHA_STAMP_H */
