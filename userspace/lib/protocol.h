/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What libctiha and ctihad say to each other over the SOCK_SEQPACKET socket.
 *
 * A message is a head and any number of operations, one behind the other. Both
 * ends run on one host, so numbers are in its byte order; both check all they
 * read, as either may be broken. The application opens with HELLO.
 *
 * Either end may be of an earlier build: flags that it does not know mean nothing to
 * it, nor do types of operations to libctiha. The daemon hangs up on those.
 *
 * No I/O; used by both ends.
 */
#ifndef CTIHA_PROTOCOL_H
#define CTIHA_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTOCOL_MAGIC		0x43544941	/* "CTIA" */
#define PROTOCOL_VERSION	1
#define PROTOCOL_MESSAGE_MAX	65536
#define PROTOCOL_KEY_MAX	64
#define PROTOCOL_VALUE_MAX	16384

enum protocol_type {
	/* application to daemon */
	PROTOCOL_HELLO = 1,	/* flags: PROTOCOL_WORKER, PROTOCOL_ASYNC; value: name */
	PROTOCOL_PUT,		/* content, key, value, cookie */
	PROTOCOL_DELETE,	/* content, key, cookie */
	PROTOCOL_GET,		/* content, key, cookie: RECORD, END */
	PROTOCOL_WALK,		/* content, key: behind it, number: at most, cookie */
	PROTOCOL_STOPPED,	/* epoch: of the STOP that this answers */
	PROTOCOL_PONG,		/* cookie: of the PING */
	/* daemon to application */
	PROTOCOL_WELCOME = 16,	/* role, epoch */
	PROTOCOL_ACK,		/* cookie, result: enum ctiha_ack */
	PROTOCOL_RECORD,	/* cookie, content, key, value */
	PROTOCOL_END,		/* cookie, result, number: of RECORDs, flags */
	PROTOCOL_START,		/* epoch */
	PROTOCOL_STOP,		/* epoch */
	PROTOCOL_ROLE,		/* role, epoch */
	PROTOCOL_PING,		/* cookie */
	PROTOCOL_STANDBY,	/* flags: PROTOCOL_IN_SYNC */
};

enum protocol_flag {
	PROTOCOL_WORKER = 1 << 0,
	PROTOCOL_MORE = 1 << 1,
	PROTOCOL_ASYNC = 1 << 2,	/* its writes do not wait for the standby */
	PROTOCOL_IN_SYNC = 1 << 3,
};

/**
 * struct protocol_operation - one operation; unused fields are 0
 * @type: enum protocol_type
 * @result: enum ctiha_ack
 * @flags: enum protocol_flag
 * @role: enum ctiha_server
 * @content: enum ctiha_content
 * @number: see enum protocol_type
 * @cookie: chosen by the asker, returned in the answer
 * @epoch: see enum protocol_type
 * @key, @key_len: at most PROTOCOL_KEY_MAX
 * @value, @value_len: at most PROTOCOL_VALUE_MAX
 */
struct protocol_operation {
	uint8_t type;
	uint8_t result;
	uint8_t flags;
	uint8_t role;
	uint16_t content;
	uint32_t number;
	uint64_t cookie;
	uint64_t epoch;
	const void *key;
	size_t key_len;
	const void *value;
	size_t value_len;
};

/* A message that is being put together. */
struct protocol_message {
	size_t len;		/* 0: empty */
	uint8_t data[PROTOCOL_MESSAGE_MAX];
};

/**
 * protocol_add() - append an operation
 * Return: false if it does not fit any more; nothing is changed then.
 */
bool protocol_add(struct protocol_message *message,
		  const struct protocol_operation *operation);

struct protocol_cursor {
	const uint8_t *at;
	const uint8_t *end;
};

/**
 * protocol_read() - begin to read a message
 * Return: 0, -EPROTO if it is none, -EPROTONOSUPPORT for another version.
 */
int protocol_read(struct protocol_cursor *cursor, const void *data, size_t len);

/**
 * protocol_next() - read one operation
 * @operation: key and value point into the message
 *
 * Return: 1; 0 at the end; -EPROTO if it is out of bounds.
 */
int protocol_next(struct protocol_cursor *cursor,
		  struct protocol_operation *operation);

#endif /* CTIHA_PROTOCOL_H */
