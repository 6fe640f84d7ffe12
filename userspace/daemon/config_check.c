// SPDX-License-Identifier: GPL-2.0-or-later
/* Whether what ctiha.conf says fits together, and what it stands for. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/value.h"
#include "daemon/config_draft.h"

void config_derive(struct draft *d)
{
	struct config *c = &d->config;
	struct config_arbiter *a = &c->arbiter;

	if (!c->store_dir[0])
		snprintf(c->store_dir, sizeof(c->store_dir), "%.200s/store",
			 c->run_dir);
	if (!c->promise_ns)
		c->promise_ns = c->lease_ns / 10 +
			config_min_promise_ns(c->lease_ns, c->drift_ppm,
					      c->margin_ns);
	if (!a->interval_ns)
		a->interval_ns = c->lease_ns / 3;
	if (!a->timeout_ns)
		a->timeout_ns = 5 * a->interval_ns;
	if (!c->settle_ns)
		c->settle_ns = a->timeout_ns + 2 * a->interval_ns;
}

u64 config_min_promise_ns(u64 lease_ns, u32 drift_ppm, u64 margin_ns)
{
	/* Rounded up: a lease is at most minutes, so nothing overflows. */
	u64 drift = (lease_ns * drift_ppm + 999999) / 1000000;

	return lease_ns + drift + margin_ns;
}

void config_service_address(const struct config_service *service,
			    struct in6_addr *address)
{
	if (service->family == AF_INET6) {
		memcpy(address, service->address, sizeof(*address));
		return;
	}
	memset(address, 0, sizeof(*address));
	memset(&address->s6_addr[10], 0xff, 2);
	memcpy(&address->s6_addr[12], service->address, sizeof(struct in_addr));
}

static int given(const struct draft *d, int a, int b)
{
	if (d->line[ROOT][a])
		return d->line[ROOT][a];
	return d->line[ROOT][b] ? d->line[ROOT][b] : d->syntax.last_line;
}

static void check_promise(struct draft *d)
{
	const struct config *c = &d->config;
	u64 least = config_min_promise_ns(c->lease_ns, c->drift_ppm,
					  c->margin_ns);
	char promise[VALUE_TEXT_LEN], min[VALUE_TEXT_LEN], remedy[128];

	if (c->promise_ns > least)
		return;
	value_format_duration(c->promise_ns, promise);
	value_format_duration(least, min);
	snprintf(remedy, sizeof(remedy),
		 "raise the promise above %s, or shorten the lease", min);
	syntax_fail(&d->syntax, given(d, ROOT_PROMISE, ROOT_LEASE), remedy,
		    "promise %s does not exceed lease + drift + margin = %s, so both servers could be active at once",
		    promise, min);
}

static void check_lease(struct draft *d, int i)
{
	const struct config_link *l = &d->config.links[i];
	u64 interval = l->interval_us * NS_PER_US;
	char lease[VALUE_TEXT_LEN], min[VALUE_TEXT_LEN], remedy[128];

	if (!d->has_link[i] || d->config.lease_ns >= 3 * interval)
		return;
	value_format_duration(d->config.lease_ns, lease);
	value_format_duration(3 * interval, min);
	snprintf(remedy, sizeof(remedy),
		 "raise the lease to at least %s, or shorten the interval",
		 min);
	syntax_fail(&d->syntax, d->link_line[i], remedy,
		    "lease %s is shorter than three intervals of link %s, so two lost heartbeats would end it",
		    lease, i ? "lan" : "crossover");
}

static void check_arbiter_interval(struct draft *d)
{
	const struct config_arbiter *a = &d->config.arbiter;
	char max[VALUE_TEXT_LEN], remedy[128];

	if (!d->has_arbiter || a->interval_ns <= d->config.lease_ns / 2)
		return;
	value_format_duration(d->config.lease_ns / 2, max);
	snprintf(remedy, sizeof(remedy),
		 "shorten it to at most %s, or raise the lease", max);
	syntax_fail(&d->syntax, d->arbiter_line, remedy,
		    "the arbiter's interval is longer than half a lease, so it could not renew one in time");
}

/*
 * f2 hands over because the peer says that it sees the arbiter. Within one
 * timeout and one probe after our own loss of it, that may be yesterday's news:
 * the LAN that both have lost does not make the peer any better.
 */
static void check_settle(struct draft *d)
{
	const struct config_arbiter *a = &d->config.arbiter;
	u64 least = a->timeout_ns + a->interval_ns;
	char settle[VALUE_TEXT_LEN], min[VALUE_TEXT_LEN], remedy[128];

	if (!d->has_arbiter || d->config.settle_ns >= least)
		return;
	value_format_duration(d->config.settle_ns, settle);
	value_format_duration(least, min);
	snprintf(remedy, sizeof(remedy),
		 "raise it to at least %s, or leave it out", min);
	syntax_fail(&d->syntax, d->line[ROOT][ROOT_SETTLE], remedy,
		    "settle %s is shorter than the arbiter's timeout and one interval = %s, so a LAN lost by both servers could look like one lost by this server only",
		    settle, min);
}

