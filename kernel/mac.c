// SPDX-License-Identifier: GPL-2.0
/*
 * HMAC-SHA-256-128 for heartbeats.
 *
 * By the kernel's SHA-256 library and not by the crypto API: it needs no memory,
 * no FPU and no lock, so it works in any context, and it cannot fail, so that
 * there is no error on which a frame could pass unchecked. A key is kept as the
 * two hash states that its padded blocks lead to; a heartbeat then costs three
 * compressions.
 */
#include <crypto/sha2.h>
#include <linux/ktime.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "mac.h"

/* So many that one is not interrupted. */
#define COST_TRIES	32

struct ctiha_mac_key {
	struct sha256_state inner;
	struct sha256_state outer;
};

static_assert(CTIHA_KEY_LEN <= SHA256_BLOCK_SIZE);
static_assert(CTIHA_MAC_LEN <= SHA256_DIGEST_SIZE);

static void absorb_pad(struct sha256_state *state, const u8 *secret, u8 pad)
{
	u8 block[SHA256_BLOCK_SIZE];
	size_t i;

	memset(block, pad, sizeof(block));
	for (i = 0; i < CTIHA_KEY_LEN; i++)
		block[i] ^= secret[i];
	sha256_init(state);
	sha256_update(state, block, sizeof(block));
	memzero_explicit(block, sizeof(block));
}

struct ctiha_mac_key *ctiha_mac_key_new(const u8 *secret)
{
	struct ctiha_mac_key *key = kmalloc(sizeof(*key), GFP_KERNEL);

	if (!key)
		return NULL;
	absorb_pad(&key->inner, secret, 0x36);
	absorb_pad(&key->outer, secret, 0x5c);
	return key;
}

void ctiha_mac_key_free(struct ctiha_mac_key *key)
{
	kfree_sensitive(key);
}

/* sha256_final() wipes the state it ends. */
void ctiha_mac(const struct ctiha_mac_key *key, const void *data, size_t len,
	       u8 mac[CTIHA_MAC_LEN])
{
	struct sha256_state state = key->inner;
	u8 digest[SHA256_DIGEST_SIZE];

	sha256_update(&state, data, len);
	sha256_final(&state, digest);
	state = key->outer;
	sha256_update(&state, digest, sizeof(digest));
	sha256_final(&state, digest);
	memcpy(mac, digest, CTIHA_MAC_LEN);
}

u64 ctiha_mac_cost_ns(const struct ctiha_mac_key *key)
{
	static const u8 sample[CTIHA_FRAME_SEALED_LEN];
	unsigned int tries = COST_TRIES;
	u64 began_ns, least_ns = U64_MAX;
	u8 mac[CTIHA_MAC_LEN];

	while (tries--) {
		began_ns = ktime_get_ns();
		ctiha_mac(key, sample, sizeof(sample), mac);
		least_ns = min(least_ns, ktime_get_ns() - began_ns);
	}
	return least_ns;
}
