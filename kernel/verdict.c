// SPDX-License-Identifier: GPL-2.0
/*
 * The verdict. See verdict.h.
 *
 * Silence means something only to a server that listens. Interrupts go on under
 * almost any load, but receiving is left to softirqs, and those to ksoftirqd, which
 * a SCHED_FIFO hog starves for a second: the peer's heartbeats are all there, in the
 * ring of the NIC or in a CPU's backlog. So at the deadline nothing is judged. A
 * witness is sent: a NAPI instance of our own, put at the end of the line of those
 * that the CPU has to poll, where the link's frames are received. When its turn
 * comes, a receive pass that began behind the deadline has ended; if no frame has
 * turned up in it, the peer is silent. If its turn does not come, it is we who
 * stall, and there is no verdict; nor could anything be done about it meanwhile.
 * If its turn comes late, we have stalled, and silence begins to count anew where
 * the stall ended (ctiha_session_deadline_ns()).
 *
 * A pass takes 64 frames of each instance. If more are waiting (an instance of the
 * device, or the backlog, is still scheduled), the witness comes again, ROUNDS
 * times at most: as many as the largest rings hold. Beside an endless flood the
 * verdict is late by that, instead of never given. NAPI threads are no part of the
 * line; for them it waits longer than SCHED_FIFO tasks can starve a thread.
 *
 * On PREEMPT_RT the interrupt that fills the line may itself wait, in a thread of
 * the usual SCHED_FIFO priority. A thread of the same priority, on the same CPU,
 * carries the witness: it runs behind all that were woken before it.
 *
 * Timers: one, the deadline, hard. Events: a frame heard; the witness's turn.
 */
#include <linux/cpumask.h>
#include <linux/ktime.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/skbuff.h>
#include <linux/slab.h>

#include "link.h"
#include "node.h"
#include "trace.h"
#include "verdict.h"

#define PAUSE_NS	(100 * NSEC_PER_USEC)	/* between two rounds */
#define ROUNDS		64	/* 64 frames each: 4,096 */
#define THREAD_ROUNDS	10000	/* a second; SCHED_FIFO gets 950 ms of it */

/* What the receiving of a device has left to do. */
enum backlog {
	DRAINED,
	IN_LINE,	/* a pass takes of it */
	IN_THREAD,	/* a NAPI thread will */
};

static enum backlog napi_backlog(const struct napi_struct *napi)
{
	unsigned long state = READ_ONCE(napi->state);

	/* A disabled one is both scheduled and not to be served. */
	if (!(state & NAPIF_STATE_SCHED) || state & NAPIF_STATE_NPSVC)
		return DRAINED;
	return state & NAPIF_STATE_THREADED ? IN_THREAD : IN_LINE;
}

static int device_backlog(struct net_device *dev,
			  struct netdev_nested_priv *priv)
{
	enum backlog *most = priv->data;
	struct napi_struct *napi;

	list_for_each_entry_rcu(napi, &dev->napi_list, dev_list) {
		enum backlog backlog = napi_backlog(napi);

		if (backlog > *most)
			*most = backlog;
	}
	return 0;
}

/* In this order: frames go from the device's instances to the CPU's backlog. */
static enum backlog link_backlog(const struct ctiha_link *link)
{
	const struct softnet_data *cpu = &per_cpu(softnet_data,
						  link->verdict.cpu);
	enum backlog most = DRAINED;
	struct netdev_nested_priv priv = { .data = &most };

	rcu_read_lock();
	device_backlog(link->dev, &priv);
	netdev_walk_all_lower_dev_rcu(link->dev, device_backlog, &priv);
	rcu_read_unlock();
	return max(most, napi_backlog(&cpu->backlog));
}

static void join_line(void *witness)
{
	napi_schedule(witness);
}

static void join_line_in_thread(struct kthread_work *visit)
{
	struct ctiha_verdict *verdict = container_of(visit,
						     struct ctiha_verdict,
						     visit);

	/* Of a CPU that is gone, another one has taken over the line. */
	set_cpus_allowed_ptr(current, cpumask_of(READ_ONCE(verdict->cpu)));
	local_bh_disable();
	join_line(&verdict->witness);
	local_bh_enable();
}

static void send_witness(struct ctiha_link *link)
{
	struct ctiha_verdict *verdict = &link->verdict;

	if (link->node->usher) {
		kthread_queue_work(link->node->usher, &verdict->visit);
		return;
	}
	/* -EBUSY: it is on its way already. */
	if (smp_call_function_single_async(READ_ONCE(verdict->cpu),
					   &verdict->way) == -ENXIO)
		join_line(&verdict->witness);
}

