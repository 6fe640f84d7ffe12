/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State sync as the rest of the daemon sees it: a store of call records that is
 * kept identical on both servers.
 *
 * Event loop thread only. Requirements b0-b4, c1-c3, e2, e4, g2.
 */
#ifndef CTIHA_SYNC_H
#define CTIHA_SYNC_H

#include <sys/socket.h>

#include <ctiha/base.h>
#include <linux/ctiha.h>

#include "common/keys.h"

struct event_base;
struct sync;

#define SYNC_KEY_MAX	64
#define SYNC_VALUE_MAX	16384

/*
 * What a record is; b2's content id. On the wire and in the store. content.c has
 * what each of them needs.
 */
enum sync_content {
	SYNC_CONTENT_CALL = 1,		/* call control block */
	SYNC_CONTENT_AGENT = 2,
	SYNC_CONTENT_ROUTE = 3,
	SYNC_CONTENT_SERVER = 4,	/* IVR/RMS server state */
	SYNC_CONTENT_APPLICATION = 5,	/* application's own */
	SYNC_CONTENT_DICTIONARY = 6,	/* the sync's own: vocabulary.h */
	SYNC_CONTENT_CALL_STATE = 7,	/* what changes often of a call */
	SYNC_CONTENT_LAST = 255,	/* that a later version may use */
};

/* The two paths: crossover is preferred (b4). */
struct sync_path {
	bool configured;
	struct sockaddr_storage local;	/* with the sync port */
	struct sockaddr_storage peer;
	char device[16];
};

/**
 * struct sync_spec - configuration
 * @pair: the pair's number
 * @node: own id
 * @keys: the pair's keys; sync keys are derived from them
 * @insecure: authenticated, but not encrypted: no TLS
 * @directory: of the LMDB store; created if missing
 * @map_size: bytes the store may grow to; it holds two generations during a
 *            transfer, so at least three times the records' size
 * @dictionary: file with the one to begin with; "" for none
 * @patience_ms: how long writes wait for a standby that is there (links up) but
 *               does not answer, before it counts as absent; 0 for 2000. More
 *               than four times the links' detection time
 * @needs_standby: see sync_need_standby()
 * @paths: crossover, LAN
 */
struct sync_spec {
	u32 pair;
	u8 node;
	struct keys keys;
	bool insecure;
	char directory[256];
	u64 map_size;
	char dictionary[256];
	u32 patience_ms;
	bool needs_standby;
	struct sync_path paths[2];
};

/* How a write was made safe. The numbers are those of enum ctiha_ack. */
enum sync_ack {
	SYNC_ACK_STANDBY = 0,	/* the standby has committed it */
	SYNC_ACK_ALONE = 1,	/* there is no standby in sync: only we have */
	SYNC_ACK_REFUSED = 2,	/* not active (any more) or store full: no promise */
	SYNC_ACK_UNKNOWN = 5,	/* we have; nobody knows whether the standby has */
	SYNC_ACK_ASYNC = 7,	/* only we have; it is on its way to the standby */
};

enum sync_state {
	SYNC_ALONE,		/* active, no standby connected */
	SYNC_TRANSFER,		/* full snapshot is on its way */
	SYNC_IDENTICAL,		/* all acknowledged, digests equal */
	SYNC_BEHIND,		/* some records under way */
	SYNC_SLOW,		/* so many that writes do not wait for it */
	SYNC_DIVERGED,		/* digests differ: resync under way */
	SYNC_WAITING,		/* standby, not connected to the active */
};

struct sync_status {
	enum sync_state state;
	bool synced;		/* see below */
	bool protected;		/* this server is active, and synced */
	u8 path;		/* enum ctiha_link_kind in use, 0 none */
	u64 epoch;
	u64 position;		/* last write applied here */
	u64 peer_position;	/* last one the other side committed */
	u64 records;
	u64 digest[2];		/* order independent, of all records */
	u64 peer_digest[2];
	u64 tx_bytes;
	u64 rx_bytes;
	u64 raw_bytes;		/* of records sent, before compression */
	u64 packed_bytes;	/* after it */
	u32 dictionary;		/* id of the one in use; 0: none */
	bool insecure;		/* configured without TLS */
	bool needs_standby;	/* configured: see sync_need_standby() */
	u64 damaged;		/* packets discarded, connections refused */
	const char *refused;	/* why the last one was; NULL: none was */
	u64 refused_ns;		/* when that was first said */
	u64 diverged;		/* times the stores differed */
	u64 differed_ns;	/* when that, or a damaged record, was seen last */
	u64 scrubs;		/* times all records were looked at again */
	u64 resyncs;		/* full transfers begun */
	u64 lag_ns;		/* age of the oldest write that the standby lacks */
	u64 transfer_done;	/* records, during SYNC_TRANSFER */
	u64 transfer_total;
	u64 transfer_rate;	/* records per second; 0: not known yet */
};

/*
 * synced, on the active: writes are acknowledged by the standby. On the standby:
 * this store holds every write the active has acknowledged, but for those as
 * SYNC_ACK_ASYNC, of which it may lack the last ones. It stays true when
 * the active falls silent (that is the moment to take over), and ends when
 * the links say that the active lives while the sync hears nothing of it
 * for half the patience. The active waits the whole patience before it
 * acknowledges anything alone.
 */

