// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ctiha-load serve: a CTI application. It runs on each CTI server beside ctihad;
 * the one on the active server carries out its callers' requests and answers
 * a write when the pair has acknowledged it.
 *
 * The service address moves from server to server, so the socket is bound to
 * all addresses and each answer goes out from the address that was asked.
 *
 * After a takeover the table of calls is empty. What a request needs is read
 * from the store, its neighbours with it, so the first answer does not wait
 * for the whole store.
 */
#include <getopt.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "lib/ctiha.h"
#include "load/load.h"
#include "load/record.h"
#include "load/request.h"
#include "load/table.h"

#define BATCH		64	/* requests received at once */
#define CONTROL_LEN	64
#define SLOTS		4096
#define AHEAD		8	/* calls read along with one that is missing */
#define TIMEOUT_MS	1000

/* Who asked, and which of our addresses. */
struct peer {
	struct sockaddr_storage address;
	socklen_t address_len;
	u8 control[CONTROL_LEN];
	size_t control_len;
};

/* A write on its way. */
struct slot {
	u64 run;
	u64 id;
	u64 call;
	u32 version;
	u8 op;
	struct peer peer;
};

/**
 * struct serve - the application
 * @h: of libctiha
 * @fd: UDP socket
 * @table: calls that are known
 * @known_from: calls from this one on are all in @table, if they exist
 * @warm: a write of this term has been answered
 * @done: all requests of @run below are finished, say the callers
 * @slots: by cookie; @slot_free: stack of free ones
 */
struct serve {
	struct ctiha *h;
	int fd;
	struct table *table;
	u64 known_from;
	bool warm;
	u64 run;
	u64 done;
	struct slot slots[SLOTS];
	u16 slot_free[SLOTS];
	u16 slots_free;
	u64 answered;
	u64 epoch;
};

/* ---- answers ---- */

static void answer(struct serve *s, const struct peer *peer,
		   struct request *r)
{
	u8 data[REQUEST_MAX];
	struct iovec vec = { .iov_base = data };
	struct msghdr m = {
		.msg_name = (void *)&peer->address,
		.msg_namelen = peer->address_len,
		.msg_iov = &vec,
		.msg_iovlen = 1,
		.msg_control = (void *)peer->control,
		.msg_controllen = peer->control_len,
	};

	r->epoch = s->epoch;
	vec.iov_len = request_write(data, r);
	/* If it is lost the caller asks again. */
	if (sendmsg(s->fd, &m, MSG_DONTWAIT) >= 0)
		s->answered++;
}

static void answer_status(struct serve *s, const struct peer *peer,
			  const struct request *asked, u8 status, u8 how)
{
	struct request r = *asked;

	r.status = status;
	r.how = how;
	r.len = 0;
	answer(s, peer, &r);
}

/* ---- what is known of a call ---- */

struct ahead {
	struct serve *s;
	u64 last;
};

static bool remember(void *arg, const void *key, size_t key_len,
		     const void *value, size_t value_len)
{
	struct ahead *a = arg;
	struct table_call *c;
	u64 call;

	if (key_len != RECORD_KEY_LEN)
		return true;
	call = record_key_call(key);
	a->last = call;
	if (table_find(a->s->table, call))
		return true;
	c = table_add(a->s->table, call);
	if (c)
		c->version = record_version(value, value_len);
	return c;
}

/* Reads the call and those behind it. Return: false if that failed. */
static bool read_ahead(struct serve *s, u64 call)
{
	struct ahead a = { .s = s };
	u8 key[RECORD_KEY_LEN];
	int n;

	record_key(key, call - 1);
	n = ctiha_walk(s->h, CTIHA_CONTENT_CALL, key, sizeof(key), AHEAD,
		       remember, &a, TIMEOUT_MS);
	if (n < 0)
		return false;
	if (n < AHEAD && call < s->known_from)
		s->known_from = call;
	return true;
}

/* @known: set to false if the store could not be read. */
static struct table_call *look_up(struct serve *s, u64 call, bool *known)
{
	struct table_call *c = table_find(s->table, call);

	*known = true;
	if (c || call >= s->known_from)
		return c;
	*known = read_ahead(s, call);
	return table_find(s->table, call);
}

