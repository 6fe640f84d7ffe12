// SPDX-License-Identifier: GPL-2.0
/*
 * The three-way heartbeat session. See include/ctiha/session.h.
 *
 * Timers: the detection deadline (ctiha_session_deadline_ns); the end of a hold
 * (damping.c), which is noticed by the next frame.
 *
 * Events: a frame heard, the deadline passed, a drop ordered from outside.
 *
 *                 hear anything           hear bound, with echo
 *           +------+ ---------> +------+ ----------------------> +----+
 *      +--> | Down |            | Init |                         | Up |
 *      |    +------+            +------+                         +----+
 *      |                            |                               |
 *      +-- silence -----------------+ <-- bound Down from the peer -+
 *      +-- silence, new incarnation --------------------------------+
 *
 * On a damped link the last step waits until the hold of either side is over.
 *
 * A frame is *bound* if it echoes our discriminator: its sender has heard this
 * very incarnation of us, so the frame cannot be a replay from before. Unbound
 * frames may start a handshake and nothing else. Within an incarnation of the
 * peer the sequence number must grow. Going Down draws a new discriminator,
 * which makes every frame bound to the old one worthless. The peer's is kept:
 * so the first frames after going Down are bound for a peer that still hears
 * us, and a loss in one direction is known to both sides within one interval. The
 * side that still hears goes to Init at once and stays there: it never says
 * meanwhile that it hears nothing.
 */
#include <ctiha/session.h>

static void begin_incarnation(struct ctiha_session *s, u64 random)
{
	/* 0 means unknown; and the new one must differ from the last. */
	while (!random || random == s->my_discr)
		random++;
	s->my_discr = random;
	s->tx_seq = 0;
	s->rx_seq = 0;
	s->echo_seq = 0;
	s->echo_ns = 0;
	s->rtt_ns = 0;
	s->state = CTIHA_SESSION_DOWN;
	s->damping.ready_ns = 0;
	memset(&s->recent, 0, sizeof(s->recent));
	memset(s->sent_ns, 0, sizeof(s->sent_ns));
}

void ctiha_session_init(struct ctiha_session *s, u32 interval_us,
			u8 multiplier, u64 random)
{
	memset(s, 0, sizeof(*s));
	s->interval_us = interval_us;
	s->multiplier = multiplier;
	s->peer_interval_us = interval_us;
	s->peer_multiplier = multiplier;
	begin_incarnation(s, random);
}

u32 ctiha_session_agreed_us(const struct ctiha_session *s)
{
	return s->interval_us > s->peer_interval_us ? s->interval_us :
						      s->peer_interval_us;
}

u64 ctiha_session_detect_ns(const struct ctiha_session *s)
{
	return s->peer_multiplier * CTIHA_NS_PER_US *
	       ctiha_session_agreed_us(s);
}

static u64 patience_ns(const struct ctiha_session *s)
{
	u64 interval_ns = CTIHA_NS_PER_US * ctiha_session_agreed_us(s);

	return s->stalled_ns + (s->stalled_ns < interval_ns ? s->stalled_ns :
							      interval_ns);
}

u64 ctiha_session_deadline_ns(const struct ctiha_session *s)
{
	if (s->state == CTIHA_SESSION_DOWN)
		return U64_MAX;
	return s->rx_ns + ctiha_session_detect_ns(s) + patience_ns(s);
}

void ctiha_session_stalled(struct ctiha_session *s, u64 stalled_ns)
{
	s->stalled_ns += stalled_ns;
}

void ctiha_session_drop(struct ctiha_session *s, enum ctiha_diag diag,
			u64 random)
{
	if (s->state == CTIHA_SESSION_UP)
		s->changes++;
	s->diag = diag;
	begin_incarnation(s, random);
}

bool ctiha_session_expire(struct ctiha_session *s, u64 now_ns, u64 random)
{
	if (now_ns < ctiha_session_deadline_ns(s))
		return false;
	if (s->state == CTIHA_SESSION_UP)
		ctiha_damping_flap(&s->damping, s->rx_ns,
				   ctiha_session_detect_ns(s));
	ctiha_session_drop(s, CTIHA_DIAG_SILENCE, random);
	return true;
}

