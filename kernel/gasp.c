// SPDX-License-Identifier: GPL-2.0
/*
 * The last gasp. See gasp.h.
 *
 * Events: panic, reboot, halt, power off, the module's end; an oops is remembered,
 * in case it ends in a panic.
 *
 * Whoever gasps has left the active role, votes for its peer as YIELD does, and is
 * quiet from then on, for good: the fence is closed, ATTACH is refused. The vote is
 * an ordinary one. One without an end, as LEAVE gives it, would have to be written
 * down, which a dying server cannot do: after its reboot it could act beside a peer
 * that serves without end.
 *
 * In a panic the other CPUs have been stopped, with whatever locks they hold. So
 * nothing is waited for and nothing allocated: locks are tried, memory is kept ready
 * (ctiha_link.spare), no timer is armed. Devices that cannot be given frames in a
 * hard interrupt (transmit.h) cannot be given one here, either; PREEMPT_RT has none
 * that can.
 */
#include <linux/bottom_half.h>
#include <linux/kdebug.h>
#include <linux/ktime.h>
#include <linux/notifier.h>
#include <linux/panic_notifier.h>
#include <linux/reboot.h>
#include <linux/sched.h>

#include "gasp.h"
#include "link.h"
#include "node.h"

#define GASPS	3	/* copies of a frame that nothing repeats */

/* Whom the last oops has hit. A name only: it may be gone. */
static const struct task_struct *oopsed;

/* Of all network namespaces: the machine ends for them all. */
static void all_gasp(void (*one)(struct ctiha_node *node,
				 enum ctiha_last_words words),
		     enum ctiha_last_words words)
{
	struct net *net;

	rcu_read_lock();
	for_each_net_rcu(net) {
		struct ctiha_node *node = ctiha_node_of(net);

		if (node)
			one(node, words);
	}
	rcu_read_unlock();
}

/* Return: false if there is nothing to add to what was said before. */
static bool end(struct ctiha_node *node, enum ctiha_last_words words,
		u64 now_ns)
{
	if (node->quiet)
		return false;
	node->last_words = words;
	ctiha_node_fall_quiet(node, now_ns);
	return true;
}

/*
 * Interrupts are off, this is the only CPU that runs. The fast clock, as the exact one
 * waits for whoever was stopped while setting it.
 */
static void gasp_in_panic(struct ctiha_node *node, enum ctiha_last_words words)
{
	unsigned int i;

	if (!raw_spin_trylock(&node->lock))
		return;
	if (end(node, words, ktime_get_mono_fast_ns())) {
		ctiha_fence_follow(&node->fence, &node->lease, false);
		for (i = 0; i < CTIHA_LINKS; i++) {
			struct ctiha_link *link = ctiha_link_locked(node, i);

			if (link)
				ctiha_link_gasp(link);
		}
	}
	raw_spin_unlock(&node->lock);
}

static void gasp(struct ctiha_node *node, enum ctiha_last_words words)
{
	unsigned long flags = ctiha_node_lock(node);
	u64 now_ns = ktime_get_ns();
	bool speaks;
	int i;

	ctiha_node_settle(node, now_ns);
	speaks = end(node, words, now_ns);
	ctiha_node_announce(node, CTIHA_CAUSE_LAST_WORDS, now_ns);
	ctiha_node_unlock(node, flags);
	if (!speaks)
		return;
	local_bh_disable();
	for (i = 0; i < GASPS; i++)
		ctiha_link_send_all(node, CTIHA_FRAME_GASP);
	local_bh_enable();
}

static int on_panic(struct notifier_block *nb, unsigned long event, void *text)
{
	all_gasp(gasp_in_panic, READ_ONCE(oopsed) == current ?
				CTIHA_LAST_WORDS_OOPS :
				CTIHA_LAST_WORDS_PANIC);
	return NOTIFY_DONE;
}

/* An oops that does not end in a panic ends the task: the next one is another. */
static int on_die(struct notifier_block *nb, unsigned long event, void *args)
{
	if (event == DIE_OOPS)
		WRITE_ONCE(oopsed, current);
	return NOTIFY_DONE;
}

static int on_reboot(struct notifier_block *nb, unsigned long event, void *text)
{
	switch (event) {
	case SYS_RESTART:
		all_gasp(gasp, CTIHA_LAST_WORDS_REBOOT);
		break;
	case SYS_HALT:
		all_gasp(gasp, CTIHA_LAST_WORDS_HALT);
		break;
	case SYS_POWER_OFF:
		all_gasp(gasp, CTIHA_LAST_WORDS_POWER_OFF);
		break;
	}
	return NOTIFY_DONE;
}

/* Before those who stop the devices, or the whole virtual machine. */
static struct notifier_block panic_notifier = {
	.notifier_call = on_panic,
	.priority = INT_MAX,
};

static struct notifier_block die_notifier = {
	.notifier_call = on_die,
};

static struct notifier_block reboot_notifier = {
	.notifier_call = on_reboot,
	.priority = INT_MAX,
};

int ctiha_gasp_register(void)
{
	int err = register_reboot_notifier(&reboot_notifier);

	if (err)
		return err;
	err = register_die_notifier(&die_notifier);
	if (err)
		goto undo_reboot;
	err = atomic_notifier_chain_register(&panic_notifier_list,
					     &panic_notifier);
	if (err)
		goto undo_die;
	return 0;

undo_die:
	unregister_die_notifier(&die_notifier);
undo_reboot:
	unregister_reboot_notifier(&reboot_notifier);
	return err;
}

void ctiha_gasp_unregister(void)
{
	atomic_notifier_chain_unregister(&panic_notifier_list, &panic_notifier);
	unregister_die_notifier(&die_notifier);
	unregister_reboot_notifier(&reboot_notifier);
	all_gasp(gasp, CTIHA_LAST_WORDS_UNLOAD);
}
