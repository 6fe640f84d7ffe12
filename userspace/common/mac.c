// SPDX-License-Identifier: GPL-2.0-or-later
/* Check codes. See mac.h, and ctiha_mac() in include/ctiha/frame.h. */
#include "common/mac.h"

#include <nettle/hkdf.h>
#include <nettle/memops.h>

void mac_key_set(struct ctiha_mac_key *key, const u8 bytes[CTIHA_KEY_LEN])
{
	hmac_sha256_set_key(&key->ready, CTIHA_KEY_LEN, bytes);
}

void mac_key_wipe(struct ctiha_mac_key *key)
{
	explicit_bzero(key, sizeof(*key));
}

void ctiha_mac(const struct ctiha_mac_key *key, const void *data, size_t len,
	       u8 mac[CTIHA_MAC_LEN])
{
	struct hmac_sha256_ctx copy = key->ready;

	hmac_sha256_update(&copy, len, data);
	hmac_sha256_digest(&copy, CTIHA_MAC_LEN, mac);
	explicit_bzero(&copy, sizeof(copy));
}

void mac_derive(const u8 key[CTIHA_KEY_LEN], const char *label,
		u8 out[CTIHA_KEY_LEN])
{
	static const u8 no_salt[SHA256_DIGEST_SIZE];
	struct hmac_sha256_ctx ctx;
	u8 extracted[SHA256_DIGEST_SIZE];

	hmac_sha256_set_key(&ctx, sizeof(no_salt), no_salt);
	hkdf_extract(&ctx, (nettle_hash_update_func *)hmac_sha256_update,
		     (nettle_hash_digest_func *)hmac_sha256_digest,
		     sizeof(extracted), CTIHA_KEY_LEN, key, extracted);
	hmac_sha256_set_key(&ctx, sizeof(extracted), extracted);
	hkdf_expand(&ctx, (nettle_hash_update_func *)hmac_sha256_update,
		    (nettle_hash_digest_func *)hmac_sha256_digest,
		    sizeof(extracted), strlen(label), (const u8 *)label,
		    CTIHA_KEY_LEN, out);
	explicit_bzero(&ctx, sizeof(ctx));
	explicit_bzero(extracted, sizeof(extracted));
}

bool mac_equal(const void *a, const void *b, size_t len)
{
	return memeql_sec(a, b, len);
}
