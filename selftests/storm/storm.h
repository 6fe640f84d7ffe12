/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A storm: everything that can happen to the module, at random, all at once.
 * One process makes one kind of trouble in one network namespace; many of them
 * make the storm. main.c says how it is called.
 */
#ifndef CTIHA_STORM_H
#define CTIHA_STORM_H

#include <ctiha/base.h>

#define ERROR_SIZE	128

/* Deeds: what a process may do. Each is counted. */
enum deed {
	NODE_SET, KEY_SET, FENCE_SET, LINK_ADD, LINK_DEL, READ, DUMP, SEEN_UP,
	ATTACH, REPORT, ACTIVATE, RENEW, YIELD, LEAVE, CLOSED, KILLED,
	LISTENED,
	CREATED, DELETED, RENAMED, SWITCHED, MAC_SET, MTU_SET, MOVED, ENSLAVED,
	FLOODED,
	SPACE_ENDED,
	DEEDS
};

/**
 * struct storm - one process
 * @number: 0 or 1: the namespace's node id
 * @other: open file of the other namespace
 * @stop: told to end
 * @tried: how often each deed was tried
 * @done: how often it succeeded
 */
struct storm {
	int number;
	int other;
	volatile bool *stop;
	u64 tried[DEEDS];
	u64 done[DEEDS];
};

/* A number from 0 to @below - 1. */
u32 storm_random(u32 below);

/* storm_pause() - for a random time of up to @max_ms. */
void storm_pause(u32 max_ms);

/* storm_count() - @ret is 0 if the deed was done. Returns @ret. */
int storm_count(struct storm *storm, enum deed deed, int ret);

/* One round of each kind of trouble; false if there is nothing to make it with. */
bool storm_commands(struct storm *storm);
bool storm_daemon(struct storm *storm);
bool storm_monitor(struct storm *storm);
bool storm_devices(struct storm *storm);
bool storm_junk(struct storm *storm);
bool storm_space(struct storm *storm);

struct genl;

/* storm_node() - a node with keys in this namespace. 0 or -errno. */
int storm_node(struct storm *storm, struct genl *genl);

/* storm_link_add() - heartbeats on a device chosen at random. 0 or -errno. */
int storm_link_add(struct storm *storm, struct genl *genl);

/* storm_device() - number of a device other than the loopback, 0 if none. */
u32 storm_device(void);

struct mnl_socket;

/* storm_veth_add() - a pair, the other end in namespace @fd. 0 or -errno. */
int storm_veth_add(struct mnl_socket *rtnl, const char *name, int fd);

/* storm_device_flags() - set the device up or down. 0 or -errno. */
int storm_device_up(struct mnl_socket *rtnl, u32 ifindex, bool up);

#endif /* CTIHA_STORM_H */
