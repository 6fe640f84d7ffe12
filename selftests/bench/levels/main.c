// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What each level of compression costs and saves, with packets of call records as
 * ctiha-load makes them, each of the length that the sync would use on a link that
 * asks for the level (flow.h), with the dictionary named and without.
 *
 * Prints a row for each: payload, level, dictionary, MB/s of one CPU, bytes in a
 * hundred that are left.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/mac.h"
#include "daemon/sync/packet.h"
#include "load/record.h"

#define BUSY_NS		(400 * CTIHA_NS_PER_MS)
#define CALLS		20000
#define STRIDE		31

static const int levels[] = { 1, 3, 6, 9 };
static const size_t payloads[] = { 4 << 10, 32 << 10, 128 << 10 };

static u8 raw[PACKET_RAW_MAX];

/* Of this process, so that what else runs here does not count. */
static u64 cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (u64)t.tv_sec * 1000 * CTIHA_NS_PER_MS + (u64)t.tv_nsec;
}

/* Records of calls that nobody had before, one behind the other. */
static size_t fill(size_t payload, u32 version)
{
	u8 key[RECORD_KEY_LEN], value[RECORD_MAX];
	size_t at = PACKET_RECORDS_LEN;
	u32 count = 0;
	u64 call;

	while (at < payload) {
		call = (u64)rand() % CALLS * STRIDE;
		record_key(key, call);
		packet_write_record(raw + at, PACKET_PUT, key, sizeof(key), value,
				    record_make(value, 7, call, version));
		at += packet_record_size(sizeof(key),
					 record_make(value, 7, call, version));
		count++;
	}
	packet_write_records(raw, 1, count);
	return at;
}

static void measure(struct packet_codec *codec, size_t payload, int level,
		    bool dictionary)
{
	static const struct ctiha_mac_key key;
	struct packet_head head = { .content = SYNC_CONTENT_CALL };
	u64 busy = 0, before = 0, after = 0;
	u32 version = 1;
	size_t len;

	packet_codec_level(codec, level);
	while (busy < BUSY_NS) {
		u64 begin;

		head.flags = dictionary ? PACKET_DICTIONARY : 0;
		head.raw_len = (u32)fill(payload, version++);
		begin = cpu_ns();
		packet_seal(codec, &key, &head, raw, &len);
		busy += cpu_ns() - begin;
		before += head.raw_len;
		after += len;
	}
	printf("%7zu %5d %10s %7llu %6.1f\n", payload, level,
	       dictionary ? "yes" : "no",
	       (unsigned long long)(before * 1000 / busy),
	       100.0 * (double)after / (double)before);
}

static bool learn(struct packet_codec *codec, const char *path)
{
	static u8 bytes[SYNC_VALUE_MAX];
	FILE *f = fopen(path, "re");
	size_t len = f ? fread(bytes, 1, sizeof(bytes), f) : 0;

	if (f)
		fclose(f);
	return len && !packet_codec_learn(codec, bytes, len);
}

int main(int argc, char **argv)
{
	struct packet_codec *codec = packet_codec_new();
	unsigned int p, l;
	int dictionary;

	if (!codec || (argc > 1 && !learn(codec, argv[1]))) {
		fprintf(stderr, "usage: levels [DICTIONARY], a zstd dictionary\n");
		return EXIT_FAILURE;
	}
	printf("payload level dictionary    MB/s   left\n");
	for (p = 0; p < ARRAY_SIZE(payloads); p++)
		for (dictionary = 0; dictionary < argc; dictionary++)
			for (l = 0; l < ARRAY_SIZE(levels); l++)
				measure(codec, payloads[p], levels[l],
					dictionary);
	packet_codec_free(codec);
	return EXIT_SUCCESS;
}
