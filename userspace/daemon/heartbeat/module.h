/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The module backend's inside: the kernel module does the work, this asks and
 * listens. module.c opens and closes it, module_node.c has the node and its
 * role, module_link.c the links, module_switch.c the switch NIC, module_event.c
 * the events, module_picture.c everything at once.
 *
 * Two sockets. The one for requests is attached: when it closes, be it that
 * this process dies, the module votes for the peer. The other one receives
 * events. Events have numbers without gaps; if one is missing, or the socket
 * overflowed, everything is read anew and told to the daemon again. What
 * arrives afterwards and is older than that is left out by its number.
 *
 * Functions that return an int return 0 or a negative errno; after a failed
 * request genl_text() of the request socket says more. Functions that take a
 * struct heartbeat are of the backend: heartbeat.h says what they do.
 */
#ifndef CTIHA_MODULE_H
#define CTIHA_MODULE_H

#include "common/genl.h"
#include "daemon/heartbeat/heartbeat.h"

struct event;
struct event_base;

/**
 * struct module_wanted - a link that the daemon asked for
 * @used: this slot holds one
 * @lost: its device vanished, and the link with it
 * @spec: what was asked for
 */
struct module_wanted {
	bool used;
	bool lost;
	struct heartbeat_link_spec spec;
};

/**
 * struct module - the attached node
 * @callbacks, @arg: the daemon
 * @request: attached socket
 * @events: subscribed socket
 * @readable: its event
 * @deferred: runs what must not run inside a call of the daemon
 * @retry: adds lost links again
 * @seq: number of the last event told, or contained in what was told
 * @watch_ms: as attached
 * @stale: the daemon has to be told everything anew
 * @broken: why nothing works any more; "" while it does
 * @wanted: links by kind
 * @switch_device: switch NIC that the daemon asked for, "" none
 * @switch_retry: names it again
 */
struct module {
	struct heartbeat_callbacks callbacks;
	void *arg;
	struct genl *request;
	struct genl *events;
	struct event *readable;
	struct event *deferred;
	struct event *retry;
	u64 seq;
	u32 watch_ms;
	bool stale;
	char broken[256];
	struct module_wanted wanted[HEARTBEAT_LINKS];
	char switch_device[IF_NAMESIZE];
	struct event *switch_retry;
};

/* module.c */

/**
 * module_break_down() - nothing works any more
 * @m: backend; its events end, and the daemon is told, once, from the event loop
 * @text: why, and what to do
 */
void module_break_down(struct module *m, const char *text);

/**
 * module_resync_later() - module_picture_tell(), from the event loop
 * @m: backend
 */
void module_resync_later(struct module *m);

/* module_node.c: the node and its role. */

/**
 * module_node_open() - make the node, or take over a former daemon's; attach
 * @m: backend whose events are received already; its @seq is set
 * @spec: what the node is to be
 *
 * Return: 0; -EBUSY if another daemon is attached; another negative errno.
 */
int module_node_open(struct module *m, const struct heartbeat_node_spec *spec);

int module_node_rekey(struct heartbeat *hb, const struct keys *keys);
int module_node_report(struct heartbeat *hb, u32 report, u64 sync_pos);
int module_node_activate(struct heartbeat *hb, u64 epoch, u64 granted_ns);
int module_node_renew(struct heartbeat *hb, u64 epoch, u64 granted_ns);
int module_node_yield(struct heartbeat *hb);
int module_node_leave(struct heartbeat *hb);
int module_node_fence(struct heartbeat *hb, const struct heartbeat_fence *fence);

/* module_link.c: links, which come back when their device does. */

/**
 * module_link_open() - be ready to add lost links again
 * @m: backend; its @retry is set, to be freed by the caller
 * @base: event loop
 *
 * Return: 0 or -ENOMEM.
 */
int module_link_open(struct module *m, struct event_base *base);

/**
 * module_link_notice() - before the daemon is told of a link
 * @m: backend; if the link was lost with its device, it is added again later
 * @link: what is told
 */
void module_link_notice(struct module *m, const struct heartbeat_link *link);

/**
 * module_link_complete() - add the links that the module has not any more
 * @m: backend
 * @snap: what the module has; what the daemon asked for is added, as down and
 *        without a device
 *
 * Nobody else tells of a link whose last event was lost.
 */
void module_link_complete(const struct module *m,
			  struct heartbeat_snapshot *snap);

int module_link_add(struct heartbeat *hb,
		    const struct heartbeat_link_spec *spec);
int module_link_del(struct heartbeat *hb, const char *name);

/* module_switch.c: the switch NIC, which comes back when its device does. */

/**
 * module_switch_open() - be ready to name the NIC again
 * @m: backend; its @switch_retry is set, to be freed by the caller
 * @base: event loop
 *
 * Return: 0 or -ENOMEM.
 */
int module_switch_open(struct module *m, struct event_base *base);

/**
 * module_switch_notice() - before the daemon is told of the node
 * @m: backend; if the NIC vanished, it is named again later
 * @event: why it is told
 * @node: what is told
 */
void module_switch_notice(struct module *m, const struct heartbeat_event *event,
			  const struct heartbeat_node *node);

int module_switch_watch(struct heartbeat *hb, const char *device);

/* module_event.c: events, in order. */

/**
 * module_event_open() - receive events
 * @m: backend with an @events socket; its @readable is set, to be freed by the
 *     caller
 * @base: event loop
 *
 * Return: 0 or a negative errno.
 */
int module_event_open(struct module *m, struct event_base *base);

/* module_picture.c: everything at once. */

/**
 * struct module_picture - the module's objects at one instant
 * @snap: the objects
 * @seq: number of the last event that is in it; some that follow may be, too
 */
struct module_picture {
	struct heartbeat_snapshot snap;
	u64 seq;
};

/**
 * module_picture_read() - take one
 * @m: backend
 * @picture: filled in; undefined on failure
 *
 * Return: 0; -EINTR if the links changed all the time; another negative errno.
 */
int module_picture_read(struct module *m, struct module_picture *picture);

/**
 * module_picture_tell() - take one, and tell the daemon: events were lost
 * @m: backend; its @seq follows; it breaks down if there is no picture
 *
 * Calls the daemon back, so not from inside a call of the daemon.
 */
void module_picture_tell(struct module *m);

#endif /* CTIHA_MODULE_H */
