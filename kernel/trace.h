/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints, one for each step of the protocol: Documentation/tracing.rst.
 *
 * No strings: they are assigned differently before and after Linux 6.10.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM ctiha

#if !defined(CTIHA_KERNEL_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define CTIHA_KERNEL_TRACE_H

#include <linux/tracepoint.h>

#include "link.h"
#include "node.h"

#define show_ctiha_kind(kind) __print_symbolic(kind,			\
	{ CTIHA_LINK_CROSSOVER,		"crossover" },			\
	{ CTIHA_LINK_LAN,		"lan" })

#define show_ctiha_type(type) __print_symbolic(type,			\
	{ CTIHA_FRAME_HEARTBEAT,	"heartbeat" },			\
	{ CTIHA_FRAME_GOODBYE,		"goodbye" },			\
	{ CTIHA_FRAME_GASP,		"gasp" })

#define show_ctiha_state(state) __print_symbolic(state,			\
	{ CTIHA_SESSION_DOWN,		"down" },			\
	{ CTIHA_SESSION_INIT,		"init" },			\
	{ CTIHA_SESSION_UP,		"up" })

#define show_ctiha_diag(diag) __print_symbolic(diag,			\
	{ CTIHA_DIAG_NONE,		"none" },			\
	{ CTIHA_DIAG_SILENCE,		"silence" },			\
	{ CTIHA_DIAG_PEER_DOWN,		"peer-down" },			\
	{ CTIHA_DIAG_PEER_RESTARTED,	"peer-restarted" },		\
	{ CTIHA_DIAG_PEER_LEFT,		"peer-left" },			\
	{ CTIHA_DIAG_DEVICE,		"device" },			\
	{ CTIHA_DIAG_DAMPED,		"damped" })

#define show_ctiha_direction(direction) __print_symbolic(direction,	\
	{ CTIHA_DIRECTION_NONE,		"none" },			\
	{ CTIHA_DIRECTION_IN,		"in" },				\
	{ CTIHA_DIRECTION_OUT,		"out" },			\
	{ CTIHA_DIRECTION_BOTH,		"both" })

#define show_ctiha_heard(heard) __print_symbolic(heard,			\
	{ CTIHA_HEARD_REPLAY,		"replay" },			\
	{ CTIHA_HEARD_UNBOUND,		"unbound" },			\
	{ CTIHA_HEARD_BOUND,		"bound" })

#define show_ctiha_refusal(stat) __print_symbolic(stat,			\
	{ CTIHA_A_STAT_MALFORMED,	"malformed" },			\
	{ CTIHA_A_STAT_VERSION,		"version" },			\
	{ CTIHA_A_STAT_KEY,		"key" },			\
	{ CTIHA_A_STAT_FORGED,		"forged" },			\
	{ CTIHA_A_STAT_FOREIGN,		"foreign" })

#define show_ctiha_role(role) __print_symbolic(role,			\
	{ CTIHA_ROLE_INITIAL,		"initial" },			\
	{ CTIHA_ROLE_STANDBY,		"standby" },			\
	{ CTIHA_ROLE_ACTIVE,		"active" })

#define show_ctiha_cause(cause) __print_symbolic(cause,			\
	{ CTIHA_CAUSE_NONE,		"none" },			\
	{ CTIHA_CAUSE_COMMAND,		"command" },			\
	{ CTIHA_CAUSE_LEASE_EXPIRED,	"lease-expired" },		\
	{ CTIHA_CAUSE_HIGHER_EPOCH,	"higher-epoch" },		\
	{ CTIHA_CAUSE_DAEMON_CLOSED,	"daemon-closed" },		\
	{ CTIHA_CAUSE_DAEMON_SILENT,	"daemon-silent" },		\
	{ CTIHA_CAUSE_SESSION,		"session" },			\
	{ CTIHA_CAUSE_PEER,		"peer" },			\
	{ CTIHA_CAUSE_DEVICE,		"device" },			\
	{ CTIHA_CAUSE_LAST_WORDS,	"last-words" },			\
	{ CTIHA_CAUSE_CARRIER,		"carrier" },			\
	{ CTIHA_CAUSE_SLEEP,		"sleep" },			\
	{ CTIHA_CAUSE_PAUSE,		"pause" })

