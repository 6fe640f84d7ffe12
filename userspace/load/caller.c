// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests of the callers. At most a window of them are on their way, one per
 * call. One that is not answered is sent again; while nothing is answered
 * at all only the oldest few are, so that the server that comes up next is not met
 * by a flood.
 */
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/clock.h"
#include "lib/ctiha.h"
#include "load/drive.h"
#include "load/record.h"

#define PROBES		4	/* sent again while nothing is answered */
#define BURST_NS	(50 * CTIHA_NS_PER_MS)

static u64 next_random(struct drive *d)
{
	d->random = d->random * 6364136223846793005ULL + 1442695040888963407ULL;
	return d->random >> 33;
}

/* Ids below this one are finished: the oldest on its way is the first made. */
static u64 oldest_id(const struct drive *d)
{
	const struct caller_op *op;
	u64 oldest = d->next_id;

	TAILQ_FOREACH(op, &d->waiting, entry) {
		if (op->id < oldest)
			oldest = op->id;
	}
	return oldest;
}

/* Not kept: the ledger moves its calls when it grows. */
static struct ledger_call *call_of(struct drive *d, const struct caller_op *op)
{
	return ledger_call(&d->ledger, op->number);
}

static void send_op(struct drive *d, struct caller_op *op, u64 now)
{
	u8 record[RECORD_MAX], data[REQUEST_MAX];
	u32 version = call_of(d, op)->sent;
	struct request r = {
		.op = op->op,
		.run = d->run,
		.id = op->id,
		.done = oldest_id(d),
		.call = op->number,
		.version = version,
	};

	if (op->op == REQUEST_PUT) {
		r.data = record;
		r.len = record_make(record, d->ledger.seed, op->number,
				    version);
	}
	op->next_ns = now + d->o.retry_ns;
	/* Lost or refused is the same: it is sent again. */
	(void)send(d->fd, data, request_write(data, &r), MSG_DONTWAIT);
	d->sent++;
}

static void start_op(struct drive *d, u8 kind, struct ledger_call *call,
		     u64 number, u64 now)
{
	struct caller_op *op = TAILQ_FIRST(&d->idle);

	TAILQ_REMOVE(&d->idle, op, entry);
	TAILQ_INSERT_TAIL(&d->waiting, op, entry);
	op->number = number;
	op->op = kind;
	op->id = d->next_id++;
	op->first_ns = now;
	call->ending = kind == REQUEST_END;
	/* Silence counts from the moment that an answer is due. */
	if (!d->in_flight++ && !d->in_gap)
		d->last_answer_ns = now;
	send_op(d, op, now);
}

static bool set_up(struct drive *d, u64 now)
{
	struct ledger_call *c;
	u64 number;

	c = ledger_set_up(&d->ledger, &number);
	if (!c)
		return false;
	start_op(d, REQUEST_PUT, c, number, now);
	return true;
}

static bool change(struct drive *d, u8 kind, u64 now)
{
	struct ledger_call *c;
	u64 number;

	c = ledger_pick(&d->ledger, next_random(d), &number);
	if (!c)
		return false;
	start_op(d, kind, c, number, now);
	return true;
}

/* Eight updates, then a setup or an end, whichever keeps the number. */
static bool start_something(struct drive *d, u64 now)
{
	if (next_random(d) % 10 < 8)
		return change(d, REQUEST_PUT, now);
	if (d->ledger.live < d->o.calls)
		return set_up(d, now);
	return change(d, REQUEST_END, now);
}

static void fill(struct drive *d, u64 now)
{
	while (d->ledger.count < d->o.calls && d->in_flight < d->o.window &&
	       set_up(d, now))
		;
}

static u64 issue(struct drive *d, u64 now)
{
	u64 interval = 1000000000ULL / d->o.rate;

	/* What was not sent during a gap is not made up for. */
	if (now > d->issued_ns + BURST_NS)
		d->issued_ns = now - BURST_NS;
	while (d->issued_ns + interval <= now) {
		if (d->in_flight >= d->o.window || !start_something(d, now))
			return now + d->o.retry_ns;
		d->issued_ns += interval;
	}
	return d->issued_ns + interval;
}

static u64 repeat(struct drive *d, u64 now)
{
	struct caller_op *op;
	unsigned int left = d->in_gap ? PROBES : UINT32_MAX;

	while ((op = TAILQ_FIRST(&d->waiting)) && op->next_ns <= now) {
		TAILQ_REMOVE(&d->waiting, op, entry);
		TAILQ_INSERT_TAIL(&d->waiting, op, entry);
		if (left) {
			left--;
			d->repeated++;
			send_op(d, op, now);
		}
		op->next_ns = now + d->o.retry_ns;
	}
	return op ? op->next_ns : U64_MAX;
}

/* ---- gaps ---- */

static u64 gap_limit(const struct drive *d)
{
	u64 limit = 3 * d->normal_ns;

	return limit > d->o.gap_ns ? limit : d->o.gap_ns;
}

static void watch_gap(struct drive *d, u64 now)
{
	if (d->in_gap || !d->in_flight ||
	    now - d->last_answer_ns <= gap_limit(d))
		return;
	d->in_gap = true;
	d->gap = (struct gap){
		.from_ns = d->last_answer_ns,
		.in_flight = d->in_flight,
		.calls = d->ledger.live,
	};
}

