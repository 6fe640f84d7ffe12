/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The callers' ledger: for each call what was acknowledged, and what is on its
 * way. An audit compares it with what the pair holds.
 */
#ifndef CTIHA_LEDGER_H
#define CTIHA_LEDGER_H

#include <ctiha/base.h>

/**
 * struct ledger_call - a call
 * @acked: last acknowledged version, 0 if none
 * @sent: version of the request on its way; @acked if there is none
 * @ending: that request ends the call
 * @ended: its end was acknowledged
 * @how: enum ctiha_ack of @acked
 * @acked_ns: when @acked was acknowledged
 * @place: in the list of those alive, U32_MAX if not there
 * @seen: by the audit under way
 */
struct ledger_call {
	u32 acked;
	u32 sent;
	bool ending;
	bool ended;
	u8 how;
	bool seen;
	u32 place;
	u64 acked_ns;
};

/**
 * struct ledger - all calls of a run; call numbers count from @first
 * @calls: @count of them
 * @alive: indexes of calls set up and with no request on their way
 */
struct ledger {
	u64 seed;
	u64 first;
	struct ledger_call *calls;
	u32 count;
	u32 size;
	u32 *alive;
	u32 alive_count;
	u32 live;		/* acknowledged and not ended */
};

/* Result of an audit; see ctiha-load(1). */
struct ledger_audit {
	u64 calls_before;
	u64 calls_after;
	u64 calls_lost;
	u64 calls_lost_alone;
	u64 calls_wrong;
	u64 calls_duplicated;
	u64 calls_resurrected;
	u64 calls_unknown;
	u64 writes_undecided;
	bool complete;
};

void ledger_init(struct ledger *l, u64 seed, u64 first);
void ledger_free(struct ledger *l);

/* A new call; its request is on its way. Return: NULL without memory. */
struct ledger_call *ledger_set_up(struct ledger *l, u64 *number);

/* A random call among those alive, taken out of them; NULL if there is none. */
struct ledger_call *ledger_pick(struct ledger *l, u64 random, u64 *number);

/* NULL if there is none. What they return is good until the next ledger_set_up(). */
struct ledger_call *ledger_call(struct ledger *l, u64 number);

/* The request on its way was acknowledged. */
void ledger_acked(struct ledger *l, struct ledger_call *c, u8 how, u64 now_ns);

/* The audit: begin, one call for each record found, then the end. */
void ledger_audit_begin(struct ledger *l, struct ledger_audit *a);
void ledger_audit_record(struct ledger *l, struct ledger_audit *a, u64 key,
			 const u8 *record, size_t len);
void ledger_audit_end(struct ledger *l, struct ledger_audit *a);

/* No call that had to be there is missing, and none is there that must not be. */
bool ledger_audit_good(const struct ledger_audit *a);

/* One line per call. Return: 0 or -errno. */
int ledger_save(const struct ledger *l, const char *path);

#endif /* CTIHA_LEDGER_H */
