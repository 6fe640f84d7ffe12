// SPDX-License-Identifier: GPL-2.0-or-later
/* arbiter.conf and the command line. See settings.h. */
#include "arbiter/settings.h"

#include <confuse.h>
#include <event2/util.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#include "arbiter/keyfile.h"

#ifndef CTIHA_VERSION
#define CTIHA_VERSION	"unreleased"
#endif

/* While reading: libconfuse's error function has no argument of its own. */
static FILE *error_stream;

static void on_confuse_error(cfg_t *cfg, const char *format, va_list args)
{
	fprintf(error_stream, "%s:%d: ", cfg->filename, cfg->line);
	vfprintf(error_stream, format, args);
	fprintf(error_stream, ": see ctiha-arbiter(8) for what may stand there\n");
}

/* @place: "arbiter.conf:12", "--pair"; @subject: what is wrong there, or "" */
static int fail(FILE *errors, const char *place, const char *subject,
		const char *wrong)
{
	fprintf(errors, "%s: %s%s%s\n", place, subject, *subject ? " " : "",
		wrong);
	return -EINVAL;
}

static int set_path(char *path, size_t size, const char *value,
		    const char *place, FILE *errors)
{
	if (!*value || strlen(value) >= size)
		return fail(errors, place, value,
			    "is empty or too long: use a shorter path");
	snprintf(path, size, "%s", value);
	return 0;
}

static void set_default_port(struct sockaddr_storage *address)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET && !in4->sin_port)
		in4->sin_port = htons(STAMP_PORT);
	if (address->ss_family == AF_INET6 && !in6->sin6_port)
		in6->sin6_port = htons(STAMP_PORT);
}

static bool read_listen(const char *value, struct sockaddr_storage *address)
{
	int len = sizeof(*address);

	memset(address, 0, sizeof(*address));
	if (evutil_parse_sockaddr_port(value, (struct sockaddr *)address, &len))
		return false;
	set_default_port(address);
	return true;
}

/* libconfuse calls it after each value, while it knows the line. */
static int check_listen(cfg_t *cfg, cfg_opt_t *option)
{
	const char *value = cfg_opt_getnstr(option, cfg_opt_size(option) - 1);
	struct sockaddr_storage address;

	if (read_listen(value, &address))
		return 0;
	cfg_error(cfg, "%s is not an address with port", value);
	return -1;
}

static int add_listen(struct settings *settings, const char *value,
		      const char *place, FILE *errors)
{
	struct sockaddr_storage address;

	if (settings->listen_count == SERVER_SOCKETS_MAX)
		return fail(errors, place, value,
			    "is one address too many: use 0.0.0.0 and [::]");
	if (!read_listen(value, &address))
		return fail(errors, place, value,
			    "is not an address: write 192.0.2.1:862 or [2001:db8::1]:862");
	settings->listen[settings->listen_count++] = address;
	return 0;
}

static int add_pair(struct pairs *pairs, const char *number, const char *path,
		    const char *place, FILE *errors)
{
	u8 key[CTIHA_KEY_LEN];
	const char *wrong;
	char *end;
	unsigned long long id = strtoull(number, &end, 10);
	int err;

	if (*number < '0' || *number > '9' || *end || id > UINT32_MAX)
		return fail(errors, place, number,
			    "is not a pair: write a number from 0 to 4294967295");
	wrong = keyfile_read(path, key);
	if (wrong)
		return fail(errors, place, path, wrong);
	err = pairs_add(pairs, (u32)id, key);
	explicit_bzero(key, sizeof(key));
	if (err)
		return fail(errors, place, number, err == -EEXIST ?
			    "is there twice: remove one of the two" :
			    "is one pair too many: use a second arbiter");
	return 0;
}

static int add_key(struct pairs *pairs, const char *path, const char *place,
		   FILE *errors)
{
	u8 key[CTIHA_KEY_LEN];
	const char *wrong = keyfile_read(path, key);

	if (wrong)
		return fail(errors, place, path, wrong);
	pairs_add_key(pairs, key);
	explicit_bzero(key, sizeof(key));
	return 0;
}

