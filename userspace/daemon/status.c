// SPDX-License-Identifier: GPL-2.0-or-later
/* The state of this server and its pair, for people. Schema: control.h. */
#include "common/clock.h"
#include "daemon/document.h"
#include "daemon/pair.h"
#include "daemon/sync/content.h"

static const char *phase_text(const struct pair *p)
{
	static const char *const texts[] = {
		[PAIR_CLAIMING] = "claiming",
		[PAIR_ACTIVE] = "serving",
		[PAIR_QUIESCING] = "handing over",
		[PAIR_FLUSHING] = "handing over",
		[PAIR_LEAVING] = "leaving",
	};

	if (p->phase != PAIR_IDLE)
		return texts[p->phase];
	return p->verdict.act == JUDGE_FOLLOW ? "following" : "waiting";
}

static const char *sync_text(enum sync_state state)
{
	static const char *const texts[] = {
		[SYNC_ALONE] = "alone",
		[SYNC_TRANSFER] = "transfer",
		[SYNC_IDENTICAL] = "identical",
		[SYNC_BEHIND] = "behind",
		[SYNC_SLOW] = "slow",
		[SYNC_DIVERGED] = "diverged",
		[SYNC_WAITING] = "waiting",
	};

	return texts[state];
}

static json_t *number(u64 value)
{
	return json_integer((json_int_t)value);
}

static json_t *digest_text(const u64 digest[2])
{
	char text[33];

	snprintf(text, sizeof(text), "%016llx%016llx",
		 (unsigned long long)digest[0], (unsigned long long)digest[1]);
	return json_string(text);
}

static void add_sync_details(json_t *o, const struct sync_status *s, u64 resyncs)
{
	json_object_set_new(o, "epoch", number(s->epoch));
	json_object_set_new(o, "digest", digest_text(s->digest));
	json_object_set_new(o, "peer_digest", digest_text(s->peer_digest));
	json_object_set_new(o, "tx_bytes", number(s->tx_bytes));
	json_object_set_new(o, "rx_bytes", number(s->rx_bytes));
	json_object_set_new(o, "raw_bytes", number(s->raw_bytes));
	json_object_set_new(o, "packed_bytes", number(s->packed_bytes));
	json_object_set_new(o, "dictionary", number(s->dictionary));
	json_object_set_new(o, "encryption",
			    json_string(s->insecure ? "none" : "tls1.3"));
	json_object_set_new(o, "without_standby",
			    json_string(s->needs_standby ? "refuse" : "alone"));
	json_object_set_new(o, "damaged", number(s->damaged));
	if (s->refused) {
		json_object_set_new(o, "refused", json_string(s->refused));
		json_object_set_new(o, "refused_ms",
				    number((clock_now_ns() - s->refused_ns) /
					   CTIHA_NS_PER_MS));
	}
	json_object_set_new(o, "diverged", number(s->diverged));
	json_object_set_new(o, "scrubs", number(s->scrubs));
	json_object_set_new(o, "resyncs", number(s->resyncs));
	json_object_set_new(o, "events_lost", number(resyncs));
}

static json_t *content_document(u16 content,
				const struct sync_content_status *st)
{
	char name[CONTENT_NAME_LEN];

	return json_pack("{s:s, s:I, s:o, s:I, s:o, s:b}",
			 "content", content_name(content, name),
			 "records", (json_int_t)st->records,
			 "digest", digest_text(st->digest),
			 "peer_records", (json_int_t)st->peer_records,
			 "peer_digest", digest_text(st->peer_digest),
			 "comparable", st->comparable);
}

static json_t *contents_document(struct sync *sync)
{
	struct sync_content_status st;
	json_t *contents = json_array();
	u16 content;

	for (content = 1; content <= SYNC_CONTENT_LAST; content++) {
		if (sync_content(sync, content, &st))
			json_array_append_new(contents,
					      content_document(content, &st));
	}
	return contents;
}

