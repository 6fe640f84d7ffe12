// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The syntax of ctiha.conf, by libconfuse.
 *
 * libconfuse would keep only the last of two sections with one title, and no
 * line numbers. So each value is noted at the moment it is parsed. It also
 * stops at the first unknown option: that one is then made known, as an option
 * that is an error, and the text is read again, until nothing new turns up.
 */
#include <confuse.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <ctiha/base.h>

#include "daemon/config_syntax.h"

#define UNKNOWN_MAX	16
#define TEXT_MAX	(256 * 1024)

/* An option that the grammar lacks, and where it was found. */
struct unknown {
	unsigned int section;
	char *name;
};

/* One reading. libconfuse's callbacks have no argument: see "reading" below. */
struct reader {
	struct syntax *s;
	struct unknown unknown[UNKNOWN_MAX];
	unsigned int unknown_count;
	bool found_unknown;
};

static struct reader *reading;

static void *grow(void *array, size_t count, size_t size)
{
	/* Doubles at each power of two, so that appending is cheap. */
	if (count & (count - 1))
		return array;
	array = realloc(array, (count ? count * 2 : 1) * size);
	if (!array)
		abort();
	return array;
}

static char *copy(const char *text)
{
	char *c = strdup(text ? text : "");

	if (!c)
		abort();
	return c;
}

void syntax_fail(struct syntax *s, int line, const char *remedy,
		 const char *format, ...)
{
	struct syntax_error *e;
	char wrong[512], text[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(wrong, sizeof(wrong), format, args);
	va_end(args);
	snprintf(text, sizeof(text), "%s: %s", wrong, remedy);

	s->errors = grow(s->errors, s->error_count, sizeof(*s->errors));
	e = &s->errors[s->error_count];
	e->order = s->error_count++;
	e->line = line;
	e->text = copy(text);
}

static unsigned int find_section(const struct syntax *s, const cfg_t *cfg)
{
	unsigned int i;

	for (i = 1; i < s->sections; i++)
		if (!strcmp(s->grammar[i].name, cfg->name))
			return i;
	return 0;
}

static int find_option(const struct syntax_section *section, const char *name)
{
	int i;

	for (i = 0; section->options[i].name; i++)
		if (!strcmp(section->options[i].name, name))
			return i;
	return -1;
}

/* Letters to add, drop or change to turn one word into the other. */
static unsigned int distance(const char *a, const char *b)
{
	size_t i, j, len = strlen(b);
	unsigned int row[32], corner, above;

	if (len >= ARRAY_SIZE(row))
		return ~0U;
	for (j = 0; j <= len; j++)
		row[j] = j;
	for (i = 0; a[i]; i++) {
		corner = row[0]++;
		for (j = 0; j < len; j++) {
			above = row[j + 1];
			corner += a[i] != b[j];
			if (above + 1 < corner)
				corner = above + 1;
			if (row[j] + 1 < corner)
				corner = row[j] + 1;
			row[j + 1] = corner;
			corner = above;
		}
	}
	return row[len];
}

static const char *closest(const struct syntax *s, unsigned int section,
			   const char *name)
{
	const struct syntax_option *o = s->grammar[section].options;
	unsigned int best = 3, d, i;
	const char *word = NULL;

	for (; o->name; o++) {
		d = distance(name, o->name);
		if (d < best) {
			best = d;
			word = o->name;
		}
	}
	for (i = 1; !section && i < s->sections; i++) {
		d = distance(name, s->grammar[i].name);
		if (d < best) {
			best = d;
			word = s->grammar[i].name;
		}
	}
	return word;
}

static bool is_section(const struct syntax *s, const char *name)
{
	unsigned int i;

	for (i = 1; i < s->sections; i++)
		if (!strcmp(s->grammar[i].name, name))
			return true;
	return false;
}

static void fail_unknown(struct syntax *s, unsigned int section, int line,
			 const char *name)
{
	const char *where = s->grammar[section].name;
	const char *word = closest(s, section, name);
	char remedy[128];

	if (section && is_section(s, name))
		snprintf(remedy, sizeof(remedy),
			 "write '}' before it, so that %s ends", where);
	else if (word)
		snprintf(remedy, sizeof(remedy), "did you mean '%s'?", word);
	else
		snprintf(remedy, sizeof(remedy),
			 "remove it, or see ctiha.conf(5) for the options%s%s",
			 section ? " of " : "", where);
	syntax_fail(s, line, remedy, "unknown option '%.100s'%s%s", name,
		    section ? " in " : "", where);
}

static struct syntax_statement *add_statement(struct syntax *s, cfg_t *cfg)
{
	struct syntax_statement *st;

	s->statements = grow(s->statements, s->count, sizeof(*s->statements));
	st = &s->statements[s->count++];
	memset(st, 0, sizeof(*st));
	st->section = find_section(s, cfg);
	st->title = copy(cfg->title);
	st->line = cfg->line;
	return st;
}

/* libconfuse has parsed a value. */
static int take_value(cfg_t *cfg, cfg_opt_t *opt, const char *value,
		      void *result)
{
	struct syntax *s = reading->s;
	unsigned int section = find_section(s, cfg);
	int option = find_option(&s->grammar[section], opt->name);
	struct syntax_statement *st;

	*(void **)result = NULL;
	if (option < 0) {
		fail_unknown(s, section, cfg->line, opt->name);
		return 0;
	}
	st = add_statement(s, cfg);
	st->option = option;
	st->value = copy(value);
	st->element = opt->nvalues ? opt->nvalues - 1 : 0;
	return 0;
}

/*
 * The title of the section that ends: that of its values. libconfuse keeps
 * sections by title, so only an empty one can be asked of it.
 */
static char *ended_title(const struct syntax *s, unsigned int section,
			 const cfg_t *last)
{
	const struct syntax_statement *value;

	if (s->count) {
		value = &s->statements[s->count - 1];
		if (value->option >= 0 && value->section == section)
			return copy(value->title);
	}
	return copy(last->title);
}

/* libconfuse has parsed the end of a section; cfg is the file itself. */
static int take_end(cfg_t *cfg, cfg_opt_t *opt)
{
	struct syntax *s = reading->s;
	cfg_t *last = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
	unsigned int section = find_section(s, last);
	char *title = ended_title(s, section, last);
	struct syntax_statement *st = add_statement(s, cfg);

	free(st->title);
	st->title = title;
	st->section = section;
	st->option = -1;
	st->value = copy("");
	return 0;
}

/* What to do about what libconfuse says. */
static const struct {
	const char *says;
	const char *remedy;
} remedies[] = {
	{ "premature end of file", "close what is open, with '}' or a quote" },
	{ "unexpected closing brace", "remove it, or add its '{' before" },
	{ "missing equal sign", "write 'option = value'" },
	{ "missing title", "write a title, e.g. 'link crossover {'" },
	{ "missing opening brace", "write '{' behind the section's name" },
	{ "unterminated", "add the missing quote" },
	{ "append", "write '=' in place of '+='" },
	{ "token", "remove it, or put the value into quotes" },
};

static const char *find_remedy(const char *text)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(remedies); i++)
		if (strstr(text, remedies[i].says))
			return remedies[i].remedy;
	return "see ctiha.conf(5) for the syntax";
}

