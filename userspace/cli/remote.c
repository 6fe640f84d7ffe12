// SPDX-License-Identifier: GPL-2.0-or-later
/* Asks the daemon, over its control socket. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"

#define PATIENCE_S	5	/* that the daemon gets to answer */

static void explain(const char *path, int err, char error[CLI_ERROR_LEN])
{
	if (err == EACCES || err == EPERM)
		snprintf(error, CLI_ERROR_LEN,
			 "no permission for the daemon's socket %s: use sudo, or join its group",
			 path);
	else if (err == ENOENT || err == ECONNREFUSED)
		snprintf(error, CLI_ERROR_LEN,
			 "the daemon is not running (nobody serves %s): start it with 'systemctl start ctihad'",
			 path);
	else
		snprintf(error, CLI_ERROR_LEN,
			 "cannot connect to %s (%s): check the path given with -c",
			 path, strerror(err));
}

/* A stream of replies, or NULL. */
static FILE *dial(const struct cli *cli, bool patient,
		  char error[CLI_ERROR_LEN])
{
	struct timeval limit = { .tv_sec = PATIENCE_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = -1, err = ENAMETOOLONG;

	if (strlen(cli->socket) < sizeof(address.sun_path)) {
		memcpy(address.sun_path, cli->socket, strlen(cli->socket));
		fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		err = errno;
	}
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
		if (!patient)
			setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit,
				   sizeof(limit));
		if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
			return fdopen(fd, "r");
		err = errno;
		close(fd);
	}
	explain(cli->socket, err, error);
	return NULL;
}

static bool send_request(FILE *stream, const char *command, bool wait)
{
	char text[128];
	int len = snprintf(text, sizeof(text), "{\"command\":\"%s\"%s}\n",
			   command, wait ? ",\"wait\":true" : "");

	return send(fileno(stream), text, len, MSG_NOSIGNAL) == len;
}

/* The next document, or NULL with the reason in @error. */
static json_t *receive(FILE *stream, char error[CLI_ERROR_LEN])
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	json_t *document = NULL;

	errno = 0;
	len = getline(&line, &size, stream);
	if (len > 0)
		document = json_loadb(line, len, 0, NULL);
	if (len <= 0 && errno == EAGAIN)
		snprintf(error, CLI_ERROR_LEN,
			 "the daemon does not answer within %d s: see 'systemctl status ctihad'",
			 PATIENCE_S);
	else if (len <= 0)
		snprintf(error, CLI_ERROR_LEN,
			 "the daemon has closed the connection: see 'journalctl -u ctihad'");
	else if (!document)
		snprintf(error, CLI_ERROR_LEN,
			 "the daemon's answer makes no sense: install ctiha and ctihad of one version");
	free(line);
	return document;
}

static json_t *exchange(FILE *stream, const char *command, bool wait,
			char error[CLI_ERROR_LEN])
{
	if (send_request(stream, command, wait))
		return receive(stream, error);
	snprintf(error, CLI_ERROR_LEN,
		 "the daemon does not take the request (%s): see 'systemctl status ctihad'",
		 strerror(errno));
	return NULL;
}

/* Whether the daemon said yes. */
static int judge_reply(json_t *reply, char error[CLI_ERROR_LEN])
{
	if (!reply)
		return CLI_UNREACHABLE;
	if (cli_flag(reply, "ok")) {
		json_object_del(reply, "ok");
		return CLI_OK;
	}
	snprintf(error, CLI_ERROR_LEN, "%s: %s", cli_text(reply, "error"),
		 cli_text(reply, "remedy"));
	return CLI_FAILED;
}

int cli_ask(const struct cli *cli, const char *command, bool wait,
	    json_t **reply, char error[CLI_ERROR_LEN])
{
	FILE *stream = dial(cli, wait, error);
	json_t *document;
	int code;

	if (!stream)
		return CLI_UNREACHABLE;
	document = exchange(stream, command, wait, error);
	fclose(stream);
	code = judge_reply(document, error);
	if (code == CLI_OK)
		*reply = document;
	else
		json_decref(document);
	return code;
}

int cli_follow(const struct cli *cli,
	       bool (*event)(const json_t *event, void *arg), void *arg,
	       char error[CLI_ERROR_LEN])
{
	FILE *stream = dial(cli, true, error);
	json_t *document;
	bool more = true;
	int code;

	if (!stream)
		return CLI_UNREACHABLE;
	document = exchange(stream, "monitor", false, error);
	code = judge_reply(document, error);
	json_decref(document);
	while (code == CLI_OK && more) {
		document = receive(stream, error);
		if (document)
			more = event(document, arg);
		else
			code = CLI_UNREACHABLE;
		json_decref(document);
	}
	fclose(stream);
	return code;
}
