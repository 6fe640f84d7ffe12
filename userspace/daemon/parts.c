// SPDX-License-Identifier: GPL-2.0-or-later
/* The parts of the daemon: opened in the order in which they need each other. */
#include <event2/event.h>

#include "common/log.h"
#include "daemon/document.h"
#include "daemon/pair.h"

static void fill_links(struct pair *p)
{
	unsigned int i;

	for (i = 0; i < CONFIG_LINKS; i++) {
		p->links[i].kind = p->config->links[i].kind;
		p->links[i].state = CTIHA_SESSION_DOWN;
	}
}

static bool open_memory(struct pair *p, char *error, size_t size)
{
	int err = memory_read(p->config->state_dir, &p->memory);

	if (!err)
		return true;
	snprintf(error, size,
		 "%s: cannot read what this server must remember (%s): restore the file or, if the peer is known to be stopped, remove it",
		 p->config->state_dir, strerror(-err));
	return false;
}

static bool open_sync(struct pair *p, char *error, size_t size)
{
	const struct config *c = p->config;
	struct sync_spec spec = {
		.pair = c->pair, .node = c->node, .map_size = c->store_size,
		.insecure = c->sync_insecure,
		.needs_standby = c->sync_needs_standby,
	};
	unsigned int i;

	spec.keys = c->keys;
	snprintf(spec.directory, sizeof(spec.directory), "%s", c->store_dir);
	snprintf(spec.dictionary, sizeof(spec.dictionary), "%s",
		 c->sync_dictionary);
	for (i = 0; i < CONFIG_LINKS; i++) {
		spec.paths[i].configured = true;
		spec.paths[i].local = c->links[i].address;
		spec.paths[i].peer = c->links[i].peer_address;
		snprintf(spec.paths[i].device, sizeof(spec.paths[i].device),
			 "%s", c->links[i].device);
	}
	p->sync = sync_open(p->base, &spec, &pair_sync_callbacks, p, error, size);
	explicit_bzero(&spec.keys, sizeof(spec.keys));
	return p->sync;
}

static bool open_app(struct pair *p, char *error, size_t size)
{
	char path[CONFIG_PATH_LEN];

	snprintf(path, sizeof(path), "%.*s/%s", CONFIG_RUN_DIR_MAX,
		 p->config->run_dir, PAIR_APP_SOCKET);
	p->app = app_open(p->base, path, p->sync, &pair_app_callbacks, p, error,
			  size);
	return p->app;
}

static bool open_control(struct pair *p, char *error, size_t size)
{
	char path[CONFIG_PATH_LEN];

	snprintf(path, sizeof(path), "%.*s/%s", CONFIG_RUN_DIR_MAX,
		 p->config->run_dir, CONTROL_SOCKET);
	p->control = control_open(p->base, path, pair_commands, p, error, size);
	return p->control;
}

/* A former life may have died in office: its addresses must not stay. */
static bool open_address(struct pair *p, char *error, size_t size)
{
	const struct config *c = p->config;
	unsigned int i;

	p->address = address_open(error, size);
	if (!p->address)
		return false;
	for (i = 0; i < c->service_count; i++)
		address_del(p->address, &c->services[i]);
	p->announce = announce_open(p->base, c->services, c->service_count,
				    error, size);
	return p->announce;
}

static bool open_witness(struct pair *p, char *error, size_t size)
{
	const struct config *c = p->config;
	struct witness_spec spec = {
		.arbiter = c->arbiter.address,
		.pair = c->pair,
		.node = c->node,
		.interval_ns = c->arbiter.interval_ns,
		.timeout_ns = c->arbiter.timeout_ns,
		.lease_ns = c->lease_ns,
		.promise_ns = c->promise_ns,
	};

	memcpy(spec.key, c->arbiter.key, sizeof(spec.key));
	snprintf(spec.device, sizeof(spec.device), "%s", c->arbiter.device);
	p->witness = witness_open(p->base, &spec, &pair_witness_callbacks, p, error,
				  size);
	explicit_bzero(spec.key, sizeof(spec.key));
	return p->witness;
}

/* A link of a former life serves on, unless the configuration has changed. */
static bool link_serves(struct pair *p, const struct heartbeat_link_spec *spec)
{
	struct heartbeat_snapshot now = { 0 };
	unsigned int i;

	p->backend->snapshot(p->heartbeat, &now);
	for (i = 0; i < now.link_count; i++) {
		const struct heartbeat_link *link = &now.links[i];

		if (!strcmp(link->name, spec->name))
			return !strcmp(link->device, spec->device) &&
			       link->kind == spec->kind &&
			       link->interval_us == spec->interval_us &&
			       link->multiplier == spec->multiplier &&
			       !memcmp(link->peer_mac, spec->peer_mac,
				       sizeof(spec->peer_mac));
	}
	return false;
}

static int add_link(struct pair *p, const struct heartbeat_link_spec *spec)
{
	int err = p->backend->link_add(p->heartbeat, spec);

	if (err != -EEXIST)
		return err;
	if (link_serves(p, spec))
		return 0;
	err = p->backend->link_del(p->heartbeat, spec->name);
	return err ? err : p->backend->link_add(p->heartbeat, spec);
}