json_t *status_sync(struct pair *p, bool full)
{
	struct sync_status s;
	json_t *o;

	sync_status(p->sync, &s);
	o = json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		      "state", sync_text(s.state),
		      "path", s.path ? document_kind(s.path) : "none",
		      "position", (json_int_t)s.position,
		      "peer_position", (json_int_t)s.peer_position,
		      "records", (json_int_t)s.records,
		      "lag_ms", (json_int_t)(s.lag_ns / CTIHA_NS_PER_MS),
		      "transfer_done", (json_int_t)s.transfer_done,
		      "transfer_total", (json_int_t)s.transfer_total,
		      "transfer_rate", (json_int_t)s.transfer_rate);
	if (o && full)
		add_sync_details(o, &s, p->resyncs);
	if (o && full)
		json_object_set_new(o, "contents", contents_document(p->sync));
	return o;
}

json_t *status_links(struct pair *p)
{
	struct heartbeat_snapshot now;
	json_t *links = json_array();
	unsigned int i;

	if (p->backend->snapshot(p->heartbeat, &now))
		return links;
	for (i = 0; i < now.link_count; i++)
		json_array_append_new(links, document_link(&now.links[i],
							   clock_now_ns()));
	return links;
}

static json_t *arbiter_document(struct pair *p)
{
	json_t *o = json_pack("{s:b, s:s, s:I}", "up", witness_up(p->witness),
			      "address", p->config->arbiter.address_text,
			      "rtt_us", (json_int_t)(witness_rtt_ns(p->witness) /
						     CTIHA_NS_PER_US));

	if (o && p->arbiter_known && p->arbiter.epoch) {
		json_object_set_new(o, "epoch", number(p->arbiter.epoch));
		json_object_set_new(o, "holder",
				    json_integer(p->arbiter.holder));
	}
	return o;
}

static json_t *service_document(struct pair *p)
{
	json_t *services = json_array();
	unsigned int i;

	for (i = 0; i < p->config->service_count; i++) {
		const struct config_service *s = &p->config->services[i];

		json_array_append_new(services,
			json_pack("{s:s, s:s, s:b}", "address", s->text,
				  "device", s->device, "present",
				  address_present(p->address, s) == 1));
	}
	return services;
}

struct alarm_text {
	const char *id;
	const char *severity;
	const char *text;
};

/* By JUDGE_ALARM bit. */
static const struct alarm_text alarm_texts[] = {
	{ "crossover-down", "warning", "no heartbeats on the crossover: check its cable and NICs" },
	{ "lan-down", "warning", "no heartbeats of the peer on the LAN: check the LAN of both servers" },
	{ "arbiter-down", "warning", "the arbiter does not answer: after its loss no silent server can be replaced" },
	{ "peer-silent", "critical", "the peer is silent on both links: check whether it is running" },
	{ "peer-unable", "critical", "the peer is there but cannot serve: check its daemon and application" },
	{ "lan-lost", "critical", "this server has lost the LAN: check its NIC, cable and switch port" },
	{ "cut-off", "critical", "neither peer nor arbiter answers: check this server's network" },
	{ "no-standby", "critical", "nobody could take over now" },
	{ "no-active", "critical", "nobody serves the calls" },
	{ "unable", "warning", "this server could not serve: its application is not running, or it has no LAN" },
	{ "switch-down", "warning", "no carrier on the NIC to the telephone switch: check its cable and the switch's port" },
	{ "records-differ", "critical", "call records were damaged or not the same on both servers in the last 10 minutes: check this server's memory; a standby gets them anew, an active one should hand over: ctiha standby" },
};

static json_t *alarms_document(struct pair *p, u64 now)
{
	json_t *alarms = json_array();
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(alarm_texts); i++) {
		const struct alarm_text *t = &alarm_texts[i];

		if (!p->alarm_since_ns[i])
			continue;
		json_array_append_new(alarms, json_pack(
			"{s:s, s:s, s:I, s:s}", "id", t->id, "severity",
			t->severity, "since_ms",
			(json_int_t)((now - p->alarm_since_ns[i]) /
				     CTIHA_NS_PER_MS), "text", t->text));
	}
	return alarms;
}

