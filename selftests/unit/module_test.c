// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The module backend, and the command line, against a module that is played
 * here: genl.c is replaced, everything above it is the real thing. About lost
 * events: what the daemon knows afterwards has to be what is.
 */
#include "kselftest_harness.h"

#include <event2/event.h>
#include <linux/genetlink.h>
#include <sys/eventfd.h>

#include "cli/cli.h"
#include "common/clock.h"
#include "common/genl.h"
#include "common/log.h"
#include "daemon/heartbeat/heartbeat.h"

#define PATIENCE_MS	10000
#define QUEUE		8
#define MESSAGE		1024

struct message {
	char bytes[MESSAGE] __attribute__((aligned(NLMSG_ALIGNTO)));
};

/* The module: a node, links, and events that wait for the daemon. */
static struct {
	u64 seq;
	bool link[HEARTBEAT_LINKS];
	unsigned int adds, attaches;
	u32 switch_ifindex;
	unsigned int switch_sets;
	bool silent;		/* the daemon was, for too long */
	bool overflow;		/* of the socket for events */
	bool unloaded;		/* behind the sockets' back */
	struct message queue[QUEUE];
	unsigned int first, count;
	int readable;
	struct message request;
} module;

static const char *const names[] = { "crossover", "lan" };

/* ---- what is put into messages ---- */

static struct nlmsghdr *begin(struct message *m, u8 command)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(m->bytes);
	struct genlmsghdr *head;

	head = mnl_nlmsg_put_extra_header(nlh, sizeof(*head));
	head->cmd = command;
	return nlh;
}

static void put_node(struct nlmsghdr *nlh)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_NODE);
	struct nlattr *nic;

	mnl_attr_put_u8(nlh, CTIHA_A_NODE_ID, 0);
	mnl_attr_put_u8(nlh, CTIHA_A_NODE_ROLE, CTIHA_ROLE_STANDBY);
	mnl_attr_put_u64(nlh, CTIHA_A_NODE_EPOCH, 1);
	mnl_attr_put_u64(nlh, CTIHA_A_NODE_VOTE_EPOCH, 0);
	mnl_attr_put_u64(nlh, CTIHA_A_NODE_LEASE_LEFT_NS, 0);
	mnl_attr_put_u64(nlh, CTIHA_A_NODE_EVENT_SEQ, module.seq);
	nic = mnl_attr_nest_start(nlh, CTIHA_A_NODE_SWITCH);
	mnl_attr_put_u32(nlh, CTIHA_A_SWITCH_IFINDEX, module.switch_ifindex);
	mnl_attr_put_u8(nlh, CTIHA_A_SWITCH_CARRIER, !!module.switch_ifindex);
	mnl_attr_nest_end(nlh, nic);
	mnl_attr_nest_end(nlh, nest);
}

static void put_peer(struct nlmsghdr *nlh)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_PEER);

	mnl_attr_put_u8(nlh, CTIHA_A_PEER_HEARD, 1);
	mnl_attr_nest_end(nlh, nest);
}

static void put_link(struct nlmsghdr *nlh, unsigned int i)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_LINK);

	mnl_attr_put_strz(nlh, CTIHA_A_LINK_NAME, names[i]);
	mnl_attr_put_u8(nlh, CTIHA_A_LINK_KIND, CTIHA_LINK_CROSSOVER + i);
	mnl_attr_put_u8(nlh, CTIHA_A_LINK_STATE, module.link[i] ?
			CTIHA_SESSION_UP : CTIHA_SESSION_DOWN);
	mnl_attr_put_u32(nlh, CTIHA_A_LINK_IFINDEX, module.link[i] ?
			 if_nametoindex("lo") : 0);
	mnl_attr_nest_end(nlh, nest);
}

static void put_event(struct nlmsghdr *nlh, u8 cause)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_EVENT);

	mnl_attr_put_u64(nlh, CTIHA_A_EVENT_SEQ, module.seq);
	mnl_attr_put_u64(nlh, CTIHA_A_EVENT_TIME_NS, clock_now_ns());
	mnl_attr_put_u8(nlh, CTIHA_A_EVENT_CAUSE, cause);
	mnl_attr_nest_end(nlh, nest);
}

/* ---- what happens in the module ---- */

/* An event that does not get there, unless it is sent. */
static struct nlmsghdr *happen_by(u8 command, u8 cause)
{
	struct message *m = &module.queue[(module.first + module.count) % QUEUE];
	struct nlmsghdr *nlh = begin(m, command);

	module.seq++;
	put_event(nlh, cause);
	return nlh;
}

static struct nlmsghdr *happen(u8 command)
{
	return happen_by(command, CTIHA_CAUSE_DEVICE);
}

