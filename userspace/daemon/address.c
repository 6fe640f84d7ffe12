// SPDX-License-Identifier: GPL-2.0-or-later
/* The service addresses, by libnl-route. */
#include <net/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <linux/if_addr.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/address.h"

struct address {
	struct nl_sock *socket;
};

/* libnl's errors as ours. */
static int to_errno(int nl_error)
{
	switch (-nl_error) {
	case NLE_SUCCESS:
		return 0;
	case NLE_EXIST:
		return -EEXIST;
	case NLE_NOADDR:
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EPERM;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_NODEV:
		return -ENODEV;
	case NLE_AGAIN:
	case NLE_INTR:
	case NLE_DUMP_INTR:
		return -EAGAIN;
	case NLE_INVAL:
		return -EINVAL;
	default:
		return -EIO;
	}
}

struct address *address_open(char *error, size_t error_size)
{
	struct address *a = calloc(1, sizeof(*a));
	int err = -NLE_NOMEM;

	if (a)
		a->socket = nl_socket_alloc();
	if (a && a->socket)
		err = nl_connect(a->socket, NETLINK_ROUTE);
	if (!err)
		return a;
	snprintf(error, error_size,
		 "cannot open a route netlink socket (%s): check the service's sandbox",
		 nl_geterror(err));
	address_close(a);
	return NULL;
}

void address_close(struct address *a)
{
	if (!a)
		return;
	nl_socket_free(a->socket);
	free(a);
}

static int set_local(struct rtnl_addr *addr, const struct config_service *s)
{
	struct nl_addr *local;
	int err;

	local = nl_addr_build(s->family, s->address,
			      s->family == AF_INET ? 4 : 16);
	if (!local)
		return -NLE_NOMEM;
	nl_addr_set_prefixlen(local, s->prefix);
	err = rtnl_addr_set_local(addr, local);
	nl_addr_put(local);
	return err;
}

/* The address as the kernel wants to be told of it. */
static int build(const struct config_service *s, struct rtnl_addr **result)
{
	unsigned int ifindex = if_nametoindex(s->device);
	struct rtnl_addr *addr;
	int err;

	if (!ifindex)
		return -ENODEV;
	addr = rtnl_addr_alloc();
	if (!addr)
		return -ENOMEM;
	rtnl_addr_set_ifindex(addr, (int)ifindex);
	err = set_local(addr, s);
	if (err) {
		rtnl_addr_put(addr);
		return to_errno(err);
	}
	/* Duplicate address detection would take a second; the lease is ours. */
	if (s->family == AF_INET6)
		rtnl_addr_set_flags(addr, IFA_F_NODAD);
	*result = addr;
	return 0;
}

int address_add(struct address *a, const struct config_service *service)
{
	struct rtnl_addr *addr;
	int err = build(service, &addr);

	if (err)
		return err;
	err = to_errno(rtnl_addr_add(a->socket, addr, 0));
	rtnl_addr_put(addr);
	return err == -EEXIST ? 0 : err;
}

int address_del(struct address *a, const struct config_service *service)
{
	struct rtnl_addr *addr;
	int err = build(service, &addr);

	/* Without the device there is no address on it. */
	if (err)
		return err == -ENODEV ? 0 : err;
	err = to_errno(rtnl_addr_delete(a->socket, addr, 0));
	rtnl_addr_put(addr);
	return err == -ENOENT ? 0 : err;
}

static bool same(struct rtnl_addr *addr, const struct config_service *s)
{
	struct nl_addr *local = rtnl_addr_get_local(addr);
	size_t len = s->family == AF_INET ? 4 : 16;

	return local && rtnl_addr_get_family(addr) == s->family &&
	       rtnl_addr_get_prefixlen(addr) == s->prefix &&
	       nl_addr_get_len(local) == len &&
	       !memcmp(nl_addr_get_binary_addr(local), s->address, len);
}

int address_present(struct address *a, const struct config_service *service)
{
	int ifindex = (int)if_nametoindex(service->device);
	struct nl_cache *cache;
	struct nl_object *object;
	int err, found = 0;

	if (!ifindex)
		return 0;
	err = rtnl_addr_alloc_cache(a->socket, &cache);
	if (err)
		return to_errno(err);
	for (object = nl_cache_get_first(cache); object && !found;
	     object = nl_cache_get_next(object)) {
		struct rtnl_addr *addr = (struct rtnl_addr *)object;

		found = rtnl_addr_get_ifindex(addr) == ifindex &&
			same(addr, service);
	}
	nl_cache_free(cache);
	return found;
}
