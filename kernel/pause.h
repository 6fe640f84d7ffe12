/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtual machine that is paused and resumed does not see the time pass: its
 * CLOCK_MONOTONIC, and with it every lease, goes on where it stopped, while the peer
 * may have taken over. The machine's real-time clock has gone on. This compares both.
 *
 * What was sent before a pause was noticed is no ground for a lease any more. At once
 * no frame passes the fence, and soon after the node leaves the active role. That
 * somebody sets the real-time clock ahead looks the same, and costs the role as well.
 */
#ifndef CTIHA_KERNEL_PAUSE_H
#define CTIHA_KERNEL_PAUSE_H

#include <linux/jump_label.h>
#include <linux/types.h>

DECLARE_STATIC_KEY_FALSE(ctiha_pause_watched);

/**
 * ctiha_pause_is_watched() - can a pause of this machine be noticed?
 *
 * Return: false on real hardware, which is not paused.
 */
static inline bool ctiha_pause_is_watched(void)
{
	return static_branch_unlikely(&ctiha_pause_watched);
}

/**
 * ctiha_pause_look() - compare the clocks, if they are watched
 *
 * Context: softirq or process; on PREEMPT_RT it may sleep.
 */
void ctiha_pause_look(void);

/**
 * ctiha_pause_noticed_ns() - when a pause was last noticed
 *
 * Context: any. Return: 0 if never.
 */
u64 ctiha_pause_noticed_ns(void);

/** ctiha_pause_register() - begin to watch, in a virtual machine with such a clock */
void ctiha_pause_register(void);

/**
 * ctiha_pause_unregister() - the opposite of ctiha_pause_register()
 *
 * Context: process, sleeps.
 */
void ctiha_pause_unregister(void);

#endif /* CTIHA_KERNEL_PAUSE_H */
