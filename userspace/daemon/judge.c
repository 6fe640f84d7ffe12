// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The judgement table of requirements.md. See judge.h.
 *
 *   L1 L2 L3   active                           standby
 *   1  1  1    serve                            follow
 *   1  1  0    serve on the peer's votes        follow
 *   1  0  1    serve                            follow, act when elected
 *   1  0  0    f2: hand over if the peer sees   follow; not eligible if the
 *              the arbiter, else serve          active sees the arbiter
 *   0  1  1    serve                            follow
 *   0  1  0    serve                            follow
 *   0  0  1    f1: serve on the arbiter's       ask the arbiter
 *              grants
 *   0  0  0    serve until the lease ends       never act
 *
 * Whatever links are up, a peer that is heard and acts is followed, and a peer
 * that is heard and has voted for us is succeeded, by a server that has its calls
 * (else see holds_back()). So the rows differ for a
 * standby only where no peer is heard.
 */
#include "daemon/judge.h"

static u64 highest(u64 a, u64 b)
{
	return a > b ? a : b;
}

static bool peer_acts(const struct judge_view *v)
{
	return v->peer.heard && v->peer.role == CTIHA_ROLE_ACTIVE;
}

static bool peer_eligible(const struct judge_view *v)
{
	const u32 needs = CTIHA_REPORT_DAEMON | CTIHA_REPORT_ELIGIBLE;

	return v->peer.heard && (v->peer.report & needs) == needs;
}

static bool peer_sees_lan(const struct judge_view *v)
{
	return v->peer.heard && v->peer.report & CTIHA_REPORT_L3;
}

static bool lan_lost(const struct judge_view *v)
{
	return v->l1 && !v->l2 && !v->l3;
}

/* A standby without LAN is no use while the active one has it. */
static bool eligible(const struct judge_view *v)
{
	return v->able && !(lan_lost(v) && peer_sees_lan(v));
}

static bool elected(const struct judge_view *v)
{
	u64 vote = v->peer.vote_epoch;

	return (v->peer.heard || v->peer.left || v->peer.died) && vote &&
	       ctiha_epoch_owner(vote) == v->node && vote > v->epoch &&
	       vote > v->vote_epoch;
}

static bool already_votes_for_peer(const struct judge_view *v)
{
	return v->vote_epoch > v->epoch &&
	       ctiha_epoch_owner(v->vote_epoch) != v->node &&
	       v->vote_epoch > v->peer.epoch &&
	       v->vote_epoch >= v->peer.vote_epoch;
}

/* Of two idle servers, the one with more of the calls; both agree on it. */
static bool peer_fitter(const struct judge_view *v, bool able)
{
	bool peer_able = peer_eligible(v);

	if (peer_able != able)
		return peer_able;
	if (v->peer.position != v->position)
		return v->peer.position > v->position;
	return v->node != 0;
}

static void decide(struct judge_verdict *verdict, enum judge_act act,
		   enum judge_reason reason)
{
	verdict->act = act;
	verdict->reason = reason;
}

static void claim(struct judge_verdict *verdict, enum judge_act act,
		  enum judge_reason reason, u64 epoch)
{
	decide(verdict, act, reason);
	verdict->epoch = epoch;
}

/* An epoch that the arbiter has granted us and that we have not used yet. */
static bool granted(const struct judge_view *v)
{
	return v->arbiter.known && !v->arbiter.released && v->arbiter.epoch &&
	       v->arbiter.holder == v->node;
}

static u64 own_next_epoch(const struct judge_view *v)
{
	u64 known = highest(highest(v->epoch, v->vote_epoch), v->peer.epoch);

	if (granted(v) && v->arbiter.epoch > known)
		return v->arbiter.epoch;
	return ctiha_epoch_next(highest(known, v->arbiter.epoch), v->node);
}

/* The arbiter knows of later terms and would not renew this one. */
static bool outdated(const struct judge_view *v, u64 epoch)
{
	return v->l3 && v->arbiter.known && epoch <= v->arbiter.epoch &&
	       !(granted(v) && epoch == v->arbiter.epoch);
}

/* Row 1 0 0, active (f2). The peer's own L3 may be about to time out as well. */
static void judge_lan_lost(const struct judge_view *v,
			   struct judge_verdict *verdict)
{
	decide(verdict, JUDGE_SERVE, JUDGE_REASON_LAN_LOST);
	if (!peer_eligible(v) || !peer_sees_lan(v))
		return;
	if (v->lan_lost_ns >= v->settle_ns)
		decide(verdict, JUDGE_HAND_OVER, JUDGE_REASON_LAN_LOST);
	else
		verdict->again_ns = v->settle_ns - v->lan_lost_ns;
}