/* What the command line has set is not taken from the file. */
struct overrides {
	bool listen;
	bool state_dir;
	bool user;
	bool events;
	bool pairs;
};

static int take_section(struct pairs *pairs, cfg_t *section,
			const char *path, FILE *errors)
{
	const char *key_file = cfg_getstr(section, "key-file");
	const char *second = cfg_getstr(section, "second-key-file");
	char place[SETTINGS_PATH_LEN + 16];

	snprintf(place, sizeof(place), "%s:%d", path, section->line);
	if (!key_file)
		return fail(errors, place, cfg_title(section),
			    "has no key-file: add key-file = \"PATH\"");
	if (add_pair(pairs, cfg_title(section), key_file, place, errors))
		return -EINVAL;
	return second ? add_key(pairs, second, place, errors) : 0;
}

static int take_values(struct settings *settings, struct pairs *pairs,
		       cfg_t *cfg, const struct overrides *over,
		       const char *path, FILE *errors)
{
	const char *state_dir = cfg_getstr(cfg, "state-dir");
	const char *user = cfg_getstr(cfg, "user");
	const char *events = cfg_getstr(cfg, "events");
	unsigned int i;
	int err = 0;

	for (i = 0; !over->listen && i < cfg_size(cfg, "listen"); i++)
		err |= add_listen(settings, cfg_getnstr(cfg, "listen", i), path,
				  errors);
	if (!over->state_dir)
		err |= set_path(settings->state_dir,
				sizeof(settings->state_dir), state_dir, path,
				errors);
	if (!over->user && user)
		err |= set_path(settings->user, sizeof(settings->user), user,
				path, errors);
	if (!over->events && events)
		err |= set_path(settings->events, sizeof(settings->events),
				events, path, errors);
	for (i = 0; !over->pairs && i < cfg_size(cfg, "pair"); i++)
		err |= take_section(pairs, cfg_getnsec(cfg, "pair", i), path,
				    errors);
	return err ? -EINVAL : 0;
}

static int read_file(struct settings *settings, struct pairs *pairs,
		     const struct overrides *over, const char *path,
		     FILE *errors)
{
	cfg_opt_t pair_options[] = {
		CFG_STR("key-file", NULL, CFGF_NODEFAULT),
		CFG_STR("second-key-file", NULL, CFGF_NODEFAULT),
		CFG_END()
	};
	cfg_opt_t options[] = {
		CFG_STR_LIST("listen", NULL, CFGF_NONE),
		CFG_STR("state-dir", SETTINGS_STATE_DIR, CFGF_NONE),
		CFG_STR("user", NULL, CFGF_NODEFAULT),
		CFG_STR("events", NULL, CFGF_NODEFAULT),
		CFG_SEC("pair", pair_options, CFGF_TITLE | CFGF_MULTI |
			CFGF_NO_TITLE_DUPES),
		CFG_END()
	};
	cfg_t *cfg = cfg_init(options, CFGF_NONE);
	int err, parsed;

	if (!cfg)
		return fail(errors, path, "", "cannot be read: no memory");
	error_stream = errors;
	cfg_set_error_function(cfg, on_confuse_error);
	cfg_set_validate_func(cfg, "listen", check_listen);
	parsed = cfg_parse(cfg, path);
	if (parsed == CFG_FILE_ERROR)
		err = fail(errors, path, "",
			   "cannot be read: create it or use --config");
	else if (parsed != CFG_SUCCESS)
		err = -EINVAL;
	else
		err = take_values(settings, pairs, cfg, over, path, errors);
	cfg_free(cfg);
	return err;
}

