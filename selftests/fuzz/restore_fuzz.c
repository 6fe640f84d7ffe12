// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes what an active server can have its standby do: a real standby, over a real
 * connection, into a real store.
 *
 * Input: orders, a byte each, and their arguments. They are carried out by an active
 * one that keeps a book of what it sent and knows which of it is wrong. After each turn
 * of the loop the standby must have taken all that was right up to the first that was
 * wrong, refused that, and hold what the book says. At the end its records are counted
 * anew, and whatever happened to it before, a snapshot of nothing must empty it for the
 * next input. Now and then it is restarted: its file must be whole, too.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <xxhash.h>
#include <zdict.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/sync/dictionary.h"
#include "daemon/sync/internal.h"
#include "daemon/sync/patch.h"
#include "daemon/sync/socket.h"

#define KEYS		8
#define PLAN_MAX	24
#define MAP_SIZE	(512UL << 10)
#define FULL		(64UL << 10)	/* from so many bytes on the map may be */
#define RESTART		16	/* inputs: it takes longer than all else */
#define LATE_NS		(20000 * CTIHA_NS_PER_MS)

static const u16 contents[] = { 1, 6, 7, 8, 255, 2, 5 };

#define CONTENTS	ARRAY_SIZE(contents)

/* A record's value is told by how long it is and where it begins. */
struct entry {
	bool there;
	u16 len;
	u8 seed;
};

struct book {
	struct store_state state;
	struct entry of[CONTENTS][KEYS];
};

/* One step of a snapshot that was begun. */
struct step {
	u8 content;
	u8 key;
	struct entry entry;
};

/**
 * struct plan - a snapshot
 * @book: what it makes; its state is right
 * @claim: what was said of it
 * @at: steps sent
 */
struct plan {
	struct book book;
	struct store_state claim;
	struct step steps[PLAN_MAX];
	unsigned int count;
	unsigned int at;
};

/*
 * @link: to the standby; NULL if none
 * @wrong: something was sent that has to be refused
 * @unsure: or that may be: the book is of no use until the next whole snapshot
 * @receiving: the standby takes records of the snapshot
 * @planned: it may have parts of @plan
 * @skew: bytes that were sent and never read
 * @bytes: of values, all that were sent; @bytes_before: for the input before, whose
 *          pages the store may not use yet
 * @damaged: what the standby had refused at the last turn
 * @learns: another dictionary may have been sent since the last turn
 * @ended: snapshots that were, since the last turn
 * @position: of the store, at the last turn
 */
static struct {
	const u8 *input;
	size_t left;
	struct connection_shared shared;
	struct connection *link;
	struct book book;
	struct plan plan;
	bool wrong;
	bool unsure;
	bool receiving;
	bool planned;
	u64 skew;
	u64 bytes;
	u64 bytes_before;
	u64 damaged;
	bool learns;
	unsigned int ended;
	u64 position;
} a;

static struct event_base *base;
static struct sync *b;
static struct sync_spec spec;
static struct sync_path to_b;
static char directory[] = "/dev/shm/ctiha-restore-fuzz-XXXXXX";
static u8 dictionaries[2][4096];
static size_t dictionary_lens[2];

static void fail(const char *what)
{
	fprintf(stderr, "restore_fuzz: %s\n", what);
	abort();
}

static u8 take(void)
{
	if (!a.left)
		return 0;
	a.left--;
	return *a.input++;
}

/* ---- records ---- */

static const char *key_text(u8 key, char text[8])
{
	snprintf(text, 8, key ? "k%u" : "zstd", key);
	return text;
}

/* Return: its length; some are dictionaries, of some of them only the beginning. */
static size_t value_bytes(const struct entry *e, u8 value[SYNC_VALUE_MAX])
{
	unsigned int i;

	if (e->seed >= 252) {
		size_t len = dictionary_lens[e->seed & 1];

		memcpy(value, dictionaries[e->seed & 1], len);
		return e->seed >= 254 || e->len > len ? len : e->len;
	}
	for (i = 0; i < e->len; i++)
		value[i] = (u8)(e->seed + i * 7);
	return e->len;
}

