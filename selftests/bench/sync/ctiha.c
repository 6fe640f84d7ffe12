// SPDX-License-Identifier: GPL-2.0-or-later
/* The pair, by libctiha. Each acknowledgement tells whether the standby has it. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "lib/ctiha.h"
#include "target.h"

struct ctiha_target {
	struct target target;
	struct ctiha *h;
};

static struct ctiha_target *own(struct target *t)
{
	return (struct ctiha_target *)t;
}

static void on_acked(void *arg, uint64_t cookie, enum ctiha_ack ack)
{
	struct target *t = arg;

	if (ack != CTIHA_ACK_STANDBY && ack != CTIHA_ACK_ALONE)
		die("a write was not taken");
	t->acked(t->arg, cookie, ack == CTIHA_ACK_STANDBY);
}

static struct target *open_ctiha(const char *address)
{
	static const struct ctiha_callbacks callbacks = { .acked = on_acked };
	struct ctiha_target *c = calloc(1, sizeof(*c));

	if (!c)
		die("out of memory");
	c->h = ctiha_open(address, "bench-sync", CTIHA_WORKER, &callbacks, c);
	if (!c->h)
		die("libctiha cannot be used");
	return &c->target;
}

static bool ready(struct target *t)
{
	return ctiha_working(own(t)->h);
}

/* libctiha keeps only so much for a daemon that does not read. */
static void make_room(struct ctiha *h)
{
	struct pollfd p = { .fd = ctiha_fd(h), .events = POLLIN };

	ctiha_flush(h);
	poll(&p, 1, -1);
	if (ctiha_dispatch(h))
		die("the daemon is gone");
}

static void put(struct target *t, const void *key, size_t key_len,
		const void *value, size_t value_len, u64 cookie)
{
	struct ctiha *h = own(t)->h;
	int rc;

	while ((rc = ctiha_put(h, CTIHA_CONTENT_CALL, key, key_len, value,
			       value_len, cookie)) == -EAGAIN)
		make_room(h);
	if (rc)
		die("libctiha takes no record");
}

static void remove_record(struct target *t, const void *key, size_t key_len,
			  u64 cookie)
{
	struct ctiha *h = own(t)->h;
	int rc;

	while ((rc = ctiha_delete(h, CTIHA_CONTENT_CALL, key, key_len,
				  cookie)) == -EAGAIN)
		make_room(h);
	if (rc)
		die("libctiha deletes no record");
}

static void flush(struct target *t)
{
	ctiha_flush(own(t)->h);
}

static unsigned int fds(struct target *t, struct pollfd p[TARGET_FDS])
{
	p[0] = (struct pollfd){ .fd = ctiha_fd(own(t)->h), .events = POLLIN };
	return 1;
}

static void dispatch(struct target *t)
{
	bool worked = ready(t);

	ctiha_dispatch(own(t)->h);
	if (worked && !ready(t))
		die("the server is not active any more");
}

const struct target_kind target_ctiha = {
	.name = "ctiha",
	.open = open_ctiha,
	.ready = ready,
	.put = put,
	.remove = remove_record,
	.probe = put,
	.flush = flush,
	.fds = fds,
	.dispatch = dispatch,
};
