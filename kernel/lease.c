// SPDX-License-Identifier: GPL-2.0
/*
 * Role, epoch, vote and lease. See include/ctiha/lease.h, and
 * Documentation/takeover.rst for why no two servers ever act at once.
 *
 * Timers: the end of the lease (deadline_ns), the end of a promise
 * (promise_until_ns; nothing happens then, something becomes allowed).
 *
 * The argument in short. To act in epoch e a server needs a second vote, from
 * its peer or the arbiter, and acts until lease_ns after the *sending* of what
 * the voter answered. The voter is bound for promise_ns after *receiving* it,
 * and promise_ns exceeds lease_ns by more than the clocks can drift apart. Of
 * three voters two majorities share one, so the second server gets its majority
 * only after the first one's lease has ended, or after the first one gave it up.
 */
#include <ctiha/lease.h>

static u64 later(u64 a, u64 b)
{
	return a > b ? a : b;
}

void ctiha_lease_init(struct ctiha_lease *l, u8 node, u64 lease_ns,
		      u64 promise_ns, u64 epoch, u64 now_ns)
{
	memset(l, 0, sizeof(*l));
	l->node = node;
	l->role = CTIHA_ROLE_INITIAL;
	l->lease_ns = lease_ns;
	l->promise_ns = promise_ns;
	l->epoch = epoch;
	l->vote_epoch = epoch;
	l->promise_until_ns = now_ns + promise_ns;
}

static bool supports_peer(const struct ctiha_lease *l)
{
	return l->vote_epoch && ctiha_epoch_owner(l->vote_epoch) != l->node;
}

static void follow(struct ctiha_lease *l, u64 epoch)
{
	l->role = CTIHA_ROLE_STANDBY;
	l->vote_epoch = epoch;
}

/* The peer is back: its vote without an end was that of its former life. */
static void end_solitude(struct ctiha_lease *l, u64 from_ns)
{
	l->peer_left = false;
	if (l->deadline_ns == CTIHA_LEASE_SOLE)
		l->deadline_ns = from_ns + l->lease_ns;
}

/* The peer's vote for us: entitles to begin, and renews what was begun. */
static void take_vote(struct ctiha_lease *l, const struct ctiha_testimony *t,
		      u64 now_ns)
{
	bool for_us = t->vote_epoch &&
		      ctiha_epoch_owner(t->vote_epoch) == l->node;

	if (!t->goodbye)
		end_solitude(l, t->echoed_sent_ns ? t->echoed_sent_ns : now_ns);
	if (!for_us || !t->echoed_sent_ns) {
		l->peer_vote_epoch = 0;
		return;
	}
	l->peer_vote_epoch = t->vote_epoch;
	l->peer_vote_from_ns = t->echoed_sent_ns;
	l->peer_left = t->goodbye;
	if (l->role != CTIHA_ROLE_ACTIVE || t->vote_epoch != l->epoch)
		return;
	if (t->goodbye)
		l->deadline_ns = CTIHA_LEASE_SOLE;
	else
		l->deadline_ns = later(l->deadline_ns,
				       t->echoed_sent_ns + l->lease_ns);
}

bool ctiha_lease_hear(struct ctiha_lease *l, const struct ctiha_testimony *t,
		      u64 now_ns)
{
	bool acts = t->role == CTIHA_ROLE_ACTIVE;
	bool deposed = acts && l->role == CTIHA_ROLE_ACTIVE &&
		       t->epoch > l->epoch;

	l->peer_role = t->role;
	l->peer_said_epoch = later(t->vote_epoch, t->epoch);
	if (deposed)
		l->role = CTIHA_ROLE_STANDBY;
	if (l->role != CTIHA_ROLE_ACTIVE) {
		l->epoch = later(l->epoch, t->epoch);
		if (acts && t->epoch >= l->vote_epoch)
			follow(l, t->epoch);
		/* What we send next echoes this frame: the promise is renewed. */
		if (supports_peer(l))
			l->promise_until_ns = later(l->promise_until_ns,
						    now_ns + l->promise_ns);
	}
	take_vote(l, t, now_ns);
	return deposed;
}

int ctiha_lease_activate(struct ctiha_lease *l, u64 epoch, u64 granted_ns,
			 u64 now_ns)
{
	bool elected = l->peer_vote_epoch == epoch;
	u64 from_ns = granted_ns;

	if (l->role == CTIHA_ROLE_ACTIVE)
		return -EALREADY;
	if (ctiha_epoch_owner(epoch) != l->node || epoch <= l->epoch ||
	    epoch <= l->vote_epoch || granted_ns > now_ns)
		return -EINVAL;
	if (!elected && !granted_ns)
		return -EPERM;
	if (!elected && now_ns < l->promise_until_ns)
		return -EBUSY;
	if (elected)
		from_ns = later(from_ns, l->peer_vote_from_ns);
	l->deadline_ns = elected && l->peer_left ? CTIHA_LEASE_SOLE :
						   from_ns + l->lease_ns;
	if (now_ns >= l->deadline_ns)
		return -ETIME;
	l->role = CTIHA_ROLE_ACTIVE;
	l->epoch = epoch;
	l->vote_epoch = epoch;
	return 0;
}

int ctiha_lease_renew(struct ctiha_lease *l, u64 epoch, u64 granted_ns,
		      u64 now_ns)
{
	if (granted_ns > now_ns)
		return -EINVAL;
	if (l->role != CTIHA_ROLE_ACTIVE || epoch != l->epoch)
		return -ESTALE;
	if (l->deadline_ns != CTIHA_LEASE_SOLE)
		l->deadline_ns = later(l->deadline_ns,
				       granted_ns + l->lease_ns);
	return 0;
}

/* Does our vote help the peer: to go on, or to begin in a new epoch? */
static bool vote_is_of_use(const struct ctiha_lease *l)
{
	if (!supports_peer(l))
		return false;
	if (l->peer_role == CTIHA_ROLE_ACTIVE)
		return l->vote_epoch >= l->epoch;
	return l->vote_epoch > l->epoch && l->vote_epoch > l->peer_said_epoch;
}

void ctiha_lease_yield(struct ctiha_lease *l, u64 now_ns)
{
	u64 known = later(later(l->epoch, l->vote_epoch), l->peer_said_epoch);

	l->role = CTIHA_ROLE_STANDBY;
	if (!vote_is_of_use(l))
		l->vote_epoch = ctiha_epoch_next(known, !l->node);
	l->promise_until_ns = later(l->promise_until_ns,
				    now_ns + l->promise_ns);
}

bool ctiha_lease_expire(struct ctiha_lease *l, u64 now_ns)
{
	if (l->role != CTIHA_ROLE_ACTIVE || now_ns < l->deadline_ns)
		return false;
	l->role = CTIHA_ROLE_STANDBY;
	return true;
}

u64 ctiha_lease_left_ns(const struct ctiha_lease *l, u64 now_ns)
{
	if (l->role != CTIHA_ROLE_ACTIVE || now_ns >= l->deadline_ns)
		return 0;
	if (l->deadline_ns == CTIHA_LEASE_SOLE)
		return CTIHA_LEASE_SOLE;
	return l->deadline_ns - now_ns;
}
