// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/nl_udp.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "kernel/nl.h"
#include "kernel/nl_attr.h"

#define CONNECTED (1U << 1) /* TCP_ESTABLISHED, which UDP sockets are in as well */

/* The 16-byte form of an address of a socket: IPv4 is mapped. */
static void put_addr(struct tp_addr *out, uint8_t family, const __be32 words[4])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (family == AF_INET6) {
		memcpy(out, words, sizeof(*out));
		return;
	}
	memcpy(out->bytes, mapped, sizeof(mapped));
	memcpy(out->bytes + sizeof(mapped), words, 4);
}

static int take(const struct nlmsghdr *msg, void *data)
{
	const struct inet_diag_msg *found = mnl_nlmsg_get_payload(msg);
	struct nl_udp_sockets *sockets = data;
	struct nl_udp_socket *added;

	if (mnl_nlmsg_get_payload_len(msg) < sizeof(*found))
		return -EBADMSG;
	added = array_add(sockets);
	if (!added)
		return -ENOMEM;
	added->cookie = (uint64_t)found->id.idiag_cookie[1] << 32 | found->id.idiag_cookie[0];
	added->family = found->idiag_family;
	added->id = found->id;
	put_addr(&added->peer, found->idiag_family, found->id.idiag_dst);
	return 0;
}

static void begin_again(void *data)
{
	struct nl_udp_sockets *sockets = data;

	sockets->count = 0;
}

static int find(struct nl *nl, uint8_t family, uint32_t states, struct nl_udp_sockets *out,
		struct err *err)
{
	const struct inet_diag_req_v2 request = { .sdiag_family = family,
						  .sdiag_protocol = IPPROTO_UDP,
						  .idiag_states = states };
	const struct nl_reader reader = { .read = take, .restart = begin_again, .data = out };
	union nl_message buf;
	struct nlmsghdr *msg =
		nl_put_header(&buf, sizeof(buf), SOCK_DIAG_BY_FAMILY, 0, &request, sizeof(request));

	return nl_dump(nl, msg, &reader, err);
}

static int append(struct nl_udp_sockets *out, const struct nl_udp_sockets *found)
{
	const struct nl_udp_socket *socket;

	array_for_each(socket, found) {
		struct nl_udp_socket *added = array_add(out);

		if (!added)
			return -ENOMEM;
		*added = *socket;
	}
	return 0;
}

int nl_udp_find(struct nl_udp_sockets *out, struct err *err)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	AUTO_NL struct nl *nl = NULL;
	int r = nl_open(NETLINK_SOCK_DIAG, &nl, err);

	for (size_t i = 0; !r && i < ARRAY_SIZE(families); i++) {
		struct nl_udp_sockets found = { 0 };

		r = find(nl, families[i], CONNECTED, &found, err);
		if (!r && append(out, &found))
			r = err_sys(err, -ENOMEM, "find UDP sockets");
		array_clear(&found);
	}
	return r;
}

static int destroy(struct nl *nl, uint8_t family, const struct inet_diag_sockid *id,
		   struct err *err)
{
	const struct inet_diag_req_v2 request = { .sdiag_family = family,
						  .sdiag_protocol = IPPROTO_UDP,
						  .idiag_states = CONNECTED,
						  .id = *id };
	union nl_message buf;
	struct nlmsghdr *msg =
		nl_put_header(&buf, sizeof(buf), SOCK_DESTROY, 0, &request, sizeof(request));

	return nl_request(nl, msg, err);
}

/* By its addresses and, should another one have those by now, by its cookie. */
int nl_udp_close(const struct nl_udp_socket *socket, struct err *err)
{
	AUTO_NL struct nl *nl = NULL;
	int r = nl_open(NETLINK_SOCK_DIAG, &nl, err);

	if (!r)
		r = destroy(nl, socket->family, &socket->id, err);
	return r == -ENOENT || r == -ESTALE ? 0 : r;
}

/* A socket of nobody is asked for: what cannot close any says so before it looks. */
static bool try_both(void)
{
	static const struct inet_diag_sockid nobody = { .idiag_if = 0 };
	struct nl_udp_sockets none = { 0 }; /* those in no state at all */
	AUTO_NL struct nl *nl = NULL;
	struct err err;
	bool can = !nl_open(NETLINK_SOCK_DIAG, &nl, &err) && !find(nl, AF_INET, 0, &none, &err) &&
		   destroy(nl, AF_INET, &nobody, &err) == -ENOENT;

	array_clear(&none);
	return can;
}

bool nl_udp_can_close(void)
{
	static bool known, can;

	if (!known)
		can = try_both();
	known = true;
	return can;
}
