/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of libctiha share.
 *
 *   ctiha.c     the handle: its turns, and what the daemon says in them
 *   channel.c   the connection to the daemon, or the wait for one (channel.h)
 *   write.c     writes that are acknowledged by a callback
 *   request.c   functions with a time limit: one request, and its answer
 *
 * Functions that cross a file begin with ctiha_ although they are not for
 * applications: libctiha.a cannot hide them, as the map hides them in libctiha.so.
 */
#ifndef CTIHA_INTERNAL_H
#define CTIHA_INTERNAL_H

#include "lib/channel.h"
#include "lib/ctiha.h"
#include "lib/protocol.h"

/* In the cookies of requests; those of writes are small numbers. */
#define REQUEST_BIT	(1ULL << 63)

struct slot;

/**
 * struct writes - writes that wait for their acknowledgement
 * @slots: @count of them; a write's cookie for the daemon is its slot's index
 * @free: index of the first free one
 */
struct writes {
	struct slot *slots;
	uint32_t count;
	uint32_t free;
};

/**
 * struct request - what a function with a time limit waits for
 * @cookie: of its request, 0 if none waits
 * @read: it is a get or a walk, not a write: how it is answered
 * @done: it has been answered, by @result
 * @value, @size: where ctiha_get() wants the value; @len: what it is
 * @visit, @arg: of ctiha_walk()
 * @stopped: @visit has had enough
 * @visited: records seen
 * @more: there are more behind @last
 */
struct request {
	uint64_t cookie;
	bool read;
	bool done;
	int result;
	void *value;
	size_t size;
	size_t len;
	bool (*visit)(void *arg, const void *key, size_t key_len,
		      const void *value, size_t value_len);
	void *arg;
	bool stopped;
	unsigned int visited;
	bool more;
	uint8_t last[PROTOCOL_KEY_MAX];
	size_t last_len;
};

/**
 * struct ctiha - a handle
 * @standby: see ctiha_on_standby()
 * @welcome: the daemon has said what it is
 * @in_sync: and that there is a standby in sync
 * @working: between start_work and stop_work; @epoch: of either
 * @stopping: stop_work was called, ctiha_stopped() was not
 * @calling: inside a callback
 * @serial: of the last request
 * @input: the message that is being read
 */
struct ctiha {
	char name[64];
	unsigned int flags;
	struct ctiha_callbacks callbacks;
	void (*standby)(void *arg, bool in_sync);
	void *arg;
	struct channel channel;
	bool welcome;
	bool in_sync;
	bool working;
	bool stopping;
	bool calling;
	uint64_t epoch;
	struct writes writes;
	uint64_t serial;
	struct request request;
	uint8_t input[PROTOCOL_MESSAGE_MAX];
};

/* ---- ctiha.c ---- */

/**
 * ctiha_turn() - what ctiha_dispatch() does
 * @h: handle; not from within a callback
 *
 * Return: 0, -ENOTCONN.
 */
int ctiha_turn(struct ctiha *h);

/**
 * ctiha_valid() - is this an operation on one record, within the limits?
 * @op: from an application's arguments
 */
bool ctiha_valid(const struct protocol_operation *op);

/* ---- write.c ---- */

/**
 * ctiha_write_init() - no writes yet
 * @writes: of the handle
 */
void ctiha_write_init(struct writes *writes);

/**
 * ctiha_write_free() - forget the writes
 * @writes: of the handle
 */
void ctiha_write_free(struct writes *writes);

/**
 * ctiha_write_acked() - the daemon has acknowledged a write: tell the application
 * @h: handle
 * @op: PROTOCOL_ACK; nothing happens if no write has its cookie
 */
void ctiha_write_acked(struct ctiha *h, const struct protocol_operation *op);

/**
 * ctiha_write_lost() - tell the application that the fate of its writes is unknown
 * @h: handle, disconnected and not welcome, so that the callbacks add no write
 */
void ctiha_write_lost(struct ctiha *h);

/* ---- request.c; none matters that is not the answer to what waits ---- */

/**
 * ctiha_request_acked() - the daemon has acknowledged what waits
 * @h: handle
 * @op: PROTOCOL_ACK
 */
void ctiha_request_acked(struct ctiha *h, const struct protocol_operation *op);

/**
 * ctiha_request_record() - one record of the answer; may call ctiha_walk()'s visit
 * @h: handle
 * @op: PROTOCOL_RECORD
 */
void ctiha_request_record(struct ctiha *h, const struct protocol_operation *op);

/**
 * ctiha_request_end() - the answer is complete
 * @h: handle
 * @op: PROTOCOL_END
 */
void ctiha_request_end(struct ctiha *h, const struct protocol_operation *op);

/**
 * ctiha_request_lost() - there will be no answer
 * @h: handle, disconnected
 */
void ctiha_request_lost(struct ctiha *h);

#endif /* CTIHA_INTERNAL_H */
