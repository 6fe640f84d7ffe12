// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Net devices that come, change, wander and go, and frames that make no sense.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <linux/ctiha.h>

#include "storm.h"

#define MESSAGE_SIZE	1024
#define DEVICES		4	/* enough to begin with */
#define BOND		"bond"

u32 storm_device(void)
{
	struct if_nameindex *list = if_nameindex(), *entry;
	u32 count = 0, chosen = 0;

	for (entry = list; entry && entry->if_index; entry++)
		if (strcmp(entry->if_name, "lo") && !storm_random(++count))
			chosen = entry->if_index;
	if (list)
		if_freenameindex(list);
	return chosen;
}

static u32 count_devices(void)
{
	struct if_nameindex *list = if_nameindex(), *entry;
	u32 count = 0;

	for (entry = list; entry && entry->if_index; entry++)
		count++;
	if (list)
		if_freenameindex(list);
	return count;
}

static struct nlmsghdr *begin(char *buffer, u16 type, u16 flags, u32 ifindex)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *info;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = (u16)(NLM_F_REQUEST | NLM_F_ACK | flags);
	info = mnl_nlmsg_put_extra_header(nlh, sizeof(*info));
	info->ifi_index = (int)ifindex;
	return nlh;
}

/* Return: 0 or -errno. */
static int talk(struct mnl_socket *rtnl, const struct nlmsghdr *nlh)
{
	char buffer[8192];
	ssize_t len;

	if (mnl_socket_sendto(rtnl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	len = mnl_socket_recvfrom(rtnl, buffer, sizeof(buffer));
	if (len < 0 || mnl_cb_run(buffer, (size_t)len, 0, 0, NULL, NULL) < 0)
		return -errno;
	return 0;
}

int storm_device_up(struct mnl_socket *rtnl, u32 ifindex, bool up)
{
	char buffer[MESSAGE_SIZE];
	struct nlmsghdr *nlh = begin(buffer, RTM_NEWLINK, 0, ifindex);
	struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);

	info->ifi_change = IFF_UP;
	info->ifi_flags = up ? IFF_UP : 0;
	return talk(rtnl, nlh);
}

int storm_veth_add(struct mnl_socket *rtnl, const char *name, int fd)
{
	struct ifinfomsg peer = { 0 };
	struct nlattr *info, *data, *nest;
	char buffer[MESSAGE_SIZE];
	struct nlmsghdr *nlh;
	void *head;

	nlh = begin(buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	nest = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	head = mnl_nlmsg_put_extra_header(nlh, sizeof(peer));
	memcpy(head, &peer, sizeof(peer));
	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (u32)fd);
	mnl_attr_nest_end(nlh, nest);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return talk(rtnl, nlh);
}

static int bond_add(struct mnl_socket *rtnl)
{
	char buffer[MESSAGE_SIZE];
	struct nlmsghdr *nlh;
	struct nlattr *info;

	nlh = begin(buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);
	mnl_attr_put_strz(nlh, IFLA_IFNAME, BOND);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "bond");
	mnl_attr_nest_end(nlh, info);
	return talk(rtnl, nlh);
}

static int create(struct mnl_socket *rtnl, int other)
{
	char name[IF_NAMESIZE];
	int ret;

	if (!if_nametoindex(BOND) && !storm_random(3))
		return bond_add(rtnl);
	snprintf(name, sizeof(name), "v%u", storm_random(1000));
	ret = storm_veth_add(rtnl, name, other);
	return ret ? ret : storm_device_up(rtnl, if_nametoindex(name), true);
}

static int delete(struct mnl_socket *rtnl, u32 ifindex)
{
	char buffer[MESSAGE_SIZE];

	return talk(rtnl, begin(buffer, RTM_DELLINK, 0, ifindex));
}

static int switch_it(struct mnl_socket *rtnl, u32 ifindex)
{
	int ret = storm_device_up(rtnl, ifindex, false);

	storm_pause(10);
	return storm_device_up(rtnl, ifindex, true) ?: ret;
}

/* Older kernels rename only what is down. */
static int rename_it(struct mnl_socket *rtnl, u32 ifindex)
{
	char buffer[MESSAGE_SIZE], name[IF_NAMESIZE];
	struct nlmsghdr *nlh;
	int ret;

	storm_device_up(rtnl, ifindex, false);
	nlh = begin(buffer, RTM_NEWLINK, 0, ifindex);
	snprintf(name, sizeof(name), "v%u", storm_random(1000));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	ret = talk(rtnl, nlh);
	storm_device_up(rtnl, ifindex, true);
	return ret;
}

