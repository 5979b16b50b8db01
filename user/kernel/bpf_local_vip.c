// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/bpf_local_vip.h"

#include "kernel/bpf_rows.h"

int bpf_read_local_vips(const struct bpf *bpf, struct state *have, struct err *err)
{
	static const struct bpf_rows rows =
		BPF_ROWS("tp_local_vips", found_vips, struct local_vip_row, addr, vip);
	int r = bpf_take_rows(bpf, &rows, have);

	return r ? err_sys(err, r, "read tp_local_vips") : 0;
}

int bpf_set_local_vip(const struct bpf *bpf, const struct local_vip_row *row, struct err *err)
{
	return bpf_row_set(bpf, "tp_local_vips", &row->addr, &row->vip, err);
}

int bpf_remove_local_vip(const struct bpf *bpf, const struct tp_addr *addr, struct err *err)
{
	return bpf_row_remove(bpf, "tp_local_vips", addr, err);
}
