// SPDX-License-Identifier: GPL-2.0-or-later
/* What both the daemon and the command line ask of the module. See genl.h. */
#include "common/genl.h"

struct node_answer {
	struct heartbeat_node *node;
	u64 *event_seq;
};

static int take_node(const struct genl_message *message, void *arg)
{
	struct node_answer *answer = arg;

	return genl_read_node(message->attr[CTIHA_A_NODE], answer->node,
			      answer->event_seq);
}

static int take_peer(const struct genl_message *message, void *arg)
{
	return genl_read_peer(message->attr[CTIHA_A_PEER], arg);
}

static int take_link(const struct genl_message *message, void *arg)
{
	struct heartbeat_snapshot *snap = arg;

	if (snap->link_count == HEARTBEAT_LINKS)
		return -EPROTO;
	return genl_read_link(message->attr[CTIHA_A_LINK],
			      &snap->links[snap->link_count++]);
}

int genl_request_node(struct genl *genl, struct heartbeat_node *node,
		      u64 *event_seq)
{
	struct node_answer answer = { .node = node, .event_seq = event_seq };

	genl_begin(genl, CTIHA_CMD_NODE_GET);
	return genl_call(genl, take_node, &answer);
}

int genl_request_peer(struct genl *genl, struct heartbeat_peer *peer)
{
	genl_begin(genl, CTIHA_CMD_PEER_GET);
	return genl_call(genl, take_peer, peer);
}

int genl_request_links(struct genl *genl, struct heartbeat_snapshot *snap)
{
	snap->link_count = 0;
	genl_begin(genl, CTIHA_CMD_LINK_GET);
	return genl_dump(genl, take_link, snap);
}

int genl_request_link_add(struct genl *genl,
			  const struct heartbeat_link_spec *spec, u32 ifindex)
{
	struct nlmsghdr *nlh = genl_begin(genl, CTIHA_CMD_LINK_ADD);
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_LINK);

	mnl_attr_put_strz(nlh, CTIHA_A_LINK_NAME, spec->name);
	mnl_attr_put_u8(nlh, CTIHA_A_LINK_KIND, spec->kind);
	mnl_attr_put_u32(nlh, CTIHA_A_LINK_IFINDEX, ifindex);
	mnl_attr_put(nlh, CTIHA_A_LINK_PEER_MAC, sizeof(spec->peer_mac),
		     spec->peer_mac);
	mnl_attr_put_u32(nlh, CTIHA_A_LINK_INTERVAL_US, spec->interval_us);
	mnl_attr_put_u8(nlh, CTIHA_A_LINK_MULTIPLIER, spec->multiplier);
	mnl_attr_nest_end(nlh, nest);
	return genl_call(genl, NULL, NULL);
}

int genl_request_link_del(struct genl *genl, const char *name)
{
	struct nlmsghdr *nlh = genl_begin(genl, CTIHA_CMD_LINK_DEL);
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_LINK);

	mnl_attr_put_strz(nlh, CTIHA_A_LINK_NAME, name);
	mnl_attr_nest_end(nlh, nest);
	return genl_call(genl, NULL, NULL);
}

int genl_request_switch_set(struct genl *genl, u32 ifindex)
{
	struct nlmsghdr *nlh = genl_begin(genl, CTIHA_CMD_SWITCH_SET);
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_SWITCH);

	mnl_attr_put_u32(nlh, CTIHA_A_SWITCH_IFINDEX, ifindex);
	mnl_attr_nest_end(nlh, nest);
	return genl_call(genl, NULL, NULL);
}
