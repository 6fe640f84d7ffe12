// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading the module's messages: crafted ones, good and bad. */
#include "kselftest_harness.h"

#include <linux/genetlink.h>

#include "common/genl.h"

FIXTURE(genl)
{
	/* As large as the message, so that the sanitizer sees every overrun. */
	char bytes[2048] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh;
	struct nlattr *nest;
};

FIXTURE_SETUP(genl)
{
	struct genlmsghdr *head;

	self->nlh = mnl_nlmsg_put_header(self->bytes);
	head = mnl_nlmsg_put_extra_header(self->nlh, sizeof(*head));
	head->cmd = CTIHA_CMD_LINK_NTF;
}

FIXTURE_TEARDOWN(genl)
{
}

static void put_event(FIXTURE_DATA(genl) *self)
{
	self->nest = mnl_attr_nest_start(self->nlh, CTIHA_A_EVENT);
	mnl_attr_put_u64(self->nlh, CTIHA_A_EVENT_SEQ, 17);
	mnl_attr_put_u64(self->nlh, CTIHA_A_EVENT_TIME_NS, 1700000000123);
	mnl_attr_put_u8(self->nlh, CTIHA_A_EVENT_CAUSE, CTIHA_CAUSE_SESSION);
	mnl_attr_nest_end(self->nlh, self->nest);
}

static void put_node(FIXTURE_DATA(genl) *self)
{
	static const u64 values[] = {
		[CTIHA_A_NODE_LEASE_NS] = 11, [CTIHA_A_NODE_PROMISE_NS] = 12,
		[CTIHA_A_NODE_EPOCH] = 13, [CTIHA_A_NODE_VOTE_EPOCH] = 14,
		[CTIHA_A_NODE_LEASE_LEFT_NS] = U64_MAX,
		[CTIHA_A_NODE_PROMISE_LEFT_NS] = 16,
		[CTIHA_A_NODE_SYNC_POS] = 17, [CTIHA_A_NODE_EVENT_SEQ] = 18,
	};
	unsigned int type;

	self->nest = mnl_attr_nest_start(self->nlh, CTIHA_A_NODE);
	mnl_attr_put_u8(self->nlh, CTIHA_A_NODE_ID, 1);
	mnl_attr_put_u8(self->nlh, CTIHA_A_NODE_ROLE, CTIHA_ROLE_ACTIVE);
	mnl_attr_put_u32(self->nlh, CTIHA_A_NODE_PAIR, 77);
	mnl_attr_put_u32(self->nlh, CTIHA_A_NODE_REPORT, 0x1ff);
	mnl_attr_put(self->nlh, CTIHA_A_NODE_PAD, 0, NULL);
	for (type = 0; type < ARRAY_SIZE(values); type++)
		if (values[type])
			mnl_attr_put_u64(self->nlh, type, values[type]);
	mnl_attr_nest_end(self->nlh, self->nest);
}

static void put_peer(FIXTURE_DATA(genl) *self, u8 heard)
{
	self->nest = mnl_attr_nest_start(self->nlh, CTIHA_A_PEER);
	mnl_attr_put_u8(self->nlh, CTIHA_A_PEER_HEARD, heard);
	mnl_attr_put_u8(self->nlh, CTIHA_A_PEER_LEFT, 1);
	mnl_attr_put_u8(self->nlh, CTIHA_A_PEER_ROLE, CTIHA_ROLE_STANDBY);
	mnl_attr_put_u64(self->nlh, CTIHA_A_PEER_EPOCH, 21);
	mnl_attr_put_u64(self->nlh, CTIHA_A_PEER_VOTE_EPOCH, 22);
	mnl_attr_put_u32(self->nlh, CTIHA_A_PEER_REPORT, 23);
	mnl_attr_put_u64(self->nlh, CTIHA_A_PEER_SYNC_POS, 24);
	mnl_attr_put_u64(self->nlh, CTIHA_A_PEER_HEARD_NS, 25);
	mnl_attr_put_u8(self->nlh, CTIHA_A_PEER_LAST_WORDS,
			CTIHA_LAST_WORDS_OOPS);
	mnl_attr_nest_end(self->nlh, self->nest);
}

static void put_stats(FIXTURE_DATA(genl) *self)
{
	struct nlattr *stats = mnl_attr_nest_start(self->nlh,
						   CTIHA_A_LINK_STATS);
	unsigned int type;

	for (type = CTIHA_A_STAT_TX; type < CTIHA_A_STAT_PAD; type++)
		mnl_attr_put_u64(self->nlh, type, 100 + type);
	mnl_attr_nest_end(self->nlh, stats);
}

