// SPDX-License-Identifier: GPL-2.0-or-later
/* ctiha-load drive: options, the loop, control commands. See drive.h. */
#include "load/drive.h"

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"

#define SECOND_NS	(1000 * CTIHA_NS_PER_MS)
#define QUIET_NS	(5 * SECOND_NS)
#define AUDIT_NS	(60 * SECOND_NS)

/* ---- the loop ---- */

/* Sleeps until the next request is due, or something arrives. */
static void wait_for_news(struct drive *d, u64 due)
{
	struct pollfd p[2] = {
		{ .fd = d->fd, .events = POLLIN },
		{ .fd = d->control, .events = POLLIN },
	};
	u64 now = clock_now_ns();
	u64 ns = due > now ? due - now : 0;
	struct timespec limit;

	if (ns > 100 * CTIHA_NS_PER_MS)
		ns = 100 * CTIHA_NS_PER_MS;
	/* Requests due within a millisecond go together: fewer wake-ups. */
	if (ns && ns < CTIHA_NS_PER_MS)
		ns = CTIHA_NS_PER_MS;
	limit = (struct timespec){ .tv_nsec = (long)ns };
	ppoll(p, d->control >= 0 ? 2 : 1, &limit, NULL);
}

static void turn(struct drive *d)
{
	u64 due = caller_turn(d, clock_now_ns());

	wait_for_news(d, due);
	caller_receive(d);
}

/* Lets requests on their way be answered; those that are not stay undecided. */
static void quieten(struct drive *d)
{
	u64 end = clock_now_ns() + QUIET_NS;
	bool before = d->paused;

	d->paused = true;
	while (d->in_flight && !load_ending && clock_now_ns() < end)
		turn(d);
	d->paused = before;
}

static void audit(struct drive *d, struct ledger_audit *a)
{
	quieten(d);
	audit_run(d, AUDIT_NS, a);
	tell_audit(d, a);
	/* Nothing was due meanwhile, so silence begins now. */
	d->last_answer_ns = clock_now_ns();
	d->issued_ns = d->last_answer_ns;
}

/* ---- control ---- */

static bool obey(struct drive *d, const char *command)
{
	struct ledger_audit a;

	if (!strcmp(command, "pause") || !strcmp(command, "resume")) {
		d->paused = command[0] == 'p';
		d->issued_ns = clock_now_ns();
		if (d->paused)
			quieten(d);
		tell_event(d->paused ? "paused" : "resumed",
			   "\"on_their_way\":%u", d->in_flight);
	} else if (!strcmp(command, "audit")) {
		audit(d, &a);
	} else if (!strcmp(command, "status")) {
		tell_event("status",
			   "\"calls\":%u,\"filled\":%s,\"acked_standby\":%llu,\"acked_alone\":%llu,\"on_their_way\":%u",
			   d->ledger.live, d->filled ? "true" : "false",
			   (unsigned long long)d->acked_standby,
			   (unsigned long long)d->acked_alone, d->in_flight);
	} else if (!strcmp(command, "quit")) {
		return false;
	} else if (command[0]) {
		fprintf(stderr,
			"ctiha-load: unknown command: pause, resume, audit, status or quit\n");
	}
	return true;
}

/* Return: false on quit. */
static bool take_commands(struct drive *d)
{
	static char line[64];
	static size_t len;
	ssize_t n;
	char c;

	while (d->control >= 0 && (n = read(d->control, &c, 1)) != -1) {
		if (!n) {
			/* The end of standard input is no order to end. */
			d->control = -1;
			break;
		}
		if (c != '\n') {
			if (len < sizeof(line) - 1)
				line[len++] = c;
			continue;
		}
		line[len] = '\0';
		len = 0;
		if (!obey(d, line))
			return false;
	}
	return true;
}

