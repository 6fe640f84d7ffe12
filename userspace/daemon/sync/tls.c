// SPDX-License-Identifier: GPL-2.0-or-later
/* TLS 1.3 with the pair's key. See tls.h. */
#include "daemon/sync/tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <gnutls/gnutls.h>

#include "common/mac.h"

/*
 * GnuTLS binds a pre-shared key of one's own to SHA-256: no suite with another
 * hash can be used with it.
 */
#define SUITES		"NONE:+VERS-TLS1.3:+AES-128-GCM:+CHACHA20-POLY1305:" \
			"+AEAD:+ECDHE-PSK:+GROUP-X25519:+GROUP-SECP256R1:+SIGN-ALL"
#define RECORD_MAX	16384	/* RFC 8446, 5.1 */
#define HANDSHAKE_MAX	4096	/* ours have a few hundred bytes */
#define IDENTITY_BYTES	8
#define IDENTITY_LEN	(2 * IDENTITY_BYTES)

struct tls {
	gnutls_session_t session;
	gnutls_psk_client_credentials_t client;
	gnutls_psk_server_credentials_t server;
	const struct keys *keys;
	struct evbuffer *in;
	struct evbuffer *out;
	bool ready;
	bool over;	/* failed: nothing more can be written */
	bool unknown;	/* the client's key is none of ours */
	char error[128];
};

