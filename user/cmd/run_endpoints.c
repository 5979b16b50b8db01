// SPDX-License-Identifier: GPL-2.0-only
#include "cmd/run_endpoints.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "cmd/lookup.h"
#include "kernel/wg.h"

#define CHECK_MAX_S 30  /* between two looks at the handshakes */
#define RETRY_MAX_S 600 /* after a name that did not resolve: twice as long each time */
#define LOOKUPS_MAX 8   /* at a time */
#define MS          1000

struct run_name {
	struct run_endpoints *endpoints;
	char member[TP_NAME_SIZE];
	struct key public_key;
	char *host;
	char *place; /* in the policy */
	uint16_t port;
	struct addr addr; /* the last answer; zero = none yet */
	bool is_new;      /* the file now says this: to be set wherever the peer is */
	int failed;       /* the EAI_ code of the last try, 0 = none failed since an answer */
	int64_t since;    /* monotonic seconds: a peer that never answered stalls from here */
	int64_t due;      /* not looked up again before */
	uint32_t retry_s;
	bool kept; /* while the policy is changed: it is followed on */
	struct lookup lookup;
};

static int64_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists */
	return now.tv_sec;
}

/* Often enough for the limit, which tests make short. */
static uint32_t check_every(const struct run_endpoints *endpoints)
{
	uint32_t quarter = endpoints->stall_after_s / 4;

	return quarter < 1 ? 1 : quarter > CHECK_MAX_S ? CHECK_MAX_S : quarter;
}

static void name_free(struct run_name *name)
{
	lookup_stop(&name->lookup);
	free(name->host);
	free(name->place);
	free(name);
}

/* ---- the tunnel ---- */

/* A socket remembers the namespace that it was made in. */
static int open_device(const struct run_endpoints *endpoints, struct wg_device *device,
		       struct err *err)
{
	struct netns netns = NETNS_HOME;
	int r = endpoints->netns ? netns_open(endpoints->netns, &netns, err) : 0;

	if (!r)
		r = netns_enter(&netns, err);
	if (!r) {
		r = wg_open(device, endpoints->backend, endpoints->device, err);
		netns_leave(&netns);
	}
	netns_close(&netns);
	return r;
}

/* The caller clears it, also after a failure. */
static int read_peers(const struct run_endpoints *endpoints, struct state *state, struct err *err)
{
	struct wg_device device;
	int r = open_device(endpoints, &device, err);

	if (r)
		return r;
	r = wg_get(&device, &state->tunnel, err);
	wg_close(&device);
	return r;
}

static int set_endpoint(const struct run_name *name, const struct endpoint *endpoint,
			struct err *err)
{
	struct wg_device device;
	int r = open_device(name->endpoints, &device, err);

	if (r)
		return r;
	r = wg_set_endpoint(&device, &name->public_key, endpoint, err);
	wg_close(&device);
	return r;
}

static bool is_stalled(const struct run_name *name, const struct state_peer *peer)
{
	int64_t limit = name->endpoints->stall_after_s;

	if (!peer->latest_handshake)
		return seconds() - name->since >= limit;
	return time(NULL) - peer->latest_handshake >= limit;
}

/* ---- answers ---- */

/* -ENOMEM leaves out what status would say; the log has it. */
static void note_unresolved(struct run_endpoints *endpoints)
{
	struct run_name **name;

	problems_free(endpoints->unresolved);
	array_for_each(name, &endpoints->names)
		if ((*name)->failed && endpoints->unresolved->count < RUNNING_ERRORS_MAX)
			(void)problems_add(endpoints->unresolved, (*name)->place,
					   "\"%s\", the endpoint of %s, does not resolve: %s",
					   (*name)->host, (*name)->member,
					   gai_strerror((*name)->failed));
}

static void take_failure(struct run_name *name, int code)
{
	if (!name->failed)
		log_warn("run: %s: \"%s\", the endpoint of %s, does not resolve: %s; trying again",
			 name->place, name->host, name->member, gai_strerror(code));
	name->failed = code;
	name->due = seconds() + name->retry_s;
	name->retry_s = name->retry_s < RETRY_MAX_S / 2 ? 2 * name->retry_s : RETRY_MAX_S;
	note_unresolved(name->endpoints);
}

