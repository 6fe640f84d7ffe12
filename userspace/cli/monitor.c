// SPDX-License-Identifier: GPL-2.0-or-later
/* ctiha monitor: events as they happen. */
#include <stdio.h>

#include "cli/cli.h"
#include "common/genl.h"

struct monitor {
	bool json;
	const char *object;	/* show only this kind; "" shows all */
};

static void print_report(const json_t *object)
{
	const json_t *words = json_object_get(object, "report");
	size_t i;

	for (i = 0; i < json_array_size(words); i++)
		printf(" %s", json_string_value(json_array_get(words, i)));
}

static void print_server(const char *who, const json_t *object)
{
	printf("%s: %s, epoch %lld, votes for %lld", who,
	       cli_text(object, "role"), cli_number(object, "epoch"),
	       cli_number(object, "vote_epoch"));
	if (json_array_size(json_object_get(object, "report")))
		printf(", says");
	print_report(object);
}

static void print_peer(const json_t *peer)
{
	const char *words = cli_text(peer, "last_words");

	if (words[0])
		printf("peer: ends, last words: %s", words);
	else if (cli_flag(peer, "heard"))
		print_server("peer", peer);
	else
		printf("peer: %s", cli_flag(peer, "left") ? "has left" :
							    "is silent");
}

static void print_link(const json_t *link)
{
	const char *direction = cli_text(link, "direction");
	const char *diag = cli_text(link, "diag");

	printf("link %s: %s", cli_text(link, "name"), cli_text(link, "state"));
	if (strcmp(cli_text(link, "state"), "up") && strcmp(diag, "none"))
		printf(" (%s)", diag);
	if (!strcmp(direction, "in") || !strcmp(direction, "out"))
		printf(", works one way: %s only", direction);
	if (!cli_flag(link, "carrier"))
		printf(", no carrier");
}

static void print_text(const json_t *event)
{
	const char *object = cli_text(event, "object");
	const char *cause = cli_text(event, "cause");
	const json_t *body = json_object_get(event, object);
	long long us = cli_number(event, "time_ns") / 1000;

	printf("[%6lld.%06lld] ", us / 1000000, us % 1000000);
	if (!strcmp(object, "node"))
		print_server("this server", body);
	else if (!strcmp(object, "peer"))
		print_peer(body);
	else if (!strcmp(object, "link"))
		print_link(body);
	else if (!strcmp(object, "step"))
		printf("step: %s, epoch %lld", cli_text(event, "step"),
		       cli_number(event, "epoch"));
	else if (!strcmp(object, "gap"))
		printf("events were lost; this is how it stands now:");
	else
		printf("%s", object);
	if (*cause && strcmp(cause, "none"))
		printf("  <- %s", cause);
	putchar('\n');
}

static bool show(const json_t *event, void *arg)
{
	const struct monitor *m = arg;

	if (*m->object && strcmp(m->object, cli_text(event, "object")))
		return true;
	if (m->json) {
		json_dumpf(event, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		print_text(event);
	}
	/* Whoever reads it has gone, e.g. head. */
	return !ferror(stdout);
}

/* The module has a node, so it is the one to ask. */
static bool module_beats(void)
{
	char error[CLI_ERROR_LEN];
	struct genl *genl = cli_module_open(error);
	json_t *state = NULL;

	if (!genl)
		return false;
	cli_module_state(genl, &state, error);
	genl_close(genl);
	json_decref(state);
	return state;
}

/* The kind of object that a word stands for, or NULL. */
static const char *find_object(const char *word)
{
	static const char *const words[] = { "link", "node", "peer" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		if (cli_is(word, words[i]))
			return words[i];
	return cli_is(word, "steps") ? "step" : NULL;
}

static int run(const struct cli *cli, int argc, char **argv)
{
	struct monitor m = { .json = cli->json, .object = "" };
	char error[CLI_ERROR_LEN];
	int code;

	if (argc)
		m.object = find_object(argv[0]);
	if (argc > 1 || !m.object)
		return cli_usage(&cli_verb_monitor, argv[argc - 1]);
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	/* Only the daemon knows its steps. */
	if (strcmp(m.object, "step") && module_beats())
		code = cli_module_follow(show, &m, error);
	else
		code = cli_follow(cli, show, &m, error);
	return code == CLI_OK ? code : cli_fail(code, "%s", error);
}

const struct cli_verb cli_verb_monitor = {
	.name = "monitor",
	.summary = "events as they happen",
	.help =
"Usage: ctiha [-j] monitor [link|node|peer|steps]\n"
"\n"
"Prints a line for each event: a link's session or carrier went up or down, this\n"
"server's role, epoch, vote or switch NIC changed, the peer's heartbeats say\n"
"something new. 'steps' shows the daemon's steps of a takeover instead.\n"
"\n"
"Times are seconds of the kernel's monotonic clock, taken where it happened; what\n"
"follows '<-' is the cause. With -j each line is a JSON object: time_ns, seq,\n"
"cause, object, and the object in full. If events were lost, a 'gap' says so, and\n"
"everything is shown as it is now.\n",
	.run = run,
};
