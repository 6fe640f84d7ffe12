// SPDX-License-Identifier: GPL-2.0
/*
 * Giving frames to net devices. See transmit.h.
 *
 * A SCHED_FIFO hog starves ksoftirqd, and with it every softirq that has been left
 * to it: heartbeats sent there would be a second late. So where the driver allows
 * it they leave in hard interrupt context, by trylock, as netpoll's do.
 */
#include <linux/netdevice.h>
#include <linux/skbuff.h>

#include "transmit.h"

static bool is_stacked(const struct net_device *dev)
{
	return !list_empty(&dev->adj_list.lower);
}

/* Drivers without the queue's lock have others, which an interrupt must not take. */
static bool has_own_locks(const struct net_device *dev)
{
	return ctiha_dev_is_lltx(dev);
}

/* One without NAPI is none that netpoll, and so an interrupt, is known to work on. */
static bool has_napi(const struct net_device *dev)
{
	return !list_empty(&dev->napi_list);
}

bool ctiha_transmit_from_irq(const struct net_device *dev)
{
	return !IS_ENABLED(CONFIG_PREEMPT_RT) && !has_own_locks(dev) &&
	       has_napi(dev) &&
	       !is_stacked(dev) && !(dev->priv_flags & IFF_DISABLE_NETPOLL) &&
	       !dev->rtnl_link_ops;
}

/* Sparse cannot follow a conditional lock through the inline functions of 6.1. */
#ifdef __CHECKER__
static bool queue_trylock(struct netdev_queue *txq)
{
	return txq->xmit_lock_owner < 0;
}

static void queue_unlock(struct netdev_queue *txq)
{
}
#else
#define queue_trylock	__netif_tx_trylock
#define queue_unlock	__netif_tx_unlock
#endif

/* The queue is locked. */
static int send_by(struct netdev_queue *txq, struct net_device *dev,
		   struct sk_buff *skb)
{
	int ret;

	if (!skb)
		return -ENODATA;
	skb_set_queue_mapping(skb, txq - dev->_tx);
	ret = netdev_start_xmit(skb, dev, txq, false);
	if (!dev_xmit_complete(ret))
		dev_kfree_skb_any(skb);
	return ret == NETDEV_TX_OK ? 0 : -EIO;
}

static int try_queue(struct net_device *dev, struct netdev_queue *txq,
		     ctiha_transmit_make_fn make, void *arg)
{
	int ret = -EBUSY;

	if (!queue_trylock(txq))
		return -EBUSY;
	if (!netif_xmit_frozen_or_stopped(txq))
		ret = send_by(txq, dev, make(arg));
	queue_unlock(txq);
	return ret;
}

int ctiha_transmit_irq(struct net_device *dev, ctiha_transmit_make_fn make,
		       void *arg)
{
	int ret = -EBUSY;
	unsigned int i;

	for (i = 0; i < dev->real_num_tx_queues && ret == -EBUSY; i++)
		ret = try_queue(dev, netdev_get_tx_queue(dev, i), make, arg);
	return ret;
}

/* A full transmit ring leaves the frame to the queueing discipline. */
bool ctiha_transmit(struct sk_buff *skb)
{
	int ret = __dev_direct_xmit(skb, 0);

	if (!dev_xmit_complete(ret))
		ret = dev_queue_xmit(skb);
	return !net_xmit_eval(ret);
}
