// SPDX-License-Identifier: GPL-2.0-or-later
/* What is in sync packets but records. See packet.h and Documentation/sync.rst. */
#include "common/wire.h"
#include "daemon/sync/packet.h"

/* All fields big-endian. */
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

struct wire_totals {
	__be64 epoch;
	__be64 position;
	__be32 count;
	u8 reserved[4];
} __packed;

struct wire_total {
	__be16 content;
	u8 reserved[6];
	__be64 records;
	__be64 digest[2];
} __packed;

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
CHECK_OFFSET(wire_totals, position, 8);
CHECK_OFFSET(wire_totals, count, 16);
CHECK_OFFSET(wire_total, records, 8);
CHECK_OFFSET(wire_total, digest, 16);
static_assert(sizeof(struct wire_hello) == PACKET_HELLO_LEN);
static_assert(sizeof(struct wire_report) == PACKET_REPORT_LEN);
static_assert(sizeof(struct wire_partial) == PACKET_PARTIAL_LEN);
static_assert(sizeof(struct wire_totals) == PACKET_TOTALS_LEN);
static_assert(sizeof(struct wire_total) == PACKET_TOTAL_LEN);

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

size_t packet_write_totals(u8 raw[PACKET_TOTALS_MAX],
			   const struct packet_totals *totals)
{
	struct wire_totals w = {
		.epoch = cpu_to_be64(totals->epoch),
		.position = cpu_to_be64(totals->position),
		.count = cpu_to_be32(totals->count),
	};
	u8 *to = raw + sizeof(w);
	u32 i;

	memcpy(raw, &w, sizeof(w));
	for (i = 0; i < totals->count; i++, to += PACKET_TOTAL_LEN) {
		const struct packet_total *t = &totals->of[i];
		struct wire_total one = {
			.content = cpu_to_be16(t->content),
			.records = cpu_to_be64(t->records),
			.digest = { cpu_to_be64(t->digest[0]),
				    cpu_to_be64(t->digest[1]) },
		};

		memcpy(to, &one, sizeof(one));
	}
	return (size_t)(to - raw);
}

/* Ascending and in range, so that none comes twice. */
static bool read_total(const u8 *from, u16 after, struct packet_total *t)
{
	struct wire_total w;

	memcpy(&w, from, sizeof(w));
	t->content = be16_to_cpu(w.content);
	t->records = be64_to_cpu(w.records);
	t->digest[0] = be64_to_cpu(w.digest[0]);
	t->digest[1] = be64_to_cpu(w.digest[1]);
	return t->content > after && t->content <= STORE_CONTENT_MAX;
}

int packet_read_totals(const struct packet *packet,
		       struct packet_totals *totals)
{
	struct wire_totals w;
	u16 last = 0;
	u32 i;

	if (packet->head.raw_len < sizeof(w))
		return -EPROTO;
	memcpy(&w, packet->raw, sizeof(w));
	totals->epoch = be64_to_cpu(w.epoch);
	totals->position = be64_to_cpu(w.position);
	totals->count = be32_to_cpu(w.count);
	if (totals->count > STORE_CONTENT_MAX ||
	    packet->head.raw_len != sizeof(w) + totals->count * PACKET_TOTAL_LEN)
		return -EPROTO;
	for (i = 0; i < totals->count; i++) {
		if (!read_total(packet->raw + sizeof(w) + i * PACKET_TOTAL_LEN,
				last, &totals->of[i]))
			return -EPROTO;
		last = totals->of[i].content;
	}
	return 0;
}
