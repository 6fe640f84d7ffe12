// SPDX-License-Identifier: 0BSD
/*
 * A complete application with libctiha: a switchboard that survives its server.
 *
 * Run it on both CTI servers, beside ctihad. On the active one type
 *
 *	4711 ringing		the call 4711 is ringing now
 *	4711 talking
 *	4711			it has ended
 *
 * Each line is answered when the call's state is safe. Kill the active server: the
 * switchboard on the other one lists the calls and goes on with them.
 *
 *	cc switchboard.c $(pkg-config --cflags --libs libctiha) -o switchboard
 */
#include <ctiha.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What the library must not be used for in a callback is remembered here. */
struct switchboard {
	struct ctiha *ctiha;
	bool working;
	bool resume;		/* work was given to us: take the calls over */
	uint64_t lines;		/* of input; also the cookie of its write */
};

static bool show_call(void *arg, const void *key, size_t key_len,
		      const void *value, size_t value_len)
{
	(void)arg;
	printf("call %.*s is %.*s\n", (int)key_len, (const char *)key,
	       (int)value_len, (const char *)value);
	return true;
}

/* ---- what the library tells us ---- */

static void on_start_work(void *arg, uint64_t epoch)
{
	struct switchboard *s = arg;

	printf("this server is active, epoch %llu\n",
	       (unsigned long long)epoch);
	s->working = true;
	s->resume = true;	/* reading waits: not from within a callback */
}

static void on_stop_work(void *arg, uint64_t epoch)
{
	struct switchboard *s = arg;

	printf("this server stops, epoch %llu\n", (unsigned long long)epoch);
	s->working = false;
	/* Here an application would end what it does in the outside world. */
	ctiha_stopped(s->ctiha);
}

static void on_acked(void *arg, uint64_t cookie, enum ctiha_ack ack)
{
	static const char *const meaning[] = {
		[CTIHA_ACK_STANDBY] = "safe on both servers",
		[CTIHA_ACK_ALONE] = "safe here; there is no standby",
		[CTIHA_ACK_REFUSED] = "not kept: this server is not active or lacks a standby, or its store is full",
		[CTIHA_ACK_BUSY] = "not kept: too much is under way, try again",
		[CTIHA_ACK_INVALID] = "not kept: too long",
		[CTIHA_ACK_UNKNOWN] = "perhaps kept: the daemon or the standby was lost",
	};

	(void)arg;
	printf("line %llu: %s\n", (unsigned long long)cookie,
	       ack <= CTIHA_ACK_UNKNOWN ? meaning[ack] : "?");
}

static void on_standby(void *arg, bool in_sync)
{
	(void)arg;
	puts(in_sync ? "from now on calls are safe on both servers" :
		       "from now on there is no standby");
}

/* ---- what people type ---- */

static void take_line(struct switchboard *s, char *line)
{
	char *state = strchr(line, ' ');
	size_t len = state ? (size_t)(state - line) : strlen(line);
	int rc;

	s->lines++;
	if (!s->working) {
		puts("this server is not active");
		return;
	}
	if (state)
		rc = ctiha_put(s->ctiha, CTIHA_CONTENT_CALL, line, len,
			       state + 1, strlen(state + 1), s->lines);
	else
		rc = ctiha_delete(s->ctiha, CTIHA_CONTENT_CALL, line, len,
				  s->lines);
	if (rc)
		printf("line %llu: %s\n", (unsigned long long)s->lines,
		       strerror(-rc));
}

/* Return: false at the end of the input. */
static bool take_input(struct switchboard *s)
{
	char line[256];

	if (!fgets(line, sizeof(line), stdin))
		return false;
	line[strcspn(line, "\n")] = '\0';
	if (*line)
		take_line(s, line);
	return true;
}

/* ---- the loop ---- */

static void run(struct switchboard *s)
{
	struct pollfd fds[] = {
		{ .fd = ctiha_fd(s->ctiha), .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents && !take_input(s))
			return;
		/* Calls the callbacks, sends, and connects again if need be. */
		ctiha_dispatch(s->ctiha);
		if (s->resume && s->working)
			ctiha_walk(s->ctiha, CTIHA_CONTENT_CALL, NULL, 0, 0,
				   show_call, NULL, 1000);
		s->resume = false;
	}
}

int main(int argc, char **argv)
{
	const struct ctiha_callbacks callbacks = {
		.start_work = on_start_work,
		.stop_work = on_stop_work,
		.acked = on_acked,
	};
	struct switchboard s = { 0 };

	setvbuf(stdout, NULL, _IOLBF, 0);
	/* One line at a time, so that poll() knows what is still to be read. */
	setvbuf(stdin, NULL, _IONBF, 0);
	s.ctiha = ctiha_open(argc > 1 ? argv[1] : NULL, "switchboard",
			     CTIHA_WORKER, &callbacks, &s);
	if (!s.ctiha) {
		perror("switchboard: ctiha_open");
		return 1;
	}
	ctiha_on_standby(s.ctiha, on_standby);
	run(&s);
	ctiha_close(s.ctiha);
	return 0;
}