static struct entry take_entry(void)
{
	u8 len = take();

	return (struct entry){
		.there = true,
		.len = len >= 240 ? SYNC_VALUE_MAX : len,
		.seed = take(),
	};
}

/* As Documentation/sync.rst says. @times: 1, or -1 as unsigned numbers count */
static void count(struct store_state *state, u16 content, const void *key,
		  size_t key_len, const void *value, size_t value_len, u64 times)
{
	static u8 bytes[3 + SYNC_KEY_MAX + SYNC_VALUE_MAX];
	XXH128_hash_t h;

	bytes[0] = (u8)(2 + key_len);
	bytes[1] = (u8)(content >> 8);
	bytes[2] = (u8)content;
	memcpy(bytes + 3, key, key_len);
	memcpy(bytes + 3 + key_len, value, value_len);
	h = XXH3_128bits(bytes, 3 + key_len + value_len);
	state->records += times;
	state->digest[0] += times * h.low64;
	state->digest[1] += times * h.high64;
}

static void count_entry(struct book *book, u8 content, u8 key, u64 times)
{
	static u8 value[SYNC_VALUE_MAX];
	size_t len = value_bytes(&book->of[content][key], value);
	char text[8];

	key_text(key, text);
	count(&book->state, contents[content], text, strlen(text), value, len,
	      times);
}

static void enter(struct book *book, u8 content, u8 key, struct entry entry)
{
	if (book->of[content][key].there)
		count_entry(book, content, key, (u64)-1);
	book->of[content][key] = entry;
	if (entry.there)
		count_entry(book, content, key, 1);
}

/* ---- the connection ---- */

static void send_report(u16 content, const struct store_state *state, u8 synced)
{
	const struct packet_report report = { .state = *state, .synced = synced };
	u8 raw[PACKET_REPORT_LEN];

	packet_write_report(raw, &report);
	connection_send(a.link, content, 0, raw, sizeof(raw));
}

static void on_connected(struct connection *c)
{
	c->phase = CONNECTION_GREETING;
	connection_greet(c, PACKET_HELLO, 0);
}

static void on_packet(struct connection *c, const struct packet *p)
{
	struct packet_hello hello;

	if (c->phase != CONNECTION_GREETING)
		return;
	if (packet_read_hello(p, &hello) || hello.welcome)
		fail("no welcome");
	connection_agree(c, c->nonce, hello.nonce);
	c->phase = CONNECTION_LIVE;
	send_report(PACKET_KEEPALIVE, &a.book.state, PACKET_NOT_SYNCED);
}

static void on_idle(struct connection *c)
{
	(void)c;
}

static void on_lost(struct connection *c, const char *why)
{
	(void)c;
	(void)why;
	a.link = NULL;
}

static const struct connection_callbacks callbacks = {
	on_connected, on_packet, on_idle, on_idle, on_lost,
};

static void loop(u64 end)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
	if (clock_now_ns() > end)
		fail("nothing goes on");
}

static void cut(void)
{
	u64 end = clock_now_ns() + LATE_NS;

	connection_close(a.link);
	a.link = NULL;
	while (b->standby.live)
		loop(end);
	a.skew = a.shared.transport.tx_bytes - b->shared.transport.rx_bytes;
	a.receiving = false;
	a.wrong = false;
	/* What came of a snapshot and was committed is kept. */
	a.planned = a.planned && store_received(b->store);
	a.plan.at = (unsigned int)store_received(b->store);
}

