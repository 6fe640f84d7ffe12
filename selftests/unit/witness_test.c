// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The arbiter's client against the real arbiter's sockets on 127.0.0.1, and
 * against a false arbiter that says what the test wants. Real time: nothing is
 * asserted about how fast, only about what and in which order.
 */
#include "kselftest_harness.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <sys/wait.h>

#include "arbiter/server.h"
#include "common/clock.h"
#include "common/log.h"
#include "daemon/arbiter/witness.h"

#define MS		CTIHA_NS_PER_MS
#define PAIR		7
#define INTERVAL	(5 * MS)
#define TIMEOUT		(100 * MS)
#define LEASE		(150 * MS)
#define PROMISE		(200 * MS)
#define PATIENCE	(10000 * MS)	/* a busy machine must not fail us */

static const u8 secret[CTIHA_KEY_LEN] = { 1, 2, 3 };
static const u8 other_secret[CTIHA_KEY_LEN] = { 3, 2, 1 };

/* What one witness has told. */
struct told {
	unsigned int answers;
	unsigned int by_answer[WITNESS_REFUSED_STORAGE + 1];
	unsigned int ups;
	unsigned int downs;
	struct witness_news last;
	struct witness *close_on_answer;
	struct witness *close_on_link;
};

static void on_answer(void *arg, const struct witness_news *news)
{
	struct told *told = arg;

	told->answers++;
	told->by_answer[news->answer]++;
	told->last = *news;
	if (told->close_on_answer)
		witness_close(told->close_on_answer);
	told->close_on_answer = NULL;
}

static void on_link(void *arg, bool up, u64 time_ns)
{
	struct told *told = arg;

	if (time_ns > clock_now_ns())
		abort();
	told->ups += up;
	told->downs += !up;
	if (told->close_on_link)
		witness_close(told->close_on_link);
	told->close_on_link = NULL;
}

static const struct witness_callbacks callbacks = { on_answer, on_link };

/* The real arbiter, in this process. */
struct arbiter {
	struct pairs pairs;
	struct server server;
	char dir[64];
	unsigned int events[GRANT_EVENT_REFUSED + 1];
};

static void on_grant_event(void *arg, const struct pair *pair,
			   const struct grant_event *event)
{
	struct arbiter *a = arg;

	if (pair->id != PAIR)
		abort();
	a->events[event->kind]++;
}

static struct sockaddr_storage loopback(u16 port)
{
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in *in = (struct sockaddr_in *)&address;

	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

/* Return: 0 or -errno. As if it ran since long ago, so nothing is waited out. */
static int arbiter_start(struct arbiter *a, struct event_base *base, u16 port)
{
	struct sockaddr_storage address = loopback(port);
	int err;

	memset(&a->server, 0, sizeof(a->server));
	a->server.pairs = &a->pairs;
	err = pairs_load(&a->pairs, 1);
	if (!err)
		err = server_bind(&a->server, &address);
	if (!err)
		err = server_start(&a->server, base);
	return err;
}

FIXTURE(witness)
{
	struct event_base *base;
	struct arbiter arbiter;
	bool running;
	u16 port;
	struct witness *w[2];
	struct told told[2];
	char error[256];
};

FIXTURE_SETUP(witness)
{
	struct arbiter *a = &self->arbiter;

	log_init("witness_test", LOG_LEVEL_ERROR);
	memset(self, 0, sizeof(*self));
	self->base = event_base_new();
	ASSERT_NE(NULL, self->base);
	strcpy(a->dir, "/tmp/witness_test.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(a->dir));
	a->pairs.directory = a->dir;
	a->pairs.event = on_grant_event;
	a->pairs.event_arg = a;
	ASSERT_EQ(0, pairs_add(&a->pairs, PAIR, secret));
	ASSERT_EQ(0, arbiter_start(a, self->base, 0));
	self->running = true;
	self->port = a->server.ports[0];
}

FIXTURE_TEARDOWN(witness)
{
	char path[128];
	int i;

	for (i = 0; i < 2; i++)
		witness_close(self->w[i]);
	if (self->running)
		server_close(&self->arbiter.server);
	event_base_free(self->base);
	libevent_global_shutdown();
	snprintf(path, sizeof(path), "%s/pair-%u", self->arbiter.dir, PAIR);
	unlink(path);
	rmdir(self->arbiter.dir);
}

static struct witness_spec make_spec(u16 port, u8 node)
{
	struct witness_spec spec = {
		.arbiter = loopback(port), .pair = PAIR, .node = node,
		.interval_ns = INTERVAL, .timeout_ns = TIMEOUT,
		.lease_ns = LEASE, .promise_ns = PROMISE,
	};

	memcpy(spec.key, secret, sizeof(spec.key));
	return spec;
}

static struct witness *start(FIXTURE_DATA(witness) *self, u8 node)
{
	struct witness_spec spec = make_spec(self->port, node);

	self->w[node] = witness_open(self->base, &spec, &callbacks,
				     &self->told[node], self->error,
				     sizeof(self->error));
	return self->w[node];
}

static void turn(struct event_base *base)
{
	struct timeval tick = { 0, 2000 };

	event_base_loopexit(base, &tick);
	event_base_dispatch(base);
}

/* Runs the event loop until the condition holds, or patience is over. */
#define WAIT_FOR(base, condition) ({ \
	u64 until = clock_now_ns() + PATIENCE; \
	bool holds; \
	while (!(holds = (condition)) && clock_now_ns() < until) \
		turn(base); \
	holds; \
})

