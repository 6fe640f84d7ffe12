/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libctiha: what a CTI application needs to survive its server.
 *
 * The application runs on both CTI servers, beside the daemon ctihad. On the
 * active one it is told to start work; it then keeps the state of its calls in
 * the pair by ctiha_put() and ctiha_delete(), and answers its callers when a
 * write is acknowledged. When the active server dies, the application on the other
 * one is told to start work and finds the records by ctiha_get() and
 * ctiha_walk().
 *
 * A handle is used by one thread at a time; handles are independent of each
 * other. Nothing here blocks but the functions with a time limit. No signals, no
 * threads, no global state.
 *
 * The handle connects by itself, and again after the daemon was restarted. If
 * the connection is lost while working, the right to work is lost with it:
 * stop_work is called, and every write not acknowledged so far is
 * reported as CTIHA_ACK_UNKNOWN.
 *
 * Typical use:
 *
 *	h = ctiha_open(NULL, "my-cti", CTIHA_WORKER, &callbacks, arg);
 *	for (;;) {
 *		poll ctiha_fd(h) for reading, and your own descriptors
 *		ctiha_dispatch(h);		callbacks are called from here
 *		... ctiha_put(h, CTIHA_CONTENT_CALL, key, ..., cookie); ...
 *		ctiha_flush(h);			send what was put, in one message
 *	}
 */
#ifndef CTIHA_H
#define CTIHA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CTIHA_DEFAULT_SOCKET	"/run/ctiha/app.sock"
#define CTIHA_MAX_KEY		64
#define CTIHA_MAX_VALUE		16384

struct ctiha;

/* What a record is. */
enum ctiha_content {
	CTIHA_CONTENT_CALL = 1,		/* call control block */
	CTIHA_CONTENT_AGENT = 2,
	CTIHA_CONTENT_ROUTE = 3,
	CTIHA_CONTENT_SERVER = 4,	/* IVR or RMS server */
	CTIHA_CONTENT_APPLICATION = 5,	/* your own */
	CTIHA_CONTENT_CALL_STATE = 7,	/* what changes often of a call */
};

/* What became of a write. */
enum ctiha_ack {
	CTIHA_ACK_STANDBY = 0,	/* committed on both servers */
	CTIHA_ACK_ALONE = 1,	/* committed here; there is no standby in sync */
	CTIHA_ACK_REFUSED = 2,	/* not active, store full, or a standby is needed and
				 * there is none in sync: do not rely on it
				 */
	CTIHA_ACK_BUSY = 3,	/* not taken: too many under way, try later */
	CTIHA_ACK_INVALID = 4,	/* not taken: content id, key or value */
	CTIHA_ACK_UNKNOWN = 5,	/* daemon lost: may or may not be committed; or a
				 * needed standby lost: committed here, perhaps there
				 */
	CTIHA_ACK_NOT_FOUND = 6,	/* of a read only */
	CTIHA_ACK_ASYNC = 7,	/* committed here, on its way to the standby; the loss
				 * of this server may lose it. With CTIHA_ASYNC only
				 */
};

/* What the server is. */
enum ctiha_server {
	CTIHA_SERVER_INITIAL = 0,
	CTIHA_SERVER_STANDBY = 1,
	CTIHA_SERVER_ACTIVE = 2,
};

enum ctiha_open_flags {
	CTIHA_WORKER = 1 << 0,	/* does the work; without it: only reads */
	CTIHA_ASYNC = 1 << 1,	/* its writes do not wait for the standby */
};

/**
 * struct ctiha_callbacks - called from ctiha_dispatch() and functions that wait
 * @start_work: this server is active in @epoch: take your calls on
 * @stop_work: stop; call ctiha_stopped() when you have. Writes are still taken
 *             for a moment, so that calls can be left tidily.
 * @role: the server's role or its known epoch changed; for information
 * @acked: what became of the write with this cookie
 *
 * Any may be NULL. They may write, flush and call ctiha_stopped(), but not
 * wait (-EDEADLK) nor close the handle.
 */
struct ctiha_callbacks {
	void (*start_work)(void *arg, uint64_t epoch);
	void (*stop_work)(void *arg, uint64_t epoch);
	void (*role)(void *arg, enum ctiha_server role, uint64_t epoch);
	void (*acked)(void *arg, uint64_t cookie, enum ctiha_ack ack);
};

/**
 * ctiha_open() - make a handle and begin to connect
 * @path: the daemon's socket; NULL for CTIHA_DEFAULT_SOCKET
 * @name: of the application, for the daemon's log
 * @flags: enum ctiha_open_flags
 * @callbacks: copied
 * @arg: for the callbacks
 *
 * Succeeds also while no daemon is there.
 *
 * Return: NULL with errno set.
 */
struct ctiha *ctiha_open(const char *path, const char *name, unsigned int flags,
			 const struct ctiha_callbacks *callbacks, void *arg);

/**
 * ctiha_close() - disconnect and free
 * @h: handle or NULL
 *
 * No callbacks are called.
 */
void ctiha_close(struct ctiha *h);

/**
 * ctiha_fd() - a descriptor to wait on
 * @h: handle
 *
 * Readable when ctiha_dispatch() has something to do, reconnecting and sending
 * included. The same for the handle's whole life; only poll it.
 */
int ctiha_fd(const struct ctiha *h);

