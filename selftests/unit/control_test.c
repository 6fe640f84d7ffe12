// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The control socket against friendly, hostile and lazy clients.
 *
 * Clients are plain sockets in this process; the event loop is turned by hand.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "common/clock.h"
#include "daemon/control.h"

FIXTURE(control)
{
	struct event_base *base;
	struct control *c;
	char dir[32];
	char path[64];
	char error[256];
	char text[70000];
	u64 token;
	int changes;
};

static enum control_result run_echo(const json_t *request, json_t *reply,
				    u64 token, void *arg)
{
	json_object_set(reply, "said", json_object_get(request, "say"));
	return CONTROL_DONE;
}

static enum control_result run_fail(const json_t *request, json_t *reply,
				    u64 token, void *arg)
{
	json_object_set_new(reply, "half", json_true());
	return control_fail(reply, "try %s", "it is %s", "wrong");
}

static enum control_result run_change(const json_t *request, json_t *reply,
				      u64 token, void *arg)
{
	FIXTURE_DATA(control) *self = arg;

	self->changes++;
	return CONTROL_DONE;
}

static enum control_result run_later(const json_t *request, json_t *reply,
				     u64 token, void *arg)
{
	FIXTURE_DATA(control) *self = arg;

	self->token = token;
	return CONTROL_PENDING;
}

/* Answers by control_reply(), but before it returns. */
static enum control_result run_soon(const json_t *request, json_t *reply,
				    u64 token, void *arg)
{
	FIXTURE_DATA(control) *self = arg;

	control_reply(self->c, token, json_pack("{s:s}", "came", "soon"));
	return CONTROL_PENDING;
}

static enum control_result run_monitor(const json_t *request, json_t *reply,
				       u64 token, void *arg)
{
	return CONTROL_STREAM;
}

static const struct control_command commands[] = {
	{ "echo", false, run_echo },
	{ "fail", false, run_fail },
	{ "change", true, run_change },
	{ "later", false, run_later },
	{ "soon", false, run_soon },
	{ "monitor", false, run_monitor },
	{ NULL, false, NULL },
};

FIXTURE_SETUP(control)
{
	memset(self, 0, sizeof(*self));
	signal(SIGPIPE, SIG_IGN);
	strcpy(self->dir, "/tmp/control_test.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	chmod(self->dir, 0755);
	snprintf(self->path, sizeof(self->path), "%s/control.sock", self->dir);
	self->base = event_base_new();
	ASSERT_NE(NULL, self->base);
	self->c = control_open(self->base, self->path, commands, self,
			       self->error, sizeof(self->error));
	ASSERT_NE(NULL, self->c) TH_LOG("%s", self->error);
}

FIXTURE_TEARDOWN(control)
{
	control_close(self->c);
	event_base_free(self->base);
	EXPECT_NE(0, access(self->path, F_OK));
	rmdir(self->dir);
}

/* Lets the loop do what there is to do now. */
static void turn(FIXTURE_DATA(control) *self)
{
	int i;

	for (i = 0; i < 20; i++)
		event_base_loop(self->base, EVLOOP_NONBLOCK);
}

static int dial(FIXTURE_DATA(control) *self)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, self->path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		abort();
	turn(self);
	return fd;
}

static void say(FIXTURE_DATA(control) *self, int fd, const char *text)
{
	size_t len = strlen(text), sent = 0;
	ssize_t n;

	while (sent < len) {
		n = write(fd, text + sent, len - sent);
		if (n > 0)
			sent += n;
		else if (n < 0 && errno != EAGAIN)
			return;
		turn(self);
	}
	turn(self);
}

/* What has arrived, as far as it fits; "EOF" at the end if the connection is closed. */
static const char *hear(FIXTURE_DATA(control) *self, int fd)
{
	size_t len = 0, room = sizeof(self->text) - 4;
	ssize_t n = -1;

	turn(self);
	errno = 0;
	while (len < room) {
		n = read(fd, self->text + len, room - len);
		if (n <= 0)
			break;
		len += n;
		turn(self);
	}
	if (!n || errno == ECONNRESET) {
		memcpy(self->text + len, "EOF", 3);
		len += 3;
	}
	self->text[len] = 0;
	return self->text;
}

