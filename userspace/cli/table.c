// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables, times and numbers for people. */
#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

struct cli_table {
	struct libscols_table *table;
	size_t columns;
};

struct cli_table *cli_table_new(const char *const *headings)
{
	struct cli_table *t = calloc(1, sizeof(*t));
	int flags;

	if (!t)
		abort();
	t->table = scols_new_table();
	for (; *headings; headings++, t->columns++) {
		flags = **headings == '>' ? SCOLS_FL_RIGHT : 0;
		scols_table_new_column(t->table, *headings + (flags != 0), 0,
				       flags);
	}
	return t;
}

void cli_table_row(struct cli_table *t, const char *const *texts)
{
	struct libscols_line *line = scols_table_new_line(t->table, NULL);
	size_t i;

	for (i = 0; i < t->columns; i++)
		scols_line_set_data(line, i, texts[i]);
}

void cli_table_print(struct cli_table *t)
{
	scols_print_table(t->table);
	scols_unref_table(t->table);
	free(t);
}

const char *cli_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? text : "";
}

long long cli_number(const json_t *object, const char *name)
{
	return json_integer_value(json_object_get(object, name));
}

bool cli_flag(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

/* One digit behind the point, where it says something. */
static int digits(long long us, long long unit)
{
	return us < 10 * unit && us % unit;
}

const char *cli_time(long long us, char text[CLI_WORD_LEN])
{
	double ms = us / 1e3, s = us / 1e6;

	if (!us)
		snprintf(text, CLI_WORD_LEN, "0");
	else if (us < 1000)
		snprintf(text, CLI_WORD_LEN, "%lld us", us);
	else if (us < 1000000)
		snprintf(text, CLI_WORD_LEN, "%.*f ms", digits(us, 1000), ms);
	else if (s < 120)
		snprintf(text, CLI_WORD_LEN, "%.*f s", digits(us, 1000000), s);
	else if (s < 7200)
		snprintf(text, CLI_WORD_LEN, "%.0f min", s / 60);
	else if (s < 172800)
		snprintf(text, CLI_WORD_LEN, "%.0f h", s / 3600);
	else
		snprintf(text, CLI_WORD_LEN, "%.0f d", s / 86400);
	return text;
}

const char *cli_count(long long number, char text[CLI_WORD_LEN])
{
	char plain[CLI_WORD_LEN];
	int len = snprintf(plain, sizeof(plain), "%lld", number);
	int i, n = 0;

	for (i = 0; i < len && n < CLI_WORD_LEN - 2; i++) {
		text[n++] = plain[i];
		if ((len - 1 - i) % 3 == 0 && i < len - 1 && plain[i] != '-')
			text[n++] = ',';
	}
	text[n] = 0;
	return text;
}

const char *cli_bytes(long long bytes, char text[CLI_WORD_LEN])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB" };
	double value = bytes;
	size_t i = 0;

	while (value >= 1000 && i < ARRAY_SIZE(units) - 1) {
		value /= 1000;
		i++;
	}
	snprintf(text, CLI_WORD_LEN, i ? "%.1f %s" : "%.0f %s", value,
		 units[i]);
	return text;
}

const char *cli_transfer(const json_t *sync, char text[CLI_TRANSFER_LEN])
{
	long long done = cli_number(sync, "transfer_done");
	long long total = cli_number(sync, "transfer_total");
	long long rate = cli_number(sync, "transfer_rate");
	char a[CLI_WORD_LEN], b[CLI_WORD_LEN], c[CLI_WORD_LEN], d[CLI_WORD_LEN];
	int len;

	len = snprintf(text, CLI_TRANSFER_LEN, "%s of %s records",
		       cli_count(done, a), cli_count(total, b));
	if (rate > 0 && done <= total)
		snprintf(text + len, CLI_TRANSFER_LEN - (size_t)len,
			 ", %s a second, %s to go", cli_count(rate, c),
			 cli_time((total - done) * 1000000 / rate, d));
	return text;
}

const char *cli_carrier(bool carrier)
{
	return carrier ? "carrier" : "NO CARRIER";
}