/**
 * struct sync_callbacks
 * @acked: a write is safe, or refused; cookie is the one passed to sync_write
 * @state: the state changed
 * @may_act: asked before a write is acknowledged that no standby has committed:
 *           does this server hold its lease at this instant?
 */
struct sync_callbacks {
	void (*acked)(void *arg, u64 cookie, enum sync_ack ack);
	void (*state)(void *arg, const struct sync_status *status);
	bool (*may_act)(void *arg);
};

struct sync *sync_open(struct event_base *base, const struct sync_spec *spec,
		       const struct sync_callbacks *callbacks, void *arg,
		       char *error, size_t error_size);
void sync_close(struct sync *sync);

/**
 * sync_rekey() - change the pair's keys
 * @keys: new ones; connections that are up go on under their session key
 */
void sync_rekey(struct sync *sync, const struct keys *keys);

/**
 * sync_need_standby() - what to do with writes while no standby is in sync
 * @needed: true: they are not taken; false: they are acknowledged as SYNC_ACK_ALONE
 *
 * If needed, those that wait when the standby is lost are acknowledged as
 * SYNC_ACK_UNKNOWN: they are committed here, and it is too late to refuse them.
 * The sync's own writes are taken in any case.
 */
void sync_need_standby(struct sync *sync, bool needed);

/**
 * sync_activate() - this server acts in @epoch: accept writes, serve the peer
 *
 * Ends any half-received snapshot: the newest consistent state holds (e4).
 */
void sync_activate(struct sync *sync, u64 epoch);

/**
 * sync_follow() - this server is standby: listen for the active one
 *
 * Pending writes are acknowledged as SYNC_ACK_REFUSED. Packets of an epoch
 * below @epoch are refused.
 */
void sync_follow(struct sync *sync, u64 epoch);

/**
 * sync_links() - which links work, and whether the peer is there at all
 * @crossover, @lan: heartbeat session is up
 *
 * Both down means the peer is gone: writes waiting for it are acknowledged as
 * SYNC_ACK_ALONE, if this server may act and needs no standby. Until the first call both are down,
 * and the active does not look for a standby.
 */
void sync_links(struct sync *sync, bool crossover, bool lan);

/**
 * sync_write() - put or delete a record on the active server
 * @content: enum sync_content, one that applications may write
 * @key, @key_len: 1 to SYNC_KEY_MAX bytes
 * @value: NULL deletes
 * @value_len: 0 to SYNC_VALUE_MAX
 * @cookie: given back by the acked callback
 *
 * Return: 0; -EROFS if this server is not active, -ENOTCONN if it needs a standby
 * and has none in sync, -EINVAL, -ENOSPC, -EAGAIN if the queue is full (wait for
 * acknowledgements).
 */
int sync_write(struct sync *sync, u16 content, const void *key, size_t key_len,
	       const void *value, size_t value_len, u64 cookie);

/**
 * sync_write_async() - the same, without waiting for the standby
 *
 * Acknowledged when it is committed here: as SYNC_ACK_ASYNC if there is a standby in
 * sync, and this server may act. It counts for the queue until the standby has it.
 *
 * Return: as sync_write().
 */
int sync_write_async(struct sync *sync, u16 content, const void *key,
		     size_t key_len, const void *value, size_t value_len,
		     u64 cookie);

/**
 * sync_read() - one record from the local store
 * Return: length of the value copied to @value, or -ENOENT, -ENOSPC.
 */
int sync_read(struct sync *sync, u16 content, const void *key, size_t key_len,
	      void *value, size_t value_size);

/**
 * sync_walk() - records of one content id in key order, after a key
 * @after: start behind this key, NULL from the first
 * @visit: false stops
 *
 * Return: number visited or -errno.
 */
int sync_walk(struct sync *sync, u16 content, const void *after,
	      size_t after_len,
	      bool (*visit)(void *arg, const void *key, size_t key_len,
			    const void *value, size_t value_len),
	      void *arg);

/**
 * sync_flush() - call @done when all writes so far are committed by the standby
 * @done: argument true if so, false if there is no standby in sync any more;
 *        may be called before sync_flush() returns
 */
void sync_flush(struct sync *sync, void (*done)(void *arg, bool flushed),
		void *arg);

/**
 * sync_train() - make a dictionary from the records, and use it on both servers
 * @done: told when it is in the store, or what went wrong and what to do; not
 *        called after sync_close()
 *
 * Takes seconds, in a thread of low priority. Active server only.
 *
 * Return: NULL: @done follows; or what is wrong and what to do.
 */
const char *sync_train(struct sync *sync,
		       void (*done)(void *arg, const char *error), void *arg);

/**
 * struct sync_content_status - the records of one content id
 * @comparable: the peer's are of the same position: they must be the same
 */
struct sync_content_status {
	u64 records;
	u64 digest[2];
	u64 peer_records;
	u64 peer_digest[2];
	bool comparable;
};

/**
 * sync_content() - the records of one content id, here and at the peer
 * @content: any id, also ones this version does not know
 *
 * Return: false if neither side has any.
 */
bool sync_content(struct sync *sync, u16 content,
		  struct sync_content_status *status);

void sync_status(struct sync *sync, struct sync_status *status);

#endif /* CTIHA_SYNC_H */
