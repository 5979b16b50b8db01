// SPDX-License-Identifier: GPL-2.0-only
#include "services.h"

#include "kernel/bpf_service.h"
#include "places.h"
#include "rig.h"
#include "test.h"

void services_set_health(const char *backend, bool healthy)
{
	struct tp_addr addr = { { [10] = 0xff, [11] = 0xff } };
	enum family family = row_family();
	struct err err;

	places_put_addr(backend, family, family == V4 ? addr.bytes + 12 : addr.bytes);
	CHECK_INT(bpf_set_health(rig_bpf(), family == V4 ? "svc" : "svc6", &addr, healthy, &err),
		  0);
	rig_touch();
}