static void run_for(struct event_base *base, u64 ns)
{
	u64 until = clock_now_ns() + ns;

	while (clock_now_ns() < until)
		turn(base);
}

TEST_F(witness, link_comes_up)
{
	ASSERT_NE(NULL, start(self, 0));
	EXPECT_FALSE(witness_up(self->w[0]));
	EXPECT_EQ(0, witness_rtt_ns(self->w[0]));
	ASSERT_TRUE(WAIT_FOR(self->base, self->told[0].answers >= 3));
	EXPECT_TRUE(witness_up(self->w[0]));
	EXPECT_EQ(1, self->told[0].ups);
	EXPECT_EQ(0, self->told[0].downs);
	EXPECT_LT(0, witness_rtt_ns(self->w[0]));
	EXPECT_EQ(WITNESS_ASK_NOTHING, self->told[0].last.ask);
	EXPECT_EQ(WITNESS_NOTED, self->told[0].last.answer);
	EXPECT_EQ(U64_MAX, self->told[0].last.peer_heard_ago_ns);
}

TEST_F(witness, grant_is_renewed_until_something_else_is_said)
{
	struct told *told = &self->told[0];
	u64 before = clock_now_ns();
	unsigned int granted;

	ASSERT_NE(NULL, start(self, 0));
	witness_say(self->w[0], WITNESS_ASK_GRANT, 2, false,
		    CTIHA_ROLE_STANDBY, 0);
	ASSERT_TRUE(WAIT_FOR(self->base,
			     told->by_answer[WITNESS_GRANTED] >= 4));
	EXPECT_EQ(2, told->last.asked_epoch);
	EXPECT_EQ(2, told->last.epoch);
	EXPECT_EQ(0, told->last.holder);
	EXPECT_FALSE(told->last.released);
	EXPECT_LE(before, told->last.sent_ns);
	EXPECT_GT(clock_now_ns(), told->last.sent_ns);
	EXPECT_EQ(1, self->arbiter.events[GRANT_EVENT_GRANTED]);
	witness_say(self->w[0], WITNESS_ASK_NOTHING, 2, false,
		    CTIHA_ROLE_ACTIVE, 0);
	ASSERT_TRUE(WAIT_FOR(self->base, told->by_answer[WITNESS_NOTED] >= 1));
	granted = told->by_answer[WITNESS_GRANTED];
	ASSERT_TRUE(WAIT_FOR(self->base, told->by_answer[WITNESS_NOTED] >= 5));
	EXPECT_EQ(granted, told->by_answer[WITNESS_GRANTED]);
}

