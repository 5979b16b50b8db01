/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows of services and of exempt network namespaces. */
#ifndef TP_KERNEL_BPF_SERVICE_H
#define TP_KERNEL_BPF_SERVICE_H

#include "base/err.h"
#include "kernel/bpf_object.h"
#include "model/state.h"

int bpf_set_backends(const struct bpf *bpf, const struct backends_row *row, struct err *err);
int bpf_remove_backends(const struct bpf *bpf, uint32_t id, struct err *err);
int bpf_set_service(const struct bpf *bpf, const struct service_row *row, struct err *err);
int bpf_remove_service(const struct bpf *bpf, const struct tp_service_key *key, struct err *err);
int bpf_set_exempt(const struct bpf *bpf, const struct exempt_row *row, struct err *err);
int bpf_remove_exempt(const struct bpf *bpf, uint64_t cookie, struct err *err);
int bpf_set_foreign(const struct bpf *bpf, const struct foreign_row *row, struct err *err);
int bpf_remove_foreign(const struct bpf *bpf, const struct tp_prefix *prefix, struct err *err);
int bpf_set_socket_lb(const struct bpf *bpf, const struct tp_socket_lb *settings, struct err *err);

/* Of one backend of the service of that name. -ENOENT: it is none of its. */
int bpf_set_health(const struct bpf *bpf, const char *service, const struct tp_addr *backend,
		   bool healthy, struct err *err);

/*
 * Notes that a socket asks whether a backend lives, so that neither our programs nor those of
 * others translate what it connects to from then on. Where no program of ours is, there is nothing
 * to note.
 */
int bpf_note_probe(const struct bpf *bpf, int socket, struct err *err);

/* The rows of tp_foreign into have; none where there is no map. 0 or -ENOMEM. */
int bpf_read_foreign(const struct bpf *bpf, struct state *have);

/* All zero where there is no map. */
void bpf_read_socket_lb(const struct bpf *bpf, struct tp_socket_lb *out);

#endif