static void send_event(void)
{
	module.count++;
	eventfd_write(module.readable, 1);
}

static void tell_link(unsigned int i)
{
	put_link(happen(CTIHA_CMD_LINK_NTF), i);
	send_event();
}

static void tell_node(u8 cause)
{
	put_node(happen_by(CTIHA_CMD_NODE_NTF, cause));
	send_event();
}

static void overflow(void)
{
	module.overflow = true;
	eventfd_write(module.readable, 1);
}

/* ---- in place of genl.c ---- */

static struct genl {
	bool subscribed;
} sockets[2];

struct genl *genl_open(char *error, size_t error_size)
{
	static unsigned int i;

	return &sockets[i++ % 2];
}

void genl_close(struct genl *genl)
{
}

int genl_fd(const struct genl *genl)
{
	return module.readable;
}

int genl_subscribe(struct genl *genl)
{
	return module.unloaded ? -ENOENT : 0;
}

const char *genl_text(const struct genl *genl)
{
	return "refused";
}

struct nlmsghdr *genl_begin(struct genl *genl, u8 command)
{
	return begin(&module.request, command);
}

static int take(struct message *m, genl_message_fn fn, void *arg)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)m->bytes;
	struct genlmsghdr *head = mnl_nlmsg_get_payload(nlh);
	struct genl_message message = { .command = head->cmd };
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(*head))
		message.attr[mnl_attr_get_type(attr)] = attr;
	return fn(&message, arg);
}

/* The place of the link that is named in the request. */
static unsigned int asked_link(void)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)module.request.bytes;
	const struct nlattr *link, *attr;
	unsigned int i = 0;

	mnl_attr_for_each(link, nlh, sizeof(struct genlmsghdr))
		mnl_attr_for_each_nested(attr, link)
			if (mnl_attr_get_type(attr) == CTIHA_A_LINK_NAME)
				i = !strcmp(mnl_attr_get_str(attr), names[1]);
	return i;
}

static int set_link(bool there)
{
	unsigned int i = asked_link();

	if (module.link[i] == there)
		return there ? -EEXIST : -ENOENT;
	module.link[i] = there;
	module.adds += there;
	tell_link(i);
	return 0;
}

static void set_switch(void)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)module.request.bytes;
	const struct nlattr *nic, *attr;

	mnl_attr_for_each(nic, nlh, sizeof(struct genlmsghdr))
		mnl_attr_for_each_nested(attr, nic)
			if (mnl_attr_get_type(attr) == CTIHA_A_SWITCH_IFINDEX)
				module.switch_ifindex = mnl_attr_get_u32(attr);
	module.switch_sets++;
}

int genl_call(struct genl *genl, genl_message_fn fn, void *arg)
{
	struct nlmsghdr *request = (struct nlmsghdr *)module.request.bytes;
	struct genlmsghdr *head = mnl_nlmsg_get_payload(request);
	struct message answer;
	struct nlmsghdr *nlh = begin(&answer, head->cmd);

	switch (head->cmd) {
	case CTIHA_CMD_NODE_GET:
		put_node(nlh);
		return take(&answer, fn, arg);
	case CTIHA_CMD_PEER_GET:
		put_peer(nlh);
		return take(&answer, fn, arg);
	case CTIHA_CMD_LINK_ADD:
		return set_link(true);
	case CTIHA_CMD_LINK_DEL:
		return set_link(false);
	case CTIHA_CMD_SWITCH_SET:
		set_switch();
		return 0;
	case CTIHA_CMD_ATTACH:
		module.silent = false;
		module.attaches++;
		return 0;
	case CTIHA_CMD_REPORT:
		return module.silent ? -ESTALE : 0;
	default:
		return 0;
	}
}

int genl_dump(struct genl *genl, genl_message_fn fn, void *arg)
{
	struct message answer;
	unsigned int i;
	int ret = 0;

	for (i = 0; i < HEARTBEAT_LINKS && !ret; i++) {
		if (!module.link[i])
			continue;
		put_link(begin(&answer, CTIHA_CMD_LINK_GET), i);
		ret = take(&answer, fn, arg);
	}
	return ret;
}

int genl_receive(struct genl *genl, genl_message_fn fn, void *arg)
{
	struct message *m = &module.queue[module.first];
	eventfd_t ignored;
	int ret;

	if (module.overflow) {
		module.overflow = false;
		return -ENOBUFS;
	}
	if (!module.count) {
		eventfd_read(module.readable, &ignored);
		return 0;
	}
	module.first = (module.first + 1) % QUEUE;
	module.count--;
	ret = take(m, fn, arg);
	return ret ? ret : 1;
}