TEST_F(witness, other_node_waits_and_then_gets_the_next_epoch)
{
	struct told *told = &self->told[1];

	ASSERT_NE(NULL, start(self, 0));
	ASSERT_NE(NULL, start(self, 1));
	witness_say(self->w[0], WITNESS_ASK_GRANT, 2, false,
		    CTIHA_ROLE_ACTIVE, 0x155);
	ASSERT_TRUE(WAIT_FOR(self->base,
			     self->told[0].by_answer[WITNESS_GRANTED]));
	witness_say(self->w[1], WITNESS_ASK_GRANT, 3, false,
		    CTIHA_ROLE_STANDBY, 0);
	ASSERT_TRUE(WAIT_FOR(self->base, told->by_answer[WITNESS_WAIT] >= 3));
	EXPECT_LT(0, told->last.wait_ns);
	EXPECT_GE(PROMISE, told->last.wait_ns);
	EXPECT_EQ(2, told->last.epoch);
	EXPECT_EQ(CTIHA_ROLE_ACTIVE, told->last.peer_role);
	EXPECT_EQ(2, told->last.peer_epoch);
	EXPECT_EQ(0x155, told->last.peer_report);
	EXPECT_EQ(0, told->by_answer[WITNESS_GRANTED]);
	witness_close(self->w[0]);
	self->w[0] = NULL;
	ASSERT_TRUE(WAIT_FOR(self->base, told->by_answer[WITNESS_GRANTED]));
	EXPECT_EQ(3, told->last.epoch);
	/* The lease of the first, from its last granted request, is over. */
	EXPECT_LT(self->told[0].last.sent_ns + LEASE, clock_now_ns());
}

TEST_F(witness, release_is_said_until_it_is_known)
{
	struct told *told = &self->told[0];

	ASSERT_NE(NULL, start(self, 0));
	witness_say(self->w[0], WITNESS_ASK_GRANT, 2, false,
		    CTIHA_ROLE_ACTIVE, 0);
	ASSERT_TRUE(WAIT_FOR(self->base, told->by_answer[WITNESS_GRANTED]));
	witness_say(self->w[0], WITNESS_ASK_RELEASE, 2, false,
		    CTIHA_ROLE_STANDBY, 0);
	ASSERT_TRUE(WAIT_FOR(self->base,
			     told->last.ask == WITNESS_ASK_NOTHING &&
			     told->last.released));
	EXPECT_EQ(1, self->arbiter.events[GRANT_EVENT_RELEASED]);
}

TEST_F(witness, arbiter_restart_is_survived)
{
	struct told *told = &self->told[0];
	unsigned int granted;

	ASSERT_NE(NULL, start(self, 0));
	witness_say(self->w[0], WITNESS_ASK_GRANT, 2, false,
		    CTIHA_ROLE_ACTIVE, 0);
	ASSERT_TRUE(WAIT_FOR(self->base,
			     told->by_answer[WITNESS_GRANTED] >= 2));
	/* All that it knew but the file is gone, the challenge as well. */
	ASSERT_EQ(0, pairs_load(&self->arbiter.pairs, clock_now_ns()));
	granted = told->by_answer[WITNESS_GRANTED];
	ASSERT_TRUE(WAIT_FOR(self->base, told->by_answer[WITNESS_GRANTED] >
			     granted + 3));
	EXPECT_EQ(0, told->downs);
	EXPECT_EQ(2, told->last.epoch);
}

TEST_F(witness, arbiter_goes_and_comes_back)
{
	struct told *told = &self->told[0];

	ASSERT_NE(NULL, start(self, 0));
	ASSERT_TRUE(WAIT_FOR(self->base, told->ups == 1));
	server_close(&self->arbiter.server);
	self->running = false;
	ASSERT_TRUE(WAIT_FOR(self->base, told->downs == 1));
	EXPECT_FALSE(witness_up(self->w[0]));
	run_for(self->base, 3 * TIMEOUT);
	EXPECT_EQ(1, told->downs);
	ASSERT_EQ(0, arbiter_start(&self->arbiter, self->base, self->port));
	self->running = true;
	ASSERT_TRUE(WAIT_FOR(self->base, told->ups == 2));
	EXPECT_TRUE(witness_up(self->w[0]));
}

