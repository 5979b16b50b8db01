/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Userspace WireGuard's text protocol (https://www.wireguard.com/xplatform/) from and to our
 * structs. Pure: wg_uapi_socket.h talks to the process.
 */
#ifndef TP_KERNEL_WG_UAPI_H
#define TP_KERNEL_WG_UAPI_H

#include <stddef.h>
#include <stdint.h>

#include "model/state.h"

#define WG_UAPI_GET "get=1\n\n"

/*
 * Whole requests, blank line included, for wg_uapi_free; NULL when memory is out. Each is
 * allocated in one piece, so that no copy of a key stays behind in freed memory.
 */
char *wg_uapi_put_device(const struct key *private_key, uint16_t listen_port);
char *wg_uapi_put_peer(const struct peer_change *change);
/* Another endpoint, and nothing else, for a peer that is there. */
char *wg_uapi_put_endpoint(const struct key *public_key, const struct endpoint *endpoint);
char *wg_uapi_put_peer_removal(const struct key *public_key);
/* Wipes it first. NULL is fine. */
void wg_uapi_free(char *text);

/*
 * Reads an answer, to a set or to WG_UAPI_GET, and adds what it says to tunnel. Returns the
 * negative errno that it reports, -EBADMSG when it is no answer, -ENOMEM; tunnel is half filled
 * when the result is not 0.
 */
int wg_uapi_read(const char *text, size_t length, struct state_tunnel *tunnel);

#endif
