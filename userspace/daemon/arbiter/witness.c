// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The arbiter's client. See witness.h, and Documentation/arbiter.rst.
 *
 * Timers, all in one timerfd: the next regular probe, a probe asked for by
 * witness_probe_after(), the end of the patience with a silent arbiter.
 *
 * Events: an answer, a timer, a word of the daemon.
 *
 * An answer counts once, and only if it is of a probe in our table; times come
 * from that table. So nothing that is replayed, forged or from before does
 * anything. Whoever was late himself has to listen before he judges: the socket
 * is drained first, and the arbiter is down only if several probes, not just a
 * long time, went unanswered.
 */
#include "daemon/arbiter/witness.h"

#include <event2/event.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/stamp.h"

#define TABLE_LEN		1024	/* probes whose answer may still come */
#define INTERVAL_MIN_NS		(5 * CTIHA_NS_PER_MS)
#define INTERVAL_MAX_NS		(10000 * CTIHA_NS_PER_MS)
#define PRIORITY_CONTROL	6

/* One probe. @seq 0: slot never used. */
struct probe {
	u64 seq;
	u64 sent_ns;
	u64 epoch;
	u8 ask;
	bool answered;
};

struct witness {
	struct witness_spec spec;
	struct witness_callbacks callbacks;
	void *arg;
	struct ctiha_mac_key key;
	struct event_base *base;
	int fd;
	struct event *readable;
	int timer_fd;
	struct event *timer;
	/* what the next probe says */
	u64 nonce;
	u64 seq;
	u64 challenge;
	u64 epoch;
	u64 released_epoch;
	u32 report;
	u8 ask;
	u8 role;
	bool elected;
	/* what is known of the link */
	bool up;
	u64 rtt_ns;
	u64 answered_seq;
	u64 silent_since_ns;	/* first probe after answered_seq; 0 none */
	u64 next_probe_ns;
	u64 extra_probe_ns;	/* 0 none */
	u64 reopen_ns;
	bool device_refused;
	int last_error;
	u64 send_errors;
	/* callbacks may close us */
	bool busy;
	bool closed;
	struct probe table[TABLE_LEN];
};

static void on_readable(evutil_socket_t fd, short what, void *arg);

static struct probe *probe_slot(struct witness *w, u64 seq)
{
	return &w->table[seq % TABLE_LEN];
}

/* --- socket --- */

static void socket_close(struct witness *w)
{
	if (w->readable)
		event_free(w->readable);
	if (w->fd >= 0)
		close(w->fd);
	w->readable = NULL;
	w->fd = -1;
}

/* Without the right to do so, routing chooses the device. */
static int bind_device(struct witness *w, int fd)
{
	if (!w->spec.device[0] ||
	    !setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, w->spec.device,
			(socklen_t)strlen(w->spec.device)))
		return 0;
	if (errno != EPERM)
		return -errno;
	if (!w->device_refused)
		log_warning("arbiter: probes cannot be bound to device %s; routing chooses one",
			    w->spec.device);
	w->device_refused = true;
	return 0;
}

static int socket_connect(struct witness *w, int fd)
{
	int priority = PRIORITY_CONTROL, tos = IPTOS_CLASS_CS6;
	bool v4 = w->spec.arbiter.ss_family == AF_INET;
	int err = bind_device(w, fd);

	if (err)
		return err;
	setsockopt(fd, SOL_SOCKET, SO_PRIORITY, &priority, sizeof(priority));
	if (v4)
		setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof(tos));
	else
		setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof(tos));
	if (connect(fd, (const struct sockaddr *)&w->spec.arbiter,
		    v4 ? sizeof(struct sockaddr_in) :
			 sizeof(struct sockaddr_in6)))
		return -errno;
	return 0;
}

