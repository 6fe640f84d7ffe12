// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Floods a link with forged heartbeats.
 *
 *   forge DEVICE KIND RATE SECONDS
 *
 * Runs at the peer's end of the link. Waits for a heartbeat of the victim, makes of
 * it what the peer could answer, and spoils that:
 *   unclaimed  another EtherType: what the frames cost without the module
 *   version    a version that nobody knows
 *   key        a key that the victim does not have
 *   stranger   a wrong check code, by somebody who does not know the session
 *   insider    a wrong check code, by somebody who reads the network
 * Sends RATE frames a second, as many as are due each millisecond. Those that the
 * transmit ring has no room for are not sent again. Prints how many were sent.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <ctiha/frame.h>

#define NS_PER_MS	1000000l
#define NS_PER_S	1000000000l
#define ANOTHER_TYPE	0x88b6	/* IEEE 802, local experimental 2 */
#define BURST_MAX	1000

struct packet {
	struct ethhdr eth;
	struct ctiha_wire_frame frame;
} __attribute__((packed));

static void fail(const char *what)
{
	fprintf(stderr, "forge: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Protocol 0: nothing is received, so the flood is all that it costs. */
static int open_device(const char *name, unsigned short protocol)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(protocol) };
	int fd = socket(AF_PACKET, SOCK_RAW, 0), one = 1;

	at.sll_ifindex = (int)if_nametoindex(name);
	if (fd < 0 || !at.sll_ifindex ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one)) ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)))
		fail(name);
	return fd;
}

static void overhear(const char *name, struct packet *heard)
{
	int fd = open_device(name, CTIHA_ETHERTYPE);

	if (recv(fd, heard, sizeof(*heard), 0) != sizeof(*heard))
		fail("no heartbeat");
	close(fd);
}

/* What the peer could say to it, but for the check code. */
static void answer(struct packet *p)
{
	struct ctiha_wire_frame *frame = &p->frame;
	__be64 my_discr = frame->my_discr;

	memcpy(p->eth.h_dest, p->eth.h_source, ETH_ALEN);
	p->eth.h_source[ETH_ALEN - 1] ^= 0x80;
	frame->node = !frame->node;
	frame->my_discr = frame->your_discr;
	frame->your_discr = my_discr;
	memset(&frame->seq, 0x7f, sizeof(frame->seq));	/* beyond any of the peer's */
}

static int spoil(struct packet *p, const char *kind)
{
	struct ctiha_wire_frame *frame = &p->frame;

	if (!strcmp(kind, "unclaimed"))
		p->eth.h_proto = htons(ANOTHER_TYPE);
	else if (!strcmp(kind, "version"))
		frame->version = CTIHA_FRAME_VERSION + 1;
	else if (!strcmp(kind, "key"))
		frame->key_id = !frame->key_id;
	else if (!strcmp(kind, "stranger"))
		frame->your_discr = ~frame->your_discr;
	else if (strcmp(kind, "insider"))
		return -1;
	return 0;
}

/* Return: how many of them the device took. */
static int send_burst(int fd, struct packet *p, unsigned int count)
{
	static struct mmsghdr messages[BURST_MAX];
	struct iovec all = { .iov_base = p, .iov_len = sizeof(*p) };
	unsigned int i;
	int sent;

	for (i = 0; i < count; i++)
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &all,
						       .msg_iovlen = 1 };
	sent = sendmmsg(fd, messages, count, 0);
	return sent < 0 ? 0 : sent;
}

static unsigned long flood(int fd, struct packet *p, unsigned int burst, long ms)
{
	unsigned long sent = 0;
	struct timespec due;

	clock_gettime(CLOCK_MONOTONIC, &due);
	for (; ms; ms--) {
		sent += (unsigned long)send_burst(fd, p, burst);
		due.tv_nsec += NS_PER_MS;
		if (due.tv_nsec >= NS_PER_S) {
			due.tv_nsec -= NS_PER_S;
			due.tv_sec++;
		}
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
	}
	return sent;
}

int main(int argc, char **argv)
{
	struct packet packet;
	int burst;

	burst = argc == 5 ? atoi(argv[3]) / 1000 : 0;
	if (burst < 1 || burst > BURST_MAX) {
		fputs("usage: forge DEVICE KIND RATE SECONDS\n", stderr);
		return 2;
	}
	overhear(argv[1], &packet);
	answer(&packet);
	if (spoil(&packet, argv[2])) {
		fputs("forge: no such kind\n", stderr);
		return 2;
	}
	printf("%lu\n", flood(open_device(argv[1], 0), &packet, (unsigned int)burst,
			      atol(argv[4]) * 1000));
	return 0;
}