TEST_F(witness, wrong_key_gets_no_answer)
{
	struct witness_spec spec = make_spec(self->port, 0);

	memcpy(spec.key, other_secret, sizeof(spec.key));
	self->w[0] = witness_open(self->base, &spec, &callbacks,
				  &self->told[0], self->error,
				  sizeof(self->error));
	ASSERT_NE(NULL, self->w[0]);
	ASSERT_TRUE(WAIT_FOR(self->base,
			     self->arbiter.server.fates[PACKET_FORGED] > 5));
	EXPECT_EQ(0, self->told[0].ups);
	EXPECT_EQ(0, self->told[0].downs);
	EXPECT_EQ(0, self->told[0].answers);
}

TEST_F(witness, foreign_pair_gets_no_answer)
{
	struct witness_spec spec = make_spec(self->port, 0);

	spec.pair = PAIR + 1;
	self->w[0] = witness_open(self->base, &spec, &callbacks,
				  &self->told[0], self->error,
				  sizeof(self->error));
	ASSERT_NE(NULL, self->w[0]);
	ASSERT_TRUE(WAIT_FOR(self->base,
			     self->arbiter.server.fates[PACKET_FOREIGN] > 5));
	EXPECT_EQ(0, self->told[0].ups);
}

TEST_F(witness, may_be_closed_by_its_own_callbacks)
{
	unsigned int ups, answers;

	ASSERT_NE(NULL, start(self, 0));
	ASSERT_NE(NULL, start(self, 1));
	self->told[0].close_on_answer = self->w[0];
	self->told[1].close_on_link = self->w[1];
	self->w[0] = NULL;
	self->w[1] = NULL;
	ASSERT_TRUE(WAIT_FOR(self->base, self->told[0].answers &&
			     self->told[1].ups));
	answers = self->told[0].answers;
	ups = self->told[0].ups;
	run_for(self->base, 10 * INTERVAL);
	EXPECT_EQ(1, answers);
	EXPECT_EQ(1, self->told[0].answers);
	EXPECT_EQ(ups, self->told[0].ups);
	EXPECT_EQ(0, self->told[1].answers);
}

TEST_F(witness, missing_device_is_no_failure)
{
	struct witness_spec spec = make_spec(self->port, 0);

	strcpy(spec.device, "nosuchdevice0");
	self->w[0] = witness_open(self->base, &spec, &callbacks,
				  &self->told[0], self->error,
				  sizeof(self->error));
	ASSERT_NE(NULL, self->w[0]);
	run_for(self->base, 2 * TIMEOUT);
	EXPECT_EQ(0, self->told[0].ups);
	EXPECT_EQ(0, self->told[0].downs);
}

TEST_F(witness, device_is_used)
{
	struct witness_spec spec = make_spec(self->port, 0);

	strcpy(spec.device, "lo");
	self->w[0] = witness_open(self->base, &spec, &callbacks,
				  &self->told[0], self->error,
				  sizeof(self->error));
	ASSERT_NE(NULL, self->w[0]);
	EXPECT_TRUE(WAIT_FOR(self->base, self->told[0].ups == 1));
}

TEST_F(witness, bad_configuration_is_refused_with_a_reason)
{
	const struct witness_spec good = make_spec(self->port, 0);
	struct witness_spec bad[9];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = good;
	bad[0].arbiter.ss_family = AF_UNIX;
	bad[1].node = 2;
	bad[2].interval_ns = 5 * MS - 1;
	bad[3].interval_ns = 10001 * MS;
	bad[4].timeout_ns = 2 * INTERVAL - 1;
	bad[5].timeout_ns = 513 * INTERVAL;
	bad[6].promise_ns = LEASE;
	bad[7].lease_ns = 0;
	bad[8].promise_ns = STAMP_PROMISE_MAX_NS + 1;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		self->error[0] = 0;
		EXPECT_EQ(NULL, witness_open(self->base, &bad[i], &callbacks,
					     &self->told[0], self->error,
					     sizeof(self->error)))
			TH_LOG("case %zu", i);
		EXPECT_NE(0, self->error[0]);
	}
}

/* --- the arbiter as another process --- */

