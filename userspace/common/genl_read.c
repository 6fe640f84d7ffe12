// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The module's objects, read out of netlink attributes. See genl.h.
 *
 * Each object is a table: attribute, size, place in the struct. An attribute
 * that the table does not name is newer than this program and skipped.
 */
#include "common/genl.h"

#include <net/if.h>

enum { ANY = UINT8_MAX, OPTIONAL = 0, NEEDED = 1 };

/**
 * struct field - where an attribute goes
 * @size: bytes in the struct; 0: attribute is not read. A string's room.
 * @offset: in the struct
 * @max: of a u8, largest value that makes sense
 * @needed: the object has no meaning without it
 * @string: zero-terminated, may be shorter than @size
 * @flag: a u8 on the wire, a bool here
 */
struct field {
	u16 size;
	u16 offset;
	u8 max;
	bool needed;
	bool string;
	bool flag;
};

#define FIELD(object, member, need, limit) \
	{ .size = sizeof(((struct object *)0)->member), \
	  .offset = offsetof(struct object, member), \
	  .max = limit, .needed = need }
#define FLAG(object, member, need) \
	{ .size = 1, .offset = offsetof(struct object, member), \
	  .max = ANY, .needed = need, .flag = true }
#define STRING(object, member, need) \
	{ .size = sizeof(((struct object *)0)->member), \
	  .offset = offsetof(struct object, member), \
	  .max = ANY, .needed = need, .string = true }

struct node_fields {
	struct heartbeat_node node;
	u64 event_seq;
};

#define NODE(member, need, limit) FIELD(node_fields, node.member, need, limit)

static const struct field node_fields[CTIHA_A_NODE_MAX + 1] = {
	[CTIHA_A_NODE_ID] = NODE(id, NEEDED, 1),
	[CTIHA_A_NODE_PAIR] = NODE(pair, OPTIONAL, ANY),
	[CTIHA_A_NODE_LEASE_NS] = NODE(lease_ns, OPTIONAL, ANY),
	[CTIHA_A_NODE_PROMISE_NS] = NODE(promise_ns, OPTIONAL, ANY),
	[CTIHA_A_NODE_ROLE] = NODE(role, NEEDED, CTIHA_ROLE_ACTIVE),
	[CTIHA_A_NODE_EPOCH] = NODE(epoch, NEEDED, ANY),
	[CTIHA_A_NODE_VOTE_EPOCH] = NODE(vote_epoch, NEEDED, ANY),
	[CTIHA_A_NODE_LEASE_LEFT_NS] = NODE(lease_left_ns, NEEDED, ANY),
	[CTIHA_A_NODE_PROMISE_LEFT_NS] = NODE(promise_left_ns, OPTIONAL, ANY),
	[CTIHA_A_NODE_REPORT] = NODE(report, OPTIONAL, ANY),
	[CTIHA_A_NODE_SYNC_POS] = NODE(sync_pos, OPTIONAL, ANY),
	[CTIHA_A_NODE_EVENT_SEQ] = FIELD(node_fields, event_seq, OPTIONAL, ANY),
};

