/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctiha-load drive: the callers.
 *
 *   drive.c    options, the loop, control commands
 *   caller.c   requests: sent, sent again, answered; gaps in the answers
 *   audit.c    walks over what the pair holds and compares
 *   tell.c     event lines, progress, the final document
 */
#ifndef CTIHA_DRIVE_H
#define CTIHA_DRIVE_H

#include <sys/queue.h>

#include "load/ledger.h"
#include "load/load.h"
#include "load/request.h"

#define DRIVE_GAPS	32

/* A request on its way. */
struct caller_op {
	TAILQ_ENTRY(caller_op) entry;
	u64 id;
	u64 number;
	u64 first_ns;
	u64 next_ns;
	u8 op;
};

/**
 * struct gap - a time without answers while some were due
 * @from_ns: last answer before it; @to_ns: first one after it
 * @in_flight: writes on their way when it was noticed
 * @calls: alive then
 */
struct gap {
	u64 from_ns;
	u64 to_ns;
	u64 in_flight;
	u64 calls;
};

/**
 * struct takeover - another server began to answer
 * @from_ns: last answer of the old one; @to_ns: first one of the new one
 * @from_epoch, @to_epoch: that they act in
 * @in_flight: writes that were on their way then
 * @calls: alive then
 */
struct takeover {
	u64 from_ns;
	u64 to_ns;
	u64 from_epoch;
	u64 to_epoch;
	u64 in_flight;
	u64 calls;
};

struct drive_options {
	struct sockaddr_storage service;
	socklen_t service_len;
	u64 calls;
	u64 rate;
	u64 seconds;
	u64 window;
	u64 retry_ns;
	u64 gap_ns;
	u64 seed;
	u64 first;
	const char *control;
	const char *ledger;
	const char *json;
};

/**
 * struct drive - a run
 * @ops: all @window requests; @waiting: on their way, by next_ns; @idle: free
 * @run: random, so that a later run's requests are not taken for old ones
 * @normal_ns: usual time between two answers, smoothed
 * @epoch: of the server that answers; @takeovers: how often that changed, the
 *         last one being @takeover
 * @paused: only answers and repetitions
 */
struct drive {
	struct drive_options o;
	struct ledger ledger;
	int fd;
	int control;
	struct caller_op *ops;
	TAILQ_HEAD(caller_ops, caller_op) waiting, idle;
	u32 in_flight;
	u64 run;
	u64 next_id;
	u64 random;
	bool filled;
	bool paused;
	u64 filled_ns;
	u64 issued_ns;		/* requests are due since then */
	u64 last_answer_ns;
	u64 normal_ns;
	bool in_gap;
	struct gap gap;
	struct gap gaps[DRIVE_GAPS];
	u32 gap_count;
	struct gap longest;
	u64 epoch;
	u32 takeovers;
	struct takeover takeover;
	u64 acked_standby;
	u64 acked_alone;
	u64 not_serving;
	u64 no_call;
	u64 stale;
	u64 sent;
	u64 repeated;
	u64 latency_sum_ns;
	u64 latency_max_ns;
	u64 progress_acked;
};

/* caller.c */
int caller_open(struct drive *d);
void caller_close(struct drive *d);

/* Sends what is due at @now. Return: when something is due next. */
u64 caller_turn(struct drive *d, u64 now);

/* Takes in all answers that have arrived. */
void caller_receive(struct drive *d);

/* audit.c: takes up to @limit_ns; the callers must be quiet. */
void audit_run(struct drive *d, u64 limit_ns, struct ledger_audit *a);

/* tell.c */
void tell_event(const char *event, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void tell_gap(const struct gap *gap);
void tell_takeover(const struct takeover *takeover);
void tell_audit(const struct drive *d, const struct ledger_audit *a);
void tell_progress(struct drive *d, u64 now);
int tell_document(const struct drive *d, const struct ledger_audit *a);

#endif /* CTIHA_DRIVE_H */
