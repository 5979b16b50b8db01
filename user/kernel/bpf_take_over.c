// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_take_over.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_abi.h"
#include "kernel/bpf_aside.h"
#include "kernel/bpf_counters.h"
#include "kernel/bpf_rows.h"
#include "kernel/bpf_size.h"
#include "kernel/bpf_switch.h"

/*
 * These may change from one ABI to the next without ending flows (TP_ABI_KEPT): each is either
 * filled by every apply of another policy, or has nothing in it that a second packet needs.
 */
static const char *const renewed[] = {
	"tp_src",     "tp_dst",        "tp_ports",       "tp_rules",  "tp_hosts",
	"tp_routes",  "tp_rule_stats", "tp_rule_info",   "tp_limits", "tp_stages",
	"tp_scratch", "tp_hints",      "tp_answer_rate",
};

/* These may have become too small; what they have counted is added up in the end. */
static const char *const counters[BPF_COUNTERS] = { "tp_peer_stats", "tp_route_stats" };

static int is_older(const struct bpf *bpf, bool *out, struct err *err)
{
	struct tp_state state = {};
	int r = bpf_read_state(bpf, &state, err);

	if (r && r != -ENOENT)
		return r;
	*out = !r && bpf_abi_is_older(state.abi);
	return 0;
}

int bpf_find_renewal(const struct bpf *bpf, const struct state *want, struct bpf_renewal *out,
		     struct err *err)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		out->outgrown[i] = bpf_is_outgrown(bpf, want, counters[i]);
		out->grows |= out->outgrown[i];
	}
	return is_older(bpf, &out->older, err);
}

static bool is_among(const char *map, const char *const *maps, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (!strcmp(maps[i], map))
			return true;
	return false;
}

/* Programs that go on with a map put aside go on among themselves: so has each its tp_stages. */
bool bpf_is_renewed(const struct bpf_renewal *renewal, const char *map)
{
	size_t i;

	for (i = 0; renewal && i < ARRAY_SIZE(counters); i++)
		if (renewal->outgrown[i] && !strcmp(counters[i], map))
			return true;
	if (renewal && renewal->older && is_among(map, renewed, ARRAY_SIZE(renewed)))
		return true;
	return renewal && renewal->grows && !strcmp(map, "tp_stages");
}

static int renew(const struct bpf *bpf, const struct bpf_object *object, const char *name,
		 struct err *err)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);
	char path[BPF_FS_PATH_SIZE];
	int r;

	if (!map)
		return err_set(err, -ENOENT, "the programs have no map %s", name);
	bpf_fs_map_path(path, bpf->bpffs, bpf->instance, name);
	r = bpf_put_aside(bpf, name, err);
	if (!r && bpf_obj_pin(bpf_map__fd(map), path))
		r = err_sys(err, -errno, "pin map %s", name);
	return r;
}

static int renew_those(const struct bpf *bpf, const struct bpf_object *object,
		       const struct bpf_renewal *renewal, const char *const *maps, size_t count,
		       struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; !r && i < count; i++)
		if (bpf_is_renewed(renewal, maps[i]))
			r = renew(bpf, object, maps[i], err);
	return r;
}

/* Noted before anything changes its name: until it is done, the programs are none that we know. */
static int note_begin(const struct bpf *bpf, const struct bpf_renewal *renewal, struct err *err)
{
	int r = renewal->older ? bpf_note_abi(bpf, TP_ABI | TP_ABI_MOVING, err) : 0;

	return !r && renewal->grows ? bpf_forget_object(bpf, err) : r;
}

int bpf_take_over(const struct bpf *bpf, const struct bpf_object *object,
		  const struct bpf_renewal *renewal, struct err *err)
{
	int r = note_begin(bpf, renewal, err);

	if (!r)
		r = renew_those(bpf, object, renewal, renewed, ARRAY_SIZE(renewed), err);
	return r ? r : renew_those(bpf, object, renewal, counters, ARRAY_SIZE(counters), err);
}

/* A program that a packet is in goes on until it returns, and may go on to its next stage. */
static void wait_for_programs(void)
{
	/* EINVAL on a kernel of CONFIG_NO_HZ_FULL, ENOSYS without CONFIG_MEMBARRIER */
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		usleep(100000);
}

static int carry_counters(const struct bpf *bpf, struct err *err)
{
	size_t i;
	int r = 0;

	for (i = 0; !r && i < ARRAY_SIZE(counters); i++)
		r = bpf_counters_carry(bpf, counters[i], err);
	return r;
}

int bpf_finish_take_over(const struct bpf *bpf, struct err *err)
{
	bool older = false;
	int r = is_older(bpf, &older, err);

	if (r || (!older && !bpf_has_aside(bpf)))
		return r;
	wait_for_programs();
	r = carry_counters(bpf, err);
	if (!r)
		r = bpf_remove_aside(bpf, err);
	return !r && older ? bpf_note_abi(bpf, TP_ABI, err) : r;
}