static int open_control(struct drive *d)
{
	d->control = -1;
	if (!d->o.control)
		return 0;
	if (!strcmp(d->o.control, "-")) {
		d->control = STDIN_FILENO;
		return fcntl(d->control, F_SETFL, O_NONBLOCK);
	}
	/* For writing as well: so it stays open when a writer leaves. */
	d->control = open(d->o.control, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	return d->control < 0 ? -1 : 0;
}

/* ---- a run ---- */

static void note_filled(struct drive *d, u64 started_ns)
{
	u64 now = clock_now_ns();

	d->filled = true;
	d->filled_ns = now;
	d->issued_ns = now;
	tell_event("filled", "\"calls\":%u,\"ms\":%llu,\"acked_standby\":%llu,\"acked_alone\":%llu",
		   d->ledger.live,
		   (unsigned long long)((now - started_ns) / CTIHA_NS_PER_MS),
		   (unsigned long long)d->acked_standby,
		   (unsigned long long)d->acked_alone);
}

static void run(struct drive *d)
{
	u64 started = clock_now_ns(), progress = started + SECOND_NS;

	while (!load_ending && take_commands(d)) {
		turn(d);
		if (!d->filled && d->ledger.live >= d->o.calls)
			note_filled(d, started);
		if (clock_now_ns() >= progress) {
			tell_progress(d, clock_now_ns());
			progress += SECOND_NS;
		}
		if (d->o.seconds && d->filled &&
		    clock_now_ns() >= d->filled_ns + d->o.seconds * SECOND_NS)
			break;
	}
}

static int conclude(struct drive *d)
{
	struct ledger_audit a;

	load_ending = 0;
	audit(d, &a);
	if (d->o.ledger && ledger_save(&d->ledger, d->o.ledger))
		fprintf(stderr, "ctiha-load: %s: cannot be written\n",
			d->o.ledger);
	if (d->o.json && tell_document(d, &a))
		fprintf(stderr, "ctiha-load: %s: cannot be written\n",
			d->o.json);
	if (!a.complete)
		return LOAD_NO_SERVICE;
	return ledger_audit_good(&a) ? LOAD_OK : LOAD_AUDIT_FAILED;
}

static int drive(const struct drive_options *o)
{
	struct drive *d = calloc(1, sizeof(*d));
	int rc = LOAD_NO_SERVICE;

	if (!d)
		return rc;
	d->o = *o;
	d->fd = -1;
	ledger_init(&d->ledger, o->seed, o->first);
	if (open_control(d))
		perror("ctiha-load: --control");
	else if (caller_open(d))
		perror("ctiha-load: --service");
	else {
		run(d);
		rc = conclude(d);
	}
	caller_close(d);
	ledger_free(&d->ledger);
	free(d);
	return rc;
}

/* ---- options ---- */

static const struct option options[] = {
	{ "service", required_argument, NULL, 'a' },
	{ "calls", required_argument, NULL, 'c' },
	{ "rate", required_argument, NULL, 'r' },
	{ "seconds", required_argument, NULL, 's' },
	{ "window", required_argument, NULL, 'w' },
	{ "retry-ms", required_argument, NULL, 't' },
	{ "gap-ms", required_argument, NULL, 'g' },
	{ "seed", required_argument, NULL, 'd' },
	{ "first", required_argument, NULL, 'f' },
	{ "control", required_argument, NULL, 'C' },
	{ "ledger", required_argument, NULL, 'L' },
	{ "json", required_argument, NULL, 'J' },
	{ 0 },
};

static bool milliseconds(const char *text, u64 *ns)
{
	if (!load_number(text, 3600000, ns) || !*ns)
		return false;
	*ns *= CTIHA_NS_PER_MS;
	return true;
}

static bool set_option(struct drive_options *o, int option, const char *text)
{
	switch (option) {
	case 'a':
		o->service_len = load_address(text, &o->service);
		return o->service_len;
	case 'c':
		return load_number(text, 10000000, &o->calls);
	case 'r':
		return load_number(text, 1000000, &o->rate);
	case 's':
		return load_number(text, 1000000, &o->seconds);
	case 'w':
		return load_number(text, 2048, &o->window) && o->window;
	case 't':
		return milliseconds(text, &o->retry_ns);
	case 'g':
		return milliseconds(text, &o->gap_ns);
	case 'd':
		return load_number(text, UINT64_MAX, &o->seed);
	case 'f':
		return load_number(text, 1ULL << 62, &o->first) && o->first;
	case 'C':
		o->control = text;
		return true;
	case 'L':
		o->ledger = text;
		return true;
	case 'J':
		o->json = text;
		return true;
	}
	return false;
}

int drive_main(int argc, char **argv)
{
	struct drive_options o = {
		.calls = 1000,
		.rate = 200,
		.window = 128,
		.retry_ns = 20 * CTIHA_NS_PER_MS,
		.gap_ns = 100 * CTIHA_NS_PER_MS,
		.seed = 1,
		.first = 1,
	};
	int option, which = 0;

	while ((option = getopt_long(argc, argv, "", options, &which)) >= 0) {
		if (option == '?')
			return LOAD_USAGE;
		if (!set_option(&o, option, optarg)) {
			fprintf(stderr,
				"ctiha-load drive: --%s: bad value '%s'; see ctiha-load(1)\n",
				options[which].name, optarg);
			return LOAD_USAGE;
		}
	}
	if (!o.service_len || optind != argc) {
		fputs("ctiha-load drive: needs --service ADDRESS:PORT\n",
		      stderr);
		return LOAD_USAGE;
	}
	load_signals();
	return drive(&o);
}
