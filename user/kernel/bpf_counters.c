// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_counters.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "kernel/bpf_aside.h"
#include "kernel/bpf_stats.h"

static int add_fd(int fd, void *data)
{
	struct bpf_counters *counters = data;
	int *added = array_add(&counters->fds);

	if (!added)
		return -ENOMEM;
	*added = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return *added < 0 ? -errno : 0;
}

int bpf_counters_open(const struct bpf *bpf, const char *map, struct bpf_counters *out)
{
	AUTO_CLOSE int fd = bpf_map_open(bpf, map);
	int r = fd < 0 ? fd : add_fd(fd, out);

	return r ? r : bpf_each_aside(bpf, map, add_fd, out);
}

void bpf_counters_close(struct bpf_counters *counters)
{
	const int *fd;

	array_for_each(fd, &counters->fds)
		if (*fd >= 0)
			close(*fd);
	array_clear(&counters->fds);
}

int bpf_counters_read(const struct bpf_counters *counters, uint32_t row, void *out, size_t size)
{
	const size_t words = size / sizeof(uint64_t);
	uint64_t *sum = out;
	size_t map, i;
	int r = bpf_read_percpu(counters->fds.items[0], row, out, size);

	for (map = 1; !r && map < counters->fds.count; map++) {
		AUTO_FREE uint64_t *more = mem_alloc(1, size);

		r = more ? bpf_read_percpu(counters->fds.items[map], row, more, size) : -ENOMEM;
		if (r == -ENOENT) /* it has not so many rows */
			r = 0;
		else
			for (i = 0; !r && i < words; i++)
				sum[i] += more[i];
	}
	return r;
}

static int clear_row(int fd, uint32_t row)
{
	struct bpf_map_info info = {};
	__u32 length = sizeof(info);
	AUTO_FREE void *none = NULL;
	int cpus = libbpf_num_possible_cpus();

	if (cpus < 0)
		return cpus;
	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		return -errno;
	if (row >= info.max_entries) /* one of the smaller maps before */
		return 0;
	none = mem_alloc((size_t)cpus, info.value_size);
	if (!none)
		return -ENOMEM;
	return bpf_map_update_elem(fd, &row, none, BPF_EXIST) ? -errno : 0;
}

int bpf_counters_clear(const struct bpf *bpf, const char *map, uint32_t row, struct err *err)
{
	struct bpf_counters counters = {};
	const int *fd;
	int r = bpf_counters_open(bpf, map, &counters);

	array_for_each(fd, &counters.fds)
		if (!r)
			r = clear_row(*fd, row);
	bpf_counters_close(&counters);
	return r ? err_sys(err, r, "clear row %u of %s", row, map) : 0;
}

/* ---- for good -------------------------------------------------------------------------------- */

struct carry {
	int to;
	struct bpf_map_info info;   /* of it */
	size_t words;               /* of a row, on all CPUs */
	uint64_t *had, *has, *none; /* rows */
};

static bool is_zero(const struct carry *carry, const uint64_t *row)
{
	return !memcmp(row, carry->none, carry->words * sizeof(*row));
}

/*
 * What a CPU counts in this row between the look and the update is lost: a packet or two of the few
 * that come in a microsecond, once. Killed between the updates, the next apply counts it twice.
 */
static int carry_row(const struct carry *carry, int from, uint32_t row)
{
	size_t i;

	if (bpf_map_lookup_elem(from, &row, carry->had))
		return -errno;
	if (is_zero(carry, carry->had))
		return 0;
	if (bpf_map_lookup_elem(carry->to, &row, carry->has))
		return -errno;
	for (i = 0; i < carry->words; i++)
		carry->has[i] += carry->had[i];
	if (bpf_map_update_elem(carry->to, &row, carry->has, BPF_EXIST) ||
	    bpf_map_update_elem(from, &row, carry->none, BPF_EXIST))
		return -errno;
	return 0;
}

static int carry_map(int from, void *data)
{
	const struct carry *carry = data;
	struct bpf_map_info info = {};
	__u32 length = sizeof(info), row;
	int r = bpf_obj_get_info_by_fd(from, &info, &length) ? -errno : 0;

	if (!r && (info.type != carry->info.type || info.value_size != carry->info.value_size))
		r = -EPROTO;
	for (row = 0; !r && row < info.max_entries && row < carry->info.max_entries; row++)
		r = carry_row(carry, from, row);
	return r;
}

int bpf_counters_carry(const struct bpf *bpf, const char *map, struct err *err)
{
	AUTO_CLOSE int to = bpf_map_open(bpf, map);
	AUTO_FREE uint64_t *rows = NULL;
	struct carry carry = { .to = to };
	__u32 length = sizeof(carry.info);
	int cpus = libbpf_num_possible_cpus(), r;

	if (to < 0 || cpus < 0)
		return err_sys(err, to < 0 ? to : cpus, "open map %s", map);
	if (bpf_obj_get_info_by_fd(to, &carry.info, &length))
		return err_sys(err, -errno, "look at map %s", map);
	carry.words = (size_t)cpus * carry.info.value_size / sizeof(*rows);
	rows = mem_alloc(3 * carry.words, sizeof(*rows));
	if (!rows)
		return err_sys(err, -ENOMEM, "carry the counters of %s", map);
	carry.had = rows;
	carry.has = rows + carry.words;
	carry.none = rows + 2 * carry.words;
	r = bpf_each_aside(bpf, map, carry_map, &carry);
	return r ? err_sys(err, r, "carry the counters of %s", map) : 0;
}