static const char *ask(FIXTURE_DATA(control) *self, const char *text)
{
	int fd = dial(self);

	say(self, fd, text);
	hear(self, fd);
	close(fd);
	turn(self);
	return self->text;
}

TEST_F(control, request_and_reply)
{
	EXPECT_STREQ("{\"said\":\"hi\",\"ok\":true}\n",
		     ask(self, "{\"command\":\"echo\",\"say\":\"hi\"}\n"));
	EXPECT_STREQ("{\"ok\":false,\"error\":\"it is wrong\",\"remedy\":\"try %s\"}\n",
		     ask(self, "{\"command\":\"fail\"}\n"));
	EXPECT_STREQ("{\"ok\":true}\n", ask(self, "{\"command\":\"change\"}\n"));
	EXPECT_EQ(1, self->changes);
}

TEST_F(control, several_requests_in_pieces)
{
	int fd = dial(self);

	say(self, fd, "{\"command\":\"ec");
	EXPECT_STREQ("", hear(self, fd));
	say(self, fd, "ho\",\"say\":1}\n{\"command\":\"echo\",\"say\":2}\n{");
	EXPECT_STREQ("{\"said\":1,\"ok\":true}\n{\"said\":2,\"ok\":true}\n",
		     hear(self, fd));
	close(fd);
}

TEST_F(control, bad_requests)
{
	static const char json[] =
		"{\"ok\":false,\"error\":\"the request is not valid JSON\",\"remedy\":\"send one JSON object per line\"}\n";
	static const char command[] =
		"{\"ok\":false,\"error\":\"the request is no object with a \\\"command\\\"\",\"remedy\":\"send one, e.g. {\\\"command\\\":\\\"status\\\"}\"}\n";

	EXPECT_STREQ(json, ask(self, "\n"));
	EXPECT_STREQ(json, ask(self, "{\n"));
	EXPECT_STREQ(json, ask(self, "{} {}\n"));
	EXPECT_STREQ(json, ask(self, "{\"command\":\"echo\",\"command\":\"echo\"}\n"));
	EXPECT_STREQ(json, ask(self, "{\"command\":\"\xff\"}\n"));
	EXPECT_STREQ(command, ask(self, "[]\n"));
	EXPECT_STREQ(command, ask(self, "{\"command\":7}\n"));
	EXPECT_STREQ("{\"ok\":false,\"error\":\"there is no such command\",\"remedy\":\"see ctihad(8) for the commands of this version\"}\n",
		     ask(self, "{\"command\":\"reboot\"}\n"));
	/* The connection survives what is wrong with one request. */
	EXPECT_STREQ("{\"said\":1,\"ok\":true}\n",
		     strchr(ask(self, "x\n{\"command\":\"echo\",\"say\":1}\n"), '\n') + 1);
}

TEST_F(control, depth)
{
	char deep[40001];

	memset(deep, '[', 40000);
	deep[40000] = 0;
	strcpy(deep + 39998, "\n");
	EXPECT_NE(NULL, strstr(ask(self, deep), "not valid JSON"));
}

TEST_F(control, length_limit)
{
	char *long_one = malloc(70001);
	static const char too_long[] =
		"{\"ok\":false,\"error\":\"the request is too long\",\"remedy\":\"send one of at most 65536 bytes, with a newline at its end\"}\nEOF";

	/* Exactly at the limit. */
	memset(long_one, ' ', 70000);
	memcpy(long_one, "{\"command\":\"echo\",\"say\":1}", 26);
	strcpy(long_one + CONTROL_REQUEST_MAX, "\n");
	EXPECT_STREQ("{\"said\":1,\"ok\":true}\n", ask(self, long_one));
	strcpy(long_one + CONTROL_REQUEST_MAX, " \n");
	EXPECT_STREQ(too_long, ask(self, long_one));
	/* Without any newline. */
	memset(long_one, ' ', 70000);
	long_one[70000] = 0;
	EXPECT_STREQ(too_long, ask(self, long_one));
	free(long_one);
}

