/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CTIHA_ORDER_H
#define CTIHA_ORDER_H

#include "cli/cli.h"

/**
 * order_give() - give the daemon an order
 * @verb: its name is the command
 * @argc, @argv: words behind the verb; there must be none
 * @done: what to print when it is done
 *
 * Return: enum cli_exit.
 */
int order_give(const struct cli *cli, const struct cli_verb *verb, int argc,
	       char **argv, const char *done);

#endif /* CTIHA_ORDER_H */
