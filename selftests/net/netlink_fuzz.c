// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sends the module messages that nobody should send: every command, with
 * attributes that are right, nearly right, cut short, too long, nested too deep, too
 * many, or noise.
 *
 * usage: netlink_fuzz COUNT SEED
 *
 * In the network namespace it is run in, whose devices it may use as it likes. Many
 * messages go in one system call. Prints how many of each command were accepted.
 */
#include <stdio.h>
#include <stdlib.h>

#include <linux/genetlink.h>
#include <sys/capability.h>
#include <sys/prctl.h>

#include <libmnl/libmnl.h>
#include <linux/ctiha.h>

#include <ctiha/base.h>

#define BATCH		32
#define ROOM		32768	/* of a message */
#define DEEP		200

struct fuzz {
	struct mnl_socket *socket;
	u16 family;
	u64 random;
	u32 sent;
	unsigned long accepted[256];
	unsigned long refused;
};

/* xorshift64: the same messages for the same seed, on every machine. */
static u64 draw(struct fuzz *f)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return f->random;
}

static u64 below(struct fuzz *f, u64 limit)
{
	return draw(f) % limit;
}

static bool once_in(struct fuzz *f, u64 n)
{
	return !below(f, n);
}

static void put_noise(struct fuzz *f, struct nlmsghdr *nlh, u16 type)
{
	u8 noise[64];
	size_t i, len = below(f, sizeof(noise));

	for (i = 0; i < len; i++)
		noise[i] = (u8)draw(f);
	mnl_attr_put(nlh, type, len, noise);
}

/* Values at the edges of what is allowed, and what is allowed. */
static u64 draw_value(struct fuzz *f)
{
	static const u64 values[] = {
		0, 1, 2, 3, 7, 10, 50, 51, 100, 1000, 10000, 1000000, 10000000,
		10000001, 200000000, 250000000, 3600000000000, 1ULL << 31,
		1ULL << 32, U64_MAX >> 1, 1ULL << 63, U64_MAX,
	};

	return once_in(f, 4) ? draw(f) : values[below(f, ARRAY_SIZE(values))];
}

static void put_number(struct fuzz *f, struct nlmsghdr *nlh, u16 type)
{
	static const u8 sizes[] = { 1, 4, 8 };
	u64 value = draw_value(f);

	mnl_attr_put(nlh, type, sizes[below(f, sizeof(sizes))], &value);
}

static void put_nest(struct fuzz *f, struct nlmsghdr *nlh, u16 type)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);
	u64 count = below(f, 8);

	while (count--) {
		if (once_in(f, 2))
			put_number(f, nlh, (u16)below(f, 20));
		else
			put_noise(f, nlh, (u16)below(f, 20));
	}
	mnl_attr_nest_end(nlh, nest);
}

static void put_deep(struct fuzz *f, struct nlmsghdr *nlh, u16 type)
{
	struct nlattr *nests[DEEP];
	u64 i, depth = 1 + below(f, DEEP);

	for (i = 0; i < depth; i++)
		nests[i] = mnl_attr_nest_start(nlh, i ? (u16)below(f, 20) : type);
	while (i)
		mnl_attr_nest_end(nlh, nests[--i]);
}

static void put_many(struct fuzz *f, struct nlmsghdr *nlh, u16 type)
{
	u64 count = below(f, 3000);
	struct nlattr *nest = mnl_attr_nest_start(nlh, type);

	while (count--)
		mnl_attr_put(nlh, CTIHA_A_FENCE_ADDRESS, 4, &count);
	mnl_attr_nest_end(nlh, nest);
}

static void put_any(struct fuzz *f, struct nlmsghdr *nlh)
{
	u16 type = (u16)below(f, CTIHA_A_MAX + 4);

	switch (below(f, 16)) {
	case 0:
		put_deep(f, nlh, type);
		break;
	case 1:
		put_many(f, nlh, type);
		break;
	case 2: case 3: case 4:
		put_noise(f, nlh, type);
		break;
	case 5: case 6: case 7: case 8:
		put_nest(f, nlh, type);
		break;
	default:
		put_number(f, nlh, type);
	}
}

/* One in eight of these fields is missing, one in eight is another number. */
static void put_field(struct fuzz *f, struct nlmsghdr *nlh, u16 type,
		      size_t size, u64 value)
{
	if (once_in(f, 8))
		return;
	if (once_in(f, 8))
		value = draw_value(f);
	mnl_attr_put(nlh, type, size, &value);
}

static void put_name(struct fuzz *f, struct nlmsghdr *nlh)
{
	static const char *const names[] = {
		"crossover", "lan", "", "sixteen letters!", "%s%n",
	};

	mnl_attr_put_strz(nlh, CTIHA_A_LINK_NAME,
			  names[once_in(f, 4) ? below(f, ARRAY_SIZE(names)) :
						below(f, 2)]);
}

