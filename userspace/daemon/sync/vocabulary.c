// SPDX-License-Identifier: GPL-2.0-or-later
/* The pair's dictionary. See vocabulary.h. */
#include <stdio.h>

#include <event2/event.h>

#include "common/log.h"
#include "daemon/sync/dictionary.h"
#include "daemon/sync/internal.h"
#include "daemon/sync/trainer.h"

#define KEY	"zstd"
#define KEY_LEN	(sizeof(KEY) - 1)

void vocabulary_load(struct sync *s)
{
	u8 bytes[SYNC_VALUE_MAX];
	int len = store_get(s->store, SYNC_CONTENT_DICTIONARY, KEY, KEY_LEN,
			    bytes, sizeof(bytes));
	int rc = packet_codec_learn(s->shared.codec, bytes,
				    len > 0 ? (size_t)len : 0);

	if (rc)
		log_warning("sync: the dictionary in the store is not used: %s",
			    strerror(-rc));
	s->vocabulary.position = store_state(s->store)->position;
}

bool vocabulary_shared(const struct sync *s, const struct connection *c)
{
	const struct active *a = &s->active;

	return c == a->connection && a->confirmed &&
	       c->features & PACKET_CAN_DICTIONARY &&
	       packet_codec_dictionary(s->shared.codec) &&
	       a->acked >= s->vocabulary.position;
}

/* ---- from the package ---- */

void vocabulary_open(struct sync *s)
{
	struct vocabulary *v = &s->vocabulary;
	FILE *f;

	if (!s->spec.dictionary[0])
		return;
	f = fopen(s->spec.dictionary, "re");
	if (!f) {
		log_info("sync: no dictionary: %s: %m", s->spec.dictionary);
		return;
	}
	v->first_len = fread(v->first, 1, sizeof(v->first), f);
	fclose(f);
	if (dictionary_id(v->first, v->first_len))
		return;
	log_warning("sync: %s is no zstd dictionary: not used",
		    s->spec.dictionary);
	v->first_len = 0;
}

void vocabulary_begin(struct sync *s)
{
	struct vocabulary *v = &s->vocabulary;

	if (v->first_len && !packet_codec_dictionary(s->shared.codec))
		write_own(s, SYNC_CONTENT_DICTIONARY, KEY, KEY_LEN, v->first,
			  v->first_len);
}

/* ---- from the records ---- */

static const char *keep(struct sync *s, const void *bytes, size_t len)
{
	if (s->side != SYNC_SIDE_ACTIVE)
		return "this server is not active any more: train on the one that is";
	if (write_own(s, SYNC_CONTENT_DICTIONARY, KEY, KEY_LEN, bytes, len))
		return "too many writes are waiting: try again";
	write_commit(s);
	return NULL;
}

static void finish(struct sync *s, const char *error)
{
	trainer_free(s->vocabulary.trainer);
	s->vocabulary.trainer = NULL;
	if (!error)
		log_info("sync: a dictionary was trained: %08x",
			 packet_codec_dictionary(s->shared.codec));
	s->vocabulary.trained(s->vocabulary.arg, error);
}

static void on_trained(void *arg, const void *bytes, size_t len,
		       const char *error)
{
	struct sync *s = arg;

	finish(s, error ? error : keep(s, bytes, len));
}

/* As they travel, but for those of our own. */
static void collect(struct sync *s, struct store_reader *reader)
{
	u8 sample[PACKET_RECORD_LEN + SYNC_KEY_MAX + SYNC_VALUE_MAX];
	struct store_record r;
	bool more = true;

	while (more && store_reader_next(reader, &r) > 0) {
		if (r.content == SYNC_CONTENT_DICTIONARY)
			continue;
		packet_write_record(sample, PACKET_PUT, r.key, r.key_len,
				    r.value, r.value_len);
		more = trainer_sample(s->vocabulary.trainer, sample,
				      packet_record_size(r.key_len,
							 r.value_len));
	}
}

static const char *begin(struct sync *s)
{
	struct store_reader *reader;
	struct store_state state;

	write_commit(s);
	s->vocabulary.trainer = trainer_new(s->shared.base, on_trained, s);
	reader = store_reader_open(s->store, &state);
	if (reader && s->vocabulary.trainer)
		collect(s, reader);
	store_reader_close(reader);
	if (!reader || !s->vocabulary.trainer)
		return "out of memory: try again";
	return trainer_start(s->vocabulary.trainer);
}

const char *sync_train(struct sync *s,
		       void (*done)(void *arg, const char *error), void *arg)
{
	const char *error;

	if (s->side != SYNC_SIDE_ACTIVE)
		return "this server is not active: train on the one that is";
	if (s->vocabulary.trainer)
		return "a dictionary is being trained: wait for it";
	s->vocabulary.trained = done;
	s->vocabulary.arg = arg;
	error = begin(s);
	if (!error)
		return NULL;
	vocabulary_free(s);
	return error;
}

void vocabulary_free(struct sync *s)
{
	trainer_free(s->vocabulary.trainer);
	s->vocabulary.trainer = NULL;
}
