// SPDX-License-Identifier: GPL-2.0
/*
 * A link: from LINK_ADD to LINK_DEL, or to the end of its net device.
 *
 * Timers: the tick, which sends, hard where the device allows it, so that no
 * softirq load and no SCHED_FIFO hog delays a heartbeat. It also shows how late
 * this server itself runs. The detection of silence: see verdict.c.
 */
#include <linux/if_arp.h>
#include <linux/ktime.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "carrier.h"
#include "link.h"
#include "node.h"
#include "trace.h"
#include "transmit.h"

/* Probes: enough that not all get lost, and too few to disturb anyone. */
#define PROBES		3
#define PROBE_PAUSE_NS	(1 * CTIHA_NS_PER_MS)	/* at the most */

struct ctiha_link *ctiha_link_locked(const struct ctiha_node *node,
				     unsigned int index)
{
	return rcu_dereference_protected(node->links[index],
					 lockdep_is_held(&node->lock));
}

struct ctiha_link *ctiha_link_configured(const struct ctiha_node *node,
					 unsigned int index)
{
	struct ctiha_net *cn = ctiha_net(node->net);

	return rcu_dereference_check(node->links[index],
				     lockdep_is_held(&cn->config));
}

struct ctiha_link *ctiha_link_find(const struct ctiha_node *node,
				   const char *name)
{
	unsigned int i;

	for (i = 0; i < CTIHA_LINKS; i++) {
		struct ctiha_link *link = ctiha_link_configured(node, i);

		if (link && !strcmp(link->name, name))
			return link;
	}
	return NULL;
}

static u8 direction(const struct ctiha_link *link)
{
	const struct ctiha_peer *peer = &link->node->peer;
	u32 bit = CTIHA_REPORT_HEARS_L1 << (link->kind - 1);

	return ctiha_session_direction(&link->session,
				       peer->heard && peer->report & bit,
				       peer->heard_ns);
}

bool ctiha_link_has_news(struct ctiha_link *link)
{
	u8 now = direction(link);
	bool news = link->told_state != link->session.state ||
		    link->told_diag != link->session.diag ||
		    link->told_direction != now ||
		    link->told_carrier != link->carrier;

	if (news)
		trace_ctiha_session(link, now);
	link->told_state = link->session.state;
	link->told_diag = link->session.diag;
	link->told_direction = now;
	link->told_carrier = link->carrier;
	return news;
}

void ctiha_link_view(const struct ctiha_link *link,
		     struct ctiha_link_view *view)
{
	const struct ctiha_session *session = &link->session;

	*view = (struct ctiha_link_view) {
		.kind = link->kind,
		.multiplier = session->multiplier,
		.state = session->state,
		.diag = session->diag,
		.direction = direction(link),
		.carrier = !link->gone && ctiha_carrier_ok(link->dev),
		.ifindex = link->gone ? 0 : link->dev->ifindex,
		.interval_us = session->interval_us,
		.agreed_us = ctiha_session_agreed_us(session),
		.changes = session->changes,
		.recent = session->recent.expected,
		.recent_lost = session->recent.lost,
		.hold_ns = ctiha_session_hold_ns(session),
		.detect_ns = ctiha_session_detect_ns(session),
		.rtt_ns = session->rtt_ns,
		.heard_ns = session->rx_ns,
	};
	memcpy(view->name, link->name, sizeof(view->name));
	memcpy(view->peer_mac, link->peer_mac, sizeof(view->peer_mac));
	view->stats[CTIHA_A_STAT_LOST] = session->lost;
}

void ctiha_link_count_each(struct ctiha_node *node, unsigned int stat)
{
	unsigned int i;

	for (i = 0; i < CTIHA_LINKS; i++) {
		struct ctiha_link *link = ctiha_link_locked(node, i);

		if (link)
			ctiha_link_count(link, stat);
	}
}

void ctiha_link_drop(struct ctiha_link *link, enum ctiha_diag diag, u64 random)
{
	ctiha_session_drop(&link->session, diag, random);
}

static enum hrtimer_mode tick_mode(const struct ctiha_link *link)
{
	return link->beat == CTIHA_BEAT_SOFTIRQ ? HRTIMER_MODE_REL_SOFT :
						  HRTIMER_MODE_REL_HARD;
}

void ctiha_link_tick(struct ctiha_link *link)
{
	hrtimer_start(&link->tick, 0, tick_mode(link));
}

static u64 interval_ns(const struct ctiha_link *link)
{
	return CTIHA_NS_PER_US * ctiha_session_agreed_us(&link->session);
}