#define FENCE(member, limit) FIELD(heartbeat_fence, member, OPTIONAL, limit)
#define DROPPED(name) \
	[CTIHA_A_FENCE_DROPPED_##name] = FENCE(dropped[CTIHA_FENCED_##name], ANY)

static const struct field fence_fields[CTIHA_A_FENCE_MAX + 1] = {
	[CTIHA_A_FENCE_LAST_RESORT] = FENCE(last_resort, CTIHA_LAST_RESORT_PANIC),
	[CTIHA_A_FENCE_CLOSED] = FLAG(heartbeat_fence, closed, NEEDED),
	DROPPED(IPV4), DROPPED(IPV6), DROPPED(ARP), DROPPED(ND),
};

static const struct field switch_fields[CTIHA_A_SWITCH_MAX + 1] = {
	[CTIHA_A_SWITCH_IFINDEX] = FIELD(heartbeat_switch, ifindex, NEEDED, ANY),
	[CTIHA_A_SWITCH_CARRIER] = FLAG(heartbeat_switch, carrier, NEEDED),
};

#define PEER(member, limit) FIELD(heartbeat_peer, member, OPTIONAL, limit)

static const struct field peer_fields[CTIHA_A_PEER_MAX + 1] = {
	[CTIHA_A_PEER_HEARD] = FLAG(heartbeat_peer, heard, NEEDED),
	[CTIHA_A_PEER_LEFT] = FLAG(heartbeat_peer, left, OPTIONAL),
	[CTIHA_A_PEER_ROLE] = PEER(role, CTIHA_ROLE_ACTIVE),
	[CTIHA_A_PEER_EPOCH] = PEER(epoch, ANY),
	[CTIHA_A_PEER_VOTE_EPOCH] = PEER(vote_epoch, ANY),
	[CTIHA_A_PEER_REPORT] = PEER(report, ANY),
	[CTIHA_A_PEER_SYNC_POS] = PEER(sync_pos, ANY),
	[CTIHA_A_PEER_HEARD_NS] = PEER(heard_ns, ANY),
	[CTIHA_A_PEER_LAST_WORDS] = PEER(last_words, ANY),
};

#define LINK(member, need, limit) FIELD(heartbeat_link, member, need, limit)

static const struct field link_fields[CTIHA_A_LINK_MAX + 1] = {
	[CTIHA_A_LINK_NAME] = STRING(heartbeat_link, name, NEEDED),
	[CTIHA_A_LINK_KIND] = LINK(kind, NEEDED, CTIHA_LINK_LAN),
	[CTIHA_A_LINK_IFINDEX] = LINK(ifindex, OPTIONAL, ANY),
	[CTIHA_A_LINK_PEER_MAC] = LINK(peer_mac, OPTIONAL, ANY),
	[CTIHA_A_LINK_INTERVAL_US] = LINK(interval_us, OPTIONAL, ANY),
	[CTIHA_A_LINK_MULTIPLIER] = LINK(multiplier, OPTIONAL, ANY),
	[CTIHA_A_LINK_STATE] = LINK(state, NEEDED, CTIHA_SESSION_UP),
	[CTIHA_A_LINK_DIAG] = LINK(diag, OPTIONAL, ANY),
	[CTIHA_A_LINK_AGREED_US] = LINK(agreed_us, OPTIONAL, ANY),
	[CTIHA_A_LINK_DETECT_NS] = LINK(detect_ns, OPTIONAL, ANY),
	[CTIHA_A_LINK_RTT_NS] = LINK(rtt_ns, OPTIONAL, ANY),
	[CTIHA_A_LINK_HEARD_NS] = LINK(heard_ns, OPTIONAL, ANY),
	[CTIHA_A_LINK_CHANGES] = LINK(changes, OPTIONAL, ANY),
	[CTIHA_A_LINK_DIRECTION] = LINK(direction, OPTIONAL,
					CTIHA_DIRECTION_BOTH),
	[CTIHA_A_LINK_RECENT] = LINK(recent, OPTIONAL, ANY),
	[CTIHA_A_LINK_RECENT_LOST] = LINK(recent_lost, OPTIONAL, ANY),
	[CTIHA_A_LINK_HOLD_NS] = LINK(hold_ns, OPTIONAL, ANY),
	[CTIHA_A_LINK_CARRIER] = FLAG(heartbeat_link, carrier, OPTIONAL),
};

#define EVENT(member) FIELD(heartbeat_event, member, NEEDED, ANY)

static const struct field event_fields[CTIHA_A_EVENT_MAX + 1] = {
	[CTIHA_A_EVENT_SEQ] = EVENT(seq),
	[CTIHA_A_EVENT_TIME_NS] = EVENT(time_ns),
	[CTIHA_A_EVENT_CAUSE] = EVENT(cause),
};

#define STAT(name) \
	[CTIHA_A_STAT_##name] = FIELD(heartbeat_stats, \
				      count[CTIHA_A_STAT_##name], OPTIONAL, ANY)

static const struct field stat_fields[CTIHA_A_STAT_MAX + 1] = {
	STAT(TX), STAT(TX_FAILED), STAT(RX), STAT(LOST), STAT(MALFORMED),
	STAT(VERSION), STAT(KEY), STAT(FORGED), STAT(FOREIGN), STAT(REPLAYED),
	STAT(MISSED), STAT(DEFERRED), STAT(UNVERIFIED), STAT(STALLS),
	STAT(WITHHELD),
};

static int read_string(const struct nlattr *attr, size_t room, char *to)
{
	const char *from = mnl_attr_get_payload(attr);
	size_t len = strnlen(from, mnl_attr_get_payload_len(attr));

	if (!len || len >= room)
		return -EPROTO;
	memset(to, 0, room);
	memcpy(to, from, len);
	return 0;
}

static int read_field(const struct nlattr *attr, const struct field *field,
		      char *object)
{
	const u8 *from = mnl_attr_get_payload(attr);
	char *to = object + field->offset;

	if (field->string)
		return read_string(attr, field->size, to);
	if (mnl_attr_get_payload_len(attr) != field->size)
		return -EPROTO;
	if (field->size == 1 && *from > field->max)
		return -EPROTO;
	if (field->flag)
		*(bool *)to = *from != 0;
	else
		memcpy(to, from, field->size);
	return 0;
}

/* Attributes that run over the end of the nest end the loop early. */
static bool nest_is_whole(const struct nlattr *nest)
{
	const char *end = (const char *)mnl_attr_get_payload(nest) +
			  mnl_attr_get_payload_len(nest);
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
		;
	return (const char *)attr >= end;
}

static bool is_complete(u32 seen, const struct field *fields, unsigned int max)
{
	unsigned int type;

	for (type = 0; type <= max; type++)
		if (fields[type].needed && !(seen & 1U << type))
			return false;
	return true;
}

static int read_object(const struct nlattr *nest, const struct field *fields,
		       unsigned int max, void *object)
{
	const struct nlattr *attr;
	unsigned int type;
	u32 seen = 0;
	int ret;

	if (!nest || !nest_is_whole(nest))
		return -EPROTO;
	mnl_attr_for_each_nested(attr, nest) {
		type = mnl_attr_get_type(attr);
		if (type > max || !fields[type].size)
			continue;
		ret = read_field(attr, &fields[type], object);
		if (ret)
			return ret;
		seen |= 1U << type;
	}
	return is_complete(seen, fields, max) ? 0 : -EPROTO;
}

static_assert(CTIHA_A_NODE_MAX < 32 && CTIHA_A_PEER_MAX < 32 &&
	      CTIHA_A_LINK_MAX < 32 && CTIHA_A_STAT_MAX < 32 &&
	      CTIHA_A_EVENT_MAX < 32 && CTIHA_A_FENCE_MAX < 32 &&
	      CTIHA_A_SWITCH_MAX < 32, "read_object() counts in 32 bits");

const struct nlattr *genl_find(const struct nlattr *nest, u16 type)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
		if (mnl_attr_get_type(attr) == type)
			return attr;
	return NULL;
}

static int read_address(const struct nlattr *attr, struct in6_addr *address)
{
	const void *from = mnl_attr_get_payload(attr);

	switch (mnl_attr_get_payload_len(attr)) {
	case sizeof(struct in_addr):
		memset(address, 0, sizeof(*address));
		memset(&address->s6_addr[10], 0xff, 2);
		memcpy(&address->s6_addr[12], from, sizeof(struct in_addr));
		return 0;
	case sizeof(*address):
		memcpy(address, from, sizeof(*address));
		return 0;
	default:
		return -EPROTO;
	}
}

static int read_fence(const struct nlattr *nest, struct heartbeat_fence *fence)
{
	const struct nlattr *attr;
	int ret = read_object(nest, fence_fields, CTIHA_A_FENCE_MAX, fence);

	if (ret)
		return ret;
	fence->exists = true;
	mnl_attr_for_each_nested(attr, nest) {
		if (mnl_attr_get_type(attr) != CTIHA_A_FENCE_ADDRESS)
			continue;
		if (fence->count == CTIHA_FENCE_ADDRESSES)
			return -EPROTO;
		ret = read_address(attr, &fence->addresses[fence->count++]);
		if (ret)
			return ret;
	}
	return 0;
}

static void name_device(u32 ifindex, char device[IF_NAMESIZE])
{
	if (!ifindex || !if_indextoname(ifindex, device))
		device[0] = '\0';
}

static int read_switch(const struct nlattr *nest, struct heartbeat_switch *nic)
{
	int ret = read_object(nest, switch_fields, CTIHA_A_SWITCH_MAX, nic);

	if (!ret)
		name_device(nic->ifindex, nic->device);
	return ret;
}

int genl_read_node(const struct nlattr *nest, struct heartbeat_node *node,
		   u64 *event_seq)
{
	struct node_fields read = { .event_seq = 0 };
	const struct nlattr *fence, *nic;
	int ret = read_object(nest, node_fields, CTIHA_A_NODE_MAX, &read);

	if (ret)
		return ret;
	fence = genl_find(nest, CTIHA_A_NODE_FENCE);
	if (fence && read_fence(fence, &read.node.fence))
		return -EPROTO;
	nic = genl_find(nest, CTIHA_A_NODE_SWITCH);
	if (nic && read_switch(nic, &read.node.switch_nic))
		return -EPROTO;
	*node = read.node;
	*event_seq = read.event_seq;
	return 0;
}

int genl_read_peer(const struct nlattr *nest, struct heartbeat_peer *peer)
{
	struct heartbeat_peer read = { .heard = false };
	int ret = read_object(nest, peer_fields, CTIHA_A_PEER_MAX, &read);

	if (!ret)
		*peer = read;
	return ret;
}

int genl_read_link(const struct nlattr *nest, struct heartbeat_link *link)
{
	struct heartbeat_link read = { .kind = 0 };
	const struct nlattr *stats;
	int ret = read_object(nest, link_fields, CTIHA_A_LINK_MAX, &read);

	if (ret)
		return ret;
	if (read.kind != CTIHA_LINK_CROSSOVER && read.kind != CTIHA_LINK_LAN)
		return -EPROTO;
	stats = genl_find(nest, CTIHA_A_LINK_STATS);
	if (stats && read_object(stats, stat_fields, CTIHA_A_STAT_MAX,
				 &read.stats))
		return -EPROTO;
	name_device(read.ifindex, read.device);
	*link = read;
	return 0;
}

int genl_read_event(const struct nlattr *nest, struct heartbeat_event *event)
{
	struct heartbeat_event read = { .seq = 0 };
	int ret = read_object(nest, event_fields, CTIHA_A_EVENT_MAX, &read);

	if (!ret)
		*event = read;
	return ret;
}
