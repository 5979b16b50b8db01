/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The policy file as typed values: syntax is checked, names are not resolved, defaults are filled
 * in, nothing is interpreted. Every struct mirrors one object of docs/policy.md.
 *
 * Strings are never NULL unless the comment says so. `place` is where a value stands in the file
 * ("$.peers.phone.addresses[0]") for messages of later layers.
 */
#ifndef TP_CONFIG_CONFIG_H
#define TP_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/array.h"
#include "base/problem.h"
#include "secret/key.h"

#define CONFIG_NAME_MAX 63 /* bytes of a node, peer, gateway, host, group, service name */

/* A string with its place. text may be NULL where noted. */
struct config_text {
	char *text;
	char *place;
};

struct config_texts {
	ARRAY_OF(struct config_text);
};

/* An item's place is that of whose list it is, the list's key and the index. */
struct config_addrs {
	ARRAY_OF(struct addr);
};

struct config_prefixes {
	ARRAY_OF(struct prefix);
};

/* "host:port"; host is a literal or a DNS name. host NULL: not set. "endpoint" in its owner. */
struct config_endpoint {
	char *host;
	uint16_t port;
};

enum config_enforce { ENFORCE_ON, ENFORCE_LOG };
enum config_backend { BACKEND_AUTO, BACKEND_KERNEL, BACKEND_USERSPACE };
enum config_xdp { XDP_AUTO, XDP_NATIVE, XDP_GENERIC, XDP_OFF };
enum config_lan_to_lan { LAN_TO_LAN_STACK, LAN_TO_LAN_JUDGE };
enum config_accept { ACCEPT_ALL, ACCEPT_NONE, ACCEPT_LIST };
enum config_snat { SNAT_MASQUERADE, SNAT_NONE, SNAT_ADDRESS };
enum config_local { LOCAL_PREFER_LOCAL, LOCAL_PREFER_MESH };
enum config_allowed { ALLOWED_ROUTES, ALLOWED_ALL, ALLOWED_LIST };
enum config_action { ACTION_ACCEPT, ACTION_DENY };
enum config_lb_policy { LB_FAILOVER, LB_RANDOM, LB_SOURCE };
enum config_lb_mode { LB_MODE_ALL, LB_MODE_HOST_ONLY, LB_MODE_OFF };
enum config_foreign { FOREIGN_OFF, FOREIGN_HIDE };

/* "tunnel", with a node's overrides already laid over it (config_node.tunnel). */
struct config_tunnel {
	char *interface;        /* "towpath0" */
	uint16_t listen_port;   /* 51820 */
	uint16_t mtu;           /* 1420; 0 = "auto" */
	char *private_key_file; /* "/var/lib/towpath/private.key" */
	enum config_backend backend;
	char *netns; /* NULL = none */
	char *place;
};

struct config_node {
	char *name;
	char *place;
	struct key public_key;
	struct config_addrs addresses;
	struct config_endpoint endpoint;
	uint16_t persistent_keepalive; /* seconds, 0 = off; 25 with `via` and no endpoint */
	struct config_text via;        /* text NULL = none */
	enum config_lan_to_lan lan_to_lan;
	struct config_texts tags;
	struct config_prefixes advertise_routes;
	enum config_accept accept;
	struct config_prefixes accept_routes; /* with ACCEPT_LIST */
	struct config_texts lan_interfaces;   /* names or globs; empty = default */
	enum config_xdp xdp;
	struct config_tunnel tunnel;
};

/* What `towpath client` writes. In a peer, unset members hold the top-level "client" values. */
struct config_client {
	struct config_addrs dns;
	struct config_texts search;
	enum config_allowed allowed;
	struct config_prefixes allowed_ips; /* with ALLOWED_LIST */
	uint16_t mtu;                       /* 1280 */
	char *place;                        /* NULL when the file has no such object */
};

struct config_peer {
	char *name;
	char *place;
	struct key public_key;
	struct config_addrs addresses;
	char *user; /* NULL = none */
	struct config_texts tags;
	char *preshared_key_file; /* NULL = none */
	struct config_endpoint endpoint;
	uint16_t persistent_keepalive;
	int64_t key_expiry; /* seconds since the epoch, 0 = never */
	char *gateway;      /* NULL = default */
	uint16_t mtu;       /* 0 = the tunnel's */
	struct config_client client;
	struct config_prefixes advertise_routes;
};

struct config_gateway {
	char *name;
	char *place;
	struct key public_key;
	struct config_endpoint endpoint;
	struct config_texts nodes;
};

struct config_group {
	char *name; /* with "group:" in front */
	char *place;
	struct config_texts members;
};

/* A `hosts` entry or any other name for addresses. */
struct config_host {
	char *name;
	char *place;
	struct addr_range range; /* an address, a prefix or a range */
};