static void serve_for_ever(FIXTURE_DATA(witness) *self)
{
	event_reinit(self->base);
	event_base_dispatch(self->base);
	_exit(1);
}

/*
 * This process sleeps for many timeouts, as if it were not scheduled. Answers
 * wait in its socket; it must read them before it judges the arbiter, and must
 * not take its own silence for the arbiter's.
 */
TEST_F(witness, late_self_does_not_blame_the_arbiter)
{
	pid_t child = fork();
	unsigned int i, answers;

	ASSERT_LE(0, child);
	if (!child)
		serve_for_ever(self);
	/* Only the child serves. */
	server_close(&self->arbiter.server);
	self->running = false;
	ASSERT_NE(NULL, start(self, 0));
	EXPECT_TRUE(WAIT_FOR(self->base, self->told[0].answers >= 3));
	for (i = 0; i < 3; i++) {
		answers = self->told[0].answers;
		witness_probe(self->w[0]);
		usleep(5 * TIMEOUT / 1000);
		EXPECT_TRUE(WAIT_FOR(self->base,
				     self->told[0].answers > answers + 1));
	}
	EXPECT_EQ(0, self->told[0].downs);
	EXPECT_TRUE(witness_up(self->w[0]));
	/* A frozen arbiter, though, is down, and up when it goes on. */
	kill(child, SIGSTOP);
	EXPECT_TRUE(WAIT_FOR(self->base, self->told[0].downs == 1));
	kill(child, SIGCONT);
	EXPECT_TRUE(WAIT_FOR(self->base, self->told[0].ups == 2));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* --- a false arbiter --- */

FIXTURE(fake)
{
	struct event_base *base;
	struct ctiha_mac_key key;
	int fd;
	u16 port;
	struct sockaddr_in from;
	u8 wire[STAMP_WITNESS_LEN];
	struct stamp_request request;
	struct witness *w;
	struct told told;
};

static bool fake_open(FIXTURE_DATA(fake) *self, u64 interval_ns, u64 timeout_ns)
{
	struct witness_spec spec = make_spec(self->port, 0);
	char error[256];

	witness_close(self->w);
	spec.interval_ns = interval_ns;
	spec.timeout_ns = timeout_ns;
	self->w = witness_open(self->base, &spec, &callbacks, &self->told,
			       error, sizeof(error));
	return self->w;
}

FIXTURE_SETUP(fake)
{
	struct sockaddr_storage address = loopback(0);
	socklen_t len = sizeof(struct sockaddr_in);

	log_init("witness_test", LOG_LEVEL_ERROR);
	memset(self, 0, sizeof(*self));
	self->base = event_base_new();
	ASSERT_NE(NULL, self->base);
	stamp_key_set(&self->key, secret);
	self->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ASSERT_EQ(0, bind(self->fd, (struct sockaddr *)&address, len));
	ASSERT_EQ(0, getsockname(self->fd, (struct sockaddr *)&address, &len));
	self->port = ntohs(((struct sockaddr_in *)&address)->sin_port);
	/* The test, not the clock, shall decide when probes are sent. */
	ASSERT_TRUE(fake_open(self, 5000 * MS, 20000 * MS));
}

FIXTURE_TEARDOWN(fake)
{
	witness_close(self->w);
	event_base_free(self->base);
	libevent_global_shutdown();
	close(self->fd);
}

static bool fake_receive(FIXTURE_DATA(fake) *self)
{
	socklen_t len = sizeof(self->from);
	ssize_t n = recvfrom(self->fd, self->wire, sizeof(self->wire), 0,
			     (struct sockaddr *)&self->from, &len);

	return n == STAMP_WITNESS_LEN &&
	       stamp_request_open(self->wire, (size_t)n, &self->key,
				  &self->request) == STAMP_OK;
}

static bool next_request(FIXTURE_DATA(fake) *self)
{
	return WAIT_FOR(self->base, fake_receive(self));
}

static struct stamp_answer fitting(const FIXTURE_DATA(fake) *self, u8 answer)
{
	return (struct stamp_answer){
		.pair = PAIR, .node = 0, .ask = self->request.ask,
		.nonce = self->request.nonce, .seq = self->request.seq,
		.bound = true, .challenge = 99, .answer = answer,
		.epoch = 2, .peer_heard_ago_ns = U64_MAX,
	};
}

static void send_raw(FIXTURE_DATA(fake) *self, const u8 *wire, size_t len)
{
	if (sendto(self->fd, wire, len, 0, (struct sockaddr *)&self->from,
		   sizeof(self->from)) != (ssize_t)len)
		abort();
}

static void send_answer(FIXTURE_DATA(fake) *self,
			const struct stamp_answer *answer)
{
	static const struct stamp_passage passage;
	u8 wire[STAMP_WITNESS_LEN];

	stamp_answer_seal(wire, answer, self->wire, &passage, &self->key);
	send_raw(self, wire, sizeof(wire));
}

static void settle(FIXTURE_DATA(fake) *self)
{
	run_for(self->base, 20 * MS);
}

TEST_F(fake, request_says_what_was_said)
{
	ASSERT_TRUE(next_request(self));
	witness_say(self->w, WITNESS_ASK_GRANT, 4, true, CTIHA_ROLE_STANDBY,
		    0x2A);
	witness_probe(self->w);
	ASSERT_TRUE(next_request(self));
	EXPECT_EQ(PAIR, self->request.pair);
	EXPECT_EQ(0, self->request.node);
	EXPECT_EQ(WITNESS_ASK_GRANT, self->request.ask);
	EXPECT_EQ(4, self->request.epoch);
	EXPECT_TRUE(self->request.elected);
	EXPECT_EQ(CTIHA_ROLE_STANDBY, self->request.role);
	EXPECT_EQ(0x2A, self->request.report);
	EXPECT_EQ(2, self->request.seq);
	EXPECT_EQ(0, self->request.challenge);
	EXPECT_EQ(LEASE, self->request.lease_ns);
	EXPECT_EQ(PROMISE, self->request.promise_ns);
}

TEST_F(fake, probe_after_is_sent)
{
	ASSERT_TRUE(next_request(self));
	witness_probe_after(self->w, 5 * MS);
	ASSERT_TRUE(next_request(self));
	EXPECT_EQ(2, self->request.seq);
	settle(self);
	EXPECT_FALSE(fake_receive(self));
}

TEST_F(fake, an_answer_counts_once)
{
	struct stamp_answer answer;

	ASSERT_TRUE(next_request(self));
	answer = fitting(self, WITNESS_NOTED);
	send_answer(self, &answer);
	send_answer(self, &answer);
	ASSERT_TRUE(WAIT_FOR(self->base, self->told.answers));
	settle(self);
	EXPECT_EQ(1, self->told.answers);
}

TEST_F(fake, answers_to_others_do_nothing)
{
	struct stamp_answer answer, wrong[5];
	size_t i;

	ASSERT_TRUE(next_request(self));
	answer = fitting(self, WITNESS_NOTED);
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		wrong[i] = answer;
	wrong[0].pair++;
	wrong[1].node = 1;
	wrong[2].nonce++;
	wrong[3].seq++;
	wrong[4].ask = WITNESS_ASK_GRANT;
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		u8 seq[4] = { 0, 0, 0, (u8)wrong[i].seq };

		memcpy(self->wire, seq, sizeof(seq));
		send_answer(self, &wrong[i]);
	}
	settle(self);
	EXPECT_EQ(0, self->told.answers);
	EXPECT_EQ(0, self->told.ups);
	memset(self->wire, 0, 4);
	self->wire[3] = 1;
	send_answer(self, &answer);
	EXPECT_TRUE(WAIT_FOR(self->base, self->told.answers == 1));
}

