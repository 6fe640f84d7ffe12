// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * State sync: roles, links, reading, status. See sync.h, and internal.h for
 * what the other files do.
 */
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/sync/content.h"
#include "daemon/sync/stream.h"

static const u8 path_kinds[SYNC_PATHS] = {
	CTIHA_LINK_CROSSOVER,
	CTIHA_LINK_LAN,
};

const char *sync_path_name(u8 path)
{
	return path ? "lan" : "crossover";
}

/* ---- status ---- */

static enum sync_state active_state(const struct sync *s)
{
	const struct active *a = &s->active;

	if (a->diverged)
		return SYNC_DIVERGED;
	if (a->mode == ACTIVE_ALONE)
		return SYNC_ALONE;
	if (a->mode == ACTIVE_JOINING && !a->confirmed)
		return SYNC_TRANSFER;
	if (a->mode == ACTIVE_JOINING)
		return clock_now_ns() < a->slow.until_ns ? SYNC_SLOW :
							   SYNC_BEHIND;
	if (a->connection && store_states_equal(&a->peer, store_state(s->store)))
		return SYNC_IDENTICAL;
	return SYNC_BEHIND;
}

static enum sync_state standby_state(const struct sync *s)
{
	const struct standby *b = &s->standby;

	if (!b->live)
		return SYNC_WAITING;
	if (b->receiving)
		return SYNC_TRANSFER;
	if (b->diverged)
		return SYNC_DIVERGED;
	if (b->synced && b->peer.position <= store_state(s->store)->position)
		return SYNC_IDENTICAL;
	return SYNC_BEHIND;
}

/* Records per second; 0 if too few came by to tell. */
static u64 rate(const struct pace *pace, u64 done)
{
	u64 elapsed_ms = (clock_now_ns() - pace->since_ns) / CTIHA_NS_PER_MS;

	return elapsed_ms && done > pace->from ?
		       (done - pace->from) * 1000 / elapsed_ms : 0;
}

static void fill_active(const struct sync *s, struct sync_status *st)
{
	const struct active *a = &s->active;

	st->state = active_state(s);
	st->synced = a->mode == ACTIVE_IN_SYNC;
	st->protected = st->synced;
	if (a->connection)
		st->path = path_kinds[a->connection->path];
	st->peer_position = a->peer.position;
	memcpy(st->peer_digest, a->peer.digest, sizeof(st->peer_digest));
	st->lag_ns = write_lag_ns(s, clock_now_ns());
	if (stream_sending(s)) {
		st->transfer_done = s->snapshot.sent;
		st->transfer_total = s->snapshot.state.records;
		st->transfer_rate = rate(&s->snapshot.pace, s->snapshot.sent);
	}
}

static void fill_standby(const struct sync *s, struct sync_status *st)
{
	const struct store_state *own = store_state(s->store);
	const struct standby *b = &s->standby;
	const struct store_state *peer = &b->peer;

	/* It has at least what it sent since its last keepalive. */
	if (b->live && !b->receiving && own->position > peer->position)
		peer = own;
	st->state = standby_state(s);
	st->synced = b->synced;
	if (b->live)
		st->path = path_kinds[b->live->path];
	st->peer_position = peer->position;
	memcpy(st->peer_digest, peer->digest, sizeof(st->peer_digest));
	if (b->receiving) {
		st->transfer_done = store_received(s->store);
		st->transfer_total = b->claimed.records;
		st->transfer_rate = rate(&b->pace, st->transfer_done);
	}
}

