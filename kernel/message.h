/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Netlink messages: views put into attributes.
 */
#ifndef CTIHA_KERNEL_MESSAGE_H
#define CTIHA_KERNEL_MESSAGE_H

#include <linux/skbuff.h>
#include <net/net_namespace.h>

#include "notify.h"
#include "view.h"

/* Holds any one object and an event; the node with its fence is the largest. */
#define CTIHA_MESSAGE_SIZE	1536

/**
 * ctiha_message_put_node() - add a node as CTIHA_A_NODE
 * @skb: message
 * @view: what to say
 *
 * Context: any. Return: 0 or -EMSGSIZE.
 */
int ctiha_message_put_node(struct sk_buff *skb,
			   const struct ctiha_node_view *view);

/**
 * ctiha_message_put_peer() - add the peer as CTIHA_A_PEER
 * @skb: message
 * @peer: what to say
 *
 * Context: any. Return: 0 or -EMSGSIZE.
 */
int ctiha_message_put_peer(struct sk_buff *skb, const struct ctiha_peer *peer);

/**
 * ctiha_message_put_link() - add a link as CTIHA_A_LINK
 * @skb: message
 * @view: what to say
 *
 * Context: any. Return: 0 or -EMSGSIZE.
 */
int ctiha_message_put_link(struct sk_buff *skb,
			   const struct ctiha_link_view *view);

/**
 * ctiha_message_multicast() - send an event to all who listen
 * @net: namespace
 * @event: what happened
 *
 * Whoever cannot be told sees a gap in the sequence numbers.
 * Context: softirq or process, does not sleep.
 */
void ctiha_message_multicast(struct net *net, const struct ctiha_event *event);

#endif /* CTIHA_KERNEL_MESSAGE_H */
