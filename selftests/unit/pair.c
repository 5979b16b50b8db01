// SPDX-License-Identifier: GPL-2.0-only
#include "pair.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "test.h"

static const char policy[] =
	"{ \"version\": 1,"
	"\"nodes\": { \"a\": { \"public_key\": \"@a@\", \"addresses\": [\"100.80.0.1\"],"
	"  \"advertise_routes\": [\"10.10.30.0/24\"] } },"
	"\"peers\": { \"p\": { \"public_key\": \"@p@\", \"addresses\": [\"100.80.0.2\"],"
	"  \"advertise_routes\": [\"10.1.0.0/24\"], \"endpoint\": \"203.0.113.5:5000\" },"
	" \"q\": { \"public_key\": \"@q@\", \"addresses\": [\"100.80.0.3\"] } },"
	"\"auto_approvers\": { \"routes\": { \"10.0.0.0/8\": [\"a\", \"p\"] } },"
	"\"grants\": [ { \"src\": [\"*\"], \"dst\": [\"*\"] } ] }";

static const char facts[] = "link eth0 index 2 mtu 1500 mac 02:00:00:00:00:02 up\n"
			    "addr eth0 10.10.30.1/24\n"
			    "clock 1800000000 4300000000 250\n"
			    "kernel-wireguard\n";

bool pair_build(struct pair *pair)
{
	int r;

	r = fixture_policy(&pair->want, policy);
	if (!r)
		r = fixture_want(&pair->want, facts, "a");
	CHECK_INT(r, 0);
	if (!r)
		r = fixture_policy(&pair->have, policy);
	if (!r)
		r = fixture_want(&pair->have, facts, "a");
	CHECK_INT(r, 0);
	pair->have.want.generation = 7;
	CHECK_INT(state_tell_peers(&pair->have.want), 0);
	return !r;
}

void pair_free(struct pair *pair)
{
	fixture_free(&pair->want);
	fixture_free(&pair->have);
}

char *plan_text(const struct plan *plan)
{
	char line[OP_TEXT_SIZE];
	const struct op *op;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	array_for_each(op, &plan->ops)
		fprintf(out, "%s: %s\n", op_phase_name(op->phase), op_text(line, plan, op));
	fclose(out);
	return text;
}

void pair_check(const struct pair *pair, const char *want)
{
	AUTO_FREE char *text = NULL;
	struct plan plan = { 0 };
	struct err err;
	int r = plan_build(&pair->want.want, &pair->have.want, &plan, &err);

	CHECK_INT(r, 0);
	text = plan_text(&plan);
	CHECK_TEXT(text, want);
	plan_free(&plan);
}

struct state_peer *pair_peer(struct state *state, const char *name)
{
	struct state_peer *peer;

	array_for_each(peer, &state->tunnel.peers)
		if (!strcmp(peer->name, name))
			return peer;
	return NULL;
}
