// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The NIC to the switch, whose carrier the module watches. See module.h.
 *
 * The module forgets it with its device, and takes it up again when told: so it
 * is told, as soon as there is a device of that name.
 */
#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <stdio.h>

#include "common/log.h"
#include "daemon/heartbeat/module.h"

#define RETRY_S		1

static void retry_later(struct module *m)
{
	const struct timeval pause = { .tv_sec = RETRY_S };

	event_add(m->switch_retry, &pause);
}

static int set_wanted(struct module *m)
{
	u32 ifindex = if_nametoindex(m->switch_device);

	return ifindex ? genl_request_switch_set(m->request, ifindex) : -ENODEV;
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct module *m = arg;

	(void)fd;
	(void)what;
	if (!m->switch_device[0] || m->broken[0])
		return;
	if (set_wanted(m))
		retry_later(m);
	else
		log_info("switch: device %s is there", m->switch_device);
}

void module_switch_notice(struct module *m, const struct heartbeat_event *event,
			  const struct heartbeat_node *node)
{
	bool vanished = !node->switch_nic.ifindex &&
			(event->cause == CTIHA_CAUSE_DEVICE ||
			 event->cause == CTIHA_CAUSE_NONE);

	if (vanished && m->switch_device[0])
		retry_later(m);
}

int module_switch_open(struct module *m, struct event_base *base)
{
	m->switch_retry = evtimer_new(base, on_retry, m);
	return m->switch_retry ? 0 : -ENOMEM;
}

int module_switch_watch(struct heartbeat *hb, const char *device)
{
	struct module *m = (struct module *)hb;
	int ret;

	snprintf(m->switch_device, sizeof(m->switch_device), "%s", device);
	ret = *device ? set_wanted(m) : -ENODEV;
	if (ret != -ENODEV)
		return ret;
	/* A former daemon may have named another one. */
	ret = genl_request_switch_set(m->request, 0);
	if (*device && !ret) {
		log_warning("switch: there is no device %s: it will be watched when it comes",
			    device);
		retry_later(m);
	}
	return ret;
}
