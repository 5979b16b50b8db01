// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket load balancer: connect() and sendto() to a service's address go to a backend, and the
 * socket is told that it talks to the service. What chooses a backend leaves alone whose network
 * namespace is exempt, and who asks a backend whether it lives.
 */
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "lib/service.h"
#include "lib/sock_addr.h"
#include "lib/sock_rev.h"

#define GO_ON  1
#define REFUSE 0

/* Sockets of the kernel's own and of protocols that no service has: MPTCP, UDP-Lite, SCTP. */
static __always_inline bool has_services(const struct bpf_sock_addr *ctx)
{
	return ctx->protocol == IPPROTO_TCP || ctx->protocol == IPPROTO_UDP;
}

static __always_inline bool is_left_alone(struct bpf_sock_addr *ctx)
{
	__u64 cookie = bpf_get_netns_cookie(ctx);
	const struct tp_socket_lb *lb;
	__u32 zero = 0;

	if (bpf_map_lookup_elem(&tp_exempt, &cookie) || !has_services(ctx) || is_probe(ctx))
		return true;
	lb = bpf_map_lookup_elem(&tp_socket_lb, &zero);
	return !lb || lb->mode == TP_SOCKET_OFF ||
	       (lb->mode == TP_SOCKET_HOST_ONLY && cookie != lb->host_cookie);
}

static __always_inline int refuse(int error)
{
	bpf_set_retval(-error);
	return REFUSE;
}

static __always_inline const struct tp_service *service_find(const struct bpf_sock_addr *ctx,
							     const struct peer *peer)
{
	struct tp_service_key key = {
		.vip = peer->addr,
		.port = peer->port,
		.protocol = (__u8)ctx->protocol,
	};

	return bpf_map_lookup_elem(&tp_services, &key);
}

/* Whether that service still has the entry's backend, wherever it is now, and it is healthy. */
static __always_inline bool still_stands(struct tp_sock_rev *entry,
					 const struct tp_service *service,
					 const struct tp_backends *backends)
{
	if (entry->backend_port != service->target_port)
		return false;
	if (entry->index >= TP_BACKEND_MAX ||
	    !addr_same(&backends->addrs[entry->index], &entry->backend))
		entry->index = find_backend(backends, &entry->backend);
	return backend_is_healthy(backends, entry->index);
}

/* 0, or what errno the socket is to see. */
static __always_inline int choose(struct bpf_sock_addr *ctx, const struct tp_service *service,
				  const struct tp_backends *backends, const struct peer *vip,
				  struct tp_sock_rev *out)
{
	__u32 index = choose_backend(service, backends, bpf_get_netns_cookie(ctx));

	if (index >= TP_BACKEND_MAX)
		return EHOSTUNREACH;
	out->vip = vip->addr;
	out->vip_port = vip->port;
	out->backend = backends->addrs[index];
	out->backend_port = service->target_port;
	out->index = index;
	return 0;
}

/*
 * The same for a socket whose backend stands no more; that one may have answered already, or only
 * have been slow. Where there is no room for both, the next one takes its place.
 */
static __always_inline int choose_next(struct bpf_sock_addr *ctx, const struct tp_service *service,
				       const struct tp_backends *backends, const struct peer *vip,
				       struct tp_sock_rev **entry)
{
	struct tp_sock_rev *spare = spare_for(ctx, vip);
	int error = choose(ctx, service, backends, vip, spare ? spare : *entry);

	if (error || !spare)
		return error;
	(*entry)->index = TP_SOCK_PAST;
	*entry = spare;
	return 0;
}

/* By its own address: answers from there are shown as they come, until the service is used. */
static __always_inline int send_elsewhere(struct bpf_sock_addr *ctx, const struct peer *peer)
{
	note_direct(ctx, peer);
	return GO_ON;
}

/*
 * A socket that was connected to a service before may be connected anew, to anything. Should the
 * kernel refuse that, it stays connected to the backend, which is shown from then on.
 */
static __always_inline int connect_elsewhere(struct bpf_sock_addr *ctx, const struct peer *peer)
{
	if (connected_of(ctx, false))
		bpf_sk_storage_delete(&tp_sock_rev, ctx->sk);
	return send_elsewhere(ctx, peer);
}