/* What a link must say; the callers add the rest. */
static void begin_link(FIXTURE_DATA(genl) *self, const char *name, u8 kind, u8 state)
{
	self->nest = mnl_attr_nest_start(self->nlh, CTIHA_A_LINK);
	mnl_attr_put_str(self->nlh, CTIHA_A_LINK_NAME, name);
	mnl_attr_put_u8(self->nlh, CTIHA_A_LINK_KIND, kind);
	mnl_attr_put_u8(self->nlh, CTIHA_A_LINK_STATE, state);
}

static void end_link(FIXTURE_DATA(genl) *self)
{
	mnl_attr_nest_end(self->nlh, self->nest);
}

static int read_link(FIXTURE_DATA(genl) *self, struct heartbeat_link *link)
{
	struct genl_message message;
	int ret = genl_parse(self->nlh, &message);

	return ret ? ret : genl_read_link(message.attr[CTIHA_A_LINK], link);
}

TEST_F(genl, node_is_read_whole)
{
	struct genl_message message;
	struct heartbeat_node node;
	u64 seq = 0;

	put_node(self);
	ASSERT_EQ(0, genl_parse(self->nlh, &message));
	EXPECT_EQ(CTIHA_CMD_LINK_NTF, message.command);
	ASSERT_EQ(0, genl_read_node(message.attr[CTIHA_A_NODE], &node, &seq));
	EXPECT_EQ(1, node.id);
	EXPECT_EQ(CTIHA_ROLE_ACTIVE, node.role);
	EXPECT_EQ(77, node.pair);
	EXPECT_EQ(0x1ff, node.report);
	EXPECT_EQ(11, node.lease_ns);
	EXPECT_EQ(12, node.promise_ns);
	EXPECT_EQ(13, node.epoch);
	EXPECT_EQ(14, node.vote_epoch);
	EXPECT_EQ(U64_MAX, node.lease_left_ns);
	EXPECT_EQ(16, node.promise_left_ns);
	EXPECT_EQ(17, node.sync_pos);
	EXPECT_EQ(18, seq);
}

/* A node whose fence has one address of @len bytes, @count times. */
static void put_fenced_node(FIXTURE_DATA(genl) *self, size_t len, int count)
{
	const u8 address[17] = { 192, 0, 2, 10 };
	struct nlattr *fence;
	int i;

	put_node(self);
	/* What follows belongs into the nest that was just closed. */
	fence = mnl_attr_nest_start(self->nlh, CTIHA_A_NODE_FENCE);
	mnl_attr_put_u8(self->nlh, CTIHA_A_FENCE_LAST_RESORT,
			CTIHA_LAST_RESORT_PANIC);
	mnl_attr_put_u8(self->nlh, CTIHA_A_FENCE_CLOSED, 1);
	for (i = 0; i < CTIHA_FENCED_KINDS; i++)
		mnl_attr_put_u64(self->nlh, CTIHA_A_FENCE_DROPPED_IPV4 + i,
				 70 + i);
	for (i = 0; i < count; i++)
		mnl_attr_put(self->nlh, CTIHA_A_FENCE_ADDRESS, len, address);
	mnl_attr_nest_end(self->nlh, fence);
	mnl_attr_nest_end(self->nlh, self->nest);
}

static int read_fenced_node(FIXTURE_DATA(genl) *self, struct heartbeat_node *node)
{
	struct genl_message message;
	u64 seq;
	int ret = genl_parse(self->nlh, &message);

	return ret ? ret : genl_read_node(message.attr[CTIHA_A_NODE], node, &seq);
}

TEST_F(genl, fence_is_read_whole)
{
	static const u8 mapped[16] = {
		[10] = 0xff, [11] = 0xff, [12] = 192, [14] = 2, [15] = 10,
	};
	struct heartbeat_node node;

	put_fenced_node(self, 4, CTIHA_FENCE_ADDRESSES);
	ASSERT_EQ(0, read_fenced_node(self, &node));
	EXPECT_EQ(14, node.vote_epoch);
	EXPECT_TRUE(node.fence.exists);
	EXPECT_TRUE(node.fence.closed);
	EXPECT_EQ(CTIHA_LAST_RESORT_PANIC, node.fence.last_resort);
	EXPECT_EQ(70, node.fence.dropped[CTIHA_FENCED_IPV4]);
	EXPECT_EQ(73, node.fence.dropped[CTIHA_FENCED_ND]);
	ASSERT_EQ(CTIHA_FENCE_ADDRESSES, node.fence.count);
	EXPECT_EQ(0, memcmp(mapped, &node.fence.addresses[15], sizeof(mapped)));
}

