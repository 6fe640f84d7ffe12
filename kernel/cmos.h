/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The real-time clock of a PC in a virtual machine: the hypervisor keeps it, and it
 * goes on while the machine stands still.
 */
#ifndef CTIHA_KERNEL_CMOS_H
#define CTIHA_KERNEL_CMOS_H

#include <linux/errno.h>
#include <linux/types.h>

#ifdef CONFIG_X86

/**
 * ctiha_cmos_is_virtual() - is this a virtual machine?
 */
bool ctiha_cmos_is_virtual(void);

/**
 * ctiha_cmos_read() - what the clock shows
 * @second: receives it, counted from 1970 if the clock is right
 *
 * Costs 6 accesses to I/O ports, 20 once a second; each leaves the virtual machine.
 * Context: softirq or process; on PREEMPT_RT it may sleep.
 * Return: 0, or -ENODEV if there is no such clock.
 */
int ctiha_cmos_read(s64 *second);

#else

static inline bool ctiha_cmos_is_virtual(void)
{
	return false;
}

static inline int ctiha_cmos_read(s64 *second)
{
	return -ENODEV;
}

#endif /* CONFIG_X86 */

#endif /* CTIHA_KERNEL_CMOS_H */
