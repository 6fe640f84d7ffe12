/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Role, epoch, vote and lease of one server: the rules that keep two servers
 * from acting at once (requirements.md, "Safety").
 *
 * Pure: no I/O and no clock. The caller holds its own lock and passes the time,
 * in nanoseconds of a clock that does not jump.
 */
#ifndef CTIHA_LEASE_H
#define CTIHA_LEASE_H

#include <ctiha/base.h>
#include <linux/ctiha.h>

#define CTIHA_LEASE_SOLE	U64_MAX	/* the peer left: serve until it is back */

/**
 * struct ctiha_lease - what this server may do
 * @node: own id, 0 or 1
 * @role: enum ctiha_role
 * @lease_ns: how long a vote or grant entitles to act
 * @promise_ns: how long a vote binds its voter; > @lease_ns
 * @epoch: highest epoch known; own one while active
 * @vote_epoch: epoch this server supports; never falls
 * @deadline_ns: end of the lease while active; CTIHA_LEASE_SOLE: none
 * @promise_until_ns: until then no own epoch without the peer's vote
 * @peer_role: what the peer last said
 * @peer_said_epoch: highest epoch that the peer knows or supports, as last heard
 * @peer_vote_epoch: own epoch that the peer supports, 0 if none
 * @peer_vote_from_ns: send time of the heartbeat that this vote echoes
 * @peer_left: the peer's last word was goodbye
 */
struct ctiha_lease {
	u8 node;
	u8 role;
	u64 lease_ns;
	u64 promise_ns;
	u64 epoch;
	u64 vote_epoch;
	u64 deadline_ns;
	u64 promise_until_ns;
	u8 peer_role;
	u64 peer_said_epoch;
	u64 peer_vote_epoch;
	u64 peer_vote_from_ns;
	bool peer_left;
};

/**
 * struct ctiha_testimony - what a bound heartbeat of the peer says
 * @role: enum ctiha_role
 * @epoch: highest epoch the peer knows, its own if active
 * @vote_epoch: epoch it supports
 * @echoed_sent_ns: send time of the own heartbeat it echoes, 0 if unknown
 * @goodbye: it leaves cleanly and its vote does not expire
 */
struct ctiha_testimony {
	u8 role;
	u64 epoch;
	u64 vote_epoch;
	u64 echoed_sent_ns;
	bool goodbye;
};

/* Node 0 owns the even epochs, node 1 the odd ones; 0 is nobody's. */
static inline u8 ctiha_epoch_owner(u64 epoch)
{
	return epoch & 1;
}

/* The lowest epoch of @node above @epoch. */
static inline u64 ctiha_epoch_next(u64 epoch, u8 node)
{
	epoch++;
	return ctiha_epoch_owner(epoch) == node ? epoch : epoch + 1;
}

/**
 * ctiha_lease_init() - a server that has just started
 * @l: lease
 * @node: own id, 0 or 1
 * @lease_ns: lease
 * @promise_ns: promise, > @lease_ns
 * @epoch: highest epoch remembered from before the start
 * @now_ns: the time
 *
 * It may have promised something before it started and forgotten it, so it
 * is bound for one promise from now.
 */
void ctiha_lease_init(struct ctiha_lease *l, u8 node, u64 lease_ns,
		      u64 promise_ns, u64 epoch, u64 now_ns);

/**
 * ctiha_lease_hear() - take in what a fresh heartbeat of the peer says
 * @l: lease
 * @t: the testimony; only from frames that are CTIHA_HEARD_BOUND
 * @now_ns: when it arrived
 *
 * Return: true if this server had to leave the active role, because the peer
 * acts in a higher epoch.
 */
bool ctiha_lease_hear(struct ctiha_lease *l, const struct ctiha_testimony *t,
		      u64 now_ns);

/**
 * ctiha_lease_activate() - begin to act in an epoch
 * @l: lease
 * @epoch: own epoch, above all known ones
 * @granted_ns: send time of the request that the arbiter granted, 0 if none
 * @now_ns: the time
 *
 * Return: 0; -EINVAL if the epoch is the peer's or not new; -EALREADY if active;
 * -EPERM without vote or grant; -EBUSY while a promise to the peer holds;
 * -ETIME if the vote or grant has run out.
 */
int ctiha_lease_activate(struct ctiha_lease *l, u64 epoch, u64 granted_ns,
			 u64 now_ns);

/**
 * ctiha_lease_renew() - the arbiter renewed the lease
 * @l: lease
 * @epoch: epoch that it granted
 * @granted_ns: send time of the granted request, not in the future
 * @now_ns: the time
 *
 * Return: 0, -EINVAL for a time in the future, -ESTALE if not active in @epoch.
 */
int ctiha_lease_renew(struct ctiha_lease *l, u64 epoch, u64 granted_ns,
		      u64 now_ns);

/**
 * ctiha_lease_yield() - leave the active role if held and vote for the peer
 * @l: lease
 * @now_ns: the time
 *
 * The vote rises to the peer's next epoch unless it already supports the epoch
 * in which the peer acts, or one that the peer can still claim.
 */
void ctiha_lease_yield(struct ctiha_lease *l, u64 now_ns);

/**
 * ctiha_lease_expire() - leave the active role if the lease has run out
 * @l: lease
 * @now_ns: the time
 *
 * Return: true if it left the role by this call.
 */
bool ctiha_lease_expire(struct ctiha_lease *l, u64 now_ns);

/**
 * ctiha_lease_left_ns() - what remains of the lease
 * @l: lease
 * @now_ns: the time
 *
 * Return: 0 unless active; CTIHA_LEASE_SOLE while the peer has left.
 */
u64 ctiha_lease_left_ns(const struct ctiha_lease *l, u64 now_ns);

#endif /* CTIHA_LEASE_H */
