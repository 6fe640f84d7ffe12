// SPDX-License-Identifier: GPL-2.0-or-later
/* Sync packets. See packet.h and Documentation/sync.rst. */
#include "daemon/sync/packet.h"

#include <stdlib.h>

#include <zstd.h>

#include "common/mac.h"
#include "daemon/sync/dictionary.h"

#define ZSTD_LEVEL	1

/* All fields big-endian. */
struct wire_head {
	__be32 magic;
	u8 version;
	u8 flags;
	__be16 content;
	__be32 pair;
	__be32 raw_len;
	__be32 payload_len;
	u8 node;
	u8 reserved[3];
	__be64 epoch;
	__be64 sequence;
} __packed;

struct wire_tail {
	u8 mac[CTIHA_MAC_LEN];
	__be32 end;
} __packed;

struct wire_hello {
	u8 nonce[PACKET_NONCE_LEN];
	__be32 welcome;
	__be32 features;
} __packed;

struct wire_state {
	__be64 epoch;
	__be64 position;
	__be64 records;
	__be64 digest[2];
} __packed;

struct wire_report {
	struct wire_state state;
	__be64 stamp;
	__be32 transfers;
	u8 synced;
	u8 reserved[3];
} __packed;

struct wire_partial {
	struct wire_state state;
	__be64 received;
	__be16 content;
	u8 key_len;
	u8 reserved[5];
	u8 key[SYNC_KEY_MAX];
} __packed;

struct wire_records {
	__be64 first;
	__be32 count;
	u8 reserved[4];
} __packed;

struct wire_record {
	u8 op;
	u8 key_len;
	__be16 value_len;
} __packed;

#define CHECK_OFFSET(type, field, offset) \
	static_assert(offsetof(struct type, field) == (offset))

CHECK_OFFSET(wire_head, magic, 0);
CHECK_OFFSET(wire_head, version, 4);
CHECK_OFFSET(wire_head, flags, 5);
CHECK_OFFSET(wire_head, content, 6);
CHECK_OFFSET(wire_head, pair, 8);
CHECK_OFFSET(wire_head, raw_len, 12);
CHECK_OFFSET(wire_head, payload_len, 16);
CHECK_OFFSET(wire_head, node, 20);
CHECK_OFFSET(wire_head, reserved, 21);
CHECK_OFFSET(wire_head, epoch, 24);
CHECK_OFFSET(wire_head, sequence, 32);
CHECK_OFFSET(wire_tail, mac, 0);
CHECK_OFFSET(wire_tail, end, 16);
CHECK_OFFSET(wire_hello, welcome, 16);
CHECK_OFFSET(wire_hello, features, 20);
CHECK_OFFSET(wire_state, epoch, 0);
CHECK_OFFSET(wire_state, position, 8);
CHECK_OFFSET(wire_state, records, 16);
CHECK_OFFSET(wire_state, digest, 24);
CHECK_OFFSET(wire_report, state, 0);
CHECK_OFFSET(wire_report, stamp, 40);
CHECK_OFFSET(wire_report, transfers, 48);
CHECK_OFFSET(wire_report, synced, 52);
CHECK_OFFSET(wire_partial, received, 40);
CHECK_OFFSET(wire_partial, content, 48);
CHECK_OFFSET(wire_partial, key_len, 50);
CHECK_OFFSET(wire_partial, key, 56);
CHECK_OFFSET(wire_records, first, 0);
CHECK_OFFSET(wire_records, count, 8);
CHECK_OFFSET(wire_record, key_len, 1);
CHECK_OFFSET(wire_record, value_len, 2);
static_assert(sizeof(struct wire_head) == PACKET_HEAD_LEN);
static_assert(sizeof(struct wire_tail) == PACKET_TAIL_LEN);
static_assert(sizeof(struct wire_hello) == PACKET_HELLO_LEN);
static_assert(sizeof(struct wire_report) == PACKET_REPORT_LEN);
static_assert(sizeof(struct wire_partial) == PACKET_PARTIAL_LEN);
static_assert(sizeof(struct wire_records) == PACKET_RECORDS_LEN);
static_assert(sizeof(struct wire_record) == PACKET_RECORD_LEN);
static_assert(SYNC_KEY_MAX <= UINT8_MAX && SYNC_VALUE_MAX <= UINT16_MAX);

