// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Cuts the cable between two network namespaces again and again, and notes when
 * one of the two systems on it says so. For all systems the same: a line of its
 * output that matches DOWN or UP, stamped when it arrives.
 *
 *   SYSTEM | observe DOWN UP NETNS QUIET CUTS SEED
 *
 * Runs in the observed system's namespace; NETNS is its peer's. The cable is
 * cable0a to cable0b. After the time without cuts cable1 is cut for good: a system
 * that has two links shall lose its peer, not one link of two. It needs a realtime
 * class above the load's, or it would measure its own lateness. An expression may
 * have one group, the event's own time in ns, for a system whose reader is late. The
 * line "loaded" says that all is running, and begins the time without cuts.
 *
 * The cable is cut by a filter that drops everything at the ingress of both devices:
 * carriers stay, nobody is told. Prints "NS WORD [VALUE]" per line:
 *   down, up            what the system said
 *   cut, healed         what was done to the cable
 *   quiet, loud         the time without cuts begins, ends
 *   idle, frames        at both: ns that the CPU was idle, frames sent and received
 *   mute                no DOWN or UP within PATIENCE: given up
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_gact.h>
#include <net/if.h>
#include <poll.h>
#include <regex.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S	1000000000ull
#define NS_PER_MS	1000000ull
#define PATIENCE	(60 * NS_PER_S)
#define SETTLE		(2 * NS_PER_S)
#define CALM		(1500 * NS_PER_MS)	/* BFD's timers are slow until then */
#define HOLD		(200 * NS_PER_MS)
#define JITTER		(100 * NS_PER_MS)
#define FOREVER		(~0ull)

struct end {
	struct mnl_socket *socket;
	unsigned int ifindex;
};

struct observer {
	regex_t down, up;
	struct end ends[2], spares[2];
	bool is_up;
	bool loaded;
	char line[4096];
	size_t length;
};

static void fail(const char *what)
{
	fprintf(stderr, "observe: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned long long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (unsigned long long)t.tv_sec * NS_PER_S +
	       (unsigned long long)t.tv_nsec;
}

/* ---- the cable ---- */

static void drop_everything(struct nlmsghdr *message)
{
	struct tc_gact gact = { .action = TC_ACT_SHOT };
	struct nlattr *options = mnl_attr_nest_start(message, TCA_OPTIONS);
	struct nlattr *actions = mnl_attr_nest_start(message, TCA_MATCHALL_ACT);
	struct nlattr *first = mnl_attr_nest_start(message, 1);
	struct nlattr *own;

	mnl_attr_put_strz(message, TCA_ACT_KIND, "gact");
	own = mnl_attr_nest_start(message, TCA_ACT_OPTIONS);
	mnl_attr_put(message, TCA_GACT_PARMS, sizeof(gact), &gact);
	mnl_attr_nest_end(message, own);
	mnl_attr_nest_end(message, first);
	mnl_attr_nest_end(message, actions);
	mnl_attr_nest_end(message, options);
}

/* One filter at the ingress of the device. */
static void filter(const struct end *end, bool add)
{
	char buffer[1024];
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
	struct tcmsg *tc;
	ssize_t got;

	message->nlmsg_type = add ? RTM_NEWTFILTER : RTM_DELTFILTER;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK |
			       (add ? NLM_F_CREATE | NLM_F_EXCL : 0);
	tc = mnl_nlmsg_put_extra_header(message, sizeof(*tc));
	tc->tcm_ifindex = (int)end->ifindex;
	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS);
	tc->tcm_info = TC_H_MAKE(1U << 16, htons(ETH_P_ALL));
	mnl_attr_put_strz(message, TCA_KIND, "matchall");
	if (add)
		drop_everything(message);
	if (mnl_socket_sendto(end->socket, message, message->nlmsg_len) < 0)
		fail("cannot send to the kernel");
	got = mnl_socket_recvfrom(end->socket, buffer, sizeof(buffer));
	if (got < 0 || mnl_cb_run(buffer, (size_t)got, 0,
				  mnl_socket_get_portid(end->socket), NULL,
				  NULL) < 0)
		fail("the filter");
}

static void cut_spare(const struct observer *o)
{
	filter(&o->spares[0], true);
	filter(&o->spares[1], true);
}

static void cable(const struct observer *o, bool cut)
{
	/* Whoever is observed is the first to hear nothing. */
	filter(&o->ends[0], cut);
	printf("%llu %s\n", now(), cut ? "cut" : "healed");
	filter(&o->ends[1], cut);
}

static void open_end(struct end *end, const char *device)
{
	end->ifindex = if_nametoindex(device);
	if (!end->ifindex)
		fail(device);
	end->socket = mnl_socket_open(NETLINK_ROUTE);
	if (!end->socket || mnl_socket_bind(end->socket, 0, MNL_SOCKET_AUTOPID))
		fail("no netlink socket");
}

static void enter(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET))
		fail(path);
	close(fd);
}

/* ---- counters ---- */

static unsigned long long read_number(const char *path, const char *after)
{
	unsigned long long number = 0;
	FILE *file = fopen(path, "r");
	char line[512], *found;

	if (!file)
		fail(path);
	while (fgets(line, sizeof(line), file)) {
		found = strstr(line, after);
		if (found &&
		    sscanf(found + strlen(after), "%llu", &number) == 1)
			break;
	}
	fclose(file);
	return number;
}

