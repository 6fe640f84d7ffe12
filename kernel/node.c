// SPDX-License-Identifier: GPL-2.0
/*
 * The node: what this server is and may do.
 *
 * Timers: the end of the lease, in hard interrupt context, so that neither a
 * busy softirq nor a busy daemon prolongs it.
 */
#include <linux/bottom_half.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/rtnetlink.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "carrier.h"
#include "link.h"
#include "mac.h"
#include "node.h"
#include "trace.h"

unsigned long ctiha_node_lock(struct ctiha_node *node)
	__acquires(&node->lock)
{
	unsigned long flags;

	local_bh_disable();
	raw_spin_lock_irqsave(&node->lock, flags);
	return flags;
}

void ctiha_node_unlock(struct ctiha_node *node, unsigned long flags)
	__releases(&node->lock)
{
	raw_spin_unlock_irqrestore(&node->lock, flags);
	local_bh_enable();
}

void ctiha_node_each(void (*do_it)(struct ctiha_node *node))
{
	struct ctiha_node *node;
	unsigned long flags;
	struct net *net;

	down_read(&net_rwsem);
	for_each_net(net) {
		node = ctiha_node_of(net);
		if (!node)
			continue;
		flags = ctiha_node_lock(node);
		do_it(node);
		ctiha_node_unlock(node, flags);
	}
	up_read(&net_rwsem);
}

u32 ctiha_node_report(const struct ctiha_node *node)
{
	u32 report = node->report | ctiha_carrier_report(node);
	unsigned int i;

	if (ctiha_watch_alive(&node->watch))
		report |= CTIHA_REPORT_DAEMON;
	for (i = 0; i < CTIHA_LINKS; i++) {
		const struct ctiha_link *link = ctiha_link_locked(node, i);

		if (!link)
			continue;
		if (link->session.state == CTIHA_SESSION_UP)
			report |= CTIHA_REPORT_L1 << i;
		if (ctiha_session_hears(&link->session))
			report |= CTIHA_REPORT_HEARS_L1 << i;
	}
	return report;
}

static void arm_lease(struct ctiha_node *node)
{
	if (node->lease.role == CTIHA_ROLE_ACTIVE)
		ctiha_timer_arm(&node->lease_timer, node->lease.deadline_ns,
				HRTIMER_MODE_ABS_HARD);
}

static enum hrtimer_restart lease_timeout(struct hrtimer *timer)
{
	struct ctiha_node *node = container_of(timer, struct ctiha_node,
					       lease_timer);
	unsigned long flags;

	raw_spin_lock_irqsave(&node->lock, flags);
	ctiha_node_settle(node, ktime_get_ns());
	arm_lease(node);
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return HRTIMER_NORESTART;
}

void ctiha_node_settle(struct ctiha_node *node, u64 now_ns)
{
	/* Nothing relied on the role after the lease's end: so that is when. */
	if (!ctiha_lease_expire(&node->lease, now_ns))
		return;
	trace_ctiha_lease_expire(&node->lease);
	ctiha_node_announce(node, CTIHA_CAUSE_LEASE_EXPIRED,
			    node->lease.deadline_ns);
}

/* What a heartbeat of the peer changes on a link is a matter of the session. */
static enum ctiha_cause link_cause(enum ctiha_cause cause)
{
	if (cause == CTIHA_CAUSE_PEER || cause == CTIHA_CAUSE_HIGHER_EPOCH)
		return CTIHA_CAUSE_SESSION;
	return cause;
}

static bool any_link_up(const struct ctiha_node *node)
{
	unsigned int i;

	for (i = 0; i < CTIHA_LINKS; i++) {
		const struct ctiha_link *link = ctiha_link_locked(node, i);

		if (link && link->session.state == CTIHA_SESSION_UP)
			return true;
	}
	return false;
}

/* A peer that is heard must not look dead: the last link is never damped. */
static void trust_last_link(struct ctiha_node *node, u64 now_ns)
{
	unsigned int i;

	if (any_link_up(node))
		return;
	for (i = 0; i < CTIHA_LINKS; i++) {
		struct ctiha_link *link = ctiha_link_locked(node, i);

		if (link)
			ctiha_session_trust(&link->session, now_ns);
	}
}

static void announce_links(struct ctiha_node *node, enum ctiha_cause cause,
			   u64 now_ns)
{
	unsigned int i;

	for (i = 0; i < CTIHA_LINKS; i++) {
		struct ctiha_link *link = ctiha_link_locked(node, i);

		if (!link)
			continue;
		if (ctiha_link_has_news(link))
			ctiha_notify_link(link, link_cause(cause), now_ns);
	}
}