static __always_inline int on_connect(struct bpf_sock_addr *ctx, enum family family)
{
	const struct tp_backends *backends;
	const struct tp_service *service;
	struct tp_sock_rev *rev;
	struct peer peer;
	int error;

	peer_read(&peer, ctx, family);
	if (is_left_alone(ctx))
		return connect_elsewhere(ctx, &peer);
	service = service_find(ctx, &peer);
	if (!service)
		return connect_elsewhere(ctx, &peer);
	backends = bpf_map_lookup_elem(&tp_backends, &service->backends);
	rev = connected_of(ctx, true);
	if (!backends || !rev)
		return refuse(backends ? ENOMEM : EHOSTUNREACH);
	error = choose(ctx, service, backends, &peer, rev);
	if (error)
		return refuse(error);
	peer_write(ctx, family, &rev->backend, rev->backend_port);
	return GO_ON;
}

/* To the one that this socket has for that service, else to one that is chosen. */
static __always_inline int send_to_service(struct bpf_sock_addr *ctx, enum family family,
					   const struct tp_service *service, const struct peer *vip)
{
	const struct tp_backends *backends = bpf_map_lookup_elem(&tp_backends, &service->backends);
	struct tp_sock_rev *entry;
	struct tp_sock_udp *udp;
	int error = 0;

	if (!backends)
		return refuse(EHOSTUNREACH);
	udp = datagrams_of(ctx, true);
	entry = udp ? entry_for(ctx, vip) : NULL;
	if (!entry)
		return refuse(ENOBUFS);
	if (!entry->used || entry->index == TP_SOCK_PAST)
		error = choose(ctx, service, backends, vip, entry);
	else if (!still_stands(entry, service, backends))
		error = choose_next(ctx, service, backends, vip, &entry);
	if (error)
		return refuse(error);
	note_used(udp, entry);
	peer_write(ctx, family, &entry->backend, entry->backend_port);
	return GO_ON;
}

static __always_inline int on_send(struct bpf_sock_addr *ctx, enum family family)
{
	const struct tp_service *service;
	const struct tp_sock_rev *rev;
	struct peer peer;

	peer_read(&peer, ctx, family);
	if (is_left_alone(ctx))
		return send_elsewhere(ctx, &peer);
	rev = connected_now(ctx);
	/* by either address: send() of a mapped one comes by here. Nobody else may answer */
	if (rev && (is_vip(rev, &peer) || is_backend(rev, &peer))) {
		peer_write(ctx, family, &rev->backend, rev->backend_port);
		return GO_ON;
	}
	/* connected before there was the service, or while exempt: the same */
	if (is_connected_to(ctx, family, &peer))
		return send_elsewhere(ctx, &peer);
	service = service_find(ctx, &peer);
	return service ? send_to_service(ctx, family, service, &peer) : send_elsewhere(ctx, &peer);
}

/* These go by what the socket holds: one that is exempt from now on goes on as it was. */
static __always_inline int on_receive(struct bpf_sock_addr *ctx, enum family family)
{
	const struct tp_sock_rev *rev;
	struct peer peer;

	if (!has_services(ctx))
		return GO_ON;
	peer_read(&peer, ctx, family);
	rev = connected_now(ctx);
	if (!rev || !is_backend(rev, &peer))
		rev = last_used(ctx, &peer);
	if (rev)
		peer_write(ctx, family, &rev->vip, rev->vip_port);
	return GO_ON;
}

static __always_inline int on_getpeername(struct bpf_sock_addr *ctx, enum family family)
{
	const struct tp_sock_rev *rev;
	struct peer peer;

	if (!has_services(ctx))
		return GO_ON;
	peer_read(&peer, ctx, family);
	rev = connected_of(ctx, false);
	if (rev && is_backend(rev, &peer))
		peer_write(ctx, family, &rev->vip, rev->vip_port);
	return GO_ON;
}

#define PROGRAM(hook, does)                          \
	SEC("cgroup/" #hook "4")                     \
	int tp_##hook##4(struct bpf_sock_addr * ctx) \
	{                                            \
		return does(ctx, FAMILY_V4);         \
	}                                            \
                                                     \
	SEC("cgroup/" #hook "6")                     \
	int tp_##hook##6(struct bpf_sock_addr * ctx) \
	{                                            \
		return does(ctx, FAMILY_V6);         \
	}

PROGRAM(connect, on_connect)
PROGRAM(sendmsg, on_send)
PROGRAM(recvmsg, on_receive)
PROGRAM(getpeername, on_getpeername)

char _license[] SEC("license") = "GPL";
