// SPDX-License-Identifier: GPL-2.0-or-later
/* The daemon gives up what it does not need. See privilege.h. */
#include "daemon/privilege.h"

#include <grp.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The last is needed for on-fence only, and given only where that is wanted. */
static const cap_value_t kept[] = { CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_BOOT };

static bool own_directory(const struct config *config, const char *path,
			  char *error, size_t size)
{
	bool other = config->user[0] && geteuid() == 0;

	if ((mkdir(path, 0750) && errno != EEXIST) ||
	    (other && chown(path, config->uid, config->gid))) {
		snprintf(error, size,
			 "%s: %s: create it, writable by the daemon's user",
			 path, strerror(errno));
		return false;
	}
	return true;
}

static bool become_user(const struct config *config)
{
	if (!config->user[0] || geteuid() != 0 || config->uid == 0)
		return true;
	return !prctl(PR_SET_KEEPCAPS, 1) &&
	       !setgroups(1, &config->gid) &&
	       !setresgid(config->gid, config->gid, config->gid) &&
	       !setresuid(config->uid, config->uid, config->uid);
}

/* What may be kept is what there is: an unprivileged start must still work. */
static bool limit_capabilities(const struct config *config)
{
	size_t count = ARRAY_SIZE(kept) - !config->on_fence;
	cap_t before = cap_get_proc();
	cap_t after = cap_init();
	bool done = before && after;
	size_t i;

	for (i = 0; done && i < count; i++) {
		cap_flag_value_t has = CAP_CLEAR;

		done = !cap_get_flag(before, kept[i], CAP_PERMITTED, &has);
		if (!done || has != CAP_SET)
			continue;
		done = !cap_set_flag(after, CAP_PERMITTED, 1, &kept[i], CAP_SET) &&
		       !cap_set_flag(after, CAP_EFFECTIVE, 1, &kept[i], CAP_SET);
	}
	done = done && !cap_set_proc(after);
	cap_free(before);
	cap_free(after);
	return done;
}

bool privilege_drop(const struct config *config, char *error, size_t error_size)
{
	if (!own_directory(config, config->run_dir, error, error_size) ||
	    !own_directory(config, config->state_dir, error, error_size) ||
	    !own_directory(config, config->store_dir, error, error_size))
		return false;
	if (become_user(config) && limit_capabilities(config) &&
	    !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return true;
	snprintf(error, error_size,
		 "cannot become user '%s' with only its capabilities: %s: start as root or by systemd",
		 config->user, strerror(errno));
	return false;
}
