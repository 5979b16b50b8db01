/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control pipeline, one function a step, for the commands to walk as far as they need:
 * text -> config -> policy -> want, kernel -> have, both -> plan.
 * Each step returns EXIT_DONE or the exit status to leave with, having said why.
 */
#ifndef TP_CMD_PIPELINE_H
#define TP_CMD_PIPELINE_H

#include "cmd/args.h"
#include "cmd/gather.h"
#include "config/config.h"
#include "kernel/bpf_links.h"
#include "kernel/bpf_object.h"
#include "kernel/netns.h"
#include "model/decide.h"
#include "model/facts.h"
#include "model/policy.h"
#include "model/seen.h"
#include "model/state.h"
#include "plan/ops.h"

struct pipeline {
	const struct args *args;
	const char *file; /* the policy's path */
	char *text;       /* what is in it; NULL: still to be read */
	size_t length;
	bool quiet;      /* problems are collected, not printed */
	bool silent;     /* nor is logged why a step ended it all: that is in failure */
	bool unattended; /* nobody is there whose session could be cut off */
	bool repairs;    /* what is in force: what cannot be told of sockets stops nothing else */
	bool failed_before; /* the one before did: something may have been left undone */
	bool removing;      /* `down`: also what a network namespace left that is gone */
	const struct gather_names *names; /* of endpoints; NULL: waits for the resolver */
	const struct gather_keys *keys;   /* known already; NULL: the files have them */
	const struct seen *seen;          /* peers, before; NULL: nobody has looked */
	struct err failure;
	struct err sockets; /* with repairs: why those are left as they are; 0: they are not */
	struct err unsaved; /* why the text of the policy in force could not be kept; 0: it is */
	struct config *config;
	struct policy *policy;
	struct problems errors;
	struct problems warnings;
	struct problems unserved;
	struct decide_result tests;
	bool tests_run;
	const struct policy_member *self;
	struct key private_key; /* self's */
	struct facts facts;
	struct bpf bpf;
	bool bpf_found;     /* there is a bpffs */
	bool home_gone;     /* it was set up in a network namespace that is gone */
	char *netns_noted;  /* tunnel.netns of what is set up; NULL: it has none */
	struct netns netns; /* of the policy, else that one; the steps enter and leave it */
	bool lacks_network; /* it failed for a namespace, device or address that may yet come */
	struct state have;
	struct state want;
	struct plan plan;
	bool takes_over; /* maps of an older version will do, as they do for an apply */
	bool touched;    /* the plan was begun */
	bool cleared;    /* what was set up in a network namespace that is gone was removed */
};

#define POLICY_FILE_MAX (16U << 20)

void pipeline_start(struct pipeline *p, const struct args *args);
void pipeline_end(struct pipeline *p); /* wipes keys */

/* Reads, resolves, runs the policy's tests, looks for sections this build cannot serve. */
int pipeline_read_policy(struct pipeline *p);
/* Which node of the policy this machine is, by name or by its private key. */
int pipeline_find_self(struct pipeline *p);
/* What is there: facts and have. make: a bpffs may be mounted. */
int pipeline_observe(struct pipeline *p, bool make);
/* want, and the plan from have to it. */
int pipeline_plan(struct pipeline *p);
/* For its parts: one line, and the status that the cause stands for. */
int pipeline_leave(struct pipeline *p, const struct err *err);
/* Does the plan, logging each step. want: &p->want, or NULL for the plan of `down`. */
int pipeline_apply(struct pipeline *p, const struct state *want);
/* Before `down`: devices with our mark beside the tunnel, which a crash may have left. */
int pipeline_remove_strays(struct pipeline *p);

#endif
