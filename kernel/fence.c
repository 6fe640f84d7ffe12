// SPDX-License-Identifier: GPL-2.0
/*
 * The fence. See fence.h.
 *
 * One netfilter egress hook for each net device: behind all that userspace has,
 * packet sockets included, so that an announcement which a stalled daemon sends
 * too late is dropped, too. What is dropped:
 *
 *   IPv4, IPv6   the source is a service address
 *   ARP          the sender claims one
 *   ND           a neighbour advertisement claims one as its target
 *
 * Frames of others that this server bridges or routes pass: they are not its own.
 * Not seen are packet sockets that bypass the queueing discipline
 * (PACKET_QDISC_BYPASS) and XDP: Documentation/takeover.rst says so.
 *
 * Timers: one, the last resort.
 */
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/ip.h>
#include <linux/ktime.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netfilter_netdev.h>
#include <linux/panic.h>
#include <linux/reboot.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/ipv6.h>
#include <net/ndisc.h>

#include "fence.h"
#include "node.h"
#include "pause.h"
#include "trace.h"

/* Time for the last words (a heartbeat) to leave before the last resort. */
#define LAST_WORDS_NS	(10 * NSEC_PER_MSEC)

#define NOT_FENCED	CTIHA_FENCED_KINDS

/* A net device with its hook. */
struct fence_post {
	struct list_head list;
	struct rcu_head rcu;
	struct nf_hook_ops ops;
};

bool ctiha_fence_backs(const struct ctiha_fence *fence)
{
	return (u64)atomic64_read(&fence->backed_ns) >= ctiha_pause_noticed_ns();
}

static bool is_open(const struct ctiha_fence *fence, u64 now_ns)
{
	return now_ns < (u64)atomic64_read(&fence->open_until_ns) &&
	       ctiha_fence_backs(fence);
}

/* For a frame that would be wrong if the machine has just stood still. */
static bool is_surely_open(const struct ctiha_fence *fence)
{
	if (!is_open(fence, ktime_get_ns()))
		return false;
	if (!ctiha_pause_is_watched())
		return true;
	ctiha_pause_look();
	return ctiha_fence_backs(fence);
}

static bool listed(const struct ctiha_fence_list *list,
		   const struct in6_addr *address)
{
	unsigned int i;

	for (i = 0; i < list->count; i++)
		if (ipv6_addr_equal(&list->addresses[i], address))
			return true;
	return false;
}

static bool listed_ipv4(const struct ctiha_fence_list *list, __be32 address)
{
	struct in6_addr mapped;

	ipv6_addr_set_v4mapped(address, &mapped);
	return listed(list, &mapped);
}

static bool is_fenced_ipv4(const struct ctiha_fence_list *list,
			   const struct sk_buff *skb, int offset)
{
	const struct iphdr *ip;
	struct iphdr buffer;

	ip = skb_header_pointer(skb, offset, sizeof(buffer), &buffer);
	return ip && listed_ipv4(list, ip->saddr);
}

static bool is_fenced_arp(const struct ctiha_fence_list *list,
			  const struct sk_buff *skb, int offset)
{
	const struct arphdr *arp;
	struct arphdr buffer;
	const __be32 *sender;
	__be32 address;

	arp = skb_header_pointer(skb, offset, sizeof(buffer), &buffer);
	if (!arp || arp->ar_pro != htons(ETH_P_IP) ||
	    arp->ar_pln != sizeof(address))
		return false;
	sender = skb_header_pointer(skb, offset + sizeof(*arp) + arp->ar_hln,
				    sizeof(address), &address);
	return sender && listed_ipv4(list, *sender);
}

static bool is_fenced_advertisement(const struct ctiha_fence_list *list,
				    const struct sk_buff *skb, int offset,
				    u8 next)
{
	const struct nd_msg *message;
	struct nd_msg buffer;
	__be16 fragment;

	offset = ipv6_skip_exthdr(skb, offset, &next, &fragment);
	if (offset < 0 || next != IPPROTO_ICMPV6)
		return false;
	message = skb_header_pointer(skb, offset, sizeof(buffer), &buffer);
	return message && message->icmph.icmp6_type ==
			  NDISC_NEIGHBOUR_ADVERTISEMENT &&
	       listed(list, &message->target);
}

static unsigned int fenced_ipv6(const struct ctiha_fence_list *list,
				const struct sk_buff *skb, int offset)
{
	const struct ipv6hdr *ip;
	struct ipv6hdr buffer;

	ip = skb_header_pointer(skb, offset, sizeof(buffer), &buffer);
	if (!ip)
		return NOT_FENCED;
	if (is_fenced_advertisement(list, skb, offset + sizeof(*ip),
				    ip->nexthdr))
		return CTIHA_FENCED_ND;
	return listed(list, &ip->saddr) ? CTIHA_FENCED_IPV6 : NOT_FENCED;
}

