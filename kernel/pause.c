// SPDX-License-Identifier: GPL-2.0
/*
 * Pauses of the virtual machine. See pause.h, and Documentation/timing.rst for what
 * is noticed when.
 *
 * Looks: at each frame that is about to leave with a service address, so that none
 * does after a pause; whenever someone asks what is left of the lease; and regularly,
 * so that the skew of the clocks is known closely when it matters.
 */
#include <linux/atomic.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/netdevice.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <ctiha/skew.h>

#include "cmos.h"
#include "link.h"
#include "node.h"
#include "pause.h"

#define PERIOD		(HZ / 20)

static bool pauses = true;
module_param(pauses, bool, 0444);
MODULE_PARM_DESC(pauses, "in a virtual machine, notice its pauses by the real-time clock");

DEFINE_STATIC_KEY_FALSE(ctiha_pause_watched);

static DEFINE_SPINLOCK(skew_lock);
static struct ctiha_skew skew;
static atomic64_t noticed_ns;
static u64 told_ns;		/* the work's own */

static void work(struct work_struct *unused);
static DECLARE_DELAYED_WORK(regular, work);

u64 ctiha_pause_noticed_ns(void)
{
	return atomic64_read(&noticed_ns);
}

void ctiha_pause_look(void)
{
	u64 before_ns, after_ns;
	bool paused = false;
	unsigned long flags;
	s64 second;

	if (!ctiha_pause_is_watched())
		return;
	/* In the order of the looks. */
	spin_lock_irqsave(&skew_lock, flags);
	before_ns = ktime_get_ns();
	if (!ctiha_cmos_read(&second)) {
		after_ns = ktime_get_ns();
		paused = ctiha_skew_look(&skew, second, before_ns, after_ns);
	}
	if (paused)
		atomic64_set(&noticed_ns, after_ns);
	spin_unlock_irqrestore(&skew_lock, flags);
	if (paused)
		mod_delayed_work(system_wq, &regular, 0);
}

/* As the lease's end, had the machine seen it. The node's lock is held. */
static void tell(struct ctiha_node *node)
{
	ctiha_link_count_each(node, CTIHA_A_STAT_STALLS);
	ctiha_node_settle(node, ktime_get_ns());
	if (node->lease.role != CTIHA_ROLE_ACTIVE ||
	    ctiha_fence_backs(&node->fence))
		return;
	ctiha_lease_expire(&node->lease, node->lease.deadline_ns);
	ctiha_node_announce(node, CTIHA_CAUSE_PAUSE, told_ns);
}

static void work(struct work_struct *unused)
{
	ctiha_pause_look();
	if (told_ns != ctiha_pause_noticed_ns()) {
		told_ns = ctiha_pause_noticed_ns();
		pr_warn("ctiha: this machine stood still, or its real-time clock was set: leases from before are over\n");
		ctiha_node_each(tell);
	}
	schedule_delayed_work(&regular, PERIOD);
}

void ctiha_pause_register(void)
{
	s64 second;

	if (!pauses || !ctiha_cmos_is_virtual())
		return;
	if (ctiha_cmos_read(&second)) {
		pr_warn("ctiha: a virtual machine without real-time clock: its pauses cannot be noticed\n");
		return;
	}
	static_branch_enable(&ctiha_pause_watched);
	schedule_delayed_work(&regular, 0);
}

void ctiha_pause_unregister(void)
{
	static_branch_disable(&ctiha_pause_watched);
	/* Whoever is looking yet may still queue it. */
	synchronize_net();
	cancel_delayed_work_sync(&regular);
}