TEST_F(fake, forged_damaged_and_reflected_packets_do_nothing)
{
	static const struct stamp_passage passage;
	u8 wire[STAMP_WITNESS_LEN], junk[STAMP_PLAIN_MAX] = { 0 };
	struct ctiha_mac_key wrong_key;
	struct stamp_answer answer;
	size_t i;

	ASSERT_TRUE(next_request(self));
	answer = fitting(self, WITNESS_NOTED);
	send_raw(self, self->wire, sizeof(self->wire));
	stamp_key_set(&wrong_key, other_secret);
	stamp_answer_seal(wire, &answer, self->wire, &passage, &wrong_key);
	send_raw(self, wire, sizeof(wire));
	stamp_answer_seal(wire, &answer, self->wire, &passage, &self->key);
	for (i = 0; i < sizeof(wire); i += 11) {
		wire[i] ^= 0x10;
		send_raw(self, wire, sizeof(wire));
		wire[i] ^= 0x10;
		send_raw(self, wire, i);
	}
	memcpy(junk, wire, sizeof(wire));
	send_raw(self, junk, sizeof(wire) + 1);
	send_raw(self, junk, sizeof(junk));
	settle(self);
	EXPECT_EQ(0, self->told.answers);
	EXPECT_EQ(0, self->told.ups);
	send_raw(self, wire, sizeof(wire));
	EXPECT_TRUE(WAIT_FOR(self->base, self->told.answers == 1));
}

