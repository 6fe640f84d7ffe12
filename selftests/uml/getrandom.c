// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Preloaded into user-mode Linux, whose kernel takes its random numbers from the
 * host's getrandom(2): here they come from UML_SEED, so that a run can be repeated.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* SplitMix64. */
static uint64_t next(void)
{
	static uint64_t state;
	uint64_t z;

	if (!state) {
		const char *seed = getenv("UML_SEED");

		state = strtoull(seed ? seed : "1", NULL, 10) << 1 | 1;
	}
	z = state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

ssize_t getrandom(void *buffer, size_t length, unsigned int flags)
{
	uint64_t random;
	size_t done, part;

	(void)flags;
	for (done = 0; done < length; done += part) {
		random = next();
		part = length - done < sizeof(random) ? length - done : sizeof(random);
		memcpy((char *)buffer + done, &random, part);
	}
	return length;
}
