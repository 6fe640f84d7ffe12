// SPDX-License-Identifier: GPL-2.0-or-later
/* Driving a target. See run.h. */
#include "run.h"

#include <unistd.h>

#include "common/clock.h"

#define NS_PER_S	(1000 * CTIHA_NS_PER_MS)
#define PROBE_NS	CTIHA_NS_PER_MS
#define DRAIN_NS	(60 * NS_PER_S)
#define LONG_NS		(100 * CTIHA_NS_PER_MS)

/* ---- waiting ---- */

/* Return: there is a command. */
static bool wait_for_news(struct run *r, u64 ns)
{
	struct pollfd p[TARGET_FDS + 1];
	unsigned int n = r->target->kind->fds(r->target, p);
	struct timespec limit = { .tv_sec = (time_t)(ns / NS_PER_S),
				  .tv_nsec = (long)(ns % NS_PER_S) };

	p[n] = (struct pollfd){ .fd = STDIN_FILENO, .events = POLLIN };
	ppoll(p, n + 1, &limit, NULL);
	r->target->kind->dispatch(r->target);
	return p[n].revents;
}

void run_idle(struct run *r)
{
	while (!wait_for_news(r, LONG_NS))
		;
}

/* ---- updates ---- */

static u64 under_way(const struct run *r)
{
	return r->issued - r->acked;
}

static u64 note_sent(struct run *r)
{
	r->sent_ns[r->issued & (RUN_SENT - 1)] = clock_now_ns();
	return r->issued++;
}

static void update(struct run *r)
{
	const struct target_kind *kind = r->target->kind;
	struct change change;
	u64 cookie;

	calls_next(&r->calls, &change);
	cookie = note_sent(r);
	if (change.ended)
		kind->remove(r->target, change.key, sizeof(change.key), cookie);
	else
		kind->put(r->target, change.key, sizeof(change.key),
			  change.value, change.len, cookie);
}

/* A change of a call like any other, but known to be safe when acknowledged. */
static void probe(struct run *r)
{
	struct change change;
	u64 cookie;

	do {
		calls_next(&r->calls, &change);
		cookie = note_sent(r);
		if (change.ended)
			r->target->kind->remove(r->target, change.key,
						sizeof(change.key), cookie);
	} while (change.ended);
	r->target->kind->probe(r->target, change.key, sizeof(change.key),
			       change.value, change.len, cookie);
	r->probing = true;
	r->target->kind->flush(r->target);
}

static void on_acked(void *arg, u64 cookie, bool safe)
{
	struct run *r = arg;

	r->acked++;
	if (!safe)
		return;
	r->safe++;
	r->probing = false;
	samples_add(&r->lag, clock_now_ns() -
			     r->sent_ns[cookie & (RUN_SENT - 1)]);
}

static void wait_for_all(struct run *r)
{
	u64 end = clock_now_ns() + DRAIN_NS;

	while (under_way(r)) {
		if (clock_now_ns() > end)
			die("the standby does not get all updates");
		wait_for_news(r, LONG_NS);
	}
}

/* Until the standby has all: what is probed last is behind everything. */
static void drain(struct run *r)
{
	r->target->kind->flush(r->target);
	wait_for_all(r);
	probe(r);
	wait_for_all(r);
}

static void fill_window(struct run *r)
{
	while (under_way(r) < r->window)
		update(r);
	r->target->kind->flush(r->target);
}

/* ---- runs ---- */

static void begin(struct run *r)
{
	r->target->acked = on_acked;
	r->target->arg = r;
	r->lag.count = 0;
	r->late.count = 0;
	while (!r->target->kind->ready(r->target))
		wait_for_news(r, LONG_NS);
}

void run_fill(struct run *r)
{
	begin(r);
	while (r->calls.live < r->calls.wanted) {
		while (under_way(r) < r->window &&
		       r->calls.live < r->calls.wanted)
			update(r);
		r->target->kind->flush(r->target);
		wait_for_news(r, LONG_NS);
	}
	drain(r);
}

void run_closed(struct run *r, double seconds)
{
	u64 end = clock_now_ns() + (u64)(seconds * NS_PER_S);

	begin(r);
	while (clock_now_ns() < end) {
		fill_window(r);
		wait_for_news(r, LONG_NS);
	}
	drain(r);
}

/* Issues what is due. Return: when the next one is. */
static u64 issue_due(struct run *r, u64 since, u64 *count, double rate)
{
	u64 due = since, now = clock_now_ns();

	while (under_way(r) < r->window) {
		due = since + (u64)((double)*count * NS_PER_S / rate);
		if (due > now)
			break;
		samples_add(&r->late, now - due);
		update(r);
		++*count;
	}
	r->target->kind->flush(r->target);
	return due;
}

void run_paced(struct run *r, double rate, double seconds, bool probes)
{
	u64 since, end, due, now, probe_ns, count = 0;
	bool told = false;

	begin(r);
	since = clock_now_ns();
	probe_ns = since;
	end = since + (u64)(seconds * NS_PER_S);
	while ((now = clock_now_ns()) < end && !told) {
		due = issue_due(r, since, &count, rate);
		if (probes && !r->probing && now >= probe_ns) {
			probe(r);
			probe_ns = now + PROBE_NS;
		}
		now = clock_now_ns();
		told = wait_for_news(r, due > now ? due - now : 0);
	}
	drain(r);
}

void run_nothing(struct run *r, u64 updates)
{
	struct change change;

	while (updates--)
		calls_next(&r->calls, &change);
}
