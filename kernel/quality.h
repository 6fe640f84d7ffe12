/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Quality of a link: counters and histograms, one set for each CPU.
 *
 * Each is an unsigned long, so that counting is one instruction (this_cpu_add()),
 * safe in hard interrupts, softirqs and processes alike and without a lock; with
 * u64_stats_sync interrupts would have to be off around it on 32 bits. There the
 * counters wrap after 2^32, as those of net devices do.
 */
#ifndef CTIHA_KERNEL_QUALITY_H
#define CTIHA_KERNEL_QUALITY_H

#include <linux/percpu.h>
#include <linux/skbuff.h>

#include <ctiha/base.h>
#include <linux/ctiha.h>

struct ctiha_session;

/**
 * struct ctiha_quality - what one CPU has counted and measured
 * @count: by CTIHA_A_STAT_*
 * @bucket: by enum ctiha_measure, then by powers of two of microseconds
 * @max_ns: by enum ctiha_measure
 */
struct ctiha_quality {
	unsigned long count[CTIHA_A_STAT_MAX + 1];
	unsigned long bucket[CTIHA_QUALITIES][CTIHA_QUALITY_BUCKETS];
	unsigned long max_ns[CTIHA_QUALITIES];
};

/**
 * ctiha_quality_count() - count something
 * @q: quality
 * @stat: CTIHA_A_STAT_*
 * @n: how many
 *
 * Context: any.
 */
static inline void ctiha_quality_count(struct ctiha_quality __percpu *q,
				       unsigned int stat, unsigned long n)
{
	this_cpu_add(q->count[stat], n);
}

/**
 * ctiha_quality_note() - one measurement
 * @q: quality
 * @what: enum ctiha_measure
 * @ns: its value; below zero counts as zero
 *
 * Context: any.
 */
void ctiha_quality_note(struct ctiha_quality __percpu *q, enum ctiha_measure what,
			s64 ns);

/**
 * ctiha_quality_hear() - what a believed heartbeat says of the link
 * @q: quality
 * @session: the session, which has heard it
 * @echoed_sent_ns: 0 if it echoes none, so that there is no round trip
 *
 * Context: any.
 */
void ctiha_quality_hear(struct ctiha_quality __percpu *q,
			const struct ctiha_session *session,
			u64 echoed_sent_ns);

/**
 * ctiha_quality_add_counts() - the counters of all CPUs
 * @q: quality
 * @stats: by CTIHA_A_STAT_*; they are added to it
 *
 * Context: any.
 */
void ctiha_quality_add_counts(const struct ctiha_quality __percpu *q, u64 *stats);

/**
 * ctiha_quality_put() - add the histograms of all CPUs as CTIHA_A_LINK_QUALITY
 * @skb: message
 * @q: quality
 *
 * Context: any. Return: 0 or -EMSGSIZE.
 */
int ctiha_quality_put(struct sk_buff *skb, const struct ctiha_quality __percpu *q);

#endif /* CTIHA_KERNEL_QUALITY_H */
