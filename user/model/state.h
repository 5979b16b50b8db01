/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel state towpath is responsible for. `want` (from policy and facts) and `have` (from
 * the kernel) are both of this type; plan/diff.c compares them. Everything is sorted, so that
 * equal states are equal member by member.
 */
#ifndef TP_MODEL_STATE_H
#define TP_MODEL_STATE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/array.h"
#include "model/decide_packet.h"
#include "model/intern.h"
#include "model/services.h"
#include "secret/key.h"
#include "towpath/abi.h"
#include "towpath/local_vip.h"
#include "towpath/policy.h"
#include "towpath/route.h"

enum state_backend { STATE_BACKEND_NONE, STATE_BACKEND_KERNEL, STATE_BACKEND_USERSPACE };

/* Sorted by prefix_compare. */
struct prefixes {
	ARRAY_OF(struct prefix);
};

struct state_peer {
	char name[TP_NAME_SIZE]; /* for plan texts; not compared, empty when unknown */
	struct key public_key;
	struct key preshared_key; /* zero = none */
	struct endpoint endpoint; /* port 0 = none; want: none leaves a roamed one alone */
	uint16_t keepalive;       /* seconds, 0 = off */
	ARRAY_OF(struct prefix) allowed_ips; /* sorted by prefix_compare */
	uint32_t said; /* hash of the endpoint that the policy names, which may be a DNS name */
	/* have only */
	bool ours;                /* tp_peer_info has its key; false: foreign, and left alone */
	int64_t latest_handshake; /* seconds since the epoch, 0 = never */
	uint64_t rx_bytes, tx_bytes;
};

/*
 * How one peer is set. Only what differs goes into the message: what is the same stays as it is,
 * and a peer that went meanwhile is not made anew from a part.
 */
struct peer_change {
	const struct state_peer *want;
	const struct state_peer *have; /* NULL: it is made */
	bool endpoint;                 /* want's is set; else a roamed one stays */
	/*
	 * Set when have has allowed IPs that are to be nobody's: those that are not in here, which
	 * is all that peers are to have.
	 */
	const struct prefixes *owned;
};

/*
 * Nobody's key. To take allowed IPs from a peer, and leave it the rest without a gap, they are
 * given to a peer of this key, which the same message removes: to replace a peer's allowed IPs
 * takes away all of them first, and packets go by what is there. Who has got them meanwhile loses
 * them as well.
 */
extern const struct key state_drain_key;

struct state_tunnel {
	bool exists;
	char name[IF_NAMESIZE];
	uint32_t ifindex; /* have only */
	enum state_backend backend;
	bool up;
	uint32_t mtu;
	uint16_t listen_port;
	struct key private_key;            /* zero in have when it cannot be read back */
	ARRAY_OF(struct state_peer) peers; /* sorted by public key */
	ARRAY_OF(struct addr) addresses;   /* sorted; each is put as a host prefix */
};

/*
 * A kernel route of ours: to a prefix through the tunnel, protocol TP_RTPROT. want's have the
 * metric TP_RT_METRIC; an older version left another, and the metric is part of a route's key.
 */
struct state_route {
	struct prefix prefix;
	uint32_t table; /* STATE_TABLE_MAIN, or TP_RT_TABLE for what other nodes advertise */
	uint32_t metric;
	struct addr prefsrc; /* zero = none */
	uint32_t mtu;        /* locked; 0 = the device's */
};

#define STATE_TABLE_MAIN 254 /* RT_TABLE_MAIN */

/* A rule of policy routing for all packets of a family, protocol TP_RTPROT. */
struct state_rule {
	bool v6;
	uint32_t priority;
	uint32_t table;
	uint32_t suppress; /* prefixes in it that are no longer than this; STATE_RULE_WHOLE: none */
};

#define STATE_RULE_WHOLE UINT32_MAX

/*
 * For qsort: by family, then priority, then all else. One with another table or the like is another
 * rule: the kernel changes none.
 */
int state_rule_compare(const void *a, const void *b);

