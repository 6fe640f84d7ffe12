// SPDX-License-Identifier: GPL-2.0-or-later
/* Scrubbing the store. See scrub.h. */
#include <stdio.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/sync/content.h"
#include "daemon/sync/internal.h"

#define NAME_LEN	(SYNC_KEY_MAX + sizeof(" of content ") + CONTENT_NAME_LEN)

/* In a tick of 50 ms: 36,000 calls take a second, a million half a minute. */
static const struct store_check_limit a_tick = {
	.records = 2000,
	.bytes = 1 << 20,
};

/* Names the record for people; its key need not be text. */
static void name(const struct store_place *place, char text[NAME_LEN])
{
	char content[CONTENT_NAME_LEN];
	size_t i;

	for (i = 0; i < place->key_len; i++)
		text[i] = place->key[i] > ' ' && place->key[i] < 0x7f ?
				  (char)place->key[i] : '.';
	snprintf(text + i, NAME_LEN - i, " of content %s",
		 content_name(place->content, content));
}

/* Its bytes as they are now, as if they had always been so. */
static int take_as_it_is(struct sync *s, const struct store_place *place)
{
	u8 value[SYNC_VALUE_MAX];
	struct store_record r = {
		.content = place->content,
		.key = place->key,
		.key_len = place->key_len,
		.value = value,
	};
	int rc = store_get(s->store, r.content, r.key, r.key_len, value,
			   sizeof(value));

	if (rc < 0)
		return rc;
	r.value_len = (size_t)rc;
	rc = store_begin(s->store);
	if (rc)
		return rc;
	rc = store_put(s->store, &r);
	if (!rc)
		return store_commit(s->store);
	store_abort(s->store);
	return rc;
}

static void repair_active(struct sync *s, const struct store_place *place)
{
	int rc;

	/* May call back, and so change role and mode. */
	write_commit(s);
	if (s->side != SYNC_SIDE_ACTIVE || s->active.mode == ACTIVE_IN_SYNC)
		return;
	rc = take_as_it_is(s, place);
	if (rc) {
		log_error("sync: the damaged record cannot be read: %s",
			  strerror(-rc));
		return;
	}
	/* What was sent leads elsewhere. */
	backlog_reset(&s->backlog, store_state(s->store));
	s->active.sent = *store_state(s->store);
	if (s->active.connection)
		connection_lose(s->active.connection, "own store was damaged");
}

static void found(struct sync *s)
{
	char text[NAME_LEN];

	s->differed_ns = clock_now_ns();
	name(&s->scrub.place, text);
	log_error("sync: record %s is not what was written: check this server's memory",
		  text);
	if (s->side == SYNC_SIDE_ACTIVE)
		repair_active(s, &s->scrub.place);
	else if (s->side == SYNC_SIDE_STANDBY)
		standby_diverged(s);
}

void scrub_tick(struct sync *s)
{
	int rc = store_check(s->store, &s->scrub.place, a_tick);

	if (rc == -EBADMSG) {
		found(s);
	} else if (rc) {
		s->scrub.passes++;
		s->scrub.place = (struct store_place){ 0 };
	}
}
