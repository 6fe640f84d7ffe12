// SPDX-License-Identifier: GPL-2.0
/*
 * Net devices come and go; links, the switch NIC and the fence follow.
 */
#include <linux/ktime.h>
#include <linux/netdevice.h>
#include <linux/random.h>

#include "fence.h"
#include "link.h"
#include "node.h"

static void device_down(struct ctiha_link *link)
{
	struct ctiha_node *node = link->node;
	u64 random = get_random_u64();
	unsigned long flags;

	flags = ctiha_node_lock(node);
	ctiha_link_drop(link, CTIHA_DIAG_DEVICE, random);
	ctiha_node_announce(node, CTIHA_CAUSE_DEVICE, ktime_get_ns());
	ctiha_node_unlock(node, flags);
}

static void device_changed(struct ctiha_link *link)
{
	unsigned long flags = ctiha_node_lock(link->node);

	ctiha_notify_link(link, CTIHA_CAUSE_DEVICE, ktime_get_ns());
	ctiha_node_unlock(link->node, flags);
}

static int link_event(struct ctiha_link *link, unsigned long event)
{
	switch (event) {
	case NETDEV_DOWN:
		device_down(link);
		break;
	case NETDEV_UP:
	case NETDEV_CHANGENAME:
		device_changed(link);
		break;
	case NETDEV_UNREGISTER:
		ctiha_link_del(link, CTIHA_DIAG_DEVICE, CTIHA_CAUSE_DEVICE);
		break;
	case NETDEV_PRE_TYPE_CHANGE:
		/* A bond about to leave Ethernet: frames could not be built. */
		return notifier_from_errno(-EBUSY);
	}
	return NOTIFY_DONE;
}

static int device_event(struct notifier_block *nb, unsigned long event,
			void *data)
{
	struct net_device *dev = netdev_notifier_info_to_dev(data);
	struct ctiha_net *cn = ctiha_net(dev_net(dev));
	struct ctiha_node *node = ctiha_node_of(dev_net(dev));
	int verdict = NOTIFY_DONE;
	unsigned int i;

	if (!node)
		return NOTIFY_DONE;
	if (event == NETDEV_REGISTER)
		ctiha_fence_device_add(node, dev);
	mutex_lock(&cn->config);
	for (i = 0; i < CTIHA_LINKS; i++) {
		struct ctiha_link *link = ctiha_link_configured(node, i);

		if (link && link->dev == dev)
			verdict = link_event(link, event);
	}
	if (event == NETDEV_UNREGISTER)
		ctiha_switch_forget(node, dev);
	mutex_unlock(&cn->config);
	/* Last: what the links' end had to say has to pass it. */
	if (event == NETDEV_UNREGISTER)
		ctiha_fence_device_del(node, dev);
	return verdict;
}

static struct notifier_block device_notifier = {
	.notifier_call = device_event,
};

int ctiha_device_register(void)
{
	return register_netdevice_notifier(&device_notifier);
}

void ctiha_device_unregister(void)
{
	unregister_netdevice_notifier(&device_notifier);
}