static void end_gap(struct drive *d, u64 now)
{
	struct gap *g = &d->gap;

	d->in_gap = false;
	g->to_ns = now;
	if (d->gap_count < DRIVE_GAPS)
		d->gaps[d->gap_count] = *g;
	d->gap_count++;
	if (g->to_ns - g->from_ns > d->longest.to_ns - d->longest.from_ns)
		d->longest = *g;
	tell_gap(g);
}

static void note_answer(struct drive *d, u64 now)
{
	watch_gap(d, now);
	if (d->in_gap)
		end_gap(d, now);
	else
		d->normal_ns += ((s64)(now - d->last_answer_ns) -
				 (s64)d->normal_ns) / 64;
	d->last_answer_ns = now;
}

/* The epoch in the answers tells which server gives them. */
static void note_server(struct drive *d, u64 epoch, u64 now)
{
	if (epoch <= d->epoch)
		return;
	if (d->epoch) {
		d->takeovers++;
		d->takeover = (struct takeover){
			.from_ns = d->last_answer_ns,
			.to_ns = now,
			.from_epoch = d->epoch,
			.to_epoch = epoch,
			.in_flight = d->in_flight,
			.calls = d->ledger.live,
		};
		tell_takeover(&d->takeover);
	}
	d->epoch = epoch;
}

/* ---- answers ---- */

static struct caller_op *find_op(struct drive *d, u64 id)
{
	struct caller_op *op;

	TAILQ_FOREACH(op, &d->waiting, entry) {
		if (op->id == id)
			return op;
	}
	return NULL;
}

static void finish(struct drive *d, struct caller_op *op)
{
	TAILQ_REMOVE(&d->waiting, op, entry);
	TAILQ_INSERT_HEAD(&d->idle, op, entry);
	d->in_flight--;
}

static void take_ok(struct drive *d, struct caller_op *op,
		    const struct request *r, u64 now)
{
	u64 latency = now - op->first_ns;

	note_server(d, r->epoch, now);
	note_answer(d, now);
	if (r->how == CTIHA_ACK_STANDBY)
		d->acked_standby++;
	else
		d->acked_alone++;
	d->latency_sum_ns += latency;
	if (latency > d->latency_max_ns)
		d->latency_max_ns = latency;
	ledger_acked(&d->ledger, call_of(d, op), r->how, now);
	finish(d, op);
}

static void take(struct drive *d, const struct request *r, u64 now)
{
	struct caller_op *op = find_op(d, r->id);

	if (!op || r->run != d->run || r->call != op->number ||
	    r->version != call_of(d, op)->sent)
		return;
	switch (r->status) {
	case REQUEST_OK:
		if (r->how <= CTIHA_ACK_ALONE)
			take_ok(d, op, r, now);
		break;
	case REQUEST_NOT_SERVING:
		d->not_serving++;
		break;
	case REQUEST_NO_CALL:
		/* It was acknowledged and is gone: the audit will count it. */
		d->no_call++;
		call_of(d, op)->sent = call_of(d, op)->acked;
		tell_event("no_call", "\"call\":%llu",
			   (unsigned long long)op->number);
		finish(d, op);
		break;
	case REQUEST_STALE:
		d->stale++;
		break;
	}
}

void caller_receive(struct drive *d)
{
	u8 data[REQUEST_MAX];
	struct request r;
	ssize_t len;

	while ((len = recv(d->fd, data, sizeof(data), MSG_DONTWAIT)) != -1) {
		if (request_read(data, (size_t)len, &r) &&
		    r.status != REQUEST_ASKED &&
		    (r.op == REQUEST_PUT || r.op == REQUEST_END))
			take(d, &r, clock_now_ns());
	}
}

u64 caller_turn(struct drive *d, u64 now)
{
	u64 due = U64_MAX, next;

	watch_gap(d, now);
	next = repeat(d, now);
	if (d->paused)
		return next;
	if (!d->filled)
		fill(d, now);
	else if (d->o.rate)
		due = issue(d, now);
	return due < next ? due : next;
}

/* ---- opening ---- */

int caller_open(struct drive *d)
{
	int size = 4 << 20;
	u64 i;

	TAILQ_INIT(&d->waiting);
	TAILQ_INIT(&d->idle);
	d->next_id = 1;
	if (getrandom(&d->run, sizeof(d->run), 0) != sizeof(d->run))
		return -errno;
	d->random = d->o.seed;
	d->ops = calloc(d->o.window, sizeof(*d->ops));
	if (!d->ops)
		return -ENOMEM;
	for (i = 0; i < d->o.window; i++)
		TAILQ_INSERT_TAIL(&d->idle, &d->ops[i], entry);
	d->fd = socket(d->o.service.ss_family, SOCK_DGRAM | SOCK_NONBLOCK |
		       SOCK_CLOEXEC, 0);
	if (d->fd < 0)
		return -errno;
	setsockopt(d->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (connect(d->fd, (struct sockaddr *)&d->o.service,
		    d->o.service_len))
		return -errno;
	return 0;
}

void caller_close(struct drive *d)
{
	if (d->fd >= 0)
		close(d->fd);
	free(d->ops);
}
