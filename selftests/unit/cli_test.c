// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What ctiha(8) prints, to the letter, against a control socket that answers
 * as the daemon would: served by a child process, with control.c.
 */
#include <event2/event.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "cli/cli.h"
#include "daemon/control.h"
#include "daemon/document.h"

/* ---- the daemon's side ---- */

static struct heartbeat_link link_of(u8 kind, const char *device)
{
	struct heartbeat_link l = {
		.kind = kind,
		.state = CTIHA_SESSION_UP,
		.carrier = true,
		.multiplier = 3,
		.interval_us = 10000,
		.agreed_us = 10000,
		.detect_ns = 30000000,
		.rtt_ns = 212000,
		.heard_ns = 996000000,
		.changes = 1,
		.peer_mac = { 2, 0, 0, 0, 0, 2 },
	};

	strcpy(l.name, document_kind(kind));
	strcpy(l.device, device);
	l.stats.count[CTIHA_A_STAT_TX] = 123456;
	l.stats.count[CTIHA_A_STAT_LOST] = 3;
	return l;
}

static json_t *links_document(void)
{
	struct heartbeat_link l1 = link_of(CTIHA_LINK_CROSSOVER, "eth1");
	struct heartbeat_link l2 = link_of(CTIHA_LINK_LAN, "eth0");

	l2.state = CTIHA_SESSION_DOWN;
	l2.diag = CTIHA_DIAG_SILENCE;
	l2.carrier = false;
	return json_pack("[o, o]", document_link(&l1, 1000000000),
			 document_link(&l2, 1000000000));
}

static json_t *peer_document(bool heard)
{
	struct heartbeat_peer peer = {
		.heard = heard,
		.role = CTIHA_ROLE_STANDBY,
		.epoch = 12,
		.vote_epoch = 12,
		.report = CTIHA_REPORT_DAEMON | CTIHA_REPORT_SYNCED |
			  CTIHA_REPORT_CARRIER_SWITCH,
		.heard_ns = 997000000,
	};

	return document_peer(&peer, 1000000000);
}

static enum control_result run_status(const json_t *request, json_t *reply,
				      u64 token, void *arg)
{
	bool trouble = *(bool *)arg;
	json_t *peer = peer_document(!trouble);
	json_t *status;

	json_object_set_new(peer, "name", json_string("cti-b"));
	status = json_pack("{s:s, s:i, s:i, s:s, s:s, s:i, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s}",
		"name", "cti-a", "node", 0, "pair", 7, "backend", "module",
		"role", trouble ? "initial" : "active", "epoch", 12,
		"phase", trouble ? "claiming" : "serving",
		"reason", "the peer is silent",
		"lease_left_ms", 48, "peer", peer, "links", links_document(),
		"arbiter", json_pack("{s:b, s:s, s:i}", "up", true, "address",
				     "192.0.2.9", "rtt_us", 640),
		"sync", json_pack("{s:s, s:s, s:i}", "state",
				  trouble ? "alone" : "identical", "path",
				  "crossover", "records", 10000),
		"service", json_pack("[{s:s, s:s, s:b}]", "address",
				     "192.0.2.10/24", "device", "eth0",
				     "present", !trouble),
		"switch", json_pack("{s:s, s:b, s:b, s:b}", "device", "eth2",
				    "present", !trouble, "carrier", !trouble,
				    "peer_carrier", false),
		"application", json_pack("{s:b}", "alive", !trouble),
		"alarms", trouble ?
		json_pack("[{s:s, s:s, s:i, s:s}]", "id", "x", "severity",
			  "critical", "since_ms", 72000, "text",
			  "nobody serves the calls") : json_array(),
		"advice", "nothing to do");
	json_object_update(reply, status);
	json_decref(status);
	return CONTROL_DONE;
}

static enum control_result run_links(const json_t *request, json_t *reply,
				     u64 token, void *arg)
{
	json_object_set_new(reply, "links", links_document());
	return CONTROL_DONE;
}

static enum control_result run_node(const json_t *request, json_t *reply,
				    u64 token, void *arg)
{
	struct heartbeat_node node = {
		.pair = 7,
		.role = CTIHA_ROLE_ACTIVE,
		.epoch = 12,
		.vote_epoch = 12,
		.lease_left_ns = 48000000,
		.report = CTIHA_REPORT_DAEMON | CTIHA_REPORT_CARRIER_L1,
		.switch_nic = { .device = "eth2", .ifindex = 4 },
	};

	json_object_set_new(reply, "node", document_node(&node));
	json_object_set_new(reply, "peer", peer_document(true));
	return CONTROL_DONE;
}

