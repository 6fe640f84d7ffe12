/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A link: one heartbeat session with the peer on one net device.
 */
#ifndef CTIHA_KERNEL_LINK_H
#define CTIHA_KERNEL_LINK_H

#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/netdevice.h>
#include <linux/spinlock.h>

#include <ctiha/budget.h>
#include <ctiha/complaint.h>
#include <ctiha/session.h>

#include "node.h"
#include "quality.h"
#include "verdict.h"
#include "view.h"

/* Where the tick sends: see send.c. */
enum ctiha_beat {
	CTIHA_BEAT_SOFTIRQ,	/* any Ethernet device */
	CTIHA_BEAT_IRQ,		/* in the tick's hard interrupt */
	CTIHA_BEAT_THREAD,	/* SCHED_FIFO: PREEMPT_RT */
};

/* Bits of ctiha_link.tx_flags. */
enum {
	LINK_SENDING,	/* between a sequence number and the frame's leaving */
	LINK_WANTED,	/* an interrupt found it so: send once more */
};

/* What a LINK_ADD asks for. */
struct ctiha_link_spec {
	char name[CTIHA_LINK_NAME_LEN];
	u8 kind;
	u8 multiplier;
	u8 peer_mac[ETH_ALEN];
	int ifindex;
	u32 interval_us;
};

/**
 * struct ctiha_link - a link
 * @node: its node, which outlives it
 * @dev: net device, held
 * @tracker: of @dev
 * @receiver: hands us the device's frames of our EtherType
 * @beat: enum ctiha_beat
 * @tick: sends a heartbeat per interval; hard unless @beat is CTIHA_BEAT_SOFTIRQ
 * @beat_work: sends it, for CTIHA_BEAT_THREAD
 * @verdict: judges the peer's silence
 * @tx_lock: softirqs and processes send one at a time
 * @tx_flags: interrupts, too
 * @name: "crossover", "lan"
 * @kind: enum ctiha_link_kind
 * @peer_mac: where frames go
 * @spare: an empty frame for the gasp in a panic, when no memory can be had
 * @gone: about to be freed; no timer may start again
 * @session: the session
 * @told_state: session state of the last link event
 * @told_diag: diag of the last link event
 * @told_direction: direction of the last link event
 * @carrier: its device had one when last looked at
 * @told_carrier: @carrier of the last link event
 * @probes: heartbeats still to be sent ahead of the interval
 * @awake_ns: when a timer of the link last ran
 * @budget: what may be spent on check codes
 * @complaint: what the log was told of refused frames
 * @quality: counters and histograms, lockless
 *
 * The node's lock protects all from @gone on.
 */
struct ctiha_link {
	struct ctiha_node *node;
	struct net_device *dev;
	netdevice_tracker tracker;
	struct packet_type receiver;
	u8 beat;
	struct hrtimer tick;
	struct kthread_work beat_work;
	struct ctiha_verdict verdict;
	spinlock_t tx_lock;	/* order of a link's frames */
	unsigned long tx_flags;
	char name[CTIHA_LINK_NAME_LEN];
	u8 kind;
	u8 peer_mac[ETH_ALEN];
	struct sk_buff *spare;
	bool gone;
	struct ctiha_session session;
	u8 told_state;
	u8 told_diag;
	u8 told_direction;
	bool carrier;
	bool told_carrier;
	u8 probes;
	u64 awake_ns;
	struct ctiha_budget budget;
	struct ctiha_complaint complaint;
	struct ctiha_quality __percpu *quality;
};

/**
 * ctiha_link_add() - start heartbeats on a net device
 * @node: node
 * @spec: valid values
 * @extack: receives the reason of a refusal
 *
 * Context: process, RTNL and config held, sleeps.
 * Return: 0; -ENOKEY; -ENODEV; -EOPNOTSUPP if the device is not Ethernet;
 * -EMSGSIZE; -EEXIST; -ENOMEM; -ERESTARTSYS.
 */
int ctiha_link_add(struct ctiha_node *node, const struct ctiha_link_spec *spec,
		   struct netlink_ext_ack *extack);

/**
 * ctiha_link_del() - end heartbeats and free the link
 * @link: link
 * @diag: what the last event says of the session
 * @cause: why
 *
 * Context: process, config held, sleeps.
 */
void ctiha_link_del(struct ctiha_link *link, enum ctiha_diag diag,
		    enum ctiha_cause cause);

/**
 * ctiha_link_find() - a link by name
 * @node: node
 * @name: its name
 *
 * Context: RCU read side, or config held. Return: the link or NULL.
 */
struct ctiha_link *ctiha_link_find(const struct ctiha_node *node,
				   const char *name);

/**
 * ctiha_link_configured() - a link by index
 * @node: node
 * @index: below CTIHA_LINKS
 *
 * Context: RCU read side, or config held. Return: the link or NULL.
 */
struct ctiha_link *ctiha_link_configured(const struct ctiha_node *node,
					 unsigned int index);

