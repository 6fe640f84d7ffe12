// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The module backend: the kernel module does the work, this asks and listens.
 *
 * Two sockets. The one for requests is attached: when it closes, be it that
 * this process dies, the module votes for the peer. The other one receives
 * events. Events have numbers without gaps; if one is missing, or the socket
 * overflowed, everything is read anew and told to the daemon again. What
 * arrives afterwards and is older than that is left out by its number.
 */
#include <event2/event.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/genl.h"
#include "common/log.h"
#include "daemon/heartbeat/heartbeat.h"

#define EVENT_BUDGET	256	/* per round of the event loop */
#define SNAPSHOT_TRIES	5
#define RETRY_S		1	/* between tries to add a link that was lost */
#define TEXT_SIZE	256

/**
 * struct wanted - a link that the daemon asked for
 * @used: this slot holds one
 * @lost: its device vanished, and the link with it
 * @spec: what was asked for
 */
struct wanted {
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
	char broken[TEXT_SIZE];
	struct wanted wanted[HEARTBEAT_LINKS];
};

/* Nothing works any more: said once, from the event loop. */
static void break_down(struct module *m, const char *text)
{
	if (m->broken[0])
		return;
	snprintf(m->broken, sizeof(m->broken), "backend module: %s", text);
	event_del(m->readable);
	event_active(m->deferred, 0, 0);
}

static void resync_later(struct module *m)
{
	m->stale = true;
	event_active(m->deferred, 0, 0);
}

/* Requests. Each returns 0 or a negative errno; genl_text() says more. */

static int call_plain(struct module *m, u8 command)
{
	genl_begin(m->request, command);
	return genl_call(m->request, NULL, NULL);
}

static int call_attach(struct module *m)
{
	struct nlmsghdr *nlh = genl_begin(m->request, CTIHA_CMD_ATTACH);

	mnl_attr_put_u32(nlh, CTIHA_A_WATCH_MS, m->watch_ms);
	return genl_call(m->request, NULL, NULL);
}

static int call_node_set(struct module *m,
			 const struct heartbeat_node_spec *spec)
{
	struct nlmsghdr *nlh = genl_begin(m->request, CTIHA_CMD_NODE_SET);
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_NODE);

	mnl_attr_put_u8(nlh, CTIHA_A_NODE_ID, spec->id);
	mnl_attr_put_u32(nlh, CTIHA_A_NODE_PAIR, spec->pair);
	mnl_attr_put_u64(nlh, CTIHA_A_NODE_LEASE_NS, spec->lease_ns);
	mnl_attr_put_u64(nlh, CTIHA_A_NODE_PROMISE_NS, spec->promise_ns);
	mnl_attr_put_u64(nlh, CTIHA_A_NODE_EPOCH, spec->epoch);
	mnl_attr_nest_end(nlh, nest);
	return genl_call(m->request, NULL, NULL);
}

static int call_key_set(struct module *m, const u8 key[CTIHA_KEY_LEN])
{
	struct nlmsghdr *nlh = genl_begin(m->request, CTIHA_CMD_KEY_SET);

	mnl_attr_put_u8(nlh, CTIHA_A_KEY_SLOT, 0);
	mnl_attr_put(nlh, CTIHA_A_KEY, CTIHA_KEY_LEN, key);
	mnl_attr_put(nlh, CTIHA_A_KEY_SEND, 0, NULL);
	return genl_call(m->request, NULL, NULL);
}

static int call_epoch(struct module *m, u8 command, u64 epoch, u64 granted_ns)
{
	struct nlmsghdr *nlh = genl_begin(m->request, command);

	mnl_attr_put_u64(nlh, CTIHA_A_EPOCH, epoch);
	if (granted_ns)
		mnl_attr_put_u64(nlh, CTIHA_A_GRANT_SENT_NS, granted_ns);
	return genl_call(m->request, NULL, NULL);
}

static int call_report(struct module *m, u32 report, u64 sync_pos)
{
	struct nlmsghdr *nlh = genl_begin(m->request, CTIHA_CMD_REPORT);

	mnl_attr_put_u32(nlh, CTIHA_A_REPORT,
			 report & ~(u32)CTIHA_REPORT_KERNEL);
	mnl_attr_put_u64(nlh, CTIHA_A_SYNC_POS, sync_pos);
	return genl_call(m->request, NULL, NULL);
}

/* Reading everything. */

/* A picture and the number of the last event that is in it. */
struct picture {
	struct heartbeat_snapshot snap;
	u64 seq;
};

