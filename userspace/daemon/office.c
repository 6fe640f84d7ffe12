// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Office: the steps by which this server begins and ceases to act.
 *
 *   begin    write the epoch down; activate (the module checks the votes);
 *            accept writes; take and announce the addresses; start the
 *            application; hooks
 *   cease    stop the application; give up the addresses; yield; tell the
 *            arbiter; follow; hooks
 *
 * A hand-over puts two steps before ceasing: the application finishes what it
 * is doing, and the standby commits the last writes. Both are bounded by
 * the configured quiesce time. If the lease ends in the midst of anything, the
 * module has left the role already and what remains is to cease.
 */
#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/pair.h"

/* Raises the durable epoch. False: it could not, so nothing may rest on it. */
static bool remember_epoch(struct pair *p, u64 epoch)
{
	struct memory memory = p->memory;
	int err;

	if (memory.epoch >= epoch)
		return true;
	memory.epoch = epoch;
	err = memory_write(p->config->state_dir, &memory);
	if (err) {
		log_error("%s: cannot write the epoch down, so it is not used (%s): free some space",
			  p->config->state_dir, strerror(-err));
		return false;
	}
	p->memory = memory;
	return true;
}

static void take_addresses(struct pair *p)
{
	const struct config *c = p->config;
	unsigned int i;

	for (i = 0; i < c->service_count; i++) {
		int err = address_add(p->address, &c->services[i]);

		if (err)
			log_error("cannot take %s on %s: %s",
				  c->services[i].text, c->services[i].device,
				  strerror(-err));
	}
	announce_start(p->announce);
}

static void give_up_addresses(struct pair *p)
{
	const struct config *c = p->config;
	unsigned int i;

	announce_stop(p->announce);
	for (i = 0; i < c->service_count; i++) {
		int err = address_del(p->address, &c->services[i]);

		if (err)
			log_error("cannot give up %s on %s: %s: remove it by hand",
				  c->services[i].text, c->services[i].device,
				  strerror(-err));
	}
}

static void enter(struct pair *p, u64 epoch)
{
	p->phase = PAIR_ACTIVE;
	p->node.role = CTIHA_ROLE_ACTIVE;
	p->node.epoch = epoch;
	p->node.vote_epoch = epoch;
	p->claim_epoch = 0;
	p->release_epoch = 0;
	p->follow_epoch = 0;
	p->order = JUDGE_ORDER_NONE;
	pair_step(p, "role active", clock_now_ns());
	sync_activate(p->sync, epoch);
	take_addresses(p);
	pair_step(p, "address announced", clock_now_ns());
	app_start_work(p->app, epoch);
	pair_step(p, "work started", clock_now_ns());
	hook_run(p->hooks, CTIHA_ROLE_ACTIVE, epoch,
		 judge_reason_text(p->verdict.reason));
	pair_consider(p);
}

static void ask_arbiter(struct pair *p, u64 epoch)
{
	bool again = p->phase == PAIR_CLAIMING && p->claim_epoch == epoch;

	if (!again && !remember_epoch(p, epoch))
		return;
	p->phase = PAIR_CLAIMING;
	p->claim_epoch = epoch;
	p->elected = p->peer.vote_epoch == epoch;
	witness_say(p->witness, WITNESS_ASK_GRANT, epoch, p->elected,
		    p->node.role, p->reported);
	if (again)
		return;
	pair_step(p, "arbiter asked", clock_now_ns());
	witness_probe(p->witness);
}

/* Why the module would not let us act, and what helps. */
static void refused(struct pair *p, u64 epoch, bool granted, int err)
{
	struct heartbeat_snapshot now;

	if (err == -EBUSY && !p->backend->snapshot(p->heartbeat, &now)) {
		pair_schedule(p->again_event, now.node.promise_left_ns);
		witness_probe_after(p->witness, now.node.promise_left_ns);
	} else if (err == -ETIME && !granted) {
		ask_arbiter(p, epoch);
	} else {
		log_warning("cannot act in epoch %llu: %s",
			    (unsigned long long)epoch, strerror(-err));
		pair_schedule(p->again_event, p->config->arbiter.interval_ns);
	}
}

