// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/wg.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/wireguard.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/nl.h"
#include "kernel/wg_codec.h"
#include "kernel/wg_uapi.h"
#include "kernel/wg_uapi_socket.h"

int wg_open(struct wg_device *device, enum state_backend backend, const char *ifname,
	    struct err *err)
{
	struct wg_device opened = { .backend = backend, .connection = -1 };
	AUTO_NL struct nl *nl = NULL;
	int r;

	snprintf(opened.name, sizeof(opened.name), "%s", ifname);
	if (backend == STATE_BACKEND_KERNEL) {
		r = nl_open(NETLINK_GENERIC, &nl, err);
		if (!r)
			r = nl_genl_family(nl, WG_GENL_NAME, &opened.family, err);
		if (r)
			return err_wrap(err, r, "open WireGuard device %s", ifname);
	}

	opened.nl = TAKE(nl);
	*device = opened;
	return 0;
}

void wg_close(struct wg_device *device)
{
	nl_close(device->nl);
	if (device->backend == STATE_BACKEND_USERSPACE)
		mem_close_fd(&device->connection);
	*device = (struct wg_device){ 0 };
}

/* ---- kernel ------------------------------------------------------------------------------ */

static int read_message(const struct nlmsghdr *msg, void *data)
{
	return wg_read_device(msg, data);
}

static void forget(void *data)
{
	state_tunnel_clear(data);
}

static int kernel_get(struct wg_device *device, struct state_tunnel *found, struct err *err)
{
	struct nl_reader reader = { .read = read_message, .restart = forget, .data = found };
	union nl_message buf;
	struct nlmsghdr *msg = wg_put_get(&buf, sizeof(buf), device->family, device->name);

	if (!msg)
		return err_sys(err, -EMSGSIZE, "ask");
	return nl_dump(device->nl, msg, &reader, err);
}

/* Sends a message that may hold a key, and wipes it. NULL is one that did not fit. */
static int kernel_set(struct wg_device *device, struct nlmsghdr *msg, struct err *err)
{
	int r;

	if (!msg)
		return err_sys(err, -EMSGSIZE, "set");
	r = nl_request(device->nl, msg, err);
	explicit_bzero(msg, msg->nlmsg_len);
	return r;
}

static int kernel_set_device(struct wg_device *device, const struct key *private_key,
			     uint16_t listen_port, struct err *err)
{
	union nl_message buf;

	return kernel_set(device,
			  wg_put_device(&buf, sizeof(buf), device->family, device->name,
					private_key, listen_port),
			  err);
}

static int kernel_set_peers(struct wg_device *device, const struct peer_change *const *changes,
			    size_t count, struct err *err)
{
	struct wg_peers peers = { .changes = changes, .count = count };
	union nl_message buf;
	int r = 0;

	while (!r && wg_peers_left(&peers))
		r = kernel_set(
			device,
			wg_put_peers(&buf, sizeof(buf), device->family, device->name, &peers), err);
	return r;
}

static int kernel_set_endpoint(struct wg_device *device, const struct key *public_key,
			       const struct endpoint *endpoint, struct err *err)
{
	union nl_message buf;

	return kernel_set(device,
			  wg_put_endpoint(&buf, sizeof(buf), device->family, device->name,
					  public_key, endpoint),
			  err);
}

static int kernel_remove_peer(struct wg_device *device, const struct key *public_key,
			      struct err *err)
{
	union nl_message buf;

	return kernel_set(
		device,
		wg_put_peer_removal(&buf, sizeof(buf), device->family, device->name, public_key),
		err);
}

int wg_kernel_available(bool *available, struct err *err)
{
	AUTO_NL struct nl *nl = NULL;
	uint16_t family;
	int r;

	r = nl_open(NETLINK_GENERIC, &nl, err);
	if (!r)
		r = nl_genl_family(nl, WG_GENL_NAME, &family, err);
	if (r && r != -ENOENT) /* that is the answer "no" */
		return r;

	*available = !r;
	return 0;
}

/* ---- userspace --------------------------------------------------------------------------- */

static int userspace_ask(struct wg_device *device, const char *request, struct state_tunnel *found,
			 struct err *err)
{
	char *answer = NULL;
	size_t length = 0;
	int r;

	r = wg_uapi_exchange(&device->connection, device->name, request, &answer, &length, err);
	if (r)
		return r;

	r = wg_uapi_read(answer, length, found);
	explicit_bzero(answer, length);
	free(answer);
	return r ? err_sys(err, r, "wireguard-go") : 0;
}

