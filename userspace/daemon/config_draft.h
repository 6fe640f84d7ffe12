/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A configuration in the making, as the files share it that read ctiha.conf:
 *
 *   config.c          from the file to the configuration, step by step
 *   config_syntax.c   text into statements, and the list of errors
 *   config_option.c   one option: what it may be, its value, whether it is missing
 *   config_section.c  one section, from its first option to its end
 *   config_check.c    whether it all fits together, and what it stands for
 */
#ifndef CTIHA_CONFIG_DRAFT_H
#define CTIHA_CONFIG_DRAFT_H

#include "daemon/config.h"
#include "daemon/config_syntax.h"

#define NS_PER_US	1000ULL
#define NS_PER_MS	1000000ULL
#define NS_PER_S	1000000000ULL

enum section {
	ROOT,
	LINK,
	ARBITER,
	SERVICE,
	SYNC,
	HOOK,
	SWITCH,
	SECTIONS,
};

/* A section while it is being read. */
struct block {
	struct config_link link;
	struct config_arbiter arbiter;
	char arbiter_key_file[CONFIG_PATH_LEN];
	u16 arbiter_port;
	struct config_service service;
	struct config_hook hook;
	struct config_switch switch_nic;
};

#define OPTIONS_MAX	32

/**
 * struct draft - a configuration in the making
 * @config: what is known so far
 * @key_file, @second_key_file: of the pair
 * @has_link, @has_arbiter, @has_sync, @has_switch: which sections were there
 * @arbiter_key_file, @arbiter_port: to be resolved when all is read
 * @block: the section that is being read
 * @line: where each option was given, 0 if it was not; of all but the file's
 *        own options only for the section being read
 * @first_line: first line of that section, 0 before it
 * @link_line: where each link's interval was given, or its section's end
 * @arbiter_line, @key_line: the same for the arbiter's interval and key file
 * @switch_line: where the switch section ends
 * @syntax: statements and errors
 */
struct draft {
	struct config config;
	char key_file[CONFIG_PATH_LEN];
	char second_key_file[CONFIG_PATH_LEN];
	bool has_link[CONFIG_LINKS];
	bool has_arbiter;
	bool has_sync;
	bool has_switch;
	char arbiter_key_file[CONFIG_PATH_LEN];
	u16 arbiter_port;
	struct block block;
	int line[SECTIONS][OPTIONS_MAX];
	int first_line;
	int link_line[CONFIG_LINKS];
	int arbiter_line;
	int key_line;
	int switch_line;
	struct syntax syntax;
};

/* Indexes of options that the checks across options ask for. */
enum {
	ROOT_KEY_FILE = 4,
	ROOT_LEASE = 11,
	ROOT_PROMISE = 12,
	ROOT_SETTLE = 16,
	ROOT_USER = 19,
	ROOT_GROUP = 20,
	ROOT_SECOND_KEY_FILE = 22,
	ROOT_SEND_KEY = 23,
	LINK_INTERVAL = 1,
	LINK_PEER_ADDRESS = 5,
	ARBITER_INTERVAL = 2,
	ARBITER_TIMEOUT = 3,
	ARBITER_KEY_FILE = 4,
};

/**
 * config_option_grammar() - what may be written, for syntax_read()
 * @grammar: filled in, one for each enum section
 */
void config_option_grammar(struct syntax_section grammar[SECTIONS]);

/**
 * config_option_read() - take an option's value into the draft
 * @d: draft; notes where the option was given, and an error if that is the
 *     second time or the value is none
 * @st: statement with an option
 */
void config_option_read(struct draft *d, const struct syntax_statement *st);

/**
 * config_option_require() - note an error for each option that is missing
 * @d: draft
 * @section: enum section, all of whose options have been read
 * @title: of this section, "" if it has none
 * @line: where the section ends
 *
 * Return: whether all that must be given was.
 */
bool config_option_require(struct draft *d, unsigned int section,
			   const char *title, int line);

/**
 * config_section_begin() - set the defaults of a section to be read
 * @d: draft; what it holds of the section read before is freed
 */
void config_section_begin(struct draft *d);

/**
 * config_section_end() - take the section that was read, and begin another
 * @d: draft; gets the section, or errors that say why it cannot be taken
 * @st: statement that ends it
 */
void config_section_end(struct draft *d, const struct syntax_statement *st);

/* config_derive() - defaults that follow from what was given. */
void config_derive(struct draft *d);

/* config_resolve() - ports, user, group, keys: what values stand for. */
void config_resolve(struct draft *d);

/* config_check() - the checks across options. */
void config_check(struct draft *d);

#endif /* CTIHA_CONFIG_DRAFT_H */
