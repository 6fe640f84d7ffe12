/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The node: this server's side of the pair, one per network namespace.
 *
 * Locks, outermost first:
 *   RTNL              adding a link, and net device events
 *   config            a mutex: NODE_SET, KEY_SET, which links exist
 *   link->tx_lock     keeps the frames of a link in order (bottom halves)
 *   node->lock        raw, with interrupts off, because the lease ends in hard
 *                     interrupt context on any kernel, PREEMPT_RT included.
 *                     Under it nothing allocates, sends or sleeps.
 */
#ifndef CTIHA_KERNEL_NODE_H
#define CTIHA_KERNEL_NODE_H

#include <linux/hrtimer.h>
#include <linux/mutex.h>
#include <linux/netlink.h>
#include <linux/rcupdate.h>
#include <linux/spinlock.h>
#include <net/net_namespace.h>

#include <ctiha/lease.h>

#include "fence.h"
#include "notify.h"
#include "switch.h"
#include "view.h"
#include "watch.h"

#define CTIHA_LINKS		2	/* one of each enum ctiha_link_kind */

struct ctiha_mac_key;
struct kthread_worker;

/* What a NODE_SET asks for. */
struct ctiha_node_spec {
	u8 id;
	u32 pair;
	u64 lease_ns;
	u64 promise_ns;
	u64 epoch;
};

/* What the peer and the listeners have last been told of this node. */
struct ctiha_face {
	u8 role;
	u32 report;
	u64 epoch;
	u64 vote_epoch;
	u32 switch_ifindex;
};

/**
 * struct ctiha_node - this server
 * @net: its network namespace
 * @lock: protects everything below but @links and @keys for readers
 * @pair: number of the pair; fixed while links exist
 * @quiet: said goodbye: sends and hears nothing until the next ATTACH
 * @last_words: enum ctiha_last_words; if not NONE, @quiet for good
 * @lease: role, epoch, vote, lease
 * @report: what the daemon reports, without CTIHA_REPORT_KERNEL bits
 * @sync_pos: position in the stream of call records, as the daemon reports it
 * @peer: the peer as last heard
 * @told: own state of the last node event
 * @told_peer: the peer's state of the last peer event
 * @watch: the daemon
 * @fence: what stops frames while this server may not act
 * @switch_nic: the NIC to the telephone switch
 * @beater: SCHED_FIFO thread that sends, on PREEMPT_RT only
 * @usher: another, which goes where frames are received, see verdict.c
 * @lease_timer: hard; fires at the end of the lease or before
 * @outbox: events to be sent
 * @links: by kind - 1; written under config and @lock, read under RCU or @lock
 * @keys: by slot; written under config, read under RCU
 * @send_slot: slot that seals, -1 while none is chosen
 * @verify_ns: what one check code costs here; under config
 */
struct ctiha_node {
	struct net *net;
	raw_spinlock_t lock;
	u32 pair;
	bool quiet;
	u8 last_words;
	struct ctiha_lease lease;
	u32 report;
	u64 sync_pos;
	struct ctiha_peer peer;
	struct ctiha_face told;
	struct ctiha_peer told_peer;
	struct ctiha_watch watch;
	struct ctiha_fence fence;
	struct ctiha_switch switch_nic;
	struct kthread_worker *beater;
	struct kthread_worker *usher;
	struct hrtimer lease_timer;
	struct ctiha_outbox outbox;
	struct ctiha_link __rcu *links[CTIHA_LINKS];
	struct ctiha_mac_key __rcu *keys[CTIHA_KEY_SLOTS];
	int send_slot;
	u64 verify_ns;
};

/**
 * struct ctiha_net - what a network namespace holds
 * @config: serialises changes of the configuration
 * @node: NULL until NODE_SET; then it lives as long as the namespace
 */
struct ctiha_net {
	struct mutex config;	/* what exists: see above */
	struct ctiha_node *node;
};

/* What a network namespace holds; see main.c. */
struct ctiha_net *ctiha_net(struct net *net);

/**
 * ctiha_node_of() - the node of a network namespace
 * @net: namespace
 *
 * Return: the node, or NULL before NODE_SET. Valid as long as @net is.
 */
static inline struct ctiha_node *ctiha_node_of(struct net *net)
{
	/* Pairs with node_create(). */
	return smp_load_acquire(&ctiha_net(net)->node);
}

/**
 * ctiha_node_lock() - take the node's lock in process context
 * @node: node
 *
 * Return: flags for ctiha_node_unlock(), which lets the outbox run at once, so
 * the peer hears of what was done before the caller goes on.
 */
