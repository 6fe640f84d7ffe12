// SPDX-License-Identifier: GPL-2.0-or-later
/* The words and JSON documents of node, peer, links and events. */
#include <arpa/inet.h>
#include <stdio.h>

#include "daemon/document.h"

static const char *const roles[] = {
	[CTIHA_ROLE_INITIAL] = "initial",
	[CTIHA_ROLE_STANDBY] = "standby",
	[CTIHA_ROLE_ACTIVE] = "active",
};

static const char *const kinds[] = {
	[CTIHA_LINK_CROSSOVER] = "crossover",
	[CTIHA_LINK_LAN] = "lan",
};

static const char *const states[] = {
	[CTIHA_SESSION_DOWN] = "down",
	[CTIHA_SESSION_INIT] = "init",
	[CTIHA_SESSION_UP] = "up",
};

static const char *const diags[] = {
	[CTIHA_DIAG_NONE] = "none",
	[CTIHA_DIAG_SILENCE] = "silence",
	[CTIHA_DIAG_PEER_DOWN] = "peer-down",
	[CTIHA_DIAG_PEER_RESTARTED] = "peer-restarted",
	[CTIHA_DIAG_PEER_LEFT] = "peer-left",
	[CTIHA_DIAG_DEVICE] = "device",
	[CTIHA_DIAG_PEER_DIED] = "peer-died",
	[CTIHA_DIAG_DAMPED] = "damped",
};

static const char *const directions[] = {
	[CTIHA_DIRECTION_NONE] = "none",
	[CTIHA_DIRECTION_IN] = "in",
	[CTIHA_DIRECTION_OUT] = "out",
	[CTIHA_DIRECTION_BOTH] = "both",
};

static const char *const causes[] = {
	[CTIHA_CAUSE_NONE] = "none",
	[CTIHA_CAUSE_COMMAND] = "command",
	[CTIHA_CAUSE_LEASE_EXPIRED] = "lease-expired",
	[CTIHA_CAUSE_HIGHER_EPOCH] = "higher-epoch",
	[CTIHA_CAUSE_DAEMON_CLOSED] = "daemon-closed",
	[CTIHA_CAUSE_DAEMON_SILENT] = "daemon-silent",
	[CTIHA_CAUSE_SESSION] = "session",
	[CTIHA_CAUSE_PEER] = "peer",
	[CTIHA_CAUSE_DEVICE] = "device",
	[CTIHA_CAUSE_LAST_WORDS] = "last-words",
	[CTIHA_CAUSE_CARRIER] = "carrier",
	[CTIHA_CAUSE_SLEEP] = "sleep",
	[CTIHA_CAUSE_PAUSE] = "pause",
};

static const char *const last_words[] = {
	[CTIHA_LAST_WORDS_NONE] = "none",
	[CTIHA_LAST_WORDS_PANIC] = "panic",
	[CTIHA_LAST_WORDS_OOPS] = "oops",
	[CTIHA_LAST_WORDS_REBOOT] = "reboot",
	[CTIHA_LAST_WORDS_HALT] = "halt",
	[CTIHA_LAST_WORDS_POWER_OFF] = "power-off",
	[CTIHA_LAST_WORDS_UNLOAD] = "unload",
};

static const char *const last_resorts[] = {
	[CTIHA_LAST_RESORT_NONE] = "none",
	[CTIHA_LAST_RESORT_REBOOT] = "reboot",
	[CTIHA_LAST_RESORT_PANIC] = "panic",
};

/* By enum ctiha_fenced. */
static const char *const fenced[] = {
	[CTIHA_FENCED_IPV4] = "ipv4",
	[CTIHA_FENCED_IPV6] = "ipv6",
	[CTIHA_FENCED_ARP] = "arp",
	[CTIHA_FENCED_ND] = "nd",
};

/* By bit number. */
static const char *const reports[] = {
	"daemon", "application", "eligible", "wants-active", "maintenance",
	"synced", "l1", "l2", "l3", "switch", "carrier-l1", "carrier-l2",
	"carrier-switch", "hears-l1", "hears-l2",
};

