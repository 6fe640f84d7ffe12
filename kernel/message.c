// SPDX-License-Identifier: GPL-2.0
/*
 * Netlink messages. See message.h and Documentation/netlink/specs/ctiha.yaml.
 */
#include <net/genetlink.h>
#include <net/ipv6.h>

#include "message.h"
#include "netlink.h"
#include "quality.h"

/* Ends a nest whose attributes were put with @failed as the result. */
static int end_nest(struct sk_buff *skb, struct nlattr *nest, bool failed)
{
	if (failed) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

static int put_address(struct sk_buff *skb, const struct in6_addr *address)
{
	if (ipv6_addr_v4mapped(address))
		return nla_put_in_addr(skb, CTIHA_A_FENCE_ADDRESS,
				       address->s6_addr32[3]);
	return nla_put_in6_addr(skb, CTIHA_A_FENCE_ADDRESS, address);
}

static int put_fence(struct sk_buff *skb, const struct ctiha_fence_view *view)
{
	struct nlattr *nest = nla_nest_start(skb, CTIHA_A_NODE_FENCE);
	bool failed;
	int i;

	if (!nest)
		return -EMSGSIZE;
	failed = nla_put_u8(skb, CTIHA_A_FENCE_LAST_RESORT,
			    view->last_resort) ||
		 nla_put_u8(skb, CTIHA_A_FENCE_CLOSED, view->closed);
	for (i = 0; i < CTIHA_FENCED_KINDS && !failed; i++)
		failed = nla_put_u64_64bit(skb, CTIHA_A_FENCE_DROPPED_IPV4 + i,
					   view->dropped[i],
					   CTIHA_A_FENCE_PAD);
	for (i = 0; i < view->count && !failed; i++)
		failed = put_address(skb, &view->addresses[i]);
	return end_nest(skb, nest, failed);
}

static int put_switch(struct sk_buff *skb, const struct ctiha_node_view *view)
{
	struct nlattr *nest = nla_nest_start(skb, CTIHA_A_NODE_SWITCH);
	bool failed;

	if (!nest)
		return -EMSGSIZE;
	failed = nla_put_u32(skb, CTIHA_A_SWITCH_IFINDEX,
			     view->switch_ifindex) ||
		 nla_put_u8(skb, CTIHA_A_SWITCH_CARRIER,
			    view->switch_carrier);
	return end_nest(skb, nest, failed);
}

int ctiha_message_put_node(struct sk_buff *skb,
			   const struct ctiha_node_view *view)
{
	struct nlattr *nest = nla_nest_start(skb, CTIHA_A_NODE);
	const int pad = CTIHA_A_NODE_PAD;
	bool failed;

	if (!nest)
		return -EMSGSIZE;
	failed = nla_put_u8(skb, CTIHA_A_NODE_ID, view->id) ||
		 nla_put_u32(skb, CTIHA_A_NODE_PAIR, view->pair) ||
		 nla_put_u64_64bit(skb, CTIHA_A_NODE_LEASE_NS,
				   view->lease_ns, pad) ||
		 nla_put_u64_64bit(skb, CTIHA_A_NODE_PROMISE_NS,
				   view->promise_ns, pad) ||
		 nla_put_u8(skb, CTIHA_A_NODE_ROLE, view->role) ||
		 nla_put_u64_64bit(skb, CTIHA_A_NODE_EPOCH,
				   view->epoch, pad) ||
		 nla_put_u64_64bit(skb, CTIHA_A_NODE_VOTE_EPOCH,
				   view->vote_epoch, pad) ||
		 nla_put_u64_64bit(skb, CTIHA_A_NODE_LEASE_LEFT_NS,
				   view->lease_left_ns, pad) ||
		 nla_put_u64_64bit(skb, CTIHA_A_NODE_PROMISE_LEFT_NS,
				   view->promise_left_ns, pad) ||
		 nla_put_u32(skb, CTIHA_A_NODE_REPORT, view->report) ||
		 nla_put_u64_64bit(skb, CTIHA_A_NODE_SYNC_POS,
				   view->sync_pos, pad) ||
		 nla_put_u64_64bit(skb, CTIHA_A_NODE_EVENT_SEQ,
				   view->event_seq, pad) ||
		 put_fence(skb, &view->fence) ||
		 put_switch(skb, view);
	return end_nest(skb, nest, failed);
}

int ctiha_message_put_peer(struct sk_buff *skb, const struct ctiha_peer *peer)
{
	struct nlattr *nest = nla_nest_start(skb, CTIHA_A_PEER);
	const int pad = CTIHA_A_PEER_PAD;
	bool failed;

	if (!nest)
		return -EMSGSIZE;
	failed = nla_put_u8(skb, CTIHA_A_PEER_HEARD, peer->heard) ||
		 nla_put_u8(skb, CTIHA_A_PEER_LEFT, peer->left) ||
		 nla_put_u8(skb, CTIHA_A_PEER_ROLE, peer->role) ||
		 nla_put_u64_64bit(skb, CTIHA_A_PEER_EPOCH, peer->epoch, pad) ||
		 nla_put_u64_64bit(skb, CTIHA_A_PEER_VOTE_EPOCH,
				   peer->vote_epoch, pad) ||
		 nla_put_u32(skb, CTIHA_A_PEER_REPORT, peer->report) ||
		 nla_put_u64_64bit(skb, CTIHA_A_PEER_SYNC_POS,
				   peer->sync_pos, pad) ||
		 nla_put_u64_64bit(skb, CTIHA_A_PEER_HEARD_NS,
				   peer->heard_ns, pad) ||
		 nla_put_u8(skb, CTIHA_A_PEER_LAST_WORDS, peer->last_words);
	return end_nest(skb, nest, failed);
}

static int put_stats(struct sk_buff *skb, const u64 *stats)
{
	struct nlattr *nest = nla_nest_start(skb, CTIHA_A_LINK_STATS);
	bool failed = false;
	int stat;

	if (!nest)
		return -EMSGSIZE;
	for (stat = CTIHA_A_STAT_TX; stat < CTIHA_A_STAT_PAD && !failed; stat++)
		failed = nla_put_u64_64bit(skb, stat, stats[stat],
					   CTIHA_A_STAT_PAD);
	return end_nest(skb, nest, failed);
}

int ctiha_message_put_link(struct sk_buff *skb,
			   const struct ctiha_link_view *view)
{
	struct nlattr *nest = nla_nest_start(skb, CTIHA_A_LINK);
	const int pad = CTIHA_A_LINK_PAD;
	bool failed;

	if (!nest)
		return -EMSGSIZE;
	failed = nla_put_string(skb, CTIHA_A_LINK_NAME, view->name) ||
		 nla_put_u8(skb, CTIHA_A_LINK_KIND, view->kind) ||
		 nla_put_u32(skb, CTIHA_A_LINK_IFINDEX, view->ifindex) ||
		 nla_put(skb, CTIHA_A_LINK_PEER_MAC, ETH_ALEN,
			 view->peer_mac) ||
		 nla_put_u32(skb, CTIHA_A_LINK_INTERVAL_US,
			     view->interval_us) ||
		 nla_put_u8(skb, CTIHA_A_LINK_MULTIPLIER, view->multiplier) ||
		 nla_put_u8(skb, CTIHA_A_LINK_STATE, view->state) ||
		 nla_put_u8(skb, CTIHA_A_LINK_DIAG, view->diag) ||
		 nla_put_u32(skb, CTIHA_A_LINK_AGREED_US, view->agreed_us) ||
		 nla_put_u64_64bit(skb, CTIHA_A_LINK_DETECT_NS,
				   view->detect_ns, pad) ||
		 nla_put_u64_64bit(skb, CTIHA_A_LINK_RTT_NS,
				   view->rtt_ns, pad) ||
		 nla_put_u64_64bit(skb, CTIHA_A_LINK_HEARD_NS,
				   view->heard_ns, pad) ||
		 nla_put_u32(skb, CTIHA_A_LINK_CHANGES, view->changes) ||
		 nla_put_u8(skb, CTIHA_A_LINK_DIRECTION, view->direction) ||
		 nla_put_u32(skb, CTIHA_A_LINK_RECENT, view->recent) ||
		 nla_put_u32(skb, CTIHA_A_LINK_RECENT_LOST,
			     view->recent_lost) ||
		 nla_put_u64_64bit(skb, CTIHA_A_LINK_HOLD_NS,
				   view->hold_ns, pad) ||
		 nla_put_u8(skb, CTIHA_A_LINK_CARRIER, view->carrier) ||
		 put_stats(skb, view->stats) ||
		 (view->quality && ctiha_quality_put(skb, view->quality));
	return end_nest(skb, nest, failed);
}

static int put_event(struct sk_buff *skb, const struct ctiha_event *event)
{
	struct nlattr *nest = nla_nest_start(skb, CTIHA_A_EVENT);
	const int pad = CTIHA_A_EVENT_PAD;
	bool failed;

	if (!nest)
		return -EMSGSIZE;
	failed = nla_put_u64_64bit(skb, CTIHA_A_EVENT_SEQ, event->seq, pad) ||
		 nla_put_u64_64bit(skb, CTIHA_A_EVENT_TIME_NS,
				   event->time_ns, pad) ||
		 nla_put_u8(skb, CTIHA_A_EVENT_CAUSE, event->cause);
	return end_nest(skb, nest, failed);
}

static int put_object(struct sk_buff *skb, const struct ctiha_event *event)
{
	switch (event->cmd) {
	case CTIHA_CMD_NODE_NTF:
		return ctiha_message_put_node(skb, &event->node);
	case CTIHA_CMD_PEER_NTF:
		return ctiha_message_put_peer(skb, &event->peer);
	default:
		return ctiha_message_put_link(skb, &event->link);
	}
}

void ctiha_message_multicast(struct net *net, const struct ctiha_event *event)
{
	struct sk_buff *skb;
	void *head;

	if (!genl_has_listeners(&ctiha_family, net, CTIHA_GROUP_EVENT))
		return;
	skb = genlmsg_new(CTIHA_MESSAGE_SIZE, GFP_ATOMIC);
	if (!skb)
		return;
	head = genlmsg_put(skb, 0, 0, &ctiha_family, 0, event->cmd);
	if (!head || put_event(skb, event) || put_object(skb, event)) {
		nlmsg_free(skb);
		return;
	}
	genlmsg_end(skb, head);
	genlmsg_multicast_netns(&ctiha_family, net, skb, 0, CTIHA_GROUP_EVENT,
				GFP_ATOMIC);
}
