// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sections of ctiha.conf: each is gathered option by option, and taken into
 * the configuration, or refused, where it ends. See ctiha.conf(5).
 */
#include <stdlib.h>

#include "daemon/config_draft.h"

#define INTERVAL_DEFAULT_US	10000

void config_section_begin(struct draft *d)
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

static void fail_title(struct draft *d, const char *name, const char *title,
		       const char *remedy)
{
	syntax_fail(&d->syntax, d->first_line, remedy,
		    "there is no %s '%.60s'", name, title);
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
		fail_title(d, "link", st->title,
			   "write 'link crossover' or 'link lan'");
		return;
	}
	l->kind = strcmp(st->title, "lan") ? CTIHA_LINK_CROSSOVER :
					     CTIHA_LINK_LAN;
	i = l->kind - 1;
	if (d->has_link[i]) {
		fail_again(d, "link", st->title);
		return;
	}
	config_option_require(d, LINK, st->title, st->line);
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
	config_option_require(d, ARBITER, "", st->line);
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
	if (!config_option_require(d, SERVICE, "", st->line) || !s->text[0])
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
		fail_title(d, "hook", st->title,
			   "write 'hook on-active' or 'hook on-standby'");
		return;
	}
	h->role = strcmp(st->title, "on-active") ? CTIHA_ROLE_STANDBY :
						   CTIHA_ROLE_ACTIVE;
	if (!config_option_require(d, HOOK, st->title, st->line) || !h->argv[0])
		return;
	if (c->hook_count == CONFIG_HOOKS_MAX) {
		syntax_fail(&d->syntax, d->first_line, "remove some",
			    "there are more than %d hooks", CONFIG_HOOKS_MAX);
		return;
	}
	c->hooks[c->hook_count++] = *h;
	memset(h->argv, 0, sizeof(h->argv));	/* now the configuration's */
}

static void end_switch(struct draft *d, const struct syntax_statement *st)
{
	if (d->has_switch) {
		fail_again(d, "switch", "");
		return;
	}
	config_option_require(d, SWITCH, "", st->line);
	d->has_switch = true;
	d->switch_line = st->line;
	d->config.switch_nic = d->block.switch_nic;
}

void config_section_end(struct draft *d, const struct syntax_statement *st)
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
	else if (st->section == SWITCH)
		end_switch(d, st);
	config_section_begin(d);
}
