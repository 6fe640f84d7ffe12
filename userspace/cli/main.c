// SPDX-License-Identifier: GPL-2.0-or-later
/* ctiha: what an operator sees of a pair and tells it. See ctiha(8). */
#include <getopt.h>
#include <stdio.h>

#include "cli/cli.h"
#include "daemon/control.h"

static const struct cli_verb *const verbs[] = {
	&cli_verb_status,
	&cli_verb_link,
	&cli_verb_node,
	&cli_verb_switch,
	&cli_verb_monitor,
	&cli_verb_takeover,
	&cli_verb_standby,
	&cli_verb_sync,
	&cli_verb_reload,
};

static void print_help(void)
{
	size_t i;

	puts("Usage: ctiha [OPTIONS] VERB [ARGUMENTS]\n"
	     "Shows and steers a hot-standby pair of CTI servers.\n");
	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		printf("  %-9s %s\n", verbs[i]->name, verbs[i]->summary);
	puts("\n"
	     "  -j, --json         print JSON\n"
	     "  -s, --statistics   print counters as well\n"
	     "  -c, --control PATH the daemon's control socket\n"
	     "                     (default " CONTROL_PATH ")\n"
	     "  -V, --version      print the version\n"
	     "  -h, --help         this text; behind a verb: how to use it\n"
	     "\n"
	     "Words may be abbreviated: 'ctiha l s' is 'ctiha link show'.\n"
	     "Exit codes: 0 done, 1 failed, 2 not understood, 3 neither daemon nor module\n"
	     "can be reached. Begin with 'ctiha status'. See ctiha(8).");
}

/* The first that fits, and asks for no more letters than there are. */
static const struct cli_verb *find_verb(const char *word)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		if (cli_is(word, verbs[i]->name) &&
		    strlen(word) >= verbs[i]->least)
			return verbs[i];
	return NULL;
}

static int fail_verb(const char *word)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(verbs); i++)
		if (cli_is(word, verbs[i]->name))
			return cli_fail(CLI_USAGE,
					"'%s' is too short: write at least '%.*s' for '%s'",
					word, (int)verbs[i]->least,
					verbs[i]->name, verbs[i]->name);
	return cli_fail(CLI_USAGE, "there is no verb '%s': see 'ctiha --help'",
			word);
}

static int run_verb(struct cli *cli, int argc, char **argv, bool help)
{
	const struct cli_verb *verb;

	if (!argc || !strcmp(argv[0], "help")) {
		print_help();
		return argc || help ? CLI_OK : CLI_USAGE;
	}
	verb = find_verb(argv[0]);
	if (!verb)
		return fail_verb(argv[0]);
	if (help || (argc > 1 && !strcmp(argv[1], "help"))) {
		fputs(verb->help, stdout);
		return CLI_OK;
	}
	if (cli->wait && !verb->waits)
		return cli_usage(verb, "--wait");
	return verb->run(cli, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "statistics", no_argument, NULL, 's' },
		{ "control", required_argument, NULL, 'c' },
		{ "wait", no_argument, NULL, 'w' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct cli cli = { .socket = CONTROL_PATH };
	bool help = false;
	int option;

	while ((option = getopt_long(argc, argv, "jsc:wVh", longs, NULL)) != -1) {
		switch (option) {
		case 'j':
			cli.json = true;
			break;
		case 's':
			cli.stats = true;
			break;
		case 'c':
			cli.socket = optarg;
			break;
		case 'w':
			cli.wait = true;
			break;
		case 'V':
			puts("ctiha " CTIHA_VERSION);
			return CLI_OK;
		case 'h':
			help = true;
			break;
		default:
			return cli_fail(CLI_USAGE, "see 'ctiha --help'");
		}
	}
	return run_verb(&cli, argc - optind, argv + optind, help);
}
