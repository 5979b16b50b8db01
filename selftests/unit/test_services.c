// SPDX-License-Identifier: GPL-2.0-only
/* When sockets are looked for that talk to a backend which is removed. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "model/state.h"
#include "plan/ops.h"
#include "test.h"

/* One service, 192.0.2.1 port 53, of backends 10.0.0.FIRST to 10.0.0.LAST. */
struct one {
	uint8_t protocol, first, last;
	uint16_t target_port;
	bool closes;
};

static struct tp_addr v4(uint8_t a, uint8_t d)
{
	return (struct tp_addr){ { [10] = 0xff, [11] = 0xff, [12] = a, [15] = d } };
}

static void fill(struct socket_lb *lb, const struct one *one)
{
	struct service_row *service;
	struct backends_row *row;
	uint8_t i;

	lb->closes = one->closes;
	if (!one->first)
		return;
	service = array_add(&lb->services);
	service->key = (struct tp_service_key){ v4(192, 1), htons(53), one->protocol, 0 };
	service->service.backends = 7;
	service->service.target_port = htons(one->target_port);
	row = array_add(&lb->backends);
	row->id = 7;
	for (i = one->first; i <= one->last; i++)
		row->backends.addrs[row->backends.count++] = v4(10, i);
}

static bool closes(const struct one *before, const struct one *after)
{
	struct state want = { .exists = true }, have = { .exists = true };
	struct plan plan = { 0 };
	bool found = false;
	struct err err;
	struct op *op;

	fill(&have.socket_lb, before);
	fill(&want.socket_lb, after);
	CHECK(!plan_build(&want, &have, &plan, &err));
	array_for_each(op, &plan.ops)
		found |= op->kind == OP_SOCKETS_CLOSE;
	plan_free(&plan);
	socket_lb_clear(&want.socket_lb);
	socket_lb_clear(&have.socket_lb);
	return found;
}

TEST(sockets_are_closed_when_a_udp_backend_goes)
{
	static const struct one two = { IPPROTO_UDP, 1, 2, 53, true };

	CHECK(closes(&two, &(const struct one){ IPPROTO_UDP, 1, 1, 53, true }));
	CHECK(closes(&two, &(const struct one){ IPPROTO_UDP, 2, 3, 53, true }));
	CHECK(closes(&two, &(const struct one){ IPPROTO_UDP, 1, 2, 54, true }));
	CHECK(closes(&two, &(const struct one){ IPPROTO_TCP, 1, 2, 53, true }));
	CHECK(closes(&two, &(const struct one){ .closes = true }));
}

TEST(sockets_are_left_alone_when_none_goes)
{
	static const struct one two = { IPPROTO_UDP, 1, 2, 53, true },
				tcp = { IPPROTO_TCP, 1, 2, 53, true };

	CHECK(!closes(&two, &two));
	CHECK(!closes(&two, &(const struct one){ IPPROTO_UDP, 1, 3, 53, true }));
	CHECK(!closes(&tcp, &(const struct one){ IPPROTO_TCP, 1, 1, 53, true }));
	CHECK(!closes(&two, &(const struct one){ IPPROTO_UDP, 1, 1, 53, false }));
}