/* Sent and received, on all cables of this namespace. */
static unsigned long long frames(void)
{
	unsigned long long sum = 0;
	glob_t found;
	size_t i;

	if (glob("/sys/class/net/cable*/statistics/[rt]x_packets", 0, NULL,
		 &found))
		fail("no cable");
	for (i = 0; i < found.gl_pathc; i++)
		sum += read_number(found.gl_pathv[i], "");
	globfree(&found);
	return sum;
}

static void print_counters(void)
{
	printf("%llu idle %llu\n", now(),
	       read_number("/proc/timer_list", ".idle_sleeptime : "));
	printf("%llu frames %llu\n", now(), frames());
}

/* ---- what the system says ---- */

static bool said(const regex_t *expression, const char *line,
		 unsigned long long *when)
{
	regmatch_t groups[2];

	if (regexec(expression, line, 2, groups, 0))
		return false;
	if (expression->re_nsub)
		*when = strtoull(line + groups[1].rm_so, NULL, 10);
	return true;
}

static void take_line(struct observer *o, unsigned long long when)
{
	bool down;

	fprintf(stderr, "%llu %s\n", when, o->line);
	if (!strcmp(o->line, "loaded"))
		o->loaded = true;
	down = said(&o->down, o->line, &when);
	if (!down && !said(&o->up, o->line, &when))
		return;
	if (o->is_up == !down)
		return;
	o->is_up = !down;
	printf("%llu %s\n", when, down ? "down" : "up");
}

static void take_bytes(struct observer *o, const char *bytes, size_t count,
		       unsigned long long when)
{
	for (; count; bytes++, count--) {
		if (*bytes != '\n') {
			if (o->length < sizeof(o->line) - 1)
				o->line[o->length++] = *bytes;
			continue;
		}
		o->line[o->length] = '\0';
		o->length = 0;
		take_line(o, when);
	}
}

static void listen_once(struct observer *o, unsigned long long left)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	struct timespec limit = { .tv_sec = (time_t)(left / NS_PER_S),
				  .tv_nsec = (long)(left % NS_PER_S) };
	char bytes[4096];
	ssize_t got;

	if (ppoll(&in, 1, &limit, NULL) <= 0)
		return;
	got = read(STDIN_FILENO, bytes, sizeof(bytes));
	if (got <= 0) {
		errno = EPIPE;
		fail("the system's output has ended");
	}
	take_bytes(o, bytes, (size_t)got, now());
}

static void listen_for(struct observer *o, unsigned long long span)
{
	unsigned long long end = now() + span, t;

	while ((t = now()) < end)
		listen_once(o, end - t);
}

static bool wait_for(struct observer *o, bool up)
{
	unsigned long long end = now() + PATIENCE, t;

	while (o->is_up != up && (t = now()) < end)
		listen_once(o, end - t);
	if (o->is_up != up)
		printf("%llu mute\n", now());
	return o->is_up == up;
}

/* ---- what is done ---- */

static void wait_loaded(struct observer *o)
{
	unsigned long long end = now() + PATIENCE, t;

	while (!o->loaded && (t = now()) < end)
		listen_once(o, end - t);
	if (!o->loaded) {
		errno = ETIMEDOUT;
		fail("nobody says that all is running");
	}
}

static void stay_quiet(struct observer *o, unsigned long long span)
{
	if (!wait_for(o, true))
		return;
	wait_loaded(o);
	listen_for(o, SETTLE);
	print_counters();
	printf("%llu quiet\n", now());
	listen_for(o, span);
	printf("%llu loud\n", now());
	print_counters();
}

static bool cut_once(struct observer *o)
{
	bool noticed;

	if (!wait_for(o, true))
		return false;
	listen_for(o, CALM + (unsigned long long)random() % JITTER);
	/* A false alarm just now: the cable is cut when all is well. */
	if (!wait_for(o, true))
		return false;
	cable(o, true);
	noticed = wait_for(o, false);
	listen_for(o, HOLD);
	cable(o, false);
	return noticed;
}

int main(int argc, char **argv)
{
	static struct observer o;
	int cuts;

	if (argc != 7 || regcomp(&o.down, argv[1], REG_EXTENDED) ||
	    regcomp(&o.up, argv[2], REG_EXTENDED)) {
		fputs("usage: observe DOWN UP NETNS QUIET CUTS SEED\n",
		      stderr);
		return 2;
	}
	open_end(&o.ends[0], "cable0a");
	open_end(&o.spares[0], "cable1a");
	enter(argv[3]);
	open_end(&o.ends[1], "cable0b");
	open_end(&o.spares[1], "cable1b");
	srandom((unsigned int)atoi(argv[6]));
	/* The guest's script waits for the first "up". */
	setvbuf(stdout, NULL, _IOLBF, 0);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	stay_quiet(&o, strtoull(argv[4], NULL, 10) * NS_PER_S);
	cut_spare(&o);
	for (cuts = atoi(argv[5]); cuts > 0 && cut_once(&o); cuts--)
		;
	return 0;
}