void sync_status(struct sync *s, struct sync_status *st)
{
	const struct store_state *state = store_state(s->store);

	memset(st, 0, sizeof(*st));
	st->state = SYNC_WAITING;
	if (s->side == SYNC_SIDE_ACTIVE)
		fill_active(s, st);
	else if (s->side == SYNC_SIDE_STANDBY)
		fill_standby(s, st);
	st->epoch = state->epoch;
	st->position = state->position;
	st->records = state->records;
	memcpy(st->digest, state->digest, sizeof(st->digest));
	st->tx_bytes = s->shared.transport.tx_bytes;
	st->rx_bytes = s->shared.transport.rx_bytes;
	st->raw_bytes = s->shared.raw_bytes;
	st->packed_bytes = s->shared.packed_bytes;
	st->dictionary = packet_codec_dictionary(s->shared.codec);
	st->insecure = s->shared.transport.insecure;
	st->needs_standby = s->spec.needs_standby;
	st->damaged = s->shared.damaged;
	st->refused = s->shared.why[0] ? s->shared.why : NULL;
	st->refused_ns = s->shared.why_ns;
	st->diverged = s->diverged;
	st->differed_ns = s->differed_ns;
	st->scrubs = s->scrub.passes;
	st->resyncs = s->resyncs;
}

/* Each write goes from identical to behind and back: that is no news. */
static enum sync_state coarse(enum sync_state state)
{
	return state == SYNC_BEHIND ? SYNC_IDENTICAL : state;
}

void sync_changed(struct sync *s)
{
	struct sync_status now;

	sync_status(s, &now);
	if (coarse(now.state) == coarse(s->told.state) &&
	    now.path == s->told.path && now.synced == s->told.synced &&
	    now.protected == s->told.protected &&
	    now.differed_ns == s->told.differed_ns)
		return;
	s->told = now;
	s->callbacks.state(s->arg, &now);
}

/* ---- roles and links ---- */

void sync_activate(struct sync *s, u64 epoch)
{
	bool already = s->side == SYNC_SIDE_ACTIVE;

	s->shared.epoch = epoch;
	if (!already) {
		standby_stop(s);
		s->side = SYNC_SIDE_ACTIVE;
		active_start(s);
		vocabulary_begin(s);
	}
	sync_changed(s);
}

void sync_follow(struct sync *s, u64 epoch)
{
	u64 known = s->shared.epoch;
	bool already = s->side == SYNC_SIDE_STANDBY;

	s->shared.epoch = epoch > known ? epoch : known;
	if (!already) {
		s->side = SYNC_SIDE_STANDBY;
		active_stop(s);
		write_refuse(s);
		/* A callback may have changed the role again. */
		if (s->side == SYNC_SIDE_STANDBY)
			standby_start(s);
	}
	sync_changed(s);
}

void sync_links(struct sync *s, bool crossover, bool lan)
{
	const bool came_up[SYNC_PATHS] = { crossover && !s->link_up[0],
				 lan && !s->link_up[1] };

	if (s->link_up[0] == crossover && s->link_up[1] == lan)
		return;
	s->link_up[0] = crossover;
	s->link_up[1] = lan;
	if (s->side == SYNC_SIDE_ACTIVE)
		active_links(s);
	else if (s->side == SYNC_SIDE_STANDBY)
		standby_links(s, came_up);
	sync_changed(s);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct sync *s = arg;
	u64 now = clock_now_ns();

	(void)fd;
	(void)what;
	if (s->side == SYNC_SIDE_ACTIVE)
		active_tick(s, now);
	else if (s->side == SYNC_SIDE_STANDBY)
		standby_tick(s, now);
	scrub_tick(s);
	stream_expire(s, now);
	s->tick_ns = now;
	sync_changed(s);
}

/* ---- reading ---- */

int sync_read(struct sync *s, u16 content, const void *key, size_t key_len,
	      void *value, size_t value_size)
{
	write_commit(s);
	return store_get(s->store, content, key, key_len, value, value_size);
}

int sync_walk(struct sync *s, u16 content, const void *after,
	      size_t after_len,
	      bool (*visit)(void *arg, const void *key, size_t key_len,
			    const void *value, size_t value_len),
	      void *arg)
{
	write_commit(s);
	return store_walk(s->store, content, after, after_len, visit, arg);
}

