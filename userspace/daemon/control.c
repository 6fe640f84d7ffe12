// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket.
 *
 * A client is freed only by the event loop, never from within a call that its
 * user made: it is marked dead and freed by its reap event. So commands may
 * broadcast, reply and fail as they like.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "daemon/control.h"

#define SILENCE_S	60	/* between requests */
#define UNREAD_S	10	/* a reply */
#define LISTEN_BACKLOG	16

/**
 * struct client - one connection
 * @may_change: root, or the daemon's own user
 * @token: of the request that is pending, 0 if none is
 * @streaming: gets broadcasts
 * @closing: close when all is written
 * @dead: to be freed by @reap
 */
struct client {
	LIST_ENTRY(client) list;
	struct control *control;
	struct bufferevent *bev;
	struct event *reap;
	bool may_change;
	u64 token;
	bool streaming;
	bool closing;
	bool dead;
};

struct control {
	struct event_base *base;
	struct evconnlistener *listener;
	const struct control_command *commands;
	void *arg;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	LIST_HEAD(client_list, client) clients;
	unsigned int count;
	u64 last_token;
};

static void free_client(struct client *client)
{
	LIST_REMOVE(client, list);
	client->control->count--;
	bufferevent_free(client->bev);
	event_free(client->reap);
	free(client);
}

static void on_reap(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	free_client(arg);
}

static void kill_client(struct client *client)
{
	if (client->dead)
		return;
	client->dead = true;
	bufferevent_disable(client->bev, EV_READ | EV_WRITE);
	event_active(client->reap, EV_TIMEOUT, 0);
}

/* ---- replies ---- */

static size_t unread(const struct client *client)
{
	return evbuffer_get_length(bufferevent_get_output(client->bev));
}

static void send_text(struct client *client, const char *text, size_t len)
{
	if (client->dead)
		return;
	if (unread(client) + len > CONTROL_BACKLOG_MAX) {
		log_warning("control: a client that does not read is dropped");
		kill_client(client);
		return;
	}
	bufferevent_write(client->bev, text, len);
}

/* The document as one line; NULL without memory. */
static char *to_line(const json_t *document, size_t *len)
{
	char *text = json_dumps(document, JSON_COMPACT);

	if (!text)
		return NULL;
	*len = strlen(text) + 1;
	text[*len - 1] = '\n';	/* in place of the end mark */
	return text;
}

static void send_document(struct client *client, const json_t *document)
{
	size_t len;
	char *line = to_line(document, &len);

	if (line)
		send_text(client, line, len);
	else
		kill_client(client);
	free(line);
}

static void send_reply(struct client *client, json_t *reply)
{
	if (!json_object_get(reply, "ok"))
		json_object_set_new(reply, "ok", json_true());
	send_document(client, reply);
}

enum control_result control_fail(json_t *reply, const char *remedy,
				 const char *format, ...)
{
	char wrong[512];
	va_list args;

	va_start(args, format);
	vsnprintf(wrong, sizeof(wrong), format, args);
	va_end(args);
	json_object_clear(reply);
	json_object_set_new(reply, "ok", json_false());
	json_object_set_new(reply, "error", json_string(wrong));
	json_object_set_new(reply, "remedy", json_string(remedy));
	return CONTROL_DONE;
}

static void refuse(struct client *client, const char *wrong, const char *remedy)
{
	json_t *reply = json_object();

	control_fail(reply, remedy, "%s", wrong);
	send_document(client, reply);
	json_decref(reply);
}

/* ---- requests ---- */

static const struct control_command *
find_command(const struct control *c, const char *name)
{
	const struct control_command *command;

	for (command = c->commands; command->name; command++)
		if (!strcmp(command->name, name))
			return command;
	return NULL;
}

static void run(struct client *client, const struct control_command *command,
		const json_t *request)
{
	struct control *c = client->control;
	u64 token = ++c->last_token;
	json_t *reply = json_object();

	client->token = token;
	switch (command->run(request, reply, token, c->arg)) {
	case CONTROL_PENDING:
		break;
	case CONTROL_STREAM:
		client->streaming = true;
		/* fall through */
	case CONTROL_DONE:
		client->token = 0;
		send_reply(client, reply);
		break;
	}
	json_decref(reply);
}

