// SPDX-License-Identifier: GPL-2.0-or-later
/* What operators may order and ask over the control socket. See control.h. */
#include "common/clock.h"
#include "daemon/document.h"
#include "daemon/pair.h"

#define ORDER_LIMIT_NS	(30 * 1000000000ULL)

static enum control_result merge(json_t *reply, json_t *document)
{
	if (!document || json_object_update(reply, document))
		control_fail(reply, "try again", "out of memory");
	json_decref(document);
	return CONTROL_DONE;
}

static enum control_result run_status(const json_t *request, json_t *reply,
				      u64 token, void *arg)
{
	(void)request;
	(void)token;
	return merge(reply, status_document(arg));
}

static enum control_result run_links(const json_t *request, json_t *reply,
				     u64 token, void *arg)
{
	(void)request;
	(void)token;
	return merge(reply, json_pack("{s:o*}", "links", status_links(arg)));
}

static enum control_result run_node(const json_t *request, json_t *reply,
				    u64 token, void *arg)
{
	struct pair *p = arg;
	struct heartbeat_snapshot now;
	int err = p->backend->snapshot(p->heartbeat, &now);

	(void)request;
	(void)token;
	if (err)
		return control_fail(reply, "see the daemon's log",
				    "the heartbeat backend does not answer: %s",
				    strerror(-err));
	return merge(reply, json_pack("{s:o*, s:o*}",
				      "node", document_node(&now.node),
				      "peer", document_peer(&now.peer,
							    clock_now_ns())));
}

static enum control_result run_sync(const json_t *request, json_t *reply,
				    u64 token, void *arg)
{
	(void)request;
	(void)token;
	return merge(reply, status_sync(arg, true));
}

static void on_trained(void *arg, const char *error)
{
	struct pair *p = arg;
	struct sync_status sync;
	u64 token = p->train_token;
	json_t *reply;

	sync_status(p->sync, &sync);
	reply = json_pack("{s:I}", "trained", (json_int_t)sync.dictionary);
	p->train_token = 0;
	if (!reply)
		return;
	if (error)
		control_fail(reply, "see 'ctiha sync show'", "%s", error);
	control_reply(p->control, token, reply);
}

static enum control_result run_train(const json_t *request, json_t *reply,
				     u64 token, void *arg)
{
	struct pair *p = arg;
	const char *error;

	(void)request;
	error = sync_train(p->sync, on_trained, p);
	if (error)
		return control_fail(reply, "see 'ctiha sync show'", "%s", error);
	p->train_token = token;
	return CONTROL_PENDING;
}

static enum control_result run_monitor(const json_t *request, json_t *reply,
				       u64 token, void *arg)
{
	struct pair *p = arg;

	(void)request;
	(void)reply;
	(void)token;
	p->monitor_joined = true;
	pair_consider(p);
	return CONTROL_STREAM;
}

static enum control_result place_order(struct pair *p, u8 order,
				       const json_t *request, u64 token)
{
	bool wait = json_is_true(json_object_get(request, "wait"));

	p->order = order;
	p->order_since_ns = clock_now_ns();
	p->order_token = wait ? token : 0;
	pair_consider(p);
	return wait ? CONTROL_PENDING : CONTROL_DONE;
}

static enum control_result run_takeover(const json_t *request, json_t *reply,
					u64 token, void *arg)
{
	struct pair *p = arg;
	struct sync_status sync;

	if (p->node.role == CTIHA_ROLE_ACTIVE) {
		json_object_set_new(reply, "epoch",
				    json_integer((json_int_t)p->node.epoch));
		return CONTROL_DONE;
	}
	if (p->order)
		return control_fail(reply, "wait for it to end",
				    "another order is being carried out");
	if (!p->verdict.eligible)
		return control_fail(reply, "see 'ctiha status' for what is missing",
				    "this server is not able to serve");
	if (!p->peer.heard)
		return control_fail(reply, "nothing: it takes over by itself as soon as that is safe",
				    "the peer is silent, so it cannot hand over");
	sync_status(p->sync, &sync);
	if (sync.state != SYNC_IDENTICAL && sync.state != SYNC_BEHIND)
		return control_fail(reply, "wait until 'ctiha sync show' says identical",
				    "this server does not have all calls yet");
	return place_order(p, JUDGE_ORDER_TAKEOVER, request, token);
}

static enum control_result run_standby(const json_t *request, json_t *reply,
				       u64 token, void *arg)
{
	struct pair *p = arg;
	const u32 needs = CTIHA_REPORT_ELIGIBLE | CTIHA_REPORT_SYNCED;

	if (p->node.role != CTIHA_ROLE_ACTIVE)
		return CONTROL_DONE;
	if (p->order || p->phase != PAIR_ACTIVE)
		return control_fail(reply, "wait for it to end",
				    "a hand-over is under way");
	if (!p->peer.heard || (p->peer.report & needs) != needs)
		return control_fail(reply, "see 'ctiha status': the peer must be able to serve and have all calls",
				    "the peer cannot take over now");
	return place_order(p, JUDGE_ORDER_STANDBY, request, token);
}

static enum control_result run_reload(const json_t *request, json_t *reply,
				      u64 token, void *arg)
{
	char error[CONFIG_PATH_LEN + 64];
	struct pair *p = arg;

	(void)request;
	(void)token;
	if (!pair_reload(p, error, sizeof(error)))
		return control_fail(reply, "see 'ctihad -t' and the daemon's log",
				    "%s", error);
	json_object_set_new(reply, "send_key",
			    json_string(p->send_key ? "second" : "first"));
	return CONTROL_DONE;
}

const struct control_command pair_commands[] = {
	{ "status", false, run_status },
	{ "links", false, run_links },
	{ "node", false, run_node },
	{ "sync", false, run_sync },
	{ "train", true, run_train },
	{ "monitor", false, run_monitor },
	{ "takeover", true, run_takeover },
	{ "standby", true, run_standby },
	{ "reload", true, run_reload },
	{ NULL, false, NULL },
};

static void answer(struct pair *p, bool done)
{
	json_t *reply = json_pack("{s:I}", "epoch", (json_int_t)p->node.epoch);
	u64 token = p->order_token;

	p->order_token = 0;
	if (!token || !reply) {
		json_decref(reply);
		return;
	}
	if (!done)
		control_fail(reply, "see 'ctiha status' and the log",
			     "it was not done within %llu s",
			     ORDER_LIMIT_NS / 1000000000ULL);
	control_reply(p->control, token, reply);
}

/* office.c clears the order when the role changes. */
void command_settle(struct pair *p)
{
	bool late = p->order &&
		    clock_now_ns() - p->order_since_ns > ORDER_LIMIT_NS;

	if (late)
		p->order = JUDGE_ORDER_NONE;
	if (p->order_token && !p->order)
		answer(p, !late);
}
