/* SPDX-License-Identifier: GPL-2.0 */
/* NETIF_F_LLTX became a field of the device in Linux 6.12. */
#ifndef CTIHA_COMPAT_NETDEVICE_H
#define CTIHA_COMPAT_NETDEVICE_H

#include_next <linux/netdevice.h>
#include <linux/version.h>

static inline bool ctiha_dev_is_lltx(const struct net_device *dev)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
	return dev->features & NETIF_F_LLTX;
#else
	return dev->lltx;
#endif
}

#endif /* CTIHA_COMPAT_NETDEVICE_H */
