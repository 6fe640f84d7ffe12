// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes on the control socket: each line gets exactly one reply, a JSON
 * object, until the connection is closed; and the next client is served.
 */
#include <event2/event.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct event_base *base;
static struct control *control;
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static u64 pending;

static void require(bool holds)
{
	if (!holds)
		abort();
}

static enum control_result run_echo(const json_t *request, json_t *reply,
				    u64 token, void *arg)
{
	(void)token;
	(void)arg;
	json_object_set(reply, "said", json_object_get(request, "say"));
	return CONTROL_DONE;
}

static enum control_result run_later(const json_t *request, json_t *reply,
				     u64 token, void *arg)
{
	(void)request;
	(void)reply;
	(void)arg;
	pending = token;
	return CONTROL_PENDING;
}

static enum control_result run_monitor(const json_t *request, json_t *reply,
				       u64 token, void *arg)
{
	(void)request;
	(void)reply;
	(void)token;
	(void)arg;
	return CONTROL_STREAM;
}

static const struct control_command commands[] = {
	{ "echo", false, run_echo },
	{ "later", true, run_later },
	{ "monitor", false, run_monitor },
	{ NULL, false, NULL },
};

static void close_all(void)
{
	char *slash = strrchr(address.sun_path, '/');

	control_close(control);
	event_base_free(base);
	*slash = 0;
	rmdir(address.sun_path);
}

static void open_once(void)
{
	char error[256];
	char dir[] = "/tmp/control_fuzz.XXXXXX";

	if (control)
		return;
	require(mkdtemp(dir));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/s", dir);
	base = event_base_new();
	control = control_open(base, address.sun_path, commands, NULL, error,
			       sizeof(error));
	require(control);
	atexit(close_all);
}

static int dial(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	require(fd >= 0);
	require(!connect(fd, (struct sockaddr *)&address, sizeof(address)));
	return fd;
}

static void turn(void)
{
	int i;

	for (i = 0; i < 4; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	if (pending)
		control_reply(control, pending, json_object());
	pending = 0;
}

static void check_line(const char *line, size_t len)
{
	json_t *reply = json_loadb(line, len, 0, NULL);

	require(json_is_boolean(json_object_get(reply, "ok")));
	json_decref(reply);
}

/* Returns the number of whole lines. */
static size_t check_replies(const char *text, size_t len)
{
	const char *end;
	size_t lines = 0;

	while ((end = memchr(text, '\n', len))) {
		check_line(text, end - text);
		len -= end + 1 - text;
		text = end + 1;
		lines++;
	}
	return lines;
}

static size_t count_lines(const uint8_t *data, size_t size)
{
	size_t lines = 0;

	while (size--)
		lines += *data++ == '\n';
	return lines;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[1 << 20];
	size_t sent = 0, heard = 0;
	int fd, quiet = 0;
	ssize_t n;

	open_once();
	fd = dial();
	while (quiet < 4 && heard < sizeof(text)) {
		n = write(fd, data + sent, size - sent);
		if (n > 0)
			sent += n;
		turn();
		n = read(fd, text + heard, sizeof(text) - heard);
		quiet = n > 0 ? 0 : quiet + 1;
		if (n > 0)
			heard += n;
	}
	/* One more for a request that is too long. */
	require(check_replies(text, heard) <= count_lines(data, size) + 1);
	close(fd);
	turn();
	return 0;
}
