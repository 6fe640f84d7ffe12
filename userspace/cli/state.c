// SPDX-License-Identifier: GPL-2.0-or-later
/* Node, peer and links, from whoever knows them. */
#include "cli/cli.h"
#include "common/genl.h"

static int ask_daemon(const struct cli *cli, json_t **state,
		      char error[CLI_ERROR_LEN])
{
	json_t *links;
	int code = cli_ask(cli, "node", false, state, error);

	if (code != CLI_OK)
		return code;
	code = cli_ask(cli, "links", false, &links, error);
	if (code != CLI_OK) {
		json_decref(*state);
		return code;
	}
	json_object_update(*state, links);
	json_decref(links);
	return CLI_OK;
}

int cli_state(const struct cli *cli, json_t **state, char error[CLI_ERROR_LEN])
{
	char ignored[CLI_ERROR_LEN];
	struct genl *genl = cli_module_open(ignored);
	int err = -ENOENT;

	if (genl) {
		err = cli_module_state(genl, state, ignored);
		if (!err && cli->stats)
			cli_module_add_quality(genl, json_object_get(*state,
								     "links"));
		genl_close(genl);
	}
	if (!err)
		return CLI_OK;
	/* No module, or no node: the daemon may beat by itself. */
	return ask_daemon(cli, state, error);
}
