/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The service addresses: the active server holds them, the standby must not.
 *
 * Synchronous requests to the kernel (rtnetlink, well below 1 ms each). Needs
 * CAP_NET_ADMIN. Event loop thread only.
 */
#ifndef CTIHA_ADDRESS_H
#define CTIHA_ADDRESS_H

#include "daemon/config.h"

struct address;

/**
 * address_open() - get ready to move addresses
 * @error, @error_size: receives the reason and remedy on failure
 *
 * Return: NULL on failure.
 */
struct address *address_open(char *error, size_t error_size);
void address_close(struct address *a);

/**
 * address_add() - take a service address; call it only once the role is active
 * @service: the address
 *
 * IPv6 addresses are usable at once: without duplicate address detection.
 *
 * Return: 0, also if it was there already; -ENODEV without the device, -EPERM
 * without the capability, or another -errno.
 */
int address_add(struct address *a, const struct config_service *service);

/**
 * address_del() - give a service address up
 * @service: the address
 *
 * Return: 0, also if it was not there, or -errno.
 */
int address_del(struct address *a, const struct config_service *service);

/**
 * address_present() - does the device hold the address?
 * @service: the address
 *
 * Return: 1, 0 or -errno.
 */
int address_present(struct address *a, const struct config_service *service);

#endif /* CTIHA_ADDRESS_H */