/*
 * A fixed SNAT address, as a host prefix on a LAN device. The kernel keeps TP_RTPROT with it
 * (IFA_PROTO), which is how have knows those that are ours.
 */
struct state_lan_address {
	char device[IF_NAMESIZE];
	struct addr addr;
};

/* Addresses of a LAN that this machine itself may answer for. */
struct state_local_vips {
	struct addr_range range;
	char device[IF_NAMESIZE];
};

/* A row of tp_local_vips. */
struct local_vip_row {
	struct tp_addr addr;
	struct tp_local_vip vip;
};

struct state_sysctl {
	char path[96];  /* below /proc/sys */
	int32_t value;  /* want: what it must be. have: what it is now */
	int32_t before; /* have: what `down` puts back */
	bool saved;     /* have: tp_sysctls holds `before` */
	int32_t set;    /* have: what apply wrote; anything else now is somebody else's */
};

enum state_hook { HOOK_TC_TUNNEL, HOOK_TC_LAN, HOOK_TC_EGRESS, HOOK_XDP_LAN };
#define STATE_HOOKS 4

enum state_xdp { STATE_XDP_AUTO, STATE_XDP_NATIVE, STATE_XDP_GENERIC };
/* Auto takes what is attached; where nothing is, tcx if the kernel has it. */
enum state_tc { STATE_TC_AUTO, STATE_TC_TCX, STATE_TC_CLSACT };

struct state_attachment {
	char device[IF_NAMESIZE];
	uint32_t ifindex;
	enum state_hook hook;
	enum state_xdp xdp; /* HOOK_XDP_LAN; have: never auto */
	enum state_tc tc;   /* want: the other hooks */
	bool tcx;           /* have: by tcx link; else a clsact filter */
	uint32_t link_id;   /* have: of a tcx or XDP link, 0 = none */
	char ahead[16]; /* have: somebody else's tcx program that runs before ours; empty: none */
	uint16_t filter_ahead; /* have: the priority of somebody else's filter that does; 0: none */
};

/* A map that our programs use and nobody finds any more: its pin is gone. */
#define STATE_MAP_NAME_SIZE 16
struct state_map {
	char name[STATE_MAP_NAME_SIZE];
	uint32_t id; /* 0: no program uses it, so it has gone with its pin */
	/*
	 * It has lost what it held, for which programs are loaded again: it is gone, or holds
	 * programs, which the kernel takes out with the last pin.
	 */
	bool empty;
};

/* A row of tp_devices. */
struct state_device {
	char name[IF_NAMESIZE];
	uint32_t ifindex;
	struct tp_device device; /* made_qdisc and TP_DEV_XDP_NATIVE are not compared */
};

struct class_row {
	struct prefix prefix;
	uint32_t class_id;
};

struct port_row {
	struct tp_port_key key;
	uint32_t class_id;
};

struct route_row {
	struct prefix prefix;
	struct tp_route route;
};

/* The part of a route whose addresses are of one class each. */
struct route_piece {
	struct prefix prefix;
	uint32_t route; /* index into tables.routes */
	uint32_t src_class, dst_class;
};

struct route_pieces {
	ARRAY_OF(struct route_piece);
};

/* A packet that the kernel must judge like this before the tables go live. */
struct probe {
	struct decide_packet packet;
	uint32_t rule; /* that decides, as decide_classes says */
	bool accept;
};

/* The two-slot tables of one policy generation, ready to be written. */
struct tables {
	ARRAY_OF(struct class_row) src;
	ARRAY_OF(struct class_row) dst;
	ARRAY_OF(struct port_row) ports;
	ARRAY_OF(struct tp_rule_bits) classes; /* index = class */
	ARRAY_OF(struct route_row) routes;     /* their classes are not told yet */
	ARRAY_OF(struct tp_rule_info) rules;   /* bit number = index */
	uint8_t hash[HASH_SIZE];               /* of all rows above */
	ARRAY_OF(struct probe) probes;
};

struct peer_info_row {
	uint32_t id;
	struct tp_peer_info info;
};

