// SPDX-License-Identifier: GPL-2.0-or-later
/* ctihad: the daemon of one CTI server of a pair. See ctihad(8). */
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>
#include <systemd/sd-daemon.h>

#include "common/log.h"
#include "daemon/pair.h"
#include "daemon/privilege.h"

#define EXIT_CONFIG	2	/* usage, or the configuration is wrong */
#define HEAP_SPARE	(8 << 20)
#define HEAP_STEP	(1 << 20)
#define HEAP_LARGE	(4 << 20)	/* blocks from this size on are no part of it */

struct options {
	const char *config;
	bool test;
};

static void print_help(void)
{
	puts("Usage: ctihad [-c FILE] [-t]\n"
	     "The daemon of one CTI server of a hot-standby pair.\n"
	     "\n"
	     "  -c, --config FILE  configuration (default " CONFIG_PATH ")\n"
	     "  -t, --test         check the configuration and end\n"
	     "  -V, --version      print the version\n"
	     "  -h, --help         this text\n"
	     "\n"
	     "It stays in the foreground and logs to the journal or to standard error.\n"
	     "SIGTERM hands the calls over to the peer, says goodbye to it, and ends.\n"
	     "SIGHUP reads the keys again, as 'ctiha reload' does.\n"
	     "See ctihad(8), ctiha.conf(5); 'ctiha status' shows what it is doing.");
}

/* Returns -1 to go on, else the exit code. */
static int read_options(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "test", no_argument, NULL, 't' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "c:tVh", longs, NULL)) != -1) {
		switch (option) {
		case 'c':
			options->config = optarg;
			break;
		case 't':
			options->test = true;
			break;
		case 'V':
			puts("ctihad " CTIHA_VERSION);
			return EXIT_SUCCESS;
		case 'h':
			print_help();
			return EXIT_SUCCESS;
		default:
			fputs("Try 'ctihad --help'.\n", stderr);
			return EXIT_CONFIG;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "ctihad: unexpected argument '%s': try 'ctihad --help'\n",
		argv[optind]);
	return EXIT_CONFIG;
}

static void end(int signal, short what, void *pair)
{
	(void)signal;
	(void)what;
	sd_notify(0, "STOPPING=1");
	pair_end(pair);
}

static void reload(int signal, short what, void *pair)
{
	char error[CONFIG_PATH_LEN + 64];

	(void)signal;
	(void)what;
	pair_reload(pair, error, sizeof(error));
}

/* The loop turns, so the daemon lives: systemd hears it at half the limit. */
static void pat_watchdog(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	sd_notify(0, "WATCHDOG=1");
}

static struct event *start_watchdog(struct event_base *base)
{
	u64 limit_us = 0;
	struct timeval half;
	struct event *event;

	if (sd_watchdog_enabled(0, &limit_us) <= 0)
		return NULL;
	half.tv_sec = (time_t)(limit_us / 2 / 1000000);
	half.tv_usec = (suseconds_t)(limit_us / 2 % 1000000);
	event = event_new(base, -1, EV_PERSIST, pat_watchdog, NULL);
	if (event)
		event_add(event, &half);
	return event;
}

static int serve(struct event_base *base, struct pair *pair)
{
	struct event *term = evsignal_new(base, SIGTERM, end, pair);
	struct event *interrupt = evsignal_new(base, SIGINT, end, pair);
	struct event *hangup = evsignal_new(base, SIGHUP, reload, pair);
	struct event *watchdog = start_watchdog(base);

	event_add(term, NULL);
	event_add(interrupt, NULL);
	event_add(hangup, NULL);
	sd_notify(0, "READY=1");
	event_base_dispatch(base);
	event_free(term);
	event_free(interrupt);
	event_free(hangup);
	if (watchdog)
		event_free(watchdog);
	return pair_close(pair) ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* What a turn of the event loop gives back, the next one wants again. */
static void keep_memory(void)
{
	mallopt(M_TRIM_THRESHOLD, HEAP_SPARE);
	mallopt(M_TOP_PAD, HEAP_STEP);
	mallopt(M_MMAP_THRESHOLD, HEAP_LARGE);
}

static struct event_base *new_base(void)
{
	struct event_config *precise = event_config_new();
	struct event_base *base;

	if (!precise)
		return NULL;
	event_config_set_flag(precise, EVENT_BASE_FLAG_PRECISE_TIMER);
	base = event_base_new_with_config(precise);
	event_config_free(precise);
	return base;
}

static int run(const struct config *config)
{
	char error[512];
	struct event_base *base;
	struct pair *pair;
	int code;

	signal(SIGPIPE, SIG_IGN);
	keep_memory();
	if (!privilege_drop(config, error, sizeof(error))) {
		log_error("%s", error);
		return EXIT_FAILURE;
	}
	base = new_base();
	if (!base) {
		log_error("out of memory");
		return EXIT_FAILURE;
	}
	pair = pair_open(base, config, error, sizeof(error));
	if (!pair)
		log_error("%s", error);
	code = pair ? serve(base, pair) : EXIT_FAILURE;
	event_base_free(base);
	return code;
}

int main(int argc, char **argv)
{
	struct options options = { .config = CONFIG_PATH };
	struct config *config;
	int code = read_options(argc, argv, &options);

	if (code >= 0)
		return code;
	log_init("ctihad", LOG_LEVEL_INFO);
	config = config_read(options.config, stderr);
	if (!config)
		return EXIT_CONFIG;
	log_init("ctihad", config->log_level);
	if (options.test)
		printf("%s: all is well\n", options.config);
	else
		code = run(config);
	config_free(config);
	return code < 0 ? EXIT_SUCCESS : code;
}
