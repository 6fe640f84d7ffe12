// SPDX-License-Identifier: GPL-2.0
/*
 * Sending heartbeats, past the queueing discipline: bulk traffic on the same
 * device must not delay them.
 */
#include <linux/ktime.h>
#include <linux/netdevice.h>
#include <linux/pkt_sched.h>
#include <linux/skbuff.h>

#include "link.h"
#include "node.h"

/* All but the session's part. */
static void describe(const struct ctiha_link *link, enum ctiha_frame_type type,
		     struct ctiha_frame *frame)
{
	const struct ctiha_node *node = link->node;

	frame->type = type;
	frame->link_kind = link->kind;
	frame->node = node->lease.node;
	frame->pair = node->pair;
	frame->role = node->lease.role;
	frame->report = ctiha_node_report(node);
	frame->epoch = node->lease.epoch;
	frame->vote_epoch = node->lease.vote_epoch;
	frame->sync_pos = node->sync_pos;
}

/* Return: false if nothing is to be said (any more). */
static bool compose(struct ctiha_link *link, enum ctiha_frame_type type,
		    struct ctiha_frame *frame)
{
	struct ctiha_node *node = link->node;
	unsigned long flags;
	bool speaks;
	u64 now_ns;

	raw_spin_lock_irqsave(&node->lock, flags);
	speaks = !link->gone && (!node->quiet || type == CTIHA_FRAME_GOODBYE);
	if (speaks) {
		now_ns = ktime_get_ns();
		ctiha_node_settle(node, now_ns);
		describe(link, type, frame);
		ctiha_session_send(&link->session, now_ns, frame);
	}
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return speaks;
}

/* An empty frame with its Ethernet header; NULL without memory. */
static struct sk_buff *envelope(const struct ctiha_link *link)
{
	struct net_device *dev = link->dev;
	int headroom = LL_RESERVED_SPACE(dev);
	struct sk_buff *skb;

	skb = alloc_skb(headroom + CTIHA_FRAME_LEN + dev->needed_tailroom,
			GFP_ATOMIC);
	if (!skb)
		return NULL;
	skb->dev = dev;
	skb->protocol = htons(CTIHA_ETHERTYPE);
	skb->priority = TC_PRIO_CONTROL;
	skb_reserve(skb, headroom);
	skb_reset_network_header(skb);
	skb_put(skb, CTIHA_FRAME_LEN);
	if (dev_hard_header(skb, dev, CTIHA_ETHERTYPE, link->peer_mac,
			    dev->dev_addr, CTIHA_FRAME_LEN) < 0) {
		kfree_skb(skb);
		return NULL;
	}
	skb_reset_mac_header(skb);
	return skb;
}

/* A full transmit ring leaves the frame to the queueing discipline. */
static bool transmit(struct sk_buff *skb)
{
	int ret = __dev_direct_xmit(skb, 0);

	if (!dev_xmit_complete(ret))
		ret = dev_queue_xmit(skb);
	return !net_xmit_eval(ret);
}

static void send_now(struct ctiha_link *link, enum ctiha_frame_type type)
{
	struct ctiha_node *node = link->node;
	int slot = READ_ONCE(node->send_slot);
	struct sk_buff *skb = envelope(link);
	struct ctiha_frame frame;

	if (!skb) {
		ctiha_link_count(link, CTIHA_A_STAT_TX_FAILED);
		return;
	}
	if (!compose(link, type, &frame)) {
		kfree_skb(skb);
		return;
	}
	ctiha_frame_seal((void *)skb_network_header(skb), &frame, slot,
			 rcu_dereference(node->keys[slot]));
	ctiha_link_count(link, transmit(skb) ? CTIHA_A_STAT_TX :
					       CTIHA_A_STAT_TX_FAILED);
}

void ctiha_link_send(struct ctiha_link *link, enum ctiha_frame_type type)
{
	if (!netif_running(link->dev))
		return;
	rcu_read_lock();
	/* Two senders at once must not overtake each other: see replays. */
	spin_lock(&link->tx_lock);
	send_now(link, type);
	spin_unlock(&link->tx_lock);
	rcu_read_unlock();
}

void ctiha_link_send_all(struct ctiha_node *node, enum ctiha_frame_type type)
{
	unsigned int i;

	rcu_read_lock();
	for (i = 0; i < CTIHA_LINKS; i++) {
		struct ctiha_link *link = ctiha_link_configured(node, i);

		if (link)
			ctiha_link_send(link, type);
	}
	rcu_read_unlock();
}
