// SPDX-License-Identifier: GPL-2.0
/*
 * Sending heartbeats: from softirq and process context, and from the hard interrupt
 * of the tick where the device allows it (transmit.h).
 *
 * The frames of a link leave one at a time, in the order of their numbers, or the
 * peer takes them for replays. Softirqs and processes wait for each other by
 * link->tx_lock. An interrupt cannot wait: it finds LINK_SENDING set, leaves
 * LINK_WANTED behind, and whoever is sending sends once more.
 */
#include <linux/ktime.h>
#include <linux/netdevice.h>
#include <linux/pkt_sched.h>
#include <linux/skbuff.h>

#include "link.h"
#include "node.h"
#include "trace.h"
#include "transmit.h"

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
	frame->last_words = type == CTIHA_FRAME_GASP ? node->last_words :
						       CTIHA_LAST_WORDS_NONE;
	frame->report = ctiha_node_report(node);
	frame->epoch = node->lease.epoch;
	frame->vote_epoch = node->lease.vote_epoch;
	frame->sync_pos = node->sync_pos;
}

/* The node's lock is held. */
static void fill_in(struct ctiha_link *link, enum ctiha_frame_type type,
		    u64 now_ns, struct ctiha_frame *frame)
{
	describe(link, type, frame);
	ctiha_session_send(&link->session, now_ns, frame);
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
	speaks = !link->gone && (!node->quiet || type != CTIHA_FRAME_HEARTBEAT);
	if (speaks) {
		now_ns = ktime_get_ns();
		ctiha_node_settle(node, now_ns);
		fill_in(link, type, now_ns, frame);
	}
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return speaks;
}

/* An empty frame; NULL without memory. */
static struct sk_buff *blank(const struct ctiha_link *link, gfp_t gfp)
{
	struct net_device *dev = link->dev;
	int headroom = LL_RESERVED_SPACE(dev);
	struct sk_buff *skb;

	skb = alloc_skb(headroom + CTIHA_FRAME_LEN + dev->needed_tailroom,
			gfp);
	if (!skb)
		return NULL;
	skb->dev = dev;
	skb->protocol = htons(CTIHA_ETHERTYPE);
	skb->priority = TC_PRIO_CONTROL;
	skb_reserve(skb, headroom);
	skb_reset_network_header(skb);
	skb_put(skb, CTIHA_FRAME_LEN);
	return skb;
}

/* Return: @skb with its Ethernet header; NULL if there is none, and it is freed. */
static struct sk_buff *address(const struct ctiha_link *link,
			       struct sk_buff *skb)
{
	struct net_device *dev = link->dev;

	if (dev_hard_header(skb, dev, CTIHA_ETHERTYPE, link->peer_mac,
			    dev->dev_addr, CTIHA_FRAME_LEN) < 0) {
		dev_kfree_skb_any(skb);
		return NULL;
	}
	skb_reset_mac_header(skb);
	return skb;
}

/* Context: RCU read side. */
static void seal(const struct ctiha_link *link, struct sk_buff *skb,
		 const struct ctiha_frame *frame)
{
	const struct ctiha_node *node = link->node;
	int slot = READ_ONCE(node->send_slot);

	ctiha_frame_seal((void *)skb_network_header(skb), frame, slot,
			 rcu_dereference(node->keys[slot]));
}

/* Return: a frame ready to leave; NULL if nothing is to be said, or no memory. */
static struct sk_buff *make(struct ctiha_link *link, enum ctiha_frame_type type)
{
	struct sk_buff *skb = blank(link, GFP_ATOMIC);
	struct ctiha_frame frame;

	if (skb)
		skb = address(link, skb);
	if (!skb) {
		ctiha_link_count(link, CTIHA_A_STAT_TX_FAILED);
		return NULL;
	}
	if (!compose(link, type, &frame)) {
		dev_kfree_skb_any(skb);
		return NULL;
	}
	seal(link, skb, &frame);
	trace_ctiha_frame_sent(link, &frame, 0);
	return skb;
}

static void count_sent(struct ctiha_link *link, bool taken)
{
	ctiha_link_count(link, taken ? CTIHA_A_STAT_TX : CTIHA_A_STAT_TX_FAILED);
}

/* Only an interrupt elsewhere can hold it, and not for long. */
static void claim(struct ctiha_link *link)
{
	while (test_and_set_bit(LINK_SENDING, &link->tx_flags))
		cpu_relax();
}

static void release(struct ctiha_link *link)
{
	clear_bit_unlock(LINK_SENDING, &link->tx_flags);
	/* Pairs with ctiha_link_send_irq(): it wants before it tries. */
	smp_mb__after_atomic();
}

static void send_one(struct ctiha_link *link, enum ctiha_frame_type type)
{
	struct sk_buff *skb;

	claim(link);
	skb = make(link, type);
	if (skb)
		count_sent(link, ctiha_transmit(skb));
	release(link);
}

void ctiha_link_send(struct ctiha_link *link, enum ctiha_frame_type type)
{
	if (!netif_running(link->dev))
		return;
	rcu_read_lock();
	spin_lock(&link->tx_lock);
	send_one(link, type);
	while (test_and_clear_bit(LINK_WANTED, &link->tx_flags))
		send_one(link, CTIHA_FRAME_HEARTBEAT);
	spin_unlock(&link->tx_lock);
	rcu_read_unlock();
}

static struct sk_buff *make_heartbeat(void *link)
{
	return make(link, CTIHA_FRAME_HEARTBEAT);
}

/* A softirq sends it, as soon as there is one. */
static void defer(struct ctiha_link *link)
{
	struct ctiha_node *node = link->node;

	ctiha_link_count(link, CTIHA_A_STAT_DEFERRED);
	raw_spin_lock(&node->lock);
	ctiha_notify_beat(node);
	raw_spin_unlock(&node->lock);
}

void ctiha_link_send_irq(struct ctiha_link *link)
{
	int err;

	if (!netif_running(link->dev))
		return;
	set_bit(LINK_WANTED, &link->tx_flags);
	if (test_and_set_bit(LINK_SENDING, &link->tx_flags))
		return;
	clear_bit(LINK_WANTED, &link->tx_flags);
	rcu_read_lock();
	err = ctiha_transmit_irq(link->dev, make_heartbeat, link);
	rcu_read_unlock();
	release(link);
	if (err == -EBUSY)
		defer(link);
	else if (err != -ENODATA)
		count_sent(link, !err);
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

int ctiha_link_spare(struct ctiha_link *link)
{
	link->spare = blank(link, GFP_KERNEL);
	return link->spare ? 0 : -ENOMEM;
}

static struct sk_buff *make_gasp(void *arg)
{
	struct ctiha_link *link = arg;
	struct sk_buff *skb = address(link, link->spare);
	struct ctiha_frame frame;

	link->spare = NULL;
	if (!skb)
		return NULL;
	fill_in(link, CTIHA_FRAME_GASP, ktime_get_mono_fast_ns(), &frame);
	seal(link, skb, &frame);
	return skb;
}

/* Nobody sends any more, so whoever was at it need not be waited for. */
void ctiha_link_gasp(struct ctiha_link *link)
{
	if (link->spare && netif_running(link->dev) &&
	    ctiha_transmit_from_irq(link->dev))
		ctiha_transmit_irq(link->dev, make_gasp, link);
}
