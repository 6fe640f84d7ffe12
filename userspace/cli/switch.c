// SPDX-License-Identifier: GPL-2.0-or-later
/* ctiha switch: the NIC to the telephone switch, and its carrier. */
#include <stdio.h>

#include "cli/cli.h"
#include "common/genl.h"
#include "common/value.h"

bool cli_peer_reports(const json_t *peer, const char *word)
{
	const json_t *words = json_object_get(peer, "report");
	size_t i;

	for (i = 0; cli_flag(peer, "heard") && i < json_array_size(words); i++)
		if (!strcmp(json_string_value(json_array_get(words, i)), word))
			return true;
	return false;
}

static void print(const json_t *nic, bool peer_carrier)
{
	printf("this server: %s", nic ? cli_text(nic, "device") : "no device");
	if (nic)
		printf(", %s", cli_carrier(cli_flag(nic, "carrier")));
	printf("\nthe peer:    %s\n", cli_carrier(peer_carrier));
}

static int show(const struct cli *cli, int argc, char **argv)
{
	char error[CLI_ERROR_LEN];
	json_t *state, *nic;
	bool peer_carrier;
	int code;

	if (argc)
		return cli_usage(&cli_verb_switch, argv[0]);
	code = cli_state(cli, &state, error);
	if (code != CLI_OK)
		return cli_fail(code, "%s", error);
	nic = json_incref(json_object_get(json_object_get(state, "node"),
					  "switch"));
	peer_carrier = cli_peer_reports(json_object_get(state, "peer"),
					"carrier-switch");
	json_decref(state);
	if (cli->json)
		return cli_print_json(json_pack("{s:o*, s:b}", "switch", nic,
						"peer_carrier", peer_carrier));
	print(nic, peer_carrier);
	json_decref(nic);
	return CLI_OK;
}

/* @device: "" for none */
static int set_device(const char *device)
{
	char error[CLI_ERROR_LEN];
	struct genl *genl = cli_module_open(error);
	int err;

	if (!genl)
		return cli_fail(CLI_UNREACHABLE,
				"%s; with backend = packet change ctiha.conf instead",
				error);
	err = cli_module_switch_set(genl, device, error);
	genl_close(genl);
	return err ? cli_fail(CLI_FAILED, "%s", error) : CLI_OK;
}

static int set(int argc, char **argv)
{
	const char *wrong;

	if (argc != 2)
		return cli_usage(&cli_verb_switch, argc > 2 ? argv[2] : "");
	if (!cli_is(argv[0], "dev"))
		return cli_usage(&cli_verb_switch, argv[0]);
	wrong = value_device(argv[1]);
	if (wrong)
		return cli_fail(CLI_USAGE, "switch: 'dev %s' %s", argv[1],
				wrong);
	return set_device(argv[1]);
}

static int run(const struct cli *cli, int argc, char **argv)
{
	if (!argc)
		return show(cli, 0, argv);
	if (!strcmp(argv[0], "set"))
		return set(argc - 1, argv + 1);
	if (!strcmp(argv[0], "unset"))
		return argc > 1 ? cli_usage(&cli_verb_switch, argv[1]) :
				  set_device("");
	if (cli_is(argv[0], "show"))
		return show(cli, argc - 1, argv + 1);
	return cli_usage(&cli_verb_switch, argv[0]);
}

const struct cli_verb cli_verb_switch = {
	.name = "switch",
	.summary = "the NIC to the telephone switch: show, set, unset",
	.help =
"Usage: ctiha [-j] switch [show]\n"
"       ctiha switch set dev DEVICE\n"
"       ctiha switch unset\n"
"\n"
"show   the NIC to the telephone switch, and whether it has a carrier, here and at\n"
"       the peer\n"
"set    watch the carrier of this device\n"
"unset  watch none\n"
"\n"
"The daemon names the device of ctiha.conf when it starts. set and unset change the\n"
"running module only, and need root.\n",
	.run = run,
};