/* Which of the keys it is, without telling anything about it. */
static void identify(const u8 key[CTIHA_KEY_LEN], char text[IDENTITY_LEN + 1])
{
	u8 id[CTIHA_KEY_LEN];
	unsigned int i;

	mac_derive(key, "ctiha sync tls identity", id);
	for (i = 0; i < IDENTITY_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
}

static void make_psk(const u8 key[CTIHA_KEY_LEN], u8 psk[CTIHA_KEY_LEN])
{
	mac_derive(key, "ctiha sync tls", psk);
}

/* ---- what GnuTLS asks of us ---- */

static ssize_t push(gnutls_transport_ptr_t arg, const void *data, size_t len)
{
	struct tls *tls = arg;

	if (!evbuffer_add(tls->out, data, len))
		return (ssize_t)len;
	gnutls_transport_set_errno(tls->session, ENOMEM);
	return -1;
}

static ssize_t pull(gnutls_transport_ptr_t arg, void *data, size_t len)
{
	struct tls *tls = arg;
	int got = evbuffer_remove(tls->in, data, len);

	if (got > 0)
		return got;
	gnutls_transport_set_errno(tls->session, EAGAIN);
	return -1;
}

static int give_key(const u8 key[CTIHA_KEY_LEN], gnutls_datum_t *psk)
{
	psk->data = gnutls_malloc(CTIHA_KEY_LEN);
	if (!psk->data)
		return -1;
	make_psk(key, psk->data);
	psk->size = CTIHA_KEY_LEN;
	return 0;
}

static int find_key(gnutls_session_t session, const char *identity,
		    gnutls_datum_t *psk)
{
	struct tls *tls = gnutls_session_get_ptr(session);
	char own[IDENTITY_LEN + 1];
	unsigned int slot;

	for (slot = 0; slot < CTIHA_KEY_SLOTS; slot++) {
		if (!tls->keys->used[slot])
			continue;
		identify(tls->keys->key[slot], own);
		if (!strcmp(identity, own))
			return give_key(tls->keys->key[slot], psk);
	}
	tls->unknown = true;
	return -1;
}

/* ---- errors ---- */

static const char *explain_alert(struct tls *tls)
{
	gnutls_alert_description_t alert = gnutls_alert_get(tls->session);
	const char *name = gnutls_alert_get_name(alert);

	snprintf(tls->error, sizeof(tls->error), "TLS: the peer says '%s'%s",
		 name ? name : "?",
		 tls->ready ? "" : ": is the key file the same on both servers?");
	return tls->error;
}

/* Ends the session; what the peer may know of the reason goes out. */
static const char *explain(struct tls *tls, int code)
{
	tls->over = true;
	if (!code)
		return "TLS: ended by the peer";
	if (code == GNUTLS_E_FATAL_ALERT_RECEIVED)
		return explain_alert(tls);
	gnutls_alert_send_appropriate(tls->session, code);
	if (tls->unknown)
		return "TLS: the peer's key is none of ours: is the key file the same on both servers?";
	snprintf(tls->error, sizeof(tls->error), "TLS: %s",
		 gnutls_strerror(code));
	return tls->error;
}

/* ---- the session ---- */

static int set_client(struct tls *tls)
{
	char identity[IDENTITY_LEN + 1];
	u8 bytes[CTIHA_KEY_LEN];
	const gnutls_datum_t psk = { .data = bytes, .size = sizeof(bytes) };
	int rc = gnutls_psk_allocate_client_credentials(&tls->client);

	if (rc)
		return rc;
	identify(keys_sender(tls->keys), identity);
	make_psk(keys_sender(tls->keys), bytes);
	rc = gnutls_psk_set_client_credentials(tls->client, identity, &psk,
					       GNUTLS_PSK_KEY_RAW);
	explicit_bzero(bytes, sizeof(bytes));
	return rc ? rc : gnutls_credentials_set(tls->session, GNUTLS_CRD_PSK,
						tls->client);
}

static int set_server(struct tls *tls)
{
	int rc = gnutls_psk_allocate_server_credentials(&tls->server);

	if (rc)
		return rc;
	gnutls_psk_set_server_credentials_function(tls->server, find_key);
	return gnutls_credentials_set(tls->session, GNUTLS_CRD_PSK,
				      tls->server);
}

static int begin(struct tls *tls, enum tls_role role)
{
	int rc = gnutls_init(&tls->session,
			     GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS |
			     (role == TLS_CLIENT ? GNUTLS_CLIENT :
						   GNUTLS_SERVER));

	if (rc)
		return rc;
	gnutls_session_set_ptr(tls->session, tls);
	gnutls_transport_set_ptr(tls->session, tls);
	gnutls_transport_set_push_function(tls->session, push);
	gnutls_transport_set_pull_function(tls->session, pull);
	gnutls_handshake_set_max_packet_length(tls->session, HANDSHAKE_MAX);
	rc = gnutls_priority_set_direct(tls->session, SUITES, NULL);
	if (rc)
		return rc;
	if (role == TLS_SERVER)
		return set_server(tls);
	rc = set_client(tls);
	if (!rc)
		rc = gnutls_handshake(tls->session);
	return rc == GNUTLS_E_AGAIN ? 0 : rc;
}

struct tls *tls_new(enum tls_role role, const struct keys *keys,
		    struct evbuffer *in, struct evbuffer *out)
{
	struct tls *tls = calloc(1, sizeof(*tls));

	if (!tls)
		return NULL;
	tls->keys = keys;
	tls->in = in;
	tls->out = out;
	if (!begin(tls, role))
		return tls;
	tls_free(tls);
	return NULL;
}

void tls_free(struct tls *tls)
{
	if (!tls)
		return;
	if (tls->session)
		gnutls_deinit(tls->session);
	if (tls->client)
		gnutls_psk_free_client_credentials(tls->client);
	if (tls->server)
		gnutls_psk_free_server_credentials(tls->server);
	free(tls);
}

bool tls_ready(const struct tls *tls)
{
	return tls->ready;
}

/* Straight into @plain. Return: bytes; 0: the peer has ended it; < 0: as GnuTLS. */
static ssize_t receive(struct tls *tls, struct evbuffer *plain)
{
	struct evbuffer_iovec room;
	ssize_t got;

	if (evbuffer_reserve_space(plain, RECORD_MAX, &room, 1) != 1)
		return GNUTLS_E_MEMORY_ERROR;
	got = gnutls_record_recv(tls->session, room.iov_base, RECORD_MAX);
	room.iov_len = got > 0 ? (size_t)got : 0;
	evbuffer_commit_space(plain, &room, 1);
	return got;
}

/* Return: 0, or as GnuTLS: AGAIN while it is the other side's turn. */
static int shake_hands(struct tls *tls)
{
	int rc = tls->ready ? 0 : gnutls_handshake(tls->session);

	tls->ready = !rc;
	return rc;
}

const char *tls_read(struct tls *tls, struct evbuffer *plain)
{
	ssize_t rc = shake_hands(tls);

	if (!rc) {
		do {
			rc = receive(tls, plain);
		} while (rc > 0);
	}
	/* TLS 1.3 knows nothing else that would not be the end. */
	return rc == GNUTLS_E_AGAIN ? NULL : explain(tls, (int)rc);
}

const char *tls_write(struct tls *tls, const void *data, size_t len)
{
	const u8 *from = data;
	ssize_t sent;

	while (len && !tls->over) {
		sent = gnutls_record_send(tls->session, from, len);
		if (sent < 0)
			return explain(tls, (int)sent);
		from += sent;
		len -= (size_t)sent;
	}
	return NULL;
}
