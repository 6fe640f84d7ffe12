// SPDX-License-Identifier: GPL-2.0-or-later
/* ctiha sync: are both stores of call records identical? */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

static void line(const char *what, const char *text)
{
	printf("%-14s%s\n", what, text);
}

static const char *state_text(const json_t *sync, char *text, size_t size)
{
	static const struct {
		const char *state;
		const char *text;
	} texts[] = {
		{ "alone", "alone: no standby is connected" },
		{ "identical", "identical: the standby has everything" },
		{ "diverged", "diverged (resyncing): the stores differ, all is sent again" },
		{ "waiting", "waiting: not connected to the active server" },
	};
	const char *state = cli_text(sync, "state");
	char how_far[CLI_TRANSFER_LEN], behind[CLI_WORD_LEN];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strcmp(state, texts[i].state))
			return texts[i].text;
	cli_count(llabs(cli_number(sync, "position") -
			cli_number(sync, "peer_position")), behind);
	if (!strcmp(state, "behind"))
		snprintf(text, size, "%s writes behind", behind);
	else if (!strcmp(state, "slow"))
		snprintf(text, size, "slow: %s writes behind; writes do not wait for the standby: check its load and the link",
			 behind);
	else if (!strcmp(state, "transfer"))
		snprintf(text, size, "transfer: %s",
			 cli_transfer(sync, how_far));
	else
		return state;
	return text;
}

static const char *path_text(const json_t *sync)
{
	const char *path = cli_text(sync, "path");

	if (!strcmp(path, "crossover"))
		return "crossover (L1)";
	if (!strcmp(path, "lan"))
		return "LAN (L2): the crossover is not usable";
	return "none";
}

static void print_positions(const json_t *sync)
{
	char a[CLI_WORD_LEN], b[CLI_WORD_LEN], c[CLI_WORD_LEN], text[256];

	snprintf(text, sizeof(text), "%s here, %s at the peer",
		 cli_count(cli_number(sync, "position"), a),
		 cli_count(cli_number(sync, "peer_position"), b));
	line("Position", text);
	if (cli_number(sync, "lag_ms"))
		line("Oldest open", cli_time(cli_number(sync, "lag_ms") * 1000,
					     c));
}

static void print_digests(const json_t *sync)
{
	const char *own = cli_text(sync, "digest");
	const char *peer = cli_text(sync, "peer_digest");

	line("Digest", own);
	line("of the peer", strcmp(own, peer) ? peer : "the same");
}

static const char *compared(const json_t *content)
{
	if (!json_is_true(json_object_get(content, "comparable")))
		return "on their way";
	return strcmp(cli_text(content, "digest"),
		      cli_text(content, "peer_digest")) ? "they differ" :
							  "the same";
}

/* What they are made of. */
static void print_contents(const json_t *sync)
{
	char a[CLI_WORD_LEN], b[CLI_WORD_LEN], text[256];
	const json_t *content;
	size_t i;

	json_array_foreach(json_object_get(sync, "contents"), i, content) {
		snprintf(text, sizeof(text), "%s: %s here, %s at the peer, %s",
			 cli_text(content, "content"),
			 cli_count(cli_number(content, "records"), a),
			 cli_count(cli_number(content, "peer_records"), b),
			 compared(content));
		line("", text);
	}
}

static void print_scrubs(const json_t *sync)
{
	long long diverged = cli_number(sync, "diverged");
	char a[CLI_WORD_LEN], text[256];

	snprintf(text, sizeof(text), "all records %s times; the stores differed %lld times",
		 cli_count(cli_number(sync, "scrubs"), a), diverged);
	line("Checked", text);
}

