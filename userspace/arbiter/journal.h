/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people learn of the arbiter's doings: a log line for each change, and
 * the same as lines of JSON for programs.
 */
#ifndef CTIHA_ARBITER_JOURNAL_H
#define CTIHA_ARBITER_JOURNAL_H

#include "arbiter/pair.h"

struct journal {
	int fd;			/* JSON lines; -1 none */
	bool losing;		/* the last line could not be written */
};

/**
 * journal_open() - choose where JSON lines go
 * @journal: filled in
 * @target: file to append to, "fd:N" for an inherited descriptor, "" for none
 *
 * Return: 0 or -errno.
 */
int journal_open(struct journal *journal, const char *target);

/**
 * journal_event() - for struct pairs
 * @arg: the journal
 *
 * Never waits: a reader that does not keep up loses lines, which is logged.
 */
void journal_event(void *arg, const struct pair *pair,
		   const struct grant_event *event);

void journal_close(struct journal *journal);

#endif /* CTIHA_ARBITER_JOURNAL_H */