/* ---- writes ---- */

/* Return: false if all are taken; the caller will ask again. */
static bool take_slot(struct serve *s, const struct peer *peer,
		      const struct request *r, u64 *cookie)
{
	struct slot *slot;

	if (!s->slots_free)
		return false;
	*cookie = s->slot_free[--s->slots_free];
	slot = &s->slots[*cookie];
	slot->run = r->run;
	slot->id = r->id;
	slot->call = r->call;
	slot->version = r->version;
	slot->op = r->op;
	slot->peer = *peer;
	return true;
}

static void give_slot(struct serve *s, u64 cookie)
{
	s->slot_free[s->slots_free++] = (u16)cookie;
}

static void start_write(struct serve *s, const struct peer *peer,
			const struct request *r)
{
	struct table_call *c;
	u8 key[RECORD_KEY_LEN];
	u64 cookie;
	int rc;

	if (!take_slot(s, peer, r, &cookie))
		return;
	c = table_add(s->table, r->call);
	if (!c) {
		give_slot(s, cookie);
		return;
	}
	record_key(key, r->call);
	if (r->op == REQUEST_PUT)
		rc = ctiha_put(s->h, CTIHA_CONTENT_CALL, key, sizeof(key),
			       r->data, r->len, cookie);
	else
		rc = ctiha_delete(s->h, CTIHA_CONTENT_CALL, key, sizeof(key),
				  cookie);
	if (rc) {
		give_slot(s, cookie);
		table_remove(s->table, r->call);
		s->known_from = U64_MAX;
		return;
	}
	c->version = r->version;
	c->state = TABLE_WRITING;
}

static void take_write(struct serve *s, const struct peer *peer,
		       const struct request *r)
{
	struct table_call *c;
	bool known;

	if (r->id < s->done || !r->call || !r->version ||
	    r->len > CTIHA_MAX_VALUE)
		return;
	c = look_up(s, r->call, &known);
	if (!known)
		return;
	if (!c && r->op == REQUEST_PUT && r->version > 1) {
		answer_status(s, peer, r, REQUEST_NO_CALL, 0);
	} else if (c && c->version > r->version) {
		answer_status(s, peer, r, REQUEST_STALE, 0);
	} else if (c && c->version == r->version && c->state >= TABLE_ACKED) {
		answer_status(s, peer, r, REQUEST_OK, c->how);
	} else if (!c || c->version < r->version || c->state == TABLE_STORED) {
		start_write(s, peer, r);
	}
	/* Else it is being written: the answer is on its way. */
}

static void finish(struct serve *s, const struct slot *slot, u8 how)
{
	struct table_call *c = table_find(s->table, slot->call);
	const struct request r = {
		.op = slot->op, .run = slot->run, .id = slot->id, .call = slot->call,
		.version = slot->version,
	};

	answer_status(s, &slot->peer, &r, REQUEST_OK, how);
	s->warm = true;
	if (!c || c->version != slot->version)
		return;
	c->how = how;
	c->state = TABLE_ACKED;
	if (slot->op == REQUEST_END)
		table_ended(s->table, c);
}

static void on_acked(void *arg, uint64_t cookie, enum ctiha_ack ack)
{
	struct serve *s = arg;
	struct slot *slot = &s->slots[cookie];

	if (ack == CTIHA_ACK_STANDBY || ack == CTIHA_ACK_ALONE) {
		finish(s, slot, (u8)ack);
	} else {
		/* Not promised: what the store holds must be read again. */
		table_remove(s->table, slot->call);
		s->known_from = U64_MAX;
	}
	give_slot(s, cookie);
}

/* ---- reads ---- */

static void take_get(struct serve *s, const struct peer *peer,
		     const struct request *asked)
{
	struct request r = *asked;
	u8 key[RECORD_KEY_LEN], value[REQUEST_DATA_MAX];
	int len;

	record_key(key, r.call);
	len = ctiha_get(s->h, CTIHA_CONTENT_CALL, key, sizeof(key), value,
			sizeof(value), TIMEOUT_MS);
	if (len == -ENOENT) {
		answer_status(s, peer, asked, REQUEST_NO_CALL, 0);
		return;
	}
	if (len < 0)
		return;
	r.status = REQUEST_OK;
	r.data = value;
	r.len = (size_t)len;
	answer(s, peer, &r);
}

