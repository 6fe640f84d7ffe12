/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pairs that this arbiter serves: their keys, states and files. */
#ifndef CTIHA_ARBITER_PAIR_H
#define CTIHA_ARBITER_PAIR_H

#include "arbiter/grant.h"

#define PAIRS_MAX	256

/**
 * struct pair
 * @id: number of the pair
 * @keys: made by stamp_key_set(); a request may come under any of @key_count
 * @grant: what is known and promised
 */
struct pair {
	u32 id;
	unsigned int key_count;
	struct ctiha_mac_key keys[CTIHA_KEY_SLOTS];
	struct grant grant;
};

/**
 * struct pairs - all of them
 * @directory: state directory; outlives this struct
 * @event: told of every change
 * @event_arg: passed to it
 * @count, @list: in the order of pairs_add()
 */
struct pairs {
	const char *directory;
	void (*event)(void *arg, const struct pair *pair,
		      const struct grant_event *event);
	void *event_arg;
	unsigned int count;
	struct pair list[PAIRS_MAX];
};

/**
 * pairs_add() - serve one more pair
 * @pairs: the pairs
 * @id: number of the pair
 * @secret: key that its servers share with the arbiter
 *
 * Return: 0; -EEXIST if it is served already, -ENOSPC if there are too many.
 */
int pairs_add(struct pairs *pairs, u32 id, const u8 secret[CTIHA_KEY_LEN]);

/**
 * pairs_add_key() - accept a second key of the pair added last
 * @pairs: the pairs
 * @secret: key that its servers have or will have
 */
void pairs_add_key(struct pairs *pairs, const u8 secret[CTIHA_KEY_LEN]);

/**
 * pairs_load() - read from the disk what was promised before
 * @pairs: the pairs, all added
 * @start_ns: the time
 *
 * A pair whose file is damaged is served, but nothing is granted to it; an
 * error is logged with the remedy.
 *
 * Return: 0 or -errno of getrandom().
 */
int pairs_load(struct pairs *pairs, u64 start_ns);

/* Return: the pair, or NULL if it is not served. */
struct pair *pairs_find(struct pairs *pairs, u32 id);

/* pair_handle() - grant_handle() with the pair's file and events. */
enum grant_outcome pair_handle(struct pairs *pairs, struct pair *pair,
			       const struct stamp_request *request,
			       u64 now_ns, u64 random,
			       struct stamp_answer *answer);

/* pairs_watch() - grant_watch() for each pair. */
void pairs_watch(struct pairs *pairs, u64 now_ns);

/* Forget all keys. */
void pairs_wipe(struct pairs *pairs);

#endif /* CTIHA_ARBITER_PAIR_H */
