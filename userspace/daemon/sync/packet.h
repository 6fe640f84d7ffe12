/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sync packets: their bytes on the wire and their meaning (b2).
 * Documentation/sync.rst describes every byte.
 *
 * packet.c has the packet, packet_records.c the records in it, packet_payload.c
 * what else is in one, by content.
 *
 *   head  magic, version, content id, who, epoch, sequence, lengths
 *   payload, compressed with zstd unless that would not make it shorter
 *   tail  check code over head and payload, end mark
 *
 * Each packet stands alone. No I/O and no clock. What arrives is hostile until
 * its check code is right, and may be nonsense even then: every length is
 * checked before it is used, and no more than PACKET_RAW_MAX is ever unpacked.
 */
#ifndef CTIHA_PACKET_H
#define CTIHA_PACKET_H

#include <ctiha/base.h>
#include <ctiha/frame.h>

#include "daemon/sync/store.h"
#include "daemon/sync/sync.h"

#define PACKET_MAGIC		0x43544953	/* "CTIS" */
#define PACKET_END		0x53495443	/* "SITC" */
#define PACKET_VERSION		1
#define PACKET_HEAD_LEN		40
#define PACKET_TAIL_LEN		20
#define PACKET_RAW_MAX		(1U << 20)
#define PACKET_MAX		(PACKET_HEAD_LEN + PACKET_RAW_MAX + PACKET_TAIL_LEN)
#define PACKET_NONCE_LEN	16

/*
 * Content ids below PACKET_CONTROL are records of that content (enum
 * sync_content and what later versions may add, up to STORE_CONTENT_MAX).
 */
enum packet_content {
	PACKET_CONTROL = 0x8000,
	PACKET_HELLO = 0x8001,		/* active: my nonce */
	PACKET_HELLO_REPLY = 0x8002,	/* standby: mine; welcome or not */
	PACKET_SNAPSHOT_BEGIN = 0x8003,	/* all records follow */
	PACKET_SNAPSHOT_END = 0x8004,	/* those were all */
	PACKET_KEEPALIVE = 0x8005,	/* active: state at this point */
	PACKET_ACK = 0x8006,		/* standby: state I have committed */
	PACKET_PARTIAL = 0x8007,	/* standby: so far came a broken transfer */
	PACKET_SNAPSHOT_RESUME = 0x8008,	/* its rest follows */
	PACKET_TOTALS = 0x8009,		/* either: state of each content */
	PACKET_MERGED = 0x800a,		/* writes, but for those that others replace */
};

/* Are there records in a packet of this content? */
static inline bool packet_has_records(u16 content)
{
	return content < PACKET_CONTROL || content == PACKET_MERGED;
}

enum packet_flag {
	PACKET_COMPRESSED = 1 << 0,
	PACKET_SNAPSHOT = 1 << 1,	/* records of a snapshot, not writes */
	PACKET_DICTIONARY = 1 << 2,	/* compressed with one that both have */
};

/**
 * struct packet_head - a head in host byte order
 * @flags: enum packet_flag
 * @content: enum packet_content, or of the records
 * @pair: number of the pair
 * @node: sender, 0 or 1
 * @epoch: that the sender acts in, or the highest it knows
 * @sequence: grows by one per packet of a connection and direction, from 1
 * @raw_len: of the payload when unpacked
 * @payload_len: of the payload as it travels
 */
struct packet_head {
	u8 flags;
	u16 content;
	u32 pair;
	u8 node;
	u64 epoch;
	u64 sequence;
	u32 raw_len;
	u32 payload_len;
};

/* An opened packet. @raw is valid until the codec is used again. */
struct packet {
	struct packet_head head;
	const u8 *raw;
};

enum packet_error {
	PACKET_OK,
	PACKET_BAD_HEAD,	/* magic, version, flags or reserved bytes */
	PACKET_BAD_LENGTH,	/* out of bounds, or not what was received */
	PACKET_BAD_END,		/* end mark missing */
	PACKET_FORGED,		/* check code wrong */
	PACKET_BAD_PAYLOAD,	/* does not unpack to what the head says */
	PACKET_BAD_DICTIONARY,	/* packed with one that is not here */
};

struct packet_codec;

/* Buffers and contexts for packing and unpacking; NULL without memory. */
struct packet_codec *packet_codec_new(void);
void packet_codec_free(struct packet_codec *codec);

