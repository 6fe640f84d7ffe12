/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The three-way heartbeat session on one link.
 *
 * Pure: no I/O, no clock, no random source of its own. The caller holds its own
 * lock, passes the time, and passes a fresh random number where a new
 * incarnation may begin.
 */
#ifndef CTIHA_SESSION_H
#define CTIHA_SESSION_H

#include <ctiha/damping.h>
#include <ctiha/frame.h>
#include <ctiha/loss.h>

/* Send times kept for round trips and leases: at least a detection time's worth. */
#define CTIHA_SESSION_WINDOW	128

/* A timer this late shows that this server stalled. */
#define CTIHA_STALL_NS		(1 * CTIHA_NS_PER_MS)

/**
 * struct ctiha_session - one side of a session
 * @state: enum ctiha_session_state
 * @diag: why it last went down, enum ctiha_diag
 * @multiplier: own multiplier
 * @peer_multiplier: the peer's, once heard
 * @interval_us: own interval
 * @peer_interval_us: the peer's, once heard
 * @my_discr: this incarnation, never 0
 * @peer_discr: the peer's incarnation heard last, 0 if never heard
 * @tx_seq: last sequence number sent
 * @rx_seq: last sequence number heard of @peer_discr
 * @rx_ns: when; kept when the session goes down, 0 if never
 * @stalled_ns: how long this server has stalled since
 * @echo_seq: last bound one among them, to be echoed; 0 if none
 * @echo_ns: when that was heard
 * @rtt_ns: last measured round trip, 0 if unknown
 * @apart_ns: time between the last two frames heard, 0 if they are no neighbours
 * @lost: gaps seen in the peer's sequence
 * @changes: times it went from Up to Down
 * @recent: loss of late, in this incarnation
 * @damping: whether it may be trusted
 * @sent_ns: send times of the last frames, by sequence number
 */
struct ctiha_session {
	u8 state;
	u8 diag;
	u8 multiplier;
	u8 peer_multiplier;
	u32 interval_us;
	u32 peer_interval_us;
	u64 my_discr;
	u64 peer_discr;
	u64 tx_seq;
	u64 rx_seq;
	u64 rx_ns;
	u64 stalled_ns;
	u64 echo_seq;
	u64 echo_ns;
	u64 rtt_ns;
	u64 apart_ns;
	u64 lost;
	u32 changes;
	struct ctiha_loss recent;
	struct ctiha_damping damping;
	u64 sent_ns[CTIHA_SESSION_WINDOW];
};

/* What a frame meant to the session. */
enum ctiha_heard {
	CTIHA_HEARD_REPLAY,	/* old: counts for nothing */
	CTIHA_HEARD_UNBOUND,	/* does not echo us: handshake only */
	CTIHA_HEARD_BOUND,	/* fresh: may be believed */
};

/**
 * ctiha_session_init() - a session that has heard nothing
 * @s: session
 * @interval_us: CTIHA_INTERVAL_MIN_US to CTIHA_INTERVAL_MAX_US
 * @multiplier: CTIHA_MULTIPLIER_MIN to CTIHA_MULTIPLIER_MAX
 * @random: fresh random number
 */
void ctiha_session_init(struct ctiha_session *s, u32 interval_us,
			u8 multiplier, u64 random);

/**
 * ctiha_session_send() - fill in the session's part of the next frame
 * @s: session
 * @now_ns: time of sending; must not be later than the frame leaves
 * @frame: session_state, diag, multiplier, interval_us, discriminators, seq
 *         and echo are set
 */
void ctiha_session_send(struct ctiha_session *s, u64 now_ns,
			struct ctiha_frame *frame);

/**
 * ctiha_session_hear() - take in a frame that was opened successfully
 * @s: session
 * @frame: from the peer, on this link
 * @now_ns: when it arrived
 * @random: fresh random number, for a new incarnation
 * @echoed_sent_ns: set to the send time of the heartbeat that @frame echoes;
 *                  0 if it echoes none we remember
 *
 * Return: what the frame is worth. s->state may have changed.
 */
enum ctiha_heard ctiha_session_hear(struct ctiha_session *s,
				    const struct ctiha_frame *frame,
				    u64 now_ns, u64 random,
				    u64 *echoed_sent_ns);

/**
 * ctiha_session_minds() - could this frame change anything, if it is authentic?
 * @s: session
 * @claim: what the frame says; nothing of it is verified yet
 *
 * Return: false for replays, and for handshakes while the peer is believed:
 * ctiha_session_hear() would do nothing with them but count.
 */
bool ctiha_session_minds(const struct ctiha_session *s,
			 const struct ctiha_frame *claim);

/**
 * ctiha_session_detect_ns() - silence that takes the session down
 * @s: session
 *
 * Return: the peer's multiplier times the slower side's interval.
 */
u64 ctiha_session_detect_ns(const struct ctiha_session *s);

/**
 * ctiha_session_agreed_us() - the slower side's interval
 * @s: session
 */
u32 ctiha_session_agreed_us(const struct ctiha_session *s);

/**
 * ctiha_session_deadline_ns() - when silence becomes a verdict
 * @s: session
 *
 * Silence counts only while this server is awake. After a stall the peer, if it is
 * there, is heard within an interval: that much is added, but not more than the
 * stall's own length.
 *
 * Return: time, or U64_MAX while nothing is heard.
 */
u64 ctiha_session_deadline_ns(const struct ctiha_session *s);

/**
 * ctiha_session_stalled() - this server was not awake for a while
 * @s: session
 * @stalled_ns: for how long; no time may be told twice
 */
void ctiha_session_stalled(struct ctiha_session *s, u64 stalled_ns);

/**
 * ctiha_session_expire() - give the verdict if the deadline has passed
 * @s: session
 * @now_ns: the time
 * @random: fresh random number
 *
 * Return: true if the session went Down by this call.
 */
bool ctiha_session_expire(struct ctiha_session *s, u64 now_ns, u64 random);

/**
 * ctiha_session_drop() - take the session Down for another reason than silence
 * @s: session
 * @diag: the reason
 * @random: fresh random number
 */
void ctiha_session_drop(struct ctiha_session *s, enum ctiha_diag diag,
			u64 random);

/**
 * ctiha_session_trust() - damped or not, count on it: no other link is up
 * @s: session
 * @now_ns: the time
 *
 * To be called for every session after each change, while no session with the peer
 * is up: a peer that is heard must not look dead.
 */
void ctiha_session_trust(struct ctiha_session *s, u64 now_ns);

/**
 * ctiha_session_hears() - does this server hear the peer on this link?
 * @s: session
 */
static inline bool ctiha_session_hears(const struct ctiha_session *s)
{
	return s->state != CTIHA_SESSION_DOWN;
}

/**
 * ctiha_session_direction() - in which direction the link works
 * @s: session
 * @peer_hears: the peer is heard somewhere, and says that it hears us on this link
 * @said_ns: when it last said something
 *
 * Return: enum ctiha_direction.
 */
enum ctiha_direction ctiha_session_direction(const struct ctiha_session *s,
					     bool peer_hears, u64 said_ns);

/**
 * ctiha_session_hold_ns() - how long the link has to be good before it is trusted
 * @s: session
 *
 * Return: 0 unless it is damped.
 */
u64 ctiha_session_hold_ns(const struct ctiha_session *s);

#endif /* CTIHA_SESSION_H */
