// SPDX-License-Identifier: GPL-2.0-or-later
/* Asks the module, by netlink. */
#include <poll.h>
#include <stdio.h>

#include "cli/cli.h"
#include "common/clock.h"
#include "common/genl.h"
#include "daemon/document.h"

#define DUMP_TRIES	5	/* when the objects change meanwhile */

struct genl *cli_module_open(char error[CLI_ERROR_LEN])
{
	return genl_open(error, CLI_ERROR_LEN);
}

static void explain(struct genl *genl, int err, char error[CLI_ERROR_LEN])
{
	if (err == -EPERM)
		snprintf(error, CLI_ERROR_LEN,
			 "no permission to change the module's state: use sudo");
	else if (err == -ENOENT && strstr(genl_text(genl), "no node"))
		snprintf(error, CLI_ERROR_LEN,
			 "the module has no node here: the daemon makes it when it starts");
	else
		snprintf(error, CLI_ERROR_LEN, "the module says: %s",
			 genl_text(genl));
}

/* ---- state ---- */

static int read_links(struct genl *genl, struct heartbeat_snapshot *now)
{
	int tries, err = -EINTR;

	for (tries = 0; err == -EINTR && tries < DUMP_TRIES; tries++)
		err = genl_request_links(genl, now);
	return err;
}

static int read_all(struct genl *genl, struct heartbeat_snapshot *now)
{
	u64 seq;
	int err = genl_request_node(genl, &now->node, &seq);

	if (!err)
		err = genl_request_peer(genl, &now->peer);
	return err ? err : read_links(genl, now);
}

static json_t *document_links(const struct heartbeat_snapshot *now, u64 now_ns)
{
	json_t *links = json_array();
	unsigned int i;

	for (i = 0; i < now->link_count; i++)
		json_array_append_new(links,
				      document_link(&now->links[i], now_ns));
	return links;
}

int cli_module_state(struct genl *genl, json_t **state,
		     char error[CLI_ERROR_LEN])
{
	struct heartbeat_snapshot now = { .link_count = 0 };
	int err = read_all(genl, &now);
	u64 now_ns = clock_now_ns();

	if (err) {
		explain(genl, err, error);
		return err;
	}
	*state = json_pack("{s:o, s:o, s:o}", "node", document_node(&now.node),
			   "peer", document_peer(&now.peer, now_ns),
			   "links", document_links(&now, now_ns));
	return *state ? 0 : -ENOMEM;
}

/* ---- links ---- */

void cli_module_add_quality(struct genl *genl, json_t *links)
{
	struct genl_quality quality;
	size_t i;

	for (i = 0; i < json_array_size(links); i++) {
		json_t *link = json_array_get(links, i);

		if (!genl_request_quality(genl, cli_text(link, "name"), &quality))
			json_object_set_new(link, "quality",
					    cli_quality(&quality));
	}
}

static int find_device(const char *device, u32 *ifindex,
		       char error[CLI_ERROR_LEN])
{
	*ifindex = if_nametoindex(device);
	if (*ifindex)
		return 0;
	snprintf(error, CLI_ERROR_LEN, "there is no device %s: see 'ip link'",
		 device);
	return -ENODEV;
}

int cli_module_link_add(struct genl *genl,
			const struct heartbeat_link_spec *spec,
			char error[CLI_ERROR_LEN])
{
	u32 ifindex;
	int err = find_device(spec->device, &ifindex, error);

	if (err)
		return err;
	err = genl_request_link_add(genl, spec, ifindex);
	if (err)
		explain(genl, err, error);
	return err;
}

int cli_module_link_del(struct genl *genl, const char *name,
			char error[CLI_ERROR_LEN])
{
	int err = genl_request_link_del(genl, name);

	if (err)
		explain(genl, err, error);
	return err;
}

int cli_module_switch_set(struct genl *genl, const char *device,
			  char error[CLI_ERROR_LEN])
{
	u32 ifindex = 0;
	int err = *device ? find_device(device, &ifindex, error) : 0;

	if (err)
		return err;
	err = genl_request_switch_set(genl, ifindex);
	if (err)
		explain(genl, err, error);
	return err;
}

/* ---- events ---- */

struct follower {
	struct genl *events;
	struct genl *requests;
	bool (*event)(const json_t *event, void *arg);
	void *arg;
	bool more;
	bool resync;
	u64 last_seq;
};

