// SPDX-License-Identifier: GPL-2.0-or-later
/* ctiha node: roles, epochs and votes of both servers. */
#include <stdio.h>

#include "cli/cli.h"

/* The words of a report, in one line. */
static const char *join(const json_t *words, char *text, size_t size)
{
	size_t i, len = 0;

	text[0] = 0;
	for (i = 0; i < json_array_size(words) && len < size; i++)
		len += snprintf(text + len, size - len, "%s%s", len ? " " : "",
				json_string_value(json_array_get(words, i)));
	return text[0] ? text : "-";
}

static const char *vote(const json_t *object, long long own, char *text)
{
	long long epoch = cli_number(object, "vote_epoch");

	if (!epoch)
		return "-";
	snprintf(text, CLI_WORD_LEN, "%lld (%s)", epoch,
		 (epoch & 1) == own ? "its own" : "its peer's");
	return text;
}

static const char *lease(const json_t *node, char *text)
{
	if (cli_flag(node, "lease_sole"))
		return "no end, the peer has left";
	if (strcmp(cli_text(node, "role"), "active"))
		return "-";
	return cli_time(cli_number(node, "lease_left_ms") * 1000, text);
}

static const char *heard(const json_t *peer, char *text, size_t size)
{
	const char *words = cli_text(peer, "last_words");
	char ago[CLI_WORD_LEN];

	if (!json_object_get(peer, "silent_ms"))
		return "never";
	cli_time(cli_number(peer, "silent_ms") * 1000, ago);
	snprintf(text, size, "%s ago%s%s", ago,
		 cli_flag(peer, "left") ? ", it said goodbye" :
		 words[0] ? ", last words: " : "", words);
	return text;
}

/* "closed for 192.0.2.10", "open for ...", "none" */
static const char *fence(const json_t *node, char *text, size_t size)
{
	const json_t *fence = json_object_get(node, "fence");
	char addresses[200];

	if (!json_array_size(json_object_get(fence, "addresses")))
		return "none";
	join(json_object_get(fence, "addresses"), addresses, sizeof(addresses));
	snprintf(text, size, "%s for %s",
		 cli_flag(fence, "closed") ? "closed" : "open", addresses);
	return text;
}

static const char *fenced(const json_t *node, char *text, size_t size)
{
	const json_t *dropped = json_object_get(json_object_get(node, "fence"),
						"dropped");

	snprintf(text, size, "%lld IPv4, %lld IPv6, %lld ARP, %lld ND",
		 cli_number(dropped, "ipv4"), cli_number(dropped, "ipv6"),
		 cli_number(dropped, "arp"), cli_number(dropped, "nd"));
	return text;
}

/* "eth2, carrier" */
static const char *switch_nic(const json_t *node, char *text, size_t size)
{
	const json_t *nic = json_object_get(node, "switch");

	if (!nic)
		return "none";
	snprintf(text, size, "%s, %s", cli_text(nic, "device"),
		 cli_carrier(cli_flag(nic, "carrier")));
	return text;
}

static void row(struct cli_table *t, const char *what, const char *node,
		const char *peer)
{
	const char *texts[3] = { what, node, *peer ? peer : "-" };

	cli_table_row(t, texts);
}

static void print(const json_t *node, const json_t *peer)
{
	static const char *const headings[] = {
		"", "THIS SERVER", "PEER", NULL,
	};
	struct cli_table *t = cli_table_new(headings);
	bool known = json_object_get(peer, "role");
	long long id = cli_number(node, "node");
	char a[256], b[256];

	snprintf(a, sizeof(a), "%lld of pair %lld", id,
		 cli_number(node, "pair"));
	snprintf(b, sizeof(b), "%lld", 1 - id);
	row(t, "node", a, b);
	row(t, "role", cli_text(node, "role"), cli_text(peer, "role"));
	row(t, "epoch", cli_count(cli_number(node, "epoch"), a),
	    known ? cli_count(cli_number(peer, "epoch"), b) : "");
	row(t, "votes for", vote(node, id, a), vote(peer, 1 - id, b));
	row(t, "lease left", lease(node, a), "");
	row(t, "promise left", cli_time(cli_number(node, "promise_left_ms") *
					1000, a), "");
	row(t, "heard", "-", heard(peer, b, sizeof(b)));
	row(t, "says", join(json_object_get(node, "report"), a, sizeof(a)),
	    join(json_object_get(peer, "report"), b, sizeof(b)));
	row(t, "switch NIC", switch_nic(node, a, sizeof(a)),
	    cli_peer_reports(peer, "carrier-switch") ? cli_carrier(true) : "");
	row(t, "fence", fence(node, a, sizeof(a)), "");
	if (json_object_get(node, "fence"))
		row(t, "frames fenced", fenced(node, a, sizeof(a)), "");
	cli_table_print(t);
}

static int run(const struct cli *cli, int argc, char **argv)
{
	char error[CLI_ERROR_LEN];
	json_t *state;
	int code;

	if (argc > 1 || (argc && !cli_is(argv[0], "show")))
		return cli_usage(&cli_verb_node, argv[argc - 1]);
	code = cli_state(cli, &state, error);
	if (code != CLI_OK)
		return cli_fail(code, "%s", error);
	if (cli->json) {
		json_object_del(state, "links");
		return cli_print_json(state);
	}
	print(json_object_get(state, "node"), json_object_get(state, "peer"));
	json_decref(state);
	return CLI_OK;
}

const struct cli_verb cli_verb_node = {
	.name = "node",
	.summary = "roles, epochs and votes of both servers",
	.help =
"Usage: ctiha [-j] node [show]\n"
"\n"
"What the module (or the daemon, if it beats by itself) holds of this server, and\n"
"what the peer's last heartbeat said: role, epoch, vote, lease, and the words of\n"
"its report. The fence drops what leaves this server with a service address as\n"
"its source while it may not act, and counts it.\n",
	.run = run,
};
