/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Applying: what the active sends, into the standby's store. Records and
 * snapshots come from the live connection; whatever arrives in one go is one
 * transaction.
 *
 * Of struct standby these fields are its own: receiving, claimed, open,
 * open_received, restored. It sets ack_due when there is something to tell, and ends the
 * belief to be synced when a snapshot begins.
 *
 * Event loop thread only. No function here calls back into the daemon. Those that
 * take a connection may end it, by way of its lost callback.
 */
#ifndef CTIHA_APPLY_H
#define CTIHA_APPLY_H

#include "daemon/sync/internal.h"

/**
 * apply_commit() - commit what was applied since the last time
 * Return: 0 or -errno; nothing of it is in the store then.
 */
int apply_commit(struct sync *s);

/**
 * apply_fail() - the store does not take what came: say so, end the connection
 * @rc: -errno
 */
void apply_fail(struct sync *s, struct connection *c, int rc);

/**
 * apply_records() - records: writes in sequence, or some of the snapshot
 */
void apply_records(struct sync *s, struct connection *c,
		   const struct packet *p);

/**
 * apply_snapshot_begin() - all records follow
 * @r: state that they make
 */
void apply_snapshot_begin(struct sync *s, struct connection *c,
			  const struct packet_report *r);

/**
 * apply_snapshot_resume() - the rest of the snapshot that broke off follows
 * @r: state that the whole of it makes
 */
void apply_snapshot_resume(struct sync *s, struct connection *c,
			   const struct packet_report *r);

/**
 * apply_snapshot_end() - the snapshot is complete: it counts from now on
 * @r: as at its beginning
 */
void apply_snapshot_end(struct sync *s, struct connection *c,
			const struct packet_report *r);

/**
 * apply_stop() - the connection is gone: forget what is not committed
 *
 * The committed part of a snapshot stays, for apply_partial().
 */
void apply_stop(struct sync *s);

/**
 * apply_partial() - what there is of a snapshot that broke off
 * @partial: set
 * Return: false if there is nothing.
 */
bool apply_partial(struct sync *s, struct packet_partial *partial);

#endif /* CTIHA_APPLY_H */
