// SPDX-License-Identifier: GPL-2.0
/*
 * The generic netlink family: one function per command.
 *
 * The policies (policy.c) have checked the attributes that are there, nested
 * ones included; here it is checked that those needed are there, and that they
 * fit together.
 */
#include <linux/etherdevice.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <net/genetlink.h>
#include <net/ipv6.h>
#include <net/sock.h>

#include "carrier.h"
#include "daemon.h"
#include "key.h"
#include "link.h"
#include "message.h"
#include "netlink.h"
#include "node.h"
#include "policy.h"
#include "quality.h"
#include "switch.h"

static struct ctiha_node *need_node(struct genl_info *info)
{
	struct ctiha_node *node = ctiha_node_of(genl_info_net(info));

	if (!node)
		NL_SET_ERR_MSG(info->extack,
			       "no node in this namespace: NODE_SET it first");
	return node;
}

/* The policy has checked the nest: this only sorts it. */
static int sort_nest(struct nlattr **tb, int max, const struct nlattr *nest,
		     struct netlink_ext_ack *extack)
{
	return nla_parse_nested(tb, max, nest, NULL, extack);
}

/* A reply that has to be filled in and sent with reply_send(). */
static struct sk_buff *reply_new(struct genl_info *info, void **head)
{
	struct sk_buff *skb = genlmsg_new(CTIHA_MESSAGE_SIZE, GFP_KERNEL);

	if (!skb)
		return NULL;
	*head = genlmsg_put_reply(skb, info, &ctiha_family, 0,
				  info->genlhdr->cmd);
	return skb;
}

static int reply_send(struct sk_buff *skb, void *head, int err,
		      struct genl_info *info)
{
	if (err) {
		nlmsg_free(skb);
		return err;
	}
	genlmsg_end(skb, head);
	return genlmsg_reply(skb, info);
}

static int cmd_node_get(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_node *node = need_node(info);
	struct ctiha_node_view view;
	unsigned long flags;
	struct sk_buff *skb;
	u64 now_ns;
	void *head;

	if (!node)
		return -ENOENT;
	skb = reply_new(info, &head);
	if (!skb)
		return -ENOMEM;
	flags = ctiha_node_lock(node);
	now_ns = ktime_get_ns();
	ctiha_node_settle(node, now_ns);
	ctiha_carrier_poll(node, NULL, now_ns);
	ctiha_node_view(node, &view, now_ns);
	ctiha_node_unlock(node, flags);
	return reply_send(skb, head, ctiha_message_put_node(skb, &view), info);
}

static int cmd_peer_get(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_node *node = need_node(info);
	struct ctiha_peer peer;
	unsigned long flags;
	struct sk_buff *skb;
	void *head;

	if (!node)
		return -ENOENT;
	skb = reply_new(info, &head);
	if (!skb)
		return -ENOMEM;
	flags = ctiha_node_lock(node);
	peer = node->peer;
	ctiha_node_unlock(node, flags);
	return reply_send(skb, head, ctiha_message_put_peer(skb, &peer), info);
}

