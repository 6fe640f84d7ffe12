// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Applications' writes, until the sync has acknowledged them. See app_internal.h.
 *
 * Each has a slot, whose index, with COOKIE_BIT, is its cookie for the sync. It
 * outlives its client's connection: the sync acknowledges it all the same.
 */
#include "daemon/app_internal.h"

#include <stdlib.h>

#include "lib/ctiha.h"

#define COOKIE_BIT	(1ULL << 63)
#define NO_SLOT		UINT32_MAX

static_assert((int)CTIHA_ACK_STANDBY == (int)SYNC_ACK_STANDBY);
static_assert((int)CTIHA_ACK_ALONE == (int)SYNC_ACK_ALONE);
static_assert((int)CTIHA_ACK_REFUSED == (int)SYNC_ACK_REFUSED);
static_assert((int)CTIHA_ACK_UNKNOWN == (int)SYNC_ACK_UNKNOWN);
static_assert((int)CTIHA_ACK_ASYNC == (int)SYNC_ACK_ASYNC);

/* A write that the sync has taken; next: of the free ones. */
struct app_slot {
	struct app_client *client;
	u64 cookie;
	u32 next;
};

void app_write_init(struct app_writes *writes)
{
	*writes = (struct app_writes){ .free = NO_SLOT };
}

void app_write_free(struct app_writes *writes)
{
	free(writes->slots);
}

static int grow_slots(struct app_writes *w)
{
	u32 count = w->count ? 2 * w->count : 1024;
	struct app_slot *slots = realloc(w->slots, count * sizeof(*slots));
	u32 i;

	if (!slots)
		return -ENOMEM;
	w->slots = slots;
	for (i = w->count; i < count; i++)
		slots[i] = (struct app_slot){ .next = i + 1 < count ? i + 1 :
								   NO_SLOT };
	w->free = w->count;
	w->count = count;
	return 0;
}

/* The sync bounds the number of writes under way, so it bounds the slots too. */
static u32 take_slot(struct app_client *c, u64 cookie)
{
	struct app_writes *w = &c->app->writes;
	u32 index;

	if (w->free == NO_SLOT && grow_slots(w))
		return NO_SLOT;
	index = w->free;
	w->free = w->slots[index].next;
	w->slots[index].client = c;
	w->slots[index].cookie = cookie;
	c->writes++;
	return index;
}

static void give_slot(struct app *app, u32 index)
{
	struct app_writes *w = &app->writes;
	struct app_client *c = w->slots[index].client;

	w->slots[index].client = NULL;
	w->slots[index].next = w->free;
	w->free = index;
	c->writes--;
	if (c->fd < 0 && !c->writes)
		app_reap(app);
}

static void say_ack(struct app_client *c, u64 cookie, u8 result)
{
	app_client_say(c, &(struct protocol_operation){
		.type = PROTOCOL_ACK, .cookie = cookie, .result = result,
	});
}

bool app_acked(struct app *app, u64 cookie, enum sync_ack ack)
{
	u64 index = cookie & ~COOKIE_BIT;
	const struct app_slot *slot;

	if (!(cookie & COOKIE_BIT))
		return false;
	if (index >= app->writes.count)
		return true;
	slot = &app->writes.slots[index];
	if (!slot->client)
		return true;
	say_ack(slot->client, slot->cookie, (u8)ack);
	give_slot(app, (u32)index);
	return true;
}

static u8 ack_of_error(int rc)
{
	if (rc == -EAGAIN || rc == -ENOMEM)
		return CTIHA_ACK_BUSY;
	return rc == -EINVAL ? CTIHA_ACK_INVALID : CTIHA_ACK_REFUSED;
}

static int write_to_sync(const struct app_client *c,
			 const struct protocol_operation *op, u64 cookie)
{
	bool put = op->type == PROTOCOL_PUT;

	return (c->async ? sync_write_async : sync_write)(
		c->app->sync, op->content, op->key, op->key_len,
		put ? op->value : NULL, put ? op->value_len : 0, cookie);
}

void app_write_take(struct app_client *c, const struct protocol_operation *op)
{
	struct app *app = c->app;
	u32 slot;
	int rc;

	if (!c->worker) {
		say_ack(c, op->cookie, CTIHA_ACK_REFUSED);
		return;
	}
	slot = take_slot(c, op->cookie);
	if (slot == NO_SLOT) {
		say_ack(c, op->cookie, CTIHA_ACK_BUSY);
		return;
	}
	rc = write_to_sync(c, op, COOKIE_BIT | slot);
	if (!rc)
		return;
	give_slot(app, slot);
	say_ack(c, op->cookie, ack_of_error(rc));
}