/*
 * @sealed has room for a whole packet, @raw for what one unpacks to. @known: the
 * dictionary in use and the one before it.
 */
struct packet_codec {
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
	u8 *sealed;
	u8 *raw;
	struct dictionary *known[2];
};

struct packet_codec *packet_codec_new(void)
{
	struct packet_codec *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->pack = ZSTD_createCCtx();
	c->unpack = ZSTD_createDCtx();
	c->sealed = malloc(PACKET_MAX);
	c->raw = malloc(PACKET_RAW_MAX);
	if (c->pack && c->unpack && c->sealed && c->raw)
		return c;
	packet_codec_free(c);
	return NULL;
}

void packet_codec_free(struct packet_codec *c)
{
	if (!c)
		return;
	ZSTD_freeCCtx(c->pack);
	ZSTD_freeDCtx(c->unpack);
	dictionary_free(c->known[0]);
	dictionary_free(c->known[1]);
	free(c->sealed);
	free(c->raw);
	free(c);
}

u32 packet_codec_dictionary(const struct packet_codec *c)
{
	return c->known[0] ? c->known[0]->id : 0;
}

int packet_codec_learn(struct packet_codec *c, const void *bytes, size_t len)
{
	struct dictionary *d = NULL;

	if (len && !dictionary_id(bytes, len))
		return -EINVAL;
	if ((len ? dictionary_id(bytes, len) : 0) == packet_codec_dictionary(c))
		return 0;
	if (len)
		d = dictionary_new(bytes, len, ZSTD_LEVEL);
	if (len && !d)
		return -ENOMEM;
	dictionary_free(c->known[1]);
	c->known[1] = c->known[0];
	c->known[0] = d;
	return 0;
}

#define FLAGS	(PACKET_COMPRESSED | PACKET_SNAPSHOT | PACKET_DICTIONARY)

static bool flags_are_ours(u8 flags)
{
	return !(flags & ~FLAGS) && (flags & PACKET_COMPRESSED ||
				     !(flags & PACKET_DICTIONARY));
}

static bool head_is_ours(const struct wire_head *w)
{
	return be32_to_cpu(w->magic) == PACKET_MAGIC &&
	       w->version == PACKET_VERSION &&
	       flags_are_ours(w->flags) &&
	       w->node <= 1 && !w->reserved[0] && !w->reserved[1] &&
	       !w->reserved[2];
}

enum packet_error packet_measure(const u8 head[PACKET_HEAD_LEN], size_t *len)
{
	struct wire_head w;
	u32 raw_len, payload_len;

	memcpy(&w, head, sizeof(w));
	if (!head_is_ours(&w))
		return PACKET_BAD_HEAD;
	raw_len = be32_to_cpu(w.raw_len);
	payload_len = be32_to_cpu(w.payload_len);
	if (raw_len > PACKET_RAW_MAX || payload_len > raw_len ||
	    !!(w.flags & PACKET_COMPRESSED) != (payload_len < raw_len))
		return PACKET_BAD_LENGTH;
	*len = PACKET_HEAD_LEN + payload_len + PACKET_TAIL_LEN;
	return PACKET_OK;
}

static enum packet_error check_tail(const struct ctiha_mac_key *key,
				    const u8 *data, size_t len)
{
	size_t sealed_len = len - PACKET_TAIL_LEN;
	struct wire_tail tail;
	u8 mac[CTIHA_MAC_LEN];

	memcpy(&tail, data + sealed_len, sizeof(tail));
	if (be32_to_cpu(tail.end) != PACKET_END)
		return PACKET_BAD_END;
	ctiha_mac(key, data, sealed_len, mac);
	return mac_equal(mac, tail.mac, sizeof(mac)) ? PACKET_OK :
						       PACKET_FORGED;
}

