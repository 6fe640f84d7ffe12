/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One connection between the two servers: packets in, packets out.
 *
 * It begins under the sync key, which both sides share for ever, so that
 * recorded packets would be accepted there: only the two hellos travel under
 * it. Their nonces make the session key, and what comes under that key is fresh.
 *
 * The active speaks first: hello. The standby: hello reply. The active:
 * keepalive, the first packet under the session key. Only now does the standby
 * know that it is not talking to a recording, and lets go of an older
 * connection; its ack says where it stands.
 *
 * The owner's functions may close the connection, also from within a callback.
 */
#ifndef CTIHA_CONNECTION_H
#define CTIHA_CONNECTION_H

#include <sys/socket.h>

#include "common/mac.h"
#include "daemon/sync/flow.h"
#include "daemon/sync/packet.h"
#include "daemon/sync/transport.h"

#define CONNECTION_WHY_LEN	160

struct connection;

/**
 * struct connection_shared - what connections have in common
 * @epoch: carried in each head
 * @features: enum packet_feature, said in each hello
 * @raw_bytes: of the records sent, before compression; @packed_bytes: after it
 * @damaged: packets and sessions refused
 * @why: of the last refusal that was told to the operator, at @why_ns
 */
struct connection_shared {
	struct event_base *base;
	struct packet_codec *codec;
	struct transport_shared transport;
	u32 pair;
	u8 node;
	u64 epoch;
	u32 features;
	u64 raw_bytes;
	u64 packed_bytes;
	u64 damaged;
	char why[CONNECTION_WHY_LEN];
	u64 why_ns;
};

enum connection_phase {
	CONNECTION_CONNECTING,	/* until TCP and TLS have shaken hands */
	CONNECTION_GREETING,	/* waiting for hello, or hello reply */
	CONNECTION_CONFIRMING,	/* waiting for the first keepalive, or ack */
	CONNECTION_LIVE,
};

/**
 * struct connection_callbacks - what the owner does
 * @connected: the connection that connection_open() began is there, and secure
 * @packet: an authentic packet, in sequence
 * @idle: no whole packet is waiting any more
 * @drained: there is room to send
 * @lost: it broke; it is freed on return. Not called by connection_close()
 */
struct connection_callbacks {
	void (*connected)(struct connection *c);
	void (*packet)(struct connection *c, const struct packet *packet);
	void (*idle)(struct connection *c);
	void (*drained)(struct connection *c);
	void (*lost)(struct connection *c, const char *why);
};

/**
 * struct connection - fields below @shared are the owner's to read
 * @slot: of the sync key that both use for the hellos
 * @path: index of the path it uses
 * @phase: enum connection_phase, set by the owner
 * @flow: how quickly it takes what is sent
 * @since_ns: when it was made
 * @heard_ns: when the last authentic packet came
 * @nonce: of this side's hello
 * @features: enum packet_feature, of the other side; set by the owner
 * @transfers: snapshots sent or received on it, for the owner
 */
struct connection {
	struct transport transport;
	const struct connection_callbacks *callbacks;
	struct ctiha_mac_key key;
	bool session;
	bool busy;
	bool closed;
	u64 tx_sequence;
	u64 rx_sequence;

	struct connection_shared *shared;
	void *owner;
	u8 slot;
	u8 path;
	u8 phase;
	struct flow flow;
	u64 since_ns;
	u64 heard_ns;
	u8 nonce[PACKET_NONCE_LEN];
	u32 features;
	u32 transfers;
};

/**
 * connection_open() - connect
 * @fd: unconnected non-blocking socket, taken over
 * @peer: where to
 *
 * Return: NULL if it failed at once; else @connected or @lost follows.
 */
struct connection *connection_open(struct connection_shared *shared, int fd,
				   const struct sockaddr_storage *peer,
				   const struct connection_callbacks *callbacks,
				   void *owner);

/* Take over an accepted socket. NULL without memory; @fd is closed then. */
struct connection *connection_take(struct connection_shared *shared, int fd,
				   const struct connection_callbacks *callbacks,
				   void *owner);
void connection_close(struct connection *c);

/**
 * connection_send() - pack and queue one packet
 * @content: enum packet_content or of the records
 * @flags: PACKET_SNAPSHOT or 0
 * @raw: payload, @len bytes, at most PACKET_RAW_MAX
 */
void connection_send(struct connection *c, u16 content, u8 flags,
		     const u8 *raw, size_t len);

/* Draw a nonce and send the hello, or the reply. */
void connection_greet(struct connection *c, u16 content, u32 welcome);

/**
 * connection_agree() - go on under the session key
 * @active_nonce, @standby_nonce: of the two hellos
 */
void connection_agree(struct connection *c,
		      const u8 active_nonce[PACKET_NONCE_LEN],
		      const u8 standby_nonce[PACKET_NONCE_LEN]);

/* More than enough is queued; @drained will tell when to go on. */
bool connection_congested(const struct connection *c);

/* End it as if it had broken: @lost is called. */
void connection_lose(struct connection *c, const char *why);

/**
 * connection_refuse() - the other side broke the protocol: count it, be lost
 * @why: logged, but not again and again
 */
void connection_refuse(struct connection *c, const char *why);

#endif /* CTIHA_CONNECTION_H */
