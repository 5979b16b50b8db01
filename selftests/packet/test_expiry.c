// SPDX-License-Identifier: GPL-2.0-only
/* Between two members the date of either ends a flow, whoever has opened it. */
#include "policies.h"
#include "rows.h"
#include "state.h"
#include "test.h"

#define MEMBER(name, number, date)                                                   \
	"\"" name "\": { \"public_key\": \"@" name "@\", \"key_expiry\": " date ", " \
	"\"addresses\": [\"100.64.0." number "\", \"fd7a::" number "\"] }"
#define DATES(phone, tablet)                                         \
	"{ \"version\": 1, \"tunnel\": { \"interface\": \"tp0\" }, " \
	"\"nodes\": { \"gw\": { \"public_key\": \"@gw@\", "          \
	"\"addresses\": [\"100.64.0.1\", \"fd7a::1\"], "             \
	"\"lan_interfaces\": [\"lan0\"] } }, "                       \
	"\"peers\": { " MEMBER("phone", "2", phone) ", " MEMBER(     \
		"tablet", "3", tablet) " }" POLICY_GRANTS(GRANT_ALL) "}"
#define NEVER  "null"
#define SOONER "\"2090-01-01T00:00:00Z\""
#define LATER  "\"2100-01-01T00:00:00Z\""

static const struct step steps[] = {
	{ FROM_TUNNEL, udp("phone", 1, "tablet", 2),
	  tunnels(udp("phone", 1, "tablet", 2, .ttl = 63)), .flows = 1 },
	{ FROM_TUNNEL, udp("tablet", 1, "phone", 2),
	  tunnels(udp("tablet", 1, "phone", 2, .ttl = 63)), .flows = 2 },
};

/* When the flow ends that this step's packet belongs to. */
static __u64 end_of(const struct step *step, enum family family)
{
	struct ports none = {};
	struct tp_flow_key key = state_key(&step->in, family, &none, TP_SIDE_TUNNEL);
	struct tp_flow flow;

	if (!CHECK(state_find_flow(&key, &flow)))
		return 0;
	return state_slot(flow.slot).expires_at;
}

static __u64 end_of_both(const char *policy, enum family family)
{
	struct ports none = {};
	__u64 end;

	row_start(policy, family);
	row_step(&steps[0], family, &none);
	row_step(&steps[1], family, &none);
	end = end_of(&steps[0], family);
	CHECK(end_of(&steps[1], family) == end);
	return end;
}

/* A date is turned into jiffies when it goes live, to the second. */
static bool is_same_date(__u64 a, __u64 b)
{
	__u64 minute = 60 * rig_hz();

	return a - b + minute < 2 * minute;
}

static void check_dates(enum family family)
{
	__u64 sooner = end_of_both(DATES(SOONER, NEVER), family);

	CHECK(sooner > rig_jiffies());
	CHECK(is_same_date(end_of_both(DATES(NEVER, SOONER), family), sooner));
	CHECK(is_same_date(end_of_both(DATES(SOONER, LATER), family), sooner));
	CHECK(is_same_date(end_of_both(DATES(LATER, SOONER), family), sooner));
	CHECK(!is_same_date(end_of_both(DATES(LATER, LATER), family), sooner));
	CHECK(end_of_both(DATES(NEVER, NEVER), family) == 0);
}

TEST(of_two_members_the_earlier_date_counts)
{
	check_dates(V4);
	check_dates(V6);
}
