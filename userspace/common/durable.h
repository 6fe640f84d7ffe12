/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small files that survive a power cut: a reader finds the old content or the
 * new one, whole, and knows if it is neither.
 *
 * Blocking. One writer at a time per directory; durable_lock() makes sure.
 */
#ifndef CTIHA_DURABLE_H
#define CTIHA_DURABLE_H

#include <sys/types.h>

#include <ctiha/base.h>

#define DURABLE_MAX	4096	/* bytes of one file's content */

/**
 * durable_write() - replace a file's content
 * @dir: existing directory
 * @name: file name, without a slash, not beginning with a dot
 * @data: content
 * @len: its length, at most DURABLE_MAX
 *
 * The content is on the disk when this returns 0. After an error the file may
 * hold the old content or the new one.
 *
 * Return: 0 or -errno; -EINVAL for a bad name or length.
 */
int durable_write(const char *dir, const char *name, const void *data,
		  size_t len);

/**
 * durable_read() - read a file's content
 * @dir: directory
 * @name: file name
 * @buf: receives the content
 * @size: room in @buf
 *
 * Return: length; -ENOENT if there is no such file; -EBADMSG if it is damaged,
 * cut, or was not written by durable_write() under this name; -ENOSPC if @buf
 * is too small; else -errno.
 */
ssize_t durable_read(const char *dir, const char *name, void *buf, size_t size);

/**
 * durable_lock() - be the only process that writes to a directory
 * @dir: existing directory
 *
 * Return: a file descriptor that holds the lock until it is closed; -EBUSY if
 * another process holds it; else -errno.
 */
int durable_lock(const char *dir);

#endif /* CTIHA_DURABLE_H */
