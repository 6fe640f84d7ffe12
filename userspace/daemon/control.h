/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: how ctiha(8) and other programs talk to the daemon.
 *
 * A unix stream socket, run-dir/control.sock, mode 0660. Requests and replies
 * are JSON objects, one per line. A request is {"command": "NAME", ...}; the
 * reply has "ok": true and the fields below, or "ok": false with "error" (what
 * is wrong) and "remedy" (what to do). Requests on one connection are answered
 * in order.
 *
 * Whoever may connect may read. Commands that change something are for root and
 * the daemon's own user. A request of more than CONTROL_REQUEST_MAX bytes, or a
 * client that does not read its replies, costs the connection.
 *
 * COMMANDS AND REPLIES (words are those of daemon/document.h; a field that does
 * not apply is left out; "_ms", "_us" and "_ns" are integers)
 *
 * status
 *   name, node, pair, backend       who this server is
 *   role, epoch                     "active", 12
 *   phase                           what it is doing: "serving", "following",
 *                                   "claiming", "handing over", "waiting", ...
 *   reason                          why it has this role, a sentence
 *   lease_left_ms                   while active; "lease_sole": true instead
 *                                   when the peer has left for good
 *   peer: {name, heard, left, role, epoch, vote_epoch, report: [words],
 *          silent_ms}
 *   links: [{name, kind, device, state, diag, carrier, rtt_us, interval_us,
 *            agreed_us, multiplier, detect_us, silent_ms, changes, stats: {}}]
 *   arbiter: {up, address, rtt_us, epoch, holder}
 *   sync: {state, path, position, peer_position, records, lag_ms,
 *          transfer_done, transfer_total}
 *   service: [{address, device, present}]
 *   switch: {device, present, carrier, peer_carrier}   if there is one
 *   application: {alive}
 *   alarms: [{id, severity, since_ms, text}]
 *            severity "critical", "warning"; since_ms: how long it has held
 *   advice                          what an operator should know or do next
 *
 * links    links: as in status
 * node     node, peer: as document_node() and document_peer() write them
 * sync     the fields of status.sync and epoch, digest, peer_digest, tx_bytes,
 *          rx_bytes, raw_bytes and packed_bytes of the records sent, before and after
 *          compression, encryption, without_standby (alone, refuse), dictionary,
 *          damaged, refused, refused_ms, diverged, scrubs, resyncs,
 *          contents: [{content, records, digest, peer_records, peer_digest,
 *          comparable}]: comparable if both are of the same position
 * monitor  after {"ok": true}: node, peer and links as they are, then events, as
 *          document_event() writes them, one per line, until the client closes
 * train    trained: id of the dictionary that was made from the records, and is used
 *          from now on; the reply comes when it is in the store
 * takeover {"wait": true|false}     become active; with wait the reply comes
 *                                   when it is, or when it has failed; "epoch"
 * standby  {"wait": true|false}     hand over and become standby
 */
#ifndef CTIHA_CONTROL_H
#define CTIHA_CONTROL_H

#include <jansson.h>

#include <ctiha/base.h>

#define CONTROL_SOCKET		"control.sock"
#define CONTROL_PATH		"/run/ctiha/" CONTROL_SOCKET
#define CONTROL_REQUEST_MAX	65536
#define CONTROL_CLIENTS_MAX	32
#define CONTROL_BACKLOG_MAX	(1024 * 1024)	/* unread bytes per client */

struct event_base;
struct control;

enum control_result {
	CONTROL_DONE,		/* the reply is filled in */
	CONTROL_PENDING,	/* control_reply() follows, with the token */
	CONTROL_STREAM,		/* the reply is filled in; then broadcasts */
};

/**
 * struct control_command - one command
 * @name: as in the request; NULL ends the table
 * @changes: needs root or the daemon's own user
 * @run: does it. @request is valid during the call only. @reply is an empty
 *       object to fill in; "ok": true is added unless control_fail() was used.
 *       @token stands for the request until it is answered.
 */
struct control_command {
	const char *name;
	bool changes;
	enum control_result (*run)(const json_t *request, json_t *reply,
				   u64 token, void *arg);
};

/**
 * control_open() - listen
 * @base: event loop
 * @path: of the socket; one that a dead daemon left is replaced
 * @commands: table, must live until control_close()
 * @arg: for the commands
 * @error, @error_size: receives the reason and remedy on failure
 *
 * Return: NULL on failure.
 */
struct control *control_open(struct event_base *base, const char *path,
			     const struct control_command *commands, void *arg,
			     char *error, size_t error_size);

/* control_close() - close all connections and remove the socket. */
void control_close(struct control *c);

/**
 * control_fail() - make a reply an error
 * @reply: as given to the command, or a new object for control_reply()
 * @remedy: what to do
 * @format: what is wrong
 *
 * Return: CONTROL_DONE, so that a command can return it.
 */
enum control_result control_fail(json_t *reply, const char *remedy,
				 const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * control_reply() - answer a pending request
 * @token: of the request
 * @reply: object; the reference is taken over; "ok" is added as for commands
 *
 * Return: false if the client has gone meanwhile.
 */
bool control_reply(struct control *c, u64 token, json_t *reply);

/**
 * control_broadcast() - send an event to all clients that monitor
 * @event: object; the reference stays with the caller
 */
void control_broadcast(struct control *c, const json_t *event);

#endif /* CTIHA_CONTROL_H */
