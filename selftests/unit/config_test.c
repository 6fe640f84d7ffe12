// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ctiha.conf: what a complete file means, and each error with file, line and
 * remedy, to the letter.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kselftest_harness.h"

#include "common/log.h"
#include "common/value.h"
#include "daemon/config.h"

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/* KEYFILE stands for the fixture's key file. */
#define HEAD						\
	"node = 0\n"			/* line 1 */	\
	"pair = 7\n"					\
	"key-file = KEYFILE\n"		/* line 3 */
#define CROSSOVER					\
	"link crossover {\n"				\
	"  device = eth1\n"				\
	"  address = 10.0.0.1\n"			\
	"  peer-address = 10.0.0.2\n"			\
	"}\n"
#define LAN						\
	"link lan {\n"					\
	"  device = eth0\n"				\
	"  address = 192.0.2.1\n"			\
	"  peer-address = 192.0.2.2\n"			\
	"}\n"
#define ARBITER						\
	"arbiter { address = 192.0.2.9 }\n"
#define TAIL	CROSSOVER LAN ARBITER	/* 11 lines */

FIXTURE(config)
{
	char dir[64];
	char key_file[80];
	char *text;	/* of the file, KEYFILE replaced */
	char *errors;	/* printed, the directory replaced by DIR */
	size_t len;
	struct config *c;
};

