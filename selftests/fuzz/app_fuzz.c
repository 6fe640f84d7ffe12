// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes the application socket: what an application may send to the daemon, with
 * a real socket and a real store behind it.
 *
 * Input: split at each byte 0xff into messages; each is sent as it is, and once
 * more behind a valid head, so that the fuzzer need not find that.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/log.h"
#include "daemon/app.h"
#include "lib/protocol.h"

static struct event_base *base;
static struct sync *sync_state;
static struct app *app;
static char directory[64] = "/tmp/ctiha-app-fuzz-XXXXXX";
static char path[96];

static void on_acked(void *arg, u64 cookie, enum sync_ack ack)
{
	(void)arg;
	if (!app_acked(app, cookie, ack))
		abort();
}

static void on_state(void *arg, const struct sync_status *status)
{
	(void)arg;
	(void)status;
}

static bool may_act(void *arg)
{
	(void)arg;
	return true;
}

static void on_alive(void *arg, bool alive)
{
	(void)arg;
	(void)alive;
}

static void on_stopped(void *arg)
{
	(void)arg;
}

static void clean_up(void)
{
	char command[128];

	app_close(app);
	sync_close(sync_state);
	event_base_free(base);
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	if (system(command))
		perror(command);
}

static void set_up(void)
{
	const struct sync_callbacks sync_callbacks = {
		on_acked, on_state, may_act,
	};
	const struct app_callbacks app_callbacks = { on_alive, on_stopped };
	struct sync_spec spec = { .map_size = 16 << 20 };
	char error[256];

	log_init("app_fuzz", 0);
	base = event_base_new();
	if (!mkdtemp(directory))
		abort();
	snprintf(spec.directory, sizeof(spec.directory), "%s/store", directory);
	snprintf(path, sizeof(path), "%s/app.sock", directory);
	sync_state = sync_open(base, &spec, &sync_callbacks, NULL, error,
			       sizeof(error));
	if (!sync_state)
		abort();
	app = app_open(base, path, sync_state, &app_callbacks, NULL, error,
		       sizeof(error));
	if (!app)
		abort();
	sync_activate(sync_state, 2);
	app_start_work(app, 2);
	atexit(clean_up);
}

static void turn_loop(void)
{
	int i;

	for (i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
}

static void send_message(int fd, const u8 *data, size_t len)
{
	static const u8 head[8] = { 'A', 'I', 'T', 'C', PROTOCOL_VERSION };
	u8 framed[4096 + 8];

	send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (len > 4096)
		return;
	memcpy(framed, head, sizeof(head));
	memcpy(framed + sizeof(head), data, len);
	send(fd, framed, len + sizeof(head), MSG_NOSIGNAL | MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	static struct protocol_message hello;
	const u8 *end = data + len;
	int fd;

	if (!base) {
		set_up();
		protocol_add(&hello, &(struct protocol_operation){
			.type = PROTOCOL_HELLO, .flags = PROTOCOL_WORKER,
		});
	}
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
	strcpy(at.sun_path, path);
	if (connect(fd, (struct sockaddr *)&at, sizeof(at)))
		abort();
	send(fd, hello.data, hello.len, MSG_NOSIGNAL);
	while (data < end) {
		const u8 *cut = memchr(data, 0xff, (size_t)(end - data));

		if (!cut)
			cut = end;
		send_message(fd, data, (size_t)(cut - data));
		turn_loop();
		data = cut + 1;
	}
	turn_loop();
	close(fd);
	turn_loop();
	return 0;
}