static enum hrtimer_restart deadline(struct hrtimer *timer)
{
	struct ctiha_link *link = container_of(timer, struct ctiha_link,
					       verdict.deadline);
	struct ctiha_node *node = link->node;
	u64 now_ns = ktime_get_ns();
	unsigned long flags;
	bool due;

	raw_spin_lock_irqsave(&node->lock, flags);
	ctiha_link_woke(link, hrtimer_get_expires_ns(timer), now_ns);
	due = !link->gone &&
	      now_ns >= ctiha_session_deadline_ns(&link->session);
	if (due)
		link->verdict.asked_ns = now_ns;
	else if (!link->gone)
		ctiha_verdict_watch(link);
	raw_spin_unlock_irqrestore(&node->lock, flags);
	if (due)
		send_witness(link);
	return HRTIMER_NORESTART;
}

/* Is there more to receive, and was not enough of it received already? */
static bool must_wait(struct ctiha_link *link)
{
	switch (link_backlog(link)) {
	case IN_LINE:
		return link->verdict.rounds < ROUNDS;
	case IN_THREAD:
		return link->verdict.rounds < THREAD_ROUNDS;
	default:
		return false;
	}
}

/* A receive pass has ended. The node's lock is held. */
static void judge(struct ctiha_link *link, u64 now_ns, u64 random)
{
	struct ctiha_verdict *verdict = &link->verdict;

	if (now_ns < ctiha_session_deadline_ns(&link->session)) {
		ctiha_link_count(link, CTIHA_A_STAT_WITHHELD);
	} else if (must_wait(link)) {
		verdict->rounds++;
		hrtimer_start(&verdict->deadline, ns_to_ktime(now_ns + PAUSE_NS),
			      HRTIMER_MODE_ABS_HARD);
		return;
	} else if (ctiha_session_expire(&link->session, now_ns, random)) {
		trace_ctiha_silence(link, now_ns);
		ctiha_node_announce(link->node, CTIHA_CAUSE_SESSION, now_ns);
	}
	verdict->rounds = 0;
	ctiha_verdict_watch(link);
}

/* The witness's turn, in softirq. */
static int testify(struct napi_struct *napi, int budget)
{
	struct ctiha_link *link = container_of(napi, struct ctiha_link,
					       verdict.witness);
	struct ctiha_node *node = link->node;
	u64 random = get_random_u64();
	unsigned long flags;
	u64 now_ns;

	raw_spin_lock_irqsave(&node->lock, flags);
	now_ns = ktime_get_ns();
	if (!link->gone) {
		ctiha_link_stalled(link, link->verdict.asked_ns, now_ns);
		judge(link, now_ns, random);
	}
	raw_spin_unlock_irqrestore(&node->lock, flags);
	napi_complete(napi);
	return 0;
}

int ctiha_verdict_init(struct ctiha_link *link)
{
	struct ctiha_verdict *verdict = &link->verdict;

	verdict->nobody = kzalloc(sizeof(*verdict->nobody), GFP_KERNEL);
	if (!verdict->nobody)
		return -ENOMEM;
	init_dummy_netdev(verdict->nobody);
	netif_napi_add_weight(verdict->nobody, &verdict->witness, testify, 1);
	napi_enable(&verdict->witness);
	INIT_CSD(&verdict->way, join_line, &verdict->witness);
	kthread_init_work(&verdict->visit, join_line_in_thread);
	hrtimer_setup(&verdict->deadline, deadline, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS_HARD);
	return 0;
}

static void nothing(void *unused)
{
}

void ctiha_verdict_exit(struct ctiha_link *link)
{
	struct ctiha_verdict *verdict = &link->verdict;

	hrtimer_cancel(&verdict->deadline);
	kthread_cancel_work_sync(&verdict->visit);
	/* Calls of a CPU are served in turn: ours, if any, has been. */
	on_each_cpu(nothing, NULL, 1);
	napi_disable(&verdict->witness);
	netif_napi_del(&verdict->witness);
	kfree(verdict->nobody);
}

void ctiha_verdict_watch(struct ctiha_link *link)
{
	ctiha_timer_arm(&link->verdict.deadline,
			ctiha_session_deadline_ns(&link->session),
			HRTIMER_MODE_ABS_HARD);
}
