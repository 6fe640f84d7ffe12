// SPDX-License-Identifier: GPL-2.0-or-later
/* The module backend, opened and closed. See module.h. */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/heartbeat/module.h"

void module_break_down(struct module *m, const char *text)
{
	if (m->broken[0])
		return;
	snprintf(m->broken, sizeof(m->broken), "backend module: %s", text);
	event_del(m->readable);
	event_active(m->deferred, 0, 0);
}

void module_resync_later(struct module *m)
{
	m->stale = true;
	event_active(m->deferred, 0, 0);
}

static void on_deferred(evutil_socket_t fd, short what, void *arg)
{
	struct module *m = arg;

	(void)fd;
	(void)what;
	if (m->broken[0])
		m->callbacks.failed(m->arg, m->broken);
	else if (m->stale)
		module_picture_tell(m);
}

static int open_events(struct module *m, struct event_base *base, char *error,
		       size_t error_size)
{
	int ret;

	m->events = genl_open(error, error_size);
	if (!m->events)
		return -errno;
	m->deferred = event_new(base, -1, 0, on_deferred, m);
	ret = m->deferred ? module_link_open(m, base) : -ENOMEM;
	if (!ret)
		ret = module_switch_open(m, base);
	if (!ret)
		ret = module_event_open(m, base);
	if (ret)
		snprintf(error, error_size, "backend module: no events: %s",
			 strerror(-ret));
	return ret;
}

static void free_event(struct event *event)
{
	if (event)
		event_free(event);
}

/* The attached socket closes: the module votes for the peer. */
static void module_close(struct heartbeat *hb)
{
	struct module *m = (struct module *)hb;

	free_event(m->readable);
	free_event(m->deferred);
	free_event(m->retry);
	free_event(m->switch_retry);
	genl_close(m->events);
	genl_close(m->request);
	free(m);
}

/* Listens before it asks, so that no event falls in between. */
static int open_all(struct module *m, struct event_base *base,
		    const struct heartbeat_node_spec *spec, char *error,
		    size_t error_size)
{
	int ret;

	m->request = genl_open(error, error_size);
	if (!m->request)
		return -errno;
	ret = open_events(m, base, error, error_size);
	if (ret)
		return ret;
	ret = module_node_open(m, spec);
	if (ret)
		snprintf(error, error_size, "backend module: %s",
			 genl_text(m->request));
	return ret;
}

static struct heartbeat *module_open(struct event_base *base,
				     const struct heartbeat_node_spec *spec,
				     const struct heartbeat_callbacks *callbacks,
				     void *arg, char *error, size_t error_size)
{
	struct module *m = calloc(1, sizeof(*m));

	if (!m) {
		snprintf(error, error_size, "backend module: out of memory");
		return NULL;
	}
	m->callbacks = *callbacks;
	m->arg = arg;
	m->watch_ms = spec->watch_ms;
	if (!open_all(m, base, spec, error, error_size))
		return (struct heartbeat *)m;
	if (!m->request && errno == ENOENT)
		snprintf(error, error_size,
			 "backend module: the kernel module ctiha is not loaded; load the module: modprobe ctiha, or set backend = packet");
	module_close((struct heartbeat *)m);
	return NULL;
}

static int module_snapshot(struct heartbeat *hb,
			   struct heartbeat_snapshot *snap)
{
	struct module_picture picture;
	int ret = module_picture_read((struct module *)hb, &picture);

	if (!ret)
		*snap = picture.snap;
	return ret;
}

const struct heartbeat_backend heartbeat_module = {
	.name = "module",
	.open = module_open,
	.close = module_close,
	.fence = module_node_fence,
	.rekey = module_node_rekey,
	.switch_watch = module_switch_watch,
	.link_add = module_link_add,
	.link_del = module_link_del,
	.report = module_node_report,
	.activate = module_node_activate,
	.renew = module_node_renew,
	.yield = module_node_yield,
	.leave = module_node_leave,
	.snapshot = module_snapshot,
};
