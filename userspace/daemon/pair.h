/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This server's part in the pair: collects facts (heartbeats, arbiter, sync,
 * application, operator), asks the judge, carries out the verdict.
 *
 *   parts.c    opens and closes the parts
 *   pair.c     facts -> view -> verdict
 *   office.c   verdict -> steps: claim, take office, leave office
 *   command.c  operators: the control socket's commands
 *   status.c   what the control socket shows
 *
 * Event loop thread only.
 */
#ifndef CTIHA_PAIR_H
#define CTIHA_PAIR_H

#include <jansson.h>

#include "daemon/address.h"
#include "daemon/announce.h"
#include "daemon/app.h"
#include "daemon/arbiter/witness.h"
#include "daemon/config.h"
#include "daemon/control.h"
#include "daemon/heartbeat/heartbeat.h"
#include "daemon/hook.h"
#include "daemon/judge.h"
#include "daemon/memory.h"
#include "daemon/sync/sync.h"

#define PAIR_ALARMS	16
#define PAIR_APP_SOCKET	"app.sock"

struct event;
struct event_base;

/* Where this server is between two roles. */
enum pair_phase {
	PAIR_IDLE,		/* initial or standby */
	PAIR_CLAIMING,		/* asks the arbiter for an epoch */
	PAIR_ACTIVE,
	PAIR_QUIESCING,		/* active; the application is stopping */
	PAIR_FLUSHING,		/* active; the standby gets the last writes */
	PAIR_LEAVING,		/* the daemon is about to end */
};

/**
 * struct pair - the daemon's state
 * @phase: enum pair_phase
 * @memory: durable knowledge
 * @node, @peer, @links: the heartbeat backend's last word
 * @arbiter: the arbiter's last answer; @arbiter_known: there was one
 * @lan_lost_since_ns: since when L2 and L3 have both been down, 0 if not
 * @bereft_since_ns: since when no active peer has been heard, 0 if one is
 * @train_token: who waits for a dictionary
 * @order: enum judge_order; @order_since_ns, @order_token: of it
 * @verdict: the judge's last word
 * @claim_epoch: epoch asked of the arbiter in PAIR_CLAIMING
 * @elected: the current or claimed epoch rests on the peer's vote
 * @release_epoch: own former epoch that the arbiter must be told is over, or 0
 * @follow_epoch: epoch that sync follows, 0 if none
 * @reported: bits last given to the backend
 * @resyncs: times events of the backend were lost
 * @alarm_since_ns: since when each JUDGE_ALARM bit has held, 0 if not
 * @monitor_joined: somebody began to monitor and has seen nothing yet
 * @send_key: slot of the key that frames are sealed with, since a reload
 * @ending: SIGTERM came: leave office, say goodbye, end
 */
struct pair {
	struct event_base *base;
	const struct config *config;

	const struct heartbeat_backend *backend;
	struct heartbeat *heartbeat;
	struct witness *witness;
	struct sync *sync;
	struct app *app;
	struct address *address;
	struct announce *announce;
	struct hook_queue *hooks;
	struct control *control;

	struct event *consider_event;
	struct event *report_event;
	struct event *again_event;
	struct event *quiesce_event;

	enum pair_phase phase;
	struct memory memory;
	struct heartbeat_node node;
	struct heartbeat_peer peer;
	struct heartbeat_link links[CONFIG_LINKS];
	struct witness_news arbiter;
	bool arbiter_known;
	bool application;
	u64 lan_lost_since_ns;
	u64 bereft_since_ns;
	u8 order;
	u64 order_since_ns;
	u64 order_token;
	u64 train_token;
	struct judge_verdict verdict;
	u64 claim_epoch;
	bool elected;
	u64 release_epoch;
	u64 follow_epoch;
	u32 reported;
	u64 resyncs;
	u64 alarm_since_ns[PAIR_ALARMS];
	bool monitor_joined;
	u8 send_key;
	bool ending;
	bool failed;
};

/**
 * pair_open() - open every part and begin
 * @base: event loop
 * @config: must live until pair_close()
 * @error: receives the reason and the remedy on failure
 *
 * Return: NULL on failure.
 */
struct pair *pair_open(struct event_base *base, const struct config *config,
		       char *error, size_t error_size);

/* Leave office, say goodbye to the peer, then break the event loop. */
void pair_end(struct pair *p);

/**
 * pair_reload() - read the configuration again, use its keys, and its rule for
 *                 writes without a standby
 * @p: the daemon
 * @error: receives the reason on failure
 * @size: of @error
 *
 * Return: false if nothing was changed.
 */
bool pair_reload(struct pair *p, char *error, size_t size);

/* pair_close() - close every part; true if the daemon ended as it should. */
bool pair_close(struct pair *p);

/* pair_consider() - some fact has changed: ask the judge, soon and once. */
void pair_consider(struct pair *p);

/* pair_report() - tell the backend what our heartbeats shall carry. */
void pair_report(struct pair *p);

/* pair_step() - one step of a change, for the log, monitors and timelines. */
void pair_step(struct pair *p, const char *step, u64 time_ns);

/* A link of the given kind is up. */
bool pair_link_up(const struct pair *p, enum ctiha_link_kind kind);

/* pair_schedule() - let an event come after a delay. */
void pair_schedule(struct event *event, u64 delay_ns);

/* ---- for parts.c ---- */

extern const struct heartbeat_callbacks pair_heartbeat_callbacks;
extern const struct witness_callbacks pair_witness_callbacks;
extern const struct sync_callbacks pair_sync_callbacks;
extern const struct app_callbacks pair_app_callbacks;

/* pair_note_link() - take in how a link stands. */
void pair_note_link(struct pair *p, const struct heartbeat_link *link);

/* pair_ask_judge(), pair_report_regularly() - event callbacks. */
void pair_ask_judge(int fd, short what, void *pair);
void pair_report_regularly(int fd, short what, void *pair);

/* ---- office.c ---- */

/* office_carry_out() - do what p->verdict says. */
void office_carry_out(struct pair *p);

/* office_granted() - the arbiter granted @epoch by the request of @sent_ns. */
void office_granted(struct pair *p, u64 epoch, u64 sent_ns);

/* office_lost() - the module says that we are no longer active. */
void office_lost(struct pair *p, const char *reason);

/* office_stopped() - the application confirms that it has stopped its work. */
void office_stopped(struct pair *p);

/* office_quiesce() - begin to hand over. */
void office_quiesce(struct pair *p, const char *reason);

/* office_goodbye() - hand over if active, then LEAVE and end the loop. */
void office_goodbye(struct pair *p);

/* office_timeout() - event callback: the time to quiesce or flush is over. */
void office_timeout(int fd, short what, void *pair);

/* ---- command.c, status.c ---- */

extern const struct control_command pair_commands[];

/* command_settle() - answer a pending takeover or standby if it is decided. */
void command_settle(struct pair *p);

json_t *status_document(struct pair *p);
json_t *status_links(struct pair *p);
json_t *status_sync(struct pair *p, bool full);

#endif /* CTIHA_PAIR_H */
