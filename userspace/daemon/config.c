// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From ctiha.conf to a configuration, step by step; config_draft.h says in which
 * file each step is.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "common/value.h"
#include "daemon/config_draft.h"

#define LEASE_DEFAULT		(60 * NS_PER_MS)
#define FILE_MAX		(1024 * 1024)

static void read_statements(struct draft *d)
{
	const struct syntax_statement *st = d->syntax.statements;
	size_t i;

	config_section_begin(d);
	for (i = 0; i < d->syntax.count; i++, st++) {
		if (st->section != ROOT && !d->first_line)
			d->first_line = st->line;
		if (st->option < 0)
			config_section_end(d, st);
		else
			config_option_read(d, st);
	}
}

static void set_default(char *target, const char *text)
{
	memcpy(target, text, strlen(text) + 1);
}

static void set_defaults(struct draft *d)
{
	struct config *c = &d->config;

	c->backend = CONFIG_BACKEND_MODULE;
	set_default(c->peer_name, "the peer");
	set_default(c->state_dir, "/var/lib/ctiha");
	set_default(c->run_dir, "/run/ctiha");
	c->store_size = 1ULL << 30;
	c->lease_ns = LEASE_DEFAULT;
	c->drift_ppm = 1000;
	c->margin_ns = 5 * NS_PER_MS;
	c->watch_ms = 500;
	c->state_wait_ns = 2 * NS_PER_S;
	c->quiesce_ns = 2 * NS_PER_S;
	c->sync_port = 7788;
	snprintf(c->sync_dictionary, sizeof(c->sync_dictionary), "%s",
		 CTIHA_DATA_DIR "/calls.dict");
	c->log_level = LOG_LEVEL_INFO;
	c->uid = (uid_t)-1;
	c->gid = (gid_t)-1;
	if (gethostname(c->name, sizeof(c->name) - 1) || value_name(c->name))
		set_default(c->name, "this server");
}

static void free_draft(struct draft *d)
{
	config_section_begin(d);
	syntax_free(&d->syntax);
	explicit_bzero(d, sizeof(*d));
	free(d);
}

static struct config *finish(struct draft *d)
{
	struct config *config = malloc(sizeof(*config));

	if (config)
		*config = d->config;
	return config;
}

static void free_hooks(struct config *c)
{
	unsigned int i, j;

	for (i = 0; i < c->hook_count; i++)
		for (j = 0; c->hooks[i].argv[j]; j++)
			free(c->hooks[i].argv[j]);
}

struct config *config_parse(const char *path, const char *text, size_t len,
			    FILE *errors)
{
	struct syntax_section grammar[SECTIONS];
	struct draft *d = calloc(1, sizeof(*d));
	struct config *config = NULL;

	if (!d) {
		fprintf(errors, "%s:1: no memory: try again\n", path);
		return NULL;
	}
	config_option_grammar(grammar);
	set_defaults(d);
	syntax_read(&d->syntax, grammar, SECTIONS, text, len);
	read_statements(d);
	config_derive(d);
	config_resolve(d);
	if (!d->syntax.broken) {
		config_option_require(d, ROOT, "", d->syntax.last_line);
		config_check(d);
	}
	syntax_report(&d->syntax, path, errors);
	if (!d->syntax.error_count)
		config = finish(d);
	if (!config)
		free_hooks(&d->config);
	free_draft(d);
	return config;
}

/* The file's text, or NULL with the reason in errno. */
static char *read_file(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = malloc(FILE_MAX);
	ssize_t n;

	*len = 0;
	if (fd < 0 || !text) {
		free(text);
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	while ((n = read(fd, text + *len, FILE_MAX - *len)) > 0)
		*len += n;
	close(fd);
	if (n < 0) {
		free(text);
		return NULL;
	}
	return text;
}

struct config *config_read(const char *path, FILE *errors)
{
	struct config *config;
	size_t len;
	char *text = read_file(path, &len);

	if (!text) {
		fprintf(errors,
			"%s:1: cannot be read (%s): make it readable for this user, see ctiha.conf(5)\n",
			path, strerror(errno));
		return NULL;
	}
	config = config_parse(path, text, len, errors);
	if (config)
		snprintf(config->path, sizeof(config->path), "%s", path);
	free(text);
	return config;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	free_hooks(config);
	explicit_bzero(config, sizeof(*config));
	free(config);
}
