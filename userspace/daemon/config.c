// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What ctiha.conf says: a table of options, and the sections they make up. See
 * ctiha.conf(5). config_syntax.c reads the text, config_check.c sees whether it
 * fits together.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/log.h"
#include "common/value.h"
#include "daemon/config_draft.h"

#define LEASE_DEFAULT		(60 * NS_PER_MS)
#define INTERVAL_DEFAULT_US	10000
#define FILE_MAX		(1024 * 1024)

enum type {
	NUMBER,		/* u8, u16 or u32 by size */
	DURATION,	/* u64 ns, or u32 of a unit */
	SIZE,		/* u64 bytes */
	SHARE,		/* u32 ppm */
	MAC,
	ADDRESS,
	NETWORK,	/* struct config_service */
	DEVICE,
	NAME,
	PATH,
	BACKEND,
	LEVEL,
	COMMAND,	/* struct config_hook, a list */
};

/**
 * struct option - one option of one section
 * @name: as it is written
 * @type: enum type
 * @mandatory: must be given
 * @offset, @size: of the value in struct draft
 * @min, @max: range of numbers, in the unit read (ns for durations)
 * @unit: ns per unit of the value, for durations
 * @example: for the remedies
 */
struct option {
	const char *name;
	u8 type;
	bool mandatory;
	size_t offset;
	size_t size;
	u64 min;
	u64 max;
	u64 unit;
	const char *example;
};

#define OPT(name_, type_, member, mandatory_, example_, ...)		\
	{ .name = name_, .type = type_, .mandatory = mandatory_,	\
	  .offset = offsetof(struct draft, member),			\
	  .size = sizeof(((struct draft *)NULL)->member),		\
	  .example = name_ " = " example_, __VA_ARGS__ }
#define RANGE(min_, max_)	.min = min_, .max = max_
#define MAY	false
#define MUST	true

static const struct option root_options[] = {
	OPT("node", NUMBER, config.node, MUST, "0", RANGE(0, 1)),
	OPT("pair", NUMBER, config.pair, MUST, "1", RANGE(1, 0xffffffff)),
	OPT("name", NAME, config.name, MAY, "cti-a"),
	OPT("peer-name", NAME, config.peer_name, MAY, "cti-b"),
	[ROOT_KEY_FILE] =
	OPT("key-file", PATH, key_file, MUST, "/etc/ctiha/pair.key"),
	OPT("backend", BACKEND, config.backend, MAY, "module"),
	OPT("state-dir", PATH, config.state_dir, MAY, "/var/lib/ctiha"),
	OPT("run-dir", PATH, config.run_dir, MAY, "/run/ctiha",
	    .max = CONFIG_RUN_DIR_MAX),
	OPT("store", PATH, config.store_dir, MAY, "/run/ctiha/store"),
	OPT("store-size", SIZE, config.store_size, MAY, "1G",
	    RANGE(1 << 20, 1ULL << 40)),
	[ROOT_LEASE] =
	OPT("lease", DURATION, config.lease_ns, MAY, "60ms",
	    RANGE(3 * NS_PER_MS, 60 * NS_PER_S)),
	[ROOT_PROMISE] =
	OPT("promise", DURATION, config.promise_ns, MAY, "75ms",
	    RANGE(3 * NS_PER_MS, 600 * NS_PER_S)),
	OPT("drift", SHARE, config.drift_ppm, MAY, "0.1%", RANGE(0, 100000)),
	OPT("margin", DURATION, config.margin_ns, MAY, "5ms",
	    RANGE(NS_PER_MS, 60 * NS_PER_S)),
	OPT("watch", DURATION, config.watch_ms, MAY, "500ms",
	    RANGE(10 * NS_PER_MS, 60 * NS_PER_S), .unit = NS_PER_MS),
	OPT("settle", DURATION, config.settle_ns, MAY, "200ms",
	    RANGE(0, 60 * NS_PER_S)),
	OPT("quiesce", DURATION, config.quiesce_ns, MAY, "2s",
	    RANGE(0, 60 * NS_PER_S)),
	[ROOT_USER] =
	OPT("user", NAME, config.user, MAY, "ctiha"),
	[ROOT_GROUP] =
	OPT("group", NAME, config.group, MAY, "ctiha"),
	OPT("log-level", LEVEL, config.log_level, MAY, "info"),
};

