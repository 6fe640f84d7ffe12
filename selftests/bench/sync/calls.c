// SPDX-License-Identifier: GPL-2.0-or-later
/* Calls that begin, change and end. See calls.h. */
#include "calls.h"

#include <errno.h>
#include <stdlib.h>

#define SEED		20261125	/* every system gets the same calls */
#define CHANGES		8		/* of a call, for each end of one */

int calls_init(struct calls *c, u32 wanted)
{
	*c = (struct calls){
		.call = calloc(wanted, sizeof(*c->call)),
		.wanted = wanted,
		.random = SEED,
	};
	return c->call ? 0 : -ENOMEM;
}

/* xorshift64 */
static u64 next_random(struct calls *c)
{
	c->random ^= c->random << 13;
	c->random ^= c->random >> 7;
	c->random ^= c->random << 17;
	return c->random;
}

static void tell(const struct call *call, struct change *change)
{
	record_key(change->key, call->number);
	change->ended = false;
	change->len = record_make(change->value, SEED, call->number,
				  call->version);
}

static void begin(struct calls *c, struct change *change)
{
	struct call *call = &c->call[c->live++];

	*call = (struct call){ .number = ++c->last, .version = 1 };
	tell(call, change);
}

static void end(struct calls *c, struct call *call, struct change *change)
{
	record_key(change->key, call->number);
	change->ended = true;
	*call = c->call[--c->live];
}

void calls_next(struct calls *c, struct change *change)
{
	struct call *call;

	if (c->live < c->wanted) {
		begin(c, change);
		return;
	}
	call = &c->call[next_random(c) % c->live];
	if (next_random(c) % (CHANGES + 1) == 0) {
		end(c, call, change);
		return;
	}
	call->version++;
	tell(call, change);
}