static bool add_links(struct pair *p, char *error, size_t size)
{
	unsigned int i;

	for (i = 0; i < CONFIG_LINKS; i++) {
		const struct config_link *link = &p->config->links[i];
		struct heartbeat_link_spec spec = {
			.kind = link->kind,
			.multiplier = link->multiplier,
			.interval_us = link->interval_us,
		};
		int err;

		snprintf(spec.name, sizeof(spec.name), "%s",
			 document_kind(link->kind));
		snprintf(spec.device, sizeof(spec.device), "%s", link->device);
		memcpy(spec.peer_mac, link->peer_mac, sizeof(spec.peer_mac));
		err = add_link(p, &spec);
		if (!err)
			continue;
		snprintf(error, size, "link %s on %s: %s: check that the device exists",
			 spec.name, spec.device, strerror(-err));
		return false;
	}
	return true;
}

/* With the module the links may have been up since a former life. */
static bool look_first(struct pair *p, char *error, size_t size)
{
	struct heartbeat_snapshot now;
	int err = p->backend->snapshot(p->heartbeat, &now);
	unsigned int i;

	if (err) {
		snprintf(error, size, "the heartbeat backend does not answer: %s",
			 strerror(-err));
		return false;
	}
	p->node = now.node;
	p->peer = now.peer;
	for (i = 0; i < now.link_count; i++)
		pair_note_link(p, &now.links[i]);
	return true;
}

/* Stands before this server can become active, and stays when the daemon dies. */
static bool build_fence(struct pair *p, char *error, size_t size)
{
	const struct config *c = p->config;
	struct heartbeat_fence fence = { .last_resort = c->on_fence };
	int err;

	for (; fence.count < c->service_count; fence.count++)
		config_service_address(&c->services[fence.count],
				       &fence.addresses[fence.count]);
	err = p->backend->fence(p->heartbeat, &fence);
	if (err == -EOPNOTSUPP) {
		log_warning("no fence: a stopped daemon keeps the service addresses (backend %s)",
			    p->backend->name);
		err = 0;
	}
	if (err)
		snprintf(error, size, "cannot fence the service addresses: %s%s",
			 strerror(-err), err == -EPERM && c->on_fence ?
			 ": on-fence needs CAP_SYS_BOOT" : "");
	return !err;
}

static bool watch_switch(struct pair *p, char *error, size_t size)
{
	const char *device = p->config->switch_nic.device;
	int err = p->backend->switch_watch(p->heartbeat, device);

	if (err)
		snprintf(error, size, "cannot watch the switch NIC %s: %s",
			 device, strerror(-err));
	return !err;
}

static bool open_heartbeat(struct pair *p, char *error, size_t size)
{
	const struct config *c = p->config;
	struct heartbeat_node_spec spec = {
		.id = c->node,
		.pair = c->pair,
		.lease_ns = c->lease_ns,
		.promise_ns = c->promise_ns,
		.epoch = p->memory.epoch,
		.watch_ms = c->watch_ms,
	};

	p->backend = c->backend == CONFIG_BACKEND_MODULE ? &heartbeat_module :
							   &heartbeat_packet;
	spec.keys = c->keys;
	p->heartbeat = p->backend->open(p->base, &spec, &pair_heartbeat_callbacks, p,
					error, size);
	explicit_bzero(&spec.keys, sizeof(spec.keys));
	return p->heartbeat && build_fence(p, error, size) &&
	       watch_switch(p, error, size) && add_links(p, error, size) &&
	       look_first(p, error, size);
}

static bool open_events(struct pair *p, char *error, size_t size)
{
	p->consider_event = event_new(p->base, -1, 0, pair_ask_judge, p);
	p->again_event = event_new(p->base, -1, 0, pair_ask_judge, p);
	p->report_event = event_new(p->base, -1, 0, pair_report_regularly, p);
	p->quiesce_event = event_new(p->base, -1, 0, office_timeout, p);
	p->hooks = hook_open(p->base, p->config, NULL, NULL);
	if (p->consider_event && p->again_event && p->report_event &&
	    p->quiesce_event && p->hooks)
		return true;
	snprintf(error, size, "out of memory");
	return false;
}

struct pair *pair_open(struct event_base *base, const struct config *config,
		       char *error, size_t error_size)
{
	struct pair *p = calloc(1, sizeof(*p));

	if (!p) {
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	p->base = base;
	p->config = config;
	fill_links(p);
	if (!open_events(p, error, error_size) ||
	    !open_memory(p, error, error_size) ||
	    !open_address(p, error, error_size) ||
	    !open_sync(p, error, error_size) ||
	    !open_app(p, error, error_size) ||
	    !open_control(p, error, error_size) ||
	    !open_witness(p, error, error_size) ||
	    !open_heartbeat(p, error, error_size)) {
		p->failed = true;
		pair_close(p);
		return NULL;
	}
	sync_follow(p->sync, 0);
	pair_report_regularly(-1, 0, p);
	pair_consider(p);
	return p;
}

static void free_events(struct pair *p)
{
	struct event *events[] = { p->consider_event, p->again_event,
				   p->report_event, p->quiesce_event };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(events); i++)
		if (events[i])
			event_free(events[i]);
}

bool pair_close(struct pair *p)
{
	bool well = !p->failed;

	if (p->heartbeat)
		p->backend->close(p->heartbeat);
	if (p->witness)
		witness_close(p->witness);
	if (p->control)
		control_close(p->control);
	if (p->app)
		app_close(p->app);
	if (p->sync)
		sync_close(p->sync);
	if (p->announce)
		announce_close(p->announce);
	if (p->address)
		address_close(p->address);
	if (p->hooks)
		hook_close(p->hooks);
	free_events(p);
	free(p);
	return well;
}
