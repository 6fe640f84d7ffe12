/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * ctiha: hot standby for call centres.
 *
 * THE PAIR
 *
 * Two CTI servers, node 0 and node 1, hold the same calls. One is active, the
 * other is standby. They are joined by two links: the crossover (L1, a cable
 * from NIC to NIC) and the LAN (L2). Each reaches an arbiter on the LAN (L3).
 * The module runs on both servers. It sends heartbeats on L1 and L2, notices
 * the peer's silence, and ends this server's right to act (the lease) by
 * itself. It never picks the active server: a daemon (ctihad) does.
 *
 * HEARTBEATS
 *
 * A heartbeat is one Ethernet frame of EtherType 0x88B5 and fixed size, sent
 * every interval (1 ms to 10 s) and authenticated with HMAC-SHA-256-128 under
 * the pair's key. A session on a link comes up in three steps, as in BFD: Down,
 * Init (I hear you), Up (you have believed a heartbeat of mine). Each
 * incarnation of a session draws a random 64-bit discriminator; only a frame
 * that echoes it and has a higher sequence number than all before counts, so a
 * replayed frame does nothing. Two key slots let keys roll over without a gap.
 * What is refused is counted by its reason; and a link spends no more than a fifth
 * of one CPU on check codes, however many frames come. Silence for multiplier x interval takes a
 * session Down; the slower side's interval and the sender's multiplier hold.
 * Silence counts only while this server itself is awake: the verdict is given
 * behind a receive pass that began after the deadline, and not while none can
 * run; what the server stalls is added to the deadline. A machine that is about
 * to be suspended leaves the active role.
 *
 * A link may work in one direction only. Each heartbeat says on which links its
 * sender hears the peer (CTIHA_REPORT_HEARS_*), so over the other link, or in the
 * direction that is left, each server knows which one works: CTIHA_A_LINK_DIRECTION.
 * Such a link is not up: both sides stay as they are until it works again.
 *
 * A link that falls silent again and again is damped: when it is heard again it
 * stays Init (diag DAMPED) for a hold-down that doubles with each time, up to a
 * minute, and halves with each minute it stays up. What is heard on it counts as
 * ever: votes, leases, the peer's word. The last link is never damped.
 *
 * CARRIER
 *
 * With every heartbeat the module looks at the carrier of the NICs it knows: those
 * of both links and, if SWITCH_SET names one, the NIC to the telephone switch,
 * which carries no heartbeats. So a cable that is pulled is known within one
 * interval; the network stack's own notice may take a second. The carriers
 * travel in the heartbeats (CTIHA_REPORT_CARRIER), so both servers hear of a
 * change by an event. When one is lost, heartbeats are sent on all links at once,
 * and a few more, at most 1 ms apart. It decides nothing: only silence takes a
 * session Down. A NIC that is down has no carrier. A switch NIC that vanishes is
 * forgotten: SWITCH_SET it again when it is back.
 *
 * EPOCHS, VOTES AND THE LEASE: never two active servers
 *
 * Every term of office has an epoch. Node 0 uses even epochs, node 1 odd ones,
 * so no epoch is ever used by both. To act in an epoch a server needs a
 * majority of {itself, its peer, the arbiter}: its own vote and one other.
 *
 * The peer's vote travels in its heartbeats (vote_epoch). A standby votes for
 * the epoch in which it hears its peer act. Each vote is a promise: for
 * PROMISE_NS after the heartbeat that it echoes arrived, the voter neither acts nor
 * seeks to act in another epoch. The active server's lease lasts LEASE_NS from
 * the time it *sent* the heartbeat that the vote echoes, or from the time it
 * sent the request that the arbiter granted. As promises are longer than
 * leases (plus clock drift and margin), a server has stopped itself before
 * anyone can take its place. When the lease runs out the module leaves the
 * active role, whatever userspace does.
 *
 * A server that leaves office on purpose votes for its peer's next epoch in
 * the next heartbeat; the peer may act at once, without waiting for silence.
 * It does so when told (YIELD), when the daemon dies (its socket closes, or
 * it does not call in time), and when the daemon leaves cleanly (LEAVE). A
 * LEAVE vote does not expire: its receiver may serve alone until it hears its
 * peer again.
 *
 * A server that is about to end (panic, oops, reboot, halt, power off, unload of
 * the module) gasps: one frame on each link carries the same vote, and its last
 * words. The peer need not wait for silence; that vote lasts no longer than
 * any other. Nothing depends on it: a gasp may be lost. Whoever has gasped does
 * nothing more: ATTACH is refused (ESHUTDOWN) until the module is loaded anew.
 *
 * PAUSES
 *
 * A virtual machine that is paused and resumed may not see the time pass, and so not
 * the end of its lease. If its real-time clock shows that it stood still, the module
 * closes the fence and leaves the active role, as it would have done (cause PAUSE). No
 * vote and no grant for what was sent before that opens the fence again.
 *
 * NETLINK
 *
 * Generic netlink family "ctiha", one node per network namespace.
 *
 *   NODE_SET    create the node: id, pair, lease, promise, known epoch
 *   NODE_GET    role, epoch, vote, lease left
 *   KEY_SET     set one of two key slots, or empty it if no KEY is given (not the
 *               one that is sent with); a key can never be read back
 *   FENCE_SET   the service addresses: while this server may not act, no frame
 *               leaves it with one of them as its source
 *   SWITCH_SET  the NIC to the telephone switch, whose carrier is watched
 *   LINK_ADD    start heartbeats on a net device; LINK_DEL ends them
 *   LINK_GET    one link by name, or a dump of all, with counters; one link with
 *               the flag QUALITY: with histograms of its quality as well
 *   PEER_GET    what the peer's last heartbeat said
 *   ATTACH      this socket is the daemon's: when it closes, or is silent for
 *               WATCH_MS, the node votes for its peer and says "no daemon"
 *   REPORT      what the next heartbeats carry; also the daemon's sign of life
 *   ACTIVATE    act in EPOCH, on the peer's vote or on a grant of the arbiter
 *               whose request was sent at GRANT_SENT_NS
 *   RENEW       the arbiter renewed EPOCH by the request sent at GRANT_SENT_NS
 *   YIELD       leave the active role, vote for the peer's next epoch
 *   LEAVE       YIELD for good: the daemon is about to stop
 *
 * All but the GET commands need CAP_NET_ADMIN in the namespace's user
 * namespace. Commands that change the role (ACTIVATE, RENEW, YIELD, LEAVE,
 * REPORT) are accepted only from the attached socket (else EPERM).
 *
 * Events go to the multicast group "event". Each holds one object in full
 * (node, peer or link), the cause, the kernel's CLOCK_MONOTONIC time and a
 * sequence number that grows by one per event in the namespace. (The time of
 * LEASE_EXPIRED is the lease's end, however late that was noticed: nothing
 * relies on the role after it.) A link whose
 * IFINDEX is 0 is gone. A gap, or
 * ENOBUFS, means: dump everything, then go on. Times are nanoseconds of
 * CLOCK_MONOTONIC unless the name says otherwise.
 */
