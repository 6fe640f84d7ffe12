// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Writes that do not wait: each is acknowledged by the acked callback, once. See
 * ctiha.h.
 */
#include "lib/internal.h"

#include <errno.h>
#include <stdlib.h>

#define NO_SLOT		UINT32_MAX

/* A write that waits for its acknowledgement; next: of the free ones. */
struct slot {
	uint64_t cookie;
	uint32_t next;
	bool used;
};

void ctiha_write_init(struct writes *writes)
{
	*writes = (struct writes){ .free = NO_SLOT };
}

void ctiha_write_free(struct writes *writes)
{
	free(writes->slots);
}

static int grow_slots(struct writes *w)
{
	uint32_t count = w->count ? 2 * w->count : 256;
	struct slot *slots = realloc(w->slots, count * sizeof(*slots));
	uint32_t i;

	if (!slots)
		return -ENOMEM;
	w->slots = slots;
	for (i = w->count; i < count; i++)
		slots[i] = (struct slot){ .next = i + 1 < count ? i + 1 :
							       NO_SLOT };
	w->free = w->count;
	w->count = count;
	return 0;
}

static uint32_t take_slot(struct writes *w, uint64_t cookie)
{
	uint32_t index;

	if (w->free == NO_SLOT && grow_slots(w))
		return NO_SLOT;
	index = w->free;
	w->free = w->slots[index].next;
	w->slots[index].cookie = cookie;
	w->slots[index].used = true;
	return index;
}

static void give_slot(struct writes *w, uint32_t index)
{
	w->slots[index].used = false;
	w->slots[index].next = w->free;
	w->free = index;
}

static void call_acked(struct ctiha *h, uint64_t cookie, enum ctiha_ack ack)
{
	bool before = h->calling;

	if (!h->callbacks.acked)
		return;
	h->calling = true;
	h->callbacks.acked(h->arg, cookie, ack);
	h->calling = before;
}

void ctiha_write_acked(struct ctiha *h, const struct protocol_operation *op)
{
	struct writes *w = &h->writes;
	uint64_t cookie;

	if (op->cookie >= w->count || !w->slots[op->cookie].used)
		return;
	cookie = w->slots[op->cookie].cookie;
	give_slot(w, (uint32_t)op->cookie);
	call_acked(h, cookie, op->result);
}

void ctiha_write_lost(struct ctiha *h)
{
	struct writes *w = &h->writes;
	uint32_t i;

	for (i = 0; i < w->count; i++) {
		if (!w->slots[i].used)
			continue;
		give_slot(w, i);
		call_acked(h, w->slots[i].cookie, CTIHA_ACK_UNKNOWN);
	}
}

static int write_later(struct ctiha *h, struct protocol_operation *op)
{
	uint32_t slot;

	if (!ctiha_valid(op))
		return -EINVAL;
	if (!h->welcome)
		return -ENOTCONN;
	if (ctiha_channel_congested(&h->channel))
		return -EAGAIN;
	slot = take_slot(&h->writes, op->cookie);
	if (slot == NO_SLOT)
		return -ENOMEM;
	op->cookie = slot;
	return ctiha_channel_say(&h->channel, op);
}

int ctiha_put(struct ctiha *h, uint16_t content, const void *key,
	      size_t key_len, const void *value, size_t value_len,
	      uint64_t cookie)
{
	struct protocol_operation op = {
		.type = PROTOCOL_PUT, .content = content, .cookie = cookie,
		.key = key, .key_len = key_len,
		.value = value, .value_len = value_len,
	};

	return write_later(h, &op);
}

int ctiha_delete(struct ctiha *h, uint16_t content, const void *key,
		 size_t key_len, uint64_t cookie)
{
	struct protocol_operation op = {
		.type = PROTOCOL_DELETE, .content = content, .cookie = cookie,
		.key = key, .key_len = key_len,
	};

	return write_later(h, &op);
}