/* Both held the calls' state when the order came; else it waits until they do. */
static bool ordered_away(const struct judge_view *v)
{
	bool wanted = v->peer.report & CTIHA_REPORT_WANTS_ACTIVE ||
		      v->order == JUDGE_ORDER_STANDBY;

	return wanted && peer_eligible(v) &&
	       v->peer.report & CTIHA_REPORT_SYNCED;
}

static void judge_active(const struct judge_view *v,
			 struct judge_verdict *verdict)
{
	decide(verdict, JUDGE_SERVE, JUDGE_REASON_NONE);
	if (v->arbiter.known && v->arbiter.epoch > v->epoch &&
	    v->arbiter.holder != v->node && !v->arbiter.released)
		decide(verdict, JUDGE_YIELD, JUDGE_REASON_SUPERSEDED);
	else if (!v->able && peer_eligible(v))
		decide(verdict, JUDGE_YIELD, JUDGE_REASON_UNABLE);
	else if (ordered_away(v))
		decide(verdict, JUDGE_HAND_OVER, JUDGE_REASON_ORDER);
	else if (lan_lost(v))
		judge_lan_lost(v, verdict);
	else if (!v->l1 && !v->l2 && !v->peer.left)
		verdict->reason = v->l3 ? JUDGE_REASON_PEER_SILENT :
					  JUDGE_REASON_CUT_OFF;
}

/* Nobody acts, and we hear each other. */
static void judge_election(const struct judge_view *v,
			   struct judge_verdict *verdict)
{
	if (peer_fitter(v, verdict->eligible))
		decide(verdict, already_votes_for_peer(v) ? JUDGE_WAIT :
							    JUDGE_VOTE,
		       JUDGE_REASON_PEER_FITTER);
	else if (!verdict->eligible)
		decide(verdict, JUDGE_WAIT, JUDGE_REASON_UNABLE);
	else if (!peer_eligible(v) && v->l3)
		claim(verdict, JUDGE_CLAIM_GRANT, JUDGE_REASON_PEER_UNABLE,
		      own_next_epoch(v));
	else
		decide(verdict, JUDGE_WAIT, JUDGE_REASON_FITTER);
}

/* Rows 0 0 x, standby. Only the arbiter can tell why the peer is silent. */
static void judge_silence(const struct judge_view *v,
			  struct judge_verdict *verdict)
{
	bool peer_released = v->arbiter.known && v->arbiter.released &&
			     v->arbiter.epoch &&
			     v->arbiter.holder != v->node;

	if (!v->l3)
		decide(verdict, JUDGE_WAIT, JUDGE_REASON_CUT_OFF);
	else if (v->left && !peer_released)
		decide(verdict, JUDGE_WAIT, JUDGE_REASON_MAY_SERVE_ALONE);
	else
		claim(verdict, JUDGE_CLAIM_GRANT, JUDGE_REASON_PEER_SILENT,
		      own_next_epoch(v));
}

static void judge_elected(const struct judge_view *v,
			  struct judge_verdict *verdict)
{
	if (outdated(v, v->peer.vote_epoch))
		claim(verdict, JUDGE_CLAIM_GRANT, JUDGE_REASON_ELECTED,
		      own_next_epoch(v));
	else
		claim(verdict, JUDGE_CLAIM_VOTE, JUDGE_REASON_ELECTED,
		      v->peer.vote_epoch);
}

/*
 * Whoever has not received all calls yet does not take them over from an active
 * server that only stalled: the rest would be lost for a hiccup. But not for ever:
 * some calls are better than none (e4). A system that ends takes its calls with it.
 */
static bool holds_back(const struct judge_view *v)
{
	bool peer_has_more = !v->peer.heard || v->peer.position > v->position;

	return v->behind && peer_has_more && !v->peer.died &&
	       v->bereft_ns < v->state_wait_ns;
}

static bool is_claim(const struct judge_verdict *verdict)
{
	return verdict->act == JUDGE_CLAIM_VOTE ||
	       verdict->act == JUDGE_CLAIM_GRANT;
}

static void hold_back(const struct judge_view *v, struct judge_verdict *verdict)
{
	decide(verdict, JUDGE_WAIT, JUDGE_REASON_BEHIND);
	verdict->epoch = 0;
	verdict->again_ns = v->state_wait_ns - v->bereft_ns;
}

