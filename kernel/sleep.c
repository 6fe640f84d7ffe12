// SPDX-License-Identifier: GPL-2.0
/*
 * Suspend and hibernation. See sleep.h.
 *
 * CLOCK_MONOTONIC, and so the lease, stands still while the machine sleeps: it would
 * wake as the active server of an epoch that is long over. So it leaves the active
 * role before, and the last heartbeat tells the peer.
 */
#include <linux/ktime.h>
#include <linux/suspend.h>

#include "link.h"
#include "node.h"
#include "sleep.h"

/* The node's lock is held, as for the others. */
static void fall_asleep(struct ctiha_node *node)
{
	u64 now_ns = ktime_get_ns();

	ctiha_node_settle(node, now_ns);
	if (node->lease.role != CTIHA_ROLE_ACTIVE)
		return;
	ctiha_node_yield(node, now_ns);
	ctiha_node_announce(node, CTIHA_CAUSE_SLEEP, now_ns);
}

static void wake(struct ctiha_node *node)
{
	ctiha_link_count_each(node, CTIHA_A_STAT_STALLS);
}

static int sleep_event(struct notifier_block *nb, unsigned long event,
		       void *unused)
{
	switch (event) {
	case PM_SUSPEND_PREPARE:
	case PM_HIBERNATION_PREPARE:
		ctiha_node_each(fall_asleep);
		break;
	case PM_POST_SUSPEND:
	case PM_POST_HIBERNATION:
		ctiha_node_each(wake);
		break;
	}
	return NOTIFY_DONE;
}

static struct notifier_block sleep_notifier = {
	.notifier_call = sleep_event,
};

int ctiha_sleep_register(void)
{
	return register_pm_notifier(&sleep_notifier);
}

void ctiha_sleep_unregister(void)
{
	unregister_pm_notifier(&sleep_notifier);
}
