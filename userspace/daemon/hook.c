// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The queue of hooks.
 *
 * Timers: the time limit of the command that runs (SIGTERM), then the grace
 * before SIGKILL.
 */
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "daemon/hook.h"

#define GRACE_S		1
#define LINE_LEN	512
#define LINES_MAX	100	/* logged of one command's output */
#define READS_MAX	16	/* of the output, at a time */

/* The command of one change of role, waiting or running. */
struct transition {
	u8 role;
	u64 epoch;
	char *reason;
	unsigned int next;	/* index of the hook to look at next */
};

/**
 * struct hook_queue - at most two changes: the one whose command runs, and the
 *                     last one
 * @now: the change whose command runs, or ran last
 * @later: the change that comes after it; no reason: there is none
 * @superseded: the rest of @now is not to be run any more
 * @pid, @pidfd, @output: of the command that runs; -1 if none does
 * @hook: that command
 * @overdue: its time limit has passed
 * @line, @len: its output since the last newline
 * @lines: how many lines it has written
 */
struct hook_queue {
	struct event_base *base;
	const struct config *config;
	void (*idle)(void *arg);
	void *arg;

	struct transition now;
	struct transition later;
	bool superseded;

	pid_t pid;
	int pidfd;
	int output;
	const struct config_hook *hook;
	bool overdue;
	char line[LINE_LEN];
	size_t len;
	unsigned int lines;
	struct event *ended_event;
	struct event *output_event;
	struct event *limit_event;
};

static void advance(struct hook_queue *q);

static void drop(struct transition *t)
{
	free(t->reason);
	memset(t, 0, sizeof(*t));
}

/* ---- output ---- */

static void log_line(struct hook_queue *q)
{
	q->line[q->len] = 0;
	if (q->len && q->lines < LINES_MAX)
		log_info("hook %s: %s", q->hook->argv[0], q->line);
	else if (q->len && q->lines == LINES_MAX)
		log_info("hook %s: more output, not logged", q->hook->argv[0]);
	q->lines += q->len > 0;
	q->len = 0;
}

static void take_output(struct hook_queue *q, const char *text, ssize_t len)
{
	for (; len > 0; len--, text++) {
		if (*text == '\n' || q->len == sizeof(q->line) - 1)
			log_line(q);
		if (*text != '\n')
			q->line[q->len++] = (unsigned char)*text < ' ' ?
					    ' ' : *text;
	}
}

/* Bounded, so that a hook that floods us does not stop the daemon's work. */
static void read_output(struct hook_queue *q)
{
	char text[LINE_LEN];
	ssize_t len = -1;
	int i;

	for (i = 0; i < READS_MAX; i++) {
		len = read(q->output, text, sizeof(text));
		if (len <= 0)
			break;
		take_output(q, text, len);
	}
	if (!len)
		event_del(q->output_event);
}

static void on_output(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	read_output(arg);
}

/* ---- the end of a command ---- */

static void log_end(const struct hook_queue *q, int status)
{
	const char *name = q->hook->argv[0];

	if (q->overdue)
		log_warning("hook %s: ended for exceeding its time limit", name);
	else if (WIFSIGNALED(status))
		log_warning("hook %s: killed by signal %d", name,
			    WTERMSIG(status));
	else if (WEXITSTATUS(status))
		log_warning("hook %s: failed with exit code %d", name,
			    WEXITSTATUS(status));
	else
		log_debug("hook %s: done", name);
}

static void forget_command(struct hook_queue *q)
{
	if (q->ended_event)
		event_free(q->ended_event);
	if (q->output_event)
		event_free(q->output_event);
	q->ended_event = NULL;
	q->output_event = NULL;
	event_del(q->limit_event);
	close(q->pidfd);
	close(q->output);
	q->pid = -1;
	q->pidfd = -1;
	q->output = -1;
	q->overdue = false;
}

