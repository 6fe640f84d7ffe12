/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What each request may hold. An attribute that is not listed is refused; one
 * that is present has the right size and lies in its range, so commands check
 * only what is missing and what does not fit together.
 */
#ifndef CTIHA_KERNEL_POLICY_H
#define CTIHA_KERNEL_POLICY_H

#include <net/netlink.h>

#include <linux/ctiha.h>

extern const struct nla_policy ctiha_policy_none[CTIHA_A_MAX + 1];
extern const struct nla_policy ctiha_policy_node[CTIHA_A_MAX + 1];
extern const struct nla_policy ctiha_policy_key[CTIHA_A_MAX + 1];
extern const struct nla_policy ctiha_policy_fence[CTIHA_A_MAX + 1];
extern const struct nla_policy ctiha_policy_switch[CTIHA_A_MAX + 1];
extern const struct nla_policy ctiha_policy_link_add[CTIHA_A_MAX + 1];
extern const struct nla_policy ctiha_policy_link_name[CTIHA_A_MAX + 1];
extern const struct nla_policy ctiha_policy_link_get[CTIHA_A_MAX + 1];
extern const struct nla_policy ctiha_policy_attach[CTIHA_A_MAX + 1];
extern const struct nla_policy ctiha_policy_report[CTIHA_A_MAX + 1];
extern const struct nla_policy ctiha_policy_epoch[CTIHA_A_MAX + 1];

#endif /* CTIHA_KERNEL_POLICY_H */