static const struct option link_options[] = {
	OPT("device", DEVICE, block.link.device, MUST, "eth1"),
	[LINK_INTERVAL] =
	OPT("interval", DURATION, block.link.interval_us, MAY, "10ms",
	    RANGE(CTIHA_INTERVAL_MIN_US * NS_PER_US,
		  CTIHA_INTERVAL_MAX_US * NS_PER_US), .unit = NS_PER_US),
	OPT("multiplier", NUMBER, block.link.multiplier, MAY, "3",
	    RANGE(CTIHA_MULTIPLIER_MIN, CTIHA_MULTIPLIER_MAX)),
	OPT("peer-mac", MAC, block.link.peer_mac, MAY, "02:00:00:00:00:02"),
	OPT("address", ADDRESS, block.link.address, MUST, "10.0.0.1"),
	[LINK_PEER_ADDRESS] =
	OPT("peer-address", ADDRESS, block.link.peer_address, MUST,
	    "10.0.0.2"),
};

static const struct option arbiter_options[] = {
	OPT("address", ADDRESS, block.arbiter.address, MUST, "192.0.2.1"),
	OPT("port", NUMBER, block.arbiter_port, MAY, "862", RANGE(1, 65535)),
	[ARBITER_INTERVAL] =
	OPT("interval", DURATION, block.arbiter.interval_ns, MAY, "20ms",
	    RANGE(NS_PER_MS, 30 * NS_PER_S)),
	[ARBITER_TIMEOUT] =
	OPT("timeout", DURATION, block.arbiter.timeout_ns, MAY, "100ms",
	    RANGE(2 * NS_PER_MS, 600 * NS_PER_S)),
	[ARBITER_KEY_FILE] =
	OPT("key-file", PATH, block.arbiter_key_file, MAY,
	    "/etc/ctiha/arbiter-key"),
	OPT("device", DEVICE, block.arbiter.device, MAY, "eth0"),
};

static const struct option service_options[] = {
	OPT("address", NETWORK, block.service, MUST, "192.0.2.10/24"),
	OPT("device", DEVICE, block.service.device, MUST, "eth0"),
};

static const struct option sync_options[] = {
	OPT("port", NUMBER, config.sync_port, MAY, "7788", RANGE(1, 65535)),
};

static const struct option hook_options[] = {
	OPT("command", COMMAND, block.hook, MUST,
	    "{\"/usr/local/sbin/notify\", \"now active\"}"),
	OPT("timeout", DURATION, block.hook.timeout_ns, MAY, "5s",
	    RANGE(10 * NS_PER_MS, 3600 * NS_PER_S)),
};

static const struct {
	const char *name;
	const char *titles;	/* of the remedy; NULL if it has none */
	const struct option *options;
	unsigned int count;
} sections[SECTIONS] = {
	[ROOT] = { "", NULL, root_options, ARRAY_SIZE(root_options) },
	[LINK] = { "link", "link crossover' or 'link lan", link_options,
		   ARRAY_SIZE(link_options) },
	[ARBITER] = { "arbiter", NULL, arbiter_options,
		      ARRAY_SIZE(arbiter_options) },
	[SERVICE] = { "service", NULL, service_options,
		      ARRAY_SIZE(service_options) },
	[SYNC] = { "sync", NULL, sync_options, ARRAY_SIZE(sync_options) },
	[HOOK] = { "hook", "hook on-active' or 'hook on-standby", hook_options,
		   ARRAY_SIZE(hook_options) },
};

static const char *const backends[] = { "module", "packet" };

static const struct {
	const char *name;
	int level;
} levels[] = {
	{ "error", LOG_LEVEL_ERROR },
	{ "warning", LOG_LEVEL_WARNING },
	{ "info", LOG_LEVEL_INFO },
	{ "debug", LOG_LEVEL_DEBUG },
};

static void store(void *target, size_t size, u64 value)
{
	u8 v8 = value;
	u16 v16 = value;
	u32 v32 = value;

	if (size == 1)
		memcpy(target, &v8, size);
	else if (size == 2)
		memcpy(target, &v16, size);
	else if (size == 4)
		memcpy(target, &v32, size);
	else
		memcpy(target, &value, size);
}

