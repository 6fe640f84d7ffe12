// SPDX-License-Identifier: GPL-2.0
/*
 * Events. See notify.h.
 *
 * A tasklet runs by itself and on one CPU at a time, right behind the interrupt,
 * softirq or command that scheduled it: events keep their order, and even those
 * of hard interrupts find a context in which memory can be had.
 */
#include <linux/ktime.h>
#include <linux/rcupdate.h>

#include "link.h"
#include "message.h"
#include "node.h"
#include "notify.h"
#include "quality.h"

static bool stopped;

static struct ctiha_event *record(struct ctiha_node *node, u8 cmd,
				  enum ctiha_cause cause, u64 now_ns)
{
	struct ctiha_outbox *outbox = &node->outbox;
	struct ctiha_event *event;

	outbox->seq++;
	if (outbox->put - outbox->taken >= CTIHA_OUTBOX_LEN)
		return NULL;
	event = &outbox->ring[outbox->put++ % CTIHA_OUTBOX_LEN];
	event->cmd = cmd;
	event->cause = cause;
	event->seq = outbox->seq;
	event->time_ns = now_ns;
	tasklet_schedule(&outbox->tasklet);
	return event;
}

void ctiha_notify_node(struct ctiha_node *node, enum ctiha_cause cause,
		       u64 now_ns)
{
	struct ctiha_event *event = record(node, CTIHA_CMD_NODE_NTF, cause,
					   now_ns);

	if (event)
		ctiha_node_view(node, &event->node, now_ns);
}

void ctiha_notify_peer(struct ctiha_node *node, enum ctiha_cause cause,
		       u64 now_ns)
{
	struct ctiha_event *event = record(node, CTIHA_CMD_PEER_NTF, cause,
					   now_ns);

	if (event)
		event->peer = node->peer;
}

void ctiha_notify_link(struct ctiha_link *link, enum ctiha_cause cause,
		       u64 now_ns)
{
	struct ctiha_event *event = record(link->node, CTIHA_CMD_LINK_NTF,
					   cause, now_ns);

	if (!event)
		return;
	ctiha_link_view(link, &event->link);
	ctiha_quality_add_counts(link->quality, event->link.stats);
}

void ctiha_notify_beat(struct ctiha_node *node)
{
	node->outbox.beat_due = true;
	tasklet_schedule(&node->outbox.tasklet);
}

/* The next event to be sent, NULL if there is none. */
static const struct ctiha_event *peek(struct ctiha_node *node)
{
	struct ctiha_outbox *outbox = &node->outbox;
	const struct ctiha_event *event = NULL;
	unsigned long flags;

	raw_spin_lock_irqsave(&node->lock, flags);
	if (outbox->taken != outbox->put)
		event = &outbox->ring[outbox->taken % CTIHA_OUTBOX_LEN];
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return event;
}

static void take(struct ctiha_node *node)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&node->lock, flags);
	node->outbox.taken++;
	raw_spin_unlock_irqrestore(&node->lock, flags);
}

static bool take_beat(struct ctiha_node *node)
{
	unsigned long flags;
	bool due;

	raw_spin_lock_irqsave(&node->lock, flags);
	due = node->outbox.beat_due;
	node->outbox.beat_due = false;
	raw_spin_unlock_irqrestore(&node->lock, flags);
	return due;
}

static void deliver(struct tasklet_struct *tasklet)
{
	struct ctiha_outbox *outbox = container_of(tasklet, struct ctiha_outbox,
						   tasklet);
	struct ctiha_node *node = container_of(outbox, struct ctiha_node,
					       outbox);
	const struct ctiha_event *event;

	if (take_beat(node))
		ctiha_link_send_all(node, CTIHA_FRAME_HEARTBEAT);
	while ((event = peek(node))) {
		rcu_read_lock();
		if (!READ_ONCE(stopped))
			ctiha_message_multicast(node->net, event);
		rcu_read_unlock();
		take(node);
	}
}

void ctiha_notify_init(struct ctiha_node *node)
{
	tasklet_setup(&node->outbox.tasklet, deliver);
}

void ctiha_notify_exit(struct ctiha_node *node)
{
	tasklet_kill(&node->outbox.tasklet);
}

void ctiha_notify_stop(void)
{
	WRITE_ONCE(stopped, true);
	synchronize_rcu();
}
