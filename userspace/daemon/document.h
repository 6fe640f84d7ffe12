/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The words and JSON documents in which ctiha shows a node, its peer, its links
 * and their events: one source for the daemon's control socket and for ctiha(8)
 * when it asks the module itself.
 *
 * Pure but for memory. The document functions return a new reference, or NULL
 * without memory.
 */
#ifndef CTIHA_DOCUMENT_H
#define CTIHA_DOCUMENT_H

#include <jansson.h>

#include "daemon/heartbeat/heartbeat.h"

/* Words; "unknown" for a value out of range. */
const char *document_role(u8 role);
const char *document_kind(u8 kind);
const char *document_state(u8 state);
const char *document_diag(u8 diag);
const char *document_cause(u8 cause);

/* The words of the CTIHA_REPORT_* bits that are set, in an array. */
json_t *document_report(u32 report);

/**
 * document_node() - {node, pair, role, epoch, vote_epoch, lease_ms, promise_ms,
 *                    lease_left_ms | lease_sole, promise_left_ms, report,
 *                    sync_pos}
 * @node: the node
 */
json_t *document_node(const struct heartbeat_node *node);

/**
 * document_peer() - {heard, left, role, epoch, vote_epoch, report, sync_pos,
 *                    heard_ns, silent_ms}
 * @peer: the peer
 * @now_ns: CLOCK_MONOTONIC, for silent_ms; 0 leaves it out
 *
 * All but heard and left are missing until something was heard.
 */
json_t *document_peer(const struct heartbeat_peer *peer, u64 now_ns);

/**
 * document_link() - {name, kind, device, state, diag, interval_us, multiplier,
 *                    agreed_us, detect_us, rtt_us, heard_ns, silent_ms,
 *                    changes, peer_mac,
 *                    stats: {tx, tx_failed, rx, lost, malformed, version, key,
 *                    forged, foreign, replayed}}
 * @link: the link
 * @now_ns: as above
 */
json_t *document_link(const struct heartbeat_link *link, u64 now_ns);

/**
 * document_event() - {time_ns, seq, cause, object, OBJECT: {...}}
 * @event: what happened
 * @object: "node", "peer" or "link"
 * @body: its document; the reference is taken over
 */
json_t *document_event(const struct heartbeat_event *event, const char *object,
		       json_t *body);

#endif /* CTIHA_DOCUMENT_H */
