/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is driven: something that keeps records on two servers. ctiha.c and redis.c
 * are its kinds.
 */
#ifndef BENCH_SYNC_TARGET_H
#define BENCH_SYNC_TARGET_H

#include <poll.h>

#include <ctiha/base.h>

#define TARGET_FDS	2	/* at most */

struct target;

/**
 * struct target_kind - how to speak to it; what fails ends the program
 * @name: on the command line
 * @open: connect; @address is a socket's path
 * @ready: writes are taken
 * @put: write a record; it goes with the next @flush
 * @remove: delete a record, in the same way
 * @probe: as @put, but its acknowledgement says that the standby has it
 * @flush: send what was collected
 * @fds: what to wait on; returns how many
 * @dispatch: take what has arrived, without waiting
 */
struct target_kind {
	const char *name;
	struct target *(*open)(const char *address);
	bool (*ready)(struct target *t);
	void (*put)(struct target *t, const void *key, size_t key_len,
		    const void *value, size_t value_len, u64 cookie);
	void (*remove)(struct target *t, const void *key, size_t key_len,
		       u64 cookie);
	void (*probe)(struct target *t, const void *key, size_t key_len,
		      const void *value, size_t value_len, u64 cookie);
	void (*flush)(struct target *t);
	unsigned int (*fds)(struct target *t, struct pollfd fds[TARGET_FDS]);
	void (*dispatch)(struct target *t);
};

/**
 * struct target - a connection; the beginning of each kind's own
 * @acked: what was written with this cookie is taken; @safe: by the standby too
 */
struct target {
	const struct target_kind *kind;
	void (*acked)(void *arg, u64 cookie, bool safe);
	void *arg;
};

extern const struct target_kind target_ctiha;
extern const struct target_kind target_redis;

/**
 * die() - tell why, end the program
 * @why: printed behind its name
 */
_Noreturn void die(const char *why);

#endif /* BENCH_SYNC_TARGET_H */
