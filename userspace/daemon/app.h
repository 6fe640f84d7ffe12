/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The applications' door into the daemon: a SOCK_SEQPACKET socket that speaks
 * lib/protocol.h (libctiha is its other end). Applications put and delete call
 * records, and are told when to start and to stop work.
 *
 * A *worker* is a client that said it does the CTI work; others only look.
 * The application counts as alive while a worker is connected that answered
 * its last ping in time. Nothing a client does or omits blocks the daemon: one
 * that does not read its messages is disconnected.
 *
 * Event loop thread only.
 */
#ifndef CTIHA_APP_H
#define CTIHA_APP_H

#include <ctiha/base.h>

#include "daemon/sync/sync.h"

struct app;
struct event_base;

/**
 * struct app_callbacks - news for the daemon; none may call app_close()
 * @alive_changed: a worker is there and answers, or not any more
 * @stopped: after app_stop_work(): every worker confirmed, or is gone. Called
 *           from the event loop, never from within app_stop_work().
 */
struct app_callbacks {
	void (*alive_changed)(void *arg, bool alive);
	void (*stopped)(void *arg);
};

/**
 * app_open() - listen for applications
 * @base: event loop
 * @path: of the socket; a stale one is replaced; mode 0660
 * @sync: where records go
 * @callbacks: copied
 * @arg: for @callbacks
 * @error, @error_size: reason and remedy on failure
 *
 * Return: NULL on failure.
 */
struct app *app_open(struct event_base *base, const char *path,
		     struct sync *sync, const struct app_callbacks *callbacks,
		     void *arg, char *error, size_t error_size);

/* Disconnects all clients and removes the socket. Before sync_close(). */
void app_close(struct app *app);

/**
 * app_start_work() - this server is active: workers, do your work
 * @epoch: of the term of office
 *
 * After sync_activate(). Workers that connect later are told as well.
 */
void app_start_work(struct app *app, u64 epoch);

/**
 * app_stop_work() - finish at once; the stopped callback follows
 *
 * Writes are still taken until sync_follow(), so that a worker can end tidily.
 */
void app_stop_work(struct app *app);

/**
 * app_role() - tell clients what this server is
 * @role: enum ctiha_role
 * @epoch: highest known
 */
void app_role(struct app *app, u8 role, u64 epoch);

/**
 * app_standby() - tell clients whether their writes reach a standby
 * @in_sync: this server is active, and there is a standby in sync
 */
void app_standby(struct app *app, bool in_sync);

/**
 * app_acked() - to be called from sync's acked callback
 *
 * Return: true if the write was an application's; false if @cookie is not one
 * of its (bit 63 is set in all of those).
 */
bool app_acked(struct app *app, u64 cookie, enum sync_ack ack);

/* A worker is connected and answers. */
bool app_alive(const struct app *app);

/* For status: connected clients, workers among them. */
unsigned int app_clients(const struct app *app);
unsigned int app_workers(const struct app *app);

#endif /* CTIHA_APP_H */
