// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts to view to verdict. See pair.h. */
#include "daemon/pair.h"

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/document.h"

/* Epoch above, count of writes below: comparable over all of a pair's life. */
#define POSITION_BITS	40

static u64 own_position(struct pair *p)
{
	struct sync_status status;

	sync_status(p->sync, &status);
	return status.epoch << POSITION_BITS |
	       (status.position & ((1ULL << POSITION_BITS) - 1));
}

bool pair_link_up(const struct pair *p, enum ctiha_link_kind kind)
{
	return p->links[kind - 1].state == CTIHA_SESSION_UP;
}

void pair_consider(struct pair *p)
{
	event_active(p->consider_event, EV_TIMEOUT, 0);
}

void pair_step(struct pair *p, const char *step, u64 time_ns)
{
	json_t *event = json_pack("{s:s, s:s, s:I, s:I, s:i}", "object", "step",
				  "step", step, "time_ns", (json_int_t)time_ns,
				  "epoch", (json_int_t)p->node.epoch,
				  "node", p->config->node);

	log_info("%s, epoch %llu", step, (unsigned long long)p->node.epoch);
	if (!event)
		return;
	control_broadcast(p->control, event);
	json_decref(event);
}

/* ---- facts ---- */

static void broadcast(struct pair *p, const struct heartbeat_event *event,
		      const char *object, json_t *body)
{
	json_t *document;

	if (!p->control || !body) {
		json_decref(body);
		return;
	}
	document = document_event(event, object, body);
	if (!document)
		return;
	control_broadcast(p->control, document);
	json_decref(document);
}

static bool in_office(const struct pair *p)
{
	return p->phase == PAIR_ACTIVE || p->phase == PAIR_QUIESCING ||
	       p->phase == PAIR_FLUSHING;
}

/*
 * An event may have waited while we changed the role ourselves: it says that
 * something changed, and the backend says how things stand now.
 */
static void hear_node(void *arg, const struct heartbeat_event *event,
		      const struct heartbeat_node *node)
{
	struct pair *p = arg;
	struct heartbeat_snapshot now = { .node = *node };

	broadcast(p, event, "node", document_node(node));
	p->backend->snapshot(p->heartbeat, &now);
	p->node = now.node;
	if (in_office(p) && p->node.role != CTIHA_ROLE_ACTIVE)
		office_lost(p, document_cause(event->cause));
	pair_consider(p);
}

static void remember_peer(struct pair *p)
{
	struct memory memory = p->memory;

	if (p->peer.heard && p->phase != PAIR_LEAVING)
		memory.left = false;
	if (p->peer.role == CTIHA_ROLE_ACTIVE && p->peer.epoch > memory.epoch)
		memory.epoch = p->peer.epoch;
	if (memory.left == p->memory.left && memory.epoch == p->memory.epoch)
		return;
	if (memory_write(p->config->state_dir, &memory))
		log_error("cannot write %s: free some space; the old content holds",
			  p->config->state_dir);
	else
		p->memory = memory;
}

static void hear_peer(void *arg, const struct heartbeat_event *event,
		      const struct heartbeat_peer *peer)
{
	struct pair *p = arg;

	broadcast(p, event, "peer", document_peer(peer, event->time_ns));
	p->peer = *peer;
	remember_peer(p);
	pair_consider(p);
}

static void hear_link(void *arg, const struct heartbeat_event *event,
		      const struct heartbeat_link *link)
{
	struct pair *p = arg;

	if (link->kind < CTIHA_LINK_CROSSOVER || link->kind > CTIHA_LINK_LAN)
		return;
	broadcast(p, event, "link", document_link(link, event->time_ns));
	if (link->state != p->links[link->kind - 1].state)
		log_info("link %s is %s (%s)", link->name,
			 document_state(link->state),
			 document_diag(link->diag));
	p->links[link->kind - 1] = *link;
	sync_links(p->sync, pair_link_up(p, CTIHA_LINK_CROSSOVER),
		   pair_link_up(p, CTIHA_LINK_LAN));
	pair_consider(p);
}

static void count_resync(void *arg)
{
	struct pair *p = arg;

	p->resyncs++;
	log_warning("events of the heartbeat backend were lost; reading all again");
}

static void fail(void *arg, const char *text)
{
	struct pair *p = arg;

	log_error("%s", text);
	p->failed = true;
	event_base_loopbreak(p->base);
}

static const struct heartbeat_callbacks heartbeat_callbacks = {
	.node = hear_node,
	.peer = hear_peer,
	.link = hear_link,
	.resync = count_resync,
	.failed = fail,
};

static void renew(struct pair *p, const struct witness_news *news)
{
	int err = p->backend->renew(p->heartbeat, news->asked_epoch,
				    news->sent_ns);

	if (err && err != -ESTALE)
		log_warning("cannot renew the lease: %s", strerror(-err));
}

