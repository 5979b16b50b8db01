/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files want*.c share. */
#ifndef TP_MODEL_WANT_PARTS_H
#define TP_MODEL_WANT_PARTS_H

#include "base/err.h"
#include "model/state.h"
#include "model/view.h"

struct want_builder {
	const struct view *view;
	struct state *out;
	struct problems *warnings;
	struct err *err;
};

/* Each fills its part of b->out: 0 or a negative errno with b->err set. */
int want_tunnel(struct want_builder *b);
int want_routes(struct want_builder *b);
int want_devices(struct want_builder *b);       /* and attachments */
int want_lan_addresses(struct want_builder *b); /* needs the devices */
int want_local_vips(struct want_builder *b);    /* needs the devices */
int want_sysctls(struct want_builder *b);       /* needs the devices */
int want_info(struct want_builder *b);
int want_services(struct want_builder *b);

/* A hash of a member's endpoint as the policy spells it; 0 when it has none. */
uint32_t want_said(const struct policy_member *member);

/* -ENOMEM, with the sentence for it. */
int want_no_memory(struct want_builder *b);

/* The node's first mesh address of that family; NULL when it has none. */
const struct addr *want_mesh_addr(const struct view *view, bool v4);

#endif
