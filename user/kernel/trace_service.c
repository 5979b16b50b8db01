// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/trace_service.h"

#include <arpa/inet.h>
#include <string.h>

static const struct service_row *find_service(const struct state *have,
					      const struct tp_flow_key *key)
{
	const struct service_row *row;

	array_for_each(row, &have->socket_lb.services)
		if (!memcmp(&row->key.vip, &key->dst, sizeof(key->dst)) &&
		    row->key.port == key->dport && row->key.protocol == key->proto)
			return row;
	return NULL;
}

void trace_name_service(const struct state *have, const struct tp_flow_key *key, struct trace *out)
{
	const struct service_row *service = find_service(have, key);
	const struct backends_row *row;

	array_for_each(row, &have->socket_lb.backends)
		if (service && row->id == service->service.backends)
			memcpy(out->service, row->backends.name, sizeof(out->service) - 1);
}

void trace_name_backend(const struct state *have, const struct tp_flow_state *flow,
			struct trace *out)
{
	const struct tp_flow *way = &flow->way[TP_OPENER].to;

	if (!(way->flags & TP_FLOW_DST_NAT))
		return;
	trace_name_service(have, &flow->way[TP_OPENER].key, out);
	if (!out->service[0])
		return; /* a hairpin */
	memcpy(&out->backend.addr, &way->dst, sizeof(out->backend.addr));
	out->backend.port = ntohs(way->dport);
}