/* The text after an option that was made known does not fit: a section. */
static bool is_unknown_section(cfg_t *cfg, const char *format,
			       const char *name)
{
	unsigned int i;

	if (!strstr(format, "missing equal sign"))
		return false;
	for (i = 0; i < reading->unknown_count; i++)
		if (reading->unknown[i].section ==
		    find_section(reading->s, cfg) &&
		    !strcmp(reading->unknown[i].name, name))
			return true;
	return false;
}

static void note_unknown(cfg_t *cfg, const char *name)
{
	struct unknown *u = &reading->unknown[reading->unknown_count];
	unsigned int section = find_section(reading->s, cfg);

	if (reading->unknown_count == UNKNOWN_MAX || !*name) {
		fail_unknown(reading->s, section, cfg->line, name);
		return;
	}
	u->section = section;
	u->name = copy(name);
	reading->unknown_count++;
	reading->found_unknown = true;
}

static void take_error(cfg_t *cfg, const char *format, va_list args)
{
	struct syntax *s = reading->s;
	char text[256];
	va_list first;
	const char *name;

	va_copy(first, args);
	name = strstr(format, "'%s'") ? va_arg(first, const char *) : "";
	va_end(first);

	vsnprintf(text, sizeof(text), format, args);
	if (strstr(format, "no such option"))
		note_unknown(cfg, name);
	else if (is_unknown_section(cfg, format, name))
		fail_unknown(s, find_section(s, cfg), cfg->line, name);
	else
		syntax_fail(s, cfg->line, find_remedy(text), "%s", text);
}

static void add_value_option(cfg_opt_t *opts, unsigned int *n, const char *name,
			     bool list)
{
	cfg_opt_t value = CFG_PTR_CB(name, NULL, CFGF_NODEFAULT, take_value,
				     NULL);

	if (list)
		value.flags |= CFGF_LIST;
	opts[(*n)++] = value;
}

#define OPTIONS_MAX	(33 + UNKNOWN_MAX + 8 + 1)

