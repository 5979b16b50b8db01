/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel WireGuard's generic netlink messages (<linux/wireguard.h>) from and to our structs. Pure:
 * no socket here.
 *
 * The put functions return the message, which begins at buf, or NULL when size is too small for
 * it. buf is aligned as struct nlmsghdr; a size above 65535 is of no use, for that is where the
 * length of an attribute ends.
 */
#ifndef TP_KERNEL_WG_CODEC_H
#define TP_KERNEL_WG_CODEC_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/state.h"

/* family is the number that the running kernel gave to WG_GENL_NAME. */
struct nlmsghdr *wg_put_get(void *buf, size_t size, uint16_t family, const char *ifname);
struct nlmsghdr *wg_put_device(void *buf, size_t size, uint16_t family, const char *ifname,
			       const struct key *private_key, uint16_t listen_port);
struct nlmsghdr *wg_put_peer_removal(void *buf, size_t size, uint16_t family, const char *ifname,
				     const struct key *public_key);

/* Peers to be set, and how far the messages are: both 0 before the first. */
struct wg_peers {
	const struct peer_change *const *changes;
	size_t count;
	size_t at;       /* this many are set */
	size_t done;     /* of the next one's allowed IPs; not 0: a message has begun it */
	size_t dropping; /* this many have lost what they are to lose */
	size_t dropped;  /* of the allowed IPs that the next one had */
};

bool wg_peers_left(const struct wg_peers *peers);

/*
 * One of the messages that set peers: as many as fit, and of a large one the next part. When all
 * are set, what they are to lose to nobody is given to state_drain_key's, which the same message
 * removes. Call while wg_peers_left.
 */
struct nlmsghdr *wg_put_peers(void *buf, size_t size, uint16_t family, const char *ifname,
			      struct wg_peers *peers);
/* Another endpoint, and nothing else, for a peer that is there. */
struct nlmsghdr *wg_put_endpoint(void *buf, size_t size, uint16_t family, const char *ifname,
				 const struct key *public_key, const struct endpoint *endpoint);

/*
 * Adds what one message of the answer to wg_put_get says. The kernel splits: a message may go on
 * with the peer the last one ended with. 0, -EBADMSG, -ENOMEM; tunnel is then half filled.
 */
int wg_read_device(const struct nlmsghdr *msg, struct state_tunnel *tunnel);

#endif
