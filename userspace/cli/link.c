// SPDX-License-Identifier: GPL-2.0-or-later
/* ctiha link: heartbeat links. */
#include <stdio.h>

#include "cli/cli.h"
#include "common/genl.h"
#include "common/value.h"

#define INTERVAL_DEFAULT_US	10000

static int fail_module(const char *error)
{
	return cli_fail(CLI_UNREACHABLE,
			"%s; with backend = packet change ctiha.conf instead",
			error);
}

/* Leaves only the link of that name; false if there is none. */
static bool pick(json_t *links, const char *name)
{
	size_t i = json_array_size(links);

	while (i--)
		if (strcmp(cli_text(json_array_get(links, i), "name"), name))
			json_array_remove(links, i);
	return json_array_size(links);
}

static int show_links(const struct cli *cli, int argc, char **argv)
{
	char error[CLI_ERROR_LEN];
	json_t *state, *links;
	int code;

	if (argc > 1)
		return cli_usage(&cli_verb_link, argv[1]);
	code = cli_state(cli, &state, error);
	if (code != CLI_OK)
		return cli_fail(code, "%s", error);
	links = json_incref(json_object_get(state, "links"));
	json_decref(state);
	if (argc && !pick(links, argv[0])) {
		json_decref(links);
		return cli_fail(CLI_FAILED,
				"there is no link '%s': see 'ctiha link show'",
				argv[0]);
	}
	if (cli->json)
		return cli_print_json(links);
	if (json_array_size(links))
		cli_links_print(links, cli->stats);
	else
		puts("There are no links: the daemon makes them when it starts.");
	json_decref(links);
	return CLI_OK;
}

/* ---- add and del ---- */

static const char *read_interval(const char *text, u32 *us)
{
	u64 ns;
	const char *error = value_duration(text, &ns);

	if (error)
		return error;
	*us = (u32)(ns / CTIHA_NS_PER_US);
	if (ns < CTIHA_INTERVAL_MIN_US * CTIHA_NS_PER_US ||
	    ns > CTIHA_INTERVAL_MAX_US * CTIHA_NS_PER_US)
		return "is out of range (1ms to 10s)";
	return NULL;
}

static const char *read_multiplier(const char *text, u8 *multiplier)
{
	u64 number;

	if (value_number(text, &number) || number < CTIHA_MULTIPLIER_MIN ||
	    number > CTIHA_MULTIPLIER_MAX)
		return "is no whole number from 2 to 50";
	*multiplier = (u8)number;
	return NULL;
}

/* One "option value" pair; what is wrong with it, or NULL. */
static const char *read_option(struct heartbeat_link_spec *spec,
			       const char *option, const char *value)
{
	const char *error;

	if (cli_is(option, "dev")) {
		error = value_device(value);
		if (!error)
			snprintf(spec->device, sizeof(spec->device), "%s",
				 value);
		return error;
	}
	if (cli_is(option, "interval"))
		return read_interval(value, &spec->interval_us);
	if (cli_is(option, "multiplier"))
		return read_multiplier(value, &spec->multiplier);
	if (cli_is(option, "peer-mac"))
		return value_mac(value, spec->peer_mac);
	return "";
}

static int read_spec(struct heartbeat_link_spec *spec, int argc, char **argv)
{
	const char *error;
	int i;

	if (!argc)
		return cli_usage(&cli_verb_link, "");
	if (strcmp(argv[0], "crossover") && strcmp(argv[0], "lan"))
		return cli_fail(CLI_USAGE,
				"link: '%s' is neither 'crossover' nor 'lan'",
				argv[0]);
	snprintf(spec->name, sizeof(spec->name), "%s", argv[0]);
	spec->kind = strcmp(argv[0], "lan") ? CTIHA_LINK_CROSSOVER :
					      CTIHA_LINK_LAN;
	for (i = 1; i < argc; i += 2) {
		if (i + 1 == argc)
			return cli_usage(&cli_verb_link, "");
		error = read_option(spec, argv[i], argv[i + 1]);
		if (error && !*error)
			return cli_usage(&cli_verb_link, argv[i]);
		if (error)
			return cli_fail(CLI_USAGE, "link: '%s %s' %s", argv[i],
					argv[i + 1], error);
	}
	return *spec->device ? CLI_OK : cli_usage(&cli_verb_link, "");
}

static int add(int argc, char **argv)
{
	struct heartbeat_link_spec spec = {
		.interval_us = INTERVAL_DEFAULT_US,
		.multiplier = 3,
		.peer_mac = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	};
	char error[CLI_ERROR_LEN];
	struct genl *genl;
	int err, code = read_spec(&spec, argc, argv);

	if (code != CLI_OK)
		return code;
	genl = cli_module_open(error);
	if (!genl)
		return fail_module(error);
	err = cli_module_link_add(genl, &spec, error);
	genl_close(genl);
	return err ? cli_fail(CLI_FAILED, "%s", error) : CLI_OK;
}

static int del(int argc, char **argv)
{
	char error[CLI_ERROR_LEN];
	struct genl *genl;
	int err;

	if (argc != 1)
		return cli_usage(&cli_verb_link, argc ? argv[1] : "");
	genl = cli_module_open(error);
	if (!genl)
		return fail_module(error);
	err = cli_module_link_del(genl, argv[0], error);
	genl_close(genl);
	return err ? cli_fail(CLI_FAILED, "%s", error) : CLI_OK;
}

static int run(const struct cli *cli, int argc, char **argv)
{
	if (!argc)
		return show_links(cli, 0, argv);
	if (cli_is(argv[0], "show") || !strcmp(argv[0], "list"))
		return show_links(cli, argc - 1, argv + 1);
	if (cli_is(argv[0], "add"))
		return add(argc - 1, argv + 1);
	if (!strcmp(argv[0], "del") || !strcmp(argv[0], "delete"))
		return del(argc - 1, argv + 1);
	return cli_usage(&cli_verb_link, argv[0]);
}

const struct cli_verb cli_verb_link = {
	.name = "link",
	.summary = "heartbeat links: show, add, del",
	.help =
"Usage: ctiha [-j] [-s] link [show [NAME]]\n"
"       ctiha link add NAME dev DEVICE [interval TIME] [multiplier N] [peer-mac MAC]\n"
"       ctiha link del NAME\n"
"\n"
"show  the heartbeat links; with -s how many frames were sent, received, lost\n"
"      and refused, and why, and how good the link is\n"
"add   begin heartbeats on a device. NAME is 'crossover' or 'lan'; TIME is 1ms to\n"
"      10s (default 10ms), N is 2 to 50 (default 3)\n"
"del   end heartbeats on a link; the peer sees silence there\n"
"\n"
"The daemon makes the links of ctiha.conf when it starts. add and del change the\n"
"running module only, and need root.\n",
	.run = run,
};
