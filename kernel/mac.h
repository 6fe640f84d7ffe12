/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Keys of the check code. ctiha_mac() itself is declared in <ctiha/frame.h>.
 */
#ifndef CTIHA_KERNEL_MAC_H
#define CTIHA_KERNEL_MAC_H

#include <linux/gfp.h>

#include <ctiha/frame.h>

/**
 * ctiha_mac_key_new() - prepare a key
 * @secret: CTIHA_KEY_LEN bytes
 *
 * Context: process, may sleep.
 * Return: the key, or NULL without memory.
 */
struct ctiha_mac_key *ctiha_mac_key_new(const u8 *secret);

/**
 * ctiha_mac_cost_ns() - what the check code of one frame costs here
 * @key: any key
 *
 * Context: process. Return: ns, of the fastest of some tries.
 */
u64 ctiha_mac_cost_ns(const struct ctiha_mac_key *key);

/**
 * ctiha_mac_key_free() - forget a key
 * @key: key that nobody uses any more, or NULL
 *
 * Context: process. Its memory is overwritten.
 */
void ctiha_mac_key_free(struct ctiha_mac_key *key);

#endif /* CTIHA_KERNEL_MAC_H */
