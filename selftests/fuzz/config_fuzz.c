// SPDX-License-Identifier: GPL-2.0-or-later
/* Any text as ctiha.conf: either a configuration that holds, or an error. */
#include <stdio.h>
#include <stdlib.h>

#include "daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
	if (!holds)
		abort();
}

/* What the rest of the daemon relies on. */
static void check(const struct config *c)
{
	unsigned int i;

	require(c->node <= 1);
	require(c->promise_ns > config_min_promise_ns(c->lease_ns, c->drift_ppm,
						      c->margin_ns));
	for (i = 0; i < CONFIG_LINKS; i++) {
		require(c->links[i].kind == i + 1);
		require(c->links[i].address.ss_family ==
			c->links[i].peer_address.ss_family);
		require(c->lease_ns >= 3000ULL * c->links[i].interval_us);
	}
	require(c->arbiter.interval_ns <= c->lease_ns / 2);
	require(c->service_count <= CONFIG_SERVICES_MAX);
	require(c->hook_count <= CONFIG_HOOKS_MAX);
	for (i = 0; i < c->hook_count; i++)
		require(c->hooks[i].argv[0] && c->hooks[i].argv[0][0] == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *errors;
	size_t len;
	FILE *f = open_memstream(&errors, &len);
	struct config *c;

	if (!f)
		abort();
	c = config_parse("fuzz", (const char *)data, size, f);
	fclose(f);
	require(!c == !!len);
	if (c)
		check(c);
	config_free(c);
	free(errors);
	return 0;
}
