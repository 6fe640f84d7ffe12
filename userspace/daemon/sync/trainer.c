// SPDX-License-Identifier: GPL-2.0-or-later
/* Training of a dictionary. See trainer.h. */
#include "daemon/sync/trainer.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>
#include <zdict.h>

#define LEVEL	3

/*
 * Behind the event loop, but not behind everything: at SCHED_IDLE it would hardly
 * run on a busy server, and closing waits for it.
 */
#define NICENESS	10

/**
 * struct trainer
 * @samples, @bytes: all of them, one behind the other
 * @sizes, @count: of each
 * @dictionary, @result: the thread's; ours when @fd was readable
 * @fd: eventfd, written when the thread is done
 */
struct trainer {
	trainer_done_t *done;
	void *arg;
	u8 *samples;
	size_t bytes;
	size_t *sizes;
	unsigned int count;
	u8 dictionary[TRAINER_DICTIONARY_MAX];
	size_t result;
	pthread_t thread;
	bool running;
	int fd;
	struct event *event;
};

static void *train(void *arg)
{
	struct trainer *t = arg;
	ZDICT_params_t params = { .compressionLevel = LEVEL };
	u64 one = 1;

	/* Linux: of this thread alone. */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), NICENESS);
	t->result = ZDICT_trainFromBuffer(t->dictionary, sizeof(t->dictionary),
					  t->samples, t->sizes, t->count);
	if (!ZDICT_isError(t->result))
		t->result = ZDICT_finalizeDictionary(t->dictionary,
						     sizeof(t->dictionary),
						     t->dictionary, t->result,
						     t->samples, t->sizes,
						     t->count, params);
	return write(t->fd, &one, sizeof(one)) == sizeof(one) ? t : NULL;
}

static void on_trained(evutil_socket_t fd, short what, void *arg)
{
	struct trainer *t = arg;
	char error[128];

	(void)fd;
	(void)what;
	pthread_join(t->thread, NULL);
	t->running = false;
	if (!ZDICT_isError(t->result)) {
		t->done(t->arg, t->dictionary, t->result, NULL);
		return;
	}
	snprintf(error, sizeof(error), "the records have too little in common (%s): train with more of them",
		 ZDICT_getErrorName(t->result));
	t->done(t->arg, NULL, 0, error);
}

struct trainer *trainer_new(struct event_base *base, trainer_done_t *done,
			    void *arg)
{
	struct trainer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->done = done;
	t->arg = arg;
	t->samples = malloc(TRAINER_BYTES_MAX);
	t->sizes = calloc(TRAINER_SAMPLES_MAX, sizeof(*t->sizes));
	t->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->fd >= 0)
		t->event = event_new(base, t->fd, EV_READ, on_trained, t);
	if (t->samples && t->sizes && t->event && !event_add(t->event, NULL))
		return t;
	trainer_free(t);
	return NULL;
}

void trainer_free(struct trainer *t)
{
	if (!t)
		return;
	if (t->running)
		pthread_join(t->thread, NULL);
	if (t->event)
		event_free(t->event);
	if (t->fd >= 0)
		close(t->fd);
	free(t->samples);
	free(t->sizes);
	free(t);
}

bool trainer_sample(struct trainer *t, const void *bytes, size_t len)
{
	if (t->count == TRAINER_SAMPLES_MAX ||
	    t->bytes + len > TRAINER_BYTES_MAX)
		return false;
	memcpy(t->samples + t->bytes, bytes, len);
	t->bytes += len;
	t->sizes[t->count++] = len;
	return true;
}

/* Signals are for the event loop. */
static int start_thread(struct trainer *t)
{
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&t->thread, NULL, train, t);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

const char *trainer_start(struct trainer *t)
{
	if (t->running)
		return "a dictionary is being trained: wait for it";
	if (t->count < TRAINER_SAMPLES_MIN)
		return "too few records to learn from: 100 are needed, some thousand are better";
	t->running = !start_thread(t);
	return t->running ? NULL : "no thread can be started: see the limits of processes";
}
