/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values that people write, in ctiha.conf and on the command line: from text to
 * data, without range checks. Pure.
 */
#ifndef CTIHA_VALUE_H
#define CTIHA_VALUE_H

#include <sys/socket.h>

#include <ctiha/base.h>

#define VALUE_TEXT_LEN	32

/* All return NULL if the text was read, else what is wrong, as in "has no unit". */

/* "123" */
const char *value_number(const char *text, u64 *number);

/* "50ms", "1.5s", "250us", "2min" to nanoseconds */
const char *value_duration(const char *text, u64 *ns);

/* "64M", "1G", "4096" to bytes; units of 1024 */
const char *value_size(const char *text, u64 *bytes);

/* "0.1%" or "1000ppm" to parts per million */
const char *value_share(const char *text, u64 *ppm);

/* "02:00:00:00:00:01": of one device, so no group address */
const char *value_mac(const char *text, u8 mac[6]);

/* "192.0.2.1" or "2001:db8::1"; the port is 0 */
const char *value_address(const char *text, struct sockaddr_storage *address);

/* "192.0.2.10/24" or "2001:db8::10/64"; address has room for 16 bytes */
const char *value_network(const char *text, int *family, u8 *address,
			  u8 *prefix);

/* A net device's name: of 1 to 15 characters that the kernel accepts. */
const char *value_device(const char *text);

/* A name of 1 to 63 letters, digits, '.', '_' and '-'. */
const char *value_name(const char *text);

/* An absolute path of less than @size bytes. */
const char *value_path(const char *text, size_t size);

/* 64 hexadecimal digits; a newline may follow. */
const char *value_key(const char *text, size_t len, u8 key[32]);

/* "60ms", "1.5s": the shortest exact form. */
void value_format_duration(u64 ns, char text[VALUE_TEXT_LEN]);

#endif /* CTIHA_VALUE_H */