static void announce_peer(struct ctiha_node *node, enum ctiha_cause cause,
			  u64 now_ns)
{
	const struct ctiha_peer *told = &node->told_peer;
	const struct ctiha_peer *peer = &node->peer;

	if (peer->heard == told->heard && peer->left == told->left &&
	    peer->role == told->role && peer->epoch == told->epoch &&
	    peer->vote_epoch == told->vote_epoch &&
	    peer->report == told->report &&
	    peer->last_words == told->last_words)
		return;
	node->told_peer = *peer;
	if (cause == CTIHA_CAUSE_HIGHER_EPOCH)
		cause = CTIHA_CAUSE_PEER;
	ctiha_notify_peer(node, cause, now_ns);
}

/* Did the module leave the active role, and not the daemon or a better peer? */
static bool was_forced(const struct ctiha_lease *lease, enum ctiha_cause cause)
{
	return lease->role != CTIHA_ROLE_ACTIVE &&
	       (cause == CTIHA_CAUSE_LEASE_EXPIRED ||
		cause == CTIHA_CAUSE_DAEMON_CLOSED ||
		cause == CTIHA_CAUSE_DAEMON_SILENT ||
		cause == CTIHA_CAUSE_PAUSE);
}

static void announce_self(struct ctiha_node *node, enum ctiha_cause cause,
			  u64 now_ns)
{
	struct ctiha_face face = {
		.role = node->lease.role,
		.report = ctiha_node_report(node),
		.epoch = node->lease.epoch,
		.vote_epoch = node->lease.vote_epoch,
		.switch_ifindex = ctiha_switch_ifindex(&node->switch_nic),
	};
	const struct ctiha_face *told = &node->told;

	ctiha_fence_follow(&node->fence, &node->lease,
			   told->role == CTIHA_ROLE_ACTIVE &&
			   was_forced(&node->lease, cause));
	if (face.role == told->role && face.report == told->report &&
	    face.epoch == told->epoch && face.vote_epoch == told->vote_epoch &&
	    face.switch_ifindex == told->switch_ifindex)
		return;
	trace_ctiha_role(node, told->role, cause);
	node->told = face;
	ctiha_notify_node(node, cause, now_ns);
	ctiha_notify_beat(node);
}

void ctiha_node_announce(struct ctiha_node *node, enum ctiha_cause cause,
			 u64 now_ns)
{
	trust_last_link(node, now_ns);
	node->peer.heard = any_link_up(node);
	announce_links(node, cause, now_ns);
	announce_peer(node, cause, now_ns);
	announce_self(node, cause, now_ns);
	arm_lease(node);
}

void ctiha_node_yield(struct ctiha_node *node, u64 now_ns)
{
	ctiha_lease_yield(&node->lease, now_ns);
	trace_ctiha_lease_yield(&node->lease);
}

void ctiha_node_daemon_lost(struct ctiha_node *node, enum ctiha_cause cause,
			    u64 now_ns)
{
	node->report = 0;
	trace_ctiha_daemon_lost(node, cause);
	ctiha_node_yield(node, now_ns);
	ctiha_node_announce(node, cause, now_ns);
}

void ctiha_node_fall_quiet(struct ctiha_node *node, u64 now_ns)
{
	ctiha_watch_detach(&node->watch);
	ctiha_node_yield(node, now_ns);
	node->report = 0;
	node->quiet = true;
}

static u64 left_ns(u64 until_ns, u64 now_ns)
{
	return until_ns > now_ns ? until_ns - now_ns : 0;
}

void ctiha_node_view(const struct ctiha_node *node,
		     struct ctiha_node_view *view, u64 now_ns)
{
	const struct ctiha_lease *lease = &node->lease;

	*view = (struct ctiha_node_view) {
		.id = lease->node,
		.role = lease->role,
		.pair = node->pair,
		.report = ctiha_node_report(node),
		.lease_ns = lease->lease_ns,
		.promise_ns = lease->promise_ns,
		.epoch = lease->epoch,
		.vote_epoch = lease->vote_epoch,
		.lease_left_ns = ctiha_fence_backs(&node->fence) ?
				 ctiha_lease_left_ns(lease, now_ns) : 0,
		.promise_left_ns = left_ns(lease->promise_until_ns, now_ns),
		.sync_pos = node->sync_pos,
		.event_seq = node->outbox.seq,
		.switch_ifindex = ctiha_switch_ifindex(&node->switch_nic),
		.switch_carrier = node->switch_nic.carrier,
	};
	ctiha_fence_view(&node->fence, &view->fence, now_ns);
}

static void lease_begin(struct ctiha_node *node,
			const struct ctiha_node_spec *spec, u64 now_ns)
{
	ctiha_lease_init(&node->lease, spec->id, spec->lease_ns,
			 spec->promise_ns, spec->epoch, now_ns);
	node->pair = spec->pair;
}

static struct kthread_worker *worker_create(const char *name)
{
	struct kthread_worker *worker = kthread_create_worker(0, "%s", name);

	if (IS_ERR(worker))
		return NULL;
	sched_set_fifo(worker->task);
	return worker;
}

static void workers_destroy(struct ctiha_node *node)
{
	if (node->beater)
		kthread_destroy_worker(node->beater);
	if (node->usher)
		kthread_destroy_worker(node->usher);
}