static void read_head(const u8 *data, struct packet_head *head)
{
	struct wire_head w;

	memcpy(&w, data, sizeof(w));
	head->flags = w.flags;
	head->content = be16_to_cpu(w.content);
	head->pair = be32_to_cpu(w.pair);
	head->node = w.node;
	head->epoch = be64_to_cpu(w.epoch);
	head->sequence = be64_to_cpu(w.sequence);
	head->raw_len = be32_to_cpu(w.raw_len);
	head->payload_len = be32_to_cpu(w.payload_len);
}

static const struct dictionary *find_dictionary(const struct packet_codec *c,
						u32 id)
{
	unsigned int i;

	for (i = 0; id && i < ARRAY_SIZE(c->known); i++) {
		if (c->known[i] && c->known[i]->id == id)
			return c->known[i];
	}
	return NULL;
}

static enum packet_error unpack(struct packet_codec *c, const u8 *payload,
				struct packet *p)
{
	const struct dictionary *d = NULL;
	size_t n;

	if (!(p->head.flags & PACKET_COMPRESSED)) {
		memcpy(c->raw, payload, p->head.raw_len);
		p->raw = c->raw;
		return PACKET_OK;
	}
	if (p->head.flags & PACKET_DICTIONARY) {
		d = find_dictionary(c, ZSTD_getDictID_fromFrame(payload,
								p->head.payload_len));
		if (!d)
			return PACKET_BAD_DICTIONARY;
	}
	/* Writes raw_len bytes at most, whatever the payload claims to hold. */
	n = ZSTD_decompress_usingDDict(c->unpack, c->raw, p->head.raw_len,
				       payload, p->head.payload_len,
				       d ? d->unpack : NULL);
	if (ZSTD_isError(n) || n != p->head.raw_len)
		return PACKET_BAD_PAYLOAD;
	p->raw = c->raw;
	return PACKET_OK;
}

enum packet_error packet_open(struct packet_codec *codec,
			      const struct ctiha_mac_key *key, const u8 *data,
			      size_t len, struct packet *packet)
{
	struct packet opened;
	enum packet_error error;
	size_t expected;

	if (len < PACKET_HEAD_LEN + PACKET_TAIL_LEN)
		return PACKET_BAD_LENGTH;
	error = packet_measure(data, &expected);
	if (error)
		return error;
	if (len != expected)
		return PACKET_BAD_LENGTH;
	error = check_tail(key, data, len);
	if (error)
		return error;
	read_head(data, &opened.head);
	error = unpack(codec, data + PACKET_HEAD_LEN, &opened);
	if (!error)
		*packet = opened;
	return error;
}

static void write_head(u8 *data, const struct packet_head *head)
{
	struct wire_head w = {
		.magic = cpu_to_be32(PACKET_MAGIC),
		.version = PACKET_VERSION,
		.flags = head->flags,
		.content = cpu_to_be16(head->content),
		.pair = cpu_to_be32(head->pair),
		.raw_len = cpu_to_be32(head->raw_len),
		.payload_len = cpu_to_be32(head->payload_len),
		.node = head->node,
		.epoch = cpu_to_be64(head->epoch),
		.sequence = cpu_to_be64(head->sequence),
	};

	memcpy(data, &w, sizeof(w));
}

/* Below this a packet costs more time to shrink than its bytes are worth. */
#define WORTH_PACKING	128

/* Return: bytes, less than they were, or 0. */
static size_t shrink(struct packet_codec *c, const struct packet_head *head,
		     u8 *to, const u8 *raw)
{
	size_t n;

	if (head->raw_len < WORTH_PACKING)
		return 0;
	if (head->flags & PACKET_DICTIONARY)
		n = ZSTD_compress_usingCDict(c->pack, to, head->raw_len - 1,
					     raw, head->raw_len,
					     c->known[0]->pack);
	else
		n = ZSTD_compressCCtx(c->pack, to, head->raw_len - 1, raw,
				      head->raw_len, ZSTD_LEVEL);
	return ZSTD_isError(n) ? 0 : n;
}

static void pack(struct packet_codec *c, struct packet_head *head, const u8 *raw)
{
	u8 *payload = c->sealed + PACKET_HEAD_LEN;
	size_t n;

	if (!c->known[0])
		head->flags &= (u8)~PACKET_DICTIONARY;
	head->flags &= (u8)~PACKET_COMPRESSED;
	head->payload_len = head->raw_len;
	n = shrink(c, head, payload, raw);
	if (n) {
		head->flags |= PACKET_COMPRESSED;
		head->payload_len = (u32)n;
		return;
	}
	head->flags &= (u8)~PACKET_DICTIONARY;
	if (head->raw_len)
		memcpy(payload, raw, head->raw_len);
}