#ifndef _UAPI_LINUX_CTIHA_H
#define _UAPI_LINUX_CTIHA_H

#define CTIHA_GENL_NAME		"ctiha"
#define CTIHA_GENL_VERSION	1
#define CTIHA_GENL_GROUP	"event"

#define CTIHA_ETHERTYPE		0x88B5	/* IEEE 802, local experimental 1 */
#define CTIHA_KEY_LEN		32
#define CTIHA_KEY_SLOTS		2
#define CTIHA_LINK_NAME_LEN	16
#define CTIHA_INTERVAL_MIN_US	1000
#define CTIHA_INTERVAL_MAX_US	10000000
#define CTIHA_MULTIPLIER_MIN	2
#define CTIHA_MULTIPLIER_MAX	50
#define CTIHA_FENCE_ADDRESSES	16

/* What a server is. */
enum ctiha_role {
	CTIHA_ROLE_INITIAL,	/* started, has neither acted nor followed */
	CTIHA_ROLE_STANDBY,
	CTIHA_ROLE_ACTIVE,
};

/* Which of the three links of the judgement table a heartbeat link is. */
enum ctiha_link_kind {
	CTIHA_LINK_CROSSOVER = 1,	/* L1 */
	CTIHA_LINK_LAN = 2,		/* L2 */
};

enum ctiha_session_state {
	CTIHA_SESSION_DOWN,	/* nothing heard */
	CTIHA_SESSION_INIT,	/* I hear the peer; it does not hear me, or see diag */
	CTIHA_SESSION_UP,	/* we hear each other */
};

