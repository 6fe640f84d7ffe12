// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The options of ctiha.conf: a table of them for each section, and how the text
 * of one becomes a value in its place. See ctiha.conf(5).
 */
#include <stdlib.h>

#include "common/log.h"
#include "common/value.h"
#include "daemon/config_draft.h"

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
	WORD,		/* one of struct words */
	COMMAND,	/* struct config_hook, a list */
};

/**
 * struct words - what an option may say, and what each stands for
 * @refusal: of anything else
 * @word: them; a NULL name ends it
 */
struct words {
	const char *refusal;
	struct {
		const char *name;
		u64 value;
	} word[5];
};

static const struct words backends = {
	"is neither 'module' nor 'packet'", {
		{ "module", CONFIG_BACKEND_MODULE },
		{ "packet", CONFIG_BACKEND_PACKET },
	},
};

static const struct words last_resorts = {
	"is none of 'none', 'reboot' and 'panic'", {
		{ "none", CTIHA_LAST_RESORT_NONE },
		{ "reboot", CTIHA_LAST_RESORT_REBOOT },
		{ "panic", CTIHA_LAST_RESORT_PANIC },
	},
};

static const struct words key_slots = {
	"is neither 'first' nor 'second'", {
		{ "first", 0 },
		{ "second", 1 },
	},
};

static const struct words yes_or_no = {
	"is neither 'yes' nor 'no'", {
		{ "yes", true },
		{ "no", false },
		{ "true", true },
		{ "false", false },
	},
};

static const struct words standby_needs = {
	"is neither 'alone' nor 'refuse'", {
		{ "alone", false },
		{ "refuse", true },
	},
};

static const struct words levels = {
	"is none of 'error', 'warning', 'info' and 'debug'", {
		{ "error", LOG_LEVEL_ERROR },
		{ "warning", LOG_LEVEL_WARNING },
		{ "info", LOG_LEVEL_INFO },
		{ "debug", LOG_LEVEL_DEBUG },
	},
};

/**
 * struct option - one option of one section
 * @name: as it is written
 * @type: enum type
 * @mandatory: must be given
 * @offset, @size: of the value in struct draft
 * @min, @max: range of numbers, in the unit read (ns for durations)
 * @unit: ns per unit of the value, for durations
 * @words: of a WORD
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
	const struct words *words;
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
	OPT("backend", WORD, config.backend, MAY, "module", .words = &backends),
	OPT("on-fence", WORD, config.on_fence, MAY, "none",
	    .words = &last_resorts),
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
	[ROOT_SETTLE] =
	OPT("settle", DURATION, config.settle_ns, MAY, "200ms",
	    RANGE(NS_PER_MS, 600 * NS_PER_S)),
	OPT("state-wait", DURATION, config.state_wait_ns, MAY, "2s",
	    RANGE(0, 600 * NS_PER_S)),
	OPT("quiesce", DURATION, config.quiesce_ns, MAY, "2s",
	    RANGE(0, 60 * NS_PER_S)),
	[ROOT_USER] =
	OPT("user", NAME, config.user, MAY, "ctiha"),
	[ROOT_GROUP] =
	OPT("group", NAME, config.group, MAY, "ctiha"),
	OPT("log-level", WORD, config.log_level, MAY, "info",
	    .words = &levels),
	[ROOT_SECOND_KEY_FILE] =
	OPT("second-key-file", PATH, second_key_file, MAY,
	    "/etc/ctiha/second.key"),
	[ROOT_SEND_KEY] =
	OPT("send-key", WORD, config.keys.send, MAY, "first",
	    .words = &key_slots),
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
	OPT("insecure", WORD, config.sync_insecure, MAY, "no",
	    .words = &yes_or_no),
	OPT("dictionary", PATH, config.sync_dictionary, MAY,
	    "/usr/share/ctiha/calls.dict"),
	OPT("without-standby", WORD, config.sync_needs_standby, MAY, "alone",
	    .words = &standby_needs),
};

static const struct option hook_options[] = {
	OPT("command", COMMAND, block.hook, MUST,
	    "{\"/usr/local/sbin/notify\", \"now active\"}"),
	OPT("timeout", DURATION, block.hook.timeout_ns, MAY, "5s",
	    RANGE(10 * NS_PER_MS, 3600 * NS_PER_S)),
};

static const struct option switch_options[] = {
	OPT("device", DEVICE, block.switch_nic.device, MUST, "eth2"),
};

static const struct {
	const char *name;
	bool titled;
	const struct option *options;
	unsigned int count;
} sections[SECTIONS] = {
	[ROOT] = { "", false, root_options, ARRAY_SIZE(root_options) },
	[LINK] = { "link", true, link_options, ARRAY_SIZE(link_options) },
	[ARBITER] = { "arbiter", false, arbiter_options,
		      ARRAY_SIZE(arbiter_options) },
	[SERVICE] = { "service", false, service_options,
		      ARRAY_SIZE(service_options) },
	[SYNC] = { "sync", false, sync_options, ARRAY_SIZE(sync_options) },
	[HOOK] = { "hook", true, hook_options, ARRAY_SIZE(hook_options) },
	[SWITCH] = { "switch", false, switch_options,
		     ARRAY_SIZE(switch_options) },
};

void config_option_grammar(struct syntax_section grammar[SECTIONS])
{
	unsigned int i, j;

	memset(grammar, 0, SECTIONS * sizeof(*grammar));
	for (i = 0; i < SECTIONS; i++) {
		grammar[i].name = sections[i].name;
		grammar[i].titled = sections[i].titled;
		for (j = 0; j < sections[i].count; j++) {
			const struct option *o = &sections[i].options[j];

			grammar[i].options[j].name = o->name;
			grammar[i].options[j].list = o->type == COMMAND;
		}
	}
}

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
	const struct words *words = o->words;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words->word) && words->word[i].name; i++) {
		if (strcmp(text, words->word[i].name))
			continue;
		store(target, o->size, words->word[i].value);
		return NULL;
	}
	return words->refusal;
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
	case WORD:
		return set_word(o, st->value, target);
	case COMMAND:
		return set_argument(st, target);
	default:
		return set_number(o, st->value, target, wrong, size);
	}
}

void config_option_read(struct draft *d, const struct syntax_statement *st)
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

bool config_option_require(struct draft *d, unsigned int section,
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