static enum control_result run_takeover(const json_t *request, json_t *reply,
					u64 token, void *arg)
{
	if (!json_is_true(json_object_get(request, "wait")))
		return control_fail(reply, "use --wait", "not without waiting");
	json_object_set_new(reply, "epoch", json_integer(14));
	return CONTROL_DONE;
}

static enum control_result run_monitor(const json_t *request, json_t *reply,
				       u64 token, void *arg)
{
	return CONTROL_STREAM;
}

static const struct control_command commands[] = {
	{ "status", false, run_status },
	{ "links", false, run_links },
	{ "node", false, run_node },
	{ "takeover", true, run_takeover },
	{ "monitor", false, run_monitor },
	{ NULL, false, NULL },
};

struct server {
	struct control *control;
	struct event_base *base;
	unsigned int ticks;
};

/* Events for whoever monitors; after some time the daemon ends. */
static void tick(evutil_socket_t fd, short what, void *arg)
{
	struct heartbeat_link link = link_of(CTIHA_LINK_LAN, "eth0");
	struct heartbeat_event event = {
		.seq = 7,
		.time_ns = 12345678901000,
		.cause = CTIHA_CAUSE_SESSION,
	};
	struct server *s = arg;
	json_t *document;

	document = document_event(&event, "link", document_link(&link, 0));
	control_broadcast(s->control, document);
	json_decref(document);
	document = json_pack("{s:I, s:s, s:s, s:i}", "time_ns",
			     (json_int_t)12345679000000, "object", "step",
			     "step", "role active", "epoch", 14);
	control_broadcast(s->control, document);
	json_decref(document);
	if (++s->ticks == 100)
		event_base_loopbreak(s->base);
}

static void serve(const char *path, bool trouble, int ready)
{
	static const struct timeval period = { .tv_usec = 50000 };
	struct server s = { .base = event_base_new() };
	struct event *timer;
	char error[256];

	s.control = control_open(s.base, path, commands, &trouble, error,
				 sizeof(error));
	timer = event_new(s.base, -1, EV_PERSIST, tick, &s);
	event_add(timer, &period);
	if (!s.control || write(ready, "r", 1) != 1)
		_exit(1);
	event_base_dispatch(s.base);
	_exit(0);
}

/* ---- the operator's side ---- */

FIXTURE(cli)
{
	struct cli cli;
	char path[64];
	pid_t daemon;
	char out[8192];
	char err[1024];
};

FIXTURE_SETUP(cli)
{
	memset(self, 0, sizeof(*self));
	/* A node of the machine's own must not answer for the daemon. */
	if (unshare(CLONE_NEWNET))
		TH_LOG("in the machine's network namespace");
	snprintf(self->path, sizeof(self->path), "/tmp/cli_test.%d", getpid());
	self->cli.socket = self->path;
}

static void stop(FIXTURE_DATA(cli) *self)
{
	if (self->daemon) {
		kill(self->daemon, SIGKILL);
		waitpid(self->daemon, NULL, 0);
	}
	self->daemon = 0;
	unlink(self->path);
}

FIXTURE_TEARDOWN(cli)
{
	stop(self);
}

static void start(FIXTURE_DATA(cli) *self, bool trouble)
{
	int ready[2];
	char c;

	stop(self);
	if (pipe(ready))
		abort();
	self->daemon = fork();
	if (!self->daemon)
		serve(self->path, trouble, ready[1]);
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		abort();
	close(ready[0]);
}

static void slurp(int fd, char *text, size_t size)
{
	ssize_t len = pread(fd, text, size - 1, 0);

	text[len < 0 ? 0 : len] = 0;
	close(fd);
}