static void format_value(const struct option *o, u64 value,
			 char text[VALUE_TEXT_LEN])
{
	if (o->type == DURATION)
		value_format_duration(value, text);
	else if (o->type == SHARE)
		snprintf(text, VALUE_TEXT_LEN, "%lluppm",
			 (unsigned long long)value);
	else
		snprintf(text, VALUE_TEXT_LEN, "%llu",
			 (unsigned long long)value);
}

/* Numbers of all kinds. Returns what is wrong, with room in @wrong for it. */
static const char *set_number(const struct option *o, const char *text,
			      void *target, char *wrong, size_t size)
{
	char min[VALUE_TEXT_LEN], max[VALUE_TEXT_LEN];
	const char *error;
	u64 value = 0;

	if (o->type == DURATION)
		error = value_duration(text, &value);
	else if (o->type == SIZE)
		error = value_size(text, &value);
	else if (o->type == SHARE)
		error = value_share(text, &value);
	else
		error = value_number(text, &value);
	if (error)
		return error;
	if (value < o->min || value > o->max) {
		format_value(o, o->min, min);
		format_value(o, o->max, max);
		snprintf(wrong, size, "is out of range (%s to %s)", min, max);
		return wrong;
	}
	if (o->unit && value % o->unit)
		return o->unit == NS_PER_US ? "is no whole number of us" :
					      "is no whole number of ms";
	store(target, o->size, o->unit ? value / o->unit : value);
	return NULL;
}

static const char *set_network(const char *text, void *target)
{
	struct config_service *s = target;
	const char *error;

	error = value_network(text, &s->family, s->address, &s->prefix);
	if (!error)
		snprintf(s->text, sizeof(s->text), "%s", text);
	return error;
}

static const char *set_word(const struct option *o, const char *text,
			    void *target)
{
	int *level = target;
	unsigned int i;

	for (i = 0; o->type == BACKEND && i < ARRAY_SIZE(backends); i++) {
		if (strcmp(text, backends[i]))
			continue;
		store(target, o->size, i);
		return NULL;
	}
	for (i = 0; o->type == LEVEL && i < ARRAY_SIZE(levels); i++) {
		if (strcmp(text, levels[i].name))
			continue;
		*level = levels[i].level;
		return NULL;
	}
	return o->type == BACKEND ? "is neither 'module' nor 'packet'" :
		"is none of 'error', 'warning', 'info' and 'debug'";
}

static const char *set_text(const struct option *o, const char *text,
			    void *target)
{
	const char *error;

	if (o->type == DEVICE)
		error = value_device(text);
	else if (o->type == NAME)
		error = value_name(text);
	else
		error = value_path(text, o->max ? o->max : o->size);
	if (!error)
		snprintf(target, o->size, "%s", text);
	return error;
}

static const char *set_argument(const struct syntax_statement *st,
				void *target)
{
	struct config_hook *h = target;

	if (!st->element && st->value[0] != '/')
		return "does not begin with an absolute path";
	if (st->element >= CONFIG_HOOK_ARGS_MAX)
		return "has more than 32 parts";
	free(h->argv[st->element]);	/* of a command given twice */
	h->argv[st->element] = strdup(st->value);
	return h->argv[st->element] ? NULL : "needs more memory than there is";
}

static const char *set_value(const struct option *o,
			     const struct syntax_statement *st, void *target,
			     char *wrong, size_t size)
{
	switch (o->type) {
	case MAC:
		return value_mac(st->value, target);
	case ADDRESS:
		return value_address(st->value, target);
	case NETWORK:
		return set_network(st->value, target);
	case DEVICE:
	case NAME:
	case PATH:
		return set_text(o, st->value, target);
	case BACKEND:
	case LEVEL:
		return set_word(o, st->value, target);
	case COMMAND:
		return set_argument(st, target);
	default:
		return set_number(o, st->value, target, wrong, size);
	}
}

static void read_value(struct draft *d, const struct syntax_statement *st)
{
	const struct option *o = &sections[st->section].options[st->option];
	int *line = &d->line[st->section][st->option];
	char wrong[128], remedy[160];
	const char *error;

	if (*line && !st->element) {
		syntax_fail(&d->syntax, st->line, "remove one",
			    "'%s' is given twice, first in line %d", o->name,
			    *line);
		return;
	}
	*line = st->line;
	error = set_value(o, st, (char *)d + o->offset, wrong, sizeof(wrong));
	if (!error)
		return;
	snprintf(remedy, sizeof(remedy), "write e.g. '%s'", o->example);
	syntax_fail(&d->syntax, st->line, remedy, "'%s = %.100s' %s", o->name,
		    st->value, error);
}

