// SPDX-License-Identifier: GPL-2.0-or-later
/* The module's events on their way to the daemon. See module.h. */
#include <errno.h>
#include <event2/event.h>
#include <string.h>

#include "daemon/heartbeat/module.h"

#define BUDGET	256	/* events per round of the event loop */

static int deliver_node(struct module *m, const struct genl_message *message,
			const struct heartbeat_event *event)
{
	struct heartbeat_node node;
	u64 seq;
	int ret = genl_read_node(message->attr[CTIHA_A_NODE], &node, &seq);

	if (ret)
		return ret;
	module_switch_notice(m, event, &node);
	m->callbacks.node(m->arg, event, &node);
	return 0;
}

static int deliver_peer(struct module *m, const struct genl_message *message,
			const struct heartbeat_event *event)
{
	struct heartbeat_peer peer;
	int ret = genl_read_peer(message->attr[CTIHA_A_PEER], &peer);

	if (!ret)
		m->callbacks.peer(m->arg, event, &peer);
	return ret;
}

static int deliver_link(struct module *m, const struct genl_message *message,
			const struct heartbeat_event *event)
{
	struct heartbeat_link link;
	int ret = genl_read_link(message->attr[CTIHA_A_LINK], &link);

	if (ret)
		return ret;
	module_link_notice(m, &link);
	m->callbacks.link(m->arg, event, &link);
	return 0;
}

/* Return: 0; -ENOBUFS if an event is missing before this one; -EPROTO. */
static int take_event(const struct genl_message *message, void *arg)
{
	struct module *m = arg;
	struct heartbeat_event event;
	int ret = genl_read_event(message->attr[CTIHA_A_EVENT], &event);

	if (ret)
		return ret;
	if (event.seq <= m->seq)
		return 0;
	if (event.seq != m->seq + 1)
		return -ENOBUFS;
	m->seq = event.seq;
	switch (message->command) {
	case CTIHA_CMD_NODE_NTF:
		return deliver_node(m, message, &event);
	case CTIHA_CMD_PEER_NTF:
		return deliver_peer(m, message, &event);
	case CTIHA_CMD_LINK_NTF:
		return deliver_link(m, message, &event);
	default:
		return 0;	/* newer than this program */
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct module *m = arg;
	unsigned int budget = BUDGET;
	int ret = 1;

	(void)fd;
	(void)what;
	while (ret > 0 && budget-- && !m->broken[0])
		ret = genl_receive(m->events, take_event, m);
	if (ret == -ENOBUFS)
		module_picture_tell(m);
	else if (ret == -EPROTO)
		module_break_down(m, "the module's events are not understood: module and daemon must be of one version");
	else if (ret < 0)
		module_break_down(m, strerror(-ret));
}

int module_event_open(struct module *m, struct event_base *base)
{
	int ret = genl_subscribe(m->events);

	if (ret)
		return ret;
	m->readable = event_new(base, genl_fd(m->events), EV_READ | EV_PERSIST,
				on_readable, m);
	if (!m->readable || event_add(m->readable, NULL))
		return -ENOMEM;
	return 0;
}