TEST_F(control, pending)
{
	int fd = dial(self);

	say(self, fd, "{\"command\":\"later\"}\n{\"command\":\"echo\",\"say\":1}\n");
	EXPECT_STREQ("", hear(self, fd));
	EXPECT_NE(0, self->token);
	EXPECT_FALSE(control_reply(self->c, self->token + 1, json_object()));
	EXPECT_TRUE(control_reply(self->c, self->token,
				  json_pack("{s:i}", "epoch", 12)));
	EXPECT_STREQ("{\"epoch\":12,\"ok\":true}\n{\"said\":1,\"ok\":true}\n",
		     hear(self, fd));
	/* Once only. */
	EXPECT_FALSE(control_reply(self->c, self->token, json_object()));
	close(fd);
	EXPECT_STREQ("{\"came\":\"soon\",\"ok\":true}\n",
		     ask(self, "{\"command\":\"soon\"}\n"));
}

TEST_F(control, pending_client_gone)
{
	json_t *reply = json_object();
	int fd = dial(self);

	say(self, fd, "{\"command\":\"later\"}\n");
	close(fd);
	turn(self);
	control_fail(reply, "nothing", "too late");
	control_reply(self->c, self->token, reply);
	turn(self);
	EXPECT_FALSE(control_reply(self->c, self->token, json_object()));
}

/* Shuts its sending half, as nc does at the end of its input. */
TEST_F(control, half_closed)
{
	int fd = dial(self);

	say(self, fd, "{\"command\":\"echo\",\"say\":1}\n{\"command\":\"later\"}\n");
	shutdown(fd, SHUT_WR);
	EXPECT_STREQ("{\"said\":1,\"ok\":true}\n", hear(self, fd));
	EXPECT_TRUE(control_reply(self->c, self->token, json_object()));
	EXPECT_STREQ("{\"ok\":true}\nEOF", hear(self, fd));
	close(fd);
}

TEST_F(control, monitor)
{
	json_t *event = json_pack("{s:i}", "seq", 1);
	int fd = dial(self), other = dial(self);

	control_broadcast(self->c, event);
	say(self, fd, "{\"command\":\"monitor\"}\n");
	EXPECT_STREQ("{\"ok\":true}\n", hear(self, fd));
	control_broadcast(self->c, event);
	control_broadcast(self->c, event);
	EXPECT_STREQ("{\"seq\":1}\n{\"seq\":1}\n", hear(self, fd));
	EXPECT_STREQ("", hear(self, other));
	close(fd);
	turn(self);
	control_broadcast(self->c, event);
	EXPECT_STREQ("", hear(self, other));
	close(other);
	json_decref(event);
}

/* A monitor that does not read must cost neither memory nor the others. */
TEST_F(control, slow_reader)
{
	char kilobyte[1025];
	json_t *event;
	int i, slow = dial(self), fast = dial(self);
	size_t heard = 0;

	memset(kilobyte, 'x', 1024);
	kilobyte[1024] = 0;
	event = json_pack("{s:s}", "x", kilobyte);
	say(self, slow, "{\"command\":\"monitor\"}\n");
	say(self, fast, "{\"command\":\"monitor\"}\n");
	hear(self, fast);
	for (i = 0; i < 3000; i++) {
		control_broadcast(self->c, event);
		turn(self);
		heard += strlen(hear(self, fast));
	}
	EXPECT_EQ(3000 * (1024 + 9), heard);
	/* What the kernel holds can be read, then it is over. */
	do
		hear(self, slow);
	while (*self->text && !strstr(self->text, "EOF"));
	EXPECT_NE(NULL, strstr(self->text, "EOF"));
	close(slow);
	close(fast);
	json_decref(event);
}

