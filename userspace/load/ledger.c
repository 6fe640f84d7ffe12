// SPDX-License-Identifier: GPL-2.0-or-later
/* The callers' ledger. See ledger.h. */
#include "load/ledger.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/ctiha.h"
#include "load/record.h"

#define NOWHERE	UINT32_MAX

void ledger_init(struct ledger *l, u64 seed, u64 first)
{
	memset(l, 0, sizeof(*l));
	l->seed = seed;
	l->first = first;
}

void ledger_free(struct ledger *l)
{
	free(l->calls);
	free(l->alive);
}

static bool grow(struct ledger *l)
{
	u32 size = l->size ? 2 * l->size : 16384;
	void *calls = realloc(l->calls, size * sizeof(*l->calls));
	void *alive;

	if (!calls)
		return false;
	l->calls = calls;
	alive = realloc(l->alive, size * sizeof(*l->alive));
	if (!alive)
		return false;
	l->alive = alive;
	l->size = size;
	return true;
}

struct ledger_call *ledger_set_up(struct ledger *l, u64 *number)
{
	struct ledger_call *c;

	if (l->count == l->size && !grow(l))
		return NULL;
	*number = l->first + l->count;
	c = &l->calls[l->count++];
	*c = (struct ledger_call){ .sent = 1, .place = NOWHERE };
	return c;
}

static void enter(struct ledger *l, struct ledger_call *c)
{
	c->place = l->alive_count++;
	l->alive[c->place] = (u32)(c - l->calls);
}

static void leave(struct ledger *l, struct ledger_call *c)
{
	u32 last = l->alive[--l->alive_count];

	l->alive[c->place] = last;
	l->calls[last].place = c->place;
	c->place = NOWHERE;
}

struct ledger_call *ledger_pick(struct ledger *l, u64 random, u64 *number)
{
	struct ledger_call *c;
	u32 index;

	if (!l->alive_count)
		return NULL;
	index = l->alive[random % l->alive_count];
	c = &l->calls[index];
	leave(l, c);
	c->sent = c->acked + 1;
	*number = l->first + index;
	return c;
}

struct ledger_call *ledger_call(struct ledger *l, u64 number)
{
	if (number < l->first || number - l->first >= l->count)
		return NULL;
	return &l->calls[number - l->first];
}

void ledger_acked(struct ledger *l, struct ledger_call *c, u8 how, u64 now_ns)
{
	if (!c->acked)
		l->live++;
	c->acked = c->sent;
	c->how = how;
	c->acked_ns = now_ns;
	if (c->ending) {
		c->ending = false;
		c->ended = true;
		l->live--;
	} else {
		enter(l, c);
	}
}

/* ---- audit ---- */

static bool undecided(const struct ledger_call *c)
{
	return c->sent != c->acked;
}

void ledger_audit_begin(struct ledger *l, struct ledger_audit *a)
{
	u32 i;

	memset(a, 0, sizeof(*a));
	for (i = 0; i < l->count; i++)
		l->calls[i].seen = false;
}

static bool equals(const struct ledger *l, u64 key, u32 version,
		   const u8 *record, size_t len)
{
	u8 expected[RECORD_MAX];

	return version && record_make(expected, l->seed, key, version) == len &&
	       !memcmp(expected, record, len);
}

void ledger_audit_record(struct ledger *l, struct ledger_audit *a, u64 key,
			 const u8 *record, size_t len)
{
	struct ledger_call *c = ledger_call(l, key);

	a->calls_after++;
	if (!c) {
		a->calls_unknown++;
		return;
	}
	/* The same call under another key is a second copy, too. */
	if (c->seen || record_call(record, len) != key)
		a->calls_duplicated++;
	c->seen = true;
	if (c->ended) {
		a->calls_resurrected++;
		return;
	}
	if (equals(l, key, c->acked, record, len))
		return;
	if (undecided(c) && !c->ending && equals(l, key, c->sent, record, len))
		return;
	a->calls_wrong++;
}

void ledger_audit_end(struct ledger *l, struct ledger_audit *a)
{
	u32 i;

	for (i = 0; i < l->count; i++) {
		const struct ledger_call *c = &l->calls[i];

		if (undecided(c))
			a->writes_undecided++;
		if (!c->acked || c->ended)
			continue;
		a->calls_before++;
		if (c->seen || c->ending)
			continue;
		a->calls_lost++;
		if (c->how == CTIHA_ACK_ALONE)
			a->calls_lost_alone++;
	}
	a->complete = true;
}

bool ledger_audit_good(const struct ledger_audit *a)
{
	return a->complete && !a->calls_lost && !a->calls_wrong &&
	       !a->calls_duplicated && !a->calls_resurrected &&
	       !a->calls_unknown;
}

int ledger_save(const struct ledger *l, const char *path)
{
	static const char *const hows[] = { "standby", "alone" };
	FILE *f = fopen(path, "w");
	u32 i;

	if (!f)
		return -errno;
	fprintf(f, "call,acked_version,how,acked_ns,sent_version,state\n");
	for (i = 0; i < l->count; i++) {
		const struct ledger_call *c = &l->calls[i];

		fprintf(f, "%llu,%u,%s,%llu,%u,%s\n",
			(unsigned long long)(l->first + i), c->acked,
			c->acked ? hows[c->how & 1] : "",
			(unsigned long long)c->acked_ns, c->sent,
			c->ended ? "ended" : c->ending ? "ending" :
			c->acked ? "alive" : "setting up");
	}
	return fclose(f) ? -errno : 0;
}