/* Where the network header is; its protocol in @proto. skb->data: link layer. */
static int network_offset(const struct sk_buff *skb, __be16 *proto)
{
	int offset = ETH_HLEN;

	*proto = skb->protocol;
	if (skb->dev->type != ARPHRD_ETHER)
		return skb_network_offset(skb);
	/* What the frame itself says: a packet socket may say anything. */
	if (skb_copy_bits(skb, ETH_HLEN - sizeof(*proto), proto, sizeof(*proto)))
		return -EINVAL;
	while (eth_type_vlan(*proto)) {
		if (skb_copy_bits(skb, offset + VLAN_HLEN - sizeof(*proto),
				  proto, sizeof(*proto)))
			return -EINVAL;
		offset += VLAN_HLEN;
	}
	return offset;
}

/* Return: enum ctiha_fenced, or NOT_FENCED. */
static unsigned int fenced(const struct ctiha_fence_list *list,
			   const struct sk_buff *skb)
{
	__be16 proto;
	int offset = network_offset(skb, &proto);

	if (offset < 0)
		return NOT_FENCED;
	switch (proto) {
	case htons(ETH_P_IP):
		return is_fenced_ipv4(list, skb, offset) ? CTIHA_FENCED_IPV4 :
							   NOT_FENCED;
	case htons(ETH_P_IPV6):
		return fenced_ipv6(list, skb, offset);
	case htons(ETH_P_ARP):
		return is_fenced_arp(list, skb, offset) ? CTIHA_FENCED_ARP :
							  NOT_FENCED;
	}
	return NOT_FENCED;
}

/* In softirq or process context, under RCU. */
static unsigned int pass(void *priv, struct sk_buff *skb,
			 const struct nf_hook_state *state)
{
	struct ctiha_fence *fence = priv;
	struct ctiha_fence_list *list;
	unsigned int kind;

	/* Frames that came in belong to others. */
	if (skb->skb_iif)
		return NF_ACCEPT;
	/* Looking into the frame is for nothing, if its address may leave. */
	if (!ctiha_pause_is_watched() && is_open(fence, ktime_get_ns()))
		return NF_ACCEPT;
	list = rcu_dereference(fence->list);
	if (!list)
		return NF_ACCEPT;
	kind = fenced(list, skb);
	if (kind == NOT_FENCED || is_surely_open(fence))
		return NF_ACCEPT;
	atomic64_inc(&fence->dropped[kind]);
	trace_ctiha_fence_drop(kind, skb->dev->ifindex);
	return NF_DROP;
}

static enum hrtimer_restart resort(struct hrtimer *timer)
{
	struct ctiha_fence *fence = container_of(timer, struct ctiha_fence,
						 resort_timer);

	switch (READ_ONCE(fence->last_resort)) {
	case CTIHA_LAST_RESORT_REBOOT:
		pr_emerg("ctiha: the active role was lost by force: rebooting\n");
		emergency_restart();
		break;
	case CTIHA_LAST_RESORT_PANIC:
		panic("ctiha: the active role was lost by force");
	}
	return HRTIMER_NORESTART;
}

void ctiha_fence_init(struct ctiha_fence *fence)
{
	INIT_LIST_HEAD(&fence->posts);
	hrtimer_setup(&fence->resort_timer, resort, CLOCK_MONOTONIC,
		      HRTIMER_MODE_REL_HARD);
}

void ctiha_fence_exit(struct ctiha_fence *fence)
{
	hrtimer_cancel(&fence->resort_timer);
	WARN_ON(!list_empty(&fence->posts));
	/* The hooks are gone; whoever is still in one is waited for. */
	synchronize_net();
	kfree(rcu_dereference_raw(fence->list));
}

/* A lease that is not held has no ground: it is older than any pause. */
static u64 backed_ns(const struct ctiha_lease *lease)
{
	if (lease->role != CTIHA_ROLE_ACTIVE)
		return 0;
	if (lease->deadline_ns == CTIHA_LEASE_SOLE)
		return U64_MAX;
	return lease->deadline_ns - lease->lease_ns;
}

void ctiha_fence_follow(struct ctiha_fence *fence,
			const struct ctiha_lease *lease, bool forced)
{
	u64 until_ns = lease->role == CTIHA_ROLE_ACTIVE ? lease->deadline_ns : 0;

	if (atomic64_read(&fence->open_until_ns) != until_ns)
		trace_ctiha_fence(lease, atomic64_read(&fence->open_until_ns),
				  until_ns);
	/* In this order it is closed in between, at the worst. */
	atomic64_set(&fence->open_until_ns, until_ns);
	atomic64_set(&fence->backed_ns, backed_ns(lease));
	if (forced && fence->last_resort != CTIHA_LAST_RESORT_NONE)
		hrtimer_start(&fence->resort_timer, ns_to_ktime(LAST_WORDS_NS),
			      HRTIMER_MODE_REL_HARD);
}

/* ---- one hook for each device ---- */

static bool is_guarded(const struct ctiha_fence *fence,
		       const struct net_device *dev)
{
	const struct fence_post *post;

	list_for_each_entry(post, &fence->posts, list)
		if (post->ops.dev == dev)
			return true;
	return false;
}

