// SPDX-License-Identifier: GPL-2.0-or-later
/* The node in the kernel module, and its role. See module.h. */
#include <errno.h>

#include "common/log.h"
#include "daemon/heartbeat/module.h"

/* Requests. */

static int call_plain(struct module *m, u8 command)
{
	genl_begin(m->request, command);
	return genl_call(m->request, NULL, NULL);
}

static int call_attach(struct module *m)
{
	struct nlmsghdr *nlh = genl_begin(m->request, CTIHA_CMD_ATTACH);

	mnl_attr_put_u32(nlh, CTIHA_A_WATCH_MS, m->watch_ms);
	return genl_call(m->request, NULL, NULL);
}

static int call_node_set(struct module *m,
			 const struct heartbeat_node_spec *spec)
{
	struct nlmsghdr *nlh = genl_begin(m->request, CTIHA_CMD_NODE_SET);
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_NODE);

	mnl_attr_put_u8(nlh, CTIHA_A_NODE_ID, spec->id);
	mnl_attr_put_u32(nlh, CTIHA_A_NODE_PAIR, spec->pair);
	mnl_attr_put_u64(nlh, CTIHA_A_NODE_LEASE_NS, spec->lease_ns);
	mnl_attr_put_u64(nlh, CTIHA_A_NODE_PROMISE_NS, spec->promise_ns);
	mnl_attr_put_u64(nlh, CTIHA_A_NODE_EPOCH, spec->epoch);
	mnl_attr_nest_end(nlh, nest);
	return genl_call(m->request, NULL, NULL);
}

/* An unused slot is emptied. */
static int call_key_set(struct module *m, const struct keys *keys, u8 slot)
{
	struct nlmsghdr *nlh = genl_begin(m->request, CTIHA_CMD_KEY_SET);

	mnl_attr_put_u8(nlh, CTIHA_A_KEY_SLOT, slot);
	if (keys->used[slot])
		mnl_attr_put(nlh, CTIHA_A_KEY, CTIHA_KEY_LEN, keys->key[slot]);
	if (slot == keys->send)
		mnl_attr_put(nlh, CTIHA_A_KEY_SEND, 0, NULL);
	return genl_call(m->request, NULL, NULL);
}

/* The one to send with first: the other may have been that until now. */
static int set_keys(struct module *m, const struct keys *keys)
{
	int ret = call_key_set(m, keys, keys->send);

	return ret ? ret : call_key_set(m, keys, !keys->send);
}

static int call_epoch(struct module *m, u8 command, u64 epoch, u64 granted_ns)
{
	struct nlmsghdr *nlh = genl_begin(m->request, command);

	mnl_attr_put_u64(nlh, CTIHA_A_EPOCH, epoch);
	if (granted_ns)
		mnl_attr_put_u64(nlh, CTIHA_A_GRANT_SENT_NS, granted_ns);
	return genl_call(m->request, NULL, NULL);
}

static int call_report(struct module *m, u32 report, u64 sync_pos)
{
	struct nlmsghdr *nlh = genl_begin(m->request, CTIHA_CMD_REPORT);

	mnl_attr_put_u32(nlh, CTIHA_A_REPORT,
			 report & ~(u32)CTIHA_REPORT_KERNEL);
	mnl_attr_put_u64(nlh, CTIHA_A_SYNC_POS, sync_pos);
	return genl_call(m->request, NULL, NULL);
}

/* Making it, or taking it over. */

static int delete_links(struct module *m)
{
	struct heartbeat_snapshot now;
	unsigned int i;
	int ret = genl_request_links(m->request, &now);

	for (i = 0; !ret && i < now.link_count; i++)
		ret = genl_request_link_del(m->request, now.links[i].name);
	return ret;
}

/*
 * A node may be there from a former daemon. Attach before anything else is
 * done to it: that fails while its daemon lives. If it is another one, its
 * links have to go before it can change.
 */
static int take_over_node(struct module *m,
			  const struct heartbeat_node_spec *spec)
{
	int ret = call_attach(m);

	if (ret)
		return ret;
	ret = call_node_set(m, spec);
	if (ret != -EBUSY)
		return ret;
	ret = delete_links(m);
	return ret ? ret : call_node_set(m, spec);
}

int module_node_open(struct module *m, const struct heartbeat_node_spec *spec)
{
	struct heartbeat_node node;
	u64 seq;
	int ret = genl_request_node(m->request, &node, &seq);

	if (!ret) {
		ret = take_over_node(m, spec);
	} else if (ret == -ENOENT) {
		ret = call_node_set(m, spec);
		if (!ret)
			ret = call_attach(m);
	}
	if (!ret)
		ret = set_keys(m, &spec->keys);
	if (!ret)
		ret = genl_request_node(m->request, &node, &m->seq);
	return ret;
}

/* The fence. */

static void put_fence_address(struct nlmsghdr *nlh, const struct in6_addr *address)
{
	if (IN6_IS_ADDR_V4MAPPED(address))
		mnl_attr_put(nlh, CTIHA_A_FENCE_ADDRESS, sizeof(struct in_addr),
			     &address->s6_addr[12]);
	else
		mnl_attr_put(nlh, CTIHA_A_FENCE_ADDRESS, sizeof(*address),
			     address);
}

int module_node_fence(struct heartbeat *hb, const struct heartbeat_fence *fence)
{
	struct module *m = (struct module *)hb;
	struct nlmsghdr *nlh = genl_begin(m->request, CTIHA_CMD_FENCE_SET);
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_FENCE);
	unsigned int i;

	mnl_attr_put_u8(nlh, CTIHA_A_FENCE_LAST_RESORT, fence->last_resort);
	for (i = 0; i < fence->count; i++)
		put_fence_address(nlh, &fence->addresses[i]);
	mnl_attr_nest_end(nlh, nest);
	return genl_call(m->request, NULL, NULL);
}

/* The role. */

/*
 * We were stopped for so long that the module declared us dead, yielded and
 * told the peer. What we know is old: attach again, and learn it anew.
 */
static int come_back(struct module *m, u32 report, u64 sync_pos)
{
	int ret = call_attach(m);

	if (!ret)
		ret = call_report(m, report, sync_pos);
	if (ret)
		return ret;
	log_warning("this process was silent for more than %u ms: the module left the active role if it was held", m->watch_ms);
	module_resync_later(m);
	return 0;
}

int module_node_rekey(struct heartbeat *hb, const struct keys *keys)
{
	return set_keys((struct module *)hb, keys);
}

int module_node_report(struct heartbeat *hb, u32 report, u64 sync_pos)
{
	struct module *m = (struct module *)hb;
	int ret = call_report(m, report, sync_pos);

	if (ret == -ESTALE)
		ret = come_back(m, report, sync_pos);
	if (ret == -ENOENT)
		module_break_down(m, "the kernel module ctiha was removed; load the module: modprobe ctiha, and start again");
	return ret;
}

int module_node_activate(struct heartbeat *hb, u64 epoch, u64 granted_ns)
{
	return call_epoch((struct module *)hb, CTIHA_CMD_ACTIVATE, epoch,
			  granted_ns);
}

int module_node_renew(struct heartbeat *hb, u64 epoch, u64 granted_ns)
{
	return call_epoch((struct module *)hb, CTIHA_CMD_RENEW, epoch,
			  granted_ns);
}

int module_node_yield(struct heartbeat *hb)
{
	return call_plain((struct module *)hb, CTIHA_CMD_YIELD);
}

int module_node_leave(struct heartbeat *hb)
{
	return call_plain((struct module *)hb, CTIHA_CMD_LEAVE);
}
