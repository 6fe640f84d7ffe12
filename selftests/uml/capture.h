/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What passes the end of a cable: an observer that knows nothing of the module.
 * On the port of a server (xa, la, ...) IN is what that server sent, OUT what
 * reached it, each with the time of that instant.
 */
#ifndef CTIHA_UML_CAPTURE_H
#define CTIHA_UML_CAPTURE_H

#include <ctiha/frame.h>

enum capture_direction { CAPTURE_IN, CAPTURE_OUT };

/**
 * struct captured - one heartbeat
 * @time_ns: CLOCK_MONOTONIC
 * @direction: enum capture_direction
 * @frame: opened with the bed's key, see capture_open()
 */
struct captured {
	u64 time_ns;
	u8 direction;
	struct ctiha_frame frame;
};

/**
 * capture_open() - watch a port from now on
 * @device: of the namespace "m", in which the caller is
 *
 * Return: a socket, or -1 with the reason on stderr. It keeps some thousands of
 * frames; read them before it overflows.
 */
int capture_open(const char *device);

/**
 * capture_next() - the next heartbeat that was captured, without waiting
 * @fd: of capture_open()
 * @key_byte: the key is CTIHA_KEY_LEN of these
 * @captured: receives it
 *
 * Return: false if there is none (any more).
 */
bool capture_next(int fd, u8 key_byte, struct captured *captured);

/* Forget what was captured until now. */
void capture_flush(int fd);

/* How many IPv4 packets were captured since; heartbeats are dropped. */
unsigned int capture_ipv4(int fd);

#endif /* CTIHA_UML_CAPTURE_H */