static void put_good_name(struct fuzz *f, struct nlmsghdr *nlh)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_LINK);

	put_name(f, nlh);
	mnl_attr_nest_end(nlh, nest);
}

static void put_good_link(struct fuzz *f, struct nlmsghdr *nlh)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_LINK);

	put_name(f, nlh);
	put_field(f, nlh, CTIHA_A_LINK_KIND, 1, 1 + below(f, 2));
	put_field(f, nlh, CTIHA_A_LINK_IFINDEX, 4, 1 + below(f, 12));
	put_field(f, nlh, CTIHA_A_LINK_INTERVAL_US, 4, 1000 + below(f, 50000));
	put_field(f, nlh, CTIHA_A_LINK_MULTIPLIER, 1, 2 + below(f, 49));
	if (once_in(f, 2))
		put_field(f, nlh, CTIHA_A_LINK_PEER_MAC, 6, draw(f));
	mnl_attr_nest_end(nlh, nest);
}

static void put_good_node(struct fuzz *f, struct nlmsghdr *nlh)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_NODE);

	put_field(f, nlh, CTIHA_A_NODE_ID, 1, below(f, 2));
	put_field(f, nlh, CTIHA_A_NODE_PAIR, 4, below(f, 3));
	put_field(f, nlh, CTIHA_A_NODE_LEASE_NS, 8, 2000000000);
	put_field(f, nlh, CTIHA_A_NODE_PROMISE_NS, 8, 2300000000);
	put_field(f, nlh, CTIHA_A_NODE_EPOCH, 8, below(f, 100));
	mnl_attr_nest_end(nlh, nest);
}

static void put_good_fence(struct fuzz *f, struct nlmsghdr *nlh)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_FENCE);
	u64 count = below(f, 20);

	while (count--)
		put_field(f, nlh, CTIHA_A_FENCE_ADDRESS, 4, draw(f));
	put_field(f, nlh, CTIHA_A_FENCE_LAST_RESORT, 1, below(f, 3));
	mnl_attr_nest_end(nlh, nest);
}

static void put_good_switch(struct fuzz *f, struct nlmsghdr *nlh)
{
	struct nlattr *nest = mnl_attr_nest_start(nlh, CTIHA_A_SWITCH);

	put_field(f, nlh, CTIHA_A_SWITCH_IFINDEX, 4, below(f, 12));
	mnl_attr_nest_end(nlh, nest);
}

/* Setting a key waits for all CPUs: seldom, or nothing else would be done. */
static void put_good_key(struct fuzz *f, struct nlmsghdr *nlh)
{
	u8 key[CTIHA_KEY_LEN] = { (u8)below(f, 2) };

	put_field(f, nlh, CTIHA_A_KEY_SLOT, 1, below(f, 2));
	mnl_attr_put(nlh, CTIHA_A_KEY, once_in(f, 16) ? sizeof(key) :
		     below(f, sizeof(key)), key);
	if (once_in(f, 2))
		mnl_attr_put(nlh, CTIHA_A_KEY_SEND, 0, NULL);
}

/* What this command expects, mostly. */
static void put_good(struct fuzz *f, struct nlmsghdr *nlh, u8 command)
{
	switch (command) {
	case CTIHA_CMD_NODE_SET:
		put_good_node(f, nlh);
		break;
	case CTIHA_CMD_KEY_SET:
		put_good_key(f, nlh);
		break;
	case CTIHA_CMD_FENCE_SET:
		put_good_fence(f, nlh);
		break;
	case CTIHA_CMD_LINK_ADD:
		put_good_link(f, nlh);
		break;
	case CTIHA_CMD_LINK_GET:
	case CTIHA_CMD_LINK_DEL:
		put_good_name(f, nlh);
		break;
	case CTIHA_CMD_SWITCH_SET:
		put_good_switch(f, nlh);
		break;
	case CTIHA_CMD_ATTACH:
		put_field(f, nlh, CTIHA_A_WATCH_MS, 4, 1 + below(f, 5000));
		break;
	default:
		put_field(f, nlh, CTIHA_A_EPOCH, 8, below(f, 64));
		put_field(f, nlh, CTIHA_A_GRANT_SENT_NS, 8, draw_value(f));
		put_field(f, nlh, CTIHA_A_REPORT, 4, below(f, 1024));
		put_field(f, nlh, CTIHA_A_SYNC_POS, 8, draw_value(f));
	}
}

/* Changes bytes behind the message's own header; its length stays true. */
static void damage(struct fuzz *f, struct nlmsghdr *nlh)
{
	u32 size = nlh->nlmsg_len - sizeof(*nlh);
	u64 times = 1 + below(f, 4);

	while (times--)
		((u8 *)(nlh + 1))[below(f, size)] ^= (u8)(1 << below(f, 8));
}

static u8 draw_command(struct fuzz *f)
{
	return once_in(f, 64) ? (u8)draw(f) : (u8)below(f, CTIHA_CMD_MAX + 2);
}

