/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The verdict "the peer is silent": given after a receive pass, or not at all.
 */
#ifndef CTIHA_KERNEL_VERDICT_H
#define CTIHA_KERNEL_VERDICT_H

#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/netdevice.h>
#include <linux/smp.h>

struct ctiha_link;

/**
 * struct ctiha_verdict - who judges a link
 * @deadline: hard; fires at the session's deadline or before
 * @nobody: the device that a NAPI instance has to have
 * @witness: our instance, which stands in line behind the work of receiving
 * @way: takes it to @cpu by an interrupt
 * @visit: takes it to @cpu by a SCHED_FIFO thread: PREEMPT_RT
 * @cpu: that received the last frame
 * @asked_ns: when @witness was last sent out
 * @rounds: passes that ended with more to receive, since the deadline
 *
 * The node's lock protects @asked_ns and @rounds.
 */
struct ctiha_verdict {
	struct hrtimer deadline;
	struct net_device *nobody;
	struct napi_struct witness;
	call_single_data_t way;
	struct kthread_work visit;
	int cpu;
	u64 asked_ns;
	unsigned int rounds;
};

/**
 * ctiha_verdict_init() - prepare to judge a link
 * @link: link that nobody else knows of
 *
 * Context: process, sleeps. Return: 0 or -ENOMEM.
 */
int ctiha_verdict_init(struct ctiha_link *link);

/**
 * ctiha_verdict_exit() - the opposite of ctiha_verdict_init()
 * @link: link that is gone
 *
 * Context: process, sleeps.
 */
void ctiha_verdict_exit(struct ctiha_link *link);

/**
 * ctiha_verdict_watch() - a frame was heard: silence counts from here
 * @link: link
 *
 * Context: node's lock held, on the CPU that received the frame.
 */
void ctiha_verdict_watch(struct ctiha_link *link);

#endif /* CTIHA_KERNEL_VERDICT_H */