/* ---- the daemon ---- */

FIXTURE(module)
{
	struct event_base *base;
	struct heartbeat *hb;
	unsigned int resyncs, peers, told[HEARTBEAT_LINKS];
	struct heartbeat_link link[HEARTBEAT_LINKS];
	u64 seq;
};

static void on_node(void *arg, const struct heartbeat_event *event,
		    const struct heartbeat_node *node)
{
}

static void on_peer(void *arg, const struct heartbeat_event *event,
		    const struct heartbeat_peer *peer)
{
	FIXTURE_DATA(module) *self = arg;

	self->peers++;
}

static void on_link(void *arg, const struct heartbeat_event *event,
		    const struct heartbeat_link *link)
{
	FIXTURE_DATA(module) *self = arg;

	self->seq = event->seq;
	self->told[link->kind - 1]++;
	self->link[link->kind - 1] = *link;
}

static void on_resync(void *arg)
{
	FIXTURE_DATA(module) *self = arg;

	self->resyncs++;
}

static void on_failed(void *arg, const char *text)
{
	fprintf(stderr, "# failed: %s\n", text);
	abort();
}

static const struct heartbeat_callbacks callbacks = {
	.node = on_node, .peer = on_peer, .link = on_link,
	.resync = on_resync, .failed = on_failed,
};

static void run(FIXTURE_DATA(module) *self)
{
	event_base_loop(self->base, EVLOOP_NONBLOCK);
}

static struct heartbeat_link_spec link_spec(unsigned int i)
{
	struct heartbeat_link_spec spec = {
		.device = "lo", .kind = CTIHA_LINK_CROSSOVER + i,
		.multiplier = 3, .interval_us = 10000,
	};

	strcpy(spec.name, names[i]);
	return spec;
}

FIXTURE_SETUP(module)
{
	const struct heartbeat_node_spec node = { .watch_ms = 500 };
	struct heartbeat_link_spec spec;
	char error[256] = "";
	unsigned int i;

	log_init("module_test", LOG_LEVEL_ERROR);
	memset(&module, 0, sizeof(module));
	module.readable = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	self->base = event_base_new();
	self->hb = heartbeat_module.open(self->base, &node, &callbacks, self,
					 error, sizeof(error));
	ASSERT_NE(NULL, self->hb);
	for (i = 0; i < HEARTBEAT_LINKS; i++) {
		spec = link_spec(i);
		ASSERT_EQ(0, heartbeat_module.link_add(self->hb, &spec));
	}
	run(self);
	ASSERT_EQ(2, module.adds);
	for (i = 0; i < HEARTBEAT_LINKS; i++)
		ASSERT_EQ(CTIHA_SESSION_UP, self->link[i].state);
}

FIXTURE_TEARDOWN(module)
{
	heartbeat_module.close(self->hb);
	event_base_free(self->base);
	close(module.readable);
}

/* Until it was added again, or patience is at its end. */
static void wait_for_link(FIXTURE_DATA(module) *self, unsigned int i)
{
	u64 end_ns = clock_now_ns() + PATIENCE_MS * CTIHA_NS_PER_MS;

	while (!module.link[i] && clock_now_ns() < end_ns) {
		run(self);
		usleep(10000);
	}
	run(self);
}

TEST_F(module, a_link_whose_device_vanished_comes_back)
{
	module.link[0] = false;
	tell_link(0);
	run(self);
	EXPECT_EQ(0, self->resyncs);
	EXPECT_EQ(CTIHA_SESSION_DOWN, self->link[0].state);
	wait_for_link(self, 0);
	EXPECT_EQ(3, module.adds);
	EXPECT_EQ(CTIHA_SESSION_UP, self->link[0].state);
}

TEST_F(module, after_an_overflow_everything_is_told_once)
{
	module.seq += 5;
	overflow();
	run(self);
	EXPECT_EQ(1, self->resyncs);
	EXPECT_EQ(1, self->peers);
	EXPECT_EQ(2, self->told[0]);
	EXPECT_EQ(module.seq, self->seq);
	EXPECT_EQ(CTIHA_SESSION_UP, self->link[0].state);
	EXPECT_EQ(2, module.adds);
}

TEST_F(module, a_gap_is_noticed_and_older_events_are_left_out)
{
	happen(CTIHA_CMD_LINK_NTF);	/* never arrives */
	tell_link(1);
	tell_link(0);
	run(self);
	EXPECT_EQ(1, self->resyncs);
	EXPECT_EQ(2, self->told[0]);
	EXPECT_EQ(2, self->told[1]);
	EXPECT_EQ(0, module.count);
}