TEST_F(genl, too_many_fenced_addresses_are_an_error)
{
	struct heartbeat_node node;

	put_fenced_node(self, 16, CTIHA_FENCE_ADDRESSES + 1);
	EXPECT_EQ(-EPROTO, read_fenced_node(self, &node));
}

TEST_F(genl, fenced_addresses_have_their_size)
{
	struct heartbeat_node node;

	put_fenced_node(self, 5, 1);
	EXPECT_EQ(-EPROTO, read_fenced_node(self, &node));
}

/* A node whose switch NIC is that of @ifindex; @carrier above 1: not told. */
static void put_switched_node(FIXTURE_DATA(genl) *self, u32 ifindex, u8 carrier)
{
	struct nlattr *nic;

	put_node(self);
	/* What follows belongs into the nest that was just closed. */
	nic = mnl_attr_nest_start(self->nlh, CTIHA_A_NODE_SWITCH);
	mnl_attr_put_u32(self->nlh, CTIHA_A_SWITCH_IFINDEX, ifindex);
	if (carrier <= 1)
		mnl_attr_put_u8(self->nlh, CTIHA_A_SWITCH_CARRIER, carrier);
	mnl_attr_nest_end(self->nlh, nic);
	mnl_attr_nest_end(self->nlh, self->nest);
}

TEST_F(genl, switch_nic_is_read_whole)
{
	struct heartbeat_node node;

	put_switched_node(self, 1, 1);
	ASSERT_EQ(0, read_fenced_node(self, &node));
	EXPECT_EQ(1, node.switch_nic.ifindex);
	EXPECT_STREQ("lo", node.switch_nic.device);
	EXPECT_TRUE(node.switch_nic.carrier);
	EXPECT_FALSE(node.fence.exists);
}

TEST_F(genl, a_node_without_switch_nic_has_no_name_for_it)
{
	struct heartbeat_node node;

	put_switched_node(self, 0, 0);
	ASSERT_EQ(0, read_fenced_node(self, &node));
	EXPECT_EQ(0, node.switch_nic.ifindex);
	EXPECT_STREQ("", node.switch_nic.device);
	EXPECT_FALSE(node.switch_nic.carrier);
}

TEST_F(genl, a_switch_nic_without_carrier_attribute_is_an_error)
{
	struct heartbeat_node node;

	put_switched_node(self, 1, 2);
	EXPECT_EQ(-EPROTO, read_fenced_node(self, &node));
}

TEST_F(genl, peer_and_event_are_read_whole)
{
	struct genl_message message;
	struct heartbeat_event event;
	struct heartbeat_peer peer;

	put_event(self);
	put_peer(self, 1);
	ASSERT_EQ(0, genl_parse(self->nlh, &message));
	ASSERT_EQ(0, genl_read_event(message.attr[CTIHA_A_EVENT], &event));
	EXPECT_EQ(17, event.seq);
	EXPECT_EQ(1700000000123, event.time_ns);
	EXPECT_EQ(CTIHA_CAUSE_SESSION, event.cause);
	ASSERT_EQ(0, genl_read_peer(message.attr[CTIHA_A_PEER], &peer));
	EXPECT_TRUE(peer.heard);
	EXPECT_TRUE(peer.left);
	EXPECT_EQ(CTIHA_ROLE_STANDBY, peer.role);
	EXPECT_EQ(21, peer.epoch);
	EXPECT_EQ(22, peer.vote_epoch);
	EXPECT_EQ(23, peer.report);
	EXPECT_EQ(24, peer.sync_pos);
	EXPECT_EQ(25, peer.heard_ns);
	EXPECT_EQ(CTIHA_LAST_WORDS_OOPS, peer.last_words);
}

