/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The dictionary that the pair's packets are compressed with. It is a record like
 * any other: so it reaches the standby, survives a restart, and is the same on both.
 * The active uses it as soon as the standby has acknowledged it.
 *
 * The first one comes with the package; sync_train() makes one from the records
 * that there are.
 */
#ifndef CTIHA_VOCABULARY_H
#define CTIHA_VOCABULARY_H

#include "daemon/sync/sync.h"

struct connection;
struct trainer;

/**
 * struct vocabulary
 * @first: the package's, @first_len bytes; 0: there is none
 * @position: the store's when it was last looked whether it holds the dictionary
 * @trainer: at work; NULL: none
 * @trained, @arg: who is told
 */
struct vocabulary {
	u8 first[SYNC_VALUE_MAX];
	size_t first_len;
	u64 position;
	struct trainer *trainer;
	void (*trained)(void *arg, const char *error);
	void *arg;
};

/* The store may hold another dictionary than before: learn it. */
void vocabulary_load(struct sync *s);

/* At the start: read the one of the package. A takeover must not wait for a disk. */
void vocabulary_open(struct sync *s);

/* Active: without any, begin with the one of the package. */
void vocabulary_begin(struct sync *s);

/* Active: has the standby on this connection what we would compress with? */
bool vocabulary_shared(const struct sync *s, const struct connection *c);

void vocabulary_free(struct sync *s);

#endif /* CTIHA_VOCABULARY_H */
