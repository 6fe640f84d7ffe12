// SPDX-License-Identifier: GPL-2.0-or-later
/* Totals of each content. See totals.h. */
#include "daemon/sync/internal.h"

static void collect(struct sync *s, struct packet_totals *totals)
{
	const struct store_state *state = store_state(s->store);
	u16 content;

	totals->epoch = state->epoch;
	totals->position = state->position;
	totals->count = 0;
	for (content = 1; content <= STORE_CONTENT_MAX; content++) {
		struct packet_total *t = &totals->of[totals->count];

		store_totals(s->store, content, &t->records, t->digest);
		t->content = content;
		if (t->records)
			totals->count++;
	}
}

void totals_send(struct sync *s, struct connection *c)
{
	static struct packet_totals totals;
	static u8 raw[PACKET_TOTALS_MAX];

	if (!(c->features & PACKET_CAN_TOTALS))
		return;
	collect(s, &totals);
	connection_send(c, PACKET_TOTALS, 0, raw,
			packet_write_totals(raw, &totals));
}

static const struct packet_total *find(const struct packet_totals *totals,
				       u16 content)
{
	static const struct packet_total none;
	u32 i;

	for (i = 0; i < totals->count; i++) {
		if (totals->of[i].content == content)
			return &totals->of[i];
	}
	return &none;
}

static bool same(const struct packet_total *theirs, u64 records,
		 const u64 digest[2])
{
	return theirs->records == records && theirs->digest[0] == digest[0] &&
	       theirs->digest[1] == digest[1];
}

/* Can both be compared now, or are writes under way? */
static bool comparable(struct sync *s)
{
	const struct store_state *state = store_state(s->store);

	return s->peer_totals.position == state->position &&
	       s->peer_totals.epoch == state->epoch;
}

int totals_take(struct sync *s, struct connection *c, const struct packet *p)
{
	u64 records, digest[2];
	u16 content;

	if (packet_read_totals(p, &s->peer_totals)) {
		memset(&s->peer_totals, 0, sizeof(s->peer_totals));
		connection_refuse(c, "malformed totals");
		return -EPROTO;
	}
	for (content = 1; comparable(s) && content <= STORE_CONTENT_MAX;
	     content++) {
		store_totals(s->store, content, &records, digest);
		if (!same(find(&s->peer_totals, content), records, digest))
			return content;
	}
	return 0;
}

bool sync_content(struct sync *s, u16 content, struct sync_content_status *st)
{
	const struct packet_total *theirs = find(&s->peer_totals, content);

	store_totals(s->store, content, &st->records, st->digest);
	st->peer_records = theirs->records;
	memcpy(st->peer_digest, theirs->digest, sizeof(st->peer_digest));
	st->comparable = comparable(s);
	return st->records || st->peer_records;
}
