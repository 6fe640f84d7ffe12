// SPDX-License-Identifier: GPL-2.0
/*
 * What all commands begin and end with. See command.h.
 */
#include <net/genetlink.h>

#include "command.h"
#include "message.h"
#include "netlink.h"
#include "node.h"

struct ctiha_node *ctiha_command_node(struct genl_info *info)
{
	struct ctiha_node *node = ctiha_node_of(genl_info_net(info));

	if (!node)
		NL_SET_ERR_MSG(info->extack,
			       "no node in this namespace: NODE_SET it first");
	return node;
}

int ctiha_command_sort(struct nlattr **tb, int max, const struct nlattr *nest,
		       struct netlink_ext_ack *extack)
{
	memset(tb, 0, (max + 1) * sizeof(*tb));
	return nest ? nla_parse_nested(tb, max, nest, NULL, extack) : 0;
}

struct sk_buff *ctiha_command_reply(struct genl_info *info, void **head)
{
	struct sk_buff *skb = genlmsg_new(CTIHA_MESSAGE_SIZE, GFP_KERNEL);

	if (!skb)
		return NULL;
	*head = genlmsg_put_reply(skb, info, &ctiha_family, 0,
				  info->genlhdr->cmd);
	return skb;
}

int ctiha_command_answer(struct sk_buff *skb, void *head, int err,
			 struct genl_info *info)
{
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	genlmsg_end(skb, head);
	return genlmsg_reply(skb, info);
}