const u8 *packet_seal(struct packet_codec *c, const struct ctiha_mac_key *key,
		      struct packet_head *head, const u8 *raw, size_t *len)
{
	struct wire_tail tail = { .end = cpu_to_be32(PACKET_END) };
	size_t sealed_len;

	pack(c, head, raw);
	write_head(c->sealed, head);
	sealed_len = PACKET_HEAD_LEN + head->payload_len;
	ctiha_mac(key, c->sealed, sealed_len, tail.mac);
	memcpy(c->sealed + sealed_len, &tail, sizeof(tail));
	*len = sealed_len + PACKET_TAIL_LEN;
	return c->sealed;
}

const char *packet_strerror(enum packet_error error)
{
	switch (error) {
	case PACKET_OK:
		return "good";
	case PACKET_BAD_HEAD:
		return "not a sync packet of this version";
	case PACKET_BAD_LENGTH:
		return "length out of bounds";
	case PACKET_BAD_END:
		return "end mark missing";
	case PACKET_FORGED:
		return "check code wrong: damaged, or the servers' keys differ";
	case PACKET_BAD_PAYLOAD:
		return "payload does not unpack";
	case PACKET_BAD_DICTIONARY:
		return "packed with a dictionary that is not here";
	}
	return "unknown";
}

void packet_write_hello(u8 raw[PACKET_HELLO_LEN],
			const struct packet_hello *hello)
{
	struct wire_hello w = {
		.welcome = cpu_to_be32(hello->welcome),
		.features = cpu_to_be32(hello->features),
	};

	memcpy(w.nonce, hello->nonce, sizeof(w.nonce));
	memcpy(raw, &w, sizeof(w));
}

int packet_read_hello(const struct packet *packet, struct packet_hello *hello)
{
	struct wire_hello w;

	if (packet->head.raw_len != sizeof(w))
		return -EPROTO;
	memcpy(&w, packet->raw, sizeof(w));
	memcpy(hello->nonce, w.nonce, sizeof(w.nonce));
	hello->welcome = be32_to_cpu(w.welcome);
	hello->features = be32_to_cpu(w.features);
	return 0;
}

static struct wire_state write_state(const struct store_state *s)
{
	return (struct wire_state){
		.epoch = cpu_to_be64(s->epoch),
		.position = cpu_to_be64(s->position),
		.records = cpu_to_be64(s->records),
		.digest = { cpu_to_be64(s->digest[0]),
			    cpu_to_be64(s->digest[1]) },
	};
}

static struct store_state read_state(const struct wire_state *w)
{
	return (struct store_state){
		.epoch = be64_to_cpu(w->epoch),
		.position = be64_to_cpu(w->position),
		.records = be64_to_cpu(w->records),
		.digest = { be64_to_cpu(w->digest[0]),
			    be64_to_cpu(w->digest[1]) },
	};
}

void packet_write_report(u8 raw[PACKET_REPORT_LEN],
			 const struct packet_report *report)
{
	struct wire_report w = {
		.state = write_state(&report->state),
		.stamp = cpu_to_be64(report->stamp),
		.transfers = cpu_to_be32(report->transfers),
		.synced = report->synced,
	};

	memcpy(raw, &w, sizeof(w));
}

int packet_read_report(const struct packet *packet,
		       struct packet_report *report)
{
	struct wire_report w;

	if (packet->head.raw_len != sizeof(w))
		return -EPROTO;
	memcpy(&w, packet->raw, sizeof(w));
	if (w.synced > PACKET_AS_BEFORE)
		return -EPROTO;
	report->state = read_state(&w.state);
	report->stamp = be64_to_cpu(w.stamp);
	report->transfers = be32_to_cpu(w.transfers);
	report->synced = w.synced;
	return 0;
}