static int socket_open(struct witness *w)
{
	int err;

	if (w->fd >= 0)
		return 0;
	w->fd = socket(w->spec.arbiter.ss_family,
		       SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (w->fd < 0)
		return -errno;
	err = socket_connect(w, w->fd);
	if (!err) {
		w->readable = event_new(w->base, w->fd, EV_READ | EV_PERSIST,
					on_readable, w);
		if (!w->readable || event_add(w->readable, NULL))
			err = -ENOMEM;
	}
	if (err)
		socket_close(w);
	return err;
}

/* --- sending --- */

static int send_once(struct witness *w, const u8 *wire)
{
	int err = socket_open(w);

	if (err)
		return err;
	return send(w->fd, wire, STAMP_WITNESS_LEN, MSG_DONTWAIT) < 0 ?
	       -errno : 0;
}

/* Says it when sending begins to fail, fails in another way, or works again. */
static void note_sending(struct witness *w, int err)
{
	if (err)
		w->send_errors++;
	if (err == w->last_error)
		return;
	if (err)
		log_warning("arbiter: requests cannot be sent: %s (%" PRIu64
			    " so far); check the route to it",
			    strerror(-err), w->send_errors);
	else
		log_info("arbiter: requests can be sent again");
	w->last_error = err;
}

static void send_probe(struct witness *w)
{
	struct stamp_request request = {
		.pair = w->spec.pair,
		.node = w->spec.node,
		.ask = w->ask,
		.elected = w->elected && w->ask == WITNESS_ASK_GRANT,
		.role = w->role,
		.report = w->report,
		.nonce = w->nonce,
		.seq = ++w->seq,
		.challenge = w->challenge,
		.epoch = w->epoch,
		.lease_ns = w->spec.lease_ns,
		.promise_ns = w->spec.promise_ns,
	};
	struct probe *probe = probe_slot(w, w->seq);
	u8 wire[STAMP_WITNESS_LEN];
	struct timespec wall;
	int err;

	clock_gettime(CLOCK_REALTIME, &wall);
	probe->seq = w->seq;
	probe->sent_ns = clock_now_ns();
	probe->epoch = w->epoch;
	probe->ask = w->ask;
	probe->answered = false;
	if (!w->silent_since_ns)
		w->silent_since_ns = probe->sent_ns;
	stamp_request_seal(wire, &request, stamp_ntp(&wall), &w->key);
	err = send_once(w, wire);
	/* That was the news of an earlier probe's fate; it clears the error. */
	if (err == -ECONNREFUSED)
		err = send_once(w, wire);
	note_sending(w, err);
	/* The address it is bound to may be gone: take a new one next time. */
	if (err && err != -ECONNREFUSED && err != -EAGAIN && err != -ENOBUFS)
		socket_close(w);
}

/* --- timer --- */

static u64 silence_deadline_ns(const struct witness *w)
{
	return w->up && w->silent_since_ns ?
	       w->silent_since_ns + w->spec.timeout_ns : 0;
}

static void arm(struct witness *w)
{
	u64 now_ns = clock_now_ns();
	u64 deadline_ns = silence_deadline_ns(w);
	u64 at_ns = w->next_probe_ns;
	struct itimerspec when = { 0 };

	if (w->extra_probe_ns && w->extra_probe_ns < at_ns)
		at_ns = w->extra_probe_ns;
	/* A deadline that has passed waits for more probes, see is_silent(). */
	if (deadline_ns > now_ns && deadline_ns < at_ns)
		at_ns = deadline_ns;
	when.it_value.tv_sec = (time_t)(at_ns / 1000000000ULL);
	when.it_value.tv_nsec = (long)(at_ns % 1000000000ULL);
	timerfd_settime(w->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* --- receiving --- */

static void set_link(struct witness *w, bool up, u64 now_ns)
{
	if (w->up == up)
		return;
	w->up = up;
	w->callbacks.link(w->arg, up, now_ns);
}

static void mark_answered(struct witness *w, struct probe *probe, u64 now_ns)
{
	probe->answered = true;
	w->rtt_ns = now_ns - probe->sent_ns;
	if (probe->seq <= w->answered_seq)
		return;
	w->answered_seq = probe->seq;
	w->silent_since_ns = probe->seq < w->seq ?
			     probe_slot(w, probe->seq + 1)->sent_ns : 0;
}

/*
 * After a restart of either side the arbiter believes us only when we carry its
 * challenge. Return: true if the answer means more than that.
 */
static bool take_challenge(struct witness *w, const struct stamp_answer *answer)
{
	bool newest = answer->seq == w->answered_seq;
	bool news = newest && answer->challenge != w->challenge;

	if (news)
		w->challenge = answer->challenge;
	if (news && !answer->bound)
		send_probe(w);
	return answer->bound;
}

/* The arbiter knows now; nothing more is asked. */
static void end_release(struct witness *w, const struct probe *probe, u8 answer)
{
	if (w->ask == WITNESS_ASK_RELEASE && probe->ask == w->ask &&
	    probe->epoch == w->epoch && answer != WITNESS_REFUSED_STORAGE)
		w->ask = WITNESS_ASK_NOTHING;
}

static void pass_news(struct witness *w, const struct stamp_answer *answer,
		      const struct probe *probe)
{
	const struct witness_news news = {
		.ask = probe->ask,
		.answer = answer->answer,
		.asked_epoch = probe->epoch,
		.sent_ns = probe->sent_ns,
		.epoch = answer->epoch,
		.holder = answer->holder,
		.released = answer->released,
		.wait_ns = answer->wait_ns,
		.peer_heard_ago_ns = answer->peer_heard_ago_ns,
		.peer_role = answer->peer_role,
		.peer_epoch = answer->peer_epoch,
		.peer_report = answer->peer_report,
	};

	/* A grant may cross our release of it; it must not bring it back. */
	if (news.answer == WITNESS_GRANTED &&
	    news.asked_epoch <= w->released_epoch)
		return;
	w->callbacks.answer(w->arg, &news);
}

static void take_answer(struct witness *w, const struct stamp_answer *answer)
{
	struct probe *slot = probe_slot(w, answer->seq);
	u64 now_ns = clock_now_ns();
	struct probe probe;

	if (answer->pair != w->spec.pair || answer->node != w->spec.node ||
	    answer->nonce != w->nonce || answer->seq != slot->seq ||
	    answer->ask != slot->ask || slot->answered)
		return;
	mark_answered(w, slot, now_ns);
	probe = *slot;
	if (now_ns - probe.sent_ns < w->spec.timeout_ns)
		set_link(w, true, now_ns);
	if (w->closed || !take_challenge(w, answer))
		return;
	end_release(w, &probe, answer->answer);
	pass_news(w, answer, &probe);
}

static void drain(struct witness *w)
{
	unsigned int i;

	for (i = 0; i < TABLE_LEN && w->fd >= 0 && !w->closed; i++) {
		u8 wire[STAMP_WITNESS_LEN + 1];
		struct stamp_answer answer;
		ssize_t n = recv(w->fd, wire, sizeof(wire), MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		/* Else it is news of an earlier probe: an ICMP error. */
		if (n >= 0 && !stamp_answer_open(wire, (size_t)n, &w->key,
						 &answer))
			take_answer(w, &answer);
	}
}

static void free_all(struct witness *w)
{
	socket_close(w);
	if (w->timer)
		event_free(w->timer);
	if (w->timer_fd >= 0)
		close(w->timer_fd);
	mac_key_wipe(&w->key);
	explicit_bzero(&w->spec, sizeof(w->spec));
	free(w);
}

/* Around everything that may call back, and so be closed by its callback. */
static void enter(struct witness *w)
{
	w->busy = true;
}

static void leave(struct witness *w)
{
	w->busy = false;
	if (w->closed)
		free_all(w);
	else
		arm(w);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct witness *w = arg;

	(void)fd;
	(void)what;
	enter(w);
	drain(w);
	leave(w);
}

/* Enough probes, so that a late self does not take its own delay for silence. */
static bool is_silent(const struct witness *w, u64 now_ns)
{
	u64 deadline_ns = silence_deadline_ns(w);
	u64 enough = w->spec.timeout_ns / w->spec.interval_ns - 1;

	if (enough < 2)
		enough = 2;
	return deadline_ns && now_ns >= deadline_ns &&
	       w->seq - w->answered_seq >= enough;
}

static void watch_link(struct witness *w, u64 now_ns)
{
	if (is_silent(w, now_ns)) {
		w->reopen_ns = now_ns;
		set_link(w, false, now_ns);
	}
	if (w->closed || w->up || now_ns < w->reopen_ns)
		return;
	/* Perhaps our own address has changed. */
	w->reopen_ns = now_ns + w->spec.timeout_ns;
	socket_close(w);
}

static void send_due(struct witness *w, u64 now_ns)
{
	bool extra = w->extra_probe_ns && now_ns >= w->extra_probe_ns;
	bool regular = now_ns >= w->next_probe_ns;

	if (regular) {
		w->next_probe_ns += w->spec.interval_ns;
		if (w->next_probe_ns <= now_ns)
			w->next_probe_ns = now_ns + w->spec.interval_ns;
	}
	if (extra)
		w->extra_probe_ns = 0;
	if (extra || regular)
		send_probe(w);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct witness *w = arg;
	u64 now_ns, expirations;

	(void)what;
	if (read(fd, &expirations, sizeof(expirations)) < 0 && errno != EAGAIN)
		log_error("arbiter: timer: %s", strerror(errno));
	enter(w);
	drain(w);
	now_ns = clock_now_ns();
	if (!w->closed)
		watch_link(w, now_ns);
	if (!w->closed)
		send_due(w, now_ns);
	leave(w);
}

/* --- interface --- */

static const char *wrong_with(const struct witness_spec *spec)
{
	if (spec->arbiter.ss_family != AF_INET &&
	    spec->arbiter.ss_family != AF_INET6)
		return "its address is neither IPv4 nor IPv6: correct it";
	if (spec->node > 1)
		return "the own id is not 0 or 1: correct it";
	if (spec->interval_ns < INTERVAL_MIN_NS ||
	    spec->interval_ns > INTERVAL_MAX_NS)
		return "its interval must be from 5 ms to 10 s";
	if (spec->timeout_ns < 2 * spec->interval_ns ||
	    spec->timeout_ns > TABLE_LEN / 2 * spec->interval_ns)
		return "its timeout must be from 2 to 512 intervals";
	if (!spec->lease_ns || spec->promise_ns <= spec->lease_ns ||
	    spec->promise_ns > STAMP_PROMISE_MAX_NS)
		return "the promise must be longer than the lease, and at most 600 s";
	return NULL;
}

static int set_up(struct witness *w)
{
	int err;

	while (!w->nonce) {
		if (getrandom(&w->nonce, sizeof(w->nonce), 0) !=
		    sizeof(w->nonce))
			return -errno;
	}
	w->timer_fd = timerfd_create(CLOCK_MONOTONIC,
				     TFD_NONBLOCK | TFD_CLOEXEC);
	if (w->timer_fd < 0)
		return -errno;
	w->timer = event_new(w->base, w->timer_fd, EV_READ | EV_PERSIST,
			     on_timer, w);
	if (!w->timer || event_add(w->timer, NULL))
		return -ENOMEM;
	err = socket_open(w);
	/* The network may come up later; the device may appear later. */
	if (err == -ENOMEM || err == -EMFILE || err == -ENFILE)
		return err;
	return 0;
}

struct witness *witness_open(struct event_base *base,
			     const struct witness_spec *spec,
			     const struct witness_callbacks *callbacks,
			     void *arg, char *error, size_t error_size)
{
	const char *wrong = wrong_with(spec);
	struct witness *w = wrong ? NULL : calloc(1, sizeof(*w));
	int err;

	if (!w) {
		snprintf(error, error_size, "arbiter: %s",
			 wrong ? wrong : "no memory");
		return NULL;
	}
	w->base = base;
	w->spec = *spec;
	w->spec.device[sizeof(w->spec.device) - 1] = 0;
	w->callbacks = *callbacks;
	w->arg = arg;
	w->fd = -1;
	w->timer_fd = -1;
	stamp_key_set(&w->key, spec->key);
	err = set_up(w);
	if (err) {
		snprintf(error, error_size,
			 "arbiter: cannot begin to probe it: %s; raise the limits of this process",
			 strerror(-err));
		free_all(w);
		return NULL;
	}
	w->next_probe_ns = clock_now_ns();
	w->reopen_ns = w->next_probe_ns + spec->timeout_ns;
	arm(w);
	return w;
}

void witness_rekey(struct witness *w, const u8 key[CTIHA_KEY_LEN])
{
	stamp_key_set(&w->key, key);
}

void witness_close(struct witness *w)
{
	if (!w || w->closed)
		return;
	w->closed = true;
	if (!w->busy)
		free_all(w);
}

void witness_say(struct witness *w, enum witness_ask ask, u64 epoch,
		 bool elected, u8 role, u32 report)
{
	w->ask = (u8)ask;
	w->epoch = epoch;
	w->elected = elected;
	w->role = role;
	w->report = report;
	if (ask == WITNESS_ASK_RELEASE && epoch > w->released_epoch)
		w->released_epoch = epoch;
}

void witness_probe(struct witness *w)
{
	if (w->closed)
		return;
	send_probe(w);
	if (!w->busy)
		arm(w);
}

void witness_probe_after(struct witness *w, u64 delay_ns)
{
	w->extra_probe_ns = clock_now_ns() + delay_ns;
	if (!w->busy && !w->closed)
		arm(w);
}

bool witness_up(const struct witness *w)
{
	return w->up;
}

u64 witness_rtt_ns(const struct witness *w)
{
	return w->rtt_ns;
}
