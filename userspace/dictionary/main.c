// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writes the dictionary that a new pair begins with to standard output: trained
 * from call records as ctiha-load makes them, as they travel. The same every time.
 */
#include <stdio.h>
#include <stdlib.h>

#include <zdict.h>

#include "daemon/sync/packet.h"
#include "load/record.h"

#define CALLS		4096
#define VERSIONS	2
#define SAMPLES		(CALLS * VERSIONS)
#define SAMPLE_MAX	(PACKET_RECORD_LEN + RECORD_KEY_LEN + RECORD_MAX)
#define SEED		1
/* Numbers of calls that are far apart have other digits in common. */
#define STRIDE		977

static u8 samples[SAMPLES * SAMPLE_MAX];
static size_t sizes[SAMPLES];

static size_t make_sample(u8 *to, u64 call, u32 version)
{
	u8 key[RECORD_KEY_LEN], value[RECORD_MAX];
	size_t len = record_make(value, SEED, call, version);

	record_key(key, call);
	packet_write_record(to, PACKET_PUT, key, sizeof(key), value, len);
	return packet_record_size(sizeof(key), len);
}

int main(void)
{
	static u8 dictionary[SYNC_VALUE_MAX];
	size_t bytes = 0, len;
	unsigned int i;

	for (i = 0; i < SAMPLES; i++) {
		sizes[i] = make_sample(samples + bytes, i / VERSIONS * STRIDE,
				       1 + i % VERSIONS);
		bytes += sizes[i];
	}
	len = ZDICT_trainFromBuffer(dictionary, sizeof(dictionary), samples,
				    sizes, SAMPLES);
	if (ZDICT_isError(len)) {
		fprintf(stderr, "no dictionary: %s\n", ZDICT_getErrorName(len));
		return EXIT_FAILURE;
	}
	return fwrite(dictionary, len, 1, stdout) == 1 ? EXIT_SUCCESS :
							 EXIT_FAILURE;
}
