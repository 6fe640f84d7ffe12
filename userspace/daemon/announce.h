/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells the neighbours that a service address has moved here: gratuitous ARP
 * in its request and its reply form for IPv4, an unsolicited neighbour
 * advertisement for IPv6.
 *
 * Sent at once, and again after 50 ms, 200 ms, 1 s and 5 s: a frame may get
 * lost, and a switch port may come up late. Needs CAP_NET_RAW. Event loop
 * thread only.
 */
#ifndef CTIHA_ANNOUNCE_H
#define CTIHA_ANNOUNCE_H

#include "daemon/config.h"

struct event_base;
struct announce;

/**
 * announce_open() - get ready to announce
 * @base: event loop
 * @services, @count: the addresses; must live until announce_close()
 * @error, @error_size: receives the reason and remedy on failure
 *
 * Return: NULL on failure.
 */
struct announce *announce_open(struct event_base *base,
			       const struct config_service *services,
			       unsigned int count, char *error,
			       size_t error_size);
void announce_close(struct announce *a);

/**
 * announce_start() - announce now, and repeat
 *
 * Call it after the addresses are there; again when a device comes back.
 *
 * Return: number of addresses that could not be announced now (logged).
 */
unsigned int announce_start(struct announce *a);

/* announce_stop() - no more repeats: this server leaves the role. */
void announce_stop(struct announce *a);

#endif /* CTIHA_ANNOUNCE_H */