#define show_ctiha_fenced(kind) __print_symbolic(kind,			\
	{ CTIHA_FENCED_IPV4,		"ipv4" },			\
	{ CTIHA_FENCED_IPV6,		"ipv6" },			\
	{ CTIHA_FENCED_ARP,		"arp" },			\
	{ CTIHA_FENCED_ND,		"nd" })

/* ---- frames ---- */

DECLARE_EVENT_CLASS(ctiha_frame,
	TP_PROTO(const struct ctiha_link *link, const struct ctiha_frame *frame,
		 int heard),
	TP_ARGS(link, frame, heard),
	TP_STRUCT__entry(
		__field(u8, node)
		__field(u8, kind)
		__field(u8, type)
		__field(u8, heard)
		__field(u8, state)
		__field(u8, diag)
		__field(u8, role)
		__field(u32, report)
		__field(u64, seq)
		__field(u64, echo_seq)
		__field(u64, epoch)
		__field(u64, vote_epoch)
	),
	TP_fast_assign(
		__entry->node = link->node->lease.node;
		__entry->kind = link->kind;
		__entry->type = frame->type;
		__entry->heard = heard;
		__entry->state = frame->session_state;
		__entry->diag = frame->diag;
		__entry->role = frame->role;
		__entry->report = frame->report;
		__entry->seq = frame->seq;
		__entry->echo_seq = frame->echo_seq;
		__entry->epoch = frame->epoch;
		__entry->vote_epoch = frame->vote_epoch;
	),
	TP_printk("node=%u link=%s %s seq=%llu echo=%llu session=%s diag=%s role=%s epoch=%llu vote=%llu report=0x%x",
		  __entry->node, show_ctiha_kind(__entry->kind),
		  show_ctiha_type(__entry->type), __entry->seq,
		  __entry->echo_seq, show_ctiha_state(__entry->state),
		  show_ctiha_diag(__entry->diag),
		  show_ctiha_role(__entry->role), __entry->epoch,
		  __entry->vote_epoch, __entry->report)
);

/* A frame leaves; whether the device took it, the counters tell. */
DEFINE_EVENT(ctiha_frame, ctiha_frame_sent,
	TP_PROTO(const struct ctiha_link *link, const struct ctiha_frame *frame,
		 int heard),
	TP_ARGS(link, frame, heard)
);

/* An authentic frame of the peer, and what it was worth. */
DEFINE_EVENT_PRINT(ctiha_frame, ctiha_frame_heard,
	TP_PROTO(const struct ctiha_link *link, const struct ctiha_frame *frame,
		 int heard),
	TP_ARGS(link, frame, heard),
	TP_printk("node=%u link=%s %s %s seq=%llu echo=%llu session=%s diag=%s role=%s epoch=%llu vote=%llu report=0x%x",
		  __entry->node, show_ctiha_kind(__entry->kind),
		  show_ctiha_type(__entry->type),
		  show_ctiha_heard(__entry->heard), __entry->seq,
		  __entry->echo_seq, show_ctiha_state(__entry->state),
		  show_ctiha_diag(__entry->diag),
		  show_ctiha_role(__entry->role), __entry->epoch,
		  __entry->vote_epoch, __entry->report)
);

/* A frame that is not the peer's, and why. */
TRACE_EVENT(ctiha_frame_refused,
	TP_PROTO(const struct ctiha_link *link, unsigned int stat),
	TP_ARGS(link, stat),
	TP_STRUCT__entry(
		__field(u8, node)
		__field(u8, kind)
		__field(u8, stat)
	),
	TP_fast_assign(
		__entry->node = link->node->lease.node;
		__entry->kind = link->kind;
		__entry->stat = stat;
	),
	TP_printk("node=%u link=%s %s", __entry->node,
		  show_ctiha_kind(__entry->kind),
		  show_ctiha_refusal(__entry->stat))
);

/* ---- sessions ---- */