/**
 * packet_codec_learn() - use this dictionary from now on
 * @bytes: hostile
 * @len: of @bytes; 0: use none
 *
 * The one before it can still be unpacked with, for what is under way.
 *
 * Return: 0, -EINVAL if it is none, -ENOMEM.
 */
int packet_codec_learn(struct packet_codec *codec, const void *bytes,
		       size_t len);

#define PACKET_LEVEL_MIN	1
#define PACKET_LEVEL_MAX	9

/* Level that packets are compressed with from now on; at first the lowest. */
void packet_codec_level(struct packet_codec *codec, int level);

/* Id of the dictionary in use, 0: none. */
u32 packet_codec_dictionary(const struct packet_codec *codec);

/**
 * packet_measure() - how long is the packet that begins like this?
 * @head: PACKET_HEAD_LEN bytes, not yet authenticated
 * @len: set to PACKET_HEAD_LEN + payload + PACKET_TAIL_LEN, at most PACKET_MAX
 *
 * Return: PACKET_OK, PACKET_BAD_HEAD or PACKET_BAD_LENGTH.
 */
enum packet_error packet_measure(const u8 head[PACKET_HEAD_LEN], size_t *len);

/**
 * packet_open() - check and unpack a whole packet
 * @codec: holds what is unpacked
 * @key: of the connection
 * @data, @len: the packet
 * @packet: filled in on success only
 */
enum packet_error packet_open(struct packet_codec *codec,
			      const struct ctiha_mac_key *key, const u8 *data,
			      size_t len, struct packet *packet);

/**
 * packet_seal() - pack a packet
 * @head: PACKET_COMPRESSED and payload_len are set as it turns out. With
 *        PACKET_DICTIONARY the dictionary is used if there is one, and the flag
 *        is cleared if not
 * @raw: head->raw_len bytes, at most PACKET_RAW_MAX
 * @len: set to the packet's length
 *
 * Return: the packet, valid until the codec is used again.
 */
const u8 *packet_seal(struct packet_codec *codec,
		      const struct ctiha_mac_key *key, struct packet_head *head,
		      const u8 *raw, size_t *len);

const char *packet_strerror(enum packet_error error);

/* ---- payload of PACKET_HELLO and PACKET_HELLO_REPLY ---- */

enum packet_welcome {
	PACKET_WELCOME,
	PACKET_EPOCH_TOO_LOW,	/* the standby knows of a later active */
};

/* What the sender of a hello understands beyond version 1's first packets. */
enum packet_feature {
	PACKET_CAN_RESUME = 1 << 0,	/* PACKET_PARTIAL, PACKET_SNAPSHOT_RESUME */
	PACKET_CAN_DICTIONARY = 1 << 1,	/* PACKET_DICTIONARY */
	PACKET_CAN_TOTALS = 1 << 2,	/* PACKET_TOTALS */
	PACKET_CAN_MERGE = 1 << 3,	/* PACKET_MERGED */
	PACKET_CAN_PATCH = 1 << 4,	/* PACKET_PATCH */
};

struct packet_hello {
	u8 nonce[PACKET_NONCE_LEN];
	u32 welcome;		/* enum packet_welcome; 0 in a hello */
	u32 features;		/* enum packet_feature; others are ignored */
};

#define PACKET_HELLO_LEN	24

void packet_write_hello(u8 raw[PACKET_HELLO_LEN],
			const struct packet_hello *hello);
int packet_read_hello(const struct packet *packet, struct packet_hello *hello);

/* ---- payload of SNAPSHOT_BEGIN, _RESUME, _END, KEEPALIVE, ACK ---- */

/* What the active says to the standby about the point in the stream. */
enum packet_synced {
	PACKET_NOT_SYNCED,	/* there are acknowledged writes still to come */
	PACKET_SYNCED,		/* you have every acknowledged write */
	PACKET_AS_BEFORE,
};

/**
 * struct packet_report - a state
 * @state: of the sender: committed (ACK), sent (others)
 * @stamp: ACK: the standby's clock; KEEPALIVE: the last one that was heard
 * @transfers: snapshots sent, or received, in full on this connection
 * @synced: enum packet_synced
 */
struct packet_report {
	struct store_state state;
	u64 stamp;
	u32 transfers;
	u8 synced;
};