TEST_F(genl, link_is_read_whole)
{
	static const u8 mac[6] = { 2, 4, 6, 8, 10, 12 };
	struct heartbeat_link link;
	unsigned int type;

	begin_link(self, "crossover", CTIHA_LINK_CROSSOVER, CTIHA_SESSION_UP);
	mnl_attr_put_u32(self->nlh, CTIHA_A_LINK_IFINDEX, 1);
	mnl_attr_put(self->nlh, CTIHA_A_LINK_PEER_MAC, 6, mac);
	mnl_attr_put_u32(self->nlh, CTIHA_A_LINK_INTERVAL_US, 31);
	mnl_attr_put_u8(self->nlh, CTIHA_A_LINK_MULTIPLIER, 32);
	mnl_attr_put_u8(self->nlh, CTIHA_A_LINK_DIAG, 200);	/* newer */
	mnl_attr_put_u32(self->nlh, CTIHA_A_LINK_AGREED_US, 33);
	mnl_attr_put_u64(self->nlh, CTIHA_A_LINK_DETECT_NS, 34);
	mnl_attr_put_u64(self->nlh, CTIHA_A_LINK_RTT_NS, 35);
	mnl_attr_put_u64(self->nlh, CTIHA_A_LINK_HEARD_NS, 36);
	mnl_attr_put_u32(self->nlh, CTIHA_A_LINK_CHANGES, 37);
	mnl_attr_put_u8(self->nlh, CTIHA_A_LINK_CARRIER, 1);
	put_stats(self);
	end_link(self);
	ASSERT_EQ(0, read_link(self, &link));
	EXPECT_EQ(0, strcmp("crossover", link.name));
	EXPECT_EQ(0, strcmp("lo", link.device));
	EXPECT_EQ(CTIHA_LINK_CROSSOVER, link.kind);
	EXPECT_EQ(CTIHA_SESSION_UP, link.state);
	EXPECT_EQ(200, link.diag);
	EXPECT_EQ(1, link.ifindex);
	EXPECT_EQ(0, memcmp(mac, link.peer_mac, 6));
	EXPECT_EQ(31, link.interval_us);
	EXPECT_EQ(32, link.multiplier);
	EXPECT_EQ(33, link.agreed_us);
	EXPECT_EQ(34, link.detect_ns);
	EXPECT_EQ(35, link.rtt_ns);
	EXPECT_EQ(36, link.heard_ns);
	EXPECT_EQ(37, link.changes);
	EXPECT_TRUE(link.carrier);
	for (type = CTIHA_A_STAT_TX; type < CTIHA_A_STAT_PAD; type++)
		EXPECT_EQ(100 + type, link.stats.count[type]);
}

TEST_F(genl, a_link_without_device_has_no_name_for_it)
{
	struct heartbeat_link link;

	begin_link(self, "lan", CTIHA_LINK_LAN, CTIHA_SESSION_DOWN);
	mnl_attr_put_u32(self->nlh, CTIHA_A_LINK_IFINDEX, 0x7fffffff);
	end_link(self);
	ASSERT_EQ(0, read_link(self, &link));
	EXPECT_EQ(0, strcmp("", link.device));
	EXPECT_EQ(0, link.rtt_ns);
}

TEST_F(genl, unknown_attributes_are_skipped)
{
	struct heartbeat_link link;

	mnl_attr_put_u32(self->nlh, CTIHA_A_MAX + 1, 5);
	begin_link(self, "lan", CTIHA_LINK_LAN, CTIHA_SESSION_INIT);
	mnl_attr_put_u32(self->nlh, CTIHA_A_LINK_MAX + 1, 5);
	mnl_attr_put_u8(self->nlh, 1000, 5);
	end_link(self);
	mnl_attr_put_u8(self->nlh, 1000, 5);
	ASSERT_EQ(0, read_link(self, &link));
	EXPECT_EQ(CTIHA_SESSION_INIT, link.state);
}

TEST_F(genl, absent_objects_are_an_error)
{
	struct genl_message message;
	struct heartbeat_event event;
	struct heartbeat_link link;
	struct heartbeat_node node;
	struct heartbeat_peer peer;
	u64 seq;

	ASSERT_EQ(0, genl_parse(self->nlh, &message));
	EXPECT_EQ(-EPROTO, genl_read_node(message.attr[CTIHA_A_NODE], &node,
					  &seq));
	EXPECT_EQ(-EPROTO, genl_read_peer(message.attr[CTIHA_A_PEER], &peer));
	EXPECT_EQ(-EPROTO, genl_read_link(message.attr[CTIHA_A_LINK], &link));
	EXPECT_EQ(-EPROTO, genl_read_event(message.attr[CTIHA_A_EVENT],
					   &event));
}

TEST_F(genl, an_object_without_what_it_needs_is_an_error)
{
	struct heartbeat_link link;

	self->nest = mnl_attr_nest_start(self->nlh, CTIHA_A_LINK);
	mnl_attr_put_str(self->nlh, CTIHA_A_LINK_NAME, "lan");
	mnl_attr_put_u8(self->nlh, CTIHA_A_LINK_KIND, CTIHA_LINK_LAN);
	end_link(self);
	EXPECT_EQ(-EPROTO, read_link(self, &link));
}

static void restart(FIXTURE_DATA(genl) *self)
{
	mnl_nlmsg_put_header(self->bytes);
	mnl_nlmsg_put_extra_header(self->nlh, sizeof(struct genlmsghdr));
}

