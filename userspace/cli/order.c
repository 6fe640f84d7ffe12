// SPDX-License-Identifier: GPL-2.0-or-later
/* What ctiha takeover and ctiha standby have in common: an order to the daemon. */
#include <stdio.h>

#include "cli/order.h"

int order_give(const struct cli *cli, const struct cli_verb *verb, int argc,
	       char **argv, const char *done)
{
	char error[CLI_ERROR_LEN];
	long long epoch;
	json_t *reply;
	int code;

	if (argc)
		return cli_usage(verb, argv[0]);
	code = cli_ask(cli, verb->name, cli->wait, &reply, error);
	if (code != CLI_OK)
		return cli_fail(code, "%s: %s", verb->name, error);
	if (cli->json)
		return cli_print_json(reply);
	epoch = cli_number(reply, "epoch");
	if (epoch)
		printf("%s, epoch %lld.\n", done, epoch);
	else
		puts("Ordered; see 'ctiha status', or use --wait.");
	json_decref(reply);
	return CLI_OK;
}