void packet_write_partial(u8 raw[PACKET_PARTIAL_LEN],
			  const struct packet_partial *partial)
{
	struct wire_partial w = {
		.state = write_state(&partial->state),
		.received = cpu_to_be64(partial->received),
		.content = cpu_to_be16(partial->content),
		.key_len = partial->key_len,
	};

	memcpy(w.key, partial->key, partial->key_len);
	memcpy(raw, &w, sizeof(w));
}

int packet_read_partial(const struct packet *packet,
			struct packet_partial *partial)
{
	struct wire_partial w;

	if (packet->head.raw_len != sizeof(w))
		return -EPROTO;
	memcpy(&w, packet->raw, sizeof(w));
	if (!w.received || !w.key_len || w.key_len > SYNC_KEY_MAX)
		return -EPROTO;
	partial->state = read_state(&w.state);
	partial->received = be64_to_cpu(w.received);
	partial->content = be16_to_cpu(w.content);
	partial->key_len = w.key_len;
	memcpy(partial->key, w.key, w.key_len);
	return 0;
}

size_t packet_record_size(size_t key_len, size_t value_len)
{
	return PACKET_RECORD_LEN + key_len + value_len;
}

void packet_write_record(u8 *to, enum packet_op op, const void *key,
			 size_t key_len, const void *value, size_t value_len)
{
	struct wire_record w = {
		.op = (u8)op,
		.key_len = (u8)key_len,
		.value_len = cpu_to_be16((u16)value_len),
	};

	memcpy(to, &w, sizeof(w));
	memcpy(to + sizeof(w), key, key_len);
	if (value_len)
		memcpy(to + sizeof(w) + key_len, value, value_len);
}

void packet_write_records(u8 raw[PACKET_RECORDS_LEN], u64 first, u32 count)
{
	struct wire_records w = {
		.first = cpu_to_be64(first),
		.count = cpu_to_be32(count),
	};

	memcpy(raw, &w, sizeof(w));
}

/* Reads one record if it lies wholly before the end and is in range. */
static bool read_record(struct packet_cursor *c, enum packet_op *op,
			struct store_record *r)
{
	struct wire_record w;
	size_t size;

	if ((size_t)(c->end - c->at) < sizeof(w))
		return false;
	memcpy(&w, c->at, sizeof(w));
	r->content = c->content;
	r->key_len = w.key_len;
	r->value_len = be16_to_cpu(w.value_len);
	size = packet_record_size(r->key_len, r->value_len);
	if (size > (size_t)(c->end - c->at) || !r->key_len ||
	    r->key_len > SYNC_KEY_MAX || r->value_len > SYNC_VALUE_MAX ||
	    (w.op != PACKET_PUT && w.op != PACKET_DELETE) ||
	    (w.op == PACKET_DELETE && r->value_len))
		return false;
	*op = w.op;
	r->key = c->at + sizeof(w);
	r->value = c->at + sizeof(w) + r->key_len;
	c->at += size;
	return true;
}

int packet_read_records(const struct packet *packet, u64 *first, u32 *count,
			struct packet_cursor *cursor)
{
	struct packet_cursor check;
	struct store_record record;
	struct wire_records w;
	enum packet_op op;
	u32 i;

	if (packet->head.raw_len < sizeof(w) || !packet->head.content ||
	    packet->head.content > STORE_CONTENT_MAX)
		return -EPROTO;
	memcpy(&w, packet->raw, sizeof(w));
	cursor->at = packet->raw + sizeof(w);
	cursor->end = packet->raw + packet->head.raw_len;
	cursor->content = packet->head.content;
	cursor->left = be32_to_cpu(w.count);
	check = *cursor;
	for (i = 0; i < cursor->left; i++) {
		if (!read_record(&check, &op, &record) ||
		    (op == PACKET_DELETE &&
		     packet->head.flags & PACKET_SNAPSHOT))
			return -EPROTO;
	}
	if (!cursor->left || check.at != check.end)
		return -EPROTO;
	*first = be64_to_cpu(w.first);
	*count = cursor->left;
	return 0;
}

bool packet_next_record(struct packet_cursor *cursor, enum packet_op *op,
			struct store_record *record)
{
	if (!cursor->left)
		return false;
	cursor->left--;
	return read_record(cursor, op, record);
}