static ktime_t probe_pause(const struct ctiha_link *link)
{
	return ns_to_ktime(min(interval_ns(link) / (PROBES + 1),
			       PROBE_PAUSE_NS));
}

void ctiha_link_probe(struct ctiha_link *link, bool beating)
{
	if (link->probes)
		return;
	link->probes = PROBES;
	/* The tick that is running goes on to the first of them by itself. */
	if (beating)
		return;
	hrtimer_start(&link->tick, probe_pause(link), tick_mode(link));
	link->probes--;
}

void ctiha_link_woke(struct ctiha_link *link, u64 due_ns, u64 now_ns)
{
	ctiha_link_stalled(link, max(due_ns, link->awake_ns), now_ns);
}

void ctiha_link_stalled(struct ctiha_link *link, u64 since_ns, u64 now_ns)
{
	link->awake_ns = now_ns;
	if (now_ns < since_ns + CTIHA_STALL_NS)
		return;
	ctiha_link_count(link, CTIHA_A_STAT_STALLS);
	ctiha_session_stalled(&link->session, now_ns - since_ns);
}

static void beat_in_thread(struct kthread_work *work)
{
	struct ctiha_link *link = container_of(work, struct ctiha_link,
					       beat_work);

	local_bh_disable();
	ctiha_link_send(link, CTIHA_FRAME_HEARTBEAT);
	local_bh_enable();
}

static void beat(struct ctiha_link *link)
{
	switch (link->beat) {
	case CTIHA_BEAT_IRQ:
		ctiha_link_send_irq(link);
		break;
	case CTIHA_BEAT_THREAD:
		kthread_queue_work(link->node->beater, &link->beat_work);
		break;
	default:
		ctiha_link_send(link, CTIHA_FRAME_HEARTBEAT);
	}
}

static void note_lateness(struct ctiha_link *link, u64 now_ns)
{
	ctiha_quality_note(link->quality, CTIHA_QUALITY_LATENESS,
			   now_ns - hrtimer_get_expires_ns(&link->tick));
}

static void forward(struct ctiha_link *link)
{
	u64 beats;

	if (link->probes) {
		link->probes--;
		hrtimer_forward_now(&link->tick, probe_pause(link));
		return;
	}
	beats = hrtimer_forward_now(&link->tick, ns_to_ktime(interval_ns(link)));
	/* More than one: it is us who stalled. */
	ctiha_quality_count(link->quality, CTIHA_A_STAT_MISSED, beats - 1);
}

static enum hrtimer_restart tick(struct hrtimer *timer)
{
	struct ctiha_link *link = container_of(timer, struct ctiha_link, tick);
	enum hrtimer_restart restart = HRTIMER_NORESTART;
	struct ctiha_node *node = link->node;
	u64 now_ns = ktime_get_ns();
	unsigned long flags;

	note_lateness(link, now_ns);
	ctiha_carrier_tick(link);
	beat(link);
	raw_spin_lock_irqsave(&node->lock, flags);
	/* An ATTACH may have started it anew while it ran. */
	if (!link->gone && !node->quiet && !hrtimer_is_queued(timer)) {
		ctiha_link_woke(link, hrtimer_get_expires_ns(timer), now_ns);
		forward(link);
		restart = HRTIMER_RESTART;
	}
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return restart;
}

static int check_device(const struct net_device *dev,
			struct netlink_ext_ack *extack)
{
	if (!dev) {
		NL_SET_ERR_MSG(extack,
			       "link ifindex: no such device in this namespace");
		return -ENODEV;
	}
	if (dev->type != ARPHRD_ETHER || dev->addr_len != ETH_ALEN) {
		NL_SET_ERR_MSG(extack,
			       "link ifindex: heartbeats need an Ethernet device");
		return -EOPNOTSUPP;
	}
	if (dev->mtu < CTIHA_FRAME_LEN) {
		NL_SET_ERR_MSG(extack,
			       "link ifindex: MTU too small for a heartbeat, raise it");
		return -EMSGSIZE;
	}
	return 0;
}

static int check_free(struct ctiha_node *node,
		      const struct ctiha_link_spec *spec,
		      struct netlink_ext_ack *extack)
{
	unsigned int i;

	for (i = 0; i < CTIHA_LINKS; i++) {
		const struct ctiha_link *link = ctiha_link_configured(node, i);

		if (!link)
			continue;
		if (link->kind == spec->kind || !strcmp(link->name, spec->name)) {
			NL_SET_ERR_MSG(extack,
				       "link name or kind exists: LINK_DEL it first");
			return -EEXIST;
		}
		if (link->dev->ifindex == spec->ifindex) {
			NL_SET_ERR_MSG(extack,
				       "link ifindex: carries the other link, take another device");
			return -EEXIST;
		}
	}
	return 0;
}

