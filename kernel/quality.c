// SPDX-License-Identifier: GPL-2.0
/* Quality of a link. See quality.h. */
#include <linux/bitops.h>
#include <net/netlink.h>

#include <ctiha/session.h>

#include "quality.h"

/* Bucket 0: below 1 us; bucket n: 2^(n - 1) us and more; the last one: all above. */
static unsigned int bucket_of(u64 ns)
{
	return min_t(unsigned int, fls64(div_u64(ns, NSEC_PER_USEC)),
		     CTIHA_QUALITY_BUCKETS - 1);
}

void ctiha_quality_note(struct ctiha_quality __percpu *q, enum ctiha_measure what,
			s64 ns)
{
	unsigned long value = clamp_t(s64, ns, 0, LONG_MAX);
	unsigned long max = this_cpu_read(q->max_ns[what]);
	unsigned long seen;

	this_cpu_inc(q->bucket[what][bucket_of(value)]);
	/* An interrupt may raise it meanwhile, or this task may change the CPU. */
	while (value > max) {
		seen = this_cpu_cmpxchg(q->max_ns[what], max, value);
		if (seen == max)
			break;
		max = seen;
	}
}

void ctiha_quality_hear(struct ctiha_quality __percpu *q,
			const struct ctiha_session *session,
			u64 echoed_sent_ns)
{
	s64 interval_ns = CTIHA_NS_PER_US * ctiha_session_agreed_us(session);

	if (echoed_sent_ns)
		ctiha_quality_note(q, CTIHA_QUALITY_RTT, session->rtt_ns);
	if (session->apart_ns)
		ctiha_quality_note(q, CTIHA_QUALITY_JITTER,
				   abs((s64)session->apart_ns - interval_ns));
}

void ctiha_quality_add_counts(const struct ctiha_quality __percpu *q, u64 *stats)
{
	unsigned int stat;
	int cpu;

	for_each_possible_cpu(cpu)
		for (stat = 0; stat <= CTIHA_A_STAT_MAX; stat++)
			stats[stat] += READ_ONCE(per_cpu_ptr(q, cpu)->count[stat]);
}

/* ---- histograms ---- */

static void sum_buckets(const struct ctiha_quality __percpu *q, unsigned int what,
			u64 *sum)
{
	unsigned int i;
	int cpu;

	memset(sum, 0, CTIHA_QUALITY_BUCKETS * sizeof(*sum));
	for_each_possible_cpu(cpu)
		for (i = 0; i < CTIHA_QUALITY_BUCKETS; i++)
			sum[i] += READ_ONCE(per_cpu_ptr(q, cpu)->bucket[what][i]);
}

static u64 max_of(const struct ctiha_quality __percpu *q, unsigned int what)
{
	unsigned long max = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		max = max(max, READ_ONCE(per_cpu_ptr(q, cpu)->max_ns[what]));
	return max;
}

static int put_histogram(struct sk_buff *skb, const struct ctiha_quality __percpu *q,
			 unsigned int what)
{
	struct nlattr *nest = nla_nest_start(skb, CTIHA_A_QUALITY_RTT + what);
	u64 buckets[CTIHA_QUALITY_BUCKETS];

	if (!nest)
		return -EMSGSIZE;
	sum_buckets(q, what, buckets);
	if (nla_put(skb, CTIHA_A_HISTOGRAM_BUCKETS, sizeof(buckets), buckets) ||
	    nla_put_u64_64bit(skb, CTIHA_A_HISTOGRAM_MAX_NS, max_of(q, what),
			      CTIHA_A_HISTOGRAM_PAD)) {
		nla_nest_cancel(skb, nest);
		return -EMSGSIZE;
	}
	nla_nest_end(skb, nest);
	return 0;
}

int ctiha_quality_put(struct sk_buff *skb, const struct ctiha_quality __percpu *q)
{
	struct nlattr *nest = nla_nest_start(skb, CTIHA_A_LINK_QUALITY);
	unsigned int what;
	int err = 0;

	if (!nest)
		return -EMSGSIZE;
	for (what = 0; what < CTIHA_QUALITIES && !err; what++)
		err = put_histogram(skb, q, what);
	if (err)
		nla_nest_cancel(skb, nest);
	else
		nla_nest_end(skb, nest);
	return err;
}
