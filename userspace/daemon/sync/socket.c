// SPDX-License-Identifier: GPL-2.0-or-later
/* TCP sockets tied to a path. See socket.h. */
#include "daemon/sync/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

static socklen_t address_len(const struct sockaddr_storage *a)
{
	return a->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
					  sizeof(struct sockaddr_in);
}

static void set_int(int fd, int level, int option, int value)
{
	/* Each of these only improves: a kernel that refuses one still works. */
	(void)setsockopt(fd, level, option, &value, sizeof(value));
}

/* A keepalive waits behind all that the kernel holds and cannot send yet. */
#define UNSENT_ENOUGH	(64 << 10)

static void set_tcp(int fd)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, SOCKET_USER_TIMEOUT_MS);
	set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_ENOUGH);
}

/* Without the privilege the address alone ties the socket to the path. */
static int bind_device(int fd, const char *device)
{
	if (!device[0])
		return 0;
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device,
		       (socklen_t)strnlen(device, 15) + 1) &&
	    errno != EPERM)
		return -errno;
	return 0;
}

static int bind_path(int fd, const struct sync_path *path, bool any_port)
{
	struct sockaddr_storage local = path->local;
	int rc;

	if (any_port && local.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&local)->sin6_port = 0;
	else if (any_port)
		((struct sockaddr_in *)&local)->sin_port = 0;
	set_int(fd, IPPROTO_IP, IP_FREEBIND, 1);
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (local.ss_family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	rc = bind_device(fd, path->device);
	if (rc)
		return rc;
	return bind(fd, (struct sockaddr *)&local, address_len(&local)) ?
		       -errno : 0;
}

static int make(const struct sync_path *path, bool any_port)
{
	int fd = socket(path->local.ss_family,
			SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	set_tcp(fd);
	rc = bind_path(fd, path, any_port);
	if (!rc)
		return fd;
	close(fd);
	return rc;
}

int socket_listen(const struct sync_path *path)
{
	int fd = make(path, false);
	int rc;

	if (fd < 0)
		return fd;
	if (!listen(fd, 4))
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

int socket_prepare(const struct sync_path *path)
{
	return make(path, true);
}

static bool same_host(const struct sockaddr_storage *a,
		      const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET6)
		return !memcmp(&((struct sockaddr_in6 *)a)->sin6_addr,
			       &((struct sockaddr_in6 *)b)->sin6_addr,
			       sizeof(struct in6_addr));
	return ((struct sockaddr_in *)a)->sin_addr.s_addr ==
	       ((struct sockaddr_in *)b)->sin_addr.s_addr;
}

int socket_accept(int listener, const struct sync_path *path)
{
	struct sockaddr_storage from;
	socklen_t len = sizeof(from);
	int fd;

	fd = accept4(listener, (struct sockaddr *)&from, &len,
		     SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!same_host(&from, &path->peer)) {
		close(fd);
		return -EACCES;
	}
	set_tcp(fd);
	return fd;
}
