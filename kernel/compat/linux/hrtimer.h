/* SPDX-License-Identifier: GPL-2.0 */
/* hrtimer_setup() is of Linux 6.13. */
#ifndef CTIHA_COMPAT_HRTIMER_H
#define CTIHA_COMPAT_HRTIMER_H

#include_next <linux/hrtimer.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
static inline void
hrtimer_setup(struct hrtimer *timer,
	      enum hrtimer_restart (*function)(struct hrtimer *timer),
	      clockid_t clock, enum hrtimer_mode mode)
{
	hrtimer_init(timer, clock, mode);
	timer->function = function;
}
#endif

#endif /* CTIHA_COMPAT_HRTIMER_H */
