// SPDX-License-Identifier: GPL-2.0
/*
 * What each request may hold. Ranges are checked by functions and not by the
 * policy's own, because those can say neither which attribute nor what to do.
 */
#include <linux/etherdevice.h>
#include <linux/in6.h>
#include <linux/time64.h>
#include <net/netlink.h>

#include "policy.h"

#define LEASE_MIN_NS	(1ULL * NSEC_PER_MSEC)
#define LEASE_MAX_NS	(3600ULL * NSEC_PER_SEC)
#define WATCH_MAX_MS	(3600U * MSEC_PER_SEC)

/* Leaves room to count on; nobody gets there by takeovers. */
#define EPOCH_MAX	(U64_MAX >> 1)

#define REPORT_ALL	(((CTIHA_REPORT_SWITCH << 1) - 1) | CTIHA_REPORT_KERNEL)

#define REFUSE(extack, attr, text)				\
({								\
	NL_SET_ERR_MSG_ATTR(extack, attr, text);		\
	-ERANGE;						\
})

static int check_node_id(const struct nlattr *attr,
			 struct netlink_ext_ack *extack)
{
	if (nla_get_u8(attr) <= 1)
		return 0;
	return REFUSE(extack, attr, "node id: give one server 0, the other 1");
}

static int check_lease(const struct nlattr *attr,
		       struct netlink_ext_ack *extack)
{
	u64 ns = nla_get_u64(attr);

	if (ns >= LEASE_MIN_NS && ns <= LEASE_MAX_NS)
		return 0;
	return REFUSE(extack, attr, "node lease-ns: use 1 ms to 1 h");
}

static int check_promise(const struct nlattr *attr,
			 struct netlink_ext_ack *extack)
{
	u64 ns = nla_get_u64(attr);

	if (ns > LEASE_MIN_NS && ns <= LEASE_MAX_NS)
		return 0;
	return REFUSE(extack, attr, "node promise-ns: use more than the lease, at most 1 h");
}

static int check_epoch(const struct nlattr *attr,
		       struct netlink_ext_ack *extack)
{
	if (nla_get_u64(attr) <= EPOCH_MAX)
		return 0;
	return REFUSE(extack, attr, "epoch: use one below 2^63");
}

static int check_slot(const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	if (nla_get_u8(attr) < CTIHA_KEY_SLOTS)
		return 0;
	return REFUSE(extack, attr, "key-slot: use 0 or 1");
}

static int check_name(const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	size_t len = strlen(nla_data(attr));

	if (len && len < CTIHA_LINK_NAME_LEN)
		return 0;
	return REFUSE(extack, attr, "link name: use 1 to 15 characters, crossover or lan");
}

static int check_kind(const struct nlattr *attr, struct netlink_ext_ack *extack)
{
	u8 kind = nla_get_u8(attr);

	if (kind == CTIHA_LINK_CROSSOVER || kind == CTIHA_LINK_LAN)
		return 0;
	return REFUSE(extack, attr, "link kind: use 1 for crossover or 2 for lan");
}

static int check_ifindex(const struct nlattr *attr,
			 struct netlink_ext_ack *extack)
{
	u32 ifindex = nla_get_u32(attr);

	if (ifindex && ifindex <= INT_MAX)
		return 0;
	return REFUSE(extack, attr, "link ifindex: is not that of a net device");
}

static int check_peer_mac(const struct nlattr *attr,
			  struct netlink_ext_ack *extack)
{
	if (nla_len(attr) == ETH_ALEN && !is_zero_ether_addr(nla_data(attr)))
		return 0;
	return REFUSE(extack, attr, "link peer-mac: 6 bytes, not all zero, or leave it out");
}

static int check_interval(const struct nlattr *attr,
			  struct netlink_ext_ack *extack)
{
	u32 us = nla_get_u32(attr);

	if (us >= CTIHA_INTERVAL_MIN_US && us <= CTIHA_INTERVAL_MAX_US)
		return 0;
	return REFUSE(extack, attr, "link interval-us: use 1000 (1 ms) to 10000000 (10 s)");
}

static int check_multiplier(const struct nlattr *attr,
			    struct netlink_ext_ack *extack)
{
	u8 multiplier = nla_get_u8(attr);

	if (multiplier >= CTIHA_MULTIPLIER_MIN &&
	    multiplier <= CTIHA_MULTIPLIER_MAX)
		return 0;
	return REFUSE(extack, attr, "link multiplier: use 2 to 50");
}

static int check_watch(const struct nlattr *attr,
		       struct netlink_ext_ack *extack)
{
	u32 ms = nla_get_u32(attr);

	if (ms && ms <= WATCH_MAX_MS)
		return 0;
	return REFUSE(extack, attr, "watch-ms: use 1 to 3600000 (1 h)");
}

static int check_report(const struct nlattr *attr,
			struct netlink_ext_ack *extack)
{
	if (!(nla_get_u32(attr) & ~REPORT_ALL))
		return 0;
	return REFUSE(extack, attr, "report: has bits that this module does not know");
}

static int check_fence_address(const struct nlattr *attr,
			       struct netlink_ext_ack *extack)
{
	if (nla_len(attr) == sizeof(struct in_addr) ||
	    nla_len(attr) == sizeof(struct in6_addr))
		return 0;
	return REFUSE(extack, attr, "fence address: 4 bytes for IPv4, 16 for IPv6");
}

static int check_last_resort(const struct nlattr *attr,
			     struct netlink_ext_ack *extack)
{
	if (nla_get_u8(attr) <= CTIHA_LAST_RESORT_PANIC)
		return 0;
	return REFUSE(extack, attr, "fence last-resort: use 0 for none, 1 for reboot or 2 for panic");
}

