// SPDX-License-Identifier: GPL-2.0-or-later
/* ctiha status: the pair at a glance. */
#include <stdio.h>

#include "cli/cli.h"
#include "common/genl.h"

/* ---- the first sentence ---- */

static const char *follows(const json_t *sync)
{
	static const struct {
		const char *state;
		const char *text;
	} texts[] = {
		{ "identical", "follows, identical" },
		{ "behind", "follows, a few writes behind" },
		{ "slow", "follows, too slow to keep up with the calls" },
		{ "transfer", "is receiving all calls" },
		{ "diverged", "differs and is receiving all calls again" },
		{ "alone", "follows, but is not connected for the calls" },
		{ "waiting", "follows, but is not connected for the calls" },
	};
	const char *state = cli_text(sync, "state");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strcmp(state, texts[i].state))
			return texts[i].text;
	return "follows";
}

static bool is_active(const json_t *server)
{
	return !strcmp(cli_text(server, "role"), "active");
}

/* How the peer ended, by its own account. */
static const char *end_words(const char *last_words)
{
	static const struct { const char *words, *text; } texts[] = {
		{ "panic", "has died of a kernel panic" },
		{ "oops", "has died of a kernel oops" },
		{ "reboot", "reboots" },
		{ "halt", "has halted" },
		{ "power-off", "is switched off" },
		{ "unload", "has unloaded its module" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(texts); i++)
		if (!strcmp(last_words, texts[i].words))
			return texts[i].text;
	return "has ended";
}

/* What the peer does; @sync is NULL if there is nobody to follow. */
static const char *peer_words(const json_t *peer, const json_t *sync)
{
	const char *role = cli_text(peer, "role");

	if (cli_flag(peer, "left"))
		return "has left";
	if (cli_text(peer, "last_words")[0])
		return end_words(cli_text(peer, "last_words"));
	if (!cli_flag(peer, "heard"))
		return "is silent";
	if (!strcmp(role, "active"))
		return "says that it is active, too";
	if (strcmp(role, "standby"))
		return "has just started";
	return sync ? follows(sync) : "is standby";
}

static void print_roles(const json_t *status)
{
	const json_t *peer = json_object_get(status, "peer");
	const json_t *sync = json_object_get(status, "sync");
	const char *name = cli_text(status, "name");
	const char *other = cli_text(peer, "name");

	if (is_active(status))
		printf("%s is ACTIVE in epoch %lld; %s %s", name,
		       cli_number(status, "epoch"), other,
		       peer_words(peer, sync));
	else if (cli_flag(peer, "heard") && is_active(peer))
		printf("%s is ACTIVE in epoch %lld; %s %s", other,
		       cli_number(peer, "epoch"), name, follows(sync));
	else
		printf("NOBODY SERVES: %s is %s, %s %s", name,
		       cli_text(status, "role"), other,
		       peer_words(peer, NULL));
}

static bool link_is_up(const json_t *links, const char *kind)
{
	size_t i;

	for (i = 0; i < json_array_size(links); i++) {
		const json_t *link = json_array_get(links, i);

		if (!strcmp(cli_text(link, "kind"), kind))
			return !strcmp(cli_text(link, "state"), "up");
	}
	return false;
}

static void print_links_word(const json_t *status)
{
	const json_t *links = json_object_get(status, "links");
	const bool up[] = {
		link_is_up(links, "crossover"), link_is_up(links, "lan"),
		cli_flag(json_object_get(status, "arbiter"), "up"),
	};
	static const char *const names[] = {
		"crossover (L1)", "LAN (L2)", "arbiter (L3)",
	};
	const char *before = "; DOWN: ";
	size_t i;

	if (up[0] && up[1] && up[2]) {
		puts("; all three links are up.");
		return;
	}
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (up[i])
			continue;
		printf("%s%s", before, names[i]);
		before = ", ";
	}
	puts(".");
}

/* What is under way, if anything is. */
static void print_phase(const json_t *status)
{
	static const char *const usual[] = { "serving", "following", "" };
	const char *phase = cli_text(status, "phase");
	const char *reason = cli_text(status, "reason");
	size_t i;

	for (i = 0; i < ARRAY_SIZE(usual); i++)
		if (!strcmp(phase, usual[i]))
			return;
	printf("%s is %s%s%s.\n", cli_text(status, "name"), phase,
	       *reason ? ": " : "", reason);
}

/* ---- the three links ---- */

static const char *one_way(const char *direction)
{
	if (!strcmp(direction, "in"))
		return ", hears only";
	return strcmp(direction, "out") ? "" : ", is heard only";
}

