// SPDX-License-Identifier: GPL-2.0
/*
 * The daemon's commands: what it may make of the node. See daemon.h.
 */
#include <linux/bottom_half.h>
#include <linux/ktime.h>
#include <linux/random.h>

#include "daemon.h"
#include "link.h"
#include "node.h"
#include "trace.h"

#define GOODBYES	3	/* copies of a frame that nothing repeats */

/* Heartbeats that the goodbye has ended begin again. */
static void speak(struct ctiha_node *node)
{
	unsigned int i;

	if (!node->quiet)
		return;
	node->quiet = false;
	for (i = 0; i < CTIHA_LINKS; i++) {
		struct ctiha_link *link = ctiha_link_locked(node, i);

		if (link)
			ctiha_link_tick(link);
	}
}

/* The peer relies on a gasp: there is no way back from it. */
static int check_alive(const struct ctiha_node *node,
		       struct netlink_ext_ack *extack)
{
	if (node->last_words == CTIHA_LAST_WORDS_NONE)
		return 0;
	NL_SET_ERR_MSG(extack,
		       "this system is going down, and has told the peer so: wait for its next start");
	return -ESHUTDOWN;
}

int ctiha_daemon_attach(struct ctiha_node *node, u32 portid, u64 silence_ns,
			struct netlink_ext_ack *extack)
{
	unsigned long flags = ctiha_node_lock(node);
	u64 now_ns = ktime_get_ns();
	int err;

	ctiha_node_settle(node, now_ns);
	err = check_alive(node, extack);
	if (!err)
		err = ctiha_watch_attach(&node->watch, portid, silence_ns,
					 now_ns, extack);
	if (!err) {
		trace_ctiha_daemon_attach(node, portid, silence_ns);
		speak(node);
		ctiha_node_announce(node, CTIHA_CAUSE_COMMAND, now_ns);
	}
	ctiha_node_unlock(node, flags);
	return err;
}

int ctiha_daemon_report(struct ctiha_node *node, u32 portid, u32 report,
			const u64 *sync_pos, struct netlink_ext_ack *extack)
{
	unsigned long flags = ctiha_node_lock(node);
	u64 now_ns = ktime_get_ns();
	int err;

	ctiha_node_settle(node, now_ns);
	err = ctiha_watch_call(&node->watch, portid, now_ns, extack);
	if (!err) {
		node->report = report & ~CTIHA_REPORT_KERNEL;
		if (sync_pos)
			node->sync_pos = *sync_pos;
		ctiha_node_announce(node, CTIHA_CAUSE_COMMAND, now_ns);
	}
	ctiha_node_unlock(node, flags);
	return err;
}

static void explain_activate(int err, struct netlink_ext_ack *extack)
{
	switch (err) {
	case -EALREADY:
		NL_SET_ERR_MSG(extack, "already active");
		break;
	case -EINVAL:
		NL_SET_ERR_MSG(extack,
			       "epoch: not own and new, or grant-sent-ns is in the future");
		break;
	case -EPERM:
		NL_SET_ERR_MSG(extack,
			       "epoch: no vote and no grant, wait or ask the arbiter");
		break;
	case -EBUSY:
		NL_SET_ERR_MSG(extack,
			       "a promise to the peer holds: wait for promise-left-ns");
		break;
	case -ETIME:
		NL_SET_ERR_MSG(extack,
			       "the vote or grant has run out: get a new one");
		break;
	}
}

int ctiha_daemon_activate(struct ctiha_node *node, u32 portid, u64 epoch,
			  u64 granted_ns, struct netlink_ext_ack *extack)
{
	unsigned long flags = ctiha_node_lock(node);
	u64 now_ns = ktime_get_ns();
	int err;

	ctiha_node_settle(node, now_ns);
	err = ctiha_watch_call(&node->watch, portid, now_ns, extack);
	if (!err) {
		err = ctiha_lease_activate(&node->lease, epoch, granted_ns,
					   now_ns);
		trace_ctiha_lease_activate(node, epoch, granted_ns, err);
		explain_activate(err, extack);
		ctiha_node_announce(node, CTIHA_CAUSE_COMMAND, now_ns);
	}
	ctiha_node_unlock(node, flags);
	return err;
}

int ctiha_daemon_renew(struct ctiha_node *node, u32 portid, u64 epoch,
		       u64 granted_ns, struct netlink_ext_ack *extack)
{
	unsigned long flags = ctiha_node_lock(node);
	u64 now_ns = ktime_get_ns();
	int err;

	ctiha_node_settle(node, now_ns);
	err = ctiha_watch_call(&node->watch, portid, now_ns, extack);
	if (!err) {
		err = ctiha_lease_renew(&node->lease, epoch, granted_ns,
					now_ns);
		trace_ctiha_lease_renew(node, epoch, granted_ns, err);
		if (err == -ESTALE)
			NL_SET_ERR_MSG(extack,
				       "not active in this epoch: ACTIVATE in a new one");
		else if (err)
			NL_SET_ERR_MSG(extack,
				       "grant-sent-ns: in the future, use CLOCK_MONOTONIC");
		ctiha_node_announce(node, CTIHA_CAUSE_COMMAND, now_ns);
	}
	ctiha_node_unlock(node, flags);
	return err;
}

int ctiha_daemon_yield(struct ctiha_node *node, u32 portid,
		       struct netlink_ext_ack *extack)
{
	unsigned long flags = ctiha_node_lock(node);
	u64 now_ns = ktime_get_ns();
	int err;

	ctiha_node_settle(node, now_ns);
	err = ctiha_watch_call(&node->watch, portid, now_ns, extack);
	if (!err) {
		ctiha_node_yield(node, now_ns);
		ctiha_node_announce(node, CTIHA_CAUSE_COMMAND, now_ns);
	}
	ctiha_node_unlock(node, flags);
	return err;
}

/* Yield; from here on no heartbeat can contradict the goodbye. */
static int fall_quiet(struct ctiha_node *node, u32 portid,
		      struct netlink_ext_ack *extack)
{
	unsigned long flags = ctiha_node_lock(node);
	u64 now_ns = ktime_get_ns();
	int err;

	ctiha_node_settle(node, now_ns);
	err = ctiha_watch_call(&node->watch, portid, now_ns, extack);
	if (!err)
		ctiha_node_fall_quiet(node, now_ns);
	ctiha_node_unlock(node, flags);
	return err;
}

static void drop_sessions(struct ctiha_node *node)
{
	u64 random[CTIHA_LINKS];
	unsigned long flags;
	unsigned int i;

	get_random_bytes(random, sizeof(random));
	flags = ctiha_node_lock(node);
	for (i = 0; i < CTIHA_LINKS; i++) {
		struct ctiha_link *link = ctiha_link_locked(node, i);

		if (link)
			ctiha_link_drop(link, CTIHA_DIAG_NONE, random[i]);
	}
	ctiha_node_announce(node, CTIHA_CAUSE_COMMAND, ktime_get_ns());
	ctiha_node_unlock(node, flags);
}

int ctiha_daemon_leave(struct ctiha_node *node, u32 portid,
		       struct netlink_ext_ack *extack)
{
	int err = fall_quiet(node, portid, extack);
	int i;

	if (err)
		return err;
	local_bh_disable();
	for (i = 0; i < GOODBYES; i++)
		ctiha_link_send_all(node, CTIHA_FRAME_GOODBYE);
	local_bh_enable();
	drop_sessions(node);
	return 0;
}
