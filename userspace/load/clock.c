// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ctiha-load clock: by how much a server's CLOCK_MONOTONIC is ahead of ours.
 *
 * Of several probes the one with the shortest round trip counts. The server read
 * its clock at some moment within it, so half of it bounds the error.
 */
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "load/load.h"
#include "load/request.h"

#define WAIT_MS	500

struct probe {
	u64 sent_ns;
	u64 heard_ns;
	u64 server_ns;
};

static bool measure(int fd, u64 id, struct probe *p)
{
	struct pollfd poll_for = { .fd = fd, .events = POLLIN };
	struct request r = { .op = REQUEST_CLOCK, .id = id };
	u8 data[REQUEST_MAX];
	ssize_t len;

	p->sent_ns = clock_now_ns();
	if (send(fd, data, request_write(data, &r), 0) < 0)
		return false;
	while (poll(&poll_for, 1, WAIT_MS) > 0) {
		len = recv(fd, data, sizeof(data), MSG_DONTWAIT);
		p->heard_ns = clock_now_ns();
		if (len < 0)
			return false;
		if (request_read(data, (size_t)len, &r) && r.id == id &&
		    r.op == REQUEST_CLOCK && r.status == REQUEST_OK) {
			p->server_ns = r.clock_ns;
			return true;
		}
	}
	return false;
}

static bool best_of(int fd, u64 probes, struct probe *best)
{
	struct probe p;
	bool any = false;
	u64 i;

	for (i = 1; i <= probes; i++) {
		if (!measure(fd, i, &p)) {
			/* Nobody there yet: a refusal comes at once. */
			usleep(10000);
			continue;
		}
		if (!any || p.heard_ns - p.sent_ns <
			    best->heard_ns - best->sent_ns)
			*best = p;
		any = true;
	}
	return any;
}

static int run(const struct sockaddr_storage *server, socklen_t len, u64 probes)
{
	int fd = socket(server->ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct probe p = { 0 };
	u64 half;

	if (fd < 0 || connect(fd, (const struct sockaddr *)server, len) ||
	    !best_of(fd, probes, &p)) {
		fputs("ctiha-load clock: no answer; does `ctiha-load serve` run there?\n",
		      stderr);
		if (fd >= 0)
			close(fd);
		return LOAD_NO_SERVICE;
	}
	close(fd);
	half = (p.heard_ns - p.sent_ns + 1) / 2;
	printf("{\"offset_ns\":%lld,\"error_ns\":%llu,\"own_ns\":%llu,\"server_ns\":%llu}\n",
	       (long long)(p.server_ns - (p.sent_ns + half)),
	       (unsigned long long)half, (unsigned long long)p.sent_ns + half,
	       (unsigned long long)p.server_ns);
	return LOAD_OK;
}

int clock_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "server", required_argument, NULL, 's' },
		{ "probes", required_argument, NULL, 'p' },
		{ 0 },
	};
	struct sockaddr_storage server;
	socklen_t len = 0;
	u64 probes = 50;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 's')
			len = load_address(optarg, &server);
		else if (option != 'p' ||
			 !load_number(optarg, 100000, &probes) || !probes)
			return LOAD_USAGE;
	}
	if (!len || optind != argc) {
		fputs("ctiha-load clock: needs --server ADDRESS:PORT\n", stderr);
		return LOAD_USAGE;
	}
	return run(&server, len, probes);
}
