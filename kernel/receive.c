// SPDX-License-Identifier: GPL-2.0
/*
 * Receiving heartbeats. Everything is hostile until its check code is verified,
 * and nothing counts until the session finds it fresh.
 */
#include <linux/ktime.h>
#include <linux/net.h>
#include <linux/netdevice.h>
#include <linux/random.h>
#include <linux/skbuff.h>

#include "link.h"
#include "node.h"
#include "trace.h"

static const u8 refusal_stat[] = {
	[CTIHA_FRAME_MALFORMED] = CTIHA_A_STAT_MALFORMED,
	[CTIHA_FRAME_BAD_VERSION] = CTIHA_A_STAT_VERSION,
	[CTIHA_FRAME_BAD_KEY] = CTIHA_A_STAT_KEY,
	[CTIHA_FRAME_FORGED] = CTIHA_A_STAT_FORGED,
};

/* Is this frame ours by its kind, pair and sender? All fixed while links exist. */
static bool is_ours(const struct ctiha_link *link,
		    const struct ctiha_frame *frame)
{
	const struct ctiha_node *node = link->node;

	return frame->link_kind == link->kind && frame->pair == node->pair &&
	       frame->node != node->lease.node;
}

/* Is there time for its check code? */
static bool afford(struct ctiha_link *link, const struct ctiha_frame *claim,
		   u64 now_ns)
{
	unsigned long flags;
	bool counts, can;

	raw_spin_lock_irqsave(&link->node->lock, flags);
	counts = ctiha_session_minds(&link->session, claim);
	can = ctiha_budget_take(&link->budget, counts, now_ns);
	raw_spin_unlock_irqrestore(&link->node->lock, flags);
	return can;
}

/* Return: 0 and the frame, or the counter that its refusal belongs to. */
static unsigned int read_frame(struct ctiha_link *link,
			       const struct sk_buff *skb, u64 now_ns,
			       struct ctiha_frame *frame)
{
	const struct ctiha_mac_key *keys[CTIHA_KEY_SLOTS];
	size_t len = min_t(size_t, skb->len, CTIHA_FRAME_LEN);
	u8 bytes[CTIHA_FRAME_LEN];
	enum ctiha_frame_error error;
	unsigned int slot;

	if (skb_copy_bits(skb, 0, bytes, len))
		return CTIHA_A_STAT_MALFORMED;
	for (slot = 0; slot < CTIHA_KEY_SLOTS; slot++)
		keys[slot] = rcu_dereference(link->node->keys[slot]);
	error = ctiha_frame_peek(bytes, len, keys, frame);
	if (!error && !afford(link, frame, now_ns))
		return CTIHA_A_STAT_UNVERIFIED;
	if (!error)
		error = ctiha_frame_open(bytes, len, keys, frame);
	if (error)
		return refusal_stat[error];
	return is_ours(link, frame) ? 0 : CTIHA_A_STAT_FOREIGN;
}

static void see_peer(struct ctiha_peer *peer, const struct ctiha_frame *frame,
		     u64 now_ns)
{
	peer->left = ctiha_frame_is_goodbye(frame);
	peer->last_words = frame->last_words;
	peer->role = frame->role;
	peer->report = frame->report;
	peer->epoch = frame->epoch;
	peer->vote_epoch = frame->vote_epoch;
	peer->sync_pos = frame->sync_pos;
	peer->heard_ns = now_ns;
}

/* A bound frame: the peer's word of now. Return: why the node changed, if so. */
static enum ctiha_cause believe(struct ctiha_link *link,
				const struct ctiha_frame *frame,
				u64 echoed_sent_ns, u64 now_ns, u64 random)
{
	const struct ctiha_testimony testimony = {
		.role = frame->role,
		.epoch = frame->epoch,
		.vote_epoch = frame->vote_epoch,
		.echoed_sent_ns = echoed_sent_ns,
		.goodbye = ctiha_frame_is_goodbye(frame),
	};
	enum ctiha_diag farewell = ctiha_frame_farewell(frame);
	struct ctiha_node *node = link->node;
	u64 deadline_ns = node->lease.deadline_ns;
	bool deposed;

	deposed = ctiha_lease_hear(&node->lease, &testimony, now_ns);
	if (node->lease.deadline_ns != deadline_ns)
		trace_ctiha_lease_vote(&node->lease);
	see_peer(&node->peer, frame, now_ns);
	if (farewell != CTIHA_DIAG_NONE)
		ctiha_link_drop(link, farewell, random);
	return deposed ? CTIHA_CAUSE_HIGHER_EPOCH : CTIHA_CAUSE_PEER;
}

