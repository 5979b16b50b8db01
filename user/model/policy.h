/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The policy: what the file means once every name is resolved. It is the same on every node;
 * view.h says how one node sees it. It points into the config, which must outlive it.
 */
#ifndef TP_MODEL_POLICY_H
#define TP_MODEL_POLICY_H

#include "config/config.h"
#include "model/ranges.h"

/* A node or a peer: whoever has a key and mesh addresses. */
struct policy_member {
	const char *name;
	const char *place;
	const struct key *public_key;
	const struct config_addrs *addresses;
	const struct config_texts *tags;
	const struct config_endpoint *endpoint;
	const struct config_prefixes *advertised;
	const char *user;               /* NULL = none */
	const char *preshared_key_file; /* NULL = none */
	const char *gateway;            /* of a peer: the name of what it calls; NULL = not said */
	uint16_t keepalive;
	uint16_t mtu;                   /* toward it; 0 = the tunnel's */
	int64_t key_expiry;             /* seconds since the epoch, 0 = never */
	const struct config_node *node; /* NULL: a plain peer */
	/*
	 * Index of the node through which the others reach it: a node's `via`, the node that a peer
	 * connects to. POLICY_NO_HUB: it is a direct peer of all who have no hub either.
	 */
	uint32_t hub;
};

#define POLICY_NO_HUB UINT32_MAX

/* A prefix that a member advertises. */
struct policy_route {
	struct prefix prefix;
	bool approved;
	uint8_t snat;    /* enum config_snat */
	uint32_t member; /* index */
	uint32_t index;  /* in what the member advertises */
	uint32_t rank;   /* place in the "via" of its settings; behind all others when not there */
	const struct addr *snat_addr;   /* NULL without SNAT_ADDRESS */
	const struct config_route *how; /* its entry in "routes"; NULL: it has none */
};

/* What one selector means. Equal selectors share one set. */
struct policy_set {
	const char *selector;
	struct ranges ranges;                 /* normalized, never empty in a built policy */
	const struct config_service *service; /* NULL: no service */
	char *complaint;                      /* why it cannot be used; only while building */
};

/* The sets that `*` means, by side; empty where nobody says it. */
enum { POLICY_ANY_SRC, POLICY_ANY_DST, POLICY_SETS_FIXED };

/* One bit of the compiled policy. A grant has one a service, and one for all else that it names. */
struct policy_rule {
	uint32_t grant; /* index in the file's "grants" */
	bool deny;
	ARRAY_OF(uint32_t) src; /* indexes of sets */
	ARRAY_OF(uint32_t) dst;
	ARRAY_OF(struct config_match) matches;
};

struct policy_assertion {
	const struct config_test *test;
	const struct config_assertion *config;
	bool accept;
	uint32_t src; /* indexes of sets */
	uint32_t dst;
};

struct policy {
	const struct config *config;
	ARRAY_OF(struct policy_member) members; /* nodes, then peers, in file order */
	ARRAY_OF(struct policy_route) routes;   /* by member, then in file order */
	ARRAY_OF(struct policy_set) sets;       /* behind the fixed ones sorted by selector */
	ARRAY_OF(struct policy_rule) rules;
	ARRAY_OF(struct policy_assertion) assertions;
};

/*
 * Resolves a config. -EINVAL: names that mean nothing and values that contradict each other, all
 * of them in `problems`, *out untouched. On success *out is the caller's (policy_free).
 */
int policy_build(const struct config *config, struct policy **out, struct problems *problems);
void policy_free(struct policy *policy);

/* Where it stands in the file; the caller's, NULL when memory is out. */
char *policy_route_place(const struct policy *policy, const struct policy_route *route);

/*
 * The keys that expire within EXPIRY_DAYS of `now`, seconds since the epoch, or have. 0 or -ENOMEM.
 */
int policy_key_warnings(const struct policy *policy, int64_t now, struct problems *out);

/* What is valid and yet probably not meant. 0 or -ENOMEM. */
int policy_warnings(const struct policy *policy, struct problems *out);

/*
 * The node with that name, or with that key when name is NULL. NULL when there is none, or when
 * several nodes share the key: then only the name can tell.
 */
const struct policy_member *policy_find_self(const struct policy *policy, const char *node_name,
					     const struct key *public_key);

/*
 * Whose peer in WireGuard carries what `self` sends to the member of that index: the member itself,
 * or who is nearer to it. Not to be asked about self.
 */
uint32_t policy_next_hop(const struct policy *policy, const struct policy_member *self,
			 uint32_t index);

/* Seconds since the epoch at `now`: whether the member's key has expired. */
bool policy_member_is_expired(const struct policy_member *member, int64_t now);
/* When that changes after `now`, or what policy_key_warnings says does; INT64_MAX: never. */
int64_t policy_next_date(const struct policy *policy, int64_t now);

#endif
