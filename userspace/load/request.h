/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What callers (ctiha-load drive) and the CTI application (ctiha-load serve)
 * say to each other, one UDP datagram each. A request that gets no answer is
 * sent again, under the same id; carrying it out twice changes nothing.
 */
#ifndef CTIHA_REQUEST_H
#define CTIHA_REQUEST_H

#include <ctiha/base.h>

#define REQUEST_DATA_MAX	8192
#define REQUEST_HEAD_LEN	64
#define REQUEST_MAX		(REQUEST_HEAD_LEN + REQUEST_DATA_MAX)

enum request_op {
	REQUEST_PUT = 1,	/* set up (version 1) or update a call */
	REQUEST_END,		/* end a call; version is one above the last */
	REQUEST_GET,
	REQUEST_WALK,		/* calls above @call, at most @count */
	REQUEST_CLOCK,		/* what is your CLOCK_MONOTONIC? */
};

enum request_status {
	REQUEST_ASKED,		/* it is a request */
	REQUEST_OK,
	REQUEST_NOT_SERVING,	/* not active: ask again */
	REQUEST_NO_CALL,	/* there is no such call */
	REQUEST_STALE,		/* a later version is known */
};

/**
 * struct request - a request, or its answer
 * @op: enum request_op
 * @status: enum request_status
 * @how: of an answered write: enum ctiha_ack
 * @run: of the callers, random
 * @id: of the request; grows by one per request of a run
 * @done: all requests below this id are finished: those are stale
 * @call: number of the call
 * @version: of the call
 * @count: WALK: calls wanted; calls in @data
 * @more: answer to WALK: there are more
 * @clock_ns: answer to CLOCK
 * @epoch: of an answer: that its server acts in, or acted in last
 * @data: record (PUT, answer to GET), or records (answer to WALK): key, length
 *        u16, bytes each
 * @len: of @data
 */
struct request {
	u8 op;
	u8 status;
	u8 how;
	u64 run;
	u64 id;
	u64 done;
	u64 call;
	u32 version;
	u16 count;
	bool more;
	u64 clock_ns;
	u64 epoch;
	const u8 *data;
	size_t len;
};

/* Writes to @to, which has room for REQUEST_MAX. Return: the length. */
size_t request_write(u8 *to, const struct request *request);

/* Return: false if it is none. @request->data points into @data. */
bool request_read(const u8 *data, size_t len, struct request *request);

/**
 * request_add_record() - put one more record into a walk's answer
 * @data: REQUEST_DATA_MAX bytes
 * @len: used of them, moved on
 *
 * Return: false if there is no room.
 */
bool request_add_record(u8 *data, size_t *len, u64 key, const void *record,
			size_t record_len);

/* Takes the next one out. Return: false at the end, or if it is malformed. */
bool request_next_record(const u8 **at, const u8 *end, u64 *key,
			 const u8 **record, size_t *record_len);

#endif /* CTIHA_REQUEST_H */