static int post_add(struct ctiha_node *node, struct net_device *dev)
{
	struct ctiha_fence *fence = &node->fence;
	struct fence_post *post;
	int err;

	/* What the loopback sends has not left. */
	if (dev->flags & IFF_LOOPBACK || is_guarded(fence, dev))
		return 0;
	post = kzalloc(sizeof(*post), GFP_KERNEL);
	if (!post)
		return -ENOMEM;
	post->ops.hook = pass;
	post->ops.dev = dev;
	post->ops.priv = fence;
	post->ops.pf = NFPROTO_NETDEV;
	post->ops.hooknum = NF_NETDEV_EGRESS;
	post->ops.priority = INT_MAX;	/* behind whatever rewrites addresses */
	err = nf_register_net_hook(node->net, &post->ops);
	if (err) {
		kfree(post);
		return err;
	}
	list_add(&post->list, &fence->posts);
	return 0;
}

static void post_del(struct ctiha_node *node, struct fence_post *post)
{
	nf_unregister_net_hook(node->net, &post->ops);
	list_del(&post->list);
	kfree_rcu(post, rcu);
}

static void post_del_all(struct ctiha_node *node)
{
	struct fence_post *post, *next;

	list_for_each_entry_safe(post, next, &node->fence.posts, list)
		post_del(node, post);
}

static int post_add_all(struct ctiha_node *node, struct netlink_ext_ack *extack)
{
	struct net_device *dev;
	int err;

	for_each_netdev(node->net, dev) {
		err = post_add(node, dev);
		if (!err)
			continue;
		NL_SET_ERR_MSG(extack,
			       "cannot hook a net device: the kernel needs CONFIG_NETFILTER_EGRESS");
		return err == -ENOMEM ? err : -EOPNOTSUPP;
	}
	return 0;
}

void ctiha_fence_device_add(struct ctiha_node *node, struct net_device *dev)
{
	/* Not by the posts: there may have been no device yet. */
	if (!rcu_access_pointer(node->fence.list))
		return;
	if (post_add(node, dev))
		net_err_ratelimited("ctiha: %s: cannot be fenced: take it down or repeat FENCE_SET\n",
				    dev->name);
}

void ctiha_fence_device_del(struct ctiha_node *node, struct net_device *dev)
{
	struct fence_post *post, *next;

	list_for_each_entry_safe(post, next, &node->fence.posts, list)
		if (post->ops.dev == dev)
			post_del(node, post);
}

/* ---- configuration ---- */

static struct ctiha_fence_list *list_new(const struct ctiha_fence_spec *spec)
{
	struct ctiha_fence_list *list;

	list = kzalloc(struct_size(list, addresses, spec->count), GFP_KERNEL);
	if (!list)
		return NULL;
	list->count = spec->count;
	memcpy(list->addresses, spec->addresses,
	       spec->count * sizeof(spec->addresses[0]));
	return list;
}

/* It ends the whole machine: nothing that a container may choose. */
static int check_last_resort(const struct ctiha_node *node, u8 last_resort,
			     struct netlink_ext_ack *extack)
{
	if (last_resort == CTIHA_LAST_RESORT_NONE ||
	    (net_eq(node->net, &init_net) && capable(CAP_SYS_BOOT)))
		return 0;
	NL_SET_ERR_MSG(extack,
		       "fence last-resort: needs CAP_SYS_BOOT, in the first network namespace");
	return -EPERM;
}

int ctiha_fence_set(struct ctiha_node *node, const struct ctiha_fence_spec *spec,
		    struct netlink_ext_ack *extack)
{
	struct ctiha_fence *fence = &node->fence;
	struct ctiha_fence_list *list = NULL;
	unsigned long flags;
	int err;

	err = check_last_resort(node, spec->last_resort, extack);
	if (err)
		return err;
	if (spec->count) {
		list = list_new(spec);
		if (!list)
			return -ENOMEM;
		err = post_add_all(node, extack);
		if (err) {
			/* Those of before, if any, guard on. */
			kfree(list);
			return err;
		}
	}
	flags = ctiha_node_lock(node);
	fence->last_resort = spec->last_resort;
	list = rcu_replace_pointer(fence->list, list,
				   lockdep_is_held(&node->lock));
	ctiha_node_unlock(node, flags);
	if (!spec->count)
		post_del_all(node);
	if (list)
		kfree_rcu(list, rcu);
	return 0;
}

void ctiha_fence_view(const struct ctiha_fence *fence,
		      struct ctiha_fence_view *view, u64 now_ns)
{
	const struct ctiha_fence_list *list;
	unsigned int i;

	*view = (struct ctiha_fence_view) {
		.closed = !is_open(fence, now_ns),
		.last_resort = fence->last_resort,
	};
	for (i = 0; i < CTIHA_FENCED_KINDS; i++)
		view->dropped[i] = atomic64_read(&fence->dropped[i]);
	/* Changed under the node's lock only. */
	list = rcu_dereference_raw(fence->list);
	if (!list)
		return;
	view->count = list->count;
	memcpy(view->addresses, list->addresses,
	       list->count * sizeof(list->addresses[0]));
}
