/* SPDX-License-Identifier: GPL-2.0-or-later */
/* arbiter.conf and the command line, checked, as plain data. */
#ifndef CTIHA_ARBITER_SETTINGS_H
#define CTIHA_ARBITER_SETTINGS_H

#include <stdio.h>
#include <sys/socket.h>

#include "arbiter/pair.h"
#include "arbiter/server.h"

#define SETTINGS_PATH		"/etc/ctiha/arbiter.conf"
#define SETTINGS_STATE_DIR	"/var/lib/ctiha-arbiter"
#define SETTINGS_PATH_LEN	256

/**
 * struct settings - what to do
 * @listen, @listen_count: addresses with ports
 * @listen_default: nobody chose them, so one of them may be unavailable
 * @state_dir: directory of the pairs' files
 * @user: to run as, "" to stay
 * @events: where JSON lines go, "" for nowhere
 */
struct settings {
	struct sockaddr_storage listen[SERVER_SOCKETS_MAX];
	unsigned int listen_count;
	bool listen_default;
	char state_dir[SETTINGS_PATH_LEN];
	char user[64];
	char events[SETTINGS_PATH_LEN];
};

/**
 * settings_read() - read the command line and the file it names
 * @settings: filled in
 * @pairs: gets the pairs and their keys
 * @argc, @argv: of main()
 * @errors: receives one line per error, with place and remedy
 *
 * The command line wins over the file. Prints help or version if asked.
 *
 * Return: 0; 1 if there is nothing left to do; -EINVAL after an error.
 */
int settings_read(struct settings *settings, struct pairs *pairs,
		  int argc, char **argv, FILE *errors);

#endif /* CTIHA_ARBITER_SETTINGS_H */