/* Why a session is not up; travels in the frame. */
enum ctiha_diag {
	CTIHA_DIAG_NONE,
	CTIHA_DIAG_SILENCE,		/* nothing heard for the detection time */
	CTIHA_DIAG_PEER_DOWN,		/* the peer says it does not hear me */
	CTIHA_DIAG_PEER_RESTARTED,	/* a new incarnation of the peer */
	CTIHA_DIAG_PEER_LEFT,		/* the peer said goodbye */
	CTIHA_DIAG_DEVICE,		/* net device gone or down */
	CTIHA_DIAG_PEER_DIED,		/* the peer's last words, see enum below */
	CTIHA_DIAG_DAMPED,		/* heard, not trusted yet: it flapped */
};

/* What a dying server says its end is; travels in the frame. */
enum ctiha_last_words {
	CTIHA_LAST_WORDS_NONE,
	CTIHA_LAST_WORDS_PANIC,
	CTIHA_LAST_WORDS_OOPS,		/* a panic that an oops led to */
	CTIHA_LAST_WORDS_REBOOT,
	CTIHA_LAST_WORDS_HALT,
	CTIHA_LAST_WORDS_POWER_OFF,
	CTIHA_LAST_WORDS_UNLOAD,	/* of the module */
};

/* In which direction a link works, as far as this server knows. */
enum ctiha_direction {
	CTIHA_DIRECTION_NONE,
	CTIHA_DIRECTION_IN	= 1 << 0,	/* I hear the peer */
	CTIHA_DIRECTION_OUT	= 1 << 1,	/* the peer hears me */
	CTIHA_DIRECTION_BOTH	= CTIHA_DIRECTION_IN | CTIHA_DIRECTION_OUT,
};

/* Bits of a report: what a server says of itself in each heartbeat. */
enum ctiha_report {
	CTIHA_REPORT_DAEMON		= 1 << 0,	/* daemon attached and alive */
	CTIHA_REPORT_APPLICATION	= 1 << 1,	/* CTI application alive */
	CTIHA_REPORT_ELIGIBLE		= 1 << 2,	/* could act if it had to */
	CTIHA_REPORT_WANTS_ACTIVE	= 1 << 3,	/* operator asked for takeover */
	CTIHA_REPORT_MAINTENANCE	= 1 << 4,
	CTIHA_REPORT_SYNCED		= 1 << 5,	/* holds the active's state */
	CTIHA_REPORT_L1			= 1 << 6,	/* I see L1 up */
	CTIHA_REPORT_L2			= 1 << 7,
	CTIHA_REPORT_L3			= 1 << 8,	/* arbiter answers me */
	CTIHA_REPORT_SWITCH		= 1 << 9,	/* my switch link is up */
	CTIHA_REPORT_CARRIER_L1		= 1 << 10,	/* my NIC has a carrier */
	CTIHA_REPORT_CARRIER_L2		= 1 << 11,
	CTIHA_REPORT_CARRIER_SWITCH	= 1 << 12,
	CTIHA_REPORT_HEARS_L1		= 1 << 13,	/* I hear you on L1 */
	CTIHA_REPORT_HEARS_L2		= 1 << 14,
};

#define CTIHA_REPORT_CARRIER	(CTIHA_REPORT_CARRIER_L1 | \
				 CTIHA_REPORT_CARRIER_L2 | \
				 CTIHA_REPORT_CARRIER_SWITCH)

/* Bits that only the module sets. */
#define CTIHA_REPORT_KERNEL	(CTIHA_REPORT_DAEMON | CTIHA_REPORT_L1 | \
				 CTIHA_REPORT_L2 | CTIHA_REPORT_CARRIER | \
				 CTIHA_REPORT_HEARS_L1 | CTIHA_REPORT_HEARS_L2)

/* What is measured of a link. */
enum ctiha_measure {
	CTIHA_QUALITY_RTT,		/* round trip, without the peer's hold */
	CTIHA_QUALITY_JITTER,		/* distance of two arrivals from the interval */
	CTIHA_QUALITY_LATENESS,		/* own: of the tick that sends */
	CTIHA_QUALITIES,
};

/*
 * Of a histogram: below 1 us, below 2, below 4, ..., below 2^20 us, and all above.
 */
#define CTIHA_QUALITY_BUCKETS	22

/* What the fence drops. */
enum ctiha_fenced {
	CTIHA_FENCED_IPV4,	/* by its source */
	CTIHA_FENCED_IPV6,	/* by its source */
	CTIHA_FENCED_ARP,	/* by the sender's protocol address */
	CTIHA_FENCED_ND,	/* neighbour advertisement, by its target */
	CTIHA_FENCED_KINDS,
};