struct page {
	u8 data[REQUEST_DATA_MAX];
	size_t len;
	u16 count;
	bool full;
};

static bool add_to_page(void *arg, const void *key, size_t key_len,
			const void *value, size_t value_len)
{
	struct page *p = arg;

	if (key_len != RECORD_KEY_LEN)
		return true;
	if (!request_add_record(p->data, &p->len, record_key_call(key), value,
				value_len)) {
		p->full = true;
		return false;
	}
	p->count++;
	return true;
}

static void take_walk(struct serve *s, const struct peer *peer,
		      const struct request *asked)
{
	struct request r = *asked;
	struct page p = { .len = 0 };
	u8 key[RECORD_KEY_LEN];
	int n;

	record_key(key, r.call);
	n = ctiha_walk(s->h, CTIHA_CONTENT_CALL, key, sizeof(key), r.count,
		       add_to_page, &p, TIMEOUT_MS);
	if (n < 0)
		return;
	r.status = REQUEST_OK;
	r.more = p.full || (r.count && n >= r.count);
	r.count = p.count;
	r.data = p.data;
	r.len = p.len;
	answer(s, peer, &r);
}

static void take_clock(struct serve *s, const struct peer *peer,
		       const struct request *asked)
{
	struct request r = *asked;

	r.status = REQUEST_OK;
	r.len = 0;
	r.clock_ns = clock_now_ns();
	answer(s, peer, &r);
}

/* ---- requests ---- */

static void note_done(struct serve *s, const struct request *r)
{
	if (r->run != s->run) {
		s->run = r->run;
		s->done = 0;
	}
	if (r->done > s->done)
		s->done = r->done;
}

static void take(struct serve *s, const struct peer *peer, const u8 *data,
		 size_t len)
{
	struct request r;

	if (!request_read(data, len, &r) || r.status != REQUEST_ASKED)
		return;
	if (r.op == REQUEST_CLOCK) {
		take_clock(s, peer, &r);
	} else if (r.op == REQUEST_GET) {
		take_get(s, peer, &r);
	} else if (r.op == REQUEST_WALK) {
		take_walk(s, peer, &r);
	} else if (!ctiha_working(s->h)) {
		answer_status(s, peer, &r, REQUEST_NOT_SERVING, 0);
	} else if (r.op == REQUEST_PUT || r.op == REQUEST_END) {
		note_done(s, &r);
		take_write(s, peer, &r);
	}
}

/* Keeps from the control data which of our addresses was asked. */
static void read_peer(struct peer *peer, struct msghdr *m)
{
	struct cmsghdr *c;

	peer->address_len = m->msg_namelen;
	peer->control_len = 0;
	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo *info = (void *)CMSG_DATA(c);

			/* Route by address: the device may be another one. */
			info->ipi_ifindex = 0;
			info->ipi_spec_dst = info->ipi_addr;
		} else if (c->cmsg_level != IPPROTO_IPV6 ||
			   c->cmsg_type != IPV6_PKTINFO) {
			continue;
		}
		if (c->cmsg_len > CONTROL_LEN)
			continue;
		memcpy(peer->control, c, c->cmsg_len);
		peer->control_len = CMSG_ALIGN(c->cmsg_len);
		return;
	}
}

struct batch {
	struct mmsghdr messages[BATCH];
	struct iovec vecs[BATCH];
	struct peer peers[BATCH];
	u8 control[BATCH][256] __attribute__((aligned(8)));
	u8 data[BATCH][1024];
};

static void prepare(struct batch *b)
{
	int i;

	for (i = 0; i < BATCH; i++) {
		b->vecs[i].iov_base = b->data[i];
		b->vecs[i].iov_len = sizeof(b->data[i]);
		b->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &b->peers[i].address,
			.msg_namelen = sizeof(b->peers[i].address),
			.msg_iov = &b->vecs[i],
			.msg_iovlen = 1,
			.msg_control = b->control[i],
			.msg_controllen = sizeof(b->control[i]),
		};
	}
}