static int read_objects(struct module *m, struct picture *picture)
{
	int ret;

	memset(picture, 0, sizeof(*picture));
	ret = genl_request_links(m->request, &picture->snap);
	if (!ret)
		ret = genl_request_peer(m->request, &picture->snap.peer);
	if (!ret)
		ret = genl_request_node(m->request, &picture->snap.node,
					&picture->seq);
	return ret;
}

/*
 * Objects are read one by one. If no event happened from before the first to
 * after the last, they are one picture. While events rain it is none, but each
 * object is newer than @before, and the events since then are still to come.
 */
static int read_picture(struct module *m, struct picture *picture)
{
	unsigned int tries = SNAPSHOT_TRIES;
	struct heartbeat_node node;
	u64 before = 0;
	int ret = genl_request_node(m->request, &node, &before);

	if (ret)
		return ret;
	while (tries--) {
		ret = read_objects(m, picture);
		if (ret && ret != -EINTR)
			return ret;
		if (!ret && picture->seq == before)
			return 0;
		if (!ret && tries)
			before = picture->seq;
	}
	picture->seq = before;
	return ret;
}

static void deliver_picture(struct module *m, const struct picture *picture)
{
	const struct heartbeat_event event = {
		.seq = picture->seq,
		.time_ns = clock_now_ns(),
		.cause = CTIHA_CAUSE_NONE,
	};
	unsigned int i;

	m->callbacks.resync(m->arg);
	m->callbacks.node(m->arg, &event, &picture->snap.node);
	m->callbacks.peer(m->arg, &event, &picture->snap.peer);
	for (i = 0; i < picture->snap.link_count; i++)
		m->callbacks.link(m->arg, &event, &picture->snap.links[i]);
}

static void resync(struct module *m)
{
	struct picture picture;

	m->stale = false;
	if (read_picture(m, &picture)) {
		break_down(m, genl_text(m->request));
		return;
	}
	m->seq = picture.seq;
	deliver_picture(m, &picture);
}

static void on_deferred(evutil_socket_t fd, short what, void *arg)
{
	struct module *m = arg;

	(void)fd;
	(void)what;
	if (m->broken[0])
		m->callbacks.failed(m->arg, m->broken);
	else if (m->stale)
		resync(m);
}

/* Links whose device vanished come back with it. */

static void retry_later(struct module *m)
{
	const struct timeval pause = { .tv_sec = RETRY_S };

	event_add(m->retry, &pause);
}

static void notice_lost(struct module *m, const struct heartbeat_link *link)
{
	struct wanted *wanted = &m->wanted[link->kind - 1];

	if (link->ifindex || !wanted->used ||
	    strcmp(wanted->spec.name, link->name))
		return;
	wanted->lost = true;
	retry_later(m);
}

static int add_link(struct module *m, const struct heartbeat_link_spec *spec);

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct module *m = arg;
	struct wanted *wanted;

	(void)fd;
	(void)what;
	for (wanted = m->wanted; wanted < m->wanted + HEARTBEAT_LINKS; wanted++) {
		if (!wanted->used || !wanted->lost || m->broken[0])
			continue;
		if (add_link(m, &wanted->spec)) {
			retry_later(m);
			continue;
		}
		wanted->lost = false;
		log_info("link %s: device %s is back", wanted->spec.name,
			 wanted->spec.device);
	}
}

/* Events. */

static int deliver_node(struct module *m, const struct genl_message *message,
			const struct heartbeat_event *event)
{
	struct heartbeat_node node;
	u64 seq;
	int ret = genl_read_node(message->attr[CTIHA_A_NODE], &node, &seq);

	if (!ret)
		m->callbacks.node(m->arg, event, &node);
	return ret;
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
	notice_lost(m, &link);
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
	unsigned int budget = EVENT_BUDGET;
	int ret = 1;

	(void)fd;
	(void)what;
	while (ret > 0 && budget-- && !m->broken[0])
		ret = genl_receive(m->events, take_event, m);
	if (ret == -ENOBUFS)
		resync(m);
	else if (ret == -EPROTO)
		break_down(m, "the module's events are not understood: module and daemon must be of one version");
	else if (ret < 0)
		break_down(m, strerror(-ret));
}

/* Opening. */

static int delete_links(struct module *m)
{
	struct heartbeat_snapshot now;
	unsigned int i;
	int ret = genl_request_links(m->request, &now);

	for (i = 0; !ret && i < now.link_count; i++)
		ret = genl_request_link_del(m->request, now.links[i].name);
	return ret;
}

