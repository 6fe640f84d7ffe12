/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Giving a frame to a net device, past its queueing discipline: bulk traffic on the
 * same device must not delay a heartbeat.
 */
#ifndef CTIHA_KERNEL_TRANSMIT_H
#define CTIHA_KERNEL_TRANSMIT_H

#include <linux/types.h>

struct net_device;
struct sk_buff;

/**
 * ctiha_transmit_from_irq() - can this device be given frames in a hard interrupt?
 * @dev: device
 *
 * Its driver has to be written for that, as for netconsole: it takes no locks of its
 * own but the transmit queue's, and does not hand on to another device.
 *
 * Return: false for virtual and stacked devices, and on PREEMPT_RT.
 */
bool ctiha_transmit_from_irq(const struct net_device *dev);

/* Makes a frame for ctiha_transmit_irq(); NULL if there is nothing to be sent. */
typedef struct sk_buff *(*ctiha_transmit_make_fn)(void *arg);

/**
 * ctiha_transmit_irq() - make a frame, and send it by a queue that nobody uses now
 * @dev: device for which ctiha_transmit_from_irq() is true
 * @make: makes the frame, once a queue is found: so a frame that cannot be sent
 *        uses up no sequence number
 * @arg: for @make
 *
 * Context: hard interrupt. Return: 0 if the device took the frame; -EBUSY if no
 * queue is free, perhaps as this very interrupt has interrupted its user; -ENODATA
 * if there was no frame; -EIO if the device refused it.
 */
int ctiha_transmit_irq(struct net_device *dev, ctiha_transmit_make_fn make,
		       void *arg);

/**
 * ctiha_transmit() - send a frame
 * @skb: frame, consumed
 *
 * Context: bottom halves off, interrupts on. Return: whether it was taken.
 */
bool ctiha_transmit(struct sk_buff *skb);

#endif /* CTIHA_KERNEL_TRANSMIT_H */