static void connect_again(void)
{
	const struct linger no_linger = { 1, 0 };
	u64 end = clock_now_ns() + LATE_NS;
	int fd = socket_prepare(&to_b);

	/* No waiting for what nobody reads any more: ports would run out. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &no_linger, sizeof(no_linger));
	a.link = connection_open(&a.shared, fd, &to_b.peer, &callbacks, NULL);
	while (a.link && !b->standby.live)
		loop(end);
	if (!a.link)
		fail("no connection");
}

/* ---- what has to be so ---- */

static bool usable(const u8 *bytes, size_t len)
{
	struct dictionary *d = dictionary_new(bytes, len);

	dictionary_free(d);
	return d;
}

/* The dictionary in the store is the one in use, if it is one. */
static void check_restored(void)
{
	u8 bytes[SYNC_VALUE_MAX];
	int rc = store_get(b->store, SYNC_CONTENT_DICTIONARY, "zstd", 4, bytes,
			   sizeof(bytes));
	size_t len = rc > 0 ? (size_t)rc : 0;
	u32 id = dictionary_id(bytes, len);

	if (packet_codec_dictionary(b->shared.codec) != id &&
	    (!len || usable(bytes, len)))
		fail("the store's dictionary is not in use");
	packet_codec_learn(a.shared.codec, bytes, len);
	a.learns = false;
}

/* Packets may be compressed with what both know. */
static u8 dictionary_flag(void)
{
	return !a.learns && packet_codec_dictionary(a.shared.codec) ==
			    packet_codec_dictionary(b->shared.codec) ?
		       PACKET_DICTIONARY : 0;
}

/* Nothing was refused, so its own store failed, before it came to what is wrong. */
static void check_full(void)
{
	if (a.bytes + a.bytes_before < FULL)
		fail("a store that is not full failed");
	a.unsure = true;
}

static void check(void)
{
	const struct store_state *state = store_state(b->store);
	bool lost = !b->standby.live;

	if (state->position < a.position && !a.ended && !a.unsure)
		fail("went back");
	a.position = state->position;
	a.ended = 0;
	check_restored();
	if (lost && b->shared.damaged == a.damaged)
		check_full();
	else if (!a.unsure && lost != a.wrong)
		fail(lost ? "refused what is right" : "took what is wrong");
	a.damaged = b->shared.damaged;
	if (!a.unsure && !store_states_equal(state, &a.book.state))
		fail("does not hold what it was sent");
	if (lost)
		cut();
}

/* All that was sent is read, or the connection is given up. */
static void turn(void)
{
	u64 end = clock_now_ns() + LATE_NS;

	if (!a.link)
		return;
	do {
		loop(end);
	} while (a.link && b->standby.live &&
		 (evbuffer_get_length(bufferevent_get_output(a.link->transport.bev)) ||
		  a.shared.transport.tx_bytes - a.skew !=
		  b->shared.transport.rx_bytes));
	check();
}

/* ---- orders ---- */

static u8 *begin_records(u64 first, u32 records)
{
	static u8 raw[PACKET_RAW_MAX];

	packet_write_records(raw, first, records);
	return raw;
}

static size_t add_record(u8 *to, bool put, u8 key, const struct entry *e)
{
	static u8 value[SYNC_VALUE_MAX];
	size_t len = put ? value_bytes(e, value) : 0;
	char text[8];
	size_t key_len = strlen(key_text(key, text));

	a.bytes += len;
	packet_write_record(to, put ? PACKET_PUT : PACKET_DELETE, text, key_len,
			    put ? value : NULL, len);
	return packet_record_size(key_len, len);
}

/* Writes, most of them where they belong. */
static void order_writes(void)
{
	u8 order = take(), content = take() % CONTENTS;
	u32 records = 1 + order % 4, i;
	u64 first = a.book.state.position + 1;
	bool right = !a.wrong && !a.receiving;
	size_t len = PACKET_RECORDS_LEN;
	u8 *raw;

	if (order >= 224)
		first += (u64)(int8_t)take();
	right = right && first == a.book.state.position + 1;
	raw = begin_records(first, records);
	for (i = 0; i < records; i++) {
		u8 how = take(), key = how % KEYS;
		struct entry e = take_entry();

		e.there = how < 192;
		len += add_record(raw + len, e.there, key, &e);
		if (right)
			enter(&a.book, content, key, e);
	}
	if (right) {
		a.book.state.epoch = a.shared.epoch;
		a.book.state.position += records;
	}
	a.wrong = a.wrong || !right;
	connection_send(a.link, contents[content],
			order % 2 ? dictionary_flag() : 0, raw, len);
	a.learns = a.learns || contents[content] == SYNC_CONTENT_DICTIONARY;
}

static size_t add_merged(u8 *to, enum packet_op op, u8 content, u8 key,
			 const void *value, size_t len)
{
	char text[8];
	const struct store_record r = {
		.content = contents[content],
		.key = text,
		.key_len = strlen(key_text(key, text)),
		.value = value,
		.value_len = len,
	};

	packet_write_merged_record(to, op, &r);
	return packet_merged_record_size(&r);
}

/* What makes @e of what the book has. Return: bytes; 0: that cannot be. */
static size_t change(u8 *patch, u8 content, u8 key, const struct entry *e)
{
	static u8 old[SYNC_VALUE_MAX], new[SYNC_VALUE_MAX];
	const struct entry *was = &a.book.of[content][key];
	size_t len = value_bytes(e, new);

	a.bytes += len;
	return was->there ? patch_make(patch, SYNC_VALUE_MAX, old,
				       value_bytes(was, old), new, len) : 0;
}

/* One of several records of a packet. Return: its length, 0: it cannot be right. */
static size_t add_change(u8 *to, u8 how, u8 content, const struct entry *e)
{
	static u8 value[SYNC_VALUE_MAX];
	u8 key = how % KEYS;
	size_t len;

	if (how >= 192)
		return add_merged(to, PACKET_DELETE, content, key, NULL, 0);
	if (how >= 128) {
		len = change(value, content, key, e);
		return len ? add_merged(to, PACKET_PATCH, content, key, value,
					len) : 0;
	}
	len = value_bytes(e, value);
	a.bytes += len;
	return add_merged(to, PACKET_PUT, content, key, value, len);
}

/* Of a record that there is not, or of one that is shorter, or malformed. */
static size_t add_misfit(u8 *to, u8 content, u8 key)
{
	static const u8 misfits[][4] = { { 0xff, 0xff, 1, 0 }, { 1, 0, 0, 0 } };

	a.wrong = true;
	a.unsure = true;
	return add_merged(to, PACKET_PATCH, content, key, misfits[key % 2], 4);
}

/* Any contents in one packet; of some records only what changes. */
static void order_changes(void)
{
	u8 order = take();
	u32 records = 1 + order % 4, replaced = order / 4 % 4, i;
	bool right = !a.wrong && !a.receiving;
	size_t len = PACKET_RECORDS_LEN, more;
	u8 *raw = begin_records(0, 0);

	packet_write_merged(raw, a.book.state.position + 1, records, replaced);
	for (i = 0; i < records; i++) {
		u8 how = take(), content = take() % CONTENTS;
		struct entry e = take_entry();

		e.there = how < 192;
		more = how == 255 ? 0 : add_change(raw + len, how, content, &e);
		if (more && right)
			enter(&a.book, content, how % KEYS, e);
		len += more ? more : add_misfit(raw + len, content, how % KEYS);
		a.learns = a.learns ||
			   contents[content] == SYNC_CONTENT_DICTIONARY;
	}
	if (right) {
		a.book.state.epoch = a.shared.epoch;
		a.book.state.position += records + replaced;
	}
	a.wrong = a.wrong || !right;
	connection_send(a.link, PACKET_MERGED, order >= 128 ? dictionary_flag() : 0,
			raw, len);
}

static void order_cut(void)
{
	turn();
	cut();
	connect_again();
}

static bool planned(const struct plan *p, u8 content, u8 key)
{
	return p->book.of[content][key].there;
}

static void order_begin(void)
{
	u8 order = take();
	u32 steps = take() % PLAN_MAX;
	struct plan *p = &a.plan;

	if (a.unsure)
		order_cut();
	if (a.wrong)
		return;
	memset(p, 0, sizeof(*p));
	while (steps--) {
		u8 where = take();
		struct step s = {
			.content = where / KEYS % CONTENTS,
			.key = where % KEYS,
			.entry = take_entry(),
		};

		if (planned(p, s.content, s.key))
			continue;
		enter(&p->book, s.content, s.key, s.entry);
		p->steps[p->count++] = s;
	}
	p->book.state.epoch = a.shared.epoch;
	p->book.state.position = order < 128 ? order : a.book.state.position + order;
	p->claim = p->book.state;
	if (order % 16 == 15)
		p->claim.digest[order / 16 % 2]++;
	if (order % 16 == 14)
		p->claim.records--;
	a.receiving = true;
	a.planned = true;
	send_report(PACKET_SNAPSHOT_BEGIN, &p->claim, 0);
}

/* Of the snapshot, so many as are of one content. */
static void send_part(u32 most)
{
	struct plan *p = &a.plan;
	u32 records = 0, i;
	size_t len = PACKET_RECORDS_LEN;
	u8 *raw;

	while (records < most && p->at + records < p->count &&
	       p->steps[p->at + records].content == p->steps[p->at].content)
		records++;
	if (!records)
		return;
	raw = begin_records(p->claim.position, records);
	for (i = 0; i < records; i++) {
		const struct step *s = &p->steps[p->at + i];

		len += add_record(raw + len, true, s->key, &s->entry);
	}
	connection_send(a.link, contents[p->steps[p->at].content],
			PACKET_SNAPSHOT, raw, len);
	if (a.receiving && !a.wrong)
		p->at += records;
	else
		a.wrong = true;
}

static void order_part(void)
{
	send_part(1 + take() % 8);
}

static void order_end(void)
{
	struct plan *p = &a.plan;
	struct store_state said = p->claim;
	bool right;

	if (take() >= 224)
		said.position++;
	right = !a.wrong && a.receiving && p->at == p->count &&
		store_states_equal(&said, &p->claim) &&
		store_states_equal(&p->claim, &p->book.state);
	send_report(PACKET_SNAPSHOT_END, &said, 0);
	a.wrong = a.wrong || !right;
	if (!right)
		return;
	a.receiving = false;
	a.planned = false;
	a.learns = true;
	a.book = p->book;
	a.unsure = false;
	a.ended++;
}

static void order_rest(void)
{
	order_part();
	while (!a.wrong && a.receiving && a.plan.at < a.plan.count)
		send_part(8);
	order_end();
}

static void order_resume(void)
{
	struct store_state said = a.plan.claim;

	if (take() >= 192)
		said.records++;
	if (a.receiving || !a.planned || !a.plan.at ||
	    !store_states_equal(&said, &a.plan.claim))
		a.wrong = true;
	else
		a.receiving = !a.wrong;
	send_report(PACKET_SNAPSHOT_RESUME, &said, 0);
}

/* A transfer breaks off, and goes on with or without what was sent of it. */
static void order_broken(void)
{
	order_begin();
	order_part();
	order_cut();
	order_resume();
}

/* One that does not fit is a difference, which is told, but not refused. */
static void order_keepalive(void)
{
	u8 order = take();
	struct store_state said = a.book.state;

	if (order >= 192)
		said.digest[0] ^= order;
	send_report(PACKET_KEEPALIVE, &said, order % 3);
}

static void order_totals(void)
{
	static struct packet_totals totals;
	static u8 raw[PACKET_TOTALS_MAX];
	u8 order = take(), content = 0;

	memset(&totals, 0, sizeof(totals));
	totals.epoch = a.book.state.epoch;
	totals.position = a.book.state.position + order / 128;
	while (totals.count < order % 8) {
		content = (u8)(content + 1 + take() % 16);
		if (!content)
			break;
		totals.of[totals.count++] = (struct packet_total){
			.content = content, .records = 1 + take(),
		};
	}
	if (content || !totals.count)
		connection_send(a.link, PACKET_TOTALS, 0, raw,
				packet_write_totals(raw, &totals));
}

/* Anything; what the standby makes of it only has to leave a whole store. */
static void order_anything(void)
{
	u16 content = (u16)(take() << 8 | take());
	u8 flags = take() & PACKET_SNAPSHOT, len = take(), i;
	u8 raw[UINT8_MAX];

	for (i = 0; i < len; i++)
		raw[i] = take();
	connection_send(a.link, content, flags, raw, len);
	a.unsure = true;
	a.wrong = true;
	a.planned = false;
	a.learns = true;
}

/* The standby acts for a while: what it received in part is gone. */
static void order_office(void)
{
	const struct entry e = { true, 1, take() % 128 };

	turn();
	sync_activate(b, a.shared.epoch + 1);
	if (sync_write(b, contents[0], "k1", 2, &e.seed, 1, 1))
		fail("cannot write");
	write_commit(b);
	if (store_state(b->store)->position != a.position) {
		enter(&a.book, 0, 1, e);
		a.book.state.epoch = a.shared.epoch + 1;
		a.book.state.position++;
	}
	a.shared.epoch += 2;
	sync_follow(b, a.shared.epoch);
	if (b->standby.live)
		fail("connected in two roles");
	cut();
	connect_again();
}

static void (*const orders[])(void) = {
	turn, order_writes, order_writes, order_begin, order_part, order_rest,
	order_end, order_resume, order_keepalive, order_totals, order_cut,
	order_office, order_changes, order_changes, order_broken, order_anything,
};

/* ---- the bed ---- */

static void on_acked(void *arg, u64 cookie, enum sync_ack ack)
{
	(void)arg;
	(void)cookie;
	(void)ack;
}

static void on_state(void *arg, const struct sync_status *status)
{
	(void)arg;
	(void)status;
}

static bool may_act(void *arg)
{
	(void)arg;
	return true;
}

static void clean_up(void)
{
	static const char *const files[] = { "data.mdb", "lock.mdb" };
	char path[512];
	size_t i;

	connection_close(a.link);
	sync_close(b);
	packet_codec_free(a.shared.codec);
	event_base_free(base);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s/%s", spec.directory, files[i]);
		unlink(path);
	}
	rmdir(spec.directory);
	rmdir(directory);
}