/* Where the peer is told to be, unless it is alive elsewhere: then it has roamed. */
static void follow_answer(struct run_name *name)
{
	const struct endpoint endpoint = { .addr = name->addr, .port = name->port };
	char text[ENDPOINT_TEXT_SIZE];
	const struct state_peer *peer;
	struct state state = { 0 };
	struct err err;
	int r = read_peers(name->endpoints, &state, &err);

	peer = r ? NULL : state_find_peer(&state, &name->public_key);
	if (peer && !endpoint_is_equal(&peer->endpoint, &endpoint) &&
	    (!peer->endpoint.port || name->is_new || is_stalled(name, peer))) {
		r = set_endpoint(name, &endpoint, &err);
		if (!r)
			log_info("run: %s, the endpoint of %s, is %s now", name->host, name->member,
				 endpoint_put(text, &endpoint));
	}
	if (r)
		log_warn("run: the endpoint of %s: %s", name->member, err.text);
	else
		name->is_new = false;
	state_free(&state);
}

static void answered(void *data, int code, const struct addr *addr)
{
	struct run_name *name = data;
	uint32_t every = check_every(name->endpoints);

	if (code) {
		take_failure(name, code);
		return;
	}
	if (name->failed) {
		log_info("run: \"%s\", the endpoint of %s, resolves again", name->host,
			 name->member);
		name->failed = 0;
		note_unresolved(name->endpoints);
	}
	name->addr = *addr;
	name->retry_s = every;
	name->due = seconds() + every;
	follow_answer(name);
}

/* ---- when to ask ---- */

static bool is_wanted(const struct run_name *name, const struct state *state)
{
	const struct state_peer *peer = state_find_peer(state, &name->public_key);

	if (name->lookup.pid || seconds() < name->due)
		return false;
	return addr_is_zero(&name->addr) || name->is_new || (peer && is_stalled(name, peer));
}

static size_t count_running(const struct run_endpoints *endpoints)
{
	struct run_name **name;
	size_t count = 0;

	array_for_each(name, &endpoints->names)
		count += (*name)->lookup.pid != 0;
	return count;
}

static void ask(struct run_name *name)
{
	struct err err;

	if (lookup_start(&name->lookup, name->endpoints->loop, name->host, answered, name, &err))
		log_warn("run: %s", err.text); /* at the next look again */
}

static void look(void *data)
{
	struct run_endpoints *endpoints = data;
	size_t running = count_running(endpoints);
	struct state state = { 0 };
	struct run_name **name;
	struct err err;

	/* without the device there is nobody whose handshake stalls */
	if (read_peers(endpoints, &state, &err))
		log_debug("run: endpoints: %s", err.text);
	array_for_each(name, &endpoints->names)
		if (running < LOOKUPS_MAX && is_wanted(*name, &state)) {
			ask(*name);
			running++;
		}
	state_free(&state);
	loop_timer_arm(&endpoints->timer, running < LOOKUPS_MAX ? check_every(endpoints) * MS : MS);
}

/* ---- which names ---- */

/* Names are sorted by their peers' keys. */
static int key_order(const void *key, const void *name)
{
	return memcmp(key, (*(struct run_name *const *)name)->public_key.bytes, KEY_SIZE);
}

static int name_order(const void *a, const void *b)
{
	return key_order((*(struct run_name *const *)a)->public_key.bytes, b);
}

static struct run_name **find_name(const struct run_endpoints *endpoints, const struct key *key,
				   const char *host)
{
	struct run_name **found = NULL;

	if (endpoints->names.count)
		found = bsearch(key->bytes, endpoints->names.items, endpoints->names.count,
				sizeof(*found), key_order);
	return found && *found && !strcmp((*found)->host, host) ? found : NULL;
}

static struct run_name *name_make(struct run_endpoints *endpoints,
				  const struct policy_member *member)
{
	struct run_name *name = mem_alloc(1, sizeof(*name));

	if (!name)
		return NULL;
	name->host = mem_copy_string(member->endpoint->host);
	name->place = mem_format("%s.endpoint", member->place);
	if (!name->host || !name->place) {
		name_free(name);
		return NULL;
	}
	name->endpoints = endpoints;
	strncpy(name->member, member->name, sizeof(name->member) - 1);
	name->public_key = *member->public_key;
	name->port = member->endpoint->port;
	name->since = seconds();
	name->retry_s = check_every(endpoints);
	return name;
}