static void take_request(struct client *client, const json_t *request)
{
	const json_t *name = json_object_get(request, "command");
	const struct control_command *command;

	if (!json_is_string(name)) {
		refuse(client, "the request is no object with a \"command\"",
		       "send one, e.g. {\"command\":\"status\"}");
		return;
	}
	command = find_command(client->control, json_string_value(name));
	if (!command)
		refuse(client, "there is no such command",
		       "see ctihad(8) for the commands of this version");
	else if (command->changes && !client->may_change)
		refuse(client, "this command is only for root and the daemon's own user",
		       "run it as root, e.g. with sudo");
	else
		run(client, command, request);
}

static void take_line(struct client *client, const char *line, size_t len)
{
	json_t *request = json_loadb(line, len, JSON_REJECT_DUPLICATES, NULL);

	if (request)
		take_request(client, request);
	else
		refuse(client, "the request is not valid JSON",
		       "send one JSON object per line");
	json_decref(request);
}

/* No more requests: they would be as wrong as this one. */
static void refuse_long(struct client *client)
{
	refuse(client, "the request is too long",
	       "send one of at most 65536 bytes, with a newline at its end");
	client->closing = true;
	bufferevent_disable(client->bev, EV_READ);
}

/* A client whose request is pending, or that listens, has to wait its turn. */
static bool is_ready(const struct client *client)
{
	return !client->dead && !client->closing && !client->token &&
	       !client->streaming;
}

static void read_requests(struct client *client)
{
	struct evbuffer *input = bufferevent_get_input(client->bev);
	size_t len;
	char *line;

	while (is_ready(client)) {
		line = evbuffer_readln(input, &len, EVBUFFER_EOL_LF);
		if (!line) {
			if (evbuffer_get_length(input) > CONTROL_REQUEST_MAX)
				refuse_long(client);
			return;
		}
		if (len > CONTROL_REQUEST_MAX)
			refuse_long(client);
		else
			take_line(client, line, len);
		free(line);
	}
}

static void on_read(struct bufferevent *bev, void *arg)
{
	(void)bev;
	read_requests(arg);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	struct client *client = arg;

	(void)bev;
	if (client->closing && !client->dead)
		kill_client(client);
}

/* Nothing is expected from a client that waits for a reply or listens. */
static void on_silence(struct client *client)
{
	if (client->token || client->streaming)
		bufferevent_enable(client->bev, EV_READ);
	else
		kill_client(client);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct client *client = arg;

	(void)bev;
	if (client->dead)
		return;
	if ((what & BEV_EVENT_TIMEOUT) && (what & BEV_EVENT_READING))
		on_silence(client);
	else if ((what & BEV_EVENT_EOF) && !client->streaming &&
		 (unread(client) || client->token))
		client->closing = true;	/* it may still want its replies */
	else
		kill_client(client);
}

/* ---- connections ---- */

static bool may_change(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		return false;
	return cred.uid == 0 || cred.uid == geteuid();
}

/* Takes @fd over, also if it fails. */
static struct client *new_client(struct control *c, int fd)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client) {
		close(fd);
		return NULL;
	}
	client->control = c;
	client->may_change = may_change(fd);
	client->bev = bufferevent_socket_new(c->base, fd,
					     BEV_OPT_CLOSE_ON_FREE);
	if (!client->bev)
		close(fd);
	else
		client->reap = event_new(c->base, -1, 0, on_reap, client);
	if (client->reap)
		return client;
	if (client->bev)
		bufferevent_free(client->bev);
	free(client);
	return NULL;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd,
		      struct sockaddr *address, int len, void *arg)
{
	static const struct timeval silence = { .tv_sec = SILENCE_S };
	static const struct timeval lazy = { .tv_sec = UNREAD_S };
	struct control *c = arg;
	struct client *client = new_client(c, fd);