static void make_dictionary(int which)
{
	static char samples[400 * 40];
	static size_t lens[400];
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		lens[i] = (size_t)snprintf(samples + len, 40,
					   "%s %u of line %u is %s",
					   which ? "call" : "agent", i * 7919,
					   i * 31 % 97, i % 3 ? "busy" : "free");
		len += lens[i];
	}
	dictionary_lens[which] = ZDICT_trainFromBuffer(dictionaries[which],
						       sizeof(dictionaries[0]),
						       samples, lens,
						       ARRAY_SIZE(lens));
	if (ZDICT_isError(dictionary_lens[which]))
		fail("no dictionary");
}

static void address(struct sockaddr_storage *to, const char *ip, u16 port)
{
	struct sockaddr_in *in = (struct sockaddr_in *)to;

	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	inet_pton(AF_INET, ip, &in->sin_addr);
}

/* A loopback address of each process's own, so that several can run. */
static void set_paths(void)
{
	unsigned int n = (unsigned int)getpid();
	char ours[32], theirs[32];

	snprintf(ours, sizeof(ours), "127.%u.%u.1", 64 + n / 256 % 64, n % 256);
	snprintf(theirs, sizeof(theirs), "127.%u.%u.2", 64 + n / 256 % 64, n % 256);
	to_b.configured = true;
	address(&to_b.local, ours, 7790);
	address(&to_b.peer, theirs, 7790);
	spec.paths[0].configured = true;
	spec.paths[0].local = to_b.peer;
	spec.paths[0].peer = to_b.local;
}

