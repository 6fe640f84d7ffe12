// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rules of granting. See grant.h, and Documentation/arbiter.rst for why
 * they are safe.
 *
 * Timers: the end of the promise (promise_until_ns; nothing happens then,
 * something becomes allowed), a server's silence (an event for people).
 *
 * Epochs only rise. An epoch belongs to one node by its parity, so the same
 * epoch asked for again is a renewal. A new epoch is granted when no older
 * lease can be running: the promise has run out, or its holder gave it up
 * (released, or voted for the asker), or the holder is the asker.
 */
#include "arbiter/grant.h"

#include <ctiha/lease.h>

static u64 later(u64 a, u64 b)
{
	return a > b ? a : b;
}

static u64 not_zero(u64 random)
{
	return random ? random : 1;
}

void grant_init(struct grant *g, const struct grant_record *record,
		u64 start_ns, u64 random_0, u64 random_1)
{
	memset(g, 0, sizeof(*g));
	g->start_ns = start_ns;
	g->nodes[0].challenge = not_zero(random_0);
	g->nodes[1].challenge = not_zero(random_1);
	if (!record)
		return;
	g->record = *record;
	g->known = true;
	g->promise_until_ns = start_ns + record->promise_ns;
}

enum admission {
	ADMIT_FRESH,
	ADMIT_UNBOUND,
	ADMIT_REPLAYED,
};

/*
 * A request is fresh if it is of the incarnation we know and newer than all
 * before, or carries our challenge. A challenge works once, so nothing of an
 * older incarnation can ever be believed again.
 */
static enum admission admit(struct grant_node *node,
			    const struct stamp_request *request, u64 random)
{
	if (request->nonce == node->nonce) {
		if (request->seq <= node->seq)
			return ADMIT_REPLAYED;
		node->seq = request->seq;
		return ADMIT_FRESH;
	}
	if (request->challenge != node->challenge)
		return ADMIT_UNBOUND;
	node->nonce = request->nonce;
	node->seq = request->seq;
	/* A random number may repeat; a used challenge must not. */
	node->challenge = not_zero(random == node->challenge ? random + 1 :
							       random);
	return ADMIT_FRESH;
}

static void tell(const struct grant_ops *ops, enum grant_event_kind kind,
		 const struct stamp_request *request, u64 now_ns, u8 answer)
{
	struct grant_event event = {
		.kind = kind,
		.node = request->node,
		.time_ns = now_ns,
		.epoch = request->epoch,
		.answer = answer,
	};

	ops->event(ops->arg, &event);
}

static void hear(struct grant_node *node, const struct stamp_request *request,
		 u64 now_ns, const struct grant_ops *ops)
{
	bool news = !node->heard || node->silent;

	node->heard = true;
	node->silent = false;
	node->heard_ns = now_ns;
	node->promise_ns = request->promise_ns;
	node->role = request->role;
	node->epoch = request->epoch;
	node->report = request->report;
	if (news)
		tell(ops, GRANT_EVENT_HEARD, request, now_ns, WITNESS_NOTED);
}

/* Until when an older lease may be running that was not given up. */
static u64 held_until(const struct grant *g,
		      const struct stamp_request *request)
{
	if (g->known)
		return g->promise_until_ns;
	return g->start_ns + request->promise_ns;
}

static bool owns(const struct stamp_request *request)
{
	return request->epoch &&
	       ctiha_epoch_owner(request->epoch) == request->node;
}

static bool held_by(const struct grant *g, u8 node)
{
	return g->record.epoch && g->record.holder == node;
}

static u8 decide(const struct grant *g, const struct stamp_request *request,
		 u64 now_ns)
{
	const struct grant_record *record = &g->record;

	if (!owns(request) || request->epoch < record->epoch)
		return WITNESS_REFUSED_EPOCH;
	if (request->epoch == record->epoch)
		return record->released ? WITNESS_REFUSED_EPOCH :
					  WITNESS_GRANTED;
	if (now_ns >= held_until(g, request))
		return WITNESS_GRANTED;
	/*
	 * An old vote proves something only beside the memory of all epochs
	 * since: the peer may have been granted a higher one.
	 */
	if (g->known && (request->elected || record->released ||
			 held_by(g, request->node)))
		return WITNESS_GRANTED;
	return WITNESS_WAIT;
}

