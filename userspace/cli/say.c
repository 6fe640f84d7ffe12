// SPDX-License-Identifier: GPL-2.0-or-later
/* Words, complaints and JSON: what every verb says in the same way. */
#include <stdarg.h>
#include <stdio.h>

#include "cli/cli.h"

bool cli_is(const char *word, const char *name)
{
	size_t len = strlen(word);

	return len && !strncmp(word, name, len);
}

int cli_fail(int code, const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("ctiha: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

int cli_usage(const struct cli_verb *verb, const char *word)
{
	if (*word)
		return cli_fail(CLI_USAGE,
				"%s: '%s' is not expected here: see 'ctiha %s --help'",
				verb->name, word, verb->name);
	return cli_fail(CLI_USAGE,
			"%s: something is missing: see 'ctiha %s --help'",
			verb->name, verb->name);
}

int cli_print_json(json_t *document)
{
	int err = json_dumpf(document, stdout,
			     JSON_INDENT(2) | JSON_ENCODE_ANY);

	putchar('\n');
	json_decref(document);
	return err ? CLI_FAILED : CLI_OK;
}
