// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/nl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/mem.h"
#include "kernel/nl_attr.h"

/* The kernel makes dump messages of at most 32 KiB; twice that, for a single link with many VFs. */
#define RECEIVE_SIZE    65536
#define TIMEOUT_SECONDS 10
#define DUMP_ATTEMPTS   10
#define LOSSES_MAX      10

/* The answer has not ended yet. Above every value that an errno can have. */
#define MORE 1

struct nl {
	struct mnl_socket *socket;
	uint32_t seq;
	union {
		struct nlmsghdr header;
		char bytes[RECEIVE_SIZE];
	} received;
};

/* What is known of an answer while it comes in. */
struct answer {
	const struct nl_reader *reader; /* may be NULL */
	bool dump;
	bool incomplete; /* of a dump: the tables changed meanwhile, or something was lost */
	int losses;      /* parts of a dump for which the kernel had no memory */
	int read_result; /* the first failure of reader->read */
	struct err *err;
};

/*
 * Options are asked for, not needed: without them (before 4.20) error texts are shorter and dumps
 * are not filtered by the kernel, which every reader checks again anyway.
 */
static void set_options(struct mnl_socket *socket)
{
	static const int options[] = { NETLINK_EXT_ACK, NETLINK_CAP_ACK, NETLINK_GET_STRICT_CHK };
	int on = 1;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		mnl_socket_setsockopt(socket, options[i], &on, sizeof(on));
}

/* The kernel answers before sendto(2) returns; the limit is for what we have not thought of. */
static int set_timeout(struct mnl_socket *socket)
{
	struct timeval limit = { .tv_sec = TIMEOUT_SECONDS };

	if (setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)))
		return -errno;
	return 0;
}

int nl_open(int bus, struct nl **out, struct err *err)
{
	AUTO_NL struct nl *nl = mem_alloc(1, sizeof(*nl));
	int r;

	if (!nl)
		return err_sys(err, -ENOMEM, "open a netlink socket");

	nl->socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!nl->socket || mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0)
		return err_sys(err, -errno, "open a netlink socket");

	set_options(nl->socket);
	r = set_timeout(nl->socket);
	if (r)
		return err_sys(err, r, "limit how long a netlink socket waits");

	*out = TAKE(nl);
	return 0;
}

void nl_close(struct nl *nl)
{
	if (!nl)
		return;
	if (nl->socket)
		mnl_socket_close(nl->socket);
	free(nl);
}

void nl_close_ptr(struct nl **nl)
{
	nl_close(*nl);
}

