// SPDX-License-Identifier: GPL-2.0
/*
 * The commands that set up the node and ask about it. See command.h.
 */
#include <linux/ktime.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/ipv6.h>

#include "carrier.h"
#include "command.h"
#include "key.h"
#include "message.h"
#include "node.h"
#include "pause.h"

int ctiha_node_cmd_get(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_node *node = ctiha_command_node(info);
	struct ctiha_node_view view;
	unsigned long flags;
	struct sk_buff *skb;
	u64 now_ns;
	void *head;

	if (!node)
		return -ENOENT;
	skb = ctiha_command_reply(info, &head);
	if (!skb)
		return -ENOMEM;
	ctiha_pause_look();
	flags = ctiha_node_lock(node);
	now_ns = ktime_get_ns();
	ctiha_node_settle(node, now_ns);
	ctiha_carrier_poll(node, NULL, now_ns);
	ctiha_node_view(node, &view, now_ns);
	ctiha_node_unlock(node, flags);
	return ctiha_command_answer(skb, head, ctiha_message_put_node(skb, &view),
				    info);
}

int ctiha_peer_cmd_get(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_node *node = ctiha_command_node(info);
	struct ctiha_peer peer;
	unsigned long flags;
	struct sk_buff *skb;
	void *head;

	if (!node)
		return -ENOENT;
	skb = ctiha_command_reply(info, &head);
	if (!skb)
		return -ENOMEM;
	flags = ctiha_node_lock(node);
	peer = node->peer;
	ctiha_node_unlock(node, flags);
	return ctiha_command_answer(skb, head, ctiha_message_put_peer(skb, &peer),
				    info);
}

static int read_node_spec(struct genl_info *info, struct ctiha_node_spec *spec)
{
	struct nlattr *tb[CTIHA_A_NODE_MAX + 1];
	int err = ctiha_command_sort(tb, CTIHA_A_NODE_MAX,
				     info->attrs[CTIHA_A_NODE], info->extack);

	if (err)
		return err;
	if (!tb[CTIHA_A_NODE_ID] || !tb[CTIHA_A_NODE_PAIR] ||
	    !tb[CTIHA_A_NODE_LEASE_NS] || !tb[CTIHA_A_NODE_PROMISE_NS]) {
		NL_SET_ERR_MSG(info->extack,
			       "node: give id, pair, lease-ns and promise-ns");
		return -EINVAL;
	}
	spec->id = nla_get_u8(tb[CTIHA_A_NODE_ID]);
	spec->pair = nla_get_u32(tb[CTIHA_A_NODE_PAIR]);
	spec->lease_ns = nla_get_u64(tb[CTIHA_A_NODE_LEASE_NS]);
	spec->promise_ns = nla_get_u64(tb[CTIHA_A_NODE_PROMISE_NS]);
	if (spec->promise_ns <= spec->lease_ns) {
		NL_SET_ERR_MSG_ATTR(info->extack, tb[CTIHA_A_NODE_PROMISE_NS],
				    "node promise-ns: has to exceed lease-ns");
		return -ERANGE;
	}
	if (tb[CTIHA_A_NODE_EPOCH])
		spec->epoch = nla_get_u64(tb[CTIHA_A_NODE_EPOCH]);
	return 0;
}

int ctiha_node_cmd_set(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_net *cn = ctiha_net(genl_info_net(info));
	struct ctiha_node_spec spec = {};
	int err = read_node_spec(info, &spec);

	if (err)
		return err;
	mutex_lock(&cn->config);
	err = ctiha_node_set(genl_info_net(info), &spec, info->extack);
	mutex_unlock(&cn->config);
	return err;
}

int ctiha_key_cmd_set(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_net *cn = ctiha_net(genl_info_net(info));
	struct nlattr *slot = info->attrs[CTIHA_A_KEY_SLOT];
	struct nlattr *key = info->attrs[CTIHA_A_KEY];
	bool send = info->attrs[CTIHA_A_KEY_SEND];
	struct ctiha_node *node = ctiha_command_node(info);
	int err = -EINVAL;

	if (!slot || (send && !key)) {
		NL_SET_ERR_MSG(info->extack,
			       "key: give key-slot and key; key-slot alone empties it");
	} else if (!node) {
		err = -ENOENT;
	} else {
		mutex_lock(&cn->config);
		if (key)
			err = ctiha_key_set(node, nla_get_u8(slot), nla_data(key), send);
		else
			err = ctiha_key_drop(node, nla_get_u8(slot), info->extack);
		mutex_unlock(&cn->config);
	}
	if (key)
		memzero_explicit(nla_data(key), nla_len(key));
	return err;
}

static int add_fence_address(struct ctiha_fence_spec *spec,
			     const struct nlattr *attr,
			     struct netlink_ext_ack *extack)
{
	if (spec->count == CTIHA_FENCE_ADDRESSES) {
		NL_SET_ERR_MSG_ATTR(extack, attr,
				    "fence address: at most 16 of them");
		return -E2BIG;
	}
	if (nla_len(attr) == sizeof(struct in_addr))
		ipv6_addr_set_v4mapped(nla_get_in_addr(attr),
				       &spec->addresses[spec->count++]);
	else
		spec->addresses[spec->count++] = nla_get_in6_addr(attr);
	return 0;
}

static int read_fence_spec(struct genl_info *info,
			   struct ctiha_fence_spec *spec)
{
	struct nlattr *nest = info->attrs[CTIHA_A_FENCE];
	const struct nlattr *attr;
	int left, err = 0;

	if (!nest) {
		NL_SET_ERR_MSG(info->extack,
			       "fence: give its addresses, or an empty nest for none");
		return -EINVAL;
	}
	nla_for_each_nested(attr, nest, left) {
		if (nla_type(attr) == CTIHA_A_FENCE_LAST_RESORT)
			spec->last_resort = nla_get_u8(attr);
		else
			err = add_fence_address(spec, attr, info->extack);
		if (err)
			return err;
	}
	return 0;
}

int ctiha_fence_cmd_set(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_net *cn = ctiha_net(genl_info_net(info));
	struct ctiha_node *node = ctiha_command_node(info);
	struct ctiha_fence_spec spec = {};
	int err;

	if (!node)
		return -ENOENT;
	err = read_fence_spec(info, &spec);
	if (err)
		return err;
	rtnl_lock();
	mutex_lock(&cn->config);
	err = ctiha_fence_set(node, &spec, info->extack);
	mutex_unlock(&cn->config);
	rtnl_unlock();
	return err;
}
