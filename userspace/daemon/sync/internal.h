/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the sync share.
 *
 *   sync.c     the interface (sync.h): roles, links, status
 *   write.c    writes: queued, committed, waiting for their acknowledgement
 *   active.c   the active's side: what an acknowledgement is worth; with
 *              candidate.c, which looks for the standby, and stream.c, which
 *              sends to it, at a pace that flow.c finds out; with merge.c, which
 *              leaves out what the standby need not hear of any more
 *   standby.c  the standby's side: listens, acknowledges; with apply.c, which
 *              puts what arrives into the store
 *   content.c  what each content is, and needs besides being kept
 *   vocabulary.c   the dictionary that packets are compressed with
 *   totals.c   which contents differ
 *   scrub.c    on both sides: are the records still what was written?
 */
#ifndef CTIHA_SYNC_INTERNAL_H
#define CTIHA_SYNC_INTERNAL_H

#include <sys/queue.h>

#include "daemon/sync/backlog.h"
#include "daemon/sync/connection.h"
#include "daemon/sync/merge.h"
#include "daemon/sync/scrub.h"
#include "daemon/sync/store.h"
#include "daemon/sync/sync.h"
#include "daemon/sync/totals.h"
#include "daemon/sync/vocabulary.h"

#define SYNC_PATHS		2
#define SYNC_TICK_NS		(50 * CTIHA_NS_PER_MS)
#define SYNC_LATE_NS		(500 * CTIHA_NS_PER_MS)
#define SYNC_KEEPALIVE_NS	(200 * CTIHA_NS_PER_MS)
#define SYNC_HANDSHAKE_NS	(1500 * CTIHA_NS_PER_MS)
#define SYNC_PATIENCE_MS	2000
#define SYNC_STRANGERS		4	/* connections not yet trusted */

enum sync_side {
	SYNC_SIDE_NONE,		/* neither activate nor follow was called yet */
	SYNC_SIDE_ACTIVE,
	SYNC_SIDE_STANDBY,
};

/* What the active may promise. See the top of active.c. */
enum active_mode {
	ACTIVE_ALONE,		/* writes are safe here only */
	ACTIVE_JOINING,		/* the standby catches up; as alone */
	ACTIVE_IN_SYNC,		/* writes wait for the standby */
};

/* A write that was taken, and that the standby has not committed yet. */
struct write {
	u64 cookie;
	u64 position;		/* 0 while it is only queued */
	u64 taken_ns;
	u32 size;
	bool refused;		/* the store did not take it */
	bool async;		/* does not wait for the standby */
	bool told;		/* what became of it; or nobody is to be: the sync's own */
};

/* A record in the batch that the next commit takes. */
struct queued {
	size_t offset;
	u32 size;
	u16 content;
	u16 value_len;
	u8 key_len;
	u8 op;			/* enum packet_op */
};

/**
 * struct writes - ring of writes the standby lacks, and what is queued of them
 * @ring: @size entries, a power of two; @count used, from @head on; the last
 *        @queued_count of them are queued, in order
 * @bytes: of all of them
 * @seen: so many, from @head on, write_tell_async() has seen
 * @queued: by order; @records: encoded as they travel
 * @own: one of the queued is the sync's own
 * @commit: commits what is queued, once per turn of the event loop
 */
struct writes {
	struct write *ring;
	u32 size;
	u32 head;
	u32 count;
	u32 seen;
	size_t bytes;
	struct queued *queued;
	u32 queued_count;
	u32 queued_size;
	u8 *records;
	size_t records_len;
	size_t records_size;
	bool own;
	struct event *commit;
};

struct flush {
	STAILQ_ENTRY(flush) entry;
	u64 position;
	void (*done)(void *arg, bool flushed);
	void *arg;
};

/**
 * struct pace - how quickly a transfer goes
 * @since_ns: when it began, or went on
 * @from: records that had been transferred before
 */
struct pace {
	u64 since_ns;
	u64 from;
};

/**
 * struct snapshot - all records as they were at one moment, on their way
 * @reader: NULL: there is none
 * @state: what it is a snapshot of
 * @sent: records handed to the connection
 * @pace: of that
 * @ended: all of them were, and the end; kept until the standby confirms it
 * @keep_ns: without a connection it is kept until then, to go on with; also
 *           beyond a term of office
 */
struct snapshot {
	struct store_reader *reader;
	struct store_state state;
	u64 sent;
	struct pace pace;
	bool ended;
	u64 keep_ns;
};

/**
 * struct slowness - of a standby that answers, but later than writes can wait
 * @since_ns: it was in sync since then
 * @hold_ns: for so long it was not waited for, last time; 0: never yet
 * @until_ns: not before then is it waited for again
 */
struct slowness {
	u64 since_ns;
	u64 hold_ns;
	u64 until_ns;
};

/**
 * struct active - the active's side
 * @mode: enum active_mode
 * @connection: to the standby, live; NULL if none
 * @candidate: on its way to be @connection
 * @partial: how much of a snapshot the candidate says it has; received 0: none
 * @sent: state at the end of what was sent
 * @acked: last position the standby has committed
 * @peer: the standby's state as it said last
 * @confirmed: it has said so after the last snapshot
 * @diverged: it was not as it should; until in sync again
 * @heard_ns: when it last said so
 * @timely_ns: when it last did while no write had been waiting for long;
 *             @stamp: its clock then
 * @slow: how it is treated if that is long ago
 * @progress_ns: when it last had committed more than before
 * @keepalive_ns: when the last keepalive went
 * @try_ns: not before then look for another connection
 * @tries: since the last success
 * @refused: the standby turned us away; said so once
 */
