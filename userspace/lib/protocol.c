// SPDX-License-Identifier: LGPL-2.1-or-later
/* Messages between libctiha and ctihad. See protocol.h. */
#include "lib/protocol.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

struct wire_message {
	uint32_t magic;
	uint16_t version;
	uint16_t reserved;
};

/* Key and value follow; the next operation begins at a multiple of 8. */
struct wire_operation {
	uint32_t size;		/* of all of it, padding included */
	uint8_t type;
	uint8_t key_len;
	uint16_t value_len;
	uint16_t content;
	uint8_t result;
	uint8_t flags;
	uint8_t role;
	uint8_t reserved[3];
	uint64_t cookie;
	uint64_t epoch;
	uint32_t number;
	uint32_t reserved2;
};

static_assert(sizeof(struct wire_message) == 8, "no holes");
static_assert(sizeof(struct wire_operation) == 40, "no holes");
static_assert(PROTOCOL_KEY_MAX <= UINT8_MAX, "fits its field");
static_assert(PROTOCOL_VALUE_MAX <= UINT16_MAX, "fits its field");

static size_t padded(size_t len)
{
	return (len + 7) & ~(size_t)7;
}

bool protocol_add(struct protocol_message *m,
		  const struct protocol_operation *op)
{
	const struct wire_message head = { PROTOCOL_MAGIC, PROTOCOL_VERSION, 0 };
	size_t len = m->len ? m->len : sizeof(head);
	size_t size = padded(sizeof(struct wire_operation) + op->key_len +
			     op->value_len);
	struct wire_operation w = {
		.size = (uint32_t)size,
		.type = op->type,
		.key_len = (uint8_t)op->key_len,
		.value_len = (uint16_t)op->value_len,
		.content = op->content,
		.result = op->result,
		.flags = op->flags,
		.role = op->role,
		.cookie = op->cookie,
		.epoch = op->epoch,
		.number = op->number,
	};
	uint8_t *at = m->data + len;

	if (size > sizeof(m->data) - len)
		return false;
	if (!m->len)
		memcpy(m->data, &head, sizeof(head));
	memset(at + size - 8, 0, 8);
	memcpy(at, &w, sizeof(w));
	if (op->key_len)
		memcpy(at + sizeof(w), op->key, op->key_len);
	if (op->value_len)
		memcpy(at + sizeof(w) + op->key_len, op->value, op->value_len);
	m->len = len + size;
	return true;
}

int protocol_read(struct protocol_cursor *c, const void *data, size_t len)
{
	struct wire_message head;

	if (len < sizeof(head))
		return -EPROTO;
	memcpy(&head, data, sizeof(head));
	if (head.magic != PROTOCOL_MAGIC)
		return -EPROTO;
	if (head.version != PROTOCOL_VERSION)
		return -EPROTONOSUPPORT;
	c->at = (const uint8_t *)data + sizeof(head);
	c->end = (const uint8_t *)data + len;
	return 0;
}

int protocol_next(struct protocol_cursor *c, struct protocol_operation *op)
{
	size_t left = (size_t)(c->end - c->at);
	struct wire_operation w;

	if (!left)
		return 0;
	if (left < sizeof(w))
		return -EPROTO;
	memcpy(&w, c->at, sizeof(w));
	if (w.size > left || w.key_len > PROTOCOL_KEY_MAX ||
	    w.value_len > PROTOCOL_VALUE_MAX ||
	    w.size != padded(sizeof(w) + w.key_len + w.value_len))
		return -EPROTO;
	*op = (struct protocol_operation){
		.type = w.type,
		.result = w.result,
		.flags = w.flags,
		.role = w.role,
		.content = w.content,
		.number = w.number,
		.cookie = w.cookie,
		.epoch = w.epoch,
		.key = c->at + sizeof(w),
		.key_len = w.key_len,
		.value = c->at + sizeof(w) + w.key_len,
		.value_len = w.value_len,
	};
	c->at += w.size;
	return 1;
}
