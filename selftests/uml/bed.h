/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two servers in one user-mode Linux, driven through netlink as a daemon would.
 *
 * Time is virtual: it stands still while anybody computes and jumps to the next
 * timer when all sleep. Reading a clock costs up to 256 ns, and that is all the
 * lateness there is, so a test may ask for the microsecond.
 */
#ifndef CTIHA_UML_BED_H
#define CTIHA_UML_BED_H

#include "common/clock.h"
#include "common/genl.h"

#define US		CTIHA_NS_PER_US
#define MS		CTIHA_NS_PER_MS
#define SECOND		(1000 * MS)

/* As exact as "exactly" can be where reading a clock takes time. */
#define EXACT_NS	(1 * US)

/**
 * struct server - one of the two
 * @name: "a" or "b": its network namespace
 * @id: node id
 * @request: to command it by
 * @events: what it tells
 */
struct server {
	const char *name;
	u8 id;
	struct genl *request;
	struct genl *events;
};

/* The servers of a bed; A is node 0. */
enum { A, B, SERVERS };

struct bed {
	struct server server[SERVERS];
};

/**
 * struct news - one event
 * @command: CTIHA_CMD_*_NTF; which of the three objects is set
 * @event: when and why
 * @noticed_ns: when this process read it
 */
struct news {
	u8 command;
	struct heartbeat_event event;
	u64 noticed_ns;
	union {
		struct heartbeat_node node;
		struct heartbeat_peer peer;
		struct heartbeat_link link;
	};
};

/* Is this the event that is waited for? */
typedef bool (*news_fn)(const struct news *news);

/**
 * bed_open() - build the namespaces and open sockets to the module in each
 * @bed: filled in
 *
 * The caller finds itself in the namespace of the cables, "m".
 *
 * Return: 0, or -1 with the reason on stderr.
 */
int bed_open(struct bed *bed);
void bed_close(struct bed *bed);

/* Do what follows in this namespace; 0 or -1. */
int bed_enter(const char *name);

/* Run a shell command; 0 or -1, told on stderr. */
int bed_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * server_*() - one netlink request each. Return: 0 or the module's negative errno.
 */
int server_create(struct server *s, u64 lease_ns, u64 promise_ns);
int server_key(struct server *s, u8 slot, u8 byte);
int server_link(struct server *s, u8 kind, u32 interval_us, u8 multiplier);
int server_link_del(struct server *s, u8 kind);
int server_fence(struct server *s, const char *address);
int server_attach(struct server *s, u32 watch_ms);
int server_report(struct server *s, u32 report);
int server_epoch(struct server *s, u8 command, u64 epoch, u64 granted_ns);
int server_plain(struct server *s, u8 command);
struct heartbeat_node server_node(struct server *s);
struct heartbeat_link server_view_link(struct server *s, u8 kind);

/**
 * server_news() - the next event, without waiting
 * @s: server
 * @news: receives it
 *
 * Return: true if there was one.
 */
bool server_news(struct server *s, struct news *news);

/**
 * server_await() - wait for an event; others before it are dropped
 * @s: server
 * @wanted: says whether this is it
 * @limit_ns: how long to wait
 * @news: receives it
 *
 * Return: false if it did not come.
 */
bool server_await(struct server *s, news_fn wanted, u64 limit_ns,
		  struct news *news);

/* Sleep until this time, not a microsecond longer. */
void sleep_until(u64 time_ns);

#endif /* CTIHA_UML_BED_H */
