// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink family: which function serves which command (command.h), by
 * which policy (policy.h), and who may give it.
 */
#include <linux/module.h>
#include <net/genetlink.h>

#include "command.h"
#include "netlink.h"
#include "policy.h"
#include "switch.h"

/* Those without a policy take no attributes: the family's holds. */
static const struct genl_ops ops[] = {
	{
		.cmd = CTIHA_CMD_NODE_GET,
		.doit = ctiha_node_cmd_get,
	}, {
		.cmd = CTIHA_CMD_NODE_SET,
		.doit = ctiha_node_cmd_set,
		.policy = ctiha_policy_node,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_KEY_SET,
		.doit = ctiha_key_cmd_set,
		.policy = ctiha_policy_key,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_FENCE_SET,
		.doit = ctiha_fence_cmd_set,
		.policy = ctiha_policy_fence,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_SWITCH_SET,
		.doit = ctiha_switch_cmd_set,
		.policy = ctiha_policy_switch,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_LINK_GET,
		.doit = ctiha_link_cmd_get,
		.dumpit = ctiha_link_cmd_dump,
		.policy = ctiha_policy_link_get,
		.maxattr = CTIHA_A_MAX,
	}, {
		.cmd = CTIHA_CMD_LINK_ADD,
		.doit = ctiha_link_cmd_add,
		.policy = ctiha_policy_link_add,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_LINK_DEL,
		.doit = ctiha_link_cmd_del,
		.policy = ctiha_policy_link_name,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_PEER_GET,
		.doit = ctiha_peer_cmd_get,
	}, {
		.cmd = CTIHA_CMD_ATTACH,
		.doit = ctiha_daemon_cmd_attach,
		.policy = ctiha_policy_attach,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_REPORT,
		.doit = ctiha_daemon_cmd_report,
		.policy = ctiha_policy_report,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_ACTIVATE,
		.doit = ctiha_daemon_cmd_activate,
		.policy = ctiha_policy_epoch,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_RENEW,
		.doit = ctiha_daemon_cmd_renew,
		.policy = ctiha_policy_epoch,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_YIELD,
		.doit = ctiha_daemon_cmd_yield,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_LEAVE,
		.doit = ctiha_daemon_cmd_leave,
		.flags = GENL_UNS_ADMIN_PERM,
	},
};

static const struct genl_multicast_group groups[] = {
	[CTIHA_GROUP_EVENT] = { .name = CTIHA_GENL_GROUP },
};

struct genl_family ctiha_family __ro_after_init = {
	.name = CTIHA_GENL_NAME,
	.version = CTIHA_GENL_VERSION,
	.module = THIS_MODULE,
	.netnsok = true,
	.parallel_ops = true,
	.maxattr = CTIHA_A_MAX,
	.policy = ctiha_policy_none,
	.ops = ops,
	.n_ops = ARRAY_SIZE(ops),
	.resv_start_op = CTIHA_CMD_UNSPEC + 1,
	.mcgrps = groups,
	.n_mcgrps = ARRAY_SIZE(groups),
};
