// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ctiha-arbiter: the third voter of each pair, and a STAMP reflector.
 *
 * One thread, one event loop. Rights are given up before the first packet is
 * read. Documentation/arbiter.rst has the protocol and the reasons.
 */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "arbiter/journal.h"
#include "arbiter/rights.h"
#include "arbiter/server.h"
#include "arbiter/settings.h"
#include "common/clock.h"
#include "common/durable.h"
#include "common/log.h"

#define WATCH_PERIOD_MS	100	/* how soon a server's silence is noticed */

enum exit_code {
	EXIT_CLEAN = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
};

static struct settings settings;
static struct pairs pairs;
static struct server server;
static struct journal journal = { .fd = -1 };

static int bind_all(void)
{
	unsigned int i;

	for (i = 0; i < settings.listen_count; i++) {
		int err = server_bind(&server, &settings.listen[i]);

		if (!err)
			continue;
		if (settings.listen_default && (err == -EAFNOSUPPORT ||
						err == -EADDRNOTAVAIL)) {
			log_info("this host has no IPv%c",
				 settings.listen[i].ss_family == AF_INET ?
				 '4' : '6');
			continue;
		}
		log_error("listen address %u cannot be used: %s; is another STAMP reflector running, and may this user bind ports below 1024?",
			  i + 1, strerror(-err));
		return err;
	}
	if (server.count)
		return 0;
	log_error("there is no address to listen on; see --listen");
	return -EADDRNOTAVAIL;
}

static int prepare_rights(void)
{
	struct rights_user user;
	int err = rights_find(&user, settings.user);

	if (err) {
		log_error("there is no user %s; create it or change the configuration",
			  settings.user);
		return err;
	}
	err = rights_directory(settings.state_dir, &user);
	if (err) {
		log_error("%s cannot be created: %s; create it for the arbiter's user",
			  settings.state_dir, strerror(-err));
		return err;
	}
	err = journal_open(&journal, settings.events);
	if (err) {
		log_error("event lines cannot be written to %s: %s; see --events",
			  settings.events, strerror(-err));
		return err;
	}
	err = rights_drop(&user);
	if (err)
		log_error("rights cannot be given up: %s; start as root or as the user to run as",
			  strerror(-err));
	return err;
}

static int claim_directory(void)
{
	int lock = durable_lock(settings.state_dir);

	if (lock >= 0 && !access(settings.state_dir, W_OK | X_OK))
		return lock;
	if (lock == -EBUSY)
		log_error("another arbiter uses %s; stop it or use --state-dir",
			  settings.state_dir);
	else
		log_error("%s cannot be written; chown it to the arbiter's user",
			  settings.state_dir);
	return -EACCES;
}

static void on_signal(evutil_socket_t number, short what, void *base)
{
	(void)what;
	log_info("signal %d: ending", (int)number);
	event_base_loopbreak(base);
}

static void on_watch(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	pairs_watch(&pairs, clock_now_ns());
}

static void on_watchdog(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	sd_notify(0, "WATCHDOG=1");
}

static struct event *add_timer(struct event_base *base, u64 period_us,
			       event_callback_fn call)
{
	struct timeval period = {
		.tv_sec = (time_t)(period_us / 1000000),
		.tv_usec = (suseconds_t)(period_us % 1000000),
	};
	struct event *timer = event_new(base, -1, EV_PERSIST, call, NULL);

	if (timer && event_add(timer, &period)) {
		event_free(timer);
		return NULL;
	}
	return timer;
}

static int run(struct event_base *base)
{
	struct event *term = evsignal_new(base, SIGTERM, on_signal, base);
	struct event *interrupt = evsignal_new(base, SIGINT, on_signal, base);
	struct event *watch = add_timer(base, WATCH_PERIOD_MS * 1000, on_watch);
	struct event *watchdog = NULL;
	uint64_t watchdog_us = 0;
	int err = -ENOMEM;

	if (sd_watchdog_enabled(0, &watchdog_us) > 0)
		watchdog = add_timer(base, watchdog_us / 2, on_watchdog);
	if (term && interrupt && watch && (watchdog || !watchdog_us) &&
	    !event_add(term, NULL) && !event_add(interrupt, NULL) &&
	    !server_start(&server, base)) {
		log_info("serving %u pair(s), state in %s", pairs.count,
			 settings.state_dir);
		sd_notify(0, "READY=1");
		err = event_base_dispatch(base) < 0 ? -EIO : 0;
		sd_notify(0, "STOPPING=1");
	}
	if (err)
		log_error("the event loop failed: %s", strerror(-err));
	if (watchdog)
		event_free(watchdog);
	if (watch)
		event_free(watch);
	if (interrupt)
		event_free(interrupt);
	if (term)
		event_free(term);
	return err;
}

static int serve(void)
{
	struct event_base *base;
	int lock = claim_directory();
	int err;

	if (lock < 0)
		return lock;
	pairs.directory = settings.state_dir;
	pairs.event = journal_event;
	pairs.event_arg = &journal;
	server.pairs = &pairs;
	err = pairs_load(&pairs, clock_now_ns());
	base = event_base_new();
	if (!err)
		err = base ? run(base) : -ENOMEM;
	server_close(&server);
	if (base)
		event_base_free(base);
	close(lock);
	return err;
}

int main(int argc, char **argv)
{
	int err;

	log_init("ctiha-arbiter", LOG_LEVEL_INFO);
	signal(SIGPIPE, SIG_IGN);
	err = settings_read(&settings, &pairs, argc, argv, stderr);
	if (err)
		return err < 0 ? EXIT_USAGE : EXIT_CLEAN;
	err = bind_all();
	if (!err)
		err = prepare_rights();
	if (!err)
		err = serve();
	journal_close(&journal);
	pairs_wipe(&pairs);
	libevent_global_shutdown();
	return err ? EXIT_FAILED : EXIT_CLEAN;
}
