/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The packet backend's inside: the module's work done by the daemon itself over
 * AF_PACKET. packet.c takes the daemon's commands, packet_node.c is the node,
 * packet_link.c a link, packet_carrier.c the carriers, packet_event.c the news on
 * their way to the daemon, packet_socket.c and packet_timer.c what the operating
 * system gives.
 *
 * Timers: per link one, for the next heartbeat, the detection deadline or the
 * next try to open the device, whichever comes first; one for the end of the
 * lease.
 *
 * A process can be late by any time. So whatever wakes it up, first of all the
 * lease is checked (packet_now()); and before a silence is judged, all frames
 * that arrived until then are taken in.
 */
#ifndef CTIHA_PACKET_H
#define CTIHA_PACKET_H

#include <sys/types.h>

#include <ctiha/budget.h>
#include <ctiha/complaint.h>
#include <ctiha/session.h>

#include "common/mac.h"
#include "daemon/heartbeat/heartbeat.h"

#define PACKET_LINKS	2	/* one of each kind */
#define PACKET_EVENTS	64	/* that may wait for the daemon's event loop */

struct event;
struct event_base;
struct packet;

/* packet_timer.c: wakes up at a time of CLOCK_MONOTONIC, exact to microseconds. */

struct packet_timer {
	int fd;
	struct event *event;
	void (*fn)(void *arg);
	void *arg;
	u64 at_ns;
};

/* Return: 0 or a negative errno. */
int packet_timer_open(struct packet_timer *timer, struct event_base *base,
		      void (*fn)(void *arg), void *arg);
void packet_timer_close(struct packet_timer *timer);
/* Wakes up once at @at_ns, at once if that is past; U64_MAX: not at all. */
void packet_timer_set(struct packet_timer *timer, u64 at_ns);

/* packet_socket.c: heartbeat frames on one net device. */

/**
 * packet_socket_open() - receive and send on a device
 * @device: its name
 * @ifindex: receives its index
 *
 * Return: non-blocking file descriptor; -ENODEV without such a device;
 * -ENETDOWN if it is down; -EPERM without CAP_NET_RAW; or another errno.
 */
int packet_socket_open(const char *device, u32 *ifindex);

/* Return: 0 or a negative errno; -ENETDOWN, -ENODEV, -ENXIO: device is gone. */
int packet_socket_send(int fd, u32 ifindex, const u8 mac[6], const void *data,
		       size_t len);

/**
 * packet_socket_receive() - take the next frame, without waiting
 *
 * Return: bytes of payload, cut at @size; -EAGAIN if there is none; -ENOMSG if
 * there was one that is not for us; or a negative errno.
 */
ssize_t packet_socket_receive(int fd, void *data, size_t size);

/* packet_event.c: news wait in a ring until the event loop delivers them. */

enum packet_event_kind { PACKET_EVENT_NODE, PACKET_EVENT_PEER, PACKET_EVENT_LINK };

struct packet_event {
	enum packet_event_kind kind;
	struct heartbeat_event head;
	union {
		struct heartbeat_node node;
		struct heartbeat_peer peer;
		struct heartbeat_link link;
	};
};

struct packet_events {
	struct event *wake;
	u64 seq;			/* of the last event made */
	bool lost;			/* the ring was full */
	unsigned int first, count;
	struct packet_event ring[PACKET_EVENTS];
};

/* Return: 0 or a negative errno. */
int packet_event_open(struct packet *p, struct event_base *base);
void packet_event_close(struct packet *p);
/* Queue what happened; @kind's part of @event is filled in by the caller. */
void packet_event_post(struct packet *p, struct packet_event *event,
		       enum ctiha_cause cause);

/* packet_link.c: one link. */

/**
 * struct packet_link - heartbeats on one net device
 * @packet: the node
 * @used: this slot holds a link
 * @spec: what was asked for
 * @session: the session
 * @stats: counters; LOST is kept by the session
 * @fd: socket, -1 while the device is gone or down
 * @ifindex: of the device, 0 while it is gone or down
 * @readable: the socket's event
 * @timer: the link's timer
 * @tick_ns: next heartbeat, or next try to open the device
 * @skipped: heartbeats not sent because this process ran late
 * @logged_ns: when the log was last told of that
 * @budget: what may be spent on check codes
 * @complaint: what the log was told of refused frames
 * @probes: heartbeats still to be sent ahead of the interval
 * @carrier: its device had one when last asked for
 * @told_state, @told_diag, @told_direction, @told_carrier: as the daemon knows them
 *                                                         from events
 */
struct packet_link {
	struct packet *packet;
	bool used;
	struct heartbeat_link_spec spec;
	struct ctiha_session session;
	struct heartbeat_stats stats;
	int fd;
	u32 ifindex;
	struct event *readable;
	struct packet_timer timer;
	u64 tick_ns;
	u64 skipped;
	u64 logged_ns;
	struct ctiha_budget budget;
	struct ctiha_complaint complaint;
	u8 probes;
	bool carrier;
	u8 told_state;
	u8 told_diag;
	u8 told_direction;
	bool told_carrier;
};

