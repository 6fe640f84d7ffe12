// SPDX-License-Identifier: GPL-2.0-or-later
/* ctiha-load: a CTI application to try the pair with, and its callers. */
#include "load/load.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} commands[] = {
	{ "serve", serve_main },
	{ "drive", drive_main },
	{ "clock", clock_main },
};

static const char usage[] =
	"usage: ctiha-load serve [--socket PATH] --listen ADDRESS:PORT\n"
	"       ctiha-load drive --service ADDRESS:PORT [--calls N] [--rate N]\n"
	"                  [--seconds N] [--window N] [--retry-ms N] [--gap-ms N]\n"
	"                  [--seed N] [--first N] [--control PATH|-]\n"
	"                  [--ledger FILE] [--json FILE]\n"
	"       ctiha-load clock --server ADDRESS:PORT [--probes N]\n"
	"See ctiha-load(1).\n";

volatile int load_ending;

static void on_signal(int number)
{
	(void)number;
	load_ending = 1;
}

void load_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

bool load_number(const char *text, u64 max, u64 *value)
{
	unsigned long long read;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	read = strtoull(text, &end, 10);
	if (errno || *end || read > max)
		return false;
	*value = read;
	return true;
}

static socklen_t make_address(const char *host, u16 port,
			      struct sockaddr_storage *to)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;

	memset(to, 0, sizeof(*to));
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		return sizeof(*v6);
	}
	return 0;
}

socklen_t load_address(const char *text, struct sockaddr_storage *to)
{
	const char *colon = strrchr(text, ':');
	char host[64];
	size_t len;
	u64 port;

	if (!colon || !load_number(colon + 1, UINT16_MAX, &port) || !port)
		return 0;
	len = (size_t)(colon - text);
	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	}
	if (len >= sizeof(host))
		return 0;
	memcpy(host, text, len);
	host[len] = '\0';
	return make_address(host, (u16)port, to);
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc == 2 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
		fputs(usage, stdout);
		return LOAD_OK;
	}
	for (i = 0; argc > 1 && i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].main(argc - 1, argv + 1);
	}
	fputs(usage, stderr);
	return LOAD_USAGE;
}