/**
 * ctiha_dispatch() - read, call the callbacks, send, reconnect
 * @h: handle
 *
 * Never blocks. The daemon takes an application for dead that does not call
 * this within two seconds.
 *
 * Return: 0, or -ENOTCONN while there is no daemon (it keeps trying).
 */
int ctiha_dispatch(struct ctiha *h);

/**
 * ctiha_put() - write a record
 * @h: handle
 * @content: enum ctiha_content
 * @key: 1 to CTIHA_MAX_KEY bytes
 * @key_len: of @key
 * @value: up to CTIHA_MAX_VALUE bytes
 * @value_len: of @value
 * @cookie: passed to the acked callback
 *
 * The write is collected and goes with the next ctiha_flush() or
 * ctiha_dispatch(), together with the others. Writes are carried out in order.
 *
 * Return: 0: acked follows. -EINVAL, -ENOTCONN, -EAGAIN (too much is waiting to be
 * sent), -ENOMEM: it does not.
 */
int ctiha_put(struct ctiha *h, uint16_t content, const void *key,
	      size_t key_len, const void *value, size_t value_len,
	      uint64_t cookie);

/**
 * ctiha_delete() - delete a record, whether or not it exists
 *
 * As ctiha_put().
 */
int ctiha_delete(struct ctiha *h, uint16_t content, const void *key,
		 size_t key_len, uint64_t cookie);

/**
 * ctiha_flush() - send what was collected
 * @h: handle
 *
 * Never blocks: what the socket does not take is sent by ctiha_dispatch().
 *
 * Return: 0 or -ENOTCONN.
 */
int ctiha_flush(struct ctiha *h);

/**
 * ctiha_stopped() - the work has stopped, as stop_work asked
 * @h: handle
 *
 * Return: 0, -EALREADY if nothing was asked, -ENOTCONN.
 */
int ctiha_stopped(struct ctiha *h);

/**
 * ctiha_put_wait() - write a record and wait until it is acknowledged
 * @timeout_ms: longest time to wait, -1 for ever
 *
 * The rest as ctiha_put(). Other callbacks may be called meanwhile.
 *
 * Return: enum ctiha_ack, -ETIMEDOUT (it may still be committed), -EDEADLK from
 * within a callback, or as ctiha_put().
 */
int ctiha_put_wait(struct ctiha *h, uint16_t content, const void *key,
		   size_t key_len, const void *value, size_t value_len,
		   int timeout_ms);

/**
 * ctiha_delete_wait() - delete a record and wait until that is acknowledged
 *
 * As ctiha_put_wait().
 */
int ctiha_delete_wait(struct ctiha *h, uint16_t content, const void *key,
		      size_t key_len, int timeout_ms);

/**
 * ctiha_get() - read one record from this server's store
 * @h: handle
 * @content: enum ctiha_content
 * @key: its key
 * @key_len: of @key
 * @value: receives its value
 * @value_size: room in @value
 * @timeout_ms: longest time to wait, -1 for ever
 *
 * Own writes that were put before are seen, acknowledged or not.
 *
 * Return: length of the value, -ENOENT, -ENOSPC (value is longer), -ETIMEDOUT,
 * -ENOTCONN, -EINVAL, -EDEADLK from within a callback.
 */
int ctiha_get(struct ctiha *h, uint16_t content, const void *key,
	      size_t key_len, void *value, size_t value_size, int timeout_ms);

/**
 * ctiha_walk() - read records in key order
 * @h: handle
 * @content: enum ctiha_content
 * @after: begin behind this key; NULL: with the first
 * @after_len: of @after
 * @limit: visit at most so many; 0: all
 * @visit: called for each; must not use the handle; false stops
 * @arg: for @visit
 * @timeout_ms: longest time to wait for each part, -1 for ever
 *
 * Records are fetched in parts, each consistent in itself; writes between two
 * parts are seen or not.
 *
 * Return: number visited, -ETIMEDOUT, -ENOTCONN, -EINVAL, -EDEADLK from within
 * a callback.
 */
int ctiha_walk(struct ctiha *h, uint16_t content, const void *after,
	       size_t after_len, unsigned int limit,
	       bool (*visit)(void *arg, const void *key, size_t key_len,
			     const void *value, size_t value_len),
	       void *arg, int timeout_ms);

/**
 * ctiha_connected() - is the daemon there, and has it said what it is?
 * @h: handle
 */
bool ctiha_connected(const struct ctiha *h);

/**
 * ctiha_working() - between start_work and stop_work
 * @h: handle
 */
bool ctiha_working(const struct ctiha *h);

/**
 * ctiha_on_standby() - be told when the standby comes and goes
 * @h: handle
 * @standby: called with what ctiha_open() was given as @arg, like the callbacks
 *           there, when @in_sync is another than before; NULL: not any more
 *
 * @in_sync: this server is active, and there is a standby that holds all its writes:
 * new ones are acknowledged as CTIHA_ACK_STANDBY, or CTIHA_ACK_ASYNC. It begins with
 * false, and is false without a daemon. Acknowledgements of another kind may come
 * shortly before the callback.
 */
void ctiha_on_standby(struct ctiha *h,
		      void (*standby)(void *arg, bool in_sync));

/**
 * ctiha_protected() - is this server active, with a standby in sync?
 * @h: handle
 *
 * What ctiha_on_standby() told last, or would have told. Never with a daemon of an
 * earlier version, which does not say it.
 */
bool ctiha_protected(const struct ctiha *h);

#ifdef __cplusplus
}
#endif

#endif /* CTIHA_H */