static int read_node_spec(struct genl_info *info, struct ctiha_node_spec *spec)
{
	struct nlattr *tb[CTIHA_A_NODE_MAX + 1] = {};
	struct nlattr *nest = info->attrs[CTIHA_A_NODE];
	int err = nest ? sort_nest(tb, CTIHA_A_NODE_MAX, nest, info->extack) : 0;

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

static int cmd_node_set(struct sk_buff *request, struct genl_info *info)
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

static int cmd_key_set(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_net *cn = ctiha_net(genl_info_net(info));
	struct nlattr *slot = info->attrs[CTIHA_A_KEY_SLOT];
	struct nlattr *key = info->attrs[CTIHA_A_KEY];
	bool send = info->attrs[CTIHA_A_KEY_SEND];
	struct ctiha_node *node = need_node(info);
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

static int cmd_fence_set(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_net *cn = ctiha_net(genl_info_net(info));
	struct ctiha_node *node = need_node(info);
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

static int read_link_spec(struct genl_info *info, struct ctiha_link_spec *spec)
{
	struct nlattr *tb[CTIHA_A_LINK_MAX + 1] = {};
	struct nlattr *nest = info->attrs[CTIHA_A_LINK];
	int err = nest ? sort_nest(tb, CTIHA_A_LINK_MAX, nest, info->extack) : 0;

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

static int cmd_link_add(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_net *cn = ctiha_net(genl_info_net(info));
	struct ctiha_node *node = need_node(info);
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
	struct nlattr *tb[CTIHA_A_LINK_MAX + 1] = {};
	struct nlattr *nest = info->attrs[CTIHA_A_LINK];
	int err = nest ? sort_nest(tb, CTIHA_A_LINK_MAX, nest, info->extack) : 0;

	if (err)
		return err;
	if (!tb[CTIHA_A_LINK_NAME]) {
		NL_SET_ERR_MSG(info->extack, "link: give its name");
		return -EINVAL;
	}
	nla_strscpy(name, tb[CTIHA_A_LINK_NAME], CTIHA_LINK_NAME_LEN);
	return 0;
}

static int cmd_link_del(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_net *cn = ctiha_net(genl_info_net(info));
	struct ctiha_node *node = need_node(info);
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

static int cmd_link_get(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_node *node = need_node(info);
	char name[CTIHA_LINK_NAME_LEN];
	struct sk_buff *skb;
	void *head;
	int err;

	if (!node)
		return -ENOENT;
	err = read_link_name(info, name);
	if (err)
		return err;
	skb = reply_new(info, &head);
	if (!skb)
		return -ENOMEM;
	return reply_send(skb, head, answer_link(skb, node, name, info), info);
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
static int cmd_link_dump(struct sk_buff *skb, struct netlink_callback *cb)
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

static int cmd_attach(struct sk_buff *request, struct genl_info *info)
{
	struct nlattr *watch = info->attrs[CTIHA_A_WATCH_MS];
	struct ctiha_node *node = need_node(info);

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

static int cmd_report(struct sk_buff *request, struct genl_info *info)
{
	struct nlattr *report = info->attrs[CTIHA_A_REPORT];
	struct nlattr *pos = info->attrs[CTIHA_A_SYNC_POS];
	struct ctiha_node *node = need_node(info);
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

static int cmd_activate(struct sk_buff *request, struct genl_info *info)
{
	struct nlattr *granted = info->attrs[CTIHA_A_GRANT_SENT_NS];
	struct nlattr *epoch = info->attrs[CTIHA_A_EPOCH];
	struct ctiha_node *node = need_node(info);

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

static int cmd_renew(struct sk_buff *request, struct genl_info *info)
{
	struct nlattr *granted = info->attrs[CTIHA_A_GRANT_SENT_NS];
	struct nlattr *epoch = info->attrs[CTIHA_A_EPOCH];
	struct ctiha_node *node = need_node(info);

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

static int cmd_yield(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_node *node = need_node(info);

	return node ? ctiha_daemon_yield(node, info->snd_portid, info->extack) :
		      -ENOENT;
}

static int cmd_leave(struct sk_buff *request, struct genl_info *info)
{
	struct ctiha_node *node = need_node(info);

	return node ? ctiha_daemon_leave(node, info->snd_portid, info->extack) :
		      -ENOENT;
}

/* Those without a policy take no attributes: the family's holds. */
static const struct genl_ops ops[] = {
	{
		.cmd = CTIHA_CMD_NODE_GET,
		.doit = cmd_node_get,
	}, {
		.cmd = CTIHA_CMD_NODE_SET,
		.doit = cmd_node_set,
		.policy = ctiha_policy_node,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_KEY_SET,
		.doit = cmd_key_set,
		.policy = ctiha_policy_key,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_FENCE_SET,
		.doit = cmd_fence_set,
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
		.doit = cmd_link_get,
		.dumpit = cmd_link_dump,
		.policy = ctiha_policy_link_get,
		.maxattr = CTIHA_A_MAX,
	}, {
		.cmd = CTIHA_CMD_LINK_ADD,
		.doit = cmd_link_add,
		.policy = ctiha_policy_link_add,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_LINK_DEL,
		.doit = cmd_link_del,
		.policy = ctiha_policy_link_name,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_PEER_GET,
		.doit = cmd_peer_get,
	}, {
		.cmd = CTIHA_CMD_ATTACH,
		.doit = cmd_attach,
		.policy = ctiha_policy_attach,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_REPORT,
		.doit = cmd_report,
		.policy = ctiha_policy_report,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_ACTIVATE,
		.doit = cmd_activate,
		.policy = ctiha_policy_epoch,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_RENEW,
		.doit = cmd_renew,
		.policy = ctiha_policy_epoch,
		.maxattr = CTIHA_A_MAX,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_YIELD,
		.doit = cmd_yield,
		.flags = GENL_UNS_ADMIN_PERM,
	}, {
		.cmd = CTIHA_CMD_LEAVE,
		.doit = cmd_leave,
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
