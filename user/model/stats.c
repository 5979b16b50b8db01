// SPDX-License-Identifier: GPL-2.0-only
#include "model/stats.h"

void stats_free(struct stats *stats)
{
	array_clear(&stats->routes);
	array_clear(&stats->peers);
	array_clear(&stats->rules);
	array_clear(&stats->addresses);
}
