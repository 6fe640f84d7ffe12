/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The totals of each content, exchanged with keepalives and acknowledgements: so
 * people see which kind of records differs, and each kind is compared by itself.
 */
#ifndef CTIHA_TOTALS_H
#define CTIHA_TOTALS_H

#include "daemon/sync/packet.h"

struct connection;
struct sync;

/* Tell the other side ours, if it understands. */
void totals_send(struct sync *s, struct connection *c);

/**
 * totals_take() - the other side's
 *
 * May refuse the connection. Return: 0; content id of the first that differs at the
 * same position; -EPROTO: refused.
 */
int totals_take(struct sync *s, struct connection *c, const struct packet *p);

#endif /* CTIHA_TOTALS_H */
