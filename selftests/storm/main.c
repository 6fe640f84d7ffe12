// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * storm KIND NUMBER OTHER SEED: make one kind of trouble in this network namespace
 * until SIGTERM; then tell how often each deed was tried and done, a line each.
 * storm unload: remove the module as soon as nobody holds it.
 *
 * NUMBER: 0 or 1; OTHER: path of the other namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "storm.h"

static volatile bool stop;

static const char *const deeds[DEEDS] = {
	[NODE_SET] = "node-set", [KEY_SET] = "key-set",
	[FENCE_SET] = "fence-set", [LINK_ADD] = "link-add",
	[LINK_DEL] = "link-del", [READ] = "read", [DUMP] = "dump",
	[SEEN_UP] = "seen-up", [ATTACH] = "attach", [REPORT] = "report",
	[ACTIVATE] = "activate", [RENEW] = "renew", [YIELD] = "yield",
	[LEAVE] = "leave", [CLOSED] = "closed", [KILLED] = "killed",
	[LISTENED] = "listened", [CREATED] = "created", [DELETED] = "deleted",
	[RENAMED] = "renamed", [SWITCHED] = "switched", [MAC_SET] = "mac-set",
	[MTU_SET] = "mtu-set", [MOVED] = "moved", [ENSLAVED] = "enslaved",
	[FLOODED] = "flooded", [SPACE_ENDED] = "space-ended",
};

/* pause_ms: between two rounds, at most; daemons hold the module, so let it go for long */
static const struct kind {
	const char *name;
	bool (*round)(struct storm *storm);
	u32 pause_ms;
} kinds[] = {
	{ "commands", storm_commands, 10 },
	{ "daemon", storm_daemon, 300 },
	{ "monitor", storm_monitor, 20 },
	{ "devices", storm_devices, 60 },
	{ "junk", storm_junk, 20 },
	{ "space", storm_space, 200 },
	{ NULL, NULL, 0 }
};

u32 storm_random(u32 below)
{
	return (u32)random() % below;
}

void storm_pause(u32 max_ms)
{
	struct timespec pause = {
		.tv_nsec = storm_random(max_ms * 1000) * 1000L,
	};

	nanosleep(&pause, NULL);
}

int storm_count(struct storm *storm, enum deed deed, int ret)
{
	storm->tried[deed]++;
	storm->done[deed] += !ret;
	return ret;
}

static void tell(const struct storm *storm)
{
	unsigned int i;

	for (i = 0; i < DEEDS; i++)
		if (storm->tried[i])
			printf("%s %llu %llu\n", deeds[i],
			       (unsigned long long)storm->tried[i],
			       (unsigned long long)storm->done[i]);
}

static void on_signal(int number)
{
	(void)number;
	stop = true;
}

static const struct kind *kind_of(const char *name)
{
	const struct kind *kind = kinds;

	while (kind->name && strcmp(kind->name, name))
		kind++;
	return kind->name ? kind : NULL;
}

static int rage(const struct kind *kind, struct storm *storm)
{
	while (!stop) {
		/* Without module, node or device: look again a little later. */
		if (!kind->round(storm))
			storm_pause(50);
		storm_pause(kind->pause_ms);
	}
	tell(storm);
	return 0;
}

/* Those who hold it (attached daemons, dumps) let go again and again. */
static int unload(void)
{
	while (syscall(SYS_delete_module, "ctiha", O_NONBLOCK)) {
		if (errno != EAGAIN && errno != EBUSY) {
			perror("delete_module");
			return 1;
		}
		storm_pause(2);
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct storm storm = { .stop = &stop };
	const struct kind *kind;

	if (argc == 2 && !strcmp(argv[1], "unload"))
		return unload();
	kind = argc == 5 ? kind_of(argv[1]) : NULL;
	if (!kind) {
		fprintf(stderr, "usage: storm KIND NUMBER OTHER SEED | storm unload\n");
		return 2;
	}
	sigaction(SIGTERM, &action, NULL);
	srandom((unsigned int)atoi(argv[4]));
	storm.number = atoi(argv[2]);
	storm.other = open(argv[3], O_RDONLY | O_CLOEXEC);
	if (storm.other < 0) {
		perror(argv[3]);
		return 1;
	}
	return rage(kind, &storm);
}
