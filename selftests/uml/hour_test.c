// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A simulated hour (UML_SECONDS, if set) of a hostile world. Never do both servers
 * act, sessions come back, and the counters agree with what was on the cables. All
 * that happened is in UML_OUT/events; a second run under the same seed (UML_SEED of
 * selftests/uml/run) writes the same.
 */
#include "kselftest_harness.h"

#include <stdlib.h>

#include <ctiha/damping.h>

#include "capture.h"
#include "chaos.h"

#define KEY		0x5a
#define INTERVAL_US	50000
#define MULTIPLIER	3
#define LEASE		(400 * MS)
#define PROMISE		(500 * MS)

FIXTURE(pair)
{
	struct bed bed;
};

FIXTURE_SETUP(pair)
{
	int i;

	ASSERT_EQ(0, bed_open(&self->bed));
	for (i = 0; i < SERVERS; i++) {
		struct server *s = &self->bed.server[i];

		ASSERT_EQ(0, server_create(s, LEASE, PROMISE));
		ASSERT_EQ(0, server_key(s, 0, KEY));
	}
}

FIXTURE_TEARDOWN(pair)
{
	bed_close(&self->bed);
}

static int links_add(FIXTURE_DATA(pair) *self, u8 multiplier)
{
	int i, err = 0;

	for (i = 0; i < SERVERS && !err; i++) {
		struct server *s = &self->bed.server[i];

		err = server_link(s, CTIHA_LINK_CROSSOVER, INTERVAL_US, multiplier);
		if (!err)
			err = server_link(s, CTIHA_LINK_LAN, INTERVAL_US, multiplier);
	}
	return err;
}

/* All four ends, towards the servers. */
static int cables(const char *netem)
{
	return bed_run("for port in xa xb la lb; do tc qdisc replace dev $port root netem %s || exit; done",
		       netem);
}

/* What came before there was a link to hear it would be counted by nobody. */
static int links_add_unheard(FIXTURE_DATA(pair) *self, u8 multiplier)
{
	return cables("loss 100%") || links_add(self, multiplier) || cables("");
}

static int by_begin(const void *a, const void *b)
{
	const struct office *x = a, *y = b;

	return x->from_ns < y->from_ns ? -1 : x->from_ns > y->from_ns;
}

/* Return: how often two terms of different epochs overlap. */
static unsigned int overlaps(struct office *office, unsigned int count)
{
	unsigned int i, found = 0;

	qsort(office, count, sizeof(*office), by_begin);
	for (i = 0; i + 1 < count; i++) {
		if (office[i].until_ns <= office[i + 1].from_ns)
			continue;
		printf("# epochs %llu and %llu overlap\n",
		       (unsigned long long)office[i].epoch,
		       (unsigned long long)office[i + 1].epoch);
		found++;
	}
	return found;
}

/* Leaves only epochs in which a heartbeat said "active". Return: how many. */
static unsigned int compact(struct office *claim)
{
	unsigned int i, count = 0;

	for (i = 0; i < CHAOS_OFFICES; i++)
		if (claim[i].from_ns)
			claim[count++] = claim[i];
	return count;
}

static u64 served_ns(const struct office *office, unsigned int count, u64 now_ns)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < count; i++)
		sum += (office[i].until_ns == U64_MAX ? now_ns : office[i].until_ns) -
		       office[i].from_ns;
	return sum;
}

/* All that reached a link was counted, as one thing or another. */
static u64 counted(const struct heartbeat_stats *stats)
{
	return stats->count[CTIHA_A_STAT_RX] + stats->count[CTIHA_A_STAT_REPLAYED] +
	       stats->count[CTIHA_A_STAT_MALFORMED] +
	       stats->count[CTIHA_A_STAT_VERSION] +
	       stats->count[CTIHA_A_STAT_KEY] +
	       stats->count[CTIHA_A_STAT_FORGED] +
	       stats->count[CTIHA_A_STAT_FOREIGN] +
	       stats->count[CTIHA_A_STAT_UNVERIFIED];
}

static FILE *event_log(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/events", getenv("UML_OUT"));
	return fopen(path, "w");
}

static u64 duration_ns(void)
{
	const char *seconds = getenv("UML_SECONDS");

	return (seconds ? strtoull(seconds, NULL, 10) : 3600) * SECOND;
}

