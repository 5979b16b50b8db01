// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "cmd/exempts.h"
#include "cmd/lookup.h"
#include "kernel/bpf_netns.h"
#include "kernel/bpf_object.h"
#include "kernel/bpf_socket_order.h"
#include "kernel/cgroup.h"
#include "kernel/stale.h"

#define NANOSECONDS 1000000000

void gather_keys_free(struct gather_keys *keys)
{
	struct facts_secret *secret;

	array_for_each(secret, &keys->secrets) {
		key_wipe(&secret->key);
		free(secret->path);
	}
	array_clear(&keys->secrets);
	key_wipe(&keys->private_key);
}

static bool key_fits(const struct key *private_key, const struct policy_member *member)
{
	struct key public_key;

	key_derive_public(private_key, &public_key);
	return key_is_equal(&public_key, member->public_key);
}

static int find_by_name(const struct policy *policy, const char *name, struct key *private_key,
			const struct policy_member **self, struct err *err)
{
	const struct policy_member *member = policy_find_self(policy, name, NULL);
	const char *file;
	struct key found;
	int r;

	if (!member)
		return err_set(err, -ESRCH, "the policy has no node \"%s\"", name);
	file = member->node->tunnel.private_key_file;
	r = key_read_file(file, &found, err);
	if (r)
		return r;
	if (key_fits(&found, member)) {
		*private_key = found;
		*self = member;
	} else {
		r = err_set(err, -EKEYREJECTED,
			    "the key in %s is not that of node \"%s\": its public_key must be what "
			    "`towpath pubkey %s` prints",
			    file, name, file);
	}
	key_wipe(&found);
	return r;
}

/*
 * Nodes may keep their keys in different files; usually all name the same one. The first file
 * that cannot be read explains the failure when no node fits.
 */
static int find_by_key(const struct policy *policy, struct key *private_key,
		       const struct policy_member **self, struct err *err)
{
	const struct policy_member *member;
	struct err unreadable = {};

	array_for_each(member, &policy->members) {
		struct key found;
		struct err problem;
		bool fits;

		if (!member->node)
			continue;
		if (key_read_file(member->node->tunnel.private_key_file, &found, &problem)) {
			if (!unreadable.code)
				unreadable = problem;
			continue;
		}
		fits = key_fits(&found, member);
		if (fits)
			*private_key = found;
		key_wipe(&found);
		if (fits) {
			*self = member;
			return 0;
		}
	}
	if (unreadable.code) {
		*err = unreadable;
		return unreadable.code;
	}
	return err_set(err, -EKEYREJECTED,
		       "this machine's key belongs to no node of the policy; add its public key "
		       "(`towpath pubkey FILE`) to \"nodes\"");
}

static bool find_by_known(const struct policy *policy, const char *name,
			  const struct gather_keys *keys, struct key *private_key,
			  const struct policy_member **self)
{
	const struct policy_member *member;

	if (!keys || key_is_zero(&keys->private_key))
		return false;
	array_for_each(member, &policy->members) {
		if (!member->node || (name && strcmp(name, member->name) != 0) ||
		    !key_fits(&keys->private_key, member))
			continue;
		*private_key = keys->private_key;
		*self = member;
		return true;
	}
	return false;
}

int gather_self(const struct policy *policy, const char *node_name, const struct gather_keys *keys,
		struct key *private_key, const struct policy_member **self, struct err *err)
{
	if (find_by_known(policy, node_name, keys, private_key, self))
		return 0;
	if (node_name)
		return find_by_name(policy, node_name, private_key, self, err);
	return find_by_key(policy, private_key, self, err);
}

/* One that does not resolve is noted as such: the model warns and goes on without it. */
static int resolve(const struct gather_names *names, const struct policy_member *member,
		   struct facts *facts)
{
	const char *host = member->endpoint->host;
	struct facts_host *row = array_add(&facts->hosts);
	struct addr found;

	if (!row)
		return -ENOMEM;
	row->host = mem_copy_string(host);
	if (!row->host)
		return -ENOMEM;
	if (names) {
		enum gather_answer answer = names->find(names->data, member, &found);

		row->pending = answer == GATHER_LATER;
		if (answer == GATHER_FOUND)
			row->addr = found;
	} else if (!lookup_now(host, &found)) {
		row->addr = found;
	}
	return 0;
}

static int resolve_endpoints(const struct policy *policy, const struct gather_names *names,
			     struct facts *facts)
{
	const struct policy_member *member;
	int r = 0;

	array_for_each(member, &policy->members) {
		struct addr literal;

		if (r || !member->endpoint->host || !addr_read(member->endpoint->host, &literal))
			continue;
		r = resolve(names, member, facts);
	}
	return r;
}

