// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The carriers, as the module watches them (kernel/carrier.c), asked for by
 * netlink: its notifications, and the flags of a device, may be a second late. An
 * answer may have to wait for others who configure the network, so the heartbeats
 * go first, and it is not asked more often than POLL_NS. See packet.h.
 */
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "daemon/heartbeat/packet.h"

#define POLL_NS		(10 * CTIHA_NS_PER_MS)
#define ANSWER_LEN	8192

struct device {
	u32 ifindex;
	bool carrier;
};

static int take_attribute(const struct nlattr *attr, void *arg)
{
	struct device *device = arg;

	if (mnl_attr_get_type(attr) == IFLA_CARRIER &&
	    !mnl_attr_validate(attr, MNL_TYPE_U8))
		device->carrier = mnl_attr_get_u8(attr);
	return MNL_CB_OK;
}

static int take_device(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
	struct device *device = arg;

	if (nlh->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	device->ifindex = (u32)info->ifi_index;
	mnl_attr_parse(nlh, sizeof(*info), take_attribute, device);
	/* What a driver says of a device that is down means nothing. */
	device->carrier &= info->ifi_flags & IFF_UP;
	return MNL_CB_STOP;
}

/* Return: 0, -ENODEV, or another negative errno: then nothing is known. */
static int ask(struct packet *p, const char *name, struct device *device)
{
	char buffer[ANSWER_LEN] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	ssize_t len;

	nlh->nlmsg_type = RTM_GETLINK;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = ++p->carrier.asked;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put_u32(nlh, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	if (send(p->carrier.fd, nlh, nlh->nlmsg_len, 0) < 0)
		return -errno;
	/* The kernel answers before it returns from send(). */
	len = recv(p->carrier.fd, buffer, sizeof(buffer), MSG_DONTWAIT);
	if (len < 0)
		return -errno;
	if (mnl_cb_run(buffer, (size_t)len, p->carrier.asked, 0, take_device,
		       device) < 0)
		return -errno;
	return device->ifindex ? 0 : -EPROTO;
}

/* As it was before, if it cannot be found out. */
static struct device look(struct packet *p, const char *name,
			  struct device before)
{
	struct device now = { .ifindex = 0 };
	int ret = ask(p, name, &now);

	return ret && ret != -ENODEV ? before : now;
}

bool packet_carrier_of(const struct packet_link *link)
{
	const struct device before = { .carrier = link->carrier };

	return link->fd >= 0 &&
	       look(link->packet, link->spec.device, before).carrier;
}

/* Return: whether a carrier was lost. */
static bool poll_links(struct packet *p)
{
	struct packet_link *link;
	bool lost = false;

	for (link = p->links; link < p->links + PACKET_LINKS; link++) {
		bool had = link->carrier;

		if (!link->used)
			continue;
		link->carrier = packet_carrier_of(link);
		lost |= had && !link->carrier;
		packet_link_tell(link, CTIHA_CAUSE_CARRIER);
	}
	return lost;
}

static bool poll_switch(struct packet *p)
{
	struct heartbeat_switch *sw = &p->carrier.nic;
	struct device before = { sw->ifindex, sw->carrier }, now = before;

	if (!sw->device[0])
		return false;
	now = look(p, sw->device, before);
	sw->ifindex = now.ifindex;
	sw->carrier = now.carrier;
	/* Another device of that name is another one. */
	if (now.ifindex != before.ifindex)
		packet_tell_node(p, CTIHA_CAUSE_DEVICE);
	return before.carrier && !now.carrier;
}

void packet_carrier_poll(struct packet *p)
{
	u64 now_ns = clock_now_ns();
	struct packet_link *link;
	bool lost;

	if (now_ns < p->carrier.next_ns)
		return;
	p->carrier.next_ns = now_ns + POLL_NS;
	lost = poll_switch(p);
	lost |= poll_links(p);
	packet_tell_node(p, CTIHA_CAUSE_CARRIER);
	for (link = p->links; lost && link < p->links + PACKET_LINKS; link++)
		if (link->used)
			packet_link_probe(link);
}

u32 packet_carrier_report(const struct packet *p)
{
	u32 report = p->carrier.nic.carrier ? CTIHA_REPORT_CARRIER_SWITCH : 0;
	unsigned int i;

	for (i = 0; i < PACKET_LINKS; i++)
		if (p->links[i].used && p->links[i].carrier)
			report |= CTIHA_REPORT_CARRIER_L1 << i;
	return report;
}

void packet_carrier_watch(struct packet *p, const char *device)
{
	struct heartbeat_switch *sw = &p->carrier.nic;
	struct device now = { .ifindex = 0 };

	if (*device)
		now = look(p, device, now);
	memset(sw, 0, sizeof(*sw));
	snprintf(sw->device, sizeof(sw->device), "%s", device);
	sw->ifindex = now.ifindex;
	sw->carrier = now.carrier;
	packet_tell_node(p, CTIHA_CAUSE_COMMAND);
}

int packet_carrier_open(struct packet *p)
{
	p->carrier.fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC,
			       NETLINK_ROUTE);
	return p->carrier.fd < 0 ? -errno : 0;
}