static void begin(struct pair *p, u64 epoch, u64 granted_ns)
{
	int err;

	if (!remember_epoch(p, epoch))
		return;
	err = p->backend->activate(p->heartbeat, epoch, granted_ns);
	if (err)
		refused(p, epoch, granted_ns, err);
	else
		enter(p, epoch);
}

void office_granted(struct pair *p, u64 epoch, u64 sent_ns)
{
	if (p->phase != PAIR_CLAIMING || epoch != p->claim_epoch)
		return;
	pair_step(p, "arbiter granted", clock_now_ns());
	begin(p, epoch, sent_ns);
}

/* ---- ceasing ---- */

static void follow(struct pair *p, u64 epoch)
{
	if (p->follow_epoch == epoch && epoch)
		return;
	p->follow_epoch = epoch;
	sync_follow(p->sync, epoch);
}

static void cease(struct pair *p, const char *reason)
{
	u64 epoch = p->node.epoch;

	event_del(p->quiesce_event);
	p->phase = PAIR_IDLE;
	p->order = JUDGE_ORDER_NONE;
	app_stop_work(p->app);
	give_up_addresses(p);
	p->follow_epoch = 0;
	sync_follow(p->sync, epoch);
	hook_run(p->hooks, CTIHA_ROLE_STANDBY, epoch, reason);
	pair_consider(p);
}

static void tell_arbiter_released(struct pair *p, u64 epoch)
{
	p->release_epoch = epoch;
	witness_say(p->witness, WITNESS_ASK_RELEASE, epoch, false,
		    CTIHA_ROLE_STANDBY, p->reported);
	witness_probe(p->witness);
}

void office_lost(struct pair *p, const char *reason)
{
	u64 epoch = p->memory.epoch;

	log_warning("no longer active: %s", reason);
	pair_step(p, "role lost", clock_now_ns());
	cease(p, reason);
	/* Only own epochs can be released. */
	if (ctiha_epoch_owner(epoch) == p->config->node)
		tell_arbiter_released(p, epoch);
}

static void yield_office(struct pair *p, const char *reason)
{
	u64 epoch = p->node.epoch;
	int err;

	/* The addresses go before the peer may take them. */
	cease(p, reason);
	err = p->backend->yield(p->heartbeat);
	p->node.role = CTIHA_ROLE_STANDBY;
	pair_step(p, "role yielded", clock_now_ns());
	if (err)
		log_error("cannot yield: %s; the lease will end by itself",
			  strerror(-err));
	else
		tell_arbiter_released(p, epoch);
}

static void goodbye(struct pair *p)
{
	const struct timeval last_words = { .tv_usec = 20000 };
	struct memory memory = p->memory;
	bool acted = p->phase != PAIR_IDLE && p->phase != PAIR_CLAIMING;
	u64 epoch = p->node.epoch;

	if (acted)
		cease(p, "the daemon ends");
	p->phase = PAIR_LEAVING;
	/* Once the peer has our vote for good, we may not act before we see it. */
	memory.left = p->peer.heard;
	if (memory_write(p->config->state_dir, &memory)) {
		log_error("%s: cannot write the goodbye down, so none is said",
			  p->config->state_dir);
	} else {
		p->backend->leave(p->heartbeat);
		if (acted)
			tell_arbiter_released(p, epoch);
	}
	/* Monitors and the arbiter still get what was just said. */
	event_base_loopexit(p->base, &last_words);
}

