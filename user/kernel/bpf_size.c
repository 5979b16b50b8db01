// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_size.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"

struct map_size {
	const char *name;
	uint32_t rows;
	bool grows; /* a larger one may take its place */
};

#define SIZED_MAPS 9

static void put_sizes(const struct state *want, struct map_size out[SIZED_MAPS])
{
	const uint32_t flows = want->limits.flows;
	const struct map_size sizes[SIZED_MAPS] = {
		{ "tp_flow_state", flows, false }, /* first: its rows are the policy's flows */
		{ "tp_flows", 2 * flows, false },
		{ "tp_free_slots", flows, false },
		{ "tp_dead_slots", flows, false },
		{ "tp_half_open", flows, false },
		{ "tp_nat_out", flows, false },
		{ "tp_nat_in", flows, false },
		{ "tp_peer_stats", want->room.peers, true },
		{ "tp_route_stats", want->room.routes, true },
	};

	memcpy(out, sizes, sizeof(sizes));
}

uint32_t bpf_map_size(const struct bpf *bpf, const char *name)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	AUTO_CLOSE int fd = bpf_map_open(bpf, name);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &length))
		return 0;
	return info.max_entries;
}

struct state_room bpf_read_room(const struct bpf *bpf)
{
	return (struct state_room){ .peers = bpf_map_size(bpf, "tp_peer_stats"),
				    .routes = bpf_map_size(bpf, "tp_route_stats") };
}

bool bpf_is_outgrown(const struct bpf *bpf, const struct state *want, const char *name)
{
	struct map_size sizes[SIZED_MAPS];
	size_t i;

	put_sizes(want, sizes);
	for (i = 0; i < SIZED_MAPS; i++)
		if (sizes[i].grows && !strcmp(sizes[i].name, name))
			return bpf_map_size(bpf, name) && bpf_map_size(bpf, name) < sizes[i].rows;
	return false;
}

static int refuse_size(const char *name, uint32_t pinned, uint32_t wanted, struct err *err)
{
	return err_set(err, -EBUSY,
		       "map %s was made for %u rows and the policy now needs %u: run "
		       "`towpath down`, then apply again",
		       name, pinned, wanted);
}

/* pinned is 0 for a map that is not there. */
static int check_size(const struct map_size *size, uint32_t pinned, struct err *err)
{
	if (pinned && pinned < size->rows && !size->grows)
		return refuse_size(size->name, pinned, size->rows, err);
	return 0;
}

/* Sizes follow the policy when a map is new; one that is there keeps its size, if that will do. */
static int set_size(const struct bpf *bpf, struct bpf_map *map, const struct map_size *size,
		    struct err *err)
{
	uint32_t pinned = bpf_map_size(bpf, size->name);
	int r = check_size(size, pinned, err);

	return r ? r : bpf_map__set_max_entries(map, pinned > size->rows ? pinned : size->rows);
}

/* Of those maps that the object has. */
int bpf_set_sizes(const struct bpf *bpf, struct bpf_object *object, const struct state *want,
		  struct err *err)
{
	struct map_size sizes[SIZED_MAPS];
	size_t i;
	int r = 0;

	put_sizes(want, sizes);
	for (i = 0; !r && i < SIZED_MAPS; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(object, sizes[i].name);

		if (map)
			r = set_size(bpf, map, &sizes[i], err);
	}
	return r;
}

int bpf_check_sizes(const struct bpf *bpf, const struct state *want, struct err *err)
{
	struct map_size sizes[SIZED_MAPS];
	size_t i;
	int r = 0;

	put_sizes(want, sizes);
	for (i = 0; !r && i < SIZED_MAPS; i++)
		r = check_size(&sizes[i], bpf_map_size(bpf, sizes[i].name), err);
	return r;
}
