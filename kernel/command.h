/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The netlink commands: one function each, in the file of what it is about
 * (node_command.c, link_command.c, daemon_command.c, switch.c).
 *
 * The policies (policy.c) have checked the attributes that are there, nested
 * ones included; commands check that those needed are there, and that they
 * fit together. A refusal says why in the extended ack.
 */
#ifndef CTIHA_KERNEL_COMMAND_H
#define CTIHA_KERNEL_COMMAND_H

#include <linux/netlink.h>
#include <linux/skbuff.h>

struct ctiha_node;
struct genl_info;

/**
 * ctiha_command_node() - the node that a command is about
 * @info: the command
 *
 * Return: that of the namespace it came from; NULL, and it was told, if there is none.
 */
struct ctiha_node *ctiha_command_node(struct genl_info *info);

/**
 * ctiha_command_sort() - sort a nest that the policy has checked
 * @tb: receives the attributes by their number, up to @max
 * @max: highest attribute
 * @nest: attribute that holds them; NULL: it is missing, and so are they
 * @extack: told of an error
 *
 * Return: 0 or a negative errno.
 */
int ctiha_command_sort(struct nlattr **tb, int max, const struct nlattr *nest,
		       struct netlink_ext_ack *extack);

/**
 * ctiha_command_reply() - begin a reply, to be sent by ctiha_command_answer()
 * @info: the command
 * @head: set to its beginning
 *
 * Context: process, sleeps. Return: the reply; NULL without memory.
 */
struct sk_buff *ctiha_command_reply(struct genl_info *info, void **head);

/**
 * ctiha_command_answer() - send a reply, or give it up
 * @skb: of ctiha_command_reply()
 * @head: of ctiha_command_reply()
 * @err: 0, or why it could not be filled in
 * @info: the command
 *
 * Context: process, sleeps. Return: @err, or what became of sending it.
 */
int ctiha_command_answer(struct sk_buff *skb, void *head, int err,
			 struct genl_info *info);

/*
 * One for each CTIHA_CMD_*. Context: process, sleep; several may run at once, so
 * those that change the configuration take the namespace's lock. Return: 0 or a
 * negative errno.
 */
int ctiha_node_cmd_get(struct sk_buff *request, struct genl_info *info);
int ctiha_node_cmd_set(struct sk_buff *request, struct genl_info *info);
int ctiha_peer_cmd_get(struct sk_buff *request, struct genl_info *info);
int ctiha_key_cmd_set(struct sk_buff *request, struct genl_info *info);
int ctiha_fence_cmd_set(struct sk_buff *request, struct genl_info *info);
int ctiha_link_cmd_add(struct sk_buff *request, struct genl_info *info);
int ctiha_link_cmd_del(struct sk_buff *request, struct genl_info *info);
int ctiha_link_cmd_get(struct sk_buff *request, struct genl_info *info);
int ctiha_link_cmd_dump(struct sk_buff *skb, struct netlink_callback *cb);
int ctiha_daemon_cmd_attach(struct sk_buff *request, struct genl_info *info);
int ctiha_daemon_cmd_report(struct sk_buff *request, struct genl_info *info);
int ctiha_daemon_cmd_activate(struct sk_buff *request, struct genl_info *info);
int ctiha_daemon_cmd_renew(struct sk_buff *request, struct genl_info *info);
int ctiha_daemon_cmd_yield(struct sk_buff *request, struct genl_info *info);
int ctiha_daemon_cmd_leave(struct sk_buff *request, struct genl_info *info);

#endif /* CTIHA_KERNEL_COMMAND_H */
