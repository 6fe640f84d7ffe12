// SPDX-License-Identifier: GPL-2.0-or-later
/* A hostile hour for two servers. See chaos.h. */
#include "chaos.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "capture.h"

#define STEP_NS		(50 * MS)
#define REPORT_NS	(200 * MS)
#define WATCH_MS	1000
#define KEY		0x5a

/* What a cable can do, in one direction; about one frame in ten thousand comes late. */
static const char * const netem[] = {
	"delay 1ms 0.3ms loss 1% duplicate 1%",
	"delay 2ms 1.5ms loss 3% duplicate 2%",
	"delay 30ms 25ms loss 20% duplicate 10%",
	"loss 60%",
	"loss 100%",
};

#define NETEM_CUT	(ARRAY_SIZE(netem) - 1)

static const char * const port_name[CHAOS_PORTS] = { "xa", "xb", "la", "lb" };

/* SplitMix64; @below: not 0. */
static u64 draw(struct chaos *c, u64 below)
{
	u64 z = c->random += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (z ^ z >> 31) % below;
}

static void set_port(struct chaos *c, unsigned int port, unsigned int what)
{
	fprintf(c->tc, "qdisc replace dev %s root netem %s\n", port_name[port],
		netem[what]);
	fflush(c->tc);
	fprintf(c->log, "%llu port %s %s\n", (unsigned long long)clock_now_ns(),
		port_name[port], netem[what]);
}

/* What the servers tell. */

static void office_changes(struct chaos *c, u8 server, const struct news *news)
{
	bool acts = news->node.role == CTIHA_ROLE_ACTIVE;
	struct office **term = &c->daemon[server].term;

	if (*term && (!acts || (*term)->epoch != news->node.epoch)) {
		(*term)->until_ns = news->event.time_ns;
		*term = NULL;
	}
	if (!acts || *term || c->offices == CHAOS_OFFICES)
		return;
	*term = &c->office[c->offices++];
	**term = (struct office) {
		.server = server, .epoch = news->node.epoch,
		.from_ns = news->event.time_ns, .until_ns = U64_MAX,
	};
}

static void log_news(struct chaos *c, u8 server, const struct news *news)
{
	fprintf(c->log, "%llu %s %llu ",
		(unsigned long long)news->event.time_ns,
		c->daemon[server].server->name,
		(unsigned long long)news->event.seq);
	switch (news->command) {
	case CTIHA_CMD_NODE_NTF:
		fprintf(c->log, "node cause %u role %u epoch %llu vote %llu report %x lease %llu\n",
			news->event.cause, news->node.role,
			(unsigned long long)news->node.epoch,
			(unsigned long long)news->node.vote_epoch,
			news->node.report,
			(unsigned long long)news->node.lease_left_ns);
		break;
	case CTIHA_CMD_PEER_NTF:
		fprintf(c->log, "peer cause %u heard %d role %u epoch %llu vote %llu report %x\n",
			news->event.cause, news->peer.heard, news->peer.role,
			(unsigned long long)news->peer.epoch,
			(unsigned long long)news->peer.vote_epoch,
			news->peer.report);
		break;
	default:
		fprintf(c->log, "link %u cause %u state %u diag %u heard %llu\n",
			news->link.kind, news->event.cause, news->link.state,
			news->link.diag, (unsigned long long)news->link.heard_ns);
	}
}

static void take_news(struct chaos *c, u8 server, const struct news *news)
{
	struct daemon *d = &c->daemon[server];

	if (d->event_seq && news->event.seq != d->event_seq + 1)
		d->event_gaps++;
	d->event_seq = news->event.seq;
	log_news(c, server, news);
	if (news->command == CTIHA_CMD_NODE_NTF) {
		d->node = news->node;
		office_changes(c, server, news);
	} else if (news->command == CTIHA_CMD_PEER_NTF) {
		d->peer = news->peer;
	} else if (news->link.state == CTIHA_SESSION_DOWN) {
		c->sessions_lost++;
	}
}

