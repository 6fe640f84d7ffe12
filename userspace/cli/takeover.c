// SPDX-License-Identifier: GPL-2.0-or-later
/* ctiha takeover: become active. */
#include "cli/order.h"

static int run(const struct cli *cli, int argc, char **argv)
{
	return order_give(cli, &cli_verb_takeover, argc, argv,
			  "This server is active");
}

const struct cli_verb cli_verb_takeover = {
	.name = "takeover",
	.least = 4,
	.waits = true,
	.summary = "on the standby: become active",
	.help =
"Usage: ctiha [-j] takeover [--wait]\n"
"\n"
"Orders this server to become active. The active one lets its application finish,\n"
"sends the last writes, and hands over: no call and no write is lost. Refused if\n"
"the peer is silent (then this server takes over by itself as soon as that is\n"
"safe), or if this server does not have all calls yet.\n"
"\n"
"With --wait it returns when this server is active, or with exit code 1 and the\n"
"reason. Needs root. May be abbreviated to 'take'.\n",
	.run = run,
};