/* A row of tp_route_info. Thousands of routes share few names and reasons: see state_text. */
struct route_info_row {
	uint32_t id;
	uint32_t node, reason; /* numbers of texts */
	struct prefix prefix;
	uint8_t state; /* enum tp_route_state */
	bool approved;
	uint8_t snat; /* enum tp_snat */
	struct addr snat_addr;
};

/* How many rows the maps of counters have, of which each peer and each route has one. */
struct state_room {
	uint32_t peers;
	uint32_t routes;
};

struct state {
	/* want: at least; have: 0 where there is no map */
	struct state_room room;

	bool exists; /* have: there is anything of ours at all */
	char node[TP_NAME_SIZE];
	struct state_tunnel tunnel;
	ARRAY_OF(struct state_route) routes;              /* by prefix, table, metric */
	ARRAY_OF(struct state_rule) rules;                /* by state_rule_compare */
	ARRAY_OF(struct state_lan_address) lan_addresses; /* sorted by device, then address */
	ARRAY_OF(struct state_local_vips) local_vips;     /* want only: the daemon's */
	ARRAY_OF(struct local_vip_row) found_vips;        /* have only; sorted by address */
	ARRAY_OF(struct state_sysctl) sysctls;            /* in the order they must be written */
	ARRAY_OF(struct state_attachment) attachments;    /* sorted by device, then hook */
	ARRAY_OF(struct state_map) unpinned;              /* have only */
	ARRAY_OF(struct state_device) devices;            /* sorted by name */
	ARRAY_OF(struct peer_info_row) peer_info;         /* sorted by id */
	ARRAY_OF(struct route_info_row) route_info;       /* sorted by id */
	struct socket_lb socket_lb;
	struct tp_limits limits;
	struct intern texts;  /* of route_info, with their NUL */
	struct tables tables; /* have: only hash is filled */
	uint32_t older_abi;   /* have only: of maps that are taken over; 0: they are ours */
	uint64_t generation;  /* have only */
	bool only_logs;       /* have only: the live policy refuses nothing by its grants */
	int64_t applied_at;   /* have only */
	uint8_t policy_hash[HASH_SIZE];
	uint8_t object_hash[HASH_SIZE]; /* of the BPF object; zero in have = not loaded */
};

/* Whether that many rows are more than there are; where there are none, a map is made with them. */
bool state_room_grows(uint32_t want, uint32_t have);
bool state_grows(const struct state *want, const struct state *have); /* any of its rooms */

/* The program that belongs on a hook: "tp_tc_lan". */
const char *state_program_name(enum state_hook hook);

const char *state_xdp_name(enum state_xdp xdp); /* "auto", "native", "generic" */

/* Wipes the keys and empties it; the struct itself is the caller's. NULL is fine. */
void state_free(struct state *state);
void state_tunnel_clear(struct state_tunnel *tunnel); /* the same for the tunnel alone */

/*
 * compile_told.c: what the maps get of the routes, which with src and dst are sorted. 0 or
 * -ENOMEM; the caller's, also then.
 */
int tables_cut_routes(const struct tables *tables, struct route_pieces *out);

/* 0 or -ENOMEM. */
int state_add_text(struct state *state, const char *text, uint32_t *number);
const char *state_text(const struct state *state, uint32_t number); /* until the next is added */

/* The peer with that key; NULL when there is none. */
const struct state_peer *state_find_peer(const struct state *state, const struct key *public_key);

/* have: tells its peers what peer_info knows of them. 0 or -ENOMEM. */
int state_tell_peers(struct state *have);

/* Whether it is made, or differs in this. */
bool peer_change_psk(const struct peer_change *change);
bool peer_change_keepalive(const struct peer_change *change);
/* Whether an allowed IP of want goes into the message. */
bool peer_change_has(const struct peer_change *change, const struct prefix *prefix);
/* How many allowed IPs its messages name at most. */
size_t peer_change_ips(const struct peer_change *change);
/* Whether an allowed IP of have is to be nobody's. */
bool peer_change_drops(const struct peer_change *change, const struct prefix *prefix);

#endif
