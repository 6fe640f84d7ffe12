// SPDX-License-Identifier: GPL-2.0-or-later
/* Records in sync packets. See packet.h and Documentation/sync.rst. */
#include "common/wire.h"
#include "daemon/sync/packet.h"

/* All fields big-endian. */
struct wire_records {
	__be64 first;
	__be32 count;
	__be32 replaced;	/* of PACKET_MERGED */
} __packed;

struct wire_record {
	u8 op;
	u8 key_len;
	__be16 value_len;
} __packed;

struct wire_merged_record {
	struct wire_record record;
	__be16 content;
} __packed;

CHECK_OFFSET(wire_records, first, 0);
CHECK_OFFSET(wire_records, count, 8);
CHECK_OFFSET(wire_records, replaced, 12);
CHECK_OFFSET(wire_record, key_len, 1);
CHECK_OFFSET(wire_record, value_len, 2);
CHECK_OFFSET(wire_merged_record, content, 4);
static_assert(sizeof(struct wire_records) == PACKET_RECORDS_LEN);
static_assert(sizeof(struct wire_record) == PACKET_RECORD_LEN);
static_assert(sizeof(struct wire_merged_record) == PACKET_MERGED_RECORD_LEN);
static_assert(SYNC_KEY_MAX <= UINT8_MAX && SYNC_VALUE_MAX <= UINT16_MAX);

/* ---- writing ---- */

size_t packet_record_size(size_t key_len, size_t value_len)
{
	return PACKET_RECORD_LEN + key_len + value_len;
}

size_t packet_merged_record_size(const struct store_record *r)
{
	return PACKET_MERGED_RECORD_LEN + r->key_len + r->value_len;
}

static struct wire_record record_head(enum packet_op op, size_t key_len,
				      size_t value_len)
{
	return (struct wire_record){
		.op = (u8)op,
		.key_len = (u8)key_len,
		.value_len = cpu_to_be16((u16)value_len),
	};
}

/* Key and value, behind what stands in front of them. */
static void write_bytes(u8 *to, const void *key, size_t key_len,
			const void *value, size_t value_len)
{
	memcpy(to, key, key_len);
	if (value_len)
		memcpy(to + key_len, value, value_len);
}

void packet_write_record(u8 *to, enum packet_op op, const void *key,
			 size_t key_len, const void *value, size_t value_len)
{
	struct wire_record w = record_head(op, key_len, value_len);

	memcpy(to, &w, sizeof(w));
	write_bytes(to + sizeof(w), key, key_len, value, value_len);
}

void packet_write_merged_record(u8 *to, enum packet_op op,
				const struct store_record *r)
{
	struct wire_merged_record w = {
		.record = record_head(op, r->key_len, r->value_len),
		.content = cpu_to_be16(r->content),
	};

	memcpy(to, &w, sizeof(w));
	write_bytes(to + sizeof(w), r->key, r->key_len, r->value, r->value_len);
}

void packet_write_merged(u8 raw[PACKET_RECORDS_LEN], u64 first, u32 count,
			 u32 replaced)
{
	struct wire_records w = {
		.first = cpu_to_be64(first),
		.count = cpu_to_be32(count),
		.replaced = cpu_to_be32(replaced),
	};

	memcpy(raw, &w, sizeof(w));
}

void packet_write_records(u8 raw[PACKET_RECORDS_LEN], u64 first, u32 count)
{
	packet_write_merged(raw, first, count, 0);
}

/* ---- reading ---- */

/* What stands in front of key and value. Return: its length, 0: not all there. */
static size_t read_head(const struct packet_cursor *c,
			struct wire_merged_record *w)
{
	size_t len = c->content ? sizeof(w->record) : sizeof(*w);

	if ((size_t)(c->end - c->at) < len)
		return 0;
	w->content = cpu_to_be16(c->content);
	memcpy(w, c->at, len);
	return len;
}

static bool in_range(const struct store_record *r, u8 op)
{
	return r->content && r->content <= STORE_CONTENT_MAX && r->key_len &&
	       r->key_len <= SYNC_KEY_MAX && r->value_len <= SYNC_VALUE_MAX &&
	       (op == PACKET_PUT || (op == PACKET_DELETE && !r->value_len) ||
		(op == PACKET_PATCH && r->value_len));
}

/* Reads one record if it lies wholly before the end and is in range. */
static bool read_record(struct packet_cursor *c, enum packet_op *op,
			struct store_record *r)
{
	struct wire_merged_record w;
	size_t head = read_head(c, &w);

	if (!head)
		return false;
	r->content = be16_to_cpu(w.content);
	r->key_len = w.record.key_len;
	r->value_len = be16_to_cpu(w.record.value_len);
	r->key = c->at + head;
	r->value = c->at + head + r->key_len;
	if (head + r->key_len + r->value_len > (size_t)(c->end - c->at) ||
	    !in_range(r, w.record.op))
		return false;
	*op = w.record.op;
	c->at += head + r->key_len + r->value_len;
	return true;
}

static bool all_are_good(struct packet_cursor check, bool snapshot)
{
	struct store_record record;
	enum packet_op op;

	if (!check.left)
		return false;
	for (; check.left; check.left--) {
		if (!read_record(&check, &op, &record) ||
		    (snapshot && op != PACKET_PUT))
			return false;
	}
	return check.at == check.end;
}

int packet_read_records(const struct packet *packet, u64 *first, u32 *writes,
			struct packet_cursor *cursor)
{
	bool merged = packet->head.content == PACKET_MERGED;
	bool snapshot = packet->head.flags & PACKET_SNAPSHOT;
	struct wire_records w;
	u32 replaced;

	if (packet->head.raw_len < sizeof(w) || (merged && snapshot) ||
	    (!merged && (!packet->head.content ||
			 packet->head.content > STORE_CONTENT_MAX)))
		return -EPROTO;
	memcpy(&w, packet->raw, sizeof(w));
	*cursor = (struct packet_cursor){
		.at = packet->raw + sizeof(w),
		.end = packet->raw + packet->head.raw_len,
		.content = merged ? 0 : packet->head.content,
		.left = be32_to_cpu(w.count),
	};
	replaced = merged ? be32_to_cpu(w.replaced) : 0;
	if (!all_are_good(*cursor, snapshot) ||
	    replaced > UINT32_MAX - cursor->left)
		return -EPROTO;
	*first = be64_to_cpu(w.first);
	*writes = cursor->left + replaced;
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
