/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the application knows of calls: enough to tell a new request from one
 * that was sent again or came late. Records themselves are in the pair's store.
 */
#ifndef CTIHA_TABLE_H
#define CTIHA_TABLE_H

#include <ctiha/base.h>

enum table_state {
	TABLE_STORED,		/* in the store; how it got there is not known */
	TABLE_WRITING,		/* @version is on its way */
	TABLE_ACKED,		/* @version is safe, by @how */
	TABLE_ENDED,		/* ended at @version, by @how */
};

/**
 * struct table_call - a call
 * @call: its number
 * @version: newest known
 * @state: enum table_state
 * @how: enum ctiha_ack
 */
struct table_call {
	struct table_call *next;
	u64 call;
	u32 version;
	u8 state;
	u8 how;
};

struct table;

struct table *table_new(void);
void table_free(struct table *t);

/* NULL if it is not known. */
struct table_call *table_find(struct table *t, u64 call);

/* The call, as TABLE_STORED at version 0 if it is new. NULL without memory. */
struct table_call *table_add(struct table *t, u64 call);
void table_remove(struct table *t, u64 call);

/* It has ended: it is remembered for some time, then forgotten. */
void table_ended(struct table *t, struct table_call *c);
void table_clear(struct table *t);

#endif /* CTIHA_TABLE_H */