TEST_F(fake, challenge_is_answered_at_once_and_once)
{
	u64 before = clock_now_ns();
	struct stamp_answer answer;

	ASSERT_TRUE(next_request(self));
	answer = fitting(self, WITNESS_NOTED);
	answer.bound = false;
	send_answer(self, &answer);
	ASSERT_TRUE(next_request(self));
	/* Not the regular probe of 5 s later. */
	EXPECT_GT(4000 * MS, clock_now_ns() - before);
	EXPECT_EQ(99, self->request.challenge);
	EXPECT_TRUE(witness_up(self->w));
	EXPECT_EQ(0, self->told.answers);
	/* The same challenge again: no storm of requests. */
	answer = fitting(self, WITNESS_NOTED);
	answer.bound = false;
	send_answer(self, &answer);
	settle(self);
	EXPECT_FALSE(fake_receive(self));
}

TEST_F(fake, grant_that_crosses_its_release_is_not_passed_on)
{
	struct stamp_answer granted, noted;

	ASSERT_TRUE(next_request(self));
	witness_say(self->w, WITNESS_ASK_GRANT, 2, false, CTIHA_ROLE_STANDBY,
		    0);
	witness_probe(self->w);
	ASSERT_TRUE(next_request(self));
	granted = fitting(self, WITNESS_GRANTED);
	witness_say(self->w, WITNESS_ASK_RELEASE, 2, false, CTIHA_ROLE_STANDBY,
		    0);
	send_answer(self, &granted);
	settle(self);
	EXPECT_EQ(0, self->told.answers);
	witness_probe(self->w);
	ASSERT_TRUE(next_request(self));
	EXPECT_EQ(WITNESS_ASK_RELEASE, self->request.ask);
	noted = fitting(self, WITNESS_NOTED);
	send_answer(self, &noted);
	EXPECT_TRUE(WAIT_FOR(self->base, self->told.answers == 1));
	/* A later epoch is another matter. */
	witness_say(self->w, WITNESS_ASK_GRANT, 4, false, CTIHA_ROLE_STANDBY,
		    0);
	witness_probe(self->w);
	ASSERT_TRUE(next_request(self));
	granted = fitting(self, WITNESS_GRANTED);
	send_answer(self, &granted);
	EXPECT_TRUE(WAIT_FOR(self->base,
			     self->told.by_answer[WITNESS_GRANTED] == 1));
}

TEST_F(fake, release_is_repeated_while_it_is_not_stored)
{
	struct stamp_answer answer;

	ASSERT_TRUE(next_request(self));
	witness_say(self->w, WITNESS_ASK_RELEASE, 2, false, CTIHA_ROLE_STANDBY,
		    0);
	witness_probe(self->w);
	ASSERT_TRUE(next_request(self));
	answer = fitting(self, WITNESS_REFUSED_STORAGE);
	send_answer(self, &answer);
	ASSERT_TRUE(WAIT_FOR(self->base, self->told.answers == 1));
	witness_probe(self->w);
	ASSERT_TRUE(next_request(self));
	EXPECT_EQ(WITNESS_ASK_RELEASE, self->request.ask);
	answer = fitting(self, WITNESS_NOTED);
	send_answer(self, &answer);
	ASSERT_TRUE(WAIT_FOR(self->base, self->told.answers == 2));
	witness_probe(self->w);
	ASSERT_TRUE(next_request(self));
	EXPECT_EQ(WITNESS_ASK_NOTHING, self->request.ask);
}