/* By CTIHA_A_STAT_*. */
static const char *const stats[CTIHA_A_STAT_MAX + 1] = {
	[CTIHA_A_STAT_TX] = "tx",
	[CTIHA_A_STAT_TX_FAILED] = "tx_failed",
	[CTIHA_A_STAT_RX] = "rx",
	[CTIHA_A_STAT_LOST] = "lost",
	[CTIHA_A_STAT_MALFORMED] = "malformed",
	[CTIHA_A_STAT_VERSION] = "version",
	[CTIHA_A_STAT_KEY] = "key",
	[CTIHA_A_STAT_FORGED] = "forged",
	[CTIHA_A_STAT_FOREIGN] = "foreign",
	[CTIHA_A_STAT_REPLAYED] = "replayed",
	[CTIHA_A_STAT_MISSED] = "missed",
	[CTIHA_A_STAT_DEFERRED] = "deferred",
	[CTIHA_A_STAT_UNVERIFIED] = "unverified",
	[CTIHA_A_STAT_STALLS] = "stalls",
	[CTIHA_A_STAT_WITHHELD] = "withheld",
};

static const char *word(const char *const words[], size_t count, u8 i)
{
	return i < count && words[i] ? words[i] : "unknown";
}

const char *document_role(u8 role)
{
	return word(roles, ARRAY_SIZE(roles), role);
}

const char *document_kind(u8 kind)
{
	return word(kinds, ARRAY_SIZE(kinds), kind);
}

const char *document_state(u8 state)
{
	return word(states, ARRAY_SIZE(states), state);
}

const char *document_diag(u8 diag)
{
	return word(diags, ARRAY_SIZE(diags), diag);
}

const char *document_cause(u8 cause)
{
	return word(causes, ARRAY_SIZE(causes), cause);
}

json_t *document_report(u32 report)
{
	json_t *array = json_array();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(reports); i++)
		if (report & 1U << i)
			json_array_append_new(array, json_string(reports[i]));
	return array;
}

static void put_text(json_t *object, const char *name, const char *text)
{
	json_object_set_new(object, name, json_string(text));
}

static void put_number(json_t *object, const char *name, u64 number)
{
	json_object_set_new(object, name, json_integer((json_int_t)number));
}

static void put_flag(json_t *object, const char *name, bool flag)
{
	json_object_set_new(object, name, json_boolean(flag));
}

static void put_silence(json_t *object, u64 heard_ns, u64 now_ns)
{
	if (heard_ns)
		put_number(object, "heard_ns", heard_ns);
	if (now_ns && heard_ns)
		put_number(object, "silent_ms", now_ns > heard_ns ?
			   (now_ns - heard_ns) / CTIHA_NS_PER_MS : 0);
}

static json_t *address_text(const struct in6_addr *address)
{
	bool mapped = IN6_IS_ADDR_V4MAPPED(address);
	char text[INET6_ADDRSTRLEN] = "";

	if (mapped)
		inet_ntop(AF_INET, &address->s6_addr[12], text, sizeof(text));
	else
		inet_ntop(AF_INET6, address, text, sizeof(text));
	return json_string(text);
}

static json_t *document_fence(const struct heartbeat_fence *fence)
{
	json_t *addresses = json_array(), *dropped = json_object();
	json_t *o = json_object();
	size_t i;

	put_flag(o, "closed", fence->closed);
	put_text(o, "last_resort", word(last_resorts, ARRAY_SIZE(last_resorts),
					fence->last_resort));
	for (i = 0; i < fence->count; i++)
		json_array_append_new(addresses,
				      address_text(&fence->addresses[i]));
	json_object_set_new(o, "addresses", addresses);
	for (i = 0; i < ARRAY_SIZE(fenced); i++)
		put_number(dropped, fenced[i], fence->dropped[i]);
	json_object_set_new(o, "dropped", dropped);
	return o;
}

static json_t *document_switch(const struct heartbeat_switch *nic)
{
	json_t *o = json_object();

	put_text(o, "device", nic->device);
	put_flag(o, "carrier", nic->carrier);
	return o;
}