static void begin_block(struct draft *d)
{
	struct block *b = &d->block;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(b->hook.argv); i++)
		free(b->hook.argv[i]);
	memset(b, 0, sizeof(*b));
	for (i = 1; i < SECTIONS; i++)
		memset(d->line[i], 0, sizeof(d->line[i]));
	d->first_line = 0;
	b->link.interval_us = INTERVAL_DEFAULT_US;
	b->link.multiplier = 3;
	memset(b->link.peer_mac, 0xff, sizeof(b->link.peer_mac));
	b->arbiter_port = 862;
	b->hook.timeout_ns = 5 * NS_PER_S;
}

/* Notes what is missing; returns whether all is there. */
static bool check_mandatory(struct draft *d, unsigned int section,
			    const char *title, int line)
{
	const struct option *o = sections[section].options;
	char remedy[160];
	bool complete = true;
	unsigned int i;

	for (i = 0; i < sections[section].count; i++) {
		if (!o[i].mandatory || d->line[section][i])
			continue;
		complete = false;
		snprintf(remedy, sizeof(remedy), "add e.g. '%s'",
			 o[i].example);
		if (section == ROOT)
			syntax_fail(&d->syntax, line, remedy,
				    "'%s' is missing", o[i].name);
		else
			syntax_fail(&d->syntax, line, remedy,
				    "%s%s%.60s has no '%s'",
				    sections[section].name,
				    *title ? " " : "", title, o[i].name);
	}
	return complete;
}

static void fail_title(struct draft *d, const struct syntax_statement *st)
{
	char remedy[128];

	snprintf(remedy, sizeof(remedy), "write '%s'",
		 sections[st->section].titles);
	syntax_fail(&d->syntax, d->first_line, remedy,
		    "there is no %s '%.60s'", sections[st->section].name,
		    st->title);
}

static void fail_again(struct draft *d, const char *name, const char *title)
{
	syntax_fail(&d->syntax, d->first_line, "remove one",
		    "a second %s%s%s", name, *title ? " " : "", title);
}

static void end_link(struct draft *d, const struct syntax_statement *st)
{
	struct config_link *l = &d->block.link;
	int *line = d->line[LINK];
	int i;

	if (strcmp(st->title, "crossover") && strcmp(st->title, "lan")) {
		fail_title(d, st);
		return;
	}
	l->kind = strcmp(st->title, "lan") ? CTIHA_LINK_CROSSOVER :
					     CTIHA_LINK_LAN;
	i = l->kind - 1;
	if (d->has_link[i]) {
		fail_again(d, "link", st->title);
		return;
	}
	check_mandatory(d, LINK, st->title, st->line);
	if (l->address.ss_family && l->peer_address.ss_family &&
	    l->address.ss_family != l->peer_address.ss_family)
		syntax_fail(&d->syntax, line[LINK_PEER_ADDRESS],
			    "write two IPv4 or two IPv6 addresses",
			    "the addresses of link %s are of different kinds",
			    st->title);
	else if (l->address.ss_family &&
		 !memcmp(&l->address, &l->peer_address, sizeof(l->address)))
		syntax_fail(&d->syntax, line[LINK_PEER_ADDRESS],
			    "write the other server's address",
			    "both addresses of link %s are the same",
			    st->title);
	d->has_link[i] = true;
	d->link_line[i] = line[LINK_INTERVAL] ? line[LINK_INTERVAL] : st->line;
	d->config.links[i] = *l;
}

static void end_arbiter(struct draft *d, const struct syntax_statement *st)
{
	struct config_arbiter *a = &d->block.arbiter;
	int *line = d->line[ARBITER];

	if (d->has_arbiter) {
		fail_again(d, "arbiter", "");
		return;
	}
	check_mandatory(d, ARBITER, "", st->line);
	d->has_arbiter = true;
	d->arbiter_line = line[ARBITER_INTERVAL] ? line[ARBITER_INTERVAL] :
						   st->line;
	d->arbiter_port = d->block.arbiter_port;
	d->key_line = line[ARBITER_KEY_FILE];
	memcpy(d->arbiter_key_file, d->block.arbiter_key_file,
	       sizeof(d->arbiter_key_file));
	d->config.arbiter = *a;
	if (a->timeout_ns && a->interval_ns &&
	    a->timeout_ns < 2 * a->interval_ns)
		syntax_fail(&d->syntax, line[ARBITER_TIMEOUT],
			    "make it several intervals long",
			    "the arbiter's timeout is below two intervals");
}

