// SPDX-License-Identifier: GPL-2.0-or-later
/* What the callers say: events and the final document as JSON, progress as text. */
#include <stdarg.h>
#include <stdio.h>

#include <jansson.h>

#include "common/clock.h"
#include "load/drive.h"

void tell_event(const char *event, const char *format, ...)
{
	va_list args;

	printf("{\"event\":\"%s\",\"time_ns\":%llu", event,
	       (unsigned long long)clock_now_ns());
	if (format[0]) {
		putchar(',');
		va_start(args, format);
		vprintf(format, args);
		va_end(args);
	}
	puts("}");
	fflush(stdout);
}

static double to_ms(u64 ns)
{
	return (double)ns / 1e6;
}

void tell_gap(const struct gap *g)
{
	tell_event("gap",
		   "\"from_ns\":%llu,\"to_ns\":%llu,\"ms\":%.3f,\"writes_in_flight\":%llu,\"calls\":%llu",
		   (unsigned long long)g->from_ns, (unsigned long long)g->to_ns,
		   to_ms(g->to_ns - g->from_ns),
		   (unsigned long long)g->in_flight,
		   (unsigned long long)g->calls);
}

void tell_takeover(const struct takeover *t)
{
	tell_event("takeover",
		   "\"from_ns\":%llu,\"to_ns\":%llu,\"ms\":%.3f,\"from_epoch\":%llu,\"to_epoch\":%llu,\"writes_in_flight\":%llu,\"calls\":%llu",
		   (unsigned long long)t->from_ns, (unsigned long long)t->to_ns,
		   to_ms(t->to_ns - t->from_ns),
		   (unsigned long long)t->from_epoch,
		   (unsigned long long)t->to_epoch,
		   (unsigned long long)t->in_flight,
		   (unsigned long long)t->calls);
}

static json_t *audit_json(const struct drive *d, const struct ledger_audit *a)
{
	return json_pack("{s:b, s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
		"complete", a->complete,
		"good", ledger_audit_good(a),
		"calls_before", (json_int_t)a->calls_before,
		"calls_after", (json_int_t)a->calls_after,
		"calls_lost", (json_int_t)a->calls_lost,
		"calls_lost_alone", (json_int_t)a->calls_lost_alone,
		"calls_wrong", (json_int_t)a->calls_wrong,
		"calls_duplicated", (json_int_t)a->calls_duplicated,
		"calls_resurrected", (json_int_t)a->calls_resurrected,
		"calls_unknown", (json_int_t)a->calls_unknown,
		"writes_undecided", (json_int_t)a->writes_undecided,
		"writes_acked_standby", (json_int_t)d->acked_standby,
		"writes_acked_alone", (json_int_t)d->acked_alone,
		"writes_in_flight",
		(json_int_t)(d->takeovers ? d->takeover.in_flight :
					    d->longest.in_flight));
}

void tell_audit(const struct drive *d, const struct ledger_audit *a)
{
	json_t *json = audit_json(d, a);
	char *text;

	if (!json)
		return;
	json_object_set_new(json, "event", json_string("audit"));
	json_object_set_new(json, "time_ns",
			    json_integer((json_int_t)clock_now_ns()));
	text = json_dumps(json, JSON_COMPACT);
	if (text)
		puts(text);
	fflush(stdout);
	free(text);
	json_decref(json);
}

void tell_progress(struct drive *d, u64 now)
{
	u64 acked = d->acked_standby + d->acked_alone;

	fprintf(stderr,
		"%llu calls, %llu/s, %u on their way, acknowledged by standby %llu, alone %llu, silent for %llu ms\n",
		(unsigned long long)d->ledger.live,
		(unsigned long long)(acked - d->progress_acked), d->in_flight,
		(unsigned long long)d->acked_standby,
		(unsigned long long)d->acked_alone,
		(unsigned long long)(d->in_flight ?
			(now - d->last_answer_ns) / CTIHA_NS_PER_MS : 0));
	d->progress_acked = acked;
}

static json_t *gaps_json(const struct drive *d)
{
	json_t *array = json_array();
	u32 i;

	for (i = 0; i < d->gap_count && i < DRIVE_GAPS; i++) {
		const struct gap *g = &d->gaps[i];

		json_array_append_new(array, json_pack("{s:I, s:I, s:I, s:I}",
			"from_ns", (json_int_t)g->from_ns,
			"to_ns", (json_int_t)g->to_ns,
			"writes_in_flight", (json_int_t)g->in_flight,
			"calls", (json_int_t)g->calls));
	}
	return array;
}

int tell_document(const struct drive *d, const struct ledger_audit *a)
{
	u64 acked = d->acked_standby + d->acked_alone;
	json_t *json = audit_json(d, a);
	json_t *more;
	int rc;

	more = json_pack("{s:I, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:o}",
		"takeovers", (json_int_t)d->takeovers,
		"last_op_before_takeover_ns", (json_int_t)d->takeover.from_ns,
		"first_op_after_takeover_ns", (json_int_t)d->takeover.to_ns,
		"calls_at_takeover", (json_int_t)d->takeover.calls,
		"longest_gap_ms", to_ms(d->longest.to_ns - d->longest.from_ns),
		"last_op_before_gap_ns", (json_int_t)d->longest.from_ns,
		"first_op_after_gap_ns", (json_int_t)d->longest.to_ns,
		"calls_at_gap", (json_int_t)d->longest.calls,
		"requests_sent", (json_int_t)d->sent,
		"requests_repeated", (json_int_t)d->repeated,
		"answers_not_serving", (json_int_t)d->not_serving,
		"answers_no_call", (json_int_t)d->no_call,
		"answers_stale", (json_int_t)d->stale,
		"latency_mean_ms",
		acked ? to_ms(d->latency_sum_ns / acked) : 0.0,
		"latency_max_ms", to_ms(d->latency_max_ns),
		"gaps", gaps_json(d));
	if (!json || !more) {
		json_decref(json);
		json_decref(more);
		return -ENOMEM;
	}
	json_object_update(json, more);
	json_decref(more);
	rc = json_dump_file(json, d->o.json, JSON_INDENT(2)) ? -EIO : 0;
	json_decref(json);
	return rc;
}