/* The verdict: nothing was heard for the detection time. */
TRACE_EVENT(ctiha_silence,
	TP_PROTO(const struct ctiha_link *link, u64 now_ns),
	TP_ARGS(link, now_ns),
	TP_STRUCT__entry(
		__field(u8, node)
		__field(u8, kind)
		__field(u64, silent_ns)
		__field(u64, detect_ns)
	),
	TP_fast_assign(
		__entry->node = link->node->lease.node;
		__entry->kind = link->kind;
		__entry->silent_ns = now_ns - link->session.rx_ns;
		__entry->detect_ns = ctiha_session_detect_ns(&link->session);
	),
	TP_printk("node=%u link=%s silent_ns=%llu detect_ns=%llu",
		  __entry->node, show_ctiha_kind(__entry->kind),
		  __entry->silent_ns, __entry->detect_ns)
);

/* A link changed, by its session or by the peer's word of it. */
TRACE_EVENT(ctiha_session,
	TP_PROTO(const struct ctiha_link *link, u8 direction),
	TP_ARGS(link, direction),
	TP_STRUCT__entry(
		__field(u8, node)
		__field(u8, kind)
		__field(u8, before)
		__field(u8, state)
		__field(u8, diag)
		__field(u8, direction)
		__field(u64, hold_ns)
	),
	TP_fast_assign(
		__entry->node = link->node->lease.node;
		__entry->kind = link->kind;
		__entry->before = link->told_state;
		__entry->state = link->session.state;
		__entry->diag = link->session.diag;
		__entry->direction = direction;
		__entry->hold_ns = ctiha_session_hold_ns(&link->session);
	),
	TP_printk("node=%u link=%s %s -> %s diag=%s direction=%s hold_ns=%llu",
		  __entry->node, show_ctiha_kind(__entry->kind),
		  show_ctiha_state(__entry->before),
		  show_ctiha_state(__entry->state),
		  show_ctiha_diag(__entry->diag),
		  show_ctiha_direction(__entry->direction), __entry->hold_ns)
);

/* ---- role and lease ---- */

/* What the node is and says has changed. */
TRACE_EVENT(ctiha_role,
	TP_PROTO(const struct ctiha_node *node, u8 before,
		 enum ctiha_cause cause),
	TP_ARGS(node, before, cause),
	TP_STRUCT__entry(
		__field(u8, node)
		__field(u8, before)
		__field(u8, role)
		__field(u8, cause)
		__field(u64, epoch)
		__field(u64, vote_epoch)
	),
	TP_fast_assign(
		__entry->node = node->lease.node;
		__entry->before = before;
		__entry->role = node->lease.role;
		__entry->cause = cause;
		__entry->epoch = node->lease.epoch;
		__entry->vote_epoch = node->lease.vote_epoch;
	),
	TP_printk("node=%u %s -> %s epoch=%llu vote=%llu cause=%s",
		  __entry->node, show_ctiha_role(__entry->before),
		  show_ctiha_role(__entry->role), __entry->epoch,
		  __entry->vote_epoch, show_ctiha_cause(__entry->cause))
);

DECLARE_EVENT_CLASS(ctiha_claim,
	TP_PROTO(const struct ctiha_node *node, u64 epoch, u64 granted_ns,
		 int err),
	TP_ARGS(node, epoch, granted_ns, err),
	TP_STRUCT__entry(
		__field(u8, node)
		__field(int, err)
		__field(u64, epoch)
		__field(u64, granted_ns)
		__field(u64, deadline_ns)
	),
	TP_fast_assign(
		__entry->node = node->lease.node;
		__entry->err = err;
		__entry->epoch = epoch;
		__entry->granted_ns = granted_ns;
		__entry->deadline_ns = node->lease.deadline_ns;
	),
	TP_printk("node=%u epoch=%llu granted_ns=%llu deadline_ns=%llu err=%d",
		  __entry->node, __entry->epoch, __entry->granted_ns,
		  __entry->deadline_ns, __entry->err)
);

/* The daemon wants to act, on a vote or a grant. */
DEFINE_EVENT(ctiha_claim, ctiha_lease_activate,
	TP_PROTO(const struct ctiha_node *node, u64 epoch, u64 granted_ns,
		 int err),
	TP_ARGS(node, epoch, granted_ns, err)
);