/* What the module does when it had to end the active role by itself. */
enum ctiha_last_resort {
	CTIHA_LAST_RESORT_NONE,		/* the fence is enough */
	CTIHA_LAST_RESORT_REBOOT,	/* at once, without syncing disks */
	CTIHA_LAST_RESORT_PANIC,	/* for whoever collects crash dumps */
};

/* Why an event was sent. */
enum ctiha_cause {
	CTIHA_CAUSE_NONE,
	CTIHA_CAUSE_COMMAND,		/* the daemon or an operator said so */
	CTIHA_CAUSE_LEASE_EXPIRED,
	CTIHA_CAUSE_HIGHER_EPOCH,	/* peer acts in a higher epoch */
	CTIHA_CAUSE_DAEMON_CLOSED,	/* daemon's socket closed */
	CTIHA_CAUSE_DAEMON_SILENT,	/* daemon did not call within WATCH_MS */
	CTIHA_CAUSE_SESSION,		/* session changed state, see diag */
	CTIHA_CAUSE_PEER,		/* the peer's heartbeat says something new */
	CTIHA_CAUSE_DEVICE,		/* net device gone, down, up or renamed */
	CTIHA_CAUSE_LAST_WORDS,		/* this system, or its module, ends */
	CTIHA_CAUSE_CARRIER,		/* a NIC lost or got its carrier */
	CTIHA_CAUSE_SLEEP,		/* the machine is about to sleep */
	CTIHA_CAUSE_PAUSE,		/* the virtual machine stood still */
};

enum {
	CTIHA_CMD_UNSPEC,
	CTIHA_CMD_NODE_GET,
	CTIHA_CMD_NODE_SET,
	CTIHA_CMD_KEY_SET,
	CTIHA_CMD_FENCE_SET,
	CTIHA_CMD_LINK_GET,
	CTIHA_CMD_LINK_ADD,
	CTIHA_CMD_LINK_DEL,
	CTIHA_CMD_PEER_GET,
	CTIHA_CMD_ATTACH,
	CTIHA_CMD_REPORT,
	CTIHA_CMD_ACTIVATE,
	CTIHA_CMD_RENEW,
	CTIHA_CMD_YIELD,
	CTIHA_CMD_LEAVE,
	CTIHA_CMD_NODE_NTF,
	CTIHA_CMD_PEER_NTF,
	CTIHA_CMD_LINK_NTF,
	CTIHA_CMD_SWITCH_SET,

	__CTIHA_CMD_MAX,
#define CTIHA_CMD_MAX (__CTIHA_CMD_MAX - 1)
};

/* Attributes of every message. */
enum {
	CTIHA_A_UNSPEC,
	CTIHA_A_NODE,		/* nest of CTIHA_A_NODE_* */
	CTIHA_A_PEER,		/* nest of CTIHA_A_PEER_* */
	CTIHA_A_LINK,		/* nest of CTIHA_A_LINK_* */
	CTIHA_A_EVENT,		/* nest of CTIHA_A_EVENT_*, in events only */
	CTIHA_A_FENCE,		/* nest of CTIHA_A_FENCE_*: FENCE_SET */
	CTIHA_A_KEY_SLOT,	/* u8: 0 or 1 */
	CTIHA_A_KEY,		/* binary, CTIHA_KEY_LEN bytes */
	CTIHA_A_KEY_SEND,	/* flag: seal outgoing frames with this slot */
	CTIHA_A_WATCH_MS,	/* u32: ATTACH, longest silence of the daemon */
	CTIHA_A_EPOCH,		/* u64: ACTIVATE, RENEW */
	CTIHA_A_GRANT_SENT_NS,	/* u64: ACTIVATE, RENEW */
	CTIHA_A_REPORT,		/* u32: enum ctiha_report */
	CTIHA_A_SYNC_POS,	/* u64: position in the stream of call records */
	CTIHA_A_PAD,
	CTIHA_A_QUALITY,	/* flag: LINK_GET of one link, with histograms */
	CTIHA_A_SWITCH,		/* nest of CTIHA_A_SWITCH_*: SWITCH_SET */

	__CTIHA_A_MAX,
#define CTIHA_A_MAX (__CTIHA_A_MAX - 1)
};

