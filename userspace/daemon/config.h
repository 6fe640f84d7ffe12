/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's configuration, ctiha.conf(5), as plain data.
 *
 * Whatever is returned has been checked completely: every value is in range,
 * nothing mandatory is missing, the timing inequality holds.
 */
#ifndef CTIHA_CONFIG_H
#define CTIHA_CONFIG_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <ctiha/base.h>
#include <linux/ctiha.h>

#include "common/keys.h"

#define CONFIG_PATH		"/etc/ctiha/ctiha.conf"
#define CONFIG_NAME_LEN		64
#define CONFIG_PATH_LEN		256
#define CONFIG_RUN_DIR_MAX	80	/* leaves room for a socket's name */
#define CONFIG_LINKS		2
#define CONFIG_SERVICES_MAX	16
#define CONFIG_HOOKS_MAX	16	/* in all */
#define CONFIG_HOOK_ARGS_MAX	32

enum config_backend {
	CONFIG_BACKEND_MODULE,
	CONFIG_BACKEND_PACKET,
};

/**
 * struct config_link - a heartbeat link, L1 or L2
 * @kind: enum ctiha_link_kind
 * @device: net device
 * @interval_us: CTIHA_INTERVAL_MIN_US to CTIHA_INTERVAL_MAX_US
 * @multiplier: CTIHA_MULTIPLIER_MIN to CTIHA_MULTIPLIER_MAX
 * @peer_mac: broadcast if not given
 * @address, @peer_address: for state sync, with the sync port filled in
 */
struct config_link {
	u8 kind;
	char device[IF_NAMESIZE];
	u32 interval_us;
	u8 multiplier;
	u8 peer_mac[6];
	struct sockaddr_storage address;
	struct sockaddr_storage peer_address;
};

/**
 * struct config_arbiter - L3
 * @address: with the port filled in
 * @address_text: without the port, as it was written
 * @device: "" for any
 * @interval_ns, @timeout_ns: probes, and the silence that takes L3 down
 * @key: the arbiter's key for this pair; the pair's key by default
 */
struct config_arbiter {
	struct sockaddr_storage address;
	char address_text[CONFIG_NAME_LEN];
	char device[IF_NAMESIZE];
	u64 interval_ns;
	u64 timeout_ns;
	u8 key[CTIHA_KEY_LEN];
};

/**
 * struct config_service - an address that the active server holds
 * @family: AF_INET or AF_INET6
 * @address: 4 or 16 bytes in network order
 * @prefix: length of the network's prefix
 * @device: net device that gets it
 * @text: as it was written, e.g. "192.0.2.10/24"
 */
struct config_service {
	int family;
	u8 address[16];
	u8 prefix;
	char device[IF_NAMESIZE];
	char text[64];
};

/**
 * config_service_address() - a service address, IPv4 mapped into IPv6
 * @service: service
 * @address: receives it
 */
void config_service_address(const struct config_service *service,
			    struct in6_addr *address);

/**
 * struct config_switch - the telephone switch
 * @device: net device that leads to it, its carrier is watched; "" for none
 */
struct config_switch {
	char device[IF_NAMESIZE];
};

/**
 * struct config_hook - a command to run when the role changes
 * @role: CTIHA_ROLE_ACTIVE or CTIHA_ROLE_STANDBY
 * @argv: command and arguments, NULL at the end
 * @timeout_ns: after this it is ended
 */
struct config_hook {
	u8 role;
	char *argv[CONFIG_HOOK_ARGS_MAX + 1];
	u64 timeout_ns;
};

/**
 * struct config - everything that ctiha.conf says
 * @node: own id, 0 or 1
 * @pair: the pair's number on this network
 * @name, @peer_name: what people call the two servers
 * @path: the file it was read from
 * @keys: the pair's keys
 * @backend: enum config_backend
 * @on_fence: enum ctiha_last_resort
 * @state_dir: what must survive a reboot
 * @run_dir: sockets
 * @store_dir, @store_size: call records and how many bytes they may take
 * @lease_ns, @promise_ns: see linux/ctiha.h
 * @drift_ppm, @margin_ns: promise > lease * (1 + drift) + margin
 * @watch_ms: the daemon's longest silence before the module gives up on it
 * @settle_ns: how long L2 and L3 must both be down before that is believed;
 *             at least the arbiter's timeout and one of its intervals
 * @state_wait_ns: how long a standby that lacks calls waits for the active one
 *                 to come back before it serves without them
 * @quiesce_ns: time the application has to stop its work
 * @links: the crossover, then the LAN
 * @switch_nic: the telephone switch
 * @sync_port: TCP port of the state sync
 * @sync_insecure: no TLS on it
 * @sync_needs_standby: without one in sync no writes are taken
 * @sync_dictionary: zstd dictionary that its first records are compressed with
 * @user, @group: to run as, "" to stay; @uid, @gid: their numbers
 * @log_level: enum log_level
 * @services, @hooks: in the order of the file
 */
struct config {
	char path[CONFIG_PATH_LEN];
	u8 node;
	u32 pair;
	char name[CONFIG_NAME_LEN];
	char peer_name[CONFIG_NAME_LEN];
	struct keys keys;
	u8 backend;
	u8 on_fence;
	char state_dir[CONFIG_PATH_LEN];
	char run_dir[CONFIG_PATH_LEN];
	char store_dir[CONFIG_PATH_LEN];
	u64 store_size;
	u64 lease_ns;
	u64 promise_ns;
	u32 drift_ppm;
	u64 margin_ns;
	u32 watch_ms;
	u64 settle_ns;
	u64 state_wait_ns;
	u64 quiesce_ns;
	struct config_link links[CONFIG_LINKS];
	struct config_arbiter arbiter;
	struct config_switch switch_nic;
	u16 sync_port;
	bool sync_insecure;
	bool sync_needs_standby;
	char sync_dictionary[CONFIG_PATH_LEN];
	char user[CONFIG_NAME_LEN];
	char group[CONFIG_NAME_LEN];
	uid_t uid;
	gid_t gid;
	int log_level;
	unsigned int service_count;
	struct config_service services[CONFIG_SERVICES_MAX];
	unsigned int hook_count;
	struct config_hook hooks[CONFIG_HOOKS_MAX];
};

/**
 * config_read() - read and check a configuration file
 * @path: the file
 * @errors: receives one line per error: "FILE:LINE: what is wrong: what to do"
 *
 * Reports as many errors as can be found in one run. Not thread safe.
 *
 * Return: the configuration, to be freed, or NULL if there was any error.
 */
struct config *config_read(const char *path, FILE *errors);

/**
 * config_parse() - the same for text in memory
 * @path: named in the errors
 * @text, @len: the text, hostile
 * @errors: see config_read()
 */
struct config *config_parse(const char *path, const char *text, size_t len,
			    FILE *errors);

/**
 * config_free() - free it and wipe its keys
 * @config: NULL is fine
 */
void config_free(struct config *config);

/**
 * config_min_promise_ns() - what the promise must exceed
 * @lease_ns: lease
 * @drift_ppm: how far the two clocks may drift apart
 * @margin_ns: what else may delay a server's stopping
 */
u64 config_min_promise_ns(u64 lease_ns, u32 drift_ppm, u64 margin_ns);

#endif /* CTIHA_CONFIG_H */