/*
 * A node may be there from a former daemon. Attach before anything else is
 * done to it: that fails while its daemon lives. If it is another one, its
 * links have to go before it can change.
 */
static int take_over_node(struct module *m,
			  const struct heartbeat_node_spec *spec)
{
	int ret = call_attach(m);

	if (ret)
		return ret;
	ret = call_node_set(m, spec);
	if (ret != -EBUSY)
		return ret;
	ret = delete_links(m);
	return ret ? ret : call_node_set(m, spec);
}

static int prepare_node(struct module *m,
			const struct heartbeat_node_spec *spec)
{
	struct heartbeat_node node;
	u64 seq;
	int ret = genl_request_node(m->request, &node, &seq);

	if (!ret) {
		ret = take_over_node(m, spec);
	} else if (ret == -ENOENT) {
		ret = call_node_set(m, spec);
		if (!ret)
			ret = call_attach(m);
	}
	if (!ret)
		ret = call_key_set(m, spec->key);
	if (!ret)
		ret = genl_request_node(m->request, &node, &m->seq);
	return ret;
}

static int open_events(struct module *m, struct event_base *base, char *error,
		       size_t error_size)
{
	int ret;

	m->events = genl_open(error, error_size);
	if (!m->events)
		return -errno;
	ret = genl_subscribe(m->events);
	m->readable = event_new(base, genl_fd(m->events), EV_READ | EV_PERSIST,
				on_readable, m);
	m->deferred = event_new(base, -1, 0, on_deferred, m);
	m->retry = evtimer_new(base, on_retry, m);
	if (!ret && (!m->readable || !m->deferred || !m->retry ||
		     event_add(m->readable, NULL)))
		ret = -ENOMEM;
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
	ret = prepare_node(m, spec);
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

/* Links. */

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

static int module_link_add(struct heartbeat *hb,
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
	m->wanted[spec->kind - 1] = (struct wanted){ .used = true,
						     .spec = *spec };
	return 0;
}

static int module_link_del(struct heartbeat *hb, const char *name)
{
	struct module *m = (struct module *)hb;
	struct wanted *wanted;

	for (wanted = m->wanted; wanted < m->wanted + HEARTBEAT_LINKS; wanted++)
		if (wanted->used && !strcmp(wanted->spec.name, name))
			wanted->used = false;
	return genl_request_link_del(m->request, name);
}

/* The role. */

/*
 * We were stopped for so long that the module declared us dead, yielded and
 * told the peer. What we know is old: attach again, and learn it anew.
 */
static int come_back(struct module *m, u32 report, u64 sync_pos)
{
	int ret = call_attach(m);

	if (!ret)
		ret = call_report(m, report, sync_pos);
	if (ret)
		return ret;
	log_warning("this process was silent for more than %u ms: the module left the active role if it was held", m->watch_ms);
	resync_later(m);
	return 0;
}

static int module_report(struct heartbeat *hb, u32 report, u64 sync_pos)
{
	struct module *m = (struct module *)hb;
	int ret = call_report(m, report, sync_pos);

	if (ret == -ESTALE)
		ret = come_back(m, report, sync_pos);
	if (ret == -ENOENT)
		break_down(m, "the kernel module ctiha was removed; load the module: modprobe ctiha, and start again");
	return ret;
}

static int module_activate(struct heartbeat *hb, u64 epoch, u64 granted_ns)
{
	return call_epoch((struct module *)hb, CTIHA_CMD_ACTIVATE, epoch,
			  granted_ns);
}

static int module_renew(struct heartbeat *hb, u64 epoch, u64 granted_ns)
{
	return call_epoch((struct module *)hb, CTIHA_CMD_RENEW, epoch,
			  granted_ns);
}

static int module_yield(struct heartbeat *hb)
{
	return call_plain((struct module *)hb, CTIHA_CMD_YIELD);
}

static int module_leave(struct heartbeat *hb)
{
	return call_plain((struct module *)hb, CTIHA_CMD_LEAVE);
}

static int module_snapshot(struct heartbeat *hb,
			   struct heartbeat_snapshot *snap)
{
	struct picture picture;
	int ret = read_picture((struct module *)hb, &picture);

	if (!ret)
		*snap = picture.snap;
	return ret;
}

const struct heartbeat_backend heartbeat_module = {
	.name = "module",
	.open = module_open,
	.close = module_close,
	.link_add = module_link_add,
	.link_del = module_link_del,
	.report = module_report,
	.activate = module_activate,
	.renew = module_renew,
	.yield = module_yield,
	.leave = module_leave,
	.snapshot = module_snapshot,
};
