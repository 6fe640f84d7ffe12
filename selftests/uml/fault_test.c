// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every allocation fails once: for each command, for the birth of a namespace and
 * for the loading of the module, the first allocation fails, then the second, and
 * so on, until none is left. Each failure is either an error or does no harm, and
 * the same command works afterwards. Leaks, and what KASAN and lockdep say, are
 * found by selftests/uml/run.
 */
#include "kselftest_harness.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bed.h"

#define KEY		0x5a
#define INTERVAL_US	10000
#define MULTIPLIER	3
#define LEASE		(60 * MS)
#define PROMISE		(75 * MS)
#define WATCH_MS	60000
#define MODULE		"build/module/um/ctiha.ko"
#define FAULTS		"/sys/kernel/debug/failslab"
#define ENOUGH		100000

typedef int (*attempt_fn)(struct bed *bed);

static int knob(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t ret = fd < 0 ? -1 : write(fd, value, strlen(value));

	close(fd);
	return ret < 0 ? -1 : 0;
}

/* Requests that may sleep fail as well; injected failures are no report. */
static int faults_prepare(void)
{
	return knob(FAULTS "/verbose", "0") ||
	       knob(FAULTS "/ignore-gfp-wait", "N") ||
	       knob("/sys/kernel/debug/fail_page_alloc/verbose", "0") ||
	       knob("/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N") ||
	       knob("/sys/kernel/debug/fail_page_alloc/min-order", "0");
}

/* Return: whether the attempt got as far as its nth allocation, which failed. */
static bool fails_at(unsigned int nth, attempt_fn attempt, struct bed *bed, int *err)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	char left[16] = "";

	dprintf(fd, "%u", nth);
	*err = attempt(bed);
	if (pread(fd, left, sizeof(left) - 1, 0) < 0)
		perror("fail-nth");
	dprintf(fd, "0");
	close(fd);
	return atoi(left) == 0;
}

/*
 * Return: how many allocations the attempt makes, each of which has failed once;
 * < 0: the error that it ended with when nothing failed.
 */
static int each_fails(attempt_fn attempt, attempt_fn undo, struct bed *bed)
{
	unsigned int n, errors = 0;
	int err;

	for (n = 1; fails_at(n, attempt, bed, &err); n++) {
		errors += err < 0;
		if (undo)
			undo(bed);
		if (n == ENOUGH)
			return -E2BIG;
	}
	printf("# %u allocations, %u of them reported as an error\n", n - 1, errors);
	return err ? err : (int)n - 1;
}

FIXTURE(fault)
{
	struct bed bed;
};

FIXTURE_SETUP(fault)
{
	int i;

	ASSERT_EQ(0, faults_prepare());
	ASSERT_EQ(0, bed_open(&self->bed));
	for (i = 0; i < SERVERS; i++) {
		struct server *s = &self->bed.server[i];

		ASSERT_EQ(0, server_create(s, LEASE, PROMISE));
		ASSERT_EQ(0, server_key(s, 0, KEY));
		ASSERT_EQ(0, server_attach(s, WATCH_MS));
	}
}

FIXTURE_TEARDOWN(fault)
{
	bed_close(&self->bed);
}

/* The attempts; all on server a, as if it were alone. */

static int node_set(struct bed *bed)
{
	return server_create(&bed->server[A], LEASE, PROMISE);
}

static int key_set(struct bed *bed)
{
	return server_key(&bed->server[A], 1, KEY);
}

static int link_add(struct bed *bed)
{
	return server_link(&bed->server[A], CTIHA_LINK_CROSSOVER, INTERVAL_US,
			   MULTIPLIER);
}

static int link_del(struct bed *bed)
{
	return server_link_del(&bed->server[A], CTIHA_LINK_CROSSOVER);
}

static int fence_set(struct bed *bed)
{
	return server_fence(&bed->server[A], "192.0.2.10");
}

static int fence_other(struct bed *bed)
{
	return server_fence(&bed->server[A], "192.0.2.11");
}

static int attach(struct bed *bed)
{
	return server_attach(&bed->server[A], WATCH_MS);
}

static int report(struct bed *bed)
{
	static u32 what;

	what ^= CTIHA_REPORT_ELIGIBLE;
	return server_report(&bed->server[A], what);
}

static int activate(struct bed *bed)
{
	u64 epoch = server_node(&bed->server[A]).epoch;

	return server_epoch(&bed->server[A], CTIHA_CMD_ACTIVATE,
			    ctiha_epoch_next(epoch, 0), clock_now_ns());
}

static int yield_role(struct bed *bed)
{
	sleep_until(clock_now_ns() + PROMISE);
	server_plain(&bed->server[A], CTIHA_CMD_YIELD);
	sleep_until(clock_now_ns() + PROMISE);
	return 0;
}

static int ask_node(struct bed *bed)
{
	struct heartbeat_node node;
	u64 seq;

	return genl_request_node(bed->server[A].request, &node, &seq);
}

static int ask_peer(struct bed *bed)
{
	struct heartbeat_peer peer;

	return genl_request_peer(bed->server[A].request, &peer);
}

static int ask_links(struct bed *bed)
{
	struct heartbeat_snapshot snap;

	return genl_request_links(bed->server[A].request, &snap);
}