unsigned long ctiha_node_lock(struct ctiha_node *node)
	__acquires(&node->lock);

/**
 * ctiha_node_unlock() - release the node's lock in process context
 * @node: node
 * @flags: of ctiha_node_lock()
 */
void ctiha_node_unlock(struct ctiha_node *node, unsigned long flags)
	__releases(&node->lock);

/**
 * ctiha_node_each() - do something with the node of each network namespace
 * @do_it: what; the node's lock is held
 *
 * Context: process, sleeps.
 */
void ctiha_node_each(void (*do_it)(struct ctiha_node *node));

/**
 * ctiha_timer_arm() - have a one-shot timer run at a deadline or before
 * @timer: timer whose function checks the deadline and arms it again
 * @deadline_ns: the deadline, U64_MAX for none
 * @mode: absolute mode that @timer was set up with
 *
 * A deadline that moves away costs nothing: the timer fires early and looks
 * again. Context: node's lock held.
 */
static inline void ctiha_timer_arm(struct hrtimer *timer, u64 deadline_ns,
				   enum hrtimer_mode mode)
{
	if (deadline_ns >= KTIME_MAX)
		return;
	if (!hrtimer_is_queued(timer) ||
	    hrtimer_get_expires_ns(timer) > (s64)deadline_ns)
		hrtimer_start(timer, ns_to_ktime(deadline_ns), mode);
}

/**
 * ctiha_node_set() - create the node, or change it
 * @net: namespace
 * @spec: valid values
 * @extack: receives the reason of a refusal
 *
 * Context: process, config held.
 * Return: 0; -ENOMEM; -EBUSY if it differs while links exist or it is active.
 */
int ctiha_node_set(struct net *net, const struct ctiha_node_spec *spec,
		   struct netlink_ext_ack *extack);

/**
 * ctiha_node_free() - end a node
 * @node: node that nobody can reach any more, or NULL
 *
 * Context: process, sleeps.
 */
void ctiha_node_free(struct ctiha_node *node);

/**
 * ctiha_node_settle() - leave the active role if the lease has run out
 * @node: node
 * @now_ns: the time
 *
 * Called before anything that relies on the role, so that a timer that runs
 * late prolongs nothing. Context: any, node's lock held.
 */
void ctiha_node_settle(struct ctiha_node *node, u64 now_ns);

/**
 * ctiha_node_announce() - tell listeners and peer what has changed
 * @node: node
 * @cause: why it changed
 * @now_ns: when
 *
 * To be called after every change of role, vote, lease, report, session, carrier
 * or peer. Records one event for each object that differs from what was last told,
 * has a heartbeat sent if the node itself does, and arms the lease's timer.
 * Context: any, node's lock held.
 */
void ctiha_node_announce(struct ctiha_node *node, enum ctiha_cause cause,
			 u64 now_ns);

/**
 * ctiha_node_report() - what the next heartbeat reports
 * @node: node
 *
 * Context: node's lock held. Return: enum ctiha_report bits.
 */
u32 ctiha_node_report(const struct ctiha_node *node);

/**
 * ctiha_node_yield() - leave the active role if held and vote for the peer
 * @node: node
 * @now_ns: the time
 *
 * ctiha_node_announce() follows. Context: any, node's lock held.
 */
void ctiha_node_yield(struct ctiha_node *node, u64 now_ns);

/**
 * ctiha_node_daemon_lost() - the daemon is dead: say so, vote for the peer
 * @node: node
 * @cause: CTIHA_CAUSE_DAEMON_CLOSED or CTIHA_CAUSE_DAEMON_SILENT
 * @now_ns: the time
 *
 * Context: any, node's lock held.
 */
void ctiha_node_daemon_lost(struct ctiha_node *node, enum ctiha_cause cause,
			    u64 now_ns);

/**
 * ctiha_node_fall_quiet() - yield, and send no heartbeats that contradict it
 * @node: node
 * @now_ns: the time
 *
 * What is said now are goodbyes or gasps; nobody is attached any more. Says nothing
 * to anyone and takes no other lock. Context: any, node's lock held.
 */
void ctiha_node_fall_quiet(struct ctiha_node *node, u64 now_ns);

/**
 * ctiha_node_view() - copy what netlink shows of a node
 * @node: node
 * @view: receives it
 * @now_ns: the time
 *
 * Context: node's lock held.
 */
void ctiha_node_view(const struct ctiha_node *node,
		     struct ctiha_node_view *view, u64 now_ns);

#endif /* CTIHA_KERNEL_NODE_H */
