// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Inputs for frame_fuzz to begin with: the frames of a real session, from the first
 * handshake to the goodbye, as the peer of the fuzzed one seals them.
 *
 * usage: frame_seeds FOLDER
 */
#include <stdio.h>
#include <stdlib.h>

#include <ctiha/session.h>

#include "common/mac.h"

#define FUZZED_DISCR	0x1122334455667788ULL	/* first eight bytes of an input */
#define PEER_DISCR	99
#define STEP_RAW	0
#define FRAMES		8

/* The fuzzer's input so far. */
struct seed {
	u8 bytes[4096];
	size_t len;
};

static void put(struct seed *seed, const void *from, size_t len)
{
	memcpy(seed->bytes + seed->len, from, len);
	seed->len += len;
}

static void put_frame(struct seed *seed, const struct ctiha_wire_frame *wire)
{
	const u8 step = STEP_RAW;
	const u64 random = PEER_DISCR + seed->len;

	put(seed, &step, 1);
	put(seed, &random, sizeof(random));
	put(seed, wire, sizeof(*wire));
}

static void write_seed(const char *folder, int number, const struct seed *seed)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/session-%d", folder, number);
	file = fopen(path, "w");
	if (!file || fwrite(seed->bytes, seed->len, 1, file) != 1 ||
	    fclose(file)) {
		perror(path);
		exit(EXIT_FAILURE);
	}
}

/* What the peer says as its @number-th frame. */
static void speak(int number, struct ctiha_wire_frame *wire,
		  const struct ctiha_mac_key *key)
{
	struct ctiha_frame frame = {
		.type = number == FRAMES ? CTIHA_FRAME_GOODBYE :
					   CTIHA_FRAME_HEARTBEAT,
		.session_state = number > 2 ? CTIHA_SESSION_UP :
					      CTIHA_SESSION_DOWN,
		.multiplier = 3,
		.link_kind = CTIHA_LINK_LAN,
		.node = 1,
		.pair = 7,
		.interval_us = 10000,
		.role = number & 1 ? CTIHA_ROLE_STANDBY : CTIHA_ROLE_ACTIVE,
		.report = CTIHA_REPORT_DAEMON | CTIHA_REPORT_ELIGIBLE,
		.my_discr = PEER_DISCR,
		.your_discr = number > 1 ? FUZZED_DISCR : 0,
		.seq = (u64)number,
		.echo_seq = number > 2 ? (u64)number - 2 : 0,
		.epoch = (u64)number,
		.vote_epoch = (u64)number / 2,
	};

	ctiha_frame_seal(wire, &frame, 0, key);
}

int main(int argc, char **argv)
{
	static const u8 secret[CTIHA_KEY_LEN] = "the fuzzer knows it";
	static const u64 discr = FUZZED_DISCR;
	struct seed seed = { .len = 0 };
	struct ctiha_wire_frame wire;
	struct ctiha_mac_key key;
	int number;

	if (argc != 2) {
		fputs("usage: frame_seeds FOLDER\n", stderr);
		return 2;
	}
	mac_key_set(&key, secret);
	put(&seed, &discr, sizeof(discr));
	for (number = 1; number <= FRAMES; number++) {
		speak(number, &wire, &key);
		put_frame(&seed, &wire);
		write_seed(argv[1], number, &seed);
	}
	return EXIT_SUCCESS;
}