void sync_flush(struct sync *s, void (*done)(void *arg, bool flushed),
		void *arg)
{
	struct flush *f;

	write_commit(s);
	if (s->side != SYNC_SIDE_ACTIVE || s->active.mode != ACTIVE_IN_SYNC) {
		done(arg, false);
		return;
	}
	f = calloc(1, sizeof(*f));
	if (!f) {
		done(arg, false);
		return;
	}
	f->position = store_state(s->store)->position;
	f->done = done;
	f->arg = arg;
	STAILQ_INSERT_TAIL(&s->flushes, f, entry);
	if (s->active.connection)
		write_flushed(s, s->active.acked, true);
}

/* ---- opening ---- */

static int open_parts(struct sync *s, char *error, size_t error_size)
{
	const struct timeval interval = {
		.tv_usec = SYNC_TICK_NS / CTIHA_NS_PER_US,
	};

	s->store = store_open(s->spec.directory, s->spec.map_size, error,
			      error_size);
	if (!s->store)
		return -1;
	snprintf(error, error_size, "sync: out of memory");
	s->shared.codec = packet_codec_new();
	if (!s->shared.codec || write_init(s))
		return -1;
	vocabulary_open(s);
	content_restore(s, CONTENT_ALL);
	s->tick = event_new(s->shared.base, -1, EV_PERSIST, on_tick, s);
	if (!s->tick || event_add(s->tick, &interval))
		return -1;
	return 0;
}

void sync_rekey(struct sync *s, const struct keys *keys)
{
	struct keys *own = &s->shared.transport.keys;
	unsigned int slot;

	*own = *keys;
	for (slot = 0; slot < CTIHA_KEY_SLOTS; slot++)
		mac_derive(keys->key[slot], "ctiha sync", own->key[slot]);
}

void sync_need_standby(struct sync *s, bool needed)
{
	s->spec.needs_standby = needed;
	/* One that was left behind is needed now. */
	if (needed)
		s->active.slow.until_ns = 0;
}

struct sync *sync_open(struct event_base *base, const struct sync_spec *spec,
		       const struct sync_callbacks *callbacks, void *arg,
		       char *error, size_t error_size)
{
	struct sync *s = calloc(1, sizeof(*s));

	if (!s) {
		snprintf(error, error_size, "sync: out of memory");
		return NULL;
	}
	s->spec = *spec;
	s->callbacks = *callbacks;
	s->arg = arg;
	s->patience_ns = CTIHA_NS_PER_MS *
			 (spec->patience_ms ? spec->patience_ms :
					      SYNC_PATIENCE_MS);
	s->shared.base = base;
	s->shared.pair = spec->pair;
	s->shared.node = spec->node;
	s->shared.features = PACKET_CAN_RESUME | PACKET_CAN_DICTIONARY |
			     PACKET_CAN_TOTALS | PACKET_CAN_MERGE |
			     PACKET_CAN_PATCH;
	s->shared.transport.insecure = spec->insecure;
	sync_rekey(s, &spec->keys);
	explicit_bzero(&s->spec.keys, sizeof(s->spec.keys));
	s->told.state = SYNC_WAITING;
	s->tick_ns = clock_now_ns();
	STAILQ_INIT(&s->flushes);
	backlog_init(&s->backlog);
	standby_init(s);
	if (!open_parts(s, error, error_size))
		return s;
	sync_close(s);
	return NULL;
}

void sync_close(struct sync *s)
{
	static const struct store_state nothing;

	if (!s)
		return;
	s->side = SYNC_SIDE_NONE;
	vocabulary_free(s);
	active_stop(s);
	stream_expire(s, U64_MAX);
	if (s->store) {
		standby_stop(s);
		store_close(s->store);
	}
	backlog_reset(&s->backlog, &nothing);
	merge_free(&s->merge);
	write_free(s);
	if (s->tick)
		event_free(s->tick);
	packet_codec_free(s->shared.codec);
	explicit_bzero(&s->shared.transport.keys,
		       sizeof(s->shared.transport.keys));
	free(s);
}