/* What an observer on the cables sees. */

static void claims(struct chaos *c, const struct captured *captured)
{
	struct office *claim;

	if (captured->frame.role != CTIHA_ROLE_ACTIVE ||
	    captured->frame.epoch >= CHAOS_OFFICES)
		return;
	claim = &c->claim[captured->frame.epoch];
	if (!claim->from_ns || captured->time_ns < claim->from_ns)
		claim->from_ns = captured->time_ns;
	if (captured->time_ns > claim->until_ns)
		claim->until_ns = captured->time_ns;
	claim->epoch = captured->frame.epoch;
	claim->server = captured->frame.node;
}

static void observe(struct chaos *c)
{
	struct captured captured;
	unsigned int i;

	for (i = 0; i < CHAOS_PORTS; i++) {
		struct port *port = &c->port[i];

		while (capture_next(port->capture, KEY, &captured)) {
			if (captured.direction == CAPTURE_IN) {
				port->sent++;
				claims(c, &captured);
			} else {
				port->reached++;
			}
		}
	}
}

/* What the daemons do. */

static bool arbiter_grants(struct chaos *c, u8 node, u64 epoch, u64 now_ns)
{
	struct arbiter *a = &c->arbiter;
	bool renewal = a->holder == node && a->epoch == epoch;

	if (now_ns < a->away_until_ns)
		return false;
	if (!renewal && (epoch <= a->epoch ||
			 (a->holder != node && now_ns < a->until_ns)))
		return false;
	a->holder = node;
	a->epoch = epoch;
	a->until_ns = now_ns + c->daemon[node].node.promise_ns;
	return true;
}

static void activate(struct chaos *c, struct daemon *d, u64 epoch, u64 granted_ns)
{
	int err = server_epoch(d->server, CTIHA_CMD_ACTIVATE, epoch, granted_ns);

	if (err)
		c->refused++;
	fprintf(c->log, "%llu %s activate %llu grant %llu: %d\n",
		(unsigned long long)clock_now_ns(), d->server->name,
		(unsigned long long)epoch, (unsigned long long)granted_ns, err);
}

static u64 own_epoch_above(const struct daemon *d)
{
	u64 known = d->node.epoch > d->node.vote_epoch ? d->node.epoch :
							 d->node.vote_epoch;

	return ctiha_epoch_next(known, d->server->id);
}

/* More eager than any daemon should be: the module has to hold it back. */
static void seek_office(struct chaos *c, struct daemon *d)
{
	u64 vote = d->peer.vote_epoch, now_ns = clock_now_ns();
	u64 epoch = own_epoch_above(d);

	if (vote > d->node.epoch && ctiha_epoch_owner(vote) == d->server->id)
		activate(c, d, vote, 0);
	else if ((!d->peer.heard || !draw(c, 50)) &&
		 arbiter_grants(c, d->server->id, epoch, now_ns))
		activate(c, d, epoch, now_ns);
	else if (!draw(c, 100))
		activate(c, d, epoch, 0);
}

static void stay_in_office(struct chaos *c, struct daemon *d)
{
	u64 now_ns = clock_now_ns();

	if (!draw(c, 2000))
		server_plain(d->server, CTIHA_CMD_YIELD);
	else if (arbiter_grants(c, d->server->id, d->node.epoch, now_ns))
		server_epoch(d->server, CTIHA_CMD_RENEW, d->node.epoch, now_ns);
}

static void work(struct chaos *c, struct daemon *d)
{
	u64 now_ns = clock_now_ns();

	if (now_ns < d->mute_until_ns)
		return;
	if (now_ns >= d->report_ns) {
		if (server_report(d->server, CTIHA_REPORT_ELIGIBLE) == -ESTALE)
			server_attach(d->server, WATCH_MS);
		d->report_ns = now_ns + REPORT_NS;
	}
	if (d->node.role == CTIHA_ROLE_ACTIVE)
		stay_in_office(c, d);
	else
		seek_office(c, d);
}

