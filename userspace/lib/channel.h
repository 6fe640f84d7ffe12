/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The channel from libctiha to the daemon: a socket, what the socket did not take,
 * and a timer that tells when to try to connect. One epoll descriptor stands
 * for all of it.
 *
 * Nothing here blocks or calls back. What is said is collected into messages.
 * A channel that breaks does not close by itself, since that has consequences for
 * the application: it is marked, and its descriptor is readable at once, so
 * that the next turn closes it.
 */
#ifndef CTIHA_CHANNEL_H
#define CTIHA_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include "lib/protocol.h"

struct waiting;

/**
 * struct channel - fields are for reading
 * @path: of the daemon's socket
 * @epoll: for the handle's whole life
 * @timer: runs while there is no connection, or it is broken
 * @fd: the socket, -1 while not connected
 * @broken: to be closed by the next turn
 * @out: what is to be said, not empty only while connected
 * @first, @end, @queued: messages that the socket did not take, in bytes
 */
struct channel {
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	int epoll;
	int timer;
	int fd;
	bool broken;
	struct protocol_message out;
	struct waiting *first;
	struct waiting **end;
	size_t queued;
};

/**
 * ctiha_channel_open() - make the descriptors; connects nothing yet
 * @c: channel, zeroed; to be freed by ctiha_channel_free() whatever is returned
 * @path: of the daemon's socket
 *
 * Return: 0, -ENAMETOOLONG, or -errno of a descriptor that could not be had.
 */
int ctiha_channel_open(struct channel *c, const char *path);

/**
 * ctiha_channel_free() - close all descriptors
 * @c: was given to ctiha_channel_open()
 */
void ctiha_channel_free(struct channel *c);

/**
 * ctiha_channel_connect() - try once
 * @c: not connected; stays so on failure, and the timer tells when to try again
 *
 * Return: true if connected.
 */
bool ctiha_channel_connect(struct channel *c);

/**
 * ctiha_channel_close() - disconnect, forget what was not sent
 * @c: connected; the timer tells when to connect again
 */
void ctiha_channel_close(struct channel *c);

/**
 * ctiha_channel_break() - the next turn is to disconnect
 * @c: connected
 */
void ctiha_channel_break(struct channel *c);

/**
 * ctiha_channel_say() - say one operation, with the next ctiha_channel_send()
 * @c: channel
 * @op: copied
 *
 * Return: 0, -ENOTCONN.
 */
int ctiha_channel_say(struct channel *c, const struct protocol_operation *op);

/**
 * ctiha_channel_send() - send what was said, or queue it
 * @c: connected; may break
 */
void ctiha_channel_send(struct channel *c);

/**
 * ctiha_channel_resume() - send what is queued, as far as the socket takes it
 * @c: connected; may break
 */
void ctiha_channel_resume(struct channel *c);

/**
 * ctiha_channel_congested() - more than enough is queued
 * @c: channel
 */
bool ctiha_channel_congested(const struct channel *c);

/**
 * ctiha_channel_receive() - read one message
 * @c: connected; may break
 * @data: receives it
 * @size: room in @data
 *
 * Return: its length; 0 if there is none, or the channel is broken.
 */
size_t ctiha_channel_receive(struct channel *c, void *data, size_t size);

#endif /* CTIHA_CHANNEL_H */
