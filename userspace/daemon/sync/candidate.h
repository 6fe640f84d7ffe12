/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The candidate: the connection that the active makes to a standby, until it is
 * live. There is one at a time, also while another connection is live and a
 * better path is to be tried.
 *
 * Of struct active these fields are the candidate's: candidate, partial, try_ns,
 * tries, refused. Its events come to active.c, like those of the live connection.
 *
 * Event loop thread only. No function here calls back into the daemon, so the
 * role is the same on return.
 */
#ifndef CTIHA_CANDIDATE_H
#define CTIHA_CANDIDATE_H

#include "daemon/sync/internal.h"

/**
 * candidate_look() - make one if there is none, there should be, and it is time
 * @now: ns
 */
void candidate_look(struct sync *s, u64 now);

/**
 * candidate_tick() - give up one that takes too long, then candidate_look()
 * @now: ns
 */
void candidate_tick(struct sync *s, u64 now);

/**
 * candidate_links() - links have come or gone: look anew, at once
 * Return: false if no path is left: the peer is not there.
 */
bool candidate_links(struct sync *s);

/**
 * candidate_drop() - give it up, if there is one
 */
void candidate_drop(struct sync *s);

/**
 * candidate_pause() - give it up, and look for none for a while
 * @until_ns: monotonic time; links that come or go end the pause
 */
void candidate_pause(struct sync *s, u64 until_ns);

/**
 * candidate_replace() - the live connection broke: soon look for another
 * @lost: that one
 */
void candidate_replace(struct sync *s, const struct connection *lost);

/**
 * candidate_greet() - it is connected: begin the handshake
 */
void candidate_greet(struct connection *c);

/**
 * candidate_take_reply() - go on with the handshake, or be turned away
 * @c: the candidate; lost, by way of its callback, if the reply is no welcome
 * @p: the hello reply
 */
void candidate_take_reply(struct sync *s, struct connection *c,
			  const struct packet *p);

/**
 * candidate_succeed() - it has proved itself and is a candidate no more
 */
void candidate_succeed(struct sync *s);

/**
 * candidate_lost() - it broke
 * @why: for the log
 */
void candidate_lost(struct sync *s, const char *why);

#endif /* CTIHA_CANDIDATE_H */
