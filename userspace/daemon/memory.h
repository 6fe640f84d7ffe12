/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a server must not forget over a restart, in the state directory. */
#ifndef CTIHA_MEMORY_H
#define CTIHA_MEMORY_H

#include <ctiha/base.h>

/**
 * struct memory - durable knowledge
 * @epoch: highest epoch this server has acted or followed in, or asked for
 * @left: it said goodbye to a peer that heard it, and has not heard it since
 */
struct memory {
	u64 epoch;
	bool left;
};

/**
 * memory_read() - read it at start
 * @directory: state directory
 * @memory: zero if there is none yet
 *
 * Return: 0 or -errno; -EBADMSG if the file is damaged.
 */
int memory_read(const char *directory, struct memory *memory);

/**
 * memory_write() - make it durable before acting on it
 * Return: 0 or -errno; then the change must not be acted on.
 */
int memory_write(const char *directory, const struct memory *memory);

#endif /* CTIHA_MEMORY_H */
