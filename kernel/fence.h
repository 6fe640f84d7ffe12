/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fence: while this server may not act, no frame of its own leaves it with a
 * service address as the source, whatever userspace does.
 */
#ifndef CTIHA_KERNEL_FENCE_H
#define CTIHA_KERNEL_FENCE_H

#include <linux/atomic.h>
#include <linux/hrtimer.h>
#include <linux/in6.h>
#include <linux/list.h>
#include <linux/rcupdate.h>

#include <ctiha/lease.h>

#include "view.h"

struct ctiha_node;
struct net_device;
struct netlink_ext_ack;

/* What a FENCE_SET asks for: IPv4 addresses are mapped into IPv6. */
struct ctiha_fence_spec {
	u8 last_resort;		/* enum ctiha_last_resort */
	unsigned int count;
	struct in6_addr addresses[CTIHA_FENCE_ADDRESSES];
};

/**
 * struct ctiha_fence_list - the addresses behind the fence, never changed
 * @rcu: frees it
 * @count: of @addresses
 * @addresses: IPv4 ones mapped into IPv6
 */
struct ctiha_fence_list {
	struct rcu_head rcu;
	unsigned int count;
	struct in6_addr addresses[];
};

/**
 * struct ctiha_fence - the fence of a node
 * @open_until_ns: frames pass before this time; so it closes in time even where
 *                 every timer is late. U64_MAX: the peer has left
 * @backed_ns: when that was sent which the lease rests on: frames pass only if no
 *             pause of the machine was noticed since. U64_MAX: the peer has left
 * @list: NULL while there are no addresses; written under config
 * @posts: one hook for each net device; RTNL
 * @dropped: by enum ctiha_fenced
 * @last_resort: enum ctiha_last_resort; node's lock
 * @resort_timer: hard; carries it out
 */
struct ctiha_fence {
	atomic64_t open_until_ns;
	atomic64_t backed_ns;
	struct ctiha_fence_list __rcu *list;
	struct list_head posts;
	atomic64_t dropped[CTIHA_FENCED_KINDS];
	u8 last_resort;
	struct hrtimer resort_timer;
};

/**
 * ctiha_fence_init() - prepare a fence without addresses
 * @fence: fence
 */
void ctiha_fence_init(struct ctiha_fence *fence);

/**
 * ctiha_fence_exit() - free what the fence holds
 * @fence: fence whose net devices are gone, or were told to be
 *
 * Context: process, sleeps.
 */
void ctiha_fence_exit(struct ctiha_fence *fence);

/**
 * ctiha_fence_set() - put these addresses behind the fence, and no others
 * @node: its node
 * @spec: valid values
 * @extack: receives the reason of a refusal
 *
 * Context: process, RTNL and config held, sleeps.
 * Return: 0; -ENOMEM; -EPERM for a last resort that the caller may not choose;
 * -EOPNOTSUPP on a kernel without CONFIG_NETFILTER_EGRESS.
 */
int ctiha_fence_set(struct ctiha_node *node, const struct ctiha_fence_spec *spec,
		    struct netlink_ext_ack *extack);

/**
 * ctiha_fence_follow() - open or close the fence as the lease says
 * @fence: fence
 * @lease: the node's lease
 * @forced: the module ended the role by itself: time for the last resort
 *
 * Context: any, node's lock held.
 */
void ctiha_fence_follow(struct ctiha_fence *fence,
			const struct ctiha_lease *lease, bool forced);

/**
 * ctiha_fence_backs() - does the lease rest on something from after all pauses?
 * @fence: fence
 *
 * Context: any.
 */
bool ctiha_fence_backs(const struct ctiha_fence *fence);

/**
 * ctiha_fence_device_add() - a net device has come: guard it, if need be
 * @node: node of its namespace
 * @dev: device
 *
 * Context: process, RTNL held, sleeps.
 */
void ctiha_fence_device_add(struct ctiha_node *node, struct net_device *dev);

/**
 * ctiha_fence_device_del() - a net device is about to go
 * @node: node of its namespace
 * @dev: device
 *
 * Context: process, RTNL held, sleeps.
 */
void ctiha_fence_device_del(struct ctiha_node *node, struct net_device *dev);

/**
 * ctiha_fence_view() - copy what netlink shows of a fence
 * @fence: fence
 * @view: receives it
 * @now_ns: the time
 *
 * Context: any, node's lock held.
 */
void ctiha_fence_view(const struct ctiha_fence *fence,
		      struct ctiha_fence_view *view, u64 now_ns);

#endif /* CTIHA_KERNEL_FENCE_H */