static enum ctiha_beat choose_beat(const struct net_device *dev)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return CTIHA_BEAT_THREAD;
	return ctiha_transmit_from_irq(dev) ? CTIHA_BEAT_IRQ :
					      CTIHA_BEAT_SOFTIRQ;
}

static void link_free(struct ctiha_link *link)
{
	kfree_skb(link->spare);
	free_percpu(link->quality);
	kfree(link);
}

static struct ctiha_link *link_alloc(struct net_device *dev)
{
	struct ctiha_link *link = kzalloc(sizeof(*link), GFP_KERNEL);

	if (!link)
		return NULL;
	link->dev = dev;
	link->quality = alloc_percpu(struct ctiha_quality);
	if (!link->quality || ctiha_link_spare(link) ||
	    ctiha_verdict_init(link)) {
		link_free(link);
		return NULL;
	}
	return link;
}

static struct ctiha_link *link_create(struct ctiha_node *node,
				      struct net_device *dev,
				      const struct ctiha_link_spec *spec)
{
	struct ctiha_link *link = link_alloc(dev);

	if (!link)
		return NULL;
	link->node = node;
	netdev_hold(dev, &link->tracker, GFP_KERNEL);
	spin_lock_init(&link->tx_lock);
	memcpy(link->name, spec->name, sizeof(link->name));
	memcpy(link->peer_mac, spec->peer_mac, sizeof(link->peer_mac));
	link->kind = spec->kind;
	link->carrier = ctiha_carrier_ok(dev);
	link->told_carrier = link->carrier;
	ctiha_session_init(&link->session, spec->interval_us, spec->multiplier,
			   get_random_u64());
	ctiha_budget_init(&link->budget, node->verify_ns);
	link->beat = choose_beat(dev);
	kthread_init_work(&link->beat_work, beat_in_thread);
	hrtimer_setup(&link->tick, tick, CLOCK_MONOTONIC, tick_mode(link));
	link->receiver.type = htons(CTIHA_ETHERTYPE);
	link->receiver.dev = dev;
	link->receiver.func = ctiha_link_receive;
	return link;
}

int ctiha_link_add(struct ctiha_node *node, const struct ctiha_link_spec *spec,
		   struct netlink_ext_ack *extack)
{
	struct net_device *dev = __dev_get_by_index(node->net, spec->ifindex);
	struct ctiha_link *link;
	unsigned long flags;
	u64 now_ns;
	int err;

	if (node->send_slot < 0) {
		NL_SET_ERR_MSG(extack,
			       "no key to send with: KEY_SET one with key-send first");
		return -ENOKEY;
	}
	err = check_device(dev, extack);
	if (!err)
		err = check_free(node, spec, extack);
	if (err)
		return err;
	link = link_create(node, dev, spec);
	if (!link)
		return -ENOMEM;

	flags = ctiha_node_lock(node);
	now_ns = ktime_get_ns();
	rcu_assign_pointer(node->links[spec->kind - 1], link);
	ctiha_notify_link(link, CTIHA_CAUSE_COMMAND, now_ns);
	ctiha_node_announce(node, CTIHA_CAUSE_COMMAND, now_ns);
	if (!node->quiet)
		ctiha_link_tick(link);
	ctiha_node_unlock(node, flags);
	dev_add_pack(&link->receiver);
	return 0;
}

/* Nobody finds the link from here on, and what still runs on it stops itself. */
static void unlink(struct ctiha_link *link, enum ctiha_diag diag,
		   enum ctiha_cause cause)
{
	struct ctiha_node *node = link->node;
	u64 random = get_random_u64();
	unsigned long flags;
	u64 now_ns;

	flags = ctiha_node_lock(node);
	now_ns = ktime_get_ns();
	link->gone = true;
	ctiha_link_drop(link, diag, random);
	ctiha_notify_link(link, cause, now_ns);
	RCU_INIT_POINTER(node->links[link->kind - 1], NULL);
	ctiha_node_announce(node, cause, now_ns);
	ctiha_node_unlock(node, flags);
}

void ctiha_link_del(struct ctiha_link *link, enum ctiha_diag diag,
		    enum ctiha_cause cause)
{
	unlink(link, diag, cause);
	/* Waits for everyone who found it before, receivers and senders alike. */
	dev_remove_pack(&link->receiver);
	hrtimer_cancel(&link->tick);
	kthread_cancel_work_sync(&link->beat_work);
	ctiha_verdict_exit(link);
	netdev_put(link->dev, &link->tracker);
	link_free(link);
}
