/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS 1.3 (RFC 8446) with the pair's key as pre-shared key, by GnuTLS, between two
 * evbuffers: no sockets, no event loop.
 *
 * No certificates: who knows the key is the peer. Each session has an ephemeral
 * key exchange, so that a key that leaks later opens no recording. While keys
 * roll over the client's identity says which one it uses.
 */
#ifndef CTIHA_TLS_H
#define CTIHA_TLS_H

#include "common/keys.h"

struct evbuffer;
struct tls;

enum tls_role {
	TLS_CLIENT,	/* the active: it connects */
	TLS_SERVER,
};

/**
 * tls_new() - begin a session
 * @keys: sync keys; read during the handshake, may change meanwhile. A client
 *        uses the one to send with, a server takes each
 * @in: what arrived; tls_read() takes it out
 * @out: what has to be sent is appended here
 *
 * A client's first message is in @out on return.
 *
 * Return: NULL if memory is short.
 */
struct tls *tls_new(enum tls_role role, const struct keys *keys,
		    struct evbuffer *in, struct evbuffer *out);
void tls_free(struct tls *tls);

/**
 * tls_read() - take in all that arrived
 * @plain: what the peer wrote is appended here
 *
 * Return: NULL, or what is wrong, valid until tls_free(): the session is over
 * then; a last message for the peer may be in @out.
 */
const char *tls_read(struct tls *tls, struct evbuffer *plain);

/**
 * tls_write() - encrypt @len bytes; only once tls_ready()
 *
 * After an error that was returned before it does nothing.
 *
 * Return: NULL, or what is wrong.
 */
const char *tls_write(struct tls *tls, const void *data, size_t len);

/* Both sides have proved that they know the key. */
bool tls_ready(const struct tls *tls);

#endif /* CTIHA_TLS_H */