/**
 * ctiha_link_locked() - a link by index, for holders of the node's lock
 * @node: node
 * @index: below CTIHA_LINKS
 *
 * Return: the link or NULL.
 */
struct ctiha_link *ctiha_link_locked(const struct ctiha_node *node,
				     unsigned int index);

/**
 * ctiha_link_drop() - take the session down for another reason than silence
 * @link: link
 * @diag: what the session says of it
 * @random: fresh random number
 *
 * Says nothing to anyone: ctiha_node_announce() follows.
 * Context: node's lock held.
 */
void ctiha_link_drop(struct ctiha_link *link, enum ctiha_diag diag, u64 random);

/**
 * ctiha_link_has_news() - has the link changed since this was asked last?
 * @link: link
 *
 * Context: node's lock held. Return: true if an event is due.
 */
bool ctiha_link_has_news(struct ctiha_link *link);

/**
 * ctiha_link_tick() - begin to send at the session's interval
 * @link: link whose tick may or may not be running
 *
 * Context: node's lock held.
 */
void ctiha_link_tick(struct ctiha_link *link);

/**
 * ctiha_link_probe() - send some heartbeats soon, ahead of the interval
 * @link: link whose tick is running
 * @beating: called in that tick
 *
 * Not more while those of before are not all sent: so a carrier that flaps floods
 * nobody. Context: node's lock held.
 */
void ctiha_link_probe(struct ctiha_link *link, bool beating);

/**
 * ctiha_link_woke() - a timer of the link runs: how late?
 * @link: link
 * @due_ns: when it should have run
 * @now_ns: when it did
 *
 * A stall is counted, and the peer gets the benefit of it. Context: any, node's
 * lock held.
 */
void ctiha_link_woke(struct ctiha_link *link, u64 due_ns, u64 now_ns);

/**
 * ctiha_link_stalled() - something of the link was late, if by CTIHA_STALL_NS
 * @link: link
 * @since_ns: when it should have been done
 * @now_ns: when it was
 *
 * Context: any, node's lock held.
 */
void ctiha_link_stalled(struct ctiha_link *link, u64 since_ns, u64 now_ns);

/**
 * ctiha_link_view() - copy what netlink shows of a link, but for its quality
 * @link: link
 * @view: receives it
 *
 * Context: node's lock held.
 */
void ctiha_link_view(const struct ctiha_link *link,
		     struct ctiha_link_view *view);

/**
 * ctiha_link_count_each() - count something on all links
 * @node: their node
 * @stat: CTIHA_A_STAT_*
 *
 * Context: node's lock held.
 */
void ctiha_link_count_each(struct ctiha_node *node, unsigned int stat);

/**
 * ctiha_link_count() - count something
 * @link: link
 * @stat: CTIHA_A_STAT_*
 *
 * Context: any.
 */
static inline void ctiha_link_count(struct ctiha_link *link, unsigned int stat)
{
	ctiha_quality_count(link->quality, stat, 1);
}

/**
 * ctiha_link_receive() - the packet_type handler, see receive.c
 */
int ctiha_link_receive(struct sk_buff *skb, struct net_device *dev,
		       struct packet_type *receiver,
		       struct net_device *orig_dev);

/**
 * ctiha_link_spare() - make the frame that a panic's gasp will need
 * @link: link with its device
 *
 * Context: process, sleeps. Return: 0 or -ENOMEM.
 */
int ctiha_link_spare(struct ctiha_link *link);

/**
 * ctiha_link_gasp() - send a gasp, in a panic
 * @link: link
 *
 * It leaves if the device can be given frames in a hard interrupt and nobody was
 * using it. Context: panic, node's lock held, RCU read side.
 */
void ctiha_link_gasp(struct ctiha_link *link);

/**
 * ctiha_link_send() - send one frame now
 * @link: link
 * @type: enum ctiha_frame_type
 *
 * Nothing is sent while the device is not running, and no heartbeat after a goodbye
 * or gasp.
 * Context: bottom halves off, RCU read side, no locks held.
 */
void ctiha_link_send(struct ctiha_link *link, enum ctiha_frame_type type);

/**
 * ctiha_link_send_irq() - send a heartbeat now, from the tick
 * @link: link whose device ctiha_transmit_from_irq()
 *
 * If the device is busy with what was interrupted, a softirq sends it.
 * Context: hard interrupt, no locks held.
 */
void ctiha_link_send_irq(struct ctiha_link *link);

/**
 * ctiha_link_send_all() - send one frame on every link now
 * @node: node
 * @type: enum ctiha_frame_type
 *
 * Context: bottom halves off, no locks held.
 */
void ctiha_link_send_all(struct ctiha_node *node, enum ctiha_frame_type type);

/**
 * ctiha_device_register() - begin to follow net devices
 *
 * Return: 0 or -errno.
 */
int ctiha_device_register(void);

/** ctiha_device_unregister() - the opposite of ctiha_device_register() */
void ctiha_device_unregister(void);

#endif /* CTIHA_KERNEL_LINK_H */