enum {
	CTIHA_A_NODE_UNSPEC,
	CTIHA_A_NODE_ID,		/* u8: 0 or 1 */
	CTIHA_A_NODE_PAIR,		/* u32: the pair's number on this network */
	CTIHA_A_NODE_LEASE_NS,		/* u64 */
	CTIHA_A_NODE_PROMISE_NS,	/* u64: > LEASE_NS */
	CTIHA_A_NODE_ROLE,		/* u8: enum ctiha_role */
	CTIHA_A_NODE_EPOCH,		/* u64: highest known; own when active */
	CTIHA_A_NODE_VOTE_EPOCH,	/* u64 */
	CTIHA_A_NODE_LEASE_LEFT_NS,	/* u64: 0 unless active; ~0: serves alone */
	CTIHA_A_NODE_PROMISE_LEFT_NS,	/* u64 */
	CTIHA_A_NODE_REPORT,		/* u32 */
	CTIHA_A_NODE_SYNC_POS,		/* u64 */
	CTIHA_A_NODE_EVENT_SEQ,		/* u64: last event's sequence number */
	CTIHA_A_NODE_FENCE,		/* nest of CTIHA_A_FENCE_* */
	CTIHA_A_NODE_PAD,
	CTIHA_A_NODE_SWITCH,		/* nest of CTIHA_A_SWITCH_* */

	__CTIHA_A_NODE_MAX,
#define CTIHA_A_NODE_MAX (__CTIHA_A_NODE_MAX - 1)
};

enum {
	CTIHA_A_PEER_UNSPEC,
	CTIHA_A_PEER_HEARD,		/* u8: 1 if any link's session is up */
	CTIHA_A_PEER_LEFT,		/* u8: 1 if it said goodbye */
	CTIHA_A_PEER_ROLE,		/* u8 */
	CTIHA_A_PEER_EPOCH,		/* u64 */
	CTIHA_A_PEER_VOTE_EPOCH,	/* u64 */
	CTIHA_A_PEER_REPORT,		/* u32 */
	CTIHA_A_PEER_SYNC_POS,		/* u64 */
	CTIHA_A_PEER_HEARD_NS,		/* u64: time of its last frame */
	CTIHA_A_PEER_PAD,
	CTIHA_A_PEER_LAST_WORDS,	/* u8: enum ctiha_last_words */

	__CTIHA_A_PEER_MAX,
#define CTIHA_A_PEER_MAX (__CTIHA_A_PEER_MAX - 1)
};

enum {
	CTIHA_A_LINK_UNSPEC,
	CTIHA_A_LINK_NAME,		/* string: "crossover", "lan" */
	CTIHA_A_LINK_KIND,		/* u8: enum ctiha_link_kind, one link each */
	CTIHA_A_LINK_IFINDEX,		/* u32 */
	CTIHA_A_LINK_PEER_MAC,		/* 6 bytes; broadcast if not given */
	CTIHA_A_LINK_INTERVAL_US,	/* u32: own */
	CTIHA_A_LINK_MULTIPLIER,	/* u8: own */
	CTIHA_A_LINK_STATE,		/* u8: enum ctiha_session_state */
	CTIHA_A_LINK_DIAG,		/* u8: enum ctiha_diag */
	CTIHA_A_LINK_AGREED_US,		/* u32: the slower side's interval */
	CTIHA_A_LINK_DETECT_NS,		/* u64: silence that takes it down */
	CTIHA_A_LINK_RTT_NS,		/* u64: last round trip, 0 unknown */
	CTIHA_A_LINK_HEARD_NS,		/* u64: time of the last good frame */
	CTIHA_A_LINK_CHANGES,		/* u32: times the session went down */
	CTIHA_A_LINK_STATS,		/* nest of CTIHA_A_STAT_*, u64 each */
	CTIHA_A_LINK_PAD,
	CTIHA_A_LINK_DIRECTION,		/* u8: enum ctiha_direction */
	CTIHA_A_LINK_RECENT,		/* u32: heartbeats lately expected of the peer */
	CTIHA_A_LINK_RECENT_LOST,	/* u32: of those, the ones that did not come */
	CTIHA_A_LINK_HOLD_NS,		/* u64: hold-down, 0 unless damped */
	CTIHA_A_LINK_QUALITY,		/* nest of CTIHA_A_QUALITY_*: if asked for */
	CTIHA_A_LINK_CARRIER,		/* u8: 1 if its device has one */

