/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the application socket share.
 *
 *   app.c          the interface (app.h): listens, admits clients, starts and
 *                  stops their work, sees who is alive
 *   app_client.c   one client's connection: messages in, messages out
 *   app_request.c  what a client asks, operation by operation
 *   app_write.c    writes that the sync has not acknowledged
 *
 * Event loop thread only. None of these functions blocks, and none frees a client
 * but app_client_free(): one that is dropped stays in memory, without a
 * socket, so callers may go on using it.
 */
#ifndef CTIHA_APP_INTERNAL_H
#define CTIHA_APP_INTERNAL_H

#include <sys/queue.h>
#include <sys/un.h>

#include "daemon/app.h"
#include "lib/protocol.h"

#define APP_INPUTS	16	/* messages read from a client at once */

struct app_waiting;
struct event;

/**
 * struct app_client - a connected application
 * @fd: -1 when it was dropped
 * @out: what is to be said in this turn
 * @queue, @queued: what the socket did not take, in bytes
 * @writes: of it that the sync has not acknowledged
 * @paused: it is not read, until the next app_client_resume()
 * @greeted: it has said hello
 * @worker: it does the work; @told: it was told to start
 * @async: its writes do not wait for the standby
 * @stopping: it was told to stop and has not confirmed
 * @answers: it answered the last ping that is due
 * @ping: cookie of the last ping; @ping_ns: when it went; @pong: it was answered
 */
struct app_client {
	TAILQ_ENTRY(app_client) entry;
	struct app *app;
	int fd;
	struct event *readable;
	struct event *writable;
	struct event *flush;
	struct protocol_message out;
	STAILQ_HEAD(app_queue, app_waiting) queue;
	size_t queued;
	u32 writes;
	bool paused;
	bool greeted;
	bool worker;
	bool async;
	bool told;
	bool stopping;
	bool answers;
	bool pong;
	u64 ping;
	u64 ping_ns;
};

TAILQ_HEAD(app_client_list, app_client);

struct app_slot;

/**
 * struct app_writes - writes that the sync has taken and not acknowledged
 * @slots: @count of them; a write's cookie for the sync is its slot's index
 * @free: index of the first free one
 */
struct app_writes {
	struct app_slot *slots;
	u32 count;
	u32 free;
};

/**
 * struct app - the socket and its clients
 * @tick: pings; @tick_ns: when it last came
 * @stopped: calls the callback; @reap: frees what was dropped
 * @resume: reads those that are paused
 * @clients: connected, @count of them; @dropped: to be freed
 * @working: between app_start_work() and app_stop_work(), in @work_epoch
 * @stopping: the stopped callback is due when all workers have confirmed
 * @alive: what the daemon was told last
 * @role, @role_epoch, @in_sync: for the clients' information
 * @input: the messages that are being read
 */
struct app {
	struct event_base *base;
	struct sync *sync;
	struct app_callbacks callbacks;
	void *arg;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int listener;
	struct event *accept;
	struct event *tick;
	struct event *stopped;
	struct event *reap;
	struct event *resume;
	u64 tick_ns;
	struct app_client_list clients;
	struct app_client_list dropped;
	unsigned int count;
	struct app_writes writes;
	bool working;
	bool stopping;
	bool alive;
	u64 work_epoch;
	u8 role;
	u64 role_epoch;
	bool in_sync;
	u8 input[APP_INPUTS][PROTOCOL_MESSAGE_MAX];
};

/* ---- app.c ---- */

/**
 * app_check_alive() - tell the daemon if a worker is alive now and was not, or
 *                     the other way round
 * @app: the socket
 *
 * To be called when a worker came or answered. Calls alive_changed at once.
 */
void app_check_alive(struct app *app);

/**
 * app_check_stopped() - let the stopped callback follow if all have stopped
 * @app: the socket
 *
 * To be called when a worker has confirmed. The callback comes from the event
 * loop.
 */
void app_check_stopped(struct app *app);

/**
 * app_dropped() - a client has lost its socket: it does not count any more
 * @c: was connected
 */
void app_dropped(struct app_client *c);

/**
 * app_reap() - free, from the event loop, dropped clients without writes
 * @app: the socket
 */
void app_reap(struct app *app);

/**
 * app_pause() - do not read a client for a moment
 * @c: connected
 */
void app_pause(struct app_client *c);

/* ---- app_client.c ---- */

/**
 * app_client_make() - begin to listen to a client
 * @app: whose client it will be; not yet in its list
 * @fd: accepted, non-blocking; taken over, closed on failure
 *
 * Return: NULL without memory.
 */
struct app_client *app_client_make(struct app *app, int fd);

/**
 * app_client_free() - disconnect, if it still is, and free
 * @c: in no list
 */
void app_client_free(struct app_client *c);

/**
 * app_client_drop() - disconnect
 * @c: nothing happens if it was dropped before
 * @why: for the log; NULL if the client itself hung up
 */
void app_client_drop(struct app_client *c, const char *why);

/**
 * app_client_say() - say one operation, at the end of this turn
 * @c: may be dropped by this, or have been: then it says nothing
 * @op: copied
 */
void app_client_say(struct app_client *c, const struct protocol_operation *op);

/**
 * app_client_send() - send at once what is to be said, or queue it
 * @c: is dropped if too much is queued, or there is no memory
 */
void app_client_send(struct app_client *c);

/**
 * app_client_role() - tell it what this server is
 * @c: client
 * @type: PROTOCOL_WELCOME or PROTOCOL_ROLE
 */
void app_client_role(struct app_client *c, u8 type);

/**
 * app_client_standby() - tell it whether there is a standby in sync
 * @c: client
 */
void app_client_standby(struct app_client *c);

/**
 * app_client_start() - tell a worker to start, in app->work_epoch
 * @c: worker
 */
void app_client_start(struct app_client *c);

/**
 * app_client_stop() - tell it to stop, if it was told to start
 * @c: client
 */
void app_client_stop(struct app_client *c);

/**
 * app_client_ping() - ask a worker whether it lives, or see that it is silent
 * @c: worker
 * @now_ns: CLOCK_MONOTONIC
 * @late: the daemon itself was held up, so the answer has its time again
 *
 * A silent one does not count as alive; app_check_alive() is the caller's.
 */
void app_client_ping(struct app_client *c, u64 now_ns, bool late);

/**
 * app_client_resume() - read it again, if it is paused
 * @c: connected
 */
void app_client_resume(struct app_client *c);

/* ---- app_request.c ---- */

/**
 * app_request_take() - do what a client asks
 * @c: is dropped if this was not the time to ask that
 * @op: within protocol.h's limits, otherwise hostile
 */
void app_request_take(struct app_client *c,
		      const struct protocol_operation *op);

/* ---- app_write.c; see app_acked() in app.h, too ---- */

/**
 * app_write_init() - no writes yet
 * @writes: of the socket
 */
void app_write_init(struct app_writes *writes);

/**
 * app_write_free() - forget the writes
 * @writes: of the socket; app_acked() must not be called any more
 */
void app_write_free(struct app_writes *writes);

/**
 * app_write_take() - pass a client's write to the sync
 * @c: who asks; is told at once if the write is not taken
 * @op: PROTOCOL_PUT or PROTOCOL_DELETE
 */
void app_write_take(struct app_client *c, const struct protocol_operation *op);

#endif /* CTIHA_APP_INTERNAL_H */
