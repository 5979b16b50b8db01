// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_service.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/bpf_rows.h"

int bpf_set_backends(const struct bpf *bpf, const struct backends_row *row, struct err *err)
{
	return bpf_row_set(bpf, "tp_backends", &row->id, &row->backends, err);
}

int bpf_remove_backends(const struct bpf *bpf, uint32_t id, struct err *err)
{
	return bpf_row_remove(bpf, "tp_backends", &id, err);
}

int bpf_set_service(const struct bpf *bpf, const struct service_row *row, struct err *err)
{
	return bpf_row_set(bpf, "tp_services", &row->key, &row->service, err);
}

int bpf_remove_service(const struct bpf *bpf, const struct tp_service_key *key, struct err *err)
{
	return bpf_row_remove(bpf, "tp_services", key, err);
}

int bpf_set_exempt(const struct bpf *bpf, const struct exempt_row *row, struct err *err)
{
	return bpf_row_set(bpf, "tp_exempt", &row->cookie, &row->exempt, err);
}

int bpf_remove_exempt(const struct bpf *bpf, uint64_t cookie, struct err *err)
{
	return bpf_row_remove(bpf, "tp_exempt", &cookie, err);
}

int bpf_set_foreign(const struct bpf *bpf, const struct foreign_row *row, struct err *err)
{
	return bpf_row_set(bpf, "tp_foreign", &row->prefix, &row->foreign, err);
}

int bpf_remove_foreign(const struct bpf *bpf, const struct tp_prefix *prefix, struct err *err)
{
	return bpf_row_remove(bpf, "tp_foreign", prefix, err);
}

/* Key by key: it is a trie, and there are few. */
int bpf_read_foreign(const struct bpf *bpf, struct state *have)
{
	AUTO_CLOSE int fd = bpf_map_open(bpf, "tp_foreign");
	struct tp_prefix key, *from = NULL;

	while (fd >= 0 && have->socket_lb.foreign.count < TP_FOREIGN_MAX &&
	       !bpf_map_get_next_key(fd, from, &key)) {
		struct foreign_row *row = array_add(&have->socket_lb.foreign);

		if (!row)
			return -ENOMEM;
		row->prefix = key;
		if (bpf_map_lookup_elem(fd, &key, &row->foreign))
			have->socket_lb.foreign.count--; /* it was removed in between */
		from = &key;
	}
	return 0;
}

int bpf_set_socket_lb(const struct bpf *bpf, const struct tp_socket_lb *settings, struct err *err)
{
	const uint32_t zero = 0;

	return bpf_row_set(bpf, "tp_socket_lb", &zero, settings, err);
}

void bpf_read_socket_lb(const struct bpf *bpf, struct tp_socket_lb *out)
{
	AUTO_CLOSE int fd = bpf_map_open(bpf, "tp_socket_lb");
	const uint32_t zero = 0;

	/* no map: the zeroes that are there differ from any wanted settings */
	if (fd >= 0 && bpf_map_lookup_elem(fd, &zero, out))
		memset(out, 0, sizeof(*out));
}

int bpf_note_probe(const struct bpf *bpf, int socket, struct err *err)
{
	AUTO_CLOSE int map = bpf_map_open(bpf, "tp_sock_own");
	const uint32_t own = 1;

	if (map == -ENOENT)
		return 0;
	if (map < 0 || bpf_map_update_elem(map, &socket, &own, BPF_ANY))
		return err_sys(err, map < 0 ? map : -errno, "note a probe's socket");
	return 0;
}

static struct backends_row *find_backends(struct state *have, const char *service)
{
	struct backends_row *row;

	array_for_each(row, &have->socket_lb.backends)
		if (!strncmp(row->backends.name, service, sizeof(row->backends.name)))
			return row;
	return NULL;
}

int bpf_set_health(const struct bpf *bpf, const char *service, const struct tp_addr *backend,
		   bool healthy, struct err *err)
{
	struct state have = { 0 };
	struct backends_row *row;
	uint64_t before;
	uint32_t i;
	static const struct bpf_rows rows =
		BPF_ROWS("tp_backends", socket_lb.backends, struct backends_row, id, backends);
	int r = bpf_take_rows(bpf, &rows, &have);

	row = find_backends(&have, service);
	for (i = 0; !r && row && i < row->backends.count && i < TP_BACKEND_MAX; i++)
		if (!memcmp(&row->backends.addrs[i], backend, sizeof(*backend)))
			break;
	if (r) {
		err_sys(err, r, "read tp_backends");
	} else if (!row || i >= row->backends.count || i >= TP_BACKEND_MAX) {
		r = err_set(err, -ENOENT, "it has no such backend");
	} else {
		before = row->backends.healthy;
		row->backends.healthy &= ~(1ULL << i);
		row->backends.healthy |= (uint64_t)healthy << i;
		r = before == row->backends.healthy ? 0 : bpf_set_backends(bpf, row, err);
	}
	state_free(&have);
	return r;
}
