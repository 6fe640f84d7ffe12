/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scrubbing: reads all records again and again, some in each tick, and looks
 * whether they are still what was written. The digests of both stores are
 * counted along with the writes, so they cannot show what memory has forgotten.
 *
 * On a standby a damaged record makes the store diverged: it asks for all anew.
 * On the active one it is an alarm while the standby has the good one, for then
 * the remedy is to hand over. Without a standby the record is taken as it is, as
 * otherwise no other server could ever be sent what our digest promises.
 */
#ifndef CTIHA_SCRUB_H
#define CTIHA_SCRUB_H

#include "daemon/sync/store.h"

struct sync;

/**
 * struct scrub - how far it is
 * @place: the record looked at last
 * @passes: over all records, completed
 */
struct scrub {
	struct store_place place;
	u64 passes;
};

/* Look at the next ones; may end the connection, or change the state. */
void scrub_tick(struct sync *s);

#endif /* CTIHA_SCRUB_H */
