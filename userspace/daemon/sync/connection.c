// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One connection between the two servers. See connection.h.
 *
 * A damaged packet is discarded, counted, and ends the connection: behind it
 * the place where the next packet begins cannot be trusted. The active
 * connects anew and goes on from the standby's last committed write (c2).
 */
#include "daemon/sync/connection.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>

#include "common/clock.h"
#include "common/log.h"

#define OUTPUT_ENOUGH	(64U << 10)
#define OUTPUT_LOW	(32U << 10)
#define INPUT_ENOUGH	(2U * PACKET_MAX)
#define COMPLAIN_NS	(10000 * CTIHA_NS_PER_MS)
#define HELLO_LEN	(PACKET_HEAD_LEN + PACKET_HELLO_LEN + PACKET_TAIL_LEN)

static void destroy(struct connection *c)
{
	transport_close(&c->transport);
	mac_key_wipe(&c->key);
	free(c);
}

void connection_close(struct connection *c)
{
	if (!c)
		return;
	bufferevent_disable(c->transport.bev, EV_READ | EV_WRITE);
	c->closed = true;
	if (!c->busy)
		destroy(c);
}

void connection_lose(struct connection *c, const char *why)
{
	if (c->closed)
		return;
	c->callbacks->lost(c, why);
	connection_close(c);
}

/* A peer that is configured wrongly tries again ten times a second. */
static void complain(struct connection_shared *shared, const char *why)
{
	u64 now = clock_now_ns();

	if (now - shared->why_ns < COMPLAIN_NS &&
	    !strncmp(why, shared->why, sizeof(shared->why) - 1))
		return;
	snprintf(shared->why, sizeof(shared->why), "%s", why);
	shared->why_ns = now;
	log_warning("sync: refused: %s", why);
}

void connection_refuse(struct connection *c, const char *why)
{
	c->shared->damaged++;
	complain(c->shared, why);
	connection_lose(c, why);
}

/* Callbacks may close: between enter() and leave() the connection stays. */
static void enter(struct connection *c)
{
	c->busy = true;
}

static void leave(struct connection *c)
{
	c->busy = false;
	if (c->closed)
		destroy(c);
}

static const char *misfit(const struct connection *c,
			  const struct packet_head *head)
{
	if (head->pair != c->shared->pair)
		return "of another pair: check `pair` on both servers";
	if (head->node == c->shared->node)
		return "both servers have the same `node`";
	if (head->sequence != c->rx_sequence + 1)
		return "out of sequence";
	return NULL;
}

static void use_slot(struct connection *c, u8 slot)
{
	c->slot = slot;
	mac_key_set(&c->key, c->shared->transport.keys.key[slot]);
}

/* While keys roll over, the other side's hello may be under the other key. */
static enum packet_error open_packet(struct connection *c, const u8 *data,
				     size_t len, struct packet *packet)
{
	enum packet_error error = packet_open(c->shared->codec, &c->key, data,
					      len, packet);

	if (error != PACKET_FORGED || c->session || c->tx_sequence ||
	    !c->shared->transport.keys.used[!c->slot])
		return error;
	use_slot(c, !c->slot);
	return packet_open(c->shared->codec, &c->key, data, len, packet);
}

static void take_packet(struct connection *c, const u8 *data, size_t len)
{
	enum packet_error error;
	struct packet packet;
	const char *why;

	error = open_packet(c, data, len, &packet);
	why = error ? packet_strerror(error) : misfit(c, &packet.head);
	if (why) {
		connection_refuse(c, why);
		return;
	}
	c->rx_sequence++;
	c->heard_ns = clock_now_ns();
	c->callbacks->packet(c, &packet);
}

/* Length of the packet at the front; 0 if it is not all there or is refused. */
static size_t front(struct connection *c, struct evbuffer *input)
{
	u8 head[PACKET_HEAD_LEN];
	enum packet_error error;
	size_t len;

	if (evbuffer_copyout(input, head, sizeof(head)) < (ssize_t)sizeof(head))
		return 0;
	error = packet_measure(head, &len);
	/* A stranger must not make us keep more than a hello. */
	if (!error && !c->session && len > HELLO_LEN)
		error = PACKET_BAD_LENGTH;
	if (error) {
		connection_refuse(c, packet_strerror(error));
		return 0;
	}
	return len <= evbuffer_get_length(input) ? len : 0;
}

static void take_packets(struct connection *c, struct evbuffer *from)
{
	size_t len;

	while (!c->closed && (len = front(c, from))) {
		take_packet(c, evbuffer_pullup(from, (ssize_t)len), len);
		evbuffer_drain(from, len);
	}
}

static void take_bytes(struct connection *c)
{
	struct evbuffer *from;
	const char *why = transport_read(&c->transport, &from);

	if (c->phase == CONNECTION_CONNECTING && transport_ready(&c->transport))
		c->callbacks->connected(c);
	take_packets(c, from);
	if (!c->closed)
		c->callbacks->idle(c);
	if (why && !c->closed)
		connection_refuse(c, why);
}

static void on_read(struct bufferevent *bev, void *arg)
{
	struct connection *c = arg;

	(void)bev;
	enter(c);
	take_bytes(c);
	leave(c);
}

/* Bytes that the socket has taken; of all connections, but one has most of them. */
static u64 passed(const struct connection *c)
{
	return c->shared->transport.tx_bytes -
	       evbuffer_get_length(bufferevent_get_output(c->transport.bev));
}

static void on_write(struct bufferevent *bev, void *arg)
{
	struct connection *c = arg;

	(void)bev;
	enter(c);
	flow_drained(&c->flow, clock_now_ns(), passed(c));
	if (c->phase != CONNECTION_CONNECTING)
		c->callbacks->drained(c);
	leave(c);
}

