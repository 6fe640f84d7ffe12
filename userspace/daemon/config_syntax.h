/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The syntax of ctiha.conf: text in, a list of statements with their lines out.
 * libconfuse does the parsing and is seen nowhere else. For config_draft.h only.
 */
#ifndef CTIHA_CONFIG_SYNTAX_H
#define CTIHA_CONFIG_SYNTAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* What may be written: sections, "" being the file itself, and their options. */
struct syntax_option {
	const char *name;
	bool list;
};

struct syntax_section {
	const char *name;
	bool titled;
	struct syntax_option options[33];	/* ends with a NULL name */
};

/**
 * struct syntax_statement - "option = value", or the end of a section
 * @section: index of the section in the grammar
 * @title: of the section, "" if it has none
 * @option: index of the option in the section; -1 for the end of a section
 * @element: 0, or the place in a list
 * @value: text without quotes
 * @line: where it ends
 */
struct syntax_statement {
	unsigned int section;
	char *title;
	int option;
	unsigned int element;
	char *value;
	int line;
};

struct syntax_error {
	int line;
	int order;	/* of finding */
	char *text;
};

/**
 * struct syntax - what was read
 * @grammar, @sections: what may be written
 * @statements, @count: in the order of the file
 * @errors, @error_count: in the order of finding them
 * @broken: the syntax is wrong, so the end of the file was not reached
 * @last_line: of the file
 */
struct syntax {
	const struct syntax_section *grammar;
	unsigned int sections;
	struct syntax_statement *statements;
	size_t count;
	struct syntax_error *errors;
	size_t error_count;
	bool broken;
	int last_line;
};

/**
 * syntax_read() - parse
 * @s: filled in; to be freed with syntax_free() whatever is returned
 * @grammar, @sections: what may be written
 * @text, @len: hostile
 *
 * Unknown options are errors, but do not keep the rest from being read.
 */
void syntax_read(struct syntax *s, const struct syntax_section *grammar,
		 unsigned int sections, const char *text, size_t len);

/**
 * syntax_fail() - note an error
 * @line: where
 * @remedy: what to do
 * @format: what is wrong
 */
void syntax_fail(struct syntax *s, int line, const char *remedy,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));

/* syntax_report() - print the errors by line, as "PATH:LINE: TEXT". */
void syntax_report(struct syntax *s, const char *path, FILE *errors);

void syntax_free(struct syntax *s);

#endif /* CTIHA_CONFIG_SYNTAX_H */
