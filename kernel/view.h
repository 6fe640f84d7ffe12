/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What netlink says of an object: a copy taken under the node's lock, put into
 * attributes after it is released. Times in nanoseconds of CLOCK_MONOTONIC.
 */
#ifndef CTIHA_KERNEL_VIEW_H
#define CTIHA_KERNEL_VIEW_H

#include <linux/if_ether.h>
#include <linux/in6.h>

#include <ctiha/base.h>
#include <linux/ctiha.h>

struct ctiha_quality;

/* Mirrors CTIHA_A_FENCE_*; IPv4 addresses are mapped into IPv6. */
struct ctiha_fence_view {
	bool closed;
	u8 last_resort;
	unsigned int count;
	struct in6_addr addresses[CTIHA_FENCE_ADDRESSES];
	u64 dropped[CTIHA_FENCED_KINDS];
};

/* Mirrors CTIHA_A_NODE_*, and the fence that is shown beside it. */
struct ctiha_node_view {
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
	u64 event_seq;
	u32 switch_ifindex;	/* 0: none */
	bool switch_carrier;
	struct ctiha_fence_view fence;
};

/* Mirrors CTIHA_A_PEER_*; the node keeps its picture of the peer in it, too. */
struct ctiha_peer {
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

/* Mirrors CTIHA_A_LINK_*. */
struct ctiha_link_view {
	char name[CTIHA_LINK_NAME_LEN];
	u8 kind;
	u8 multiplier;
	u8 state;
	u8 diag;
	u8 direction;
	bool carrier;
	u8 peer_mac[ETH_ALEN];
	u32 ifindex;		/* 0: the link is gone */
	u32 interval_us;
	u32 agreed_us;
	u32 changes;
	u32 recent;
	u32 recent_lost;
	u64 hold_ns;
	u64 detect_ns;
	u64 rtt_ns;
	u64 heard_ns;
	u64 stats[CTIHA_A_STAT_MAX + 1];
	const struct ctiha_quality __percpu *quality;	/* NULL: not to be shown */
};

#endif /* CTIHA_KERNEL_VIEW_H */
