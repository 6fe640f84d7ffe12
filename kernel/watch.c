// SPDX-License-Identifier: GPL-2.0
/*
 * The daemon watch.
 *
 * Timers: one, the end of the daemon's patience (deadline_ns). Events: ATTACH,
 * any command of the attached socket (a sign of life), the socket closes.
 */
#include <linux/ktime.h>
#include <linux/module.h>
#include <net/netlink.h>

#include "node.h"
#include "watch.h"

static void arm(struct ctiha_watch *watch)
{
	ctiha_timer_arm(&watch->timer, watch->deadline_ns,
			HRTIMER_MODE_ABS_SOFT);
}

static enum hrtimer_restart timeout(struct hrtimer *timer)
{
	struct ctiha_watch *watch = container_of(timer, struct ctiha_watch,
						 timer);
	struct ctiha_node *node = container_of(watch, struct ctiha_node, watch);
	u64 now_ns = ktime_get_ns();
	unsigned long flags;

	raw_spin_lock_irqsave(&node->lock, flags);
	if (!ctiha_watch_alive(watch))
		goto out;
	if (now_ns < watch->deadline_ns) {
		arm(watch);
		goto out;
	}
	watch->silent = true;
	ctiha_node_daemon_lost(node, CTIHA_CAUSE_DAEMON_SILENT, now_ns);
out:
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return HRTIMER_NORESTART;
}

void ctiha_watch_init(struct ctiha_watch *watch)
{
	memset(watch, 0, sizeof(*watch));
	hrtimer_setup(&watch->timer, timeout, CLOCK_MONOTONIC,
		      HRTIMER_MODE_ABS_SOFT);
}

void ctiha_watch_exit(struct ctiha_watch *watch)
{
	hrtimer_cancel(&watch->timer);
	ctiha_watch_detach(watch);
}

static void prolong(struct ctiha_watch *watch, u64 now_ns)
{
	watch->deadline_ns = now_ns + watch->silence_ns;
	arm(watch);
}

int ctiha_watch_attach(struct ctiha_watch *watch, u32 portid, u64 silence_ns,
		       u64 now_ns, struct netlink_ext_ack *extack)
{
	if (ctiha_watch_alive(watch) && watch->portid != portid) {
		NL_SET_ERR_MSG(extack,
			       "another daemon is attached and alive: stop it first");
		return -EBUSY;
	}
	/* A lease that nothing watches over must not be: the module stays. */
	if (!watch->portid)
		__module_get(THIS_MODULE);
	watch->portid = portid;
	watch->silent = false;
	watch->silence_ns = silence_ns;
	prolong(watch, now_ns);
	return 0;
}

int ctiha_watch_call(struct ctiha_watch *watch, u32 portid, u64 now_ns,
		     struct netlink_ext_ack *extack)
{
	if (watch->portid != portid) {
		NL_SET_ERR_MSG(extack,
			       "this socket is not the daemon's: ATTACH first");
		return -EPERM;
	}
	if (watch->silent) {
		NL_SET_ERR_MSG(extack,
			       "declared dead after watch-ms of silence: ATTACH again");
		return -ESTALE;
	}
	prolong(watch, now_ns);
	return 0;
}

/*
 * Our callers are waited for by whoever unregisters them (notifier chain, family),
 * so the module's text outlives the reference given up here.
 */
void ctiha_watch_detach(struct ctiha_watch *watch)
{
	if (watch->portid)
		module_put(THIS_MODULE);
	watch->portid = 0;
	watch->silent = false;
}

/* A netlink socket was closed, by its owner or by its owner's death. */
static int socket_event(struct notifier_block *nb, unsigned long event,
			void *data)
{
	const struct netlink_notify *closed = data;
	struct ctiha_node *node;
	unsigned long flags;

	if (event != NETLINK_URELEASE || closed->protocol != NETLINK_GENERIC)
		return NOTIFY_DONE;
	node = ctiha_node_of(closed->net);
	if (!node)
		return NOTIFY_DONE;
	flags = ctiha_node_lock(node);
	if (closed->portid && node->watch.portid == closed->portid) {
		ctiha_watch_detach(&node->watch);
		ctiha_node_daemon_lost(node, CTIHA_CAUSE_DAEMON_CLOSED,
				       ktime_get_ns());
	}
	ctiha_node_unlock(node, flags);
	return NOTIFY_DONE;
}

static struct notifier_block socket_notifier = {
	.notifier_call = socket_event,
};

int ctiha_watch_register(void)
{
	return netlink_register_notifier(&socket_notifier);
}

void ctiha_watch_unregister(void)
{
	netlink_unregister_notifier(&socket_notifier);
}