static struct nlmsghdr *make(struct fuzz *f, void *room)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(room);
	struct genlmsghdr *head;
	u8 command = draw_command(f);
	u64 extra = once_in(f, 2) ? 0 : below(f, 4);

	nlh->nlmsg_type = f->family;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = f->sent++ << 8 | command;
	if (once_in(f, 16))
		nlh->nlmsg_flags |= NLM_F_DUMP;
	head = mnl_nlmsg_put_extra_header(nlh, sizeof(*head));
	head->cmd = command;
	head->version = once_in(f, 16) ? (u8)draw(f) : CTIHA_GENL_VERSION;
	if (!once_in(f, 4))
		put_good(f, nlh, command);
	while (extra--)
		put_any(f, nlh);
	if (once_in(f, 5))
		damage(f, nlh);
	return nlh;
}

/* Answers that did not fit are not missed: only acknowledgements count. */
static void take_answers(struct fuzz *f)
{
	static char room[1 << 17];
	const struct nlmsgerr *error;
	struct nlmsghdr *nlh;
	ssize_t n;
	int len;

	while ((n = recv(mnl_socket_get_fd(f->socket), room, sizeof(room),
			 MSG_DONTWAIT)) > 0 || (n < 0 && errno == ENOBUFS)) {
		len = (int)n;
		nlh = (struct nlmsghdr *)room;
		for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
			if (nlh->nlmsg_type != NLMSG_ERROR)
				continue;
			error = mnl_nlmsg_get_payload(nlh);
			if (error->error)
				f->refused++;
			else
				f->accepted[nlh->nlmsg_seq & 255]++;
		}
	}
}

static void send_batch(struct fuzz *f, unsigned int count)
{
	static char room[BATCH * ROOM];
	size_t len = 0;

	while (count--) {
		struct nlmsghdr *nlh = make(f, room + len);

		len += NLMSG_ALIGN(nlh->nlmsg_len);
		/* One send must fit into the socket's buffer. */
		if (len > 100000)
			break;
	}
	if (mnl_socket_sendto(f->socket, room, len) < 0) {
		perror("netlink_fuzz: send");
		exit(EXIT_FAILURE);
	}
	take_answers(f);
}

static int take_family(const struct nlattr *attr, void *family)
{
	if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID)
		*(u16 *)family = mnl_attr_get_u16(attr);
	return MNL_CB_OK;
}

static void find_family(struct fuzz *f)
{
	char room[8192];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(room);
	struct genlmsghdr *head;
	ssize_t len;

	nlh->nlmsg_type = GENL_ID_CTRL;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	head = mnl_nlmsg_put_extra_header(nlh, sizeof(*head));
	head->cmd = CTRL_CMD_GETFAMILY;
	head->version = 1;
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, CTIHA_GENL_NAME);
	mnl_socket_sendto(f->socket, nlh, nlh->nlmsg_len);
	len = mnl_socket_recvfrom(f->socket, room, sizeof(room));
	if (len > 0 && nlh->nlmsg_type != NLMSG_ERROR)
		mnl_attr_parse(nlh, sizeof(*head), take_family, &f->family);
	if (!f->family) {
		fputs("netlink_fuzz: no module: insmod ctiha.ko\n", stderr);
		exit(EXIT_FAILURE);
	}
}

/* Or it would find out that on-fence = reboot works. */
static void drop_reboot(void)
{
	const cap_value_t boot = CAP_SYS_BOOT;
	cap_t caps = cap_get_proc();

	if (!caps || cap_set_flag(caps, CAP_EFFECTIVE, 1, &boot, CAP_CLEAR) ||
	    cap_set_flag(caps, CAP_PERMITTED, 1, &boot, CAP_CLEAR) ||
	    cap_set_proc(caps)) {
		perror("netlink_fuzz: cannot give up CAP_SYS_BOOT");
		exit(EXIT_FAILURE);
	}
	cap_free(caps);
}

int main(int argc, char **argv)
{
	struct fuzz f = { .random = 88172645463325252ULL };
	unsigned long count;
	unsigned int i;

	if (argc != 3) {
		fputs("usage: netlink_fuzz COUNT SEED\n", stderr);
		return 2;
	}
	count = strtoul(argv[1], NULL, 10);
	f.random ^= strtoull(argv[2], NULL, 10);
	drop_reboot();
	f.socket = mnl_socket_open(NETLINK_GENERIC);
	if (!f.socket || mnl_socket_bind(f.socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		perror("netlink_fuzz: socket");
		return EXIT_FAILURE;
	}
	find_family(&f);
	while (f.sent < count)
		send_batch(&f, BATCH);
	printf("sent %u refused %lu", f.sent, f.refused);
	for (i = 0; i < ARRAY_SIZE(f.accepted); i++)
		if (f.accepted[i])
			printf(" %u:%lu", i, f.accepted[i]);
	putchar('\n');
	mnl_socket_close(f.socket);
	return EXIT_SUCCESS;
}
