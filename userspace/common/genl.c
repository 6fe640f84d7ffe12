// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Talking to the module. See genl.h; genl_request.c asks, genl_read.c reads the
 * objects.
 */
#include "common/genl.h"

#include <linux/genetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

/* The module's largest message is below 1 KiB; dumps come in such pieces. */
#define BUFFER_SIZE	16384
/* Events that may wait while the daemon is not scheduled: some thousands. */
#define EVENT_BUFFER	(4 << 20)
#define TEXT_SIZE	256

/**
 * struct genl - one socket
 * @socket: libmnl's
 * @family: of ctiha, given by the kernel when the module was loaded
 * @group: its event group
 * @seq: of the last request
 * @request: where requests are built
 * @answer: where messages are received
 * @text: why the last request failed
 */
struct genl {
	struct mnl_socket *socket;
	u16 family;
	u32 group;
	u32 seq;
	char text[TEXT_SIZE];
	char request[1024] __attribute__((aligned(NLMSG_ALIGNTO)));
	char answer[BUFFER_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
};

int genl_fd(const struct genl *genl)
{
	return mnl_socket_get_fd(genl->socket);
}

const char *genl_text(const struct genl *genl)
{
	return genl->text;
}

static int fail(struct genl *genl, int error, const char *text)
{
	snprintf(genl->text, sizeof(genl->text), "%s",
		 text && *text ? text : strerror(-error));
	return error;
}

static struct nlmsghdr *begin(struct genl *genl, u16 family, u8 command,
			      u8 version)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(genl->request);
	struct genlmsghdr *head;

	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	nlh->nlmsg_seq = ++genl->seq;
	head = mnl_nlmsg_put_extra_header(nlh, sizeof(*head));
	head->cmd = command;
	head->version = version;
	return nlh;
}

struct nlmsghdr *genl_begin(struct genl *genl, u8 command)
{
	return begin(genl, genl->family, command, CTIHA_GENL_VERSION);
}

/*
 * Receives one datagram of the kernel. Another process may send to this socket
 * if it is privileged enough; nobody but the kernel is listened to.
 *
 * Return: its length, or a negative errno.
 */
static ssize_t receive(struct genl *genl, int flags)
{
	struct sockaddr_nl from;
	socklen_t from_len;
	ssize_t len;

	do {
		from_len = sizeof(from);
		len = recvfrom(genl_fd(genl), genl->answer,
			       sizeof(genl->answer), flags | MSG_TRUNC,
			       (struct sockaddr *)&from, &from_len);
	} while ((len < 0 && errno == EINTR) ||
		 (len >= 0 && (from_len != sizeof(from) || from.nl_pid)));
	if (len < 0)
		return -errno;
	return (size_t)len > sizeof(genl->answer) ? -EPROTO : len;
}

int genl_parse(const struct nlmsghdr *nlh, struct genl_message *message)
{
	const struct genlmsghdr *head = mnl_nlmsg_get_payload(nlh);
	static const enum mnl_attr_data_type types[CTIHA_A_MAX + 1] = {
		[CTIHA_A_NODE] = MNL_TYPE_NESTED,
		[CTIHA_A_PEER] = MNL_TYPE_NESTED,
		[CTIHA_A_LINK] = MNL_TYPE_NESTED,
		[CTIHA_A_EVENT] = MNL_TYPE_NESTED,
	};
	const struct nlattr *attr;
	unsigned int type;

	/* libmnl reads up to the aligned length. */
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*head) ||
	    nlh->nlmsg_len % NLMSG_ALIGNTO)
		return -EPROTO;
	memset(message, 0, sizeof(*message));
	message->command = head->cmd;
	mnl_attr_for_each(attr, nlh, sizeof(*head)) {
		type = mnl_attr_get_type(attr);
		if (type > CTIHA_A_MAX || !types[type])
			continue;
		if (mnl_attr_validate(attr, types[type]))
			return -EPROTO;
		message->attr[type] = attr;
	}
	if ((const char *)attr < (const char *)mnl_nlmsg_get_payload_tail(nlh))
		return -EPROTO;
	return 0;
}

/* The kernel's words on a failed request, NULL if it gave none. */
static const char *extack_text(const struct nlmsghdr *nlh, size_t skip)
{
	const struct nlattr *attr;

	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS) ||
	    skip > mnl_nlmsg_get_payload_len(nlh))
		return NULL;
	mnl_attr_for_each(attr, nlh, skip)
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
		    !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
			return mnl_attr_get_str(attr);
	return NULL;
}

