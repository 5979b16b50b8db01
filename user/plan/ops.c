// SPDX-License-Identifier: GPL-2.0-only
#include "plan/ops.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "plan/plan_parts.h"

static void op_clear(struct op *op)
{
	free(op->text);
}

struct op *op_add(struct plan *plan, enum op_phase phase, enum op_kind kind, const char *verb,
		  const char *object, const char *details)
{
	struct op *op = array_add(&plan->ops);

	if (!op)
		return NULL;

	op->phase = phase;
	op->kind = kind;
	op->verb = verb;
	op->object_length = (uint16_t)strlen(object);
	op->text = mem_format("%s %s%s%s", verb, object, *details ? " " : "", details);
	return op->text ? op : NULL; /* half an op is freed with its plan */
}

const char *op_object(char *buf, const struct op *op)
{
	snprintf(buf, OP_OBJECT_SIZE, "%.*s", op->object_length, op->text + strlen(op->verb) + 1);
	return buf;
}

void plan_free(struct plan *plan)
{
	struct op *op;

	if (!plan)
		return;

	array_for_each(op, &plan->ops)
		op_clear(op);
	array_clear(&plan->ops);
}

const char *op_phase_name(enum op_phase phase)
{
	static const char *const names[] = {
		[PHASE_ADD] = "add", [PHASE_SWITCH] = "switch", [PHASE_REMOVE] = "remove"
	};

	return names[phase];
}

const char *object_printf(char *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(buf, OP_OBJECT_SIZE, format, args);
	va_end(args);
	return buf;
}

const char *object_prefix(char *buf, const char *what, const struct prefix *prefix)
{
	char text[PREFIX_TEXT_SIZE];

	return object_printf(buf, "%s %s", what, prefix_put(text, prefix));
}

/* The kernel knows no names; a peer that left the policy is its key. */
const char *object_peer(char *buf, const struct state_peer *peer)
{
	char key[KEY_TEXT_SIZE];

	if (peer->name[0])
		return object_printf(buf, "peer %s", peer->name);
	return object_printf(buf, "peer %s", key_put(key, &peer->public_key));
}

const char *object_attachment(char *buf, const struct state_attachment *attachment)
{
	return object_printf(buf, "program %s on %s", state_program_name(attachment->hook),
			     attachment->device);
}

int walk_both(struct diff *d, const struct walk *walk)
{
	const char *want = walk->want, *have = walk->have;
	const char *want_end = want + walk->want_count * walk->size;
	const char *have_end = have + walk->have_count * walk->size;
	int r = 0;

	while (!r && (want < want_end || have < have_end)) {
		int order;

		if (want == want_end)
			order = 1;
		else if (have == have_end)
			order = -1;
		else
			order = walk->compare(want, have);

		r = walk->visit(d, order <= 0 ? want : NULL, order >= 0 ? have : NULL);
		if (order <= 0)
			want += walk->size;
		if (order >= 0)
			have += walk->size;
	}
	return r;
}
