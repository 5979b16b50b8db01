/* SPDX-License-Identifier: GPL-2.0-only */
/* Policies with services, and how a flow to one begins. */
#ifndef SELFTESTS_PACKET_SERVICES_H
#define SELFTESTS_PACKET_SERVICES_H

#include "policies.h"
#include "rows.h"

/* Of one family: its name, its virtual address and its backends, quoted. */
#define SERVICE(name, vip, how, ...)                                                    \
	"\"" name "\": { \"vip\": \"" vip "\", \"policy\": \"" how "\", "               \
	"\"ports\": [ { \"port\": 53, \"protocol\": \"udp\", \"target_port\": 5353 }, " \
	"{ \"port\": 80, \"protocol\": \"tcp\" } ], \"backends\": [" __VA_ARGS__ "], "  \
	"\"health\": { \"probe\": \"tcp:80\" } }"

/* "vip", in both families: of UDP 53, behind it 5353, and of TCP 80. */
#define SERVED_BY(how, v4, v6)                                 \
	", \"services\": {" SERVICE("svc", "100.64.0.53", how, \
				    v4) ", " SERVICE("svc6", "fd7a::53", how, v6) "}"

#define HOSTS_V4 "\"192.0.2.10\", \"192.0.2.11\""
#define HOSTS_V6 "\"2001:db8:30::10\", \"2001:db8:30::11\""
#define BY_HOSTS SERVED_BY("failover", HOSTS_V4, HOSTS_V6)

#define TO_SERVICE                                                                        \
	"{ \"src\": [\"*\", \"192.0.2.0/24\", \"2001:db8:30::/64\"], \"dst\": [\"svc\", " \
	"\"svc6\"] }"

/* Nothing but the service is granted. */
#define SERVED_MASQ   POLICY(MASQUERADE, TO_SERVICE, BY_HOSTS)
#define SERVED_ROUTED POLICY(NO_SNAT, TO_SERVICE, BY_HOSTS)

/* The address is granted, with all that it might be asked for. */
#define ADDRESS_GRANTED                                                                     \
	POLICY(MASQUERADE, GRANT("*", "100.64.0.53", "*") ", " GRANT("*", "fd7a::53", "*"), \
	       BY_HOSTS)

#define TWO_PORTS POLICY_LIMITS("\"snat_ports\": \"20000-20001\"")

/* Back through that device, from the service's TCP port. */
#define hears_rst(why, through, flags, to, to_port, ...)                 \
	{                                                                \
		.fate = SENT, .reason = TP_R_##why, .device = (through), \
		.out = {.proto = IPPROTO_TCP,                            \
			.tcp_flags = (flags),                            \
			.src = "vip",                                    \
			.sport = 80,                                     \
			.dst = (to),                                     \
			.dport = (to_port),                              \
			.frag = DF,                                      \
			.no_id = true,                                   \
			.no_window = true,                               \
			.payload = "",                                   \
			##__VA_ARGS__ }                                  \
	}
#define resets(...) hears_rst(reset, __VA_ARGS__)

/* Steps. Ports 20000 and up are in the range of SNAT, so that they are kept. */
#define OPENED(...)                                                                                \
	{                                                                                          \
		FROM_TUNNEL, udp("phone", 20000, "vip", 53, ##__VA_ARGS__),                        \
			resolves(LAN0, udp("lan", 20000, "host", 5353, .ttl = 63, ##__VA_ARGS__)), \
			.flows = 1                                                                 \
	}
#define BEGUN                                                                                     \
	{                                                                                         \
		FROM_TUNNEL, tcp(SYN, "phone", 20000, "vip", 80),                                 \
			resolves(LAN0, tcp(SYN, "lan", 20000, "host", 80, .ttl = 63)), .flows = 1 \
	}
#define ESTABLISHED                                                                            \
	BEGUN,                                                                                 \
		{ FROM_LAN, tcp(SYN | ACK, "host", 80, "lan", 20000),                          \
		  tunnels(tcp(SYN | ACK, "vip", 80, "phone", 20000, .ttl = 63)), .flows = 1 }, \
	{                                                                                      \
		FROM_TUNNEL, tcp(ACK, "phone", 20000, "vip", 80),                              \
			sends(LAN0, "host", tcp(ACK, "lan", 20000, "host", 80, .ttl = 63)),    \
			.flows = 1                                                             \
	}

/* Of the rows' family, as a probe would tell: whether the place answers for the service. */
void services_set_health(const char *backend, bool healthy);

#endif
