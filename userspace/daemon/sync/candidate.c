// SPDX-License-Identifier: GPL-2.0-or-later
/* The way from a link that is up to a live connection. See candidate.h. */
#include "common/clock.h"
#include "common/log.h"
#include "daemon/sync/candidate.h"
#include "daemon/sync/socket.h"
#include "daemon/sync/stream.h"

#define RETRY_NS	(100 * CTIHA_NS_PER_MS)
#define MOVE_NS		(1000 * CTIHA_NS_PER_MS)	/* back to the crossover */
#define REFUSED_NS	(1000 * CTIHA_NS_PER_MS)

/* ---- looking for the standby ---- */

/*
 * The path to be on: the crossover if its link is up, else the LAN (b4). With
 * only a link up that has no path, any path: the peer is there. -1: it is not.
 */
static int wanted_path(const struct sync *s)
{
	bool there = s->link_up[0] || s->link_up[1];
	int i, wanted = -1;

	for (i = SYNC_PATHS - 1; there && i >= 0; i--) {
		if (!s->spec.paths[i].configured)
			continue;
		if (wanted < 0 || s->link_up[i])
			wanted = i;
	}
	return wanted;
}

/* The wanted path first; every second time another one that is configured. */
static int path_to_try(struct sync *s, int wanted)
{
	int i;

	if (s->active.tries++ % 2 == 0)
		return wanted;
	for (i = 0; i < SYNC_PATHS; i++) {
		if (i != wanted && s->spec.paths[i].configured)
			return i;
	}
	return wanted;
}

static void try_path(struct sync *s, int index)
{
	const struct sync_path *path = &s->spec.paths[index];
	struct connection *c;
	int fd;

	fd = socket_prepare(path);
	if (fd < 0) {
		log_debug("sync: %s: %s", sync_path_name((u8)index),
			  strerror(-fd));
		return;
	}
	c = connection_open(&s->shared, fd, &path->peer, &active_callbacks, s);
	if (!c)
		return;
	c->path = (u8)index;
	s->active.candidate = c;
}

void candidate_look(struct sync *s, u64 now)
{
	struct active *a = &s->active;
	int wanted = wanted_path(s);

	if (a->candidate || now < a->try_ns || wanted < 0)
		return;
	if (!a->connection) {
		a->try_ns = now + RETRY_NS;
		try_path(s, path_to_try(s, wanted));
		return;
	}
	/* A transfer is not held up by a move while its own link is up. */
	if (wanted == a->connection->path ||
	    (stream_sending(s) && s->link_up[a->connection->path]))
		return;
	a->try_ns = now + MOVE_NS;
	try_path(s, wanted);
}

void candidate_drop(struct sync *s)
{
	connection_close(s->active.candidate);
	s->active.candidate = NULL;
}

void candidate_pause(struct sync *s, u64 until_ns)
{
	candidate_drop(s);
	s->active.try_ns = until_ns;
}

void candidate_replace(struct sync *s, const struct connection *lost)
{
	u64 now = clock_now_ns();

	/* At once, unless it did not last: then something is wrong with it. */
	s->active.try_ns = now - lost->since_ns > MOVE_NS ? 0 : now + RETRY_NS;
}

bool candidate_links(struct sync *s)
{
	struct active *a = &s->active;

	a->try_ns = 0;
	a->tries = 0;
	if (wanted_path(s) < 0) {
		candidate_drop(s);
		return false;
	}
	/* A handshake on a link that just went down would only hold us up. */
	if (a->candidate && !s->link_up[a->candidate->path])
		candidate_drop(s);
	candidate_look(s, clock_now_ns());
	return true;
}

void candidate_tick(struct sync *s, u64 now)
{
	const struct connection *c = s->active.candidate;

	if (c && now - c->since_ns > SYNC_HANDSHAKE_NS)
		candidate_drop(s);
	candidate_look(s, now);
}

/* ---- the handshake ---- */

void candidate_greet(struct connection *c)
{
	struct sync *s = c->owner;

	c->phase = CONNECTION_GREETING;
	s->active.partial.received = 0;
	connection_greet(c, PACKET_HELLO, 0);
}

void candidate_take_reply(struct sync *s, struct connection *c,
			  const struct packet *p)
{
	struct active *a = &s->active;
	struct packet_hello hello;

	if (packet_read_hello(p, &hello)) {
		connection_refuse(c, "malformed hello reply");
		return;
	}
	if (hello.welcome != PACKET_WELCOME) {
		if (!a->refused)
			log_warning("sync: the peer knows of epoch %llu, we act in %llu",
				    (unsigned long long)p->head.epoch,
				    (unsigned long long)s->shared.epoch);
		a->refused = true;
		connection_lose(c, "turned away");
		a->try_ns = clock_now_ns() + REFUSED_NS;
		return;
	}
	c->features = hello.features;
	connection_agree(c, c->nonce, hello.nonce);
	c->phase = CONNECTION_CONFIRMING;
	stream_report(s, c, PACKET_KEEPALIVE, store_state(s->store),
		      a->mode == ACTIVE_IN_SYNC ? PACKET_AS_BEFORE :
						  PACKET_NOT_SYNCED);
}

void candidate_succeed(struct sync *s)
{
	s->active.candidate = NULL;
	s->active.tries = 0;
	s->active.refused = false;
}

void candidate_lost(struct sync *s, const char *why)
{
	struct active *a = &s->active;

	log_debug("sync: %s: %s", sync_path_name(a->candidate->path), why);
	a->try_ns = clock_now_ns() + RETRY_NS;
	a->candidate = NULL;
}
