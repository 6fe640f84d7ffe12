// SPDX-License-Identifier: GPL-2.0
/*
 * ctiha.ko: heartbeats and leases of a hot-standby pair. The protocol in prose:
 * include/uapi/linux/ctiha.h. What the module holds, and in which file:
 *
 *   node     this server: role, epoch, vote, lease; one per network namespace
 *   link     one heartbeat session on one net device
 *   send, transmit, receive, frame, session, mac   how frames are made and understood
 *   daemon   what the daemon commands; watch: is it alive?
 *   carrier, switch  which NICs have a carrier; the one to the telephone switch
 *   fence    what leaves this server while it may not act
 *   gasp     its last words
 *   verdict  is the peer silent, or do we not listen?
 *   sleep    suspend and hibernation
 *   pause    has the virtual machine stood still? cmos, skew: how that is known
 *   device   net devices that come and go
 *   netlink, policy, message, notify  commands, their checks, replies, events
 *   damping, loss, quality   how good a link is, and what follows; trace: tracepoints
 */
#include <linux/module.h>
#include <net/genetlink.h>
#include <net/netns/generic.h>

#include "gasp.h"
#include "link.h"
#include "netlink.h"
#include "node.h"
#include "pause.h"
#include "sleep.h"

static unsigned int net_id;

struct ctiha_net *ctiha_net(struct net *net)
{
	return net_generic(net, net_id);
}

static int net_init(struct net *net)
{
	struct ctiha_net *cn = ctiha_net(net);

	mutex_init(&cn->config);
	cn->node = NULL;
	return 0;
}

/* The devices of the namespace, and so the links, are gone already. */
static void net_exit(struct net *net)
{
	ctiha_node_free(ctiha_net(net)->node);
}

static struct pernet_operations net_ops = {
	.init = net_init,
	.exit = net_exit,
	.id = &net_id,
	.size = sizeof(struct ctiha_net),
};

static int __init ctiha_init(void)
{
	int err = register_pernet_subsys(&net_ops);

	if (err)
		return err;
	err = ctiha_device_register();
	if (err)
		goto undo_net;
	err = ctiha_watch_register();
	if (err)
		goto undo_device;
	err = ctiha_sleep_register();
	if (err)
		goto undo_watch;
	err = ctiha_gasp_register();
	if (err)
		goto undo_sleep;
	err = genl_register_family(&ctiha_family);
	if (err)
		goto undo_gasp;
	ctiha_pause_register();
	return 0;

undo_gasp:
	ctiha_gasp_unregister();
undo_sleep:
	ctiha_sleep_unregister();
undo_watch:
	ctiha_watch_unregister();
undo_device:
	ctiha_device_unregister();
undo_net:
	unregister_pernet_subsys(&net_ops);
	return err;
}

/* No commands any more; last words; then no links, as if their devices went; then no nodes. */
static void __exit ctiha_exit(void)
{
	ctiha_notify_stop();
	genl_unregister_family(&ctiha_family);
	ctiha_pause_unregister();
	ctiha_gasp_unregister();
	ctiha_sleep_unregister();
	ctiha_watch_unregister();
	ctiha_device_unregister();
	unregister_pernet_subsys(&net_ops);
}

module_init(ctiha_init);
module_exit(ctiha_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Heartbeats and leases of a hot-standby pair of CTI servers");
MODULE_ALIAS_GENL_FAMILY(CTIHA_GENL_NAME);