static void receive(struct serve *s)
{
	static struct batch b;
	int i, n;

	prepare(&b);
	/* The first callers of a term have waited: none shall for the others. */
	n = recvmmsg(s->fd, b.messages, s->warm ? BATCH : 1, MSG_DONTWAIT, NULL);
	for (i = 0; i < n; i++) {
		read_peer(&b.peers[i], &b.messages[i].msg_hdr);
		if (!(b.messages[i].msg_hdr.msg_flags & MSG_TRUNC))
			take(s, &b.peers[i], b.data[i], b.messages[i].msg_len);
	}
	ctiha_flush(s->h);
}

/* ---- the application ---- */

static void on_start(void *arg, uint64_t epoch)
{
	struct serve *s = arg;

	table_clear(s->table);
	s->known_from = U64_MAX;
	s->warm = false;
	s->epoch = epoch;
	printf("{\"event\":\"start\",\"epoch\":%llu,\"time_ns\":%llu}\n",
	       (unsigned long long)epoch, (unsigned long long)clock_now_ns());
	fflush(stdout);
}

static void on_stop(void *arg, uint64_t epoch)
{
	struct serve *s = arg;

	ctiha_stopped(s->h);
	printf("{\"event\":\"stop\",\"epoch\":%llu,\"time_ns\":%llu}\n",
	       (unsigned long long)epoch, (unsigned long long)clock_now_ns());
	fflush(stdout);
}

static int open_socket(const struct sockaddr_storage *at, socklen_t len)
{
	int fd = socket(at->ss_family, SOCK_DGRAM | SOCK_NONBLOCK |
			SOCK_CLOEXEC, 0);
	int one = 1, size = 4 << 20;

	if (fd < 0)
		return -1;
	if (at->ss_family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &one, sizeof(one));
	else
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one,
			   sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	/* Beyond the limit the kernel gives what it may. */
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (!bind(fd, (const struct sockaddr *)at, len))
		return fd;
	close(fd);
	return -1;
}

static void loop(struct serve *s)
{
	struct pollfd p[2] = {
		{ .fd = s->fd, .events = POLLIN },
		{ .fd = ctiha_fd(s->h), .events = POLLIN },
	};

	while (!load_ending) {
		if (poll(p, 2, -1) < 0)
			continue;
		if (p[0].revents)
			receive(s);
		if (p[1].revents)
			ctiha_dispatch(s->h);
	}
}

static int run(const char *path, const struct sockaddr_storage *at,
	       socklen_t len)
{
	static const struct ctiha_callbacks callbacks = {
		.start_work = on_start,
		.stop_work = on_stop,
		.acked = on_acked,
	};
	static struct serve s;
	u16 i;

	s.table = table_new();
	s.fd = open_socket(at, len);
	if (s.fd < 0) {
		perror("ctiha-load: --listen");
		table_free(s.table);
		return LOAD_NO_SERVICE;
	}
	for (i = 0; i < SLOTS; i++)
		s.slot_free[s.slots_free++] = i;
	s.known_from = U64_MAX;
	s.h = s.table ? ctiha_open(path, "ctiha-load", CTIHA_WORKER,
				   &callbacks, &s) : NULL;
	if (!s.h) {
		perror("ctiha-load: --socket");
		close(s.fd);
		table_free(s.table);
		return LOAD_NO_SERVICE;
	}
	loop(&s);
	ctiha_close(s.h);
	close(s.fd);
	table_free(s.table);
	return LOAD_OK;
}

int serve_main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "listen", required_argument, NULL, 'l' },
		{ 0 },
	};
	struct sockaddr_storage at;
	const char *path = NULL;
	socklen_t len = 0;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 's') {
			path = optarg;
		} else if (option == 'l') {
			len = load_address(optarg, &at);
		} else {
			return LOAD_USAGE;
		}
	}
	if (!len || optind != argc) {
		fputs("ctiha-load serve: needs --listen ADDRESS:PORT, as 0.0.0.0:5070\n",
		      stderr);
		return LOAD_USAGE;
	}
	load_signals();
	return run(path, &at, len);
}
