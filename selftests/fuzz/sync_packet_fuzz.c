// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes what the sync reads from the network: heads as they come, then
 * payloads with a right check code, as a broken peer could send them.
 *
 * Input: as it is, as a packet; and again as the payload of a packet whose
 * flags, content id and raw length are its first seven bytes.
 */
#include <stdlib.h>

#include "common/mac.h"
#include "daemon/sync/packet.h"
#include "daemon/sync/sync.h"

static const u8 key_bytes[CTIHA_KEY_LEN] = "fuzz";
static struct packet_codec *codec;
static struct ctiha_mac_key key;

/* Uses every byte that the reader hands out, so that a sanitizer sees it. */
static u8 touch(const void *data, size_t len)
{
	const u8 *bytes = data;
	u8 sum = 0;

	while (len--)
		sum ^= *bytes++;
	return sum;
}

static void read_all(const struct packet *p)
{
	static struct packet_totals totals;
	struct packet_report report;
	struct packet_partial partial;
	struct packet_cursor cursor;
	struct packet_hello hello;
	struct store_record r;
	enum packet_op op;
	volatile u8 sink;
	bool merged = p->head.content == PACKET_MERGED;
	u64 first;
	u32 count;

	packet_read_report(p, &report);
	packet_read_partial(p, &partial);
	packet_read_hello(p, &hello);
	if (!packet_read_totals(p, &totals) &&
	    totals.count > STORE_CONTENT_MAX)
		abort();
	if (packet_read_records(p, &first, &count, &cursor))
		return;
	while (packet_next_record(&cursor, &op, &r)) {
		sink = touch(r.key, r.key_len) ^ touch(r.value, r.value_len);
		if (!r.content || r.content > STORE_CONTENT_MAX ||
		    !r.key_len || r.key_len > SYNC_KEY_MAX || !count ||
		    r.value_len > SYNC_VALUE_MAX)
			abort();
		count--;
	}
	(void)sink;
	/* Those that were replaced are no records. */
	if (count && !merged)
		abort();
}

static void open_whole(const u8 *data, size_t len)
{
	struct packet p;

	if (!packet_open(codec, &key, data, len, &p))
		read_all(&p);
}

/* The unit test's way to write big-endian fields where the document says. */
static void write_be(u8 *at, u64 value, int bytes)
{
	while (bytes--) {
		at[bytes] = (u8)value;
		value >>= 8;
	}
}

static void open_sealed(const u8 *data, size_t len)
{
	static u8 packet[PACKET_HEAD_LEN + 65536 + PACKET_TAIL_LEN];
	u8 *tail;

	if (len < 7 || len - 7 > 65536)
		return;
	memset(packet, 0, PACKET_HEAD_LEN);
	write_be(packet, PACKET_MAGIC, 4);
	packet[4] = PACKET_VERSION;
	packet[5] = data[0];
	memcpy(packet + 6, data + 1, 2);
	memcpy(packet + 12, data + 3, 4);
	write_be(packet + 16, len - 7, 4);
	memcpy(packet + PACKET_HEAD_LEN, data + 7, len - 7);
	tail = packet + PACKET_HEAD_LEN + len - 7;
	ctiha_mac(&key, packet, (size_t)(tail - packet), tail);
	write_be(tail + CTIHA_MAC_LEN, PACKET_END, 4);
	open_whole(packet, (size_t)(tail - packet) + PACKET_TAIL_LEN);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	if (!codec) {
		codec = packet_codec_new();
		mac_key_set(&key, key_bytes);
	}
	open_whole(data, len);
	open_sealed(data, len);
	return 0;
}
