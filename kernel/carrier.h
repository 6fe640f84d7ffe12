/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The carrier of the NICs that this server depends on: those of its links, and the
 * one to the switch. Looked at in each tick, as the network stack tells of a lost
 * carrier up to a second late.
 */
#ifndef CTIHA_KERNEL_CARRIER_H
#define CTIHA_KERNEL_CARRIER_H

#include <linux/netdevice.h>

struct ctiha_link;
struct ctiha_node;

/**
 * ctiha_carrier_ok() - has this device a carrier?
 * @dev: device; what a driver says of one that is down means nothing
 *
 * Context: any.
 */
static inline bool ctiha_carrier_ok(const struct net_device *dev)
{
	return netif_running(dev) && netif_carrier_ok(dev);
}

/**
 * ctiha_carrier_poll() - look at all carriers; tell of those that changed
 * @node: node
 * @beating: link that is about to send a heartbeat anyway, or NULL
 * @now_ns: the time
 *
 * Context: any, node's lock held.
 */
void ctiha_carrier_poll(struct ctiha_node *node, struct ctiha_link *beating,
			u64 now_ns);

/**
 * ctiha_carrier_tick() - ctiha_carrier_poll(), before a heartbeat
 * @link: link whose tick it is
 *
 * Context: any, hard interrupts included; node's lock not held.
 */
void ctiha_carrier_tick(struct ctiha_link *link);

/**
 * ctiha_carrier_probe() - find out soon who can still be heard
 * @node: node that lost a carrier
 * @beating: see ctiha_carrier_poll()
 *
 * A few heartbeats in quick succession follow on all links; the first one leaves
 * with ctiha_node_announce(). Context: any, node's lock held.
 */
void ctiha_carrier_probe(struct ctiha_node *node,
			 const struct ctiha_link *beating);

/**
 * ctiha_carrier_report() - what heartbeats say of the carriers
 * @node: node
 *
 * Context: node's lock held. Return: bits of CTIHA_REPORT_CARRIER, as last seen.
 */
u32 ctiha_carrier_report(const struct ctiha_node *node);

#endif /* CTIHA_KERNEL_CARRIER_H */