static const char usage[] =
"Usage: ctiha-arbiter [OPTION]...\n"
"Witness for pairs of CTI servers: lets one server of each pair act at a time.\n"
"Also a STAMP reflector (RFC 8762).\n"
"\n"
"  -c, --config FILE        configuration (default " SETTINGS_PATH ";\n"
"                           none if --pair is given)\n"
"  -l, --listen ADDR:PORT   listen here; may be repeated\n"
"                           (default 0.0.0.0:862 and [::]:862)\n"
"  -d, --state-dir DIR      what must survive a restart\n"
"                           (default " SETTINGS_STATE_DIR ")\n"
"  -p, --pair N:KEYFILE     serve pair N; may be repeated\n"
"  -u, --user USER          run as USER once the ports are bound\n"
"  -e, --events FILE        append a JSON line for each change to FILE,\n"
"                           or write it to an open descriptor: fd:N\n"
"  -h, --help               print this and exit\n"
"  -V, --version            print the version and exit\n"
"\n"
"Options win over the configuration. Exit status: 0 ended by a signal,\n"
"1 failure, 2 wrong usage or configuration. See ctiha-arbiter(8).\n";

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "listen", required_argument, NULL, 'l' },
	{ "state-dir", required_argument, NULL, 'd' },
	{ "pair", required_argument, NULL, 'p' },
	{ "user", required_argument, NULL, 'u' },
	{ "events", required_argument, NULL, 'e' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ NULL, 0, NULL, 0 }
};

static int option_pair(struct pairs *pairs, char *value, FILE *errors)
{
	char *colon = strchr(value, ':');

	if (!colon)
		return fail(errors, "--pair", value,
			    "has no key file: write N:KEYFILE");
	*colon = 0;
	return add_pair(pairs, value, colon + 1, "--pair", errors);
}

/* Return: 1 for help and version. */
static int take_option(struct settings *settings, struct pairs *pairs,
		       struct overrides *over, const char **config, int option,
		       FILE *errors)
{
	switch (option) {
	case 'c':
		*config = optarg;
		return 0;
	case 'l':
		over->listen = true;
		return add_listen(settings, optarg, "--listen", errors);
	case 'd':
		over->state_dir = true;
		return set_path(settings->state_dir,
				sizeof(settings->state_dir), optarg,
				"--state-dir", errors);
	case 'p':
		over->pairs = true;
		return option_pair(pairs, optarg, errors);
	case 'u':
		over->user = true;
		return set_path(settings->user, sizeof(settings->user), optarg,
				"--user", errors);
	case 'e':
		over->events = true;
		return set_path(settings->events, sizeof(settings->events),
				optarg, "--events", errors);
	case 'h':
		fputs(usage, stdout);
		return 1;
	case 'V':
		puts("ctiha-arbiter " CTIHA_VERSION);
		return 1;
	default:
		fputs("Try 'ctiha-arbiter --help'.\n", errors);
		return -EINVAL;
	}
}

static int read_options(struct settings *settings, struct pairs *pairs,
			struct overrides *over, const char **config,
			int argc, char **argv, FILE *errors)
{
	int option;

	optind = 1;
	while ((option = getopt_long(argc, argv, "c:l:d:p:u:e:hV", long_options,
				     NULL)) != -1) {
		int err = take_option(settings, pairs, over, config, option,
				      errors);

		if (err)
			return err;
	}
	if (optind < argc)
		return fail(errors, "ctiha-arbiter", argv[optind],
			    "is not an option: see --help");
	return 0;
}

static void listen_everywhere(struct settings *settings)
{
	static const char *const everywhere[] = { "0.0.0.0", "[::]" };
	size_t i;

	settings->listen_default = true;
	for (i = 0; i < ARRAY_SIZE(everywhere); i++)
		add_listen(settings, everywhere[i], "", stderr);
}

int settings_read(struct settings *settings, struct pairs *pairs,
		  int argc, char **argv, FILE *errors)
{
	struct overrides over = { 0 };
	const char *config = NULL;
	int err;

	memset(settings, 0, sizeof(*settings));
	snprintf(settings->state_dir, sizeof(settings->state_dir), "%s",
		 SETTINGS_STATE_DIR);
	err = read_options(settings, pairs, &over, &config, argc, argv, errors);
	if (!err && !config && !over.pairs)
		config = SETTINGS_PATH;
	if (!err && config)
		err = read_file(settings, pairs, &over, config, errors);
	if (err)
		return err;
	if (!settings->listen_count)
		listen_everywhere(settings);
	if (!pairs->count)
		return fail(errors, config ? config : "--pair", "",
			    "names no pair: add pair 1 { key-file = \"PATH\" }");
	return 0;
}