void ctiha_session_send(struct ctiha_session *s, u64 now_ns,
			struct ctiha_frame *frame)
{
	s->tx_seq++;
	s->sent_ns[s->tx_seq % CTIHA_SESSION_WINDOW] = now_ns;

	frame->session_state = s->state;
	frame->diag = s->diag;
	frame->multiplier = s->multiplier;
	frame->interval_us = s->interval_us;
	frame->my_discr = s->my_discr;
	frame->your_discr = s->peer_discr;
	frame->seq = s->tx_seq;
	frame->echo_seq = s->echo_seq;
	frame->echo_hold_ns = s->echo_seq ? now_ns - s->echo_ns : 0;
}

/* Send time of the heartbeat with this sequence number; 0 if not remembered. */
static u64 sent_time(const struct ctiha_session *s, u64 seq)
{
	if (!seq || seq > s->tx_seq || s->tx_seq - seq >= CTIHA_SESSION_WINDOW)
		return 0;
	return s->sent_ns[seq % CTIHA_SESSION_WINDOW];
}

static void measure_rtt(struct ctiha_session *s,
			const struct ctiha_frame *frame, u64 now_ns, u64 sent)
{
	u64 elapsed = now_ns - sent;

	if (sent && elapsed >= frame->echo_hold_ns)
		s->rtt_ns = elapsed - frame->echo_hold_ns;
}

/* Remembers the frame as the newest one of its incarnation. */
static void adopt(struct ctiha_session *s, const struct ctiha_frame *frame,
		  u64 now_ns)
{
	bool follows = s->rx_seq && s->peer_discr == frame->my_discr;
	u64 missing = follows ? frame->seq - s->rx_seq - 1 : 0;

	s->apart_ns = follows && !missing ? now_ns - s->rx_ns : 0;
	s->lost += missing;
	ctiha_loss_note(&s->recent, missing);
	s->peer_discr = frame->my_discr;
	s->peer_multiplier = frame->multiplier;
	s->peer_interval_us = frame->interval_us;
	s->rx_seq = frame->seq;
	s->rx_ns = now_ns;
	s->stalled_ns = 0;
}

static bool is_old(const struct ctiha_session *s,
		   const struct ctiha_frame *frame)
{
	return frame->my_discr == s->peer_discr && frame->seq <= s->rx_seq;
}

bool ctiha_session_minds(const struct ctiha_session *s,
			 const struct ctiha_frame *claim)
{
	return !is_old(s, claim) &&
	       (claim->your_discr == s->my_discr || !s->echo_seq);
}

static enum ctiha_heard hear_unbound(struct ctiha_session *s,
				     const struct ctiha_frame *frame,
				     u64 now_ns)
{
	/* Who was believed is left only by proof or silence: not by a replay. */
	if (s->echo_seq)
		return CTIHA_HEARD_UNBOUND;
	adopt(s, frame, now_ns);
	s->state = CTIHA_SESSION_INIT;
	return CTIHA_HEARD_UNBOUND;
}

/* The peer's session with us is over: it lost us, or it is a new incarnation. */
static bool has_ended(const struct ctiha_session *s,
		      const struct ctiha_frame *frame)
{
	return s->state == CTIHA_SESSION_UP &&
	       (frame->my_discr != s->peer_discr ||
		frame->session_state == CTIHA_SESSION_DOWN);
}

static enum ctiha_diag end_diag(const struct ctiha_frame *frame)
{
	return frame->session_state == CTIHA_SESSION_DOWN ?
	       CTIHA_DIAG_PEER_DOWN : CTIHA_DIAG_PEER_RESTARTED;
}

static void rise(struct ctiha_session *s, u64 now_ns)
{
	s->state = CTIHA_SESSION_UP;
	s->damping.hold_ns = 0;
	s->damping.up_ns = now_ns;
}

