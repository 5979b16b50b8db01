/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A plan: the steps from have to want, in the order they must be done. `plan` prints them,
 * kernel/apply.c does them; neither decides anything.
 */
#ifndef TP_PLAN_OPS_H
#define TP_PLAN_OPS_H

#include "base/array.h"
#include "base/err.h"
#include "model/state.h"

enum op_phase { PHASE_ADD, PHASE_SWITCH, PHASE_REMOVE };

/* What an op does, and which member of union op_args it reads. */
enum op_kind {
	OP_PROGRAMS_LOAD,   /* maps and programs, pinned: want->object_hash, want->limits.flows */
	OP_SYSCTL_SET,      /* sysctl; remembers the old value */
	OP_LINK_ADD,        /* want->tunnel: creates the device (or starts wireguard-go) */
	OP_LINK_SET,        /* want->tunnel: mtu, up */
	OP_TUNNEL_SET,      /* want->tunnel: private key, listen port */
	OP_PEER_SET,        /* change: of one peer, never replaces others */
	OP_PEER_REMOVE,     /* peer */
	OP_ADDRESS_ADD,     /* addr, on the tunnel */
	OP_ADDRESS_REMOVE,  /* addr */
	OP_LAN_ADDRESS_ADD, /* lan_address: probed for, put and announced */
	OP_LAN_ADDRESS_REMOVE,  /* lan_address */
	OP_ROUTE_ADD,           /* route, through the tunnel */
	OP_ROUTE_REMOVE,        /* route */
	OP_RULE_ADD,            /* rule, that leads to routes of ours */
	OP_RULE_REMOVE,         /* rule */
	OP_DEVICE_SET,          /* device: row of tp_devices */
	OP_DEVICE_REMOVE,       /* device */
	OP_LIMITS_SET,          /* want->limits */
	OP_PEER_INFO_SET,       /* peer_info */
	OP_PEER_INFO_REMOVE,    /* peer_info */
	OP_ROUTE_INFO_SET,      /* route_info */
	OP_ROUTE_INFO_REMOVE,   /* route_info */
	OP_ATTACH,              /* attachment; an existing one is updated in place */
	OP_DETACH,              /* attachment */
	OP_BACKENDS_SET,        /* backends: a row of tp_backends */
	OP_BACKENDS_REMOVE,     /* backends */
	OP_SERVICE_SET,         /* service: a row of tp_services */
	OP_SERVICE_REMOVE,      /* service */
	OP_EXEMPT_SET,          /* exempt: a row of tp_exempt */
	OP_EXEMPT_REMOVE,       /* exempt */
	OP_FOREIGN_SET,         /* foreign: a row of tp_foreign */
	OP_FOREIGN_REMOVE,      /* foreign */
	OP_SOCKET_SETTINGS_SET, /* want->socket_lb.settings */
	OP_SOCKET_ATTACH,       /* socket_set, to want's cgroup */
	OP_SOCKET_DETACH,       /* socket_set */
	OP_SOCKETS_CLOSE,       /* those of backends that want has no more */
	OP_POLICY_STAGE,        /* want->tables into the idle slot, and their probes through it */
	OP_POLICY_TEST,         /* want->tables' probes through the live ones, which are the same */
	OP_POLICY_SWITCH,       /* the generation word, behind OP_POLICY_STAGE */
	OP_POLICY_NOTE,         /* want->policy_hash only: the tables are the same */
	OP_LINK_REMOVE,         /* have->tunnel */
	OP_SYSCTL_RESTORE,      /* sysctl */
	OP_PROGRAMS_REMOVE,     /* pins and directories of this instance */
};

struct op {
	enum op_phase phase : 8;
	enum op_kind kind : 8;
	bool keep_port;     /* OP_TUNNEL_SET: another key alone; its socket is left alone */
	bool sets_key;      /* OP_TUNNEL_SET */
	bool changes_hands; /* OP_PEER_INFO_SET, OP_ROUTE_INFO_SET: the number has another owner */
	const char *verb;   /* "add", "set", "attach", "switch", "remove", …; not the op's */
	union op_args {
		struct peer_change change;
		const struct state_peer *peer;
		const struct addr *addr;
		const struct state_lan_address *lan_address;
		const struct state_route *route;
		const struct state_rule *rule;
		const struct state_sysctl *sysctl;
		const struct state_device *device;
		const struct state_attachment *attachment;
		const struct peer_info_row *peer_info;
		const struct route_info_row *route_info;
		const struct backends_row *backends;
		const struct service_row *service;
		const struct exempt_row *exempt;
		const struct foreign_row *foreign;
		enum socket_set socket_set;
		const void *row; /* any of those that point to a row */
	} args; /* points into want (add, set) or have (remove): both must outlive the plan */
};

struct plan {
	const struct state *want; /* NULL in the plan of `down` */
	const struct state *have;
	bool new_link; /* the tunnel device is made anew: what hangs on an old one goes with it */
	ARRAY_OF(struct op) ops;
	struct prefixes *owned; /* allowed IPs that peers are to have; NULL: no op asks */
};

/* The pure difference. 0, or -ENOMEM; *out is then untouched. */
int plan_build(const struct state *want, const struct state *have, struct plan *out,
	       struct err *err);
/* The plan of `down`: remove everything in have. */
int plan_build_down(const struct state *have, struct plan *out, struct err *err);
void plan_free(struct plan *plan);

/* "route 10.10.30.0/24": names the thing, stable. A buffer of OP_OBJECT_SIZE, which is returned. */
#define OP_OBJECT_SIZE 192
const char *op_object(char *buf, const struct plan *plan, const struct op *op);
/*
 * One line for people: the verb, the object, and with which values; no secret. A buffer of
 * OP_TEXT_SIZE, which is returned.
 */
#define OP_TEXT_SIZE 768
const char *op_text(char *buf, const struct plan *plan, const struct op *op);

const char *op_phase_name(enum op_phase phase); /* "add", "switch", "remove" */

#endif
