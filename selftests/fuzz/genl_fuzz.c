// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libFuzzer: what userspace reads of the module's messages.
 *
 * The input is a message behind its length and type: the daemon and the command
 * line trust only that a length fits its buffer.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/genl.h"

#define MUST(condition) do { \
	if (!(condition)) { \
		fprintf(stderr, "does not hold: %s\n", #condition); \
		abort(); \
	} \
} while (0)

static void read_node(const struct nlattr *nest)
{
	struct heartbeat_node node;
	u64 seq;

	if (genl_read_node(nest, &node, &seq))
		return;
	MUST(node.id <= 1 && node.role <= CTIHA_ROLE_ACTIVE);
	MUST(node.fence.count <= CTIHA_FENCE_ADDRESSES);
	MUST(node.fence.last_resort <= CTIHA_LAST_RESORT_PANIC);
}

static void read_link(const struct nlattr *nest)
{
	struct heartbeat_link link;

	if (genl_read_link(nest, &link))
		return;
	MUST(link.name[0] && memchr(link.name, '\0', sizeof(link.name)));
	MUST(memchr(link.device, '\0', sizeof(link.device)));
	MUST(link.state <= CTIHA_SESSION_UP);
	MUST(link.kind == CTIHA_LINK_CROSSOVER || link.kind == CTIHA_LINK_LAN);
}

static void read_peer(const struct nlattr *nest)
{
	struct heartbeat_peer peer;

	if (!genl_read_peer(nest, &peer))
		MUST(peer.role <= CTIHA_ROLE_ACTIVE);
}

static void read_message(const struct nlmsghdr *nlh)
{
	struct genl_message message;
	struct heartbeat_event event;

	if (genl_parse(nlh, &message))
		return;
	read_node(message.attr[CTIHA_A_NODE]);
	read_link(message.attr[CTIHA_A_LINK]);
	read_peer(message.attr[CTIHA_A_PEER]);
	genl_read_event(message.attr[CTIHA_A_EVENT], &event);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	/* As large as the message, so that the sanitizer sees every overrun. */
	struct nlmsghdr *nlh = malloc(sizeof(*nlh) + size);

	MUST(nlh);
	memset(nlh, 0, sizeof(*nlh));
	nlh->nlmsg_len = (u32)(sizeof(*nlh) + size);
	if (size)
		memcpy(nlh + 1, data, size);
	read_message(nlh);
	free(nlh);
	return 0;
}
