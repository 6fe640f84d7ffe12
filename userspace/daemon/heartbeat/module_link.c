// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The links that the daemon wants. See module.h.
 *
 * A link ends with its device, and the module does not wait for another one of
 * that name: so it is added again here, as soon as that works.
 */
#include <errno.h>
#include <event2/event.h>
#include <net/if.h>
#include <string.h>

#include "common/log.h"
#include "daemon/heartbeat/module.h"

#define RETRY_S		1	/* between tries to add a link that was lost */

static bool is_as_wanted(const struct heartbeat_link *link,
			 const struct heartbeat_link_spec *spec, u32 ifindex)
{
	return !strcmp(link->name, spec->name) && link->kind == spec->kind &&
	       link->ifindex == ifindex &&
	       link->interval_us == spec->interval_us &&
	       link->multiplier == spec->multiplier &&
	       !memcmp(link->peer_mac, spec->peer_mac, sizeof(link->peer_mac));
}

/* Return: 0 if the wanted link is there, -ENOENT after others made room. */
static int make_room(struct module *m, const struct heartbeat_link_spec *spec,
		     u32 ifindex)
{
	const struct heartbeat_link *link;
	struct heartbeat_snapshot now;
	unsigned int i;
	int ret = genl_request_links(m->request, &now);

	for (i = 0; !ret && i < now.link_count; i++) {
		link = &now.links[i];
		if (is_as_wanted(link, spec, ifindex))
			return 0;
		if (link->kind == spec->kind || !strcmp(link->name, spec->name))
			ret = genl_request_link_del(m->request, link->name);
	}
	return ret ? ret : -ENOENT;
}

static int add_link(struct module *m, const struct heartbeat_link_spec *spec)
{
	u32 ifindex = if_nametoindex(spec->device);
	int ret;

	if (!ifindex)
		return -ENODEV;
	ret = genl_request_link_add(m->request, spec, ifindex);
	if (ret != -EEXIST)
		return ret;
	/* From a former daemon. */
	ret = make_room(m, spec, ifindex);
	return ret == -ENOENT ?
		genl_request_link_add(m->request, spec, ifindex) : ret;
}

static void retry_later(struct module *m)
{
	const struct timeval pause = { .tv_sec = RETRY_S };

	event_add(m->retry, &pause);
}

void module_link_notice(struct module *m, const struct heartbeat_link *link)
{
	struct module_wanted *wanted = &m->wanted[link->kind - 1];

	if (link->ifindex || !wanted->used ||
	    strcmp(wanted->spec.name, link->name))
		return;
	wanted->lost = true;
	retry_later(m);
}

static bool has_kind(const struct heartbeat_snapshot *snap, u8 kind)
{
	unsigned int i;

	for (i = 0; i < snap->link_count; i++)
		if (snap->links[i].kind == kind)
			return true;
	return false;
}

/* As the module's last word on a link whose device vanished. */
static void fill_gone(struct heartbeat_link *link,
		      const struct heartbeat_link_spec *spec)
{
	memset(link, 0, sizeof(*link));
	memcpy(link->name, spec->name, sizeof(link->name));
	memcpy(link->peer_mac, spec->peer_mac, sizeof(link->peer_mac));
	link->kind = spec->kind;
	link->state = CTIHA_SESSION_DOWN;
	link->diag = CTIHA_DIAG_DEVICE;
	link->interval_us = spec->interval_us;
	link->multiplier = spec->multiplier;
}

void module_link_complete(const struct module *m,
			  struct heartbeat_snapshot *snap)
{
	const struct module_wanted *w;

	for (w = m->wanted; w < m->wanted + HEARTBEAT_LINKS; w++)
		if (w->used && !has_kind(snap, w->spec.kind) &&
		    snap->link_count < HEARTBEAT_LINKS)
			fill_gone(&snap->links[snap->link_count++], &w->spec);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct module *m = arg;
	struct module_wanted *w;

	(void)fd;
	(void)what;
	for (w = m->wanted; w < m->wanted + HEARTBEAT_LINKS; w++) {
		if (!w->used || !w->lost || m->broken[0])
			continue;
		if (add_link(m, &w->spec)) {
			retry_later(m);
			continue;
		}
		w->lost = false;
		log_info("link %s: device %s is back", w->spec.name,
			 w->spec.device);
	}
}

int module_link_open(struct module *m, struct event_base *base)
{
	m->retry = evtimer_new(base, on_retry, m);
	return m->retry ? 0 : -ENOMEM;
}

int module_link_add(struct heartbeat *hb,
		    const struct heartbeat_link_spec *spec)
{
	struct module *m = (struct module *)hb;
	int ret;

	if (!memchr(spec->name, '\0', sizeof(spec->name)) ||
	    !memchr(spec->device, '\0', sizeof(spec->device)) ||
	    !spec->kind || spec->kind > HEARTBEAT_LINKS)
		return -EINVAL;
	ret = add_link(m, spec);
	if (ret) {
		if (ret != -ENODEV)
			log_error("link %s: %s", spec->name,
				  genl_text(m->request));
		return ret;
	}
	m->wanted[spec->kind - 1] = (struct module_wanted){
		.used = true, .spec = *spec };
	return 0;
}

int module_link_del(struct heartbeat *hb, const char *name)
{
	struct module *m = (struct module *)hb;
	struct module_wanted *w;

	for (w = m->wanted; w < m->wanted + HEARTBEAT_LINKS; w++)
		if (w->used && !strcmp(w->spec.name, name))
			w->used = false;
	return genl_request_link_del(m->request, name);
}