FIXTURE_SETUP(config)
{
	FILE *f;

	strcpy(self->dir, "/tmp/config_test.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->dir));
	snprintf(self->key_file, sizeof(self->key_file), "%s/key", self->dir);
	f = fopen(self->key_file, "w");
	ASSERT_NE(NULL, f);
	fputs(KEY "\n", f);
	fclose(f);
	chmod(self->key_file, 0600);
	self->text = NULL;
	self->errors = NULL;
	self->c = NULL;
}

FIXTURE_TEARDOWN(config)
{
	config_free(self->c);
	free(self->text);
	free(self->errors);
	unlink(self->key_file);
	rmdir(self->dir);
}

/* All @from in @text as @to; the caller frees it. */
static char *replace(const char *text, const char *from, const char *to)
{
	char *result;
	size_t size;
	FILE *f = open_memstream(&result, &size);
	const char *found;

	while ((found = strstr(text, from))) {
		fwrite(text, 1, found - text, f);
		fputs(to, f);
		text = found + strlen(from);
	}
	fputs(text, f);
	fclose(f);
	return result;
}

static void parse(FIXTURE_DATA(config) *self, const char *text)
{
	char *raw;
	FILE *f;

	config_free(self->c);
	free(self->text);
	free(self->errors);
	self->text = replace(text, "KEYFILE", self->key_file);
	f = open_memstream(&raw, &self->len);
	self->c = config_parse("FILE", self->text, strlen(self->text), f);
	fclose(f);
	self->errors = replace(raw, self->dir, "DIR");
	free(raw);
}

/* The text is refused with exactly these errors. */
#define EXPECT_ERRORS(text, expected)				\
	do {							\
		parse(self, text);				\
		EXPECT_EQ(NULL, self->c);			\
		EXPECT_STREQ(expected, self->errors);		\
	} while (0)

#define EXPECT_FINE(text)					\
	do {							\
		parse(self, text);				\
		ASSERT_STREQ("", self->errors);			\
		ASSERT_NE(NULL, self->c);			\
	} while (0)

static const char *ip(const struct sockaddr_storage *address)
{
	static char text[80];
	char host[INET6_ADDRSTRLEN];
	const struct sockaddr_in *in = (const void *)address;
	const struct sockaddr_in6 *in6 = (const void *)address;

	if (address->ss_family == AF_INET)
		inet_ntop(AF_INET, &in->sin_addr, host, sizeof(host));
	else
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
	snprintf(text, sizeof(text), "%s %u", host, ntohs(in->sin_port));
	return text;
}

TEST_F(config, minimal)
{
	EXPECT_FINE(HEAD TAIL);
	EXPECT_EQ(0, self->c->node);
	EXPECT_EQ(7, self->c->pair);
	EXPECT_EQ(0x1f, self->c->keys.key[0][31]);
	EXPECT_EQ(0, memcmp(self->c->keys.key[0], self->c->arbiter.key, 32));
	EXPECT_EQ(CONFIG_BACKEND_MODULE, self->c->backend);
	EXPECT_EQ(60000000, self->c->lease_ns);
	EXPECT_EQ(71060000, self->c->promise_ns);
	EXPECT_EQ(500, self->c->watch_ms);
	EXPECT_EQ(20000000, self->c->arbiter.interval_ns);
	EXPECT_EQ(100000000, self->c->arbiter.timeout_ns);
	EXPECT_EQ(140000000, self->c->settle_ns);
	EXPECT_STREQ("192.0.2.9 862", ip(&self->c->arbiter.address));
	EXPECT_STREQ("192.0.2.9", self->c->arbiter.address_text);
	EXPECT_EQ(CTIHA_LINK_CROSSOVER, self->c->links[0].kind);
	EXPECT_EQ(CTIHA_LINK_LAN, self->c->links[1].kind);
	EXPECT_EQ(10000, self->c->links[0].interval_us);
	EXPECT_EQ(3, self->c->links[0].multiplier);
	EXPECT_EQ(0xff, self->c->links[0].peer_mac[5]);
	EXPECT_STREQ("10.0.0.1 7788", ip(&self->c->links[0].address));
	EXPECT_FALSE(self->c->sync_needs_standby);
	EXPECT_STREQ("/run/ctiha/store", self->c->store_dir);
	EXPECT_STREQ("the peer", self->c->peer_name);
	EXPECT_EQ(LOG_LEVEL_INFO, self->c->log_level);
	EXPECT_EQ((uid_t)-1, self->c->uid);
}

TEST_F(config, complete)
{
	EXPECT_FINE(
		"# comment\n"
		"node = 1\npair = 4294967295\nname = cti-a\n"
		"peer-name = \"cti-b\"\nkey-file = KEYFILE\n"
		"backend = packet\nstate-dir = /s\nrun-dir = /r\n"
		"store-size = 64M\n"
		"lease = 1.5s\npromise = 2min\ndrift = 0.25%\nmargin = 7ms\n"
		"watch = 50ms\nsettle = 1.1s\nquiesce = 3s\nstate-wait = 4s\n"
		"user = root\ngroup = root\nlog-level = debug\n"
		"link crossover {\n"
		"  device = a1 interval = 1500us multiplier = 50\n"
		"  peer-mac = 02:00:00:00:00:aB\n"
		"  address = fd00::1 peer-address = fd00::2\n"
		"}\n" LAN
		"arbiter { address = 2001:db8::9 port = 1862 interval = 100ms\n"
		"  timeout = 1s key-file = KEYFILE device = eth0 }\n"
		"service { address = 192.0.2.10/24 device = eth0 }\n"
		"service { address = \"2001:db8::10/64\" device = eth0 }\n"
		"sync { port = 99 insecure = yes without-standby = refuse }\n"
		"switch { device = eth2 }\n"
		"hook on-active { command = {\"/bin/a\", \"b c\"} }\n"
		"hook on-standby { command = {/bin/b} timeout = 100ms }\n"
		"hook on-active { command = {/bin/c} }\n");
	EXPECT_EQ(1, self->c->node);
	EXPECT_EQ(4294967295U, self->c->pair);
	EXPECT_EQ(CONFIG_BACKEND_PACKET, self->c->backend);
	EXPECT_STREQ("/r/store", self->c->store_dir);
	EXPECT_TRUE(self->c->sync_insecure);
	EXPECT_TRUE(self->c->sync_needs_standby);
	EXPECT_EQ(64 << 20, self->c->store_size);
	EXPECT_EQ(1500000000, self->c->lease_ns);
	EXPECT_EQ(120000000000, self->c->promise_ns);
	EXPECT_EQ(2500, self->c->drift_ppm);
	EXPECT_EQ(7000000, self->c->margin_ns);
	EXPECT_EQ(50, self->c->watch_ms);
	EXPECT_EQ(1100000000, self->c->settle_ns);
	EXPECT_EQ(4000000000, self->c->state_wait_ns);
	EXPECT_EQ(0, self->c->uid);
	EXPECT_EQ(0, self->c->gid);
	EXPECT_EQ(1500, self->c->links[0].interval_us);
	EXPECT_EQ(50, self->c->links[0].multiplier);
	EXPECT_EQ(0xab, self->c->links[0].peer_mac[5]);
	EXPECT_STREQ("fd00::2 99", ip(&self->c->links[0].peer_address));
	EXPECT_STREQ("2001:db8::9 1862", ip(&self->c->arbiter.address));
	EXPECT_STREQ("2001:db8::9", self->c->arbiter.address_text);
	EXPECT_STREQ("eth0", self->c->arbiter.device);
	EXPECT_STREQ("eth2", self->c->switch_nic.device);
	ASSERT_EQ(2, self->c->service_count);
	EXPECT_EQ(AF_INET, self->c->services[0].family);
	EXPECT_EQ(10, self->c->services[0].address[3]);
	EXPECT_EQ(24, self->c->services[0].prefix);
	EXPECT_EQ(AF_INET6, self->c->services[1].family);
	EXPECT_EQ(64, self->c->services[1].prefix);
	EXPECT_STREQ("2001:db8::10/64", self->c->services[1].text);
	ASSERT_EQ(3, self->c->hook_count);
	EXPECT_EQ(CTIHA_ROLE_ACTIVE, self->c->hooks[0].role);
	EXPECT_STREQ("b c", self->c->hooks[0].argv[1]);
	EXPECT_EQ(NULL, self->c->hooks[0].argv[2]);
	EXPECT_EQ(5000000000, self->c->hooks[0].timeout_ns);
	EXPECT_EQ(CTIHA_ROLE_STANDBY, self->c->hooks[1].role);
	EXPECT_EQ(100000000, self->c->hooks[1].timeout_ns);
	EXPECT_STREQ("/bin/c", self->c->hooks[2].argv[0]);
}

TEST_F(config, empty)
{
	EXPECT_ERRORS("",
		"FILE:1: 'node' is missing: add e.g. 'node = 0'\n"
		"FILE:1: 'pair' is missing: add e.g. 'pair = 1'\n"
		"FILE:1: 'key-file' is missing: add e.g. 'key-file = /etc/ctiha/pair.key'\n"
		"FILE:1: there is no link crossover: add 'link crossover { ... }'\n"
		"FILE:1: there is no link lan: add 'link lan { ... }'\n"
		"FILE:1: there is no arbiter: add 'arbiter { ... }'\n");
}

TEST_F(config, unknown_options)
{
	EXPECT_ERRORS(HEAD "leese = 60ms\nfrobnicate = {1, 2}\n"
		"link lan {\n"
		"  device = eth0 adress = 192.0.2.1\n"
		"  address = 192.0.2.1 peer-address = 192.0.2.2\n"
		"}\n" CROSSOVER
		"arbiter { address = 192.0.2.9\n"
		"  colour = red\n"
		"}\n"
		"lease = 1\n",
		"FILE:4: unknown option 'leese': did you mean 'lease'?\n"
		"FILE:5: unknown option 'frobnicate': remove it, or see ctiha.conf(5) for the options\n"
		"FILE:5: unknown option 'frobnicate': remove it, or see ctiha.conf(5) for the options\n"
		"FILE:7: unknown option 'adress' in link: did you mean 'address'?\n"
		"FILE:16: unknown option 'colour' in arbiter: remove it, or see ctiha.conf(5) for the options of arbiter\n"
		"FILE:18: 'lease = 1' has no unit (ns, us, ms, s or min): write e.g. 'lease = 60ms'\n");
}

TEST_F(config, unknown_section)
{
	EXPECT_ERRORS(HEAD "arbitre { address = 192.0.2.9 }\n",
		"FILE:4: unknown option 'arbitre': did you mean 'arbiter'?\n");
}

TEST_F(config, syntax)
{
	EXPECT_ERRORS(HEAD "link lan {\n",
		"FILE:4: the last section or comment is not closed: write '}' or '*/' at its end\n"
		"FILE:4: link lan has no 'device': add e.g. 'device = eth1'\n"
		"FILE:4: link lan has no 'address': add e.g. 'address = 10.0.0.1'\n"
		"FILE:4: link lan has no 'peer-address': add e.g. 'peer-address = 10.0.0.2'\n");
	EXPECT_ERRORS(HEAD "link lan\n",
		"FILE:5: premature end of file: close what is open, with '}' or a quote\n");
	EXPECT_ERRORS(HEAD "}\n",
		"FILE:4: unexpected closing brace: remove it, or add its '{' before\n");
	EXPECT_ERRORS(HEAD "lease 60ms\n",
		"FILE:4: missing equal sign after option 'lease': write 'option = value'\n");
	EXPECT_ERRORS(HEAD "link { device = eth0 }\n",
		"FILE:4: missing title for section 'link': write a title, e.g. 'link crossover {'\n");
	EXPECT_ERRORS(HEAD "arbiter = 192.0.2.9\n",
		"FILE:4: missing opening brace for section 'arbiter': write '{' behind the section's name\n");
	EXPECT_ERRORS(HEAD "lease = = 60ms\n",
		"FILE:4: unexpected token '=': remove it, or put the value into quotes\n");
	EXPECT_ERRORS("/* no end",
		"FILE:1: the last section or comment is not closed: write '}' or '*/' at its end\n");
	/* What comes before is still judged. */
	EXPECT_ERRORS(HEAD "lease = 60\nname = \"cti-a\n",
		"FILE:4: 'lease = 60' has no unit (ns, us, ms, s or min): write e.g. 'lease = 60ms'\n"
		"FILE:6: premature end of file: close what is open, with '}' or a quote\n");
	EXPECT_ERRORS(HEAD "link lan {\n  device = eth0\narbiter {\n",
		"FILE:6: unknown option 'arbiter' in link: write '}' before it, so that link ends\n");
}

TEST_F(config, not_a_text)
{
	char text[] = "node = 0\0pair = 1\n";
	char *raw;
	size_t len;
	FILE *f = open_memstream(&raw, &len);

	EXPECT_EQ(NULL, config_parse("FILE", text, sizeof(text) - 1, f));
	fclose(f);
	EXPECT_STREQ("FILE:1: this is no configuration file: write a text file of at most 256 KiB\n",
		     raw);
	free(raw);
}

TEST_F(config, bad_values)
{
	EXPECT_ERRORS(
		"node = 2\n"
		"pair = x\n"
		"key-file = etc/key\n"
		"name = \"a b\"\n"
		"backend = kernel\n"
		"lease = 2ms\n"
		"lease = 60ms\n"
		"watch = 10500us\n"
		"drift = 1\n"
		"store-size = 10\n"
		"log-level = loud\n"
		"run-dir = /12345678901234567890123456789012345678901234567890123456789012345678901234567890\n"
		"quiesce = 99999999999999999999s\n" TAIL,
		"FILE:1: 'node = 2' is out of range (0 to 1): write e.g. 'node = 0'\n"
		"FILE:2: 'pair = x' is no whole number: write e.g. 'pair = 1'\n"
		"FILE:3: 'key-file = etc/key' is no absolute path: write e.g. 'key-file = /etc/ctiha/pair.key'\n"
		"FILE:4: 'name = a b' has other characters than letters, digits, '.', '_' and '-': write e.g. 'name = cti-a'\n"
		"FILE:5: 'backend = kernel' is neither 'module' nor 'packet': write e.g. 'backend = module'\n"
		"FILE:6: 'lease = 2ms' is out of range (3ms to 60s): write e.g. 'lease = 60ms'\n"
		"FILE:7: 'lease' is given twice, first in line 6: remove one\n"
		"FILE:8: 'watch = 10500us' is no whole number of ms: write e.g. 'watch = 500ms'\n"
		"FILE:9: 'drift = 1' has no unit (% or ppm): write e.g. 'drift = 0.1%'\n"
		"FILE:10: 'store-size = 10' is out of range (1048576 to 1099511627776): write e.g. 'store-size = 1G'\n"
		"FILE:11: 'log-level = loud' is none of 'error', 'warning', 'info' and 'debug': write e.g. 'log-level = info'\n"
		"FILE:12: 'run-dir = /12345678901234567890123456789012345678901234567890123456789012345678901234567890' is too long: write e.g. 'run-dir = /run/ctiha'\n"
		"FILE:13: 'quiesce = 99999999999999999999s' is no duration: write e.g. 'quiesce = 2s'\n");
}

TEST_F(config, bad_links)
{
	EXPECT_ERRORS(HEAD
		"link lan {\n"				/* 4 */
		"  device = a/b\n"
		"  interval = 999us\n"
		"  multiplier = 1\n"
		"  peer-mac = 01:00:5e:00:00:01\n"
		"  address = 10.0.0\n"
		"  peer-address = 10.0.0.1/8\n"
		"}\n"
		"link wan { device = eth3 }\n"		/* 12 */
		"link crossover {\n"
		"}\n"					/* 14 */
		"link crossover { device = eth1 }\n" ARBITER,
		"FILE:5: 'device = a/b' is no device name: write e.g. 'device = eth1'\n"
		"FILE:6: 'interval = 999us' is out of range (1ms to 10s): write e.g. 'interval = 10ms'\n"
		"FILE:7: 'multiplier = 1' is out of range (2 to 50): write e.g. 'multiplier = 3'\n"
		"FILE:8: 'peer-mac = 01:00:5e:00:00:01' is a group's hardware address: write e.g. 'peer-mac = 02:00:00:00:00:02'\n"
		"FILE:9: 'address = 10.0.0' is no IPv4 or IPv6 address: write e.g. 'address = 10.0.0.1'\n"
		"FILE:10: 'peer-address = 10.0.0.1/8' is no IPv4 or IPv6 address: write e.g. 'peer-address = 10.0.0.2'\n"
		"FILE:12: there is no link 'wan': write 'link crossover' or 'link lan'\n"
		"FILE:14: link crossover has no 'device': add e.g. 'device = eth1'\n"
		"FILE:14: link crossover has no 'address': add e.g. 'address = 10.0.0.1'\n"
		"FILE:14: link crossover has no 'peer-address': add e.g. 'peer-address = 10.0.0.2'\n"
		"FILE:15: a second link crossover: remove one\n");
}

TEST_F(config, addresses_that_do_not_fit)
{
	EXPECT_ERRORS(HEAD LAN ARBITER
		"link crossover {\n"			/* 10 */
		"  device = eth1\n"
		"  address = 10.0.0.1\n"
		"  peer-address = fd00::1\n"
		"}\n",
		"FILE:13: the addresses of link crossover are of different kinds: write two IPv4 or two IPv6 addresses\n");
	EXPECT_ERRORS(HEAD CROSSOVER ARBITER
		"link lan {\n"				/* 10 */
		"  device = eth1\n"
		"  address = 192.0.2.1\n"
		"  peer-address = 192.0.2.1\n"
		"}\n",
		"FILE:13: both addresses of link lan are the same: write the other server's address\n"
		"FILE:14: both links use device eth1: use two devices, or one failure takes both links down\n");
}

TEST_F(config, bad_rest)
{
	EXPECT_ERRORS(HEAD CROSSOVER LAN
		"arbiter { address = 192.0.2.9 interval = 20ms timeout = 39ms }\n" /* 14 */
		"arbiter { address = 192.0.2.9 }\n"
		"service { address = 192.0.2.10 device = eth0 }\n"
		"service { address = 192.0.2.10/33 device = eth0 }\n"
		"service { address = 192.0.2.10/24 }\n"
		"service { address = 192.0.2.10/24 device = eth0 }\n"
		"service { address = 192.0.2.10/24 device = eth1 }\n"
		"hook on-fire { command = {/bin/x} }\n"
		"hook on-active { command = {\"mail\"} }\n"
		"hook on-active { }\n"
		"sync { port = 0 insecure = perhaps without-standby = wait }\n"
		"sync { }\n"
		"switch { }\n"
		"switch { device = eth2 }\n",
		"FILE:14: the arbiter's timeout is below two intervals: make it several intervals long\n"
		"FILE:15: a second arbiter: remove one\n"
		"FILE:16: 'address = 192.0.2.10' has no prefix length: write e.g. 'address = 192.0.2.10/24'\n"
		"FILE:17: 'address = 192.0.2.10/33' has a wrong prefix length: write e.g. 'address = 192.0.2.10/24'\n"
		"FILE:18: service has no 'device': add e.g. 'device = eth0'\n"
		"FILE:20: a second service with address 192.0.2.10/24: remove one\n"
		"FILE:21: there is no hook 'on-fire': write 'hook on-active' or 'hook on-standby'\n"
		"FILE:22: 'command = mail' does not begin with an absolute path: write e.g. 'command = {\"/usr/local/sbin/notify\", \"now active\"}'\n"
		"FILE:23: hook on-active has no 'command': add e.g. 'command = {\"/usr/local/sbin/notify\", \"now active\"}'\n"
		"FILE:24: 'port = 0' is out of range (1 to 65535): write e.g. 'port = 7788'\n"
		"FILE:24: 'insecure = perhaps' is neither 'yes' nor 'no': write e.g. 'insecure = no'\n"
		"FILE:24: 'without-standby = wait' is neither 'alone' nor 'refuse': write e.g. 'without-standby = alone'\n"
		"FILE:25: a second sync: remove one\n"
		"FILE:26: switch has no 'device': add e.g. 'device = eth2'\n"
		"FILE:27: a second switch: remove one\n");
}

TEST_F(config, switch_nics)
{
	EXPECT_FINE(HEAD TAIL);
	EXPECT_STREQ("", self->c->switch_nic.device);
	EXPECT_FINE(HEAD TAIL "switch { device = eth0 }\n");	/* on the LAN */
	EXPECT_ERRORS(HEAD TAIL "switch { device = eth1 }\n",
		"FILE:15: the switch cannot be on the crossover's device eth1: name the NIC that leads to the telephone switch\n");
	EXPECT_ERRORS(HEAD TAIL "switch { device = \"no/name\" }\n",
		"FILE:15: 'device = no/name' is no device name: write e.g. 'device = eth2'\n");
}

TEST_F(config, users)
{
	EXPECT_ERRORS(HEAD TAIL "user = no-such-user\ngroup = no-such-group\n",
		"FILE:15: there is no user 'no-such-user': add it: useradd --system --no-create-home NAME\n"
		"FILE:16: there is no group 'no-such-group': add it: groupadd --system NAME\n");
}

/* The inequality that keeps two servers from being active at once. */
TEST_F(config, promise)
{
	EXPECT_ERRORS(HEAD TAIL "lease = 100ms\npromise = 105.1ms\n",
		"FILE:16: promise 105.1ms does not exceed lease + drift + margin = 105.1ms, so both servers could be active at once: raise the promise above 105.1ms, or shorten the lease\n");
	EXPECT_FINE(HEAD TAIL "lease = 100ms\npromise = 105100001ns\n");
	EXPECT_ERRORS(HEAD TAIL "promise = 65ms\n",
		"FILE:15: promise 65ms does not exceed lease + drift + margin = 65.06ms, so both servers could be active at once: raise the promise above 65.06ms, or shorten the lease\n");
	EXPECT_ERRORS(HEAD TAIL "lease = 100ms\npromise = 120ms\ndrift = 10%\nmargin = 10ms\n",
		"FILE:16: promise 120ms does not exceed lease + drift + margin = 120ms, so both servers could be active at once: raise the promise above 120ms, or shorten the lease\n");
	/* Without one it follows the lease. */
	EXPECT_FINE(HEAD TAIL "lease = 1s\n");
	EXPECT_EQ(1106000000, self->c->promise_ns);
	EXPECT_EQ(105100000, config_min_promise_ns(100000000, 1000, 5000000));
	EXPECT_EQ(2, config_min_promise_ns(1, 1, 0));
}

TEST_F(config, settle)
{
	EXPECT_FINE(HEAD TAIL "settle = 120ms\n");
	EXPECT_ERRORS(HEAD TAIL "settle = 119ms\n",
		"FILE:15: settle 119ms is shorter than the arbiter's timeout and one interval = 120ms, so a LAN lost by both servers could look like one lost by this server only: raise it to at least 120ms, or leave it out\n");
	/* Without one it follows the arbiter's times. */
	EXPECT_FINE(HEAD TAIL "lease = 600ms\n");
	EXPECT_EQ(1400000000, self->c->settle_ns);
}

TEST_F(config, lease_and_intervals)
{
	EXPECT_ERRORS(HEAD CROSSOVER ARBITER
		"link lan {\n"
		"  device = eth0\n"
		"  interval = 20001us\n"		/* 12 */
		"  address = 192.0.2.1 peer-address = 192.0.2.2\n"
		"}\n",
		"FILE:12: lease 60ms is shorter than three intervals of link lan, so two lost heartbeats would end it: raise the lease to at least 60.003ms, or shorten the interval\n");
	EXPECT_ERRORS(HEAD TAIL "lease = 29999us\n",
		"FILE:8: lease 29.999ms is shorter than three intervals of link crossover, so two lost heartbeats would end it: raise the lease to at least 30ms, or shorten the interval\n"
		"FILE:13: lease 29.999ms is shorter than three intervals of link lan, so two lost heartbeats would end it: raise the lease to at least 30ms, or shorten the interval\n");
	EXPECT_FINE(HEAD TAIL "lease = 30ms\n");
	EXPECT_ERRORS(HEAD CROSSOVER LAN
		"arbiter { address = 192.0.2.9 interval = 30001us }\n",
		"FILE:14: the arbiter's interval is longer than half a lease, so it could not renew one in time: shorten it to at most 30ms, or raise the lease\n");
	EXPECT_FINE(HEAD CROSSOVER LAN
		"arbiter { address = 192.0.2.9 interval = 30ms }\n");
}

TEST_F(config, key_files)
{
	FILE *f;

	chmod(self->key_file, 0640);
	EXPECT_ERRORS(HEAD TAIL,
		"FILE:3: key file DIR/key: is open to others than its owner: chmod 600 DIR/key\n");
	chmod(self->key_file, 0600);
	f = fopen(self->key_file, "w");
	fputs(KEY "0\n", f);
	fclose(f);
	EXPECT_ERRORS(HEAD TAIL,
		"FILE:3: key file DIR/key: does not hold 64 hexadecimal digits: make one: (umask 077; openssl rand -hex 32 >DIR/key)\n");
	f = fopen(self->key_file, "w");
	fputs("0000000000000000000000000000000000000000000000000000000000000000", f);
	fclose(f);
	EXPECT_ERRORS(HEAD TAIL,
		"FILE:3: key file DIR/key: holds nothing but zeros: make one: (umask 077; openssl rand -hex 32 >DIR/key)\n");
	unlink(self->key_file);
	EXPECT_ERRORS(HEAD TAIL,
		"FILE:3: key file DIR/key: No such file or directory: make one: (umask 077; openssl rand -hex 32 >DIR/key)\n");
	mkfifo(self->key_file, 0600);
	EXPECT_ERRORS(HEAD TAIL,
		"FILE:3: key file DIR/key: is no regular file: make one: (umask 077; openssl rand -hex 32 >DIR/key)\n");
}

TEST_F(config, file_that_cannot_be_read)
{
	char *raw;
	size_t len;
	FILE *f = open_memstream(&raw, &len);

	EXPECT_EQ(NULL, config_read("/no/such/file", f));
	EXPECT_EQ(NULL, config_read("/tmp", f));
	fclose(f);
	EXPECT_STREQ("/no/such/file:1: cannot be read (No such file or directory): make it readable for this user, see ctiha.conf(5)\n"
		     "/tmp:1: cannot be read (Is a directory): make it readable for this user, see ctiha.conf(5)\n",
		     raw);
	free(raw);
}

/* The file that users begin with, but for its key file. */
TEST_F(config, sample)
{
	char path[512], text[16384], *sample;
	FILE *f;

	snprintf(path, sizeof(path), "%.*setc/ctiha.conf",
		 (int)(strlen(__FILE__) - strlen("selftests/unit/config_test.c")),
		 __FILE__);
	f = fopen(path, "r");
	if (!f)
		SKIP(return, "run it where it was compiled");
	text[fread(text, 1, sizeof(text) - 1, f)] = 0;
	fclose(f);
	sample = replace(text, "/etc/ctiha/pair.key", "KEYFILE");
	EXPECT_FINE(sample);
	EXPECT_STREQ("cti-b", self->c->peer_name);
	EXPECT_EQ(75000000, self->c->promise_ns);
	EXPECT_EQ(1, self->c->service_count);
	free(sample);
}

static const char *duration(u64 ns)
{
	static char text[VALUE_TEXT_LEN];

	value_format_duration(ns, text);
	return text;
}

TEST(durations)
{
	u64 ns;

	EXPECT_STREQ("0ns", duration(0));
	EXPECT_STREQ("50ns", duration(50));
	EXPECT_STREQ("1us", duration(1000));
	EXPECT_STREQ("65.06ms", duration(65060000));
	EXPECT_STREQ("10s", duration(10000000000));
	EXPECT_EQ(NULL, value_duration("1.5min", &ns));
	EXPECT_EQ(90000000000, ns);
	EXPECT_EQ(NULL, value_duration("0.000000001s", &ns));
	EXPECT_EQ(1, ns);
	EXPECT_NE(NULL, value_duration("0.0000000001s", &ns));
	EXPECT_NE(NULL, value_duration("-1s", &ns));
	EXPECT_NE(NULL, value_duration("1.s", &ns));
	EXPECT_NE(NULL, value_duration("1..5s", &ns));
	EXPECT_NE(NULL, value_duration("1 s", &ns));
	EXPECT_NE(NULL, value_duration("", &ns));
	EXPECT_NE(NULL, value_duration("18446744074s", &ns));
}

TEST_HARNESS_MAIN