/* Whether somebody has edited what the file says of a peer that was there before. */
static bool is_edited(const struct pipeline *p, const struct state_peer *want)
{
	const struct state_peer *have = state_find_peer(&p->have, &want->public_key);

	return have && have->said != want->said;
}

static int add_name(struct run_endpoints *endpoints, struct run_endpoints *old,
		    const struct pipeline *p, const struct policy_member *member)
{
	const struct state_peer *want = state_find_peer(&p->want, member->public_key);
	struct run_name **slot, **known;
	struct run_name *name;
	struct addr literal;

	if (!want || !member->endpoint->host || !addr_read(member->endpoint->host, &literal))
		return 0;
	known = find_name(old, member->public_key, member->endpoint->host);
	name = known && (*known)->port == member->endpoint->port ? *known
								 : name_make(endpoints, member);
	slot = name ? array_add(&endpoints->names) : NULL;
	if (!slot)
		return -ENOMEM; /* one that was known is still old's, and goes with it */
	*slot = name;
	if (known && *known == name)
		(*known)->kept = true;
	name->is_new |= is_edited(p, want);
	return 0;
}

static void free_old(struct run_endpoints *old)
{
	struct run_name **name;

	array_for_each(name, &old->names)
		if ((*name)->kept)
			(*name)->kept = false;
		else
			name_free(*name);
	array_clear(&old->names);
}

static int follow_netns(struct run_endpoints *endpoints, const char *netns)
{
	free(endpoints->netns);
	endpoints->netns = netns ? mem_copy_string(netns) : NULL;
	return netns && !endpoints->netns ? -ENOMEM : 0;
}

int run_endpoints_follow(struct run_endpoints *endpoints, const struct pipeline *p)
{
	struct run_endpoints old = *endpoints;
	const struct policy_member *member;
	int r = 0;

	memcpy(endpoints->device, p->want.tunnel.name, sizeof(endpoints->device));
	endpoints->backend = p->want.tunnel.backend;
	r = follow_netns(endpoints, p->self->node->tunnel.netns);
	memset(&endpoints->names, 0, sizeof(endpoints->names));
	array_for_each(member, &p->policy->members)
		if (!r)
			r = add_name(endpoints, &old, p, member);
	free_old(&old);
	if (endpoints->names.count)
		qsort(endpoints->names.items, endpoints->names.count,
		      sizeof(*endpoints->names.items), name_order);
	note_unresolved(endpoints);
	if (endpoints->names.count)
		loop_timer_arm(&endpoints->timer, 1);
	else
		loop_timer_disarm(&endpoints->timer);
	return r;
}

/* ---- what the pipeline is told ---- */

static enum gather_answer find_answer(const void *data, const struct policy_member *member,
				      struct addr *out)
{
	struct run_name **name = find_name(data, member->public_key, member->endpoint->host);

	if (name && !addr_is_zero(&(*name)->addr)) {
		*out = (*name)->addr;
		return GATHER_FOUND;
	}
	return name && (*name)->failed ? GATHER_NONE : GATHER_LATER;
}

struct gather_names run_endpoints_answers(const struct run_endpoints *endpoints)
{
	return (struct gather_names){ .find = find_answer, .data = endpoints };
}

int run_endpoints_open(struct run_endpoints *endpoints, struct loop *loop, uint32_t stall_after_s,
		       struct problems *unresolved, struct err *err)
{
	endpoints->loop = loop;
	endpoints->stall_after_s = stall_after_s ? stall_after_s : RUN_STALL_AFTER_S;
	endpoints->unresolved = unresolved;
	return loop_timer_open(&endpoints->timer, loop, false, look, endpoints, err);
}

void run_endpoints_close(struct run_endpoints *endpoints)
{
	free_old(endpoints);
	loop_timer_close(&endpoints->timer);
	free(TAKE(endpoints->netns));
}
