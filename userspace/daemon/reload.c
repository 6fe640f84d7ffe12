// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading the configuration again while the daemon serves: the keys, and whether
 * writes need a standby; nothing else. A file that has an error changes nothing.
 */
#include <stdlib.h>

#include "common/log.h"
#include "daemon/pair.h"

static int use_keys(struct pair *p, const struct config *config)
{
	int err = p->backend->rekey(p->heartbeat, &config->keys);

	if (err)
		return err;
	sync_rekey(p->sync, &config->keys);
	witness_rekey(p->witness, config->arbiter.key);
	p->send_key = config->keys.send;
	log_info("the keys were read again; frames are sealed with the %s one",
		 config->keys.send ? "second" : "first");
	return 0;
}

static void use_rule(struct pair *p, const struct config *config)
{
	sync_need_standby(p->sync, config->sync_needs_standby);
	log_info("without a standby in sync, writes are %s",
		 config->sync_needs_standby ? "refused" : "acknowledged as alone");
}

/* Its own errors, first line by line to the log. */
static bool apply(struct pair *p, FILE *errors, char *error, size_t size)
{
	struct config *config = config_read(p->config->path, errors);
	int err;

	if (!config) {
		snprintf(error, size, "%s has errors, nothing was changed",
			 p->config->path);
		return false;
	}
	err = use_keys(p, config);
	if (!err)
		use_rule(p, config);
	config_free(config);
	if (err)
		snprintf(error, size, "the heartbeat backend does not take the keys: %s",
			 strerror(-err));
	return !err;
}

static void log_lines(char *text)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")))
		if (*line)
			log_error("%s", line);
}

bool pair_reload(struct pair *p, char *error, size_t size)
{
	char *text = NULL;
	size_t len = 0;
	FILE *errors = open_memstream(&text, &len);
	bool done;

	if (!errors) {
		snprintf(error, size, "out of memory");
		return false;
	}
	done = apply(p, errors, error, size);
	fclose(errors);
	log_lines(text);
	if (!done)
		log_error("%s", error);
	free(text);
	return done;
}