static const char *heartbeat_state(const json_t *link, char *text)
{
	const char *state = cli_text(link, "state");
	const char *diag = cli_text(link, "diag");
	bool says_all = !strcmp(state, "up") || !strcmp(diag, "none");

	snprintf(text, CLI_WORD_LEN, "%s%s%s%s%s%s", state,
		 says_all ? "" : " (", says_all ? "" : diag,
		 says_all ? "" : ")", one_way(cli_text(link, "direction")),
		 cli_flag(link, "carrier") ? "" : ", no carrier");
	return text;
}

static void add_heartbeat_link(struct cli_table *t, const json_t *link)
{
	char state[CLI_WORD_LEN], rtt[CLI_WORD_LEN], heard[CLI_WORD_LEN];
	char detect[CLI_WORD_LEN], changes[CLI_WORD_LEN], name[CLI_WORD_LEN];
	const char *texts[7] = {
		name, cli_text(link, "device"), heartbeat_state(link, state),
		"-", "-", detect, changes,
	};

	snprintf(name, sizeof(name), "%s %s",
		 strcmp(cli_text(link, "kind"), "lan") ? "L1" : "L2",
		 cli_text(link, "name"));
	if (!strcmp(cli_text(link, "state"), "up") && cli_number(link, "rtt_us"))
		texts[3] = cli_time(cli_number(link, "rtt_us"), rtt);
	if (json_object_get(link, "silent_ms"))
		texts[4] = cli_time(cli_number(link, "silent_ms") * 1000,
				    heard);
	cli_time(cli_number(link, "detect_us"), detect);
	cli_count(cli_number(link, "changes"), changes);
	cli_table_row(t, texts);
}

static void add_arbiter(struct cli_table *t, const json_t *arbiter)
{
	char rtt[CLI_WORD_LEN];
	bool up = cli_flag(arbiter, "up");
	const char *texts[7] = {
		"L3 arbiter", cli_text(arbiter, "address"),
		up ? "up" : "down", "-", "-", "-", "-",
	};

	if (up && cli_number(arbiter, "rtt_us"))
		texts[3] = cli_time(cli_number(arbiter, "rtt_us"), rtt);
	cli_table_row(t, texts);
}

static void print_links(const json_t *status)
{
	static const char *const headings[] = {
		"LINK", "BY", "STATE", ">ROUND TRIP", ">HEARD AGO",
		">GIVES UP AFTER", ">TIMES DOWN", NULL,
	};
	const json_t *arbiter = json_object_get(status, "arbiter");
	const json_t *links = json_object_get(status, "links");
	struct cli_table *t = cli_table_new(headings);
	size_t i;

	for (i = 0; i < json_array_size(links); i++)
		add_heartbeat_link(t, json_array_get(links, i));
	if (arbiter)
		add_arbiter(t, arbiter);
	cli_table_print(t);
}

/* ---- the rest ---- */

static void label(const char *text)
{
	printf("%-9s", text);
}

static void print_sync_state(const json_t *sync)
{
	const char *state = cli_text(sync, "state");
	char text[CLI_TRANSFER_LEN], a[CLI_WORD_LEN];

	if (!strcmp(state, "identical"))
		printf(", identical on both servers");
	else if (!strcmp(state, "transfer"))
		printf(", transferred: %s", cli_transfer(sync, text));
	else if (!strcmp(state, "behind"))
		printf(", last writes on their way for %s",
		       cli_time(cli_number(sync, "lag_ms") * 1000, a));
	else if (!strcmp(state, "alone") || !strcmp(state, "waiting"))
		printf(" here, not connected to the peer");
	else
		printf(", %s", state);
}

static void print_calls(const json_t *sync)
{
	const char *path = cli_text(sync, "path");
	char text[CLI_WORD_LEN];

	label("Calls");
	printf("%s records", cli_count(cli_number(sync, "records"), text));
	print_sync_state(sync);
	if (!strcmp(path, "crossover"))
		printf(", over the crossover");
	else if (!strcmp(path, "lan"))
		printf(", over the LAN");
	putchar('\n');
}

static void print_lease(const json_t *status)
{
	char text[CLI_WORD_LEN];

	if (!is_active(status))
		return;
	label("Lease");
	if (cli_flag(status, "lease_sole"))
		puts("without end: the peer has left, this server serves alone");
	else
		printf("%s left, renewed with each answer of the peer or the arbiter\n",
		       cli_time(cli_number(status, "lease_left_ms") * 1000,
				text));
}

