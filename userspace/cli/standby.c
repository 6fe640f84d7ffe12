// SPDX-License-Identifier: GPL-2.0-or-later
/* ctiha standby: hand over to the peer. */
#include "cli/order.h"

static int run(const struct cli *cli, int argc, char **argv)
{
	return order_give(cli, &cli_verb_standby, argc, argv,
			  "This server is standby");
}

const struct cli_verb cli_verb_standby = {
	.name = "standby",
	.least = 5,
	.waits = true,
	.summary = "on the active server: hand over to the peer",
	.help =
"Usage: ctiha [-j] standby [--wait]\n"
"\n"
"Orders this server to hand over to its peer, e.g. before maintenance: the\n"
"application finishes, the last writes go over, the peer becomes active. Refused\n"
"if the peer could not serve.\n"
"\n"
"With --wait it returns when the peer has taken over, or with exit code 1 and the\n"
"reason. Needs root. May be abbreviated to 'stand'.\n",
	.run = run,
};
