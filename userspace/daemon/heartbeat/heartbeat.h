/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Heartbeats, lease and votes as the daemon sees them, whoever does the work:
 * the kernel module (module.h) or this process over AF_PACKET (packet.h).
 *
 * All functions are called from the event loop's thread, and all callbacks run
 * in it. Times are CLOCK_MONOTONIC nanoseconds.
 */
#ifndef CTIHA_HEARTBEAT_H
#define CTIHA_HEARTBEAT_H

#include <net/if.h>
#include <netinet/in.h>

#include <ctiha/base.h>
#include <ctiha/lease.h>
#include <linux/ctiha.h>

#include "common/keys.h"

#define HEARTBEAT_LINKS	2	/* at the most, one of each kind */

struct event_base;

/**
 * struct heartbeat_fence - what keeps a server that may not act quiet
 * @exists: false for the packet backend, which has none
 * @closed: frames of service addresses are dropped now
 * @last_resort: enum ctiha_last_resort
 * @count: of @addresses
 * @addresses: IPv4 ones mapped into IPv6
 * @dropped: frames, by enum ctiha_fenced
 */
struct heartbeat_fence {
	bool exists;
	bool closed;
	u8 last_resort;
	u8 count;
	struct in6_addr addresses[CTIHA_FENCE_ADDRESSES];
	u64 dropped[CTIHA_FENCED_KINDS];
};

/* Mirrors CTIHA_A_SWITCH_*: the NIC to the telephone switch. */
struct heartbeat_switch {
	char device[IF_NAMESIZE];	/* of ifindex; "" if there is none */
	u32 ifindex;
	bool carrier;
};

/* Mirrors CTIHA_A_NODE_*, and the fence that is shown beside it. */
struct heartbeat_node {
	u8 id;
	u8 role;
	u32 pair;
	u32 report;
	u64 lease_ns;
	u64 promise_ns;
	u64 epoch;
	u64 vote_epoch;
	u64 lease_left_ns;
	u64 promise_left_ns;
	u64 sync_pos;
	struct heartbeat_fence fence;
	struct heartbeat_switch switch_nic;
};

/* Mirrors CTIHA_A_PEER_*. */
struct heartbeat_peer {
	bool heard;
	bool left;
	u8 role;
	u32 report;
	u64 epoch;
	u64 vote_epoch;
	u64 sync_pos;
	u64 heard_ns;
	u8 last_words;
};

/* Mirrors CTIHA_A_STAT_*, indexed by the attribute. */
struct heartbeat_stats {
	u64 count[CTIHA_A_STAT_MAX + 1];
};

/* Mirrors CTIHA_A_LINK_*. */
struct heartbeat_link {
	char name[CTIHA_LINK_NAME_LEN];
	char device[IF_NAMESIZE];	/* of ifindex; "" if it is gone */
	u8 kind;
	u8 state;
	u8 diag;
	u8 direction;
	u8 multiplier;
	bool carrier;
	u8 peer_mac[6];
	u32 ifindex;
	u32 interval_us;
	u32 agreed_us;
	u32 changes;
	u32 recent;
	u32 recent_lost;
	u64 hold_ns;
	u64 detect_ns;
	u64 rtt_ns;
	u64 heard_ns;
	struct heartbeat_stats stats;
};

/* What to create. */
struct heartbeat_link_spec {
	char name[CTIHA_LINK_NAME_LEN];
	char device[IF_NAMESIZE];
	u8 kind;
	u8 multiplier;
	u8 peer_mac[6];			/* ff:ff:ff:ff:ff:ff if not known */
	u32 interval_us;
};

struct heartbeat_node_spec {
	u8 id;
	u32 pair;
	u64 lease_ns;
	u64 promise_ns;
	u64 epoch;			/* remembered from before the start */
	u32 watch_ms;			/* daemon's longest silence */
	struct keys keys;
};

/* Everything at one instant. */
struct heartbeat_snapshot {
	struct heartbeat_node node;
	struct heartbeat_peer peer;
	struct heartbeat_link links[HEARTBEAT_LINKS];
	unsigned int link_count;
};

/* What happened, when, why. cause: enum ctiha_cause. */
struct heartbeat_event {
	u64 seq;
	u64 time_ns;
	u8 cause;
};

/**
 * struct heartbeat_callbacks - news for the daemon
 * @node: own role, epoch, vote, lease or carrier changed
 * @peer: the peer's heartbeats say something new, or it fell silent
 * @link: a session or its device's carrier changed
 * @resync: events were lost (counted); a dump follows as node, peer and link
 *          calls with cause CTIHA_CAUSE_NONE, a link that is gone being down
 * @failed: the backend can no longer work; text says why. Last call.
 */
struct heartbeat_callbacks {
	void (*node)(void *arg, const struct heartbeat_event *event,
		     const struct heartbeat_node *node);
	void (*peer)(void *arg, const struct heartbeat_event *event,
		     const struct heartbeat_peer *peer);
	void (*link)(void *arg, const struct heartbeat_event *event,
		     const struct heartbeat_link *link);
	void (*resync)(void *arg);
	void (*failed)(void *arg, const char *text);
};

struct heartbeat;

/**
 * struct heartbeat_backend - one way to beat
 * @name: as in the configuration: "module" or "packet"
 * @open: create the node, or take over one that matches; attach. NULL on
 *        failure with the reason and the remedy in @error.
 * @close: detach without LEAVE: the peer sees a dead daemon; not to be called
 *         from inside a callback
 * @fence: put @addresses behind the fence, choose @last_resort. 0; -EOPNOTSUPP if
 *         there can be none; another negative errno
 * @rekey: change the keys, without losing a frame that is sealed with one of the new
 *         ones. 0 or -errno
 * @switch_watch: watch this device's carrier, "" for none; also one that is not
 *                there yet, or comes back. 0 or -errno
 * @link_add, @link_del: 0 or -errno
 * @report: what the next heartbeats carry, and the daemon's sign of life;
 *          call it more often than watch_ms. 0 or -errno
 * @activate: see ctiha_lease_activate(); granted_ns 0 without a grant
 * @renew: see ctiha_lease_renew()
 * @yield: leave the role, vote for the peer
 * @leave: yield, and say goodbye: the vote does not expire; then only close
 * @snapshot: read everything; 0 or -errno
 */
struct heartbeat_backend {
	const char *name;
	struct heartbeat *(*open)(struct event_base *base,
				  const struct heartbeat_node_spec *spec,
				  const struct heartbeat_callbacks *callbacks,
				  void *arg, char *error, size_t error_size);
	void (*close)(struct heartbeat *hb);
	int (*fence)(struct heartbeat *hb, const struct heartbeat_fence *fence);
	int (*rekey)(struct heartbeat *hb, const struct keys *keys);
	int (*switch_watch)(struct heartbeat *hb, const char *device);
	int (*link_add)(struct heartbeat *hb,
			const struct heartbeat_link_spec *spec);
	int (*link_del)(struct heartbeat *hb, const char *name);
	int (*report)(struct heartbeat *hb, u32 report, u64 sync_pos);
	int (*activate)(struct heartbeat *hb, u64 epoch, u64 granted_ns);
	int (*renew)(struct heartbeat *hb, u64 epoch, u64 granted_ns);
	int (*yield)(struct heartbeat *hb);
	int (*leave)(struct heartbeat *hb);
	int (*snapshot)(struct heartbeat *hb, struct heartbeat_snapshot *snap);
};

extern const struct heartbeat_backend heartbeat_module;
extern const struct heartbeat_backend heartbeat_packet;

#endif /* CTIHA_HEARTBEAT_H */