	(void)listener;
	(void)address;
	(void)len;
	if (!client)
		return;
	LIST_INSERT_HEAD(&c->clients, client, list);
	c->count++;
	bufferevent_setcb(client->bev, on_read, on_written, on_event, client);
	bufferevent_set_timeouts(client->bev, &silence, &lazy);
	/* Just enough to see that a request is too long. */
	bufferevent_setwatermark(client->bev, EV_READ, 0,
				 CONTROL_REQUEST_MAX + 2);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
	if (c->count > CONTROL_CLIENTS_MAX) {
		refuse(client, "too many clients are connected",
		       "try again, or end some of them");
		client->closing = true;
	}
}

/* ---- the socket ---- */

/* Someone accepts connections there. */
static bool is_served(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool served;

	if (fd < 0)
		return false;
	served = !connect(fd, (const struct sockaddr *)address,
			  sizeof(*address)) || errno == EAGAIN;
	close(fd);
	return served;
}

static void remove_stale(const char *path)
{
	struct stat st;

	if (!lstat(path, &st) && S_ISSOCK(st.st_mode))
		unlink(path);
}

static int bind_socket(int fd, const struct sockaddr_un *address)
{
	mode_t mask = umask(0117);	/* mode 0660 from the first moment */
	int err = bind(fd, (const struct sockaddr *)address, sizeof(*address));

	umask(mask);
	return err;
}

static bool listen_at(struct control *c, char *error, size_t error_size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	memcpy(address.sun_path, c->path, sizeof(c->path));
	if (is_served(&address)) {
		snprintf(error, error_size,
			 "%s: another daemon serves it: stop that one first",
			 c->path);
		return false;
	}
	remove_stale(c->path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && !bind_socket(fd, &address))
		c->listener = evconnlistener_new(c->base, on_accept, c,
						 LEV_OPT_CLOSE_ON_FREE |
						 LEV_OPT_CLOSE_ON_EXEC,
						 LISTEN_BACKLOG, fd);
	if (c->listener)
		return true;
	snprintf(error, error_size,
		 "%s: cannot listen (%s): make its directory, writable for the daemon",
		 c->path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return false;
}

struct control *control_open(struct event_base *base, const char *path,
			     const struct control_command *commands, void *arg,
			     char *error, size_t error_size)
{
	struct control *c = calloc(1, sizeof(*c));

	if (!c) {
		snprintf(error, error_size, "no memory: free some");
		return NULL;
	}
	c->base = base;
	c->commands = commands;
	c->arg = arg;
	LIST_INIT(&c->clients);
	if (strlen(path) >= sizeof(c->path)) {
		snprintf(error, error_size,
			 "%s: too long for a socket: choose a shorter run-dir",
			 path);
		free(c);
		return NULL;
	}
	memcpy(c->path, path, strlen(path) + 1);
	if (listen_at(c, error, error_size))
		return c;
	free(c);
	return NULL;
}

void control_close(struct control *c)
{
	if (!c)
		return;
	while (!LIST_EMPTY(&c->clients))
		free_client(LIST_FIRST(&c->clients));
	evconnlistener_free(c->listener);
	remove_stale(c->path);
	free(c);
}

/* ---- what comes later ---- */

static struct client *find_token(struct control *c, u64 token)
{
	struct client *client;

	LIST_FOREACH(client, &c->clients, list)
		if (token && client->token == token && !client->dead)
			return client;
	return NULL;
}

bool control_reply(struct control *c, u64 token, json_t *reply)
{
	struct client *client = find_token(c, token);

	if (client) {
		client->token = 0;
		send_reply(client, reply);
		/* It may have sent more requests meanwhile. */
		bufferevent_trigger(client->bev, EV_READ,
				    BEV_TRIG_IGNORE_WATERMARKS |
				    BEV_TRIG_DEFER_CALLBACKS);
	}
	json_decref(reply);
	return client;
}

void control_broadcast(struct control *c, const json_t *event)
{
	struct client *client;
	char *line = NULL;
	size_t len = 0;

	for (client = LIST_FIRST(&c->clients); client;
	     client = LIST_NEXT(client, list)) {
		if (!client->streaming)
			continue;
		if (!line)
			line = to_line(event, &len);
		if (!line)
			return;
		send_text(client, line, len);
	}
	free(line);
}