/* The times come from the own table: when it was sent, not when answered. */
TEST_F(fake, answers_may_overtake_each_other)
{
	struct stamp_answer first, second;
	u64 between;

	ASSERT_TRUE(next_request(self));
	first = fitting(self, WITNESS_NOTED);
	between = clock_now_ns();
	witness_probe(self->w);
	ASSERT_TRUE(next_request(self));
	second = fitting(self, WITNESS_NOTED);
	send_answer(self, &second);
	ASSERT_TRUE(WAIT_FOR(self->base, self->told.answers == 1));
	EXPECT_LE(between, self->told.last.sent_ns);
	self->wire[3] = 1;
	send_answer(self, &first);
	ASSERT_TRUE(WAIT_FOR(self->base, self->told.answers == 2));
	EXPECT_GE(between, self->told.last.sent_ns);
}

TEST_F(fake, closed_by_the_link_callback_tells_nothing_more)
{
	struct stamp_answer answer;

	ASSERT_TRUE(next_request(self));
	self->told.close_on_link = self->w;
	self->w = NULL;
	answer = fitting(self, WITNESS_NOTED);
	send_answer(self, &answer);
	ASSERT_TRUE(WAIT_FOR(self->base, self->told.ups == 1));
	settle(self);
	EXPECT_EQ(0, self->told.answers);
}

/* The own address may have changed since it was bound. */
TEST_F(fake, socket_is_renewed_while_nothing_is_heard)
{
	u16 port;

	ASSERT_TRUE(next_request(self));
	ASSERT_TRUE(fake_open(self, 20 * MS, 40 * MS));
	ASSERT_TRUE(next_request(self));
	port = self->from.sin_port;
	EXPECT_TRUE(WAIT_FOR(self->base, fake_receive(self) &&
			     self->from.sin_port != port));
}

/* Answers every request for a while, as a good arbiter. */
static void answer_for(FIXTURE_DATA(fake) *self, u64 ns)
{
	u64 until = clock_now_ns() + ns;

	while (clock_now_ns() < until) {
		turn(self->base);
		if (fake_receive(self)) {
			struct stamp_answer answer = fitting(self,
							     WITNESS_NOTED);

			send_answer(self, &answer);
		}
	}
}

/*
 * One answer is lost and then this process sleeps for several timeouts: one
 * probe in all that time proves nothing.
 */
TEST_F(fake, one_lost_answer_and_a_late_self_are_no_silence)
{
	ASSERT_TRUE(fake_open(self, 20 * MS, 100 * MS));
	self->told = (struct told){ 0 };
	answer_for(self, 200 * MS);
	ASSERT_EQ(1, self->told.ups);
	while (fake_receive(self))
		;
	witness_probe(self->w);
	ASSERT_TRUE(fake_receive(self));
	usleep(500000);
	answer_for(self, 300 * MS);
	EXPECT_EQ(0, self->told.downs);
	EXPECT_TRUE(WAIT_FOR(self->base, self->told.downs == 1));
}

/* An answer from long ago shows that the link was up, not that it is. */
TEST_F(fake, late_answer_does_not_bring_the_link_up)
{
	struct stamp_answer answer;

	ASSERT_TRUE(next_request(self));
	ASSERT_TRUE(fake_open(self, 20 * MS, 40 * MS));
	ASSERT_TRUE(next_request(self));
	answer = fitting(self, WITNESS_NOTED);
	/* The socket is changed after a timeout: the answer must still fit. */
	run_for(self->base, 60 * MS);
	while (fake_receive(self))
		;
	self->wire[3] = (u8)answer.seq;
	memset(self->wire, 0, 3);
	send_answer(self, &answer);
	ASSERT_TRUE(WAIT_FOR(self->base, self->told.answers == 1));
	EXPECT_EQ(0, self->told.ups);
	EXPECT_FALSE(witness_up(self->w));
}

TEST_HARNESS_MAIN
