// SPDX-License-Identifier: GPL-2.0-only
/* The loaded object itself: names, types, sizes, what the verifier made of it. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "policies.h"
#include "rig.h"
#include "state.h"
#include "test.h"
#include "xdp_lan.skel.h"

#define VERIFIED_MAX 300000 /* the kernel's limit is a million */

static const enum state_hook hooks[] = { HOOK_TC_TUNNEL, HOOK_TC_LAN, HOOK_TC_EGRESS,
					 HOOK_XDP_LAN };

static struct bpf_prog_info info_of(int fd)
{
	struct bpf_prog_info info = {};
	__u32 length = sizeof(info);

	CHECK(!bpf_obj_get_info_by_fd(fd, &info, &length));
	return info;
}

static struct bpf_prog_info program_info(enum state_hook hook)
{
	return info_of(bpf_program_fd(rig_bpf(), hook));
}

/* The programs behind the tail calls: fd of the n-th, -1 behind the last. The caller closes it. */
static int stage_fd(uint32_t n)
{
	uint32_t id;

	return bpf_map_lookup_elem(rig_map("tp_stages"), &n, &id) ? -1 : bpf_prog_get_fd_by_id(id);
}

/* For people who watch the programs grow; the kernel tells since 5.16. */
static void print_size(struct bpf_prog_info info)
{
	printf("  %s: %u instructions verified, %u bytes translated, %u bytes of code\n", info.name,
	       info.verified_insns, info.xlated_prog_len, info.jited_prog_len);
}

static void print_sizes(void)
{
	uint32_t n;

	for (n = 0; n < ARRAY_SIZE(hooks); n++)
		print_size(program_info(hooks[n]));
	for (n = 0;; n++) {
		AUTO_CLOSE int fd = stage_fd(n);

		if (fd < 0)
			break;
		print_size(info_of(fd));
	}
}

static void check_name(const char *name)
{
	test_check(!strncmp(name, "tp_", 3), __FILE__, __LINE__, "%s begins with tp_", name);
	test_check(strlen(name) < BPF_OBJ_NAME_LEN, __FILE__, __LINE__,
		   "%s is short enough for the kernel", name);
}

TEST(programs_have_names_of_ours)
{
	size_t i;

	rig_start(OPEN_ROUTED);
	atexit(print_sizes);
	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		struct bpf_prog_info info = program_info(hooks[i]);

		check_name(info.name);
		CHECK_TEXT(info.name, state_program_name(hooks[i]));
		CHECK_INT(info.type,
			  hooks[i] == HOOK_XDP_LAN ? BPF_PROG_TYPE_XDP : BPF_PROG_TYPE_SCHED_CLS);
		CHECK_INT(info.gpl_compatible, 1);
	}
}

TEST(every_tail_call_has_its_program)
{
	struct bpf_map_info stages = {};
	__u32 length = sizeof(stages);
	uint32_t n;

	rig_start(OPEN_ROUTED);
	CHECK(!bpf_obj_get_info_by_fd(rig_map("tp_stages"), &stages, &length));
	CHECK(stages.max_entries > 0);
	for (n = 0; n < stages.max_entries; n++) {
		AUTO_CLOSE int fd = stage_fd(n);

		REQUIRE(fd >= 0);
		check_name(info_of(fd).name);
		CHECK(info_of(fd).verified_insns < VERIFIED_MAX);
	}
}

/* Of a map: its name as the kernel has it, and types that bpftool can print it by. */
static void check_map(const char *name)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);

	CHECK(!bpf_obj_get_info_by_fd(rig_map(name), &info, &length));
	check_name(info.name);
	CHECK_TEXT(info.name, name);
	/* the kernel takes no BTF for these; the inner maps of the first have it */
	if (info.type == BPF_MAP_TYPE_ARRAY_OF_MAPS || info.type == BPF_MAP_TYPE_QUEUE ||
	    info.type == BPF_MAP_TYPE_PROG_ARRAY)
		return;
	test_check(info.btf_value_type_id, __FILE__, __LINE__, "%s has a value type", info.name);
	test_check(info.btf_key_type_id, __FILE__, __LINE__, "%s has a key type", info.name);
}