static int take_error(struct genl *genl, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	size_t skip = sizeof(*err);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*err))
		return fail(genl, -EPROTO, NULL);
	if (!err->error)
		return 0;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED) &&
	    err->msg.nlmsg_len > NLMSG_HDRLEN)
		skip += err->msg.nlmsg_len - NLMSG_HDRLEN;
	return fail(genl, err->error < 0 ? err->error : -EPROTO,
		    extack_text(nlh, MNL_ALIGN(skip)));
}

/* A dump ends with its own result. */
static int take_done(struct genl *genl, const struct nlmsghdr *nlh)
{
	int result = 0;

	if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(result))
		memcpy(&result, mnl_nlmsg_get_payload(nlh), sizeof(result));
	if (result < 0)
		return fail(genl, result,
			    extack_text(nlh, MNL_ALIGN(sizeof(result))));
	return 0;
}

static int take_object(struct genl *genl, const struct nlmsghdr *nlh,
		       genl_message_fn fn, void *arg)
{
	struct genl_message message;
	int ret;

	if (!fn)
		return 0;
	ret = genl_parse(nlh, &message);
	if (!ret)
		ret = fn(&message, arg);
	return ret ? fail(genl, ret, NULL) : 0;
}

/**
 * struct call - a request under way
 * @fn, @arg: as in genl_call()
 * @ended: acknowledged or refused
 * @interrupted: the dump is not one picture
 * @result: of @fn, the first that was not 0
 */
struct call {
	genl_message_fn fn;
	void *arg;
	bool ended;
	bool interrupted;
	int result;
};

static int take_message(struct genl *genl, const struct nlmsghdr *nlh,
			struct call *call)
{
	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		call->interrupted = true;
	switch (nlh->nlmsg_type) {
	case NLMSG_ERROR:
		call->ended = true;
		return take_error(genl, nlh);
	case NLMSG_DONE:
		call->ended = true;
		return take_done(genl, nlh);
	case NLMSG_NOOP:
		return 0;
	default:
		return take_object(genl, nlh, call->fn, call->arg);
	}
}

/* After @fn failed, what remains is only read to get it out of the way. */
static void take_datagram(struct genl *genl, int len, struct call *call)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)genl->answer;
	int ret;

	for (; mnl_nlmsg_ok(nlh, len) && !call->ended;
	     nlh = mnl_nlmsg_next(nlh, &len)) {
		/* A late answer to a request that was given up. */
		if (nlh->nlmsg_seq != genl->seq)
			continue;
		if (call->result)
			call->fn = NULL;
		ret = take_message(genl, nlh, call);
		if (!call->result)
			call->result = ret;
	}
}

static int call(struct genl *genl, genl_message_fn fn, void *arg)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)genl->request;
	struct call call = { .fn = fn, .arg = arg };
	ssize_t len;

	len = mnl_socket_sendto(genl->socket, nlh, nlh->nlmsg_len);
	if (len < 0)
		return fail(genl, -errno, NULL);
	/* It may have held a key. */
	explicit_bzero(genl->request, sizeof(genl->request));
	while (!call.ended) {
		len = receive(genl, 0);
		if (len == -EAGAIN)
			return fail(genl, -ETIMEDOUT,
				    "the module did not answer in time");
		if (len < 0)
			return fail(genl, (int)len, NULL);
		take_datagram(genl, (int)len, &call);
	}
	if (!call.result && call.interrupted)
		return fail(genl, -EINTR, NULL);
	return call.result;
}

int genl_call(struct genl *genl, genl_message_fn fn, void *arg)
{
	return call(genl, fn, arg);
}

int genl_dump(struct genl *genl, genl_message_fn fn, void *arg)
{
	struct nlmsghdr *nlh = (struct nlmsghdr *)genl->request;

	nlh->nlmsg_flags |= NLM_F_DUMP;
	return call(genl, fn, arg);
}

static void read_group(struct genl *genl, const struct nlattr *group)
{
	const struct nlattr *attr;
	const char *name = "";
	u32 id = 0;

	mnl_attr_for_each_nested(attr, group) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_NAME &&
		    !mnl_attr_validate(attr, MNL_TYPE_NUL_STRING))
			name = mnl_attr_get_str(attr);
		if (mnl_attr_get_type(attr) == CTRL_ATTR_MCAST_GRP_ID &&
		    !mnl_attr_validate(attr, MNL_TYPE_U32))
			id = mnl_attr_get_u32(attr);
	}
	if (!strcmp(name, CTIHA_GENL_GROUP))
		genl->group = id;
}