/* Sends a request that wg_uapi_put_* made, and frees it. */
static int userspace_set(struct wg_device *device, char *request, struct err *err)
{
	struct state_tunnel nothing = { 0 };
	int r;

	if (!request)
		return err_sys(err, -ENOMEM, "wireguard-go");

	r = userspace_ask(device, request, &nothing, err);
	wg_uapi_free(request);
	state_tunnel_clear(&nothing);
	return r;
}

/* ---- both -------------------------------------------------------------------------------- */

static int compare_prefixes(const void *a, const void *b)
{
	return prefix_compare(a, b);
}

static int compare_peers(const void *a, const void *b)
{
	const struct state_peer *left = a;
	const struct state_peer *right = b;

	return memcmp(left->public_key.bytes, right->public_key.bytes, KEY_SIZE);
}

static void sort_peers(struct state_tunnel *tunnel)
{
	struct state_peer *peer;

	if (!tunnel->peers.count)
		return;

	qsort(tunnel->peers.items, tunnel->peers.count, sizeof(*peer), compare_peers);
	array_for_each(peer, &tunnel->peers)
		if (peer->allowed_ips.count)
			qsort(peer->allowed_ips.items, peer->allowed_ips.count,
			      sizeof(struct prefix), compare_prefixes);
}

int wg_get(struct wg_device *device, struct state_tunnel *tunnel, struct err *err)
{
	struct state_tunnel found = { 0 };
	int r;

	if (device->backend == STATE_BACKEND_KERNEL)
		r = kernel_get(device, &found, err);
	else
		r = userspace_ask(device, WG_UAPI_GET, &found, err);
	if (r) {
		state_tunnel_clear(&found);
		return err_wrap(err, r, "read WireGuard device %s", device->name);
	}

	sort_peers(&found);
	tunnel->listen_port = found.listen_port;
	tunnel->private_key = found.private_key;
	tunnel->peers = found.peers;
	key_wipe(&found.private_key);
	return 0;
}

int wg_set_device(struct wg_device *device, const struct key *private_key, uint16_t listen_port,
		  struct err *err)
{
	int r;

	if (device->backend == STATE_BACKEND_KERNEL)
		r = kernel_set_device(device, private_key, listen_port, err);
	else
		r = userspace_set(device, wg_uapi_put_device(private_key, listen_port), err);
	if (!r)
		return 0;
	if (!listen_port)
		return err_wrap(err, r, "set the key of %s", device->name);
	return err_wrap(err, r, "set key and port %u of %s", listen_port, device->name);
}

/* "peer phone", or "60 peers, peer a to peer z": names are known where the policy is. */
static const char *peers_text(char *buf, size_t size, const struct peer_change *const *changes,
			      size_t count)
{
	const struct state_peer *first = changes[0]->want, *last = changes[count - 1]->want;
	char key[KEY_TEXT_SIZE];

	if (count > 1)
		snprintf(buf, size, "%zu peers, %s to %s,", count, first->name, last->name);
	else
		snprintf(buf, size, "peer %s",
			 *first->name ? first->name : key_put(key, &first->public_key));
	return buf;
}

int wg_set_peers(struct wg_device *device, const struct peer_change *const *changes, size_t count,
		 struct err *err)
{
	char text[2 * TP_NAME_SIZE + 32];
	int r;

	if (device->backend == STATE_BACKEND_KERNEL)
		r = kernel_set_peers(device, changes, count, err);
	else
		r = userspace_set(device, wg_uapi_put_peers(changes, count), err);
	if (!r)
		return 0;
	return err_wrap(err, r, "set %s of %s", peers_text(text, sizeof(text), changes, count),
			device->name);
}

int wg_set_endpoint(struct wg_device *device, const struct key *public_key,
		    const struct endpoint *endpoint, struct err *err)
{
	char key[KEY_TEXT_SIZE];
	int r;

	if (device->backend == STATE_BACKEND_KERNEL)
		r = kernel_set_endpoint(device, public_key, endpoint, err);
	else
		r = userspace_set(device, wg_uapi_put_endpoint(public_key, endpoint), err);
	if (!r)
		return 0;
	return err_wrap(err, r, "set the endpoint of peer %s of %s", key_put(key, public_key),
			device->name);
}

int wg_remove_peer(struct wg_device *device, const struct key *public_key, struct err *err)
{
	char key[KEY_TEXT_SIZE];
	int r;

	if (device->backend == STATE_BACKEND_KERNEL)
		r = kernel_remove_peer(device, public_key, err);
	else
		r = userspace_set(device, wg_uapi_put_peer_removal(public_key), err);
	if (!r)
		return 0;
	return err_wrap(err, r, "remove peer %s of %s", key_put(key, public_key), device->name);
}