static void end_sync(struct draft *d)
{
	if (d->has_sync)
		fail_again(d, "sync", "");
	d->has_sync = true;
}

static void end_service(struct draft *d, const struct syntax_statement *st)
{
	struct config_service *s = &d->block.service;
	struct config *c = &d->config;
	unsigned int i;

	/* Without a text the address was refused. */
	if (!check_mandatory(d, SERVICE, "", st->line) || !s->text[0])
		return;
	for (i = 0; i < c->service_count; i++)
		if (c->services[i].family == s->family &&
		    !memcmp(c->services[i].address, s->address, 16)) {
			fail_again(d, "service with address", s->text);
			return;
		}
	if (c->service_count == CONFIG_SERVICES_MAX)
		syntax_fail(&d->syntax, d->first_line, "remove some",
			    "there are more than %d services",
			    CONFIG_SERVICES_MAX);
	else
		c->services[c->service_count++] = *s;
}

static void end_hook(struct draft *d, const struct syntax_statement *st)
{
	struct config_hook *h = &d->block.hook;
	struct config *c = &d->config;

	if (strcmp(st->title, "on-active") && strcmp(st->title, "on-standby")) {
		fail_title(d, st);
		return;
	}
	h->role = strcmp(st->title, "on-active") ? CTIHA_ROLE_STANDBY :
						   CTIHA_ROLE_ACTIVE;
	if (!check_mandatory(d, HOOK, st->title, st->line) || !h->argv[0])
		return;
	if (c->hook_count == CONFIG_HOOKS_MAX) {
		syntax_fail(&d->syntax, d->first_line, "remove some",
			    "there are more than %d hooks", CONFIG_HOOKS_MAX);
		return;
	}
	c->hooks[c->hook_count++] = *h;
	memset(h->argv, 0, sizeof(h->argv));	/* now the configuration's */
}

static void end_block(struct draft *d, const struct syntax_statement *st)
{
	if (!d->first_line)
		d->first_line = st->line;
	if (st->section == LINK)
		end_link(d, st);
	else if (st->section == ARBITER)
		end_arbiter(d, st);
	else if (st->section == SERVICE)
		end_service(d, st);
	else if (st->section == SYNC)
		end_sync(d);
	else if (st->section == HOOK)
		end_hook(d, st);
	begin_block(d);
}

static void read_statements(struct draft *d)
{
	const struct syntax_statement *st = d->syntax.statements;
	size_t i;

	begin_block(d);
	for (i = 0; i < d->syntax.count; i++, st++) {
		if (st->section != ROOT && !d->first_line)
			d->first_line = st->line;
		if (st->option < 0)
			end_block(d, st);
		else
			read_value(d, st);
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
	c->settle_ns = 200 * NS_PER_MS;
	c->quiesce_ns = 2 * NS_PER_S;
	c->sync_port = 7788;
	c->log_level = LOG_LEVEL_INFO;
	c->uid = (uid_t)-1;
	c->gid = (gid_t)-1;
	if (gethostname(c->name, sizeof(c->name) - 1) || value_name(c->name))
		set_default(c->name, "this server");
}

static void build_grammar(struct syntax_section grammar[SECTIONS])
{
	unsigned int i, j;

	memset(grammar, 0, SECTIONS * sizeof(*grammar));
	for (i = 0; i < SECTIONS; i++) {
		grammar[i].name = sections[i].name;
		grammar[i].titled = sections[i].titles;
		for (j = 0; j < sections[i].count; j++) {
			const struct option *o = &sections[i].options[j];

			grammar[i].options[j].name = o->name;
			grammar[i].options[j].list = o->type == COMMAND;
		}
	}
}

static void free_draft(struct draft *d)
{
	begin_block(d);
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
	build_grammar(grammar);
	set_defaults(d);
	syntax_read(&d->syntax, grammar, SECTIONS, text, len);
	read_statements(d);
	config_derive(d);
	config_resolve(d);
	if (!d->syntax.broken) {
		check_mandatory(d, ROOT, "", d->syntax.last_line);
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
