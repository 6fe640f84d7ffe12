/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hooks: commands that run when this server's role changes.
 *
 * Strictly one at a time and in order: a later change waits until the command
 * that runs has ended. Commands that have not started when a later change
 * comes are dropped, as the later change's commands say what holds now; the
 * last change's commands always run, all of them.
 *
 * A command has a time limit; after it SIGTERM goes to its process group, and
 * SIGKILL 1 s later. Its output goes to the log, line by line. A command that
 * fails is logged; the next one runs all the same.
 *
 * Its environment is the daemon's plus CTIHA_ROLE ("active", "standby"),
 * CTIHA_EPOCH, CTIHA_NODE, CTIHA_PAIR and CTIHA_REASON.
 *
 * Event loop thread only. The end of a command is seen through a pidfd, so
 * neither SIGCHLD nor other children of the daemon are touched; SIGCHLD must
 * not be ignored.
 */
#ifndef CTIHA_HOOK_H
#define CTIHA_HOOK_H

#include "daemon/config.h"

struct event_base;
struct hook_queue;

/**
 * hook_open() - an empty queue
 * @base: event loop
 * @config: its hooks, node and pair; must live until hook_close()
 * @idle: called when the last command has ended, also from within hook_run()
 *        if there is none to run; NULL if not wanted
 * @arg: for @idle
 *
 * Return: NULL without memory.
 */
struct hook_queue *hook_open(struct event_base *base,
			     const struct config *config,
			     void (*idle)(void *arg), void *arg);

/* hook_close() - kill what runs, forget the rest. */
void hook_close(struct hook_queue *q);

/**
 * hook_run() - the role has changed: run its commands
 * @role: CTIHA_ROLE_ACTIVE or CTIHA_ROLE_STANDBY
 * @epoch: the epoch it holds in
 * @reason: a word or sentence, copied
 *
 * Return: 0 or -ENOMEM.
 */
int hook_run(struct hook_queue *q, u8 role, u64 epoch, const char *reason);

/* hook_idle() - nothing runs and nothing waits. */
bool hook_idle(const struct hook_queue *q);

#endif /* CTIHA_HOOK_H */
