// SPDX-License-Identifier: GPL-2.0-or-later
/* Giving up rights. See rights.h. */
#include "arbiter/rights.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int rights_find(struct rights_user *user, const char *name)
{
	const struct passwd *entry;

	user->name = name;
	user->uid = geteuid();
	user->gid = getegid();
	if (!*name)
		return 0;
	entry = getpwnam(name);
	if (!entry)
		return -ENOENT;
	user->uid = entry->pw_uid;
	user->gid = entry->pw_gid;
	return 0;
}

int rights_directory(const char *path, const struct rights_user *user)
{
	struct stat st;

	if (mkdir(path, 0700)) {
		if (errno != EEXIST)
			return -errno;
		if (stat(path, &st))
			return -errno;
		return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
	}
	if (geteuid() == 0 && chown(path, user->uid, user->gid))
		return -errno;
	return 0;
}

static int become(const struct rights_user *user)
{
	if (geteuid() != 0)
		return user->uid == geteuid() ? 0 : -EPERM;
	if (initgroups(user->name, user->gid) ||
	    setresgid(user->gid, user->gid, user->gid) ||
	    setresuid(user->uid, user->uid, user->uid))
		return -errno;
	return user->uid && !setuid(0) ? -EPERM : 0;
}

static int drop_capabilities(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3];

	memset(none, 0, sizeof(none));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) ||
	    syscall(SYS_capset, &header, none))
		return -errno;
	return 0;
}

int rights_drop(const struct rights_user *user)
{
	int err = *user->name ? become(user) : 0;

	return err ? err : drop_capabilities();
}