/* On PREEMPT_RT no interrupt can send: a thread above all softirqs does. */
static int workers_create(struct ctiha_node *node)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		return 0;
	node->beater = worker_create("ctiha");
	node->usher = worker_create("ctiha-usher");
	if (node->beater && node->usher)
		return 0;
	workers_destroy(node);
	return -ENOMEM;
}

static int node_create(struct net *net, const struct ctiha_node_spec *spec)
{
	struct ctiha_node *node = kzalloc(sizeof(*node), GFP_KERNEL);
	u64 now_ns = ktime_get_ns();
	unsigned long flags;
	int err;

	if (!node)
		return -ENOMEM;
	err = workers_create(node);
	if (err) {
		kfree(node);
		return err;
	}
	node->net = net;
	node->send_slot = -1;
	raw_spin_lock_init(&node->lock);
	ctiha_watch_init(&node->watch);
	ctiha_notify_init(node);
	ctiha_fence_init(&node->fence);
	hrtimer_setup(&node->lease_timer, lease_timeout, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS_HARD);
	lease_begin(node, spec, now_ns);
	/* Pairs with ctiha_node_of(): whoever finds it finds it complete. */
	smp_store_release(&ctiha_net(net)->node, node);

	flags = ctiha_node_lock(node);
	ctiha_notify_node(node, CTIHA_CAUSE_COMMAND, now_ns);
	ctiha_node_unlock(node, flags);
	return 0;
}

static bool node_matches(const struct ctiha_node *node,
			 const struct ctiha_node_spec *spec)
{
	return node->lease.node == spec->id && node->pair == spec->pair &&
	       node->lease.lease_ns == spec->lease_ns &&
	       node->lease.promise_ns == spec->promise_ns;
}

/* An epoch once known is never forgotten; an active server knows the highest. */
static int raise_epoch(struct ctiha_node *node, u64 epoch,
		       struct netlink_ext_ack *extack)
{
	if (epoch <= node->lease.epoch)
		return 0;
	if (node->lease.role == CTIHA_ROLE_ACTIVE) {
		NL_SET_ERR_MSG(extack,
			       "node epoch: active in a lower epoch, YIELD first");
		return -EBUSY;
	}
	node->lease.epoch = epoch;
	return 0;
}

static bool has_links(const struct ctiha_node *node)
{
	unsigned int i;

	for (i = 0; i < CTIHA_LINKS; i++)
		if (ctiha_link_locked(node, i))
			return true;
	return false;
}

/* What the node promised as another one still binds it. */
static int node_change(struct ctiha_node *node,
		       const struct ctiha_node_spec *spec, u64 now_ns,
		       struct netlink_ext_ack *extack)
{
	struct ctiha_lease old = node->lease;
	bool same_server = old.node == spec->id && node->pair == spec->pair;

	if (has_links(node) || old.role == CTIHA_ROLE_ACTIVE) {
		NL_SET_ERR_MSG(extack,
			       "node exists and differs: YIELD and LINK_DEL its links first");
		return -EBUSY;
	}
	lease_begin(node, spec, now_ns);
	node->lease.promise_until_ns = max(node->lease.promise_until_ns,
					   old.promise_until_ns);
	if (same_server) {
		node->lease.epoch = max(node->lease.epoch, old.epoch);
		node->lease.vote_epoch = max(node->lease.vote_epoch,
					     old.vote_epoch);
	}
	memset(&node->peer, 0, sizeof(node->peer));
	return 0;
}

int ctiha_node_set(struct net *net, const struct ctiha_node_spec *spec,
		   struct netlink_ext_ack *extack)
{
	struct ctiha_node *node = ctiha_node_of(net);
	unsigned long flags;
	u64 now_ns;
	int err;

	if (!node)
		return node_create(net, spec);
	flags = ctiha_node_lock(node);
	now_ns = ktime_get_ns();
	ctiha_node_settle(node, now_ns);
	if (node_matches(node, spec))
		err = raise_epoch(node, spec->epoch, extack);
	else
		err = node_change(node, spec, now_ns, extack);
	ctiha_node_announce(node, CTIHA_CAUSE_COMMAND, now_ns);
	ctiha_node_unlock(node, flags);
	return err;
}

/* Nobody can command any more and no link exists: only timers may still run. */
void ctiha_node_free(struct ctiha_node *node)
{
	unsigned int slot;

	if (!node)
		return;
	WARN_ON(node->switch_nic.dev);
	workers_destroy(node);
	ctiha_watch_exit(&node->watch);
	hrtimer_cancel(&node->lease_timer);
	ctiha_notify_exit(node);
	ctiha_fence_exit(&node->fence);
	for (slot = 0; slot < CTIHA_KEY_SLOTS; slot++)
		ctiha_mac_key_free(rcu_dereference_raw(node->keys[slot]));
	kfree(node);
}
