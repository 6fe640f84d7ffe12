// SPDX-License-Identifier: GPL-2.0
/*
 * The NIC to the switch: named, replaced, and forgotten when it vanishes. See
 * switch.h.
 */
#include <linux/ktime.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>

#include "carrier.h"
#include "command.h"
#include "node.h"
#include "switch.h"

/* From now on it is @next, whose reference this takes. */
static void replace(struct ctiha_node *node, struct ctiha_switch next,
		    enum ctiha_cause cause)
{
	struct ctiha_switch old;
	unsigned long flags;

	flags = ctiha_node_lock(node);
	old = node->switch_nic;
	node->switch_nic = next;
	if (cause == CTIHA_CAUSE_DEVICE && old.carrier)
		ctiha_carrier_probe(node, NULL);
	ctiha_node_announce(node, cause, ktime_get_ns());
	ctiha_node_unlock(node, flags);
	/* Whoever looked at it did so under the lock. */
	netdev_put(old.dev, &old.tracker);
}

void ctiha_switch_forget(struct ctiha_node *node, struct net_device *dev)
{
	const struct ctiha_switch none = {};

	if (node->switch_nic.dev == dev)
		replace(node, none, CTIHA_CAUSE_DEVICE);
}

/* Context: RTNL and config held. */
static int set(struct ctiha_node *node, int ifindex,
	       struct netlink_ext_ack *extack)
{
	struct ctiha_switch next = {};

	if (ifindex) {
		next.dev = __dev_get_by_index(node->net, ifindex);
		if (!next.dev) {
			NL_SET_ERR_MSG(extack,
				       "switch ifindex: no such device in this namespace");
			return -ENODEV;
		}
		next.carrier = ctiha_carrier_ok(next.dev);
		netdev_hold(next.dev, &next.tracker, GFP_KERNEL);
	}
	replace(node, next, CTIHA_CAUSE_COMMAND);
	return 0;
}

static int read_ifindex(struct genl_info *info, int *ifindex)
{
	struct nlattr *nest = info->attrs[CTIHA_A_SWITCH];
	struct nlattr *tb[CTIHA_A_SWITCH_MAX + 1];
	int err;

	if (!nest) {
		NL_SET_ERR_MSG(info->extack,
			       "switch: give its ifindex, or an empty nest for none");
		return -EINVAL;
	}
	err = ctiha_command_sort(tb, CTIHA_A_SWITCH_MAX, nest, info->extack);
	if (!err)
		*ifindex = tb[CTIHA_A_SWITCH_IFINDEX] ?
			   nla_get_u32(tb[CTIHA_A_SWITCH_IFINDEX]) : 0;
	return err;
}

int ctiha_switch_cmd_set(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_net *cn = ctiha_net(genl_info_net(info));
	struct ctiha_node *node;
	int ifindex, err = read_ifindex(info, &ifindex);

	if (err)
		return err;
	node = ctiha_command_node(info);
	if (!node)
		return -ENOENT;
	rtnl_lock();
	mutex_lock(&cn->config);
	err = set(node, ifindex, info->extack);
	mutex_unlock(&cn->config);
	rtnl_unlock();
	return err;
}