static void hear_arbiter(void *arg, const struct witness_news *news)
{
	struct pair *p = arg;
	bool changed = !p->arbiter_known || news->epoch != p->arbiter.epoch ||
		       news->released != p->arbiter.released;

	p->arbiter = *news;
	p->arbiter_known = true;
	if (news->ask == WITNESS_ASK_RELEASE &&
	    news->asked_epoch == p->release_epoch)
		p->release_epoch = 0;
	if (news->answer == WITNESS_GRANTED && in_office(p))
		renew(p, news);
	else if (news->answer == WITNESS_GRANTED)
		office_granted(p, news->asked_epoch, news->sent_ns);
	else if (news->answer == WITNESS_WAIT && p->phase == PAIR_CLAIMING)
		witness_probe_after(p->witness, news->wait_ns);
	if (changed || p->phase == PAIR_CLAIMING || !p->release_epoch)
		pair_consider(p);
}

static void hear_arbiter_link(void *arg, bool up, u64 time_ns)
{
	struct pair *p = arg;

	pair_step(p, up ? "arbiter answers" : "arbiter is silent", time_ns);
	pair_consider(p);
}

static const struct witness_callbacks witness_callbacks = {
	.answer = hear_arbiter,
	.link = hear_arbiter_link,
};

static void forward_ack(void *arg, u64 cookie, enum sync_ack ack)
{
	struct pair *p = arg;

	app_acked(p->app, cookie, ack);
}

static void hear_sync(void *arg, const struct sync_status *status)
{
	struct pair *p = arg;

	(void)status;
	pair_consider(p);
}

/* Asked before a write is promised without a standby: the truth, not memory. */
static bool may_act(void *arg)
{
	struct pair *p = arg;
	struct heartbeat_snapshot now;

	return in_office(p) &&
	       !p->backend->snapshot(p->heartbeat, &now) &&
	       now.node.role == CTIHA_ROLE_ACTIVE && now.node.lease_left_ns;
}

static const struct sync_callbacks sync_callbacks = {
	.acked = forward_ack,
	.state = hear_sync,
	.may_act = may_act,
};

static void hear_application(void *arg, bool alive)
{
	struct pair *p = arg;

	p->application = alive;
	log_info("the application is %s", alive ? "alive" : "not there");
	pair_consider(p);
}

static void hear_stopped(void *arg)
{
	office_stopped(arg);
}

static const struct app_callbacks app_callbacks = {
	.alive_changed = hear_application,
	.stopped = hear_stopped,
};

/* ---- view, verdict, report ---- */

static struct judge_view look(struct pair *p)
{
	u64 now = clock_now_ns();
	struct judge_view view = {
		.node = p->config->node,
		.role = p->node.role,
		.epoch = p->node.epoch,
		.vote_epoch = p->node.vote_epoch,
		.l1 = pair_link_up(p, CTIHA_LINK_CROSSOVER),
		.l2 = pair_link_up(p, CTIHA_LINK_LAN),
		.l3 = witness_up(p->witness),
		.settle_ns = p->config->settle_ns,
		.able = p->application && !p->ending,
		.left = p->memory.left,
		.order = p->order,
		.position = own_position(p),
		.peer = {
			.heard = p->peer.heard,
			.left = p->peer.left,
			.role = p->peer.role,
			.epoch = p->peer.epoch,
			.vote_epoch = p->peer.vote_epoch,
			.report = p->peer.report,
			.position = p->peer.sync_pos,
		},
		.arbiter = {
			.known = p->arbiter_known,
			.epoch = p->arbiter.epoch,
			.holder = p->arbiter.holder,
			.released = p->arbiter.released,
		},
	};

	if (view.l2 || view.l3)
		p->lan_lost_since_ns = 0;
	else if (!p->lan_lost_since_ns)
		p->lan_lost_since_ns = now;
	else
		view.lan_lost_ns = now - p->lan_lost_since_ns;
	return view;
}

static void note_alarms(struct pair *p)
{
	u64 now = clock_now_ns();
	unsigned int i;

	for (i = 0; i < PAIR_ALARMS; i++) {
		if (!(p->verdict.alarms & 1U << i))
			p->alarm_since_ns[i] = 0;
		else if (!p->alarm_since_ns[i])
			p->alarm_since_ns[i] = now;
	}
}

static bool same_verdict(const struct judge_verdict *a,
			 const struct judge_verdict *b)
{
	return a->act == b->act && a->reason == b->reason &&
	       a->epoch == b->epoch;
}

static void schedule(struct event *event, u64 delay_ns)
{
	struct timeval delay = {
		.tv_sec = (time_t)(delay_ns / 1000000000ULL),
		.tv_usec = (suseconds_t)(delay_ns % 1000000000ULL / 1000),
	};

	event_add(event, &delay);
}