static void restart(void)
{
	static const struct sync_callbacks sync_callbacks = {
		on_acked, on_state, may_act,
	};
	char error[256];

	b = sync_open(base, &spec, &sync_callbacks, NULL, error, sizeof(error));
	if (!b)
		fail(error);
	a.shared.transport.keys = b->shared.transport.keys;
	a.shared.transport.tx_bytes = 0;
	a.shared.features = b->shared.features;
	sync_follow(b, a.shared.epoch);
	a.skew = 0;
	a.damaged = 0;
	connect_again();
}

static void set_up(void)
{
	signal(SIGPIPE, SIG_IGN);
	log_init("restore_fuzz", 0);
	base = event_base_new();
	if (!mkdtemp(directory))
		fail("no directory in memory");
	snprintf(spec.directory, sizeof(spec.directory), "%s/store", directory);
	spec.pair = 5;
	spec.node = 1;
	spec.keys.used[0] = true;
	spec.insecure = true;
	spec.map_size = MAP_SIZE;
	set_paths();
	make_dictionary(0);
	make_dictionary(1);
	a.shared.base = base;
	a.shared.codec = packet_codec_new();
	a.shared.transport.insecure = true;
	a.shared.pair = spec.pair;
	a.shared.epoch = 2;
	restart();
	atexit(clean_up);
}

