// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer target: everything between a datagram and its answer, at the
 * arbiter and at its client.
 *
 * The input is a list of packets. A packet goes in as it is, or with check
 * codes made right, so that what lies behind them is reached too. Linked
 * without durable.c: the disk is here, and fails when the input says so.
 */
#include <ctiha/lease.h>
#include <stdlib.h>

#include "arbiter/packet.h"
#include "common/durable.h"
#include "common/log.h"

#define PAIR	1

static const u8 secret[CTIHA_KEY_LEN] = { 42 };
static struct ctiha_mac_key key;
static struct pairs pairs;
static u8 disk[DURABLE_MAX];
static size_t disk_len;
static bool disk_fails;

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

int durable_write(const char *dir, const char *name, const void *data,
		  size_t len)
{
	(void)dir;
	(void)name;
	if (disk_fails)
		return -EIO;
	memcpy(disk, data, len);
	disk_len = len;
	return 0;
}

ssize_t durable_read(const char *dir, const char *name, void *buf, size_t size)
{
	(void)dir;
	(void)name;
	if (!disk_len)
		return -ENOENT;
	if (disk_len > size)
		return -ENOSPC;
	memcpy(buf, disk, disk_len);
	return (ssize_t)disk_len;
}

static void on_event(void *arg, const struct pair *pair,
		     const struct grant_event *event)
{
	(void)arg;
	if (pair->id != PAIR || !grant_event_name(event->kind))
		abort();
}

/* How the first byte of a packet says to treat it. */
enum treatment {
	TREAT_SEAL = 1 << 0,		/* make the check codes right */
	TREAT_OPEN_ANSWER = 1 << 1,	/* give it to the client */
	TREAT_CHALLENGE = 1 << 2,	/* put in the right challenge */
	TREAT_DISK_FAILS = 1 << 3,
	TREAT_RESTART = 1 << 4,		/* before the packet */
};

static void seal(u8 *wire)
{
	static const u8 witness_tlv[4] = { 0x80, STAMP_TLV_WITNESS, 0,
					   STAMP_WITNESS_VALUE_LEN };
	static const u8 hmac_tlv[4] = { 0x80, STAMP_TLV_HMAC, 0,
					CTIHA_MAC_LEN };
	u8 text[4 + 4 + STAMP_WITNESS_VALUE_LEN];

	memcpy(wire + 112, witness_tlv, sizeof(witness_tlv));
	memcpy(wire + 188, hmac_tlv, sizeof(hmac_tlv));
	memcpy(wire + 120, "\0\0\0\1", 4);	/* PAIR */
	memcpy(wire, wire + 136, 4);		/* low half of the sequence */
	ctiha_mac(&key, wire, 96, wire + 96);
	memcpy(text, wire, 4);
	memcpy(text + 4, wire + 112, sizeof(text) - 4);
	ctiha_mac(&key, text, sizeof(text), wire + 192);
}

static void put_challenge(u8 *wire)
{
	__be64 challenge = cpu_to_be64(
		pairs.list[0].grant.nodes[wire[118] & 1].challenge);

	memcpy(wire + 140, &challenge, sizeof(challenge));
}

static void check(u64 epoch_before)
{
	const struct grant *g = &pairs.list[0].grant;

	if (g->record.epoch < epoch_before)
		abort();
	if (g->record.epoch &&
	    g->record.holder != ctiha_epoch_owner(g->record.epoch))
		abort();
	if (!g->nodes[0].challenge || !g->nodes[1].challenge)
		abort();
}

static void one_packet(u8 treatment, u64 now_ns, const u8 *data, size_t len)
{
	static const struct stamp_passage passage = { .ttl = 64 };
	u64 epoch = pairs.list[0].grant.record.epoch;
	struct stamp_answer answer;
	u8 out[STAMP_PLAIN_MAX];
	u8 *wire = malloc(len ? len : 1);
	size_t out_len;
	u32 pair;

	if (!wire)
		abort();
	memcpy(wire, data, len);
	if (len == STAMP_WITNESS_LEN && treatment & TREAT_CHALLENGE)
		put_challenge(wire);
	if (len == STAMP_WITNESS_LEN && treatment & TREAT_SEAL)
		seal(wire);
	disk_fails = treatment & TREAT_DISK_FAILS;
	if (treatment & TREAT_OPEN_ANSWER)
		stamp_answer_open(wire, len, &key, &answer);
	packet_answer(&pairs, wire, len, &passage, now_ns, now_ns * 3, out,
		      &out_len, &pair);
	if (out_len && out_len != len)
		abort();
	check(epoch);
	pairs_watch(&pairs, now_ns);
	free(wire);
}

static void begin(void)
{
	log_init("stamp_fuzz", LOG_LEVEL_ERROR - 1);
	memset(&pairs, 0, sizeof(pairs));
	pairs.directory = "";
	pairs.event = on_event;
	disk_len = 0;
	stamp_key_set(&key, secret);
	if (pairs_add(&pairs, PAIR, secret) || pairs_load(&pairs, 1))
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	u64 now_ns = CTIHA_NS_PER_MS;

	begin();
	/* Each packet: treatment, milliseconds since the last, length. */
	while (len >= 3) {
		size_t want = data[2];
		u8 treatment = data[0];

		now_ns += data[1] * CTIHA_NS_PER_MS;
		data += 3;
		len -= 3;
		if (want > len)
			want = len;
		if (treatment & TREAT_RESTART && pairs_load(&pairs, now_ns))
			abort();
		one_packet(treatment, now_ns, data, want);
		data += want;
		len -= want;
	}
	return 0;
}