static void print_services(const json_t *status)
{
	const json_t *services = json_object_get(status, "service");
	bool active = is_active(status);
	size_t i;

	for (i = 0; i < json_array_size(services); i++) {
		const json_t *service = json_array_get(services, i);
		bool present = cli_flag(service, "present");

		label(i ? "" : "Address");
		printf("%s on %s: %s\n", cli_text(service, "address"),
		       cli_text(service, "device"),
		       present && active ? "held by this server" :
		       present ? "HELD, although this server is not active" :
		       active ? "MISSING, although this server is active" :
		       "not held here");
	}
}

static void print_switch(const json_t *status)
{
	const json_t *nic = json_object_get(status, "switch");

	if (!nic)
		return;
	label("Switch");
	printf("%s: %s; the peer's: %s\n", cli_text(nic, "device"),
	       cli_flag(nic, "present") ?
	       cli_carrier(cli_flag(nic, "carrier")) : "THERE IS NO SUCH DEVICE",
	       cli_carrier(cli_flag(nic, "peer_carrier")));
}

static void print_application(const json_t *status)
{
	const json_t *application = json_object_get(status, "application");

	label("Program");
	puts(cli_flag(application, "alive") ? "the CTI application is alive" :
	     "the CTI application is NOT ALIVE here");
}

static void print_alarms(const json_t *alarms)
{
	char since[CLI_WORD_LEN];
	size_t i;

	label("Alarms");
	if (!json_array_size(alarms))
		puts("none");
	for (i = 0; i < json_array_size(alarms); i++) {
		const json_t *alarm = json_array_get(alarms, i);

		if (i)
			label("");
		printf("%s for %s: %s\n",
		       !strcmp(cli_text(alarm, "severity"), "critical") ?
		       "CRITICAL" : "warning",
		       cli_time(cli_number(alarm, "since_ms") * 1000, since),
		       cli_text(alarm, "text"));
	}
}

static void print_status(const struct cli *cli, const json_t *status)
{
	print_roles(status);
	print_links_word(status);
	print_phase(status);
	putchar('\n');
	print_links(status);
	putchar('\n');
	print_calls(json_object_get(status, "sync"));
	print_services(status);
	print_lease(status);
	print_switch(status);
	print_application(status);
	print_alarms(json_object_get(status, "alarms"));
	label("Advice");
	puts(cli_text(status, "advice"));
	if (cli->stats) {
		putchar('\n');
		cli_links_print(json_object_get(status, "links"), true);
	}
}

/* ---- without the daemon ---- */

static int print_module(const struct cli *cli, const char *error)
{
	char reason[CLI_ERROR_LEN];
	struct genl *genl = cli_module_open(reason);
	json_t *state = NULL;
	const json_t *node;

	if (genl) {
		cli_module_state(genl, &state, reason);
		genl_close(genl);
	}
	if (cli->json) {
		cli_print_json(json_pack("{s:b, s:s, s:o*}", "daemon", false,
					 "error", error, "module", state));
		return CLI_UNREACHABLE;
	}
	cli_fail(CLI_UNREACHABLE, "%s", error);
	if (!state)
		return cli_fail(CLI_UNREACHABLE, "nor can the module be asked: %s",
				reason);
	node = json_object_get(state, "node");
	printf("\nThe module still says: this server is %s, epoch %lld; the peer %s.\n\n",
	       cli_text(node, "role"), cli_number(node, "epoch"),
	       peer_words(json_object_get(state, "peer"), NULL));
	cli_links_print(json_object_get(state, "links"), cli->stats);
	json_decref(state);
	return CLI_UNREACHABLE;
}

static int run(const struct cli *cli, int argc, char **argv)
{
	char error[CLI_ERROR_LEN];
	json_t *status;
	int code;

	if (argc > 1 || (argc && !cli_is(argv[0], "show")))
		return cli_usage(&cli_verb_status, argv[argc - 1]);
	code = cli_ask(cli, "status", false, &status, error);
	if (code == CLI_UNREACHABLE)
		return print_module(cli, error);
	if (code != CLI_OK)
		return cli_fail(code, "%s", error);
	if (cli->json)
		return cli_print_json(status);
	print_status(cli, status);
	json_decref(status);
	return CLI_OK;
}

const struct cli_verb cli_verb_status = {
	.name = "status",
	.summary = "the pair at a glance: begin here",
	.help =
"Usage: ctiha [-j] [-s] status\n"
"\n"
"Who is active and who follows, the three links, the calls, the service address,\n"
"what is wrong, and what to do about it. If the daemon is not running, it shows\n"
"what the module still knows, with exit code 3.\n",
	.run = run,
};