static int set_mac(struct mnl_socket *rtnl, u32 ifindex)
{
	u8 mac[6] = { 2, 0, 0, 0, 0, (u8)storm_random(256) };
	char buffer[MESSAGE_SIZE];
	struct nlmsghdr *nlh = begin(buffer, RTM_NEWLINK, 0, ifindex);

	mnl_attr_put(nlh, IFLA_ADDRESS, sizeof(mac), mac);
	return talk(rtnl, nlh);
}

/* A heartbeat fits into some of them. */
static int set_mtu(struct mnl_socket *rtnl, u32 ifindex)
{
	char buffer[MESSAGE_SIZE];
	struct nlmsghdr *nlh = begin(buffer, RTM_NEWLINK, 0, ifindex);

	mnl_attr_put_u32(nlh, IFLA_MTU, 68 + storm_random(100));
	return talk(rtnl, nlh);
}

/* It arrives there with its links here ended, and is down. */
static int move(struct mnl_socket *rtnl, u32 ifindex, int other)
{
	char buffer[MESSAGE_SIZE];
	struct nlmsghdr *nlh = begin(buffer, RTM_NEWLINK, 0, ifindex);

	mnl_attr_put_u32(nlh, IFLA_NET_NS_FD, (u32)other);
	return talk(rtnl, nlh);
}

/* Into the bond, or out of it if it is in it. */
static int enslave(struct mnl_socket *rtnl, u32 ifindex)
{
	char buffer[MESSAGE_SIZE];
	struct nlmsghdr *nlh = begin(buffer, RTM_NEWLINK, 0, ifindex);
	int ret;

	storm_device_up(rtnl, ifindex, false);
	mnl_attr_put_u32(nlh, IFLA_MASTER,
			 storm_random(2) ? if_nametoindex(BOND) : 0);
	ret = talk(rtnl, nlh);
	storm_device_up(rtnl, ifindex, true);
	return ret;
}

static void change(struct storm *storm, struct mnl_socket *rtnl)
{
	u32 ifindex = storm_device();

	switch (storm_random(8)) {
	case 0:
		storm_count(storm, RENAMED, rename_it(rtnl, ifindex));
		break;
	case 1:
		storm_count(storm, MAC_SET, set_mac(rtnl, ifindex));
		break;
	case 2:
		storm_count(storm, MTU_SET, set_mtu(rtnl, ifindex));
		break;
	case 3:
		storm_count(storm, MOVED, move(rtnl, ifindex, storm->other));
		break;
	case 4:
		storm_count(storm, ENSLAVED, enslave(rtnl, ifindex));
		break;
	case 5:
		storm_count(storm, DELETED, delete(rtnl, ifindex));
		break;
	default:
		storm_count(storm, SWITCHED, switch_it(rtnl, ifindex));
	}
}

bool storm_devices(struct storm *storm)
{
	struct mnl_socket *rtnl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	if (!rtnl || mnl_socket_bind(rtnl, 0, MNL_SOCKET_AUTOPID) < 0)
		return false;
	if (count_devices() < DEVICES)
		storm_count(storm, CREATED, create(rtnl, storm->other));
	else
		change(storm, rtnl);
	mnl_socket_close(rtnl);
	return true;
}

/* Frames of our kind of any length, of which none is right. */
static int flood(int fd, u32 ifindex)
{
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(CTIHA_ETHERTYPE),
		.sll_ifindex = (int)ifindex,
		.sll_halen = 6,
		.sll_addr = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	};
	u8 frame[200];
	u32 i, sent = 0;

	for (i = 0; i < sizeof(frame); i++)
		frame[i] = (u8)storm_random(256);
	frame[0] = 1;
	for (i = 0; i < 64; i++)
		sent += sendto(fd, frame, storm_random(3) ? 104 : i * 3, 0,
			       (struct sockaddr *)&to, sizeof(to)) > 0;
	return sent ? 0 : -EIO;
}

bool storm_junk(struct storm *storm)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int ret;

	if (fd < 0)
		return false;
	ret = storm_count(storm, FLOODED, flood(fd, storm_device()));
	close(fd);
	return !ret;
}
