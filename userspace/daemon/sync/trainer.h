/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Training of a dictionary from records, in a thread of its own with the lowest
 * priority: it takes seconds, and heartbeats' daemon must not notice.
 */
#ifndef CTIHA_TRAINER_H
#define CTIHA_TRAINER_H

#include <ctiha/base.h>

#include "daemon/sync/sync.h"

#define TRAINER_DICTIONARY_MAX	SYNC_VALUE_MAX	/* it travels as a record */
#define TRAINER_SAMPLES_MAX	8192U
#define TRAINER_BYTES_MAX	(4U << 20)
#define TRAINER_SAMPLES_MIN	100U		/* fewer have too little in common */

struct event_base;
struct trainer;

/**
 * typedef trainer_done_t - it is trained, or not
 * @bytes, @len: the dictionary, valid during the call; NULL with @error
 * @error: what is wrong and what to do
 */
typedef void trainer_done_t(void *arg, const void *bytes, size_t len,
			    const char *error);

struct trainer *trainer_new(struct event_base *base, trainer_done_t *done,
			    void *arg);

/* Waits for the thread, if it runs: seconds at worst. */
void trainer_free(struct trainer *t);

/**
 * trainer_sample() - add a record
 * Return: false if there are enough.
 */
bool trainer_sample(struct trainer *t, const void *bytes, size_t len);

/**
 * trainer_start() - begin; @done is called from the event loop
 * Return: NULL, or what is wrong and what to do.
 */
const char *trainer_start(struct trainer *t);

#endif /* CTIHA_TRAINER_H */
