// SPDX-License-Identifier: GPL-2.0
/*
 * The carriers. See carrier.h.
 *
 * A lost carrier decides nothing: the other end may be heard all the same, or on
 * the other link. So it is asked at once, by more heartbeats than usual.
 *
 * Timers: none of its own. The ticks look, each at all devices, so the fastest
 * link's interval bounds the delay; without links there is nobody to tell.
 */
#include <linux/ktime.h>

#include "carrier.h"
#include "link.h"
#include "node.h"

/* Remembers in @had what @dev has. Return: whether that is news; sets @lost. */
static bool look(const struct net_device *dev, bool *had, bool *lost)
{
	bool has = dev && ctiha_carrier_ok(dev);
	bool news = has != *had;

	*lost |= *had && !has;
	*had = has;
	return news;
}

void ctiha_carrier_poll(struct ctiha_node *node, struct ctiha_link *beating,
			u64 now_ns)
{
	struct ctiha_switch *sw = &node->switch_nic;
	bool lost = false, news;
	unsigned int i;

	news = look(sw->dev, &sw->carrier, &lost);
	for (i = 0; i < CTIHA_LINKS; i++) {
		struct ctiha_link *link = ctiha_link_locked(node, i);

		if (link)
			news |= look(link->dev, &link->carrier, &lost);
	}
	if (lost)
		ctiha_carrier_probe(node, beating);
	if (news)
		ctiha_node_announce(node, CTIHA_CAUSE_CARRIER, now_ns);
}

void ctiha_carrier_tick(struct ctiha_link *link)
{
	struct ctiha_node *node = link->node;
	unsigned long flags;

	raw_spin_lock_irqsave(&node->lock, flags);
	if (!link->gone && !node->quiet)
		ctiha_carrier_poll(node, link, ktime_get_ns());
	raw_spin_unlock_irqrestore(&node->lock, flags);
}

void ctiha_carrier_probe(struct ctiha_node *node,
			 const struct ctiha_link *beating)
{
	unsigned int i;

	if (node->quiet)
		return;
	for (i = 0; i < CTIHA_LINKS; i++) {
		struct ctiha_link *link = ctiha_link_locked(node, i);

		if (link)
			ctiha_link_probe(link, link == beating);
	}
}

u32 ctiha_carrier_report(const struct ctiha_node *node)
{
	u32 report = node->switch_nic.carrier ? CTIHA_REPORT_CARRIER_SWITCH : 0;
	unsigned int i;

	for (i = 0; i < CTIHA_LINKS; i++) {
		const struct ctiha_link *link = ctiha_link_locked(node, i);

		if (link && link->carrier)
			report |= CTIHA_REPORT_CARRIER_L1 << i;
	}
	return report;
}