static void flushed(void *arg, bool all)
{
	struct pair *p = arg;

	if (p->phase != PAIR_FLUSHING)
		return;
	pair_step(p, all ? "standby has everything" :
			   "standby lacks the last writes", clock_now_ns());
	if (p->ending)
		goodbye(p);
	else
		yield_office(p, judge_reason_text(p->verdict.reason));
}

void office_stopped(struct pair *p)
{
	if (p->phase != PAIR_QUIESCING)
		return;
	pair_step(p, "application stopped", clock_now_ns());
	p->phase = PAIR_FLUSHING;
	sync_flush(p->sync, flushed, p);
}

void office_timeout(int fd, short what, void *arg)
{
	struct pair *p = arg;

	(void)fd;
	(void)what;
	log_warning("quiescing took longer than configured; going on without");
	if (p->phase == PAIR_QUIESCING) {
		p->phase = PAIR_FLUSHING;
		flushed(p, false);
	} else if (p->phase == PAIR_FLUSHING) {
		flushed(p, false);
	}
}

void office_quiesce(struct pair *p, const char *reason)
{
	log_info("handing over: %s", reason);
	p->phase = PAIR_QUIESCING;
	pair_step(p, "handing over", clock_now_ns());
	pair_schedule(p->quiesce_event, p->config->quiesce_ns);
	app_stop_work(p->app);
	if (!p->application)
		office_stopped(p);
}

/* The peer became unable while we were handing over to it. */
static void resume(struct pair *p)
{
	log_warning("the peer cannot take over any more; serving on");
	event_del(p->quiesce_event);
	p->phase = PAIR_ACTIVE;
	app_start_work(p->app, p->node.epoch);
}

void office_goodbye(struct pair *p)
{
	if (p->phase == PAIR_ACTIVE && p->peer.heard)
		office_quiesce(p, "the daemon ends");
	else if (p->phase != PAIR_QUIESCING && p->phase != PAIR_FLUSHING)
		goodbye(p);
}

/* ---- verdicts ---- */

static void say_idle(struct pair *p)
{
	if (p->phase == PAIR_CLAIMING)
		p->phase = PAIR_IDLE;
	p->claim_epoch = 0;
	if (p->release_epoch)
		witness_say(p->witness, WITNESS_ASK_RELEASE, p->release_epoch,
			    false, p->node.role, p->reported);
	else
		witness_say(p->witness, WITNESS_ASK_NOTHING, 0, false,
			    p->node.role, p->reported);
}

static void serve(struct pair *p)
{
	bool handing_over = p->phase == PAIR_QUIESCING ||
			    p->phase == PAIR_FLUSHING;

	if (handing_over && !p->ending)
		resume(p);
	witness_say(p->witness, WITNESS_ASK_GRANT, p->node.epoch, p->elected,
		    p->node.role, p->reported);
}

static void vote(struct pair *p)
{
	int err = p->backend->yield(p->heartbeat);

	say_idle(p);
	if (err)
		log_warning("cannot vote for the peer: %s", strerror(-err));
}

void office_carry_out(struct pair *p)
{
	const char *reason = judge_reason_text(p->verdict.reason);

	if (p->phase == PAIR_LEAVING)
		return;
	switch (p->verdict.act) {
	case JUDGE_WAIT:
		say_idle(p);
		break;
	case JUDGE_FOLLOW:
		say_idle(p);
		follow(p, p->peer.epoch);
		break;
	case JUDGE_VOTE:
		vote(p);
		break;
	case JUDGE_CLAIM_VOTE:
		p->elected = true;
		begin(p, p->verdict.epoch, 0);
		break;
	case JUDGE_CLAIM_GRANT:
		ask_arbiter(p, p->verdict.epoch);
		break;
	case JUDGE_SERVE:
		serve(p);
		break;
	case JUDGE_HAND_OVER:
		if (p->phase == PAIR_ACTIVE)
			office_quiesce(p, reason);
		break;
	case JUDGE_YIELD:
		if (p->ending)
			break;
		yield_office(p, reason);
		break;
	}
}