/* A namespace of its own with a node in it; the last one dies with the next. */
static int namespace_with_node(struct bed *bed)
{
	struct server fresh = { .name = "fresh" };
	char error[256];
	int err = -ENOMEM;

	if (unshare(CLONE_NEWNET))
		return -errno;
	fresh.request = genl_open(error, sizeof(error));
	if (fresh.request) {
		err = server_create(&fresh, LEASE, PROMISE);
		if (!err)
			err = server_key(&fresh, 0, KEY);
	}
	genl_close(fresh.request);
	return err;
}

static int load_module(struct bed *bed)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC), ret;

	ret = fd < 0 ? -errno : (int)syscall(SYS_finit_module, fd, "", 0);
	if (ret == -1)
		ret = -errno;
	close(fd);
	return ret;
}

static int unload_module(struct bed *bed)
{
	while (syscall(SYS_delete_module, "ctiha", O_NONBLOCK) && errno == EAGAIN)
		sleep_until(clock_now_ns() + 10 * MS);
	return 0;
}

TEST_F_TIMEOUT(fault, node_set, 3600)
{
	EXPECT_LT(0, each_fails(node_set, NULL, &self->bed));
}

TEST_F_TIMEOUT(fault, key_set, 3600)
{
	EXPECT_LT(0, each_fails(key_set, NULL, &self->bed));
}

TEST_F_TIMEOUT(fault, link_add, 3600)
{
	EXPECT_LT(0, each_fails(link_add, link_del, &self->bed));
	EXPECT_EQ(0, link_del(&self->bed));
}

TEST_F_TIMEOUT(fault, link_del, 3600)
{
	ASSERT_EQ(0, link_add(&self->bed));
	EXPECT_LT(0, each_fails(link_del, link_add, &self->bed));
}

TEST_F_TIMEOUT(fault, fence_set, 3600)
{
	EXPECT_LT(0, each_fails(fence_set, fence_other, &self->bed));
	EXPECT_EQ(1, server_node(&self->bed.server[A]).fence.count);
}

TEST_F_TIMEOUT(fault, daemon_commands, 3600)
{
	ASSERT_EQ(0, link_add(&self->bed));
	EXPECT_LT(0, each_fails(attach, NULL, &self->bed));
	EXPECT_LT(0, each_fails(report, NULL, &self->bed));
	yield_role(&self->bed);
	EXPECT_LT(0, each_fails(activate, yield_role, &self->bed));
}

TEST_F_TIMEOUT(fault, questions, 3600)
{
	ASSERT_EQ(0, link_add(&self->bed));
	EXPECT_LT(0, each_fails(ask_node, NULL, &self->bed));
	EXPECT_LT(0, each_fails(ask_peer, NULL, &self->bed));
	EXPECT_LT(0, each_fails(ask_links, NULL, &self->bed));
}

TEST_F_TIMEOUT(fault, birth_of_a_namespace, 3600)
{
	EXPECT_LT(0, each_fails(namespace_with_node, NULL, &self->bed));
}

static bool link_is_up(const struct news *news)
{
	return news->command == CTIHA_CMD_LINK_NTF &&
	       news->link.state == CTIHA_SESSION_UP;
}

/* Memory is short for everybody, interrupts included, while heartbeats go on. */
TEST_F_TIMEOUT(fault, heartbeats_without_memory, 3600)
{
	struct server *a = &self->bed.server[A], *b = &self->bed.server[B];
	struct heartbeat_link before, after;
	struct news news;

	ASSERT_EQ(0, server_link(a, CTIHA_LINK_CROSSOVER, INTERVAL_US, MULTIPLIER));
	ASSERT_EQ(0, server_link(b, CTIHA_LINK_CROSSOVER, INTERVAL_US, MULTIPLIER));
	ASSERT_TRUE(server_await(a, link_is_up, 5 * SECOND, &news));
	before = server_view_link(a, CTIHA_LINK_CROSSOVER);
	ASSERT_EQ(0, knob(FAULTS "/times", "-1"));
	ASSERT_EQ(0, knob(FAULTS "/interval", "1"));
	ASSERT_EQ(0, knob(FAULTS "/probability", "60"));
	sleep_until(clock_now_ns() + 60 * SECOND);
	while (knob(FAULTS "/probability", "0"))
		;
	sleep_until(clock_now_ns() + SECOND);
	after = server_view_link(a, CTIHA_LINK_CROSSOVER);
	printf("# %llu heartbeats sent, %llu failed, session down %u times\n",
	       (unsigned long long)(after.stats.count[CTIHA_A_STAT_TX] -
				    before.stats.count[CTIHA_A_STAT_TX]),
	       (unsigned long long)after.stats.count[CTIHA_A_STAT_TX_FAILED],
	       after.changes - before.changes);
	EXPECT_LT(1000, after.stats.count[CTIHA_A_STAT_TX_FAILED]);
	EXPECT_LT(0, after.changes - before.changes);
	EXPECT_EQ(CTIHA_SESSION_UP, after.state);
	EXPECT_EQ(CTIHA_SESSION_UP, server_view_link(b, CTIHA_LINK_CROSSOVER).state);
}

/* Last: without its fixture, for namespaces hold the module. */
TEST(loading_the_module)
{
	ASSERT_EQ(0, faults_prepare());
	unload_module(NULL);
	EXPECT_LT(0, each_fails(load_module, unload_module, NULL));
}

TEST_HARNESS_MAIN