struct active {
	u8 mode;
	struct connection *connection;
	struct connection *candidate;
	struct packet_partial partial;
	struct store_state sent;
	u64 acked;
	struct store_state peer;
	bool confirmed;
	bool diverged;
	bool refused;
	u64 heard_ns;
	u64 timely_ns;
	u64 stamp;
	struct slowness slow;
	u64 progress_ns;
	u64 keepalive_ns;
	u64 try_ns;
	u32 tries;
};

/**
 * struct standby - the standby's side
 * @listeners: by path; -1 if closed
 * @accepts: their events
 * @strangers: connections that have not proved themselves
 * @live: the one that has
 * @receiving: a snapshot is under way; @claimed: what it will be. Broken off,
 *             the store keeps what came of it until another one begins
 * @pace: of the records received
 * @open: a transaction is open; @open_received: on the received generation
 * @restored: contents of which the open transaction has records: content_bit()
 * @ack_due: say where we are when the input is used up; @totals_due: and what of
 * @synced: see sync.h; @synced_until_ns: unless the active is heard
 * @diverged: own records are not what they should be; until all are received
 *            anew the digest in our acks is one that cannot be right
 * @peer: the active's state as it said last
 * @listen_ns: not before then open a listener again
 * @complained: by path: it was said that listening fails
 */
struct standby {
	int listeners[SYNC_PATHS];
	struct event *accepts[SYNC_PATHS];
	struct connection *strangers[SYNC_STRANGERS];
	struct connection *live;
	bool receiving;
	struct store_state claimed;
	struct pace pace;
	u64 restored;
	bool open;
	bool open_received;
	bool ack_due;
	bool totals_due;
	bool synced;
	bool diverged;
	u64 synced_until_ns;
	struct store_state peer;
	u64 listen_ns;
	bool complained[SYNC_PATHS];
};

struct sync {
	struct sync_spec spec;
	struct sync_callbacks callbacks;
	void *arg;
	struct connection_shared shared;	/* epoch: acting, or known */
	struct store *store;
	u8 side;
	bool link_up[SYNC_PATHS];
	u64 patience_ns;
	struct event *tick;
	u64 tick_ns;
	u64 resyncs;
	u64 diverged;
	u64 differed_ns;	/* when the stores, or a record, last did */
	struct scrub scrub;
	struct vocabulary vocabulary;
	struct packet_totals peer_totals;
	struct sync_status told;
	struct writes writes;
	struct backlog backlog;
	struct merge merge;
	struct snapshot snapshot;
	STAILQ_HEAD(flush_list, flush) flushes;
	struct active active;
	struct standby standby;
};

/* sync.c: tell the daemon if the state is another than it was told. */
void sync_changed(struct sync *s);

/* Name of the path with this index, for messages. */
const char *sync_path_name(u8 path);

/* write.c */
int write_init(struct sync *s);
void write_free(struct sync *s);

/**
 * write_own() - put a record of the sync's own; as sync_write()
 *
 * Return: 0 or -EAGAIN.
 */
int write_own(struct sync *s, u16 content, const void *key, size_t key_len,
	      const void *value, size_t value_len);

/* Commit what is queued, and send it or acknowledge it. */
void write_commit(struct sync *s);

/* Acknowledge committed writes up to a position. */
void write_release(struct sync *s, u64 position, enum sync_ack ack);

/**
 * write_release_alone() - acknowledge all committed writes, as no standby is in sync
 *
 * As SYNC_ACK_ALONE, or refused if this server may not act; as SYNC_ACK_UNKNOWN if
 * it needs a standby.
 */
void write_release_alone(struct sync *s);

/**
 * write_tell_async() - acknowledge the committed writes that do not wait
 *
 * As SYNC_ACK_ASYNC, or refused if this server may not act. They stay in the ring,
 * and leave it with the others, without a word.
 */
void write_tell_async(struct sync *s);

/* Refuse all, forget what is queued. */
void write_refuse(struct sync *s);

/* Age of the oldest one in the ring, 0 if there is none. */
u64 write_lag_ns(const struct sync *s, u64 now_ns);

/* Tell those waiting for a flush up to @position; all if not @flushed. */
void write_flushed(struct sync *s, u64 position, bool flushed);

/* active.c */
void active_start(struct sync *s);
void active_stop(struct sync *s);
void active_tick(struct sync *s, u64 now_ns);
void active_links(struct sync *s);

/* New writes are committed. */
void active_committed(struct sync *s);

/* Is there a standby that understands patches? */
bool active_takes_patches(const struct sync *s);

/**
 * active_make_room() - the store is full: give up what keeps pages of it in use
 *
 * A transfer does: pages that it has still to read are not written again. Its
 * standby waits for a while, the calls do not. Calls nobody back.
 *
 * Return: false if there was nothing to give up.
 */
bool active_make_room(struct sync *s);

/* What the active's connections tell it; the candidate's too. */
extern const struct connection_callbacks active_callbacks;

/* standby.c */
void standby_start(struct sync *s);
void standby_stop(struct sync *s);
void standby_links(struct sync *s, const bool came_up[SYNC_PATHS]);
void standby_tick(struct sync *s, u64 now_ns);
void standby_init(struct sync *s);

/* Own records are not what they should be: ask the active for all of them. */
void standby_diverged(struct sync *s);

#endif /* CTIHA_SYNC_INTERNAL_H */