TEST_F(control, too_many_clients)
{
	int fd[CONTROL_CLIENTS_MAX + 1], i;

	for (i = 0; i <= CONTROL_CLIENTS_MAX; i++)
		fd[i] = dial(self);
	EXPECT_STREQ("{\"ok\":false,\"error\":\"too many clients are connected\",\"remedy\":\"try again, or end some of them\"}\nEOF",
		     hear(self, fd[CONTROL_CLIENTS_MAX]));
	EXPECT_STREQ("", hear(self, fd[0]));
	close(fd[0]);
	turn(self);
	EXPECT_STREQ("{\"said\":1,\"ok\":true}\n",
		     ask(self, "{\"command\":\"echo\",\"say\":1}\n"));
	for (i = 1; i <= CONTROL_CLIENTS_MAX; i++)
		close(fd[i]);
}

/* Others than root and the daemon's own user may read, but change nothing. */
TEST_F(control, permission)
{
	int status, answer[2];
	pid_t pid;

	if (geteuid())
		SKIP(return, "needs root to become another user");
	EXPECT_EQ(0, chmod(self->path, 0666));
	ASSERT_EQ(0, pipe(answer));
	pid = fork();
	if (!pid) {
		struct sockaddr_un address = { .sun_family = AF_UNIX };
		int fd = socket(AF_UNIX, SOCK_STREAM, 0);
		char text[512];
		ssize_t n;

		if (setuid(65534))
			_exit(1);
		strcpy(address.sun_path, self->path);
		if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
			_exit(2);
		dprintf(fd, "{\"command\":\"change\"}\n");
		n = read(fd, text, sizeof(text));
		if (n < 0 || write(answer[1], text, n) != n)
			_exit(3);
		dprintf(fd, "{\"command\":\"echo\",\"say\":1}\n");
		n = read(fd, text, sizeof(text));
		if (n < 0 || write(answer[1], text, n) != n)
			_exit(4);
		_exit(0);
	}
	fcntl(answer[0], F_SETFL, O_NONBLOCK);
	while (waitpid(pid, &status, WNOHANG) != pid)
		turn(self);
	EXPECT_EQ(0, status);
	EXPECT_STREQ("{\"ok\":false,\"error\":\"this command is only for root and the daemon's own user\",\"remedy\":\"run it as root, e.g. with sudo\"}\n"
		     "{\"said\":1,\"ok\":true}\n", hear(self, answer[0]));
	EXPECT_EQ(0, self->changes);
	close(answer[0]);
	close(answer[1]);
}

TEST_F(control, socket_file)
{
	struct stat st;
	char expected[256];
	struct control *second;

	ASSERT_EQ(0, stat(self->path, &st));
	EXPECT_EQ(0660, st.st_mode & 0777);

	/* A second daemon is told so, and does no harm. */
	snprintf(expected, sizeof(expected),
		 "%s: another daemon serves it: stop that one first",
		 self->path);
	second = control_open(self->base, self->path, commands, self,
			      self->error, sizeof(self->error));
	EXPECT_EQ(NULL, second);
	EXPECT_STREQ(expected, self->error);
	EXPECT_STREQ("{\"said\":1,\"ok\":true}\n",
		     ask(self, "{\"command\":\"echo\",\"say\":1}\n"));

	second = control_open(self->base, "/no/such/dir/x", commands, self,
			      self->error, sizeof(self->error));
	EXPECT_EQ(NULL, second);
	EXPECT_STREQ("/no/such/dir/x: cannot listen (No such file or directory): make its directory, writable for the daemon",
		     self->error);
}

TEST_F(control, stale_socket)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct control *second;
	char path[80];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(path, sizeof(path), "%s.stale", self->path);
	strcpy(address.sun_path, path);
	ASSERT_EQ(0, bind(fd, (struct sockaddr *)&address, sizeof(address)));
	close(fd);
	ASSERT_EQ(0, access(path, F_OK));
	second = control_open(self->base, path, commands, self,
			      self->error, sizeof(self->error));
	EXPECT_NE(NULL, second) TH_LOG("%s", self->error);
	control_close(second);
	/* But never another kind of file. */
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	close(fd);
	second = control_open(self->base, path, commands, self,
			      self->error, sizeof(self->error));
	EXPECT_EQ(NULL, second);
	EXPECT_EQ(0, unlink(path));
}

TEST_HARNESS_MAIN