/* Runs a verb with what it prints going to out and err; its exit code. */
static int run(FIXTURE_DATA(cli) *self, const struct cli_verb *verb,
	       const char *word)
{
	int out = memfd_create("out", 0), err = memfd_create("err", 0);
	char *argv[] = { (char *)word, NULL };
	int saved[2], code;

	fflush(stdout);
	saved[0] = dup(1);
	saved[1] = dup(2);
	dup2(out, 1);
	dup2(err, 2);
	code = verb->run(&self->cli, word ? 1 : 0, argv);
	fflush(stdout);
	dup2(saved[0], 1);
	dup2(saved[1], 2);
	close(saved[0]);
	close(saved[1]);
	slurp(out, self->out, sizeof(self->out));
	slurp(err, self->err, sizeof(self->err));
	return code;
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

TEST_F(cli, status)
{
	start(self, false);
	EXPECT_EQ(CLI_OK, run(self, &cli_verb_status, NULL));
	EXPECT_STREQ("", self->err);
	EXPECT_STREQ(
"cti-a is ACTIVE in epoch 12; cti-b follows, identical; DOWN: LAN (L2).\n"
"\n"
"LINK         BY        STATE                      ROUND TRIP HEARD AGO GIVES UP AFTER TIMES DOWN\n"
"L1 crossover eth1      up                             212 us      4 ms          30 ms          1\n"
"L2 lan       eth0      down (silence), no carrier          -      4 ms          30 ms          1\n"
"L3 arbiter   192.0.2.9 up                             640 us         -              -          -\n"
"\n"
"Calls    10,000 records, identical on both servers, over the crossover\n"
"Address  192.0.2.10/24 on eth0: held by this server\n"
"Lease    48 ms left, renewed with each answer of the peer or the arbiter\n"
"Switch   eth2: carrier; the peer's: NO CARRIER\n"
"Program  the CTI application is alive\n"
"Alarms   none\n"
"Advice   nothing to do\n", self->out);
}

TEST_F(cli, status_in_trouble)
{
	start(self, true);
	EXPECT_EQ(CLI_OK, run(self, &cli_verb_status, NULL));
	EXPECT_TRUE(begins(self->out,
"NOBODY SERVES: cti-a is initial, cti-b is silent; DOWN: LAN (L2).\n"
"cti-a is claiming: the peer is silent.\n"));
	EXPECT_NE(NULL, strstr(self->out,
"Calls    10,000 records here, not connected to the peer, over the crossover\n"
"Address  192.0.2.10/24 on eth0: not held here\n"
"Switch   eth2: THERE IS NO SUCH DEVICE; the peer's: NO CARRIER\n"
"Program  the CTI application is NOT ALIVE here\n"
"Alarms   CRITICAL for 72 s: nobody serves the calls\n"));
}

TEST_F(cli, json)
{
	json_t *status;

	start(self, false);
	self->cli.json = true;
	EXPECT_EQ(CLI_OK, run(self, &cli_verb_status, NULL));
	status = json_loads(self->out, 0, NULL);
	EXPECT_STREQ("active", cli_text(status, "role"));
	EXPECT_EQ(NULL, json_object_get(status, "ok"));
	json_decref(status);
}

TEST_F(cli, link)
{
	start(self, false);
	EXPECT_EQ(CLI_OK, run(self, &cli_verb_link, "s"));
	EXPECT_STREQ(
"NAME      DEVICE CARRIER STATE WHY     WORKS ROUND TRIP LOSS INTERVAL GIVES UP AFTER HEARD AGO TIMES DOWN\n"
"crossover eth1   yes     up            none      212 us    -    10 ms          30 ms      4 ms          1\n"
"lan       eth0   NO      down  silence none           -    -    10 ms          30 ms      4 ms          1\n",
		     self->out);
	self->cli.stats = true;
	run(self, &cli_verb_link, NULL);
	EXPECT_NE(NULL, strstr(self->out,
"\n"
"NAME         SENT FAILED RECEIVED LOST MALFORMED VERSION KEY FORGED FOREIGN REPLAYED MISSED DEFERRED UNVERIFIED STALLS WITHHELD\n"
"crossover 123,456      0        0    3         0       0   0      0       0        0      0        0          0      0        0\n"));
	EXPECT_EQ(CLI_USAGE, run(self, &cli_verb_link, "frobnicate"));
	EXPECT_STREQ("ctiha: link: 'frobnicate' is not expected here: see 'ctiha link --help'\n",
		     self->err);
}

TEST_F(cli, node)
{
	start(self, false);
	EXPECT_EQ(CLI_OK, run(self, &cli_verb_node, NULL));
	EXPECT_STREQ(
"             THIS SERVER       PEER\n"
"node         0 of pair 7       1\n"
"role         active            standby\n"
"epoch        12                12\n"
"votes for    12 (its own)      12 (its peer's)\n"
"lease left   48 ms             -\n"
"promise left 0                 -\n"
"heard        -                 3 ms ago\n"
"says         daemon carrier-l1 daemon synced carrier-switch\n"
"switch NIC   eth2, NO CARRIER  carrier\n"
"fence        none              -\n", self->out);
}

TEST_F(cli, switch_nic)
{
	start(self, false);
	EXPECT_EQ(CLI_OK, run(self, &cli_verb_switch, NULL));
	EXPECT_STREQ("this server: eth2, NO CARRIER\n"
		     "the peer:    carrier\n", self->out);
	self->cli.json = true;
	EXPECT_EQ(CLI_OK, run(self, &cli_verb_switch, "show"));
	EXPECT_NE(NULL, strstr(self->out, "\"peer_carrier\": true"));
	EXPECT_EQ(CLI_USAGE, run(self, &cli_verb_switch, "set"));
	EXPECT_STREQ("ctiha: switch: something is missing: see 'ctiha switch --help'\n",
		     self->err);
	EXPECT_EQ(CLI_USAGE, run(self, &cli_verb_switch, "off"));
}

TEST_F(cli, orders)
{
	start(self, false);
	EXPECT_EQ(CLI_FAILED, run(self, &cli_verb_takeover, NULL));
	EXPECT_STREQ("ctiha: takeover: not without waiting: use --wait\n",
		     self->err);
	self->cli.wait = true;
	EXPECT_EQ(CLI_OK, run(self, &cli_verb_takeover, NULL));
	EXPECT_STREQ("This server is active, epoch 14.\n", self->out);
	EXPECT_EQ(CLI_USAGE, run(self, &cli_verb_takeover, "now"));
}

/* Until the daemon goes: then it says so. */
TEST_F(cli, monitor)
{
	start(self, false);
	EXPECT_EQ(CLI_UNREACHABLE, run(self, &cli_verb_monitor, NULL));
	EXPECT_TRUE(begins(self->out,
		"[ 12345.678901] link lan: up  <- session\n"
		"[ 12345.679000] step: role active, epoch 14\n"));
	EXPECT_STREQ("ctiha: the daemon has closed the connection: see 'journalctl -u ctihad'\n",
		     self->err);
}

TEST_F(cli, monitor_steps)
{
	start(self, false);
	self->cli.json = true;
	EXPECT_EQ(CLI_UNREACHABLE, run(self, &cli_verb_monitor, "steps"));
	EXPECT_TRUE(begins(self->out,
		"{\"time_ns\":12345679000000,\"object\":\"step\",\"step\":\"role active\",\"epoch\":14}\n{\"time_ns\""));
	EXPECT_EQ(NULL, strstr(self->out, "session"));
}

TEST_F(cli, unreachable)
{
	char expected[256];

	snprintf(expected, sizeof(expected),
		 "ctiha: the daemon is not running (nobody serves %s): start it with 'systemctl start ctihad'\n",
		 self->path);
	EXPECT_EQ(CLI_UNREACHABLE, run(self, &cli_verb_sync, NULL));
	EXPECT_STREQ(expected, self->err);
	EXPECT_EQ(CLI_UNREACHABLE, run(self, &cli_verb_status, NULL));
	EXPECT_TRUE(begins(self->err, expected));
}

static const char *text_of(long long us)
{
	static char text[CLI_WORD_LEN];

	return cli_time(us, text);
}

TEST(times_and_counts)
{
	char text[CLI_WORD_LEN];

	EXPECT_STREQ("0", text_of(0));
	EXPECT_STREQ("999 us", text_of(999));
	EXPECT_STREQ("1 ms", text_of(1000));
	EXPECT_STREQ("1.5 ms", text_of(1500));
	EXPECT_STREQ("15 ms", text_of(15300));
	EXPECT_STREQ("2.5 s", text_of(2500000));
	EXPECT_STREQ("72 s", text_of(72000000));
	EXPECT_STREQ("5 min", text_of(300000000));
	EXPECT_STREQ("3 h", text_of(10800000000));
	EXPECT_STREQ("7 d", text_of(604800000000));
	EXPECT_STREQ("0", cli_count(0, text));
	EXPECT_STREQ("999", cli_count(999, text));
	EXPECT_STREQ("1,000", cli_count(1000, text));
	EXPECT_STREQ("-1,234,567", cli_count(-1234567, text));
	EXPECT_STREQ("512 B", cli_bytes(512, text));
	EXPECT_STREQ("12.3 MB", cli_bytes(12345678, text));
	EXPECT_TRUE(cli_is("l", "link"));
	EXPECT_FALSE(cli_is("", "link"));
	EXPECT_FALSE(cli_is("links", "link"));
}

TEST(transfers)
{
	json_t *sync = json_pack("{s:i, s:i, s:i}", "transfer_done", 2500,
				 "transfer_total", 10000, "transfer_rate", 1250);
	char text[CLI_TRANSFER_LEN];

	EXPECT_STREQ("2,500 of 10,000 records, 1,250 a second, 6 s to go",
		     cli_transfer(sync, text));
	json_object_set_new(sync, "transfer_rate", json_integer(0));
	EXPECT_STREQ("2,500 of 10,000 records", cli_transfer(sync, text));
	json_decref(sync);
}

TEST_HARNESS_MAIN
