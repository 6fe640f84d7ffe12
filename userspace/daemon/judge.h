/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The judge: given all that this server knows, what should it do?
 *
 * It implements the judgement table of requirements.md (f1-f3) as a pure
 * function: no I/O, no clock, no memory. The daemon calls it after each event;
 * tests and simulation call the same object. The judge only proposes: that no
 * two servers act at once is enforced beneath it, by votes, grants and leases
 * (include/ctiha/lease.h), so a wrong view costs time, never safety.
 */
#ifndef CTIHA_JUDGE_H
#define CTIHA_JUDGE_H

#include <ctiha/base.h>
#include <ctiha/lease.h>

/* What an operator ordered and is not done yet. */
enum judge_order {
	JUDGE_ORDER_NONE,
	JUDGE_ORDER_TAKEOVER,	/* to a standby: become active */
	JUDGE_ORDER_STANDBY,	/* to an active: hand over */
};

/**
 * struct judge_peer - the peer by its last heartbeat
 * @heard: a session is up on L1 or L2
 * @left: its last word was goodbye
 * @died: it has told that its system, or its module, ends
 * @role, @epoch, @vote_epoch, @report: what it says of itself
 * @position: how far its call records reach, comparable with ours
 */
struct judge_peer {
	bool heard;
	bool left;
	bool died;
	u8 role;
	u64 epoch;
	u64 vote_epoch;
	u32 report;
	u64 position;
};

/**
 * struct judge_arbiter - the arbiter by its last answer
 * @known: it has answered since this daemon started
 * @epoch: highest epoch it granted, 0 none
 * @holder: node that holds it
 * @released: the holder gave it up
 */
struct judge_arbiter {
	bool known;
	u64 epoch;
	u8 holder;
	bool released;
};

/**
 * struct judge_view - all that this server knows
 * @node: own id
 * @role, @epoch, @vote_epoch: as the module holds them now
 * @l1, @l2, @l3: crossover, LAN, arbiter link are up
 * @lan_lost_ns: for how long both L2 and L3 have been down
 * @settle_ns: how long that must last before it is believed
 * @behind: we followed an active peer and lack some of its calls
 * @bereft_ns: for how long no active peer has been heard
 * @state_wait_ns: how long we hold back then, for whoever has them (e4)
 * @able: application alive, not in maintenance
 * @left: this server said goodbye in its last life and has not seen its peer
 *        since, so the peer may be serving alone
 * @switch_lost: the NIC to the telephone switch has no carrier: an alarm, no more
 * @records_differed: a while ago the stores differed, or a record was damaged: too
 * @order: enum judge_order
 * @position: how far own call records reach
 * @peer, @arbiter: see there
 */
struct judge_view {
	u8 node;
	u8 role;
	u64 epoch;
	u64 vote_epoch;
	bool l1;
	bool l2;
	bool l3;
	u64 lan_lost_ns;
	u64 settle_ns;
	bool behind;
	u64 bereft_ns;
	u64 state_wait_ns;
	bool able;
	bool left;
	bool switch_lost;
	bool records_differed;
	u8 order;
	u64 position;
	struct judge_peer peer;
	struct judge_arbiter arbiter;
};

enum judge_act {
	JUDGE_WAIT,		/* not active, nobody to follow: stay so */
	JUDGE_FOLLOW,		/* be the active peer's standby */
	JUDGE_VOTE,		/* nobody is active: support the peer */
	JUDGE_CLAIM_VOTE,	/* begin to act on the peer's vote */
	JUDGE_CLAIM_GRANT,	/* ask the arbiter for the epoch, then act */
	JUDGE_SERVE,		/* active: go on */
	JUDGE_HAND_OVER,	/* active: quiesce, flush, yield */
	JUDGE_YIELD,		/* active: yield at once */
};

enum judge_reason {
	JUDGE_REASON_NONE,
	JUDGE_REASON_PEER_ACTIVE,	/* the peer serves */
	JUDGE_REASON_ELECTED,		/* the peer voted for us */
	JUDGE_REASON_PEER_SILENT,	/* f1: L1 and L2 down, L3 up */
	JUDGE_REASON_LAN_LOST,		/* f2: L2 and L3 down, L1 up */
	JUDGE_REASON_CUT_OFF,		/* 0 0 0 */
	JUDGE_REASON_UNABLE,		/* application dead or maintenance */
	JUDGE_REASON_PEER_UNABLE,	/* so is the peer, or its daemon is dead */
	JUDGE_REASON_ORDER,		/* operator's command */
	JUDGE_REASON_PEER_FITTER,	/* nobody active: the peer should serve */
	JUDGE_REASON_FITTER,		/* nobody active: awaiting the peer's vote */
	JUDGE_REASON_SUPERSEDED,	/* the arbiter granted a higher epoch */
	JUDGE_REASON_MAY_SERVE_ALONE,	/* see judge_view.left */
	JUDGE_REASON_BEHIND,		/* see judge_view.behind */
};

enum judge_alarm {
	JUDGE_ALARM_CROSSOVER	= 1 << 0,	/* L1 down */
	JUDGE_ALARM_LAN		= 1 << 1,	/* L2 down */
	JUDGE_ALARM_ARBITER	= 1 << 2,	/* L3 down */
	JUDGE_ALARM_PEER_SILENT	= 1 << 3,	/* a2 */
	JUDGE_ALARM_PEER_UNABLE	= 1 << 4,	/* peer's daemon or application */
	JUDGE_ALARM_LAN_LOST	= 1 << 5,	/* own LAN connection */
	JUDGE_ALARM_CUT_OFF	= 1 << 6,	/* nobody answers */
	JUDGE_ALARM_NO_STANDBY	= 1 << 7,	/* nobody could take over */
	JUDGE_ALARM_NO_ACTIVE	= 1 << 8,	/* nobody serves */
	JUDGE_ALARM_UNABLE	= 1 << 9,	/* own application */
	JUDGE_ALARM_SWITCH	= 1 << 10,	/* switch NIC without carrier */
	JUDGE_ALARM_RECORDS	= 1 << 11,	/* damaged, or not the same */
};

/**
 * struct judge_verdict - what to do
 * @act: enum judge_act
 * @reason: enum judge_reason
 * @epoch: for the CLAIM acts: the epoch to act in
 * @alarms: enum judge_alarm bits that hold now
 * @eligible: say in our heartbeats that we could act
 * @wants_active: ask for the active role in our heartbeats
 * @again_ns: ask again after this long although nothing happens; 0 no need
 */
struct judge_verdict {
	u8 act;
	u8 reason;
	u64 epoch;
	u32 alarms;
	bool eligible;
	bool wants_active;
	u64 again_ns;
};

/**
 * judge() - what should this server do?
 * @view: all that it knows
 *
 * Pure. Defined for every view.
 */
struct judge_verdict judge(const struct judge_view *view);

/* Words for people and JSON. */
const char *judge_act_name(enum judge_act act);
const char *judge_reason_text(enum judge_reason reason);

#endif /* CTIHA_JUDGE_H */
