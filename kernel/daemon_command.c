// SPDX-License-Identifier: GPL-2.0
/*
 * The daemon's commands, as they arrive; daemon.c does what they say. See command.h.
 */
#include <net/genetlink.h>

#include "command.h"
#include "daemon.h"
#include "node.h"

int ctiha_daemon_cmd_attach(struct sk_buff *request, struct genl_info *info)
{
	struct nlattr *watch = info->attrs[CTIHA_A_WATCH_MS];
	struct ctiha_node *node = ctiha_command_node(info);

	if (!node)
		return -ENOENT;
	if (!watch) {
		NL_SET_ERR_MSG(info->extack,
			       "attach: give watch-ms, the daemon's longest silence");
		return -EINVAL;
	}
	return ctiha_daemon_attach(node, info->snd_portid,
				   nla_get_u32(watch) * CTIHA_NS_PER_MS,
				   info->extack);
}

int ctiha_daemon_cmd_report(struct sk_buff *request, struct genl_info *info)
{
	struct nlattr *report = info->attrs[CTIHA_A_REPORT];
	struct nlattr *pos = info->attrs[CTIHA_A_SYNC_POS];
	struct ctiha_node *node = ctiha_command_node(info);
	u64 sync_pos = pos ? nla_get_u64(pos) : 0;

	if (!node)
		return -ENOENT;
	if (!report) {
		NL_SET_ERR_MSG(info->extack, "report: give report");
		return -EINVAL;
	}
	return ctiha_daemon_report(node, info->snd_portid,
				   nla_get_u32(report),
				   pos ? &sync_pos : NULL, info->extack);
}

int ctiha_daemon_cmd_activate(struct sk_buff *request, struct genl_info *info)
{
	struct nlattr *granted = info->attrs[CTIHA_A_GRANT_SENT_NS];
	struct nlattr *epoch = info->attrs[CTIHA_A_EPOCH];
	struct ctiha_node *node = ctiha_command_node(info);

	if (!node)
		return -ENOENT;
	if (!epoch) {
		NL_SET_ERR_MSG(info->extack, "activate: give epoch");
		return -EINVAL;
	}
	return ctiha_daemon_activate(node, info->snd_portid, nla_get_u64(epoch),
				     granted ? nla_get_u64(granted) : 0,
				     info->extack);
}

int ctiha_daemon_cmd_renew(struct sk_buff *request, struct genl_info *info)
{
	struct nlattr *granted = info->attrs[CTIHA_A_GRANT_SENT_NS];
	struct nlattr *epoch = info->attrs[CTIHA_A_EPOCH];
	struct ctiha_node *node = ctiha_command_node(info);

	if (!node)
		return -ENOENT;
	if (!epoch || !granted) {
		NL_SET_ERR_MSG(info->extack,
			       "renew: give epoch and grant-sent-ns");
		return -EINVAL;
	}
	return ctiha_daemon_renew(node, info->snd_portid, nla_get_u64(epoch),
				  nla_get_u64(granted), info->extack);
}

int ctiha_daemon_cmd_yield(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_node *node = ctiha_command_node(info);

	return node ? ctiha_daemon_yield(node, info->snd_portid, info->extack) :
		      -ENOENT;
}

int ctiha_daemon_cmd_leave(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_node *node = ctiha_command_node(info);

	return node ? ctiha_daemon_leave(node, info->snd_portid, info->extack) :
		      -ENOENT;
}