	__CTIHA_A_LINK_MAX,
#define CTIHA_A_LINK_MAX (__CTIHA_A_LINK_MAX - 1)
};

enum {
	CTIHA_A_STAT_UNSPEC,
	CTIHA_A_STAT_TX,
	CTIHA_A_STAT_TX_FAILED,
	CTIHA_A_STAT_RX,		/* good frames of this session */
	CTIHA_A_STAT_LOST,		/* gaps in the peer's sequence */
	CTIHA_A_STAT_MALFORMED,		/* wrong size, field out of range */
	CTIHA_A_STAT_VERSION,		/* unknown protocol version */
	CTIHA_A_STAT_KEY,		/* unknown key id */
	CTIHA_A_STAT_FORGED,		/* check code wrong */
	CTIHA_A_STAT_FOREIGN,		/* another pair, link or own node id */
	CTIHA_A_STAT_REPLAYED,		/* old sequence number or incarnation */
	CTIHA_A_STAT_MISSED,		/* ticks: this server stalled */
	CTIHA_A_STAT_DEFERRED,		/* ticks left to a softirq: device busy */
	CTIHA_A_STAT_UNVERIFIED,	/* flood: no time to check their code */
	CTIHA_A_STAT_STALLS,		/* this server ran late by 1 ms or more */
	CTIHA_A_STAT_WITHHELD,		/* verdicts: heard after all, or we stalled */
	CTIHA_A_STAT_PAD,

	__CTIHA_A_STAT_MAX,
#define CTIHA_A_STAT_MAX (__CTIHA_A_STAT_MAX - 1)
};

enum {
	CTIHA_A_QUALITY_UNSPEC,
	CTIHA_A_QUALITY_RTT,		/* nest of CTIHA_A_HISTOGRAM_*, as the next */
	CTIHA_A_QUALITY_JITTER,
	CTIHA_A_QUALITY_LATENESS,

	__CTIHA_A_QUALITY_MAX,
#define CTIHA_A_QUALITY_MAX (__CTIHA_A_QUALITY_MAX - 1)
};

enum {
	CTIHA_A_HISTOGRAM_UNSPEC,
	CTIHA_A_HISTOGRAM_BUCKETS,	/* u64[CTIHA_QUALITY_BUCKETS]: measurements */
	CTIHA_A_HISTOGRAM_MAX_NS,	/* u64: the largest one */
	CTIHA_A_HISTOGRAM_PAD,

	__CTIHA_A_HISTOGRAM_MAX,
#define CTIHA_A_HISTOGRAM_MAX (__CTIHA_A_HISTOGRAM_MAX - 1)
};

enum {
	CTIHA_A_FENCE_UNSPEC,
	CTIHA_A_FENCE_ADDRESS,		/* 4 or 16 bytes; once for each */
	CTIHA_A_FENCE_LAST_RESORT,	/* u8: enum ctiha_last_resort */
	CTIHA_A_FENCE_CLOSED,		/* u8: 1 while this server may not act */
	CTIHA_A_FENCE_DROPPED_IPV4,	/* u64: frames, since NODE_SET */
	CTIHA_A_FENCE_DROPPED_IPV6,
	CTIHA_A_FENCE_DROPPED_ARP,
	CTIHA_A_FENCE_DROPPED_ND,
	CTIHA_A_FENCE_PAD,

	__CTIHA_A_FENCE_MAX,
#define CTIHA_A_FENCE_MAX (__CTIHA_A_FENCE_MAX - 1)
};

enum {
	CTIHA_A_SWITCH_UNSPEC,
	CTIHA_A_SWITCH_IFINDEX,		/* u32: 0 for none */
	CTIHA_A_SWITCH_CARRIER,		/* u8: 1 if it has one */

	__CTIHA_A_SWITCH_MAX,
#define CTIHA_A_SWITCH_MAX (__CTIHA_A_SWITCH_MAX - 1)
};

enum {
	CTIHA_A_EVENT_UNSPEC,
	CTIHA_A_EVENT_SEQ,		/* u64 */
	CTIHA_A_EVENT_TIME_NS,		/* u64 */
	CTIHA_A_EVENT_CAUSE,		/* u8: enum ctiha_cause */
	CTIHA_A_EVENT_PAD,

	__CTIHA_A_EVENT_MAX,
#define CTIHA_A_EVENT_MAX (__CTIHA_A_EVENT_MAX - 1)
};

#endif /* _UAPI_LINUX_CTIHA_H */
