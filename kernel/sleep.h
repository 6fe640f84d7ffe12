/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A machine that sleeps is no active server.
 */
#ifndef CTIHA_KERNEL_SLEEP_H
#define CTIHA_KERNEL_SLEEP_H

/**
 * ctiha_sleep_register() - begin to hear of suspend and hibernation
 *
 * Return: 0 or -errno.
 */
int ctiha_sleep_register(void);

/** ctiha_sleep_unregister() - the opposite of ctiha_sleep_register() */
void ctiha_sleep_unregister(void);

#endif /* CTIHA_KERNEL_SLEEP_H */
