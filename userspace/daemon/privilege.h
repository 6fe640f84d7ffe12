/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon gives up what it does not need. */
#ifndef CTIHA_PRIVILEGE_H
#define CTIHA_PRIVILEGE_H

#include "daemon/config.h"

/**
 * privilege_drop() - become the configured user, keep three capabilities
 * @config: its user and group; "" stays who it is
 * @error: receives the reason and remedy on failure
 *
 * Keeps CAP_NET_ADMIN (module, addresses) and CAP_NET_RAW (announcements, packet
 * backend) and, for sockets bound to a device, nothing more. Also makes the
 * run and state directories and gives them to that user.
 *
 * Return: false on failure.
 */
bool privilege_drop(const struct config *config, char *error,
		    size_t error_size);

#endif /* CTIHA_PRIVILEGE_H */
