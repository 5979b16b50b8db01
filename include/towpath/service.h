/* SPDX-License-Identifier: GPL-2.0-only */
/* Services: virtual addresses, what stands behind them, and whose sockets are left alone. */
#ifndef TOWPATH_SERVICE_H
#define TOWPATH_SERVICE_H

#include <linux/types.h>
#include <towpath/addr.h>
#include <towpath/layout.h>

#define TP_SERVICE_MAX      1024
#define TP_SERVICE_PORT_MAX 16384 /* of all services together */
#define TP_BACKEND_MAX      64    /* of one service; a bit each */
#define TP_EXEMPT_MAX       1024
#define TP_FOREIGN_MAX      1024
#define TP_CGROUP_SIZE      192 /* bytes of a path with its NUL */

/* Key of tp_services. TCP and UDP on one port are two services. */
struct tp_service_key {
	struct tp_addr vip;
	__be16 port;
	__u8 protocol; /* IPPROTO_TCP or IPPROTO_UDP */
	__u8 zero;
};

/* How a backend is chosen among those that are healthy. */
enum tp_service_policy {
	TP_SERVICE_FAILOVER = 0, /* the first */
	TP_SERVICE_RANDOM = 1,
	TP_SERVICE_SOURCE = 2, /* always the same one for a client, while it is healthy */
};

/* Value of tp_services. */
struct tp_service {
	__u32 backends; /* row of tp_backends */
	__be16 target_port;
	__u8 policy; /* enum tp_service_policy */
	__u8 zero;
};

/* Value of tp_backends: all of one service in one row, so that they change in one step. */
struct tp_backends {
	__u64 healthy; /* a bit for each of addrs that may be chosen */
	__u32 count;
	char name[TP_NAME_SIZE]; /* the service's */
	__u32 zero;
	struct tp_addr addrs[TP_BACKEND_MAX]; /* in the policy's order */
};

/* Why the sockets of a network namespace are left alone. */
enum tp_exempt_why {
	TP_EXEMPT_NETNS = 1,     /* the policy names it */
	TP_EXEMPT_INTERFACE = 2, /* it holds a device of that name */
	TP_EXEMPT_PID = 3,
	TP_EXEMPT_TUNNEL = 4, /* tunnel.netns */
};

/* Value of tp_exempt, whose key is a netns cookie (SO_NETNS_COOKIE). */
struct tp_exempt {
	__u32 why; /* enum tp_exempt_why */
	__u32 zero;
	char what[TP_NAME_SIZE];  /* the name, path, device or pid that it was found by */
	char netns[TP_NAME_SIZE]; /* its name below /run/netns, or its path; empty: it has none */
};

enum tp_socket_mode {
	TP_SOCKET_OFF = 0,
	TP_SOCKET_ALL = 1,
	TP_SOCKET_HOST_ONLY = 2, /* only sockets of the network namespace that towpath runs in */
};

/* Whom other tools' load balancers are kept away from, and how: bits. */
enum tp_socket_hide {
	TP_HIDE_NOTHING = 0,
	TP_HIDE_EXEMPT = 1, /* sockets of exempt network namespaces, and our own probes */
	TP_HIDE_PROBES = 2, /* our own probes alone */
	TP_HIDE_BELOW = 4,  /* what hides hangs on the cgroups below, for want of BPF_F_PREORDER */
};

/* The one row of tp_socket_lb. */
struct tp_socket_lb {
	__u64 host_cookie;           /* of the network namespace that towpath runs in */
	__u32 mode;                  /* enum tp_socket_mode */
	__u32 hide;                  /* of enum tp_socket_hide */
	char cgroup[TP_CGROUP_SIZE]; /* for people: where the programs are */
};

/*
 * Value of tp_foreign, whose key is a struct tp_prefix: what is left to other tools, whoever asks
 * for it. An IPv6 prefix that covers the mapped addresses does not mean those.
 */
struct tp_foreign {
	__u32 v4; /* 1: the prefix is one of IPv4 */
};

/* What a socket believes to talk to, and what it does talk to. */
struct tp_sock_rev {
	struct tp_addr vip;
	struct tp_addr backend;
	__be16 vip_port;
	__be16 backend_port;
	__u32 index; /* of the backend in its row of tp_backends; TP_SOCK_PAST */
	/* of an unconnected socket: its clock when it was used last; 0: the entry is free */
	__u32 used;
	/* the clock's round, times TP_SOCK_ROUND; and TP_SOCK_DIRECT */
	__u32 round;
};

/*
 * An unconnected socket has got another backend for the service since, by another entry: this one
 * is here for answers that come late, until its room is needed.
 */
#define TP_SOCK_PAST   (~0U)
#define TP_SOCK_DIRECT 1 /* the last datagram went to the backend by its own address */
#define TP_SOCK_ROUND  2

/* What bpf/sock_iter.bpf.c tells of a socket. */
struct tp_led {
	__u64 cookie; /* of the socket, SO_COOKIE */
	struct tp_sock_rev rev;
};

/* What became of the destination that a socket has named last. */
enum tp_sock_named {
	TP_NAMED_UNSEEN = 0, /* none came by what hides it */
	TP_NAMED_HIDDEN = 1, /* and was not put back yet */
	TP_NAMED_DONE = 2,   /* put back; or not to be hidden by us */
};

/* Where a socket wants to go, while other tools' programs do not see it. */
struct tp_sock_hidden {
	struct tp_addr addr;
	__be16 port;
	__u16 named; /* enum tp_sock_named */
};

/*
 * Of an unconnected UDP socket: the services that it talks to. Few sockets talk to more than a few,
 * so there is more room only for one that needs it. What one has been given is never taken away.
 */
#define TP_SOCK_SERVICES 16
#define TP_SOCK_MORE     112

struct tp_sock_udp {
	__u32 clock; /* after 2^32 - 1 comes 1, of the next round: 0 only in the beginning */
	__u32 round; /* as in tp_sock_rev */
	struct tp_sock_rev services[TP_SOCK_SERVICES];
};

struct tp_sock_more {
	struct tp_sock_rev services[TP_SOCK_MORE];
};

_Static_assert(sizeof(struct tp_service_key) == 20, "no hole");
_Static_assert(sizeof(struct tp_service) == 8, "no hole");
_Static_assert(sizeof(struct tp_backends) == 80 + 16 * TP_BACKEND_MAX, "no hole");
_Static_assert(sizeof(struct tp_exempt) == 136, "no hole");
_Static_assert(sizeof(struct tp_sock_hidden) == 20, "no hole");
_Static_assert(sizeof(struct tp_sock_rev) == 48, "no hole");
_Static_assert(sizeof(struct tp_sock_udp) == 8 + 48 * TP_SOCK_SERVICES, "no hole");
_Static_assert(TP_SOCK_MORE % TP_SOCK_SERVICES == 0, "searched in whole pieces");
_Static_assert(sizeof(struct tp_sock_more) == 48 * TP_SOCK_MORE, "no hole");
_Static_assert(sizeof(struct tp_led) == 56, "no hole");

#endif
