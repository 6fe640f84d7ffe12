// SPDX-License-Identifier: GPL-2.0-or-later
/* The pairs that this arbiter serves. See pair.h. */
#include "arbiter/pair.h"

#include <ctiha/lease.h>
#include <stdio.h>
#include <sys/random.h>

#include "common/durable.h"
#include "common/log.h"

#define RECORD_VERSION	1

/* Content of a pair's file. */
struct file_record {
	__be32 version;
	__be32 pair;
	__be64 epoch;
	__be64 promise_ns;
	u8 holder;
	u8 released;
	u8 zero[6];
} __packed;

static_assert(sizeof(struct file_record) == 32, "file_record");

struct file_name {
	char text[24];
};

static struct file_name file_name(u32 id)
{
	struct file_name name;

	snprintf(name.text, sizeof(name.text), "pair-%u", id);
	return name;
}

int pairs_add(struct pairs *pairs, u32 id, const u8 secret[CTIHA_KEY_LEN])
{
	struct pair *pair;

	if (pairs_find(pairs, id))
		return -EEXIST;
	if (pairs->count == PAIRS_MAX)
		return -ENOSPC;
	pair = &pairs->list[pairs->count++];
	pair->id = id;
	stamp_key_set(&pair->keys[0], secret);
	pair->key_count = 1;
	return 0;
}

void pairs_add_key(struct pairs *pairs, const u8 secret[CTIHA_KEY_LEN])
{
	struct pair *pair = &pairs->list[pairs->count - 1];

	stamp_key_set(&pair->keys[pair->key_count++], secret);
}

struct pair *pairs_find(struct pairs *pairs, u32 id)
{
	unsigned int i;

	for (i = 0; i < pairs->count; i++) {
		if (pairs->list[i].id == id)
			return &pairs->list[i];
	}
	return NULL;
}

static bool record_read(const struct file_record *file, u32 id,
			struct grant_record *record)
{
	record->epoch = be64_to_cpu(file->epoch);
	record->promise_ns = be64_to_cpu(file->promise_ns);
	record->holder = file->holder;
	record->released = file->released;
	return be32_to_cpu(file->version) == RECORD_VERSION &&
	       be32_to_cpu(file->pair) == id && file->released <= 1 &&
	       record->epoch && record->epoch <= STAMP_EPOCH_MAX &&
	       record->holder == ctiha_epoch_owner(record->epoch) &&
	       record->promise_ns <= STAMP_PROMISE_MAX_NS;
}

static ssize_t record_load(const struct pairs *pairs, u32 id,
			   struct grant_record *record)
{
	struct file_record file;
	ssize_t n = durable_read(pairs->directory, file_name(id).text, &file,
				 sizeof(file));

	if (n < 0)
		return n;
	if (n != sizeof(file) || !record_read(&file, id, record))
		return -EBADMSG;
	return n;
}

static int load(struct pairs *pairs, struct pair *pair, u64 start_ns)
{
	struct grant_record record;
	u64 random[2] = { 0 };
	ssize_t n;

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return -errno;
	n = record_load(pairs, pair->id, &record);
	grant_init(&pair->grant, n < 0 ? NULL : &record, start_ns,
		   random[0], random[1]);
	if (n >= 0)
		log_info("pair %u: last granted epoch %llu to node %u%s",
			 pair->id, (unsigned long long)record.epoch,
			 record.holder, record.released ? ", released" : "");
	if (n >= 0 || n == -ENOENT)
		return 0;
	pair->grant.damaged = true;
	log_error("pair %u: %s/%s cannot be read (%s): nothing will be granted to this pair; check the disk, then delete the file and restart the arbiter",
		  pair->id, pairs->directory, file_name(pair->id).text,
		  strerror((int)-n));
	return 0;
}

int pairs_load(struct pairs *pairs, u64 start_ns)
{
	unsigned int i;

	for (i = 0; i < pairs->count; i++) {
		int err = load(pairs, &pairs->list[i], start_ns);

		if (err)
			return err;
	}
	return 0;
}

/* What grant.c calls back with: one pair among all. */
struct context {
	struct pairs *pairs;
	struct pair *pair;
};

static int record_write(void *arg, const struct grant_record *record)
{
	const struct context *context = arg;
	struct file_record file = {
		.version = cpu_to_be32(RECORD_VERSION),
		.pair = cpu_to_be32(context->pair->id),
		.epoch = cpu_to_be64(record->epoch),
		.promise_ns = cpu_to_be64(record->promise_ns),
		.holder = record->holder,
		.released = record->released,
	};
	struct file_name name = file_name(context->pair->id);
	int err = durable_write(context->pairs->directory, name.text, &file,
				sizeof(file));

	/* Servers ask again and again: one line for each trouble. */
	if (err && !context->pair->grant.unwritten)
		log_error("pair %u: %s/%s cannot be written (%s): nothing is granted until it can; make room or mend the permissions",
			  context->pair->id, context->pairs->directory,
			  name.text, strerror(-err));
	return err;
}

static void pass_event(void *arg, const struct grant_event *event)
{
	const struct context *context = arg;

	context->pairs->event(context->pairs->event_arg, context->pair, event);
}

enum grant_outcome pair_handle(struct pairs *pairs, struct pair *pair,
			       const struct stamp_request *request,
			       u64 now_ns, u64 random,
			       struct stamp_answer *answer)
{
	struct context context = { pairs, pair };
	const struct grant_ops ops = { record_write, pass_event, &context };

	return grant_handle(&pair->grant, request, now_ns, random, &ops,
			    answer);
}

void pairs_watch(struct pairs *pairs, u64 now_ns)
{
	unsigned int i;

	for (i = 0; i < pairs->count; i++) {
		struct context context = { pairs, &pairs->list[i] };
		const struct grant_ops ops = {
			record_write, pass_event, &context
		};

		grant_watch(&pairs->list[i].grant, now_ns, &ops);
	}
}

void pairs_wipe(struct pairs *pairs)
{
	unsigned int i;

	for (i = 0; i < pairs->count; i++) {
		mac_key_wipe(&pairs->list[i].keys[0]);
		mac_key_wipe(&pairs->list[i].keys[1]);
	}
}