json_t *document_node(const struct heartbeat_node *node)
{
	json_t *o = json_object();

	put_number(o, "node", node->id);
	put_number(o, "pair", node->pair);
	put_text(o, "role", document_role(node->role));
	put_number(o, "epoch", node->epoch);
	put_number(o, "vote_epoch", node->vote_epoch);
	put_number(o, "lease_ms", node->lease_ns / CTIHA_NS_PER_MS);
	put_number(o, "promise_ms", node->promise_ns / CTIHA_NS_PER_MS);
	if (node->lease_left_ns == CTIHA_LEASE_SOLE)
		put_flag(o, "lease_sole", true);
	else
		put_number(o, "lease_left_ms",
			   node->lease_left_ns / CTIHA_NS_PER_MS);
	put_number(o, "promise_left_ms",
		   node->promise_left_ns / CTIHA_NS_PER_MS);
	json_object_set_new(o, "report", document_report(node->report));
	put_number(o, "sync_pos", node->sync_pos);
	if (node->fence.exists)
		json_object_set_new(o, "fence", document_fence(&node->fence));
	if (node->switch_nic.ifindex)
		json_object_set_new(o, "switch",
				    document_switch(&node->switch_nic));
	return o;
}

json_t *document_peer(const struct heartbeat_peer *peer, u64 now_ns)
{
	json_t *o = json_object();

	put_flag(o, "heard", peer->heard);
	put_flag(o, "left", peer->left);
	if (peer->last_words)
		put_text(o, "last_words", word(last_words, ARRAY_SIZE(last_words),
					       peer->last_words));
	if (!peer->heard && !peer->heard_ns)
		return o;
	put_text(o, "role", document_role(peer->role));
	put_number(o, "epoch", peer->epoch);
	put_number(o, "vote_epoch", peer->vote_epoch);
	json_object_set_new(o, "report", document_report(peer->report));
	put_number(o, "sync_pos", peer->sync_pos);
	put_silence(o, peer->heard_ns, now_ns);
	return o;
}

static json_t *stats_document(const struct heartbeat_stats *counted)
{
	json_t *o = json_object();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(stats); i++)
		if (stats[i])
			put_number(o, stats[i], counted->count[i]);
	return o;
}

json_t *document_link(const struct heartbeat_link *link, u64 now_ns)
{
	const u8 *m = link->peer_mac;
	json_t *o = json_object();
	char mac[18];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x",
		 m[0], m[1], m[2], m[3], m[4], m[5]);
	put_text(o, "name", link->name);
	put_text(o, "kind", document_kind(link->kind));
	put_text(o, "device", link->device);
	put_text(o, "state", document_state(link->state));
	put_text(o, "diag", document_diag(link->diag));
	put_text(o, "direction", word(directions, ARRAY_SIZE(directions),
				      link->direction));
	put_flag(o, "carrier", link->carrier);
	put_number(o, "interval_us", link->interval_us);
	put_number(o, "multiplier", link->multiplier);
	put_number(o, "agreed_us", link->agreed_us);
	put_number(o, "detect_us", link->detect_ns / CTIHA_NS_PER_US);
	put_number(o, "rtt_us", link->rtt_ns / CTIHA_NS_PER_US);
	put_silence(o, link->heard_ns, now_ns);
	put_number(o, "changes", link->changes);
	put_number(o, "hold_ms", link->hold_ns / CTIHA_NS_PER_MS);
	put_number(o, "recent", link->recent);
	put_number(o, "recent_lost", link->recent_lost);
	put_text(o, "peer_mac", mac);
	json_object_set_new(o, "stats", stats_document(&link->stats));
	return o;
}

json_t *document_event(const struct heartbeat_event *event, const char *object,
		       json_t *body)
{
	json_t *o = json_object();

	put_number(o, "time_ns", event->time_ns);
	put_number(o, "seq", event->seq);
	put_text(o, "cause", document_cause(event->cause));
	put_text(o, "object", object);
	json_object_set_new(o, object, body);
	return o;
}
