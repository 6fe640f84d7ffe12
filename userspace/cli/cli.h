/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ctiha, the operator's command line: what its files share.
 *
 *   main.c      options, table of verbs
 *   VERB.c      one verb each; order.c is what takeover and standby share
 *   say.c       complaints, JSON
 *   remote.c    asks the daemon, over its control socket
 *   module.c    asks the module, by netlink
 *   state.c     asks whichever of the two knows
 *   table.c     tables and times for people
 *   quality.c   histograms of links
 *
 * Each verb gets a document (daemon/document.h, daemon/control.h), and prints
 * it as JSON or as text.
 */
#ifndef CTIHA_CLI_H
#define CTIHA_CLI_H

#include <jansson.h>

#include <ctiha/base.h>

enum cli_exit {
	CLI_OK = 0,
	CLI_FAILED = 1,		/* it was understood, and it did not work */
	CLI_USAGE = 2,		/* it was not understood */
	CLI_UNREACHABLE = 3,	/* neither daemon nor module could be asked */
};

/**
 * struct cli - global options
 * @socket: control socket
 * @json: print JSON
 * @stats: print counters as well
 * @wait: --wait
 */
struct cli {
	const char *socket;
	bool json;
	bool stats;
	bool wait;
};

/**
 * struct cli_verb - one verb
 * @name: may be abbreviated
 * @least: letters that an abbreviation needs at least; a verb that changes
 *         something asks for several
 * @waits: knows --wait
 * @summary: one line
 * @help: the whole text of --help
 * @run: argv[0] is the first word behind the verb; returns enum cli_exit
 */
struct cli_verb {
	const char *name;
	size_t least;
	bool waits;
	const char *summary;
	const char *help;
	int (*run)(const struct cli *cli, int argc, char **argv);
};

extern const struct cli_verb cli_verb_status;
extern const struct cli_verb cli_verb_link;
extern const struct cli_verb cli_verb_node;
extern const struct cli_verb cli_verb_switch;
extern const struct cli_verb cli_verb_monitor;
extern const struct cli_verb cli_verb_takeover;
extern const struct cli_verb cli_verb_standby;
extern const struct cli_verb cli_verb_sync;
extern const struct cli_verb cli_verb_reload;

/* ---- say.c ---- */

/* cli_is() - @word is @name or an abbreviation of it. */
bool cli_is(const char *word, const char *name);

