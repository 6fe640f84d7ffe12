/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The generic netlink family "ctiha".
 */
#ifndef CTIHA_KERNEL_NETLINK_H
#define CTIHA_KERNEL_NETLINK_H

struct genl_family;

enum ctiha_group {
	CTIHA_GROUP_EVENT,
};

extern struct genl_family ctiha_family;

#endif /* CTIHA_KERNEL_NETLINK_H */