/* The arbiter renewed the lease. */
DEFINE_EVENT(ctiha_claim, ctiha_lease_renew,
	TP_PROTO(const struct ctiha_node *node, u64 epoch, u64 granted_ns,
		 int err),
	TP_ARGS(node, epoch, granted_ns, err)
);

DECLARE_EVENT_CLASS(ctiha_lease,
	TP_PROTO(const struct ctiha_lease *lease),
	TP_ARGS(lease),
	TP_STRUCT__entry(
		__field(u8, node)
		__field(u8, role)
		__field(u64, epoch)
		__field(u64, vote_epoch)
		__field(u64, deadline_ns)
	),
	TP_fast_assign(
		__entry->node = lease->node;
		__entry->role = lease->role;
		__entry->epoch = lease->epoch;
		__entry->vote_epoch = lease->vote_epoch;
		__entry->deadline_ns = lease->deadline_ns;
	),
	TP_printk("node=%u role=%s epoch=%llu vote=%llu deadline_ns=%llu",
		  __entry->node, show_ctiha_role(__entry->role),
		  __entry->epoch, __entry->vote_epoch, __entry->deadline_ns)
);

/* The peer's vote renewed the lease. */
DEFINE_EVENT(ctiha_lease, ctiha_lease_vote,
	TP_PROTO(const struct ctiha_lease *lease), TP_ARGS(lease)
);

/* The lease has run out. */
DEFINE_EVENT(ctiha_lease, ctiha_lease_expire,
	TP_PROTO(const struct ctiha_lease *lease), TP_ARGS(lease)
);

/* The role is given to the peer: by order, or because the daemon is dead. */
DEFINE_EVENT(ctiha_lease, ctiha_lease_yield,
	TP_PROTO(const struct ctiha_lease *lease), TP_ARGS(lease)
);

/* ---- fence ---- */

/* It opens, closes, or stays open until later; 0: closed. */
TRACE_EVENT(ctiha_fence,
	TP_PROTO(const struct ctiha_lease *lease, u64 before_ns, u64 until_ns),
	TP_ARGS(lease, before_ns, until_ns),
	TP_STRUCT__entry(
		__field(u8, node)
		__field(u64, before_ns)
		__field(u64, until_ns)
	),
	TP_fast_assign(
		__entry->node = lease->node;
		__entry->before_ns = before_ns;
		__entry->until_ns = until_ns;
	),
	TP_printk("node=%u %s until_ns=%llu", __entry->node,
		  !__entry->until_ns ? "closed" :
		  __entry->before_ns ? "prolonged" : "opened",
		  __entry->until_ns)
);

TRACE_EVENT(ctiha_fence_drop,
	TP_PROTO(unsigned int kind, int ifindex),
	TP_ARGS(kind, ifindex),
	TP_STRUCT__entry(
		__field(u8, kind)
		__field(int, ifindex)
	),
	TP_fast_assign(
		__entry->kind = kind;
		__entry->ifindex = ifindex;
	),
	TP_printk("%s ifindex=%d", show_ctiha_fenced(__entry->kind),
		  __entry->ifindex)
);

/* ---- daemon ---- */

TRACE_EVENT(ctiha_daemon_attach,
	TP_PROTO(const struct ctiha_node *node, u32 portid, u64 silence_ns),
	TP_ARGS(node, portid, silence_ns),
	TP_STRUCT__entry(
		__field(u8, node)
		__field(u32, portid)
		__field(u64, silence_ns)
	),
	TP_fast_assign(
		__entry->node = node->lease.node;
		__entry->portid = portid;
		__entry->silence_ns = silence_ns;
	),
	TP_printk("node=%u portid=%u silence_ns=%llu", __entry->node,
		  __entry->portid, __entry->silence_ns)
);

TRACE_EVENT(ctiha_daemon_lost,
	TP_PROTO(const struct ctiha_node *node, enum ctiha_cause cause),
	TP_ARGS(node, cause),
	TP_STRUCT__entry(
		__field(u8, node)
		__field(u8, cause)
	),
	TP_fast_assign(
		__entry->node = node->lease.node;
		__entry->cause = cause;
	),
	TP_printk("node=%u cause=%s", __entry->node,
		  show_ctiha_cause(__entry->cause))
);

#endif /* CTIHA_KERNEL_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