static const char *advice_without_standby(const struct pair *p)
{
	struct sync_status s;

	sync_status(p->sync, &s);
	if (s.needs_standby && !s.protected)
		return "repair the peer: until then no writes are taken; to do without, set without-standby = alone and ctiha reload";
	return "repair the peer: until then a failure of this server stops the service";
}

static const char *advice(const struct pair *p)
{
	if (p->verdict.reason == JUDGE_REASON_MAY_SERVE_ALONE)
		return "start the peer, or make its arbiter connection work: it may be serving alone since this server left";
	if (p->verdict.alarms & JUDGE_ALARM_NO_ACTIVE)
		return "nobody serves: see the reason above and the alarms";
	if (p->verdict.alarms & JUDGE_ALARM_NO_STANDBY)
		return advice_without_standby(p);
	if (p->verdict.alarms)
		return "repair what the alarms name; the service goes on meanwhile";
	return "nothing to do";
}

static json_t *peer_document(struct pair *p, const struct heartbeat_peer *peer,
			     u64 now)
{
	json_t *o = document_peer(peer, now);

	if (o)
		json_object_set_new(o, "name",
				    json_string(p->config->peer_name));
	return o;
}

static void add_lease(json_t *o, const struct heartbeat_node *node)
{
	if (node->role != CTIHA_ROLE_ACTIVE)
		return;
	if (node->lease_left_ns == CTIHA_LEASE_SOLE)
		json_object_set_new(o, "lease_sole", json_true());
	else
		json_object_set_new(o, "lease_left_ms",
			number(node->lease_left_ns / CTIHA_NS_PER_MS));
}

/* The NIC to the telephone switch on both servers; NULL if there is none. */
static json_t *switch_document(const struct pair *p,
			       const struct heartbeat_snapshot *now)
{
	const struct heartbeat_switch *nic = &now->node.switch_nic;

	if (!p->config->switch_nic.device[0] && !nic->ifindex)
		return NULL;
	return json_pack("{s:s, s:b, s:b, s:b}", "device",
			 nic->ifindex ? nic->device :
					p->config->switch_nic.device,
			 "present", nic->ifindex != 0, "carrier", nic->carrier,
			 "peer_carrier", now->peer.heard && now->peer.report &
					 CTIHA_REPORT_CARRIER_SWITCH);
}

json_t *status_document(struct pair *p)
{
	struct heartbeat_snapshot now = { .node = p->node, .peer = p->peer };
	u64 time = clock_now_ns();
	json_t *o;

	p->backend->snapshot(p->heartbeat, &now);
	o = json_pack("{s:s, s:i, s:I, s:s, s:s, s:I, s:s, s:s}",
		      "name", p->config->name, "node", p->config->node,
		      "pair", (json_int_t)p->config->pair,
		      "backend", p->backend->name,
		      "role", document_role(now.node.role),
		      "epoch", (json_int_t)now.node.epoch,
		      "phase", phase_text(p),
		      "reason", judge_reason_text(p->verdict.reason));
	if (!o)
		return NULL;
	add_lease(o, &now.node);
	json_object_set_new(o, "peer", peer_document(p, &now.peer, time));
	json_object_set_new(o, "links", status_links(p));
	json_object_set_new(o, "arbiter", arbiter_document(p));
	json_object_set_new(o, "sync", status_sync(p, false));
	json_object_set_new(o, "service", service_document(p));
	json_object_set_new(o, "switch", switch_document(p, &now));
	json_object_set_new(o, "application",
			    json_pack("{s:b}", "alive", p->application));
	json_object_set_new(o, "alarms", alarms_document(p, time));
	json_object_set_new(o, "advice", json_string(advice(p)));
	return o;
}
