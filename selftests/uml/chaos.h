/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile hour for two servers: cables that lose, delay, reorder and repeat, or
 * are cut, in one direction or both; daemons that fall silent; an arbiter that is
 * out of reach; and daemons that seek office whenever they may not.
 */
#ifndef CTIHA_UML_CHAOS_H
#define CTIHA_UML_CHAOS_H

#include <stdio.h>

#include "bed.h"

#define CHAOS_PORTS	4

/**
 * struct office - a term of office, by the module's own events
 * @server: who
 * @epoch: in which epoch
 * @from_ns: when it began to act
 * @until_ns: when it stopped; U64_MAX while it acts
 */
struct office {
	u8 server;
	u64 epoch;
	u64 from_ns;
	u64 until_ns;
};

/**
 * struct port - the end of a cable, by what was captured there
 * @server: whose
 * @kind: enum ctiha_link_kind
 * @capture: see capture.h
 * @sent: heartbeats that left the server
 * @reached: heartbeats that reached it
 */
struct port {
	u8 server;
	u8 kind;
	int capture;
	u64 sent;
	u64 reached;
};

/* What a daemon knows, and when it has to do what. */
struct daemon {
	struct server *server;
	struct heartbeat_node node;
	struct heartbeat_peer peer;
	u64 event_seq;
	u64 event_gaps;
	u64 report_ns;
	u64 mute_until_ns;
	struct office *term;	/* while it acts */
};

/* Grants by the rule: nobody else before the promise to the holder has ended. */
struct arbiter {
	u8 holder;
	u64 epoch;
	u64 until_ns;
	u64 away_until_ns;
};

#define CHAOS_OFFICES	65536

/**
 * struct chaos - everything
 * @daemon: by server
 * @arbiter: the third voter
 * @port: xa, xb, la, lb
 * @random: state of the generator that decides all
 * @log: one line for each event
 * @tc: takes commands
 * @office: terms, in the order of their begin on each server
 * @offices: how many
 * @claim: by epoch, from the first to the last heartbeat that said "active"
 * @refused: attempts to act that the module turned down
 * @sessions_lost: times a session went down
 */
struct chaos {
	struct daemon daemon[SERVERS];
	struct arbiter arbiter;
	struct port port[CHAOS_PORTS];
	u64 random;
	FILE *log;
	FILE *tc;
	struct office office[CHAOS_OFFICES];
	unsigned int offices;
	struct office claim[CHAOS_OFFICES];
	u64 refused;
	u64 sessions_lost;
};

/**
 * chaos_begin() - prepare, with good cables
 * @c: filled in
 * @bed: its servers have nodes, keys and links
 * @seed: decides everything that happens
 * @log: one line for each event is written here
 *
 * Return: 0, or -1 with the reason on stderr.
 */
int chaos_begin(struct chaos *c, struct bed *bed, u64 seed, FILE *log);

/* Let it happen for so long. */
void chaos_run(struct chaos *c, u64 duration_ns);

/* Good cables, daemons that speak, an arbiter that answers; for so long. */
void chaos_calm(struct chaos *c, u64 duration_ns);

void chaos_end(struct chaos *c);

#endif /* CTIHA_UML_CHAOS_H */
