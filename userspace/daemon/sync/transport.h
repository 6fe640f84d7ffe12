/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes between the two servers over one TCP socket, inside TLS unless the
 * configuration says `insecure`. Knows nothing of packets.
 */
#ifndef CTIHA_TRANSPORT_H
#define CTIHA_TRANSPORT_H

#include "common/keys.h"
#include "daemon/sync/tls.h"

struct bufferevent;
struct evbuffer;
struct event_base;

/**
 * struct transport_shared - what transports have in common
 * @keys: sync keys, derived from the pair's
 * @insecure: no TLS
 * @tx_bytes, @rx_bytes: as TCP has them
 */
struct transport_shared {
	struct keys keys;
	bool insecure;
	u64 tx_bytes;
	u64 rx_bytes;
};

/**
 * struct transport - one connection's
 * @bev: of the socket; callbacks and watermarks are the owner's to set
 * @tls: NULL if insecure, or not begun
 * @plain: what TLS has decrypted
 * @heard: something has been read
 */
struct transport {
	struct transport_shared *shared;
	struct bufferevent *bev;
	struct tls *tls;
	struct evbuffer *plain;
	bool heard;
};

/**
 * transport_open() - for a socket, connected or not
 * @fd: taken over, closed also on failure
 *
 * Return: false without memory.
 */
bool transport_open(struct transport *t, struct transport_shared *shared,
		    struct event_base *base, int fd);

/* Says a last word if there is one. */
void transport_close(struct transport *t);

/**
 * transport_start() - begin TLS, if any, on a connected socket
 * Return: false without memory.
 */
bool transport_start(struct transport *t, enum tls_role role);

/* May transport_write() be called? */
bool transport_ready(const struct transport *t);

/**
 * transport_read() - take in what arrived
 * @from: set to where the peer's bytes are, to be drained by the caller; those
 *        that it left there before as well, and those that came before an error
 *
 * Return: NULL, or what is wrong, valid until transport_close().
 */
const char *transport_read(struct transport *t, struct evbuffer **from);

/* Ends it as if the peer had: the owner's event callback is called, later. */
void transport_break(struct transport *t);

/* Returns NULL, or what is wrong. */
const char *transport_write(struct transport *t, const void *data, size_t len);

#endif /* CTIHA_TRANSPORT_H */
