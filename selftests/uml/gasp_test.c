// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The module's last words when it is removed: what is on the cable, and that nothing
 * follows. Those of panic, reboot and power off take a virtual machine each:
 * selftests/pair/faults_test.py.
 */
#include "kselftest_harness.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bed.h"
#include "capture.h"

#define KEY		0x5a
#define INTERVAL	(10 * MS)
#define MULTIPLIER	3
#define LEASE		(60 * MS)
#define PROMISE		(75 * MS)
#define MODULE		"build/module/um/ctiha.ko"
#define COPIES		3

static bool link_is_up(const struct news *news)
{
	return news->command == CTIHA_CMD_LINK_NTF &&
	       news->link.state == CTIHA_SESSION_UP;
}

static int unload_module(void)
{
	int ret;

	do {
		ret = (int)syscall(SYS_delete_module, "ctiha", O_NONBLOCK);
	} while (ret && errno == EAGAIN);
	return ret;
}

static int load_module(void)
{
	int fd = open(MODULE, O_RDONLY | O_CLOEXEC);
	int ret = (int)syscall(SYS_finit_module, fd, "", 0);

	close(fd);
	return ret;
}

FIXTURE(pair)
{
	struct bed bed;
	int port;
};

FIXTURE_SETUP(pair)
{
	struct news news;
	int i;

	ASSERT_EQ(0, bed_open(&self->bed));
	self->port = capture_open("xa");
	ASSERT_LE(0, self->port);
	for (i = 0; i < SERVERS; i++) {
		struct server *s = &self->bed.server[i];

		ASSERT_EQ(0, server_create(s, LEASE, PROMISE));
		ASSERT_EQ(0, server_key(s, 0, KEY));
		ASSERT_EQ(0, server_link(s, CTIHA_LINK_CROSSOVER, INTERVAL / US,
					 MULTIPLIER));
	}
	for (i = 0; i < SERVERS; i++)
		ASSERT_TRUE(server_await(&self->bed.server[i], link_is_up,
					 5 * SECOND, &news));
}

FIXTURE_TEARDOWN(pair)
{
	close(self->port);
	bed_close(&self->bed);
}

/*
 * Both gasp, one after the other, as both are in this kernel; so one may still tell by
 * a heartbeat that the other has left. After a gasp nothing contradicts it.
 */
TEST_F(pair, unload_gasps_and_falls_silent)
{
	unsigned int gasps[2] = { 0 };
	struct captured captured;

	sleep_until(clock_now_ns() + SECOND + INTERVAL / 2);
	capture_flush(self->port);
	ASSERT_EQ(0, unload_module());
	sleep_until(clock_now_ns() + SECOND);
	while (capture_next(self->port, KEY, &captured)) {
		if (captured.frame.type != CTIHA_FRAME_GASP) {
			EXPECT_EQ(0, gasps[captured.direction]);
			continue;
		}
		EXPECT_EQ(CTIHA_LAST_WORDS_UNLOAD, captured.frame.last_words);
		EXPECT_EQ(CTIHA_ROLE_STANDBY, captured.frame.role);
		EXPECT_NE(0, captured.frame.vote_epoch);
		gasps[captured.direction]++;
	}
	EXPECT_EQ(COPIES, gasps[CAPTURE_IN]);
	EXPECT_EQ(COPIES, gasps[CAPTURE_OUT]);
	ASSERT_EQ(0, load_module());
}

TEST_HARNESS_MAIN
