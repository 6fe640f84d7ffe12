/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Talking to the module: generic netlink family "ctiha" by libmnl. Used by the
 * daemon and the command line.
 *
 * A struct genl is one socket: for requests (answered synchronously, within
 * GENL_TIMEOUT_MS) or, after genl_subscribe(), for events. Not thread safe.
 * include/uapi/linux/ctiha.h says what the messages mean.
 */
#ifndef CTIHA_GENL_H
#define CTIHA_GENL_H

#include <libmnl/libmnl.h>

#include "daemon/heartbeat/heartbeat.h"

#define GENL_TIMEOUT_MS	1000

struct genl;

/**
 * struct genl_message - one received message, taken apart
 * @command: CTIHA_CMD_*
 * @attr: by CTIHA_A_*, NULL where absent; sizes are checked
 */
struct genl_message {
	u8 command;
	const struct nlattr *attr[CTIHA_A_MAX + 1];
};

/* Takes one message; returns 0, or a negative errno to stop. */
typedef int (*genl_message_fn)(const struct genl_message *message, void *arg);

/**
 * genl_open() - a socket that knows the family
 * @error: receives the reason and the remedy on failure
 * @error_size: its size
 *
 * Return: NULL on failure, errno is set: ENOENT if the module is not loaded.
 */
struct genl *genl_open(char *error, size_t error_size);
void genl_close(struct genl *genl);
int genl_fd(const struct genl *genl);

/**
 * genl_begin() - begin a request
 * @genl: socket for requests
 * @command: CTIHA_CMD_*
 *
 * Return: the message, which the caller extends with mnl_attr_put_*(); it lives
 * in @genl until the next call and has room for the family's largest request.
 */
struct nlmsghdr *genl_begin(struct genl *genl, u8 command);

/**
 * genl_call() - send the request begun last and wait for the acknowledgement
 * @genl: socket for requests
 * @fn: gets each answer before the acknowledgement; may be NULL
 * @arg: for @fn
 *
 * Return: 0; the module's negative errno; -ETIMEDOUT after GENL_TIMEOUT_MS;
 * -EPROTO if the answer makes no sense; what @fn returned. On failure
 * genl_text() says more.
 */
int genl_call(struct genl *genl, genl_message_fn fn, void *arg);

/**
 * genl_dump() - as genl_call(), asking for all objects
 *
 * Return: as genl_call(); -EINTR if the objects changed meanwhile: ask again.
 */
int genl_dump(struct genl *genl, genl_message_fn fn, void *arg);

/* Why the last call failed, in the module's words if it gave any. */
const char *genl_text(const struct genl *genl);

/**
 * genl_subscribe() - receive events on this socket from now on
 * @genl: a socket used for nothing else
 *
 * Return: 0 or a negative errno.
 */
int genl_subscribe(struct genl *genl);

/**
 * genl_receive() - take the events of one datagram, without waiting
 * @genl: subscribed socket
 * @fn: gets each event
 * @arg: for @fn
 *
 * Return: 1 if there was one; 0 if not; -ENOBUFS if events were lost (dump, then
 * go on); what @fn returned; another negative errno if the socket is broken.
 */
int genl_receive(struct genl *genl, genl_message_fn fn, void *arg);

/**
 * genl_parse() - take a message apart
 * @nlh: message whose length the caller has checked against its buffer
 * @message: filled in; unknown attributes are left out
 *
 * Return: 0, or -EPROTO if it is cut short or an attribute has the wrong size.
 */
int genl_parse(const struct nlmsghdr *nlh, struct genl_message *message);

/* genl_find() - the first attribute of a type in a nest, NULL if there is none. */
const struct nlattr *genl_find(const struct nlattr *nest, u16 type);

/*
 * genl_read_*() - read one object
 * @nest: its attribute, NULL if the message has none
 *
 * Absent values read as 0, unknown attributes are skipped. Node ids, roles,
 * states and link kinds are in range afterwards; causes and diagnoses may be
 * newer than this program. genl_read_link() and genl_read_node() look up the names
 * of devices.
 *
 * Return: 0; -EPROTO if the object, or an attribute without which it has no
 * meaning, is absent, of wrong size or out of range.
 */
int genl_read_node(const struct nlattr *nest, struct heartbeat_node *node,
		   u64 *event_seq);
int genl_read_peer(const struct nlattr *nest, struct heartbeat_peer *peer);
int genl_read_link(const struct nlattr *nest, struct heartbeat_link *link);
int genl_read_event(const struct nlattr *nest, struct heartbeat_event *event);

/*
 * genl_request_*() - ask for an object, or for a change
 *
 * Return: as genl_call().
 */

/**
 * genl_request_node() - the node
 * @genl: socket for requests
 * @node: set to it
 * @event_seq: set to the number of the last event that is in it
 *
 * Return: 0; -ENOENT if there is no node; another negative errno.
 */
int genl_request_node(struct genl *genl, struct heartbeat_node *node,
		      u64 *event_seq);

/* genl_request_peer() - what the node knows of its peer. */
int genl_request_peer(struct genl *genl, struct heartbeat_peer *peer);

/**
 * genl_request_links() - all links
 * @genl: socket for requests
 * @snap: only links and link_count are set; on failure to what came until then
 *
 * Return: as genl_dump(); -EPROTO if there are more links than kinds.
 */
int genl_request_links(struct genl *genl, struct heartbeat_snapshot *snap);

/**
 * struct genl_histogram - how often a measurement had which size
 * @buckets: below 1 us, 2 us, 4 us, ..., 2^20 us, and all above
 * @max_ns: the largest one
 */
struct genl_histogram {
	u64 buckets[CTIHA_QUALITY_BUCKETS];
	u64 max_ns;
};

/* By enum ctiha_measure. */
struct genl_quality {
	struct genl_histogram of[CTIHA_QUALITIES];
};

/* genl_read_quality() - of a link's attribute; 0, or -EPROTO if it is not whole. */
int genl_read_quality(const struct nlattr *link, struct genl_quality *quality);

/* genl_request_quality() - of one link; -ENOENT without one of that name. */
int genl_request_quality(struct genl *genl, const char *name,
			 struct genl_quality *quality);

/**
 * genl_request_link_add() - add a link
 * @genl: socket for requests
 * @spec: its device is not looked at
 * @ifindex: of the device
 *
 * Return: 0; -EEXIST if there is one of that name or kind, or on that device;
 * another negative errno.
 */
int genl_request_link_add(struct genl *genl,
			  const struct heartbeat_link_spec *spec, u32 ifindex);

/* genl_request_link_del() - delete a link; -ENOENT without one of that name. */
int genl_request_link_del(struct genl *genl, const char *name);

/**
 * genl_request_switch_set() - name the NIC to the switch
 * @genl: socket for requests
 * @ifindex: of its device, 0 for none
 *
 * Return: 0; -ENODEV; another negative errno.
 */
int genl_request_switch_set(struct genl *genl, u32 ifindex);

#endif /* CTIHA_GENL_H */
