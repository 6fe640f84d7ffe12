/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Giving up every right that is not needed any more. */
#ifndef CTIHA_ARBITER_RIGHTS_H
#define CTIHA_ARBITER_RIGHTS_H

#include <sys/types.h>

/**
 * struct rights_user - whom to run as
 * @name: "" to stay who we are
 * @uid, @gid: looked up
 */
struct rights_user {
	const char *name;
	uid_t uid;
	gid_t gid;
};

/**
 * rights_find() - look up a user
 * @user: filled in
 * @name: its name, "" to stay who we are; outlives @user
 *
 * Return: 0; -ENOENT if there is no such user.
 */
int rights_find(struct rights_user *user, const char *name);

/**
 * rights_directory() - make a directory, if it is missing, for that user
 * Return: 0 or -errno.
 */
int rights_directory(const char *path, const struct rights_user *user);

/**
 * rights_drop() - become that user and keep no capability
 * @user: whom to run as
 *
 * Call it after ports are bound and files of root are open. Only root can
 * become another user; anyone else just drops capabilities.
 *
 * Return: 0 or -errno, -EPERM if rights could be got back.
 */
int rights_drop(const struct rights_user *user);

#endif /* CTIHA_ARBITER_RIGHTS_H */