static void on_end(evutil_socket_t fd, short what, void *arg)
{
	struct hook_queue *q = arg;
	int status = 0;

	(void)fd;
	(void)what;
	/*
	 * Until it is reaped the command's process group id is not used again.
	 * What an overdue command has left behind must not outlive it.
	 */
	if (q->overdue)
		kill(-q->pid, SIGKILL);
	waitpid(q->pid, &status, WNOHANG);
	read_output(q);
	log_line(q);
	log_end(q, status);
	forget_command(q);
	advance(q);
}

static void on_limit(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval grace = { .tv_sec = GRACE_S };
	struct hook_queue *q = arg;

	(void)fd;
	(void)what;
	kill(-q->pid, q->overdue ? SIGKILL : SIGTERM);
	if (!q->overdue)
		event_add(q->limit_event, &grace);
	q->overdue = true;
}

/* ---- the start of a command ---- */

#define OWN_VARIABLES	5

struct environment {
	char own[OWN_VARIABLES][320];
	char **list;
};

static bool is_own(const char *variable)
{
	return !strncmp(variable, "CTIHA_", 6);
}

/* The daemon's environment, and what the change is. */
static int make_environment(struct environment *e, const struct hook_queue *q)
{
	const struct transition *t = &q->now;
	size_t i, n = 0, count = 0;

	snprintf(e->own[0], sizeof(e->own[0]), "CTIHA_ROLE=%s",
		 t->role == CTIHA_ROLE_ACTIVE ? "active" : "standby");
	snprintf(e->own[1], sizeof(e->own[1]), "CTIHA_EPOCH=%llu",
		 (unsigned long long)t->epoch);
	snprintf(e->own[2], sizeof(e->own[2]), "CTIHA_NODE=%u",
		 q->config->node);
	snprintf(e->own[3], sizeof(e->own[3]), "CTIHA_PAIR=%u",
		 q->config->pair);
	snprintf(e->own[4], sizeof(e->own[4]), "CTIHA_REASON=%.300s",
		 t->reason);

	while (environ && environ[count])
		count++;
	e->list = calloc(count + OWN_VARIABLES + 1, sizeof(*e->list));
	if (!e->list)
		return -ENOMEM;
	for (i = 0; i < count; i++)
		if (!is_own(environ[i]))
			e->list[n++] = environ[i];
	for (i = 0; i < OWN_VARIABLES; i++)
		e->list[n++] = e->own[i];
	return 0;
}

/* Own process group, all signals as after login. */
static int set_attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(attr, &none);
	posix_spawnattr_setsigdefault(attr, &all);
	posix_spawnattr_setpgroup(attr, 0);
	return posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP |
					      POSIX_SPAWN_SETSIGMASK |
					      POSIX_SPAWN_SETSIGDEF);
}

static int set_files(posix_spawn_file_actions_t *files, int output)
{
	int err;

	err = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY,
					       0);
	if (!err)
		err = posix_spawn_file_actions_adddup2(files, output, 1);
	if (!err)
		err = posix_spawn_file_actions_adddup2(files, output, 2);
	return err;
}

static int spawn(struct hook_queue *q, int output)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	struct environment env = { .list = NULL };
	int err;

	if (make_environment(&env, q))
		return -ENOMEM;
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	err = set_files(&files, output);
	if (!err)
		err = set_attributes(&attr);
	if (!err)
		err = posix_spawn(&q->pid, q->hook->argv[0], &files, &attr,
				  q->hook->argv, env.list);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	free(env.list);
	return -err;	/* those functions return positive ones */
}

/* Sees to it that the end of the command is noticed. */
static int watch(struct hook_queue *q)
{
	struct timeval limit = {
		.tv_sec = (time_t)(q->hook->timeout_ns / 1000000000ULL),
		.tv_usec = (suseconds_t)(q->hook->timeout_ns % 1000000000ULL /
					 1000),
	};

	q->pidfd = pidfd_open(q->pid, 0);
	if (q->pidfd < 0)
		return -errno;
	q->ended_event = event_new(q->base, q->pidfd, EV_READ, on_end, q);
	q->output_event = event_new(q->base, q->output, EV_READ | EV_PERSIST,
				    on_output, q);
	if (!q->ended_event || !q->output_event ||
	    event_add(q->ended_event, NULL) ||
	    event_add(q->output_event, NULL) ||
	    event_add(q->limit_event, &limit))
		return -ENOMEM;
	return 0;
}