static void check_devices(struct draft *d)
{
	const struct config_link *l = d->config.links;

	if (l[0].device[0] && !strcmp(l[0].device, l[1].device))
		syntax_fail(&d->syntax, d->syntax.last_line,
			    "use two devices, or one failure takes both links down",
			    "both links use device %s", l[0].device);
	if (l[0].device[0] && !strcmp(l[0].device, d->config.switch_nic.device))
		syntax_fail(&d->syntax, d->switch_line,
			    "name the NIC that leads to the telephone switch",
			    "the switch cannot be on the crossover's device %s",
			    l[0].device);
}

static void check_sections(struct draft *d)
{
	int line = d->syntax.last_line;

	if (!d->has_link[0])
		syntax_fail(&d->syntax, line, "add 'link crossover { ... }'",
			    "there is no link crossover");
	if (!d->has_link[1])
		syntax_fail(&d->syntax, line, "add 'link lan { ... }'",
			    "there is no link lan");
	if (!d->has_arbiter)
		syntax_fail(&d->syntax, line, "add 'arbiter { ... }'",
			    "there is no arbiter");
}

/* Returns what is wrong with the file, and what to do in @remedy. */
static const char *read_key(const char *path, u8 key[CTIHA_KEY_LEN],
			    char *remedy, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *error = NULL;
	struct stat st;
	char text[80];
	ssize_t len;

	snprintf(remedy, size, "make one: (umask 077; openssl rand -hex 32 >%.80s)",
		 path);
	if (fd < 0)
		return strerror(errno);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		error = "is no regular file";
	} else if (st.st_mode & 077) {
		error = "is open to others than its owner";
		snprintf(remedy, size, "chmod 600 %.100s", path);
	} else {
		len = read(fd, text, sizeof(text));
		error = value_key(text, len < 0 ? 0 : len, key);
		explicit_bzero(text, sizeof(text));
	}
	close(fd);
	return error;
}

static void read_key_at(struct draft *d, const char *path, int line,
			u8 key[CTIHA_KEY_LEN])
{
	char remedy[160];
	const char *error = read_key(path, key, remedy, sizeof(remedy));

	if (error)
		syntax_fail(&d->syntax, line, remedy, "key file %.100s: %s",
			    path, error);
}

static void read_keys(struct draft *d)
{
	struct config *c = &d->config;

	if (d->key_file[0])
		read_key_at(d, d->key_file, d->line[ROOT][ROOT_KEY_FILE],
			    c->keys.key[0]);
	if (d->second_key_file[0])
		read_key_at(d, d->second_key_file,
			    d->line[ROOT][ROOT_SECOND_KEY_FILE],
			    c->keys.key[1]);
	else if (c->keys.send)
		syntax_fail(&d->syntax, d->line[ROOT][ROOT_SEND_KEY],
			    "add 'second-key-file = PATH'",
			    "send-key = second, but there is no second key");
	c->keys.used[0] = true;
	c->keys.used[1] = d->second_key_file[0];
	if (d->arbiter_key_file[0])
		read_key_at(d, d->arbiter_key_file, d->key_line,
			    c->arbiter.key);
	else
		memcpy(c->arbiter.key, keys_sender(&c->keys),
		       sizeof(c->arbiter.key));
}

static void find_user(struct draft *d, const char *name, int line)
{
	struct passwd *pw = getpwnam(name);

	if (!pw) {
		syntax_fail(&d->syntax, line,
			    "add it: useradd --system --no-create-home NAME",
			    "there is no user '%s'", name);
		return;
	}
	d->config.uid = pw->pw_uid;
	d->config.gid = pw->pw_gid;
}

static void find_group(struct draft *d, const char *name, int line)
{
	struct group *gr = getgrnam(name);

	if (gr)
		d->config.gid = gr->gr_gid;
	else
		syntax_fail(&d->syntax, line, "add it: groupadd --system NAME",
			    "there is no group '%s'", name);
}

static void set_port(struct sockaddr_storage *address, u16 port)
{
	/* The port is at the same place for IPv4 and IPv6. */
	((struct sockaddr_in *)address)->sin_port = htons(port);
}

static void print_address(struct config_arbiter *a)
{
	int family = a->address.ss_family;
	const void *ip = family == AF_INET6 ?
		(void *)&((struct sockaddr_in6 *)&a->address)->sin6_addr :
		(void *)&((struct sockaddr_in *)&a->address)->sin_addr;

	if (family)
		inet_ntop(family, ip, a->address_text, sizeof(a->address_text));
}

void config_resolve(struct draft *d)
{
	struct config *c = &d->config;
	int i;

	for (i = 0; i < CONFIG_LINKS; i++) {
		set_port(&c->links[i].address, c->sync_port);
		set_port(&c->links[i].peer_address, c->sync_port);
	}
	set_port(&c->arbiter.address, d->arbiter_port);
	print_address(&c->arbiter);
	if (c->user[0])
		find_user(d, c->user, d->line[ROOT][ROOT_USER]);
	if (c->group[0])
		find_group(d, c->group, d->line[ROOT][ROOT_GROUP]);
	read_keys(d);
}

void config_check(struct draft *d)
{
	int i;

	check_sections(d);
	check_promise(d);
	for (i = 0; i < CONFIG_LINKS; i++)
		check_lease(d, i);
	check_arbiter_interval(d);
	check_settle(d);
	check_devices(d);
}