static bool count_one(void *arg, const void *key, size_t key_len,
		      const void *value, size_t value_len)
{
	struct store_state *counted = arg;

	count(counted, (u16)counted->position, key, key_len, value, value_len, 1);
	return true;
}

/* The records are those that the digests tell, all of them and of each content. */
static void recount(void)
{
	struct store_state all = *store_state(b->store), sum = { .epoch = all.epoch };
	u64 records, digest[2];
	u16 content;

	for (content = 1; content <= STORE_CONTENT_MAX; content++) {
		struct store_state one = { .position = content };

		store_walk(b->store, content, NULL, 0, count_one, &one);
		store_totals(b->store, content, &records, digest);
		if (one.records != records || one.digest[0] != digest[0] ||
		    one.digest[1] != digest[1])
			fail("a content's records are not its totals");
		sum.records += one.records;
		sum.digest[0] += one.digest[0];
		sum.digest[1] += one.digest[1];
	}
	sum.position = all.position;
	if (!store_states_equal(&sum, &all))
		fail("the records are not those of the digest");
}

/* What is in the file is what counted while it was open. */
static void reopen(void)
{
	struct store_state state = *store_state(b->store);
	struct store *store;
	char error[256];

	connection_close(a.link);
	a.link = NULL;
	sync_close(b);
	event_base_loop(base, EVLOOP_NONBLOCK);
	store = store_open(spec.directory, MAP_SIZE, error, sizeof(error));
	if (!store)
		fail(error);
	if (!store_states_equal(store_state(store), &state))
		fail("the file holds another state");
	store_close(store);
	restart();
}

/* A standby that can be sent nothing any more would be no standby. */
static void empty(void)
{
	cut();
	connect_again();
	memset(&a.plan, 0, sizeof(a.plan));
	a.plan.book.state.epoch = a.shared.epoch;
	a.plan.claim = a.plan.book.state;
	send_report(PACKET_SNAPSHOT_BEGIN, &a.plan.claim, 0);
	send_report(PACKET_SNAPSHOT_END, &a.plan.claim, 0);
	a.planned = false;
	a.learns = true;
	a.book = a.plan.book;
	a.unsure = false;
	a.bytes_before = a.bytes;
	a.bytes = 0;
	a.ended++;
	turn();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	static unsigned int inputs;

	if (!base)
		set_up();
	a.input = data;
	a.left = len;
	while (a.left) {
		if (!a.link)
			connect_again();
		orders[take() % ARRAY_SIZE(orders)]();
	}
	turn();
	recount();
	if (inputs++ % RESTART == 0)
		reopen();
	empty();
	return 0;
}