/* After a failed write the disk may hold what was never granted. */
static bool store(struct grant *g, const struct grant_record *next,
		  const struct grant_ops *ops)
{
	const struct grant_record *record = &g->record;

	if (g->known && !g->unwritten && next->epoch == record->epoch &&
	    next->released == record->released &&
	    next->promise_ns == record->promise_ns)
		return true;
	g->unwritten = ops->write(ops->arg, next) != 0;
	return !g->unwritten;
}

static void tell_granted(const struct grant *g,
			 const struct stamp_request *request, u64 now_ns,
			 const struct grant_ops *ops)
{
	struct grant_event event = {
		.kind = GRANT_EVENT_GRANTED,
		.node = request->node,
		.time_ns = now_ns,
		.epoch = request->epoch,
		.answer = WITNESS_GRANTED,
		.last_ns = g->renewed_ns,
		.previous_epoch = g->record.epoch,
		.previous_holder = g->record.holder,
	};

	ops->event(ops->arg, &event);
}

static u8 give(struct grant *g, const struct stamp_request *request,
	       u64 now_ns, const struct grant_ops *ops)
{
	bool new_term = request->epoch != g->record.epoch;
	struct grant_record next = {
		.epoch = request->epoch,
		.promise_ns = later(g->record.promise_ns, request->promise_ns),
		.holder = request->node,
	};

	if (!store(g, &next, ops))
		return WITNESS_REFUSED_STORAGE;
	if (new_term)
		tell_granted(g, request, now_ns, ops);
	else if (!g->renewed)
		tell(ops, GRANT_EVENT_RENEWED, request, now_ns,
		     WITNESS_GRANTED);
	g->record = next;
	g->known = true;
	g->renewed = !new_term;
	g->renewed_ns = now_ns;
	g->promise_until_ns = later(g->promise_until_ns,
				    now_ns + request->promise_ns);
	return WITNESS_GRANTED;
}

/* Whoever gave up an epoch acts in none below it either. */
static u8 release(struct grant *g, const struct stamp_request *request,
		  u64 now_ns, const struct grant_ops *ops)
{
	struct grant_record next = g->record;

	if (!owns(request))
		return WITNESS_REFUSED_EPOCH;
	if (!held_by(g, request->node) || request->epoch < g->record.epoch ||
	    g->record.released)
		return WITNESS_NOTED;
	next.released = true;
	if (!store(g, &next, ops))
		return WITNESS_REFUSED_STORAGE;
	g->record = next;
	tell(ops, GRANT_EVENT_RELEASED, request, now_ns, WITNESS_NOTED);
	return WITNESS_NOTED;
}

static u8 execute(struct grant *g, const struct stamp_request *request,
		  u64 now_ns, const struct grant_ops *ops)
{
	u8 answer;

	if (request->ask == WITNESS_ASK_NOTHING)
		return WITNESS_NOTED;
	if (g->damaged)
		return WITNESS_REFUSED_STORAGE;
	if (request->ask == WITNESS_ASK_RELEASE)
		return release(g, request, now_ns, ops);
	answer = decide(g, request, now_ns);
	return answer == WITNESS_GRANTED ? give(g, request, now_ns, ops) :
					   answer;
}

static void tell_waited(const struct grant *g,
			const struct stamp_request *request, u64 now_ns,
			const struct grant_ops *ops)
{
	struct grant_event event = {
		.kind = GRANT_EVENT_WAITED,
		.node = request->node,
		.time_ns = now_ns,
		.epoch = request->epoch,
		.answer = WITNESS_WAIT,
		.wait_ns = held_until(g, request) - now_ns,
	};

	ops->event(ops->arg, &event);
}

