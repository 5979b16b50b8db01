/* SPDX-License-Identifier: GPL-2.0-only */
/* Facts that come from files, DNS and clocks rather than from netlink. */
#ifndef TP_CMD_GATHER_H
#define TP_CMD_GATHER_H

#include "base/err.h"
#include "model/facts.h"
#include "model/policy.h"

/* Keys that are known already, and go before what is in the files. */
struct gather_keys {
	struct key private_key;                /* if it is that of a node; zero: unknown */
	ARRAY_OF(struct facts_secret) secrets; /* preshared ones */
};

void gather_keys_free(struct gather_keys *keys); /* wipes them */

/*
 * Which node of the policy this machine is: the one called node_name, or, when that is NULL, the
 * one whose key file holds the private half of its public key. keys: NULL when none are known. The
 * caller wipes *private_key.
 * -ESRCH: the policy has no node of that name; -EKEYREJECTED: the key is not that node's, or
 * nobody's.
 */
int gather_self(const struct policy *policy, const char *node_name, const struct gather_keys *keys,
		struct key *private_key, const struct policy_member **self, struct err *err);

/* Who knows the endpoints' DNS names. NULL: the resolver is asked, and waited for. */
enum gather_answer { GATHER_FOUND, GATHER_NONE, GATHER_LATER };

struct gather_names {
	enum gather_answer (*find)(const void *data, const struct policy_member *member,
				   struct addr *out);
	const void *data;
};

/* Endpoint names, self's preshared keys, jiffies and the hash of the embedded programs. */
int gather_facts(const struct policy *policy, const struct policy_member *self,
		 const struct gather_names *names, const struct gather_keys *keys,
		 struct facts *facts, struct err *err);
/* Of services and the socket load balancer: its cgroup, and exempt network namespaces. */
int gather_sockets(const struct policy *policy, const struct policy_member *self,
		   struct facts *facts, struct err *err);
/* Jiffies alone. */
uint64_t gather_jiffies(uint32_t hz);

#endif
