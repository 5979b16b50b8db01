/* SPDX-License-Identifier: GPL-2.0-only */
/* One WireGuard device, whichever of the two implementations is behind it. */
#ifndef TP_KERNEL_WG_H
#define TP_KERNEL_WG_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "model/state.h"

struct nl;

struct wg_device {
	char name[IF_NAMESIZE];
	enum state_backend backend;
	struct nl *nl;   /* STATE_BACKEND_KERNEL only */
	uint16_t family; /* the same */
	int connection;  /* STATE_BACKEND_USERSPACE only: -1 before the first request */
};

/* Belongs to the netns the caller is in. The device itself need not exist yet. */
int wg_open(struct wg_device *device, enum state_backend backend, const char *ifname,
	    struct err *err);
/* A zeroed device is fine. */
void wg_close(struct wg_device *device);

/*
 * Keys, port and sorted peers of the device into tunnel; its other members are left alone.
 * tunnel had no peers before.
 */
int wg_get(struct wg_device *device, struct state_tunnel *tunnel, struct err *err);

/* Port 0: what it has; wireguard-go opens its socket anew whenever it is told one. */
int wg_set_device(struct wg_device *device, const struct key *private_key, uint16_t listen_port,
		  struct err *err);
/* Adds or changes peers: in one message, unless they need several. */
int wg_set_peers(struct wg_device *device, const struct peer_change *const *changes, size_t count,
		 struct err *err);
/* One that is not there is success. */
int wg_set_endpoint(struct wg_device *device, const struct key *public_key,
		    const struct endpoint *endpoint, struct err *err);
/* One that is not there is success. */
int wg_remove_peer(struct wg_device *device, const struct key *public_key, struct err *err);

/* Whether this kernel has WireGuard; asking loads the module. */
int wg_kernel_available(bool *available, struct err *err);

#endif