/* Servers repeat their requests; people want to hear of it once. */
static void tell_denied(struct grant *g, const struct stamp_request *request,
			u64 now_ns, u8 answer, const struct grant_ops *ops)
{
	struct grant_node *node = &g->nodes[request->node];

	if (answer == WITNESS_WAIT && node->waited_epoch != request->epoch) {
		node->waited_epoch = request->epoch;
		tell_waited(g, request, now_ns, ops);
	}
	if ((answer == WITNESS_REFUSED_EPOCH ||
	     answer == WITNESS_REFUSED_STORAGE) &&
	    node->refused_epoch != request->epoch) {
		node->refused_epoch = request->epoch;
		tell(ops, GRANT_EVENT_REFUSED, request, now_ns, answer);
	}
	if (answer == WITNESS_GRANTED)
		node->waited_epoch = node->refused_epoch = 0;
}

static void answer_head(const struct stamp_request *request,
			struct stamp_answer *answer)
{
	memset(answer, 0, sizeof(*answer));
	answer->pair = request->pair;
	answer->node = request->node;
	answer->ask = request->ask;
	answer->nonce = request->nonce;
	answer->seq = request->seq;
	answer->peer_heard_ago_ns = U64_MAX;
}

static void answer_state(const struct grant *g,
			 const struct stamp_request *request, u64 now_ns,
			 struct stamp_answer *answer)
{
	const struct grant_node *peer = &g->nodes[!request->node];

	answer->epoch = g->record.epoch;
	answer->holder = g->record.holder;
	answer->released = g->record.released;
	if (answer->answer == WITNESS_WAIT)
		answer->wait_ns = held_until(g, request) - now_ns;
	if (!peer->heard)
		return;
	answer->peer_heard_ago_ns = now_ns - peer->heard_ns;
	answer->peer_role = peer->role;
	answer->peer_epoch = peer->epoch;
	answer->peer_report = peer->report;
}

enum grant_outcome grant_handle(struct grant *g,
				const struct stamp_request *request,
				u64 now_ns, u64 random,
				const struct grant_ops *ops,
				struct stamp_answer *answer)
{
	struct grant_node *node = &g->nodes[request->node];
	enum admission admission;

	if (request->promise_ns <= request->lease_ns)
		return GRANT_UNSAFE_TIMES;
	admission = admit(node, request, random);
	if (admission == ADMIT_REPLAYED)
		return GRANT_REPLAYED;
	answer_head(request, answer);
	answer->challenge = node->challenge;
	if (admission == ADMIT_UNBOUND)
		return GRANT_ANSWERED;
	answer->bound = true;
	hear(node, request, now_ns, ops);
	answer->answer = execute(g, request, now_ns, ops);
	tell_denied(g, request, now_ns, answer->answer, ops);
	answer_state(g, request, now_ns, answer);
	return GRANT_ANSWERED;
}

void grant_watch(struct grant *g, u64 now_ns, const struct grant_ops *ops)
{
	u8 id;

	for (id = 0; id < ARRAY_SIZE(g->nodes); id++) {
		struct grant_node *node = &g->nodes[id];
		struct grant_event event = {
			.kind = GRANT_EVENT_SILENT,
			.node = id,
			.time_ns = now_ns,
			.epoch = node->epoch,
			.last_ns = node->heard_ns,
		};

		if (!node->heard || node->silent ||
		    now_ns < node->heard_ns + node->promise_ns)
			continue;
		node->silent = true;
		ops->event(ops->arg, &event);
	}
}

const char *grant_event_name(enum grant_event_kind kind)
{
	static const char *const names[] = {
		[GRANT_EVENT_HEARD] = "heard",
		[GRANT_EVENT_SILENT] = "silent",
		[GRANT_EVENT_GRANTED] = "granted",
		[GRANT_EVENT_RENEWED] = "renew-first",
		[GRANT_EVENT_RELEASED] = "released",
		[GRANT_EVENT_WAITED] = "waited",
		[GRANT_EVENT_REFUSED] = "refused",
	};

	return names[kind];
}
