/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Check codes: HMAC-SHA-256 cut to 128 bits, and keys derived from the pair's
 * key, so that no two protocols share one. By nettle. No allocation.
 */
#ifndef CTIHA_MAC_H
#define CTIHA_MAC_H

#include <nettle/hmac.h>

#include <ctiha/frame.h>

/* A key made ready for use; hold it by value, wipe it when done. */
struct ctiha_mac_key {
	struct hmac_sha256_ctx ready;
};

/**
 * mac_key_set() - make a key ready for ctiha_mac()
 * @key: filled in
 * @bytes: the key
 */
void mac_key_set(struct ctiha_mac_key *key, const u8 bytes[CTIHA_KEY_LEN]);

/* Forget the key so that it is in no core file. */
void mac_key_wipe(struct ctiha_mac_key *key);

/**
 * mac_derive() - a key for one purpose (HKDF-SHA-256, RFC 5869, no salt)
 * @key: the pair's key
 * @label: the purpose, e.g. "ctiha sync"
 * @out: the derived key; may be @key
 */
void mac_derive(const u8 key[CTIHA_KEY_LEN], const char *label,
		u8 out[CTIHA_KEY_LEN]);

/* Compares @len bytes in a time that does not depend on their values. */
bool mac_equal(const void *a, const void *b, size_t len);

#endif /* CTIHA_MAC_H */
