// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hooks run in order, one at a time, with a time limit; what is superseded
 * before it started does not run; nothing else's children are touched.
 *
 * The hooks are shell lines that append to a file. Their time limit is longer
 * than a busy machine needs; tests of the limit set a short one. Every wait is
 * bounded by 10 s of the event loop.
 */
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "common/clock.h"
#include "daemon/hook.h"

#define LIMIT_NS	8000000000ULL
#define SHORT_NS	1000000000ULL	/* time for a shell to set its trap */

FIXTURE(hook)
{
	struct event_base *base;
	struct hook_queue *q;
	struct config config;
	char dir[32];
	char file[48];
	char text[4096];
	int idle;
};

static void on_idle(void *arg)
{
	FIXTURE_DATA(hook) *self = arg;

	self->idle++;
	event_base_loopbreak(self->base);
}

FIXTURE_SETUP(hook)
{
	memset(self, 0, sizeof(*self));
	strcpy(self->dir, "/tmp/hook_test.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->file, sizeof(self->file), "%s/out", self->dir);
	setenv("OUT", self->file, 1);
	setenv("CTIHA_EPOCH", "of the daemon's own environment", 1);
	self->config.node = 1;
	self->config.pair = 7;
	self->base = event_base_new();
	ASSERT_NE(NULL, self->base);
	self->q = hook_open(self->base, &self->config, on_idle, self);
	ASSERT_NE(NULL, self->q);
}

FIXTURE_TEARDOWN(hook)
{
	unsigned int i;

	hook_close(self->q);
	event_base_free(self->base);
	for (i = 0; i < self->config.hook_count; i++)
		free(self->config.hooks[i].argv[2]);
	unlink(self->file);
	rmdir(self->dir);
}

static void add(FIXTURE_DATA(hook) *self, u8 role, const char *line)
{
	struct config_hook *h = &self->config.hooks[self->config.hook_count++];

	h->role = role;
	h->argv[0] = "/bin/sh";
	h->argv[1] = "-c";
	h->argv[2] = strdup(line);
	h->timeout_ns = LIMIT_NS;
}

/* As add(), with the short limit. */
static void add_short(FIXTURE_DATA(hook) *self, u8 role, const char *line)
{
	add(self, role, line);
	self->config.hooks[self->config.hook_count - 1].timeout_ns = SHORT_NS;
}

/* The event loop, until all hooks have ended or for 10 s. */
static void wait_idle(FIXTURE_DATA(hook) *self)
{
	static const struct timeval limit = { .tv_sec = 10 };

	if (hook_idle(self->q))
		return;
	event_base_loopexit(self->base, &limit);
	event_base_dispatch(self->base);
}

static const char *output(FIXTURE_DATA(hook) *self)
{
	FILE *f = fopen(self->file, "r");
	size_t len = f ? fread(self->text, 1, sizeof(self->text) - 1, f) : 0;

	self->text[len] = 0;
	if (f)
		fclose(f);
	return self->text;
}

static void spin(FIXTURE_DATA(hook) *self, long ms)
{
	struct timeval limit = {
		.tv_sec = ms / 1000,
		.tv_usec = ms % 1000 * 1000,
	};

	event_base_loopexit(self->base, &limit);
	event_base_dispatch(self->base);
}

TEST_F(hook, order_and_environment)
{
	add(self, CTIHA_ROLE_ACTIVE,
	    "sleep 0.1; echo 1 $CTIHA_ROLE $CTIHA_EPOCH $CTIHA_NODE $CTIHA_PAIR \"$CTIHA_REASON\" >>$OUT");
	add(self, CTIHA_ROLE_STANDBY, "echo no >>$OUT");
	add(self, CTIHA_ROLE_ACTIVE, "echo 2 >>$OUT");
	add(self, CTIHA_ROLE_ACTIVE, "echo 3 >>$OUT");
	EXPECT_TRUE(hook_idle(self->q));
	EXPECT_EQ(0, hook_run(self->q, CTIHA_ROLE_ACTIVE, 12, "the peer is silent"));
	EXPECT_FALSE(hook_idle(self->q));
	wait_idle(self);
	EXPECT_TRUE(hook_idle(self->q));
	EXPECT_EQ(1, self->idle);
	EXPECT_STREQ("1 active 12 1 7 the peer is silent\n2\n3\n",
		     output(self));
}

/* keepalived #2158, #2239: a later change waits its turn. */
TEST_F(hook, later_change_waits)
{
	add(self, CTIHA_ROLE_ACTIVE,
	    "echo begin $CTIHA_EPOCH >>$OUT; sleep 0.1; echo end $CTIHA_EPOCH >>$OUT");
	add(self, CTIHA_ROLE_STANDBY, "echo standby $CTIHA_EPOCH >>$OUT");
	hook_run(self->q, CTIHA_ROLE_ACTIVE, 12, "");
	hook_run(self->q, CTIHA_ROLE_STANDBY, 13, "");
	wait_idle(self);
	EXPECT_STREQ("begin 12\nend 12\nstandby 13\n", output(self));
}

TEST_F(hook, superseded_before_start)
{
	add(self, CTIHA_ROLE_ACTIVE, "sleep 0.1; echo a1 $CTIHA_EPOCH >>$OUT");
	add(self, CTIHA_ROLE_ACTIVE, "echo a2 $CTIHA_EPOCH >>$OUT");
	add(self, CTIHA_ROLE_STANDBY, "echo s $CTIHA_EPOCH >>$OUT");
	hook_run(self->q, CTIHA_ROLE_ACTIVE, 12, "");
	hook_run(self->q, CTIHA_ROLE_STANDBY, 13, "");
	hook_run(self->q, CTIHA_ROLE_ACTIVE, 14, "");
	wait_idle(self);
	/* a1 had begun and ends; the last change runs in full. */
	EXPECT_STREQ("a1 12\na1 14\na2 14\n", output(self));
	hook_run(self->q, CTIHA_ROLE_STANDBY, 15, "");
	wait_idle(self);
	EXPECT_STREQ("a1 12\na1 14\na2 14\ns 15\n", output(self));
}

TEST_F(hook, nothing_to_run)
{
	add(self, CTIHA_ROLE_ACTIVE, "echo no >>$OUT");
	hook_run(self->q, CTIHA_ROLE_STANDBY, 1, "");
	EXPECT_TRUE(hook_idle(self->q));
	EXPECT_EQ(1, self->idle);
	EXPECT_STREQ("", output(self));
}

TEST_F(hook, time_limit)
{
	u64 start = clock_now_ns(), took;

	add_short(self, CTIHA_ROLE_ACTIVE, "sleep 30; echo no >>$OUT");
	add(self, CTIHA_ROLE_ACTIVE, "echo next >>$OUT");
	hook_run(self->q, CTIHA_ROLE_ACTIVE, 1, "");
	wait_idle(self);
	took = clock_now_ns() - start;
	EXPECT_STREQ("next\n", output(self));
	EXPECT_TRUE(hook_idle(self->q));
	EXPECT_GE(took, SHORT_NS);
}

/* SIGTERM is ignored: SIGKILL ends the command and what it started. */
TEST_F(hook, time_limit_of_the_stubborn)
{
	u64 start = clock_now_ns(), took;

	add_short(self, CTIHA_ROLE_ACTIVE,
	    "trap '' TERM; (sleep 4; echo no >>$OUT) & echo begun >>$OUT; wait; wait; sleep 30");
	hook_run(self->q, CTIHA_ROLE_ACTIVE, 1, "");
	wait_idle(self);
	took = clock_now_ns() - start;
	EXPECT_TRUE(hook_idle(self->q));
	EXPECT_GE(took, SHORT_NS + 1000000000);
	spin(self, 4000);
	EXPECT_STREQ("begun\n", output(self));
}

/* The command ends at SIGTERM, but leaves a child that ignores it. */
TEST_F(hook, time_limit_takes_children_along)
{
	add_short(self, CTIHA_ROLE_ACTIVE,
	    "(trap '' TERM; sleep 3; echo no >>$OUT) & sleep 30");
	hook_run(self->q, CTIHA_ROLE_ACTIVE, 1, "");
	wait_idle(self);
	EXPECT_TRUE(hook_idle(self->q));
	spin(self, 4000);
	EXPECT_STREQ("", output(self));
}

TEST_F(hook, failures_do_not_stop_the_rest)
{
	add(self, CTIHA_ROLE_ACTIVE, "exit 3");
	add(self, CTIHA_ROLE_ACTIVE, "kill -SEGV $$");
	add(self, CTIHA_ROLE_ACTIVE, "");
	self->config.hooks[2].argv[0] = "/no/such/command";
	add(self, CTIHA_ROLE_ACTIVE, "echo last >>$OUT");
	hook_run(self->q, CTIHA_ROLE_ACTIVE, 1, "");
	wait_idle(self);
	EXPECT_STREQ("last\n", output(self));
}

/* More output than a pipe holds, without newlines, and control characters. */
TEST_F(hook, flood_of_output)
{
	add(self, CTIHA_ROLE_ACTIVE,
	    "head -c 1000000 /dev/zero; printf '\\033[2J\\n'; echo done >>$OUT");
	self->config.hooks[0].timeout_ns = 8000000000;
	hook_run(self->q, CTIHA_ROLE_ACTIVE, 1, "");
	wait_idle(self);
	EXPECT_STREQ("done\n", output(self));
}

/* A hook may leave a process that holds its output open. */
TEST_F(hook, daemons_do_not_hold_the_queue)
{
	pid_t left;

	add(self, CTIHA_ROLE_ACTIVE, "sleep 30 & echo $! >>$OUT");
	hook_run(self->q, CTIHA_ROLE_ACTIVE, 1, "");
	wait_idle(self);
	EXPECT_TRUE(hook_idle(self->q));
	left = atoi(output(self));
	ASSERT_GT(left, 1);
	EXPECT_EQ(0, kill(left, SIGKILL));	/* it was still there */
}

TEST_F(hook, other_children_are_left_alone)
{
	int status = 0;
	pid_t pid = fork();

	if (!pid)
		_exit(42);
	add(self, CTIHA_ROLE_ACTIVE, "sleep 0.05; echo ran >>$OUT");
	hook_run(self->q, CTIHA_ROLE_ACTIVE, 1, "");
	wait_idle(self);
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(42, WEXITSTATUS(status));
}

/* Signals blocked or ignored by the daemon are as usual for a hook. */
TEST_F(hook, signals_are_reset)
{
	sigset_t term;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, NULL);
	add(self, CTIHA_ROLE_ACTIVE, "kill -PIPE $$; echo ignored >>$OUT");
	add(self, CTIHA_ROLE_ACTIVE, "kill -TERM $$; echo blocked >>$OUT");
	add(self, CTIHA_ROLE_ACTIVE, "echo last >>$OUT");
	hook_run(self->q, CTIHA_ROLE_ACTIVE, 1, "");
	wait_idle(self);
	EXPECT_STREQ("last\n", output(self));
}

TEST_F(hook, close_kills)
{
	add(self, CTIHA_ROLE_ACTIVE, "sleep 0.3; echo no >>$OUT");
	hook_run(self->q, CTIHA_ROLE_ACTIVE, 1, "");
	hook_run(self->q, CTIHA_ROLE_ACTIVE, 3, "");
	hook_close(self->q);
	usleep(600000);
	EXPECT_STREQ("", output(self));
	self->q = hook_open(self->base, &self->config, NULL, NULL);
}

TEST_HARNESS_MAIN