TEST(maps_have_names_and_types)
{
	const struct dirent *entry;
	int count = 0;
	DIR *pins;

	rig_start(OPEN_ROUTED);
	pins = opendir(WORLD_BPFFS "/towpath/" WORLD_INSTANCE "/maps");
	REQUIRE(pins);
	while ((entry = readdir(pins))) {
		if (entry->d_name[0] == '.')
			continue;
		check_map(entry->d_name);
		count++;
	}
	closedir(pins);
	CHECK(count > 20);
}

static uint32_t map_id(int fd)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);

	CHECK(!bpf_obj_get_info_by_fd(fd, &info, &length));
	return info.id;
}

/* One flow table and one policy, whichever program looks. */
TEST(the_xdp_object_has_the_maps_that_are_pinned)
{
	const struct bpf_map *map;
	int count = 0;

	rig_start(OPEN_ROUTED);
	bpf_object__for_each_map(map, rig_bpf()->xdp->obj)
	{
		if (bpf_map__is_internal(map))
			continue;
		CHECK_INT(map_id(bpf_map__fd(map)), map_id(rig_map(bpf_map__name(map))));
		count++;
	}
	CHECK(count > 0);
}

static void check_inner(const char *outer, uint32_t entries)
{
	uint32_t slot = rig_generation() & 1, id = 0;
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	AUTO_CLOSE int fd = -1;

	CHECK(!bpf_map_lookup_elem(rig_map(outer), &slot, &id));
	fd = bpf_map_get_fd_by_id(id);
	CHECK(fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &length));
	check_name(info.name);
	test_check(info.btf_value_type_id, __FILE__, __LINE__, "a table of %s has a type", outer);
	test_check(!entries || info.max_entries == entries, __FILE__, __LINE__,
		   "a table of %s has %u rows", outer, info.max_entries);
}

TEST(tables_of_a_policy_have_names_and_types)
{
	rig_start(OPEN_ROUTED);
	check_inner("tp_src", 0);
	check_inner("tp_dst", 0);
	check_inner("tp_ports", 0);
	check_inner("tp_rules", 0);
	check_inner("tp_hosts", 0);
	check_inner("tp_routes", 0);
	check_inner("tp_rule_stats", TP_RULE_MAX);
	check_inner("tp_rule_info", 0);
}

static uint32_t map_size(const char *name)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);

	CHECK(!bpf_obj_get_info_by_fd(rig_map(name), &info, &length));
	return info.max_entries;
}

TEST(sizes_follow_the_limits)
{
	rig_start(OPEN_ROUTED);
	CHECK_INT(map_size("tp_flows"), 2 * RIG_FLOWS);
	CHECK_INT(map_size("tp_flow_state"), RIG_FLOWS);
	CHECK_INT(map_size("tp_free_slots"), RIG_FLOWS);
	CHECK_INT(map_size("tp_nat_out"), RIG_FLOWS);
	CHECK_INT(map_size("tp_nat_in"), RIG_FLOWS);
	CHECK(map_size("tp_drops") > TP_REASON_COUNT);
	CHECK(map_size("tp_peer_stats") > rig_peer("phone"));
	CHECK(map_size("tp_route_stats") > rig_route("10.9.0.0/24"));
}

/* Every program must leave room to grow, and the verifier's patience is a million. */
TEST(programs_are_far_from_the_verifiers_limit)
{
	size_t i;

	rig_start(OPEN_ROUTED);
	for (i = 0; i < ARRAY_SIZE(hooks); i++) {
		struct bpf_prog_info info = program_info(hooks[i]);

		test_check(info.verified_insns < VERIFIED_MAX, __FILE__, __LINE__,
			   "%s: %u instructions verified", info.name, info.verified_insns);
	}
}
