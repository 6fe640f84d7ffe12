// SPDX-License-Identifier: GPL-2.0-or-later
/* How good links are: the module's histograms, as a document and for people. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "common/genl.h"

struct measure {
	const char *id;
	const char *name;
};

/* By enum ctiha_measure. */
static const struct measure measures[CTIHA_QUALITIES] = {
	[CTIHA_QUALITY_RTT] = { "round_trip", "round trip" },
	[CTIHA_QUALITY_JITTER] = { "jitter", "jitter" },
	[CTIHA_QUALITY_LATENESS] = { "lateness", "own lateness" },
};

static u64 total(const struct genl_histogram *h)
{
	u64 n = 0;
	int i;

	for (i = 0; i < CTIHA_QUALITY_BUCKETS; i++)
		n += h->buckets[i];
	return n;
}

/* What that share of all does not exceed: a power of two, or the largest one. */
static u64 percentile_us(const struct genl_histogram *h, unsigned int percent)
{
	u64 need = (total(h) * percent + 99) / 100, seen = 0;
	u64 max_us = (h->max_ns + CTIHA_NS_PER_US - 1) / CTIHA_NS_PER_US;
	int i;

	for (i = 0; i < CTIHA_QUALITY_BUCKETS - 1; i++) {
		seen += h->buckets[i];
		if (seen >= need)
			break;
	}
	if (i == CTIHA_QUALITY_BUCKETS - 1 || 1ULL << i > max_us)
		return max_us;
	return 1ULL << i;
}

static json_t *document(const struct genl_histogram *h)
{
	json_t *buckets = json_array();
	int i;

	for (i = 0; i < CTIHA_QUALITY_BUCKETS; i++)
		json_array_append_new(buckets,
				      json_integer((json_int_t)h->buckets[i]));
	return json_pack("{s:I, s:I, s:I, s:I, s:o}",
			 "count", (json_int_t)total(h),
			 "p50_us", (json_int_t)percentile_us(h, 50),
			 "p99_us", (json_int_t)percentile_us(h, 99),
			 "max_us", (json_int_t)((h->max_ns + CTIHA_NS_PER_US - 1) /
						CTIHA_NS_PER_US),
			 "buckets", buckets);
}

json_t *cli_quality(const struct genl_quality *quality)
{
	json_t *o = json_object();
	int i;

	for (i = 0; i < CTIHA_QUALITIES; i++)
		json_object_set_new(o, measures[i].id,
				    document(&quality->of[i]));
	return o;
}

/* ---- for people ---- */

/* One character for each power of two, by its share of the fullest one. */
static void draw(const json_t *buckets, char *text, size_t size)
{
	static const char *const bars[] = {
		"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█",
	};
	json_int_t most = 0, n;
	size_t i, len = 0;

	for (i = 0; i < json_array_size(buckets); i++) {
		n = json_integer_value(json_array_get(buckets, i));
		if (n > most)
			most = n;
	}
	for (i = 0; i < json_array_size(buckets); i++) {
		n = json_integer_value(json_array_get(buckets, i));
		len += snprintf(text + len, size - len, "%s", n ?
				bars[n * (ARRAY_SIZE(bars) - 1) / most] : "·");
	}
}

static void add_row(struct cli_table *t, const char *link,
		    const struct measure *measure, const json_t *h)
{
	char count[CLI_WORD_LEN], p50[CLI_WORD_LEN], p99[CLI_WORD_LEN];
	char max[CLI_WORD_LEN], chart[4 * CTIHA_QUALITY_BUCKETS] = "";
	const char *texts[7] = {
		link, measure->name, count, p50, p99, max, chart,
	};

	if (json_array_size(json_object_get(h, "buckets")) > CTIHA_QUALITY_BUCKETS)
		return;
	cli_count(cli_number(h, "count"), count);
	cli_time(cli_number(h, "p50_us"), p50);
	cli_time(cli_number(h, "p99_us"), p99);
	cli_time(cli_number(h, "max_us"), max);
	draw(json_object_get(h, "buckets"), chart, sizeof(chart));
	cli_table_row(t, texts);
}

void cli_quality_print(const json_t *links)
{
	static const char *const headings[] = {
		"NAME", "MEASURE", ">COUNT", ">HALF BELOW", ">99 % BELOW",
		">LARGEST", "1 us ... 1 ms ... 1 s", NULL,
	};
	struct cli_table *t = cli_table_new(headings);
	bool any = false;
	size_t i, m;

	for (i = 0; i < json_array_size(links); i++) {
		const json_t *link = json_array_get(links, i);
		const json_t *quality = json_object_get(link, "quality");

		for (m = 0; quality && m < ARRAY_SIZE(measures); m++)
			add_row(t, cli_text(link, "name"), &measures[m],
				json_object_get(quality, measures[m].id));
		any |= quality != NULL;
	}
	if (any)
		putchar('\n');
	cli_table_print(t);
}
