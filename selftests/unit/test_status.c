// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "report/status.h"
#include "test.h"

/* All that is healthy about a router without devices. */
static const struct state healthy = {
	.exists = true,
	.generation = 1,
	.tunnel = { .exists = true, .up = true },
};

/* What one of the printers makes of it; the caller frees it. */
static char *print(int (*printer)(FILE *, const struct status *), const struct state *have,
		   const struct stats *stats)
{
	const struct status status = {
		.version = "1", .instance = "towpath", .have = have, .stats = stats
	};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	CHECK_INT(printer(out, &status), 0);
	fclose(out);
	return text;
}

static bool begins_with(const char *text, const char *beginning)
{
	return !strncmp(text, beginning, strlen(beginning));
}

TEST(text_begins_with_the_verdict)
{
	const struct stats stats = {};
	char *text = print(status_print_text, &healthy, &stats);

	CHECK(begins_with(text, "towpath 1, instance towpath: healthy\n"));
	free(text);
}

TEST(text_begins_with_a_policy_that_is_not_enforced)
{
	const struct stats stats = { .flows = { .would_refuse = 7 } };
	struct state have = healthy;
	char *text;

	have.only_logs = true;
	text = print(status_print_text, &have, &stats);
	CHECK(begins_with(text, "*** THE POLICY IS NOT ENFORCED: \"enforce\" is \"log\", 7 packets "
				"that it refuses went through ***\n"
				"towpath 1, instance towpath: NOT HEALTHY\n"
				"  ! the policy is NOT ENFORCED (\"enforce\": \"log\"): what the "
				"grants refuse is forwarded, 7 packets so far; mend: set "
				"\"enforce\" to \"on\" in the policy and apply it\n"));
	free(text);
}

TEST(json_tells_whether_the_policy_is_enforced)
{
	const struct stats stats = { .flows = { .would_refuse = 7 } };
	struct state have = healthy;
	char *text = print(status_print_json, &have, &stats);

	CHECK(strstr(text, "\"healthy\":\ttrue") != NULL);
	CHECK(strstr(text, "\"enforce\":\t\"on\"") != NULL);
	free(text);

	have.only_logs = true;
	text = print(status_print_json, &have, &stats);
	CHECK(strstr(text, "\"healthy\":\tfalse") != NULL);
	CHECK(strstr(text, "\"enforce\":\t\"log\"") != NULL);
	CHECK(strstr(text, "\"would_refuse\":\t7") != NULL);
	CHECK(strstr(text, "NOT ENFORCED") != NULL);
	free(text);
}