TEST_F_TIMEOUT(pair, never_two_act_in_a_hostile_hour, 40000)
{
	struct chaos *c = malloc(sizeof(*c));
	unsigned int i, claims, acting;
	FILE *log = event_log();
	u64 begin_ns, now_ns;

	ASSERT_NE(NULL, c);
	ASSERT_NE(NULL, log);
	ASSERT_EQ(0, chaos_begin(c, &self->bed, 20240101, log));
	ASSERT_EQ(0, links_add_unheard(self, MULTIPLIER));
	begin_ns = clock_now_ns();
	chaos_run(c, duration_ns());
	chaos_calm(c, CTIHA_DAMPING_MAX_NS + 10 * SECOND);
	now_ns = clock_now_ns();

	claims = compact(c->claim);
	printf("# %u terms, %u of them claimed on the cables, %llu attempts refused, %llu sessions lost, served %llu of %llu ms\n",
	       c->offices, claims, (unsigned long long)c->refused,
	       (unsigned long long)c->sessions_lost,
	       (unsigned long long)(served_ns(c->office, c->offices, now_ns) / MS),
	       (unsigned long long)((now_ns - begin_ns) / MS));
	EXPECT_LT(duration_ns() / (60 * SECOND), c->offices);
	EXPECT_LT(duration_ns() / (60 * SECOND), c->sessions_lost);
	EXPECT_LT(0, c->refused);
	EXPECT_EQ(0, overlaps(c->office, c->offices));
	EXPECT_EQ(0, overlaps(c->claim, claims));

	acting = 0;
	for (i = 0; i < SERVERS; i++) {
		struct heartbeat_node node = server_node(&self->bed.server[i]);

		acting += node.role == CTIHA_ROLE_ACTIVE;
		EXPECT_EQ(0, c->daemon[i].event_gaps);
	}
	EXPECT_EQ(1, acting);
	for (i = 0; i < CHAOS_PORTS; i++) {
		struct port *port = &c->port[i];
		struct heartbeat_link link =
			server_view_link(&self->bed.server[port->server], port->kind);

		EXPECT_EQ(CTIHA_SESSION_UP, link.state);
		EXPECT_EQ(port->sent, link.stats.count[CTIHA_A_STAT_TX]);
		EXPECT_EQ(port->reached, counted(&link.stats));
		EXPECT_EQ(0, link.stats.count[CTIHA_A_STAT_MISSED]);
		EXPECT_EQ(0, link.stats.count[CTIHA_A_STAT_TX_FAILED]);
		EXPECT_EQ(0, link.stats.count[CTIHA_A_STAT_FORGED]);
		EXPECT_LT(0, link.stats.count[CTIHA_A_STAT_LOST]);
	}
	chaos_end(c);
	fclose(log);
	free(c);
}

/* What one sent is what the other heard, or lost; what came twice, a replay. */
TEST_F_TIMEOUT(pair, counters_agree_on_a_lossy_cable, 600)
{
	struct server *a = &self->bed.server[A], *b = &self->bed.server[B];
	struct heartbeat_link sent[2], heard[2];
	struct captured captured;
	u64 reached = 0;
	int port;

	ASSERT_EQ(0, links_add(self, 50));
	sleep_until(clock_now_ns() + 5 * SECOND);
	port = capture_open("xb");
	sent[0] = server_view_link(a, CTIHA_LINK_CROSSOVER);
	heard[0] = server_view_link(b, CTIHA_LINK_CROSSOVER);
	ASSERT_EQ(CTIHA_SESSION_UP, heard[0].state);
	ASSERT_EQ(0, bed_run("tc qdisc replace dev xb root netem delay 60ms 50ms loss 20%% duplicate 10%%"));
	sleep_until(clock_now_ns() + 100 * SECOND);
	ASSERT_EQ(0, bed_run("tc qdisc replace dev xb root netem"));
	sleep_until(clock_now_ns() + SECOND + MS);
	sent[1] = server_view_link(a, CTIHA_LINK_CROSSOVER);
	heard[1] = server_view_link(b, CTIHA_LINK_CROSSOVER);
	while (capture_next(port, KEY, &captured))
		reached += captured.direction == CAPTURE_OUT;
	close(port);

#define GROWTH(what, stat) ((what)[1].stats.count[CTIHA_A_STAT_##stat] - \
			    (what)[0].stats.count[CTIHA_A_STAT_##stat])
	EXPECT_EQ(0, heard[1].changes);
	EXPECT_EQ(GROWTH(sent, TX), GROWTH(heard, RX) + GROWTH(heard, LOST));
	EXPECT_EQ(reached, GROWTH(heard, RX) + GROWTH(heard, REPLAYED));
	EXPECT_LT(0, GROWTH(heard, LOST));
	EXPECT_LT(0, GROWTH(heard, REPLAYED));
}

TEST_HARNESS_MAIN