static int check_switch_ifindex(const struct nlattr *attr,
				struct netlink_ext_ack *extack)
{
	if (nla_get_u32(attr) <= INT_MAX)
		return 0;
	return REFUSE(extack, attr, "switch ifindex: is not that of a net device");
}

static const struct nla_policy fence_set[CTIHA_A_FENCE_MAX + 1] = {
	[CTIHA_A_FENCE_ADDRESS] =
		NLA_POLICY_VALIDATE_FN(NLA_BINARY, check_fence_address,
				       sizeof(struct in6_addr)),
	[CTIHA_A_FENCE_LAST_RESORT] =
		NLA_POLICY_VALIDATE_FN(NLA_U8, check_last_resort),
};

static const struct nla_policy switch_set[CTIHA_A_SWITCH_MAX + 1] = {
	[CTIHA_A_SWITCH_IFINDEX] =
		NLA_POLICY_VALIDATE_FN(NLA_U32, check_switch_ifindex),
};

static const struct nla_policy node_set[CTIHA_A_NODE_MAX + 1] = {
	[CTIHA_A_NODE_ID] = NLA_POLICY_VALIDATE_FN(NLA_U8, check_node_id),
	[CTIHA_A_NODE_PAIR] = { .type = NLA_U32 },
	[CTIHA_A_NODE_LEASE_NS] = NLA_POLICY_VALIDATE_FN(NLA_U64, check_lease),
	[CTIHA_A_NODE_PROMISE_NS] =
		NLA_POLICY_VALIDATE_FN(NLA_U64, check_promise),
	[CTIHA_A_NODE_EPOCH] = NLA_POLICY_VALIDATE_FN(NLA_U64, check_epoch),
};

static const struct nla_policy link_add[CTIHA_A_LINK_MAX + 1] = {
	[CTIHA_A_LINK_NAME] =
		NLA_POLICY_VALIDATE_FN(NLA_NUL_STRING, check_name),
	[CTIHA_A_LINK_KIND] = NLA_POLICY_VALIDATE_FN(NLA_U8, check_kind),
	[CTIHA_A_LINK_IFINDEX] = NLA_POLICY_VALIDATE_FN(NLA_U32, check_ifindex),
	[CTIHA_A_LINK_PEER_MAC] =
		NLA_POLICY_VALIDATE_FN(NLA_BINARY, check_peer_mac, ETH_ALEN),
	[CTIHA_A_LINK_INTERVAL_US] =
		NLA_POLICY_VALIDATE_FN(NLA_U32, check_interval),
	[CTIHA_A_LINK_MULTIPLIER] =
		NLA_POLICY_VALIDATE_FN(NLA_U8, check_multiplier),
};

static const struct nla_policy link_name[CTIHA_A_LINK_MAX + 1] = {
	[CTIHA_A_LINK_NAME] =
		NLA_POLICY_VALIDATE_FN(NLA_NUL_STRING, check_name),
};

const struct nla_policy ctiha_policy_none[CTIHA_A_MAX + 1] = {};

const struct nla_policy ctiha_policy_node[CTIHA_A_MAX + 1] = {
	[CTIHA_A_NODE] = NLA_POLICY_NESTED(node_set),
};

const struct nla_policy ctiha_policy_key[CTIHA_A_MAX + 1] = {
	[CTIHA_A_KEY_SLOT] = NLA_POLICY_VALIDATE_FN(NLA_U8, check_slot),
	[CTIHA_A_KEY] = NLA_POLICY_EXACT_LEN(CTIHA_KEY_LEN),
	[CTIHA_A_KEY_SEND] = { .type = NLA_FLAG },
};

const struct nla_policy ctiha_policy_fence[CTIHA_A_MAX + 1] = {
	[CTIHA_A_FENCE] = NLA_POLICY_NESTED(fence_set),
};

const struct nla_policy ctiha_policy_switch[CTIHA_A_MAX + 1] = {
	[CTIHA_A_SWITCH] = NLA_POLICY_NESTED(switch_set),
};

const struct nla_policy ctiha_policy_link_add[CTIHA_A_MAX + 1] = {
	[CTIHA_A_LINK] = NLA_POLICY_NESTED(link_add),
};

const struct nla_policy ctiha_policy_link_name[CTIHA_A_MAX + 1] = {
	[CTIHA_A_LINK] = NLA_POLICY_NESTED(link_name),
};

const struct nla_policy ctiha_policy_link_get[CTIHA_A_MAX + 1] = {
	[CTIHA_A_LINK] = NLA_POLICY_NESTED(link_name),
	[CTIHA_A_QUALITY] = { .type = NLA_FLAG },
};

const struct nla_policy ctiha_policy_attach[CTIHA_A_MAX + 1] = {
	[CTIHA_A_WATCH_MS] = NLA_POLICY_VALIDATE_FN(NLA_U32, check_watch),
};

const struct nla_policy ctiha_policy_report[CTIHA_A_MAX + 1] = {
	[CTIHA_A_REPORT] = NLA_POLICY_VALIDATE_FN(NLA_U32, check_report),
	[CTIHA_A_SYNC_POS] = { .type = NLA_U64 },
};

const struct nla_policy ctiha_policy_epoch[CTIHA_A_MAX + 1] = {
	[CTIHA_A_EPOCH] = NLA_POLICY_VALIDATE_FN(NLA_U64, check_epoch),
	[CTIHA_A_GRANT_SENT_NS] = { .type = NLA_U64 },
};
