// SPDX-License-Identifier: GPL-2.0-or-later
/* What the application knows of calls: a hash table. See table.h. */
#include "load/table.h"

#include <stdlib.h>

#define BUCKETS		(1U << 16)
#define ENDED_KEPT	(1U << 16)

/* @ended: ring of calls that ended last; 0: none */
struct table {
	struct table_call *buckets[BUCKETS];
	u64 ended[ENDED_KEPT];
	u32 ended_at;
};

struct table *table_new(void)
{
	return calloc(1, sizeof(struct table));
}

void table_free(struct table *t)
{
	if (!t)
		return;
	table_clear(t);
	free(t);
}

static struct table_call **place(struct table *t, u64 call)
{
	struct table_call **at =
		&t->buckets[(call * 0x9e3779b97f4a7c15ULL) >> 48];

	while (*at && (*at)->call != call)
		at = &(*at)->next;
	return at;
}

struct table_call *table_find(struct table *t, u64 call)
{
	return *place(t, call);
}

struct table_call *table_add(struct table *t, u64 call)
{
	struct table_call **at = place(t, call);

	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (*at)
			(*at)->call = call;
	}
	return *at;
}

void table_remove(struct table *t, u64 call)
{
	struct table_call **at = place(t, call);
	struct table_call *c = *at;

	if (!c)
		return;
	*at = c->next;
	free(c);
}

void table_ended(struct table *t, struct table_call *c)
{
	u64 *oldest = &t->ended[t->ended_at++ % ENDED_KEPT];
	struct table_call *forget = *oldest ? table_find(t, *oldest) : NULL;

	if (forget && forget != c && forget->state == TABLE_ENDED)
		table_remove(t, *oldest);
	c->state = TABLE_ENDED;
	*oldest = c->call;
}

void table_clear(struct table *t)
{
	struct table_call *c;
	u32 i;

	for (i = 0; i < BUCKETS; i++) {
		while ((c = t->buckets[i])) {
			t->buckets[i] = c->next;
			free(c);
		}
	}
	memset(t->ended, 0, sizeof(t->ended));
	t->ended_at = 0;
}