static void pass_on(struct follower *f, json_t *document)
{
	if (f->more && document)
		f->more = f->event(document, f->arg);
	json_decref(document);
}

static int read_object(const struct genl_message *m, const char **object,
		       u64 now_ns, json_t **body)
{
	struct heartbeat_node node;
	struct heartbeat_peer peer;
	struct heartbeat_link link;
	int err = -EPROTO;
	u64 seq;

	if (m->attr[CTIHA_A_NODE]) {
		*object = "node";
		err = genl_read_node(m->attr[CTIHA_A_NODE], &node, &seq);
		*body = err ? NULL : document_node(&node);
	} else if (m->attr[CTIHA_A_PEER]) {
		*object = "peer";
		err = genl_read_peer(m->attr[CTIHA_A_PEER], &peer);
		*body = err ? NULL : document_peer(&peer, now_ns);
	} else if (m->attr[CTIHA_A_LINK]) {
		*object = "link";
		err = genl_read_link(m->attr[CTIHA_A_LINK], &link);
		*body = err ? NULL : document_link(&link, now_ns);
	}
	return err;
}

static int take_event(const struct genl_message *message, void *arg)
{
	struct follower *f = arg;
	struct heartbeat_event event;
	const char *object;
	json_t *body;
	int err = genl_read_event(message->attr[CTIHA_A_EVENT], &event);

	/* An object that a newer module may know is no reason to stop. */
	if (err || read_object(message, &object, event.time_ns, &body))
		return 0;
	if (f->last_seq && event.seq > f->last_seq + 1)
		f->resync = true;
	f->last_seq = event.seq;
	pass_on(f, document_event(&event, object, body));
	return f->more ? 0 : -ECANCELED;
}

static void pass_object(struct follower *f, const struct heartbeat_event *event,
			const char *object, json_t *body)
{
	pass_on(f, document_event(event, object, json_incref(body)));
}

/* How everything is now: what comes first, and again after a gap. */
static int show_state(struct follower *f, char error[CLI_ERROR_LEN])
{
	struct heartbeat_event event = { .seq = f->last_seq };
	json_t *state, *links;
	size_t i;
	int err = cli_module_state(f->requests, &state, error);

	if (err)
		return err;
	event.time_ns = clock_now_ns();
	pass_object(f, &event, "node", json_object_get(state, "node"));
	pass_object(f, &event, "peer", json_object_get(state, "peer"));
	links = json_object_get(state, "links");
	for (i = 0; i < json_array_size(links); i++)
		pass_object(f, &event, "link", json_array_get(links, i));
	json_decref(state);
	return 0;
}

/* Events were lost: say so, and how everything is now. */
static int resync(struct follower *f, char error[CLI_ERROR_LEN])
{
	f->resync = false;
	pass_on(f, json_pack("{s:I, s:I, s:s}", "time_ns",
			     (json_int_t)clock_now_ns(), "seq",
			     (json_int_t)f->last_seq, "object", "gap"));
	return show_state(f, error);
}

static int follow(struct follower *f, char error[CLI_ERROR_LEN])
{
	struct pollfd ready = { .fd = genl_fd(f->events), .events = POLLIN };
	int err = show_state(f, error);

	while (f->more && !err) {
		if (poll(&ready, 1, -1) < 0 && errno != EINTR)
			return -errno;
		do
			err = genl_receive(f->events, take_event, f);
		while (err > 0);
		if (err == -ENOBUFS) {
			f->resync = true;
			err = 0;
		}
		if (f->resync && f->more && !err)
			err = resync(f, error);
	}
	return f->more ? err : 0;
}

int cli_module_follow(bool (*event)(const json_t *event, void *arg), void *arg,
		      char error[CLI_ERROR_LEN])
{
	struct follower f = { .event = event, .arg = arg, .more = true };
	int err = -ENOENT;

	f.events = genl_open(error, CLI_ERROR_LEN);
	f.requests = genl_open(error, CLI_ERROR_LEN);
	if (f.events && f.requests) {
		snprintf(error, CLI_ERROR_LEN,
			 "the module's events have ended: is it still loaded?");
		err = genl_subscribe(f.events);
	}
	if (!err)
		err = follow(&f, error);
	if (f.events)
		genl_close(f.events);
	if (f.requests)
		genl_close(f.requests);
	return err ? CLI_FAILED : CLI_OK;
}