/**
 * packet_link_open() - begin to beat on a device
 * @link: unused slot
 * @p: the node
 * @spec: checked by the caller
 *
 * Return: 0, also if the device is down; -ENODEV if there is none; -EPERM
 * without CAP_NET_RAW; or another negative errno.
 */
int packet_link_open(struct packet_link *link, struct packet *p,
		     const struct heartbeat_link_spec *spec);
void packet_link_close(struct packet_link *link);

/* Send a frame of this enum ctiha_frame_type now. */
void packet_link_send(struct packet_link *link, u8 type);

/* Take in every frame that has arrived before this call. */
void packet_link_drain(struct packet_link *link);

/* Set the timer; after anything that may change what is due next. */
void packet_link_arm(struct packet_link *link);

/* Send some heartbeats soon, ahead of the interval. */
void packet_link_probe(struct packet_link *link);

/* Post an event if the link is not as the daemon knows it. */
void packet_link_tell(struct packet_link *link, enum ctiha_cause cause);

void packet_link_view(const struct packet_link *link,
		      struct heartbeat_link *view);

/* packet_carrier.c: which devices have a carrier. */

/**
 * struct packet_carrier - what is watched beside the links
 * @fd: netlink socket for questions
 * @asked: number of the last question
 * @next_ns: not to be asked before
 * @nic: to the switch; its device is "" for none
 */
struct packet_carrier {
	int fd;
	u32 asked;
	u64 next_ns;
	struct heartbeat_switch nic;
};

/* Return: 0 or a negative errno. The caller closes the fd. */
int packet_carrier_open(struct packet *p);

/* Look at all devices, tell what changed, probe if a carrier was lost. */
void packet_carrier_poll(struct packet *p);

/* The switch NIC is @device from now on, "" for none. */
void packet_carrier_watch(struct packet *p, const char *device);

/* Has the link's device a carrier now? */
bool packet_carrier_of(const struct packet_link *link);

/* Bits of CTIHA_REPORT_CARRIER, as last seen. */
u32 packet_carrier_report(const struct packet *p);

/* packet_node.c: the node. */

/* What heartbeats say of the node; a change is sent at once. */
struct packet_said {
	u8 role;
	u32 report;
	u64 epoch;
	u64 vote_epoch;
	u32 switch_ifindex;
};

/**
 * struct packet - a node
 * @base: event loop
 * @callbacks, @arg: the daemon
 * @keys: by slot; @key_used: which of them hold one; @send_slot: the one that seals
 * @verify_ns: what one check code costs here
 * @id: own node id
 * @pair: the pair's number
 * @report: what the daemon says
 * @sync_pos: what the daemon says
 * @attached: the daemon is alive
 * @left: said goodbye, silent since
 * @lease: role, epoch, vote
 * @lease_timer: its end
 * @said: what the last round of heartbeats said
 * @peer: what the peer's last heartbeat said
 * @told_node, @told_sole, @told_peer: as the daemon knows them from events
 * @links: by kind
 * @carrier: of the devices
 * @events: on their way to the daemon
 */
struct packet {
	struct event_base *base;
	struct heartbeat_callbacks callbacks;
	void *arg;
	struct ctiha_mac_key keys[CTIHA_KEY_SLOTS];
	bool key_used[CTIHA_KEY_SLOTS];
	u8 send_slot;
	u64 verify_ns;
	u8 id;
	u32 pair;
	u32 report;
	u64 sync_pos;
	bool attached;
	bool left;
	struct ctiha_lease lease;
	struct packet_timer lease_timer;
	struct packet_said said;
	struct heartbeat_peer peer;
	struct packet_said told_node;
	bool told_sole;
	struct heartbeat_peer told_peer;
	struct packet_link links[PACKET_LINKS];
	struct packet_carrier carrier;
	struct packet_events events;
};

/*
 * packet_now() - the time, with the lease checked against it
 *
 * The only way in which this backend reads the clock before it sends, answers
 * or believes: however late this process runs, it never acts on an old lease.
 */
u64 packet_now(struct packet *p);

/* Its timer: the lease has ended. */
void packet_lease_ended(void *arg);

/* What heartbeats would say of the node now. */
struct packet_said packet_words(const struct packet *p);

/* Everything a heartbeat says but the session's part. */
void packet_fill(const struct packet *p, struct ctiha_frame *frame);

/**
 * packet_hear() - a link changed, or a frame is to be believed: tell the daemon
 * @p: the node
 * @frame: a bound frame, NULL if none
 * @echoed_sent_ns: as in struct ctiha_testimony
 * @now_ns: when it arrived
 * @cause: why a session changed, if one did
 */
void packet_hear(struct packet *p, const struct ctiha_frame *frame,
		 u64 echoed_sent_ns, u64 now_ns, enum ctiha_cause cause);

/* Post an event if the node is not as the daemon knows it. */
void packet_tell_node(struct packet *p, enum ctiha_cause cause);

/**
 * packet_say_to_all() - send a frame on each link now
 * @type: enum ctiha_frame_type
 */
void packet_say_to_all(struct packet *p, u8 type);

/* Say what is new, and set the timers. Ends every entry into the backend. */
void packet_settle(struct packet *p);

void packet_view(struct packet *p, struct heartbeat_snapshot *view);

u64 packet_random(void);

#endif /* CTIHA_PACKET_H */
