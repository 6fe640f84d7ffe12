// SPDX-License-Identifier: GPL-2.0
/*
 * The commands about links. See command.h.
 */
#include <linux/etherdevice.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/sock.h>

#include "command.h"
#include "link.h"
#include "message.h"
#include "netlink.h"
#include "node.h"
#include "quality.h"

static int read_link_spec(struct genl_info *info, struct ctiha_link_spec *spec)
{
	struct nlattr *tb[CTIHA_A_LINK_MAX + 1];
	int err = ctiha_command_sort(tb, CTIHA_A_LINK_MAX,
				     info->attrs[CTIHA_A_LINK], info->extack);

	if (err)
		return err;
	if (!tb[CTIHA_A_LINK_NAME] || !tb[CTIHA_A_LINK_KIND] ||
	    !tb[CTIHA_A_LINK_IFINDEX] || !tb[CTIHA_A_LINK_INTERVAL_US] ||
	    !tb[CTIHA_A_LINK_MULTIPLIER]) {
		NL_SET_ERR_MSG(info->extack,
			       "link: give name, kind, ifindex, interval-us and multiplier");
		return -EINVAL;
	}
	nla_strscpy(spec->name, tb[CTIHA_A_LINK_NAME], sizeof(spec->name));
	spec->kind = nla_get_u8(tb[CTIHA_A_LINK_KIND]);
	spec->ifindex = nla_get_u32(tb[CTIHA_A_LINK_IFINDEX]);
	spec->interval_us = nla_get_u32(tb[CTIHA_A_LINK_INTERVAL_US]);
	spec->multiplier = nla_get_u8(tb[CTIHA_A_LINK_MULTIPLIER]);
	eth_broadcast_addr(spec->peer_mac);
	if (tb[CTIHA_A_LINK_PEER_MAC])
		ether_addr_copy(spec->peer_mac,
				nla_data(tb[CTIHA_A_LINK_PEER_MAC]));
	return 0;
}

int ctiha_link_cmd_add(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_net *cn = ctiha_net(genl_info_net(info));
	struct ctiha_node *node = ctiha_command_node(info);
	struct ctiha_link_spec spec = {};
	int err;

	if (!node)
		return -ENOENT;
	err = read_link_spec(info, &spec);
	if (!err)	/* an incarnation that can be guessed can be replayed */
		err = wait_for_random_bytes();
	if (err)
		return err;
	rtnl_lock();
	mutex_lock(&cn->config);
	err = ctiha_link_add(node, &spec, info->extack);
	mutex_unlock(&cn->config);
	rtnl_unlock();
	return err;
}

static int read_link_name(struct genl_info *info, char *name)
{
	struct nlattr *tb[CTIHA_A_LINK_MAX + 1];
	int err = ctiha_command_sort(tb, CTIHA_A_LINK_MAX,
				     info->attrs[CTIHA_A_LINK], info->extack);

	if (err)
		return err;
	if (!tb[CTIHA_A_LINK_NAME]) {
		NL_SET_ERR_MSG(info->extack, "link: give its name");
		return -EINVAL;
	}
	nla_strscpy(name, tb[CTIHA_A_LINK_NAME], CTIHA_LINK_NAME_LEN);
	return 0;
}

int ctiha_link_cmd_del(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_net *cn = ctiha_net(genl_info_net(info));
	struct ctiha_node *node = ctiha_command_node(info);
	char name[CTIHA_LINK_NAME_LEN];
	struct ctiha_link *link;
	int err;

	if (!node)
		return -ENOENT;
	err = read_link_name(info, name);
	if (err)
		return err;
	mutex_lock(&cn->config);
	link = ctiha_link_find(node, name);
	if (link) {
		ctiha_link_del(link, CTIHA_DIAG_NONE, CTIHA_CAUSE_COMMAND);
	} else {
		NL_SET_ERR_MSG(info->extack, "link name: there is no such link");
		err = -ENOENT;
	}
	mutex_unlock(&cn->config);
	return err;
}

static void view_link(struct ctiha_link *link, struct ctiha_link_view *view)
{
	unsigned long flags = ctiha_node_lock(link->node);

	ctiha_link_view(link, view);
	ctiha_node_unlock(link->node, flags);
	/* Many CPUs make it long: not under the lock, for anyone may ask. */
	ctiha_quality_add_counts(link->quality, view->stats);
}

static int answer_link(struct sk_buff *skb, struct ctiha_node *node,
		       const char *name, struct genl_info *info)
{
	struct ctiha_link_view view;
	struct ctiha_link *link;
	int err = -ENOENT;

	rcu_read_lock();
	link = ctiha_link_find(node, name);
	if (link) {
		view_link(link, &view);
		if (info->attrs[CTIHA_A_QUALITY])
			view.quality = link->quality;
		err = ctiha_message_put_link(skb, &view);
	}
	rcu_read_unlock();
	if (err == -ENOENT)
		NL_SET_ERR_MSG(info->extack,
			       "link name: there is no such link");
	return err;
}

int ctiha_link_cmd_get(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_node *node = ctiha_command_node(info);
	char name[CTIHA_LINK_NAME_LEN];
	struct sk_buff *skb;
	void *head;
	int err;

	if (!node)
		return -ENOENT;
	err = read_link_name(info, name);
	if (err)
		return err;
	skb = ctiha_command_reply(info, &head);
	if (!skb)
		return -ENOMEM;
	return ctiha_command_answer(skb, head,
				    answer_link(skb, node, name, info), info);
}

static int dump_link(struct sk_buff *skb, struct netlink_callback *cb,
		     const struct ctiha_link_view *view)
{
	void *head = genlmsg_put(skb, NETLINK_CB(cb->skb).portid,
				 cb->nlh->nlmsg_seq, &ctiha_family, NLM_F_MULTI,
				 CTIHA_CMD_LINK_GET);

	if (!head)
		return -EMSGSIZE;
	if (ctiha_message_put_link(skb, view)) {
		genlmsg_cancel(skb, head);
		return -EMSGSIZE;
	}
	genlmsg_end(skb, head);
	return 0;
}

/* cb->args[0] is the index of the next link to tell of. */
int ctiha_link_cmd_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	struct ctiha_node *node = ctiha_node_of(sock_net(skb->sk));
	struct ctiha_link_view view;
	struct ctiha_link *link;
	int err = 0;

	for (; node && !err && cb->args[0] < CTIHA_LINKS; cb->args[0]++) {
		rcu_read_lock();
		link = ctiha_link_configured(node, cb->args[0]);
		if (link)
			view_link(link, &view);
		rcu_read_unlock();
		if (link)
			err = dump_link(skb, cb, &view);
		if (err)
			break;
	}
	return skb->len ? skb->len : err;
}