TEST_F(module, a_link_that_vanished_in_an_overflow_is_down_and_comes_back)
{
	module.link[0] = false;
	module.seq++;
	overflow();
	run(self);
	EXPECT_EQ(1, self->resyncs);
	EXPECT_EQ(CTIHA_SESSION_DOWN, self->link[0].state);
	EXPECT_EQ(0, self->link[0].ifindex);
	EXPECT_STREQ("crossover", self->link[0].name);
	EXPECT_EQ(CTIHA_SESSION_UP, self->link[1].state);
	wait_for_link(self, 0);
	EXPECT_EQ(3, module.adds);
	EXPECT_EQ(CTIHA_SESSION_UP, self->link[0].state);
}

TEST_F(module, a_link_that_vanished_while_we_were_stopped_comes_back)
{
	module.silent = true;
	module.link[1] = false;
	tell_link(1);
	/* The report comes before the event is read, and makes it an old one. */
	EXPECT_EQ(0, heartbeat_module.report(self->hb, 0, 0));
	EXPECT_EQ(2, module.attaches);
	run(self);
	EXPECT_EQ(1, self->resyncs);
	EXPECT_EQ(CTIHA_SESSION_DOWN, self->link[1].state);
	wait_for_link(self, 1);
	EXPECT_EQ(3, module.adds);
	EXPECT_EQ(CTIHA_SESSION_UP, self->link[1].state);
}

/* Until it was named again, or patience is at its end. */
static void wait_for_switch(FIXTURE_DATA(module) *self)
{
	u64 end_ns = clock_now_ns() + PATIENCE_MS * CTIHA_NS_PER_MS;

	while (!module.switch_ifindex && clock_now_ns() < end_ns) {
		run(self);
		usleep(10000);
	}
}

TEST_F(module, a_switch_nic_that_vanished_comes_back)
{
	EXPECT_EQ(0, heartbeat_module.switch_watch(self->hb, "lo"));
	EXPECT_EQ(if_nametoindex("lo"), module.switch_ifindex);
	module.switch_ifindex = 0;
	tell_node(CTIHA_CAUSE_DEVICE);
	wait_for_switch(self);
	EXPECT_EQ(if_nametoindex("lo"), module.switch_ifindex);
	EXPECT_EQ(2, module.switch_sets);
}

TEST_F(module, a_switch_nic_that_vanished_in_an_overflow_comes_back)
{
	EXPECT_EQ(0, heartbeat_module.switch_watch(self->hb, "lo"));
	module.switch_ifindex = 0;
	module.seq++;
	overflow();
	wait_for_switch(self);
	EXPECT_EQ(2, module.switch_sets);
}

/* Named by whoever was here before; and not there yet, or not any more. */
TEST_F(module, a_switch_nic_that_is_not_there_is_no_error)
{
	module.switch_ifindex = 7;
	EXPECT_EQ(0, heartbeat_module.switch_watch(self->hb, "no-such"));
	EXPECT_EQ(0, module.switch_ifindex);
	module.switch_ifindex = 7;
	EXPECT_EQ(0, heartbeat_module.switch_watch(self->hb, ""));
	EXPECT_EQ(0, module.switch_ifindex);
}

/* Somebody unset it by hand. */
TEST_F(module, a_switch_nic_that_was_unset_stays_away)
{
	u64 end_ns = clock_now_ns() + 1500 * CTIHA_NS_PER_MS;

	EXPECT_EQ(0, heartbeat_module.switch_watch(self->hb, "lo"));
	module.switch_ifindex = 0;
	tell_node(CTIHA_CAUSE_COMMAND);
	while (clock_now_ns() < end_ns) {
		run(self);
		usleep(10000);
	}
	EXPECT_EQ(1, module.switch_sets);
}

TEST_F(module, a_link_that_is_not_wanted_stays_away)
{
	EXPECT_EQ(0, heartbeat_module.link_del(self->hb, "lan"));
	run(self);
	module.seq++;
	overflow();
	run(self);
	EXPECT_EQ(1, self->resyncs);
	EXPECT_EQ(2, self->told[1]);
	EXPECT_EQ(CTIHA_SESSION_DOWN, self->link[1].state);
	EXPECT_FALSE(module.link[1]);
}

static bool never(const json_t *event, void *arg)
{
	abort();
}

TEST(the_command_line_says_why_there_are_no_events)
{
	char error[CLI_ERROR_LEN] = "nothing was said";

	module.unloaded = true;
	EXPECT_EQ(CLI_FAILED, cli_module_follow(never, NULL, error));
	EXPECT_STREQ("the module's events have ended: is it still loaded?",
		     error);
}

TEST_HARNESS_MAIN
