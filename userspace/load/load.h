/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ctiha-load: what its subcommands share. */
#ifndef CTIHA_LOAD_H
#define CTIHA_LOAD_H

#include <sys/socket.h>

#include <ctiha/base.h>

/* Exit codes. */
enum load_exit {
	LOAD_OK,
	LOAD_AUDIT_FAILED,	/* a call is lost, wrong, twice or resurrected */
	LOAD_USAGE,
	LOAD_NO_SERVICE,	/* nobody answers, or a socket cannot be used */
};

/* Subcommands: argv[0] is the subcommand's name. */
int serve_main(int argc, char **argv);
int drive_main(int argc, char **argv);
int clock_main(int argc, char **argv);

/**
 * load_address() - read ADDRESS:PORT, or [ADDRESS]:PORT
 * Return: length of the address in @to; 0 if it is none.
 */
socklen_t load_address(const char *text, struct sockaddr_storage *to);

/* Reads a number from 0 to @max. Return: false if it is none. */
bool load_number(const char *text, u64 max, u64 *value);

/* Set by SIGINT and SIGTERM once load_signals() was called. */
extern volatile int load_ending;
void load_signals(void);

#endif /* CTIHA_LOAD_H */
