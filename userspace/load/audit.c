// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The audit: walks over all calls that the active server holds, in several
 * ranges at once, and has the ledger compare them.
 */
#include <poll.h>

#include "common/clock.h"
#include "load/drive.h"

#define RANGES		8
#define PAGE		17	/* of the longest records, so many fit */
#define RETRY_NS	(100 * CTIHA_NS_PER_MS)

/**
 * struct range - calls above @after, up to @end
 * @id: of the request on its way
 * @next_ns: when to send it again
 * @done: nothing is left
 */
struct range {
	u64 after;
	u64 end;
	u64 id;
	u64 next_ns;
	bool done;
};

struct audit {
	struct drive *d;
	struct ledger_audit *result;
	struct range ranges[RANGES];
	unsigned int left;
};

static void send_page(struct audit *a, struct range *r, u64 now)
{
	const struct request q = {
		.op = REQUEST_WALK, .id = r->id, .call = r->after,
		.count = PAGE,
	};
	u8 data[REQUEST_HEAD_LEN];

	r->next_ns = now + RETRY_NS;
	(void)send(a->d->fd, data, request_write(data, &q), MSG_DONTWAIT);
}

static void next_page(struct audit *a, struct range *r, u64 now)
{
	r->id = a->d->next_id++;
	send_page(a, r, now);
}

static void end_range(struct audit *a, struct range *r)
{
	r->done = true;
	a->left--;
}

static void take_page(struct audit *a, struct range *r, const struct request *q,
		      u64 now)
{
	const u8 *at = q->data, *end = q->data + q->len, *record;
	size_t len;
	u64 key;

	while (request_next_record(&at, end, &key, &record, &len)) {
		if (key > r->end) {
			end_range(a, r);
			return;
		}
		r->after = key;
		ledger_audit_record(&a->d->ledger, a->result, key, record, len);
	}
	if (q->more)
		next_page(a, r, now);
	else
		end_range(a, r);
}

static void take(struct audit *a, const struct request *q, u64 now)
{
	int i;

	if (q->op != REQUEST_WALK || q->status != REQUEST_OK)
		return;
	for (i = 0; i < RANGES; i++) {
		struct range *r = &a->ranges[i];

		if (!r->done && r->id == q->id)
			take_page(a, r, q, now);
	}
}

static void receive(struct audit *a)
{
	u8 data[REQUEST_MAX];
	struct request q;
	ssize_t len;

	while ((len = recv(a->d->fd, data, sizeof(data), MSG_DONTWAIT)) != -1) {
		if (request_read(data, (size_t)len, &q))
			take(a, &q, clock_now_ns());
	}
}

static void repeat(struct audit *a, u64 now)
{
	int i;

	for (i = 0; i < RANGES; i++) {
		if (!a->ranges[i].done && a->ranges[i].next_ns <= now)
			send_page(a, &a->ranges[i], now);
	}
}

static void begin(struct audit *a, u64 now)
{
	const struct ledger *l = &a->d->ledger;
	u64 after = 0;
	u64 i;

	a->left = RANGES;
	for (i = 0; i < RANGES; i++) {
		struct range *r = &a->ranges[i];

		*r = (struct range){ .after = after };
		after = l->first + l->count * (i + 1) / RANGES;
		r->end = i + 1 < RANGES ? after : UINT64_MAX;
		next_page(a, r, now);
	}
}

void audit_run(struct drive *d, u64 limit_ns, struct ledger_audit *result)
{
	struct pollfd p = { .fd = d->fd, .events = POLLIN };
	struct audit a = { .d = d, .result = result };
	u64 now = clock_now_ns();
	u64 end = now + limit_ns;

	ledger_audit_begin(&d->ledger, result);
	begin(&a, now);
	while (a.left && !load_ending && (now = clock_now_ns()) < end) {
		poll(&p, 1, 10);
		receive(&a);
		repeat(&a, now);
	}
	/* Of half a walk nothing can be said. */
	if (!a.left)
		ledger_audit_end(&d->ledger, result);
}
