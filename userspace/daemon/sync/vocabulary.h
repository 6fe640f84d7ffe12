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

#include <ctiha/base.h>

struct connection;
struct sync;
struct trainer;

/**
 * struct vocabulary
 * @position: the store's when it was last looked whether it holds the dictionary
 * @trainer: at work; NULL: none
 * @trained, @arg: who is told
 */
struct vocabulary {
	u64 position;
	struct trainer *trainer;
	void (*trained)(void *arg, const char *error);
	void *arg;
};

/* The store may hold another dictionary than before: learn it. */
void vocabulary_load(struct sync *s);

/* Active: without any, begin with the one of the package. */
void vocabulary_begin(struct sync *s);

/* Active: has the standby on this connection what we would compress with? */
bool vocabulary_shared(const struct sync *s, const struct connection *c);

void vocabulary_free(struct sync *s);

#endif /* CTIHA_VOCABULARY_H */