static void consider(int fd, short what, void *arg)
{
	struct pair *p = arg;
	struct judge_view view;
	struct judge_verdict verdict;

	(void)fd;
	(void)what;
	view = look(p);
	verdict = judge(&view);
	if (!same_verdict(&verdict, &p->verdict))
		log_info("judge: %s, because %s", judge_act_name(verdict.act),
			 judge_reason_text(verdict.reason));
	p->verdict = verdict;
	note_alarms(p);
	if (verdict.again_ns)
		schedule(p->again_event, verdict.again_ns);
	office_carry_out(p);
	pair_report(p);
	command_settle(p);
}

static u32 report_bits(struct pair *p)
{
	struct sync_status sync;
	u32 bits = 0;

	sync_status(p->sync, &sync);
	if (p->application)
		bits |= CTIHA_REPORT_APPLICATION;
	if (p->verdict.eligible && !p->ending)
		bits |= CTIHA_REPORT_ELIGIBLE;
	if (p->verdict.wants_active)
		bits |= CTIHA_REPORT_WANTS_ACTIVE;
	if (in_office(p) || sync.state == SYNC_IDENTICAL ||
	    sync.state == SYNC_BEHIND)
		bits |= CTIHA_REPORT_SYNCED;
	if (witness_up(p->witness))
		bits |= CTIHA_REPORT_L3;
	return bits;
}

static void send_report(struct pair *p, u32 bits)
{
	int err = p->backend->report(p->heartbeat, bits, own_position(p));

	p->reported = bits;
	if (err)
		log_warning("cannot report to the heartbeat backend: %s",
			    strerror(-err));
}

void pair_report(struct pair *p)
{
	u32 bits = report_bits(p);

	if (bits != p->reported)
		send_report(p, bits);
}

/* The daemon's sign of life. */
static void report_regularly(int fd, short what, void *arg)
{
	struct pair *p = arg;

	(void)fd;
	(void)what;
	send_report(p, report_bits(p));
	schedule(p->report_event, p->config->watch_ms * CTIHA_NS_PER_MS / 4);
}

/* ---- opening and closing ---- */

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
	};
	unsigned int i;

	memcpy(spec.key, c->key, sizeof(spec.key));
	snprintf(spec.directory, sizeof(spec.directory), "%s", c->store_dir);
	for (i = 0; i < CONFIG_LINKS; i++) {
		spec.paths[i].configured = true;
		spec.paths[i].local = c->links[i].address;
		spec.paths[i].peer = c->links[i].peer_address;
		snprintf(spec.paths[i].device, sizeof(spec.paths[i].device),
			 "%s", c->links[i].device);
	}
	p->sync = sync_open(p->base, &spec, &sync_callbacks, p, error, size);
	explicit_bzero(spec.key, sizeof(spec.key));
	return p->sync;
}

static bool open_app(struct pair *p, char *error, size_t size)
{
	char path[CONFIG_PATH_LEN];

	snprintf(path, sizeof(path), "%.*s/%s", CONFIG_RUN_DIR_MAX,
		 p->config->run_dir, PAIR_APP_SOCKET);
	p->app = app_open(p->base, path, p->sync, &app_callbacks, p, error,
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
	p->witness = witness_open(p->base, &spec, &witness_callbacks, p, error,
				  size);
	explicit_bzero(spec.key, sizeof(spec.key));
	return p->witness;
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
		err = p->backend->link_add(p->heartbeat, &spec);
		if (!err || err == -EEXIST)
			continue;
		snprintf(error, size, "link %s on %s: %s: check that the device exists",
			 spec.name, spec.device, strerror(-err));
		return false;
	}
	return true;
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
	struct heartbeat_snapshot now;

	p->backend = c->backend == CONFIG_BACKEND_MODULE ? &heartbeat_module :
							   &heartbeat_packet;
	memcpy(spec.key, c->key, sizeof(spec.key));
	p->heartbeat = p->backend->open(p->base, &spec, &heartbeat_callbacks, p,
					error, size);
	explicit_bzero(spec.key, sizeof(spec.key));
	if (!p->heartbeat || !add_links(p, error, size))
		return false;
	if (!p->backend->snapshot(p->heartbeat, &now)) {
		p->node = now.node;
		p->peer = now.peer;
	}
	return true;
}

static bool open_events(struct pair *p, char *error, size_t size)
{
	p->consider_event = event_new(p->base, -1, 0, consider, p);
	p->again_event = event_new(p->base, -1, 0, consider, p);
	p->report_event = event_new(p->base, -1, 0, report_regularly, p);
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
	report_regularly(-1, 0, p);
	pair_consider(p);
	return p;
}

void pair_end(struct pair *p)
{
	if (p->ending)
		return;
	p->ending = true;
	log_info("ending: leaving the pair cleanly");
	office_goodbye(p);
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