#define PACKET_REPORT_LEN	56

void packet_write_report(u8 raw[PACKET_REPORT_LEN],
			 const struct packet_report *report);
int packet_read_report(const struct packet *packet,
		       struct packet_report *report);

/* ---- payload of PACKET_PARTIAL ---- */

/**
 * struct packet_partial - how far a transfer came that broke off
 * @state: of the whole snapshot, as its beginning said
 * @received: records of it that are committed, at least 1
 * @content: of the last of them
 * @key, @key_len: of the last of them, 1 to SYNC_KEY_MAX bytes
 */
struct packet_partial {
	struct store_state state;
	u64 received;
	u16 content;
	u8 key_len;
	u8 key[SYNC_KEY_MAX];
};

#define PACKET_PARTIAL_LEN	120

void packet_write_partial(u8 raw[PACKET_PARTIAL_LEN],
			  const struct packet_partial *partial);
int packet_read_partial(const struct packet *packet,
			struct packet_partial *partial);

/* ---- payload of PACKET_TOTALS ---- */

#define PACKET_TOTALS_LEN	24
#define PACKET_TOTAL_LEN	32
#define PACKET_TOTALS_MAX	\
	(PACKET_TOTALS_LEN + STORE_CONTENT_MAX * PACKET_TOTAL_LEN)

/* Number and digest of the records of one content id. */
struct packet_total {
	u16 content;
	u64 records;
	u64 digest[2];
};

/**
 * struct packet_totals - what a state is made of
 * @epoch, @position: of the state
 * @of: @count of them, ascending by content; of those that have records
 */
struct packet_totals {
	u64 epoch;
	u64 position;
	u32 count;
	struct packet_total of[STORE_CONTENT_MAX];
};

/* Return: bytes of the payload. */
size_t packet_write_totals(u8 raw[PACKET_TOTALS_MAX],
			   const struct packet_totals *totals);

/* Return: 0 or -EPROTO; @totals may be changed then. */
int packet_read_totals(const struct packet *packet,
		       struct packet_totals *totals);

/* ---- payload of records: a count, then records one after another ---- */

#define PACKET_RECORDS_LEN	16	/* position u64, count u32, reserved u32 */
#define PACKET_RECORD_LEN	4	/* op, key length, value length u16 */

enum packet_op {
	PACKET_PUT = 1,
	PACKET_DELETE = 2,
	PACKET_PATCH = 3,		/* the value says what changes: patch.h */
};

/* Bytes that packet_write_record() needs. */
size_t packet_record_size(size_t key_len, size_t value_len);
void packet_write_record(u8 *to, enum packet_op op, const void *key,
			 size_t key_len, const void *value, size_t value_len);

/* What stands before the records: position of the first one, their number. */
void packet_write_records(u8 raw[PACKET_RECORDS_LEN], u64 first, u32 count);

/* ---- payload of PACKET_MERGED: the same, each record with its content ---- */

#define PACKET_MERGED_RECORD_LEN	6	/* PACKET_RECORD_LEN, content u16 */

/* Bytes that packet_write_merged_record() needs. */
size_t packet_merged_record_size(const struct store_record *r);
void packet_write_merged_record(u8 *to, enum packet_op op,
				const struct store_record *r);

/* As packet_write_records(); @replaced: further writes that led here. */
void packet_write_merged(u8 raw[PACKET_RECORDS_LEN], u64 first, u32 count,
			 u32 replaced);

/* ---- reading either ---- */

/* Reads records one by one. @content: of all of them; 0: each has its own. */
struct packet_cursor {
	const u8 *at;
	const u8 *end;
	u16 content;
	u32 left;
};

/**
 * packet_read_records() - check all records, then begin to read them
 * @packet: of records or PACKET_MERGED
 * @first: position of the first write
 * @writes: that led here; as many as there are records, or more if merged
 *
 * Return: 0, or -EPROTO if one of them is out of bounds.
 */
int packet_read_records(const struct packet *packet, u64 *first, u32 *writes,
			struct packet_cursor *cursor);

/**
 * packet_next_record() - of records that packet_read_records() has checked
 * Return: false after the last one.
 */
bool packet_next_record(struct packet_cursor *cursor, enum packet_op *op,
			struct store_record *record);

#endif /* CTIHA_PACKET_H */