/* Does not wait for its end, which a dead disk could delay for ever. */
static void kill_command(struct hook_queue *q)
{
	kill(-q->pid, SIGKILL);
	waitpid(q->pid, NULL, WNOHANG);
	forget_command(q);
}

static int start(struct hook_queue *q)
{
	int err, ends[2];

	if (pipe2(ends, O_CLOEXEC))
		return -errno;
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	err = spawn(q, ends[1]);
	close(ends[1]);
	if (err) {
		close(ends[0]);
		q->pid = -1;
		return err;
	}
	q->output = ends[0];
	q->len = 0;
	q->lines = 0;
	err = watch(q);
	if (err)
		kill_command(q);
	return err;
}

/* ---- the order of commands ---- */

/* The next hook of the present change, or NULL. */
static const struct config_hook *next_hook(struct hook_queue *q)
{
	const struct config *c = q->config;

	while (q->now.reason && !q->superseded &&
	       q->now.next < c->hook_count) {
		const struct config_hook *h = &c->hooks[q->now.next++];

		if (h->role == q->now.role)
			return h;
	}
	return NULL;
}

static bool take_later(struct hook_queue *q)
{
	if (!q->later.reason)
		return false;
	drop(&q->now);
	q->now = q->later;
	memset(&q->later, 0, sizeof(q->later));
	q->superseded = false;
	return true;
}

/* Starts the next command, if there is one. */
static void advance(struct hook_queue *q)
{
	int err;

	do {
		while ((q->hook = next_hook(q))) {
			err = start(q);
			if (!err)
				return;
			log_warning("hook %s: cannot be started: %s",
				    q->hook->argv[0], strerror(-err));
		}
	} while (take_later(q));
	drop(&q->now);
	if (q->idle)
		q->idle(q->arg);
}

static bool any_left(const struct hook_queue *q)
{
	unsigned int i;

	for (i = q->now.next; i < q->config->hook_count; i++)
		if (q->config->hooks[i].role == q->now.role)
			return true;
	return false;
}

static void supersede(struct hook_queue *q)
{
	if (q->later.reason)
		log_info("hooks for %s in epoch %llu dropped: superseded",
			 q->later.role == CTIHA_ROLE_ACTIVE ? "active" :
			 "standby", (unsigned long long)q->later.epoch);
	else if (!q->superseded && any_left(q))
		log_info("remaining hooks for epoch %llu dropped: superseded",
			 (unsigned long long)q->now.epoch);
	drop(&q->later);
	q->superseded = true;
}

int hook_run(struct hook_queue *q, u8 role, u64 epoch, const char *reason)
{
	struct transition t = {
		.role = role,
		.epoch = epoch,
		.reason = strdup(reason),
	};

	if (!t.reason)
		return -ENOMEM;
	if (hook_idle(q)) {
		q->now = t;
		q->superseded = false;
		advance(q);
		return 0;
	}
	supersede(q);
	q->later = t;
	return 0;
}

bool hook_idle(const struct hook_queue *q)
{
	return !q->now.reason;
}

struct hook_queue *hook_open(struct event_base *base,
			     const struct config *config,
			     void (*idle)(void *arg), void *arg)
{
	struct hook_queue *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->base = base;
	q->config = config;
	q->idle = idle;
	q->arg = arg;
	q->pid = -1;
	q->pidfd = -1;
	q->output = -1;
	q->limit_event = event_new(base, -1, 0, on_limit, q);
	if (q->limit_event)
		return q;
	free(q);
	return NULL;
}

void hook_close(struct hook_queue *q)
{
	if (!q)
		return;
	if (q->pid > 0)
		kill_command(q);
	drop(&q->now);
	drop(&q->later);
	event_free(q->limit_event);
	free(q);
}
