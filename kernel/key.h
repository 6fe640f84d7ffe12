/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The key slots of a node: frames are sealed with one, and accepted with any.
 */
#ifndef CTIHA_KERNEL_KEY_H
#define CTIHA_KERNEL_KEY_H

#include <linux/types.h>

struct ctiha_node;
struct netlink_ext_ack;

/**
 * ctiha_key_set() - put a key into a slot
 * @node: node
 * @slot: below CTIHA_KEY_SLOTS
 * @secret: CTIHA_KEY_LEN bytes
 * @send: seal outgoing frames with it from now on
 *
 * Context: process, config held, sleeps. Return: 0 or -ENOMEM.
 */
int ctiha_key_set(struct ctiha_node *node, u8 slot, const u8 *secret, bool send);

/**
 * ctiha_key_drop() - empty a slot
 * @node: node
 * @slot: below CTIHA_KEY_SLOTS; may be empty
 * @extack: receives the reason of a refusal
 *
 * Context: process, config held, sleeps. Return: 0; -EBUSY if it is sent with.
 */
int ctiha_key_drop(struct ctiha_node *node, u8 slot,
		   struct netlink_ext_ack *extack);

#endif /* CTIHA_KERNEL_KEY_H */
