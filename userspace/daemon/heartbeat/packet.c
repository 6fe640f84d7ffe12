// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The packet backend: a node without the module. See packet.h.
 *
 * What it cannot give, compared with the module: it beats only while this
 * process is scheduled, and a process that is stopped cannot end its lease. It
 * ends it first of all when it goes on.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "daemon/heartbeat/packet.h"

#define GOODBYES	3

u64 packet_random(void)
{
	u64 random;

	/* Eight bytes are never given in part, and open() saw it work. */
	while (getrandom(&random, sizeof(random), 0) != sizeof(random))
		;
	return random;
}

/*
 * Begins a command of the daemon: what arrived meanwhile comes first.
 *
 * Return: the time.
 */
static u64 enter(struct packet *p)
{
	struct packet_link *link;

	packet_now(p);
	for (link = p->links; link < p->links + PACKET_LINKS; link++)
		if (link->used)
			packet_link_drain(link);
	return packet_now(p);
}

static bool can_work(char *error, size_t error_size)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	u64 random;

	if (fd < 0) {
		snprintf(error, error_size,
			 "backend packet: cannot open a packet socket: %s; run it with CAP_NET_RAW, or set backend = module",
			 strerror(errno));
		return false;
	}
	close(fd);
	if (getrandom(&random, sizeof(random), 0) == sizeof(random))
		return true;
	snprintf(error, error_size, "backend packet: no random numbers: %s",
		 strerror(errno));
	return false;
}

static bool spec_is_good(const struct heartbeat_node_spec *spec, char *error,
			 size_t error_size)
{
	if (spec->id <= 1 && spec->lease_ns &&
	    spec->promise_ns > spec->lease_ns)
		return true;
	snprintf(error, error_size,
		 "backend packet: the node's id must be 0 or 1 and promise must be longer than lease");
	return false;
}

static void close_all(struct packet *p)
{
	struct packet_link *link;

	for (link = p->links; link < p->links + PACKET_LINKS; link++)
		if (link->used)
			packet_link_close(link);
}

static void destroy(struct packet *p)
{
	close_all(p);
	packet_timer_close(&p->lease_timer);
	packet_event_close(p);
	mac_key_wipe(&p->keys[0]);
	mac_key_wipe(&p->keys[1]);
	if (p->carrier.fd >= 0)
		close(p->carrier.fd);
	free(p);
}

static void set_keys(struct packet *p, const struct keys *keys)
{
	unsigned int slot;

	for (slot = 0; slot < CTIHA_KEY_SLOTS; slot++) {
		p->key_used[slot] = keys->used[slot];
		mac_key_set(&p->keys[slot], keys->key[slot]);
	}
	p->send_slot = keys->send;
}

/* Of the fastest of some tries: that one was not interrupted. */
static u64 verify_cost_ns(const struct ctiha_mac_key *key)
{
	static const u8 sample[CTIHA_FRAME_SEALED_LEN];
	u64 began_ns, took_ns, least_ns = U64_MAX;
	unsigned int tries = 32;
	u8 mac[CTIHA_MAC_LEN];

	while (tries--) {
		began_ns = clock_now_ns();
		ctiha_mac(key, sample, sizeof(sample), mac);
		took_ns = clock_now_ns() - began_ns;
		if (took_ns < least_ns)
			least_ns = took_ns;
	}
	return least_ns;
}

static void init(struct packet *p, const struct heartbeat_node_spec *spec)
{
	p->id = spec->id;
	p->pair = spec->pair;
	p->attached = true;
	set_keys(p, &spec->keys);
	p->verify_ns = verify_cost_ns(&p->keys[p->send_slot]);
	ctiha_lease_init(&p->lease, spec->id, spec->lease_ns, spec->promise_ns,
			 spec->epoch, clock_now_ns());
	p->told_node = packet_words(p);
}

static struct heartbeat *packet_open(struct event_base *base,
				     const struct heartbeat_node_spec *spec,
				     const struct heartbeat_callbacks *callbacks,
				     void *arg, char *error, size_t error_size)
{
	struct packet *p;

	if (!spec_is_good(spec, error, error_size) ||
	    !can_work(error, error_size))
		return NULL;
	p = calloc(1, sizeof(*p));
	if (!p)
		goto no_memory;
	p->base = base;
	p->callbacks = *callbacks;
	p->arg = arg;
	p->lease_timer.fd = -1;
	p->carrier.fd = -1;
	if (packet_event_open(p, base) || packet_carrier_open(p) ||
	    packet_timer_open(&p->lease_timer, base, packet_lease_ended, p)) {
		destroy(p);
		goto no_memory;
	}
	init(p, spec);
	return (struct heartbeat *)p;

no_memory:
	snprintf(error, error_size, "backend packet: out of memory");
	return NULL;
}

/* Without goodbye: as the module does when the daemon's socket closes. */
static void packet_close(struct heartbeat *hb)
{
	struct packet *p = (struct packet *)hb;

	if (!p->left) {
		p->attached = false;
		p->report = 0;
		ctiha_lease_yield(&p->lease, enter(p));
		packet_say_to_all(p, CTIHA_FRAME_HEARTBEAT);
	}
	destroy(p);
}

