// SPDX-License-Identifier: GPL-2.0-or-later
/* Facts to view to verdict. See pair.h. */
#include "daemon/pair.h"

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/document.h"

/* Epoch above, count of writes below: comparable over all of a pair's life. */
#define POSITION_BITS	40

/* How long it is an alarm that the stores differed. */
#define RECORDS_NS	(600000 * CTIHA_NS_PER_MS)

static struct sync_status status_of_sync(struct pair *p)
{
	struct sync_status status;

	sync_status(p->sync, &status);
	return status;
}

static u64 position(const struct sync_status *status)
{
	return status->epoch << POSITION_BITS |
	       (status->position & ((1ULL << POSITION_BITS) - 1));
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

/* A cable may be out: hear now what the arbiter says, for when it matters. */
static void ask_arbiter(struct pair *p)
{
	witness_probe(p->witness);
}

/*
 * The event at hand may be older than the loss: the one that says why still waits,
 * and what is to be done cannot.
 */
static const char *why_lost(const struct heartbeat_event *event,
			    const struct heartbeat_node *node)
{
	if (node->role == CTIHA_ROLE_ACTIVE)
		return "role-lost";
	return document_cause(event->cause);
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
	if (event->cause == CTIHA_CAUSE_CARRIER)
		ask_arbiter(p);
	p->backend->snapshot(p->heartbeat, &now);
	p->node = now.node;
	if (in_office(p) && p->node.role != CTIHA_ROLE_ACTIVE)
		office_lost(p, why_lost(event, node));
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
	if (p->peer.report & ~peer->report & CTIHA_REPORT_CARRIER)
		ask_arbiter(p);
	p->peer = *peer;
	remember_peer(p);
	pair_consider(p);
}

void pair_note_link(struct pair *p, const struct heartbeat_link *link)
{
	if (link->kind < CTIHA_LINK_CROSSOVER || link->kind > CTIHA_LINK_LAN)
		return;
	if (link->state != p->links[link->kind - 1].state)
		log_info("link %s is %s (%s)", link->name,
			 document_state(link->state),
			 document_diag(link->diag));
	p->links[link->kind - 1] = *link;
	sync_links(p->sync, pair_link_up(p, CTIHA_LINK_CROSSOVER),
		   pair_link_up(p, CTIHA_LINK_LAN));
}

static void hear_link(void *arg, const struct heartbeat_event *event,
		      const struct heartbeat_link *link)
{
	struct pair *p = arg;

	broadcast(p, event, "link", document_link(link, event->time_ns));
	pair_note_link(p, link);
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
	/* Whoever cannot watch the lease any more must not act on it. */
	if (in_office(p))
		office_lost(p, "the heartbeat backend failed");
	event_base_loopbreak(p->base);
}

const struct heartbeat_callbacks pair_heartbeat_callbacks = {
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
	    news->answer != WITNESS_REFUSED_STORAGE &&
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

const struct witness_callbacks pair_witness_callbacks = {
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

	app_standby(p->app, status->protected);
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

const struct sync_callbacks pair_sync_callbacks = {
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

const struct app_callbacks pair_app_callbacks = {
	.alive_changed = hear_application,
	.stopped = hear_stopped,
};

/* ---- view, verdict, report ---- */

/* For how long has this been so? @since_ns remembers, 0 while it is not. */
static u64 lasts_ns(bool so, u64 *since_ns, u64 now)
{
	if (!so)
		*since_ns = 0;
	else if (!*since_ns)
		*since_ns = now;
	return so ? now - *since_ns : 0;
}

/* A repair takes less than a second: the alarm must outlast it to be seen. */
static bool records_differed(const struct sync_status *status, u64 now)
{
	return status->differed_ns && now - status->differed_ns < RECORDS_NS;
}

static struct judge_view look(struct pair *p)
{
	bool peer_acts = p->peer.heard && p->peer.role == CTIHA_ROLE_ACTIVE;
	struct sync_status sync = status_of_sync(p);
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
		/* Followed an active one, and lacks some that it has promised. */
		.behind = p->follow_epoch && !sync.synced,
		.state_wait_ns = p->config->state_wait_ns,
		.able = p->application && !p->ending,
		.left = p->memory.left,
		.switch_lost = p->config->switch_nic.device[0] &&
			       !(p->node.report & CTIHA_REPORT_CARRIER_SWITCH),
		.records_differed = records_differed(&sync, now),
		.order = p->order,
		.position = position(&sync),
		.peer = {
			.heard = p->peer.heard,
			.left = p->peer.left,
			.died = p->peer.last_words != CTIHA_LAST_WORDS_NONE,
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

	view.lan_lost_ns = lasts_ns(!view.l2 && !view.l3, &p->lan_lost_since_ns,
				    now);
	view.bereft_ns = lasts_ns(!peer_acts, &p->bereft_since_ns, now);
	return view;
}

/* Whoever monitors learns first how things stand. */
static void show_state(struct pair *p)
{
	struct heartbeat_event event = { .cause = CTIHA_CAUSE_NONE };
	struct heartbeat_snapshot now;
	unsigned int i;

	p->monitor_joined = false;
	if (p->backend->snapshot(p->heartbeat, &now))
		return;
	event.time_ns = clock_now_ns();
	broadcast(p, &event, "node", document_node(&now.node));
	broadcast(p, &event, "peer", document_peer(&now.peer, event.time_ns));
	for (i = 0; i < now.link_count; i++)
		broadcast(p, &event, "link",
			  document_link(&now.links[i], event.time_ns));
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

void pair_schedule(struct event *event, u64 delay_ns)
{
	struct timeval delay = {
		.tv_sec = (time_t)(delay_ns / 1000000000ULL),
		.tv_usec = (suseconds_t)(delay_ns % 1000000000ULL / 1000),
	};

	event_add(event, &delay);
}

void pair_ask_judge(int fd, short what, void *arg)
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
		pair_schedule(p->again_event, verdict.again_ns);
	office_carry_out(p);
	pair_report(p);
	command_settle(p);
	if (p->monitor_joined)
		show_state(p);
}

static u32 report_bits(struct pair *p)
{
	struct sync_status sync = status_of_sync(p);
	u32 bits = 0;

	if (p->application)
		bits |= CTIHA_REPORT_APPLICATION;
	if (p->verdict.eligible && !p->ending)
		bits |= CTIHA_REPORT_ELIGIBLE;
	if (p->verdict.wants_active)
		bits |= CTIHA_REPORT_WANTS_ACTIVE;
	if (in_office(p) || sync.synced)
		bits |= CTIHA_REPORT_SYNCED;
	if (witness_up(p->witness))
		bits |= CTIHA_REPORT_L3;
	return bits;
}

static void send_report(struct pair *p, u32 bits)
{
	struct sync_status sync = status_of_sync(p);
	int err = p->backend->report(p->heartbeat, bits, position(&sync));

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
void pair_report_regularly(int fd, short what, void *arg)
{
	struct pair *p = arg;

	(void)fd;
	(void)what;
	send_report(p, report_bits(p));
	pair_schedule(p->report_event, p->config->watch_ms * CTIHA_NS_PER_MS / 4);
}

void pair_end(struct pair *p)
{
	if (p->ending)
		return;
	p->ending = true;
	log_info("ending: leaving the pair cleanly");
	office_goodbye(p);
}