TEST_F(genl, values_out_of_range_are_an_error)
{
	static const struct {
		const char *name;
		u8 kind, state;
		int result;
	} cases[] = {
		{ "fifteen-letters", CTIHA_LINK_LAN, CTIHA_SESSION_UP, 0 },
		{ "sixteen-letters!", CTIHA_LINK_LAN, 0, -EPROTO },
		{ "", CTIHA_LINK_LAN, 0, -EPROTO },
		{ "lan", 0, 0, -EPROTO },
		{ "lan", CTIHA_LINK_LAN + 1, 0, -EPROTO },
		{ "lan", CTIHA_LINK_LAN, CTIHA_SESSION_UP + 1, -EPROTO },
	};
	struct heartbeat_link link;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		restart(self);
		link.kind = 99;
		begin_link(self, cases[i].name, cases[i].kind, cases[i].state);
		end_link(self);
		EXPECT_EQ(cases[i].result, read_link(self, &link))
			TH_LOG("case %u", i);
		/* What is refused leaves no trace. */
		EXPECT_EQ(cases[i].result ? 99 : cases[i].kind, link.kind);
	}
}

/* Each attribute of each object, with each wrong size. */
TEST_F(genl, wrong_sizes_are_an_error)
{
	static const u8 zeros[32];
	struct heartbeat_link link;
	size_t right, size;
	unsigned int type;

	for (type = CTIHA_A_LINK_KIND; type <= CTIHA_A_LINK_CHANGES; type++) {
		for (size = 0; size < 16; size++) {
			restart(self);
			begin_link(self, "lan", CTIHA_LINK_LAN, 0);
			mnl_attr_put(self->nlh, type, size, zeros);
			end_link(self);
			switch (type) {
			case CTIHA_A_LINK_KIND:	/* 0 is no kind */
				right = SIZE_MAX;
				break;
			case CTIHA_A_LINK_STATE:
			case CTIHA_A_LINK_DIAG:
			case CTIHA_A_LINK_MULTIPLIER:
				right = 1;
				break;
			case CTIHA_A_LINK_PEER_MAC:
				right = 6;
				break;
			case CTIHA_A_LINK_DETECT_NS:
			case CTIHA_A_LINK_RTT_NS:
			case CTIHA_A_LINK_HEARD_NS:
				right = 8;
				break;
			default:
				right = 4;
			}
			ASSERT_EQ(size == right ? 0 : -EPROTO,
				  read_link(self, &link))
				TH_LOG("attribute %u, size %zu", type, size);
		}
	}
}

/* A message cut at any byte; and every length field of it set to any value. */
TEST_F(genl, damaged_messages_never_lead_out_of_the_buffer)
{
	struct heartbeat_link link;
	size_t whole, len, at;
	unsigned int value;
	char *exact;

	begin_link(self, "lan", CTIHA_LINK_LAN, CTIHA_SESSION_UP);
	put_stats(self);
	end_link(self);
	put_event(self);
	whole = self->nlh->nlmsg_len;
	for (len = sizeof(struct nlmsghdr); len < whole; len++) {
		exact = malloc(len);
		memcpy(exact, self->bytes, len);
		((struct nlmsghdr *)exact)->nlmsg_len = len;
		self->nlh = (struct nlmsghdr *)exact;
		read_link(self, &link);
		free(exact);
	}
	exact = malloc(whole);
	self->nlh = (struct nlmsghdr *)exact;
	for (at = NLMSG_HDRLEN + GENL_HDRLEN; at + 2 <= whole; at += 4) {
		for (value = 0; value < 1024; value++) {
			memcpy(exact, self->bytes, whole);
			*(u16 *)(exact + at) = value;
			read_link(self, &link);
		}
	}
	memcpy(exact, self->bytes, whole);
	EXPECT_EQ(0, read_link(self, &link));
	free(exact);
}

TEST_F(genl, a_cut_message_is_an_error)
{
	struct genl_message message;

	put_event(self);
	self->nlh->nlmsg_len -= 4;
	EXPECT_EQ(-EPROTO, genl_parse(self->nlh, &message));
	self->nlh->nlmsg_len = NLMSG_HDRLEN + 2;
	EXPECT_EQ(-EPROTO, genl_parse(self->nlh, &message));
}

TEST(without_the_module_the_remedy_is_named)
{
	char error[256] = "";
	struct genl *genl = genl_open(error, sizeof(error));

	if (genl) {
		genl_close(genl);
		SKIP(return, "the module is loaded");
	}
	EXPECT_EQ(ENOENT, errno);
	EXPECT_NE(NULL, strstr(error, "modprobe ctiha"));
}

TEST_HARNESS_MAIN
