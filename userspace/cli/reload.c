// SPDX-License-Identifier: GPL-2.0-or-later
/* ctiha reload: read the configuration again. */
#include <stdio.h>

#include "cli/cli.h"

static int run(const struct cli *cli, int argc, char **argv)
{
	char error[CLI_ERROR_LEN];
	json_t *reply;
	int code;

	if (argc)
		return cli_usage(&cli_verb_reload, argv[0]);
	code = cli_ask(cli, "reload", false, &reply, error);
	if (code != CLI_OK)
		return cli_fail(code, "reload: %s", error);
	if (cli->json)
		return cli_print_json(reply);
	printf("The keys were read again; frames are sealed with the %s one.\n",
	       cli_text(reply, "send_key"));
	json_decref(reply);
	return CLI_OK;
}

const struct cli_verb cli_verb_reload = {
	.name = "reload",
	.least = 3,
	.summary = "read the pair's keys again, and the rule for writes without a standby",
	.help =
"Usage: ctiha [-j] reload\n"
"\n"
"Has the daemon read its configuration again and use the keys in it: key-file,\n"
"second-key-file and send-key, and without-standby. All else in the file takes effect\n"
"at the next start. No heartbeat is lost. If the file has an error nothing changes. How\n"
"to give a pair a new key is in ctihad(8). Needs root.\n",
	.run = run,
};
