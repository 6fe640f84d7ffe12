// SPDX-License-Identifier: GPL-2.0-or-later
/* Sync packets: head, compression, check code. See packet.h. */
#include "daemon/sync/packet.h"

#include <stdlib.h>

#include <zstd.h>

#include "common/mac.h"
#include "common/wire.h"
#include "daemon/sync/dictionary.h"

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
static_assert(sizeof(struct wire_head) == PACKET_HEAD_LEN);
static_assert(sizeof(struct wire_tail) == PACKET_TAIL_LEN);
static_assert(PACKET_LEVEL_MAX == DICTIONARY_LEVEL_MAX);

/*
 * @sealed has room for a whole packet, @raw for what one unpacks to. @level: of
 * compression. @known: the dictionary in use and the one before it.
 */
struct packet_codec {
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
	u8 *sealed;
	u8 *raw;
	int level;
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
	c->level = PACKET_LEVEL_MIN;
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
	u32 id = len ? dictionary_id(bytes, len) : 0;
	struct dictionary *d = NULL;

	if (len && !id)
		return -EINVAL;
	if (id == packet_codec_dictionary(c))
		return 0;
	if (len)
		d = dictionary_new(bytes, len);
	if (len && !d)
		return -ENOMEM;
	dictionary_free(c->known[1]);
	c->known[1] = c->known[0];
	c->known[0] = d;
	return 0;
}

void packet_codec_level(struct packet_codec *c, int level)
{
	c->level = level;
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
					     dictionary_pack(c->known[0],
							     c->level));
	else
		n = ZSTD_compressCCtx(c->pack, to, head->raw_len - 1, raw,
				      head->raw_len, c->level);
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