static void hear(struct ctiha_link *link, const struct ctiha_frame *frame,
		 u64 now_ns, u64 random)
{
	struct ctiha_session *session = &link->session;
	enum ctiha_cause cause = CTIHA_CAUSE_SESSION;
	unsigned int stat = CTIHA_A_STAT_RX;
	enum ctiha_heard heard;
	u64 echoed_sent_ns;

	heard = ctiha_session_hear(session, frame, now_ns, random,
				   &echoed_sent_ns);
	trace_ctiha_frame_heard(link, frame, heard);
	switch (heard) {
	case CTIHA_HEARD_REPLAY:
		stat = CTIHA_A_STAT_REPLAYED;
		break;
	case CTIHA_HEARD_UNBOUND:
		/* It began or ended a handshake, or an old one left Up alone. */
		if (session->state == CTIHA_SESSION_UP)
			stat = CTIHA_A_STAT_REPLAYED;
		break;
	case CTIHA_HEARD_BOUND:
		ctiha_quality_hear(link->quality, session, echoed_sent_ns);
		cause = believe(link, frame, echoed_sent_ns, now_ns, random);
		break;
	}
	ctiha_link_count(link, stat);
	WRITE_ONCE(link->verdict.cpu, smp_processor_id());
	ctiha_verdict_watch(link);
	ctiha_node_announce(link->node, cause, now_ns);
}

/* Last words that are not bound were heard before, and begin no handshake. */
static bool is_echo_of_farewell(const struct ctiha_link *link,
				const struct ctiha_frame *frame)
{
	return frame->type != CTIHA_FRAME_HEARTBEAT &&
	       frame->your_discr != link->session.my_discr;
}

static void take_in(struct ctiha_link *link, const struct ctiha_frame *frame,
		    u64 now_ns)
{
	struct ctiha_node *node = link->node;
	u64 random = get_random_u64();
	unsigned long flags;

	raw_spin_lock_irqsave(&node->lock, flags);
	if (link->gone || node->quiet)
		goto out;
	ctiha_node_settle(node, now_ns);
	if (is_echo_of_farewell(link, frame))
		ctiha_link_count(link, CTIHA_A_STAT_REPLAYED);
	else
		hear(link, frame, now_ns, random);
out:
	raw_spin_unlock_irqrestore(&node->lock, flags);
}

/* Counts it, and tells the log now and then. */
static void refuse(struct ctiha_link *link, unsigned int stat, u64 now_ns)
{
	unsigned long flags;
	u64 news;

	ctiha_link_count(link, stat);
	trace_ctiha_frame_refused(link, stat);
	raw_spin_lock_irqsave(&link->node->lock, flags);
	news = ctiha_complaint_due(&link->complaint, stat, now_ns);
	raw_spin_unlock_irqrestore(&link->node->lock, flags);
	/* Links that come and go must not flood the log either. */
	if (news && net_ratelimit())
		netdev_warn(link->dev, "ctiha: link %s: %llu frames refused: %s\n",
			    link->name, news, ctiha_complaint_text(stat));
}

int ctiha_link_receive(struct sk_buff *skb, struct net_device *dev,
		       struct packet_type *receiver,
		       struct net_device *orig_dev)
{
	struct ctiha_link *link = container_of(receiver, struct ctiha_link,
					       receiver);
	u64 now_ns = ktime_get_ns();
	struct ctiha_frame frame;
	unsigned int refusal;

	if (skb->pkt_type != PACKET_HOST && skb->pkt_type != PACKET_BROADCAST &&
	    skb->pkt_type != PACKET_MULTICAST)
		goto out;
	refusal = read_frame(link, skb, now_ns, &frame);
	if (refusal)
		refuse(link, refusal, now_ns);
	else
		take_in(link, &frame, now_ns);
out:
	consume_skb(skb);
	return NET_RX_SUCCESS;
}
