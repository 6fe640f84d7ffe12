/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TCP sockets for the sync, tied to one of the two paths: bound to its local
 * address and its net device, so that no packet takes the other one.
 */
#ifndef CTIHA_SOCKET_H
#define CTIHA_SOCKET_H

#include "daemon/sync/sync.h"

/* Unacknowledged data for this long ends a connection. */
#define SOCKET_USER_TIMEOUT_MS	3000

/**
 * socket_listen() - listen on the path's local address and port
 *
 * Works while the address is missing: it may come later.
 *
 * Return: file descriptor or -errno.
 */
int socket_listen(const struct sync_path *path);

/**
 * socket_prepare() - a socket to connect to the path's peer from
 * Return: file descriptor or -errno.
 */
int socket_prepare(const struct sync_path *path);

/**
 * socket_accept() - take a connection, from the path's peer only
 * Return: file descriptor, -EACCES for a stranger, or another -errno.
 */
int socket_accept(int listener, const struct sync_path *path);

#endif /* CTIHA_SOCKET_H */
