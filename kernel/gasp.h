/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The last gasp: a server that is about to end tells its peer at once, and what
 * ends it. Nothing depends on that: what is lost is found out by silence.
 */
#ifndef CTIHA_KERNEL_GASP_H
#define CTIHA_KERNEL_GASP_H

/**
 * ctiha_gasp_register() - begin to follow panics, reboots, halts
 *
 * Return: 0 or -errno.
 */
int ctiha_gasp_register(void);

/**
 * ctiha_gasp_unregister() - the opposite, and the gasp of the unloaded module
 *
 * Context: process, sleeps; before the links go.
 */
void ctiha_gasp_unregister(void);

#endif /* CTIHA_KERNEL_GASP_H */