/* One thing goes wrong, or right again. */
static void misfortune(struct chaos *c)
{
	u64 now_ns = clock_now_ns(), span_ns = draw(c, 3 * SECOND);
	unsigned int cut;

	switch (draw(c, 8)) {
	case 0:
		c->daemon[draw(c, SERVERS)].mute_until_ns = now_ns + span_ns;
		break;
	case 1:
		c->arbiter.away_until_ns = now_ns + span_ns;
		break;
	case 2:		/* a cable is pulled, or all are */
		cut = draw(c, 3);
		if (cut != 1) {
			set_port(c, 0, NETEM_CUT);
			set_port(c, 1, NETEM_CUT);
		}
		if (cut != 0) {
			set_port(c, 2, NETEM_CUT);
			set_port(c, 3, NETEM_CUT);
		}
		break;
	default:
		set_port(c, draw(c, CHAOS_PORTS),
			 draw(c, draw(c, 2) ? 2 : ARRAY_SIZE(netem)));
	}
}

static void listen_until(struct chaos *c, u64 time_ns)
{
	struct pollfd fds[SERVERS];
	struct timespec left;
	struct news news;
	u64 now_ns;
	int i;

	for (i = 0; i < SERVERS; i++)
		fds[i] = (struct pollfd) {
			.fd = genl_fd(c->daemon[i].server->events),
			.events = POLLIN,
		};
	while ((now_ns = clock_now_ns()) < time_ns) {
		left.tv_sec = 0;
		left.tv_nsec = time_ns - now_ns;
		ppoll(fds, SERVERS, &left, NULL);
		for (i = 0; i < SERVERS; i++)
			while (server_news(c->daemon[i].server, &news))
				take_news(c, i, &news);
	}
}

static void run(struct chaos *c, u64 duration_ns, bool calm)
{
	u64 now_ns = clock_now_ns(), end_ns = now_ns + duration_ns;

	for (; now_ns < end_ns; now_ns += STEP_NS) {
		if (!calm && !draw(c, 40))
			misfortune(c);
		work(c, &c->daemon[A]);
		work(c, &c->daemon[B]);
		listen_until(c, now_ns + STEP_NS);
		observe(c);
	}
}

void chaos_run(struct chaos *c, u64 duration_ns)
{
	run(c, duration_ns, false);
}

void chaos_calm(struct chaos *c, u64 duration_ns)
{
	unsigned int i;

	for (i = 0; i < CHAOS_PORTS; i++)
		set_port(c, i, 0);
	c->arbiter.away_until_ns = 0;
	c->daemon[A].mute_until_ns = 0;
	c->daemon[B].mute_until_ns = 0;
	run(c, duration_ns, true);
}

static int port_open(struct chaos *c, unsigned int i)
{
	struct port *port = &c->port[i];

	*port = (struct port) {
		.server = i & 1,
		.kind = i < 2 ? CTIHA_LINK_CROSSOVER : CTIHA_LINK_LAN,
		.capture = capture_open(port_name[i]),
	};
	return port->capture < 0 ? -1 : 0;
}

int chaos_begin(struct chaos *c, struct bed *bed, u64 seed, FILE *log)
{
	unsigned int i;

	memset(c, 0, sizeof(*c));
	c->random = seed;
	c->log = log;
	c->tc = popen("tc -force -batch -", "we");
	if (!c->tc)
		return -1;
	for (i = 0; i < SERVERS; i++) {
		c->daemon[i].server = &bed->server[i];
		c->daemon[i].node = server_node(&bed->server[i]);
		if (server_attach(&bed->server[i], WATCH_MS))
			return -1;
	}
	for (i = 0; i < CHAOS_PORTS; i++)
		if (port_open(c, i))
			return -1;
	return 0;
}

void chaos_end(struct chaos *c)
{
	unsigned int i;

	for (i = 0; i < CHAOS_PORTS; i++)
		close(c->port[i].capture);
	pclose(c->tc);
}
