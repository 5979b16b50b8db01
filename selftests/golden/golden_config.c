// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policies and what the reader says about them: config/NAME.json beside config/NAME.errors, whose
 * lines are `PLACE: MESSAGE`, none for a valid policy.
 */
#include <errno.h>

#include "base/mem.h"
#include "config/config.h"
#include "fixture.h"
#include "golden.h"
#include "test.h"

static void reads_as_expected(const void *data)
{
	const char *name = data;
	AUTO_FREE char *got = NULL;
	struct problems problems = { 0 };
	struct config *config = NULL;
	size_t length;
	AUTO_FREE char *text = golden_read(&length, "config/%s.json", name);
	int r;

	REQUIRE(text);

	r = config_read(text, length, &config, &problems);
	CHECK_INT(r, problems.count ? -EINVAL : 0);
	CHECK(!config == (r != 0));
	got = fixture_lines(&problems);
	golden_compare(got, "config/%s.errors", name);

	problems_free(&problems);
	config_free(config);
}

__attribute__((constructor)) static void register_cases(void)
{
	golden_register(__FILE__, "config", ".json", reads_as_expected);
}