static void read_family(struct genl *genl, const struct nlmsghdr *nlh)
{
	const struct nlattr *attr, *group;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) {
		if (mnl_attr_get_type(attr) == CTRL_ATTR_FAMILY_ID &&
		    !mnl_attr_validate(attr, MNL_TYPE_U16))
			genl->family = mnl_attr_get_u16(attr);
		if (mnl_attr_get_type(attr) != CTRL_ATTR_MCAST_GROUPS)
			continue;
		mnl_attr_for_each_nested(group, attr)
			read_group(genl, group);
	}
}

/* The controller's attributes are not ours: its answer is read by hand. */
static int resolve(struct genl *genl)
{
	struct nlmsghdr *nlh = begin(genl, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	ssize_t len;

	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, CTIHA_GENL_NAME);
	nlh->nlmsg_flags = NLM_F_REQUEST;
	if (mnl_socket_sendto(genl->socket, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	len = receive(genl, 0);
	if (len < 0)
		return (int)len;
	nlh = (struct nlmsghdr *)genl->answer;
	if (!mnl_nlmsg_ok(nlh, (int)len))
		return -EPROTO;
	if (nlh->nlmsg_type == NLMSG_ERROR)
		return take_error(genl, nlh);
	read_family(genl, nlh);
	return genl->family && genl->group ? 0 : -EPROTO;
}

static int open_socket(struct genl *genl)
{
	struct timeval limit = { .tv_sec = GENL_TIMEOUT_MS / 1000 };
	int yes = 1;

	genl->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!genl->socket ||
	    mnl_socket_bind(genl->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(genl_fd(genl), SOL_SOCKET, SO_RCVTIMEO, &limit,
		       sizeof(limit)))
		return -errno;
	/* Without these there are only fewer words. */
	mnl_socket_setsockopt(genl->socket, NETLINK_EXT_ACK, &yes, sizeof(yes));
	mnl_socket_setsockopt(genl->socket, NETLINK_CAP_ACK, &yes, sizeof(yes));
	return 0;
}

static void explain(int ret, char *error, size_t error_size)
{
	if (ret == -ENOENT)
		snprintf(error, error_size, "the kernel module ctiha is not loaded; load the module: modprobe ctiha");
	else
		snprintf(error, error_size,
			 "cannot reach the kernel module ctiha: %s",
			 strerror(-ret));
}

struct genl *genl_open(char *error, size_t error_size)
{
	struct genl *genl = calloc(1, sizeof(*genl));
	int ret = genl ? open_socket(genl) : -ENOMEM;

	if (!ret)
		ret = resolve(genl);
	if (!ret)
		return genl;
	explain(ret, error, error_size);
	genl_close(genl);
	errno = -ret;
	return NULL;
}

void genl_close(struct genl *genl)
{
	if (!genl)
		return;
	if (genl->socket)
		mnl_socket_close(genl->socket);
	free(genl);
}

int genl_subscribe(struct genl *genl)
{
	int size = EVENT_BUFFER;

	if (setsockopt(genl_fd(genl), SOL_SOCKET, SO_RCVBUFFORCE, &size,
		       sizeof(size)) &&
	    setsockopt(genl_fd(genl), SOL_SOCKET, SO_RCVBUF, &size,
		       sizeof(size)))
		return -errno;
	if (mnl_socket_setsockopt(genl->socket, NETLINK_ADD_MEMBERSHIP,
				  &genl->group, sizeof(genl->group)) < 0)
		return -errno;
	return 0;
}

int genl_receive(struct genl *genl, genl_message_fn fn, void *arg)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)genl->answer;
	struct genl_message message;
	ssize_t len = receive(genl, MSG_DONTWAIT);
	int rest = (int)len;
	int ret;

	if (len < 0)
		return len == -EAGAIN ? 0 : (int)len;
	for (; mnl_nlmsg_ok(nlh, rest); nlh = mnl_nlmsg_next(nlh, &rest)) {
		if (nlh->nlmsg_type != genl->family)
			continue;
		ret = genl_parse(nlh, &message);
		if (!ret)
			ret = fn(&message, arg);
		if (ret)
			return ret;
	}
	return 1;
}
