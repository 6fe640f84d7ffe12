/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The daemon watch: which netlink socket is the daemon's, and is it alive.
 */
#ifndef CTIHA_KERNEL_WATCH_H
#define CTIHA_KERNEL_WATCH_H

#include <linux/hrtimer.h>
#include <linux/netlink.h>
#include <linux/types.h>

struct ctiha_node;

/**
 * struct ctiha_watch - one daemon under watch
 * @timer: fires at @deadline_ns or before
 * @portid: the attached socket, 0 if none
 * @silent: it did not call in time; it has to attach again
 * @silence_ns: longest silence allowed
 * @deadline_ns: when its silence becomes a verdict
 *
 * The node's lock protects it.
 */
struct ctiha_watch {
	struct hrtimer timer;
	u32 portid;
	bool silent;
	u64 silence_ns;
	u64 deadline_ns;
};

/**
 * ctiha_watch_init() - nobody is attached
 * @watch: watch of a node
 */
void ctiha_watch_init(struct ctiha_watch *watch);

/**
 * ctiha_watch_exit() - stop the timer, when nobody can attach any more
 * @watch: watch
 *
 * Context: process, node's lock not held.
 */
void ctiha_watch_exit(struct ctiha_watch *watch);

/**
 * ctiha_watch_alive() - is a daemon attached, and has it called in time?
 * @watch: watch
 */
static inline bool ctiha_watch_alive(const struct ctiha_watch *watch)
{
	return watch->portid && !watch->silent;
}

/**
 * ctiha_watch_attach() - a socket becomes the daemon's
 * @watch: watch
 * @portid: the socket
 * @silence_ns: longest silence
 * @now_ns: the time
 * @extack: receives the reason of a refusal
 *
 * Context: node's lock held.
 * Return: 0, or -EBUSY while another one is alive.
 */
int ctiha_watch_attach(struct ctiha_watch *watch, u32 portid, u64 silence_ns,
		       u64 now_ns, struct netlink_ext_ack *extack);

/**
 * ctiha_watch_call() - the daemon has called
 * @watch: watch
 * @portid: socket that called
 * @now_ns: the time
 * @extack: receives the reason of a refusal
 *
 * Context: node's lock held.
 * Return: 0; -EPERM if the socket is not the daemon's; -ESTALE if the daemon
 * was declared silent.
 */
int ctiha_watch_call(struct ctiha_watch *watch, u32 portid, u64 now_ns,
		     struct netlink_ext_ack *extack);

/**
 * ctiha_watch_detach() - nobody is attached any more
 * @watch: watch
 *
 * Context: node's lock held.
 */
void ctiha_watch_detach(struct ctiha_watch *watch);

/**
 * ctiha_watch_register() - begin to hear of closed sockets
 *
 * Return: 0 or -errno.
 */
int ctiha_watch_register(void);

/** ctiha_watch_unregister() - the opposite of ctiha_watch_register() */
void ctiha_watch_unregister(void);

#endif /* CTIHA_KERNEL_WATCH_H */