static int check_link(const struct heartbeat_link_spec *spec)
{
	bool good = spec->name[0] && spec->device[0] &&
		    memchr(spec->name, '\0', sizeof(spec->name)) &&
		    memchr(spec->device, '\0', sizeof(spec->device)) &&
		    (spec->kind == CTIHA_LINK_CROSSOVER ||
		     spec->kind == CTIHA_LINK_LAN) &&
		    spec->multiplier >= CTIHA_MULTIPLIER_MIN &&
		    spec->multiplier <= CTIHA_MULTIPLIER_MAX &&
		    spec->interval_us >= CTIHA_INTERVAL_MIN_US &&
		    spec->interval_us <= CTIHA_INTERVAL_MAX_US;

	return good ? 0 : -EINVAL;
}

static struct packet_link *find_link(struct packet *p, const char *name)
{
	struct packet_link *link;

	for (link = p->links; link < p->links + PACKET_LINKS; link++)
		if (link->used && !strcmp(link->spec.name, name))
			return link;
	return NULL;
}

static int packet_link_add(struct heartbeat *hb,
			   const struct heartbeat_link_spec *spec)
{
	struct packet *p = (struct packet *)hb;
	struct packet_link *link;
	int ret = check_link(spec);

	if (ret)
		return ret;
	if (p->left)
		return -ESHUTDOWN;
	link = &p->links[spec->kind - 1];
	if (link->used || find_link(p, spec->name))
		return -EEXIST;
	enter(p);
	ret = packet_link_open(link, p, spec);
	packet_settle(p);
	return ret;
}

static int packet_link_del(struct heartbeat *hb, const char *name)
{
	struct packet *p = (struct packet *)hb;
	struct packet_link *link = find_link(p, name);

	if (!link)
		return -ENOENT;
	enter(p);
	ctiha_session_drop(&link->session, CTIHA_DIAG_NONE, packet_random());
	packet_link_tell(link, CTIHA_CAUSE_COMMAND);
	packet_link_close(link);
	packet_hear(p, NULL, 0, 0, CTIHA_CAUSE_COMMAND);
	packet_settle(p);
	return 0;
}

static int packet_switch_watch(struct heartbeat *hb, const char *device)
{
	struct packet *p = (struct packet *)hb;

	if (p->left)
		return -ESHUTDOWN;
	enter(p);
	packet_carrier_watch(p, device);
	packet_settle(p);
	return 0;
}

static int packet_report(struct heartbeat *hb, u32 report, u64 sync_pos)
{
	struct packet *p = (struct packet *)hb;

	if (p->left)
		return -ESHUTDOWN;
	enter(p);
	p->report = report;
	p->sync_pos = sync_pos;
	packet_tell_node(p, CTIHA_CAUSE_COMMAND);
	packet_settle(p);
	return 0;
}

static int packet_activate(struct heartbeat *hb, u64 epoch, u64 granted_ns)
{
	struct packet *p = (struct packet *)hb;
	int ret;

	if (p->left)
		return -ESHUTDOWN;
	ret = ctiha_lease_activate(&p->lease, epoch, granted_ns, enter(p));
	if (!ret)
		packet_tell_node(p, CTIHA_CAUSE_COMMAND);
	packet_settle(p);
	return ret;
}

static int packet_renew(struct heartbeat *hb, u64 epoch, u64 granted_ns)
{
	struct packet *p = (struct packet *)hb;
	int ret;

	ret = ctiha_lease_renew(&p->lease, epoch, granted_ns, enter(p));
	packet_settle(p);
	return ret;
}

static int packet_yield(struct heartbeat *hb)
{
	struct packet *p = (struct packet *)hb;

	if (p->left)
		return -ESHUTDOWN;
	ctiha_lease_yield(&p->lease, enter(p));
	packet_tell_node(p, CTIHA_CAUSE_COMMAND);
	packet_settle(p);
	return 0;
}

/* Goodbye is the last word: the links end, or their heartbeats would revoke it. */
static int packet_leave(struct heartbeat *hb)
{
	struct packet *p = (struct packet *)hb;
	unsigned int i;

	if (p->left)
		return -ESHUTDOWN;
	ctiha_lease_yield(&p->lease, enter(p));
	p->attached = false;
	packet_tell_node(p, CTIHA_CAUSE_COMMAND);
	for (i = 0; i < GOODBYES; i++)
		packet_say_to_all(p, CTIHA_FRAME_GOODBYE);
	p->left = true;
	close_all(p);
	packet_settle(p);
	return 0;
}

/* A stopped process stops nothing. */
static int packet_fence(struct heartbeat *hb, const struct heartbeat_fence *fence)
{
	(void)hb;
	(void)fence;
	return -EOPNOTSUPP;
}

static int packet_rekey(struct heartbeat *hb, const struct keys *keys)
{
	struct packet *p = (struct packet *)hb;

	/* What has arrived may be sealed with a key that goes. */
	enter(p);
	set_keys(p, keys);
	packet_settle(p);
	return 0;
}

static int packet_snapshot(struct heartbeat *hb,
			   struct heartbeat_snapshot *snap)
{
	struct packet *p = (struct packet *)hb;

	enter(p);
	packet_view(p, snap);
	packet_settle(p);
	return 0;
}

const struct heartbeat_backend heartbeat_packet = {
	.name = "packet",
	.open = packet_open,
	.close = packet_close,
	.fence = packet_fence,
	.rekey = packet_rekey,
	.switch_watch = packet_switch_watch,
	.link_add = packet_link_add,
	.link_del = packet_link_del,
	.report = packet_report,
	.activate = packet_activate,
	.renew = packet_renew,
	.yield = packet_yield,
	.leave = packet_leave,
	.snapshot = packet_snapshot,
};
