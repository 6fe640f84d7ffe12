/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The NIC to the telephone switch. It carries no heartbeats; the module watches
 * its carrier (carrier.c) and tells it to listeners and to the peer.
 */
#ifndef CTIHA_KERNEL_SWITCH_H
#define CTIHA_KERNEL_SWITCH_H

#include <linux/netdevice.h>

struct ctiha_node;
struct genl_info;
struct sk_buff;

/**
 * struct ctiha_switch - the NIC to the switch
 * @dev: held; NULL while there is none
 * @tracker: of @dev
 * @carrier: as last seen
 *
 * The node's lock protects it; it changes under config, too.
 */
struct ctiha_switch {
	struct net_device *dev;
	netdevice_tracker tracker;
	bool carrier;
};

/**
 * ctiha_switch_ifindex() - which NIC it is
 * @sw: switch NIC
 *
 * Context: node's lock held. Return: its ifindex, 0 for none.
 */
static inline u32 ctiha_switch_ifindex(const struct ctiha_switch *sw)
{
	return sw->dev ? sw->dev->ifindex : 0;
}

/**
 * ctiha_switch_forget() - a net device is about to go
 * @node: node of its namespace
 * @dev: any device
 *
 * Context: process, RTNL and config held.
 */
void ctiha_switch_forget(struct ctiha_node *node, struct net_device *dev);

/**
 * ctiha_switch_cmd_set() - CTIHA_CMD_SWITCH_SET
 * @request: message
 * @info: its attributes, checked by ctiha_policy_switch
 *
 * Context: process, sleeps.
 * Return: 0; -EINVAL without a nest; -ENOENT without a node; -ENODEV.
 */
int ctiha_switch_cmd_set(struct sk_buff *request, struct genl_info *info);

#endif /* CTIHA_KERNEL_SWITCH_H */