/* One datagram from the kernel; another process may send to our port too, and is not heard. */
static int receive(struct nl *nl, size_t *length)
{
	struct iovec space = { .iov_base = nl->received.bytes,
			       .iov_len = sizeof(nl->received.bytes) };
	struct sockaddr_nl from = { .nl_family = AF_NETLINK };
	struct msghdr datagram = {
		.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &space, .msg_iovlen = 1
	};
	ssize_t n;

	do {
		n = recvmsg(mnl_socket_get_fd(nl->socket), &datagram, 0);
	} while ((n < 0 && errno == EINTR) || (n >= 0 && from.nl_pid != 0));

	if (n < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	if (datagram.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;

	*length = (size_t)n;
	return 0;
}

/* One message of an answer. 0: it was the last. */
static int take_message(const struct nlmsghdr *msg, struct answer *answer)
{
	if (msg->nlmsg_flags & NLM_F_DUMP_INTR)
		answer->incomplete = true;

	switch (msg->nlmsg_type) {
	case NLMSG_NOOP: return MORE;
	case NLMSG_OVERRUN: return err_sys(answer->err, -ENOBUFS, "netlink");
	case NLMSG_ERROR:
	case NLMSG_DONE: return nl_read_result(msg, answer->err);
	}

	/* after a failure the rest is still taken in: a dump left half read blocks the next one */
	if (answer->reader && !answer->read_result)
		answer->read_result = answer->reader->read(msg, answer->reader->data);
	return MORE;
}

static int take_datagram(struct nl *nl, size_t length, struct answer *answer)
{
	const struct nlmsghdr *msg = &nl->received.header;
	int left = (int)length;
	int r = MORE;

	while (r == MORE && mnl_nlmsg_ok(msg, left)) {
		/* what an earlier, abandoned request left in the queue is passed over */
		if (mnl_nlmsg_seq_ok(msg, nl->seq) &&
		    mnl_nlmsg_portid_ok(msg, mnl_socket_get_portid(nl->socket)))
			r = take_message(msg, answer);
		msg = mnl_nlmsg_next(msg, &left);
	}

	return r;
}

static int take_answer(struct nl *nl, struct answer *answer)
{
	size_t length = 0;
	int r;

	do {
		r = receive(nl, &length);
		if (r == -ENOBUFS && answer->dump && answer->losses++ < LOSSES_MAX) {
			/* to the end all the same: a dump left half read blocks the next one */
			answer->incomplete = true;
			r = MORE;
			continue;
		}
		if (r)
			return err_sys(answer->err, r, "read from netlink");
		r = take_datagram(nl, length, answer);
		explicit_bzero(nl->received.bytes, length); /* WireGuard's answers hold keys */
	} while (r == MORE);

	if (!r && answer->read_result)
		return err_sys(answer->err, answer->read_result, "netlink answer");
	return r;
}

static int send_message(struct nl *nl, const struct nlmsghdr *msg)
{
	ssize_t n;

	do {
		n = mnl_socket_sendto(nl->socket, msg, msg->nlmsg_len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static int ask(struct nl *nl, struct nlmsghdr *msg, struct answer *answer)
{
	int r;

	msg->nlmsg_seq = ++nl->seq;
	msg->nlmsg_flags |= NLM_F_REQUEST | (answer->dump ? NLM_F_DUMP : NLM_F_ACK);
	r = send_message(nl, msg);
	if (r)
		return err_sys(answer->err, r, "write to netlink");
	return take_answer(nl, answer);
}

int nl_request(struct nl *nl, struct nlmsghdr *msg, struct err *err)
{
	struct answer answer = { .err = err };

	return ask(nl, msg, &answer);
}

int nl_get(struct nl *nl, struct nlmsghdr *msg, const struct nl_reader *reader, struct err *err)
{
	struct answer answer = { .reader = reader, .err = err };

	return ask(nl, msg, &answer);
}

int nl_dump(struct nl *nl, struct nlmsghdr *msg, const struct nl_reader *reader, struct err *err)
{
	bool lost = false;

	for (int attempt = 0; attempt < DUMP_ATTEMPTS; attempt++) {
		struct answer answer = { .reader = reader, .dump = true, .err = err };
		int r;

		if (attempt)
			reader->restart(reader->data);

		r = ask(nl, msg, &answer);
		if (r == -EINTR) /* at the end of the dump: how some say that it was interrupted */
			continue;
		if (r || !answer.incomplete)
			return r;
		lost = answer.losses > 0;
	}

	if (lost)
		return err_sys(err, -ENOBUFS, "netlink lost a part of each of %d dumps",
			       DUMP_ATTEMPTS);
	return err_set(err, -EAGAIN, "the kernel's tables changed during each of %d dumps",
		       DUMP_ATTEMPTS);
}

static int read_family(const struct nlmsghdr *msg, void *data)
{
	const struct nlattr *attrs[CTRL_ATTR_MAX + 1];

	nl_attrs_of_message(msg, sizeof(struct genlmsghdr), attrs, CTRL_ATTR_MAX);
	return nl_attr_u16(attrs[CTRL_ATTR_FAMILY_ID], data) ? 0 : -EBADMSG;
}

int nl_genl_family(struct nl *nl, const char *name, uint16_t *family, struct err *err)
{
	struct genlmsghdr header = { .cmd = CTRL_CMD_GETFAMILY, .version = 1 };
	uint16_t found = 0;
	struct nl_reader reader = { .read = read_family, .data = &found };
	union nl_message buf;
	struct nlmsghdr *msg;
	int r;

	msg = nl_put_header(&buf, sizeof(buf), GENL_ID_CTRL, 0, &header, sizeof(header));
	if (!msg || !mnl_attr_put_strz_check(msg, sizeof(buf), CTRL_ATTR_FAMILY_NAME, name))
		return err_sys(err, -EMSGSIZE, "generic netlink family %s", name);

	r = nl_get(nl, msg, &reader, err);
	if (r)
		return err_wrap(err, r, "generic netlink family %s", name);
	if (!found)
		return err_sys(err, -ENOENT, "generic netlink family %s", name);

	*family = found;
	return 0;
}