/* ---- links ---- */

static bool is_up(const json_t *link)
{
	return !strcmp(cli_text(link, "state"), "up");
}

static const char *link_why(const json_t *link)
{
	const char *diag = cli_text(link, "diag");

	/* Why it went down last says nothing while it is up. */
	if (is_up(link) || !strcmp(diag, "none"))
		return "";
	return diag;
}

/* Of the heartbeats that were lately expected, those that did not come. */
static void recent_loss(const json_t *link, char text[CLI_WORD_LEN])
{
	long long of = cli_number(link, "recent");

	if (!of)
		snprintf(text, CLI_WORD_LEN, "-");
	else
		snprintf(text, CLI_WORD_LEN, "%.1f %%",
			 cli_number(link, "recent_lost") * 100.0 / of);
}

static void add_link(struct cli_table *t, const json_t *link)
{
	char rtt[CLI_WORD_LEN], every[CLI_WORD_LEN], detect[CLI_WORD_LEN];
	char silent[CLI_WORD_LEN], changes[CLI_WORD_LEN];
	char loss[CLI_WORD_LEN];
	const char *texts[12] = {
		cli_text(link, "name"), cli_text(link, "device"),
		cli_flag(link, "carrier") ? "yes" : "NO",
		cli_text(link, "state"), link_why(link),
		cli_text(link, "direction"), "-", loss, every, detect,
		"-", changes,
	};
	long long us = cli_number(link, "agreed_us");

	recent_loss(link, loss);
	cli_time(us ? us : cli_number(link, "interval_us"), every);
	cli_time(cli_number(link, "detect_us"), detect);
	cli_count(cli_number(link, "changes"), changes);
	if (is_up(link) && cli_number(link, "rtt_us"))
		texts[6] = cli_time(cli_number(link, "rtt_us"), rtt);
	if (json_object_get(link, "silent_ms"))
		texts[10] = cli_time(cli_number(link, "silent_ms") * 1000,
				     silent);
	cli_table_row(t, texts);
}

static const char *const stat_names[] = {
	"tx", "tx_failed", "rx", "lost", "malformed", "version", "key",
	"forged", "foreign", "replayed", "missed", "deferred",
	"unverified", "stalls", "withheld",
};

static void print_stats(const json_t *links)
{
	static const char *const headings[] = {
		"NAME", ">SENT", ">FAILED", ">RECEIVED", ">LOST", ">MALFORMED",
		">VERSION", ">KEY", ">FORGED", ">FOREIGN", ">REPLAYED",
		">MISSED", ">DEFERRED", ">UNVERIFIED", ">STALLS", ">WITHHELD",
		NULL,
	};
	struct cli_table *t = cli_table_new(headings);
	size_t i, j;

	for (i = 0; i < json_array_size(links); i++) {
		const json_t *link = json_array_get(links, i);
		const char *texts[ARRAY_SIZE(stat_names) + 1];
		char words[ARRAY_SIZE(stat_names)][CLI_WORD_LEN];
		const json_t *stats = json_object_get(link, "stats");

		texts[0] = cli_text(link, "name");
		for (j = 0; j < ARRAY_SIZE(stat_names); j++)
			texts[j + 1] = cli_count(cli_number(stats,
							    stat_names[j]),
						 words[j]);
		cli_table_row(t, texts);
	}
	cli_table_print(t);
}

void cli_links_print(const json_t *links, bool stats)
{
	static const char *const headings[] = {
		"NAME", "DEVICE", "CARRIER", "STATE", "WHY", "WORKS",
		">ROUND TRIP", ">LOSS", ">INTERVAL", ">GIVES UP AFTER",
		">HEARD AGO", ">TIMES DOWN", NULL,
	};
	struct cli_table *t = cli_table_new(headings);
	size_t i;

	for (i = 0; i < json_array_size(links); i++)
		add_link(t, json_array_get(links, i));
	cli_table_print(t);
	if (stats) {
		putchar('\n');
		print_stats(links);
		cli_quality_print(links);
	}
}
