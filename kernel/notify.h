/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Events: facts on their way to netlink listeners and, as an immediate
 * heartbeat, to the peer.
 *
 * They are recorded under the node's lock, in any context, and leave by a
 * tasklet, in the order of their sequence numbers.
 */
#ifndef CTIHA_KERNEL_NOTIFY_H
#define CTIHA_KERNEL_NOTIFY_H

#include <linux/interrupt.h>

#include "view.h"

struct ctiha_link;
struct ctiha_node;

/* One change of state makes at most four events (two links, peer, node). */
#define CTIHA_OUTBOX_LEN	32

struct ctiha_event {
	u8 cmd;			/* CTIHA_CMD_*_NTF */
	u8 cause;		/* enum ctiha_cause */
	u64 seq;
	u64 time_ns;
	union {
		struct ctiha_node_view node;
		struct ctiha_peer peer;
		struct ctiha_link_view link;
	};
};

/**
 * struct ctiha_outbox - what has happened and is not told yet
 * @tasklet: tells it
 * @beat_due: the peer should hear of it, before the next tick
 * @seq: last event's sequence number
 * @put: events ever recorded here
 * @taken: events ever taken; @put - @taken <= CTIHA_OUTBOX_LEN
 * @ring: the events between @taken and @put
 *
 * The node's lock protects all of it. The event at @taken is read without it,
 * as nobody writes it before @taken has moved on.
 */
struct ctiha_outbox {
	struct tasklet_struct tasklet;
	bool beat_due;
	u64 seq;
	unsigned int put;
	unsigned int taken;
	struct ctiha_event ring[CTIHA_OUTBOX_LEN];
};

/**
 * ctiha_notify_init() - prepare an empty outbox
 * @node: its node
 */
void ctiha_notify_init(struct ctiha_node *node);

/**
 * ctiha_notify_exit() - end the outbox, when nothing can fill it any more
 * @node: its node
 *
 * Context: process, may sleep.
 */
void ctiha_notify_exit(struct ctiha_node *node);

/**
 * ctiha_notify_stop() - no event leaves for netlink from here on
 *
 * To be called before the netlink family goes away. Context: process, sleeps.
 */
void ctiha_notify_stop(void);

/**
 * ctiha_notify_node() - record an event of the node itself
 * @node: node
 * @cause: why
 * @now_ns: when
 *
 * If the outbox is full the event is dropped; its sequence number is used up,
 * so listeners see the gap. Context: node's lock held.
 */
void ctiha_notify_node(struct ctiha_node *node, enum ctiha_cause cause,
		       u64 now_ns);

/**
 * ctiha_notify_peer() - record an event of the peer, as ctiha_notify_node()
 * @node: node
 * @cause: why
 * @now_ns: when
 */
void ctiha_notify_peer(struct ctiha_node *node, enum ctiha_cause cause,
		       u64 now_ns);

/**
 * ctiha_notify_link() - record an event of a link, as ctiha_notify_node()
 * @link: link
 * @cause: why
 * @now_ns: when
 */
void ctiha_notify_link(struct ctiha_link *link, enum ctiha_cause cause,
		       u64 now_ns);

/**
 * ctiha_notify_beat() - have a heartbeat sent on all links at once
 * @node: node
 *
 * Context: node's lock held.
 */
void ctiha_notify_beat(struct ctiha_node *node);

#endif /* CTIHA_KERNEL_NOTIFY_H */
