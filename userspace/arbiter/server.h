/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arbiter's sockets. */
#ifndef CTIHA_ARBITER_SERVER_H
#define CTIHA_ARBITER_SERVER_H

#include <sys/socket.h>

#include "arbiter/packet.h"

struct event;
struct event_base;

#define SERVER_SOCKETS_MAX	8

/**
 * struct server
 * @pairs: pairs that are served
 * @count: of sockets
 * @sockets: file descriptors
 * @ports: the port each is bound to, in host order
 * @events: their read events
 * @fates: counters, by enum packet_fate
 * @complained_ns: when a packet of this fate was last logged
 */
struct server {
	struct pairs *pairs;
	unsigned int count;
	int sockets[SERVER_SOCKETS_MAX];
	u16 ports[SERVER_SOCKETS_MAX];
	struct event *events[SERVER_SOCKETS_MAX];
	u64 fates[PACKET_FATES];
	u64 complained_ns[PACKET_FATES];
};

/**
 * server_bind() - listen on one more address
 * @server: zeroed before the first call
 * @address: IPv4 or IPv6, with port; port 0 takes any
 *
 * Return: 0 or -errno; -ENOSPC if there are too many addresses.
 */
int server_bind(struct server *server, const struct sockaddr_storage *address);

/**
 * server_start() - begin to answer
 * Return: 0 or -ENOMEM.
 */
int server_start(struct server *server, struct event_base *base);

/* Close all sockets and log what was counted. */
void server_close(struct server *server);

#endif /* CTIHA_ARBITER_SERVER_H */