static void on_connected(struct connection *c)
{
	if (!transport_start(&c->transport, TLS_CLIENT))
		connection_lose(c, "no memory for TLS");
	else if (transport_ready(&c->transport))
		c->callbacks->connected(c);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct connection *c = arg;

	(void)bev;
	enter(c);
	if (what & BEV_EVENT_CONNECTED)
		on_connected(c);
	else if (what & BEV_EVENT_EOF)
		connection_lose(c, "closed by the peer");
	else
		connection_lose(c, evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
	leave(c);
}

static struct connection *make(struct connection_shared *shared, int fd,
			       const struct connection_callbacks *callbacks,
			       void *owner)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return NULL;
	}
	if (!transport_open(&c->transport, &shared->transport, shared->base,
			    fd)) {
		free(c);
		return NULL;
	}
	c->shared = shared;
	c->callbacks = callbacks;
	c->owner = owner;
	c->since_ns = clock_now_ns();
	c->heard_ns = c->since_ns;
	use_slot(c, shared->transport.keys.send);
	bufferevent_setwatermark(c->transport.bev, EV_READ, 0, INPUT_ENOUGH);
	bufferevent_setwatermark(c->transport.bev, EV_WRITE, OUTPUT_LOW, 0);
	return c;
}

static void listen_to(struct connection *c)
{
	bufferevent_setcb(c->transport.bev, on_read, on_write, on_event, c);
	bufferevent_enable(c->transport.bev, EV_READ | EV_WRITE);
}

struct connection *connection_take(struct connection_shared *shared, int fd,
				   const struct connection_callbacks *callbacks,
				   void *owner)
{
	struct connection *c = make(shared, fd, callbacks, owner);

	if (!c)
		return NULL;
	c->phase = CONNECTION_GREETING;
	if (!transport_start(&c->transport, TLS_SERVER)) {
		destroy(c);
		return NULL;
	}
	listen_to(c);
	return c;
}

struct connection *connection_open(struct connection_shared *shared, int fd,
				   const struct sockaddr_storage *peer,
				   const struct connection_callbacks *callbacks,
				   void *owner)
{
	struct connection *c = make(shared, fd, callbacks, owner);
	int len = peer->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
						sizeof(struct sockaddr_in);

	if (!c)
		return NULL;
	c->phase = CONNECTION_CONNECTING;
	/* A failure at once must not call back before the owner knows it. */
	if (bufferevent_socket_connect(c->transport.bev,
				       (struct sockaddr *)peer, len)) {
		destroy(c);
		return NULL;
	}
	listen_to(c);
	return c;
}

void connection_send(struct connection *c, u16 content, u8 flags,
		     const u8 *raw, size_t len)
{
	struct packet_head head = {
		.flags = flags,
		.content = content,
		.pair = c->shared->pair,
		.node = c->shared->node,
		.epoch = c->shared->epoch,
		.sequence = ++c->tx_sequence,
		.raw_len = (u32)len,
	};
	const u8 *sealed;
	const char *why;
	size_t size;

	if (c->closed)
		return;
	packet_codec_level(c->shared->codec,
			   flow_level(&c->flow, clock_now_ns()));
	sealed = packet_seal(c->shared->codec, &c->key, &head, raw, &size);
	if (packet_has_records(content)) {
		c->shared->raw_bytes += len;
		c->shared->packed_bytes += head.payload_len;
	}
	why = transport_write(&c->transport, sealed, size);
	if (why) {
		log_error("sync: cannot send: %s", why);
		transport_break(&c->transport);
	}
	if (connection_congested(c))
		flow_full(&c->flow, clock_now_ns(), passed(c));
}

void connection_greet(struct connection *c, u16 content, u32 welcome)
{
	struct packet_hello hello = {
		.welcome = welcome,
		.features = c->shared->features,
	};
	u8 raw[PACKET_HELLO_LEN];

	/* Up to 256 bytes come whole, and only early boot can block. */
	if (getrandom(c->nonce, sizeof(c->nonce), 0) != sizeof(c->nonce)) {
		connection_refuse(c, "no random numbers");
		return;
	}
	memcpy(hello.nonce, c->nonce, sizeof(hello.nonce));
	packet_write_hello(raw, &hello);
	connection_send(c, content, 0, raw, sizeof(raw));
}

static char *hex(char *to, const u8 *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	while (len--) {
		*to++ = digits[*bytes >> 4];
		*to++ = digits[*bytes++ & 15];
	}
	*to = '\0';
	return to;
}

void connection_agree(struct connection *c,
		      const u8 active_nonce[PACKET_NONCE_LEN],
		      const u8 standby_nonce[PACKET_NONCE_LEN])
{
	char label[sizeof("ctiha sync session ") + 4 * PACKET_NONCE_LEN] =
		"ctiha sync session ";
	u8 key[CTIHA_KEY_LEN];

	hex(hex(label + strlen(label), active_nonce, PACKET_NONCE_LEN),
	    standby_nonce, PACKET_NONCE_LEN);
	mac_derive(c->shared->transport.keys.key[c->slot], label, key);
	mac_key_set(&c->key, key);
	explicit_bzero(key, sizeof(key));
	c->session = true;
}

/* On a slow link two packets: a keepalive waits behind them. */
bool connection_congested(const struct connection *c)
{
	size_t enough = 2 * flow_packet(&c->flow, clock_now_ns());

	if (enough > OUTPUT_ENOUGH)
		enough = OUTPUT_ENOUGH;
	return evbuffer_get_length(bufferevent_get_output(c->transport.bev)) >
	       enough;
}