struct config_approver {
	struct prefix prefix; /* default route for exit_node */
	char *place;
	struct config_texts who;
};

struct config_probe {
	bool set;
	char *protocol;  /* "tcp", "udp" or "icmp"; of a service "tcp", "udp" or "http" */
	char *http_path; /* "/path" with "http", else NULL */
	struct endpoint target;
	uint32_t interval_ms, fail, rise;
	char *place;
};

struct config_route {
	struct prefix prefix;
	char *place;
	struct config_texts via;
	enum config_snat snat;
	struct addr snat_addr; /* with SNAT_ADDRESS */
	bool translate_set;
	struct prefix translate;
	enum config_local local;
	ARRAY_OF(struct addr_range) local_vips;
	struct config_probe probe;
};

/* One entry of "ip": protocol and destination ports it matches. */
struct config_match {
	bool any;          /* "*" */
	uint8_t proto;     /* IPPROTO_*; with `both`, TCP and UDP. "icmp" is IPPROTO_ICMP and means
			    * ICMPv6 too */
	bool both;         /* "443": TCP and UDP */
	bool has_ports;    /* false: no ports in this protocol, or "tcp:*" (0..65535 below) */
	uint16_t port_min; /* host byte order */
	uint16_t port_max;
};

struct config_grant {
	char *place;
	enum config_action action;
	struct config_texts src; /* selectors, unresolved */
	struct config_texts dst;
	ARRAY_OF(struct config_match) ip; /* never empty: default is one with `any` */
};

/* "selector:ports", or "selector" alone where the protocol has none. */
struct config_assertion {
	char *place;
	char *text;                          /* as written */
	char *selector;                      /* without ports and brackets */
	ARRAY_OF(struct config_match) ports; /* proto and range of each */
};

struct config_assertions {
	ARRAY_OF(struct config_assertion);
};

struct config_test {
	char *place;
	struct config_text src;
	uint8_t proto; /* IPPROTO_*; IPPROTO_ICMP means ICMPv6 too */
	struct config_assertions accept;
	struct config_assertions deny;
};

struct config_service_port {
	uint16_t port, target_port;
	uint8_t proto;
	char *place;
};

struct config_service {
	char *name;
	char *place;
	struct addr vip;
	ARRAY_OF(struct config_service_port) ports;
	struct config_addrs backends;
	enum config_lb_policy policy;
	struct config_probe health; /* target.addr is zero: each backend in turn */
};

struct config_exempt {
	char *place;
	char *netns; /* one of these three is set; others NULL or 0 */
	char *interface;
	uint32_t pid;
};

struct config_socket_lb {
	bool set; /* the file has the section */
	enum config_lb_mode mode;
	char *cgroup; /* "auto" or a path */
	ARRAY_OF(struct config_exempt) exempt;
	enum config_foreign foreign;
	struct config_prefixes foreign_serves; /* with FOREIGN_HIDE */
};

struct config_limits {
	uint32_t flows;
	uint16_t port_min, port_max; /* snat_ports */
	/* seconds */
	uint32_t tcp_opening, tcp_established, tcp_closing, udp, icmp, other;
};

struct config {
	enum config_enforce enforce;
	struct config_tunnel tunnel;
	ARRAY_OF(struct config_node) nodes;
	ARRAY_OF(struct config_peer) peers;
	ARRAY_OF(struct config_gateway) gateways;
	struct config_client client;
	ARRAY_OF(struct config_group) groups;
	ARRAY_OF(struct config_host) hosts;
	ARRAY_OF(struct config_approver) route_approvers;
	struct config_texts exit_approvers;
	ARRAY_OF(struct config_route) routes;
	bool grants_set; /* false: no "grants" key, which check warns about */
	ARRAY_OF(struct config_grant) grants;
	ARRAY_OF(struct config_test) tests;
	ARRAY_OF(struct config_service) services;
	struct config_socket_lb socket_lb;
	bool metrics_set;     /* the file has "metrics" with a "listen" that is not null */
	char *metrics_listen; /* NULL = off */
	struct config_limits limits;
	uint8_t hash[HASH_SIZE]; /* SHA-256 of the text */
};

/*
 * Reads a policy text. On success *out is owned by the caller (config_free). When the text is not
 * a valid policy: -EINVAL, every error in `problems` in file order, *out untouched. -ENOMEM when
 * memory is out. Names are checked against each other here only where one file can be wrong about
 * itself (repeated names, repeated keys, repeated addresses); selectors are resolved by policy.
 */
int config_read(const char *text, size_t length, struct config **out, struct problems *problems);
void config_free(struct config *config);

/*
 * Whether anything of it needs programs of sockets, and so a cgroup. Probes do not: it is only
 * better for them to have one.
 */
bool config_uses_cgroup(const struct config *config);
/* A service whose backends are probed, or NULL. */
const struct config_service *config_find_probed(const struct config *config);

#endif
