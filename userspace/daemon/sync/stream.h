/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stream: what the active sends to the standby over the live connection.
 * All records as they were at one moment, then each batch of writes in order,
 * and in between keepalives that say where in the stream the standby is.
 *
 * It sends, and decides nothing: active.c says when to begin anew and what the
 * standby may believe. The struct snapshot is the stream's, and of struct active
 * these fields: sent, keepalive_ns.
 *
 * A snapshot outlives its connection for a while, so that a transfer that broke
 * off goes on with the record behind the last one that the standby has.
 *
 * Event loop thread only. No function here calls back into the daemon, but for
 * stream_next(), which may find the connection lost.
 */
#ifndef CTIHA_STREAM_H
#define CTIHA_STREAM_H

#include "daemon/sync/internal.h"

/**
 * stream_report() - say where we are
 * @c: the live connection, or the one that is about to be
 * @content: enum packet_content, of those with a report
 * @state: what to report
 * @synced: what the standby has at this point
 */
void stream_report(struct sync *s, struct connection *c, u16 content,
		   const struct store_state *state, enum packet_synced synced);

/**
 * stream_keepalive() - append a keepalive
 *
 * It says "synced" if we are and nothing is unsent. The live connection must be
 * there.
 */
void stream_keepalive(struct sync *s);

/**
 * stream_tick() - the keepalive, if there is a live connection and it is due
 * @now: ns
 */
void stream_tick(struct sync *s, u64 now);

/**
 * stream_sending() - is a snapshot being sent over the live connection?
 */
bool stream_sending(const struct sync *s);

/**
 * stream_all_sent() - has all that is committed been handed to the connection?
 */
bool stream_all_sent(const struct sync *s);

/**
 * stream_begin_snapshot() - from now on send all records, then the writes since
 *
 * The live connection must be there.
 *
 * Return: false if the store cannot be read; nothing was sent then.
 */
bool stream_begin_snapshot(struct sync *s);

/**
 * stream_resume_snapshot() - send the rest of the snapshot that broke off
 * @partial: what the standby has of it
 *
 * The live connection must be there.
 *
 * Return: false if it is not the one that is kept, or if the writes since then are
 * not; nothing was sent then.
 */
bool stream_resume_snapshot(struct sync *s,
			    const struct packet_partial *partial);

/**
 * stream_resume() - go on with the writes after the standby's state
 * Return: false, and no change, if the backlog does not pass through @state.
 */
bool stream_resume(struct sync *s, const struct store_state *state);

/**
 * stream_next() - send the next part: some of the snapshot, or a batch
 *
 * The live connection must be there. It is lost on return, by way of its
 * callback, if the store cannot be read.
 *
 * Return: false if there was nothing to send.
 */
bool stream_next(struct sync *s);

/**
 * stream_break() - the live connection ends: keep the snapshot for a while
 *
 * No effect without one: nothing prolongs what is kept.
 */
void stream_break(struct sync *s);

/**
 * stream_confirmed() - the standby has the whole snapshot
 */
void stream_confirmed(struct sync *s);

/**
 * stream_expire() - forget a snapshot that was kept for long enough
 * @now: ns; U64_MAX: forget it in any case
 */
void stream_expire(struct sync *s, u64 now);

#endif /* CTIHA_STREAM_H */