/* The peer could be up with us and is damped itself: both trust it, or neither. */
static bool peer_holds(const struct ctiha_frame *frame)
{
	return frame->session_state == CTIHA_SESSION_INIT &&
	       frame->diag == CTIHA_DIAG_DAMPED;
}

/*
 * Believed by the peer it is up, unless damped. Only the own hold is called DAMPED:
 * two sides that waited for each other's would wait for ever.
 */
static void rise_or_wait(struct ctiha_session *s,
			 const struct ctiha_frame *frame, u64 now_ns)
{
	bool believed = frame->echo_seq;
	bool holds = ctiha_damping_holds(&s->damping, believed, now_ns);

	if (holds)
		s->diag = CTIHA_DIAG_DAMPED;
	else if (s->diag == CTIHA_DIAG_DAMPED)
		s->diag = CTIHA_DIAG_SILENCE;
	if (!believed || holds || peer_holds(frame))
		s->state = CTIHA_SESSION_INIT;
	else
		rise(s, now_ns);
}

/*
 * Only bound frames are echoed: a vote is a promise from the frame on that it
 * echoes (lease.c), and nothing is promised to a frame that is not believed.
 * So an echo shows that the peer believes us; that, and not less, is Up.
 */
static void advance(struct ctiha_session *s, const struct ctiha_frame *frame,
		    u64 now_ns)
{
	adopt(s, frame, now_ns);
	s->echo_seq = frame->seq;
	s->echo_ns = now_ns;
	if (s->state != CTIHA_SESSION_UP)
		rise_or_wait(s, frame, now_ns);
}

enum ctiha_heard ctiha_session_hear(struct ctiha_session *s,
				    const struct ctiha_frame *frame,
				    u64 now_ns, u64 random,
				    u64 *echoed_sent_ns)
{
	*echoed_sent_ns = 0;
	if (is_old(s, frame))
		return CTIHA_HEARD_REPLAY;
	if (frame->your_discr != s->my_discr)
		return hear_unbound(s, frame, now_ns);
	if (has_ended(s, frame)) {
		ctiha_session_drop(s, end_diag(frame), random);
		return s->diag == CTIHA_DIAG_PEER_DOWN ?
		       hear_unbound(s, frame, now_ns) : CTIHA_HEARD_UNBOUND;
	}
	*echoed_sent_ns = sent_time(s, frame->echo_seq);
	measure_rtt(s, frame, now_ns, *echoed_sent_ns);
	advance(s, frame, now_ns);
	return CTIHA_HEARD_BOUND;
}

void ctiha_session_trust(struct ctiha_session *s, u64 now_ns)
{
	if (!s->damping.ready_ns)
		return;
	if (s->diag == CTIHA_DIAG_DAMPED)
		s->diag = CTIHA_DIAG_SILENCE;
	rise(s, now_ns);
}

u64 ctiha_session_hold_ns(const struct ctiha_session *s)
{
	return s->diag == CTIHA_DIAG_DAMPED ? s->damping.hold_ns : 0;
}

/* By then the peer has noticed if it no longer hears us either, and said so. */
static u64 settled_ns(const struct ctiha_session *s)
{
	return s->rx_ns + (s->multiplier + 2) * CTIHA_NS_PER_US *
			  ctiha_session_agreed_us(s);
}

static bool peer_hears_us(const struct ctiha_session *s, bool peer_hears,
			  u64 said_ns)
{
	if (s->state == CTIHA_SESSION_UP || s->damping.ready_ns)
		return true;
	if (s->state == CTIHA_SESSION_DOWN)
		return peer_hears && said_ns >= settled_ns(s);
	/* What it said on this very link is newer than what it said elsewhere. */
	return peer_hears && s->diag != CTIHA_DIAG_PEER_DOWN;
}

enum ctiha_direction ctiha_session_direction(const struct ctiha_session *s,
					     bool peer_hears, u64 said_ns)
{
	return (ctiha_session_hears(s) ? CTIHA_DIRECTION_IN : 0) |
	       (peer_hears_us(s, peer_hears, said_ns) ? CTIHA_DIRECTION_OUT : 0);
}