/* cli_fail() - print "ctiha: WHAT" to standard error; returns @code. */
int cli_fail(int code, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* cli_usage() - complain about a word, "" for a missing one; CLI_USAGE. */
int cli_usage(const struct cli_verb *verb, const char *word);

/* cli_print_json() - a document, then a newline; the reference is taken. */
int cli_print_json(json_t *document);

/* ---- remote.c ---- */

#define CLI_ERROR_LEN	512

/**
 * cli_ask() - one request to the daemon
 * @command: as in daemon/control.h
 * @wait: send "wait", and wait for as long as it takes
 * @reply: set to the reply without "ok", on CLI_OK only
 * @error: receives what is wrong and what to do, else
 *
 * Return: CLI_OK, CLI_FAILED or CLI_UNREACHABLE.
 */
int cli_ask(const struct cli *cli, const char *command, bool wait,
	    json_t **reply, char error[CLI_ERROR_LEN]);

/**
 * cli_follow() - ask the daemon for its events
 * @event: gets each; false ends it
 *
 * Return: CLI_OK if @event ended it, else as cli_ask().
 */
int cli_follow(const struct cli *cli,
	       bool (*event)(const json_t *event, void *arg), void *arg,
	       char error[CLI_ERROR_LEN]);

/* ---- module.c ---- */

struct genl;
struct heartbeat_link_spec;

/**
 * cli_module_open() - a socket to the module
 * @error: receives what is wrong and what to do
 *
 * Return: NULL if it is not loaded.
 */
struct genl *cli_module_open(char error[CLI_ERROR_LEN]);

/**
 * cli_module_state() - what the module knows
 * @genl: socket
 * @state: set to {node, peer, links}
 * @error: receives what is wrong and what to do
 *
 * Return: 0 or -errno; -ENOENT if nobody has created a node.
 */
int cli_module_state(struct genl *genl, json_t **state,
		     char error[CLI_ERROR_LEN]);

/* cli_module_add_quality() - to each link of a state, if the module knows it. */
void cli_module_add_quality(struct genl *genl, json_t *links);

/* cli_module_link_add(), cli_module_link_del() - 0 or -errno, with @error. */
int cli_module_link_add(struct genl *genl,
			const struct heartbeat_link_spec *spec,
			char error[CLI_ERROR_LEN]);
int cli_module_link_del(struct genl *genl, const char *name,
			char error[CLI_ERROR_LEN]);

/* cli_module_switch_set() - @device: "" for none; 0 or -errno, with @error. */
int cli_module_switch_set(struct genl *genl, const char *device,
			  char error[CLI_ERROR_LEN]);

/**
 * cli_module_follow() - the module's events
 * @event: gets each; false ends it. After lost events it gets {object: "gap"}
 *         and then everything as it is now
 *
 * Return: CLI_OK if @event ended it, or CLI_FAILED with @error.
 */
int cli_module_follow(bool (*event)(const json_t *event, void *arg), void *arg,
		      char error[CLI_ERROR_LEN]);

/* ---- state.c ---- */

/**
 * cli_state() - {node, peer, links}, from the module if it has a node, else
 *               from the daemon; with --statistics and the module also the quality
 *               of each link
 *
 * Return: enum cli_exit, with @error.
 */
int cli_state(const struct cli *cli, json_t **state, char error[CLI_ERROR_LEN]);

/* ---- switch.c ---- */

/* cli_peer_reports() - a peer that is heard has @word in its report. */
bool cli_peer_reports(const json_t *peer, const char *word);

/* ---- table.c ---- */

struct cli_table;

/* cli_table_new() - headings end with NULL; a leading '>' aligns right. */
struct cli_table *cli_table_new(const char *const *headings);
/* cli_table_row() - one text per heading; they are copied. */
void cli_table_row(struct cli_table *table, const char *const *texts);
/* cli_table_print() - to standard output, and free it. */
void cli_table_print(struct cli_table *table);

/* Members of a document; "" or 0 if missing. */
const char *cli_text(const json_t *object, const char *name);
long long cli_number(const json_t *object, const char *name);
bool cli_flag(const json_t *object, const char *name);

#define CLI_WORD_LEN	64

/* "210 us", "3.2 ms", "12 s", "5 min", "3 h", "2 d" */
const char *cli_time(long long us, char text[CLI_WORD_LEN]);
/* "1,234,567" */
const char *cli_count(long long number, char text[CLI_WORD_LEN]);
/* "12.3 MB" */
const char *cli_bytes(long long bytes, char text[CLI_WORD_LEN]);

/* "carrier" or "NO CARRIER" */
const char *cli_carrier(bool carrier);

/* "2,500 of 10,000 records, 1,250 a second, 6 s to go", of a sync document */
#define CLI_TRANSFER_LEN	(5 * CLI_WORD_LEN)
const char *cli_transfer(const json_t *sync, char text[CLI_TRANSFER_LEN]);

/* cli_links_print() - a table of links; with counters if @stats. */
void cli_links_print(const json_t *links, bool stats);

/* ---- quality.c ---- */

struct genl_quality;

/* cli_quality() - {round_trip, jitter, lateness}: {count, p50_us, ..., buckets} */
json_t *cli_quality(const struct genl_quality *quality);

/* cli_quality_print() - a table of links that have "quality"; nothing if none has. */
void cli_quality_print(const json_t *links);

#endif /* CTIHA_CLI_H */