static void print_traffic(const json_t *sync)
{
	long long raw = cli_number(sync, "raw_bytes");
	long long packed = cli_number(sync, "packed_bytes");
	char a[CLI_WORD_LEN], b[CLI_WORD_LEN], text[256];

	snprintf(text, sizeof(text), "%s sent, %s received",
		 cli_bytes(cli_number(sync, "tx_bytes"), a),
		 cli_bytes(cli_number(sync, "rx_bytes"), b));
	line("Traffic", text);
	snprintf(text, sizeof(text), "records: %s, %s before compression",
		 cli_bytes(packed, a), cli_bytes(raw, b));
	line("", text);
	if (cli_number(sync, "dictionary")) {
		snprintf(text, sizeof(text), "%08llx",
			 (unsigned long long)cli_number(sync, "dictionary"));
		line("Dictionary", text);
	}
	snprintf(text, sizeof(text), "%lld damaged packets discarded, %lld full transfers begun",
		 cli_number(sync, "damaged"), cli_number(sync, "resyncs"));
	line("", text);
}

static void print_security(const json_t *sync)
{
	const char *refused = cli_text(sync, "refused");
	char ago[CLI_WORD_LEN], text[256];

	line("Encryption", strcmp(cli_text(sync, "encryption"), "none") ?
				   "TLS 1.3 with the pair's key" :
				   "none (insecure = yes)");
	if (!*refused)
		return;
	snprintf(text, sizeof(text), "%s ago: %s",
		 cli_time(cli_number(sync, "refused_ms") * 1000, ago), refused);
	line("Last refusal", text);
}

static const char *standby_text(const json_t *sync)
{
	if (!strcmp(cli_text(sync, "without_standby"), "refuse"))
		return "needed: without one in sync, writes are refused";
	return "not needed: without one in sync, writes are acknowledged as alone";
}

static void print(const json_t *sync)
{
	char text[CLI_TRANSFER_LEN + 32];

	line("State", state_text(sync, text, sizeof(text)));
	line("Standby", standby_text(sync));
	line("Path", path_text(sync));
	line("Records", cli_count(cli_number(sync, "records"), text));
	print_contents(sync);
	print_positions(sync);
	print_digests(sync);
	print_scrubs(sync);
	print_security(sync);
	print_traffic(sync);
}

static int train(const struct cli *cli)
{
	char error[CLI_ERROR_LEN];
	json_t *reply;
	int code = cli_ask(cli, "train", true, &reply, error);

	if (code != CLI_OK)
		return cli_fail(code, "sync train: %s", error);
	if (cli->json)
		return cli_print_json(reply);
	printf("Trained dictionary %08llx; both servers use it from now on.\n",
	       (unsigned long long)cli_number(reply, "trained"));
	json_decref(reply);
	return CLI_OK;
}

static int show(const struct cli *cli)
{
	char error[CLI_ERROR_LEN];
	json_t *sync;
	int code;

	code = cli_ask(cli, "sync", false, &sync, error);
	if (code != CLI_OK)
		return cli_fail(code, "%s", error);
	if (cli->json)
		return cli_print_json(sync);
	print(sync);
	json_decref(sync);
	return CLI_OK;
}

static int run(const struct cli *cli, int argc, char **argv)
{
	if (argc == 1 && cli_is(argv[0], "train"))
		return train(cli);
	if (argc > 1 || (argc && !cli_is(argv[0], "show")))
		return cli_usage(&cli_verb_sync, argv[argc - 1]);
	return show(cli);
}

const struct cli_verb cli_verb_sync = {
	.name = "sync",
	.summary = "state sync: are both servers' calls identical?",
	.help =
"Usage: ctiha [-j] sync [show]\n"
"       ctiha [-j] sync train\n"
"\n"
"show: state of the transfer of call records from the active server to its standby,\n"
"which link it takes, how far each side is, a digest of all records on each side\n"
"(equal digests mean identical records), whether it is encrypted, and why the\n"
"last connection or packet was refused, if one was.\n"
"\n"
"train: makes a dictionary from the records that there are, so that packets\n"
"shrink more, and has both servers use it. On the active server, once its records\n"
"look like those of a busy hour. Takes some seconds; nothing stops. Needs root.\n",
	.run = run,
};