/* libconfuse's table for one section, without subsections. */
static unsigned int build_section(const struct reader *r, unsigned int section,
				  cfg_opt_t opts[OPTIONS_MAX])
{
	const struct syntax_option *o = r->s->grammar[section].options;
	unsigned int i, n = 0;

	for (; o->name; o++)
		add_value_option(opts, &n, o->name, o->list);
	for (i = 0; i < r->unknown_count; i++)
		if (r->unknown[i].section == section)
			add_value_option(opts, &n, r->unknown[i].name, true);
	opts[n] = (cfg_opt_t)CFG_END();
	return n;
}

static cfg_t *build(const struct reader *r)
{
	cfg_opt_t root[OPTIONS_MAX], sub[8][OPTIONS_MAX];
	unsigned int i, n = build_section(r, 0, root);

	for (i = 1; i < r->s->sections; i++) {
		cfg_opt_t section = CFG_SEC(r->s->grammar[i].name, sub[i],
					    CFGF_MULTI);

		build_section(r, i, sub[i]);
		if (r->s->grammar[i].titled)
			section.flags |= CFGF_TITLE;
		section.validcb = take_end;
		root[n++] = section;
	}
	root[n] = (cfg_opt_t)CFG_END();
	return cfg_init(root, CFGF_NONE);
}

static void clear(struct syntax *s)
{
	size_t i;

	for (i = 0; i < s->count; i++) {
		free(s->statements[i].title);
		free(s->statements[i].value);
	}
	for (i = 0; i < s->error_count; i++)
		free(s->errors[i].text);
	s->count = 0;
	s->error_count = 0;
}

/* One pass over the text. */
static void read_once(struct reader *r, const char *text, size_t len)
{
	FILE *file = fmemopen((void *)text, len, "r");
	cfg_t *cfg = build(r);

	if (!file || !cfg)
		abort();
	reading = r;
	r->found_unknown = false;
	cfg_set_error_function(cfg, take_error);
	r->s->broken = cfg_parse_fp(cfg, file) != CFG_SUCCESS;
	/* libconfuse is silent about some, e.g. a '"' at the end. */
	if (r->s->broken && !r->s->error_count && !r->found_unknown)
		syntax_fail(r->s, cfg->line, find_remedy(""), "syntax error");
	reading = NULL;
	cfg_free(cfg);
	fclose(file);
}

/*
 * libconfuse takes the end of the file for the end of a section or comment. So
 * read the text with one more brace: that must be one too many.
 */
static void check_closed(struct reader *r, const char *text, size_t len)
{
	struct syntax *s = r->s;
	struct syntax probe = {
		.grammar = s->grammar,
		.sections = s->sections,
	};
	struct syntax_statement *last;
	char *longer = malloc(len + 2);

	if (!longer)
		abort();
	memcpy(longer, text, len);
	memcpy(longer + len, "\n}", 2);
	r->s = &probe;
	read_once(r, longer, len + 2);
	r->s = s;
	if (!probe.broken) {
		s->broken = true;
		syntax_fail(s, s->last_line, "write '}' or '*/' at its end",
			    "the last section or comment is not closed");
		last = s->count ? &s->statements[s->count - 1] : NULL;
		if (last && last->line > s->last_line)
			last->line = s->last_line;
	}
	syntax_free(&probe);
	free(longer);
}

static int count_lines(const char *text, size_t len)
{
	int lines = 1;
	size_t i;

	for (i = 0; i + 1 < len; i++)
		lines += text[i] == '\n';
	return lines;
}

void syntax_read(struct syntax *s, const struct syntax_section *grammar,
		 unsigned int sections, const char *text, size_t len)
{
	struct reader r = { .s = s };

	memset(s, 0, sizeof(*s));
	s->grammar = grammar;
	s->sections = sections;
	s->last_line = count_lines(text, len);
	if (len > TEXT_MAX || memchr(text, 0, len)) {
		s->broken = true;
		syntax_fail(s, 1, "write a text file of at most 256 KiB",
			    "this is no configuration file");
		return;
	}
	if (!len)
		return;
	do {
		clear(s);
		read_once(&r, text, len);
	} while (r.found_unknown);
	if (!s->broken)
		check_closed(&r, text, len);

	while (r.unknown_count)
		free(r.unknown[--r.unknown_count].name);
}

static int by_line(const void *a, const void *b)
{
	const struct syntax_error *x = a, *y = b;

	return x->line != y->line ? x->line - y->line : x->order - y->order;
}

void syntax_report(struct syntax *s, const char *path, FILE *errors)
{
	size_t i;

	if (s->error_count)
		qsort(s->errors, s->error_count, sizeof(*s->errors), by_line);
	for (i = 0; i < s->error_count; i++)
		fprintf(errors, "%s:%d: %s\n", path, s->errors[i].line,
			s->errors[i].text);
}

void syntax_free(struct syntax *s)
{
	clear(s);
	free(s->statements);
	free(s->errors);
	memset(s, 0, sizeof(*s));
}
