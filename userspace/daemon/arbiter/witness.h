/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arbiter as the daemon sees it: probes it over the LAN (L3), asks for
 * grants, and tells what it knows of the peer. STAMP (RFC 8762) with the
 * witness TLV (Documentation/wire-format.rst). One outstanding request at a
 * time is not required: answers are matched by sequence number.
 *
 * Event loop thread only.
 */
#ifndef CTIHA_WITNESS_H
#define CTIHA_WITNESS_H

#include <sys/socket.h>

#include <ctiha/base.h>
#include <linux/ctiha.h>

struct event_base;
struct witness;

/* What a request asks for, and what the arbiter answers. On the wire. */
enum witness_ask {
	WITNESS_ASK_NOTHING,	/* I am here; tell me what you know */
	WITNESS_ASK_GRANT,	/* begin or go on to act in the epoch */
	WITNESS_ASK_RELEASE,	/* I no longer act in the epoch */
};

enum witness_answer {
	WITNESS_NOTED,		/* nothing was asked, or released */
	WITNESS_GRANTED,
	WITNESS_WAIT,		/* another lease may still run: see wait_ns */
	WITNESS_REFUSED_EPOCH,	/* epoch too low or not the asker's: see epoch */
	WITNESS_REFUSED_STORAGE,/* the arbiter cannot write its grant down */
};

/**
 * struct witness_spec - configuration
 * @arbiter: its address, IPv4 or IPv6, and port
 * @device: bind to this net device; "" for any
 * @pair: the pair's number
 * @node: own id
 * @key: the arbiter's key for this pair
 * @interval_ns: time between probes
 * @timeout_ns: silence after which L3 is down; several intervals
 * @lease_ns, @promise_ns: told to the arbiter, which refuses shorter promises
 */
struct witness_spec {
	struct sockaddr_storage arbiter;
	char device[16];
	u32 pair;
	u8 node;
	u8 key[CTIHA_KEY_LEN];
	u64 interval_ns;
	u64 timeout_ns;
	u64 lease_ns;
	u64 promise_ns;
};

/**
 * struct witness_news - one authentic answer
 * @ask: what was asked
 * @answer: enum witness_answer
 * @asked_epoch: epoch of the request
 * @sent_ns: when the request was sent: a grant's lease counts from here
 * @epoch: highest epoch the arbiter granted, 0 none
 * @holder: node it granted that to, meaningless if @epoch is 0
 * @released: the holder has released it
 * @wait_ns: WITNESS_WAIT: ask again after this long
 * @peer_heard_ago_ns: age of the peer's last request; U64_MAX if never heard
 * @peer_role, @peer_epoch, @peer_report: what the peer said of itself then
 */
struct witness_news {
	u8 ask;
	u8 answer;
	u64 asked_epoch;
	u64 sent_ns;
	u64 epoch;
	u8 holder;
	bool released;
	u64 wait_ns;
	u64 peer_heard_ago_ns;
	u8 peer_role;
	u64 peer_epoch;
	u32 peer_report;
};

/**
 * struct witness_callbacks
 * @answer: an answer arrived
 * @link: L3 came up or went down
 */
struct witness_callbacks {
	void (*answer)(void *arg, const struct witness_news *news);
	void (*link)(void *arg, bool up, u64 time_ns);
};

/**
 * witness_open() - begin to probe the arbiter
 * Return: NULL on failure, with the reason and remedy in @error.
 */
struct witness *witness_open(struct event_base *base,
			     const struct witness_spec *spec,
			     const struct witness_callbacks *callbacks,
			     void *arg, char *error, size_t error_size);
void witness_close(struct witness *w);

/* witness_rekey() - seal the next probes with another key of the arbiter's. */
void witness_rekey(struct witness *w, const u8 key[CTIHA_KEY_LEN]);

/**
 * witness_say() - what the following probes carry
 * @ask: enum witness_ask; WITNESS_ASK_GRANT is repeated in each probe, so it
 *       is how a lease is renewed, until something else is said
 * @epoch: of what is asked
 * @elected: the peer voted for @epoch, so its older lease is over
 * @role, @report: own state, told to the peer on request
 */
void witness_say(struct witness *w, enum witness_ask ask, u64 epoch,
		 bool elected, u8 role, u32 report);

/* Send a probe now, ahead of the interval; e.g. to ask for a grant at once. */
void witness_probe(struct witness *w);

/* Probe once in @delay_ns, ahead of the interval: when WITNESS_WAIT is over. */
void witness_probe_after(struct witness *w, u64 delay_ns);

bool witness_up(const struct witness *w);

/* Round trip of the last answer in ns, 0 if none yet. */
u64 witness_rtt_ns(const struct witness *w);

#endif /* CTIHA_WITNESS_H */
