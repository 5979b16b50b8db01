/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel state that a policy asks for on one machine. */
#ifndef TP_MODEL_WANT_H
#define TP_MODEL_WANT_H

#include "model/facts.h"
#include "model/policy.h"
#include "model/state.h"

/*
 * self is a node of the policy (policy_find_self). Warnings are about this machine: a name that
 * does not resolve, a LAN that is not there. On success *out is the caller's (state_free).
 * -EOPNOTSUPP: the kernel lacks what the policy demands; -ENODEV: no device for a route it
 * advertises; -EEXIST: the interface name is taken; -ENOKEY: a preshared key was not read.
 */
int want_build(const struct policy *policy, const struct policy_member *self,
	       const struct facts *facts, struct state *out, struct problems *warnings,
	       struct err *err);

#endif