static const struct facts_secret *find_secret(const struct gather_keys *keys, const char *path)
{
	const struct facts_secret *secret;

	if (keys)
		array_for_each(secret, &keys->secrets)
			if (!strcmp(secret->path, path))
				return secret;
	return NULL;
}

static int read_secret(const struct gather_keys *keys, struct facts *facts, const char *path,
		       struct err *err)
{
	const struct facts_secret *known = find_secret(keys, path);
	struct facts_secret *row = array_add(&facts->secrets);

	if (!row)
		return err_sys(err, -ENOMEM, "read %s", path);
	row->path = mem_copy_string(path);
	if (!row->path)
		return err_sys(err, -ENOMEM, "read %s", path);
	if (!known)
		return key_read_file(path, &row->key, err);
	row->key = known->key;
	return 0;
}

/* Those of this node's own peers: who is reached through a hub shares its key with that. */
static int read_secrets(const struct policy *policy, const struct policy_member *self,
			const struct gather_keys *keys, struct facts *facts, struct err *err)
{
	const struct policy_member *members = policy->members.items;
	uint32_t i;
	int r = 0;

	for (i = 0; !r && i < policy->members.count; i++)
		if (members[i].preshared_key_file && policy_next_hop(policy, self, i) == i)
			r = read_secret(keys, facts, members[i].preshared_key_file, err);
	return r;
}

/*
 * jiffies64 of now. It starts 300 s before it wraps its low 32 bits (INITIAL_JIFFIES) and goes
 * with CLOCK_MONOTONIC, which stands still in suspend as it does. The first tick comes some tenths
 * of a second after that clock began: so much less it is.
 */
uint64_t gather_jiffies(uint32_t hz)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists */
	return (1ULL << 32) - 300ULL * hz + (uint64_t)now.tv_sec * hz +
	       (uint64_t)now.tv_nsec * hz / NANOSECONDS;
}

/* At the second `then`, a little ago: dates are whole seconds, and time has passed since. */
static uint64_t jiffies_at(int64_t then, uint32_t hz)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return gather_jiffies(hz) - (uint64_t)(now.tv_sec - then) * hz -
	       (uint64_t)now.tv_nsec * hz / NANOSECONDS;
}

/* Needed where exempt sockets are to be hidden; for probes, which would else go as others do. */
static int gather_order(const struct config *config, struct facts_cgroup *cgroup, struct err *err)
{
	bool needed = config->socket_lb.foreign == FOREIGN_HIDE;
	enum facts_order order;
	int r;

	if (!needed && !config_find_probed(config))
		return 0;
	r = bpf_socket_find_order(cgroup->path, &order, err);
	if (r)
		return needed ? r : 0;
	/* who stands in the way is named by who really attaches */
	if (order == FACTS_ORDER_SHUT && config_uses_cgroup(config))
		order = FACTS_ORDER_FIRST;
	cgroup->order = order;
	cgroup->holds_us = cgroup_holds_us(cgroup->path);
	return 0;
}

/*
 * Where nothing but our own probes is to be kept from other tools: who translates no sockets need
 * not have a cgroup that it could be done in. A container has none.
 */
static int gather_for_probes(const struct config *config, struct facts *facts, struct err *err)
{
	int r = cgroup_find(config->socket_lb.cgroup, &facts->cgroup, err);

	if (r == -ENOENT || r == -EINVAL)
		return 0;
	return r ? r : gather_order(config, &facts->cgroup, err);
}

int gather_sockets(const struct policy *policy, const struct policy_member *self,
		   struct facts *facts, struct err *err)
{
	const struct config *config = policy->config;
	int r;

	if (config->services.count || facts->service_ids.count)
		facts->closes_sockets = stale_can_close();
	if (!config_uses_cgroup(config))
		return config_find_probed(config) ? gather_for_probes(config, facts, err) : 0;
	facts->netns_cookie = bpf_netns_cookie();
	r = cgroup_find(config->socket_lb.cgroup, &facts->cgroup, err);
	if (!r)
		r = gather_order(config, &facts->cgroup, err);
	return r ? r : exempts_find(policy, self, &facts->exempt, err);
}

int gather_facts(const struct policy *policy, const struct policy_member *self,
		 const struct gather_names *names, const struct gather_keys *keys,
		 struct facts *facts, struct err *err)
{
	facts->jiffies = jiffies_at(facts->now, facts->hz);
	bpf_object_hash(facts->object_hash);
	if (resolve_endpoints(policy, names, facts))
		return err_sys(err, -ENOMEM, "resolve endpoints");
	return read_secrets(policy, self, keys, facts, err);
}
