/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The daemon's commands, as they come in by netlink. All are called in process
 * context and do not sleep; @portid is the socket that calls. Each is a sign of
 * the daemon's life, and @extack receives the reason of a refusal. Those of
 * ctiha_watch_call(), -EPERM and -ESTALE, come from all but ATTACH.
 */
#ifndef CTIHA_KERNEL_DAEMON_H
#define CTIHA_KERNEL_DAEMON_H

#include <linux/netlink.h>
#include <linux/types.h>

struct ctiha_node;

/**
 * ctiha_daemon_attach() - a socket becomes the daemon's; a quiet node speaks
 * @node: node
 * @portid: the socket
 * @silence_ns: longest silence allowed
 * @extack: see above
 *
 * Return: 0; -EBUSY while another one is alive; -ESHUTDOWN after the last gasp.
 */
int ctiha_daemon_attach(struct ctiha_node *node, u32 portid, u64 silence_ns,
			struct netlink_ext_ack *extack);

/**
 * ctiha_daemon_report() - what the next heartbeats carry
 * @node: node
 * @portid: the socket
 * @report: enum ctiha_report; CTIHA_REPORT_KERNEL bits are ignored
 * @sync_pos: position in the stream of call records, NULL to leave it
 * @extack: see above
 *
 * Return: 0 or see above.
 */
int ctiha_daemon_report(struct ctiha_node *node, u32 portid, u32 report,
			const u64 *sync_pos, struct netlink_ext_ack *extack);

/**
 * ctiha_daemon_activate() - begin to act
 * @node: node
 * @portid: the socket
 * @epoch: own epoch, above all known ones
 * @granted_ns: send time of the request that the arbiter granted, 0 if none
 * @extack: see above
 *
 * Return: 0, that of ctiha_lease_activate(), or see above.
 */
int ctiha_daemon_activate(struct ctiha_node *node, u32 portid, u64 epoch,
			  u64 granted_ns, struct netlink_ext_ack *extack);

/**
 * ctiha_daemon_renew() - the arbiter renewed the lease
 * @node: node
 * @portid: the socket
 * @epoch: epoch it granted
 * @granted_ns: send time of the granted request
 * @extack: see above
 *
 * Return: 0, that of ctiha_lease_renew(), or see above.
 */
int ctiha_daemon_renew(struct ctiha_node *node, u32 portid, u64 epoch,
		       u64 granted_ns, struct netlink_ext_ack *extack);

/**
 * ctiha_daemon_yield() - leave the active role, vote for the peer
 * @node: node
 * @portid: the socket
 * @extack: see above
 *
 * Return: 0 or see above.
 */
int ctiha_daemon_yield(struct ctiha_node *node, u32 portid,
		       struct netlink_ext_ack *extack);

/**
 * ctiha_daemon_leave() - yield, say goodbye, be quiet until the next ATTACH
 * @node: node
 * @portid: the socket; it is detached
 * @extack: see above
 *
 * Return: 0 or see above.
 */
int ctiha_daemon_leave(struct ctiha_node *node, u32 portid,
		       struct netlink_ext_ack *extack);

#endif /* CTIHA_KERNEL_DAEMON_H */
