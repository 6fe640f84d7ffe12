/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the arbiter knows of one pair, and whom it lets act: the rules by which
 * no two servers hold an unexpired grant at the same time.
 *
 * Pure but for the two calls in struct grant_ops. No clock: the caller passes
 * the time, nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef CTIHA_GRANT_H
#define CTIHA_GRANT_H

#include "common/stamp.h"

/**
 * struct grant_record - what must survive a restart
 * @epoch: highest epoch granted, 0 none
 * @promise_ns: longest promise ever given to this pair
 * @holder: node that @epoch was granted to
 * @released: the holder has given @epoch up
 */
struct grant_record {
	u64 epoch;
	u64 promise_ns;
	u8 holder;
	bool released;
};

/**
 * struct grant_node - one server of the pair, by its requests
 * @nonce: incarnation whose requests are fresh, 0 none yet
 * @seq: its last sequence number
 * @challenge: what a new incarnation must carry to be believed; never 0
 * @heard: it has been heard since the arbiter's start
 * @silent: and then not for a promise
 * @heard_ns: time of its last fresh request
 * @promise_ns, @role, @epoch, @report: what that said
 * @waited_epoch, @refused_epoch: answered so before: no new event
 */
struct grant_node {
	u64 nonce;
	u64 seq;
	u64 challenge;
	bool heard;
	bool silent;
	u64 heard_ns;
	u64 promise_ns;
	u8 role;
	u64 epoch;
	u32 report;
	u64 waited_epoch;
	u64 refused_epoch;
};

/**
 * struct grant - one pair
 * @record: as on the disk, unless @unwritten
 * @known: there is a record on the disk
 * @damaged: it cannot be read: nothing is granted
 * @unwritten: the last write failed, so the disk may hold it or @record
 * @start_ns: when the arbiter started
 * @promise_until_ns: until then nobody but the holder, unless the holder gave
 *                    up
 * @renewed_ns: when the holder's promise was last given; 0 not since the start
 * @renewed: the holder's promise was given more than once
 * @nodes: by id
 */
struct grant {
	struct grant_record record;
	bool known;
	bool damaged;
	bool unwritten;
	u64 start_ns;
	u64 promise_until_ns;
	u64 renewed_ns;
	bool renewed;
	struct grant_node nodes[2];
};

enum grant_event_kind {
	GRANT_EVENT_HEARD,	/* a server speaks, first or after silence */
	GRANT_EVENT_SILENT,	/* not heard for its promise */
	GRANT_EVENT_GRANTED,	/* a new epoch */
	GRANT_EVENT_RENEWED,	/* the epoch's first renewal */
	GRANT_EVENT_RELEASED,
	GRANT_EVENT_WAITED,	/* first time for this epoch */
	GRANT_EVENT_REFUSED,	/* first time for this epoch */
};

/**
 * struct grant_event - something changed
 * @kind: enum grant_event_kind
 * @node: whom it is about
 * @time_ns: when
 * @epoch: of the request; for HEARD and SILENT as the server said it
 * @answer: enum witness_answer, for REFUSED
 * @wait_ns: for WAITED
 * @last_ns: SILENT: when it was last heard; GRANTED: when the previous holder's
 *           promise was last given, 0 not since the arbiter's start
 * @previous_epoch, @previous_holder: GRANTED: the term before, 0 none
 */
struct grant_event {
	u8 kind;
	u8 node;
	u64 time_ns;
	u64 epoch;
	u8 answer;
	u64 wait_ns;
	u64 last_ns;
	u64 previous_epoch;
	u8 previous_holder;
};

/**
 * struct grant_ops - what the rules need of the world
 * @write: make a record durable; 0 or -errno
 * @event: tell the operator
 * @arg: passed to both
 */
struct grant_ops {
	int (*write)(void *arg, const struct grant_record *record);
	void (*event)(void *arg, const struct grant_event *event);
	void *arg;
};

enum grant_outcome {
	GRANT_ANSWERED,		/* send the answer */
	GRANT_REPLAYED,		/* not newer than the last: no answer */
	GRANT_UNSAFE_TIMES,	/* promise not longer than lease: no answer */
};

/**
 * grant_init() - a pair, at the arbiter's start
 * @g: filled in
 * @record: from the disk, NULL if there is none
 * @start_ns: the time
 * @random_0, @random_1: random numbers, for one server each
 *
 * The arbiter has forgotten when it last renewed a promise, so it waits out the
 * longest one it ever gave; without a record, the one that each request wants.
 */
void grant_init(struct grant *g, const struct grant_record *record,
		u64 start_ns, u64 random_0, u64 random_1);

/**
 * grant_handle() - take in a request and answer it
 * @g: pair
 * @request: authentic and in range
 * @now_ns: the time; read after the request was received, once for each: a
 *          time from before would count the promise too short
 * @random: a new random number
 * @ops: see there
 * @answer: filled in if GRANT_ANSWERED is returned
 *
 * A new epoch is durable before this returns. If that fails the answer is
 * WITNESS_REFUSED_STORAGE, and nothing has been granted.
 */
enum grant_outcome grant_handle(struct grant *g,
				const struct stamp_request *request,
				u64 now_ns, u64 random,
				const struct grant_ops *ops,
				struct stamp_answer *answer);

/**
 * grant_watch() - notice servers that fell silent
 * @g: pair
 * @now_ns: the time
 * @ops: gets the events
 */
void grant_watch(struct grant *g, u64 now_ns, const struct grant_ops *ops);

/* Words for people and JSON. */
const char *grant_event_name(enum grant_event_kind kind);

#endif /* CTIHA_GRANT_H */