static void judge_idle(const struct judge_view *v,
		       struct judge_verdict *verdict)
{
	if (peer_acts(v))
		decide(verdict, JUDGE_FOLLOW, JUDGE_REASON_PEER_ACTIVE);
	else if (elected(v) && verdict->eligible && !holds_back(v))
		judge_elected(v, verdict);
	else if (v->peer.heard)
		judge_election(v, verdict);
	else if (!verdict->eligible)
		decide(verdict, JUDGE_WAIT, JUDGE_REASON_UNABLE);
	else
		judge_silence(v, verdict);
	if (is_claim(verdict) && holds_back(v))
		hold_back(v, verdict);
}

static u32 alarms(const struct judge_view *v, const struct judge_verdict *verdict)
{
	bool acts = v->role == CTIHA_ROLE_ACTIVE;
	u32 set = 0;

	if (!v->l1)
		set |= JUDGE_ALARM_CROSSOVER;
	if (!v->l2)
		set |= JUDGE_ALARM_LAN;
	if (!v->l3)
		set |= JUDGE_ALARM_ARBITER;
	if (!v->l1 && !v->l2)
		set |= v->l3 ? JUDGE_ALARM_PEER_SILENT : JUDGE_ALARM_CUT_OFF;
	if (v->peer.heard && !peer_eligible(v))
		set |= JUDGE_ALARM_PEER_UNABLE;
	if (lan_lost(v))
		set |= JUDGE_ALARM_LAN_LOST;
	if (acts && (!peer_eligible(v) ||
		     !(v->peer.report & CTIHA_REPORT_SYNCED)))
		set |= JUDGE_ALARM_NO_STANDBY;
	if (!acts && !peer_acts(v))
		set |= JUDGE_ALARM_NO_ACTIVE;
	if (!v->able || (!acts && !verdict->eligible))
		set |= JUDGE_ALARM_UNABLE;
	if (v->switch_lost)
		set |= JUDGE_ALARM_SWITCH;
	if (v->records_differed)
		set |= JUDGE_ALARM_RECORDS;
	return set;
}

struct judge_verdict judge(const struct judge_view *view)
{
	struct judge_verdict verdict = { .eligible = eligible(view) };

	if (view->role == CTIHA_ROLE_ACTIVE)
		judge_active(view, &verdict);
	else
		judge_idle(view, &verdict);
	verdict.wants_active = view->role != CTIHA_ROLE_ACTIVE &&
			       view->order == JUDGE_ORDER_TAKEOVER;
	verdict.alarms = alarms(view, &verdict);
	return verdict;
}

const char *judge_act_name(enum judge_act act)
{
	static const char *const names[] = {
		[JUDGE_WAIT] = "wait",
		[JUDGE_FOLLOW] = "follow",
		[JUDGE_VOTE] = "vote",
		[JUDGE_CLAIM_VOTE] = "claim-by-vote",
		[JUDGE_CLAIM_GRANT] = "claim-by-grant",
		[JUDGE_SERVE] = "serve",
		[JUDGE_HAND_OVER] = "hand-over",
		[JUDGE_YIELD] = "yield",
	};

	return names[act];
}

const char *judge_reason_text(enum judge_reason reason)
{
	static const char *const texts[] = {
		[JUDGE_REASON_NONE] = "all is well",
		[JUDGE_REASON_PEER_ACTIVE] = "the peer serves",
		[JUDGE_REASON_ELECTED] = "the peer gave up its role to us",
		[JUDGE_REASON_PEER_SILENT] = "the peer is silent",
		[JUDGE_REASON_LAN_LOST] = "this server has lost the LAN",
		[JUDGE_REASON_CUT_OFF] = "neither peer nor arbiter answers",
		[JUDGE_REASON_UNABLE] =
			"this server's application is not ready, or maintenance",
		[JUDGE_REASON_PEER_UNABLE] = "the peer is not able to serve",
		[JUDGE_REASON_ORDER] = "an operator asked for it",
		[JUDGE_REASON_PEER_FITTER] =
			"nobody serves; the peer is the fitter one",
		[JUDGE_REASON_FITTER] =
			"nobody serves; waiting for the peer's vote",
		[JUDGE_REASON_SUPERSEDED] =
			"the arbiter has granted a higher epoch",
		[JUDGE_REASON_MAY_SERVE_ALONE] =
			"the peer may still be serving alone since we left",
		[JUDGE_REASON_BEHIND] =
			"this server lacks some calls; waiting for the peer that has them",
	};

	return texts[reason];
}
